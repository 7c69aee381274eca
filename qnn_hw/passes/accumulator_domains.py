# SPDX-License-Identifier: Apache-2.0
"""Count equal bits instead of multiplying: choose what each binary accumulator counts."""

from dataclasses import replace

import numpy as np

from qnn_hw.ir.datatype import BIPOLAR, TERNARY, IntArray
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.affine import Affine
from qnn_hw.ir.ops.classifier import Classifier
from qnn_hw.ir.ops.duplicate import Duplicate
from qnn_hw.ir.ops.flatten import Flatten
from qnn_hw.ir.ops.matvec import Domain, MatVec
from qnn_hw.ir.ops.threshold import Threshold


def accumulator_domains(graph: Graph) -> Graph:
    """Express bipolar products as P (popcount) or, behind zero padding, as D; thresholds and scores follow.

    A = 2P - K = D - K for K columns (see `Domain`), so that A >= T is P >= ceil((T + K) / 2) and D >= T + K.
    Where something else than thresholds and classifiers reads an accumulator, say an add, an affine operator behind the
    matvec restores A.

    Requires: matvec in the DOT domain.
    Ensures: the same outputs; thresholds lie in 0 ... maximum + 1 of the new domain.
    """
    ops: list[Op] = []
    constants = dict(graph.constants)
    shifted: dict[str, tuple[Domain, int]] = {}
    for op in graph.ops:
        domain, columns = shifted.get(op.inputs[0], (Domain.DOT, 0))
        if isinstance(op, MatVec) and op.weight_dtype == BIPOLAR and op.domain == Domain.DOT:
            kind = graph.types[op.inputs[0]].dtype
            new = {BIPOLAR: Domain.POPCOUNT, TERNARY: Domain.MASKED}.get(kind)
            width = constants[op.weights].shape[1]
            if new and not _is_followed(graph, op.outputs[0]):
                ops += _restored(replace(op, domain=new), width)
                continue
            if new:
                op = replace(op, domain=new)
                shifted[op.outputs[0]] = (new, width)
        elif domain != Domain.DOT:
            _follow(op, domain, columns, shifted, constants)
            if isinstance(op, Classifier) and op.ranks:
                op = replace(op, first=0)
        ops.append(op)
    return graph.with_ops(tuple(ops), constants)


def _is_followed(graph: Graph, tensor: str) -> bool:
    """Tell whether `_follow` can adapt all that reads `tensor`, behind flatten and duplicate too."""
    if tensor in graph.outputs:
        return False
    return all(
        all(_is_followed(graph, copy) for copy in op.outputs)
        if isinstance(op, Flatten | Duplicate)
        else isinstance(op, Threshold | Classifier)
        for op in graph.consumers(tensor)
    )


def _restored(op: MatVec, columns: int) -> tuple[Op, Op]:
    counts = (f"{op.outputs[0]}_counts",)
    scale = 2 if op.domain == Domain.POPCOUNT else 1
    dot = Affine(name=f"{op.name}_dot", layer=op.layer, inputs=counts, outputs=op.outputs, scale=scale, offset=-columns)
    return replace(op, outputs=counts), dot


def _follow(
    op: Op, domain: Domain, columns: int, shifted: dict[str, tuple[Domain, int]], constants: dict[str, IntArray]
) -> None:
    match op:
        case Flatten() | Duplicate():
            shifted |= dict.fromkeys(op.outputs, (domain, columns))
        case Threshold():
            constants[op.thresholds] = _thresholds(constants[op.thresholds], domain, columns)
        case Classifier():
            _scores(op, domain, columns, constants)


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
