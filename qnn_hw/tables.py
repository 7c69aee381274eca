# SPDX-License-Identifier: Apache-2.0
"""Tables a person reads, drawn with Rich; the same facts go out as JSON elsewhere."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

TEXT_WIDTH = 100
"""Columns of a table where there is no terminal to ask."""


def print_parts(console: Console, *parts: RenderableType) -> None:
    """Print tables and sentences, an empty line around each table; only a terminal gets its sentences broken."""
    for part in parts:
        if isinstance(part, str):
            # Text, not a string: Rich would read [conv1] in a name or path as markup.
            console.print(Text(part), highlight=False, soft_wrap=not console.is_terminal)
        else:
            console.print(part)


def to_text(*parts: RenderableType) -> str:
    """Render without colours, tables `TEXT_WIDTH` columns wide."""
    file = io.StringIO()
    print_parts(Console(file=file, width=TEXT_WIDTH, force_terminal=False, color_system=None), *parts)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], footer: Sequence[Any] = ()) -> Group:
    """Make a table; numbers are right-aligned with thousands separators, the footer stands below a rule."""
    drawn = Table(show_footer=bool(footer), box=box.SIMPLE, pad_edge=False, show_edge=False)
    for i, column in enumerate(columns):
        values = [row[i] for row in rows if row[i] != ""]
        numeric = bool(values) and all(isinstance(value, int | float) for value in values)
        drawn.add_column(
            Text(column),
            justify="right" if numeric else "left",
            footer=Text(_cell(footer[i]) if footer else ""),
            no_wrap=numeric,
            overflow="fold",  # an unusually long name goes on in the next line; nothing is cut off
        )
    for row in rows:
        drawn.add_row(*(Text(_cell(value)) for value in row))
    # Rich would break a title at the width of its table.
    return Group(Text(title, "bold"), "", drawn, "")


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    if isinstance(value, tuple | list):
        return "x".join(str(item) for item in value)
    return str(value)


LAYER_COLUMNS = (
    *("layer", "kind", "shape", "in", "weight", "acc", "out", "MACs", "weight bits", "PE", "SIMD", "cycles"),
)
_LAYER_KEYS = (
    "layer",
    "kind",
    "output",
    "input_dtype",
    "weight_dtype",
    "accumulator_dtype",
    "output_dtype",
    "macs",
    "weight_bits",
    "pe",
    "simd",
    "cycles",
)


def layer_table(manifest: Mapping[str, Any]) -> Group:
    """Return the table of layers of a build (`qnn.json`)."""
    rows = [[layer[key] for key in _LAYER_KEYS] for layer in manifest["layers"]]
    macs, bits = (sum(layer[key] for layer in manifest["layers"]) for key in ("macs", "weight_bits"))
    predicted = manifest["predicted"]["interval_cycles"]
    footer = ("total", "", "", "", "", "", "", macs, bits, "", "", predicted)
    title = f"{manifest['name']} on {manifest['board']} at {manifest['clock_mhz']:g} MHz"
    return table(title, LAYER_COLUMNS, rows, footer)


def throughput_lines(manifest: Mapping[str, Any]) -> str:
    """Return the sentences below the table of layers."""
    predicted, golden = manifest["predicted"], manifest["golden"]
    return "\n".join(
        [
            f"predicted: a frame every {predicted['interval_cycles']:,} cycles = {predicted['frames_per_s']:,.0f} "
            f"frames/s, limited by {predicted['limiting_stage']}",
            f"latency of a frame alone: {predicted['latency_cycles']:,} cycles; folding: "
            f"{_folding_text(manifest['folding'])}",
            f"golden vectors: {golden['frames']} frames, {golden['source']}",
            f"decisions changed by preparing the model: {golden['decisions_that_differ']} of "
            f"{golden['compared_with_original_model']}",
            *(f"note: {note}" for note in manifest.get("notes", ())),
            f"graph hash: {manifest['graph_hash']}",
        ]
    )


def _folding_text(folding: Mapping[str, Any]) -> str:
    match folding["method"]:
        case "solver" if folding["proven_optimal"]:
            return "by the solver, proven optimal"
        case "solver":
            return f"by the solver, whose price is at most {folding['price_gap']:.1%} above the optimum"
        case "rule":
            return "each layer by the rule"
        case _:
            return "as given"


def summary_text(manifest: Mapping[str, Any]) -> str:
    """Return table and sentences of a build as text."""
    return to_text(layer_table(manifest), throughput_lines(manifest))


def verdict_parts(verdict: Mapping[str, Any]) -> list[RenderableType]:
    """Return the table of a simulation and the sentences below it."""
    rows = [
        ["pass" if item["passed"] else "FAIL", item["name"], "\n".join(_finding(f) for f in item["findings"])]
        for item in verdict["scenarios"]
    ]
    # Without findings there is no column for them.
    n_columns = 3 if any(item["findings"] for item in verdict["scenarios"]) else 2
    title = f"{verdict['name']}: {_what(verdict)}"
    parts: list[RenderableType] = [
        table(title, ("", "scenario", "findings")[:n_columns], [row[:n_columns] for row in rows])
    ]
    measured = verdict["measured"]
    if verdict.get("csim"):
        parts += _csim_lines(verdict["csim"])
    if verdict.get("backend") == "hls":
        parts.append(
            "frame interval, latency, FIFO fill: not applicable (the C++ runs a stage at a time, on whole frames)"
        )
    elif measured.get("first_latency_cycles") is not None:
        parts.append(_cycle_sentence(verdict))
    marks = measured.get("fifo_high_water")
    if marks:
        parts.append("highest FIFO fill: " + ", ".join(f"{name} {mark}" for name, mark in marks.items()))
    mismatches = verdict.get("keras_mismatches")
    if mismatches is not None:
        parts.append(f"golden decisions that differ from Keras: {mismatches} of {verdict['keras_compared']}")
    where = "" if verdict["repeat"].startswith("qnn-hw") else " in sim/"
    parts.append("PASSED" if verdict["passed"] else f"FAILED; repeat{where}: {verdict['repeat']}")
    return parts


def _what(verdict: Mapping[str, Any]) -> str:
    code = {"hls": "HLS C++, ", "hls-rtl": "Verilog of Vitis HLS, "}.get(verdict.get("backend", "rtl"), "")
    in_cocotb = any(item["name"] != CSIM for item in verdict["scenarios"])
    return f"{code}{verdict['frames']:,} frames in {'cocotb' if in_cocotb else 'C simulation'}"


CSIM = "C simulation"
"""Name of the scenario that runs the HLS C++ as a program."""


def _csim_lines(facts: Mapping[str, Any]) -> list[RenderableType]:
    lines: list[RenderableType] = [
        f"C simulation: {facts['streams']} streams of {facts['stream_frames']} frames and {facts['frames']:,} results "
        f"of the whole core compared with {facts['reference']} ({facts['source']})",
        f"results equal: {facts['results_equal']:,} of {facts['frames']:,}",
    ]
    if facts["accuracy"] is not None:
        lines.append(f"accuracy: {facts['accuracy']:.2%} of {facts['frames']:,} labels")
    return lines


def _cycle_sentence(verdict: Mapping[str, Any]) -> str:
    measured, facts = verdict["measured"], []
    if measured.get("interval_cycles") is not None:
        facts.append(("frame interval", measured["interval_cycles"], verdict["predicted_interval_cycles"]))
    facts.append(("first frame after", measured["first_latency_cycles"], verdict["predicted_latency_cycles"]))
    if verdict["predicted_latency_cycles"] is None:
        return "; ".join(f"{what} {found:,} cycles" for what, found, _ in facts)
    return "; ".join(
        f"{what} {found:,} cycles, " + ("as predicted" if found == expected else f"NOT the {expected:,} predicted")
        for what, found, expected in facts
    )


def _finding(finding: Any) -> str:
    return str(finding["text"]) if isinstance(finding, Mapping) else str(finding)


RESOURCE_COLUMNS = ("layer", "LUT", "of it LUTRAM", "FF", "CARRY4", "MUXF", "BRAM36", "DSP", "levels", "ns")


def resource_parts(report: Mapping[str, Any]) -> list[RenderableType]:
    """Return the table of resources a layer, with the board's budget, and the longest path of each."""
    layers: dict[str, list[Mapping[str, Any]]] = {}
    for operator in report["operators"]:
        layers.setdefault(operator["layer"], []).append(operator)
    rows = [
        [name, *_resources({key: sum(op[key] for op in found) for key in _RESOURCE_KEYS}), *_longest(found)]
        for name, found in layers.items()
    ]
    rows.append(["shell", *_resources(report["shell"]), *_longest([report["shell"]])])
    rows.append(["sum of modules", *_resources(report["sum"]), "", ""])
    if report["top"]:
        rows.append(["whole top at once", *_resources(report["top"]), *_longest([report["top"]])])
    budget = report["budget"]
    rows.append(
        [
            *(f"{report['board']} has", budget["lut"], "", budget["ff"], "", "", float(budget["bram36"])),
            *(budget["dsp"], "", ""),
        ]
    )
    share = f"{report['sum']['lut'] / budget['lut']:.1%} of the board's LUT"
    title = f"Resources by yosys {report['tool']['version']}: {share}"
    return [table(title, RESOURCE_COLUMNS, rows), f"levels, ns: longest path; {report['timing']['label']}"]


