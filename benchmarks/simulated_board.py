# SPDX-License-Identifier: Apache-2.0
"""Clock cycles and images a second of the simulated board's accelerator and of the cocotb bench, in one run, as ratios.

    python benchmarks/simulated_board.py BUILD [BUILD ...]

Both run the RTL of the same build and its golden frames, without pauses. CPU time of one process, best of three; of
the bench the difference of a long and a short run counts, so that starting it does not.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from qnn_hw.ir.packing import pack_frames, unpack_words
from qnn_hw.simulation import simulate
from qnn_hw.simulation.board.rtl import Model
from qnn_hw.simulation.board_library import board_library
from qnn_hw.tables import table, to_text

REPEATS = 3
BOARD_CYCLES = 2_000_000
BENCH_CYCLES = 400_000


def board_rate(build: Path) -> tuple[float, float]:
    """Return cycles and images a CPU second of the simulated board's accelerator."""
    facts = json.loads((build / "qnn.json").read_text(encoding="utf-8"))
    n_frames = max(1, BOARD_CYCLES // facts["predicted"]["interval_cycles"])
    chosen = np.arange(n_frames) % len(np.load(build / "golden" / "input.npy"))
    codes = np.load(build / "golden" / "input.npy")[chosen].reshape(n_frames, -1)
    words = np.load(build / "golden" / f"{facts['result']['stream']}.npy")[chosen].reshape(n_frames, -1)
    source = pack_frames(codes, facts["input"]["wire_bits"], facts["dma_width_bits"]).reshape(-1)
    result = np.zeros(n_frames * facts["frame_beats_out"] * facts["dma_width_bits"] // 8, np.uint8)
    model = Model(board_library(build, progress=print), build / "rtl" / "data")
    rates = []
    for _ in range(REPEATS):
        cycles, started = model.cycles, time.process_time()
        model.s2mm(result, result.size)
        model.mm2s(source, source.size)
        while model.s2mm_state() == "running":
            model.advance(100_000)
        seconds = time.process_time() - started
        if not np.array_equal(unpack_words(result.reshape(n_frames, -1), words.shape[1]), words):
            raise SystemExit(f"{build}: wrong results")
        rates.append(((model.cycles - cycles) / seconds, n_frames / seconds))
    return max(rates)


def bench_rate(build: Path) -> float:
    """Return cycles a CPU second of the cocotb bench."""
    interval = json.loads((build / "qnn.json").read_text(encoding="utf-8"))["predicted"]["interval_cycles"]
    frames = (100, 100 + max(1, BENCH_CYCLES // interval))
    with tempfile.TemporaryDirectory() as folder:
        seconds = []
        for count in frames:
            runs = []
            for _ in range(REPEATS + 1):  # the first one may compile
                before = _children_seconds()
                verdict = simulate(build, work_dir=Path(folder), frames=count, scenarios=["steady"])
                runs.append(_children_seconds() - before)
                if not verdict.passed:
                    raise SystemExit(str(verdict))
            seconds.append(min(runs))
    return (frames[1] - frames[0]) * interval / (seconds[1] - seconds[0])


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("builds", nargs="+", type=Path, metavar="BUILD", help="a folder that `qnn-hw build` wrote")
    rows = []
    for build in parser.parse_args().builds:
        cycles, images = board_rate(build)
        bench = bench_rate(build)
        rows.append([build.name, f"{cycles / 1e6:.2f}", round(images), f"{bench / 1e6:.3f}", round(cycles / bench, 1)])
    columns = ("build", "board, Mcycles/CPU s", "images/CPU s", "cocotb bench, Mcycles/CPU s", "times the bench")
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(to_text(table(f"Simulated board (load of the machine: {load})", columns, rows)))


if __name__ == "__main__":
    main()
