# SPDX-License-Identifier: Apache-2.0
"""A sweep that goes on: after its end, with damaged files, with other parameters, from elsewhere."""

import csv
import json
import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from qnn_hw.analyze import analyze
from qnn_hw.backends.folder import read_build
from qnn_hw.boards import load_board
from qnn_hw.compiler import Golden
from qnn_hw.errors import QnnError
from qnn_hw.explore import Network, Request, explore, run_sweep
from qnn_hw.explore import sweep as sweep_module
from qnn_hw.explore.network import pack, unpack
from qnn_hw.explore.point import Task, tool_version
from qnn_hw.explore.store import open_store
from qnn_hw.explore.worker import Place, receive, work, work_in
from tests.explore.sweeps import network, read_log, request

FPS = "100000,5000000,max,4e8"
"""Two rates, the highest, and one above a frame a cycle."""


def here(client: None, packed: dict[str, bytes], tasks: Sequence[Task], store: Any, progress: Any, total: int) -> Any:
    """Do a sweep's work in this process."""
    results = sweep_module._Results({}, 0)
    for task in tasks:
        answer = work_in(store, packed[task.network], task)
        receive(store, answer)
        results.built += answer.built
    return results


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweeps work in this process: what is tested is what they leave, not the cluster."""
    from contextlib import nullcontext

    monkeypatch.setattr(sweep_module, "connected", lambda *arguments: nullcontext())
    monkeypatch.setattr(sweep_module, "_run", here)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A finished sweep over a local cluster and its facts; no test changes it."""
    out = tmp_path_factory.mktemp("swept") / "sweep"
    return out, run_sweep([network()], request(out, FPS))


def test_facts_and_builds(swept: tuple[Path, dict[str, Any]]) -> None:
    out, facts = swept
    assert (facts["points"], facts["built"], facts["feasible"], facts["infeasible"]) == (4, 4, 3, 1)
    slow, fast, impossible, most = facts["rows"]
    assert impossible["reason"].startswith("fc0: the target allows 0 cycles")
    assert not impossible["fits"] and impossible["build"] is None
    assert most["target"] == "max" and most["frames_per_s"] >= fast["frames_per_s"] >= 5e6
    assert slow["lut"] < fast["lut"] and slow["pareto_lut"] and slow["solver"] == "optimal"
    for row in (slow, fast, most):
        analysis = analyze(out / row["build"])
        assert row["lut"] == analysis["resources"]["sum"]["lut"]
        assert row["interval_cycles"] == analysis["schedule"]["interval_cycles"]
        assert row["latency_cycles"] == analysis["schedule"]["latency_cycles"]
        assert read_build(out / row["build"]).manifest["graph_hash"] == row["graph_hash"]
        assert row["worker"] and not row["worker"].endswith(f":{os.getpid()}"), "built in the client"
    assert json.loads((out / "summary.json").read_text()) == {k: v for k, v in facts.items() if k != "rows"}


