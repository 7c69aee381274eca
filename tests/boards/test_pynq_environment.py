# SPDX-License-Identifier: Apache-2.0
"""Environments with pynq: which Python, made once and whole, exact versions, errors in one sentence.

Interpreters here are shell scripts; a real environment is made by the tests that run the simulated board.
"""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest

from qnn_hw.boards import list_boards, load_board
from qnn_hw.errors import QnnError
from qnn_hw.simulation import pynq_environment
from qnn_hw.simulation.pynq_environment import (
    PYTHONS,
    VERSIONS,
    NoFittingPython,
    PynqNotAvailable,
    python_with_pynq,
    requirements,
    version_for,
)

SHIM = '#!/bin/sh\necho "pyenv: python3.12: command not found" >&2\nexit 127\n'
INTERPRETER = """#!/bin/sh
# Tells its version, makes environments, and plays the Python inside one, whose pip does {pip!r}.
case "$*" in
  *sys.version_info*) echo {version};;
  *"-m venv"*) echo made >> {log}; for place in "$@"; do :; done; mkdir -p "$place/bin"; cp "$0" "$place/bin/python";;
  *"-m pip"*) {pip};;
esac
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH but for the system's tools, and an empty cache."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/nowhere")
    monkeypatch.setenv("QNN_HW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "version_info", SimpleVersion(3, 13))
    return folder


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def interpreter(folder: Path, version: str, pip: str = "true") -> None:
    path = "PATH=/usr/bin:/bin\n"
    text = INTERPRETER.format(version=version, log=folder / "log", pip=pip)
    write(folder / f"python{version}", text.replace("\n", f"\n{path}", 1))


def made(folder: Path) -> int:
    log = folder / "log"
    return len(log.read_text().splitlines()) if log.is_file() else 0


def test_the_newest_python_that_runs_is_taken_and_the_environment_made_once(programs: Path) -> None:
    write(programs / "python3.12", SHIM)
    interpreter(programs, "3.11")
    interpreter(programs, "3.10")
    said: list[str] = []
    python = python_with_pynq("3.1.2", said.append)
    assert python.is_file() and python.parts[-3].startswith("3.1.2-python3.11-")
    assert said == ["installing pynq 3.1.2 for Python 3.11 into an environment of its own"]
    assert python_with_pynq("3.1.2", said.append) == python
    assert len(said) == made(programs) == 1


def test_an_environment_that_is_there_needs_no_python_in_path(programs: Path) -> None:
    interpreter(programs, "3.10")
    python = python_with_pynq("4.0.0")
    (programs / "python3.10").unlink()
    assert python_with_pynq("4.0.0") == python


def test_an_environment_whose_python_is_gone_is_made_again(programs: Path) -> None:
    interpreter(programs, "3.12")
    write(python_with_pynq("3.0.1"), SHIM)
    assert python_with_pynq("3.0.1").read_text() != SHIM
    assert made(programs) == 2


def test_releases_have_environments_of_their_own(programs: Path) -> None:
    interpreter(programs, "3.12")
    assert len({python_with_pynq(version) for version in VERSIONS}) == len(VERSIONS)


def test_without_a_fitting_python_the_error_says_so(programs: Path) -> None:
    write(programs / "python3.12", SHIM)
    with pytest.raises(NoFittingPython) as caught:
        python_with_pynq()
    assert str(caught.value) == (
        "pynq needs Python 3.12, 3.11 or 3.10, and none of python3.12, python3.11, python3.10 in PATH runs; "
        "install one of them"
    )


def test_the_running_python_serves_where_no_other_is_in_path(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interpreter(programs, "3.11")
    (programs / "python3.11").rename(programs / "running")
    monkeypatch.setattr(sys, "version_info", SimpleVersion(3, 11))
    monkeypatch.setattr(sys, "executable", str(programs / "running"))
    assert "python3.11" in str(python_with_pynq())


def test_a_failed_pip_shows_its_last_error_and_leaves_nothing(programs: Path, tmp_path: Path) -> None:
    output = "echo 'ERROR: first'; echo 'ERROR: No matching distribution found for setuptools' >&2; exit 1"
    interpreter(programs, "3.12", output)
    with pytest.raises(PynqNotAvailable) as caught:
        python_with_pynq("3.1.2")
    assert str(caught.value) == (
        "pynq 3.1.2 cannot be installed: ERROR: No matching distribution found for setuptools; "
        "pip needs the network once, see to it and try again"
    )
    assert [path.name for path in (tmp_path / "cache" / "pynq").iterdir() if path.is_dir()] == []


def test_two_processes_at_once_make_one_environment(programs: Path, tmp_path: Path) -> None:
    interpreter(programs, "3.12")
    call = "from qnn_hw.simulation.pynq_environment import python_with_pynq; print(python_with_pynq())"
    root = Path(pynq_environment.__file__).parents[2]
    running = [
        subprocess.Popen([sys.executable, "-c", call], cwd=root, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    places = {process.communicate()[0] for process in running}
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(places) == made(programs) == 1


def test_an_unknown_release_is_refused() -> None:
    with pytest.raises(QnnError, match=r"pynq 2\.7\.0 is not supported; supported are 3\.0\.1, 3\.1\.2, 4\.0\.0"):
        python_with_pynq("2.7.0")


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("version", VERSIONS)
def test_every_requirement_names_one_exact_version(version: str, python: str) -> None:
    pins = requirements(version, python)
    assert pins[0] == f"pynq=={version}"
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+==[0-9.]+", pin) for pin in pins)
    names = [pin.partition("==")[0].lower() for pin in pins]
    assert len(set(names)) == len(names)
    numpy = dict(pin.split("==") for pin in pins)["numpy"]
    assert numpy == ("1.21.5" if python == "3.10" else "1.26.4"), "with 3.10 that of the images of pynq 3"


def test_boards_get_the_newest_release_they_have_an_image_for() -> None:
    assert version_for(load_board("pynq-z2")) == version_for(load_board("pynq-z1")) == "3.1.2"
    assert version_for(load_board("zcu104")) == "4.0.0"
    assert all(version_for(board) in VERSIONS for board in list_boards())


def test_a_board_without_a_fitting_release_is_refused() -> None:
    board = dataclasses.replace(load_board("pynq-z2"), pynq_versions=("2.7.0",))
    with pytest.raises(QnnError, match=r"pynq_versions is 2\.7\.0; the driver runs on 3\.0\.1, 3\.1\.2, 4\.0\.0"):
        version_for(board)


class SimpleVersion(tuple[int, ...]):
    """What `sys.version_info` is read for."""

    def __new__(cls, major: int, minor: int) -> "SimpleVersion":
        return super().__new__(cls, (major, minor, 0))

    major = property(lambda self: self[0])
    minor = property(lambda self: self[1])
