# SPDX-License-Identifier: Apache-2.0
"""Print a folded graph as HLS C++: `qnn_core.hpp` and `qnn_core.cpp`, one function a stage and the core around them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from qnn_hw.backends.hls.stage import MAX_WIDTH_BITS, Stage, Table, UnsupportedByHls, stage, widths
from qnn_hw.backends.hls.text import call, comment
from qnn_hw.folding.paths import depths_without_own_path
from qnn_hw.ir.graph import Graph, TensorType
from qnn_hw.ir.ops.fifo import Fifo
from qnn_hw.ir.ops.flatten import Flatten
from qnn_hw.ir.ops.width_converter import WidthConverter

CORE = "qnn_hls_core"
HEADER = "qnn_core.hpp"
SOURCE = "qnn_core.cpp"

RENAMINGS = (Fifo, Flatten)
"""Operators that are no function: a queue is the depth of an hls::stream, a flatten another name for one."""

DEFAULT_DEPTH = 2
"""Beats an hls::stream holds without a pragma (Vitis HLS 2022.1 to 2026.1)."""

MAX_WIDTHS = (1024, 4096, MAX_WIDTH_BITS)
"""AP_INT_MAX_W where nobody defines it, the value the documentation allows (UG1399), and beyond."""

INPUT_QUEUE = "input_queue"
"""Stage in front of a core whose input has a queue: it copies the beats."""

QUEUED_INPUT = "queued_input"

INLINE_ROM_TILES = 64
"""Words up to which "auto" puts a weight memory into LUTs, as the RTL does: a LUT6 holds 64 bits."""


@dataclass(frozen=True, slots=True)
class Link:
    """An hls::stream between two stages.

    Attributes:
        tensor: the producer's name for it.
        kind: its type.
        depth: beats it holds.
    """

    tensor: str
    kind: TensorType
    depth: int


@dataclass(frozen=True, slots=True)
class Core:
    """A folded graph as stages and streams.

    Attributes:
        graph: the folded graph, with `INPUT_QUEUE` where there is one.
        stages: in graph order; `INPUT_QUEUE`, where there is one, comes first.
        links: streams inside the core, by the producer's tensor name.
        sources: tensor -> the tensor under which its producer (or the graph) delivers it.
    """

    graph: Graph
    stages: tuple[Stage, ...]
    links: Mapping[str, Link]
    sources: Mapping[str, str]

    @property
    def input(self) -> TensorType:
        """Type of the core's input stream."""
        return next(iter(self.graph.inputs.values()))

    @property
    def output(self) -> TensorType:
        """Type of the core's output stream."""
        return self.graph.types[self.graph.outputs[0]]

    def operators(self) -> tuple[Stage, ...]:
        """Return the stages that are operators of the graph."""
        return tuple(item for item in self.stages if item.op.name != INPUT_QUEUE)


def make_core(graph: Graph) -> Core:
    """Turn a folded graph into stages and streams.

    Raises:
        UnsupportedByHls: naming the layer whose operator or width HLS C++ does not take.
    """
    (source,) = graph.inputs
    sources, depths = _resolve(graph)
    if depths[source]:
        graph = _with_input_queue(graph)
        sources, depths = _resolve(graph)
    stages = tuple(stage(op, graph) for op in graph.ops if not isinstance(op, RENAMINGS))
    inside = [tensor for item in stages for tensor in item.op.outputs if tensor != sources[graph.outputs[0]]]
    links = {name: Link(name, graph.types[name], max(DEFAULT_DEPTH, depths[name])) for name in inside}
    return Core(graph, stages, links, sources)


