# SPDX-License-Identifier: Apache-2.0
"""`width_converter` is `qnn_width_converter`."""

from qnn_hw.backends.instance import Instance, describes
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.width_converter import WidthConverter


@describes(WidthConverter)
def width_converter(op: Op, graph: Graph) -> Instance:
    """Widths in bits."""
    x, y = graph.types[op.inputs[0]], graph.types[op.outputs[0]]
    return Instance("qnn_width_converter", {"InWidth": x.width_bits, "OutWidth": y.width_bits})
