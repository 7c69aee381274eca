# SPDX-License-Identifier: Apache-2.0
"""How the hardware modules move beats: when each beat is taken and when its result is offered, cycle by cycle.

A stream is a `Wire` with two times a beat: `offers[k]`, the first cycle in which the producer has beat k ready (not
counting that beat k - 1 may still stand in its way), and `taken[k]`, the cycle of the handshake. A beat is taken in the
first cycle from `offers[k]` and `taken[k - 1] + 1` on in which the consumer is ready; the consumer writes `taken`.

A behaviour is a frozen description of one module; `run` is its process: it handles all beats it can, then yields, and
is resumed when a neighbour has written something. It reads no time that lies in the future of what it decides, so that
the order in which processes are resumed does not matter; beats that never get on are a deadlock of the hardware.

The rules are read off `rtl/qnn_*.sv`, registers and ready equations, and are checked against simulation, frame for
frame, by `tests/analysis/test_schedule.py` and `benchmarks/cycle_model.py`.
"""

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Wire:
    """One stream: its name and the times, in cycles, at which each beat is offered and taken."""

    name: str
    offers: list[int] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)


class Behaviour(ABC):
    """What a module does to the beats of its streams."""

    @abstractmethod
    def run(self, inputs: list[Wire], outputs: list[Wire]) -> Iterator[None]:
        """Handle beats for ever; yield where a neighbour has to get on first."""


@dataclass(frozen=True, slots=True)
class Registers(Behaviour):
    """`depth` pipeline registers in a row, each of which moves on as soon as the next is empty or empties.

    One beat of every input makes one of every output; all inputs are taken together, each output is taken by itself,
    and a register counts as empty when all have taken it.
    """

    depth: int

    def run(self, inputs: list[Wire], outputs: list[Wire]) -> Iterator[None]:
        """Beat k enters when beat k - depth leaves, and is offered `depth` cycles later."""
        if len(inputs) == len(outputs) == 1:
            return self._run_single(inputs[0], outputs[0])
        return self._run_any(inputs, outputs)

    def _run_single(self, source: Wire, sink: Wire) -> Iterator[None]:
        offers, taken, out, left = source.offers, source.taken, sink.offers, sink.taken
        depth, k, last = self.depth, 0, -1
        while True:
            n = min(len(offers), len(left) + depth)
            while k < n:
                last = max(offers[k], last + 1)
                if k >= depth and left[k - depth] > last:
                    last = left[k - depth]
                taken.append(last)
                out.append(last + depth)
                k += 1
            yield

    def _run_any(self, inputs: list[Wire], outputs: list[Wire]) -> Iterator[None]:
        depth, k, last = self.depth, 0, -1
        while True:
            n = min(min(len(wire.offers) for wire in inputs), min(len(wire.taken) for wire in outputs) + depth)
            while k < n:
                last = max(last + 1, *(wire.offers[k] for wire in inputs))
                if k >= depth:
                    last = max(last, *(wire.taken[k - depth] for wire in outputs))
                for wire in inputs:
                    wire.taken.append(last)
                for wire in outputs:
                    wire.offers.append(last + depth)
                k += 1
            yield


@dataclass(frozen=True, slots=True)
class Queue(Behaviour):
    """A FIFO of `depth` beats; a full one is ready the cycle after a beat has left."""

    depth: int

    def run(self, inputs: list[Wire], outputs: list[Wire]) -> Iterator[None]:
        """One cycle through a register slice (depth 2), two through a memory."""
        (source,), (sink,) = inputs, outputs
        offers, taken, out, left = source.offers, source.taken, sink.offers, sink.taken
        depth, delay, k, last = self.depth, 1 if self.depth == 2 else 2, 0, -1
        while True:
            n = min(len(offers), len(left) + depth)
            while k < n:
                last = max(offers[k], last + 1)
                if k >= depth and left[k - depth] >= last:
                    last = left[k - depth] + 1
                taken.append(last)
                out.append(last + delay)
                k += 1
            yield


@dataclass(frozen=True, slots=True)
class Split(Behaviour):
    """One beat becomes several; the next is taken in the cycle in which the last part leaves.

    Attributes:
        parts: parts of a beat.
        frame_beats: beats of a frame, where the last beat of a frame has fewer parts; 1 where all are alike.
        last_parts: parts of a frame's last beat.
    """

    parts: int
    frame_beats: int = 1
    last_parts: int = 0

    def run(self, inputs: list[Wire], outputs: list[Wire]) -> Iterator[None]:
        """All parts are there one cycle after the beat."""
        (source,), (sink,) = inputs, outputs
        offers, taken, out, left = source.offers, source.taken, sink.offers, sink.taken
        last_parts = self.last_parts or self.parts
        k, position, last, sent = 0, 0, -1, 0
        while True:
            while k < len(offers) and len(left) >= sent:
                last = max(offers[k], last + 1, left[sent - 1] if sent else 0)
                taken.append(last)
                k += 1
                position += 1
                n = self.parts
                if position == self.frame_beats:
                    position, n = 0, last_parts
                sent += n
                out.extend([last + 1] * n)
            yield


