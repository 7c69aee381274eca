# SPDX-License-Identifier: Apache-2.0
"""`flatten` is wires."""

from qnn_hw.backends.instance import Instance, describes
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.flatten import Flatten


@describes(Flatten)
def flatten(op: Op, graph: Graph) -> Instance:
    """The stream gets another name."""
    return Instance("")
