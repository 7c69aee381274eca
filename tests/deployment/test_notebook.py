# SPDX-License-Identifier: Apache-2.0
"""The notebook of a build: its form, and every code cell run in order on the simulated board.

Where the environment has no matplotlib (pynq does not bring it, its images do), `stand_in/` takes the plots.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from qnn_hw.backends.board.notebook import notebook_text
from qnn_hw.simulation.board_run import SimulatedBoard, simulated_board
from tests.deployment.board_builds import FRAMES, design_of, write_board_build
from tests.random_nets import Net

STAND_IN = Path(__file__).with_name("stand_in")


def run_notebook(board: SimulatedBoard, folder: Path, path: str, answer: Path) -> dict[str, Any]:
    """Run the notebook in `folder` on a simulated board, with `path` as PYTHONPATH."""
    (notebook,) = folder.glob("*.ipynb")
    done = subprocess.run(
        [board.python, "-W", "ignore", Path(__file__).with_name("run_notebook.py"), notebook.name, answer],
        cwd=folder,
        env=board.environment() | {"PYTHONPATH": path, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{notebook.name}:\n{done.stdout[-1000:]}{done.stderr[-3000:]}"
    found: dict[str, Any] = json.loads(answer.read_text())
    return found


def plots_path(board: SimulatedBoard) -> str:
    """Return the PYTHONPATH of the simulated board alone, and `STAND_IN` behind it if there is no matplotlib."""
    site = board.environment()["PYTHONPATH"].split(os.pathsep)[0]
    has = subprocess.run([board.python, "-c", "import matplotlib.pyplot"], capture_output=True)
    return site if has.returncode == 0 else os.pathsep.join((site, str(STAND_IN)))


def described(shape: list[int], preprocessing: Mapping[str, int] | None = None) -> dict[str, Any]:
    return {
        "name": "net",
        "stem": "net-0123abcd",
        "board_title": "Board",
        "part": "xc7z020clg400-1",
        "graph_hash": "0123abcd" * 4,
        "raw_input": {"shape": shape, "dtype": "u8"},
        "preprocessing": preprocessing,
    }


def test_it_is_a_notebook_without_outputs() -> None:
    text = notebook_text(described([8, 8, 1]))
    notebook = json.loads(text)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    names = [cell["id"] for cell in notebook["cells"]]
    assert len(set(names)) == len(names), names
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None, cell["id"]
            compile("".join(cell["source"]), cell["id"], "exec")
        else:
            assert cell["cell_type"] == "markdown", cell["id"]
            assert not {"outputs", "execution_count"} & cell.keys(), cell["id"]
    assert text == notebook_text(described([8, 8, 1])), "two notebooks of the same facts differ"


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        ([8, 8, 1], "return sample[..., 0]"),
        ([32, 32, 3], "return sample"),
        ([4, 5, 7], "return sample.mean(axis=-1)"),
        ([6, 9], "return sample"),
        ([784], "return sample.reshape(28, 28)"),
        ([35], "return sample.reshape(1, 35)"),
    ],
    ids=["grey", "colour", "channels", "matrix", "square-vector", "vector"],
)
def test_samples_of_every_shape_become_pictures(shape: list[int], body: str) -> None:
    cells = {cell["id"]: "".join(cell["source"]) for cell in json.loads(notebook_text(described(shape)))["cells"]}
    assert f"def picture(sample):\n    {body}\n" in cells["golden"]


@pytest.mark.parametrize(
    ("net", "version"),
    [
        pytest.param(Net((6, 6, 1), dense=(8,), classes=4), "3.1.2", id="pictures"),
        pytest.param(Net((16,), dense=(8,), classes=4), "3.0.1", id="vectors", marks=pytest.mark.slow),
    ],
)
def test_every_cell_runs_on_the_simulated_board(net: Net, version: str, tmp_path: Path) -> None:
    build = write_board_build(tmp_path / "build", board="zcu104", net=net)
    with simulated_board(build, version=version) as board:
        found = run_notebook(board, board.folder, plots_path(board), tmp_path / "answer.json")
        assert found["folder"] == str(board.folder)
        report = json.loads(board.report.read_text())
    assert found["verdict"]["bit_exact"] and found["verdict"]["frames"] == FRAMES, found["verdict"]
    assert len(found["decided"]) == 12
    assert found["own"] == found["decided"][0]
    assert report["downloads"] == 1, report
    assert f"{design_of(build).stem}.ipynb" in os.listdir(build / "board")
