# SPDX-License-Identifier: Apache-2.0
"""A pool is a sliding window and a maximum over its positions."""

from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.max_pool import MaxPool
from qnn_hw.ir.ops.pool import Pool
from qnn_hw.ir.ops.window import Window


def lower_pools(graph: Graph) -> Graph:
    """Replace each max_pool by window -> pool; padding is the smallest value, which never wins.

    Requires: nothing. Ensures: no max_pool is left.
    """
    ops: list[Op] = []
    for op in graph.ops:
        if not isinstance(op, MaxPool):
            ops.append(op)
            continue
        taps = f"{op.outputs[0]}_window"
        ops.append(
            Window(
                name=f"{op.name}_window",
                layer=op.layer,
                inputs=op.inputs,
                outputs=(taps,),
                kernel=op.size,
                strides=op.strides,
                padding=op.padding,
                pad_value=graph.types[op.inputs[0]].dtype.minimum,
            )
        )
        ops.append(
            Pool(
                name=op.name,
                layer=op.layer,
                inputs=(taps,),
                outputs=op.outputs,
                positions=op.size[0] * op.size[1],
                complement=op.complement,
            )
        )
    return graph.with_ops(tuple(ops))
