# SPDX-License-Identifier: Apache-2.0
"""`pool` takes one beat a cycle and answers two cycles after a channel's last position."""

from qnn_hw.analysis.behaviour import Behaviour, Reduce
from qnn_hw.analysis.stage import timed
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.pool import Pool


@timed(Pool)
def pool(op: Op, graph: Graph) -> Behaviour:
    """As many results a pixel as groups of `pe` channels."""
    assert isinstance(op, Pool)
    return Reduce(positions=op.positions, folds=graph.types[op.outputs[0]].channels // op.pe)
