# SPDX-License-Identifier: Apache-2.0
"""Pool codes instead of accumulators."""

from dataclasses import replace

from qnn_hw.ir.graph import ConstRef, Graph, Op
from qnn_hw.ir.ops.max_pool import MaxPool
from qnn_hw.ir.ops.threshold import Threshold


def thresholds_before_pool(graph: Graph) -> Graph:
    """Turn max_pool -> threshold into threshold -> max_pool, so that pools handle few-bit codes.

    A rising channel commutes with the maximum. A falling one needs the minimum of its codes: its threshold is made to
    rise, which yields the flipped code, and the pool flips the maximum back (`MaxPool.complement`).

    Requires: nothing. Ensures: no threshold reads a max_pool that nothing else reads; outputs are unchanged.
    """
    ops: list[Op] = list(graph.ops)
    renamed: dict[str, str] = {}
    for i, op in enumerate(graph.ops):
        ops[i] = op = replace(ops[i], inputs=tuple(renamed.get(t, t) for t in ops[i].inputs))
        if not isinstance(op, Threshold):
            continue
        at = next((j for j, other in enumerate(ops[:i]) if op.inputs == other.outputs), i)
        before = ops[at]
        # What read the code before reads the pool now, hence the original name tells how often it is read.
        alone = graph.read_once(graph.ops[i].inputs[0])
        if not isinstance(before, MaxPool) or before.complement or not alone:
            continue
        ops[at] = replace(op, inputs=before.inputs, falling=ConstRef(""))
        ops[i] = replace(before, inputs=op.outputs, complement=op.falling)
        renamed[op.outputs[0]] = before.outputs[0]
    outputs = tuple(renamed.get(t, t) for t in graph.outputs)
    return graph.with_ops(tuple(ops), outputs=outputs)
