# SPDX-License-Identifier: Apache-2.0
"""Builds made without Keras or simulation, and results as runs leave them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qnn_hw.analyze import analyze
from qnn_hw.boards import load_board
from qnn_hw.compiler import assemble
from qnn_hw.ir import Graph
from qnn_hw.results import save_result
from tests.random_nets import Block, Conv, Net, build

ODD = "conv0 <b>&\"'</script>]]>"
"""A layer name that would break a page which does not escape it."""

CHAIN = Net((8, 8, 1), (Conv(4, same=True), Conv(8, pool=(2, 2))), (16,), classes=4)
BRANCHES = Net((6, 6, 2), (), (), classes=3, blocks=(Block(4, ((3, 3), (3, 3)), inner=(Block(4),)),))


def verdict(**changes: Any) -> dict[str, Any]:
    """A verdict of `simulate`, with some fields changed."""
    return {
        "name": "random",
        "backend": "rtl",
        "passed": True,
        "frames": 7,
        "seed": 1,
        "measured": {"first_latency_cycles": 1234, "interval_cycles": 765, "fifo_high_water": {"head_fifo": 3}},
        "scenarios": [{"name": name, "passed": True, "findings": []} for name in ("steady", "stalls", "hard_reset")],
        "repeat": "python -m bench --frames 7",
        "predicted_interval_cycles": 765,
        "predicted_latency_cycles": 1234,
        "cycles_agree": True,
        "keras_compared": 7,
        "keras_mismatches": 0,
        **changes,
    }


def synthesis(path: Path) -> dict[str, Any]:
    """A report of `synth` with figures of its own: a LUT more than estimated for each operator."""
    estimated = analyze(path)["resources"]
    operators = [{**row, "lut": row["lut"] + 1} for row in estimated["operators"]]
    total = {**estimated["sum"], "lut": estimated["sum"]["lut"] + len(operators)}
    return {
        "tool": {"name": "yosys", "version": "0.70", "origin": "native"},
        "board": "pynq-z2",
        "operators": operators,
        "shell": estimated["shell"],
        "sum": total,
        "top": {**total, "lut": total["lut"] - 2},
        "budget": {"lut": 53200, "ff": 106400, "bram36": 140, "dsp": 220},
    }


def implementation(path: Path) -> dict[str, Any]:
    """A report of `synth --tool vivado`: two LUTs less than estimated for each operator."""
    report = synthesis(path)
    operators = [{**row, "lut": max(0, row["lut"] - 3)} for row in report["operators"]]
    top = {**report["sum"], "lut": 777}
    return {
        **report,
        "tool": {"name": "Vivado", "version": "2024.1", "origin": "vivado", "label": "after place and route"},
        "operators": operators,
        "top": top,
        "system": {**top, "lut": 3888, "ff": 5777},
        "clock": {"asked_mhz": 100.0, "actual_mhz": 99.999},
        "slack": {"wns_ns": 0.512, "tns_ns": 0.0, "whs_ns": 0.02, "path_from": "u_fc1/a_reg[3]/C", "path_to": "b/D"},
    }


def on_board(**changes: Any) -> dict[str, Any]:
    """What `validate` of the driver reports, with some fields changed."""
    return {
        **{"frames": 21, "equal": 21, "bit_exact": True, "keras_equal": 20, "top1": 0.9, "pynq": "3.1.2"},
        **{"part": "xc7z020clg400-1", "clock_mhz": 99.999, "interval_cycles": 765, "first_latency_cycles": 1234},
        **{"latency_ms": {"p50": 0.46, "p99": 1.25}, "frames_per_s": 98765.4, "seconds": 0.1},
        **changes,
    }


def write(path: Path, net: Net, odd_name: bool = False) -> Path:
    """Write a build of a random network; its first convolution gets an odd name on request."""
    graph = build(net, seed=5)
    if odd_name:
        ops = tuple(replace(op, layer=ODD) if op.layer == "conv0" else op for op in graph.ops)
        graph = Graph(graph.name, graph.inputs, ops, graph.outputs, graph.constants)
    return assemble(graph, load_board("pynq-z2"), target_fps=20_000).write(path)


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A convolutional network that nothing was run on; no test changes it."""
    return write(tmp_path_factory.mktemp("report") / "chain", CHAIN, odd_name=True)


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, simulated and synthesized; no test changes it."""
    path = write(tmp_path_factory.mktemp("report") / "measured", CHAIN, odd_name=True)
    save_result(path, "simulation-rtl", verdict())
    hls = {"first_latency_cycles": None, "interval_cycles": None, "fifo_high_water": None}
    save_result(path, "simulation-hls", verdict(backend="hls", measured=hls, csim={"source": "digits"}))
    save_result(path, "synthesis-yosys", synthesis(path))
    save_result(path, "synthesis-vivado", implementation(path))
    save_result(path, "board-simulated", on_board())
    save_result(path, "board", on_board(equal=20, bit_exact=False))
    return path


@pytest.fixture(scope="session")
def branches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with a residual block inside another, with a stale result; no test changes it."""
    path = write(tmp_path_factory.mktemp("report") / "branches", BRANCHES)
    file = save_result(path, "simulation-rtl", verdict(frames=424242))
    file.write_text(json.dumps({**json.loads(file.read_text()), "graph_hash": "0" * 32}))
    return path
