# SPDX-License-Identifier: Apache-2.0
"""`duplicate` takes a cycle, and holds a beat until every reader has taken it."""

from qnn_hw.analysis.behaviour import Behaviour, Registers
from qnn_hw.analysis.stage import timed
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.duplicate import Duplicate


@timed(Duplicate)
def duplicate(op: Op, graph: Graph) -> Behaviour:
    """One register with as many readers as outputs."""
    return Registers(1)
