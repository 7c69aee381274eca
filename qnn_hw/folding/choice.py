# SPDX-License-Identifier: Apache-2.0
"""Decide the folding of a network: by the file, by the rule, or by the solver under the budget of a board."""

import math
from dataclasses import dataclass
from typing import Literal

from qnn_hw.boards import Board
from qnn_hw.errors import QnnError
from qnn_hw.folding.choices import Outer, branches, pose
from qnn_hw.folding.model import Folding, LayerFolding, foldable_layers
from qnn_hw.folding.rule import choose_folding
from qnn_hw.folding.solver import DEFAULT_TIME_LIMIT_S, Area, Goal, Progress, Solution, solve
from qnn_hw.ir.graph import Graph

TargetFps = float | Literal["max"]

DEFAULT_TARGET_FPS = 1000
"""Frames a second a folding aims at when nothing is asked for."""

LUT_SHARE = 0.8
"""Share of a board's LUT a design may take: fuller ones seldom route, and DMA and interconnect need some, too (5 k of
the 26 k LUT of BNN-PYNQ's CNV-W1A1)."""

RAM_PRICE = 3
"""How much cheaper block RAM and DSP are than their share of the board: unused ones are worth little, LUT a lot."""

NO_MARGIN = Area()

_ANY_CYCLES = 1e18
"""Cycles a frame that every folding keeps; a target of almost zero frames a second asks for no more."""


def parse_target_fps(text: str) -> TargetFps:
    """Read a target as it is typed: a number, or max.

    Raises:
        QnnError: for anything else.
    """
    try:
        target: TargetFps = "max" if text == "max" else float(text)
    except ValueError:
        raise QnnError(f"target_fps={text!r}: give a rate above 0 frames a second, or 'max'") from None
    check_target_fps(target)
    return target


def check_target_fps(target: TargetFps) -> None:
    """Raise QnnError unless this is a rate above 0, or "max"."""
    if isinstance(target, str):
        if target != "max":
            raise QnnError(f"target_fps={target!r}: give a rate above 0 frames a second, or 'max'")
    elif not 0 < target < math.inf:
        raise QnnError(f"target_fps={target:g}: give a rate above 0 frames a second")


@dataclass(frozen=True, slots=True)
class Search:
    """How the solver searches.

    Attributes:
        max_lut, max_bram36, max_dsp: budget; None for that of the board (`LUT_SHARE` of its LUT, all of the rest).
        time_limit_s: after which the best that was found counts.
        progress: called with a sentence before each step and for every better solution.
    """

    max_lut: int | None = None
    max_bram36: float | None = None
    max_dsp: int | None = None
    time_limit_s: float = DEFAULT_TIME_LIMIT_S
    progress: Progress = lambda text: None

    @property
    def is_limited(self) -> bool:
        """Tell whether a budget was given."""
        return any(limit is not None for limit in (self.max_lut, self.max_bram36, self.max_dsp))

    def budget(self, board: Board) -> Area:
        """Return the limits on `board`.

        Raises:
            QnnError: for a negative limit.
        """
        for name, value in (("max_lut", self.max_lut), ("max_bram36", self.max_bram36), ("max_dsp", self.max_dsp)):
            if value is not None and value < 0:
                raise QnnError(f"{name}={value:g}: give a limit of 0 or more")
        return Area(
            lut=int(LUT_SHARE * board.lut) if self.max_lut is None else self.max_lut,
            bram18=int(2 * (board.bram36 if self.max_bram36 is None else self.max_bram36)),
            dsp=board.dsp if self.max_dsp is None else self.max_dsp,
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """A decided folding.

    Attributes:
        folding: of every layer.
        method: "file", "rule" or "solver".
        solution: what the solver found, and how near to the best it is; None without it.
    """

    folding: Folding
    method: Literal["file", "rule", "solver"]
    solution: Solution | None = None


def prices(board: Board) -> Area:
    """Return what one of each resource costs: its share of the board, block RAM and DSP at a `RAM_PRICE`-th of it."""
    return Area(RAM_PRICE, max(1, round(board.lut / (2 * board.bram36))), max(1, round(board.lut / board.dsp)))


def decide(
    graph: Graph,
    board: Board,
    outer: Outer,
    clock_mhz: float,
    target_fps: TargetFps | None,
    given: Folding,
    search: Search,
    margin: Area = NO_MARGIN,
) -> Choice:
    """Decide the folding of a hardware graph that is not folded yet.

    With a target the solver chooses: least area at a rate, or with "max" the highest rate that fits the budget. Without
    one, or where the network branches, each layer follows the rule.

    Args:
        graph: hardware graph.
        board: whose budget counts.
        outer: what surrounds the layers.
        clock_mhz: clock of the logic.
        target_fps: frames a second, "max" or None.
        given: layers that are decided.
        search: budget and time of the solver.
        margin: what the solver has to leave of the budget, for what it does not see.

    Raises:
        QnnError: naming the layer or resource at fault.
    """
    layers = foldable_layers(graph)
    unknown = given.keys() - {layer.name for layer in layers}
    if unknown:
        raise QnnError(f"folding: no layer is named {min(unknown)!r}; layers: {', '.join(x.name for x in layers)}")
    for layer in layers:
        if layer.name in given:
            layer.check(given[layer.name])
    if len(given) == len(layers):
        return Choice(given, "file")
    rate = DEFAULT_TARGET_FPS if target_fps is None else target_fps
    cycles = None if rate == "max" else int(min(clock_mhz * 1e6 / rate, _ANY_CYCLES))
    if target_fps is None or (cycles is not None and branches(graph)):
        assert cycles is not None
        if search.is_limited:
            raise QnnError(
                "max_lut, max_bram36, max_dsp: the solver alone keeps a budget, and here each layer follows the rule ("
                + ("the network branches); leave the budget out" if target_fps else "no target); give target_fps, too")
            )
        by_rule = choose_folding(graph, cycles, skip=frozenset(given))
        return Choice({layer.name: given.get(layer.name) or by_rule[layer.name] for layer in layers}, "rule")
    search.progress("estimating foldings")
    problem = pose(graph, outer, given, cycles)
    goal = Goal(search.budget(board).less(margin), prices(board), cycles, search.time_limit_s)
    solution = solve(problem, goal, search.progress)
    chosen: dict[str, LayerFolding] = {
        name: candidate.folding for name, candidate in zip(problem.layers, solution.chosen, strict=True)
    }
    return Choice({layer.name: given.get(layer.name) or chosen[layer.name] for layer in layers}, "solver", solution)
