# SPDX-License-Identifier: Apache-2.0
"""The text form of a graph: golden text of a tiny one, round trips, and the sentence for each line that is wrong."""

import numpy as np
import pytest

import qnn_hw.ir.ops  # noqa: F401  (fills the registry)
from qnn_hw.boards import load_board
from qnn_hw.compiler import assemble
from qnn_hw.errors import QnnError
from qnn_hw.ir import BIPOLAR, DataType, Graph, TensorType, parse_graph, print_graph
from qnn_hw.ir.text import parse_type
from qnn_hw.passes import lower
from tests.random_nets import Conv, Net, build

_SERIAL = 'pe=0, simd=0, weight_memory="auto"'
TEXT = f"""\
graph tiny
input %image : u8[4]
%fc_acc = matvec(%image) {{name="fc", layer="fc", weights=@fc.weights, weight_dtype=b1, domain=dot, {_SERIAL}}} : i11[2]
%fc = threshold(%fc_acc) {{name="fc_threshold", layer="fc", thresholds=@fc.thresholds, falling=@, dtype=b1, base=0, \
pe=0}} : b1[2]
%head_acc = matvec(%fc) {{name="head", layer="head", weights=@head.weights, weight_dtype=b1, domain=dot, {_SERIAL}}} \
: i3[3]
%class_index = classifier(%head_acc) {{name="classifier", layer="head", slopes=@head.slopes, biases=@head.biases, \
ranks=@, first=0, pe=0}} : u32[1]
output %class_index
"""
CONSTANTS = {
    "fc.weights": np.array([[1, -1, 1, 1], [-1, -1, 1, -1]]),
    "fc.thresholds": np.array([[3], [0]]),
    "head.weights": np.array([[1, 1], [-1, 1], [1, -1]]),
    "head.slopes": np.array([1, 1, 1]),
    "head.biases": np.array([0, 0, 0]),
}


def test_golden_text_of_a_tiny_graph() -> None:
    graph = parse_graph(TEXT, CONSTANTS)
    assert print_graph(graph) == TEXT
    assert graph.outputs == ("class_index",)
    assert graph.types["fc"] == TensorType((2,), BIPOLAR)


NETS = {
    "dense": Net((9,), dense=(6,), classes=3),
    "codes": Net((9,), dense=(6,), classes=3, code_dtype=DataType(3, signed=True), ranks=True),
    "convolutions": Net((7, 6, 2), (Conv(4, same=True, pad_value=-1, pool=(2, 2)), Conv(3, strides=(2, 1))), (5,)),
}


@pytest.mark.parametrize("stage", ["frontend", "hardware", "folded"])
@pytest.mark.parametrize("name", NETS)
def test_every_stage_reads_back(name: str, stage: str) -> None:
    graph = build(NETS[name], seed=5)
    if stage == "hardware":
        graph = lower(graph)
    elif stage == "folded":
        graph = assemble(graph, load_board("pynq-z2"), target_fps=100_000).folded
    again = parse_graph(print_graph(graph), graph.constants)
    assert again == graph
    assert print_graph(again) == print_graph(graph)


@pytest.mark.parametrize("text", ["u8[28,28,1]", "b1[8,8,16]/4", "i8.4[3]", "u1[1]/1"])
def test_types_read_back(text: str) -> None:
    assert str(parse_type(text)) == text


def test_a_type_that_is_none() -> None:
    with pytest.raises(QnnError) as caught:
        parse_type("u8 28 28")
    assert str(caught.value) == "tensor type 'u8 28 28': expected a form like u8[28,28,1] or b1[64]/8"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("= threshold(", "= treshold(", "graph text, line 4: '%fc = treshold(%fc_acc)"),
        ("domain=dot", "domian=dot", "graph text, line 3: matvec has no attribute domian"),
        (": i11[2]", ": i12[2]", "graph text: %fc_acc is written as i12[2] but computed as i11[2]"),
        ("(%head_acc)", "(%tail_acc)", "head: classifier reads %tail_acc, which no earlier operator writes"),
        ("%fc = ", "%image = ", "fc: fc_threshold writes %image a second time"),
        ('name="head"', 'name="fc"', "head: the operator name fc is used twice"),
        ('name="head"', 'name="fc-2"', "head: 'fc-2' is no identifier (letters, digits and _ only)"),
        ("output %class_index", "output %klass", "graph tiny: output %klass is written by no operator"),
    ],
    ids=["keyword", "attribute", "type", "input", "twice", "name", "identifier", "output"],
)
def test_a_line_that_is_wrong_is_named(old: str, new: str, sentence: str) -> None:
    assert TEXT.count(old) >= 1
    with pytest.raises(QnnError) as caught:
        parse_graph(TEXT.replace(old, new, 1), CONSTANTS)
    assert str(caught.value).startswith(sentence)


def test_a_graph_is_data() -> None:
    graph = parse_graph(TEXT, CONSTANTS)
    assert isinstance(graph, Graph)
    with pytest.raises(AttributeError):
        graph.name = "other"  # type: ignore[misc]
    flipped = {**CONSTANTS, "fc.weights": -CONSTANTS["fc.weights"]}
    other = parse_graph(TEXT, flipped)
    assert other == graph
    assert not other.constants_equal(graph)
