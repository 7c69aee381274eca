# SPDX-License-Identifier: Apache-2.0
"""`pytest` in this folder: every scenario of the test bench passes on this build; with BACKEND=hls on its HLS C++."""

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from bench import SCENARIOS, Verdict, simulate  # noqa: E402


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    """Simulate once for all tests."""
    return simulate(HERE.parent, backend=os.environ.get("BACKEND", "rtl"))


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(verdict: Verdict, name: str) -> None:
    """The scenario has no findings."""
    scenario = next(entry for entry in verdict.scenarios if entry.name == name)
    assert not scenario.findings, "\n".join((*scenario.findings, f"repeat: {verdict.repeat}"))
