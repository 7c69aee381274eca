# SPDX-License-Identifier: Apache-2.0
"""The search of `solver.solve` by OR-Tools CP-SAT, in a process of its own: `python -m qnn_hw.folding.cp_sat RESULT`.

OR-Tools 9.15 and TensorFlow 2.21 bring different versions of the same C++ libraries: a model solved in a process that
has imported TensorFlow before ends in a segmentation fault.
"""

import pickle
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ortools.sat.python import cp_model

from qnn_hw.errors import QnnError
from qnn_hw.folding.solver import RESOURCES, UNITS, Area, Goal, Problem, Progress, Solution

N_SEARCHES = 4
"""Strategies that search side by side."""


def search(problem: Problem, goal: Goal, progress: Progress) -> Solution:
    """Do the work of `solver.solve`."""
    started = time.monotonic()
    target, cycles_bound = goal.target_cycles, 0
    if target is not None:
        _check_target(problem, target)
    else:
        fastest = _Model(problem, goal, None)
        fastest.solver_model.minimize(fastest.cycles)
        found = fastest.run(goal.time_limit_s / 2, lambda text: progress(f"folding, fewest cycles a frame: {text}"))
        if found is None:
            raise _too_small(problem, goal)
        target, cycles_bound = found.value(fastest.cycles), int(found.best_bound)
    model = _Model(problem, goal, target)
    model.solver_model.minimize(model.price)
    left_s = max(0.0, goal.time_limit_s - (time.monotonic() - started))
    found = model.run(left_s, lambda text: progress(f"folding, least price of the area: {text}"))
    if found is None:
        raise _too_small(problem, goal)
    chosen = tuple(
        candidate
        for choices, candidates in zip(model.choices, problem.candidates, strict=True)
        for choice, candidate in zip(choices, candidates, strict=True)
        if found.value(choice)
    )
    cycles = max([problem.fixed_cycles, *(candidate.cycles for candidate in chosen)])
    return Solution(
        chosen=chosen,
        cycles=cycles,
        area=Area(**{name: found.value(model.area[name]) for name in RESOURCES}),
        price=round(found.objective),
        bound=int(found.best_bound),
        cycles_bound=cycles if goal.target_cycles is not None else cycles_bound,
        seconds=time.monotonic() - started,
    )


@dataclass(frozen=True, slots=True)
class _Found:
    objective: float
    best_bound: float
    value: Callable[[cp_model.LinearExprT], int]


class _Model:
    """The variables of a problem; the caller sets the objective."""

    def __init__(
        self,
        problem: Problem,
        goal: Goal,
        target_cycles: int | None,
        budgeted: Sequence[str] = RESOURCES,
    ) -> None:
        model = cp_model.CpModel()
        self.solver_model = model
        self.choices = [[model.new_bool_var("") for _ in candidates] for candidates in problem.candidates]
        terms: list[tuple[Area, cp_model.IntVar]] = []
        slowest = max(c.cycles for candidates in problem.candidates for c in candidates)
        self.cycles = model.new_int_var(problem.fixed_cycles, max(slowest, problem.fixed_cycles), "cycles")
        for choices, candidates in zip(self.choices, problem.candidates, strict=True):
            model.add_exactly_one(choices)
            model.add(sum(c.cycles * x for c, x in zip(candidates, choices, strict=True)) <= self.cycles)
            terms += [(c.area, x) for c, x in zip(candidates, choices, strict=True)]
            if target_cycles is not None:
                for c, x in zip(candidates, choices, strict=True):
                    if c.cycles > target_cycles:
                        model.add(x == 0)
        for i, junction in enumerate(problem.junctions):
            left = {candidate.lanes_out for candidate in problem.candidates[i]}
            right = {candidate.lanes_in for candidate in problem.candidates[i + 1]}
            pairs = {pair: model.new_bool_var("") for pair in junction if pair[0] in left and pair[1] in right}
            self._connect(problem, i, pairs)
            terms += [(junction[pair], taken) for pair, taken in pairs.items()]
        self.area = {
            name: getattr(problem.fixed, name) + sum(getattr(area, name) * x for area, x in terms) for name in RESOURCES
        }
        for name in budgeted:
            model.add(self.area[name] <= getattr(goal.budget, name))
        self.price = sum(getattr(goal.weights, name) * self.area[name] for name in RESOURCES)

    def _connect(self, problem: Problem, i: int, pairs: Mapping[tuple[int, int], cp_model.IntVar]) -> None:
        """A pair of lanes is paid exactly where both neighbours use it: a transport problem, tight when relaxed."""
        for side, segment, lanes_of in ((0, i, "lanes_out"), (1, i + 1, "lanes_in")):
            by_lanes: dict[int, list[cp_model.IntVar]] = {}
            for candidate, choice in zip(problem.candidates[segment], self.choices[segment], strict=True):
                by_lanes.setdefault(getattr(candidate, lanes_of), []).append(choice)
            for lanes, choices in by_lanes.items():
                joined = [x for pair, x in pairs.items() if pair[side] == lanes]
                self.solver_model.add(sum(joined) == sum(choices))

    def run(self, time_limit_s: float, progress: Progress) -> _Found | None:
        """Search; None if there is no solution, QnnError if the time ended before that was known."""

        class Teller(cp_model.CpSolverSolutionCallback):
            def on_solution_callback(self) -> None:
                progress(f"{self.objective_value:,.0f} found, at least {self.best_objective_bound:,.0f} proven")

        solver = cp_model.CpSolver()
        solver.parameters.max_time_in_seconds = time_limit_s
        solver.parameters.num_workers = N_SEARCHES
        solver.parameters.interleave_search = True  # in turns, so that the same problem gives the same solution
        solver.parameters.random_seed = 1
        status = solver.solve(self.solver_model, Teller())
        if status == cp_model.INFEASIBLE:
            return None
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            raise QnnError(
                f"folding: no solution within {time_limit_s:.0f} s and no proof that there is none; give more time "
                "(--time-limit) or a lower target"
            )
        return _Found(solver.objective_value, solver.best_objective_bound, solver.value)


