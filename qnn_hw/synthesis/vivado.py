# SPDX-License-Identifier: Apache-2.0
"""Makes the bitstream of a build: runs Vivado, where it is installed, or takes what a run by hand left.

`qnn-hw build` writes the scripts, to `BUILD/vivado`. Vivado works in a copy beside it; what it made is taken over only
when it is routed, meets timing, and belongs to this build: `BUILD/board` then holds `<stem>.bit`, `<stem>.hwh` and
`<stem>.implementation.json`, with the sums of the two, so that a mixed set is recognised. A run by hand, on any
machine, leaves the same in `BUILD/vivado/out`.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qnn_hw.analysis.resources.cells import Resources
from qnn_hw.backends.board.design import ACCELERATOR_CELL, stem
from qnn_hw.backends.folder import Build, read_build
from qnn_hw.backends.instance import instance
from qnn_hw.backends.vivado import RELEASES, RESULTS, RUN, SETTINGS, WRAPPER, graph_hash_of, newer_than_images
from qnn_hw.errors import QnnError
from qnn_hw.synthesis.vendor_tool import check_graph_hash, first_error, follow, installed_release
from qnn_hw.synthesis.vivado_report import (
    Instance,
    Slacks,
    below,
    inside,
    read_facts,
    read_timing,
    read_utilization,
    release_of,
)

Progress = Callable[[str], None]

LABEL = "Vivado, after place and route"
LOG, REPORTS = "vivado.log", "reports"
BY_HAND = f"vivado -mode batch -source {RUN}"
"""What a person types in `BUILD/vivado`."""
SCHEMA = 1
"""Of `<stem>.implementation.json`."""
_STEP, _END, _REFUSED = "qnn-hw: step", "qnn-hw: finished", "ERROR: qnn-hw:"
_KNOWN = f"{RELEASES[0].version} to {RELEASES[-1].version}"
# Vivado prints periods with three decimals, in ns, and constrains a processor's clock to what was asked for or to what
# is made of it, cut or rounded to three: 6.666 for 149.9985 MHz has been seen. The driver's own tolerance is wider.
_PERIOD_NS, _PERIOD_SHARE = 0.001, 2e-4


@dataclass(frozen=True, slots=True)
class Vivado:
    """A Vivado that can be run."""

    path: Path
    """The program."""
    version: str
    """Release, one of `RELEASES`."""


def synthesize_with_vivado(
    folder: Path, *, jobs: int = 2, progress: Progress | None = None, timeout_s: float | None = None
) -> dict[str, Any]:
    """Implement a build in Vivado and put its bitstream into `BUILD/board`.

    A folder `BUILD/vivado/out` left by a run by hand is taken instead of running Vivado, and removed.

    Args:
        folder: written by `qnn-hw build`.
        jobs: processes Vivado may run at a time, 1 or more.
        progress: called with one sentence before each step.
        timeout_s: seconds after which Vivado is stopped; none by default.

    Returns:
        As `synthesize_build`: `tool` (name, version, origin, label), `board`, `operators` (layer, operator, name,
        module, the fields of `Resources`, `bram36_equivalent`, `uram`), `shell`, `sum`, `top` (the whole accelerator),
        `budget`; figures Vivado does not report (carry4, muxf) are None. And `system` (the whole design, processor and
        DMA included), `clock` (asked_mhz, actual_mhz), `slack` (wns_ns, tns_ns, whs_ns, wpws_ns, path_from, path_to),
        `files` (bit, hwh, implementation: paths in the build), `notes`.

    Raises:
        QnnError: the folder is no build, its `vivado/` is incomplete or of another build, there is no Vivado of a known
            release, a step failed, or timing was missed: the sentence of the scripts or the tool's first ERROR line,
            and the log that holds the rest.
    """
    if jobs < 1:
        raise QnnError(f"Vivado: {jobs} jobs; give 1 or more")
    build = read_build(folder)
    check_scripts(build)
    left = folder / "vivado" / RESULTS
    if left.is_dir():
        if progress:
            progress(f"Vivado: taking what a run by hand left in {left}")
        report = collect(build, left, "a run by hand")
        shutil.rmtree(left)
        return report
    tool = find_vivado(folder / "vivado")
    with _scratch(folder) as scratch:
        _run(tool, jobs, scratch, folder / "vivado", progress, timeout_s)
        return collect(build, scratch / RESULTS, str(tool.path))


def check_scripts(build: Build) -> None:
    """Check that the `vivado/` folder of a build is complete and belongs to it.

    Raises:
        QnnError: something is missing, or the graph hash in the settings is not that of `qnn.json`.
    """
    folder = build.path / "vivado"
    if not folder.is_dir():
        raise QnnError(f"{build.path}: has no vivado/ folder; build again with this version of qnn-hw")
    for name in (RUN, SETTINGS, WRAPPER):
        if not (folder / name).is_file():
            raise QnnError(f"{folder / name}: missing; build again")
    check_graph_hash(folder, graph_hash_of((folder / SETTINGS).read_text(encoding="utf-8", errors="replace")), build)


def find_vivado(scripts: Path, environment: Mapping[str, str] | None = None) -> Vivado:
    """Return the Vivado on the PATH, else the one in `bin` of $XILINX_VIVADO.

    Args:
        scripts: folder named by the error, so that Vivado can be run on another machine.
        environment: in the place of this process's.

    Raises:
        QnnError: there is none, or it is of a release that is not known.
    """
    environment = os.environ if environment is None else environment
    places = [environment.get("PATH", "")]
    if environment.get("XILINX_VIVADO"):
        places.append(str(Path(environment["XILINX_VIVADO"]) / "bin"))
    path = shutil.which("vivado", path=os.pathsep.join(places))
    if path is None:
        raise QnnError(
            f"Vivado: not on the PATH and not in $XILINX_VIVADO/bin; the scripts are in {scripts}: copy this build to "
            f"a machine with Vivado {_KNOWN}, run `{BY_HAND}` in its folder vivado, bring vivado/{RESULTS} back, and "
            "repeat this command"
        )
    version = installed_release([path, "-version"])
    if version not in [release.version for release in RELEASES]:
        raise QnnError(
            f"Vivado: {path} is {version or 'of a release it does not name'}; the scripts are for {_KNOWN}: source "
            "settings64.sh of one of these releases"
        )
    return Vivado(Path(path), str(version))


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """Yield a copy of `vivado/`, beside a copy of `rtl/`, that vanishes at the end."""
    try:
        scratch = tempfile.TemporaryDirectory(prefix=".vivado-", dir=folder, ignore_cleanup_errors=True)
    except OSError as error:
        raise QnnError(f"{folder}: cannot be written ({error.strerror}); Vivado works inside the build") from None
    with scratch as name:
        copy = Path(name) / "vivado"
        ignored = shutil.ignore_patterns("work", RESULTS, REPORTS, "*.log", "*.jou", ".Xil")
        shutil.copytree(folder / "vivado", copy, ignore=ignored)
        shutil.copytree(folder / "rtl", Path(name) / "rtl")
        yield copy


def _run(
    tool: Vivado, jobs: int, scratch: Path, kept: Path, progress: Progress | None, timeout_s: float | None
) -> None:
    """Run the scripts in `scratch`; keep log and reports in `kept` in any case."""
    words = [
        str(tool.path),
        "-mode",
        "batch",
        "-notrace",
        "-nojournal",
        "-nolog",
        "-source",
        RUN,
        "-tclargs",
        str(jobs),
    ]
    log = kept / LOG

    def tell(line: str) -> None:
        if progress and line.startswith(_STEP):
            progress(f"Vivado {tool.version}: {line.removeprefix(_STEP).strip()}")

    try:
        status, in_time = follow(words, scratch, scratch / LOG, on_line=tell, timeout_s=timeout_s)
    finally:
        if (scratch / LOG).exists():
            os.replace(scratch / LOG, log)
        if (scratch / REPORTS).is_dir():
            _keep_reports(scratch / REPORTS, kept)
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    if not in_time:
        reason = f"stopped after {timeout_s:g} s"
    elif status or not any(line.strip() == _END for line in lines):
        reason = _reason(lines) or f"ended with status {status} and no ERROR line"
    else:
        return
    raise QnnError(f"Vivado {tool.version}: {reason}; the whole log is in {log}")


def _reason(lines: Sequence[str]) -> str | None:
    """Return the sentence with which the scripts refused, else the tool's first error in the step that failed."""
    for line in lines:
        if line.startswith(_REFUSED):
            return line.removeprefix(_REFUSED).strip()
    # Errors of earlier steps were overcome there.
    steps = [i for i, line in enumerate(lines) if line.startswith(_STEP)]
    return first_error(lines[steps[-1] :] if steps else lines)


