# SPDX-License-Identifier: Apache-2.0
"""Choose one folding a layer by constraint programming (OR-Tools CP-SAT): exact, or with the gap that is left.

A network is a chain of segments. Each segment has candidates, one a folding, with its cycles a frame and its area; each
junction between two segments costs what the width converters between the lanes of both sides cost. Every sum is an
integer, so that the solver's bound is a proof.
"""

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from qnn_hw.errors import QnnError
from qnn_hw.folding.model import LayerFolding

Progress = Callable[[str], None]

DEFAULT_TIME_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Area:
    """What is paid: LUT, RAMB18 (a RAMB36 counts two), DSP slices."""

    lut: int = 0
    bram18: int = 0
    dsp: int = 0

    def __add__(self, other: "Area") -> "Area":
        return Area(self.lut + other.lut, self.bram18 + other.bram18, self.dsp + other.dsp)

    def less(self, other: "Area") -> "Area":
        """Return the difference of each resource, 0 where it would be negative."""
        return Area(*(max(0, getattr(self, name) - getattr(other, name)) for name in RESOURCES))


RESOURCES = tuple(field.name for field in fields(Area))
UNITS = {"lut": "LUT", "bram18": "RAMB18", "dsp": "DSP"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to build a segment: its folding, elements a beat on both sides, cycles a frame, area."""

    folding: LayerFolding
    lanes_in: int
    lanes_out: int
    cycles: int
    area: Area


@dataclass(frozen=True, slots=True)
class Problem:
    """What there is to choose from.

    Attributes:
        layers: name of every segment's layer, in order.
        candidates: of every segment.
        junctions: between segment i and i + 1: (lanes out, lanes in) -> area of the converters; pairs that cannot be
            connected are absent.
        fixed: area of what no folding changes.
        fixed_cycles: cycles a frame of the slowest of the rest, the DMA streams above all.
        fixed_stage: its name.
    """

    layers: tuple[str, ...]
    candidates: tuple[tuple[Candidate, ...], ...]
    junctions: tuple[Mapping[tuple[int, int], Area], ...]
    fixed: Area
    fixed_cycles: int
    fixed_stage: str


@dataclass(frozen=True, slots=True)
class Goal:
    """What is wanted.

    Attributes:
        budget: upper limits.
        weights: price of each resource in the area that is minimised.
        target_cycles: cycles a frame allowed; None for as few as fit the budget.
        time_limit_s: of the search; the best found until then counts.
    """

    budget: Area
    weights: Area
    target_cycles: int | None = None
    time_limit_s: float = DEFAULT_TIME_LIMIT_S


@dataclass(frozen=True, slots=True)
class Solution:
    """What was found.

    Attributes:
        chosen: a candidate a segment.
        cycles: cycles a frame of the slowest stage.
        area: of everything.
        price: weighted area.
        bound: proven lower bound of the price at these cycles.
        cycles_bound: proven lower bound of the cycles; equal to `cycles` where a target was given.
        seconds: time of the search.
    """

    chosen: tuple[Candidate, ...]
    cycles: int
    area: Area
    price: int
    bound: int
    cycles_bound: int
    seconds: float

    @property
    def optimal(self) -> bool:
        """Nothing better exists."""
        return self.bound >= self.price and self.cycles_bound >= self.cycles

    @property
    def gap(self) -> float:
        """Share by which the price might still fall."""
        return 1 - self.bound / self.price if self.price else 0.0


def solve(problem: Problem, goal: Goal, progress: Progress = lambda text: None) -> Solution:
    """Choose a candidate for every segment.

    With a target the area is minimised; without one first the cycles, then the area at these cycles. The search runs in
    a process of its own (`cp_sat`).

    Raises:
        QnnError: for a target no folding reaches (naming the layer), a budget below the smallest design (naming the
            resource and by how much), or when the time is over before any solution was found.
    """
    with tempfile.TemporaryDirectory(prefix="qnn-hw-") as folder:
        file = Path(folder) / "result"
        package = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
        process = subprocess.Popen(
            [sys.executable, "-m", "qnn_hw.folding.cp_sat", str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        try:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(pickle.dumps((problem, goal)))
            process.stdin.close()
            for line in process.stdout:
                progress(line.decode().rstrip())
        finally:
            process.terminate()  # what is left of it when interrupted
            process.wait()
        if not file.is_file():
            raise QnnError(f"folding: the solver's process ended with status {process.returncode} and no result")
        result = pickle.loads(file.read_bytes())
    if isinstance(result, QnnError):
        raise result
    assert isinstance(result, Solution)
    return result
