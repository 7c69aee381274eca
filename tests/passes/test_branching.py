# SPDX-License-Identifier: Apache-2.0
"""The passes on graphs that branch: copies for every reader, and no change where a second reader would see it."""

import numpy as np

from qnn_hw.emulator import execute
from qnn_hw.ir import Graph, parse_graph, print_graph
from qnn_hw.passes import lower
from qnn_hw.passes.accumulator_domains import accumulator_domains
from qnn_hw.passes.duplicate_streams import duplicate_streams
from qnn_hw.passes.flip_falling_codes import flip_falling_codes
from qnn_hw.passes.partition import partition
from qnn_hw.passes.rising_thresholds import rising_thresholds
from qnn_hw.passes.thresholds_before_pool import thresholds_before_pool

CONSTANTS = {
    "w": np.array([[1, -1, 1], [-1, -1, 1], [1, 1, 1]]),
    "t": np.array([[1], [0], [2]]),
    "u": np.array([[-2], [1], [0]]),
    "v": np.array([[1], [-1], [2]]),
    "f": np.array([0, 1, 1]),
}


def matvec(tensor: str, result: str, kind: str, domain: str = "dot") -> str:
    return (
        f'%{result} = matvec(%{tensor}) {{name="{result}", layer="fc", weights=@w, weight_dtype=b1, domain={domain}, '
        f'pe=0, simd=0, weight_memory="auto"}} : {kind}'
    )


def threshold(tensor: str, result: str, shape: str, *, table: str = "t", falling: str = "") -> str:
    return (
        f'%{result} = threshold(%{tensor}) {{name="{result}", layer="{result}", thresholds=@{table}, '
        f"falling=@{falling}, dtype=b1, base=0, pe=0}} : b1[{shape}]"
    )


def add(a: str, b: str, result: str, kind: str) -> str:
    return f'%{result} = add(%{a}, %{b}) {{name="{result}", layer="{result}"}} : {kind}'


def graph_of(*lines: str) -> Graph:
    text = "\n".join(("graph g", *lines)) + "\n"
    return parse_graph(text, {name: table.copy() for name, table in CONSTANTS.items() if f"@{name}," in text})


def body(graph: Graph) -> list[str]:
    return print_graph(graph).splitlines()[1:]


def same_values(before: Graph, after: Graph) -> None:
    kind = next(iter(before.inputs.values()))
    rng = np.random.default_rng(1)
    x = rng.integers(kind.dtype.minimum, kind.dtype.maximum + 1, (40, *kind.shape))
    x = np.where(x > 0, 1, -1) if kind.dtype.bipolar else x
    for a, b in zip(before.outputs, after.outputs, strict=True):
        assert np.array_equal(execute(before, x)[a], execute(after, x)[b]), print_graph(after)


def test_every_reader_gets_a_copy() -> None:
    graph = graph_of("input %x : u2[3]", add("x", "x", "y", "u3[3]"), add("y", "x", "z", "u4[3]"), "output %z")
    result = duplicate_streams(graph)
    assert body(result) == [
        "input %x : u2[3]",
        '%x_copy0, %x_copy1, %x_copy2 = duplicate(%x) {name="x_duplicate", layer="x_duplicate"} : u2[3], u2[3], u2[3]',
        add("x_copy0", "x_copy1", "y", "u3[3]"),
        add("y", "x_copy2", "z", "u4[3]"),
        "output %z",
    ]
    same_values(graph, result)


def test_a_tensor_that_is_delivered_is_read_too() -> None:
    graph = graph_of("input %x : u2[3]", add("x", "x", "x_copy0", "u3[3]"), "output %x_copy0", "output %x")
    result = duplicate_streams(graph)
    assert result.ops[0].outputs == ("x_copy0_", "x_copy1", "x_copy2") and result.outputs == ("x_copy0", "x_copy2")
    same_values(graph, result)


def test_without_branches_the_graph_is_the_same_object() -> None:
    graph = graph_of("input %x : i3[3]", threshold("x", "y", "3"), "output %y")
    assert duplicate_streams(graph) is graph
    branched = duplicate_streams(graph_of("input %x : u2[3]", add("x", "x", "y", "u3[3]"), "output %y"))
    assert duplicate_streams(branched) is branched


POOL = (
    '%best = max_pool(%x) {name="best", layer="pool", size=(2 2), strides=(2 2), padding=(0 0 0 0), complement=@} '
    ": i3[1,1,3]"
)


