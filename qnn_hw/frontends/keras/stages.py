# SPDX-License-Identifier: Apache-2.0
"""The stages of a prepared network: what stands between the Keras layers and the graph.

Each stage holds the layer of the prepared model that computes it (`module`), so that measurements run the very same
TensorFlow operations as the model does.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from qnn_hw.ir.code_type import CodeType
from qnn_hw.ir.datatype import DataType, IntArray
from qnn_hw.ir.geometry import Padding


@dataclass(frozen=True, slots=True)
class Reach:
    """The integers first, first + step, ..., last: every value an accumulator or a raw sample can take."""

    first: int
    last: int
    step: int = 1

    @property
    def count(self) -> int:
        """Number of values."""
        return (self.last - self.first) // self.step + 1

    def values(self) -> IntArray:
        """Return all values, ascending, int64 (count,)."""
        return np.arange(self.first, self.last + 1, self.step, dtype=np.int64)

    def at(self, index: IntArray) -> IntArray:
        """Return the values at these indices."""
        return self.first + self.step * index


@dataclass(frozen=True, slots=True, eq=False)
class MapStage:
    """u = factor * x + summand on raw samples."""

    layer: str
    factor: int
    summand: int
    module: Any


@dataclass(frozen=True, slots=True, eq=False)
class DotStage:
    """A dense layer or convolution on integer codes.

    Attributes:
        layer: name of the Keras layer.
        weights: (units, inputs) or (filters, kh, kw, inputs), values of `weight_dtype`.
        weight_dtype: type of the weights.
        strides: vertical, horizontal.
        padding: top, bottom, left, right.
        pad_value: code of padded elements.
        reach: every value an accumulator can take.
        module: `IntegerDense` or `IntegerConv2D`.
    """

    layer: str
    weights: IntArray
    weight_dtype: DataType
    strides: tuple[int, int]
    padding: Padding
    pad_value: int
    reach: Reach
    module: Any


@dataclass(frozen=True, slots=True, eq=False)
class FloatStage:
    """One elementwise float operation of a chain.

    Attributes:
        layer: name of the Keras layer it comes from.
        operation: its name in `monotone`.
        code: the codes it delivers if it is a quantizer.
        low, high: smallest and greatest code (bipolar: 0 and 1) the quantizer can deliver.
        module: the layer that computes it.
    """

    layer: str
    operation: str
    module: Any
    code: CodeType | None = None
    low: int = 0
    high: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class PoolStage:
    """Max pooling."""

    layer: str
    size: tuple[int, int]
    strides: tuple[int, int]
    padding: Padding
    module: Any


@dataclass(frozen=True, slots=True, eq=False)
class FlattenStage:
    """H, W, C as one axis; `pixels` = H * W."""

    layer: str
    pixels: int
    module: Any


Stage = MapStage | DotStage | FloatStage | PoolStage | FlattenStage
