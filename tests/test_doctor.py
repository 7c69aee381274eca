# SPDX-License-Identifier: Apache-2.0
"""The doctor: everything present here, and what it says when something is not."""

import ctypes
import importlib.metadata
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from qnn_hw import doctor


def _result(name: str) -> doctor.Check:
    found = [check for check in doctor.check() if check.name.startswith(name)]
    assert len(found) == 1, f"{name}: {len(found)} checks of that name"
    return found[0]


def _program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(stat.S_IRWXU)


def test_everything_is_there_where_the_tests_run() -> None:
    missing = [
        f"{check.name}: {check.found} -> {check.remedy}"
        for check in doctor.check()
        if not (check.ok or check.needed_for)
    ]
    assert not missing, "\n".join(missing)


def test_a_good_check_has_no_remedy_and_a_bad_one_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    checks = doctor.check()
    assert {check.name for check in checks if not check.ok} >= {"g++", "make", "perl"}
    for check in checks:
        assert bool(check.remedy) != check.ok, check
        assert check.found, check


def test_a_missing_tool_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path / "bin", "apt-get", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert _result("g++") == doctor.Check("g++", False, "missing", "apt-get install g++")
    assert _result("perl") == doctor.Check("perl", False, "missing", "apt-get install perl")


def test_an_old_compiler_is_not_good_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path / "bin", "g++", "echo 9.4.0")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert _result("g++") == doctor.Check("g++", False, "9.4.0", "install g++ 10 or newer")


def test_a_missing_package_says_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(doctor.importlib.metadata, "version", absent)
    assert _result("tensorflow") == doctor.Check("tensorflow", False, "missing", "pip install tensorflow")


def test_libpython_is_the_one_cocotb_finds() -> None:
    import find_libpython

    ours = doctor.find_libpython()
    assert ours is not None
    assert ours.resolve().name == Path(find_libpython.find_libpython()).name


@pytest.mark.parametrize(
    ("prefix", "remedy"),
    [("/usr", "apt-get install libpython3."), ("/opt/python", "--enable-shared")],
    ids=["system", "own-build"],
)
def test_a_python_without_shared_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str, remedy: str
) -> None:
    def refuse(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    _program(tmp_path / "bin", "apt-get", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(ctypes, "CDLL", refuse)
    monkeypatch.setattr(sys, "base_prefix", prefix)
    result = _result("libpython")
    assert not result.ok
    assert remedy in result.remedy


def test_too_little_disk_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_DISK_GIB", 1e9)
    result = _result("disk")
    assert not result.ok
    assert "QNN_HW_CACHE" in result.remedy


def test_the_doctor_starts_under_a_bare_interpreter_without_tensorflow() -> None:
    # -S: no site-packages at all, as before the first installation.
    script = "import sys; from qnn_hw.doctor import find_libpython; sys.exit('tensorflow' in sys.modules)"
    root = Path(doctor.__file__).parents[1]
    done = subprocess.run([sys.executable, "-S", "-c", script], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_one_command_needs_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _result("ssh").needed_for == "deploy --host"
    assert _result("Vivado") == doctor.Check(
        "Vivado",
        False,
        "missing",
        "install Vivado and source its settings64.sh; see docs/vivado.md for doing it elsewhere",
        "synth --tool vivado",
    )
    assert not _result("perl").needed_for
