# SPDX-License-Identifier: Apache-2.0
"""The Vitis scripts of a build: a real Tcl interpreter runs one with the vendor's commands recorded, both are read.

No Vitis has run them here: what is checked is what they ask for, against the manual as far as docs/vitis.md cites it.
"""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from qnn_hw.backends.hls.scripts import STEPS, STEPS_VARIABLE, graph_hash_of, ip_name, period_ns, script_files
from qnn_hw.boards import load_board
from qnn_hw.compiler import assemble
from qnn_hw.errors import QnnError
from qnn_hw.simulation.csim import ap_types_dir
from tests.random_nets import Conv, Net, build
from tests.synthesis import vitis_stand_in as stand_in

HASH = "0123456789abcdef" * 2
PART = "xc7z020clg400-1"
ORDER = ["csim_design", "csynth_design", "cosim_design", "export_design"]

needs_tcl = pytest.mark.skipif(stand_in.tcl() is None, reason="no Tcl interpreter: neither tclsh nor tkinter")


@pytest.fixture
def hls(tmp_path: Path) -> Path:
    """An `hls/` folder with the names the scripts rely on, in a place whose name holds a space."""
    folder = tmp_path / "a build" / "hls"
    (folder / "include" / "qnn").mkdir(parents=True)
    (folder / "include" / "qnn" / "mvu.hpp").write_text("#pragma once\n")
    (folder / "data").mkdir()
    (folder / "data" / "input.txt").write_text("0\n")
    (folder / "qnn_core.cpp").write_text("void qnn_hls_core(stream_t& s_axis, word_t& m_axis) {}\n")
    (folder / "testbench.cpp").write_text("int main() { return 0; }\n")
    for name, text in script_files("Demo Net", HASH, PART, 100).items():
        (folder / name).write_text(text)
    return folder


def complaints(hls: Path, tmp_path: Path, steps: str | None = None) -> list[str]:
    """Run `run.tcl` in Tcl and return what is wrong with what it asked for."""
    record = tmp_path / "record.txt"
    status = stand_in.run_tcl(hls / "run.tcl", record, **({} if steps is None else {STEPS_VARIABLE: steps}))
    calls = stand_in.recorded(record)
    names = [call[0] for call in calls]
    found = [] if status == 0 else [f"the script ended with status {status}"]
    by_name = {call[0]: call[1:] for call in calls}
    setup = ["open_project", "set_top", "add_files", "add_files", "add_files", "open_solution", "set_part"]
    if names[:8] != [*setup, "create_clock"]:
        found.append(f"set-up in the order {names[:8]}")
    added = [call for call in calls if call[0] == "add_files"]
    for call in added:
        name = next((word for word in call[1:] if not word.startswith("-")), "")
        if not (hls / name).exists():
            found.append(f"no file {name}")
        if name.endswith(".cpp"):
            found += [
                f"{name}: include folder {path} is missing" for path in _includes(call) if not (hls / path).is_dir()
            ]
            if "-cflags" not in call:
                found.append(f"{name}: no flags")
    designs = [call[1] for call in added if "-tb" not in call]
    tops = [
        line
        for name in designs
        if (hls / name).is_file()
        for line in re.findall(r"void (\w+)\(", (hls / name).read_text())
    ]
    if by_name.get("set_top", [""])[0] not in tops:
        found.append(f"top {by_name.get('set_top')} is in none of {designs}")
    if not any("-tb" in call and "testbench.cpp" in call for call in added):
        found.append("no testbench")
    if by_name.get("set_part") != [PART]:
        found.append(f"part {by_name.get('set_part')}")
    if by_name.get("create_clock") != ["-period", "10", "-name", "default"]:
        found.append(f"clock {by_name.get('create_clock')}")
    work = names[8:]
    if work != [name for name in ORDER if name in work]:
        found.append(f"steps in the order {work}")
    if set(work) - {"csim_design"} and "csynth_design" not in work:
        found.append("nothing was synthesized")
    return found


def _includes(call: list[str]) -> list[str]:
    return [word.removeprefix("-I") for word in call[call.index("-cflags") + 1].split() if word.startswith("-I")]


