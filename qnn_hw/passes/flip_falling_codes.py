# SPDX-License-Identifier: Apache-2.0
"""Let thresholds rise that no weights in front of them can turn: their codes are flipped behind them."""

from dataclasses import replace

from qnn_hw.ir.graph import ConstRef, Graph, Op
from qnn_hw.ir.ops.pool import Pool
from qnn_hw.ir.ops.threshold import Threshold


def flip_falling_codes(graph: Graph) -> Graph:
    """Replace a threshold that falls by one that rises and a pool of one position that complements its codes.

    base + steps - count is the complement of base + count where the codes lie in the middle of their type, as they do
    when all of them are used. Whether any channel falls is data: other weights of a network give the same operators.

    Requires: nothing. Ensures: no threshold with such codes falls; outputs are unchanged.
    """
    ops: list[Op] = []
    for op in graph.ops:
        if not isinstance(op, Threshold) or not op.falling:
            ops.append(op)
            continue
        steps = graph.constants[op.thresholds].shape[1]
        lowest, highest = (0, 1) if op.dtype.bipolar else (op.dtype.minimum, op.dtype.maximum)
        if 2 * op.base + steps != lowest + highest:
            ops.append(op)
        else:
            rising = (f"{op.outputs[0]}_rising",)
            # A layer of its own, since a pool is folded by itself.
            name = f"{op.name}_flip"
            ops.append(replace(op, falling=ConstRef(""), outputs=rising))
            ops.append(
                Pool(name=name, layer=name, inputs=rising, outputs=op.outputs, positions=1, complement=op.falling)
            )
    return graph.with_ops(tuple(ops))
