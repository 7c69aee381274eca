# SPDX-License-Identifier: Apache-2.0
"""`analyze` of a build, in Python and on the command line."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qnn_hw.analyze import analysis_parts, analyze, parse_range
from qnn_hw.backends.folder import read_build
from qnn_hw.boards import load_board
from qnn_hw.compiler import assemble
from qnn_hw.errors import QnnError
from qnn_hw.ir import Graph
from qnn_hw.tables import to_text
from tests.cli.session import refused, run
from tests.random_nets import Conv, Net, build

NET = Net((6, 6, 1), (Conv(4, pool=(2, 2)),), (8,), classes=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build whose layer fc0 has the channels 2 and 5 stuck: thresholds never and always reached."""
    graph = build(NET, seed=4)
    table = graph.constants["fc0.thresholds"].copy()
    kind = graph.types["fc0_acc"].dtype
    # Some are stuck by chance; only these two shall be.
    table[:] = np.clip(table, -1, 1)
    table[2], table[5] = kind.maximum + 1, kind.minimum
    changed = Graph(graph.name, graph.inputs, graph.ops, graph.outputs, {**graph.constants, "fc0.thresholds": table})
    accelerator = assemble(changed, load_board("pynq-z2"), target_fps=100_000)
    return accelerator.write(tmp_path_factory.mktemp("analyze") / "net")


@pytest.fixture(scope="module")
def facts(folder: Path) -> dict[str, Any]:
    return analyze(folder)


def by_name(facts: dict[str, Any], stream: str) -> dict[str, Any]:
    return next(row for row in facts["streams"] if row["stream"] == stream)


def test_the_facts_are_json(facts: dict[str, Any]) -> None:
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts


def test_streams_have_the_types_and_widths_of_the_graph(folder: Path, facts: dict[str, Any]) -> None:
    graph = read_build(folder).graph
    for row in facts["streams"]:
        kind = graph.types[row["stream"]]
        assert (row["dtype"], row["bits"]) == (str(kind.dtype), kind.dtype.bits)
        assert (row["lanes"], row["width_bits"]) == (kind.lanes, kind.lanes * kind.dtype.bits)
        assert kind.dtype.minimum <= row["low"] <= row["high"] <= kind.dtype.maximum
        assert row["needed_bits"] <= row["bits"]


def test_constant_channels_are_counted_and_named(facts: dict[str, Any]) -> None:
    assert by_name(facts, "fc0")["constant_channels"] == {"count": 2, "indices": [2, 5]}


def test_an_input_range_narrows_what_is_needed(folder: Path, facts: dict[str, Any]) -> None:
    narrow = analyze(folder, input_range=(0, 15))
    assert narrow["input_range"] == [0, 15]
    assert (by_name(narrow, "image")["high"], by_name(narrow, "image")["needed"]) == (15, "u4")
    assert by_name(narrow, "scaled")["low"] == by_name(facts, "scaled")["low"] == -128
    assert by_name(narrow, "scaled")["high"] == -113
    assert narrow["schedule"] == facts["schedule"]


def test_the_schedule_in_cycles_and_time(facts: dict[str, Any]) -> None:
    found = facts["schedule"]
    assert found["frames_per_s"] == pytest.approx(100e6 / found["interval_cycles"])
    assert found["latency_us"] == pytest.approx(found["latency_cycles"] / 100)
    assert found["batch_of_1_frames_per_s"] == pytest.approx(100e6 / found["latency_cycles"])
    assert found["limit"]["stage"] in [stage["name"] for stage in found["stages"]]
    assert all(queue["high_water"] <= queue["depth"] for queue in found["queues"])


def test_resources_add_up(facts: dict[str, Any]) -> None:
    found = facts["resources"]
    for key in ("lut", "ff", "bram36_equivalent", "dsp"):
        operators = sum(row[key] for row in found["operators"])
        assert operators == pytest.approx(sum(row[key] for row in found["layers"]))
        assert operators + found["shell"][key] == pytest.approx(found["sum"][key])
    assert facts["budget"] == {"lut": 53200, "ff": 106400, "bram36": 140, "dsp": 220}


def test_a_build_knows_a_board_that_is_not_shipped(tmp_path: Path) -> None:
    board = replace(load_board("pynq-z2"), name="bench-7", lut=20_000)
    found = analyze(assemble(build(NET, seed=4), board, target_fps=100_000).write(tmp_path / "net"))
    assert found["budget"]["lut"] == 20_000
    assert "bench-7 has" in to_text(*analysis_parts(found))


def test_the_tables(folder: Path) -> None:
    outcome = run("analyze", folder)
    assert outcome.code == 0, outcome.err
    for title in ("Bits", "Cycles a frame", "Queues", "Resources, estimated by formulas fitted to yosys"):
        assert f"{title}" in outcome.out
    assert "limit: " in outcome.out
    assert "µs" in outcome.out


def test_the_command_prints_the_same_as_json(folder: Path, facts: dict[str, Any]) -> None:
    assert json.loads(run("analyze", folder, "--json").out) == facts
    narrow = json.loads(run("analyze", folder, "--json", "--input-range", "0:15").out)
    assert narrow == analyze(folder, input_range=(0, 15))


def test_the_report_command(folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert run("report", folder, "-o", page).out == f"written: {page}\n"
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert refused("report", folder, "-o", tmp_path) == f"{tmp_path}: is a folder; give the name of a file"


@pytest.mark.parametrize("text", ["", "3", "1:", ":4", "a:b", "1:2:3"])
def test_a_range_that_is_none(text: str) -> None:
    with pytest.raises(QnnError, match=r"^--input-range .*: give LOW:HIGH, two whole numbers, for example 0:15$"):
        parse_range(text)


def test_a_range_outside_the_input_type(folder: Path) -> None:
    assert refused("analyze", folder, "--input-range", "-1:300") == (
        "input image: the range -1..300 is no part of u8 (0..255)"
    )


@pytest.mark.parametrize("command", ["analyze", "report"])
def test_what_is_no_build(command: str, tmp_path: Path) -> None:
    assert refused(command, tmp_path / "absent") == (
        f"{tmp_path / 'absent'}: no such folder; make a build with `qnn-hw build`"
    )
    assert "no build here (qnn.json is missing)" in refused(command, tmp_path)
