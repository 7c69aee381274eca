# SPDX-License-Identifier: Apache-2.0
"""The overlay wheel: installed by pip, found by pynq's own entry points, run from site-packages, notebook delivered."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path
from typing import Any

import pytest

from qnn_hw.deployment.wheel import package
from qnn_hw.errors import QnnError
from qnn_hw.simulation.board_run import SimulatedBoard, simulated_board
from tests.deployment.board_builds import FRAMES, VIVADO, add_pair, design_of, write_board_build
from tests.deployment.test_notebook import plots_path, run_notebook

MODULE = "qnn_random"

# Run in the pynq environment: what pynq finds of an installed overlay, and that it runs from where pip put it.
USE = """
import json, sys
from pynq import Overlay
from pynqutils.setup_utils import ExtensionsManager
stem, answer = sys.argv[1:]
overlay = Overlay(stem + ".bit", download=False)
from qnn_random.qnn_driver import Accelerator
with Accelerator() as accelerator:
    verdict = accelerator.validate()
found = {
    "bitfile": overlay.bitfile_name,
    "cells": sorted(overlay.ip_dict),
    "overlays": ExtensionsManager("pynq.overlays").printable,
    "notebooks": ExtensionsManager("pynq.notebooks").printable,
    "verdict": verdict,
}
open(answer, "w").write(json.dumps(found))
"""


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build with a pair as Vivado would leave it."""
    made = write_board_build(tmp_path_factory.mktemp("package") / "build")
    add_pair(made, VIVADO)
    return made


