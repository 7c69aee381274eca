# SPDX-License-Identifier: Apache-2.0
"""Give every reader of a tensor a stream of its own."""

from collections import Counter
from dataclasses import replace

from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.duplicate import Duplicate


def duplicate_streams(graph: Graph) -> Graph:
    """Put a duplicate behind each tensor that is read more than once, being delivered as an output counted too.

    Requires: nothing. Ensures: every tensor has at most one reader; outputs are unchanged but for their names; a graph
    in which nothing branches is returned as it is.
    """
    reads = Counter([name for op in graph.ops for name in op.inputs] + list(graph.outputs))
    if max(reads.values()) < 2:
        return graph
    taken = {*graph.types, *(op.name for op in graph.ops)}
    copies: dict[str, list[str]] = {}
    ops: list[Op] = []

    def duplicate(tensor: str) -> None:
        if reads[tensor] < 2:
            return
        names = [_free(f"{tensor}_copy{i}", taken) for i in range(reads[tensor])]
        name = _free(f"{tensor}_duplicate", taken)
        # A layer of its own: the layer before it ends in one stream, as it did.
        ops.append(Duplicate(name=name, layer=name, inputs=(tensor,), outputs=tuple(names)))
        copies[tensor] = names

    def read(tensor: str) -> str:
        return copies[tensor].pop(0) if tensor in copies else tensor

    for tensor in graph.inputs:
        duplicate(tensor)
    for op in graph.ops:
        ops.append(replace(op, inputs=tuple(read(name) for name in op.inputs)))
        for tensor in op.outputs:
            duplicate(tensor)
    return graph.with_ops(tuple(ops), outputs=tuple(read(name) for name in graph.outputs))


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name
