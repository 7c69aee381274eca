# SPDX-License-Identifier: Apache-2.0
"""The HLS C++ of a build in cocotb: the testbench that judges the RTL judges it, with stalls and resets."""

import os
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from qnn_hw.backends.hls.cosim import cosim_timing, print_cosim_core
from qnn_hw.folding import LayerFolding
from qnn_hw.simulation import BACKENDS, SCENARIOS, Verdict, find_verilator, simulate
from qnn_hw.simulation.bench.judge import read_runs
from tests.random_nets import Block, Conv, Net
from tests.test_elaborations import Elaboration, accelerator

# Of the size of the demo's networks: a dense one on 64 pixels, a convolutional one with pool and zero padding.
DENSE = Elaboration(Net((64,), dense=(32, 32)), folding=(("fc0", LayerFolding(4, 8)), ("fc1", LayerFolding(4, 8))))
CONV = Elaboration(
    Net((8, 8, 2), (Conv(4, pool=(2, 2)), Conv(6, same=True)), (8,), classes=4),
    folding=(("conv0", LayerFolding(1, 6)), ("conv1", LayerFolding(2, 12))),
)
RESIDUAL = Elaboration(
    Net((6, 6, 3), (Conv(8, same=True),), blocks=(Block(8, adds_accumulators=True),), classes=4),
    folding=(("conv0", LayerFolding(2, 9)),),
)
CASES = {"dense": DENSE, "conv": CONV, "residual": RESIDUAL}


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("cosim")
    return {name: accelerator(case, 5).write(folder / name) for name, case in CASES.items()}


@pytest.mark.parametrize("backend", BACKENDS[:2])
@pytest.mark.parametrize("name", CASES)
def test_both_backends_pass_every_scenario(name: str, backend: str, builds: dict[str, Path], tmp_path: Path) -> None:
    verdict = simulate(builds[name], backend=backend, work_dir=tmp_path, stall=0.6)
    assert verdict.passed, str(verdict)
    assert [scenario.name for scenario in verdict.scenarios] == list(SCENARIOS)
    if backend == "hls":
        assert verdict.measured["interval_cycles"] is None
        assert_within_bounds(tmp_path, CASES[name])


def assert_within_bounds(work_dir: Path, case: Elaboration) -> None:
    """The bounds the bench derives its time limits from hold in the steady run, the first."""
    bounds = cosim_timing(accelerator(case, 5).folded)
    run = read_runs(work_dir / "events.txt")[1]
    ends = run.frame_cycles
    assert ends[0] - int(run.source["first"]) <= bounds["latency_cycles"]
    assert max(b - a for a, b in pairwise(ends)) <= bounds["interval_cycles"]


def planted(build: Path, tmp_path: Path, header: str, right: str, wrong: str) -> Verdict:
    """Simulate a copy of the build in which one text of a copied HLS header is another."""
    folder = tmp_path / "build"
    shutil.copytree(build, folder)
    path = folder / "hls" / "include" / "qnn" / header
    text = path.read_text()
    assert text.count(right) == 1, f"{header}: {right!r} must be there once"
    path.write_text(text.replace(right, wrong))
    return simulate(folder, backend="hls", scenarios=["steady"])


@pytest.mark.parametrize(
    ("header", "right", "wrong", "stream"),
    [
        ("threshold.hpp", "value >= limit", "value > limit", "fc1"),
        ("dot_xnor.hpp", "agree = ~(", "agree = (", "fc1_acc"),
    ],
    ids=["threshold-compare", "popcount"],
)
def test_a_defect_in_a_header_is_located(
    header: str, right: str, wrong: str, stream: str, builds: dict[str, Path], tmp_path: Path
) -> None:
    verdict = planted(builds["dense"], tmp_path, header, right, wrong)
    assert verdict.findings, "the planted defect was not caught"
    assert verdict.findings[0].startswith(f"steady: stream {stream}: frame "), str(verdict)


def test_the_printed_core_is_lint_clean(builds: dict[str, Path], tmp_path: Path) -> None:
    """Everything that is printed under `hls/cosim`, with verilator -Wall; the stage module is the library's."""
    root = find_verilator()
    for name, build in builds.items():
        files = [str(path) for path in sorted((build / "hls" / "cosim").glob("*.sv"))]
        done = subprocess.run(
            [str(root / "bin" / "verilator"), "--lint-only", "-Wall", "--timing", "--top-module", "qnn_core", *files],
            env={**os.environ, "VERILATOR_ROOT": str(root)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{name}:\n{done.stderr}"


def test_streams_have_the_names_of_the_rtl(builds: dict[str, Path]) -> None:
    """The monitors look into both cores at the same places."""
    for name, build in builds.items():
        wires = {
            line for line in (build / "rtl" / "qnn_core.sv").read_text().splitlines() if line.startswith("  logic ")
        }
        printed = set((build / "hls" / "cosim" / "qnn_core.sv").read_text().splitlines())
        assert {line for line in wires if "_t" in line} <= printed, name


def test_queues_and_renamings_are_wires() -> None:
    text = print_cosim_core(accelerator(CONV, 5).folded)
    assert "u_conv0_acc (" in text
    assert "assign flat_tdata  = conv1_tdata;" in text
    assert "fifo (" not in text
