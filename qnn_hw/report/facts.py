# SPDX-License-Identifier: Apache-2.0
"""Everything the report shows, as JSON-ready data: the page holds no number that is not in here."""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from qnn_hw.analyze import analyze
from qnn_hw.backends.folder import Build, read_build
from qnn_hw.backends.rtl.core import interface
from qnn_hw.boards import Board
from qnn_hw.ir.graph import Graph, Op, TensorType
from qnn_hw.ir.ops.fifo import Fifo
from qnn_hw.ir.ops.matvec import MatVec
from qnn_hw.ir.ops.pool import Pool
from qnn_hw.ir.ops.width_converter import WidthConverter
from qnn_hw.ir.ops.window import Window
from qnn_hw.report.roofline import roofline
from qnn_hw.results import COMMANDS, Result, load_results

Facts = dict[str, Any]

CELLS = ("lut", "ff", "bram36_equivalent", "dsp")
"""Resources of the tables."""

_TITLES = {
    "simulation-rtl": "RTL in cocotb",
    "simulation-hls": "HLS C++: C simulation, then cocotb",
    "simulation-hls-rtl": "Verilog of Vitis HLS in cocotb",
    "simulation-c": "HLS C++: C simulation of given samples",
}
_BOARD_TITLES = {"board-simulated": "simulated board", "board": "board"}
_ALWAYS_SHOWN = ("simulation-rtl", "simulation-hls")


def report_facts(path: Path) -> Facts:
    """Gather the facts of a build: its analysis, and the results of runs that are kept in it.

    Raises:
        QnnError: if `path` is no build, a file in it is damaged, or its dataflow stops for ever.
    """
    build = read_build(path)
    manifest, graph = build.manifest, build.graph
    analysis, results = analyze(path), load_results(path)
    board = _board(build.board)
    synthesis = _current(results, "synthesis-yosys")
    return {
        "name": manifest["name"],
        "graph_hash": manifest["graph_hash"],
        "clock_mhz": manifest["clock_mhz"],
        "board": {"name": manifest["board"], **board},
        "output": manifest["output"],
        "n_classes": manifest["n_classes"],
        "raw_input": {**manifest["raw_input"], "on_host": build.host is not None},
        "input": manifest["input"],
        "golden": manifest["golden"],
        "notes": manifest.get("notes", []),
        "tool_versions": [{"tool": tool, "version": version} for tool, version in manifest["tool_versions"].items()],
        "folding": manifest.get("folding"),
        "schedule": analysis["schedule"],
        "streams": analysis["streams"],
        "network": network(build, analysis),
        "layers": _layers(build, analysis, synthesis),
        "resources": _resources(analysis, synthesis, board),
        "roofline": roofline(graph, analysis, board),
        "verification": [
            _verification(kind, path, results.get(kind)) for kind in _TITLES if kind in (*_ALWAYS_SHOWN, *results)
        ],
        "synthesis": _synthesis(path, results),
        "implementation": _implementation(path, results.get("synthesis-vivado"), board),
        "boards": [_board_run(kind, path, results.get(kind)) for kind in _BOARD_TITLES],
        "commands": _commands(path, build),
    }


def network(build: Build, analysis: Mapping[str, Any]) -> Facts:
    """Return nodes and edges of the drawing: an operator is a node, a stream an edge, DMA at both ends."""
    graph = build.graph
    stages = {stage["name"]: stage for stage in analysis["schedule"]["stages"]}
    queues = {queue["name"]: queue for queue in analysis["schedule"]["queues"]}
    limit = analysis["schedule"]["limit"]["stage"]
    rows = {row["layer"]: row for row in build.manifest["layers"]}
    nodes = [_node("dma_in", "input", "dma", "DMA in", stages, queues, limit)]
    nodes += [_node(op.name, op.layer, op.keyword, _title(op, graph), stages, queues, limit) for op in graph.ops]
    nodes.append(_node("dma_out", "output", "dma", "DMA out", stages, queues, limit))
    layers: list[Facts] = []
    for node in nodes:
        if node["layer"] not in [layer["layer"] for layer in layers]:
            row = rows.get(node["layer"], {})
            layers.append({"layer": node["layer"], **{key: row.get(key) for key in ("kind", "pe", "simd")}})
    return {"nodes": nodes, "edges": list(_edges(build)), "layers": layers}


