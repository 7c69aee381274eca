# SPDX-License-Identifier: Apache-2.0
"""The Vitis driver: which command is taken, how it is run, what a failure says, what the report holds.

There is no Vitis here: tests/synthesis/vitis_stand_in.py says what stands in for it, and what that can show.
"""

import json
import os
import re
from pathlib import Path

import pytest

from qnn_hw.backends.folder import read_build
from qnn_hw.backends.hls.scripts import STEPS_VARIABLE
from qnn_hw.backends.instance import instance
from qnn_hw.errors import QnnError
from qnn_hw.synthesis.vendor_tool import first_error
from qnn_hw.synthesis.vitis import COMMANDS, LABEL, RELEASES, find_vitis, synthesize_with_vitis
from tests.cli.session import run
from tests.synthesis import vitis_stand_in as stand_in
from tests.synthesis.tool_run import call, interrupt, left_over

pytestmark = pytest.mark.skipif(stand_in.tcl() is None, reason="no Tcl interpreter: neither tclsh nor tkinter")


def stages(folder: Path) -> list[str]:
    """Names of the operators that are functions of the HLS code."""
    graph = read_build(folder).graph
    return [op.name for op in graph.ops if instance(op, graph).module and op.keyword != "fifo"]


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty surroundings: a PATH with nothing of Xilinx on it; returns the file a stand-in writes its call to."""
    for name in ("XILINX_HLS", "XILINX_VITIS", STEPS_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    places = [place for place in os.environ["PATH"].split(os.pathsep) if not holds_vitis(Path(place))]
    monkeypatch.setenv("PATH", os.pathsep.join(places))
    monkeypatch.setenv("STAND_IN_CALLS", str(tmp_path / "call.json"))
    monkeypatch.setenv("STAND_IN_RECORD", str(tmp_path / "record.txt"))
    return tmp_path / "call.json"


def holds_vitis(place: Path) -> bool:
    return any((place / command).exists() for command in COMMANDS)


@pytest.fixture
def tool(tmp_path: Path, calls: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """A stand-in for vitis-run 2023.2 on the PATH that leaves hand-written reports of the build's stages."""
    path = stand_in.install(tmp_path / "bin", "vitis-run", "2023.2")
    monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")
    modules = [stand_in.module_xml(f"stage_{name}", 100 + i, 50, str(20 + i)) for i, name in enumerate(stages(folder))]
    solution = stand_in.write_reports(
        tmp_path / "reports",
        {
            "syn/report/csynth.xml": stand_in.csynth_xml("".join(modules)),
            "sim/report/qnn_hls_core_cosim.rpt": stand_in.COSIM,
            "impl/report/verilog/export_syn.xml": stand_in.export_xml("synth"),
        },
    )
    monkeypatch.setenv("STAND_IN_REPORTS", str(solution))
    return path


def test_the_tool_runs_the_script_in_a_copy_and_its_project_is_kept(folder: Path, tool: Path, calls: Path) -> None:
    said: list[str] = []
    report = synthesize_with_vitis(folder, steps=("csim", "cosim", "syn"), progress=said.append)

    called = call(calls)
    assert called["arguments"] == ["--mode", "hls", "--tcl", "run.tcl"], "vitis-run takes no arguments for the script"
    assert Path(called["folder"]).parent.parent == folder and Path(called["folder"]).name == "hls"
    assert {"qnn_core.cpp", "testbench.cpp", "data", "include", "run.tcl"} <= set(called["files"])
    assert called["environment"][STEPS_VARIABLE] == "csim cosim syn"
    assert said == [f"Vitis HLS 2023.2: {step}" for step in ("csim", "csynth", "cosim", "export")]
    assert (folder / "hls" / "vitis" / "solution1" / "syn" / "report" / "csynth.xml").is_file()
    assert (folder / "hls" / "vitis.log").read_text().splitlines()[-1] == "qnn-hw: finished csim cosim syn"
    assert left_over(folder) == []

    names = stages(folder)
    assert [operator["name"] for operator in report["operators"]] == names
    assert [operator["module"] for operator in report["operators"]] == [f"stage_{name}" for name in names]
    assert {"matvec", "threshold", "classifier"} <= {operator["operator"] for operator in report["operators"]}
    assert [operator["interval_cycles"] for operator in report["operators"]] == [20 + i for i in range(len(names))]
    assert report["sum"]["lut"] == sum(100 + i for i in range(len(names)))
    assert report["top"]["lut"] == 5000 and report["top"]["bram36_equivalent"] == 3.5
    assert report["top"]["carry4"] is None, "what Vitis does not report is no number"
    assert report["tool"] == {"name": "Vitis HLS", "version": "2023.2", "origin": "vitis-run", "label": LABEL}
    assert report["budget"] == {"lut": 53_200, "ff": 106_400, "bram36": 140, "dsp": 220}
    assert report["shell"] is None
    assert report["cosim"] == {"passed": True, "latency_cycles": 278, "interval_cycles": 66}
    assert report["implementation"]["stage"] == "synthesis" and report["implementation"]["timing_met"] is True
    assert report["clock"] == {"target_ns": 10.0, "estimated_ns": 7.06}
    assert json.loads(json.dumps(report)) == report


