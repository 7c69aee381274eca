# SPDX-License-Identifier: Apache-2.0
"""`pool` is `qnn::pool`."""

from qnn_hw.backends.hls.stage import Stage, Table, choose, only_table, prints, slices
from qnn_hw.backends.instance import Instance
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.pool import Pool


@prints(Pool)
def pool(op: Op, graph: Graph, found: Instance) -> Stage:
    """A word of the mask for each PE channels."""
    assert isinstance(op, Pool)
    arguments = choose(found, "PE Channels ElemWidth Signed Positions", Vectors=graph.types[op.outputs[0]].pixels)
    words = only_table(found)
    complement = Table(
        "complement",
        op.pe,
        signed=False,
        dims=(len(words),),
        words=slices(words, op.pe, 1),
        comment=(f"Bit p of word cf: channel cf * {op.pe} + p takes the minimum instead of the maximum.",),
    )
    return Stage(op, "pool", "pool.hpp", arguments, (complement,))
