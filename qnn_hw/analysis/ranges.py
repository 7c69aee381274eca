# SPDX-License-Identifier: Apache-2.0
"""Which values every tensor can take, channel by channel: interval arithmetic on the actual weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from qnn_hw.errors import QnnError
from qnn_hw.ir.datatype import IntArray
from qnn_hw.ir.graph import Constants, Graph, Op, TensorType
from qnn_hw.ir.ops.add import Add
from qnn_hw.ir.ops.affine import Affine
from qnn_hw.ir.ops.classifier import Classifier
from qnn_hw.ir.ops.duplicate import Duplicate
from qnn_hw.ir.ops.fifo import Fifo
from qnn_hw.ir.ops.flatten import Flatten
from qnn_hw.ir.ops.logits import Logits
from qnn_hw.ir.ops.matvec import Domain, MatVec
from qnn_hw.ir.ops.max_pool import complement
from qnn_hw.ir.ops.pool import Pool
from qnn_hw.ir.ops.threshold import Threshold
from qnn_hw.ir.ops.width_converter import WidthConverter
from qnn_hw.ir.ops.window import Window


@dataclass(frozen=True, slots=True)
class Range:
    """Least and greatest value of every channel of a tensor: two (channels,) arrays.

    Safe always: no input leads outside. Tight wherever the elements an operator reads can take their extremes
    independently of each other, as the samples at the network's input can.
    """

    low: IntArray
    high: IntArray

    @property
    def constant(self) -> IntArray:
        """Indices of the channels that take one value only."""
        return np.flatnonzero(self.low == self.high)


def full_range(kind: TensorType) -> Range:
    """Return everything the type can express."""
    return Range(np.full(kind.channels, kind.dtype.minimum), np.full(kind.channels, kind.dtype.maximum))


def value_ranges(graph: Graph, input_range: tuple[int, int] | None = None) -> dict[str, Range]:
    """Return the range of every tensor of a hardware graph, folded or not.

    Args:
        graph: as `passes.lower` or `folding.fold` leave it.
        input_range: least and greatest raw value that occurs; everything the input type can express without it.

    Raises:
        QnnError: for an input range outside the input type.
    """
    ranges: dict[str, Range] = {}
    for name, kind in graph.inputs.items():
        low, high = input_range or (kind.dtype.minimum, kind.dtype.maximum)
        if not kind.dtype.minimum <= low <= high <= kind.dtype.maximum:
            raise QnnError(
                f"input {name}: the range {low}..{high} is no part of {kind.dtype} "
                f"({kind.dtype.minimum}..{kind.dtype.maximum})"
            )
        ranges[name] = Range(np.full(kind.channels, low), np.full(kind.channels, high))
    for op in graph.ops:
        inputs = tuple(ranges[name] for name in op.inputs)
        found = output_range(op, inputs, graph.types, graph.constants)
        ranges |= dict.fromkeys(op.outputs, found)
    return ranges


@singledispatch
def output_range(op: Op, inputs: tuple[Range, ...], types: Mapping[str, TensorType], constants: Constants) -> Range:
    """Return the range of an operator's outputs; what has no rule of its own may take every value of its type."""
    return full_range(types[op.outputs[0]])


@output_range.register(Fifo)
@output_range.register(WidthConverter)
@output_range.register(Duplicate)
def _(op: Op, inputs: tuple[Range, ...], types: Mapping[str, TensorType], constants: Constants) -> Range:
    return inputs[0]


@output_range.register
def _(op: Affine, inputs: tuple[Range, ...], types: Mapping[str, TensorType], constants: Constants) -> Range:
    ends = op.scale * inputs[0].low + op.offset, op.scale * inputs[0].high + op.offset
    return Range(np.minimum(*ends), np.maximum(*ends))


@output_range.register
def _(op: Flatten, inputs: tuple[Range, ...], types: Mapping[str, TensorType], constants: Constants) -> Range:
    pixels = types[op.inputs[0]].pixels
    return Range(np.tile(inputs[0].low, pixels), np.tile(inputs[0].high, pixels))


@output_range.register
def _(op: Window, inputs: tuple[Range, ...], types: Mapping[str, TensorType], constants: Constants) -> Range:
    taps = op.kernel[0] * op.kernel[1]
    low, high = np.tile(inputs[0].low, taps), np.tile(inputs[0].high, taps)
    # A pool pads with what never wins, which is the least value of the type; any tap may lie in the padding.
    return Range(np.minimum(low, op.pad_value), np.maximum(high, op.pad_value)) if any(op.padding) else Range(low, high)


@output_range.register
def _(op: Pool, inputs: tuple[Range, ...], types: Mapping[str, TensorType], constants: Constants) -> Range:
    low = inputs[0].low.reshape(op.positions, -1).max(axis=0)
    high = inputs[0].high.reshape(op.positions, -1).max(axis=0)
    if op.complement:
        flip, dtype = constants[op.complement] != 0, types[op.inputs[0]].dtype
        flipped = complement(high, dtype), complement(low, dtype)
        return Range(np.where(flip, flipped[0], low), np.where(flip, flipped[1], high))
    return Range(low, high)


@output_range.register
def _(op: MatVec, inputs: tuple[Range, ...], types: Mapping[str, TensorType], constants: Constants) -> Range:
    weights = constants[op.weights]
    ends = weights * inputs[0].low, weights * inputs[0].high
    low, high = np.minimum(*ends).sum(axis=1), np.maximum(*ends).sum(axis=1)
    columns = weights.shape[1]
    match op.domain:
        case Domain.DOT:
            return Range(low, high)
        case Domain.POPCOUNT:
            return Range((low + columns) // 2, (high + columns) // 2)
        case Domain.MASKED:
            return Range(low + columns, high + columns)


@output_range.register
def _(op: Add, inputs: tuple[Range, ...], types: Mapping[str, TensorType], constants: Constants) -> Range:
    return Range(inputs[0].low + inputs[1].low, inputs[0].high + inputs[1].high)


@output_range.register
def _(op: Threshold, inputs: tuple[Range, ...], types: Mapping[str, TensorType], constants: Constants) -> Range:
    table = constants[op.thresholds]
    least = (inputs[0].low[:, None] >= table).sum(axis=1)
    most = (inputs[0].high[:, None] >= table).sum(axis=1)
    if op.falling:
        falls = constants[op.falling] != 0
        least, most = np.where(falls, table.shape[1] - most, least), np.where(falls, table.shape[1] - least, most)
    return Range(op.dtype.values(least + op.base), op.dtype.values(most + op.base))


@output_range.register
def _(op: Classifier, inputs: tuple[Range, ...], types: Mapping[str, TensorType], constants: Constants) -> Range:
    return Range(np.array([0]), np.array([len(inputs[0].low) - 1]))


@output_range.register
def _(op: Logits, inputs: tuple[Range, ...], types: Mapping[str, TensorType], constants: Constants) -> Range:
    dtype = types[op.inputs[0]].dtype
    return Range(dtype.codes(inputs[0].low), dtype.codes(inputs[0].high))
