# SPDX-License-Identifier: Apache-2.0
"""`threshold`: from an accumulator to a code, by counting thresholds reached."""

from dataclasses import dataclass

import numpy as np

from qnn_hw.errors import QnnError
from qnn_hw.ir.datatype import DataType, IntArray
from qnn_hw.ir.graph import Constants, ConstRef, Op, TensorType, operator


@operator("threshold")
@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold(Op):
    """code[c] = base + #{i : x >= T[c, i]}, and for a falling channel base + steps - #{i : x >= T[c, i]}.

    Attributes:
        thresholds: (channels, steps), ascending in i; each in minimum ... maximum + 1 of the input type
            (minimum: always reached, maximum + 1: never). One row serves every channel.
        falling: (channels,) of 0 or 1; "" where every channel rises.
        dtype: type of the codes; `steps` = number of its codes - 1 unless some are never used.
        base: the code where no threshold is reached (bipolar: code 0 means -1).
        pe: channels compared in parallel; 0 until folded.
    """

    thresholds: ConstRef
    falling: ConstRef = ConstRef("")
    dtype: DataType
    base: int
    pe: int = 0

    def infer(self, inputs: tuple[TensorType, ...], constants: Constants) -> tuple[TensorType, ...]:
        """Same shape, type `dtype`."""
        (x,) = inputs
        rows, steps = constants[self.thresholds].shape
        if rows not in (1, x.channels):
            raise QnnError(f"{self.layer}: thresholds for {rows} channels on a tensor of shape {x.shape}")
        low, high = self._codes()
        if not low <= self.base <= self.base + steps <= high:
            raise QnnError(f"{self.layer}: codes {self.base}..{self.base + steps} do not fit {self.dtype}")
        table = constants[self.thresholds]
        if table.size and not x.dtype.minimum <= table.min() <= table.max() <= x.dtype.maximum + 1:
            raise QnnError(f"{self.layer}: thresholds {table.min()}..{table.max()} lie outside the domain of {x.dtype}")
        if (np.diff(table, axis=1) < 0).any():
            raise QnnError(f"{self.layer}: thresholds of a channel do not ascend")
        if self.pe and (x.lanes != self.pe or x.channels % self.pe):
            raise QnnError(f"{self.layer}: PE={self.pe} against {x.channels} channels arriving {x.lanes} a beat")
        return (TensorType(x.shape, self.dtype, self.pe),)

    def _codes(self) -> tuple[int, int]:
        return (0, 1) if self.dtype.bipolar else (self.dtype.minimum, self.dtype.maximum)

    def execute(self, inputs: tuple[IntArray, ...], types: tuple[TensorType, ...], constants: Constants) -> IntArray:
        """Count, channel by channel."""
        (x,) = inputs
        table = constants[self.thresholds]
        count = np.zeros_like(x)
        for step in range(table.shape[1]):
            count += x >= table[:, step]
        if self.falling:
            count = np.where(constants[self.falling] != 0, table.shape[1] - count, count)
        return self.dtype.values(count + self.base)