def test_a_pool_that_something_else_reads_stays_before_the_threshold() -> None:
    lines = ["input %x : i3[2,2,3]", POOL, threshold("best", "code", "1,1,3")]
    alone = graph_of(*lines, "output %code")
    assert [op.keyword for op in thresholds_before_pool(alone).ops] == ["threshold", "max_pool"]
    shared = graph_of(*lines, add("best", "code", "y", "i4[1,1,3]"), "output %y")
    assert thresholds_before_pool(shared) == shared
    # The pool takes the place of a code that two operators read: the next threshold may not pass it.
    twice = graph_of(*lines, threshold("code", "again", "1,1,3", table="v"), add("code", "again", "y", "i3[1,1,3]"),
                     "output %y")  # fmt: skip
    result = thresholds_before_pool(twice)
    assert [op.keyword for op in result.ops] == ["threshold", "max_pool", "threshold", "add"]
    same_values(twice, result)


def test_weights_are_not_negated_under_a_second_reader() -> None:
    lines = ["input %x : b1[3]", matvec("x", "acc", "i3[3]"), threshold("acc", "code", "3", falling="f")]
    shared = graph_of(*lines, threshold("acc", "other", "3", table="u"), add("code", "other", "y", "i3[3]"),
                      "output %y")  # fmt: skip
    result = rising_thresholds(shared)
    assert result == shared and result.constants_equal(shared)
    hardware = lower(shared)
    assert not any(getattr(op, "falling", "") for op in hardware.ops)
    same_values(shared, hardware)


def test_codes_behind_an_add_are_flipped() -> None:
    graph = graph_of("input %x : u2[3]", add("x", "x", "y", "u3[3]"), threshold("y", "code", "3", falling="f"),
                     "output %code")  # fmt: skip
    result = flip_falling_codes(graph)
    assert body(result)[2:] == [
        threshold("y", "code_rising", "3").replace('"code_rising"', '"code"'),
        '%code = pool(%code_rising) {name="code_flip", layer="code_flip", positions=1, complement=@f, pe=0} : b1[3]',
        "output %code",
    ]
    same_values(graph, result)


def test_codes_away_from_the_middle_of_their_type_keep_falling() -> None:
    line = threshold("x", "code", "3", falling="f").replace("dtype=b1", "dtype=u2").replace(": b1", ": u2")
    graph = graph_of("input %x : i3[3]", line, "output %code")
    assert flip_falling_codes(graph) == graph


def test_accumulators_that_are_added_stay_dot_products() -> None:
    graph = graph_of("input %x : b1[3]", matvec("x", "acc", "i3[3]"), add("acc", "x", "y", "i4[3]"), "output %y")
    result = accumulator_domains(graph)
    assert body(result)[1:3] == [
        matvec("x", "acc_counts", "u2[3]", "popcount").replace('name="acc_counts"', 'name="acc"'),
        '%acc = affine(%acc_counts) {name="acc_dot", layer="fc", scale=2, offset=-3} : i3[3]',
    ]
    same_values(graph, result)


def test_thresholds_behind_a_duplicate_count_bits() -> None:
    lines = [
        "input %x : b1[3]",
        matvec("x", "acc", "i3[3]"),
        '%a, %b = duplicate(%acc) {name="d", layer="d"} : i3[3], i3[3]',
        threshold("a", "one", "3"),
        threshold("b", "two", "3", table="u"),
        add("one", "two", "y", "i3[3]"),
        "output %y",
    ]
    graph = graph_of(*lines)
    result = accumulator_domains(graph)
    assert str(result.types["acc"].dtype) == "u2"
    same_values(graph, result)


def test_a_layer_on_accumulators_reads_dot_products() -> None:
    graph = graph_of("input %x : b1[3]", matvec("x", "acc", "i3[3]"), matvec("acc", "more", "i5[3]"), "output %more")
    result = accumulator_domains(graph)
    assert [op.keyword for op in result.ops] == ["matvec", "affine", "matvec"]
    same_values(graph, result)


def test_an_accumulator_that_is_delivered_stays_a_dot_product() -> None:
    graph = graph_of("input %x : b1[3]", matvec("x", "acc", "i3[3]"), threshold("acc", "code", "3"), "output %code",
                     "output %acc")  # fmt: skip
    same_values(graph, accumulator_domains(graph))


def test_raw_input_that_something_else_reads_stays_in_hardware() -> None:
    lines = ["input %x : i3[3]", threshold("x", "code", "3")]
    assert partition(graph_of(*lines, add("code", "code", "y", "i3[3]"), "output %y")).host is not None
    shared = graph_of(*lines, add("code", "x", "y", "i4[3]"), "output %y")
    assert partition(shared).host is None and partition(shared).hardware == shared
