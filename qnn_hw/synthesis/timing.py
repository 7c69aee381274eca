# SPDX-License-Identifier: Apache-2.0
"""Logic depth and an estimated critical path of a mapped netlist. No placement: an estimate, and labelled as one.

    estimate = clock to output + sum over the cells on the path (cell delay + net delay) + setup

Cell delays are those of yosys' 7-series library (`techlibs/xilinx/cells_sim.v` of yosys 0.70, blocks `specify`), which
names its source: the slow-corner SDF files of prjxray-db for artix7, the fabric of the Zynq Z-7010/7020; its 127 ps
through the fast pin of a LUT agree with the 0.124 ns (T_ILO, speed grade -1) of the data sheet DS187. Net delays are an
assumption, `NET_PS` for every routed net: only a placed and routed design knows them. Carry chains and the multiplexers
behind LUTs have nets of their own inside the slice and pay none.

A port counts as a register on the other side: modules of this project register their outputs. The TREADY that passes
through a module therefore shows its whole length only in the netlist of the whole top.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from qnn_hw.errors import QnnError

LABEL = "no placement; estimate"
"""Stands beside every figure of this file."""

NET_PS = 600
"""Assumed delay of one routed net, ps: with it two LUT levels and a carry chain between registers reach 200 MHz, the
rule of thumb for speed grade -1."""

VERSION = 2
"""Of the analysis; results kept by another version are made again."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The slowest path of a module.

    Attributes:
        levels: LUTs and LUT memories one behind another on the slowest path, its ends apart; no F7/F8 multiplexers.
        max_levels: the same on the path that has most of them; seldom the slowest one, carry chains being slow.
        carry4: CARRY4 cells on the slowest path.
        cells: cell types on the slowest path in order, its registers included.
        estimate_ns: of the slowest path, clock to output and setup included.
        start, end: register bits or ports at its ends, `NAME.PIN`.
    """

    levels: int
    max_levels: int
    carry4: int
    cells: tuple[str, ...]
    estimate_ns: float
    start: str
    end: str

    @property
    def estimate_mhz(self) -> float:
        """The clock at which the slowest path would just fit."""
        return 1000 / self.estimate_ns

    def text(self, clock_mhz: float) -> str:
        """Return one sentence that compares the estimate with a clock."""
        period = 1000 / clock_mhz
        fits = "below" if self.estimate_ns <= period else "ABOVE"
        return (
            f"{self.levels} LUT levels and {self.carry4} CARRY4, {self.estimate_ns:.1f} ns {fits} the {period:.1f} ns "
            f"of {clock_mhz:g} MHz ({LABEL}): {self.start} to {self.end}"
        )


# (output pin, input pin) -> ps, from the specify blocks; a bus pin without index stands for all its bits.
_LUT_PINS = {
    "LUT1": (127,),
    "LUT2": (238, 127),
    "LUT3": (407, 238, 127),
    "LUT4": (472, 407, 238, 127),
    "LUT5": (631, 472, 407, 238, 127),
    "LUT6": (642, 631, 472, 407, 238, 127),
    "LUT6_2": (642, 631, 472, 407, 238, 127),  # not in the library: as LUT6
}
_CARRY = {
    **{("O[0]", p): d for p, d in (("CYINIT", 482), ("S[0]", 223), ("CI", 222))},
    **{("O[1]", p): d for p, d in (("CYINIT", 598), ("DI[0]", 407), ("S[0]", 400), ("S[1]", 205), ("CI", 334))},
    **{("O[2]", p): d for p, d in (("CYINIT", 584), ("DI[0]", 556), ("DI[1]", 537), ("S[0]", 523), ("S[1]", 558))},
    **{("O[2]", p): d for p, d in (("S[2]", 226), ("CI", 239))},
    **{("O[3]", p): d for p, d in (("CYINIT", 642), ("DI[0]", 615), ("DI[1]", 596), ("DI[2]", 438), ("S[0]", 582))},
    **{("O[3]", p): d for p, d in (("S[1]", 618), ("S[2]", 330), ("S[3]", 227), ("CI", 313))},
    **{("CO[0]", p): d for p, d in (("CYINIT", 536), ("DI[0]", 379), ("S[0]", 340), ("CI", 271))},
    **{("CO[1]", p): d for p, d in (("CYINIT", 494), ("DI[0]", 465), ("DI[1]", 445), ("S[0]", 433), ("S[1]", 469))},
    **{("CO[1]", p): d for p, d in (("CI", 157),)},
    **{("CO[2]", p): d for p, d in (("CYINIT", 592), ("DI[0]", 540), ("DI[1]", 520), ("DI[2]", 356), ("S[0]", 512))},
    **{("CO[2]", p): d for p, d in (("S[1]", 548), ("S[2]", 292), ("CI", 228))},
    **{("CO[3]", p): d for p, d in (("CYINIT", 580), ("DI[0]", 526), ("DI[1]", 507), ("DI[2]", 398), ("DI[3]", 385))},
    **{("CO[3]", p): d for p, d in (("S[0]", 508), ("S[1]", 528), ("S[2]", 378), ("S[3]", 380), ("CI", 114))},
}
_MUX = {
    "MUXF7": {"I0": 217, "I1": 223, "S": 296},
    "MUXF8": {"I0": 104, "I1": 94, "S": 273},
}
_ADDRESS = (642, 631, 472, 407, 238, 127)
"""Address bit 0 ... 5 of a LUT memory to its output, as through the LUT; deeper ones pay two multiplexers more."""
_DEEP = 296
# Clock to output of the registered cells and setup of their inputs, ps.
_FLIP_FLOP = frozenset({"FDRE", "FDSE", "FDCE", "FDPE", "FDRE_1", "FDSE_1", "FDCE_1", "FDPE_1", "LDCE", "LDPE"})
_FF_OUT = 303
_FF_SETUP = {"D": 0, "CE": 109, "R": 404, "S": 404, "CLR": 404, "PRE": 404}
_MEMORY_OUT, _SHIFT_OUT, _BLOCK_OUT = 1188, 1472, 2454
_MEMORY_SETUP = {"WE": 654, "D": 461, "A": 245}
_BLOCK_SETUP = {"ADDR": 566, "W": 532, "EN": 443, "RST": 342, "REGCE": 360, "D": 737}
# DSP48E1, multiplier used and no pre-adder: combinational from A or B to P, from C to P; with the register P behind or
# without; clock to P; setup of an input that has its own register.
_DSP_PINS = {"A": (2823, 2739, 254), "B": (2690, 2608, 324), "C": (1325, 1244, 168), "D": (3717, 3635, 248)}
_DSP_OUT = {"PREG": 329, "MREG": 1671, "AREG": 2952, "BREG": 2813, "CREG": 1687}
_DSP_DEFAULT_SETUP = 300
_CLOCKS = frozenset({"C", "G", "CLK", "WCLK", "CLKARDCLK", "CLKBWRCLK"})
_LEVEL = re.compile(r"LUT|CFGLUT|RAM\d|SRL")


@dataclass(frozen=True, slots=True)
class _Arc:
    source: int
    sink: int
    delay_ps: int
    cell: int


@dataclass(slots=True)
class _Paths:
    """What the walk over the netlist collects; bits are yosys' net numbers."""

    starts: dict[int, tuple[int, str, str]]  # bit -> clock to output ps, cell type, name of the start
    ends: list[tuple[int, int, str, str]]  # bit, net and setup ps, cell type, name of the end
    arcs: dict[int, list[_Arc]]  # source bit -> arcs
    types: list[str]


