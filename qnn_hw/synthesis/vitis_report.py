# SPDX-License-Identifier: Apache-2.0
"""Reads what Vitis HLS reports of a project: estimated resources and cycles a module, co-simulation, implementation.

A project holds a *solution*: `<project>/solution1` after the Tcl flow, `<project>/hls` after the configuration file.
Read of it are

- `syn/report/csynth.xml`: estimates of the top and, under `ModuleInformation`, of every module; `<module>_csynth.xml`
  beside it for modules that are not in there,
- `sim/report/<top>_cosim.rpt`: the table of the co-simulation,
- `impl/report/verilog/export_impl.xml` or `export_syn.xml`: what Vivado counted after place and route, or synthesis.

A module's figures hold those of the modules inside it. BRAM is counted in blocks of 18 Kbit in all of them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from qnn_hw.analysis.resources.cells import Resources
from qnn_hw.errors import QnnError
from qnn_hw.synthesis.vendor_tool import read_report

SOLUTIONS = ("solution1", "hls")
_AGAIN = "run Vitis HLS again"


@dataclass(frozen=True, slots=True)
class HlsModule:
    """What the tool says of one module, inner modules included."""

    name: str
    """Name of the module, which is that of the C++ function."""
    resources: Resources
    """lut, ff, bram18 and dsp; the other fields are not reported and stay 0."""
    uram: int
    """UltraRAMs of 288 Kbit."""
    interval_cycles: int | None
    """Greatest number of cycles from one start to the next; None where the tool does not know."""
    latency_cycles: int | None
    """Greatest number of cycles from start to end; None where the tool does not know."""


@dataclass(frozen=True, slots=True)
class CSynthesis:
    """The estimates after C synthesis."""

    version: str
    """Release that wrote the report, "" if it does not say."""
    part: str
    """Part the estimates are for, "" if the report does not say."""
    target_ns: float | None
    """Clock period asked for, in ns."""
    estimated_ns: float | None
    """Clock period the tool expects, in ns, before its uncertainty is added."""
    top: HlsModule
    modules: Mapping[str, HlsModule]
    """Every module by its name, the top included."""


@dataclass(frozen=True, slots=True)
class CoSimulation:
    """The Verilog line of the co-simulation's table; cycles are None where the table says NA."""

    passed: bool
    latency_cycles: int | None
    """Greatest latency of a call, in cycles."""
    interval_cycles: int | None
    """Greatest interval between calls, in cycles; None with a single call."""


@dataclass(frozen=True, slots=True)
class Implementation:
    """What Vivado counted, and whether the clock was met."""

    stage: str
    """"implementation" (placed and routed) or "synthesis"."""
    resources: Resources
    uram: int
    target_ns: float | None
    achieved_ns: float | None
    """Clock period reached, in ns."""
    timing_met: bool | None


def find_solution(project: Path) -> Path:
    """Return the solution in a project folder, whichever flow wrote it.

    Raises:
        QnnError: there is none with a synthesis report.
    """
    for name in SOLUTIONS:
        if (project / name / "syn" / "report").is_dir():
            return project / name
    places = " or ".join(f"{name}/syn/report" for name in SOLUTIONS)
    raise QnnError(f"{project}: no report of C synthesis there ({places}); run the step csynth")


def read_csynth(solution: Path, top: str) -> CSynthesis:
    """Read the estimates of C synthesis.

    Args:
        solution: see `find_solution`.
        top: name of the top function.

    Raises:
        QnnError: a report is missing or damaged, or describes another top.
    """
    folder = solution / "syn" / "report"
    overall = folder / "csynth.xml"
    file = overall if overall.is_file() else folder / f"{top}_csynth.xml"
    root = _parse(file)
    found = _text(root, "UserAssignments/TopModelName") or top
    if found != top:
        raise QnnError(f"{file}: reports the top {found!r}, expected {top!r}; run the step csynth again")
    whole = _module(root, top, file)
    modules = {}
    for node in root.iterfind("ModuleInformation/Module"):
        name = _text(node, "Name")
        if name and node.find("AreaEstimates/Resources") is not None:
            modules[name] = _module(node, name, file)
    for path in sorted(folder.glob("*_csynth.xml")):
        name = path.name.removesuffix("_csynth.xml")
        if name not in modules:
            modules[name] = _module(_parse(path), name, path)
    return CSynthesis(
        version=_text(root, "ReportVersion/Version"),
        part=_text(root, "UserAssignments/Part"),
        target_ns=_number(_text(root, "UserAssignments/TargetClockPeriod")),
        estimated_ns=_number(_text(root, "PerformanceEstimates/SummaryOfTimingAnalysis/EstimatedClockPeriod")),
        top=whole,
        modules={**modules, top: whole},
    )


