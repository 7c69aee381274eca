# SPDX-License-Identifier: Apache-2.0
"""`add` takes a cycle from the later of its two beats."""

from qnn_hw.analysis.behaviour import Behaviour, Registers
from qnn_hw.analysis.stage import timed
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.add import Add


@timed(Add)
def add(op: Op, graph: Graph) -> Behaviour:
    """One output register; both inputs are taken together."""
    return Registers(1)
