# SPDX-License-Identifier: Apache-2.0
"""The drawing of the network: nothing overlaps, every stream starts and ends at its operators."""

import re
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest

from qnn_hw.report import report_facts
from qnn_hw.report.layout import WIDTH, Box, Drawing, Frame, lay_out
from tests.random_nets import Block, Conv, Net
from tests.report.conftest import BRANCHES, CHAIN, write

NETS = {
    "chain": CHAIN,
    "branches": BRANCHES,
    "blocks-in-a-row": Net(
        (6, 6, 2), (Conv(4, same=True),), (8,), classes=3, blocks=(Block(4), Block(8, strides=(2, 2)))
    ),
    "dense-block": Net((12,), dense=(8,), classes=3, dense_block=True),
}


@pytest.fixture(scope="module", params=NETS, ids=list(NETS))
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return report_facts(write(tmp_path_factory.mktemp("layout") / "net", NETS[request.param]))["network"]


@pytest.fixture(scope="module")
def drawing(network: Any) -> Drawing:
    return lay_out(network)


def inside(inner: Box | Frame, outer: Frame) -> bool:
    return (
        outer.x <= inner.x
        and outer.y <= inner.y
        and inner.x + inner.width <= outer.x + outer.width + 1e-6
        and inner.y + inner.height <= outer.y + outer.height + 1e-6
    )


def apart(a: Box | Frame, b: Box | Frame) -> bool:
    beside = a.x + a.width <= b.x or b.x + b.width <= a.x
    return beside or a.y + a.height <= b.y or b.y + b.height <= a.y


def corners(path: str) -> list[tuple[float, float]]:
    """Points of a path made of M, H and V."""
    points: list[tuple[float, float]] = []
    for command, text in re.findall(r"([MHV])([^MHV]*)", path):
        numbers = [float(number) for number in text.split()]
        if command == "M":
            points.append((numbers[0], numbers[1]))
        else:
            points.append((numbers[0], points[-1][1]) if command == "H" else (points[-1][0], numbers[0]))
    return points


def test_boxes_and_frames_do_not_overlap(drawing: Drawing) -> None:
    for group in (drawing.boxes, drawing.frames):
        for a, b in combinations(group, 2):
            assert apart(a, b), f"{a} and {b} overlap"


def test_every_box_stands_in_a_frame_of_its_layer(network: Any, drawing: Drawing) -> None:
    assert [box.index for box in drawing.boxes] == list(range(len(network["nodes"])))
    for box in drawing.boxes:
        layer = network["nodes"][box.index]["layer"]
        frames = [frame for frame in drawing.frames if network["layers"][frame.index]["layer"] == layer]
        assert any(inside(box, frame) for frame in frames), f"{box} stands outside of {layer}"


def test_everything_is_on_the_sheet(drawing: Drawing) -> None:
    for line in drawing.lines:
        for x, y in corners(line.path):
            assert 0 <= x <= drawing.width, line
            assert 0 <= y <= drawing.height, line
    assert drawing.width <= WIDTH + 150
    assert all(frame.y + frame.height <= drawing.height for frame in drawing.frames)


def test_every_stream_runs_from_its_source_to_its_target(network: Any, drawing: Drawing) -> None:
    boxes = {network["nodes"][box.index]["name"]: box for box in drawing.boxes}
    assert sorted(line.index for line in drawing.lines) == list(range(len(network["edges"])))
    for line in drawing.lines:
        edge, points = network["edges"][line.index], corners(line.path)
        for name, (x, y) in ((edge["source"], points[0]), (edge["target"], points[-1])):
            if name is None:
                continue
            box = boxes[name]
            on_side = x in (box.x, box.x + box.width) and box.y <= y <= box.y + box.height
            on_edge = y in (box.y, box.y + box.height) and box.x <= x <= box.x + box.width
            assert on_side or on_edge, f"{edge['stream']} misses {name}: {line.path}, {box}"


def test_no_stream_runs_through_a_box(network: Any, drawing: Drawing) -> None:
    for line in drawing.lines:
        points = corners(line.path)
        for (x0, y0), (x1, y1) in pairwise(points):
            for box in drawing.boxes:
                crosses_x = min(x0, x1) < box.x + box.width - 1 and max(x0, x1) > box.x + 1
                crosses_y = min(y0, y1) < box.y + box.height - 1 and max(y0, y1) > box.y + 1
                name = network["nodes"][box.index]["name"]
                assert not (crosses_x and crosses_y), f"{network['edges'][line.index]['stream']} runs through {name}"


def test_a_layer_wider_than_a_line_is_broken(tmp_path: Path) -> None:
    network = report_facts(write(tmp_path / "net", CHAIN))["network"]
    for node in network["nodes"]:
        node["layer"] = "all"
    network["layers"] = [{"layer": "all", "kind": None, "pe": None, "simd": None}]
    drawing = lay_out(network)
    assert len(drawing.frames) > 1
    assert [frame.continued for frame in drawing.frames] == [False] + [True] * (len(drawing.frames) - 1)
    assert drawing.width <= WIDTH + 150


def test_two_streams_between_the_same_two_operators_are_two_lines() -> None:
    def node(name: str) -> dict[str, Any]:
        return {"name": name, "layer": "sum", "operator": name, "title": name, "depth": None, "high_water": None}

    edge = {"source": "duplicate", "target": "add", "lanes": 4, "bits": 2}
    network = {
        "nodes": [node("duplicate"), node("add")],
        "edges": [{**edge, "stream": "a"}, {**edge, "stream": "b"}],
        "layers": [{"layer": "sum", "kind": None, "pe": None, "simd": None}],
    }
    first, second = lay_out(network).lines
    assert first.path != second.path
