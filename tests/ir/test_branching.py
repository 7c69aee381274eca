# SPDX-License-Identifier: Apache-2.0
"""`add` and `duplicate`: types, values, text, and the sentence for each graph they refuse."""

import itertools

import numpy as np
import pytest

import qnn_hw.ir.ops  # noqa: F401  (fills the registry)
from qnn_hw.emulator import execute, execute_packed
from qnn_hw.errors import QnnError
from qnn_hw.ir import Graph, TensorType, parse_dtype, parse_graph, print_graph
from qnn_hw.ir.graph import hash_graph
from qnn_hw.ir.ops.add import Add

RESIDUAL = """\
graph residual
input %x : b1[2,2,3]
%a, %b, %c = duplicate(%x) {name="copies", layer="copies"} : b1[2,2,3], b1[2,2,3], b1[2,2,3]
%two = add(%a, %b) {name="two", layer="two"} : i3[2,2,3]
%three = add(%two, %c) {name="three", layer="three"} : i4[2,2,3]
output %three
"""


def added(a: str, b: str) -> Graph:
    """Two inputs of one element each, and their sum."""
    kinds = {name: TensorType((1,), parse_dtype(text)) for name, text in (("a", a), ("b", b))}
    return Graph("sum", kinds, (Add(name="sum", layer="sum", inputs=("a", "b"), outputs=("y",)),), ("y",))


@pytest.mark.parametrize(
    ("a", "b", "total"),
    [
        *(("u2", "u2", "u3"), ("u1", "u1", "u2"), ("u3", "u1", "u4"), ("b1", "b1", "i3"), ("b1", "u2", "i4")),
        *(("u2", "b1", "i4"), ("i2", "u1", "i3"), ("i1", "i1", "i2"), ("i8", "u8", "i10"), ("i2", "b1", "i3")),
        *(("u8.3", "u8.3", "u9.3"),),
    ],
)
def test_the_sum_has_the_smallest_type_that_holds_it(a: str, b: str, total: str) -> None:
    assert str(added(a, b).types["y"].dtype) == total


@pytest.mark.parametrize(("a", "b"), list(itertools.product(["u1", "u2", "i1", "i3", "b1"], repeat=2)))
def test_every_pair_of_values_is_added(a: str, b: str) -> None:
    def values(text: str) -> list[int]:
        dtype = parse_dtype(text)
        return [-1, 1] if dtype.bipolar else list(range(dtype.minimum, dtype.maximum + 1))

    graph = added(a, b)
    pairs = np.array(list(itertools.product(values(a), values(b))))
    inputs = (pairs[:, :1], pairs[:, 1:])
    result = graph.ops[0].execute(inputs, tuple(graph.inputs.values()), {})
    assert result[:, 0].tolist() == [x + y for x, y in pairs.tolist()]
    graph.types["y"].dtype.check(result)
    kind = graph.types["y"].dtype
    bits = kind.bits - 1
    if bits:
        smaller = [kind for kind in (parse_dtype(f"u{bits}"), parse_dtype(f"i{bits}")) if _holds(kind, result)]
        assert not smaller, f"{smaller[0]} is enough for {a} + {b}"


def _holds(dtype, values: np.ndarray) -> bool:
    return dtype.minimum <= values.min() and values.max() <= dtype.maximum


def test_branches_read_back_and_execute() -> None:
    graph = parse_graph(RESIDUAL, {})
    assert print_graph(graph) == RESIDUAL
    assert hash_graph(graph) == hash_graph(parse_graph(RESIDUAL.replace("two", "second"), {}))
    x = np.random.default_rng(3).integers(0, 2, (5, 2, 2, 3)) * 2 - 1
    tensors = execute(graph, x)
    assert list(tensors) == ["x", "a", "b", "c", "two", "three"]
    assert np.array_equal(tensors["b"], x) and np.array_equal(tensors["three"], 3 * x)
    assert np.array_equal(execute_packed(graph, x, batch=2), 3 * x)


def test_the_order_of_an_add_is_part_of_the_hash() -> None:
    turned = RESIDUAL.replace("add(%two, %c)", "add(%c, %two)")
    assert hash_graph(parse_graph(turned, {})) != hash_graph(parse_graph(RESIDUAL, {}))


REFUSED = {
    "shapes": (
        'input %x : u2[4]\ninput %z : u2[2]\n%y = add(%x, %z) {name="sum", layer="sum"} : u3[4]\noutput %y',
        "sum: sum adds shapes (4,) and (2,); they have to be equal",
    ),
    "lanes": (
        'input %x : u2[4]/4\ninput %z : u2[4]/2\n%y = add(%x, %z) {name="sum", layer="sum"} : u3[4]/4\noutput %y',
        "sum: the inputs of sum arrive 4 and 2 elements a beat; they have to arrive alike",
    ),
    "fractions": (
        'input %x : u4.1[4]\ninput %z : u4.2[4]\n%y = add(%x, %z) {name="sum", layer="sum"} : u5.1[4]\noutput %y',
        "sum: sum adds u4.1 and u4.2; the fraction bits have to be equal",
    ),
    "three": (
        'input %x : u2[4]\n%y = add(%x, %x, %x) {name="sum", layer="sum"} : u4[4]\noutput %y',
        "sum: sum adds 2 tensors, found 3",
    ),
    "one copy": (
        'input %x : u2[4]\n%y = duplicate(%x) {name="copy", layer="copy"} : u2[4]\noutput %y',
        "copy: copy has 1 inputs and 1 outputs; duplicate takes one input and delivers at least 2 outputs",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(name: str) -> None:
    text, sentence = REFUSED[name]
    with pytest.raises(QnnError) as caught:
        parse_graph(f"graph g\n{text}\n", {})
    assert str(caught.value) == sentence
