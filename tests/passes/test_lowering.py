# SPDX-License-Identifier: Apache-2.0
"""Every pass keeps the network's function, on random networks; lowering leaves hardware operators only."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qnn_hw.emulator import execute, execute_packed
from qnn_hw.folding import choose_folding, fold
from qnn_hw.folding.apply import input_lanes
from qnn_hw.ir import BIPOLAR, DataType, Graph, parse_graph, print_graph
from qnn_hw.ir.graph import hash_graph
from qnn_hw.passes import HARDWARE_PASSES, lower
from tests.random_nets import Block, Conv, Net, build, samples

HARDWARE = {"affine", "window", "matvec", "threshold", "pool", "flatten", "classifier", "add", "duplicate"}


@st.composite
def nets(draw: st.DrawFn) -> Net:
    """Networks of up to two convolutions and two dense layers."""
    size = st.integers(1, 3)
    height, width = draw(st.integers(5, 9)), draw(st.integers(5, 9))
    code = draw(st.sampled_from([BIPOLAR, BIPOLAR, DataType(2), DataType(3, signed=True)]))
    convs = []
    for _ in range(draw(st.integers(0, 2))):
        pads = [-1, 0, 1] if convs and code == BIPOLAR else [0]
        convs.append(
            Conv(
                channels=draw(st.integers(1, 6)),
                kernel=(draw(size), draw(size)),
                strides=(draw(st.integers(1, 2)), draw(st.integers(1, 2))),
                same=draw(st.booleans()) or len(convs) > 0,
                pad_value=draw(st.sampled_from(pads)),
                pool=draw(st.sampled_from([None, (2, 2), (3, 2)])),
                pool_strides=draw(st.sampled_from([(1, 1), (2, 2)])),
                pool_same=True,
                pool_codes=draw(st.booleans()),
            )
        )
    blocks = []
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        inner = (Block(draw(st.integers(1, 4))),) if draw(st.booleans()) else ()
        blocks.append(
            Block(
                channels=draw(st.integers(1, 4)),
                kernels=tuple(draw(st.lists(st.tuples(size, size), min_size=1, max_size=2))),
                strides=(draw(st.integers(1, 2)), draw(st.integers(1, 2))),
                pad_value=draw(st.sampled_from([-1, 0])) if code == BIPOLAR and (convs or blocks) else 0,
                adds_accumulators=draw(st.booleans()),
                inner=inner,
            )
        )
    return Net(
        input_shape=(height, width, draw(st.integers(1, 3))),
        convs=tuple(convs),
        dense=tuple(draw(st.lists(st.integers(1, 70), max_size=2))),
        classes=draw(st.integers(2, 5)),
        centred=draw(st.booleans()),
        code_dtype=code,
        ranks=draw(st.booleans()) and bool(convs) and not blocks and code == BIPOLAR,
        blocks=tuple(blocks),
        dense_block=draw(st.booleans()),
    )


def reference(graph: Graph, x: np.ndarray) -> np.ndarray:
    return execute(graph, x)[graph.outputs[0]]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(nets(), st.integers(0, 2**16))
def test_every_pass_keeps_the_function(net: Net, seed: int) -> None:
    graph = build(net, seed)
    x = samples(graph, 4, seed)
    expected = reference(graph, x)
    for step in HARDWARE_PASSES:
        graph = step(graph)
        np.testing.assert_array_equal(reference(graph, x), expected, err_msg=f"{step.__name__} on {net}, seed {seed}")
        assert step(graph) == graph, f"{step.__name__} changes its own result on {net}"
    assert {op.keyword for op in graph.ops} <= HARDWARE
    assert not any(getattr(op, "falling", "") for op in graph.ops)
    np.testing.assert_array_equal(execute_packed(graph, x, batch=3), expected, err_msg=f"packed on {net}, seed {seed}")


@settings(max_examples=40, deadline=None, derandomize=True)
@given(nets(), st.integers(0, 2**16), st.sampled_from([20, 200, 5000]))
def test_folding_and_text_keep_the_function(net: Net, seed: int, slack: int) -> None:
    graph = lower(build(net, seed))
    folding = choose_folding(graph, 100 * slack)
    folded = fold(graph, folding, input_lanes(graph, folding, 8))
    x = samples(graph, 3, seed)
    np.testing.assert_array_equal(reference(folded, x), reference(graph, x), err_msg=f"{net}, seed {seed}")
    again = parse_graph(print_graph(folded), folded.constants)
    assert again == folded
    assert hash_graph(again) == hash_graph(folded)


def test_graph_hash_sees_one_weight_and_no_name() -> None:
    net = Net((6, 6, 2), (Conv(4, pool=(2, 2)),), (8,))
    graph = lower(build(net, 1))
    flipped = dict(graph.constants)
    flipped["fc0.weights"] = flipped["fc0.weights"].copy()
    flipped["fc0.weights"][3, 5] *= -1
    renamed = parse_graph(
        print_graph(graph).replace("conv0", "first"),
        graph.constants | {key.replace("conv0", "first"): value for key, value in graph.constants.items()},
    )
    assert hash_graph(graph.with_ops(graph.ops, flipped)) != hash_graph(graph)
    assert hash_graph(renamed) == hash_graph(graph)
    assert hash_graph(graph, "clock 100") != hash_graph(graph, "clock 200")


@pytest.mark.parametrize("step", HARDWARE_PASSES, ids=lambda step: step.__name__)
def test_passes_leave_other_graphs_alone(step) -> None:
    graph = lower(build(Net((16,), dense=(8,)), 3))
    assert step(graph) == graph