def read_cosim(solution: Path, top: str) -> CoSimulation | None:
    """Read the result of the co-simulation; None when there was none.

    Raises:
        QnnError: the report has no line for Verilog.
    """
    file = solution / "sim" / "report" / f"{top}_cosim.rpt"
    if not file.is_file():
        return None
    for line in read_report(file, _AGAIN).splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        # RTL, status, latency min avg max, interval min avg max[, total]; which RTL was not simulated has status NA.
        if len(cells) >= 8 and cells[0] == "Verilog" and cells[1] != "NA":
            return CoSimulation(cells[1].lower() == "pass", _cycles(cells[4]), _cycles(cells[7]))
    raise QnnError(f"{file}: no result for Verilog in it; run the step cosim again")


def read_implementation(solution: Path) -> Implementation | None:
    """Read what Vivado counted, after place and route if it went that far; None when it did not run.

    Raises:
        QnnError: the report is damaged.
    """
    folder = solution / "impl" / "report" / "verilog"
    for name, stage in (("export_impl.xml", "implementation"), ("export_syn.xml", "synthesis")):
        file = folder / name
        if file.is_file():
            root = _parse(file)
            resources, uram = _resources(root.find("AreaReport/Resources"), "BRAM", file)
            met = _text(root, "TimingReport/TIMING_MET").upper()
            return Implementation(
                stage=stage,
                resources=resources,
                uram=uram,
                target_ns=_number(_text(root, "TimingReport/TargetClockPeriod")),
                achieved_ns=_number(_text(root, "TimingReport/AchievedClockPeriod")),
                timing_met={"TRUE": True, "FALSE": False}.get(met),
            )
    return None


def _module(node: ElementTree.Element, name: str, file: Path) -> HlsModule:
    resources, uram = _resources(node.find("AreaEstimates/Resources"), "BRAM_18K", file)
    summary = "PerformanceEstimates/SummaryOfOverallLatency"
    # The report of one module has Interval-max, the list of modules PipelineInitiationInterval.
    interval = _text(node, f"{summary}/Interval-max") or _text(node, f"{summary}/PipelineInitiationInterval")
    return HlsModule(name, resources, uram, _cycles(interval), _cycles(_text(node, f"{summary}/Worst-caseLatency")))


def _resources(node: ElementTree.Element | None, bram: str, file: Path) -> tuple[Resources, int]:
    if node is None:
        raise QnnError(f"{file}: damaged (no resources in it); {_AGAIN}")
    counts = {key: _count(node, key, file) for key in ("LUT", "FF", bram, "DSP")}
    resources = Resources(lut=counts["LUT"], ff=counts["FF"], bram18=counts[bram], dsp=counts["DSP"])
    # Families without UltraRAM may leave the line out.
    return resources, 0 if node.find("URAM") is None else _count(node, "URAM", file)


def _count(node: ElementTree.Element, key: str, file: Path) -> int:
    text = _text(node, key)
    if not re.fullmatch(r"\d+", text):
        raise QnnError(f"{file}: damaged ({key} is {text or 'missing'}); {_AGAIN}")
    return int(text)


def _cycles(text: str) -> int | None:
    """Return the greatest number in `text` ("5", "1 ~ 5"), None where there is none ("undef", "NA", "?", "-", "")."""
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    return max(numbers, default=None)


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else None


def _text(node: ElementTree.Element, path: str) -> str:
    return (node.findtext(path) or "").strip()


def _parse(file: Path) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(read_report(file, _AGAIN))
    except ElementTree.ParseError as error:
        raise QnnError(f"{file}: damaged ({error}); {_AGAIN}") from None
