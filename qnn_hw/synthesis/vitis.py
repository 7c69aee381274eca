# SPDX-License-Identifier: Apache-2.0
"""Runs Vitis HLS, where it is installed, on the `hls/` folder of a build; reports in the form of `synthesize_build`.

The tool works in a copy beside `hls/`; what it made moves to `hls/vitis` when every step succeeded and the reports were
read, so that an earlier result stays until then. Its log is kept in either case, as `hls/vitis.log`.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qnn_hw.analysis.resources.cells import Resources
from qnn_hw.backends.folder import Build, read_build
from qnn_hw.backends.hls.scripts import (
    CONFIG_FILE,
    DATA,
    END_MARK,
    INCLUDE,
    PROJECT,
    SOURCE,
    STEP_MARK,
    STEPS,
    STEPS_VARIABLE,
    TCL_FILE,
    TESTBENCH,
    TOP,
    graph_hash_of,
)
from qnn_hw.backends.instance import instance
from qnn_hw.errors import QnnError
from qnn_hw.synthesis.vendor_tool import check_graph_hash, first_error, follow, installed_release
from qnn_hw.synthesis.vitis_report import (
    CSynthesis,
    HlsModule,
    find_solution,
    read_cosim,
    read_csynth,
    read_implementation,
)

Progress = Callable[[str], None]

_NOT_WRITTEN = "NOT_WRITTEN.txt"  # in hls/ instead of code, with the reason, where a network cannot be printed as C++

LABEL = "Vitis HLS estimate"
LOG = "vitis.log"
COMMANDS = ("vitis-run", "vitis_hls", "vivado_hls")
"""Commands looked for, in this order."""


@dataclass(frozen=True, slots=True)
class Release:
    """What a release of Vitis offers for running a Tcl script."""

    version: str
    commands: tuple[str, ...]
    """Commands of `COMMANDS` that run the script."""
    config_file: bool
    """Whether `v++ -c --mode hls` and `vitis-run` take `hls_config.cfg` as it is written."""


# docs/vitis.md names the source of each line. Vivado HLS (vivado_hls) is in none: its last release is 2020.1, and
# C++14, which the templates are written in, came with Vitis HLS.
RELEASES = (
    Release("2022.1", ("vitis_hls",), False),
    Release("2022.2", ("vitis_hls",), False),
    Release("2023.1", ("vitis_hls",), False),
    Release("2023.2", ("vitis-run", "vitis_hls"), True),
    Release("2024.1", ("vitis-run", "vitis_hls"), True),
    Release("2024.2", ("vitis-run", "vitis_hls"), True),
    Release("2025.1", ("vitis-run",), True),
    Release("2025.2", ("vitis-run",), True),
    Release("2026.1", ("vitis-run",), True),
)


@dataclass(frozen=True, slots=True)
class Vitis:
    """A Vitis HLS that can be run."""

    command: str
    """One of `COMMANDS`."""
    path: Path
    """The program."""
    version: str
    """Release, one of `RELEASES`."""

    def run_script(self, script: str) -> list[str]:
        """Return the words that run a Tcl script."""
        if self.command == "vitis-run":
            return [str(self.path), "--mode", "hls", "--tcl", script]
        return [str(self.path), "-f", script]


def synthesize_with_vitis(
    folder: Path,
    *,
    steps: Sequence[str] = ("csynth",),
    progress: Progress | None = None,
    timeout_s: float | None = None,
) -> dict[str, Any]:
    """Let Vitis HLS synthesize the HLS code of a build, and read its reports.

    Args:
        folder: written by `qnn-hw build`.
        steps: some of `STEPS`; C synthesis is always among what is done.
        progress: called with one sentence before each step.
        timeout_s: seconds after which the tool is stopped; none by default.

    Returns:
        As `synthesize_build`: `tool` (name, version, origin, label), `board`, `operators` (layer, operator, name,
        module, the fields of `Resources`, `bram36_equivalent`, `uram`, `interval_cycles`), `shell` (None: it is no part
        of the HLS code), `sum`, `top`, `budget`. Figures Vitis does not report (lutram, carry4, muxf) are None. And
        `clock` (target_ns, estimated_ns), `cosim`, `implementation` (None where the step was not asked for), `notes`.

    Raises:
        QnnError: the folder is no build, its `hls/` is incomplete or of another build, there is no Vitis of a release
            that is known, or a step failed: the tool's first ERROR line, and the log that holds the rest.
    """
    unknown = [step for step in steps if step not in STEPS]
    if unknown:
        raise QnnError(f"Vitis HLS: no step {unknown[0]!r}; choose some of {', '.join(STEPS)}")
    build = read_build(folder)
    check_hls(build)
    tool = find_vitis()
    with _scratch(folder) as scratch:
        _run(tool, steps, scratch, folder / "hls" / LOG, progress, timeout_s)
        report = read_reports(build, scratch / PROJECT, tool)
        finished = folder / "hls" / PROJECT
        shutil.rmtree(finished, ignore_errors=True)
        os.replace(scratch / PROJECT, finished)
    return report


def check_hls(build: Build) -> None:
    """Check that the `hls/` folder of a build holds what the scripts name, and belongs to this build.

    Raises:
        QnnError: something is missing, or the graph hash in the scripts is not that of `qnn.json`.
    """
    hls = build.path / "hls"
    if not hls.is_dir():
        raise QnnError(f"{build.path}: has no hls/ folder; build again with this version of qnn-hw")
    reason = hls / _NOT_WRITTEN
    if reason.is_file():
        raise QnnError(f"{build.path}: has no HLS C++: {reason.read_text(encoding='utf-8').strip()}")
    for name in (CONFIG_FILE, TCL_FILE, SOURCE, TESTBENCH, DATA, INCLUDE):
        if not (hls / name).exists():
            raise QnnError(f"{hls / name}: missing; build again")
    check_graph_hash(hls, graph_hash_of((hls / CONFIG_FILE).read_text(encoding="utf-8", errors="replace")), build)


def find_vitis(environment: Mapping[str, str] | None = None) -> Vitis:
    """Return the first command of `COMMANDS` that is installed in a release that runs the script by it.

    Looked for on the PATH, then in `bin` of $XILINX_HLS and $XILINX_VITIS.

    Raises:
        QnnError: none is installed, or none of those found is of a known release.
    """
    environment = os.environ if environment is None else environment
    roots = [Path(environment[name]) / "bin" for name in ("XILINX_HLS", "XILINX_VITIS") if environment.get(name)]
    places = os.pathsep.join([environment.get("PATH", ""), *map(str, roots)])
    refused = []
    for command in COMMANDS:
        path = shutil.which(command, path=places)
        if path is None:
            continue
        version = installed_release([path, "--version" if command == "vitis-run" else "-version"])
        release = next((release for release in RELEASES if release.version == version), None)
        if release and command in release.commands:
            return Vitis(command, Path(path), release.version)
        refused.append(f"{path} is {version or 'of a release it does not name'}")
    known = f"{RELEASES[0].version} to {RELEASES[-1].version}"
    if refused:
        raise QnnError(
            f"Vitis HLS: {' and '.join(refused)}; qnn-hw knows {known} (through vitis-run from 2025.1 on): source "
            "settings64.sh of one of these releases"
        )
    raise QnnError(
        f"Vitis HLS: neither {', '.join(COMMANDS[:-1])} nor {COMMANDS[-1]} is on the PATH, in $XILINX_HLS/bin or in "
        f"$XILINX_VITIS/bin; install Vitis {known} and source its settings64.sh, or use --tool yosys, which needs none"
    )


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """Yield a copy of the `hls/` folder of a build, without earlier results, that vanishes at the end."""
    try:
        scratch = tempfile.TemporaryDirectory(prefix=".vitis-", dir=folder, ignore_cleanup_errors=True)
    except OSError as error:
        raise QnnError(f"{folder}: cannot be written ({error.strerror}); Vitis HLS works inside the build") from None
    with scratch as name:
        copy = Path(name) / "hls"
        shutil.copytree(folder / "hls", copy, ignore=shutil.ignore_patterns(PROJECT, LOG))
        yield copy


def _run(
    tool: Vitis, steps: Sequence[str], folder: Path, log: Path, progress: Progress | None, timeout_s: float | None
) -> None:
    written = folder / LOG

    def tell(line: str) -> None:
        if progress and line.startswith(STEP_MARK):
            progress(f"Vitis HLS {tool.version}: {line.removeprefix(STEP_MARK).strip()}")

    try:
        status, in_time = follow(
            tool.run_script(TCL_FILE),
            folder,
            written,
            environment={STEPS_VARIABLE: " ".join(steps)},
            on_line=tell,
            timeout_s=timeout_s,
        )
    finally:
        if written.exists():
            os.replace(written, log)
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    if not in_time:
        reason = f"stopped after {timeout_s:g} s"
    elif status or not any(line.strip().startswith(END_MARK) for line in lines):
        # Its exit status alone says little: not every release passes on that of the script.
        reason = first_error(lines) or f"ended with status {status} and no ERROR line"
    else:
        return
    raise QnnError(f"Vitis HLS {tool.version} ({tool.command}): {reason}; the whole log is in {log}")


def read_reports(build: Build, project: Path, tool: Vitis) -> dict[str, Any]:
    """Return the report of `synthesize_with_vitis` from the files in a Vitis project folder.

    Raises:
        QnnError: a report is missing or damaged, or was written by another release than `tool`.
    """
    solution = find_solution(project)
    csynth = read_csynth(solution, TOP)
    if csynth.version and not csynth.version.startswith(tool.version):
        raise QnnError(f"{solution}: reports of Vitis HLS {csynth.version}, run by {tool.version}; run csynth again")
    operators, notes = _operators(build, csynth)
    cosim, implementation = read_cosim(solution, TOP), read_implementation(solution)
    found = [module for _, module in operators]
    return {
        "tool": {"name": "Vitis HLS", "version": tool.version, "origin": tool.command, "label": LABEL},
        "board": build.manifest["board"],
        "operators": [{**names, **_module_facts(module)} for names, module in operators],
        "shell": None,
        "sum": _facts(sum((module.resources for module in found), Resources()), sum(module.uram for module in found)),
        "top": {**_module_facts(csynth.top), "latency_cycles": csynth.top.latency_cycles},
        "budget": build.budget,
        "clock": {"target_ns": csynth.target_ns, "estimated_ns": csynth.estimated_ns},
        "cosim": asdict(cosim) if cosim else None,
        "implementation": {
            **_facts(implementation.resources, implementation.uram),
            "stage": implementation.stage,
            "target_ns": implementation.target_ns,
            "achieved_ns": implementation.achieved_ns,
            "timing_met": implementation.timing_met,
        }
        if implementation
        else None,
        "notes": notes,
    }


def _operators(build: Build, csynth: CSynthesis) -> tuple[list[tuple[dict[str, str], HlsModule]], list[str]]:
    """Return (names, module) of every operator that is a function, and what there is to say of the others."""
    found, missing = [], []
    for op in build.graph.ops:
        # A fifo is the depth of a stream in the top, a flatten nothing at all.
        if not instance(op, build.graph).module or op.keyword == "fifo":
            continue
        stage = f"stage_{op.name}"
        module = csynth.modules.get(stage) or csynth.modules.get(f"{stage}_s")
        if module is None:
            missing.append(stage)
            continue
        found.append(({"layer": op.layer, "operator": op.keyword, "name": op.name, "module": module.name}, module))
    notes = ["streams between the stages are part of the whole top, not of a layer"]
    if missing:
        notes.append(f"no module of their own, so part of the whole top alone: {', '.join(missing)}")
    return found, notes


def _module_facts(module: HlsModule) -> dict[str, float | None]:
    return {**_facts(module.resources, module.uram), "interval_cycles": module.interval_cycles}


def _facts(resources: Resources, uram: int) -> dict[str, float | None]:
    return {
        **asdict(resources),
        **dict.fromkeys(("lutram", "carry4", "muxf")),
        "bram36_equivalent": resources.bram36_equivalent,
        "uram": uram,
    }


COLUMNS = ("layer", "LUT", "FF", "BRAM36", "DSP", "interval")


def table_of(report: Mapping[str, Any]) -> tuple[str, list[list[Any]], list[str]]:
    """Return title, rows (see `COLUMNS`) and closing sentences of a report of `synthesize_with_vitis`."""
    layers: dict[str, list[Mapping[str, Any]]] = {}
    for operator in report["operators"]:
        layers.setdefault(operator["layer"], []).append(operator)
    rows = [[name, *_cells(operators)] for name, operators in layers.items()]
    rows.append(["sum of stages", *_cells([report["sum"]])])
    rows.append(["whole top", *_cells([report["top"]])])
    counted, budget = report["implementation"], report["budget"]
    if counted:
        rows.append([f"Vivado {counted['stage']}", *_cells([counted])])
    rows.append([f"{report['board']} has", budget["lut"], budget["ff"], float(budget["bram36"]), budget["dsp"], ""])
    return f"Resources: {LABEL}, {report['tool']['version']}", rows, _sentences(report)


def _cells(figures: Sequence[Mapping[str, Any]]) -> list[Any]:
    sums = [sum(figure[key] for figure in figures) for key in ("lut", "ff", "bram36_equivalent", "dsp")]
    cycles = [figure.get("interval_cycles") for figure in figures]
    # The slowest stage of a layer sets its pace; it is unknown as soon as one of them is.
    known = [n_cycles for n_cycles in cycles if n_cycles is not None]
    return [*sums, max(known) if known and len(known) == len(cycles) else ""]


def _sentences(report: Mapping[str, Any]) -> list[str]:
    clock, cosim, counted = report["clock"], report["cosim"], report["implementation"]
    sentences = list(report["notes"])
    if clock["estimated_ns"] is not None and clock["target_ns"] is not None:
        sentences.append(f"estimated clock period {clock['estimated_ns']:g} ns, asked for {clock['target_ns']:g} ns")
    if counted and counted["achieved_ns"] is not None:
        verdict = {True: "met", False: "NOT met", None: "unknown"}[counted["timing_met"]]
        sentences.append(f"Vivado {counted['stage']}: clock period {counted['achieved_ns']:g} ns, timing {verdict}")
    if cosim:
        interval = "unknown" if cosim["interval_cycles"] is None else f"{cosim['interval_cycles']:,} cycles"
        sentences.append(f"co-simulation {'passed' if cosim['passed'] else 'FAILED'}, frame interval {interval}")
    return sentences
