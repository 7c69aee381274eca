# SPDX-License-Identifier: Apache-2.0
"""`pareto.svg`: frames a second against LUT and against block RAM, drawn without any library, and a page around it.

Every point carries its figures as attributes, exactly as they stand in `points.csv`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from qnn_hw.explore.table import Row, Series, cell, series

WIDTH, TOP, PANEL_WIDTH, PANEL_HEIGHT = 980, 56, 386, 320
LEFT = (76, 560)
COLOURS = ("#1f77b4", "#d95f02", "#1b9e77", "#7570b3", "#e7298a", "#66a61e", "#a6761d", "#666666")

_FAR_LIMIT = 4
"""A linear axis that ended at a limit this many times beyond its points would hide them; the limit is then a note."""

_STYLE = (
    "text{font-family:sans-serif;font-size:12px;fill:#222}.title{font-size:15px;font-weight:bold}"
    ".note{fill:#666}.grid{stroke:#e4e4e4}.frame{fill:none;stroke:#888}"
    ".limit{stroke:#c00;stroke-dasharray:6 4}.limit-text{fill:#c00;stroke:#fff;stroke-width:3px;paint-order:stroke}"
    ".front{fill:none;stroke-width:1.5}"
)


@dataclass(frozen=True, slots=True)
class Axis:
    """From values to a place between `start` and `end` (pixels)."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool

    def place(self, value: float) -> float:
        """Return the pixel of a value."""
        low, high, value = (math.log10(x) if self.logarithmic else x for x in (self.low, self.high, value))
        return self.start + (self.end - self.start) * (value - low) / (high - low)

    def ticks(self) -> list[float]:
        """Return round values within the axis."""
        if not self.logarithmic:
            step = _round_step((self.high - self.low) / 5)
            return [step * i for i in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        factors = (1, 2, 5) if self.high / self.low < 1000 else (1,)
        found = [factor * 10.0**decade for decade in decades for factor in factors]
        return [value for value in found if self.low <= value <= self.high]


@dataclass(frozen=True, slots=True)
class Panel:
    """One of the two plots: the column on its x axis, that column's front and limit, and how it is called."""

    column: str
    front: str
    limit: str
    unit: str
    logarithmic: bool


PANELS = (
    Panel("lut", "pareto_lut", "board_lut", "LUT", logarithmic=True),
    Panel("bram36", "pareto_bram", "board_bram36", "BRAM36", logarithmic=False),
)


def pareto_svg(rows: Sequence[Row]) -> str:
    """Return the plot of all feasible points; filled: on the front, hollow: beaten, crossed: does not fit."""
    drawn = [row for row in rows if row["feasible"]]
    names = list(dict.fromkeys(series(row) for row in drawn))
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    height = TOP + PANEL_HEIGHT + 74 + 20 * len(names)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        '<text class="title" x="20" y="26">Frames a second against area</text>',
        f'<text class="note" x="{WIDTH - 20}" y="26" text-anchor="end">area estimated, not synthesized; filled: Pareto '
        "front, hollow: beaten, crossed: does not fit</text>",
    ]
    if drawn:
        rates = [row["frames_per_s"] for row in drawn]
        y_axis = Axis(min(rates) / 1.5, max(rates) * 1.5, TOP + PANEL_HEIGHT, TOP, logarithmic=True)
        for left, panel in zip(LEFT, PANELS, strict=True):
            parts += _panel(panel, drawn, y_axis, left, colours)
        parts += _legend(names, colours)
    else:
        parts.append(f'<text x="20" y="{TOP + 40}">no target can be met: nothing to draw</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def html_page(svg: str, rows: Sequence[Row]) -> str:
    """Return a page with the plot and a table of the points; opens offline."""
    columns = (
        *("model", "board", "clock_mhz", "target", "frames_per_s", "latency_us", "lut", "ff", "bram36", "dsp"),
        *("fits", "solver", "reason"),
    )
    head = "".join(f"<th>{name}</th>" for name in columns)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(cell(row[name]))}</td>" for name in columns) + "</tr>" for row in rows
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>qnn-hw: a sweep</title><style>'
        "body{font-family:sans-serif;margin:1em}svg{max-width:100%;height:auto}table{border-collapse:collapse}"
        "div{overflow-x:auto}td,th{padding:2px 8px;border-bottom:1px solid #ddd;text-align:right;white-space:nowrap}"
        f"</style></head><body>\n{svg}<div><table><tr>{head}</tr>\n{body}</table></div></body></html>\n"
    )