def _resolve(graph: Graph) -> tuple[dict[str, str], dict[str, int]]:
    """Return each tensor's source, and the beats of the queues behind each source.

    Depths are found with the modules of the RTL (`folding.fifos`). A path to an add may count on what these hold, above
    all on a line buffer that fills while its reader waits; a process of Vitis HLS that waits to write reads nothing,
    and one that writes several streams writes all of them or none. So the queues at an add are as deep as if their
    path held nothing.
    """
    at_adds = depths_without_own_path(graph)
    sources = {name: name for name in graph.inputs}
    depths = dict.fromkeys(graph.inputs, 0)
    for op in graph.ops:
        if isinstance(op, RENAMINGS):
            sources[op.outputs[0]] = sources[op.inputs[0]]
            if isinstance(op, Fifo):
                depths[sources[op.inputs[0]]] += max(op.depth, at_adds.get(op.name, 0))
        else:
            sources |= {tensor: tensor for tensor in op.outputs}
            depths |= dict.fromkeys(op.outputs, 0)
    return sources, depths


def _with_input_queue(graph: Graph) -> Graph:
    """Let a stage copy the input: a port has no depth, the stream behind that stage has."""
    ((source, kind),) = graph.inputs.items()
    if {INPUT_QUEUE, QUEUED_INPUT} & {*graph.types, *(op.name for op in graph.ops)}:
        raise UnsupportedByHls(f"input: a layer bears the name {INPUT_QUEUE} or {QUEUED_INPUT}; rename it")
    copy = WidthConverter(name=INPUT_QUEUE, layer="input", inputs=(source,), outputs=(QUEUED_INPUT,), lanes=kind.lanes)
    readers = (
        replace(op, inputs=tuple(QUEUED_INPUT if name == source else name for name in op.inputs)) for op in graph.ops
    )
    return graph.with_ops((copy, *readers))


def print_header(core: Core) -> str:
    """Return the text of `qnn_core.hpp`."""
    widest = max(width for item in core.stages for _, width in widths(item, core.graph))
    lines = [
        *_head(core.graph),
        *comment(
            f"The stages of the pipeline and the core {CORE} they make. A call of a function is one frame; streams "
            "carry the beats of the RTL's streams, element 0 in the least significant bits."
        ),
        "#pragma once",
        "",
    ]
    if widest > MAX_WIDTHS[0]:
        lines += [
            *comment(
                f"The widest beat or word has {widest} bits; ap_int.h takes {MAX_WIDTHS[0]} unless told otherwise."
            ),
            "#ifndef AP_INT_MAX_W",
            f"#define AP_INT_MAX_W {next(limit for limit in MAX_WIDTHS if widest <= limit)}",
            "#endif",
        ]
    lines += ["#include <ap_int.h>", "#include <hls_stream.h>", ""]
    for item in core.stages:
        lines += [*comment(describe(item, core.graph)), *_signature(item, core.graph, ";")]
    lines += ["", *comment("The whole core; ports as those of the RTL's qnn_core."), *_core_signature(core, ";")]
    return "\n".join([*lines, ""])


def print_source(core: Core) -> str:
    """Return the text of `qnn_core.cpp`."""
    headers = sorted({item.header for item in core.stages})
    tables = sorted(table_header(item) for item in core.stages if item.tables)
    lines = [*_head(core.graph), f'#include "{HEADER}"', ""]
    lines += [f'#include "qnn/{name}"' for name in headers]
    lines += [f'#include "{name}"' for name in tables]
    for item in core.stages:
        lines += ["", *_print_stage(item, core.graph)]
    return "\n".join([*lines, "", *_print_core(core), ""])


def table_header(item: Stage) -> str:
    """Return the path of the file with a stage's tables."""
    return f"weights/{item.op.name}.hpp"


def describe(item: Stage, graph: Graph) -> str:
    """Return what a stage is: operator, streams, layer."""
    ends = [", ".join(f"{name} {graph.types[name]}" for name in names) for names in (item.op.inputs, item.op.outputs)]
    return f"{item.op.name}: {item.op.keyword} of layer {item.op.layer}, {ends[0]} -> {ends[1]}"


def _head(graph: Graph) -> list[str]:
    return [
        "// SPDX-License-Identifier: Apache-2.0",
        f"// Generated by qnn-hw from the network {graph.name!r}: do not edit.",
        "//",
    ]


def stream_type(kind: TensorType) -> str:
    """Return the C++ type of a stream."""
    return f"hls::stream<ap_uint<{kind.width_bits}>>"