_RESOURCE_KEYS = ("lut", "lutram", "ff", "carry4", "muxf", "bram36_equivalent", "dsp")


def _longest(parts: Sequence[Mapping[str, Any]]) -> list[int | float | str]:
    """Levels of logic and estimated delay of the slowest of some modules."""
    depths = [part["depth"] for part in parts if part.get("depth")]
    if not depths:
        return ["", ""]
    slowest = max(depths, key=lambda depth: depth["estimate_ns"])
    return [slowest["levels"], float(slowest["estimate_ns"])]


def _resources(found: Mapping[str, float]) -> list[float]:
    return [float(found[key]) if key == "bram36_equivalent" else int(found[key]) for key in _RESOURCE_KEYS]


def demo_parts(report: Mapping[str, Any]) -> list[RenderableType]:
    """Return the closing table of the demonstration."""
    nets = report["nets"]
    facts = [_demo_facts(net) for net in nets]
    rows = [[key, *(column[key] for column in facts)] for key in facts[0]]
    verdict = "everything holds" if report["passed"] else "SOMETHING DOES NOT HOLD"
    reasons = dict.fromkeys(net["board"]["not_run"] for net in nets if "not_run" in net["board"])
    notes = [f"driver on the simulated board: not run, {reason}" for reason in reasons]
    return [table(f"qnn-hw demo: {verdict}", ("", *(net["name"] for net in nets)), rows), *notes]