def _node(
    name: str,
    layer: str,
    operator: str,
    title: str,
    stages: Mapping[str, Any],
    queues: Mapping[str, Any],
    limit: str,
) -> Facts:
    stage, queue = stages.get(name), queues.get(name)
    return {
        "name": name,
        "layer": layer,
        "operator": operator,
        "title": title,
        "cycles": stage and stage["cycles"],
        "busy": stage and stage["busy"],
        "depth": queue and queue["depth"],
        "high_water": queue and queue["high_water"],
        "limit": name == limit,
    }


def _title(op: Op, graph: Graph) -> str:
    match op:
        case Window():
            return f"window {op.kernel[0]}\u00d7{op.kernel[1]}"
        case MatVec():
            return f"matvec {op.pe}\u00d7{op.simd}"
        case Pool():
            return f"pool \u00d7{op.pe}"
        case WidthConverter():
            return f"{graph.types[op.inputs[0]].lanes} \u2192 {op.lanes}"
        case Fifo():
            return "queue"
        case _:
            return op.keyword


def _edges(build: Build) -> Iterator[Facts]:
    graph = build.graph
    outside = interface(graph, int(build.manifest["dma_width_bits"]))
    source = next(iter(graph.inputs))
    wire = {"lanes": outside.dma_width_bits // outside.element_bits, "bits": outside.element_bits}
    yield _edge("dma_in", _reader(graph, source), source, graph.types[source])
    yield {"source": None, "target": "dma_in", "stream": "outside, in", "dtype": None, **wire}
    for op in graph.ops:
        for tensor in op.outputs:
            yield _edge(op.name, _reader(graph, tensor), tensor, graph.types[tensor])
    words = {"lanes": outside.dma_width_bits // 32, "bits": 32}
    yield {"source": "dma_out", "target": None, "stream": "outside, out", "dtype": None, **words}


def _edge(source: str, target: str, tensor: str, kind: TensorType) -> Facts:
    facts = {"source": source, "target": target, "stream": tensor, "dtype": str(kind.dtype)}
    return {**facts, "lanes": kind.lanes, "bits": kind.dtype.bits}


def _reader(graph: Graph, tensor: str) -> str:
    readers = graph.consumers(tensor)
    return readers[0].name if readers else "dma_out"


def _layers(build: Build, analysis: Mapping[str, Any], synthesis: Mapping[str, Any] | None) -> list[Facts]:
    """Return a row a layer that has operators, in the order of the graph."""
    graph = build.graph
    known = {row["layer"]: row for row in build.manifest["layers"]}
    estimated = _by_layer(analysis["resources"]["operators"])
    counted = _by_layer(synthesis["operators"]) if synthesis else {}
    operators: dict[str, list[Op]] = {}
    for op in graph.ops:
        operators.setdefault(op.layer, []).append(op)
    rows = []
    for layer, ops in operators.items():
        row = known.get(layer, {})
        inside = [stage for stage in analysis["schedule"]["stages"] if stage["layer"] == layer]
        slowest = max(inside, key=lambda stage: stage["cycles"], default=None)
        output = graph.types[ops[-1].outputs[0]]
        rows.append(
            {
                "layer": layer,
                "kind": row.get("kind", ops[-1].keyword),
                "operators": len(ops),
                "output": list(row.get("output", output.shape)),
                "input_dtype": row.get("input_dtype", str(graph.types[ops[0].inputs[0]].dtype)),
                "weight_dtype": row.get("weight_dtype") or None,
                "accumulator_dtype": row.get("accumulator_dtype") or None,
                "output_dtype": row.get("output_dtype", str(output.dtype)),
                "macs": row.get("macs") or None,
                "weight_bits": row.get("weight_bits") or None,
                "pe": row.get("pe"),
                "simd": row.get("simd"),
                "cycles": slowest and slowest["cycles"],
                "busy": slowest and slowest["busy"],
                "estimated": estimated.get(layer),
                "synthesized": counted.get(layer),
            }
        )
    return rows


def _by_layer(operators: list[Facts]) -> dict[str, Facts]:
    layers: dict[str, Facts] = {}
    for operator in operators:
        found = layers.setdefault(operator["layer"], dict.fromkeys(CELLS, 0))
        for key in CELLS:
            found[key] += operator[key]
    return layers


def _resources(analysis: Mapping[str, Any], synthesis: Mapping[str, Any] | None, board: Mapping[str, Any]) -> Facts:
    """Return totals, each beside what the board holds."""
    estimated = analysis["resources"]
    rows = []
    for key, title, holds in (
        ("lut", "LUT", "lut"),
        ("ff", "FF", "ff"),
        ("bram36_equivalent", "BRAM36", "bram36"),
        ("dsp", "DSP", "dsp"),
    ):
        has = board[holds]
        used = {"estimated": estimated["sum"][key], "synthesized": synthesis and synthesis["sum"][key]}
        shares = {f"{name}_share": None if value is None else value / has for name, value in used.items()}
        rows.append({"resource": title, "board": has, **used, **shares})
    return {
        "label": estimated["label"],
        "rows": rows,
        "parts": _parts(estimated, synthesis),
        "shell": {
            "estimated": _cells(estimated["shell"]),
            "synthesized": _cells(synthesis["shell"]) if synthesis and synthesis.get("shell") else None,
        },
        "sum": {
            "estimated": _cells(estimated["sum"]),
            "synthesized": _cells(synthesis["sum"]) if synthesis else None,
        },
        "top": _cells(synthesis["top"]) if synthesis and synthesis.get("top") else None,
    }


def _parts(estimated: Mapping[str, Any], synthesis: Mapping[str, Any] | None) -> list[Facts]:
    """Return the LUTs of each layer and of the shell, beside their share of the sum."""
    parts = {layer: found["lut"] for layer, found in _by_layer(estimated["operators"]).items()}
    counted = {layer: found["lut"] for layer, found in _by_layer(synthesis["operators"]).items()} if synthesis else {}
    parts["shell"], total = parts.get("shell", 0) + estimated["shell"]["lut"], estimated["sum"]["lut"]
    rows = []
    for part, lut in parts.items():
        row = {"part": part, "estimated": lut, "estimated_share": lut / total if total else 0.0}
        found = counted.get(part, 0) + (
            (synthesis.get("shell") or {}).get("lut", 0) if synthesis and part == "shell" else 0
        )
        share = found / synthesis["sum"]["lut"] if synthesis and synthesis["sum"]["lut"] else 0.0
        row |= {"synthesized": found, "synthesized_share": share} if synthesis else {}
        rows.append(row)
    return rows


def _cells(found: Mapping[str, Any]) -> Facts:
    return {key: found[key] for key in CELLS}


def _head(kind: str, title: str, path: Path, result: Result | None) -> Facts:
    """Return what is shown of a result in any case; its `state` is empty where there is more to tell."""
    state = "not run" if result is None else "" if result.current else "stale"
    return {
        "kind": kind,
        "title": title,
        "command": _command(kind, path),
        "state": state,
        "date": result and result.date,
    }


def _verification(kind: str, path: Path, result: Result | None) -> Facts:
    facts = _head(kind, _TITLES[kind], path, result)
    if result is None or not result.current:
        return facts
    verdict = result.facts
    measured = verdict["measured"]
    marks = measured.get("fifo_high_water") or {}
    return {
        **facts,
        "state": "passed" if verdict["passed"] else "failed",
        "frames": verdict["frames"],
        "source": (verdict.get("csim") or {}).get("source"),
        "interval_cycles": measured.get("interval_cycles"),
        "first_latency_cycles": measured.get("first_latency_cycles"),
        "predicted_interval_cycles": verdict.get("predicted_interval_cycles"),
        "predicted_latency_cycles": verdict.get("predicted_latency_cycles"),
        "cycles_agree": verdict.get("cycles_agree"),
        "keras_compared": verdict.get("keras_compared"),
        "keras_mismatches": verdict.get("keras_mismatches"),
        "repeat": verdict.get("repeat"),
        "scenarios": [
            {
                "name": item["name"],
                "passed": item["passed"],
                "findings": [item["text"] if isinstance(item, Mapping) else str(item) for item in item["findings"]],
            }
            for item in verdict["scenarios"]
        ],
        "queues": [{"name": name, "high_water": mark} for name, mark in marks.items()],
    }


def _synthesis(path: Path, results: Mapping[str, Result]) -> list[Facts]:
    found = []
    for kind in ("synthesis-yosys", "synthesis-vitis"):
        result = results.get(kind)
        if result is None and kind != "synthesis-yosys":
            continue
        current = result is not None and result.current
        found.append(
            {
                "kind": kind,
                "command": _command(kind, path),
                "state": "not run" if result is None else "current" if current else "stale",
                "date": result and result.date,
                "tool": f"{result.facts['tool'].get('name')} {result.facts['tool'].get('version')}" if result else None,
                "sum": _cells({**dict.fromkeys(CELLS), **result.facts["sum"]}) if result and current else None,
            }
        )
    return found


def _implementation(path: Path, result: Result | None, board: Mapping[str, Any]) -> Facts:
    """Return what Vivado made of the build: figures a layer and of the whole, clock and slacks."""
    current = result is not None and result.current
    facts: Facts = {
        "command": _command("synthesis-vivado", path),
        "state": "not run" if result is None else "current" if current else "stale",
        "date": result and result.date,
        "rows": [],
    }
    if result is None or not result.current:
        return facts
    found = result.facts
    parts = [*_by_layer(found["operators"]).items()]
    parts += [("shell", found["shell"])] if found.get("shell") else []
    parts += [("whole accelerator", found["top"]), ("with DMA and interconnect", found["system"])]
    held = {"lut": board.get("lut"), "ff": board.get("ff"), "bram36_equivalent": board.get("bram36")}
    return {
        **facts,
        "tool": f"{found['tool'].get('name')} {found['tool'].get('version')}",
        "rows": [{"part": part, **_cells(cells)} for part, cells in parts],
        "board": {**held, "dsp": board.get("dsp")},
        "clock": {key: found["clock"][key] for key in ("asked_mhz", "actual_mhz")},
        "slack": {key: found["slack"][key] for key in ("wns_ns", "tns_ns", "whs_ns")},
        "path_from": found["slack"].get("path_from"),
        "path_to": found["slack"].get("path_to"),
    }


def _board_run(kind: str, path: Path, result: Result | None) -> Facts:
    """Return what the driver found on a board, real or simulated."""
    facts = _head(kind, _BOARD_TITLES[kind], path, result)
    if result is None or not result.current:
        return facts
    found = result.facts
    cycles, clock_mhz = found["interval_cycles"], found["clock_mhz"]
    latency = found.get("latency_ms") or {}
    return {
        **facts,
        "state": "passed" if found["bit_exact"] else "failed",
        **{key: found[key] for key in ("frames", "equal", "keras_equal", "top1", "pynq", "part", "clock_mhz")},
        "interval_cycles": cycles,
        "first_latency_cycles": found["first_latency_cycles"],
        "frames_per_s": clock_mhz * 1e6 / cycles if cycles else None,
        # The wall clock of a simulator says nothing of a board.
        "latency_ms": {key: latency.get(key) for key in ("p50", "p99")} if kind == "board" else None,
        "measured_frames_per_s": found.get("frames_per_s") if kind == "board" else None,
    }


def _current(results: Mapping[str, Result], kind: str) -> Mapping[str, Any] | None:
    result = results.get(kind)
    return result.facts if result and result.current else None


def _board(board: Board) -> Facts:
    return {key: getattr(board, key) for key in ("title", "part", "lut", "ff", "bram36", "dsp", "source")}


def _command(kind: str, path: Path) -> str:
    return f"qnn-hw {COMMANDS[kind].format(build=shlex.quote(str(path)))}"


def _commands(path: Path, build: Build) -> list[Facts]:
    folder, manifest = shlex.quote(str(path)), build.manifest
    made = f"qnn-hw build MODEL.keras --board {shlex.quote(manifest['board'])} --clock-mhz {manifest['clock_mhz']:g}"
    made += f" --output {manifest['output']} --folding {folder}/folding.toml --out {folder}"
    return [
        {"purpose": "build again, with this folding", "command": made},
        {"purpose": "prove RTL and Keras equal", "command": _command("simulation-rtl", path)},
        {"purpose": "prove the HLS C++ equal", "command": _command("simulation-hls", path)},
        {"purpose": "simulate without qnn-hw", "command": f"cd {folder}/sim && python -m bench"},
        {"purpose": "count cells with yosys", "command": _command("synthesis-yosys", path)},
        {"purpose": "run the driver on the simulated board", "command": _command("board-simulated", path)},
        {"purpose": "make the bitstream", "command": _command("synthesis-vivado", path)},
        {"purpose": "prove it on a board", "command": _command("board", path)},
        {"purpose": "bits, cycles and estimates as tables", "command": f"qnn-hw analyze {folder}"},
        {"purpose": "make this page", "command": f"qnn-hw report {folder}"},
    ]