def analyse(netlist: Mapping[str, Any], top: str) -> Timing | None:
    """Return the slowest path of module `top` in a netlist as `write_json` of yosys prints it.

    None for a module without any path: one of wires and constants.

    Raises:
        QnnError: the netlist holds a combinational loop.
    """
    module = netlist["modules"][top]
    paths = _collect(module)
    arrival: dict[int, float] = {}
    levels: dict[int, int] = {}
    came: dict[int, _Arc] = {}
    for bit in _ordered(paths, top):
        if bit in paths.starts:
            arrival.setdefault(bit, paths.starts[bit][0])
            levels.setdefault(bit, 0)
        if bit not in arrival:
            continue
        for arc in paths.arcs.get(bit, ()):
            there = arrival[bit] + arc.delay_ps
            if there > arrival.get(arc.sink, -1):
                arrival[arc.sink], came[arc.sink] = there, arc
            level = levels[bit] + bool(_LEVEL.match(paths.types[arc.cell]))
            levels[arc.sink] = max(levels.get(arc.sink, 0), level)
    reached = [(arrival[bit] + ps, bit, kind, name) for bit, ps, kind, name in paths.ends if bit in arrival]
    if not reached:
        return None
    total, bit, kind, end = max(reached)
    cells, place = [kind], bit
    while place in came:
        cells.append(paths.types[came[place].cell])
        place = came[place].source
    _, first, start = paths.starts[place]
    ordered = tuple([first, *reversed(cells)])
    inner = ordered[1:-1]
    return Timing(
        levels=sum(bool(_LEVEL.match(cell)) for cell in inner),
        max_levels=max(levels[bit] for bit, *_ in paths.ends if bit in levels),
        carry4=inner.count("CARRY4"),
        cells=ordered,
        estimate_ns=round(total / 1000, 3),
        start=start,
        end=end,
    )


