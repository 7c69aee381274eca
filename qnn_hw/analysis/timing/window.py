# SPDX-License-Identifier: Apache-2.0
"""`window` takes three cycles from a word to its beat, and waits for the words of a window."""

from qnn_hw.analysis.behaviour import Behaviour, Windows
from qnn_hw.analysis.stage import timed
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.window import Window


@timed(Window)
def window(op: Op, graph: Graph) -> Behaviour:
    """The line buffer with the geometry of the operator."""
    assert isinstance(op, Window)
    x = graph.types[op.inputs[0]]
    height, width = x.shape[:2]
    (kernel_height, kernel_width), (down, right_step) = op.kernel, op.strides
    top, bottom, left, right = op.padding
    return Windows(
        shape=(height, width),
        kernel=(kernel_height, kernel_width),
        strides=(down, right_step),
        padding=(top, bottom, left, right),
        folds=x.channels // x.lanes,
        depth=op.depth,
    )
