# SPDX-License-Identifier: Apache-2.0
"""`fifo` is `qnn_fifo`."""

from qnn_hw.backends.instance import Instance, describes
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.fifo import Fifo


@describes(Fifo)
def fifo(op: Op, graph: Graph) -> Instance:
    """Depth in beats; its high-water mark can be read through the shell."""
    assert isinstance(op, Fifo)
    x = graph.types[op.inputs[0]]
    return Instance("qnn_fifo", {"Width": x.width_bits, "Depth": op.depth}, counts_fill=True)