def _keep_reports(folder: Path, kept: Path) -> None:
    shutil.rmtree(kept / REPORTS, ignore_errors=True)
    shutil.copytree(folder, kept / REPORTS, ignore=lambda _, names: [n for n in names if not n.endswith(".rpt")])


def collect(build: Build, results: Path, origin: str) -> dict[str, Any]:
    """Check what the scripts left in `results`, install it in the build, and return the report.

    Args:
        build: the build it must belong to.
        results: folder with bitstream, handoff file, reports and facts.
        origin: who ran Vivado, for the report.

    Raises:
        QnnError: something is missing or damaged, of another build or part, not routed, or missed timing.
    """
    base, facts = stem(build.manifest), read_facts(results)
    for name, expected in (("graph_hash", build.manifest["graph_hash"]), ("part", build.board.part), ("stem", base)):
        if facts[name] != expected:
            raise QnnError(f"{results}: its {name} is {facts[name]}, that of the build {expected}; remove that folder")
    written_by = release_of(results)
    if written_by and not facts["release"].startswith(written_by):
        raise QnnError(f"{results}: run by Vivado {facts['release']}, reports of {written_by}; run Vivado again")
    slacks = read_timing(results)
    _require_met(slacks, facts, results)
    instances = read_utilization(results)
    for suffix in ("bit", "hwh"):
        file = results / f"{base}.{suffix}"
        if not file.is_file() or not file.stat().st_size:
            raise QnnError(f"{file}: missing or empty; run Vivado again")
    report = _report(build, instances, slacks, facts, origin)
    _keep_reports(results, build.path / "vivado")
    return {**report, "files": _install(build.path / "board", results, base, facts)}


