# SPDX-License-Identifier: Apache-2.0
"""The rule and the folded graph: fast enough, cheapest, and computing what the graph computed before."""

import numpy as np
import pytest

from qnn_hw.emulator import execute
from qnn_hw.errors import QnnError
from qnn_hw.folding import choose_folding, fold
from qnn_hw.folding.apply import input_lanes
from qnn_hw.folding.model import foldable_layers
from qnn_hw.folding.slice import layer_names, slice_layer
from qnn_hw.ir import Graph
from qnn_hw.ir.ops.width_converter import WidthConverter
from qnn_hw.passes import lower
from tests.random_nets import Conv, Net, build, samples

NETS = {
    "dense": Net((30,), dense=(12, 9), classes=5),
    "conv-pool": Net((8, 7, 3), (Conv(6, same=True, pool=(2, 2)), Conv(4)), (8,), classes=4),
}


def folded(graph: Graph, cycles: int) -> Graph:
    folding = choose_folding(graph, cycles)
    return fold(graph, folding, input_lanes(graph, folding, 8))


@pytest.mark.parametrize("cycles", [40, 600, 40_000])
@pytest.mark.parametrize("name", NETS)
def test_folding_keeps_every_value_and_the_target(name: str, cycles: int) -> None:
    graph = lower(build(NETS[name], seed=7))
    if name == "conv-pool" and cycles == 40:
        with pytest.raises(QnnError, match=r"the target allows 40 cycles a frame, its fastest folding takes \d+; "):
            folded(graph, cycles)
        return
    result = folded(graph, cycles)
    x = samples(graph, 5, seed=1)
    before, after = execute(graph, x), execute(result, x)
    for tensor in before:
        assert np.array_equal(before[tensor], after[tensor]), f"%{tensor} changed"
    for op in result.ops:
        types = tuple(result.types[t] for t in op.outputs)
        if not isinstance(op, WidthConverter):
            assert op.cycles(result.input_types(op), types, result.constants) <= cycles, f"{op.name} is too slow"
    for kind in result.types.values():
        assert kind.lanes >= 1 and kind.elements % kind.lanes == 0


def test_the_rule_takes_the_least_arithmetic_that_keeps_up() -> None:
    graph = lower(build(NETS["dense"], seed=7))
    loose, tight = choose_folding(graph, 100_000), choose_folding(graph, 50)
    assert all((layer.pe, layer.simd) == (1, 1) for layer in loose.values())
    for layer in foldable_layers(graph):
        chosen = tight[layer.name]
        assert layer.cycles(chosen.pe, chosen.simd) <= 50
        assert chosen.pe * chosen.simd * 50 >= layer.rows * layer.columns


def test_layers_to_skip_are_skipped() -> None:
    graph = lower(build(NETS["dense"], seed=7))
    assert "fc0" not in choose_folding(graph, 1000, skip=frozenset({"fc0"}))


def test_a_folding_must_name_every_layer() -> None:
    graph = lower(build(NETS["dense"], seed=7))
    with pytest.raises(QnnError, match="fc0: the folding does not name this layer"):
        fold(graph, {}, 1)


@pytest.mark.parametrize("name", NETS)
def test_a_layer_cut_out_computes_its_own_stream(name: str) -> None:
    graph = folded(lower(build(NETS[name], seed=7)), 4000)
    tensors = execute(graph, samples(graph, 3, seed=2))
    for layer in layer_names(graph):
        inside = [op for op in graph.ops if op.layer == layer]
        part = slice_layer(graph, layer, 64)
        result = execute(part, tensors[inside[0].inputs[0]])[part.outputs[0]]
        kind = graph.types[inside[-1].outputs[0]]
        expected = tensors[inside[-1].outputs[0]]
        assert np.array_equal(result.reshape(3, -1), kind.dtype.codes(expected).reshape(3, -1)), layer
