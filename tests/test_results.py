# SPDX-License-Identifier: Apache-2.0
"""Results kept in a build: read back, stale, damaged, not writable."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qnn_hw import proof
from qnn_hw.boards import load_board
from qnn_hw.compiler import assemble
from qnn_hw.errors import QnnError
from qnn_hw.results import COMMANDS, load_results, save_result
from qnn_hw.samples import Samples
from tests.cli.session import run
from tests.random_nets import Net, build

VERDICT = {"passed": True, "frames": 4, "measured": {}, "scenarios": []}
CELLS = {"lut": 7, "ff": 5, "bram36_equivalent": 0.5, "dsp": 0}
REPORT = {"tool": {"name": "yosys"}, "operators": [{"layer": "fc0", **CELLS}], "sum": CELLS}
PLACED = {
    **REPORT,
    **{"tool": {"name": "Vivado", "version": "2024.1"}, "top": CELLS, "system": CELLS, "shell": None},
    **{"clock": {"asked_mhz": 100, "actual_mhz": 100.0}, "slack": {"wns_ns": 0.5, "tns_ns": 0.0, "whs_ns": 0.02}},
}
ON_BOARD = {
    **{"frames": 20, "equal": 20, "bit_exact": True, "keras_equal": 20, "top1": None, "pynq": "3.1.2"},
    **{"part": "xc7z020clg400-1", "clock_mhz": 100.0, "interval_cycles": 64, "first_latency_cycles": 300},
    **{"latency_ms": {"p50": 0.4, "p99": 0.9}, "frames_per_s": 1200.0},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    accelerator = assemble(build(Net((8,), dense=(4,), classes=3), seed=1), load_board("pynq-z2"), target_fps=1e6)
    return accelerator.write(tmp_path / "net")


def facts_for(kind: str) -> dict[str, Any]:
    if kind == "synthesis-vivado":
        return PLACED
    return {"simulation": VERDICT, "synthesis": REPORT, "board": ON_BOARD}[kind.partition("-")[0]]


def test_a_new_build_has_no_results(folder: Path) -> None:
    assert load_results(folder) == {}
    assert not (folder / "results").exists()


@pytest.mark.parametrize("kind", COMMANDS)
def test_what_is_saved_is_read_back(folder: Path, kind: str) -> None:
    file = save_result(folder, kind, facts_for(kind))
    assert file == folder / "results" / f"{kind}.json"
    (found,) = load_results(folder).values()
    assert (found.kind, found.current, found.facts) == (kind, True, facts_for(kind))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\dZ", found.date)
    assert found.graph_hash == json.loads((folder / "qnn.json").read_text())["graph_hash"]


def test_a_later_result_replaces_an_earlier_one_and_nothing_else_stays(folder: Path) -> None:
    for frames in (4, 5):
        save_result(folder, "simulation-rtl", {**VERDICT, "frames": frames})
    assert load_results(folder)["simulation-rtl"].facts["frames"] == 5
    assert [path.name for path in (folder / "results").iterdir()] == ["simulation-rtl.json"]


def test_the_result_of_another_build_is_stale(folder: Path) -> None:
    save_result(folder, "simulation-rtl", VERDICT)
    manifest = json.loads((folder / "qnn.json").read_text())
    (folder / "qnn.json").write_text(json.dumps({**manifest, "graph_hash": "f" * 32}))
    assert not load_results(folder)["simulation-rtl"].current


def change(**fields: Any) -> Any:
    return lambda content: json.dumps({**content, **fields})


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda content: "", "Expecting value"),
        (lambda content: json.dumps(content)[:-20], "Expecting"),
        (lambda content: "[1]", "it holds no facts"),
        (change(facts=3), "it holds no facts"),
        (change(schema=2), "schema 2, this version reads 1"),
        (change(date=None), "the field date is None"),
        (change(graph_hash=7), "the field graph_hash is 7"),
        (change(kind="simulation-hls"), "it is of the kind 'simulation-hls'"),
        (change(facts={**VERDICT, "passed": "yes"}), "the field facts.passed is 'yes'"),
        (change(facts={"passed": True}), "the field facts.frames is None"),
        (
            change(facts={**VERDICT, "scenarios": [{"name": "steady"}]}),
            "the entry facts.scenarios[0] is {'name': 'steady'}",
        ),
    ],
    ids=["empty", "cut-off", "list", "facts", "schema", "date", "hash", "kind", "passed", "frames", "scenario"],
)
def test_a_damaged_file(folder: Path, damage: Any, reason: str) -> None:
    file = save_result(folder, "simulation-rtl", VERDICT)
    file.write_text(damage(json.loads(file.read_text())))
    with pytest.raises(QnnError) as error:
        load_results(folder)
    assert str(error.value).startswith(f"{file}: damaged ({reason}")
    assert str(error.value).endswith(f"); repeat `qnn-hw simulate {folder}`, or remove the file")


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("tool", None, "the field facts.tool is None"),
        ("sum", {"lut": "many"}, "the entry facts.sum is {'lut': 'many'}"),
        ("operators", [CELLS], "the entry facts.operators[0] is {'lut': 7"),
    ],
)
def test_a_damaged_report(folder: Path, field: str, value: Any, reason: str) -> None:
    file = save_result(folder, "synthesis-yosys", {**REPORT, field: value})
    with pytest.raises(QnnError) as error:
        load_results(folder)
    assert str(error.value).startswith(f"{file}: damaged ({reason}")


@pytest.mark.parametrize(
    ("kind", "field", "value", "reason"),
    [
        ("synthesis-vivado", "slack", {"wns_ns": None}, "the field facts.slack.wns_ns is None"),
        ("synthesis-vivado", "clock", 100, "the field facts.clock is 100"),
        ("synthesis-vivado", "clock", {"asked_mhz": True}, "the field facts.clock.asked_mhz is True"),
        ("synthesis-vivado", "system", None, "the entry facts.system is None"),
        ("synthesis-vivado", "shell", {"lut": 1}, "the entry facts.shell is {'lut': 1}"),
        ("board", "bit_exact", 1, "the field facts.bit_exact is 1"),
        ("board", "interval_cycles", None, "the field facts.interval_cycles is None"),
        ("board", "top1", "high", "the field facts.top1 is 'high'"),
        ("board", "latency_ms", 3, "the field facts.latency_ms is 3"),
        ("board-simulated", "latency_ms", {"p50": "short"}, "the field facts.latency_ms.p50 is 'short'"),
    ],
)
def test_damaged_facts_of_a_board(folder: Path, kind: str, field: str, value: Any, reason: str) -> None:
    file = save_result(folder, kind, {**facts_for(kind), field: value})
    with pytest.raises(QnnError) as error:
        load_results(folder)
    assert str(error.value).startswith(f"{file}: damaged ({reason})")
    assert f"repeat `qnn-hw {COMMANDS[kind].format(build=folder)}`" in str(error.value)


@pytest.mark.parametrize("field", ["keras_equal", "top1", "latency_ms", "frames_per_s"])
def test_a_board_may_not_know_everything(folder: Path, field: str) -> None:
    save_result(folder, "board", {**ON_BOARD, field: None})
    assert load_results(folder)["board"].facts[field] is None


def test_an_unknown_kind(folder: Path) -> None:
    with pytest.raises(QnnError, match=r"^result 'simulation-vhdl': choose one of simulation-rtl, simulation-hls,"):
        save_result(folder, "simulation-vhdl", VERDICT)


def test_a_folder_that_is_no_build(tmp_path: Path) -> None:
    with pytest.raises(QnnError, match=r"no build here"):
        save_result(tmp_path, "simulation-rtl", VERDICT)
    with pytest.raises(QnnError, match=r"no build here"):
        load_results(tmp_path)


def test_results_that_cannot_be_written(folder: Path) -> None:
    (folder / "results").write_text("in the way")
    with pytest.raises(QnnError, match=r"simulation-rtl\.json: cannot be written: (Not a directory|File exists)$"):
        save_result(folder, "simulation-rtl", VERDICT)


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdicts without a simulation."""
    monkeypatch.setattr(proof, "_simulate_in_cocotb", lambda path, run, is_layer, progress: dict(VERDICT))
    compiled = {**VERDICT, "csim": {"frames": 4}}
    monkeypatch.setattr(proof, "simulate_c", lambda build, run, data, progress: compiled)


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("backend", ["rtl", "hls", "hls-rtl"])
def test_a_simulation_leaves_its_verdict(folder: Path, backend: Any) -> None:
    verdict = proof.simulate_build(folder, proof.Simulation(backend=backend))
    (found,) = load_results(folder).values()
    assert (found.kind, found.facts) == (f"simulation-{backend}", verdict)


