# SPDX-License-Identifier: Apache-2.0
"""Print the two SystemVerilog cores of an HLS build, both with the ports of the RTL core.

`cosim/qnn_core.sv` is for simulation only: its stages are the compiled C++, called through DPI a frame at a time, and
its streams have the names of the RTL core's. `rtl/qnn_core.sv` is the wrapper around the Verilog that Vitis HLS writes.
"""

import json
from collections.abc import Iterator

from qnn_hw.backends.hls.core import CORE, RENAMINGS
from qnn_hw.backends.wiring import connect, core_head, declare, no_counters
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.resources import resource_dir

COSIM_FILES = ("dpi.cpp", "qnn_hls_stage.sv")

_COSIM = "The core for simulation: the stages are the compiled HLS C++, a frame at a time."
_NO_QUEUES = "of no effect: there are no queues to look into"


def cosim_files(graph: Graph) -> dict[str, str]:
    """Return file name in the build's `hls` folder -> text, for simulation in cocotb.

    `cosim/cosim.json` tells the bench how long the stage-at-a-time simulation may take: `interval_cycles` from frame to
    frame, `latency_cycles` through all stages, both upper bounds.
    """
    templates = resource_dir("hls_templates") / "cosim"
    return {
        "cosim/qnn_core.sv": print_cosim_core(graph),
        **{f"cosim/{name}": (templates / name).read_text(encoding="utf-8") for name in COSIM_FILES},
        "cosim/cosim.json": json.dumps(cosim_timing(graph), indent=1) + "\n",
        "rtl/qnn_core.sv": print_wrapper(graph),
    }


def cosim_timing(graph: Graph) -> dict[str, int]:
    """Return the bounds of `cosim.json`; a stage takes a beat a cycle, gives a beat a cycle, and two cycles between."""
    passes = [
        (max(graph.types[name].beats for name in op.inputs), max(graph.types[name].beats for name in op.outputs))
        for op in _stages(graph)
    ]
    return {
        "interval_cycles": max(max(taken, given) + 1 for taken, given in passes),
        "latency_cycles": sum(taken + given + 2 for taken, given in passes),
    }


def print_cosim_core(graph: Graph) -> str:
    """Return the text of `cosim/qnn_core.sv`: one `qnn_hls_stage` an operator, one set of wires a stream."""
    source = next(iter(graph.inputs))
    lines = [
        *core_head(
            graph, "The core for simulation: the stages are the compiled HLS C++, a frame at a time.", _NO_QUEUES
        ),
        *(line for name, kind in graph.types.items() for line in declare(name, kind)),
        *connect(f"{source}_", "s_axis_", "s_axis_", f"{source}_"),
    ]
    for op in graph.ops:
        if isinstance(op, RENAMINGS):
            lines += connect(f"{op.outputs[0]}_", f"{op.inputs[0]}_", f"{op.inputs[0]}_", f"{op.outputs[0]}_")
        else:
            lines += _stage(op, graph)
    lines += connect("m_axis_", f"{graph.outputs[0]}_", f"{graph.outputs[0]}_", "m_axis_")
    return "\n".join([*lines, "", *no_counters(graph), "endmodule", ""])


def print_wrapper(graph: Graph) -> str:
    """Return the text of `rtl/qnn_core.sv`: Vitis HLS pads the data of an axis port to whole bytes."""
    width = next(iter(graph.inputs.values())).width_bits
    padding = -width % 8
    data = f"{{{padding}'d0, s_axis_tdata}}" if padding else "s_axis_tdata"
    lines = [
        *core_head(graph, f"The Verilog that Vitis HLS writes ({CORE}), with the ports of the RTL core.", _NO_QUEUES),
        "",
        f"  {CORE} u_hls (",
        "      .ap_clk(aclk),",
        "      .ap_rst_n(aresetn),",
        f"      .s_axis_TDATA({data}),",
        "      .s_axis_TVALID(s_axis_tvalid),",
        "      .s_axis_TREADY(s_axis_tready),",
        "      .m_axis_TDATA(m_axis_tdata),",
        "      .m_axis_TVALID(m_axis_tvalid),",
        "      .m_axis_TREADY(m_axis_tready)",
        "  );",
    ]
    return "\n".join([*lines, "", *no_counters(graph), "endmodule", ""])


def _stages(graph: Graph) -> Iterator[Op]:
    return (op for op in graph.ops if not isinstance(op, RENAMINGS))


def _stage(op: Op, graph: Graph) -> list[str]:
    """One instance; where ports have several widths, the narrower ones are padded to the widest."""
    inputs = [(name, graph.types[name]) for name in op.inputs]
    outputs = [(name, graph.types[name]) for name in op.outputs]
    widest_in = max(kind.width_bits for _, kind in inputs)
    widest_out = max(kind.width_bits for _, kind in outputs)
    given, dropped = [], []
    for name, kind in inputs:
        padding = widest_in - kind.width_bits
        given.append(f"{padding}'d0, {name}_tdata" if padding else f"{name}_tdata")
    taken = []
    for name, kind in outputs:
        padding = widest_out - kind.width_bits
        dropped += [(f"{name}_padding", padding)] if padding else []
        taken.append(f"{name}_padding, {name}_tdata" if padding else f"{name}_tdata")
    parameters = {
        "Name": f'"{op.name}"',
        "Inputs": str(len(inputs)),
        "Outputs": str(len(outputs)),
        "InWidth": str(widest_in),
        "OutWidth": str(widest_out),
        "InWidths": _join([f"32'd{kind.width_bits}" for _, kind in inputs]),
        "InBeats": _join([f"32'd{kind.beats}" for _, kind in inputs]),
        "OutWidths": _join([f"32'd{kind.width_bits}" for _, kind in outputs]),
        "OutBeats": _join([f"32'd{kind.beats}" for _, kind in outputs]),
    }
    ports = {
        "aclk": "aclk",
        "aresetn": "aresetn",
        "s_axis_tdata": _join(given),
        "s_axis_tvalid": _join([f"{name}_tvalid" for name in op.inputs]),
        "s_axis_tready": _join([f"{name}_tready" for name in op.inputs]),
        "m_axis_tdata": _join(taken),
        "m_axis_tvalid": _join([f"{name}_tvalid" for name in op.outputs]),
        "m_axis_tready": _join([f"{name}_tready" for name in op.outputs]),
    }
    lines = [""]
    for name, width in dropped:
        lines += [f"  logic [{width - 1}:0] {name};", f"  logic unused_{name};"]
        lines.append(f"  assign unused_{name} = &{{1'b0, {name}}};")
    return [
        *lines,
        "  qnn_hls_stage #(",
        ",\n".join(f"      .{name}({value})" for name, value in parameters.items()),
        f"  ) u_{op.name} (",
        ",\n".join(f"      .{port}({wire})" for port, wire in ports.items()),
        "  );",
    ]


def _join(parts: list[str]) -> str:
    """The first part lies lowest."""
    return parts[0] if len(parts) == 1 and ", " not in parts[0] else f"{{{', '.join(reversed(parts))}}}"
