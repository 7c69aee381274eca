# SPDX-License-Identifier: Apache-2.0
"""Reading Vivado's reports. The files are written by hand; vivado_stand_in.py says after which models."""

from pathlib import Path

import pytest

from qnn_hw.analysis.resources.cells import Resources
from qnn_hw.errors import QnnError
from qnn_hw.synthesis.vivado_report import below, inside, read_facts, read_timing, read_utilization, release_of
from tests.synthesis import vivado_stand_in as stand_in

ROWS = stand_in.rows_of(["fc1", "sign1"])


def report(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder


def test_every_instance_has_its_path_and_what_is_inside(tmp_path: Path) -> None:
    found = read_utilization(report(tmp_path, "utilization.rpt", stand_in.utilization(ROWS)))
    assert found[0].path == ("qnn_system_wrapper",)
    assert found[0].resources == Resources(lut=9000, lutram=1000, ff=11000, bram36=4, bram18=3, dsp=5)
    fc1 = inside(found, found[0].path, "u_fc1")
    assert fc1 is not None
    assert fc1.path[1:] == ("qnn_system_i", "qnn_0", "inst", "u_top", "u_core", "u_fc1")
    assert fc1.module == "qnn_mvu__xdcDup__0"
    assert fc1.resources == Resources(lut=100, lutram=10, ff=50, bram18=1)
    assert not any(item.name.startswith("(") for item in found), "an instance's own part is no instance"


def test_what_lies_below_an_instance(tmp_path: Path) -> None:
    found = read_utilization(report(tmp_path, "utilization.rpt", stand_in.utilization(ROWS)))
    cells = below(found, ("qnn_system_wrapper", "qnn_system_i"))
    assert [item.name for item in cells] == ["axi_dma_0", "control_smartconnect", "qnn_0", "memory_smartconnect"]
    sign1 = inside(found, cells[2].path, "u_sign1")
    assert sign1 is not None
    weights = inside(found, sign1.path, "u_weights")
    assert weights is not None and weights.path[-2] == "u_sign1"
    assert inside(found, cells[0].path, "u_fc1") is None


def test_a_family_with_uram_has_a_column_for_it(tmp_path: Path) -> None:
    rows = [(0, "top", "(top)", 1, 1, 0, 0, 2, 0, 0, 7, 3)]
    (top,) = read_utilization(report(tmp_path, "utilization.rpt", stand_in.utilization(rows, uram=True)))  # type: ignore[arg-type]
    assert (top.uram, top.resources.dsp) == (7, 3)


@pytest.mark.parametrize("title", ["DSP Blocks", "DSP48 Blocks", "DSPs"])
def test_the_column_of_dsp_blocks_has_several_names(tmp_path: Path, title: str) -> None:
    found = read_utilization(report(tmp_path, "utilization.rpt", stand_in.utilization(ROWS, dsp=title)))
    assert found[0].resources.dsp == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "damaged (no table of instances in it)", id="empty"),
        pytest.param(stand_in.utilization([]), "damaged (the table of instances is empty)", id="no-rows"),
        pytest.param(stand_in.utilization(ROWS).replace("9000", "many"), "Total LUTs is many", id="no-number"),
        pytest.param(stand_in.utilization(ROWS, dsp="Slices"), "damaged (no column for dsp", id="no-dsp"),
        pytest.param(stand_in.utilization(ROWS, state="Synthesized"), "is 'Synthesized', not routed", id="not-routed"),
    ],
)
def test_a_damaged_utilization_report(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(QnnError) as raised:
        read_utilization(report(tmp_path, "utilization.rpt", text))
    assert str(raised.value).startswith(f"{tmp_path / 'utilization.rpt'}: ") and message in str(raised.value)
    assert str(raised.value).endswith("run Vivado again") and "\n" not in str(raised.value)


@pytest.mark.parametrize("state", ["Routed", "Fully Routed", "Physopt postRoute"])
def test_the_timing_summary(tmp_path: Path, state: str) -> None:
    slacks = read_timing(report(tmp_path, "timing.rpt", stand_in.timing(state=state)))
    assert (slacks.wns_ns, slacks.tns_ns, slacks.whs_ns, slacks.wpws_ns) == (0.512, 0.0, 0.021, 3.75)
    assert slacks.all_met and slacks.periods_ns == (10.0,)
    assert release_of(tmp_path) == "2024.1"


def test_a_timing_summary_that_is_not_met(tmp_path: Path) -> None:
    slacks = read_timing(report(tmp_path, "timing.rpt", stand_in.timing("-0.734", met=False)))
    assert slacks.wns_ns == -0.734 and not slacks.all_met


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "damaged (no design timing summary in it)", id="empty"),
        pytest.param(stand_in.timing().split("  0.512")[0], "damaged (no design timing summary", id="cut-off"),
        pytest.param(stand_in.timing().replace("3626\n", "\n"), "has 11 of 12 figures", id="eleven"),
        pytest.param(stand_in.timing("NA"), "nothing has a timing constraint (the summary says NA)", id="no-clock"),
        pytest.param(stand_in.timing(state="Fully Placed"), "is 'Fully Placed', not routed", id="placed"),
    ],
)
def test_a_damaged_timing_report(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(QnnError) as raised:
        read_timing(report(tmp_path, "timing.rpt", text))
    assert str(raised.value).startswith(f"{tmp_path / 'timing.rpt'}: ") and message in str(raised.value)


def test_the_facts(tmp_path: Path) -> None:
    lines = {name: "1" for name in ("graph_hash", "stem", "part", "wns_ns", "whs_ns", "path_from", "path_to")}
    lines |= {"release": "2024.1", "clock_mhz": "99.999"}
    text = "".join(f"{name} {value}\n" for name, value in lines.items())
    assert read_facts(report(tmp_path, "result.txt", text))["clock_mhz"] == "99.999"
    for name, problem in {"release": "release is missing", "wns_ns": "wns_ns is missing"}.items():
        broken = "".join(f"{key} {value}\n" for key, value in lines.items() if key != name)
        with pytest.raises(QnnError, match=problem):
            read_facts(report(tmp_path, "result.txt", broken))
    with pytest.raises(QnnError, match=r"clock_mhz is fast"):
        read_facts(report(tmp_path, "result.txt", text.replace("99.999", "fast")))


@pytest.mark.parametrize("name", ["result.txt", "utilization.rpt", "timing.rpt"])
def test_a_missing_file(tmp_path: Path, name: str) -> None:
    read = {"result.txt": read_facts, "utilization.rpt": read_utilization, "timing.rpt": read_timing}[name]
    with pytest.raises(QnnError, match=rf"{name}: missing; run Vivado again"):
        read(tmp_path)  # type: ignore[operator]
