# SPDX-License-Identifier: Apache-2.0
"""`duplicate` is `qnn::duplicate`."""

from qnn_hw.backends.hls.stage import Stage, choose, prints
from qnn_hw.backends.instance import Instance
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.duplicate import Duplicate


@prints(Duplicate)
def duplicate(op: Op, graph: Graph, found: Instance) -> Stage:
    """No tables."""
    beats = graph.types[op.inputs[0]].beats
    return Stage(op, "duplicate", "duplicate.hpp", choose(found, "Width Outputs", Beats=beats))
