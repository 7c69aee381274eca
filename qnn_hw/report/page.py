# SPDX-License-Identifier: Apache-2.0
"""Turn facts into the page: templates, number formats, drawings."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from qnn_hw.report.facts import report_facts
from qnn_hw.report.layout import LONGEST_NAME, lay_out
from qnn_hw.results import write_whole

TEMPLATES = Path(__file__).resolve().parent / "templates"
DEFAULT_NAME = "report.html"

_MINUS, _DASH = "\u2212", "\u2013"
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


def write_report(build: Path, out: Path | None = None) -> Path:
    """Write the report of a build.

    Args:
        build: build folder.
        out: the file; `report.html` in the build folder by default.

    Returns:
        The file written.

    Raises:
        QnnError: if `build` is no build, a file in it is damaged, or the file cannot be written.
    """
    file = build / DEFAULT_NAME if out is None else out
    write_whole(file, render(report_facts(build)))
    return file


def render(facts: Mapping[str, Any]) -> str:
    """Return the page that shows `facts`, as `report_facts` returns them."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    values = _Values(facts)
    environment.globals.update(
        v=values.html,
        t=values.svg,
        bar=values.bar,
        drawing=lay_out(facts["network"]),
        longest_name=LONGEST_NAME,
        plot=plot(facts),
    )
    page = environment.get_template("report.html.jinja")
    # In a script element nothing is escaped: an end tag in a name must not end it.
    text = json.dumps(facts, indent=1, ensure_ascii=False).replace("<", "\\u003c").replace("&", "\\u0026")
    return page.render(facts=facts, json=Markup(text)) + "\n"


def show(value: Any, kind: str) -> str:
    """Return the text of a fact.

    Args:
        value: from the facts; None is a dash.
        kind: "text"; "date"; "0", "1", "2" decimals; "any" (as many as it takes, at most 2); "%0", "%1"; "si" with a
            prefix of a thousand; "shape"; "list".
    """
    if value is None:
        return _DASH
    match kind:
        case "text":
            return str(value)
        case "shape":
            return " \u00d7 ".join(map(str, value))
        case "date":
            return str(value).replace("T", " ").replace("Z", " UTC")
        case "list":
            return ", ".join(map(str, value))
        case "any":
            text = f"{value:,.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else f"{value:,}"
        case "%0" | "%1":
            text = f"{100 * value:.{kind[1]}f} %"
        case "si":
            scale, prefix = next((s, p) for s, p in _PREFIXES if value >= s or s == 1.0)
            digits = max(0, 2 - int(math.log10(max(value / scale, 1)))) if value else 0
            # Before the unit stands a prefix, or a space.
            text = f"{value / scale:.{digits}f} {prefix}" if prefix else f"{value:.{digits}f}\N{NO-BREAK SPACE}"
        case _:
            text = f"{value:,.{kind}f}"
    return text.replace("-", _MINUS)


