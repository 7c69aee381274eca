# SPDX-License-Identifier: Apache-2.0
"""`affine`: the exact integer map of raw input samples, y = scale * x + offset (DESIGN: inputs)."""

from dataclasses import dataclass

from qnn_hw.ir.datatype import IntArray, smallest_dtype
from qnn_hw.ir.graph import Constants, Op, TensorType, operator


@operator("affine")
@dataclass(frozen=True, slots=True, kw_only=True)
class Affine(Op):
    """y = scale * x + offset, element by element; the result type is the smallest that holds every result."""

    scale: int
    offset: int

    def infer(self, inputs: tuple[TensorType, ...], constants: Constants) -> tuple[TensorType, ...]:
        """Same shape and lanes; type from the extremes of the input type."""
        (x,) = inputs
        ends = sorted(self.scale * v + self.offset for v in (x.dtype.minimum, x.dtype.maximum))
        return (TensorType(x.shape, smallest_dtype(ends[0], ends[1]), x.lanes),)

    def execute(self, inputs: tuple[IntArray, ...], types: tuple[TensorType, ...], constants: Constants) -> IntArray:
        """Multiply and add in int64."""
        return self.scale * inputs[0] + self.offset
