# SPDX-License-Identifier: Apache-2.0
"""Reads what the scripts in `boards/vivado` leave: `result.txt`, and two reports of Vivado as text.

- `utilization.rpt`: `report_utilization -hierarchical`; a table with a row an instance, indented by two blanks a level,
- `timing.rpt`: `report_timing_summary`; the tables "Design Timing Summary" and "Clock Summary".

A row holds what is inside the instance, everything below included; a row in parentheses is an instance's own part.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qnn_hw.analysis.resources.cells import Resources
from qnn_hw.errors import QnnError
from qnn_hw.synthesis.vendor_tool import read_report

FACTS, UTILIZATION, TIMING = "result.txt", "utilization.rpt", "timing.rpt"
_AGAIN = "run Vivado again"
# The last: physical optimization changed something after routing.
_ROUTED = ("Routed", "Fully Routed", "Physopt postRoute")
_MET = "All user specified timing constraints are met."


@dataclass(frozen=True, slots=True)
class Instance:
    """What Vivado counted in one instance of the routed design, everything below it included."""

    path: tuple[str, ...]
    """Names of the instances from the top down to this one."""
    module: str
    """Name of its module."""
    resources: Resources
    """lut, lutram, ff, bram18, bram36 and dsp; the other fields are not reported and stay 0."""
    uram: int
    """UltraRAMs of 288 Kbit."""

    @property
    def name(self) -> str:
        """The last of `path`."""
        return self.path[-1]


@dataclass(frozen=True, slots=True)
class Slacks:
    """The line of the design timing summary, in ns, and the clocks below it."""

    wns_ns: float
    """Worst setup slack."""
    tns_ns: float
    """Sum of the setup slacks below 0."""
    whs_ns: float
    """Worst hold slack."""
    wpws_ns: float
    """Worst pulse width slack."""
    all_met: bool
    """Whether Vivado says that every constraint is met."""
    periods_ns: tuple[float, ...]
    """Period of every clock."""


def read_facts(folder: Path) -> dict[str, str]:
    """Return name -> value of `result.txt`.

    Raises:
        QnnError: it is missing, or lacks a fact.
    """
    file = folder / FACTS
    facts = dict(line.split(" ", 1) for line in read_report(file, _AGAIN).splitlines() if " " in line)
    for name in ("graph_hash", "stem", "release", "part", "clock_mhz", "wns_ns", "whs_ns", "path_from", "path_to"):
        if name not in facts:
            raise QnnError(f"{file}: damaged ({name} is missing); {_AGAIN}")
    for name in ("clock_mhz", "wns_ns", "whs_ns"):
        if _number(facts[name]) is None:
            raise QnnError(f"{file}: damaged ({name} is {facts[name]}); {_AGAIN}")
    return facts


def read_utilization(folder: Path) -> tuple[Instance, ...]:
    """Return every instance, the top first, each before those below it.

    Raises:
        QnnError: the report is missing or damaged, or is not of a routed design.
    """
    file = folder / UTILIZATION
    lines = read_report(file, _AGAIN).splitlines()
    require_routed(lines, file)
    rows = list(_rows(lines))
    header = next((cells for _, cells in rows if cells[:2] == ["Instance", "Module"]), None)
    if header is None:
        raise QnnError(f"{file}: damaged (no table of instances in it); {_AGAIN}")
    found: list[Instance] = []
    above: list[str] = []
    for depth, cells in rows:
        # In parentheses: what an instance holds apart from those below it.
        if cells == header or len(cells) != len(header) or cells[0].startswith("("):
            continue
        above[depth:] = [cells[0]]
        found.append(_instance(tuple(above), dict(zip(header, cells, strict=True)), file))
    if not found:
        raise QnnError(f"{file}: damaged (the table of instances is empty); {_AGAIN}")
    return tuple(found)


def read_timing(folder: Path) -> Slacks:
    """Return the slacks of the timing summary.

    Raises:
        QnnError: the report is missing or damaged, or is not of a routed design.
    """
    file = folder / TIMING
    lines = read_report(file, _AGAIN).splitlines()
    require_routed(lines, file)
    numbers = _line_under(lines, ["WNS(ns)", "TNS(ns)"], file)
    if len(numbers) < 12:
        raise QnnError(f"{file}: damaged (the design timing summary has {len(numbers)} of 12 figures); {_AGAIN}")
    slacks = [_number(numbers[i]) for i in (0, 1, 4, 8)]
    if None in slacks:
        raise QnnError(f"{file}: nothing has a timing constraint (the summary says {numbers[0]}); {_AGAIN}")
    wns, tns, whs, wpws = (slack for slack in slacks if slack is not None)
    met = any(line.strip() == _MET for line in lines)
    return Slacks(wns, tns, whs, wpws, met, tuple(_periods(lines)))


def release_of(folder: Path) -> str | None:
    """Return the release that wrote the timing report, None if it does not say."""
    found = re.search(r"Tool Version\s*:\s*Vivado v\.(20\d\d\.\d)", read_report(folder / TIMING, _AGAIN))
    return found[1] if found else None


def below(instances: Sequence[Instance], path: tuple[str, ...]) -> list[Instance]:
    """Return the instances right below one."""
    return [found for found in instances if found.path[:-1] == path]


def inside(instances: Sequence[Instance], path: tuple[str, ...], name: str) -> Instance | None:
    """Return the first instance of a name anywhere below one, the uppermost before others."""
    found = [item for item in instances if item.path[: len(path)] == path and item.name == name and item.path != path]
    return min(found, key=lambda item: len(item.path), default=None)


def require_routed(lines: Sequence[str], file: Path) -> None:
    """Check that the head of a report tells a routed design, or nothing.

    Raises:
        QnnError: it says that the design is only synthesized, placed or partly routed.
    """
    for line in lines:
        state = re.match(r"\|\s*Design State\s*:\s*(.*?)\s*\|?$", line)
        if state and state[1] not in _ROUTED:
            raise QnnError(f"{file}: of a design that is '{state[1]}', not routed; {_AGAIN}")


def _rows(lines: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield (level of the first cell, cells) of every line of a table."""
    for line in lines:
        if line.count("|") < 3 or not line.startswith("|"):
            continue
        cells = line.strip().strip("|").split("|")
        indent = len(cells[0]) - len(cells[0].lstrip()) - 1  # a blank stands before every cell
        yield indent // 2, [cell.strip() for cell in cells]


