# SPDX-License-Identifier: Apache-2.0
"""Queues where paths of a folded graph meet, deep enough that no path holds up another."""

import math
from dataclasses import dataclass, field, replace
from fractions import Fraction

from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.add import Add
from qnn_hw.ir.ops.duplicate import Duplicate
from qnn_hw.ir.ops.fifo import Fifo
from qnn_hw.ir.ops.flatten import Flatten
from qnn_hw.ir.ops.matvec import MatVec
from qnn_hw.ir.ops.pool import Pool
from qnn_hw.ir.ops.window import Window

PIPELINE_STAGES = 4
"""Beats or tiles that a module holds in its pipeline registers, the deepest of the library (qnn_mvu, qnn_window)."""

SPARE_BEATS = 2
"""Beats a queue holds beyond what the other path does: its own latency."""


def queue_paths(graph: Graph) -> Graph:
    """Put a queue in front of an add on each path that would hold up the other.

    Paths that start at one duplicate take its beats together. While the one computes, what the other has already got
    ready waits in its queue, as many frames as the first path can hold in its line buffers, queues and registers:
    then the queue never stops the duplicate before the first path does it itself. No depth is taken off for what the
    queue's own path holds, so this is an upper bound.

    Requires: a folded graph. Ensures: on every path to an add a queue, unless nothing but duplicates lies on the other
    path; the values of the old tensors are unchanged; a graph without adds is returned as it is.
    """
    if not any(isinstance(op, Add) for op in graph.ops):
        return graph
    ops: list[Op] = []
    taken = {*graph.types, *(op.name for op in graph.ops)}
    paths = _Paths({name: {name: Fraction(0)} for name in graph.inputs}, {name: [name] for name in graph.inputs})
    for op in graph.ops:
        frames = frames_held(op, graph)
        if isinstance(op, Add):
            queues = _queues(op, graph, paths, taken)
            for queue in queues.values():
                ops.append(queue)
                paths.add(queue, frames_held(queue, graph))
            op = replace(op, inputs=tuple(queues[t].outputs[0] if t in queues else t for t in op.inputs))
        ops.append(op)
        paths.add(op, frames)
    return graph.with_ops(tuple(ops))


def depths_without_own_path(graph: Graph) -> dict[str, int]:
    """Return operator name -> depth of each queue in front of an add at which its path alone never holds up the other.

    The depth is the one of `queue_paths`: it counts on nothing that the modules of the queue's own path may hold, as
    the shortest depth for a certain set of modules does.

    Args:
        graph: folded graph, queues in front of its adds included.
    """
    depths: dict[str, int] = {}
    paths = _Paths({name: {name: Fraction(0)} for name in graph.inputs}, {name: [name] for name in graph.inputs})
    for op in graph.ops:
        if isinstance(op, Add):
            queues = [graph.producer(name) for name in op.inputs]
            ends = [
                queue.inputs[0] if isinstance(queue, Fifo) else name
                for queue, name in zip(queues, op.inputs, strict=True)
            ]
            fork = paths.fork(*ends)
            for queue, end, other in zip(queues, ends, reversed(ends), strict=True):
                if isinstance(queue, Fifo):
                    depths[queue.name] = _depth(paths.held[other][fork], graph.types[end].beats)
        paths.add(op, frames_held(op, graph))
    return depths


@dataclass
class _Paths:
    """What is known of every tensor so far.

    Attributes:
        held: tensor -> each tensor it derives from -> frames held on the longest path between them.
        through: tensor -> those tensors through which every path to it goes, from the input on, itself the last.
    """

    held: dict[str, dict[str, Fraction]]
    through: dict[str, list[str]] = field(default_factory=dict)

    def add(self, op: Op, frames: Fraction) -> None:
        held: dict[str, Fraction] = {}
        for name in op.inputs:
            for start, before in self.held[name].items():
                held[start] = max(held.get(start, Fraction(0)), before + frames)
        first, *others = (self.through[name] for name in op.inputs)
        common = [name for name in first if all(name in other for other in others)]
        for name in op.outputs:
            self.held[name] = {**held, name: Fraction(0)}
            self.through[name] = [*common, name]

    def fork(self, a: str, b: str) -> str:
        """The last tensor through which all paths to `a` and to `b` go."""
        return next(name for name in reversed(self.through[a]) if name in self.through[b])


def _queues(op: Add, graph: Graph, paths: _Paths, taken: set[str]) -> dict[str, Fifo]:
    fork = paths.fork(*op.inputs)
    queues: dict[str, Fifo] = {}
    for i, (tensor, other) in enumerate(zip(op.inputs, reversed(op.inputs), strict=True)):
        frames = paths.held[other][fork]
        if not frames:
            continue
        stream = f"{tensor}_queued"
        while stream in taken:
            stream += "_"
        taken.add(stream)
        depth = _depth(frames, graph.types[tensor].beats)
        queues[tensor] = Fifo(
            name=f"{op.name}_fifo{i}", layer=op.layer, inputs=(tensor,), outputs=(stream,), depth=depth
        )
    return queues


def _depth(frames: Fraction, beats: int) -> int:
    return math.ceil(frames * beats) + SPARE_BEATS


def frames_held(op: Op, graph: Graph) -> Fraction:
    """Return how many frames a folded operator can take in before the part they belong to comes out, at most."""
    x = graph.types[op.inputs[0]]
    if isinstance(op, Duplicate | Flatten):
        return Fraction(0)  # wires, or a register that all paths share
    if isinstance(op, Fifo):
        return Fraction(op.depth, x.beats)
    y = graph.types[op.outputs[0]]
    registers = Fraction(PIPELINE_STAGES, op.cycles(graph.input_types(op), (y,), graph.constants))
    registers += Fraction(1, y.beats)
    match op:
        case Window():
            # With strides wider than the kernel the last windows lie further down the map than down the output.
            skipped = max(0, y.shape[0] * op.strides[0] - x.shape[0])
            return Fraction(op.depth, x.beats) + Fraction(skipped, x.shape[0]) + registers
        case MatVec() | Pool():
            return Fraction(1, x.pixels) + registers
    return registers
