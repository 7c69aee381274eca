# SPDX-License-Identifier: Apache-2.0
"""`conv2d`: a convolution as the network states it; hardware runs it as `window` + `matvec`."""

from dataclasses import dataclass

import numpy as np

from qnn_hw.errors import QnnError
from qnn_hw.ir.datatype import DataType, IntArray
from qnn_hw.ir.geometry import output_size, pad
from qnn_hw.ir.graph import Constants, ConstRef, Op, TensorType, operator
from qnn_hw.ir.ops.matvec import dot_dtype


@operator("conv2d")
@dataclass(frozen=True, slots=True, kw_only=True)
class Conv2D(Op):
    """Cross-correlation with integer weights, y[n,i,j,m] = sum x[n, i*sh+a, j*sw+b, c] * w[m,a,b,c].

    Attributes:
        weights: (out_channels, kh, kw, in_channels) values of `weight_dtype`.
        strides: vertical, horizontal.
        padding: rows at the top and bottom, columns left and right.
        pad_value: value of padded elements; 0 is allowed on bipolar maps (the tap then contributes nothing).
    """

    weights: ConstRef
    weight_dtype: DataType
    strides: tuple[int, ...]
    padding: tuple[int, ...]
    pad_value: int

    def infer(self, inputs: tuple[TensorType, ...], constants: Constants) -> tuple[TensorType, ...]:
        """H, W, C -> OH, OW, out_channels; accumulators of the dot product's type."""
        (x,) = inputs
        m, kh, kw, c = constants[self.weights].shape
        if len(x.shape) != 3 or x.shape[2] != c:
            raise QnnError(f"{self.layer}: kernel for {c} channels on a tensor of shape {x.shape}")
        self.weight_dtype.check(constants[self.weights])
        top, bottom, left, right = self.padding
        rows = output_size(x.shape[0], kh, self.strides[0], top, bottom)
        columns = output_size(x.shape[1], kw, self.strides[1], left, right)
        if rows < 1 or columns < 1:
            raise QnnError(f"{self.layer}: a {kh}x{kw} kernel does not fit a {x.shape[0]}x{x.shape[1]} map")
        check_pad_value(self.layer, self.pad_value, x.dtype, any(self.padding))
        return (TensorType((rows, columns, m), dot_dtype(x.dtype, self.weight_dtype, kh * kw * c)),)

    def execute(self, inputs: tuple[IntArray, ...], types: tuple[TensorType, ...], constants: Constants) -> IntArray:
        """Sum over kernel taps, one shifted map at a time."""
        (x,) = inputs
        w = constants[self.weights]
        sh, sw = self.strides
        x = pad(x, self.padding, self.pad_value)
        rows, columns = (x.shape[1] - w.shape[1]) // sh + 1, (x.shape[2] - w.shape[2]) // sw + 1
        y = np.zeros((x.shape[0], rows, columns, w.shape[0]), np.int64)
        for a in range(w.shape[1]):
            for b in range(w.shape[2]):
                tap = x[:, a : a + rows * sh : sh, b : b + columns * sw : sw][:, :rows, :columns]
                y += tap @ w[:, a, b].T
        return y


def check_pad_value(layer: str, value: int, dtype: DataType, padded: bool) -> None:
    """Raise QnnError unless `value` can pad a map of `dtype` (0 pads a bipolar map by leaving taps out)."""
    if padded and value != 0 and not (dtype.minimum <= value <= dtype.maximum):
        raise QnnError(f"{layer}: pad_values={value} is no value of the {dtype} input; use -1, 0 or 1")
