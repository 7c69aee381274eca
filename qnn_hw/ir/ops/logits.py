# SPDX-License-Identifier: Apache-2.0
"""`logits`: the last accumulators delivered as 32-bit words."""

from dataclasses import dataclass

from qnn_hw.ir.datatype import DataType, IntArray
from qnn_hw.ir.graph import Constants, Op, TensorType, operator


@operator("logits")
@dataclass(frozen=True, slots=True, kw_only=True)
class Logits(Op):
    """Sign- or zero-extension of every code to int32.

    Attributes:
        pe: accumulators extended in parallel; 0 until folded.
    """

    pe: int = 0

    def infer(self, inputs: tuple[TensorType, ...], constants: Constants) -> tuple[TensorType, ...]:
        """One axis of int32."""
        return (TensorType((inputs[0].elements,), DataType(32, signed=True), self.pe),)

    def execute(self, inputs: tuple[IntArray, ...], types: tuple[TensorType, ...], constants: Constants) -> IntArray:
        """The codes (a bipolar element gives 0 or 1)."""
        return types[0].dtype.codes(inputs[0]).reshape(len(inputs[0]), -1)
