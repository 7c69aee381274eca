# SPDX-License-Identifier: Apache-2.0
"""`fifo` is a queue."""

from qnn_hw.analysis.behaviour import Behaviour, Queue
from qnn_hw.analysis.stage import timed
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.fifo import Fifo


@timed(Fifo)
def fifo(op: Op, graph: Graph) -> Behaviour:
    """As deep as the operator says."""
    assert isinstance(op, Fifo)
    return Queue(op.depth)
