# SPDX-License-Identifier: Apache-2.0
"""`fifo`: a queue between two stages; changes nothing but timing."""

from dataclasses import dataclass

from qnn_hw.ir.datatype import IntArray
from qnn_hw.ir.graph import Constants, Op, TensorType, operator


@operator("fifo")
@dataclass(frozen=True, slots=True, kw_only=True)
class Fifo(Op):
    """First in, first out.

    Attributes:
        depth: beats it holds, at least 2.
    """

    depth: int

    def infer(self, inputs: tuple[TensorType, ...], constants: Constants) -> tuple[TensorType, ...]:
        """Same type."""
        return inputs

    def execute(self, inputs: tuple[IntArray, ...], types: tuple[TensorType, ...], constants: Constants) -> IntArray:
        """Identity."""
        return inputs[0]