@dataclass(frozen=True, slots=True)
class Gather(Behaviour):
    """`parts` beats become one, gathered in the output register: the next ones are taken when it has left."""

    parts: int

    def run(self, inputs: list[Wire], outputs: list[Wire]) -> Iterator[None]:
        """Offered one cycle after the last part."""
        (source,), (sink,) = inputs, outputs
        offers, taken, out, left = source.offers, source.taken, sink.offers, sink.taken
        parts, k, part, words, last = self.parts, 0, 0, 0, -1
        while True:
            while k < len(offers) and len(left) >= words:
                last = max(offers[k], last + 1)
                if not part and words and left[words - 1] > last:
                    last = left[words - 1]
                taken.append(last)
                k += 1
                part += 1
                if part == parts:
                    part = 0
                    words += 1
                    out.append(last + 1)
            yield


@dataclass(frozen=True, slots=True)
class Reduce(Behaviour):
    """A running result over beats, in an input register and an output register: a pool.

    Attributes:
        positions: values a result is made of.
        folds: beats of a position.
    """

    positions: int
    folds: int

    def run(self, inputs: list[Wire], outputs: list[Wire]) -> Iterator[None]:
        """Beats of the last position wait in the input register until the output register is free."""
        (source,), (sink,) = inputs, outputs
        offers, taken, out, left = source.offers, source.taken, sink.offers, sink.taken
        period, first_last = self.positions * self.folds, (self.positions - 1) * self.folds
        k, place, last, waits, results = 0, 0, -1, False, 0
        while True:
            while k < len(offers) and not (waits and len(left) < results - 1):
                last = max(offers[k], last + 1)
                if waits and results > 1 and left[results - 2] > last:
                    last = left[results - 2]
                taken.append(last)
                k += 1
                waits = place >= first_last
                place = (place + 1) % period
                if waits:
                    results += 1
                    out.append(last + 2)
            yield


@dataclass(frozen=True, slots=True)
class Passes(Behaviour):
    """A pipeline that stops as a whole, and reads each vector several times: matrix times vector, classifier.

    Step by step, one a cycle, it reads the `beats` of a vector from the stream, then repeats them `passes` - 1 times
    from a buffer. Each pass ends in one output beat, which reaches the output register `depth` steps later. A finished
    beat that meets an occupied output register stops all steps.

    Attributes:
        beats: input beats of a vector.
        passes: output beats of a vector.
        depth: cycles from the last step of a pass to its arrival before the output register.
    """

    beats: int
    passes: int
    depth: int

    def run(self, inputs: list[Wire], outputs: list[Wire]) -> Iterator[None]:
        """Time is lost where a result at `arrivals[0]` waits for the output register: from then until it is taken."""
        (source,), (sink,) = inputs, outputs
        offers, taken, out, left = source.offers, source.taken, sink.offers, sink.taken
        beats, repeats, depth = self.beats, range(self.passes - 1), self.depth
        arrivals: deque[int] = deque()  # of results in the pipeline; the oldest one is offered already
        stops: deque[tuple[int, int]] = deque()  # from, to: cycles without a step still ahead
        settled = 0  # results in or past the output register
        k, step = 0, 0  # the next input beat; the earliest cycle of the next step

        def settle() -> None:
            nonlocal settled
            arrival = arrivals.popleft()
            free = left[settled - 1] if settled else 0
            if free > arrival:
                stops.append((arrival, free))
                for i in range(len(arrivals)):
                    arrivals[i] += free - arrival
            settled += 1
            if arrivals:
                out.append(arrivals[0] + 1)

        def finish(arrival: int) -> None:
            arrivals.append(arrival)
            if len(arrivals) == 1:
                out.append(arrival + 1)

        while True:
            for _ in range(beats):
                while k >= len(offers):
                    if len(arrivals) > 1 and len(left) >= settled:
                        settle()
                    else:
                        yield
                step = max(step, offers[k])
                while True:
                    while stops and stops[0][0] <= step:
                        step = max(step, stops.popleft()[1])
                    if not (arrivals and arrivals[0] <= step):
                        break
                    while len(left) < settled:
                        yield
                    settle()
                taken.append(step)
                k += 1
                step += 1
            finish(step - 1 + depth)
            for _ in repeats:
                end = step + beats
                while True:
                    while stops and stops[0][0] < end:
                        start, stop = stops.popleft()
                        end += max(0, stop - max(start, step))
                    if not (arrivals and arrivals[0] < end):
                        break
                    while len(left) < settled:
                        yield
                    settle()
                step = end
                finish(end - 1 + depth)


