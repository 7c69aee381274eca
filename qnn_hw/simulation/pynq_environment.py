# SPDX-License-Identifier: Apache-2.0
"""Environments with pynq: one a release, made on first use, apart from qnn-hw's own.

pynq wants NumPy 1 and an old grpcio, so it cannot live beside TensorFlow. Everything is installed in exactly the
versions below and without looking for newer ones: a release of some dependency tomorrow changes nothing. One list
serves Python 3.10, 3.11 and 3.12, but for the NumPy of 3.10; the dependencies of pynq have no wheels for 3.13.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from qnn_hw.boards import Board
from qnn_hw.errors import QnnError
from qnn_hw.resources import cache_dir
from qnn_hw.simulation.bench.verilator import locked, make_folder

VERSIONS = ("3.0.1", "3.1.2", "4.0.0")
"""Releases the driver is written for, oldest first."""
PYTHONS = ("3.12", "3.11", "3.10")
"""Pythons that can run them, in the order they are tried."""
_BUILD = ("setuptools==80.0.0", "wheel==0.45.1")
"""pynq comes as source: what builds it is pinned as well."""
_REQUIREMENTS = (
    *("annotated-types==0.8.0", "asttokens==3.0.2", "attrs==26.1.0", "cffi==2.1.1", "decorator==5.3.1"),
    *("exceptiongroup==1.3.1", "executing==2.3.0", "ipython==8.39.0", "jedi==0.20.1", "jsonschema==4.26.0"),
    *("jsonschema-specifications==2025.9.1", "matplotlib-inline==0.2.2", "nest-asyncio==1.6.0", "numpy==1.26.4"),
    *("parso==0.8.7", "pexpect==4.9.0", "prompt_toolkit==3.0.53", "ptyprocess==0.7.0", "pure_eval==0.2.4"),
    "pycparser==2.23",  # pynq up to 3.1.2 imports pycparser.plyparser, which 3.0 dropped
    *("pydantic==2.14.3", "pydantic_core==2.50.4", "Pygments==2.21.0", "pynqmetadata==0.2.0", "pynqutils==0.1.3"),
    *("python-magic==0.4.27", "referencing==0.37.0", "rpds-py==0.30.0", "stack-data==0.6.3", "tqdm==4.70.1"),
    *("traitlets==5.16.1", "typing-inspection==0.4.5", "typing_extensions==4.16.0", "wcwidth==0.9.4"),
)
_OLD_NUMPY = "numpy==1.21.5"
"""For Python 3.10: the NumPy of Ubuntu 22.04, which the images of pynq 3 bring."""
_WITH_REMOTE = ("grpcio==1.64.0", "grpcio-tools==1.64.0", "protobuf==5.29.6")
"""Further needs of PYNQ.remote, from pynq 3.1 on."""

Progress = Callable[[str], None]


class PynqNotAvailable(QnnError):
    """There is no environment with pynq and none can be made."""


class NoFittingPython(PynqNotAvailable):
    """None of `PYTHONS` runs here."""


def version_for(board: Board) -> str:
    """Return the newest pynq release that `board` has an image for and the driver is written for.

    Raises:
        QnnError: none is both.
    """
    fitting = [version for version in VERSIONS if version in board.pynq_versions]
    if not fitting:
        raise QnnError(
            f"board {board.name}: pynq_versions is {', '.join(board.pynq_versions)}; the driver runs on "
            f"{', '.join(VERSIONS)}"
        )
    return fitting[-1]


def python_with_pynq(version: str = "3.1.2", progress: Progress | None = None) -> Path:
    """Return the Python of an environment with pynq `version`, made on first use (half a minute, needs the network).

    It lives in the cache folder and is put in its place complete; of two processes the second waits for the first.

    Raises:
        QnnError: the version is none of `VERSIONS`.
        NoFittingPython: there is no Python of `PYTHONS`.
        PynqNotAvailable: pip could not install.
    """
    if version not in VERSIONS:
        raise QnnError(f"pynq {version} is not supported; supported are {', '.join(VERSIONS)}")
    folder = cache_dir() / "pynq"
    places = {python: folder / f"{version}-python{python}-{_key(version, python)}" for python in PYTHONS}
    for python, place in places.items():
        if _version_of(place / "bin" / "python") == python:
            return place / "bin" / "python"
    interpreter, python = find_python()
    place = places[python]
    with locked(folder / f"{place.name}.lock"):
        if _version_of(place / "bin" / "python") != python:
            if progress is not None:
                progress(f"installing pynq {version} for Python {python} into an environment of its own")
            make_folder(place, lambda work: _install(interpreter, work, requirements(version, python)))
    return place / "bin" / "python"


def requirements(version: str, python: str) -> tuple[str, ...]:
    """Return what is installed beside Python `python`, such as 3.11, for pynq `version`, each as name==version."""
    pins = (f"pynq=={version}", *_REQUIREMENTS, *(() if version == "3.0.1" else _WITH_REMOTE))
    return tuple(_OLD_NUMPY if python == "3.10" and pin.startswith("numpy==") else pin for pin in pins)


def _key(version: str, python: str) -> str:
    return hashlib.sha256("\n".join((*_BUILD, *requirements(version, python))).encode()).hexdigest()[:8]


def find_python() -> tuple[Path, str]:
    """Return the first interpreter of `PYTHONS` that runs, and its version.

    Raises:
        NoFittingPython: there is none.
    """
    for python in PYTHONS:
        for folder in os.get_exec_path():
            program = Path(folder) / f"python{python}"
            # pyenv leaves a program of every version in PATH that only tells how to activate it.
            if _version_of(program) == python:
                return program, python
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    if running in PYTHONS:
        return Path(sys.executable), running
    raise NoFittingPython(
        f"pynq needs Python {', '.join(PYTHONS[:-1])} or {PYTHONS[-1]}, and none of "
        f"{', '.join(f'python{python}' for python in PYTHONS)} in PATH runs; install one of them"
    )


def _version_of(program: Path) -> str | None:
    """Return the version of an interpreter, such as 3.11; None if it is not there or does not run."""
    if not os.access(program, os.X_OK):
        return None
    try:
        done = subprocess.run(
            [program, "-I", "-S", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _install(interpreter: Path, place: Path, pins: Sequence[str]) -> None:
    """Make an environment in the empty folder `place`: pynq's sources are built by the setuptools named above."""
    made = _call([str(interpreter), "-m", "venv", str(place)])
    pip = [str(place / "bin" / "python"), "-m", "pip"]
    if made.returncode != 0:
        # Debian's Python has no pip of its own; ours can install into another environment.
        made = _call([str(interpreter), "-m", "venv", "--clear", "--without-pip", str(place)])
        pip = [sys.executable, "-m", "pip", "--python", str(place / "bin" / "python")]
    if made.returncode != 0:
        raise PynqNotAvailable(f"pynq: {interpreter} cannot make an environment: {_last_error(made)}")
    pip += ["--disable-pip-version-check", "install", "--quiet", "--no-input", "--no-deps"]
    scratch = place / "scratch"
    scratch.mkdir()
    for arguments in (_BUILD, ("--no-build-isolation", *pins)):
        # What an interrupted pip leaves lying about then goes with the unfinished environment.
        done = _call([*pip, *arguments], TMPDIR=str(scratch))
        if done.returncode != 0:
            raise PynqNotAvailable(
                f"{pins[0].replace('==', ' ')} cannot be installed: {_last_error(done)}; pip needs the network once, "
                "see to it and try again"
            )
    shutil.rmtree(scratch)
    done = _call([str(place / "bin" / "python"), "-I", "-W", "ignore", "-c", "import pynq.lib.dma"])
    if done.returncode != 0:
        raise PynqNotAvailable(f"{pins[0].replace('==', ' ')} does not start on this machine: {_last_error(done)}")


def _call(command: Sequence[str], **settings: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=kept | settings)


def _last_error(done: subprocess.CompletedProcess[str]) -> str:
    """Return the last line that tells of an error, else the last line at all."""
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR") or "Error:" in line]
    return (errors or lines or [f"exit status {done.returncode}"])[-1]