def _demo_facts(net: Mapping[str, Any]) -> dict[str, str]:
    verdict, total = net["verdict"], net["resources"]["sum"]
    budget, measured = net["resources"]["budget"], net["verdict"]["measured"]
    interval = measured.get("interval_cycles", 0)
    rate = net["clock_mhz"] * 1e6 / interval if interval else 0.0
    passed, n_scenarios = sum(item["passed"] for item in verdict["scenarios"]), len(verdict["scenarios"])
    n_images = net["test_images"]
    compiled = net["hls_verdict"]
    board_name = net["resources"]["board"]
    n_compiled = sum(item["passed"] for item in compiled["scenarios"])
    return {
        "test accuracy, binary weights": f"{net['accuracy']:.2%} of {n_images} images",
        "Keras = accelerator (emulator)": f"{n_images - net['keras_mismatches']} of {n_images} images",
        "RTL in cocotb, every stream": f"{verdict['frames']} images, {passed} of {n_scenarios} scenarios pass",
        "HLS C++, every stream": f"{compiled['frames']} images, {n_compiled} of {len(compiled['scenarios'])} runs pass",
        f"driver on simulated {board_name}": _on_board(net["board"]),
        "frame interval, predicted": f"{net['interval_predicted']:,} cycles",
        "frame interval, measured": f"{interval:,} cycles",
        f"frames/s at {net['clock_mhz']:g} MHz": f"{rate:,.0f}",
        "latency of the first frame": f"{measured.get('first_latency_cycles', 0):,} cycles",
        "LUT (yosys)": f"{total['lut']:,} of {budget['lut']:,}",
        "FF": f"{total['ff']:,} of {budget['ff']:,}",
        "BRAM36": f"{total['bram36_equivalent']:g} of {budget['bram36']}",
        "DSP": f"{total['dsp']} of {budget['dsp']}",
        "time": f"{net['seconds']:.0f} s",
        "build": net["build"],
    }


def _on_board(board: Mapping[str, Any]) -> str:
    if "not_run" in board:
        return "not run, see below"
    return f"{board['equal']} of {board['frames']} predictions equal"