def test_a_second_run_replaces_the_first(folder: Path, tool: Path) -> None:
    synthesize_with_vitis(folder)
    old = folder / "hls" / "vitis" / "old"
    old.write_text("of the first run")
    synthesize_with_vitis(folder)
    assert not old.exists()
    assert (folder / "hls" / "vitis" / "solution1").is_dir()


def test_a_stage_without_a_module_is_told(folder: Path, tool: Path, tmp_path: Path) -> None:
    first, *others = stages(folder)
    file = tmp_path / "reports" / "syn" / "report" / "csynth.xml"
    file.write_text(file.read_text().replace(f"<Name>stage_{first}<", "<Name>something_else<"))
    report = synthesize_with_vitis(folder)
    assert [operator["name"] for operator in report["operators"]] == others
    assert f"no module of their own, so part of the whole top alone: stage_{first}" in report["notes"]


def test_a_failed_step_says_the_tools_first_error_and_keeps_the_log(
    folder: Path, tool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = folder / "hls" / "vitis" / "solution1"
    earlier.mkdir(parents=True)
    monkeypatch.setenv("STAND_IN_FAILS", "csynth_design")
    with pytest.raises(QnnError) as raised:
        synthesize_with_vitis(folder)
    log = folder / "hls" / "vitis.log"
    assert str(raised.value) == (
        "Vitis HLS 2023.2 (vitis-run): ERROR: [HLS 207-3776] use of undeclared identifier 'N' (qnn_core.cpp:42:7); "
        f"the whole log is in {log}"
    )
    assert "Pre-synthesis failed" in log.read_text()
    assert left_over(folder) == [] and earlier.is_dir(), "the result of an earlier run stays"


def test_a_tool_that_ends_without_having_done_anything(
    folder: Path, tool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_SILENT", "1")
    with pytest.raises(QnnError, match=r"\(vitis-run\): ended with status 0 and no ERROR line; the whole log is in"):
        synthesize_with_vitis(folder)
    assert left_over(folder) == [] and not (folder / "hls" / "vitis").exists()


def test_a_compiler_error_of_c_simulation_is_the_first_error() -> None:
    log = ["INFO: [SIM 211-2]", "../../qnn_core.cpp:3:5: error: expected ';'", "ERROR: [SIM 211-100] CSim failed"]
    assert first_error(log) == "../../qnn_core.cpp:3:5: error: expected ';'"
    assert first_error(["WARNING: [HLS 200-1] no error"]) is None


def test_a_tool_that_takes_too_long_is_stopped(
    folder: Path, tool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_HANGS", str(tmp_path / "child.pid"))
    with pytest.raises(QnnError, match=r"2023\.2 \(vitis-run\): stopped after 0\.5 s; the whole log is in"):
        synthesize_with_vitis(folder, timeout_s=0.5)
    assert left_over(folder) == []


def test_an_interrupt_stops_the_tool_and_what_it_started(
    folder: Path, tool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_HANGS", str(tmp_path / "child.pid"))
    interrupt(lambda: synthesize_with_vitis(folder, timeout_s=60), tmp_path / "child.pid")
    assert left_over(folder) == []


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.version)
def test_every_known_release_is_found_by_each_of_its_commands(release: object, tmp_path: Path, calls: Path) -> None:
    for command in release.commands:  # type: ignore[attr-defined]
        path = stand_in.install(tmp_path / command, command, release.version)  # type: ignore[attr-defined]
        found = find_vitis({"PATH": str(path.parent)})
        assert (found.command, found.path, found.version) == (command, path, release.version)  # type: ignore[attr-defined]


def test_the_documented_table_is_that_of_the_code() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "vitis.md").read_text(encoding="utf-8")
    rows = [
        line.strip("|").split("|") for line in page.partition("\n## Releases")[2].splitlines() if line[:5] == "| 202"
    ]
    documented = {
        version.strip(): (tuple(re.findall(r"`([\w-]+)`", commands)), config.strip().startswith("yes"))
        for versions, commands, config in rows
        for version in versions.split(",")
    }
    assert documented == {release.version: (release.commands, release.config_file) for release in RELEASES}


def test_vitis_run_goes_before_vitis_hls_and_the_path_before_the_environment(tmp_path: Path, calls: Path) -> None:
    new, old = tmp_path / "new" / "bin", tmp_path / "old" / "bin"
    stand_in.install(new, "vitis_hls", "2024.1")
    stand_in.install(new, "vitis-run", "2024.1")
    stand_in.install(old, "vitis_hls", "2022.2")
    assert find_vitis({"PATH": f"{old}:{new}"}).command == "vitis-run"
    found = find_vitis({"PATH": str(old), "XILINX_HLS": str(new.parent)})
    assert (found.command, found.version) == ("vitis-run", "2024.1")
    found = find_vitis({"PATH": "", "XILINX_VITIS": str(old.parent)})
    assert (found.command, found.path) == ("vitis_hls", old / "vitis_hls")
    assert found.run_script("run.tcl") == [str(old / "vitis_hls"), "-f", "run.tcl"]


def test_a_command_that_is_not_yet_meant_for_scripts_gives_way(tmp_path: Path, calls: Path) -> None:
    stand_in.install(tmp_path, "vitis-run", "2023.1")
    stand_in.install(tmp_path, "vitis_hls", "2023.1")
    assert find_vitis({"PATH": str(tmp_path)}).command == "vitis_hls"


@pytest.mark.parametrize(
    ("command", "version", "found"),
    [
        ("vitis-run", "2027.2", "vitis-run is 2027.2"),
        ("vitis_hls", "2021.2", "vitis_hls is 2021.2"),
        ("vitis_hls", "2025.2", "vitis_hls is 2025.2"),
        ("vivado_hls", "2019.2", "vivado_hls is 2019.2"),
        ("vitis-run", "?", "vitis-run is of a release it does not name"),
    ],
)
def test_a_release_outside_the_table_is_refused(
    tmp_path: Path, calls: Path, command: str, version: str, found: str
) -> None:
    stand_in.install(tmp_path, command, version)
    with pytest.raises(QnnError) as raised:
        find_vitis({"PATH": str(tmp_path)})
    assert str(raised.value) == (
        f"Vitis HLS: {tmp_path}/{found}; qnn-hw knows 2022.1 to 2026.1 (through vitis-run from 2025.1 on): "
        "source settings64.sh of one of these releases"
    )


def test_without_vitis_the_command_says_what_to_do(folder: Path, calls: Path) -> None:
    outcome = run("synth", folder, "--tool", "vitis")
    assert outcome.code == 1 and outcome.out == ""
    assert outcome.err.splitlines()[-1] == (
        "qnn-hw: Vitis HLS: neither vitis-run, vitis_hls nor vivado_hls is on the PATH, in $XILINX_HLS/bin or in "
        "$XILINX_VITIS/bin; install Vitis 2022.1 to 2026.1 and source its settings64.sh, or use --tool yosys, which "
        "needs none"
    )
    assert not (folder / "hls" / "vitis.log").exists()


@pytest.mark.parametrize("name", ["hls_config.cfg", "run.tcl", "qnn_core.cpp", "testbench.cpp"])
def test_an_incomplete_hls_folder(folder: Path, tool: Path, name: str) -> None:
    (folder / "hls" / name).unlink()
    with pytest.raises(QnnError, match=rf"hls/{name}: missing; build again"):
        synthesize_with_vitis(folder)


def test_a_build_without_hls_code(folder: Path, tool: Path) -> None:
    (folder / "hls").rename(folder / "elsewhere")
    with pytest.raises(QnnError, match=r"has no hls/ folder; build again with this version of qnn-hw"):
        synthesize_with_vitis(folder)


def test_a_network_that_is_not_printed_as_hls_code(folder: Path, tool: Path) -> None:
    (folder / "hls" / "NOT_WRITTEN.txt").write_text("fc1: too wide\n")
    with pytest.raises(QnnError, match=r"a build: has no HLS C\+\+: fc1: too wide$"):
        synthesize_with_vitis(folder)


def test_a_stale_hls_folder(folder: Path, tool: Path) -> None:
    expected = read_build(folder).manifest["graph_hash"]
    config = folder / "hls" / "hls_config.cfg"
    config.write_text(config.read_text().replace(expected, "f" * 32))
    with pytest.raises(QnnError) as raised:
        synthesize_with_vitis(folder)
    assert str(raised.value) == (
        f"{folder / 'hls'}: stale, its graph hash is {'f' * 32} and that of qnn.json {expected}; build again"
    )


def test_reports_of_another_release_are_refused(folder: Path, tool: Path, tmp_path: Path) -> None:
    file = tmp_path / "reports" / "syn" / "report" / "csynth.xml"
    file.write_text(file.read_text().replace("<Version>2023.2<", "<Version>2021.1<"))
    with pytest.raises(QnnError, match=r"reports of Vitis HLS 2021\.1, run by 2023\.2; run csynth again"):
        synthesize_with_vitis(folder)


def test_the_command_prints_a_table(folder: Path, tool: Path) -> None:
    outcome = run("synth", folder, "--tool", "vitis", "--steps", "csynth,cosim,syn")
    assert outcome.code == 0, outcome.err
    assert f"Resources: {LABEL}, 2023.2" in outcome.out
    (top,) = [line.split() for line in outcome.out.splitlines() if line.startswith("whole top")]
    assert top == ["whole", "top", "5,000", "6,000", "3.5", "2", "65"]
    assert "co-simulation passed, frame interval 66 cycles" in outcome.out
    assert "estimated clock period 7.06 ns, asked for 10 ns" in outcome.out
    assert "Vivado synthesis: clock period 2.503 ns, timing met" in outcome.out
    assert json.loads(run("synth", folder, "--tool", "vitis", "--json").out)["top"]["lut"] == 5000


def test_a_cosimulation_that_failed_is_a_failure_of_the_command(folder: Path, tool: Path, tmp_path: Path) -> None:
    file = tmp_path / "reports" / "sim" / "report" / "qnn_hls_core_cosim.rpt"
    file.write_text(file.read_text().replace("Pass", "Fail"))
    outcome = run("synth", folder, "--tool", "vitis", "--steps", "cosim")
    assert outcome.code == 1 and "co-simulation FAILED" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--tool", "vitis", "--steps", "place"), "Vitis HLS: no step 'place'; choose some of csim, csynth, cosim"),
        (("--tool", "quartus"), "--tool quartus: choose yosys, vitis or vivado"),
        (("--steps", "csim"), "--steps csim: steps belong to --tool vitis"),
    ],
)
def test_a_wrong_option_is_refused(folder: Path, calls: Path, arguments: tuple[str, ...], message: str) -> None:
    outcome = run("synth", folder, *arguments)
    assert outcome.code == 1
    assert outcome.err.splitlines()[-1].startswith(f"qnn-hw: {message}")
