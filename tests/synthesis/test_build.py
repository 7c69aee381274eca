# SPDX-License-Identifier: Apache-2.0
"""Synthesis of a whole build folder: what is synthesized, with which files, and how the figures add up."""

import json
from pathlib import Path

import pytest

from qnn_hw.boards import load_board
from qnn_hw.compiler import assemble
from qnn_hw.errors import QnnError
from qnn_hw.synthesis import SynthesisJob, synthesize_build
from qnn_hw.synthesis import yosys as driver
from tests.random_nets import Conv, Net, build


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the build of a tiny network."""
    network = build(Net((4, 4, 1), convs=(Conv(4),), dense=(8,), classes=4), seed=1)
    return assemble(network, load_board("pynq-z2"), target_fps=100_000).write(tmp_path / "build")


def test_every_operator_the_shell_and_the_top_are_synthesized(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[SynthesisJob] = []

    def count(job: SynthesisJob, *_: object) -> dict[str, int]:
        jobs.append(job)
        return {"LUT6": 1000 if job.top == "qnn_top" else 1, "RAMB18E1": 1}

    monkeypatch.setattr(driver, "_run", count)
    said: list[str] = []
    report = synthesize_build(folder, cache_dir=tmp_path / "cache", progress=said.append)

    n_operators = len(report["operators"])
    assert {operator["operator"] for operator in report["operators"]} >= {"matvec", "threshold", "classifier"}
    assert report["sum"]["lut"] == n_operators + 1, "operators and shell, one LUT each"
    assert report["sum"]["bram36_equivalent"] == (n_operators + 1) / 2
    assert report["top"]["lut"] == 1000
    assert report["budget"] == {"lut": 53_200, "ff": 106_400, "bram36": 140, "dsp": 220}
    assert len(said) == n_operators + 2
    assert json.loads(json.dumps(report)) == report
    # A layer's job sees its own tables and no other's: another layer's weights do not invalidate it.
    tables = {name for job in jobs if job.top == "qnn_mvu" for name in job.data_files or ()}
    assert tables and all(len(job.data_files or ()) == 1 for job in jobs if job.top == "qnn_mvu")


def test_without_the_top_its_place_is_empty(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "_run", lambda *_: {})
    assert synthesize_build(folder, whole_top=False, cache_dir=tmp_path / "cache")["top"] is None


@pytest.mark.parametrize(
    ("name", "text"),
    [("qnn.json", r"qnn\.json: damaged"), ("constants.npz", r"constants\.npz: missing or damaged")],
)
def test_a_damaged_build(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text("damaged")
    with pytest.raises(QnnError, match=text):
        synthesize_build(folder)


@pytest.mark.slow
def test_yosys_counts_the_whole_accelerator(folder: Path, tmp_path: Path) -> None:
    report = synthesize_build(folder, cache_dir=tmp_path / "cache")
    for operator in report["operators"]:
        assert operator["lut"] > 0, f"{operator['name']} ({operator['module']}) vanished"
    # Synthesized in one piece the design gets neither much larger nor much smaller than its parts.
    assert 0.7 < report["top"]["lut"] / report["sum"]["lut"] < 1.1
    assert 0.7 < report["top"]["ff"] / report["sum"]["ff"] < 1.1
