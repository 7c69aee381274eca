# SPDX-License-Identifier: Apache-2.0
"""Compiles the accelerator of a build into the shared library that the simulated board runs.

Verilator translates the build's RTL, g++ compiles that together with `board/model.cpp`. Weights are no part of it:
`board/rtl.py` names the folder of tables at run time. A library is kept under the SHA-256 of all it was made from, so
that the next network of the same structure takes the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from qnn_hw.errors import QnnError
from qnn_hw.simulation.bench import verilator as tools
from qnn_hw.simulation.bench.errors import SimulationError
from qnn_hw.simulation.verilator import cache_folder, with_qnn_error

TOP = "qnn_top"
LIBRARY = "accelerator.so"
HARNESS = Path(__file__).resolve().parent / "board" / "model.cpp"
VERILATOR_FLAGS = (
    *("--cc", "--no-timing", "--timescale", "1ns/1ps", "--top-module", TOP, "--prefix", f"V{TOP}"),
    *("-O3", "--x-assign", "fast", "--x-initial", "unique", "--quiet-stats"),
)
# Two such libraries live in one process (two networks, two overlays): nothing of one may be taken for the other's.
CXX_FLAGS = (
    *("-std=gnu++20", "-O1", "-fPIC", "-fvisibility=hidden", "-fvisibility-inlines-hidden", "-fno-gnu-unique"),
    *("-fcf-protection=none", "-pipe", "-w", "-DVL_USER_FATAL", "-DVL_USER_STOP", "-DVL_USER_WARN"),
)
RUNTIME = ("verilated", "verilated_threads")


@with_qnn_error
def board_library(build: Path, cache: Path | None = None, progress: Callable[[str], None] | None = None) -> Path:
    """Return the shared library of the accelerator in `build`, made now or taken from the cache.

    Args:
        build: a build folder; its `rtl/*.sv` are compiled.
        cache: where libraries are kept; default `cache_folder()`.
        progress: called with a sentence before something is compiled.

    Of several processes that need the same library at once, one makes it and the others wait. It is made beside its
    place and renamed, so that an interrupted call leaves nothing behind.

    Raises:
        QnnError: `build` holds no RTL, Verilator or g++ is missing, or one of them refused the design.
    """
    sources = sorted((build / "rtl").glob("*.sv"))
    if not any(source.stem == TOP for source in sources):
        raise QnnError(f"simulated board: {build} holds no rtl/{TOP}.sv; name a folder that `qnn-hw build` wrote")
    root = tools.find_verilator()
    key = tools.content_key(
        [*tools.compiler_versions(), *VERILATOR_FLAGS, *CXX_FLAGS, *RUNTIME, "board"], [*sources, HARNESS]
    )
    folder = (cache or cache_folder()) / "board"
    place = folder / key
    with tools.locked(folder / f"{key}.lock"):
        if not (place / LIBRARY).is_file():
            if progress is not None:
                progress("compiling the accelerator for the simulated board")
            runtime = _runtime(root, folder)
            tools.make_folder(place, lambda work: _compile(work, root, sources, runtime))
    return place / LIBRARY


def _compile(work: Path, root: Path, sources: Sequence[Path], runtime: Sequence[Path]) -> None:
    generated = work / "generated"
    tools.run_tool(
        [
            *(str(tools.verilator_program(root)), *VERILATOR_FLAGS, "-Mdir", str(generated)),
            *(str(source.resolve()) for source in sources),
        ],
        "verilator refused the accelerator",
        {"VERILATOR_ROOT": str(root)},
    )
    units = [work / "model.cpp"]
    units[0].write_bytes(HARNESS.read_bytes())
    texts = sorted(generated.glob("*.cpp"), key=lambda path: path.stat().st_size, reverse=True)
    for index, group in enumerate(tools.balanced(texts, 4)):
        units.append(work / f"unit{index}.cpp")
        units[-1].write_text("".join(f'#include "{path.name}"\n' for path in group), encoding="utf-8")
    objects = [unit.with_suffix(".o") for unit in units]
    compiler = [*_compiler(root), f"-I{generated}", "-c"]
    tools.run_all([[*compiler, str(unit), "-o", str(made)] for unit, made in zip(units, objects, strict=True)])
    linked = [str(made) for made in (*objects, *runtime)]
    linker = ["g++", "-shared", "-pthread", "-Wl,-Bsymbolic", *linked, "-o", str(work / LIBRARY)]
    try:  # the Python that loads it may bring an older libstdc++
        tools.run_tool([*linker, "-static-libstdc++", "-static-libgcc"], "g++ could not link the accelerator")
    except SimulationError:  # no static libstdc++ here
        tools.run_tool(linker, "g++ could not link the accelerator")
    tools.remove_all_but(work, LIBRARY)


def _runtime(root: Path, folder: Path) -> list[Path]:
    """Return the compiled files of Verilator's runtime, made at the first call."""
    key = tools.content_key([*tools.compiler_versions(), *CXX_FLAGS, *RUNTIME, "board runtime"], [])
    place = folder / f"runtime-{key}"

    def compile_runtime(work: Path) -> None:
        include = root / "include"
        lines = [["-c", str(include / f"{name}.cpp"), "-o", str(work / f"{name}.o")] for name in RUNTIME]
        tools.run_all([[*_compiler(root), *line] for line in lines])

    with tools.locked(folder / f"runtime-{key}.lock"):
        if not place.is_dir():
            tools.make_folder(place, compile_runtime)
    return [place / f"{name}.o" for name in RUNTIME]


def _compiler(root: Path) -> list[str]:
    include = root / "include"
    return ["g++", *CXX_FLAGS, f"-I{include}", f"-I{include / 'vltstd'}"]
