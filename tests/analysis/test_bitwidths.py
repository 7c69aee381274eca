# SPDX-License-Identifier: Apache-2.0
"""Ranges and bit-widths: reached by inputs made for it, never left by random ones."""

import numpy as np
import pytest

from qnn_hw.analysis.bitwidths import stream_bits
from qnn_hw.analysis.ranges import full_range, output_range, value_ranges
from qnn_hw.emulator import execute
from qnn_hw.errors import QnnError
from qnn_hw.ir import BIPOLAR, UINT8, ConstRef, DataType, Graph, TensorType
from qnn_hw.ir.datatype import TERNARY, smallest_dtype
from qnn_hw.ir.ops.matvec import Domain, MatVec
from qnn_hw.ir.ops.threshold import Threshold
from qnn_hw.passes import lower
from tests import random_nets

NETS = {
    "dense": random_nets.Net((13,), dense=(12, 9)),
    "conv-same-pool": random_nets.Net(
        (7, 8, 3), convs=(random_nets.Conv(6, same=True, pool=(2, 2)), random_nets.Conv(5))
    ),
    "two-bit-codes": random_nets.Net(
        (6, 6, 2), convs=(random_nets.Conv(5, strides=(2, 1), same=True),), dense=(8,), code_dtype=DataType(2)
    ),
    "ranks": random_nets.Net((16,), dense=(10,), ranks=True),
}


def _extreme_inputs(weights: np.ndarray, kind: TensorType, sign: int) -> np.ndarray:
    """One vector a row of `weights`: each element at the end of its range that pushes the row's sum towards `sign`."""
    return np.where(weights * sign > 0, kind.dtype.maximum, kind.dtype.minimum)


@pytest.mark.parametrize(
    "dtype, domain",
    [
        pytest.param(UINT8, Domain.DOT, id="u8-dot"),
        pytest.param(DataType(9, signed=True), Domain.DOT, id="i9-dot"),
        pytest.param(BIPOLAR, Domain.POPCOUNT, id="popcount"),
        pytest.param(TERNARY, Domain.MASKED, id="masked"),
    ],
)
def test_accumulator_ranges_are_reached(dtype, domain):
    rng = np.random.default_rng(3)
    weights = rng.integers(0, 2, (11, 37)) * 2 - 1
    op = MatVec(
        name="m", layer="m", inputs=("x",), outputs=("y",), weights=ConstRef("w"), weight_dtype=BIPOLAR, domain=domain
    )
    kind = TensorType((37,), dtype)
    graph = Graph("one", {"x": kind}, (op,), ("y",), {"w": weights})
    x = full_range(kind)
    if dtype == TERNARY:  # its code -2 is never sent
        x = type(x)(np.full(37, -1), np.full(37, 1))
    found = output_range(op, (x,), graph.types, graph.constants)
    for sign, expected in ((1, found.high), (-1, found.low)):
        vectors = np.clip(_extreme_inputs(weights, kind, sign), x.low, x.high)
        reached = execute(graph, vectors)["y"][np.arange(11), np.arange(11)]
        np.testing.assert_array_equal(reached, expected)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("seed", range(5))
def test_no_input_leads_outside_a_range(name, seed):
    graph = lower(random_nets.build(NETS[name], seed))
    ranges = value_ranges(graph)
    tensors = execute(graph, random_nets.samples(graph, 40, seed))
    for tensor, found in ranges.items():
        values = tensors[tensor].reshape(-1, graph.types[tensor].channels)
        outside = np.flatnonzero((values < found.low).any(axis=0) | (values > found.high).any(axis=0))
        assert not outside.size, f"{tensor}: channels {outside} leave their range"


@pytest.mark.parametrize("name", NETS)
def test_first_accumulators_are_tight(name):
    """The samples of the network's input are independent, so that the ends of the first layer's ranges are reached."""
    graph = lower(random_nets.build(NETS[name], 1))
    first = next(op for op in graph.ops if isinstance(op, MatVec))
    found = value_ranges(graph)[first.outputs[0]]
    source = next(iter(graph.inputs.values()))
    n_channels = len(found.low)
    rows = graph.constants[first.weights]
    if len(source.shape) == 1:
        vectors = {sign: _extreme_inputs(rows, source, sign) for sign in (1, -1)}
    else:
        # A whole window inside the map: its pixels carry the extreme pattern.
        window = next(op for op in graph.ops if op.outputs[0] == first.inputs[0])
        kh, kw = window.kernel
        top, left = window.padding[0], window.padding[2]
        i, j = (
            -(-top // window.strides[0]) * window.strides[0] - top,
            -(-left // window.strides[1]) * window.strides[1] - left,
        )
        vectors = {}
        for sign in (1, -1):
            frames = np.zeros((n_channels, *source.shape), np.int64)
            frames[:, i : i + kh, j : j + kw] = _extreme_inputs(rows, source, sign).reshape(n_channels, kh, kw, -1)
            vectors[sign] = frames
    for sign, expected in ((1, found.high), (-1, found.low)):
        values = execute(graph, vectors[sign])[first.outputs[0]].reshape(n_channels, -1, n_channels)
        reached = (values.max(axis=1) if sign > 0 else values.min(axis=1))[np.arange(n_channels), np.arange(n_channels)]
        np.testing.assert_array_equal(reached, expected)


def _one_threshold(table, low, high) -> Graph:
    kind = TensorType((len(table),), smallest_dtype(low, high))
    op = Threshold(name="t", layer="t", inputs=("x",), outputs=("y",), thresholds=ConstRef("t"), dtype=BIPOLAR, base=0)
    return Graph("one", {"x": kind}, (op,), ("y",), {"t": np.array(table)[:, None]})


def test_channels_that_always_or_never_fire_are_found():
    graph = _one_threshold([0, 3, 8, 5], 0, 7)
    _, row = stream_bits(graph)
    assert row.constant_channels == (0, 2)
    codes = execute(graph, np.arange(8)[:, None].repeat(4, 1))["y"]
    assert [len(set(column)) for column in codes.T] == [1, 2, 1, 2]


def test_threshold_bits_are_those_of_the_clipped_thresholds():
    assert stream_bits(_one_threshold([-100, 3, 100], -128, 127), (-4, 3))[1].threshold_bits == 4  # -4 .. 4
    assert stream_bits(_one_threshold([-100, 3, 100], -128, 127))[1].threshold_bits == 8


def test_a_smaller_input_range_needs_fewer_bits():
    graph = lower(random_nets.build(NETS["dense"], 0))
    full, half = (next(r for r in stream_bits(graph, given) if r.operator == "matvec") for given in (None, (128, 160)))
    assert half.needed.bits < full.needed.bits <= full.dtype.bits
    samples = np.random.default_rng(0).integers(128, 161, (200, 13))
    values = execute(graph, samples)[half.stream]
    assert half.low <= values.min() and values.max() <= half.high


@pytest.mark.parametrize("given", [(-1, 5), (0, 256), (9, 3)])
def test_an_input_range_outside_the_type_is_refused(given):
    graph = lower(random_nets.build(NETS["dense"], 0))
    with pytest.raises(
        QnnError, match=rf"input image: the range {given[0]}\.\.{given[1]} is no part of u8 \(0\.\.255\)"
    ):
        stream_bits(graph, given)
