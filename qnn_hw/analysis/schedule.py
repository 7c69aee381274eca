# SPDX-License-Identifier: Apache-2.0
"""The schedule of a folded graph: when every beat moves, and what follows for interval, latency, load and queues.

Nothing is added up from formulas: the beats of whole frames go through descriptions of all modules (`behaviour`), DMA,
packing and unpacking included, with the queues as deep as they are, until a frame repeats the one before, shifted.
See docs/cycles.md for definitions and for the error against simulation.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt

from qnn_hw.analysis.behaviour import Behaviour, Gather, Queue, Split, Windows, Wire
from qnn_hw.analysis.stage import behaviour
from qnn_hw.errors import QnnError
from qnn_hw.ir.graph import Graph, TensorType
from qnn_hw.ir.ops.fifo import Fifo

SHELL_FRAMES = 64
"""Frames that may be inside the accelerator: the shell keeps one TLAST flag for each."""

MAX_FRAMES = 256
"""Frames after which the search for a steady state ends, sooner for long frames."""

LONGEST_PERIOD = 4
"""Frames a steady state may take to repeat itself."""

_CARRIERS = ("fifo", "width_converter", "dma")
"""Kinds of stages that only carry beats: named as the limit where no other stage has as much work."""

_FEWEST_FRAMES = 8
_MOST_BEATS = 6_000_000
_PROBES = (6, 12, 24, 48, 96, 192)
_LONGEST_PROOF = 48
_EVEN_FRAMES = 4


class Outside(Protocol):
    """The side of the accelerator towards the DMA; `qnn_hw.backends.rtl.Interface` is one."""

    @property
    def dma_width_bits(self) -> int:
        """Bits of a DMA beat."""
        ...

    @property
    def element_bits(self) -> int:
        """Bits of an input element outside."""
        ...

    @property
    def input(self) -> TensorType:
        """Type of the core's input stream."""
        ...

    @property
    def words(self) -> int:
        """32-bit words of a result."""
        ...

    @property
    def beats_in(self) -> int:
        """DMA beats of an input frame."""
        ...

    @property
    def beats_out(self) -> int:
        """DMA beats of a result."""
        ...


class DeadlockError(QnnError):
    """The dataflow stops for ever: some queue is too short."""


@dataclass(frozen=True, slots=True)
class StreamLoad:
    """One stream in the last frame of the schedule, cycles a frame.

    Attributes:
        name: tensor name; `dma_in` and `dma_out` are the outside.
        beats: cycles in which a beat moves.
        held: cycles in which a beat is offered and not taken.
        empty: cycles in which nothing is offered.
    """

    name: str
    beats: int
    held: int
    empty: int


@dataclass(frozen=True, slots=True)
class StageLoad:
    """One stage in the last frame of the schedule.

    Attributes:
        name, layer, kind: of the operator; `dma_in` and `dma_out` are the outside.
        cycles: cycles a frame in which it has work.
        busy: that, as a share of the frame interval.
        blocked: share in which it could work, but its output is not taken.
        starved: the rest: it waits for input.
    """

    name: str
    layer: str
    kind: str
    cycles: int
    busy: float
    blocked: float
    starved: float


@dataclass(frozen=True, slots=True)
class QueueFill:
    """One queue: its depth and the most beats it held at once, both in beats of `width_bits`."""

    name: str
    layer: str
    stream: str
    width_bits: int
    depth: int
    high_water: int