class _Values:
    """Look facts up by path and show them, each with its path beside it, so that a test can compare the two."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.facts = facts

    def value(self, path: str) -> Any:
        """Return the fact at a path like `layers.0.cycles`."""
        found: Any = self.facts
        for key in path.split("."):
            found = found[int(key)] if isinstance(found, list) else found[key]
        return found

    def html(self, path: str, kind: str = "text", tag: str = "span") -> Markup:
        """Return the fact in an element that names its path."""
        text = show(self.value(path), kind)
        return Markup('<{0} data-fact="{1}" data-as="{2}">{3}</{0}>').format(tag, path, kind, text)

    def svg(self, path: str, kind: str = "text", longest: int | None = None) -> Markup:
        """Return the fact in a `tspan`; a text longer than `longest` characters is cut there, and marked so."""
        text = show(self.value(path), kind)
        if longest is not None and len(text) > longest:
            cut = Markup('<tspan data-fact="{}" data-as="cut">{}…</tspan>')
            return cut.format(path, text[: longest - 1])
        return self.html(path, kind, "tspan")

    def bar(self, path: str, name: str) -> Markup:
        """Return a part of a bar, as wide as the share at `path`, at most the whole bar; nothing where it is None."""
        share = self.value(path)
        if share is None:
            return Markup("")
        wide = f"{100 * min(share, 1):.2f}%"
        name += " over" if share > 1 else ""
        return Markup('<i class="{}" data-bar="{}" style="width:{}"></i>').format(name, path, wide)


PLOT_WIDTH, PLOT_HEIGHT = 640, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 120, 18, 46
_MOST_OPS_PER_BIT = 1024


@dataclass(frozen=True, slots=True)
class Mark:
    """A tick of the roofline, or a point with its label: place, text (or path of a fact), kind."""

    x: float
    y: float
    text: str
    kind: str
    label_y: float = 0.0


@dataclass(frozen=True, slots=True)
class Plot:
    """The roofline: ticks of both axes, roofs (path, label place, index), points; the band for weights in LUTs."""

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    band: float
    x_ticks: tuple[Mark, ...]
    y_ticks: tuple[Mark, ...]
    slope: str
    slope_label: tuple[float, float]
    ceilings: tuple[tuple[str, float], ...]
    points: tuple[Mark, ...]


def plot(facts: Mapping[str, Any]) -> Plot:
    """Return the geometry of the roofline: both axes logarithmic."""
    found = facts["roofline"]
    roofs, layers, total = found["roofs"], found["layers"], found["total"]
    rates = [layer["ops_per_s"] for layer in layers] + [total["ops_per_s"]] + [total["peak_ops_per_s"]]
    highest = [roof["ops_per_s"] for roof in roofs["lut"]]
    lowest = min((rate for rate in rates if rate > 0), default=1e6)
    y_low = math.floor(math.log10(lowest))
    y_high = math.ceil(math.log10(max([*highest, *rates, 10.0**y_low * 10])))
    right, bottom = PLOT_WIDTH - _RIGHT, PLOT_HEIGHT - _BOTTOM
    band = right - 84.0  # right of it: no weight comes out of block RAM

    def x_of(ops_per_bit: float | None) -> float:
        if ops_per_bit is None:
            return (band + right) / 2
        share = math.log2(ops_per_bit) / math.log2(_MOST_OPS_PER_BIT)
        return _LEFT + (band - _LEFT) * min(1.0, max(0.0, share))

    def y_of(rate: float) -> float:
        share = (math.log10(max(rate, 10.0**y_low)) - y_low) / (y_high - y_low)
        return bottom - (bottom - _TOP) * share

    slope, slope_label, ceilings = "", (0.0, 0.0), []
    if roofs["lut"][-1]["ops_per_s"]:
        width, top = roofs["bram_bits_per_s"], roofs["lut"][-1]["ops_per_s"]
        start = max(1.0, 10.0**y_low / width)
        ridge = min(_MOST_OPS_PER_BIT, max(1.0, top / width))
        slope = f"M{x_of(start):.1f} {y_of(width * start):.1f}L{x_of(ridge):.1f} {y_of(width * ridge):.1f}"
        slope_label = (x_of(1.0) + 8, y_of(width) + 16)
        for roof in roofs["lut"]:
            rate = roof["ops_per_s"]
            ceilings.append((f"M{x_of(max(1.0, rate / width)):.1f} {y_of(rate):.1f}H{right:.1f}", y_of(rate)))
    points = [
        Mark(x_of(layer["ops_per_bram_bit"]), y_of(layer["ops_per_s"]), f"roofline.layers.{i}", kind)
        for i, layer in enumerate(layers)
        for kind in ["binary" if layer["binary"] else "wide"]
    ]
    if total["ops_per_s"]:
        points.append(Mark(x_of(total["ops_per_bram_bit"]), y_of(total["ops_per_s"]), "roofline.total", "total"))
    return Plot(
        PLOT_WIDTH,
        PLOT_HEIGHT,
        _LEFT,
        right,
        _TOP,
        bottom,
        band,
        tuple(Mark(x_of(2.0**k), bottom, f"{2**k}", "tick") for k in range(0, 10, 2)),
        tuple(Mark(_LEFT, y_of(10.0**k), _tick(k), "tick") for k in range(y_low, y_high + 1)),
        slope,
        slope_label,
        tuple(ceilings),
        tuple(_spread(points, bottom)),
    )


def _tick(exponent: int) -> str:
    """Return a power of ten with a prefix: `100 M`."""
    scale, prefix = next((s, p) for s, p in _PREFIXES if 10.0**exponent >= s or s == 1.0)
    return f"{10.0**exponent / scale:g} {prefix}".rstrip()


def _spread(points: list[Mark], bottom: float) -> list[Mark]:
    """Move labels of points that lie above one another apart, from the bottom upwards."""
    spread = []
    columns: dict[float, float] = {}
    for point in sorted(points, key=lambda point: -point.y):
        column = round(point.x / 60)
        y = min(point.y + 4, columns.get(column, bottom + 12) - 14)
        columns[column] = y
        spread.append(Mark(point.x, point.y, point.text, point.kind, y))
    # The network's point is the larger one: below.
    return sorted(spread, key=lambda point: point.kind != "total")
