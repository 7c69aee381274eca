# SPDX-License-Identifier: Apache-2.0
"""`pool`: the maximum over the positions of a window stream."""

from dataclasses import dataclass

import numpy as np

from qnn_hw.errors import QnnError
from qnn_hw.ir.datatype import IntArray
from qnn_hw.ir.graph import Constants, ConstRef, Op, TensorType, operator
from qnn_hw.ir.ops.max_pool import complement


@operator("pool")
@dataclass(frozen=True, slots=True, kw_only=True)
class Pool(Op):
    """OH, OW, positions * C -> OH, OW, C: maximum per channel, then flipped where `complement` says so.

    Attributes:
        positions: taps a window.
        complement: (channels,) of 0 or 1, "" for none; see `max_pool`.
        pe: channels handled in parallel; 0 until folded.
    """

    positions: int
    complement: ConstRef = ConstRef("")
    pe: int = 0

    def infer(self, inputs: tuple[TensorType, ...], constants: Constants) -> tuple[TensorType, ...]:
        """Channels = columns / positions."""
        (x,) = inputs
        channels = x.channels // self.positions
        if self.pe and (x.lanes != self.pe or channels % self.pe):
            raise QnnError(f"{self.layer}: PE={self.pe} against {channels} channels arriving {x.lanes} a beat")
        return (TensorType((*x.shape[:-1], channels), x.dtype, self.pe),)

    def execute(self, inputs: tuple[IntArray, ...], types: tuple[TensorType, ...], constants: Constants) -> IntArray:
        """Maximum over the positions axis."""
        (x,) = inputs
        best = x.reshape(*x.shape[:-1], self.positions, -1).max(axis=-2)
        if self.complement:
            best = np.where(constants[self.complement] != 0, complement(best, types[0].dtype), best)
        return best
