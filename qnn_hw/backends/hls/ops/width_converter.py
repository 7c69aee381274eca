# SPDX-License-Identifier: Apache-2.0
"""`width_converter` is `qnn::width_converter`."""

from qnn_hw.backends.hls.stage import Stage, choose, prints
from qnn_hw.backends.instance import Instance
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.width_converter import WidthConverter


@prints(WidthConverter)
def width_converter(op: Op, graph: Graph, found: Instance) -> Stage:
    """No tables."""
    arguments = choose(found, "InWidth OutWidth", InBeats=graph.types[op.inputs[0]].beats)
    return Stage(op, "width_converter", "width_converter.hpp", arguments)
