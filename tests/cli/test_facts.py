# SPDX-License-Identifier: Apache-2.0
"""What the commands tell: the tables a person reads, and the same facts as JSON."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from qnn_hw import tables
from tests.cli.session import Outcome, content, run


def facts(outcome: Outcome) -> Any:
    """Return stdout as JSON; nothing else may stand there, and infinity or NaN is no JSON."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out, parse_constant=refuse)


def test_summary_of_a_build(built: Path) -> None:
    outcome = run("summary", built)
    latency = json.loads((built / "qnn.json").read_text())["predicted"]["latency_cycles"]
    assert outcome.out == (
        "good on pynq-z2 at 100 MHz\n"
        "\n"
        "layer   kind    shape   in   weight   acc   out   MACs   weight bits   PE   SIMD   cycles\n"
        "─────────────────────────────────────────────────────────────────────────────────────────\n"
        "fc1     dense   8       i8   b1       i12   b1      96            96    1      1       96\n"
        "fc2     dense   4       b1   b1       u4    u4      32            32    1      8        8\n"
        "─────────────────────────────────────────────────────────────────────────────────────────\n"
        "total                                              128           128                   96\n"
        "\n"
        "predicted: a frame every 96 cycles = 1,041,667 frames/s, limited by fc1\n"
        f"latency of a frame alone: {latency} cycles; folding: by the solver, proven optimal\n"
        "golden vectors: 20 frames, data.npz\n"
        "decisions changed by preparing the model: 0 of 30\n"
        f"graph hash: {json.loads((built / 'qnn.json').read_text())['graph_hash']}\n"
    )
    assert outcome.err == ""


def test_summary_as_json_is_the_manifest(built: Path) -> None:
    assert facts(run("summary", built, "--json")) == json.loads((built / "qnn.json").read_text())


def test_build_prints_the_same_facts_as_the_manifest(built: Path, good: Path, models: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    options = ("--out", again, "--data", models / "data.npz", "--target-fps", "1e6")
    told = facts(run("build", good, *options, "--json"))
    assert told.pop("build") == str(again)
    assert told == json.loads((again / "qnn.json").read_text())
    runs = ("sim/work", "results/")
    assert content(again) == {name: data for name, data in content(built).items() if not name.startswith(runs)}


def test_the_build_goes_to_a_folder_named_after_the_model(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = run("build", good)
    assert outcome.out.splitlines()[-1] == "written: build/good"
    assert (tmp_path / "build" / "good" / "qnn.json").is_file()


def test_boards_as_json(tmp_path: Path) -> None:
    known = facts(run("boards", "--json"))
    by_name = {board["name"]: board for board in known}
    assert by_name["pynq-z2"]["lut"] == 53_200
    assert all(name in run("boards").out for name in by_name)


def test_doctor_as_json() -> None:
    outcome = run("doctor", "--json")
    checks = json.loads(outcome.out)
    assert {"g++", "verilator", "yosys"} <= {check["name"] for check in checks}
    assert outcome.code == (0 if all(check["ok"] or check["needed_for"] for check in checks) else 1)


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["table", "json"])
def test_synth_tells_what_synthesis_found(built: Path, monkeypatch: pytest.MonkeyPatch, form: tuple[str, ...]) -> None:
    used = {"lut": 1234, "lutram": 40, "ff": 96, "carry4": 7, "muxf": 2, "bram36_equivalent": 1.5, "dsp": 3}
    report = {
        "tool": {"name": "yosys", "version": "0.70", "origin": "yowasp"},
        "board": "pynq-z2",
        "operators": [
            {"layer": "fc1", **used, "depth": {"levels": 9, "estimate_ns": 4.5}},
            {"layer": "fc1", **used, "depth": {"levels": 4, "estimate_ns": 7.25}},
        ],
        "shell": {**used, "depth": None},
        "timing": {"label": "an estimate"},
        "sum": used,
        "top": None,
        "budget": {"lut": 53_200, "ff": 106_400, "bram36": 140, "dsp": 220},
    }
    monkeypatch.setattr("qnn_hw.synthesis.synthesize_build", lambda folder, **_: report)
    outcome = run("synth", built, "--no-top", *form)
    if form:
        assert facts(outcome) == report
    else:
        rows = {line.partition("  ")[0]: line for line in outcome.out.splitlines()}
        cells = ["fc1", "2,468", "80", "192", "14", "4", "3.0", "6", "4", "7.2"]
        assert re.split(r" {2,}", rows["fc1"].strip()) == cells
        assert rows["pynq-z2 has"].index("53,200") + 6 == rows["fc1"].index("2,468") + 5, "numbers align at the right"
        assert outcome.out.startswith("Resources by yosys 0.70: 2.3% of the board's LUT\n")


@pytest.mark.parametrize("passed", [True, False], ids=["passed", "failed"])
@pytest.mark.parametrize("form", [(), ("--json",)], ids=["table", "json"])
def test_simulate_tells_the_verdict(
    built: Path, monkeypatch: pytest.MonkeyPatch, passed: bool, form: tuple[str, ...]
) -> None:
    text = "stream fc1: frame 0, channel 3: expected 1, got 0 (b1; beat [3])"
    verdict = {
        "name": "good",
        "passed": passed,
        "frames": 20,
        "measured": {"interval_cycles": 96, "first_latency_cycles": 150, "fifo_high_water": {"fc1_fifo": 3}},
        "scenarios": [{"name": "steady", "passed": passed, "findings": [] if passed else [{"text": text}]}],
        "repeat": "python -m bench --frames 20 --seed 1 --scenarios steady",
        "predicted_interval_cycles": 96,
        "predicted_latency_cycles": 150,
        "cycles_agree": True,
    }
    monkeypatch.setattr("qnn_hw.proof.simulate_build", lambda *_, **__: verdict)
    outcome = run("simulate", built, *form)
    assert outcome.code == (0 if passed else 1)
    if form:
        assert json.loads(outcome.out) == verdict
        return
    assert "frame interval 96 cycles, as predicted; first frame after 150 cycles, as predicted\n" in outcome.out
    assert outcome.out.splitlines()[-1] == ("PASSED" if passed else f"FAILED; repeat in sim/: {verdict['repeat']}")
    assert (text in outcome.out) is not passed, "the finding, its brackets included"


def test_demo_tells_what_it_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = {"nets": [], "passed": False}
    monkeypatch.setattr("qnn_hw.demo.run_demo", lambda out, progress: report)
    monkeypatch.setattr(tables, "demo_parts", lambda found: ["nothing"])
    outcome = run("demo", "--out", tmp_path, "--json")
    assert (outcome.code, json.loads(outcome.out)) == (1, report)
    assert run("demo", "--out", tmp_path).out == "nothing\n"


def test_a_wide_table_keeps_everything_within_its_columns() -> None:
    name = "block_3_pointwise_convolution_with_a_long_name"
    text = tables.to_text(tables.table("Title [a]", ("layer", "MACs"), [[name * 3, 10**9], ["b", 0]]))
    assert max(map(len, text.splitlines())) <= tables.TEXT_WIDTH
    joined = "".join(line.partition("  ")[0].strip() for line in text.splitlines())
    assert name * 3 in joined, "a long name goes on in the next line"
    assert "1,000,000,000" in text
    assert text.startswith("Title [a]\n")
    assert "…" not in text