@dataclass(frozen=True, slots=True)
class Windows(Behaviour):
    """A line buffer: writes the beats of a map, reads those of its windows.

    Attributes:
        shape: height, width of the map.
        kernel, strides: height, width.
        padding: top, bottom, left, right.
        folds: beats of a pixel.
        depth: beats the buffer holds.
    """

    shape: tuple[int, int]
    kernel: tuple[int, int]
    strides: tuple[int, int]
    padding: tuple[int, int, int, int]
    folds: int
    depth: int

    def run(self, inputs: list[Wire], outputs: list[Wire]) -> Iterator[None]:
        """A word is written while the buffer has room; a beat is read one cycle after its word was written."""
        (source,), (sink,) = inputs, outputs
        offers, taken, out, left = source.offers, source.taken, sink.offers, sink.taken
        words = self.shape[0] * self.shape[1] * self.folds
        needs, window_beats = self._needs()
        frees = self._frees()
        n_windows = len(needs) // window_beats
        read_ends: list[int] = []  # cycle in which the last beat of each window was read
        n_written = n_read = 0
        place = frame_start = word = in_window = 0
        first_window = -n_windows
        last_write = last_read = -1
        while True:
            moved = True
            while moved:
                moved = False
                while n_written < len(offers):
                    window = frees[word] + first_window
                    if window >= len(read_ends):
                        break
                    last_write = max(offers[n_written], last_write + 1)
                    if window >= 0 and read_ends[window] >= last_write:
                        last_write = read_ends[window] + 1
                    taken.append(last_write)
                    n_written += 1
                    word += 1
                    if word == words:
                        word = 0
                        first_window += n_windows
                    moved = True
                limit = len(left) + 2
                while n_read < limit:
                    need = needs[place]
                    time = last_read + 1
                    if need >= 0:
                        need += frame_start
                        if need >= n_written:
                            break
                        if taken[need] >= time:
                            time = taken[need] + 1
                    if n_read > 1 and left[n_read - 2] > time:
                        time = left[n_read - 2]
                    last_read = time
                    out.append(time + 2)
                    n_read += 1
                    place += 1
                    in_window += 1
                    if in_window == window_beats:
                        in_window = 0
                        read_ends.append(time)
                        if place == len(needs):
                            place = 0
                            frame_start += words
                    moved = True
            yield

    def _positions(self) -> list[tuple[int, int]]:
        (top, bottom, left, right), (height, width) = self.padding, self.shape
        rows = (height + top + bottom - self.kernel[0]) // self.strides[0] + 1
        columns = (width + left + right - self.kernel[1]) // self.strides[1] + 1
        return [(r * self.strides[0] - top, c * self.strides[1] - left) for r in range(rows) for c in range(columns)]

    def _needs(self) -> tuple[list[int], int]:
        """For each beat of a frame the word it carries; -1 for padding, which needs none.

        Padding of the first window needs word 0: an idle module holds nothing of a frame to come.
        """
        height, width = self.shape
        taps = [(kr, kc) for kr in range(self.kernel[0]) for kc in range(self.kernel[1])]
        needs: list[int] = []
        for i, (row, column) in enumerate(self._positions()):
            for kr, kc in taps:
                r, c = row + kr, column + kc
                inside = 0 <= r < height and 0 <= c < width
                start = (r * width + c) * self.folds
                needs += range(start, start + self.folds) if inside else [0 if i == 0 else -1] * self.folds
        return needs, len(taps) * self.folds

    def _frees(self) -> list[int]:
        """For each word of a frame the window that makes room for it when it has been read.

        Counted from the first window of the frame before, so that a buffer which holds parts of two frames needs no
        negative index; words that fit beside anything get -1 there, and so do those of frames further back.
        """
        width = self.shape[1]
        words = self.shape[0] * width * self.folds
        starts = [(row * width + column) * self.folds for row, column in self._positions()]
        n_frames = self.depth // words + 2
        bases: list[int] = []  # of the buffer after each window, in words of this frame
        for frame in range(-n_frames, 1):
            bases += [start + frame * words for start in [*starts[1:], starts[0] + words]]
        for i in range(1, len(bases)):  # a step back frees nothing
            bases[i] = max(bases[i], bases[i - 1])
        offset = (n_frames - 1) * len(starts)
        return [bisect_left(bases, word - self.depth + 1) - offset for word in range(words)]
