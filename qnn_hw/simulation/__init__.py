# SPDX-License-Identifier: Apache-2.0
"""Simulation of a build: the testbench it carries along, and running it.

`write_bench` puts the testbench into a build, `simulate` runs it; both use `bench/`, which travels with the build.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from qnn_hw.resources import resource_dir
from qnn_hw.simulation.bench import BACKENDS, SCENARIOS, Backend, ScenarioVerdict, Verdict
from qnn_hw.simulation.bench import simulate as _simulate
from qnn_hw.simulation.bench.runner import TB_FILES
from qnn_hw.simulation.testbench import StreamProbe, render_testbench
from qnn_hw.simulation.verilator import SimBinary, SimResult, build, cache_folder, find_verilator, run, with_qnn_error

BENCH_FOLDER = Path(__file__).resolve().parent / "bench"

simulate = with_qnn_error(_simulate)


def write_bench(build_dir: Path, testbench: str) -> tuple[Path, ...]:
    """Write the `sim` folder of the build in `build_dir` and return its files.

    Args:
        build_dir: the build folder; its `sim/` is created if missing.
        testbench: what `render_testbench` returned, written as `sim/qnn_tb.sv`.

    The folder runs by itself with numpy, cocotb and verilator: `make`, `pytest` or `python -m bench` in it.
    """
    sim = build_dir / "sim"
    library = resource_dir("rtl") / "tb"
    written = []
    for source, target in (
        *((path, sim / "bench" / path.name) for path in sorted(BENCH_FOLDER.glob("*.py"))),
        *((library / name, sim / "tb" / name) for name in TB_FILES),
        *((path, sim / path.name) for path in sorted((BENCH_FOLDER / "project").iterdir()) if path.is_file()),
    ):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        written.append(target)
    (sim / "qnn_tb.sv").write_text(testbench, encoding="utf-8")
    return (*written, sim / "qnn_tb.sv")


__all__ = [
    "BACKENDS",
    "SCENARIOS",
    "Backend",
    "ScenarioVerdict",
    "SimBinary",
    "SimResult",
    "StreamProbe",
    "Verdict",
    "build",
    "cache_folder",
    "find_verilator",
    "render_testbench",
    "run",
    "simulate",
    "with_qnn_error",
    "write_bench",
]