def _instance(path: tuple[str, ...], row: Mapping[str, str], file: Path) -> Instance:
    def count(*titles: str) -> int:
        for title, text in row.items():
            if title in titles:
                if not re.fullmatch(r"\d+", text):
                    raise QnnError(f"{file}: damaged ({'/'.join(path)}: {title} is {text or 'missing'}); {_AGAIN}")
                return int(text)
        return -1

    found = {
        "lut": count("Total LUTs"),
        "ff": count("FFs"),
        "bram36": count("RAMB36"),
        "bram18": count("RAMB18"),
        # Named after the block of the family until 2020.1.
        "dsp": count("DSP Blocks", "DSP48 Blocks", "DSPs"),
    }
    for key, value in found.items():
        if value < 0:
            raise QnnError(f"{file}: damaged (no column for {key} in the table of instances); {_AGAIN}")
    lutram = max(0, count("LUTRAMs")) + max(0, count("SRLs"))
    return Instance(path, row["Module"], Resources(lutram=lutram, **found), max(0, count("URAM")))


def _line_under(lines: Sequence[str], titles: Sequence[str], file: Path) -> list[str]:
    """Return the first line of figures under a heading that begins with `titles`."""
    for i, line in enumerate(lines):
        if line.split()[: len(titles)] == list(titles):
            for figures in lines[i + 1 :]:
                if figures.strip() and not set(figures) <= set("- "):
                    return figures.split()
    raise QnnError(f"{file}: damaged (no design timing summary in it); {_AGAIN}")


def _periods(lines: Sequence[str]) -> Iterator[float]:
    """Yield the periods of the clock summary: name, waveform in braces, period, frequency."""
    for line in lines:
        found = re.fullmatch(r"\s*\S+\s+\{[\d. -]+\}\s+([\d.]+)\s+[\d.]+\s*", line)
        if found:
            yield float(found[1])


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else None
