# SPDX-License-Identifier: Apache-2.0
"""`affine` is `qnn::affine`."""

from qnn_hw.backends.hls.stage import Stage, choose, prints
from qnn_hw.backends.instance import Instance
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.affine import Affine


@prints(Affine)
def affine(op: Op, graph: Graph, found: Instance) -> Stage:
    """No tables."""
    beats = graph.types[op.inputs[0]].beats
    arguments = choose(found, "Lanes InWidth InSigned OutWidth Scale Offset", Beats=beats)
    return Stage(op, "affine", "affine.hpp", arguments)
