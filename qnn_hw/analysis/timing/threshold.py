# SPDX-License-Identifier: Apache-2.0
"""`threshold` takes two cycles."""

from qnn_hw.analysis.behaviour import Behaviour, Registers
from qnn_hw.analysis.stage import timed
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.threshold import Threshold


@timed(Threshold)
def threshold(op: Op, graph: Graph) -> Behaviour:
    """A register for the values beside their thresholds, one for the codes."""
    return Registers(2)
