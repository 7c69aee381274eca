# SPDX-License-Identifier: Apache-2.0
"""`classifier` takes one beat a cycle and answers four cycles after the last."""

from qnn_hw.analysis.behaviour import Behaviour, Passes
from qnn_hw.analysis.stage import timed
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.classifier import Classifier


@timed(Classifier)
def classifier(op: Op, graph: Graph) -> Behaviour:
    """Fetch, score and best of the beat lie before the output register."""
    return Passes(beats=graph.types[op.inputs[0]].beats, passes=1, depth=3)