def as_json(timing: Timing | None) -> str:
    """Return the text `from_json` reads."""
    facts = None if timing is None else {name: getattr(timing, name) for name in Timing.__slots__}
    return json.dumps({"version": VERSION, "timing": facts}, indent=1)


def from_json(text: str) -> tuple[bool, Timing | None]:
    """Return whether `text` holds a result of this version, and the result."""
    try:
        kept = json.loads(text)
        if kept["version"] != VERSION:
            return False, None
        facts = kept["timing"]
        return True, None if facts is None else Timing(**{**facts, "cells": tuple(facts["cells"])})
    except (ValueError, KeyError, TypeError):
        return False, None


def _collect(module: Mapping[str, Any]) -> _Paths:
    names = _net_names(module)
    paths = _Paths({}, [], defaultdict(list), [])
    for port, facts in module["ports"].items():
        for index, bit in enumerate(facts["bits"]):
            if not isinstance(bit, int):
                continue
            name = f"{port}[{index}]" if len(facts["bits"]) > 1 else port
            if facts["direction"] == "input":
                paths.starts[bit] = (_FF_OUT, "input port", name)
            else:
                paths.ends.append((bit, NET_PS + _FF_SETUP["D"], "output port", name))
    for number, (name, cell) in enumerate(module["cells"].items()):
        paths.types.append(cell["type"])
        _collect_cell(paths, number, name, cell, names)
    return paths


def _net_names(module: Mapping[str, Any]) -> dict[int, str]:
    """Name of every bit: the shortest one a person gave, else yosys' own."""
    best: dict[int, tuple[bool, int, str]] = {}
    for name, facts in module["netnames"].items():
        for index, bit in enumerate(facts["bits"]):
            if isinstance(bit, int):
                text = f"{name}[{index}]" if len(facts["bits"]) > 1 else name
                found = (bool(facts.get("hide_name")), len(text), text)
                best[bit] = min(best.get(bit, found), found)
    return {bit: text for bit, (_, _, text) in best.items()}


def _collect_cell(paths: _Paths, number: int, name: str, cell: Mapping[str, Any], names: Mapping[int, str]) -> None:
    kind, parameters = str(cell["type"]), cell.get("parameters", {})
    inputs: list[tuple[str, int]] = []
    outputs: list[tuple[str, int]] = []
    for port, bits in cell["connections"].items():
        into = outputs if cell["port_directions"][port] == "output" else inputs
        single = len(bits) == 1
        into += [(port if single else f"{port}[{i}]", bit) for i, bit in enumerate(bits) if isinstance(bit, int)]
    start_ps = _clock_to_output(kind, parameters)
    for pin, bit in outputs:
        if start_ps is not None:
            base = names.get(bit, name) if kind in _FLIP_FLOP else f"{_short(name)} ({kind})"
            paths.starts[bit] = (start_ps, kind, f"{base}.{pin}")
        for source_pin, source in inputs:
            delay = _through(kind, parameters, source_pin, pin)
            if delay is not None:
                net = 0 if _inside_slice(kind, source_pin) else NET_PS
                paths.arcs[source].append(_Arc(source, bit, delay + net, number))
    q = next((bit for _, bit in outputs), None)
    for pin, bit in inputs:
        setup = _setup(kind, parameters, pin)
        if setup is not None:
            base = names.get(q, name) if kind in _FLIP_FLOP and q is not None else f"{_short(name)} ({kind})"
            paths.ends.append((bit, NET_PS + setup, kind, f"{base}.{pin}"))


def _short(name: str) -> str:
    """Return the last words of a cell name; yosys' own names hold the whole history of a cell."""
    return re.sub(r"[^\w.\[\]]+", "_", name.split("$")[0] or name.rsplit("$", 1)[-1]).strip("_.") or name[-24:]


def _inside_slice(kind: str, pin: str) -> bool:
    """Whether the net into this pin never leaves the slice: carry to carry, LUT to its F7 and F8, LUT to its carry.

    An inverter is no cell of its own: it disappears into the LUT before or behind it.
    """
    if kind == "INV":
        return True
    if kind == "CARRY4":
        return pin == "CI" or pin.startswith("S")
    return kind in _MUX and pin != "S"


