# SPDX-License-Identifier: Apache-2.0
"""Builds for the simulated board, and programs that run on it."""

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from qnn_hw.boards import load_board
from qnn_hw.compiler import assemble
from qnn_hw.samples import Samples
from qnn_hw.simulation.board_run import SimulatedBoard
from qnn_hw.simulation.pynq_environment import NoFittingPython, python_with_pynq
from tests.random_nets import Net, build, samples

FRAMES = 140
"""Golden frames of a build: more than the accelerator's queue of transfer ends holds (64)."""


def small_mlp(path: Path, board: str = "pynq-z2", output: str = "class", clock_mhz: float | None = None) -> Path:
    """Write a build of a small dense network with random weights."""
    graph = build(Net((64,), dense=(32, 16), classes=10), seed=7)
    made = assemble(graph, load_board(board), clock_mhz=clock_mhz, target_fps=500_000, folding={}, output=output)
    return made.with_samples(Samples(samples(graph, FRAMES, 7), None, "random, seed 7")).write(path)


def need_pynq(version: str) -> Path:
    """Return the Python of an environment with pynq; a machine without any fitting Python skips the test."""
    try:
        return python_with_pynq(version)
    except NoFittingPython as error:
        pytest.skip(str(error))


def run_script(board: SimulatedBoard, text: str) -> Any:
    """Run a program that leaves its findings in `found`, and return them."""
    script = "import json\nfound = {}\n" + textwrap.dedent(text) + "\nprint(json.dumps(found))\n"
    (board.folder / "script.py").write_text(script, encoding="utf-8")
    done = board.run(["script.py"])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
