# SPDX-License-Identifier: Apache-2.0
"""Print a folded graph as `qnn_core.sv`, and the accelerator around it as `qnn_top.sv`."""

from dataclasses import dataclass

from qnn_hw.backends.instance import Instance, instance
from qnn_hw.backends.wiring import HIGH_WATER_BITS, WORD_BITS, bit_range, connect, core_head, declare, no_counters
from qnn_hw.errors import QnnError
from qnn_hw.ir.graph import Graph, Op, TensorType
from qnn_hw.ir.packing import wire_bits

HASH_FILE = "graph_hash.mem"


@dataclass(frozen=True, slots=True)
class Interface:
    """The outside of an accelerator.

    Attributes:
        dma_width_bits: width of both DMA streams.
        element_bits: width of an input element outside.
        input: type of the core's input stream.
        words: 32-bit words of a result.
    """

    dma_width_bits: int
    element_bits: int
    input: TensorType
    words: int

    @property
    def beats_in(self) -> int:
        """DMA beats of an input frame."""
        return -(-self.input.elements * self.element_bits // self.dma_width_bits)

    @property
    def beats_out(self) -> int:
        """DMA beats of a result."""
        return -(-self.words * WORD_BITS // self.dma_width_bits)


def interface(graph: Graph, dma_width_bits: int) -> Interface:
    """Describe the outside of a folded graph.

    Raises:
        QnnError: if an input element is wider than DMA carries.
    """
    name, kind = next(iter(graph.inputs.items()))
    try:
        bits = wire_bits(kind.dtype.bits)
    except ValueError as error:
        raise QnnError(f"input {name}: {error}") from None
    return Interface(dma_width_bits, bits, kind, graph.types[graph.outputs[0]].elements)


def print_core(graph: Graph) -> str:
    """Return the text of `qnn_core.sv`: one instance an operator, one set of wires a stream.

    Raises:
        QnnError: for a tensor that is not read exactly once, or an operator without a module.
    """
    _check_readers(graph)
    instances = [(op, instance(op, graph)) for op in graph.ops]
    counted = [op.name for op, module in instances if module.counts_fill]
    source = next(iter(graph.inputs))
    what = "The dataflow core: every operator of the folded graph is one instance, every tensor one stream."
    lines = core_head(graph, what, "1: the queues report their high-water marks")
    lines += [line for name, kind in graph.types.items() for line in declare(name, kind)]
    lines += connect(f"{source}_", "s_axis_", "s_axis_", f"{source}_")
    for op, module in instances:
        lines += _print_instance(op, module, counted)
    lines += connect("m_axis_", f"{graph.outputs[0]}_", f"{graph.outputs[0]}_", "m_axis_")
    if not counted:
        lines += no_counters(graph)
    return "\n".join([*lines, "endmodule", ""])


def _check_readers(graph: Graph) -> None:
    """A stream is taken once: by one operator, or as the result."""
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise QnnError(
            f"graph {graph.name}: {len(graph.inputs)} inputs and {len(graph.outputs)} outputs; the core has one of each"
        )
    readers = [name for op in graph.ops for name in op.inputs] + list(graph.outputs)
    for name in graph.types:
        if readers.count(name) != 1:
            raise QnnError(
                f"graph {graph.name}: %{name} is read {readers.count(name)} times; a stream has one reader, "
                "let passes.duplicate_streams copy it, or remove what nobody reads"
            )


def _print_instance(op: Op, module: Instance, counted: list[str]) -> list[str]:
    if not module.module:
        (source,), (sink,) = op.inputs, op.outputs
        return connect(f"{sink}_", f"{source}_", f"{source}_", f"{sink}_")
    parameters = dict(module.parameters)
    ports = [("aclk", "aclk"), ("aresetn", "aresetn")]
    ports += [*stream_ports(module.inputs, op.inputs), *stream_ports(module.outputs, op.outputs)]
    if module.counts_fill:
        ports.append(("high_water", f"fifo_high_water[{counted.index(op.name) * HIGH_WATER_BITS}+:{HIGH_WATER_BITS}]"))
    values = [f"      .{key}({_literal(value)})" for key, value in parameters.items()]
    values += ["      .Counters(Counters)"] if module.counts_fill else []
    return [
        "",
        f"  {module.module} #(",
        ",\n".join(values),
        f"  ) u_{op.name} (",
        ",\n".join(f"      .{port}({wire})" for port, wire in ports),
        "  );",
    ]


def stream_ports(prefixes: tuple[str, ...], tensors: tuple[str, ...]) -> list[tuple[str, str]]:
    """Connect streams to ports: (port, wires) pairs, tensors of equal prefix side by side, the first in the LSBs."""
    beside: dict[str, list[str]] = {}
    for prefix, tensor in zip(prefixes, tensors, strict=True):
        beside.setdefault(prefix, []).append(tensor)
    ports = []
    for prefix, names in beside.items():
        for part in ("tdata", "tvalid", "tready"):
            wires = [f"{name}_{part}" for name in reversed(names)]
            ports.append((f"{prefix}_{part}", wires[0] if len(wires) == 1 else "{" + ", ".join(wires) + "}"))
    return ports


def _literal(value: int | str) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


_SHELL_PORTS = """\
    input  logic aclk,
    input  logic aresetn,
    input  logic [11:0] s_axil_awaddr,
    input  logic s_axil_awvalid,
    output logic s_axil_awready,
    input  logic [31:0] s_axil_wdata,
    input  logic [3:0] s_axil_wstrb,
    input  logic s_axil_wvalid,
    output logic s_axil_wready,
    output logic [1:0] s_axil_bresp,
    output logic s_axil_bvalid,
    input  logic s_axil_bready,
    input  logic [11:0] s_axil_araddr,
    input  logic s_axil_arvalid,
    output logic s_axil_arready,
    output logic [31:0] s_axil_rdata,
    output logic [1:0] s_axil_rresp,
    output logic s_axil_rvalid,
    input  logic s_axil_rready,
    input  logic [{data}:0] s_axis_tdata,
    input  logic [{keep}:0] s_axis_tkeep,
    input  logic s_axis_tlast,
    input  logic s_axis_tvalid,
    output logic s_axis_tready,
    output logic [{data}:0] m_axis_tdata,
    output logic [{keep}:0] m_axis_tkeep,
    output logic m_axis_tlast,
    output logic m_axis_tvalid,
    input  logic m_axis_tready"""


def shell_parameters(graph: Graph, outside: Interface) -> dict[str, int]:
    """Return the parameters of `qnn_shell` for a folded graph, `Counters` and `HashFile` apart."""
    return {
        "DmaWidth": outside.dma_width_bits,
        "WireWidth": outside.element_bits,
        "ElemWidth": outside.input.dtype.bits,
        "FrameElements": outside.input.elements,
        "CoreLanes": outside.input.lanes,
        "OutWords": outside.words,
        "NumFifos": sum(op.keyword == "fifo" for op in graph.ops),
    }


def print_top(graph: Graph, outside: Interface) -> str:
    """Return the text of `qnn_top.sv`: the shell and the core, connected."""
    fifos = shell_parameters(graph, outside)["NumFifos"]
    ports = _SHELL_PORTS.format(data=outside.dma_width_bits - 1, keep=outside.dma_width_bits // 8 - 1)
    names = [line.split()[-1].rstrip(",") for line in ports.splitlines()]
    parameters = {**shell_parameters(graph, outside), "Counters": "Counters", "HashFile": f'"{HASH_FILE}"'}
    inner = ["core_aresetn", "core_in_tdata", "core_in_tvalid", "core_in_tready"]
    inner += ["core_out_tdata", "core_out_tvalid", "core_out_tready", "fifo_high_water"]
    core_ports = {
        "aclk": "aclk",
        "aresetn": "core_aresetn",
        "s_axis_tdata": "core_in_tdata",
        "s_axis_tvalid": "core_in_tvalid",
        "s_axis_tready": "core_in_tready",
        "m_axis_tdata": "core_out_tdata",
        "m_axis_tvalid": "core_out_tvalid",
        "m_axis_tready": "core_out_tready",
        "fifo_high_water": "fifo_high_water",
    }
    lines = [
        "// SPDX-License-Identifier: Apache-2.0",
        f"// Generated by qnn-hw from the network {graph.name!r}: do not edit.",
        "//",
        "// The accelerator: qnn_shell (DMA streams, registers) around qnn_core (the network).",
        "module qnn_top #(",
        "    parameter bit Counters = 1'b0  // 1: FIFO high-water marks can be read over AXI4-Lite",
        ") (",
        ports,
        ");",
        "  logic core_aresetn;",
        f"  logic {bit_range(outside.input.width_bits)} core_in_tdata;",
        "  logic core_in_tvalid;",
        "  logic core_in_tready;",
        f"  logic {bit_range(WORD_BITS)} core_out_tdata;",
        "  logic core_out_tvalid;",
        "  logic core_out_tready;",
        f"  logic {bit_range(max(1, fifos) * HIGH_WATER_BITS)} fifo_high_water;",
        "",
        "  qnn_shell #(",
        ",\n".join(f"      .{key}({value})" for key, value in parameters.items()),
        "  ) u_shell (",
        ",\n".join(f"      .{name}({name})" for name in [*names, *inner]).replace(
            ".fifo_high_water(fifo_high_water)", f".fifo_high_water({_high_water(fifos)})"
        ),
        "  );",
        "",
        "  qnn_core #(",
        "      .Counters(Counters ? 1 : 0)",
        "  ) u_core (",
        ",\n".join(f"      .{port}({wire})" for port, wire in core_ports.items()),
        "  );",
    ]
    if not fifos:
        lines += ["", "  logic unused_high_water;", "  assign unused_high_water = &{1'b0, fifo_high_water};"]
    return "\n".join([*lines, "endmodule", ""])


def _high_water(fifos: int) -> str:
    """A shell without queues still has a one-bit port."""
    return "fifo_high_water" if fifos else "1'b0"
