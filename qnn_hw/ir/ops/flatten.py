# SPDX-License-Identifier: Apache-2.0
"""`flatten`: H, W, C seen as one axis; on a stream it changes nothing."""

from dataclasses import dataclass

from qnn_hw.ir.datatype import IntArray
from qnn_hw.ir.graph import Constants, Op, TensorType, operator


@operator("flatten")
@dataclass(frozen=True, slots=True, kw_only=True)
class Flatten(Op):
    """Reshape to one axis in the order H, W, C."""

    def infer(self, inputs: tuple[TensorType, ...], constants: Constants) -> tuple[TensorType, ...]:
        """All elements in one axis."""
        (x,) = inputs
        return (TensorType((x.elements,), x.dtype, x.lanes),)

    def execute(self, inputs: tuple[IntArray, ...], types: tuple[TensorType, ...], constants: Constants) -> IntArray:
        """Reshape."""
        return inputs[0].reshape(len(inputs[0]), types[0].elements)