def _check_target(problem: Problem, target: int) -> None:
    for name, candidates in zip(problem.layers, problem.candidates, strict=True):
        fastest = min(candidate.cycles for candidate in candidates)
        if fastest > target:
            factor = f" ({fastest / target:.3g} times as many)" if target and fastest >= 1.01 * target else ""
            raise QnnError(
                f"{name}: the target allows {target:,} cycles a frame, its fastest folding takes {fastest:,}{factor}; "
                "lower target_fps or raise clock_mhz"
            )
    if problem.fixed_cycles > target:
        raise QnnError(
            f"{problem.fixed_stage}: the target allows {target:,} cycles a frame, this stream takes "
            f"{problem.fixed_cycles:,}; lower target_fps or raise clock_mhz"
        )


def _too_small(problem: Problem, goal: Goal) -> QnnError:
    """Say by how much the budget is missed, and of which resource: the least of each one by itself."""
    wanted = "" if goal.target_cycles is None else f" at {goal.target_cycles:,} cycles a frame"
    for name in RESOURCES:
        model = _Model(problem, goal, goal.target_cycles, budgeted=())
        model.solver_model.minimize(model.area[name])
        found = model.run(goal.time_limit_s / 4, lambda text: None)
        if found is None:  # without budgets and with a target every layer meets, only the junctions are left
            return QnnError(f"folding: no foldings{wanted} connect the layers with each other; lower the target")
        least, limit = round(found.objective), getattr(goal.budget, name)
        if least > limit:
            return QnnError(
                f"folding: even the smallest design{wanted} needs {least:,} {UNITS[name]}, {least - limit:,} more than "
                f"the budget of {limit:,}; lower the target, raise the budget or take a larger board"
            )
    over = _Model(problem, goal, goal.target_cycles, budgeted=("bram18", "dsp"))
    over.solver_model.minimize(over.area["lut"])
    found = over.run(goal.time_limit_s / 4, lambda text: None)
    if found is None:
        return QnnError(
            f"folding: no design{wanted} keeps the budgets of block RAM and DSP at once; lower the target or raise one"
        )
    missing = round(found.objective) - goal.budget.lut
    return QnnError(
        f"folding: with the block RAM and DSP allowed, the smallest design{wanted} needs {round(found.objective):,} "
        f"LUT, {missing:,} more than the budget of {goal.budget.lut:,}; lower the target, raise the budget or take a "
        "larger board"
    )


def main() -> None:
    """Read problem and goal from stdin; tell progress on stdout, a line each; write solution or error to the file."""
    problem, goal = pickle.load(sys.stdin.buffer)
    try:
        result: Solution | QnnError = search(problem, goal, lambda text: print(text, flush=True))
    except QnnError as error:
        result = error
    Path(sys.argv[1]).write_bytes(pickle.dumps(result))


if __name__ == "__main__":
    main()
