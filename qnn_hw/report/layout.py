# SPDX-License-Identifier: Apache-2.0
"""Where the drawing of the network has its boxes and lines; pixels of the SVG, origin at the top left.

Operators stand in the order of the graph, from left to right like text: a frame around each layer, a new line where the
next layer does not fit. A stream to the right neighbour is a straight line. Any other one is routed: out of its source,
through a lane between two lines, along the left margin where it passes over a line, and into its target.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH = 1180
"""Pixels a line may take; a single layer that is wider is broken."""

LONGEST_NAME = 28
"""Characters of a layer's name that are drawn; the rest is in the tables."""

NODE_HEIGHT = 38
_NODE_WIDTH = {"fifo": 62, "width_converter": 66, "flatten": 62, "dma": 66}
_OTHER_WIDTH = 104
_GAP = 34  # least space between two nodes
_PAD = 10  # frame around a layer
_TITLE = 18  # room for the name of a layer above its nodes
_LANE = 17  # between two streams in one gutter
_CHARACTER = 6.1  # of the monospaced labels, 10 pixels high
_TITLE_CHARACTER = 7.4
_BEND = 12  # from a node to where its stream turns


@dataclass(frozen=True, slots=True)
class Box:
    """A node: `index` into the nodes given, place and size."""

    index: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame of a layer (of a part of it, where it is broken): `index` into the layers given."""

    index: int
    x: float
    y: float
    width: float
    height: float
    continued: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A stream: `index` into the edges given, an SVG path, and where its label starts or has its middle."""

    index: int
    path: str
    label_x: float
    label_y: float
    anchor: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """All of it."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    frames: tuple[Frame, ...]
    lines: tuple[Line, ...]


@dataclass(slots=True)
class _Part:
    """Nodes of one layer on one line."""

    layer: int
    nodes: list[int]
    widths: list[float]
    gaps: list[float]
    continued: bool
    title_width: float

    @property
    def width(self) -> float:
        return max(sum(self.widths) + sum(self.gaps), self.title_width) + 2 * _PAD


@dataclass(frozen=True, slots=True)
class _Way:
    """How a stream is routed.

    Attributes:
        from_end: its source is the last node of a line.
        to_start: its target is the first node of a line.
        same_line: source and target stand on one line.
        lane_a, lane_b: y of its lanes below the source and above the target.
        margin: x of its way along the left margin, None where it passes over no line.
    """

    from_end: bool
    to_start: bool
    same_line: bool
    lane_a: float
    lane_b: float
    margin: float | None


def label(edge: Mapping[str, Any]) -> str:
    """Return the text beside a stream: elements a beat times bits of an element."""
    return f"{edge['lanes']} \u00d7 {edge['bits']}"


def lay_out(network: Mapping[str, Any]) -> Drawing:
    """Lay out the network of `report.facts.network`."""
    nodes, edges, layers = network["nodes"], network["edges"], network["layers"]
    number = {node["name"]: i for i, node in enumerate(nodes)}
    inner = [(i, number[e["source"]], number[e["target"]]) for i, e in enumerate(edges) if e["source"] and e["target"]]
    labels = {(source, target): label(edges[i]) for i, source, target in inner}
    lines = _break(_parts(nodes, layers, labels), labels)
    line_of = {node: i for i, line in enumerate(lines) for part in line for node in part.nodes}
    last, first = [line[-1].nodes[-1] for line in lines], [line[0].nodes[0] for line in lines]
    routed = _routed(inner, line_of)
    routed_indices = {i for i, _, _ in routed}
    lanes: list[list[int]] = [[] for _ in range(len(lines) + 1)]  # gutter above line i: edges, one a lane
    over: list[int] = []  # edges along the left margin
    for i, source, target in routed:
        start, end = line_of[source], line_of[target]
        if start == end:
            lanes[start].append(i)
            continue
        lanes[start + 1].append(i)
        if end > start + 1:
            lanes[end].append(i)
            over.append(i)
    left = 44 + 9 * len(over)
    boxes: dict[int, Box] = {}
    frames: list[Frame] = []
    gutters: list[float] = []
    y = 0.0
    for i, line in enumerate(lines):
        gutters.append(y + 8)
        y += (10 if not i and not lanes[0] else 14) + _LANE * len(lanes[i])
        _place_line(line, left, y, labels, boxes, frames)
        y += _TITLE + NODE_HEIGHT + 2 * _PAD
    gutters.append(y + 8)
    drawn = []
    for i, source, target in inner:
        if i in routed_indices:
            start, end = line_of[source], line_of[target]
            below = end if start == end else start + 1
            lane_a = gutters[below] + _LANE * lanes[below].index(i) + 6
            lane_b = gutters[end] + _LANE * lanes[end].index(i) + 6
            margin = 8 + 9 * over.index(i) if i in over else None
            drawn.append(
                _route(
                    i,
                    boxes[source],
                    boxes[target],
                    _Way(source in last, target in first, start == end, lane_a, lane_b, margin),
                )
            )
        else:
            drawn.append(_straight(i, boxes[source], boxes[target]))
    for i, edge in enumerate(edges):
        if not (edge["source"] and edge["target"]):
            drawn.append(_stub(i, boxes[number[edge["source"] or edge["target"]]], out=edge["target"] is None))
    width = max(box.x + box.width for box in boxes.values()) + _PAD + 46
    return Drawing(width, y + 6, tuple(boxes[i] for i in sorted(boxes)), tuple(frames), tuple(drawn))


def _routed(inner: list[tuple[int, int, int]], line_of: Mapping[int, int]) -> list[tuple[int, int, int]]:
    """Return the streams, as (edge, source, target), that are no straight line to the right neighbour."""
    routed, straight = [], set()
    for i, source, target in inner:
        if line_of[source] == line_of[target] and target == source + 1 and source not in straight:
            straight.add(source)  # a second stream between the same two would lie on the first
        else:
            routed.append((i, source, target))
    return routed


def _width(node: Mapping[str, Any]) -> float:
    text = len(node["title"]) * _TITLE_CHARACTER
    if node["depth"] is not None:
        text = max(text, len(f"{node['high_water']:,} / {node['depth']:,}") * _CHARACTER)
    return math.ceil(max(_NODE_WIDTH.get(node["operator"], _OTHER_WIDTH), text + 12))


def _gap(source: int, target: int, labels: Mapping[tuple[int, int], str]) -> float:
    text = labels.get((source, target), "")
    return math.ceil(max(_GAP, len(text) * _CHARACTER + 16)) if text else _GAP


def _parts(
    nodes: Sequence[Mapping[str, Any]], layers: Sequence[Mapping[str, Any]], labels: Mapping[tuple[int, int], str]
) -> list[_Part]:
    """Gather runs of nodes of one layer; broken where they are wider than a line."""
    index = {layer["layer"]: i for i, layer in enumerate(layers)}
    parts: list[_Part] = []
    for i, node in enumerate(nodes):
        layer, width = index[node["layer"]], _width(node)
        same = parts and parts[-1].layer == layer
        gap = _gap(i - 1, i, labels)
        if same and parts[-1].width + gap + width <= WIDTH:
            parts[-1].nodes.append(i)
            parts[-1].widths.append(width)
            parts[-1].gaps.append(gap)
        else:
            continued = any(part.layer == layer for part in parts)
            title = min(len(node["layer"]), LONGEST_NAME) + (11 if continued else 0)
            parts.append(_Part(layer, [i], [width], [], continued, math.ceil(title * _TITLE_CHARACTER)))
    return parts


def _between(left: _Part, right: _Part, labels: Mapping[tuple[int, int], str]) -> float:
    """Space between two frames: the label of the stream has to fit between the nodes."""
    return max(26, _gap(left.nodes[-1], right.nodes[0], labels) - 2 * _PAD + 8)


def _break(parts: list[_Part], labels: Mapping[tuple[int, int], str]) -> list[list[_Part]]:
    lines: list[list[_Part]] = []
    used = 0.0
    for part in parts:
        gap = _between(lines[-1][-1], part, labels) if lines else 0
        if lines and used + gap + part.width <= WIDTH:
            lines[-1].append(part)
            used += gap + part.width
        else:
            lines.append([part])
            used = part.width
    return lines


def _place_line(
    line: list[_Part],
    x: float,
    y: float,
    labels: Mapping[tuple[int, int], str],
    boxes: dict[int, Box],
    frames: list[Frame],
) -> None:
    for k, part in enumerate(line):
        if k:
            x += _between(line[k - 1], part, labels)
        frames.append(Frame(part.layer, x, y, part.width, _TITLE + NODE_HEIGHT + 2 * _PAD, part.continued))
        at = x + _PAD
        for j, node in enumerate(part.nodes):
            at += part.gaps[j - 1] if j else 0
            boxes[node] = Box(node, at, y + _TITLE + _PAD, part.widths[j], NODE_HEIGHT)
            at += part.widths[j]
        x += part.width


def _straight(index: int, source: Box, target: Box) -> Line:
    y, start = source.y + source.height / 2, source.x + source.width
    return Line(index, f"M{start:g} {y:g}H{target.x:g}", (start + target.x) / 2 - 2, y - 5, "middle")


def _stub(index: int, box: Box, *, out: bool) -> Line:
    y = box.y + box.height / 2
    if out:
        start = box.x + box.width
        return Line(index, f"M{start:g} {y:g}H{start + 46:g}", start + 6, y - 5, "start")
    start = box.x - _PAD - 40
    return Line(index, f"M{start:g} {y:g}H{box.x:g}", start, y - 5, "start")


def _route(index: int, source: Box, target: Box, way: _Way) -> Line:
    middle = source.y + source.height / 2
    if way.same_line:
        out = source.x + source.width - 14
        into = target.x + 14
        path = f"M{out:g} {source.y:g}V{way.lane_a:g}H{into:g}V{target.y:g}"
        return Line(index, path, into - 6, way.lane_a - 4, "end")
    if way.from_end:
        start = source.x + source.width
        path = f"M{start:g} {middle:g}H{start + _PAD + _BEND:g}V{way.lane_a:g}"
    else:
        path = f"M{source.x + source.width - 14:g} {source.y + source.height:g}V{way.lane_a:g}"
    if way.margin is not None:
        path += f"H{way.margin:g}V{way.lane_b:g}"
    if way.to_start:
        turn = target.x - _PAD - _BEND + 4
        path += f"H{turn:g}V{target.y + target.height / 2:g}H{target.x:g}"
        return Line(index, path, turn + 8, way.lane_b - 4, "start")
    into = target.x + target.width / 2
    path += f"H{into:g}V{target.y:g}"
    return Line(index, path, into + 6, way.lane_b - 4, "start")
