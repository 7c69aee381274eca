# SPDX-License-Identifier: Apache-2.0
"""Runs a Vivado script in a plain Tcl interpreter against `recorder.tcl`, and returns what it asked Vivado to make."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HARNESS = Path(__file__).with_name("recorder.tcl")

# tkinter takes the command exit away from its interpreter, and has no argv.
_TKINTER = """\
import os, sys, tkinter
tcl = tkinter.Tcl()
tcl.createcommand("exit", lambda status="0": (tcl.eval("flush stdout; flush stderr"), os._exit(int(status))))
tcl.setvar("argv", tcl.eval("list {" + sys.argv[2] + "}"))
tcl.setvar("argc", 1)
tcl.eval("source -encoding utf-8 {" + sys.argv[1] + "}")
"""


def interpreter() -> list[str] | None:
    """Return the words that start a Tcl interpreter with a script and an argument; None if there is none."""
    found = shutil.which("tclsh")
    if found:
        return [found, "-encoding", "utf-8"]
    try:
        import tkinter  # noqa: F401
    except ImportError:
        return None
    return [sys.executable, "-c", _TKINTER]


def record(script: Path, session: "Session", scratch: Path, *, cwd: Path | None = None) -> "Recording":
    """Run `script`; `scratch` takes the files of the recorder, `cwd` (by default the script's folder) is where it runs.

    Raises:
        RuntimeError: there is no interpreter, or the recorder itself is at fault.
    """
    words = interpreter()
    if words is None:
        raise RuntimeError("no Tcl interpreter (Debian: tcl)")
    scratch.mkdir(parents=True, exist_ok=True)
    told, written = scratch / "session.txt", scratch / "record.txt"
    written.unlink(missing_ok=True)
    lines = [*session.lines(), ("record", str(written)), ("script", str(script))]
    told.write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8")
    done = subprocess.run(
        [*words, str(HARNESS), str(told)],
        cwd=cwd or script.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if not written.is_file():
        raise RuntimeError(f"the recorder failed: {done.stdout}{done.stderr}")
    records = [json.loads(line) for line in written.read_text(encoding="utf-8").splitlines()]
    return _recording(done.returncode, done.stdout + done.stderr, records)


@dataclass(frozen=True, slots=True)
class Mutation:
    """A change of the calls a script makes, on their way into the tool."""

    kind: str
    """`drop`, `twice`, `replace`, or `nth`: leave out one call by its number."""
    pattern: str
    """Regular expression (Tcl's) that finds the calls, written as `command argument ...`; with `nth` the number of the
    call among all calls, from 0."""
    text: str = ""
    """What `replace` puts in place of the pattern."""


@dataclass(frozen=True, slots=True)
class Session:
    """The Vivado that is stood in for, and how its runs end."""

    version: str = "2024.1"
    """What `version -short` answers."""
    parts: tuple[str, ...] = ()
    """Parts that are installed."""
    boards: tuple[tuple[str, str], ...] = ()
    """Board parts that are installed, and the part of each."""
    stored: tuple[tuple[str, str], ...] = ()
    """Board parts that the Vivado Store installed, and the part of each."""
    wns: float | None = 0.1
    """Worst setup slack in ns; None: no path has a constraint."""
    whs: float | None = 0.05
    """Worst hold slack in ns."""
    pulse: float = 0.0
    """Worst pulse width slack in ns."""
    routed: bool = True
    """Whether the design is routed without errors."""
    drc: tuple[str, ...] = ()
    """Severities of the design rule violations."""
    failing: tuple[str, ...] = ()
    """Runs that end in an error."""
    left_out: str = ""
    """Files that the packager does not take along by itself, as a pattern over whole paths."""
    synthesis_group: str = "xilinx_anylanguagesynthesis"
    """What the packager calls the files that are synthesized."""
    complaints: tuple[tuple[str, str], ...] = ()
    """(run, line of its log), though the run ends well."""
    without: tuple[str, ...] = ()
    """Commands this release does not have."""
    arguments: tuple[str, ...] = ()
    """Words behind `-tclargs`."""
    mutations: tuple[Mutation, ...] = ()

    def lines(self) -> list[tuple[str, ...]]:
        """Return the lines of the session's file."""
        return [
            ("version", self.version),
            ("wns", "" if self.wns is None else str(self.wns)),
            ("whs", "" if self.whs is None else str(self.whs)),
            ("pulse", str(self.pulse)),
            ("routed", str(int(self.routed))),
            ("left_out", self.left_out),
            ("synthesis_group", self.synthesis_group),
            *(("complaint", *complaint) for complaint in self.complaints),
            *(("without", command) for command in self.without),
            *(("part", part) for part in self.parts),
            *(("board", *board) for board in self.boards),
            *(("stored", *board) for board in self.stored),
            *(("drc", severity) for severity in self.drc),
            *(("failing", run) for run in self.failing),
            *(("argument", word) for word in self.arguments),
            *(("mutation", m.kind, m.pattern, m.text) for m in self.mutations),
        ]


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface of a cell."""

    path: str
    """`/cell/NAME`."""
    mode: str
    """`Master` or `Slave`."""
    kind: str
    """`aximm`, `axis`, or another bus."""
    bits: int | None
    """Width of the data; None where the cell takes it from what is connected."""
    clock: str
    """Pin of the cell that clocks it; empty if none does."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A pin of a cell that belongs to no interface."""

    path: str
    """`/cell/name`."""
    direction: str
    """`I` or `O`."""
    kind: str
    """`clk`, `rst` or `other`."""
    polarity: str
    """`ACTIVE_LOW` or `ACTIVE_HIGH` of a reset; empty where the cell follows what is connected."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the block design as it was at the end."""

    name: str
    """`/name`."""
    vlnv: str
    config: Mapping[str, str]
    """What the script set (without `CONFIG.`) and no preset overwrote."""
    interfaces: tuple[Interface, ...]
    pins: tuple[Pin, ...]
    segments: Mapping[str, int]
    """Its address segments (`/cell/INTERFACE/name`) -> bytes they really have."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """An `assign_bd_address`."""

    space: str
    """`/cell/space`; empty: every space that reaches the segment."""
    segment: str
    """`/cell/INTERFACE/name`."""
    base: int | None
    """None: Vivado's choice."""
    size: int


@dataclass(frozen=True, slots=True)
class Recording:
    """What a script did."""

    status: int
    """Its exit status."""
    output: str
    events: tuple[tuple[str, ...], ...]
    """Everything in order: calls (`call`, command, arguments...) and what came of them (`validated`, `saved`, ...)."""
    cells: Mapping[str, Cell]
    connections: tuple[frozenset[str], ...]
    """Interface connections, one an `connect_bd_intf_net`."""
    nets: tuple[frozenset[str], ...]
    """Pins joined by `connect_bd_net`, merged into nets."""
    wires: tuple[tuple[str, ...], ...]
    """The same as they were asked for, one a call."""
    externals: Mapping[str, str]
    """Ports of the whole design -> what they are."""
    addresses: tuple[Assignment, ...]
    properties: Mapping[str, Mapping[str, str]]
    """Object (project, fileset, run, file) -> its properties, names in capitals."""
    files: Mapping[str, tuple[str, ...]]
    """Fileset of the project -> files."""
    cores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Packaged IP (vlnv) -> its files."""
    made: tuple[str, ...] = ()
    """Files that the tool wrote."""

    def named(self, name: str) -> list[tuple[str, ...]]:
        """Return the events of a name, without it."""
        return [event[1:] for event in self.events if event[0] == name]

    def calls(self, command: str) -> list[tuple[str, ...]]:
        """Return the arguments of every call of a command."""
        return [event[2:] for event in self.events if event[:2] == ("call", command)]

    def first(self, *start: str) -> int:
        """Return the place in `events` of the first event that begins so; -1 without one."""
        return next((i for i, event in enumerate(self.events) if event[: len(start)] == start), -1)

    def last(self, *start: str) -> int:
        """Return the place in `events` of the last event that begins so; -1 without one."""
        return max((i for i, event in enumerate(self.events) if event[: len(start)] == start), default=-1)

    def interface(self, path: str) -> Interface | None:
        """Return an interface by its path."""
        return next((found for cell in self.cells.values() for found in cell.interfaces if found.path == path), None)

    def pin(self, path: str) -> Pin | None:
        """Return a pin by its path."""
        return next((found for cell in self.cells.values() for found in cell.pins if found.path == path), None)

    def of_kind(self, ip: str) -> list[Cell]:
        """Return the cells of an IP, whatever its version: `xilinx.com:ip:axi_dma`."""
        return [cell for cell in self.cells.values() if cell.vlnv.startswith(f"{ip}:")]


_AT_THE_END = {"cell", "config", "port", "property", "file", "made", "external", "project", "design"}


def _recording(status: int, output: str, records: Sequence[Sequence[str]]) -> Recording:
    ports: dict[str, list[Sequence[str]]] = {}
    vlnvs: dict[str, str] = {}
    configs: dict[str, dict[str, str]] = {}
    properties: dict[str, dict[str, str]] = {}
    files: dict[str, list[str]] = {}
    externals: dict[str, str] = {}
    for name, *rest in records:
        match name:
            case "cell":
                vlnvs[rest[0]] = rest[1]
            case "config":
                configs.setdefault(rest[0], {})[rest[1]] = rest[2]
            case "port":
                ports.setdefault(rest[0], []).append(rest[1:])
            case "property":
                properties.setdefault(rest[0], {})[rest[1]] = rest[2]
            case "file":
                files.setdefault(rest[0], []).append(rest[1])
            case "external":
                externals[rest[0]] = rest[1]
    events = tuple(tuple(record) for record in records if record[0] not in _AT_THE_END)
    wires = tuple(event[2:] for event in events if event[0] == "net")
    return Recording(
        status=status,
        output=output,
        events=events,
        cells={name: _cell(name, vlnv, configs.get(name, {}), ports.get(name, [])) for name, vlnv in vlnvs.items()},
        connections=tuple(frozenset(event[1:]) for event in events if event[0] == "interface"),
        nets=_merged(wires),
        wires=wires,
        externals=externals,
        addresses=tuple(_assignment(*event[1:]) for event in events if event[0] == "address"),
        properties=properties,
        files={name: tuple(paths) for name, paths in files.items()},
        cores={event[1]: event[2:] for event in events if event[0] == "core"},
        made=tuple(record[1] for record in records if record[0] == "made"),
    )


def _cell(name: str, vlnv: str, config: Mapping[str, str], ports: Sequence[Sequence[str]]) -> Cell:
    return Cell(
        name,
        vlnv,
        config,
        tuple(
            Interface(f"{name}/{port[1]}", port[2], port[3], int(port[4]) if port[4] else None, port[5])
            for port in ports
            if port[0] == "intf"
        ),
        tuple(Pin(f"{name}/{port[1]}", port[2], port[3], port[4]) for port in ports if port[0] == "pin"),
        {f"{name}/{port[2]}/{port[1]}": int(port[3]) for port in ports if port[0] == "seg"},
    )


def _assignment(space: str, segment: str, base: str, size: str) -> Assignment:
    return Assignment(space, segment, None if base == "auto" else int(base), int(size))


def _merged(wires: Iterable[Sequence[str]]) -> tuple[frozenset[str], ...]:
    nets: list[set[str]] = []
    for wire in wires:
        joined = set(wire)
        apart = []
        for net in nets:
            if net & joined:
                joined |= net
            else:
                apart.append(net)
        nets = [*apart, joined]
    return tuple(frozenset(net) for net in nets)
