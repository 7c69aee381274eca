# SPDX-License-Identifier: Apache-2.0
"""`window`: the sliding window of a convolution or pool as a stream of taps (im2col)."""

from dataclasses import dataclass

from qnn_hw.errors import QnnError
from qnn_hw.ir.datatype import BIPOLAR, TERNARY, IntArray
from qnn_hw.ir.geometry import output_size, pad, windows
from qnn_hw.ir.graph import Constants, Op, TensorType, operator


@operator("window")
@dataclass(frozen=True, slots=True, kw_only=True)
class Window(Op):
    """H, W, C -> OH, OW, kh * kw * C, columns in the order (kh, kw, c).

    Zero padding of a bipolar map makes the elements ternary: -1, 0 (padding), +1 in two bits.

    Attributes:
        kernel: height, width.
        strides: vertical, horizontal.
        padding: rows at the top and bottom, columns left and right.
        pad_value: value of padded elements.
        depth: words of the line buffer; 0 until folded.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    padding: tuple[int, ...]
    pad_value: int
    depth: int = 0

    def infer(self, inputs: tuple[TensorType, ...], constants: Constants) -> tuple[TensorType, ...]:
        """Same lanes as the input."""
        (x,) = inputs
        top, bottom, left, right = self.padding
        rows = output_size(x.shape[0], self.kernel[0], self.strides[0], top, bottom)
        columns = output_size(x.shape[1], self.kernel[1], self.strides[1], left, right)
        if x.lanes and x.channels % x.lanes:
            raise QnnError(f"{self.layer}: {x.lanes} channels a beat do not divide {x.channels} channels")
        zero_padded = any(self.padding) and self.pad_value == 0 and x.dtype == BIPOLAR
        dtype = TERNARY if zero_padded else x.dtype
        taps = self.kernel[0] * self.kernel[1] * x.channels
        return (TensorType((rows, columns, taps), dtype, x.lanes),)

    def execute(self, inputs: tuple[IntArray, ...], types: tuple[TensorType, ...], constants: Constants) -> IntArray:
        """Cut the windows out with NumPy."""
        return windows(pad(inputs[0], self.padding, self.pad_value), self.kernel, self.strides)
