# SPDX-License-Identifier: Apache-2.0
"""Depths of the queues of a folded graph: as small as the stream-level model allows without losing throughput."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from qnn_hw.analysis.schedule import DeadlockError, Outside, Schedule, schedule
from qnn_hw.errors import QnnError
from qnn_hw.folding.model import Folding, LayerFolding
from qnn_hw.ir.graph import Graph
from qnn_hw.ir.ops.fifo import Fifo
from qnn_hw.ir.ops.matvec import MatVec
from qnn_hw.ir.ops.window import Window

UNBOUNDED = 1 << 40
"""Beats of a queue that never fills."""

SMALL_STEPS = (2, 33, 64)
"""Depths that fill what `qnn_fifo` is built of: a register slice; 32 words and 64 words of LUTRAM, one word outside.

From 65 on the memory has the shape that the tool chooses; steps go on in powers of two from 128 on, and that one word.
"""


@dataclass(frozen=True, slots=True)
class QueueSize:
    """What was found out about one queue, in beats of `width_bits`.

    Attributes:
        name, layer: of its operator.
        width_bits: of a beat.
        given: depth in the graph that was sized.
        need: most beats it holds when no queue ever fills and frames come at the rate at which they leave.
        depth: the least storage step that keeps the rate.
    """

    name: str
    layer: str
    width_bits: int
    given: int
    need: int
    depth: int


@dataclass(frozen=True, slots=True)
class FifoSizes:
    """All queues of a graph.

    Attributes:
        interval_cycles: cycles a frame with unbounded queues, and with the depths found.
        queues: in graph order.
        schedules: how many schedules were computed.
    """

    interval_cycles: float
    queues: tuple[QueueSize, ...]
    schedules: int

    @property
    def depths(self) -> dict[str, int]:
        """Operator name -> depth."""
        return {queue.name: queue.depth for queue in self.queues}

    @property
    def bits(self) -> int:
        """Bits of all queues."""
        return sum(queue.depth * queue.width_bits for queue in self.queues)


def size_fifos(graph: Graph, outside: Outside) -> FifoSizes:
    """Find the depth of every queue of a folded graph, branching or not.

    First the queues are unbounded: that gives the best interval, and, with frames offered at just that interval, how
    much each queue needs so that nothing is ever later than without bounds. Then each is made as short as the interval
    allows, those of most bits first; a shorter one makes its producer wait, which costs nothing where that has time.

    Raises:
        QnnError: if the graph stops even with unbounded queues.
    """
    search = _Search(graph, outside)
    names = [op.name for op in graph.ops if isinstance(op, Fifo)]
    best = search.unbounded(names)
    needs = {queue.name: queue.high_water for queue in best.queues}
    widths = {queue.name: queue.width_bits for queue in best.queues}
    # A full queue is ready one cycle after a beat has left: room for one more makes that cycle harmless.
    depths = {name: storage_step(needs[name] + 1) for name in names}
    long = sorted((name for name in names if depths[name] > 2), key=lambda name: -depths[name] * widths[name])
    shortest = {**depths, **dict.fromkeys(long, 2)}
    if search.keeps(shortest, best.interval_cycles):
        depths = shortest
    else:
        for name in long:
            depths[name] = search.shortest(name, depths, best.interval_cycles)
    given = {op.name: op for op in graph.ops if isinstance(op, Fifo)}
    return FifoSizes(
        best.interval_cycles,
        tuple(
            QueueSize(name, given[name].layer, widths[name], given[name].depth, needs[name], depths[name])
            for name in names
        ),
        search.schedules,
    )


def with_depths(graph: Graph, depths: Mapping[str, int]) -> Graph:
    """Return the graph with other depths of its queues.

    Args:
        graph: folded graph.
        depths: operator name -> beats, at least 2; queues not named stay as they are.

    Raises:
        QnnError: for a name that is no queue, or a depth below 2.
    """
    queues = [op.name for op in graph.ops if isinstance(op, Fifo)]
    for name, depth in depths.items():
        if name not in queues:
            raise QnnError(f"{name}: no queue of this graph has that name; queues: {', '.join(queues) or 'none'}")
        if depth < 2:
            raise QnnError(f"{name}: depth={depth}; a queue holds at least 2 beats")
    ops = (replace(op, depth=depths.get(op.name, op.depth)) if isinstance(op, Fifo) else op for op in graph.ops)
    return graph.with_ops(tuple(ops))


def automatic_depths(graph: Graph, folding: Folding, outside: Outside) -> dict[str, int]:
    """Return operator name -> depth of every queue whose depth the folding does not give.

    Args:
        graph: folded graph.
        folding: layer name -> its folding; `fifo_depth` decides the queue in front of a layer.
        outside: its interface to the DMA.
    """
    decided = {
        op.name
        for op in graph.ops
        if isinstance(op, Fifo) and op.layer in folding and folding[op.layer].fifo_depth and _stands_in_front(op, graph)
    }
    return {name: depth for name, depth in size_fifos(graph, outside).depths.items() if name not in decided}


def folding_with_depths(folding: Folding, graph: Graph, depths: Mapping[str, int]) -> dict[str, "LayerFolding"]:
    """Return the folding with `fifo_depth` filled in, for every layer that has a queue of its own in front.

    Queues in front of an add, and those between a window and its matvec, belong to no `fifo_depth`; `with_depths` sets
    those.
    """
    filled = dict(folding)
    for op in graph.ops:
        if not isinstance(op, Fifo) or op.layer not in filled or op.name not in depths:
            continue
        if _stands_in_front(op, graph):
            filled[op.layer] = replace(filled[op.layer], fifo_depth=depths[op.name])
    return filled


def storage_step(depth: int) -> int:
    """Return the least storage step of at least `depth` beats."""
    for step in SMALL_STEPS:
        if depth <= step:
            return step
    return (1 << max(7, (depth - 2).bit_length())) + 1


def storage_steps(longest: int) -> list[int]:
    """Return all storage steps up to that of `longest` beats."""
    steps = [2]
    while steps[-1] < longest:
        steps.append(storage_step(steps[-1] + 1))
    return steps


@dataclass(slots=True)
class _Search:
    graph: Graph
    outside: Outside
    schedules: int = 0

    def unbounded(self, names: list[str]) -> Schedule:
        """The periodic schedule with unbounded queues, frames offered at the rate at which they leave."""
        free = dict.fromkeys(names, UNBOUNDED)
        pace = float(self.busiest())
        while True:
            found = self._run(free, pace)
            if found.interval_cycles <= pace:
                return found
            pace = found.interval_cycles  # a slower rate, which this schedule has shown

    def busiest(self) -> int:
        """Cycles a frame of the busiest stage: no schedule is faster."""
        types = self.graph.types
        work = [
            op.cycles(self.graph.input_types(op), tuple(types[t] for t in op.outputs), self.graph.constants)
            for op in self.graph.ops
        ]
        return max(self.outside.beats_in, self.outside.beats_out, *work)

    def keeps(self, depths: Mapping[str, int], interval: float) -> bool:
        """Whether frames offered every `interval` cycles leave every `interval` cycles with these depths."""
        try:
            found = self._run(depths, interval)
        except DeadlockError:
            return False
        return found.steady and found.interval_cycles == interval

    def shortest(self, name: str, depths: Mapping[str, int], interval: float) -> int:
        """The least step for one queue while the others stay: by bisection, for a longer queue never is slower."""
        steps = storage_steps(depths[name])
        low, high = 0, len(steps) - 1
        while low < high:
            middle = 0 if low == 0 and high == len(steps) - 1 else (low + high) // 2
            if self.keeps({**depths, name: steps[middle]}, interval):
                high = middle
            else:
                low = middle + 1
        return steps[high]

    def _run(self, depths: Mapping[str, int], pace: float) -> Schedule:
        self.schedules += 1
        return schedule(self.graph, self.outside, fifo_depths=depths, pace_cycles=pace)


def _stands_in_front(op: Fifo, graph: Graph) -> bool:
    """Tell whether `fifo_depth` of its layer means this queue."""
    (reader,) = graph.consumers(op.outputs[0])
    return isinstance(reader, Window) or (isinstance(reader, MatVec) and not _behind_window(op, graph))


def _behind_window(op: Fifo, graph: Graph) -> bool:
    source = graph.producer(op.inputs[0])
    while source is not None and source.layer == op.layer:
        if isinstance(source, Window):
            return True
        source = graph.producer(source.inputs[0])
    return False
