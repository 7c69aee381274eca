# SPDX-License-Identifier: Apache-2.0
"""`width_converter`: the same elements in wider or narrower beats."""

from dataclasses import dataclass, replace

from qnn_hw.errors import QnnError
from qnn_hw.ir.datatype import IntArray
from qnn_hw.ir.graph import Constants, Op, TensorType, operator


@operator("width_converter")
@dataclass(frozen=True, slots=True, kw_only=True)
class WidthConverter(Op):
    """Change the elements a beat by an integer ratio, up or down.

    Attributes:
        lanes: elements a beat afterwards.
    """

    lanes: int

    def infer(self, inputs: tuple[TensorType, ...], constants: Constants) -> tuple[TensorType, ...]:
        """Same shape and type, other lanes."""
        (x,) = inputs
        if max(x.lanes, self.lanes) % min(x.lanes, self.lanes) or x.elements % self.lanes:
            raise QnnError(f"{self.layer}: no integer ratio between {x.lanes} and {self.lanes} elements a beat")
        return (replace(x, lanes=self.lanes),)

    def execute(self, inputs: tuple[IntArray, ...], types: tuple[TensorType, ...], constants: Constants) -> IntArray:
        """Identity."""
        return inputs[0]
