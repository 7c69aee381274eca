# SPDX-License-Identifier: Apache-2.0
"""The test bench on the compiled C++ stages, and on Verilog as Vitis HLS writes it: the summing core in both forms.

What is right passes the scenarios the RTL passes; planted defects, in C++ and in the stage module, are found and named.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from qnn_hw.errors import QnnError
from qnn_hw.simulation import SCENARIOS, simulate
from qnn_hw.simulation.bench import hls_code, verilator
from qnn_hw.simulation.bench.runner import build_simulator, find_design
from tests.simulation.summing import add_summing_hls, add_summing_verilog, write_summing_build

NOT_APPLICABLE = ("first_latency_cycles", "interval_cycles", "predicted_interval_cycles", "fifo_high_water")


# Planted in a copy of the stage module, chosen at run time by +defect=N, effective in the stage `quads`:
# before which text, and what.
RUN, CLEAR, WAITS = "      if (start) begin\n", "      m_axis_tvalid <= '0;\n", "|(m_axis_tvalid & ~m_axis_tready)"
STAGE_MODULE_DEFECTS = {
    "valid-taken-back": (RUN, f"if (planted && {WAITS}) m_axis_tvalid <= '0;"),
    "data-changes": (RUN, f"if (planted && {WAITS}) m_axis_tdata <= ~m_axis_tdata;"),
    "last-beat-lost": (RUN, "if (planted && offered[0] + 1 == OutBeats[31:0]) m_axis_tvalid <= '0;"),
    "reset-keeps-the-frame": (CLEAR, "if (planted) received[0] <= received[0];"),
}


@pytest.fixture(scope="module")
def build_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_summing_build(tmp_path_factory.mktemp("summing") / "build")
    add_summing_hls(folder)
    return folder


@pytest.fixture(scope="module")
def planted_build(build_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planted") / "build"
    shutil.copytree(build_dir, folder)
    path = folder / "hls" / "cosim" / "qnn_hls_stage.sv"
    text = path.read_text()
    for number, (place, defect) in enumerate(STAGE_MODULE_DEFECTS.values(), start=1):
        assert text.count(place) == 1, f"{place!r} must be there once"
        text = text.replace(place, defect.replace("planted", f'defect == {number} && name == "quads"') + "\n" + place)
    chosen = '  int defect;\n  initial if (!$value$plusargs("defect=%d", defect)) defect = 0;\n'
    path.write_text(text.replace("  string name = Name;\n", f"  string name = Name;\n{chosen}"))
    return folder


def test_every_scenario_passes_on_right_stages(build_dir: Path) -> None:
    verdict = simulate(build_dir, backend="hls", stall=0.7, seed=3)
    assert verdict.passed, str(verdict)
    assert [scenario.name for scenario in verdict.scenarios] == list(SCENARIOS)
    assert (build_dir / "sim" / "work-hls" / "events.txt").is_file()
    assert verdict.repeat.endswith(" --backend hls")
    assert verdict.to_dict()["backend"] == "hls"


def test_cycles_and_queues_are_not_applicable(build_dir: Path) -> None:
    verdict = simulate(build_dir, backend="hls", scenarios=["steady"])
    assert verdict.measured == dict.fromkeys(NOT_APPLICABLE)
    assert "interval_cycles: not applicable" in str(verdict)


def test_time_limits_follow_the_stages_instead_of_the_prediction(build_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "build"
    shutil.copytree(build_dir, folder, ignore=shutil.ignore_patterns("work*"))
    (folder / "hls" / "cosim" / "cosim.json").write_text('{"interval_cycles": 2000, "latency_cycles": 9000}')
    simulate(folder, backend="hls", scenarios=["registers"])
    config = json.loads((folder / "sim" / "work-hls" / "config.json").read_text())
    assert (config["watchdog_cycles"], config["drain_cycles"], config["hold_cycles"]) == (33_000, 4_000, 21_000)
    assert config["watchdog_cycles"] > config["hold_cycles"], "a pause of the sink would look like a core that hangs"


def test_a_defect_in_a_header_is_located_in_the_stage_that_uses_it_first(
    build_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QNN_TEST_DEFECT", "1")
    (finding,) = simulate(build_dir, backend="hls", work_dir=tmp_path, scenarios=["steady"]).findings
    assert finding.startswith("steady: stream pairs: frame 0 (golden frame 0), row 0, column 0, channel 0: "), finding
    assert finding.endswith("behind it differ, too: quads, outside output"), finding


def test_a_defect_in_a_stage_is_located_behind_right_ones(
    build_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QNN_TEST_DEFECT", "2")
    (finding,) = simulate(build_dir, backend="hls", work_dir=tmp_path, scenarios=["steady"]).findings
    assert finding.startswith("steady: stream quads: frame 0"), finding


def test_a_stage_the_code_lacks_is_named(build_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QNN_TEST_DEFECT", "3")
    with pytest.raises(QnnError, match="stage quads is not in the compiled HLS code; build again"):
        simulate(build_dir, backend="hls", work_dir=tmp_path, scenarios=["steady"])


def test_a_port_of_another_width_is_named(build_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QNN_TEST_DEFECT", "4")
    with pytest.raises(QnnError, match="stage pairs: output 0 of the compiled HLS code is not 15 beats of 18 bits"):
        simulate(build_dir, backend="hls", work_dir=tmp_path, scenarios=["steady"])


@pytest.mark.parametrize(
    ("defect", "scenario", "finding"),
    [
        ("valid-taken-back", "stalls", "stalls: stream quads: TVALID was taken back "),
        ("data-changes", "stalls", "stalls: stream quads: TDATA changed "),
        ("last-beat-lost", "steady", "steady: no progress for "),
        ("reset-keeps-the-frame", "soft_reset", "soft_reset: "),
    ],
    ids=STAGE_MODULE_DEFECTS,
)
def test_defects_of_the_stage_module_are_found(
    defect: str, scenario: str, finding: str, planted_build: Path, tmp_path: Path
) -> None:
    number = list(STAGE_MODULE_DEFECTS).index(defect) + 1
    verdict = simulate(
        planted_build, backend="hls", work_dir=tmp_path, scenarios=[scenario], plusargs=[f"+defect={number}"]
    )
    assert any(text.startswith(finding) for text in verdict.findings), str(verdict)


def test_what_the_compiler_refuses_is_shown_with_the_log(build_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "build"
    shutil.copytree(build_dir, folder)
    path = folder / "hls" / "include" / "summing.hpp"
    path.write_text(path.read_text().replace("#pragma once", "#pragma once\n#error refused"))
    with pytest.raises(QnnError, match=r"summing\.hpp:\d+:.* error: #error refused; .* in .*failed-build\.log"):
        simulate(folder, backend="hls", scenarios=["steady"])


def test_the_sim_folder_runs_the_stages_without_the_package(build_dir: Path) -> None:
    script = (
        "import sys, runpy; sys.modules['qnn_hw'] = None; sys.argv = ['bench', '--scenarios', 'steady', '--backend',"
        " 'hls']; runpy.run_module('bench', run_name='__main__')"
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=build_dir / "sim", env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "summing: passed" in done.stdout
    verdict = json.loads((build_dir / "sim" / "work-hls" / "verdict.json").read_text())
    assert (verdict["backend"], verdict["passed"]) == ("hls", True)


def test_headers_and_ap_types_are_in_the_key_of_a_simulator(
    build_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verilator, "_compile", lambda work, *_: (work / "simulator").touch())
    monkeypatch.setattr(verilator, "_runtime", lambda *_: Path())
    folder = tmp_path / "build"
    shutil.copytree(build_dir, folder)
    types = tmp_path / "vitis" / "include"
    types.mkdir(parents=True)
    (types / "ap_int.h").write_text("// one version\n")
    monkeypatch.setattr(hls_code.util, "find_spec", lambda name: None)
    monkeypatch.setenv("XILINX_HLS", str(types.parent))

    def key() -> str:
        return build_simulator(folder, design=find_design(folder, "hls"), cache_dir=tmp_path / "cache").key

    keys = [key()]
    for path in (
        types / "ap_int.h",
        folder / "hls" / "include" / "summing.hpp",
        folder / "hls" / "host" / "stages.cpp",
        folder / "hls" / "cosim" / "dpi.cpp",
        folder / "hls" / "cosim" / "qnn_hls_stage.sv",
    ):
        path.write_text(path.read_text() + "// changed\n")
        keys.append(key())
    assert len(set(keys)) == len(keys)
    moved = tmp_path / "elsewhere"
    folder.rename(moved)
    folder = moved
    assert key() == keys[-1], "the place of a build is no part of the key"


def test_ap_types_come_from_hls4ml_without_importing_it() -> None:
    script = "from qnn_hw.simulation.bench.hls_code import ap_types_dir; print(ap_types_dir())\n"
    script += "import sys; print(*(name for name in ('hls4ml', 'tensorflow') if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0].endswith("ap_types")
    assert done.stdout.splitlines()[1:] == [""]


def test_missing_ap_types_are_named(build_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hls_code.util, "find_spec", lambda name: None)
    monkeypatch.delenv("XILINX_HLS", raising=False)
    with pytest.raises(QnnError, match=r"ap_int\.h was not found; install it \(pip install 'hls4ml>=1\.3,<2'\)"):
        simulate(build_dir, backend="hls", work_dir=tmp_path)


def test_a_build_without_cxx_is_refused(tmp_path: Path) -> None:
    folder = write_summing_build(tmp_path / "build")
    with pytest.raises(
        QnnError, match=r"cosim\.json: no such file; this build has no HLS C\+\+ to simulate, build again"
    ):
        simulate(folder, backend="hls")
    (folder / "hls").mkdir()
    (folder / "hls" / hls_code.NOT_WRITTEN).write_text("fc1: a beat is too wide\n")
    for backend in ("hls", "hls-rtl"):
        with pytest.raises(QnnError, match=r"build: has no HLS C\+\+: fc1: a beat is too wide$"):
            simulate(folder, backend=backend)


def test_a_damaged_cosim_file_is_refused(build_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "build"
    shutil.copytree(build_dir, folder, ignore=shutil.ignore_patterns("work*"))
    (folder / "hls" / "cosim" / "cosim.json").write_text('{"interval_cycles": 16}')
    with pytest.raises(QnnError, match=r"cosim\.json: damaged \('latency_cycles'\); build again"):
        simulate(folder, backend="hls")


def test_unknown_backend_is_refused(build_dir: Path) -> None:
    with pytest.raises(QnnError, match=r"backend 'vhdl' is not known, allowed are rtl, hls, hls-rtl"):
        simulate(build_dir, backend="vhdl")
    with pytest.raises(QnnError, match=r"a folder with Verilog of Vitis HLS is for hls-rtl, not for hls"):
        simulate(build_dir, backend="hls", hls_verilog=build_dir)


@pytest.fixture(scope="module")
def verilog_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_summing_build(tmp_path_factory.mktemp("verilog") / "build")
    add_summing_hls(folder)
    add_summing_verilog(folder / "hls" / "vitis" / "solution1" / "syn" / "verilog")
    return folder


def test_every_scenario_passes_on_right_verilog(verilog_build: Path) -> None:
    verdict = simulate(verilog_build, backend="hls-rtl")
    assert verdict.passed, str(verdict)
    assert [scenario.name for scenario in verdict.scenarios] == list(SCENARIOS)
    assert verdict.measured == {
        "first_latency_cycles": 17,
        "interval_cycles": 16,
        "predicted_interval_cycles": 15,
        "fifo_high_water": None,
    }


def test_wrong_verilog_is_found_at_the_outside_output(verilog_build: Path, tmp_path: Path) -> None:
    folder = add_summing_verilog(tmp_path / "verilog")
    path = folder / "qnn_hls_core.v"
    path.write_text(path.read_text().replace("+ s_axis_TDATA[15:8]", "- s_axis_TDATA[15:8]"))
    verdict = simulate(verilog_build, backend="hls-rtl", hls_verilog=folder, scenarios=["steady"])
    assert verdict.findings[0].startswith("steady: stream outside output: frame 0"), str(verdict)
    assert f"--backend hls-rtl --hls-verilog {folder}" in verdict.repeat


def test_missing_verilog_is_named_with_what_to_run(build_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(QnnError, match=r"no Verilog of Vitis HLS below .* first with `qnn-hw synth --tool vitis`"):
        simulate(build_dir, backend="hls-rtl")
    with pytest.raises(QnnError, match=r"holds no Verilog \(\*\.v\); give the folder syn/verilog"):
        simulate(build_dir, backend="hls-rtl", hls_verilog=tmp_path)


def test_the_finder_needs_no_installed_package_of_ours() -> None:
    """`hls_code.py` travels into `sim/`: alone with its errors it loads."""
    spec = importlib.util.find_spec("qnn_hw.simulation.bench.hls_code")
    assert spec is not None and spec.origin is not None
    assert "qnn_hw" not in Path(spec.origin).read_text()