def _require_met(slacks: Slacks, facts: Mapping[str, str], results: Path) -> None:
    """Look at timing once more: results of a run by hand come from anywhere."""
    worst = min(slacks.wns_ns, slacks.whs_ns, slacks.wpws_ns)
    if worst < 0 or not slacks.all_met:
        raise QnnError(
            f"{results}: timing not met (WNS {slacks.wns_ns:g} ns, WHS {slacks.whs_ns:g} ns, WPWS {slacks.wpws_ns:g} "
            f"ns), from {facts['path_from']} to {facts['path_to']}; build again with a lower --clock-mhz"
        )
    period = 1000 / float(facts["clock_mhz"])
    if not any(abs(found - period) <= _PERIOD_NS + _PERIOD_SHARE * period for found in slacks.periods_ns):
        found = ", ".join(f"{value:g}" for value in slacks.periods_ns) or "none"
        raise QnnError(
            f"{results}: no clock of {period:.3f} ns in the timing report (there: {found}); run Vivado again"
        )


def _report(
    build: Build,
    instances: tuple[Instance, ...],
    slacks: Slacks,
    facts: Mapping[str, str],
    origin: str,
) -> dict[str, Any]:
    system = instances[0]
    cell = inside(instances, system.path, ACCELERATOR_CELL)
    if cell is None:
        raise QnnError(f"Vivado's utilization report has no instance {ACCELERATOR_CELL}; run Vivado again")
    operators, notes = _operators(build, instances, cell)
    shell = inside(instances, cell.path, "u_shell")
    parts = [found for _, found in operators] + ([shell] if shell else [])
    cells = {found.name: _facts(found.resources, found.uram) for found in below(instances, cell.path[:-1])}
    return {
        "tool": {"name": "Vivado", "version": facts["release"], "origin": origin, "label": LABEL},
        "board": build.manifest["board"],
        "operators": [
            {**names, "module": found.module, **_facts(found.resources, found.uram)} for names, found in operators
        ],
        "shell": _facts(shell.resources, shell.uram) if shell else None,
        "sum": _facts(sum((part.resources for part in parts), Resources()), sum(part.uram for part in parts)),
        "top": _facts(cell.resources, cell.uram),
        "system": {**_facts(system.resources, system.uram), "cells": cells},
        "budget": build.budget,
        "clock": {"asked_mhz": float(build.manifest["clock_mhz"]), "actual_mhz": float(facts["clock_mhz"])},
        "slack": {
            **{key: getattr(slacks, key) for key in ("wns_ns", "tns_ns", "whs_ns", "wpws_ns")},
            "path_from": facts["path_from"],
            "path_to": facts["path_to"],
        },
        "notes": [*notes, *filter(None, [newer_than_images(facts["release"], build.board)])],
    }


