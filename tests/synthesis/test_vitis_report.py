# SPDX-License-Identifier: Apache-2.0
"""Reading Vitis reports. The files are written by hand; tests/synthesis/vitis_stand_in.py says after which models."""

from pathlib import Path

import pytest

from qnn_hw.analysis.resources.cells import Resources
from qnn_hw.errors import QnnError
from qnn_hw.synthesis.vitis_report import find_solution, read_cosim, read_csynth, read_implementation
from tests.synthesis.vitis_stand_in import COSIM, csynth_xml, export_xml, module_xml, write_reports

TOP = "qnn_hls_core"
CSYNTH = "syn/report/csynth.xml"
COSIM_FILE = f"sim/report/{TOP}_cosim.rpt"
MODULES = module_xml("stage_fc1", 1200, 900, "64", bram=3) + module_xml("stage_sign1", 40, 60, "5 ~ 8", dsp=1)


@pytest.mark.parametrize("layout", ["solution1", "hls"])
def test_both_flows_leave_a_solution(tmp_path: Path, layout: str) -> None:
    write_reports(tmp_path / layout, {CSYNTH: csynth_xml(MODULES)})
    assert find_solution(tmp_path) == tmp_path / layout
    assert read_csynth(find_solution(tmp_path), TOP).modules["stage_fc1"].resources.lut == 1200


def test_c_synthesis_is_read_module_by_module(tmp_path: Path) -> None:
    report = read_csynth(write_reports(tmp_path, {CSYNTH: csynth_xml(MODULES)}), TOP)
    assert (report.version, report.part) == ("2023.2", "xc7z020-clg400-1")
    assert (report.target_ns, report.estimated_ns) == (10.0, 7.06)
    assert report.top.resources == Resources(lut=5000, ff=6000, bram18=7, dsp=2)
    assert (report.top.interval_cycles, report.top.latency_cycles) == (65, 183)
    assert set(report.modules) == {"stage_fc1", "stage_sign1", TOP}
    assert report.modules["stage_fc1"].resources == Resources(lut=1200, ff=900, bram18=3)
    assert report.modules["stage_fc1"].interval_cycles == 64
    assert report.modules["stage_sign1"].interval_cycles == 8, "the greatest of a range"
    assert report.modules["stage_sign1"].resources.dsp == 1


def test_a_module_with_a_report_of_its_own_is_found(tmp_path: Path) -> None:
    own = csynth_xml(top="stage_fc1")
    files = {CSYNTH: csynth_xml(), "syn/report/stage_fc1_csynth.xml": own, f"syn/report/{TOP}_csynth.xml": csynth_xml()}
    report = read_csynth(write_reports(tmp_path, files), TOP)
    assert report.modules["stage_fc1"].resources.lut == 5000
    assert report.modules["stage_fc1"].interval_cycles == 65


def test_without_the_overall_report_that_of_the_top_is_taken(tmp_path: Path) -> None:
    report = read_csynth(write_reports(tmp_path, {f"syn/report/{TOP}_csynth.xml": csynth_xml()}), TOP)
    assert report.top.resources.lut == 5000


@pytest.mark.parametrize("word", ["undef", "-", "?", "NA", ""])
def test_cycles_the_tool_does_not_know_are_none(tmp_path: Path, word: str) -> None:
    report = read_csynth(write_reports(tmp_path, {CSYNTH: csynth_xml(module_xml("stage_x", 1, 1, word))}), TOP)
    assert report.modules["stage_x"].interval_cycles is None


def test_a_family_without_uram_may_leave_it_out(tmp_path: Path) -> None:
    text = csynth_xml().replace("<URAM>0</URAM>", "")
    assert read_csynth(write_reports(tmp_path, {CSYNTH: text}), TOP).top.uram == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "damaged (no element found", id="empty"),
        pytest.param(csynth_xml()[:500], "damaged (", id="cut-off"),
        pytest.param(csynth_xml().replace("<LUT>5000</LUT>", ""), "damaged (LUT is missing)", id="no-lut"),
        pytest.param(csynth_xml().replace("5000", "many"), "damaged (LUT is many)", id="no-number"),
        pytest.param("<profile/>", "damaged (no resources in it)", id="no-resources"),
        pytest.param(csynth_xml(top="other"), "reports the top 'other', expected 'qnn_hls_core'", id="other-top"),
    ],
)
def test_a_damaged_report(tmp_path: Path, text: str, message: str) -> None:
    solution = write_reports(tmp_path, {CSYNTH: text})
    with pytest.raises(QnnError) as raised:
        read_csynth(solution, TOP)
    assert str(raised.value).startswith(f"{tmp_path / CSYNTH}: ") and message in str(raised.value)
    assert str(raised.value).endswith("again") and "\n" not in str(raised.value)


def test_a_missing_report(tmp_path: Path) -> None:
    with pytest.raises(QnnError, match=r"no report of C synthesis there \(solution1/syn/report or hls/syn/report\)"):
        find_solution(tmp_path)
    with pytest.raises(QnnError, match=r"qnn_hls_core_csynth\.xml: missing; run Vitis HLS again"):
        read_csynth(tmp_path, TOP)


def test_cosimulation_that_passed(tmp_path: Path) -> None:
    result = read_cosim(write_reports(tmp_path, {COSIM_FILE: COSIM}), TOP)
    assert result is not None
    assert (result.passed, result.latency_cycles, result.interval_cycles) == (True, 278, 66)


def test_cosimulation_that_failed(tmp_path: Path) -> None:
    line = "|   Verilog|      Fail|      NA|      NA|      NA|      NA|      NA|      NA|                    NA|"
    text = "\n".join(line if "Verilog" in old else old for old in COSIM.splitlines())
    result = read_cosim(write_reports(tmp_path, {COSIM_FILE: text}), TOP)
    assert result is not None
    assert (result.passed, result.latency_cycles, result.interval_cycles) == (False, None, None)


def test_no_cosimulation_and_one_without_verilog(tmp_path: Path) -> None:
    assert read_cosim(tmp_path, TOP) is None
    text = "\n".join(line for line in COSIM.splitlines() if "Verilog" not in line)
    with pytest.raises(QnnError, match=r"cosim\.rpt: no result for Verilog in it; run the step cosim again"):
        read_cosim(write_reports(tmp_path, {COSIM_FILE: text}), TOP)


def test_implementation_goes_before_synthesis(tmp_path: Path) -> None:
    assert read_implementation(tmp_path) is None
    write_reports(tmp_path, {"impl/report/verilog/export_syn.xml": export_xml("synth")})
    found = read_implementation(tmp_path)
    assert found is not None and found.stage == "synthesis"
    assert found.resources == Resources(lut=773, ff=603, bram18=3, dsp=1)
    assert (found.target_ns, found.achieved_ns, found.timing_met) == (10.0, 2.503, True)
    failed = export_xml("impl").replace("TRUE", "FALSE")
    write_reports(tmp_path, {"impl/report/verilog/export_impl.xml": failed})
    found = read_implementation(tmp_path)
    assert found is not None and (found.stage, found.timing_met) == ("implementation", False)
