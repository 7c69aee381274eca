# SPDX-License-Identifier: Apache-2.0
"""`window` is `qnn::window`."""

from qnn_hw.backends.hls.stage import Stage, choose, prints
from qnn_hw.backends.instance import Instance
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.window import Window

PARAMETERS = (
    "Channels Lanes ElemWidth OutElemWidth MapHeight MapWidth KernelHeight KernelWidth StrideHeight StrideWidth PadTop "
    "PadBottom PadLeft PadRight Ternary PadCode Depth"
)


@prints(Window)
def window(op: Op, graph: Graph, found: Instance) -> Stage:
    """No tables."""
    return Stage(op, "window", "window.hpp", choose(found, PARAMETERS))