def _operators(
    build: Build, instances: Sequence[Instance], cell: Instance
) -> tuple[list[tuple[dict[str, str], Instance]], list[str]]:
    """Return (names, instance) of every operator that is one, and what there is to say of the others."""
    core = inside(instances, cell.path, "u_core") or cell
    found, missing = [], []
    for op in build.graph.ops:
        if not instance(op, build.graph).module:
            continue
        counted = inside(instances, core.path, f"u_{op.name}")
        if counted is None:
            missing.append(op.name)
            continue
        found.append(({"layer": op.layer, "operator": op.keyword, "name": op.name}, counted))
    notes = ["a LUT that holds two functions counts once here, twice in the figures of yosys"]
    if missing:
        notes.append(
            f"dissolved into what is around them, so part of the whole accelerator alone: {', '.join(missing)}"
        )
    return found, notes


def _facts(resources: Resources, uram: int) -> dict[str, Any]:
    return {
        **asdict(resources),
        **dict.fromkeys(("carry4", "muxf")),
        "bram36_equivalent": resources.bram36_equivalent,
        "uram": uram,
    }


def _install(board: Path, results: Path, base: str, facts: Mapping[str, str]) -> dict[str, str]:
    """Put the pair and its description into `board/`, each whole or not at all, the description last."""
    described = {
        "schema": SCHEMA,
        "tool": f"Vivado {facts['release']}",
        "part": facts["part"],
        "clock_mhz": float(facts["clock_mhz"]),
        "wns_ns": float(facts["wns_ns"]),
        "bit_sha256": _sum(results / f"{base}.bit"),
        "hwh_sha256": _sum(results / f"{base}.hwh"),
        "graph_hash": facts["graph_hash"],
    }
    files = {"bit": f"{base}.bit", "hwh": f"{base}.hwh", "implementation": f"{base}.implementation.json"}
    try:
        board.mkdir(exist_ok=True)
        for key in ("bit", "hwh"):
            _replace(board / files[key], (results / files[key]).read_bytes())
        _replace(board / files["implementation"], (json.dumps(described, indent=1) + "\n").encode())
    except OSError as error:
        raise QnnError(f"{board}: cannot be written: {error.strerror or error}") from None
    return {key: f"{board.name}/{name}" for key, name in files.items()}


def _replace(file: Path, content: bytes) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        os.chmod(name, 0o644)
        os.replace(name, file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _sum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


COLUMNS = ("layer", "LUT", "FF", "BRAM36", "DSP")


def table_of(report: Mapping[str, Any]) -> tuple[str, list[list[Any]], list[str]]:
    """Return title, rows (see `COLUMNS`) and closing sentences of a report of `synthesize_with_vivado`."""
    layers: dict[str, list[Mapping[str, Any]]] = {}
    for operator in report["operators"]:
        layers.setdefault(operator["layer"], []).append(operator)
    rows = [[name, *_cells(operators)] for name, operators in layers.items()]
    if report["shell"]:
        rows.append(["shell", *_cells([report["shell"]])])
    rows.append(["sum", *_cells([report["sum"]])])
    rows.append(["whole accelerator", *_cells([report["top"]])])
    rows.append(["with DMA and interconnect", *_cells([report["system"]])])
    budget = report["budget"]
    rows.append([f"{report['board']} has", budget["lut"], budget["ff"], float(budget["bram36"]), budget["dsp"]])
    return f"Resources: {LABEL}, {report['tool']['version']}", rows, _sentences(report)


def _cells(figures: Sequence[Mapping[str, Any]]) -> list[Any]:
    return [sum(figure[key] for figure in figures) for key in ("lut", "ff", "bram36_equivalent", "dsp")]


def _sentences(report: Mapping[str, Any]) -> list[str]:
    clock, slack, files = report["clock"], report["slack"], report["files"]
    return [
        *report["notes"],
        f"timing met at {clock['actual_mhz']:g} MHz, asked for {clock['asked_mhz']:g} MHz: WNS {slack['wns_ns']:g} ns, "
        f"WHS {slack['whs_ns']:g} ns; slowest path from {slack['path_from']} to {slack['path_to']}",
        f"written: {files['bit']}, {files['hwh']}, {files['implementation']}",
    ]
