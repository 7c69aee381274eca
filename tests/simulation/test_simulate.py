# SPDX-License-Identifier: Apache-2.0
"""The test bench on a hand-written core: what is right passes, each planted defect is found and named.

All tests share one Verilator build: the defects are planted at run time (`data/qnn_core.sv`).
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from qnn_hw.errors import QnnError
from qnn_hw.simulation import SCENARIOS, Verdict, simulate
from tests.simulation.summing import write_summing_build

WRONG_VALUE, HANG, UNSTABLE, TAKEN_BACK, NO_TLAST = 1, 2, 3, 4, 5


@pytest.fixture(scope="module")
def build_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_summing_build(tmp_path_factory.mktemp("summing") / "build")


def simulate_defect(build_dir: Path, work_dir: Path, defect: int, scenario: str) -> Verdict:
    return simulate(build_dir, work_dir=work_dir, plusargs=[f"+defect={defect}"], scenarios=[scenario])


def test_every_scenario_passes_on_a_right_core(build_dir: Path, tmp_path: Path) -> None:
    verdict = simulate(build_dir, work_dir=tmp_path)
    assert verdict.passed, str(verdict)
    assert [scenario.name for scenario in verdict.scenarios] == list(SCENARIOS)
    assert verdict.measured == {
        "first_latency_cycles": 20,
        "interval_cycles": 15,
        "predicted_interval_cycles": 15,
        "fifo_high_water": {"quads_fifo": 1},
    }
    assert json.loads(json.dumps(verdict.to_dict()))["passed"] is True


def test_golden_frames_repeat_when_there_are_fewer(build_dir: Path, tmp_path: Path) -> None:
    assert simulate(build_dir, work_dir=tmp_path, frames=12, scenarios=["steady"]).passed


def test_a_wrong_value_is_located_in_frame_row_column_channel(build_dir: Path, tmp_path: Path) -> None:
    verdict = simulate_defect(build_dir, tmp_path, WRONG_VALUE, "steady")
    frames = np.load(build_dir / "golden" / "quads.npy")
    want = int(frames[1, 2, 0, 0])  # beat 21 = frame 1, beat 6 of 15
    assert verdict.findings == (
        f"steady: stream quads: frame 1 (golden frame 1), row 2, column 0, channel 0: expected {want}, got {want + 1}"
        " (u10; beat 6, lane 0); 1 of 60 beats differ; behind it differ, too: outside output",
    )
    assert verdict.repeat == "python -m bench --frames 4 --seed 1 --stall 0.4 --scenarios steady"


def test_a_wrong_golden_word_is_located_by_lane(tmp_path: Path) -> None:
    folder = write_summing_build(tmp_path / "build")
    path = folder / "golden" / "pairs.npy"
    pairs = np.load(path)
    pairs[3, 4, 1, 1] ^= 1
    np.save(path, pairs)
    (finding,) = simulate(folder, scenarios=["steady"]).scenarios[0].details
    assert (finding["kind"], finding["stream"], finding["frame"]) == ("value", "pairs", 3)
    assert finding["coordinates"] == [4, 1, 1]
    assert (finding["want"], finding["got"]) == (pairs[3, 4, 1, 1], pairs[3, 4, 1, 1] ^ 1)


def test_a_core_that_hangs_is_named(build_dir: Path, tmp_path: Path) -> None:
    (finding,) = simulate_defect(build_dir, tmp_path, HANG, "steady").findings
    assert "stream pairs is stuck: it offers beat 6 and nobody takes it; stream quads behind it" in finding
    assert "quads 6/60 beats, TVALID=0 TREADY=1" in finding


def test_data_that_changes_while_it_waits_is_found(build_dir: Path, tmp_path: Path) -> None:
    findings = simulate_defect(build_dir, tmp_path, UNSTABLE, "stalls").findings
    assert findings[0].startswith("stalls: stream pairs: TDATA changed ")


def test_valid_taken_back_is_found(build_dir: Path, tmp_path: Path) -> None:
    findings = simulate_defect(build_dir, tmp_path, TAKEN_BACK, "stalls").findings
    assert findings[0].startswith("stalls: stream pairs: TVALID was taken back ")


def test_a_dropped_tlast_is_found(build_dir: Path, tmp_path: Path) -> None:
    (finding,) = simulate_defect(build_dir, tmp_path, NO_TLAST, "steady").findings
    assert finding.startswith("steady: outside output: TLAST is wrong on 1 beats, first in frame 3: ")


def test_a_wrong_graph_hash_is_found(build_dir: Path, tmp_path: Path) -> None:
    verdict = simulate(build_dir, work_dir=tmp_path, scenarios=["registers"], plusargs=["+qnn_data=/nowhere"])
    assert verdict.passed, "the first +qnn_data counts"
    folder = write_summing_build(tmp_path / "build")
    path = folder / "rtl" / "data" / "graph_hash.mem"
    path.write_text(path.read_text().replace("deadbeef", "deadbeee"))
    (finding,) = simulate(folder, scenarios=["registers"]).findings
    assert finding == (f"registers: register graph_hash word 2 (0x018): expected {0xDEADBEEF}, got {0xDEADBEEE}")


def test_the_sim_folder_runs_without_the_package(build_dir: Path) -> None:
    script = (
        "import sys, runpy; sys.modules['qnn_hw'] = None; sys.argv = ['bench', '--scenarios', 'steady'];"
        "runpy.run_module('bench', run_name='__main__')"
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=build_dir / "sim", env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "summing: passed" in done.stdout
    assert json.loads((build_dir / "sim" / "work" / "verdict.json").read_text())["passed"] is True


def test_unknown_scenario_is_refused(build_dir: Path) -> None:
    with pytest.raises(QnnError, match=r"scenario \['fast'\] is not known, allowed are steady, stalls"):
        simulate(build_dir, scenarios=["fast"])


def test_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(QnnError, match=r"qnn\.json: no such file"):
        simulate(tmp_path)


@pytest.mark.slow
def test_waveforms(build_dir: Path, tmp_path: Path) -> None:
    assert simulate(build_dir, work_dir=tmp_path, scenarios=["steady"], wave=True).passed
    assert "quads_tvalid" in (tmp_path / "dump.vcd").read_text()
