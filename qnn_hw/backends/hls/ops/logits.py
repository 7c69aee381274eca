# SPDX-License-Identifier: Apache-2.0
"""`logits` is `qnn::logits`."""

from qnn_hw.backends.hls.stage import Stage, choose, prints
from qnn_hw.backends.instance import Instance
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.logits import Logits


@prints(Logits)
def logits(op: Op, graph: Graph, found: Instance) -> Stage:
    """No tables."""
    arguments = choose(found, "PE InWidth InSigned", Beats=graph.types[op.inputs[0]].beats)
    return Stage(op, "logits", "logits.hpp", arguments)
