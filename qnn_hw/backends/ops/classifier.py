# SPDX-License-Identifier: Apache-2.0
"""`classifier` is `qnn_classifier`."""

import numpy as np

from qnn_hw.backends.instance import Instance, describes
from qnn_hw.ir.datatype import DataType, IntArray, smallest_dtype
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.classifier import Classifier
from qnn_hw.ir.packing import beats_to_hex, to_bits, words_to_hex

WIDTH_STEP = 8
"""Slope widths are rounded up to this, so that retraining seldom changes the hardware's parameters."""


@describes(Classifier)
def classifier(op: Op, graph: Graph) -> Instance:
    """Slopes and biases, or ranks, become the table of scores."""
    assert isinstance(op, Classifier)
    x = graph.types[op.inputs[0]]
    file = f"{op.name}.mem"
    shape: dict[str, int | str] = {
        "PE": op.pe,
        "Classes": x.elements,
        "InWidth": x.dtype.bits,
        "InSigned": int(x.dtype.signed),
    }
    if op.ranks:
        ranks = graph.constants[op.ranks]
        # A table of n entries needs ranks below n; more where accumulators without a column had ranks of their own.
        width = max(1, int(max(ranks.size - 1, ranks.max())).bit_length())
        return Instance(
            "qnn_classifier",
            {**shape, "ScoreKind": 1, "ScoreWidth": width, "SlopeWidth": 1, "InitFile": file},
            lambda: {file: _rank_words(ranks, op.first, x.dtype, width)},
        )
    slopes, biases = graph.constants[op.slopes], graph.constants[op.biases]
    slope_width = _signed_width(slopes)
    score_width = max(slope_width + x.dtype.bits + 1, _signed_width(biases) + 1)

    def tables() -> dict[str, list[str]]:
        rows = np.concatenate([to_bits(slopes[:, None], slope_width), to_bits(biases[:, None], score_width)], axis=1)
        return {file: words_to_hex(rows.reshape(x.elements // op.pe, -1))}

    return Instance(
        "qnn_classifier",
        {**shape, "ScoreKind": 0, "ScoreWidth": score_width, "SlopeWidth": slope_width, "InitFile": file},
        tables,
    )


def _signed_width(values: IntArray) -> int:
    bits = smallest_dtype(min(-1, int(values.min())), int(values.max())).bits
    return -(-bits // WIDTH_STEP) * WIDTH_STEP


def _rank_words(ranks: IntArray, first: int, dtype: DataType, width: int) -> list[str]:
    """Entries of class c lie at c * 2**bits + code of the accumulator; values no input reaches read rank 0."""
    table = np.zeros((len(ranks), 1 << dtype.bits), np.int64)
    values = np.arange(first, first + ranks.shape[1])
    table[:, values % (1 << dtype.bits)] = ranks
    return beats_to_hex(table.reshape(-1, 1), width)