@dataclass(frozen=True, slots=True)
class Limit:
    """What sets the frame interval.

    Attributes:
        stage, layer: the limiting stage.
        busy: True where it has work in every cycle; False where no stage has, because queues are too short for bursts.
        reason: one sentence.
    """

    stage: str
    layer: str
    busy: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """What a number of frames, sent without a pause, do in the accelerator.

    Attributes:
        frame_ends: for each frame the cycle in which its last output beat leaves; 0 is that of the first input beat.
        period_frames, period_cycles: the steady state repeats itself after so many frames, that is, cycles.
        steady: whether it was reached; if not, the period is the second half of the frames, or the last interval
            where a number of frames was asked for.
        stages, streams: load in the last frame, in graph order.
        queues: of all frames, in graph order.
        limit: what sets the frame interval.
    """

    frame_ends: tuple[int, ...]
    period_frames: int
    period_cycles: int
    steady: bool
    stages: tuple[StageLoad, ...]
    streams: tuple[StreamLoad, ...]
    queues: tuple[QueueFill, ...]
    limit: Limit

    @property
    def latency_cycles(self) -> int:
        """From the first input beat to the last output beat of a frame that comes alone."""
        return self.frame_ends[0]

    @property
    def interval_cycles(self) -> float:
        """Cycles between frames in steady state, a whole number where every frame repeats the one before."""
        return self.period_cycles / self.period_frames

    def latency_us(self, clock_mhz: float) -> float:
        """Time of a batch of one in the accelerator, DMA beats included, in microseconds."""
        return self.latency_cycles / clock_mhz

    def batch_cycles(self, frames: int) -> int:
        """Cycles from the first input beat to the last output beat of a batch of `frames`.

        Raises:
            QnnError: for fewer than 1 frame.
        """
        if frames < 1:
            raise QnnError(f"cycle model: a batch of {frames} frames; it holds at least 1")
        known = len(self.frame_ends)
        if frames <= known:
            return self.frame_ends[frames - 1]
        periods = -(-(frames - known) // self.period_frames)
        return self.frame_ends[frames - 1 - periods * self.period_frames] + periods * self.period_cycles

    def frames_per_s(self, clock_mhz: float, batch: int | None = None) -> float:
        """Frames a second of a batch, or without end."""
        cycles = self.interval_cycles if batch is None else self.batch_cycles(batch) / batch
        return clock_mhz * 1e6 / cycles


def schedule(
    graph: Graph,
    outside: Outside,
    *,
    frames: int | None = None,
    fifo_depths: Mapping[str, int] | None = None,
    pace_cycles: float = 0,
) -> Schedule:
    """Compute the schedule of a folded graph.

    Args:
        graph: folded graph; may branch.
        outside: its interface to the DMA, which offers a beat in every cycle and takes one in every cycle.
        frames: how many to send; by default as many as it takes to reach the steady state, at most `MAX_FRAMES`.
        fifo_depths: depths that replace those of the graph, by operator name.
        pace_cycles: a frame is offered this many cycles after the one before at the earliest.

    Raises:
        DeadlockError: where the beats stop moving, naming the full queues.
        QnnError: for a graph that is not folded, an operator that the model does not know, a depth below 2 or of
            something that is no queue, fewer than 1 frame.
    """
    if frames is not None and frames < 1:
        raise QnnError(f"cycle model: frames={frames}; send at least 1")
    run = _Run(graph, outside, fifo_depths or {})
    if frames is not None:
        for _ in range(frames):
            run.frame(pace_cycles)
        return run.result(run.period())
    limit = _frame_limit(run)
    while len(run.frame_ends) < limit:
        run.frame(pace_cycles)
        period = run.period()
        if period:
            return run.result(period)
        if len(run.frame_ends) < _PROBES[0] or not run.even():
            continue
        interval = run.frame_ends[-1] - run.frame_ends[-2]
        if pace_cycles and interval > pace_cycles and len(run.frame_ends) >= _FEWEST_FRAMES:
            break  # what comes faster than it leaves piles up and never repeats itself
        if pace_cycles or len(run.frame_ends) not in _PROBES or interval > run.busiest:
            continue
        if _sustains(_Run(graph, outside, fifo_depths or {}), interval):
            return run.result(1)
    return run.result(0, span=len(run.frame_ends) // 2)


def beat_times(graph: Graph, outside: Outside, frames: int) -> dict[str, tuple[tuple[int, ...], ...]]:
    """Return for every stream and each of `frames` frames the cycles in which its beats move, as `schedule` has them.

    Cycle 0 is that of the first input beat; `dma_in` and `dma_out` are the streams outside.
    """
    run = _Run(graph, outside, {})
    for _ in range(frames):
        run.frame(0)
    origin = run.source.taken[0]
    times: dict[str, tuple[tuple[int, ...], ...]] = {}
    for wire in run.wires:
        beats, taken = run.beats[wire.name], [time - origin for time in wire.taken]
        times[wire.name] = tuple(tuple(taken[i * beats : (i + 1) * beats]) for i in range(frames))
    return times


def _sustains(run: "_Run", interval: int) -> bool:
    """Whether frames offered every `interval` cycles leave at that rate for ever.

    If they do, so they do when offered earlier, for nothing that comes earlier makes anything later. Queues that fill
    slowly in front of the limiting stage would take hundreds of frames to show the same; here they stay as they are.
    """
    while len(run.frame_ends) < min(_LONGEST_PROOF, _frame_limit(run)):
        run.frame(interval)
        if run.period() == 1 and run.frame_ends[-1] - run.frame_ends[-2] == interval:
            return True
    return False


def _frame_limit(run: "_Run") -> int:
    return max(_FEWEST_FRAMES, min(MAX_FRAMES, _MOST_BEATS // sum(run.beats.values())))


@dataclass(frozen=True, slots=True)
class _Sink(Behaviour):
    """Takes a beat in every cycle."""

    def run(self, inputs: list[Wire], outputs: list[Wire]) -> Iterator[None]:
        (source,) = inputs
        last = -1
        while True:
            for time in source.offers[len(source.taken) :]:
                last = max(time, last + 1)
                source.taken.append(last)
            yield


@dataclass(frozen=True, slots=True)
class _Pack(Behaviour):
    """`qnn_frame_pack`: words to beats, each gathered beside the output register; reads a second wire, the DMA input.

    Attributes:
        words: of a frame.
        slots: words of a beat.
        beats_in: DMA beats of an input frame; a frame ends after its last input beat, whose TLAST it hands on.
    """

    words: int
    slots: int
    beats_in: int

    def run(self, inputs: list[Wire], outputs: list[Wire]) -> Iterator[None]:
        source, frames_in = inputs
        (sink,) = outputs
        last, word, frame, beats = -1, 0, 0, 0
        while True:
            while len(source.taken) < len(source.offers):
                frame_end = word == self.words - 1
                beat_end = frame_end or word % self.slots == self.slots - 1
                last_in = (frame + 1) * self.beats_in - 1
                if (beat_end and len(sink.taken) < beats) or (frame_end and len(frames_in.taken) <= last_in):
                    break
                last = max(source.offers[len(source.taken)], last + 1)
                if beat_end:
                    last = max(last, sink.taken[beats - 1] if beats else 0)
                    beats += 1
                    sink.offers.append(last + 1)
                if frame_end:
                    last = max(last, frames_in.taken[last_in] + 1)
                    sink.offers[-1] = last + 1
                    frame += 1
                word = 0 if frame_end else word + 1
                source.taken.append(last)
            yield


@dataclass(slots=True)
class _Stage:
    """A process in the network."""

    name: str
    layer: str
    kind: str
    cycles: int
    inputs: list[Wire]
    outputs: list[Wire]
    process: Iterator[None]


class _Run:
    """The network of processes, and the frames sent through it so far."""

    def __init__(self, graph: Graph, outside: Outside, fifo_depths: Mapping[str, int]) -> None:
        queues = {op.name: op for op in graph.ops if isinstance(op, Fifo)}
        for name, depth in fifo_depths.items():
            if name not in queues:
                raise QnnError(
                    f"cycle model: {name!r} is no queue of this graph; queues: {', '.join(queues) or 'none'}"
                )
            if depth < 2:
                raise QnnError(f"cycle model: {name} has depth {depth}; a queue holds at least 2 beats")
        self.graph, self.outside = graph, outside
        self.stages: list[_Stage] = []
        self.beats: dict[str, int] = {"dma_in": outside.beats_in, "dma_out": outside.beats_out}
        self.frame_ends: list[int] = []
        self.queues: list[tuple[Fifo, int, Wire, Wire]] = []
        self.reach = 2  # frames back that a beat may depend on, queues apart
        self.source, self.result_wire = Wire("dma_in"), Wire("dma_out")
        wires = self._build(fifo_depths)
        self.core_out = wires[graph.outputs[0]]
        self.wires = [self.source, *{id(wire): wire for wire in wires.values()}.values(), self.result_wire]
        self.wakes = self._wakes()
        self.busiest = max(stage.cycles for stage in self.stages)

    def _build(self, fifo_depths: Mapping[str, int]) -> dict[str, Wire]:
        graph, outside = self.graph, self.outside
        name, kind = next(iter(graph.inputs.items()))
        wires = {name: self._wire(name, kind)}
        self._add("dma_in", "input", "dma", outside.beats_in, _unpack(outside), [self.source], [wires[name]])
        for op in graph.ops:
            rule = behaviour(op, graph)
            if rule is None:
                wires[op.outputs[0]] = wires[op.inputs[0]]
                continue
            outputs = [self._wire(tensor, graph.types[tensor]) for tensor in op.outputs]
            wires.update(zip(op.outputs, outputs, strict=True))
            inputs = [wires[tensor] for tensor in op.inputs]
            if isinstance(op, Fifo):
                rule = Queue(fifo_depths.get(op.name, op.depth))
                self.queues.append((op, rule.depth, inputs[0], outputs[0]))
            if isinstance(rule, Windows):
                self.reach = max(self.reach, rule.depth // graph.types[op.inputs[0]].beats + 2)
            types = tuple(graph.types[tensor] for tensor in op.outputs)
            cycles = op.cycles(graph.input_types(op), types, graph.constants)
            self._add(op.name, op.layer, op.keyword, cycles, rule, inputs, outputs)
        last = wires[graph.outputs[0]]
        pack = _Pack(outside.words, outside.dma_width_bits // 32, outside.beats_in)
        self._add("dma_out", "output", "dma", outside.beats_out, pack, [last, self.source], [self.result_wire])
        self._add("sink", "output", "sink", 0, _Sink(), [self.result_wire], [])
        return wires

    def _wire(self, name: str, kind: TensorType) -> Wire:
        if not kind.lanes:
            raise QnnError(
                f"cycle model: %{name} of graph {self.graph.name} has no elements a beat; fold the graph first"
            )
        self.beats[name] = kind.beats
        return Wire(name)

    def _add(
        self, name: str, layer: str, kind: str, cycles: int, rule: Behaviour, inputs: list[Wire], outputs: list[Wire]
    ) -> None:
        self.stages.append(_Stage(name, layer, kind, cycles, inputs, outputs, rule.run(inputs, outputs)))

    def _wakes(self) -> list[tuple[Iterator[None], list[tuple[list[int], list[int]]]]]:
        """For each stage its process, and what it may write: the list, and the stages that wait for it."""
        producers = {id(wire): [i] for i, stage in enumerate(self.stages) for wire in stage.outputs}
        readers: dict[int, list[int]] = {}
        for i, stage in enumerate(self.stages):
            for wire in stage.inputs:
                readers.setdefault(id(wire), []).append(i)
        wakes = []
        for stage in self.stages:
            writes = []
            # Every reader of a wire is woken: the packer watches the DMA input, which the unpacker takes.
            for wire in stage.inputs:
                others = [i for i in readers[id(wire)] if self.stages[i] is not stage]
                writes.append((wire.taken, [*producers.get(id(wire), []), *others]))
            for wire in stage.outputs:
                writes.append((wire.offers, readers[id(wire)]))
            wakes.append((stage.process, writes))
        return wakes

    def frame(self, pace_cycles: float) -> None:
        """Offer one more frame and let all beats move as far as they can.

        Times never depend on what comes later, so that a frame at a time gives the same as all at once.
        """
        frame = len(self.frame_ends)
        start = int(frame * pace_cycles)
        if frame >= SHELL_FRAMES:
            start = max(start, self.core_out.taken[(frame - SHELL_FRAMES + 1) * self.outside.words - 1] + 1)
        self.source.offers += [start] * self.outside.beats_in
        self._settle()
        done = self.result_wire.taken
        if len(done) < (frame + 1) * self.outside.beats_out:
            raise DeadlockError(self._deadlock(frame))
        self.frame_ends.append(done[(frame + 1) * self.outside.beats_out - 1])

    def _settle(self) -> None:
        """Resume every process that a neighbour has written something for, until none gets on."""
        waiting = bytearray(len(self.stages))
        wakes = self.wakes
        i = 0
        while i >= 0:
            waiting[i] = 0
            process, writes = wakes[i]
            if len(writes) == 2:
                (times, others), (more_times, more_others) = writes
                n, more = len(times), len(more_times)
                next(process)
                if len(times) != n:
                    for other in others:
                        waiting[other] = 1
                if len(more_times) != more:
                    for other in more_others:
                        waiting[other] = 1
            else:
                before = [len(times) for times, _ in writes]
                next(process)
                for (times, others), n in zip(writes, before, strict=True):
                    if len(times) != n:
                        for other in others:
                            waiting[other] = 1
            i = waiting.find(1, i)
            if i < 0:
                i = waiting.find(1)

    def _deadlock(self, frame: int) -> str:
        full = [
            f"{op.layer}: {op.name} (depth {depth})"
            for op, depth, source, sink in self.queues
            if len(source.taken) - len(sink.taken) == depth
        ]
        stuck = [wire.name for wire in self.wires if len(wire.offers) > len(wire.taken)]
        return (
            f"{self.graph.name}: frame {frame} never leaves, beats wait for ever on {', '.join(stuck[:4]) or 'none'}; "
            f"full queues: {', '.join(full) or 'none'}; make them deeper"
        )

    def even(self) -> bool:
        """Whether the last frames left at equal distances."""
        ends = self.frame_ends[-_EVEN_FRAMES - 1 :]
        return len({b - a for a, b in pairwise(ends)}) == 1

    def period(self) -> int:
        """Frames after which the last frames repeat themselves on every stream; 0 if they do not."""
        return next((p for p in range(1, LONGEST_PERIOD + 1) if self._repeats(p)), 0)

    def _repeats(self, period: int) -> bool:
        """Whether each of the last frames is the one `period` before it, shifted by the same cycles.

        As many frames are compared as a line buffer reaches back. A long queue of short frames reaches further back:
        it must have room if the frames before were shifted alike.
        """
        ends = self.frame_ends
        compared = max(2 * period, self.reach)
        if len(ends) < compared + period + 1:
            return False
        shift = ends[-1] - ends[-1 - period]
        if any(ends[-i] - ends[-i - period] != shift for i in range(1, compared + 1)):
            return False
        for wire in self.wires:
            beats = self.beats[wire.name]
            if len(wire.taken) != len(ends) * beats:
                return False
            times = np.array(wire.taken[-(compared + period) * beats :])
            if np.any(times[period * beats :] - times[: -period * beats] != shift):
                return False
        return all(self._has_room(depth, source, sink, period, shift) for _, depth, source, sink in self.queues)

    def _has_room(self, depth: int, source: Wire, sink: Wire, period: int, shift: int) -> bool:
        beats = period * self.beats[source.name]
        taken, left = np.array(source.taken[-beats:]), np.array(sink.taken[-beats:])
        periods, beat = np.divmod(np.arange(beats) - depth, beats)
        return bool(np.all(left[beat] + periods * shift < taken))

    def result(self, period: int, span: int = 1) -> Schedule:
        """Gather what the frames have shown; without a period, the interval is that of the last `span` frames."""
        ends = self.frame_ends
        origin = self.source.taken[0]
        period_frames = period or span
        previous = ends[-1 - period_frames] if len(ends) > period_frames else 0
        cycles = ends[-1] - previous
        interval = cycles / period_frames
        loads = {wire.name: self._load(wire, interval) for wire in self.wires}
        stages = tuple(self._stage(stage, loads, interval) for stage in self.stages if stage.cycles)
        queues = tuple(
            QueueFill(
                name=op.name,
                layer=op.layer,
                stream=op.outputs[0],
                width_bits=self.graph.types[op.outputs[0]].width_bits,
                depth=depth,
                high_water=_high_water(source.taken, sink.taken),
            )
            for op, depth, source, sink in self.queues
        )
        return Schedule(
            frame_ends=tuple(end - origin for end in ends),
            period_frames=period_frames,
            period_cycles=cycles,
            steady=period > 0,
            stages=stages,
            streams=tuple(loads.values()),
            queues=queues,
            limit=_limit(stages, queues, loads, {stage.name: stage for stage in self.stages}, interval),
        )

    def _load(self, wire: Wire, interval: float) -> StreamLoad:
        beats = self.beats[wire.name]
        taken = np.array(wire.taken[-beats - 1 :])
        offers = np.array(wire.offers[-beats:])
        if len(taken) > beats:
            offers = np.maximum(offers, taken[:-1] + 1)
        held = int(np.sum(taken[-beats:] - offers))
        return StreamLoad(wire.name, beats, held, max(0, round(interval) - beats - held))

    def _stage(self, stage: _Stage, loads: Mapping[str, StreamLoad], interval: float) -> StageLoad:
        busy = min(1.0, stage.cycles / interval)
        held = max((loads[wire.name].held for wire in stage.outputs), default=0)
        blocked = min(1.0 - busy, held / interval)
        return StageLoad(stage.name, stage.layer, stage.kind, stage.cycles, busy, blocked, 1.0 - busy - blocked)


def _unpack(outside: Outside) -> Behaviour:
    """`qnn_frame_unpack`: narrow core beats are parts of a DMA beat, wide ones are gathered from several."""
    lanes, elements, core_lanes = (
        outside.dma_width_bits // outside.element_bits,
        outside.input.elements,
        outside.input.lanes,
    )
    if core_lanes > lanes:
        return Gather(-(-core_lanes // lanes))
    parts = lanes // core_lanes
    return Split(parts, outside.beats_in, elements // core_lanes - (outside.beats_in - 1) * parts)


def _high_water(taken: list[int], left: list[int]) -> int:
    """Most beats stored at once: after each beat in, those in so far less those out up to and in that cycle."""
    gone: npt.NDArray[np.int64] = np.searchsorted(np.array(left), np.array(taken), side="right")
    return int(np.max(np.arange(1, len(taken) + 1) - gone, initial=0))


def _limit(
    stages: tuple[StageLoad, ...],
    queues: tuple[QueueFill, ...],
    loads: Mapping[str, StreamLoad],
    wires: Mapping[str, _Stage],
    interval: float,
) -> Limit:
    busiest = max(stages, key=lambda stage: (stage.cycles, stage.kind not in _CARRIERS))
    if busiest.cycles >= interval:
        return Limit(busiest.name, busiest.layer, True, f"{busiest.name} has work in every one of {interval:g} cycles")
    nearest = f"no stage has work all the time ({busiest.name} comes nearest: {busiest.cycles} of {interval:g} cycles)"

    def bursts(name: str) -> int:
        """Cycles in which beats wait before it, or nothing is offered behind it, whichever are fewer."""
        stage = wires[name]
        return min(
            max(loads[wire.name].held for wire in stage.inputs), max(loads[wire.name].empty for wire in stage.outputs)
        )

    short = max(queues, key=lambda queue: bursts(queue.name), default=None)
    if short is not None and bursts(short.name):
        return Limit(
            short.name,
            short.layer,
            False,
            f"{nearest}; {short.name} (depth {short.depth}) runs full and empty within a frame: it is too short for "
            "the bursts around it",
        )
    worst = max((stage for stage in stages if stage.busy < 1), key=lambda stage: bursts(stage.name))
    return Limit(
        worst.name,
        worst.layer,
        False,
        f"{nearest}; {worst.name} holds up its input and leaves its output empty: a queue beside it would help",
    )
