# SPDX-License-Identifier: Apache-2.0
"""`analyze`: what a build will do, before anything is simulated or synthesized; fields: docs/analysis.md."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qnn_hw.analysis.bitwidths import StreamBits, stream_bits
from qnn_hw.analysis.resources import Resources, estimate_graph
from qnn_hw.analysis.schedule import Schedule, schedule
from qnn_hw.backends.folder import read_build
from qnn_hw.backends.instance import instance
from qnn_hw.backends.rtl.core import HASH_FILE, Interface, interface, shell_parameters
from qnn_hw.errors import QnnError
from qnn_hw.ir.graph import Graph

if TYPE_CHECKING:
    from rich.console import RenderableType

Facts = dict[str, Any]

ESTIMATE = "estimated by formulas fitted to yosys"
"""Stands beside every estimated figure."""


def analyze(path: str | Path, *, input_range: tuple[int, int] | None = None) -> Facts:
    """Analyze a build: the bits its streams need, its schedule, and what it is estimated to occupy.

    Args:
        path: build folder.
        input_range: least and greatest value that occurs on the core's input; all its type can express without it.

    Returns:
        JSON-ready: `name`, `graph_hash`, `board`, `clock_mhz`, `input_range`, `streams`, `schedule`, `resources`,
        `budget` (what the board holds).

    Raises:
        QnnError: if `path` is no build, for an input range outside the input type, or where the queues of the build
            are so short that it stops for ever.
    """
    build = read_build(Path(path))
    graph, clock_mhz = build.graph, float(build.manifest["clock_mhz"])
    outside = interface(graph, int(build.manifest["dma_width_bits"]))
    return {
        "name": build.manifest["name"],
        "graph_hash": build.manifest["graph_hash"],
        "board": build.manifest["board"],
        "clock_mhz": clock_mhz,
        "input_range": list(input_range) if input_range else None,
        "streams": bitwidths(graph, input_range),
        "schedule": schedule_facts(schedule(graph, outside), clock_mhz),
        "resources": resource_facts(graph, outside),
        "budget": build.budget,
    }


def bitwidths(graph: Graph, input_range: tuple[int, int] | None = None) -> list[Facts]:
    """Return a row of facts for the input and every computed stream of a hardware graph.

    Raises:
        QnnError: for an input range outside the input type.
    """
    return [_stream(row, graph) for row in stream_bits(graph, input_range)]


def bitwidth_parts(streams: list[Facts]) -> "list[RenderableType]":
    """Return the table of `bitwidths`."""
    from qnn_hw.tables import table

    columns = ("stream", "layer", "type", "least", "greatest", "needs", "threshold", "constant", "lanes", "bits a beat")
    rows = [
        [
            *(row[key] for key in ("stream", "layer", "dtype", "low", "high", "needed")),
            row["threshold_bits"] or "",
            row["constant_channels"]["count"] or "",
            row["lanes"] or "",
            row["width_bits"] or "",
        ]
        for row in streams
    ]
    return [table("Bits", columns, rows)]


def schedule_facts(found: Schedule, clock_mhz: float) -> Facts:
    """Return a schedule as facts: cycles, and what they are in time at `clock_mhz`."""
    return {
        "interval_cycles": found.interval_cycles,
        "frames_per_s": found.frames_per_s(clock_mhz),
        "latency_cycles": found.latency_cycles,
        "latency_us": found.latency_us(clock_mhz),
        "batch_of_1_frames_per_s": found.frames_per_s(clock_mhz, batch=1),
        "steady": found.steady,
        "period_frames": found.period_frames,
        "limit": asdict(found.limit),
        "stages": [asdict(stage) for stage in found.stages],
        "streams": [asdict(stream) for stream in found.streams],
        "queues": [asdict(queue) for queue in found.queues],
    }


def resource_facts(graph: Graph, outside: Interface) -> Facts:
    """Return the estimated cells of a folded graph: of each operator, each layer, the shell, and their sum."""
    estimated = estimate_graph(
        graph, instance, {**shell_parameters(graph, outside), "Counters": 0, "HashFile": HASH_FILE}
    )
    layers: dict[str, Resources] = {}
    for operator in estimated.operators:
        layers[operator.layer] = layers.get(operator.layer, Resources()) + operator.resources
    return {
        "label": ESTIMATE,
        "operators": [
            {
                **{key: getattr(operator, key) for key in ("layer", "operator", "name", "module")},
                **_cells(operator.resources),
            }
            for operator in estimated.operators
        ],
        "layers": [{"layer": name, **_cells(found)} for name, found in layers.items()],
        "shell": _cells(estimated.shell),
        "sum": _cells(estimated.total),
    }


def analysis_parts(facts: Facts) -> "list[RenderableType]":
    """Return the tables and sentences of `analyze`."""
    return [*bitwidth_parts(facts["streams"]), *_schedule_parts(facts), *_resource_parts(facts)]


def parse_range(text: str) -> tuple[int, int]:
    """Parse `LOW:HIGH`.

    Raises:
        QnnError: for anything else.
    """
    low, _, high = text.partition(":")
    try:
        return int(low), int(high)
    except ValueError:
        raise QnnError(f"--input-range {text}: give LOW:HIGH, two whole numbers, for example 0:15") from None


def _stream(row: StreamBits, graph: Graph) -> Facts:
    kind = graph.types[row.stream]
    return {
        "stream": row.stream,
        "layer": row.layer,
        "operator": row.operator,
        "dtype": str(row.dtype),
        "bits": row.dtype.bits,
        "low": row.low,
        "high": row.high,
        "needed": str(row.needed),
        "needed_bits": row.needed.bits,
        "threshold_bits": row.threshold_bits,
        "constant_channels": {"count": len(row.constant_channels), "indices": list(row.constant_channels)},
        "channels": kind.channels,
        "shape": list(kind.shape),
        "lanes": kind.lanes,
        "width_bits": kind.width_bits,
    }


def _cells(found: Resources) -> dict[str, float]:
    return {**asdict(found), "bram36_equivalent": found.bram36_equivalent}


def _schedule_parts(facts: Facts) -> "list[RenderableType]":
    from qnn_hw.tables import table

    found = facts["schedule"]
    shares = ("busy", "blocked", "starved")
    stages = [
        [row["name"], row["layer"], row["kind"], row["cycles"], *(_percent(row[share]) for share in shares)]
        for row in found["stages"]
    ]
    queues = [
        [row["name"], row["stream"], row["width_bits"], row["depth"], row["high_water"]] for row in found["queues"]
    ]
    parts: list[RenderableType] = [table("Cycles a frame", ("stage", "layer", "kind", "cycles", *shares), stages)]
    if queues:
        parts.append(table("Queues", ("queue", "stream", "bits a beat", "depth", "highest fill"), queues))
    steady = "" if found["steady"] else " (no steady state within the frames looked at: the last interval seen)"
    parts.append(
        f"a frame every {found['interval_cycles']:,.6g} cycles = {found['frames_per_s']:,.0f} frames/s at "
        f"{facts['clock_mhz']:g} MHz{steady}\n"
        f"a frame alone: {found['latency_cycles']:,} cycles = {found['latency_us']:,.2f} µs, "
        f"{found['batch_of_1_frames_per_s']:,.0f} frames/s one at a time\n"
        f"limit: {found['limit']['reason']}"
    )
    return parts


# Multiplexers F7 and F8 are not estimated.
_KEYS = ("lut", "lutram", "ff", "carry4", "bram36_equivalent", "dsp")
_COLUMNS = ("layer", "LUT", "of it LUTRAM", "FF", "CARRY4", "BRAM36", "DSP")


def _resource_parts(facts: Facts) -> "list[RenderableType]":
    from qnn_hw.tables import table

    found, budget = facts["resources"], facts["budget"]
    rows = [[row["layer"], *_figures(row)] for row in found["layers"]]
    rows += [["shell", *_figures(found["shell"])], ["sum", *_figures(found["sum"])]]
    figures = [budget["lut"], "", budget["ff"], "", float(budget["bram36"]), budget["dsp"]]
    rows.append([f"{facts['board']} has", *figures])
    share = f"{_percent(found['sum']['lut'] / budget['lut'])} of the board's LUT"
    return [table(f"Resources, {ESTIMATE}; {share}", _COLUMNS, rows)]


def _figures(row: Mapping[str, Any]) -> list[Any]:
    return [float(row[key]) if key == "bram36_equivalent" else row[key] for key in _KEYS]


def _percent(share: float) -> str:
    return f"{share:.1%}"