@needs_tcl
@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (None, ["csynth_design"]),
        ("", ["csynth_design"]),
        ("csim", ["csim_design"]),
        ("cosim", ["csynth_design", "cosim_design"]),
        ("export,csim", ["csim_design", "csynth_design", "export_design"]),
        ("csim csynth cosim export", ORDER),
    ],
)
def test_the_tcl_script_asks_for_the_steps_in_order(
    hls: Path,
    tmp_path: Path,
    steps: str | None,
    expected: list[str],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(STEPS_VARIABLE, raising=False)
    assert complaints(hls, tmp_path, steps) == []
    calls = stand_in.recorded(tmp_path / "record.txt")
    assert [call[0] for call in calls[8:]] == expected
    printed = capfd.readouterr().out.splitlines()
    assert [line for line in printed if line.startswith("qnn-hw: step")] == [
        f"qnn-hw: step {name.removesuffix('_design')}" for name in expected
    ]
    assert printed[-1].startswith("qnn-hw: finished")


@needs_tcl
@pytest.mark.parametrize(
    ("steps", "flow"), [("export", []), ("syn", ["-flow", "syn"]), ("syn impl", ["-flow", "impl"])]
)
def test_the_export_is_an_ip_of_the_builds_name(hls: Path, tmp_path: Path, steps: str, flow: list[str]) -> None:
    assert complaints(hls, tmp_path, steps) == []
    (export,) = [call for call in stand_in.recorded(tmp_path / "record.txt") if call[0] == "export_design"]
    ip = ["-vendor", "qnn_hw", "-library", "hls", "-ipname", "qnn_demo_net_01234567", "-version", "1.0"]
    assert export[1:] == ["-rtl", "verilog", "-format", "ip_catalog", *ip, *flow]


@needs_tcl
def test_cosimulation_is_of_the_verilog(hls: Path, tmp_path: Path) -> None:
    assert complaints(hls, tmp_path, "cosim") == []
    assert ["cosim_design", "-rtl", "verilog"] in stand_in.recorded(tmp_path / "record.txt")


def _edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(hls: Path) -> None:
        text = (hls / name).read_text()
        assert old in text
        (hls / name).write_text(text.replace(old, new))

    return change


@needs_tcl
@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        pytest.param(lambda hls: (hls / "qnn_core.cpp").unlink(), "no file qnn_core.cpp", id="missing-source"),
        pytest.param(lambda hls: (hls / "testbench.cpp").unlink(), "no file testbench.cpp", id="missing-testbench"),
        pytest.param(lambda hls: shutil.rmtree(hls / "data"), "no file data", id="missing-data"),
        pytest.param(lambda hls: shutil.rmtree(hls / "include"), "include folder include is missing", id="no-headers"),
        pytest.param(_edit("run.tcl", "set_top qnn_hls_core", "set_top qnn_core"), "top ['qnn_core']", id="wrong-top"),
        pytest.param(_edit("qnn_core.cpp", "qnn_hls_core", "qnn_top"), "top ['qnn_hls_core']", id="renamed-top"),
        pytest.param(_edit("run.tcl", "-tb testbench.cpp", "testbench.cpp"), "no testbench", id="no-testbench"),
        pytest.param(_edit("run.tcl", "-period 10", "-period 20"), "clock", id="wrong-clock"),
        pytest.param(_edit("run.tcl", PART, "xc7z010clg400-1"), "part", id="wrong-part"),
        pytest.param(_edit("run.tcl", "set_part", "set_device"), "status 1", id="no-such-command"),
        pytest.param(_edit("run.tcl", "begin csim\n        csim", "begin csim\n        cosim"), "order", id="order"),
    ],
)
def test_a_defect_of_the_script_or_the_folder_is_noticed(
    hls: Path, tmp_path: Path, change: Callable[[Path], None], complaint: str
) -> None:
    change(hls)
    found = complaints(hls, tmp_path, "csim csynth cosim export")
    assert any(complaint in text for text in found), found


