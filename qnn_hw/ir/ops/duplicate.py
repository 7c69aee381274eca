# SPDX-License-Identifier: Apache-2.0
"""`duplicate`: one stream for several readers."""

from dataclasses import dataclass

from qnn_hw.errors import QnnError
from qnn_hw.ir.datatype import IntArray
from qnn_hw.ir.graph import Constants, Op, TensorType, operator


@operator("duplicate")
@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate(Op):
    """Every output carries the input, beat by beat; a stream has one reader, so a tensor with more needs this."""

    def infer(self, inputs: tuple[TensorType, ...], constants: Constants) -> tuple[TensorType, ...]:
        """The type of the input, once an output."""
        if len(inputs) != 1 or len(self.outputs) < 2:
            raise QnnError(
                f"{self.layer}: {self.name} has {len(inputs)} inputs and {len(self.outputs)} outputs; duplicate takes "
                "one input and delivers at least 2 outputs"
            )
        return inputs * len(self.outputs)

    def execute(self, inputs: tuple[IntArray, ...], types: tuple[TensorType, ...], constants: Constants) -> IntArray:
        """Identity, for each output."""
        return inputs[0]
