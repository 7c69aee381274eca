# SPDX-License-Identifier: Apache-2.0
"""`width_converter` gathers or splits beats."""

from qnn_hw.analysis.behaviour import Behaviour, Gather, Split
from qnn_hw.analysis.stage import timed
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.width_converter import WidthConverter


@timed(WidthConverter)
def width_converter(op: Op, graph: Graph) -> Behaviour | None:
    """Equal widths are wires."""
    lanes_in, lanes_out = graph.types[op.inputs[0]].lanes, graph.types[op.outputs[0]].lanes
    if lanes_in == lanes_out:
        return None
    return Gather(lanes_out // lanes_in) if lanes_out > lanes_in else Split(lanes_in // lanes_out)
