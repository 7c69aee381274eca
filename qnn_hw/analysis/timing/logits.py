# SPDX-License-Identifier: Apache-2.0
"""`logits` is wires."""

from qnn_hw.analysis.behaviour import Behaviour
from qnn_hw.analysis.stage import timed
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.logits import Logits


@timed(Logits)
def logits(op: Op, graph: Graph) -> Behaviour | None:
    """Sign extension takes no cycle."""
    return None
