# SPDX-License-Identifier: Apache-2.0
"""`flatten` is wires."""

from qnn_hw.backends.rtl.instance import Instance, prints
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.flatten import Flatten


@prints(Flatten)
def flatten(op: Op, graph: Graph) -> Instance:
    """The stream gets another name."""
    return Instance("")
