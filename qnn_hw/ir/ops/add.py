# SPDX-License-Identifier: Apache-2.0
"""`add`: the sum of two tensors, where two paths of a network meet."""

from dataclasses import dataclass, replace

from qnn_hw.errors import QnnError
from qnn_hw.ir.datatype import IntArray, smallest_dtype
from qnn_hw.ir.graph import Constants, Op, TensorType, operator


@operator("add")
@dataclass(frozen=True, slots=True, kw_only=True)
class Add(Op):
    """y = a + b, element by element and exactly.

    Values are added, not codes: a bipolar element counts as -1 or +1. The inputs may be of different types; the result
    is of the smallest integer type (never bipolar) that holds every sum of a value of one and a value of the other:
    u2 + u2 is u3, b1 + b1 is i3, b1 + u2 is i4.
    """

    def infer(self, inputs: tuple[TensorType, ...], constants: Constants) -> tuple[TensorType, ...]:
        """Same shape and lanes; type from the extremes of the input types."""
        if len(inputs) != 2:
            raise QnnError(f"{self.layer}: {self.name} adds 2 tensors, found {len(inputs)}")
        a, b = inputs
        if a.shape != b.shape:
            raise QnnError(f"{self.layer}: {self.name} adds shapes {a.shape} and {b.shape}; they have to be equal")
        if a.lanes != b.lanes:
            raise QnnError(
                f"{self.layer}: the inputs of {self.name} arrive {a.lanes} and {b.lanes} elements a beat; "
                "they have to arrive alike"
            )
        if a.dtype.fraction_bits != b.dtype.fraction_bits:
            raise QnnError(
                f"{self.layer}: {self.name} adds {a.dtype} and {b.dtype}; the fraction bits have to be equal"
            )
        total = smallest_dtype(a.dtype.minimum + b.dtype.minimum, a.dtype.maximum + b.dtype.maximum)
        return (replace(a, dtype=replace(total, fraction_bits=a.dtype.fraction_bits)),)

    def execute(self, inputs: tuple[IntArray, ...], types: tuple[TensorType, ...], constants: Constants) -> IntArray:
        """Add in int64."""
        return inputs[0] + inputs[1]
