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

from qnn_hw.analysis.schedule import schedule  # noqa: E402
from tests.analysis.cores import simulate_cores  # noqa: E402
from tests.analysis.random_points import random_point  # noqa: E402

DEVELOPMENT_SEEDS = range(0, 100_000)
"""Networks that may be looked at while the model changes."""

HELD_OUT_SEEDS = range(100_000, 100_220)
"""Networks of the error table; nothing was fitted to them, and nothing may be."""

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

    @property
    def latency_error(self) -> float:
        """Relative, signed."""
        return self.latency_model / self.latency_rtl - 1


def measure(seeds: range, folder: Path) -> list[Result]:
    """Simulate the networks of `seeds` in one build and compare each with the model."""
    points = [random_point(seed) for seed in seeds]
    cores = [(point.accelerator.folded, point.accelerator.outside) for point in points]
    measured = simulate_cores(cores, folder, frames=FRAMES)
    results = []
    for point, (graph, outside), rtl in zip(points, cores, measured, strict=True):
        started = time.process_time()
        steady = schedule(graph, outside)
        seconds = time.process_time() - started
        same = schedule(graph, outside, frames=FRAMES)
        marks = [rtl.marks[queue.name] == queue.high_water for queue in same.queues]
        results.append(
            Result(
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
                seconds=seconds,
            )
        )
    return results


def table(results: list[Result]) -> str:
    """The error table as Markdown."""
    n = len(results)
    errors = [abs(r.latency_error) for r in results]
    exact = sum(r.interval_model == r.interval_rtl for r in results)
    simple = sum(r.formula == r.interval_rtl for r in results)
    ratios = [r.interval_rtl / r.formula for r in results]
    rows = [
        ("networks", f"{n}"),
        ("frame interval exact", f"{exact} of {n} ({exact / n:.1%})"),
        ("every one of the first frames ends in the predicted cycle", f"{sum(r.frames_equal for r in results)} of {n}"),
        ("first-frame latency, error", f"median {statistics.median(errors):.3%}, greatest {max(errors):.3%}"),
        ("high-water marks equal", f"{sum(r.marks_equal for r in results)} of {sum(r.marks for r in results)}"),
        ("interval exact by the busiest stage alone", f"{simple} of {n}; it is up to {max(ratios):.2f} times as long"),
        (
            "model, CPU seconds a network",
            f"median {_median(results):.3f}, greatest {max(r.seconds for r in results):.2f}",
        ),
    ]
    lines = ["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows)]
    wrong = [r for r in results if r.interval_model != r.interval_rtl or not r.frames_equal]
    worst = sorted(wrong or results, key=lambda r: -abs(r.latency_error))[: len(wrong) or 3]
    lines += ["", "Worst:" if wrong else "No network is wrong; those with the greatest latency error:", ""]
    lines += [
        "| seed | network | interval model / RTL | latency model / RTL |",
        "| --- | --- | --- | --- |",
        *(
            f"| {r.seed} | {r.text} | {r.interval_model:g} / {r.interval_rtl} | {r.latency_model} / {r.latency_rtl} |"
            for r in worst
        ),
    ]
    return "\n".join(lines)


def _median(results: list[Result]) -> float:
    return statistics.median(r.seconds for r in results)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--development", type=int, metavar="N", help="N networks of the development seeds; writes nothing"
    )
    parser.add_argument("--points", type=int, default=len(HELD_OUT_SEEDS), help="held-out networks, the first ones")
    parser.add_argument("--print", action="store_true", help="only print the table of the last run")
    options = parser.parse_args()
    if options.print:
        print(table([Result(**point) for point in json.loads(OUTPUT.read_text())["points"]]))
        return
    seeds = DEVELOPMENT_SEEDS[: options.development] if options.development else HELD_OUT_SEEDS[: options.points]
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="cycle-model-") as folder:
        for first in range(0, len(seeds), POINTS_A_BUILD):
            part = seeds[first : first + POINTS_A_BUILD]
            results += measure(part, Path(folder) / str(part.start))
            print(f"{len(results)} of {len(seeds)} networks", file=sys.stderr, flush=True)
    print(table(results))
    if not options.development:
        OUTPUT.parent.mkdir(exist_ok=True)
        facts = {"frames": FRAMES, "points": [asdict(result) for result in results]}
        OUTPUT.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
