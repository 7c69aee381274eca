# SPDX-License-Identifier: Apache-2.0
"""The cycle model against RTL simulation on held-out random networks, foldings, queues and boards.

    python benchmarks/cycle_model.py

Prints the error table and writes every point to `benchmarks/data/cycle_model.json`. Run in the repository; needs what
`qnn-hw simulate` needs. The networks of a build lie side by side in one simulation (`tests/analysis/cores.py`).
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from qnn_hw.analysis.schedule import DeadlockError, schedule  # noqa: E402
from qnn_hw.folding.fifos import with_depths  # noqa: E402
from qnn_hw.ir.graph import Graph  # noqa: E402
from tests.analysis.cores import Measured, simulate_cores  # noqa: E402
from tests.analysis.random_points import Point, random_point, short_queues  # noqa: E402

DEVELOPMENT_SEEDS = range(0, 100_000)
"""Networks that may be looked at while the model changes."""

HELD_OUT_SEEDS = range(100_000, 100_220)
"""Networks of the error table; nothing was fitted to them, and nothing may be."""

SHORT_QUEUE_SEEDS = range(110_000, 110_044)
"""Held out, too; queues of these networks are so short that bursts, not stages, set many an interval."""

FRAMES = 24
"""Frames sent through each network without a pause."""

POINTS_A_BUILD = 22

OUTPUT = REPOSITORY / "benchmarks" / "data" / "cycle_model.json"


@dataclass(frozen=True, slots=True)
class Result:
    """One network: what the model says and what simulation shows.

    Attributes:
        seed, text: which network.
        interval_model, interval_rtl: steady interval of the model; distance of the last two of `FRAMES` frames.
        latency_model, latency_rtl: cycles of the first frame.
        formula: the greatest number of cycles a stage has work for, which is what a formula can know.
        frames_equal: whether all `FRAMES` frame ends are equal, cycle for cycle.
        stuck_model, stuck_rtl: whether it says, or shows, a deadlock; then the other values are 0.
        marks, marks_equal: queues, and how many have the same high-water mark after `FRAMES` frames.
        seconds: CPU time of the model, steady state included.
    """

    seed: int
    text: str
    interval_model: float
    interval_rtl: int
    latency_model: int
    latency_rtl: int
    formula: int
    frames_equal: bool
    marks: int
    marks_equal: int
    seconds: float
    stuck_model: bool = False
    stuck_rtl: bool = False


def measure(seeds: range, folder: Path, short: bool) -> list[Result]:
    """Simulate the networks of `seeds` in one build, with short queues or their own; compare each with the model."""
    points = [random_point(seed) for seed in seeds]
    graphs = [point.accelerator.folded for point in points]
    if short:
        graphs = [with_depths(graph, short_queues(point)) for graph, point in zip(graphs, points, strict=True)]
    cores = [(graph, point.accelerator.outside) for graph, point in zip(graphs, points, strict=True)]
    measured = simulate_cores(cores, folder, frames=FRAMES)
    return [_compare(*one) for one in zip(points, graphs, measured, strict=True)]


def _compare(point: Point, graph: Graph, rtl: Measured) -> Result:
    outside, stuck = point.accelerator.outside, len(rtl.frame_ends) < FRAMES
    started = time.process_time()
    try:
        steady = schedule(graph, outside)
        same = schedule(graph, outside, frames=FRAMES)
    except DeadlockError:
        return Result(point.seed, point.text, 0, 0, 0, 0, 0, False, 0, 0, 0, stuck_model=True, stuck_rtl=stuck)
    if stuck:
        return Result(point.seed, point.text, 0, 0, 0, 0, 0, False, 0, 0, 0, stuck_rtl=True)
    marks = [rtl.marks[queue.name] == queue.high_water for queue in same.queues]
    return Result(
        seed=point.seed,
        text=point.text,
        interval_model=steady.interval_cycles,
        interval_rtl=rtl.interval_cycles,
        latency_model=steady.latency_cycles,
        latency_rtl=rtl.frame_ends[0],
        formula=max(stage.cycles for stage in steady.stages),
        frames_equal=same.frame_ends == rtl.frame_ends,
        marks=len(marks),
        marks_equal=sum(marks),
        seconds=time.process_time() - started,
    )


def table(groups: dict[str, list[Result]]) -> str:
    """The error table as Markdown, a column a group of networks."""
    columns = [_column(results) for results in groups.values()]
    lines = ["| | " + " | ".join(groups) + " |", "| --- |" + " --- |" * len(groups)]
    lines += [f"| {name} | " + " | ".join(column[name] for column in columns) + " |" for name in columns[0]]
    every = [result for results in groups.values() for result in results]
    wrong = [r for r in every if not r.frames_equal and not (r.stuck_model and r.stuck_rtl)]
    wrong += [r for r in every if r.frames_equal and r.interval_model != r.interval_rtl]
    if wrong:
        lines += [
            "",
            "| wrong: seed | network | interval model / RTL | latency model / RTL |",
            "| --- | --- | --- | --- |",
        ]
        for r in sorted(wrong, key=lambda r: r.seed):
            pair = f"{r.interval_model:g} / {r.interval_rtl} | {r.latency_model} / {r.latency_rtl}"
            lines.append(f"| {r.seed} | {r.text} | {pair} |")
    return "\n".join(lines)


def _column(results: list[Result]) -> dict[str, str]:
    moving = [r for r in results if not r.stuck_model and not r.stuck_rtl]
    n = len(moving)
    errors = [abs(r.latency_model / r.latency_rtl - 1) for r in moving]
    exact = sum(r.interval_model == r.interval_rtl for r in moving)
    seconds = [r.seconds for r in moving]
    simple = sum(r.formula == r.interval_rtl for r in moving)
    longest = max(r.interval_rtl / r.formula for r in moving)
    stuck = [r for r in results if r.stuck_model or r.stuck_rtl]
    return {
        "networks": str(len(results)),
        "deadlock, foreseen": f"{len(stuck)}, {sum(r.stuck_model == r.stuck_rtl for r in stuck)}",
        "frame interval exact": f"{exact} of {n} ({exact / n:.1%})",
        "all of the first frames end in the predicted cycle": f"{sum(r.frames_equal for r in moving)} of {n}",
        "first-frame latency, error: median": f"{statistics.median(errors):.3%}",
        "first-frame latency, error: greatest": f"{max(errors):.3%}",
        "high-water marks equal": f"{sum(r.marks_equal for r in moving)} of {sum(r.marks for r in moving)}",
        "interval = work of the busiest stage": f"{simple} of {n}, else up to {longest:.2f} times it",
        "CPU seconds a network: median, greatest": f"{statistics.median(seconds):.3f}, {max(seconds):.2f}",
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--development", type=int, metavar="N", help="N networks of the development seeds; writes nothing"
    )
    parser.add_argument("--print", action="store_true", help="only print the table of the last run")
    options = parser.parse_args()
    if options.print:
        stored = json.loads(OUTPUT.read_text())["groups"]
        print(table({name: [Result(**point) for point in points] for name, points in stored.items()}))
        return
    if options.development:
        groups = {"development": (DEVELOPMENT_SEEDS[: options.development], False)}
        groups["short queues"] = (DEVELOPMENT_SEEDS[-options.development :], True)
    else:
        groups = {"held out": (HELD_OUT_SEEDS, False), "held out, short queues": (SHORT_QUEUE_SEEDS, True)}
    results: dict[str, list[Result]] = {}
    with tempfile.TemporaryDirectory(prefix="cycle-model-") as folder:
        for name, (seeds, short) in groups.items():
            found = results.setdefault(name, [])
            for first in range(0, len(seeds), POINTS_A_BUILD):
                part = seeds[first : first + POINTS_A_BUILD]
                found += measure(part, Path(folder) / str(part.start), short)
                print(f"{name}: {len(found)} of {len(seeds)} networks", file=sys.stderr, flush=True)
    print(table(results))
    if not options.development:
        OUTPUT.parent.mkdir(exist_ok=True)
        stored = {name: [asdict(result) for result in found] for name, found in results.items()}
        OUTPUT.write_text(json.dumps({"frames": FRAMES, "groups": stored}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