def _panel(panel: Panel, rows: Sequence[Row], y_axis: Axis, left: int, colours: Mapping[Series, str]) -> list[str]:
    limits = {row["board"]: row[panel.limit] for row in rows}
    x_axis, far = _x_axis(panel, [row[panel.column] for row in rows], list(limits.values()), left)
    bottom, right = TOP + PANEL_HEIGHT, left + PANEL_WIDTH
    parts = [f'<g class="panel" data-column="{panel.column}">']
    for value in x_axis.ticks():
        x = _pixel(x_axis.place(value))
        parts.append(f'<line class="grid" x1="{x}" y1="{TOP}" x2="{x}" y2="{bottom}"/>')
        parts.append(f'<text x="{x}" y="{bottom + 17}" text-anchor="middle">{_short(value)}</text>')
    for value in y_axis.ticks():
        y = _pixel(y_axis.place(value))
        parts.append(f'<line class="grid" x1="{left}" y1="{y}" x2="{right}" y2="{y}"/>')
        parts.append(f'<text x="{left - 7}" y="{float(y) + 4:g}" text-anchor="end">{_short(value)}</text>')
    parts.append(f'<rect class="frame" x="{left}" y="{TOP}" width="{PANEL_WIDTH}" height="{PANEL_HEIGHT}"/>')
    parts.append(f'<text x="{left + PANEL_WIDTH // 2}" y="{bottom + 38}" text-anchor="middle">{panel.unit}</text>')
    parts.append(f'<text x="{left}" y="{TOP - 8}">frames/s</text>')
    parts += _limits(panel, limits, x_axis, far, right)
    for name, colour in colours.items():
        own = [row for row in rows if series(row) == name]
        parts += _front(panel, own, x_axis, y_axis, colour)
        parts += [_mark(panel, row, x_axis, y_axis, colour) for row in own]
    return [*parts, "</g>"]


def _x_axis(panel: Panel, values: list[float], limits: list[float], left: int) -> tuple[Axis, bool]:
    """Return the axis of areas, and whether a limit lies beyond it."""
    ends = (left, left + PANEL_WIDTH)
    if panel.logarithmic:
        return Axis(max(min(values), 1) / 1.3, max(*values, *limits) * 1.3, *ends, logarithmic=True), False
    far = max(limits) > _FAR_LIMIT * max(*values, 1)
    high = max(*values, 1) if far else max(*values, *limits)
    return Axis(0, high * 1.1, *ends, logarithmic=False), far


def _limits(panel: Panel, limits: dict[str, float], x_axis: Axis, far: bool, right: int) -> list[str]:
    parts = []
    for i, (board, limit) in enumerate(limits.items()):
        y = TOP + PANEL_HEIGHT - 10 - 15 * i
        inside = limit <= x_axis.high
        x = _pixel(x_axis.place(limit)) if inside else f"{right}"
        if inside:
            parts.append(f'<line class="limit" x1="{x}" y1="{TOP}" x2="{x}" y2="{TOP + PANEL_HEIGHT}"/>')
        text = f"{escape(board)}: {limit:,.10g} {panel.unit}" + ("" if inside or not far else " →")
        parts.append(
            f'<text class="limit-text" x="{float(x) - 5:g}" y="{y}" text-anchor="end" data-board="{escape(board)}" '
            f'data-limit="{cell(limit)}">{text}</text>'
        )
    return parts


def _front(panel: Panel, rows: Sequence[Row], x_axis: Axis, y_axis: Axis, colour: str) -> list[str]:
    points = sorted({(row[panel.column], row["frames_per_s"]) for row in rows if row[panel.front]})
    if len(points) < 2:
        return []
    places = [(_pixel(x_axis.place(x)), _pixel(y_axis.place(y))) for x, y in points]
    path = f"M{places[0][0]} {places[0][1]}" + "".join(f"H{x}V{y}" for x, y in places[1:])
    return [f'<path class="front" d="{path}" stroke="{colour}"/>']


def _mark(panel: Panel, row: Row, x_axis: Axis, y_axis: Axis, colour: str) -> str:
    x, y = _pixel(x_axis.place(max(row[panel.column], x_axis.low))), _pixel(y_axis.place(row["frames_per_s"]))
    kind = "front" if row[panel.front] else "beaten" if row["fits"] else "too-large"
    shape = (
        f'<path d="M{float(x) - 4:g} {float(y) - 4:g}l8 8m0 -8l-8 8" stroke="{colour}" stroke-width="1.5" fill="none"/>'
        if kind == "too-large"
        else f'<circle cx="{x}" cy="{y}" r="4" stroke="{colour}" fill="{colour if kind == "front" else "#fff"}"/>'
    )
    data = {"key": row["key"], "frames-per-s": row["frames_per_s"], panel.column: row[panel.column], "kind": kind}
    attributes = " ".join(f'data-{name}="{escape(cell(value))}"' for name, value in data.items())
    title = (
        f"{row['model']} on {row['board']}, target {row['target']}: {row['frames_per_s']:,.10g} frames/s, "
        f"{row[panel.column]:,.10g} {panel.unit}"
    )
    return f'<g class="point" {attributes}><title>{escape(title)}</title>{shape}</g>'


def _legend(names: Sequence[Series], colours: Mapping[Series, str]) -> list[str]:
    parts = []
    for i, name in enumerate(names):
        model, _, board, clock_mhz, output = name
        y = TOP + PANEL_HEIGHT + 66 + 20 * i
        parts.append(f'<circle cx="{LEFT[0] + 5}" cy="{y - 4}" r="4" fill="{colours[name]}"/>')
        text = f"{model} on {board} at {clock_mhz:g} MHz, output {output}"
        parts.append(f'<text x="{LEFT[0] + 16}" y="{y}">{escape(text)}</text>')
    return parts


def _pixel(value: float) -> str:
    return f"{value:.1f}"


def _short(value: float) -> str:
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.4g}{unit}"
    return f"{value:.4g}"


def _round_step(least: float) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that is at least `least`."""
    size = 10.0 ** math.floor(math.log10(least))
    return next(factor * size for factor in (1, 2, 5, 10) if factor * size >= least * (1 - 1e-9))
