# SPDX-License-Identifier: Apache-2.0
"""The build that the drivers of the vendors' tools are tried on."""

import shutil
from pathlib import Path

import pytest

from qnn_hw.boards import load_board
from qnn_hw.compiler import assemble
from tests.random_nets import Conv, Net, build


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build; no test changes it."""
    network = build(Net((4, 4, 1), convs=(Conv(4),), dense=(8,), classes=4), seed=1)
    accelerator = assemble(network, load_board("pynq-z2"), target_fps=100_000)
    return accelerator.write(tmp_path_factory.mktemp("builds") / "net")


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    """A copy of it, in a place whose name holds a space."""
    return shutil.copytree(built, tmp_path / "a build")
