# SPDX-License-Identifier: Apache-2.0
"""`affine` takes a cycle."""

from qnn_hw.analysis.behaviour import Behaviour, Registers
from qnn_hw.analysis.stage import timed
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.affine import Affine


@timed(Affine)
def affine(op: Op, graph: Graph) -> Behaviour:
    """One output register."""
    return Registers(1)
