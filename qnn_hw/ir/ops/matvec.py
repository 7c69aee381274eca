# SPDX-License-Identifier: Apache-2.0
"""`matvec`: matrix times vector at every pixel; dense layers, and convolutions after `window`."""

from dataclasses import dataclass
from enum import StrEnum

from qnn_hw.errors import QnnError
from qnn_hw.ir.datatype import BIPOLAR, TERNARY, DataType, IntArray, smallest_dtype
from qnn_hw.ir.graph import Constants, ConstRef, Op, TensorType, operator


class Domain(StrEnum):
    """What the accumulator counts.

    DOT: the signed dot product A.
    POPCOUNT: P = number of equal bits of two bipolar vectors of length K; A = 2P - K.
    MASKED: D = 2 * (equal bits among valid lanes) + invalid lanes, for a zero-padded bipolar map; A = D - K.
    """

    DOT = "dot"
    POPCOUNT = "popcount"
    MASKED = "masked"


def dot_extremes(x: DataType, w: DataType, length: int) -> tuple[int, int]:
    """Return the least and greatest dot product of `length` terms, from the types alone (never from the weights)."""
    products = [a * b for a in (x.minimum, x.maximum) for b in (w.minimum, w.maximum)]
    return length * min(0, *products), length * max(0, *products)


def dot_dtype(x: DataType, w: DataType, length: int) -> DataType:
    """Return the type that holds every dot product of `length` terms."""
    return smallest_dtype(*dot_extremes(x, w, length))


@operator("matvec")
@dataclass(frozen=True, slots=True, kw_only=True)
class MatVec(Op):
    """y[..., m] = sum over k of w[m, k] * x[..., k], expressed in `domain`.

    Attributes:
        weights: (rows, columns) values of `weight_dtype`.
        pe: rows computed in parallel; 0 until folded.
        simd: columns computed in parallel; 0 until folded.
        weight_memory: "auto", "lut", "lutram" or "bram".
    """

    weights: ConstRef
    weight_dtype: DataType
    domain: Domain = Domain.DOT
    pe: int = 0
    simd: int = 0
    weight_memory: str = "auto"

    def infer(self, inputs: tuple[TensorType, ...], constants: Constants) -> tuple[TensorType, ...]:
        """..., columns -> ..., rows; folded, the input arrives SIMD elements a beat and the output leaves PE a beat."""
        (x,) = inputs
        rows, columns = constants[self.weights].shape
        if x.channels != columns:
            raise QnnError(f"{self.layer}: kernel for {columns} inputs on a tensor of shape {x.shape}")
        self.weight_dtype.check(constants[self.weights])
        if self.pe and (rows % self.pe or columns % self.simd):
            raise QnnError(f"{self.layer}: PE={self.pe}, SIMD={self.simd} do not divide {rows} x {columns}")
        if self.simd and x.lanes != self.simd:
            raise QnnError(f"{self.layer}: input arrives {x.lanes} elements a beat, SIMD={self.simd}")
        return (TensorType((*x.shape[:-1], rows), self._accumulator(x.dtype, columns), self.pe),)

    def _accumulator(self, x: DataType, columns: int) -> DataType:
        fits = {Domain.DOT: True, Domain.POPCOUNT: x == BIPOLAR, Domain.MASKED: x == TERNARY}[self.domain]
        if not fits or (self.domain != Domain.DOT and self.weight_dtype != BIPOLAR):
            raise QnnError(f"{self.layer}: {self.domain} cannot count {x} inputs with {self.weight_dtype} weights")
        return smallest_dtype(*self.extremes(x, columns))

    def extremes(self, x: DataType, columns: int) -> tuple[int, int]:
        """Return the least and greatest accumulator for inputs of type `x`, whatever the weights."""
        match self.domain:
            case Domain.DOT:
                return dot_extremes(x, self.weight_dtype, columns)
            case Domain.POPCOUNT:
                return 0, columns
            case Domain.MASKED:
                return 0, 2 * columns

    def execute(self, inputs: tuple[IntArray, ...], types: tuple[TensorType, ...], constants: Constants) -> IntArray:
        """Int64 product, then the change of domain."""
        dot = inputs[0] @ constants[self.weights].T
        columns = constants[self.weights].shape[1]
        match self.domain:
            case Domain.DOT:
                return dot
            case Domain.POPCOUNT:
                return (dot + columns) // 2
            case Domain.MASKED:
                return dot + columns

    def cycles(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...], constants: Constants) -> int:
        """Pixels * ceil(columns / SIMD) * ceil(rows / PE): exact, one weight tile a cycle (FINN, equation for MVAU)."""
        rows, columns = constants[self.weights].shape
        return inputs[0].pixels * (rows // self.pe) * (columns // self.simd)
