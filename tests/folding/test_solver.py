# SPDX-License-Identifier: Apache-2.0
"""The solver against exhaustive search, and what it says where there is no solution."""

import itertools
import random
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from qnn_hw.errors import QnnError
from qnn_hw.folding.model import LayerFolding
from qnn_hw.folding.solver import Area, Candidate, Goal, Problem, solve

ROOT = Path(__file__).resolve().parents[2]
AMPLE = Area(10**6, 10**6, 10**6)
LUT_ONLY = Area(lut=1)


def _random_problem(seed: int, n_segments: int = 3) -> Problem:
    rng = random.Random(seed)

    def area() -> Area:
        return Area(rng.randrange(10, 500), rng.randrange(0, 4), rng.randrange(0, 3))

    lanes = (1, 2, 4)
    candidates = tuple(
        tuple(
            Candidate(LayerFolding(k + 1, 1), rng.choice(lanes), rng.choice(lanes), rng.randrange(10, 300), area())
            for k in range(rng.randrange(2, 6))
        )
        for _ in range(n_segments)
    )
    junctions = tuple(
        {pair: Area() if pair[0] == pair[1] else area() for pair in itertools.product(lanes, lanes) if sum(pair) != 5}
        for _ in range(n_segments - 1)
    )
    return Problem(
        tuple(f"l{i}" for i in range(n_segments)), candidates, junctions, area(), rng.randrange(10, 60), "dma_in"
    )


def _designs(problem: Problem):
    """Every combination that can be connected: (cycles, area)."""
    for chosen in itertools.product(*problem.candidates):
        pairs = [(a.lanes_out, b.lanes_in) for a, b in itertools.pairwise(chosen)]
        if all(pair in junction for pair, junction in zip(pairs, problem.junctions, strict=True)):
            area = sum((junction[pair] for pair, junction in zip(pairs, problem.junctions, strict=True)), problem.fixed)
            yield max(problem.fixed_cycles, *(c.cycles for c in chosen)), sum((c.area for c in chosen), area)


def _fits(area: Area, budget: Area) -> bool:
    return area.lut <= budget.lut and area.bram18 <= budget.bram18 and area.dsp <= budget.dsp


def _price(area: Area, weights: Area) -> int:
    return area.lut * weights.lut + area.bram18 * weights.bram18 + area.dsp * weights.dsp


def _compare(seeds: Iterable[int]) -> None:
    """Search and exhaustive search on random problems; runs in a process without TensorFlow (see `cp_sat`)."""
    from qnn_hw.folding.cp_sat import search

    solved = 0
    for seed in seeds:
        problem = _random_problem(seed)
        target = 200 if seed % 2 else None
        budget, weights = Area(1000, 7, 7), Area(2, 50, 70)
        designs = [
            (cycles if target is None else 0, _price(area, weights))
            for cycles, area in _designs(problem)
            if (target is None or cycles <= target) and _fits(area, budget)
        ]
        try:
            found = search(problem, Goal(budget, weights, target), lambda text: None)
        except QnnError:
            assert not designs, f"seed {seed}: exhaustive search finds {min(designs)}, the solver nothing"
            continue
        assert (found.cycles if target is None else 0, found.price) == min(designs), f"seed {seed}"
        assert found.optimal and found.gap == 0 and _fits(found.area, budget), f"seed {seed}: {found}"
        solved += 1
    print(solved)


def test_the_best_folding_is_that_of_exhaustive_search():
    """Least area at a target, and fewest cycles that fit, then least area: 60 random problems."""
    command = "from tests.folding.test_solver import _compare; _compare(range(60))"
    run = subprocess.run([sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) > 20  # the others have no design


def test_a_solution_comes_back_from_the_process_of_the_solver():
    solution = solve(_random_problem(2), Goal(AMPLE, LUT_ONLY, 290))
    assert solution.optimal and solution.cycles <= 290
    assert solution.price == min(area.lut for cycles, area in _designs(_random_problem(2)) if cycles <= 290)


def _single(area: Area, cycles: int = 100) -> Problem:
    candidate = Candidate(LayerFolding(1, 1), 1, 1, cycles, area)
    return Problem(("fc1",), ((candidate,),), (), Area(), 8, "dma_in")


def test_an_unreachable_target_names_the_layer_and_the_factor():
    with pytest.raises(
        QnnError, match=r"fc1: the target allows 40 cycles a frame, its fastest folding takes 100 \(2\.5 t"
    ):
        solve(_single(Area(5)), Goal(AMPLE, LUT_ONLY, 40))


def test_a_stream_that_is_too_slow_is_named():
    with pytest.raises(QnnError, match="dma_in: the target allows 4 cycles a frame, this stream takes 8"):
        solve(_single(Area(5), cycles=2), Goal(AMPLE, LUT_ONLY, 4))


@pytest.mark.parametrize(
    "area, message",
    [
        (Area(lut=700), "needs 700 LUT, 200 more than the budget of 500"),
        (Area(bram18=7), "needs 7 RAMB18, 2 more than the budget of 5"),
        (Area(dsp=9), "needs 9 DSP, 4 more than the budget of 5"),
    ],
)
@pytest.mark.parametrize("target", [None, 100])
def test_a_budget_below_the_smallest_design_names_the_resource_and_by_how_much(area, message, target):
    with pytest.raises(QnnError, match=message):
        solve(_single(area), Goal(Area(500, 5, 5), LUT_ONLY, target))


def test_budgets_that_exclude_each_other():
    lut_design = Candidate(LayerFolding(1, 1), 1, 1, 10, Area(lut=900))
    ram_design = Candidate(LayerFolding(2, 1), 1, 1, 10, Area(lut=10, bram18=40))
    problem = Problem(("fc1",), ((lut_design, ram_design),), (), Area(), 1, "dma_in")
    with pytest.raises(QnnError, match=r"with the block RAM and DSP allowed, .* needs 900 LUT, 400 more than .* 500"):
        solve(problem, Goal(Area(500, 20, 5), LUT_ONLY))


def test_time_over_before_anything_is_known():
    with pytest.raises(QnnError, match="no solution within 0 s and no proof that there is none; give more time"):
        solve(_random_problem(1, 8), Goal(Area(10**5, 50, 50), LUT_ONLY, 290, time_limit_s=0.0))


def test_progress_is_told():
    said: list[str] = []
    solve(_random_problem(2), Goal(AMPLE, LUT_ONLY), said.append)
    assert any("fewest cycles a frame: " in text for text in said) and any(
        "least price of the area: " in text for text in said
    )
