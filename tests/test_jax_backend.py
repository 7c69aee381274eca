# SPDX-License-Identifier: Apache-2.0
"""The training API on the JAX backend of Keras, in a process of its own: nothing reaches into TensorFlow."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed: pip install 'qnn-hw[jax]'")
def test_core_trains_on_jax() -> None:
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [sys.executable, "-m", "tests.jax_core"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, f"tests/jax_core.py failed:\n{run.stdout}\n{run.stderr}"
    assert run.stdout.strip().endswith("ok")