@pytest.mark.usefixtures("simulator")
def test_a_simulation_of_given_samples_leaves_a_verdict_of_its_own(folder: Path) -> None:
    data = Samples(np.zeros((2, 8), np.int64), None, "zeros")
    proof.simulate_build(folder, proof.Simulation(backend="hls"), data=data)
    assert list(load_results(folder)) == ["simulation-c"]


@pytest.mark.usefixtures("simulator")
def test_a_simulation_of_one_layer_leaves_nothing(folder: Path) -> None:
    proof.simulate_build(folder, layer="fc0")
    assert load_results(folder) == {}
    assert not list(folder.rglob("results"))


def test_a_synthesis_leaves_its_report(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = dict.fromkeys(("lut", "lutram", "ff", "carry4", "muxf", "bram36_equivalent", "dsp"), 1)
    report = {
        **REPORT,
        "operators": [],
        "tool": {"name": "yosys", "version": "1"},
        "board": "pynq-z2",
        "timing": {"label": "an estimate"},
        "shell": cells,
        "sum": cells,
        "top": None,
        "budget": {"lut": 53_200, "ff": 106_400, "bram36": 140, "dsp": 220},
    }
    monkeypatch.setattr("qnn_hw.synthesis.synthesize_build", lambda folder, whole_top, progress: report)
    assert run("synth", folder).code == 0
    (found,) = load_results(folder).values()
    assert (found.kind, found.facts) == ("synthesis-yosys", report)
