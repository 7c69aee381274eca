# SPDX-License-Identifier: Apache-2.0
"""`max_pool`: max pooling as the network states it; hardware runs it as `window` + `pool`."""

from dataclasses import dataclass

import numpy as np

from qnn_hw.errors import QnnError
from qnn_hw.ir.datatype import DataType, IntArray
from qnn_hw.ir.geometry import output_size, pad
from qnn_hw.ir.graph import Constants, ConstRef, Op, TensorType, operator


def complement(values: IntArray, dtype: DataType) -> IntArray:
    """Flip every bit of the code: reverses the order of values (minimum <-> maximum)."""
    return dtype.minimum + dtype.maximum - values


@operator("max_pool")
@dataclass(frozen=True, slots=True, kw_only=True)
class MaxPool(Op):
    """Maximum over each window; padding never wins. A channel with its complement bit set is flipped afterwards.

    Attributes:
        size: height, width.
        strides: vertical, horizontal.
        padding: rows at the top and bottom, columns left and right.
        complement: (channels,) of 0 or 1, "" for none. Flipping turns a maximum of flipped codes into the minimum
            of the codes themselves: what a channel whose threshold falls needs once it stands before the pool.
    """

    size: tuple[int, ...]
    strides: tuple[int, ...]
    padding: tuple[int, ...]
    complement: ConstRef = ConstRef("")

    def infer(self, inputs: tuple[TensorType, ...], constants: Constants) -> tuple[TensorType, ...]:
        """H, W, C -> OH, OW, C of the same type."""
        (x,) = inputs
        if len(x.shape) != 3:
            raise QnnError(f"{self.layer}: max pooling needs a map (height, width, channels), found shape {x.shape}")
        top, bottom, left, right = self.padding
        rows = output_size(x.shape[0], self.size[0], self.strides[0], top, bottom)
        columns = output_size(x.shape[1], self.size[1], self.strides[1], left, right)
        if rows < 1 or columns < 1:
            raise QnnError(f"{self.layer}: a {self.size[0]}x{self.size[1]} pool does not fit a {x.shape[:2]} map")
        return (TensorType((rows, columns, x.channels), x.dtype),)

    def execute(self, inputs: tuple[IntArray, ...], types: tuple[TensorType, ...], constants: Constants) -> IntArray:
        """Walk over the window positions, comparing."""
        (x,) = inputs
        dtype = types[0].dtype
        x = pad(x, self.padding, dtype.minimum)
        sh, sw = self.strides
        rows, columns = (x.shape[1] - self.size[0]) // sh + 1, (x.shape[2] - self.size[1]) // sw + 1
        best = np.full((x.shape[0], rows, columns, x.shape[3]), dtype.minimum, np.int64)
        for i in range(self.size[0]):
            for j in range(self.size[1]):
                best = np.maximum(best, x[:, i : i + rows * sh : sh, j : j + columns * sw : sw][:, :rows, :columns])
        if self.complement:
            best = np.where(constants[self.complement] != 0, complement(best, dtype), best)
        return best
