# SPDX-License-Identifier: Apache-2.0
"""Count equal bits instead of multiplying: choose what each binary accumulator counts."""

from dataclasses import replace

import numpy as np

from qnn_hw.errors import QnnError
from qnn_hw.ir.datatype import BIPOLAR, TERNARY, IntArray
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.classifier import Classifier
from qnn_hw.ir.ops.flatten import Flatten
from qnn_hw.ir.ops.matvec import Domain, MatVec
from qnn_hw.ir.ops.threshold import Threshold


def accumulator_domains(graph: Graph) -> Graph:
    """Express bipolar products as P (popcount) or, behind zero padding, as D; thresholds and scores follow.

    A = 2P - K = D - K for K columns (see `Domain`), so that A >= T is P >= ceil((T + K) / 2) and D >= T + K.

    Requires: matvec in the DOT domain; readers of its accumulators are thresholds and classifiers, flatten between.
    Ensures: the same outputs; thresholds lie in 0 ... maximum + 1 of the new domain.
    """
    ops, constants = list(graph.ops), dict(graph.constants)
    shifted: dict[str, tuple[Domain, int]] = {}
    for i, op in enumerate(graph.ops):
        domain, columns = shifted.get(op.inputs[0], (Domain.DOT, 0))
        if isinstance(op, MatVec) and op.weight_dtype == BIPOLAR and op.domain == Domain.DOT:
            kind = graph.types[op.inputs[0]].dtype
            new = {BIPOLAR: Domain.POPCOUNT, TERNARY: Domain.MASKED}.get(kind)
            if new:
                ops[i] = replace(op, domain=new)
                shifted[op.outputs[0]] = (new, constants[op.weights].shape[1])
        elif domain != Domain.DOT:
            _follow(op, domain, columns, shifted, constants)
            if isinstance(op, Classifier) and op.ranks:
                ops[i] = replace(op, first=0)
    return graph.with_ops(tuple(ops), constants)


def _follow(
    op: Op, domain: Domain, columns: int, shifted: dict[str, tuple[Domain, int]], constants: dict[str, IntArray]
) -> None:
    match op:
        case Flatten():
            shifted[op.outputs[0]] = (domain, columns)
        case Threshold():
            constants[op.thresholds] = _thresholds(constants[op.thresholds], domain, columns)
        case Classifier():
            _scores(op, domain, columns, constants)
        case _:
            raise QnnError(f"{op.layer}: {op.keyword} cannot follow a binary layer without a quantizer between them")


def _thresholds(table: IntArray, domain: Domain, columns: int) -> IntArray:
    if domain == Domain.POPCOUNT:
        return np.clip((table + columns + 1) // 2, 0, columns + 1)
    return np.clip(table + columns, 0, 2 * columns + 1)


def _scores(op: Classifier, domain: Domain, columns: int, constants: dict[str, IntArray]) -> None:
    step = 2 if domain == Domain.POPCOUNT else 1
    if op.ranks:
        values = np.arange(columns + 1 if step == 2 else 2 * columns + 1) * step - columns
        constants[op.ranks] = _columns(constants[op.ranks], values - op.first)
        return
    constants[op.biases] = constants[op.biases] - constants[op.slopes] * columns
    constants[op.slopes] = constants[op.slopes] * step


def _columns(table: IntArray, index: IntArray) -> IntArray:
    """Columns of `table`; values no input reaches lie outside it and take its border."""
    return table[:, np.clip(index, 0, table.shape[1] - 1)]
