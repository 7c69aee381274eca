# SPDX-License-Identifier: Apache-2.0
"""`add` is `qnn::add`."""

from qnn_hw.backends.hls.stage import Stage, choose, prints
from qnn_hw.backends.instance import Instance
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.add import Add


@prints(Add)
def add(op: Op, graph: Graph, found: Instance) -> Stage:
    """No tables."""
    beats = graph.types[op.inputs[0]].beats
    return Stage(op, "add", "add.hpp", choose(found, "Lanes In0Width In0Kind In1Width In1Kind OutWidth", Beats=beats))