def _through(kind: str, parameters: Mapping[str, Any], source: str, sink: str) -> int | None:
    """Delay from an input pin to an output pin, ps; None where a register or nothing lies between."""
    if kind in _LUT_PINS:
        return _LUT_PINS[kind][int(source[1:])]
    if kind == "CARRY4":
        return _CARRY.get((sink, source))
    if kind in _MUX:
        return _MUX[kind][source]
    if kind in ("INV", "BUFG", "IBUF", "OBUF"):
        return 0
    if kind.startswith("RAM") and not kind.startswith("RAMB"):
        return _memory_read(source, sink)
    if kind.startswith("SRL") and (match := re.fullmatch(r"A(?:\[(\d)\]|(\d))", source)) and sink == "Q":
        return _ADDRESS[int(match[1] or match[2])]
    if kind == "DSP48E1" and sink.startswith("P["):
        pin = source.partition("[")[0]
        registers = ["AREG", "BREG", "CREG", "DREG", "ADREG", "MREG", "PREG"]
        if pin in _DSP_PINS and not any(_integer(parameters.get(name, 1)) for name in registers if name in _used(pin)):
            return _DSP_PINS[pin][0]
    return None


def _used(pin: str) -> tuple[str, ...]:
    """Registers between an input of the DSP and its output."""
    return {"C": ("CREG", "PREG"), "D": ("DREG", "ADREG", "MREG", "PREG")}.get(pin, (f"{pin}REG", "MREG", "PREG"))


def _memory_read(source: str, sink: str) -> int | None:
    """Asynchronous read of a LUT memory: ADDRx of RAM32M/RAM64M, A and DPRA of the others."""
    match = re.fullmatch(r"(ADDR|DPRA|A)([A-D]?)(?:\[(\d)\]|(\d))?", source)
    if match is None:
        return None
    index = int(match[3] or match[4] or 0)
    if match[1] == "ADDR" and not sink.startswith(f"DO{match[2]}"):
        return None
    if (match[1] == "DPRA" and sink == "SPO") or (match[1] == "A" and sink == "DPO"):
        return None
    return _ADDRESS[index] if index < len(_ADDRESS) else _DEEP


def _clock_to_output(kind: str, parameters: Mapping[str, Any]) -> int | None:
    if kind in _FLIP_FLOP:
        return _FF_OUT
    if kind.startswith("RAMB"):
        return _BLOCK_OUT
    if kind.startswith("RAM"):
        return _MEMORY_OUT
    if kind.startswith("SRL"):
        return _SHIFT_OUT
    if kind == "DSP48E1":
        return next((ps for name, ps in _DSP_OUT.items() if _integer(parameters.get(name, 1))), None)
    return None


def _setup(kind: str, parameters: Mapping[str, Any], pin: str) -> int | None:
    """Setup of an input pin before the clock, ps; None for a pin that is not sampled."""
    base = pin.partition("[")[0]
    if base in _CLOCKS:
        return None
    if kind in _FLIP_FLOP:
        return _FF_SETUP.get(base)
    if kind.startswith("RAMB"):
        return next((ps for prefix, ps in _BLOCK_SETUP.items() if base.startswith(prefix)), 0)
    if kind.startswith(("RAM", "SRL")):
        if kind.startswith("RAM") and base.startswith(("ADDRA", "ADDRB", "ADDRC", "DPRA")):
            return None
        return next((ps for prefix, ps in _MEMORY_SETUP.items() if base.startswith(prefix)), 109)
    if kind == "DSP48E1" and base in _DSP_PINS:
        _, before_p, own = _DSP_PINS[base]
        used = _used(base)
        if _integer(parameters.get(used[0], 1)):
            return own
        if any(_integer(parameters.get(name, 1)) for name in used[1:-1]):
            return _DSP_DEFAULT_SETUP + own
        return before_p if _integer(parameters.get("PREG", 1)) else None
    return None


def _integer(value: Any) -> int:
    """Parameters come as bit strings."""
    if isinstance(value, int):
        return value
    return int(value, 2) if re.fullmatch(r"[01]+", str(value)) else 1


def _ordered(paths: _Paths, top: str) -> Iterator[int]:
    """Bits in an order in which every arc points forward."""
    waiting = Counter(arc.sink for arcs in paths.arcs.values() for arc in arcs)
    bits = {*paths.starts, *paths.arcs, *waiting}
    free = [bit for bit in bits if not waiting[bit]]
    n_done = 0
    while free:
        bit = free.pop()
        n_done += 1
        yield bit
        for arc in paths.arcs.get(bit, ()):
            waiting[arc.sink] -= 1
            if not waiting[arc.sink]:
                free.append(arc.sink)
    if n_done < len(bits):
        raise QnnError(f"timing of {top}: {len(bits) - n_done} nets lie on or behind a combinational loop")
