# SPDX-License-Identifier: Apache-2.0
"""`flatten` is wires."""

from qnn_hw.analysis.behaviour import Behaviour
from qnn_hw.analysis.stage import timed
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.flatten import Flatten


@timed(Flatten)
def flatten(op: Op, graph: Graph) -> Behaviour | None:
    """Another name of the same stream."""
    return None