def port_names(item: Stage) -> tuple[list[str], list[str]]:
    """Return the names of a stage's parameters: `in` and `out`, numbered where there are several."""

    def names(word: str, count: int) -> list[str]:
        return [word] if count == 1 else [f"{word}{i}" for i in range(count)]

    return names("in", len(item.op.inputs)), names("out", len(item.op.outputs))


def _signature(item: Stage, graph: Graph, tail: str) -> list[str]:
    inputs, outputs = port_names(item)
    ports = zip((*item.op.inputs, *item.op.outputs), (*inputs, *outputs), strict=True)
    parameters = [f"{stream_type(graph.types[tensor])}& {port}" for tensor, port in ports]
    return call(f"void stage_{item.op.name}(", parameters, f"){tail}")


def _core_signature(core: Core, tail: str) -> list[str]:
    ports = [f"{stream_type(core.input)}& s_axis", f"{stream_type(core.output)}& m_axis"]
    return call(f"void {CORE}(", ports, f"){tail}")


def _print_stage(item: Stage, graph: Graph) -> list[str]:
    inputs, outputs = port_names(item)
    # Without it Vitis HLS may take a small stage into the core, and no report has its name.
    lines = [*comment(describe(item, graph)), *_signature(item, graph, " {"), "#pragma HLS INLINE off"]
    lines += [line for table in item.tables for line in _storage(item, table)]
    lines += [
        f"  const {'int' if name in SIGNED_ARGUMENTS else 'unsigned'} {name} = {value};"
        for name, value in item.arguments.items()
    ]
    tables = [f"{item.op.name}_{table.name}" for table in item.tables]
    head = call(f"qnn::{item.function}<", list(item.arguments), ">(", indent=2)
    body = call(head[-1].lstrip(), [*inputs, *outputs, *tables], ");", indent=len(head[-1]) - len(head[-1].lstrip()))
    return [*lines, *head[:-1], *body, "}"]


SIGNED_ARGUMENTS = ("Scale", "Offset", "OutBase")


def _storage(item: Stage, table: Table) -> list[str]:
    """Return the pragma that puts a weight memory where the folding wants it, and why."""
    words = table.dims[0]
    memory = table.memory
    if not memory or words == 1:
        return []
    if memory == "auto":
        impl = "lutram" if words <= INLINE_ROM_TILES else "bram"
        why = f"weight_memory auto: {words} words, more than {INLINE_ROM_TILES} go into block RAM"
    else:
        impl = "bram" if memory == "bram" else "lutram"
        why = f"weight_memory {memory}"
    name = f"{item.op.name}_{table.name}"
    return [*comment(why, 2), f"#pragma HLS BIND_STORAGE variable = {name} type = rom_1p impl = {impl}"]


def _print_core(core: Core) -> list[str]:
    lines = [
        *comment(
            "The core: every stage runs on its own as soon as beats arrive. It has no start and no end (ap_ctrl_none), "
            "as the RTL core."
        ),
        *_core_signature(core, " {"),
        "#pragma HLS INTERFACE axis port = s_axis",
        "#pragma HLS INTERFACE axis port = m_axis",
        "#pragma HLS INTERFACE ap_ctrl_none port = return",
        "#pragma HLS DATAFLOW",
    ]
    for link in core.links.values():
        lines.append(f'  {stream_type(link.kind)} s_{link.tensor}("{link.tensor}");')
        if link.depth != DEFAULT_DEPTH:
            lines.append(f"#pragma HLS STREAM variable = s_{link.tensor} depth = {link.depth}")
    wires = {next(iter(core.graph.inputs)): "s_axis", core.sources[core.graph.outputs[0]]: "m_axis"}
    wires = {**{name: f"s_{name}" for name in core.links}, **wires}
    lines.append("")
    for item in core.stages:
        names = [wires[core.sources[tensor]] for tensor in (*item.op.inputs, *item.op.outputs)]
        lines += call(f"stage_{item.op.name}(", names, ");", indent=2)
    return [*lines, "}"]