def test_csv_parquet_and_plot_tell_the_same(swept: tuple[Path, dict[str, Any]]) -> None:
    out, facts = swept
    with (out / "points.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert pyarrow.parquet.read_table(out / "points.parquet").to_pylist() == facts["rows"]
    by_key = {line["key"]: line for line in lines}
    drawing = ElementTree.parse(out / "pareto.svg")
    panels = [element for element in drawing.iter() if element.get("class") == "panel"]
    assert [panel.get("data-column") for panel in panels] == ["lut", "bram36"]
    for panel, front in zip(panels, ("pareto_lut", "pareto_bram"), strict=True):
        column = str(panel.get("data-column"))
        marks = {str(e.get("data-key")): e for e in panel.iter() if e.get("class") == "point"}
        assert marks.keys() == {line["key"] for line in lines if line["feasible"] == "true"}
        for key, mark in marks.items():
            assert mark.get("data-frames-per-s") == by_key[key]["frames_per_s"]
            assert mark.get(f"data-{column}") == by_key[key][column]
            assert (mark.get("data-kind") == "front") == (by_key[key][front] == "true")
        (limit,) = [e for e in panel.iter() if e.get("class") == "limit-text"]
        assert limit.get("data-limit") == lines[0][f"board_{column}"]


def test_the_same_command_again_starts_nothing(swept: tuple[Path, dict[str, Any]], monkeypatch: Any) -> None:
    out, facts = swept
    monkeypatch.setattr(sweep_module, "connected", None)
    again = run_sweep([network()], request(out, FPS))
    assert (again["built"], again["known"], again["rows"]) == (0, 4, facts["rows"])


def test_an_interrupted_sweep_goes_on_and_damaged_points_are_made_again(in_process: None, tmp_path: Path) -> None:
    out = tmp_path / "sweep"
    facts = run_sweep([network()], request(out, "100000,200000,5000000"))
    cut, changed, unbuilt = (row["key"] for row in facts["rows"])
    cut_file, changed_file = (out / "points" / f"{key}.json" for key in (cut, changed))
    cut_file.write_bytes(cut_file.read_bytes()[:200])
    changed_file.write_text(changed_file.read_text().replace('"feasible": true', '"feasible": false'))
    (out / "builds" / unbuilt / "qnn.json").unlink()
    (out / "builds" / unbuilt / "graph.txt").unlink()
    (out / "builds" / f".{cut}.half").mkdir()
    again = run_sweep([network()], request(out, "100000,200000,5000000"))
    assert again["damaged"] == sorted(
        [f"points/{cut}.json: cut off or no point file", f"points/{changed}.json: changed since it was written"]
    )
    assert (again["built"], again["known"]) == (3, 0)
    assert [row["graph_hash"] for row in again["rows"]] == [row["graph_hash"] for row in facts["rows"]]
    assert list((out / "builds").glob(".*")) == []


def test_other_parameters_extend_a_sweep(in_process: None, tmp_path: Path) -> None:
    out = tmp_path / "sweep"
    (first,) = run_sweep([network()], request(out, "100000"))["rows"]
    wider = replace(request(out, "100000,5000000"), boards=(load_board("pynq-z2"), load_board("pynq-z1")))
    facts = run_sweep([network(), network(seed=4, label="other")], wider)
    assert (facts["points"], facts["built"], facts["known"], facts["points_in_folder"]) == (8, 7, 1, 8)
    assert {(row["model"], row["board"]) for row in facts["rows"]} == {
        (model, board) for model in ("net", "other") for board in ("pynq-z1", "pynq-z2")
    }
    narrow = run_sweep([network()], request(out, "100000"))
    assert (narrow["built"], narrow["points_in_folder"]) == (0, 8)
    assert [(row["key"], row["seconds"]) for row in narrow["rows"]] == [(first["key"], first["seconds"])]
    assert set(read_log(out).finished().values()) == {1}


def test_facts_first_and_builds_later(in_process: None, tmp_path: Path) -> None:
    out = tmp_path / "sweep"
    facts = run_sweep([network()], request(out, "100000", builds=False))
    assert facts["rows"][0]["build"] is None
    assert not any((out / "builds").iterdir())
    (row,) = run_sweep([network()], request(out, "100000"))["rows"]
    assert (out / row["build"] / "qnn.json").is_file()


def test_synthesis_is_added_to_builds_that_are_there(
    in_process: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "sweep"
    run_sweep([network()], request(out, "100000"))
    (build,) = (out / "builds").iterdir()
    before = (build / "qnn.json").stat().st_mtime_ns
    seen = []

    def count(folder: Path, **options: Any) -> dict[str, Any]:
        seen.append(folder)
        return {"tool": {"version": "0"}, "sum": {"lut": 7, "ff": 8, "bram36_equivalent": 0.5, "dsp": 0}}

    monkeypatch.setattr("qnn_hw.synthesis.synthesize_build", count)
    (row,) = run_sweep([network()], request(out, "100000", synth=True))["rows"]
    assert (row["yosys_lut"], row["yosys_ff"], row["yosys_bram36"], seen) == (7, 8, 0.5, [build])
    assert (build / "qnn.json").stat().st_mtime_ns == before, "the build was written again"


def test_a_worker_without_the_folder_sends_the_build(tmp_path: Path) -> None:
    store = open_store(tmp_path / "sweep")
    net = network()
    task = Task(net.key(), "net", load_board("pynq-z2"), 100.0, "class", 1e5, tool_version(), 60.0, True, False)
    for token in ("of another machine", store.token):
        answer = work(pack(net), task, Place(str(store.folder), token))
        assert answer.stored == (token == store.token)
        receive(store, answer)
        assert read_build(store.build_folder(task.key)).manifest["graph_hash"] == answer.facts["graph_hash"]
        assert store.read_point(task.key) == answer.facts
    assert not answer.built, "the point that the client had written was built again"
    assert read_log(store.folder).finished() == {task.key: 1}


def test_a_worker_of_another_version_says_so(tmp_path: Path) -> None:
    net = network()
    task = Task(net.key(), "net", load_board("pynq-z2"), 100.0, "class", 1e5, "9.9.9+0", 60.0, False, False)
    with pytest.raises(QnnError, match=r"has qnn-hw .*, this sweep runs with 9\.9\.9; install the same version there"):
        work(pack(net), task, Place("", ""))


def test_a_network_arrives_as_it_was_sent() -> None:
    net = network()
    net = Network(net.label, net.graph, Golden(net.golden.samples, sweep_classes(net)))
    back = unpack(pack(net))
    assert (back.label, back.key(), back.golden.samples.source) == (net.label, net.key(), net.golden.samples.source)
    assert (back.golden.samples.x == net.golden.samples.x).all()
    assert (back.golden.keras_class == net.golden.keras_class).all()
    assert pack(back) == pack(net)
    with pytest.raises(QnnError, match="a damaged network arrived"):
        unpack(pack(net)[:100])


def sweep_classes(net: Network) -> Any:
    """Classes for the golden frames."""
    return net.golden.samples.x[:, 0] % 4


def test_keys_name_what_the_figures_depend_on() -> None:
    net, board = network(), load_board("pynq-z2")
    task = Task(net.key(), "net", board, 100.0, "class", 1e5, "1+a", 60.0, True, False)
    same = replace(task, model="renamed", time_limit_s=5.0, build=False, synth=True)
    others = [
        replace(task, network=network(seed=4).key()),
        replace(task, board=replace(board, lut=board.lut + 1)),
        replace(task, clock_mhz=125.0),
        replace(task, output="logits"),
        replace(task, target="max"),
        replace(task, version="1+b"),
    ]
    assert same.key == task.key
    assert len({task.key, *(other.key for other in others)}) == 1 + len(others)


def test_an_unproven_point_is_searched_again_when_there_is_more_time() -> None:
    task = Task("", "net", load_board("pynq-z2"), 100.0, "class", 1e5, "1+a", 60.0, False, False)
    facts = {"feasible": True, "solver": {"status": "time-out"}, "time_limit_s": 60.0, "build": False, "yosys": None}
    assert task.answered_by(facts)
    assert not replace(task, time_limit_s=61.0).answered_by(facts)
    assert replace(task, time_limit_s=61.0).answered_by({**facts, "solver": {"status": "optimal"}})


def test_models_are_read_once_each_and_need_different_names(in_process: None, tmp_path: Path) -> None:
    read = []

    def reader(path: Path) -> Network:
        read.append(path.name)
        return network(seed=len(read), label=path.stem)

    wanted: Request = request(tmp_path / "sweep", "100000,200000", builds=False)
    explore(reader, [Path("a.keras"), Path("b.keras")], wanted, lambda text: None)
    assert read == ["a.keras", "b.keras"]
    with pytest.raises(QnnError, match="two of the models are called a; give the files different names"):
        explore(reader, [Path("a.keras"), Path("x/a.keras")], wanted, lambda text: None)
