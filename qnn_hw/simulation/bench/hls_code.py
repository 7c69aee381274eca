# SPDX-License-Identifier: Apache-2.0
"""The HLS C++ of a build, as a simulator compiles it: which files, which folders, and where `ap_int.h` is.

Vendor headers are never part of a build. `ap_int.h` and its kin come from the installed hls4ml, which has AMD's open
ap_types, else from Vitis HLS ($XILINX_HLS/include).
"""

from __future__ import annotations

import os
import platform
from importlib import util
from pathlib import Path

from .errors import SimulationError

INCLUDE_FOLDERS = ("", "host", "include", "include/shims")
HEADER_SUFFIXES = (".h", ".hpp")
NOT_WRITTEN = "NOT_WRITTEN.txt"
"""In `hls/` instead of code, with the reason, where the network cannot be printed as HLS C++."""


def ap_types_dir() -> Path:
    """Return the folder with `ap_int.h`, without importing hls4ml; raises `SimulationError` where there is none."""
    candidates = []
    spec = util.find_spec("hls4ml")
    if spec is not None:
        candidates += [
            Path(folder) / "templates" / "vivado" / "ap_types" for folder in spec.submodule_search_locations or ()
        ]
    if os.environ.get("XILINX_HLS"):
        candidates.append(Path(os.environ["XILINX_HLS"]) / "include")
    for folder in candidates:
        if (folder / "ap_int.h").is_file():
            return folder
    looked = f"; looked in {', '.join(map(str, candidates))}" if candidates else ""
    raise SimulationError(
        f"HLS C++: ap_int.h was not found{looked}; install it (pip install 'hls4ml>=1.3,<2') or set XILINX_HLS to the "
        "folder of Vitis HLS"
    )


def check_written(hls: Path, file: Path) -> None:
    """Raise `SimulationError` unless the folder `hls` of a build has `file`, with the reason if the build gives one."""
    reason = hls / NOT_WRITTEN
    if reason.is_file():
        raise SimulationError(f"{hls.parent}: has no HLS C++: {reason.read_text(encoding='utf-8').strip()}")
    if not file.is_file():
        raise SimulationError(f"{file}: no such file; this build has no HLS C++ to simulate, build again")


def table_sources(hls: Path) -> list[Path]:
    """Return the C++ files of the stage table in the folder `hls` of a build."""
    sources = sorted((hls / "host").glob("stages*.cpp"))
    if not sources:
        raise SimulationError(f"{hls}: the HLS C++ (host/stages.cpp) is missing; build again")
    core = hls / "qnn_core.cpp"
    return [*sources, *([core] if core.is_file() else [])]


def language_flags(optimization: str = "-O2") -> list[str]:
    """Return the flags with which the sources of `table_sources` are compiled; every x86-64 since 2008 has popcnt."""
    return ["-std=c++14", optimization, *(["-mpopcnt"] if platform.machine() in ("x86_64", "AMD64") else [])]


def include_flags(hls: Path) -> list[str]:
    """Return the flags that lead those sources to their headers; our `hls_stream.h` stands before that of ap_types."""
    return [*(f"-I{hls / name}" for name in INCLUDE_FOLDERS), "-isystem", str(ap_types_dir())]


def headers(hls: Path) -> list[Path]:
    """Return every header the sources of `table_sources` can reach, ap_types among them."""
    places = [hls, *(hls / name for name in ("cosim", "host")), *sorted((hls / "include").rglob("*"))]
    places += [hls / "include", *sorted((hls / "weights").rglob("*")), hls / "weights"]
    own = {path for place in places if place.is_dir() for path in place.iterdir()}
    vendor = set(ap_types_dir().rglob("*"))
    return sorted(path for path in own | vendor if path.is_file() and path.suffix in HEADER_SUFFIXES)