@needs_tcl
def test_an_unknown_step_ends_the_script(hls: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert stand_in.run_tcl(hls / "run.tcl", tmp_path / "record.txt", **{STEPS_VARIABLE: "csynth place"}) == 1
    assert capfd.readouterr().out == (
        f"ERROR: {STEPS_VARIABLE} names 'place'; allowed are csim csynth cosim export syn impl\n"
    )
    assert stand_in.recorded(tmp_path / "record.txt") == []


@needs_tcl
def test_a_step_that_fails_ends_the_script_before_the_next(
    hls: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = {STEPS_VARIABLE: "csynth cosim", "STAND_IN_FAILS": "csynth_design"}
    assert stand_in.run_tcl(hls / "run.tcl", tmp_path / "record.txt", **settings) == 1
    assert stand_in.recorded(tmp_path / "record.txt")[-1] == ["csynth_design"]
    printed = capfd.readouterr().out
    assert "ERROR: run.tcl: Pre-synthesis failed." in printed and "finished" not in printed


def test_both_scripts_say_the_same(hls: Path) -> None:
    config, tcl = (hls / "hls_config.cfg").read_text(), (hls / "run.tcl").read_text()
    lines = [line for line in config.splitlines() if line and not line.startswith("#")]
    section = lines.index("[hls]")
    assert lines[:section] == [f"part={PART}"], "the part is an option of v++, not of HLS"
    values: dict[str, list[str]] = {}
    for line in lines[section + 1 :]:
        key, _, value = line.partition("=")
        values.setdefault(key, []).append(value)
    assert values == {
        "clock": ["10ns"],
        "syn.top": ["qnn_hls_core"],
        "syn.file": ["qnn_core.cpp"],
        "syn.cflags": ["-std=c++14 -Iinclude"],
        "syn.csimflags": ["-std=c++14 -Iinclude"],
        "tb.file": ["testbench.cpp", "data"],
        "tb.cflags": ["-std=c++14 -Iinclude"],
        "package.output.format": ["ip_catalog"],
        "package.ip.vendor": ["qnn_hw"],
        "package.ip.library": ["hls"],
        "package.ip.name": ["qnn_demo_net_01234567"],
        "package.ip.version": ["1.0"],
    }
    for word in (
        PART,
        "qnn_hls_core",
        "qnn_core.cpp",
        "testbench.cpp",
        "-std=c++14 -Iinclude",
        "qnn_demo_net_01234567",
    ):
        assert word in tcl
    assert graph_hash_of(config) == graph_hash_of(tcl) == HASH


@pytest.mark.parametrize(
    ("clock_mhz", "period"),
    [(100, "10"), (140, "7.142"), (200, "5"), (300, "3.333"), (33.333333, "30"), (1e6, "0.001")],
)
def test_the_period_is_never_longer_than_asked_for(clock_mhz: float, period: str) -> None:
    assert period_ns(clock_mhz) == period


@pytest.mark.parametrize(
    ("name", "ip"), [("SFC", "qnn_sfc_01234567"), ("my-net v2", "qnn_my_net_v2_01234567"), ("Ü", "qnn_net_01234567")]
)
def test_the_ip_is_named_by_one_word(name: str, ip: str) -> None:
    assert ip_name(name, HASH) == ip


@pytest.mark.parametrize("part", ["", "xc7z020; exit", "xc7z020\nset x", "[exec ls]", "$env(HOME)"])
def test_a_part_that_is_no_word_is_refused(part: str) -> None:
    with pytest.raises(QnnError, match=r"is no part name; letters, digits and _ \. \+ - are allowed"):
        script_files("net", HASH, part, 100)


@pytest.mark.parametrize("clock_mhz", [0.0, -1.0, float("nan"), float("inf")])
def test_a_clock_that_is_none_is_refused(clock_mhz: float) -> None:
    with pytest.raises(QnnError, match="give one above 0"):
        script_files("net", HASH, PART, clock_mhz)


def test_the_shims_for_gxx_are_not_on_the_include_path() -> None:
    for text in script_files("net", HASH, PART, 100).values():
        assert "shims" not in text and "host" not in text


def test_the_same_build_gives_the_same_bytes() -> None:
    assert script_files("net", HASH, PART, 100) == script_files("net", HASH, PART, 100.0)
    assert len(STEPS) == len(set(STEPS))


@needs_tcl
def test_what_the_script_adds_is_a_whole_program_that_passes(tmp_path: Path) -> None:
    """g++ in the place of csim_design: the files and flags of the script, and the data folder where Vitis copies it."""
    network = build(Net((4, 4, 1), convs=(Conv(4),), dense=(8,), classes=4), seed=1)
    hls = assemble(network, load_board("pynq-z2"), target_fps=100_000).write(tmp_path / "a build") / "hls"
    assert complaints(hls, tmp_path, "csim") == []
    added = [call for call in stand_in.recorded(tmp_path / "record.txt") if call[0] == "add_files"]
    names = [next(word for word in call[1:] if not word.startswith("-")) for call in added]
    flags = {word for call in added if "-cflags" in call for word in call[call.index("-cflags") + 1].split()}
    work = hls / "vitis" / "solution1" / "csim" / "build"
    work.mkdir(parents=True)
    shutil.copytree(hls / "data", work / "data")
    # Vitis brings hls_stream.h and ap_int.h of its own; here they are our shim and hls4ml's.
    own = [f"-I{hls / 'include' / 'shims'}", "-isystem", str(ap_types_dir()), "-Wno-unknown-pragmas"]
    sources = [name for name in names if name.endswith(".cpp")]
    command = ["g++", *sorted(flags), *own, *sources, "-o", str(work / "csim.exe")]
    subprocess.run(command, cwd=hls, check=True)
    passed = subprocess.run(["./csim.exe"], cwd=work, capture_output=True, text=True)
    assert passed.returncode == 0, passed.stdout
    result = work / "data" / "result.dat"
    result.write_text("".join(f"{int(line, 16) ^ 1:x}\n" for line in result.read_text().splitlines()))
    failed = subprocess.run(["./csim.exe"], cwd=work, capture_output=True, text=True)
    assert failed.returncode == 1 and "frame 0, beat 0" in failed.stdout
