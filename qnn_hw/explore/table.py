# SPDX-License-Identifier: Apache-2.0
"""The points of a sweep as a table: rows, `points.csv`, `points.parquet`."""

import csv
import io
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from qnn_hw.explore.pareto import front
from qnn_hw.explore.point import COUNTED, Facts

if TYPE_CHECKING:
    from rich.console import RenderableType

Row = dict[str, Any]

Series = tuple[str, str, str, float, str]
"""What the points of one front have in common: model, network, board, clock in MHz, output."""

COLUMNS: dict[str, type] = {
    **dict.fromkeys(("key", "model", "network", "board"), str),
    "clock_mhz": float,
    "output": str,
    "target": str,
    "target_fps": float,
    "feasible": bool,
    "reason": str,
    "interval_cycles": float,
    "frames_per_s": float,
    "latency_cycles": int,
    "latency_us": float,
    "limit": str,
    "lut": int,
    "ff": int,
    "bram36": float,
    "dsp": int,
    "fits": bool,
    "pareto_lut": bool,
    "pareto_bram": bool,
    "board_lut": int,
    "board_ff": int,
    "board_bram36": float,
    "board_dsp": int,
    "solver": str,
    "solver_gap": float,
    "solver_seconds": float,
    "yosys_lut": int,
    "yosys_ff": int,
    "yosys_bram36": float,
    "yosys_dsp": int,
    "yosys_seconds": float,
    "seconds": float,
    "folding": str,
    "graph_hash": str,
    "build": str,
    "worker": str,
    "version": str,
}
"""Column -> its type; every cell may be empty. docs/explore.md explains them."""


def rows_of(points: Iterable[Facts]) -> list[Row]:
    """Return a row a point, sorted by model, board, clock, output and target, with the Pareto fronts marked.

    A front holds the points of one model on one board at one clock with one output that fit, and that no other of them
    beats in frames a second against LUT (`pareto_lut`) or block RAM (`pareto_bram`).
    """
    rows = sorted((_row(facts) for facts in points), key=_order)
    groups: dict[Series, list[Row]] = {}
    for row in rows:
        if row["fits"]:
            groups.setdefault(series(row), []).append(row)
    for group in groups.values():
        for column, cost in (("pareto_lut", "lut"), ("pareto_bram", "bram36")):
            marks = front([(row[cost], row["frames_per_s"]) for row in group])
            for row, mark in zip(group, marks, strict=True):
                row[column] = mark
    return rows


def series(row: Row) -> Series:
    """Return the series of a point."""
    return row["model"], row["network"], row["board"], row["clock_mhz"], row["output"]


def cell(value: Any) -> str:
    """Return a value as it stands in `points.csv` and in the plot."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def csv_text(rows: Iterable[Row]) -> str:
    """Return `points.csv`: a head line, then a line a point; what is unknown is empty."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([cell(row[name]) for name in COLUMNS] for row in rows)
    return file.getvalue()


def parquet_bytes(rows: Iterable[Row]) -> bytes:
    """Return `points.parquet`: the same rows with their types."""
    import pyarrow  # type: ignore[import-untyped]
    import pyarrow.parquet  # type: ignore[import-untyped]

    kinds = {str: pyarrow.string(), float: pyarrow.float64(), int: pyarrow.int64(), bool: pyarrow.bool_()}
    schema = pyarrow.schema([(name, kinds[kind]) for name, kind in COLUMNS.items()])
    table = pyarrow.Table.from_pylist(list(rows), schema=schema)
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(table, sink)
    return bytes(sink.getvalue())


def sweep_parts(facts: Facts) -> "list[RenderableType]":
    """Return the table of a sweep's points and the sentences below it."""
    from qnn_hw.tables import table

    found = facts["rows"]
    varying = [name for name in ("model", "board") if len({row[name] for row in found}) > 1]
    common = [str(found[0][name]) for name in ("model", "board") if name not in varying]
    columns = (*varying, "target", "frames/s", "latency us", "LUT", "FF", "BRAM36", "DSP", "fits", "front")
    rows = [
        [
            *(row[name] for name in varying),
            row["target"] if row["target_fps"] is None else f"{row['target_fps']:,.15g}",
            *("" if row[name] is None else row[name] for name in ("frames_per_s", "latency_us", *COUNTED)),
            row["fits"] if row["feasible"] else "unmet",
            " ".join(word for word, mark in (("LUT", "pareto_lut"), ("BRAM", "pareto_bram")) if row[mark]),
        ]
        for row in found
    ]
    reasons: dict[str, list[str]] = {}
    for row in found:
        if not row["feasible"]:
            place = [row[name] for name in varying]
            reasons.setdefault(row["reason"], []).append(" ".join([*place, row["target"]]))
    sentences = [f"unmet, {', '.join(targets)}: {reason}" for reason, targets in reasons.items()]
    sentences += [f"damaged, made again if asked for: {text}" for text in facts["damaged"]]
    sentences += [f"failed, to be tried again: {item['key']}: {item['reason']}" for item in facts["failed"]]
    sentences.append(
        f"{facts['points']} points: {facts['built']} computed now, {facts['known']} before, {len(facts['failed'])} "
        f"failed; {facts['fitting']} fit, {facts['infeasible']} cannot be met; {facts['seconds']:g} s"
    )
    sentences.append(f"written: {facts['sweep']}/points.csv, points.parquet, pareto.svg, pareto.html, summary.json")
    title = f"{' on '.join(common)}{': ' if common else ''}least area for each target, estimated, not synthesized"
    return [table(title, columns, rows), "\n".join(sentences)]


def _order(row: Row) -> tuple[Any, ...]:
    target = float("inf") if row["target_fps"] is None else row["target_fps"]
    return (*series(row), target, row["key"])


def _row(facts: Facts) -> Row:
    row: Row = dict.fromkeys(COLUMNS)
    row |= {name: facts[name] for name in COLUMNS if name in facts and not isinstance(facts[name], dict | list)}
    row["target_fps"] = None if facts["target"] == "max" else float(facts["target"])
    row |= {f"board_{name}": facts["budget"][name] for name in COUNTED}
    row["build"] = f"builds/{facts['key']}" if facts["build"] else None
    if not facts["feasible"]:
        return {**row, "fits": False, "pareto_lut": False, "pareto_bram": False}
    row |= {name: facts["estimate"][name] for name in COUNTED}
    row |= {"pareto_lut": False, "pareto_bram": False, "interval_cycles": float(facts["interval_cycles"])}
    solver, yosys = facts["solver"], facts["yosys"] or {}
    row |= {"solver": solver["status"], "solver_gap": solver["gap"], "solver_seconds": solver["seconds"]}
    row |= {f"yosys_{name}": yosys.get(name) for name in (*COUNTED, "seconds")}
    row["folding"] = json.dumps(facts["folding"])
    return row
