# SPDX-License-Identifier: Apache-2.0
"""Builds many stream modules into one simulation and runs each against its expected beats.

A `Case` is one parameterised module, its input beats and the output beats its reference gives. All cases of a run lie
side by side in one generated top module and share the clock, so that a whole table of cases costs one Verilator build.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qnn_hw.simulation import verilator

REPOSITORY = Path(__file__).resolve().parents[2]
RTL = REPOSITORY / "rtl"
SHELL = ("qnn_shell", "qnn_axil", "qnn_frame", "qnn_hash")
"""Files beside the library that are tested elsewhere."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A further stream of a module: prefix of its port, bits of a beat, its beats.

    Streams of one prefix lie side by side in one port, the case's own first, in the least significant bits.
    """

    port: str
    width: int
    beats: list[int]


@dataclass(frozen=True, slots=True)
class Case:
    """One module under test: `beats_in` and `beats_out` are lists of integers, one a beat."""

    name: str
    module: str
    parameters: dict[str, int | str]
    width_in: int
    width_out: int
    beats_in: list[int]
    beats_out: list[int]
    tables: dict[str, list[int]] = field(default_factory=dict)
    cycles_limit: int = 0
    """Cycles within which all beats pass when nothing blocks; 0 = not checked."""
    latency: int | None = None
    """Cycles from the input beat that completes the first output beat to that beat, as the module's header says."""
    first_needs: int = 1
    """Input beats that the first output beat needs."""
    ports: tuple[str, str] = ("s_axis", "m_axis")
    """Prefixes of the ports that `beats_in` and `beats_out` belong to."""
    more_inputs: tuple[Stream, ...] = ()
    more_outputs: tuple[Stream, ...] = ()
    """Each is offered or taken by itself, with its own pauses."""
    instance: str = ""
    """SystemVerilog text instead of the usual instance, for modules without stream ports; {i} is the case number."""


def literal(value: int | str) -> str:
    """A parameter value as SystemVerilog text."""
    return f'"{value}"' if isinstance(value, str) else str(value)


def top_module(cases: Sequence[Case]) -> str:
    """SystemVerilog of a top module that holds all cases, the ports of case i prefixed with `c<i>_`.

    Further streams of a case are `c<i>x<k>`; each has both directions, the one that is not there is idle.
    """
    ports = ["input logic aclk", "input logic aresetn"]
    body = []
    for i, case in enumerate(cases):
        ports += _ports(f"c{i}", case.width_in, case.width_out)
        if case.instance:
            body.append(case.instance.replace("{i}", str(i)))
            body.append(f"assign c{i}_m_valid = c{i}_s_valid; assign c{i}_s_ready = c{i}_m_ready;")
            continue
        connected = [(case.ports[0], f"c{i}_s"), (case.ports[1], f"c{i}_m")]
        for k, stream in enumerate((*case.more_inputs, *case.more_outputs)):
            handle, is_input = f"c{i}x{k}", k < len(case.more_inputs)
            ports += _ports(handle, stream.width, stream.width)
            connected.append((stream.port, f"{handle}_{'s' if is_input else 'm'}"))
            body.append(f"assign {handle}_m_valid = 1'b0;" if is_input else f"assign {handle}_s_ready = 1'b0;")
        parameters = ", ".join(f".{key}({literal(value)})" for key, value in case.parameters.items())
        extra = f", .high_water(c{i}_high_water)" if case.module == "qnn_fifo" else ""
        if extra:
            body.append(f"logic [15:0] c{i}_high_water;")
        body.append(
            f"{case.module} #({parameters}) u{i} (.aclk(aclk), .aresetn(aresetn), {_connections(connected)}{extra});"
        )
    lines = ",\n  ".join(ports)
    return f"module bench (\n  {lines}\n);\n  " + "\n  ".join(body) + "\nendmodule\n"


def _ports(handle: str, width_in: int, width_out: int) -> list[str]:
    return [
        f"input logic [{width_in - 1}:0] {handle}_s_data",
        f"input logic {handle}_s_valid",
        f"output logic {handle}_s_ready",
        f"output logic [{width_out - 1}:0] {handle}_m_data",
        f"output logic {handle}_m_valid",
        f"input logic {handle}_m_ready",
    ]


def _connections(connected: list[tuple[str, str]]) -> str:
    beside: dict[str, list[str]] = {}
    for prefix, wire in connected:
        beside.setdefault(prefix, []).insert(0, wire)
    return ", ".join(
        f".{prefix}_t{part}({{{', '.join(f'{wire}_{part}' for wire in wires)}}})"  # a list of one is the wire itself
        for prefix, wires in beside.items()
        for part in ("data", "valid", "ready")
    )


def sources() -> list[Path]:
    """The library's files: all of `rtl/` but the shell around the core."""
    return sorted(path for path in RTL.glob("qnn_*.sv") if not path.stem.startswith(SHELL))


def run_cases(cases: Sequence[Case], folder: Path, *, structural: bool, seed: int = 1) -> dict[str, list[str]]:
    """Builds and runs all cases; returns for each case name its complaints, none when it passed.

    `structural` chooses the bodies that synthesis takes for the popcounts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    top = folder / "bench.sv"
    top.write_text(top_module(cases), encoding="utf-8")
    # cocotb reaches the ports alone: the inside of the modules stays optimised.
    visible = folder / "bench.vlt"
    visible.write_text('`verilator_config\npublic_flat_rw -module "bench" -var "*"\n', encoding="utf-8")
    binary = verilator.build([*sources(), top, visible], "bench", defines={"QNN_STRUCTURAL": 1} if structural else {})

    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    for case in cases:
        for name, words in case.tables.items():
            (data / name).write_text("".join(f"{word:x}\n" for word in words))
    stimulus = [entry for i, case in enumerate(cases) for entry in _stimulus(i, case)]
    (folder / "stimulus.json").write_text(json.dumps(stimulus))
    result = verilator.run(
        binary,
        test_module="tests.rtl.bench_cocotb",
        work_dir=folder,
        plusargs=[f"+qnn_data={data}"],
        env={"QNN_BENCH": str(folder)},
        python_path=[REPOSITORY],
        seed=seed,
    )
    if not result.passed:
        raise AssertionError("\n".join(f"{test.name}: {test.message}" for test in result.tests))
    complaints: dict[str, list[str]] = json.loads((folder / "complaints.json").read_text())
    results: dict[str, list[str]] = {case.name: [] for case in cases}
    for name, found in complaints.items():
        results[name.partition(" ")[0]] += found
    return results


def _stimulus(number: int, case: Case) -> list[dict[str, Any]]:
    """What `bench_cocotb` drives and checks: the case, then its further streams as entries of their own."""
    entries: list[dict[str, Any]] = [
        {
            "name": case.name,
            "handle": f"c{number}",
            "beats_in": case.beats_in,
            "beats_out": case.beats_out,
            "cycles_limit": case.cycles_limit,
            "latency": case.latency,
            "first_needs": case.first_needs,
            "depth": case.parameters.get("Depth", 0) if case.module == "qnn_fifo" else 0,
        }
    ]
    for k, stream in enumerate((*case.more_inputs, *case.more_outputs)):
        is_input = k < len(case.more_inputs)
        entries.append(
            {
                "name": f"{case.name} {stream.port} {k}",
                "handle": f"c{number}x{k}",
                "beats_in": stream.beats if is_input else [],
                "beats_out": [] if is_input else stream.beats,
                "cycles_limit": 0,
                "latency": None,
                "first_needs": 1,
                "depth": 0,
            }
        )
    return entries