@pytest.fixture(scope="module")
def wheel(build: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return package(build, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder pip installed the wheel into, nothing else in it."""
    folder = tmp_path_factory.mktemp("site-packages")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index", "--no-deps"]
    done = subprocess.run([*pip, "--target", folder, wheel], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def board(build: Path) -> Iterator[SimulatedBoard]:
    with simulated_board(build, version="3.1.2") as made:
        yield made


def run(board: SimulatedBoard, site: Path, command: list[Any], folder: Path) -> None:
    """Run a program of the pynq environment with the installed overlay, in an empty folder."""
    simulated = board.environment()["PYTHONPATH"].split(os.pathsep)[0]
    done = subprocess.run(
        command,
        cwd=folder,
        env=board.environment() | {"PYTHONPATH": os.pathsep.join((simulated, str(site)))},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{command[1:]}:\n{done.stdout[-1000:]}{done.stderr[-3000:]}"


def test_the_name_tells_network_version_graph_and_board(build: Path, wheel: Path) -> None:
    version = json.loads((build / "qnn.json").read_text())["tool_versions"]["qnn-hw"]
    assert wheel.name == f"{MODULE}-{version}+h{design_of(build).graph_hash[:8]}.pynqz2-py3-none-any.whl"


def test_it_requires_nothing_and_names_its_entry_points(build: Path, wheel: Path) -> None:
    stem = design_of(build).stem
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata_file,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(metadata_file).decode())
        points = archive.read(metadata_file.replace("METADATA", "entry_points.txt")).decode()
        driver = archive.read(f"{MODULE}/qnn_driver.py")
    ends = (".bit", ".hwh", ".json", ".golden.npz", ".implementation.json", ".ipynb")
    files = {"__init__.py", "README.md", "qnn_driver.py", *(stem + end for end in ends)}
    assert {name for name in names if ".dist-info/" not in name} == {f"{MODULE}/{name}" for name in files}
    assert metadata.get_all("Requires-Dist") is None
    assert metadata["Requires-Python"] == ">=3.10"
    assert "sudo -i" in metadata.get_payload(), "`sudo -s` has no XILINX_XRT, and pynq then no device"
    assert points.split() == [
        f"[{group}]" if i == 0 else text
        for group in ("pynq.notebooks", "pynq.overlays")
        for i, text in enumerate(("", MODULE, "=", MODULE))
    ]
    assert driver == (build / "board" / "qnn_driver.py").read_bytes()


def test_the_same_build_gives_the_same_bytes(build: Path, wheel: Path, tmp_path: Path) -> None:
    again = package(build, tmp_path / "some" / "folder" / wheel.name)
    assert again == tmp_path / "some" / "folder" / wheel.name
    assert again.read_bytes() == wheel.read_bytes()
    assert sorted(path.name for path in again.parent.iterdir()) == [wheel.name]


def test_pynq_finds_it_and_it_runs_from_where_pip_put_it(
    build: Path, site: Path, board: SimulatedBoard, tmp_path: Path
) -> None:
    stem, answer = design_of(build).stem, tmp_path / "answer.json"
    folder = tmp_path / "empty"
    folder.mkdir()
    run(board, site, [board.python, "-W", "ignore", "-c", USE, stem, answer], folder)
    found = json.loads(answer.read_text())
    assert found["bitfile"] == str(site / MODULE / f"{stem}.bit")
    assert {"axi_dma_0", "qnn_0"} <= set(found["cells"])
    assert found["overlays"] == found["notebooks"] == [f"{MODULE} (source: {MODULE})"]
    assert found["verdict"]["bit_exact"] and found["verdict"]["frames"] == FRAMES, found["verdict"]


def test_get_notebooks_delivers_one_that_runs_by_itself(
    build: Path, site: Path, board: SimulatedBoard, tmp_path: Path
) -> None:
    # What `pynq get-notebooks` starts; the environment has no programs, being moved after it was made.
    entry = "from pynq._cli.get_notebooks import main; main()"
    run(board, site, [board.python, "-W", "ignore", "-c", entry, "--quiet", MODULE], tmp_path)
    delivered = tmp_path / "pynq-notebooks" / MODULE
    present = sorted(path.name for path in (build / "board").iterdir())
    assert sorted(path.name for path in delivered.iterdir()) == sorted([*present, "README.md"])
    found = run_notebook(board, delivered, plots_path(board), tmp_path / "answer.json")
    assert found["folder"] == str(delivered)
    assert found["verdict"]["bit_exact"], found["verdict"]


def test_the_commands_of_its_readme_put_a_new_implementation_in_the_place_of_the_old(
    build: Path, wheel: Path, board: SimulatedBoard, tmp_path: Path
) -> None:
    """Of the same network, so name and version are the same, and pip and pynq take it for what is there already."""
    other = Path(shutil.copytree(build, tmp_path / "build"))
    bit = add_pair(other, VIVADO, n_more=4)
    second = package(other, tmp_path / "second")
    assert second.name == wheel.name
    venv.create(tmp_path / "venv")
    (site,) = (tmp_path / "venv").glob("lib/python3*/site-packages")
    for made in (wheel, second):
        with zipfile.ZipFile(made) as archive:
            readme = archive.read(f"{MODULE}/README.md").decode()
        install, deliver = (
            shlex.split(line) for line in readme.splitlines() if line.startswith(("    pip", "    pynq"))
        )
        assert install[-1] == f"~xilinx/{made.name}"
        pip = [sys.executable, "-m", "pip", "--python", tmp_path / "venv" / "bin" / "python", *install[1:-1], made]
        done = subprocess.run(pip, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        entry = "from pynq._cli.get_notebooks import main; main()"
        words = [str(tmp_path) if word == "~xilinx/jupyter_notebooks" else word for word in deliver[2:]]
        run(board, site, [board.python, "-W", "ignore", "-c", entry, "--quiet", *words], tmp_path)
    assert (tmp_path / MODULE / bit.name).read_bytes() == bit.read_bytes()


def test_another_file_name_is_refused(build: Path, wheel: Path, tmp_path: Path) -> None:
    with pytest.raises(QnnError) as caught:
        package(build, tmp_path / "mine.whl")
    assert str(caught.value) == (
        f"{tmp_path / 'mine.whl'}: pip takes a wheel by its name alone; name it {wheel.name}, or give a folder"
    )
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written(build: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(QnnError, match=r"file: the wheel cannot be written: "):
        package(build, tmp_path / "file")


def test_a_pair_for_the_simulated_board_is_no_overlay(tmp_path: Path) -> None:
    build = write_board_build(tmp_path / "build")
    with pytest.raises(QnnError, match=r"no bitstream .*\.bit yet"):
        package(build, tmp_path / "wheels")
    add_pair(build)
    with pytest.raises(QnnError, match=r"^wheel: .*\.bit was made for the simulated board and programs no FPGA"):
        package(build, tmp_path / "wheels")
    assert not (tmp_path / "wheels").exists()
