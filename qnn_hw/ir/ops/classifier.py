# SPDX-License-Identifier: Apache-2.0
"""`classifier`: from the last accumulators to a class index, exactly as the float model decides."""

from dataclasses import dataclass

import numpy as np

from qnn_hw.errors import QnnError
from qnn_hw.ir.datatype import DataType, IntArray
from qnn_hw.ir.graph import Constants, ConstRef, Op, TensorType, operator

CLASS_INDEX = DataType(32)


@operator("classifier")
@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier(Op):
    """Index of the greatest score; the lowest index wins a tie.

    The score of class c at accumulator x is slopes[c] * x + biases[c], or ranks[c, x - first] where a rank table is
    given. Scores order pairs (class, accumulator) as the trained model's float32 outputs do, equal floats equally.

    Attributes:
        slopes, biases: (classes,); "" with a rank table.
        ranks: (classes, values); "" with an affine score.
        first: accumulator value of column 0 of `ranks`.
        pe: classes compared in parallel; 0 until folded.
    """

    slopes: ConstRef = ConstRef("")
    biases: ConstRef = ConstRef("")
    ranks: ConstRef = ConstRef("")
    first: int = 0
    pe: int = 0

    def infer(self, inputs: tuple[TensorType, ...], constants: Constants) -> tuple[TensorType, ...]:
        """classes -> one index."""
        (x,) = inputs
        if x.pixels != 1:
            raise QnnError(f"{self.layer}: the classifier needs one score a class, found a map of shape {x.shape}")
        if bool(self.ranks) == bool(self.slopes):
            raise QnnError(f"{self.layer}: the classifier needs either slopes and biases or a rank table")
        rows = constants[self.ranks or self.slopes].shape[0]
        if rows != x.elements:
            raise QnnError(f"{self.layer}: scores for {rows} classes on {x.elements} accumulators")
        return (TensorType((1,), CLASS_INDEX, 1 if self.pe else 0),)

    def scores(self, x: IntArray, constants: Constants) -> IntArray:
        """Return the integer score of every class: (N, classes) -> (N, classes)."""
        if self.ranks:
            table = constants[self.ranks]
            return table[np.arange(table.shape[0]), x - self.first]
        return constants[self.slopes] * x + constants[self.biases]

    def execute(self, inputs: tuple[IntArray, ...], types: tuple[TensorType, ...], constants: Constants) -> IntArray:
        """First index of the greatest score."""
        (x,) = inputs
        return np.argmax(self.scores(x.reshape(len(x), -1), constants), axis=1)[:, None]
