# SPDX-License-Identifier: Apache-2.0
"""`matvec` works on one weight tile a cycle."""

from qnn_hw.analysis.behaviour import Behaviour, Passes
from qnn_hw.analysis.stage import timed
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.matvec import MatVec


@timed(MatVec)
def matvec(op: Op, graph: Graph) -> Behaviour:
    """Fetch and dot product lie before the output register, in which the accumulator's sum lands."""
    assert isinstance(op, MatVec)
    rows, columns = graph.constants[op.weights].shape
    return Passes(beats=columns // op.simd, passes=rows // op.pe, depth=2)
