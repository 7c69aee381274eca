# SPDX-License-Identifier: Apache-2.0
"""Make every channel rise by negating the weights of those that fall."""

from dataclasses import replace

import numpy as np

from qnn_hw.ir.datatype import DataType, IntArray
from qnn_hw.ir.graph import ConstRef, Graph
from qnn_hw.ir.ops.conv2d import Conv2D
from qnn_hw.ir.ops.matvec import Domain, MatVec
from qnn_hw.ir.ops.threshold import Threshold


def rising_thresholds(graph: Graph) -> Graph:
    """Absorb `Threshold.falling` into the convolution or dense layer in front of it.

    With weights w' = -w the accumulator is A' = -A, and #{A < T} = #{A' >= 1 - T}: the falling channel rises in A'.

    Requires: accumulators that are dot products. Ensures: no threshold behind a conv2d or matvec falls; outputs are
    unchanged. A channel whose weights cannot be negated in their type, or whose accumulator something else reads too,
    keeps falling.
    """
    ops, constants = list(graph.ops), dict(graph.constants)
    for i, op in enumerate(graph.ops):
        source = graph.producer(op.inputs[0])
        if not (isinstance(op, Threshold) and op.falling and isinstance(source, Conv2D | MatVec)):
            continue
        if not graph.read_once(op.inputs[0]):
            continue
        if isinstance(source, MatVec) and source.domain != Domain.DOT:
            continue
        falling = constants[op.falling] != 0
        if not _can_negate(constants[source.weights][falling], source.weight_dtype):
            continue
        constants[source.weights] = _negate_rows(constants[source.weights], falling)
        accumulator = graph.types[op.inputs[0]].dtype
        constants[op.thresholds] = _mirror(constants[op.thresholds], falling, accumulator)
        ops[i] = replace(op, falling=ConstRef(""))
    return graph.with_ops(tuple(ops), constants)


def _can_negate(weights: IntArray, dtype: DataType) -> bool:
    return weights.size == 0 or bool(-weights.min() <= dtype.maximum and -weights.max() >= dtype.minimum)


def _negate_rows(weights: IntArray, rows: np.ndarray) -> IntArray:
    result = weights.copy()
    result[rows] *= -1
    return result


def _mirror(table: IntArray, falling: np.ndarray, accumulator: DataType) -> IntArray:
    """1 - T in ascending order for falling rows; "always" and "never" change places."""
    rows = np.broadcast_to(table, (len(falling), table.shape[1])).copy()
    low, never = accumulator.minimum, accumulator.maximum + 1
    old = rows[falling]
    mirrored = np.where(old <= low, never, np.where(old >= never, low, 1 - old))
    rows[falling] = np.clip(mirrored, low, never)[:, ::-1]
    return rows
