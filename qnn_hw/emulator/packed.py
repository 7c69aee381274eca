# SPDX-License-Identifier: Apache-2.0
"""The fast executor: bipolar vectors packed 64 to a word, XNOR and popcount; everything else as in the reference.

The tensors it returns hold the same values as the reference's, element for element.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from qnn_hw.emulator.reference import reference_kernel, run
from qnn_hw.ir.datatype import BIPOLAR, TERNARY, IntArray
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.matvec import Domain, MatVec
from qnn_hw.ir.ops.threshold import Threshold

Words = npt.NDArray[np.uint64]

BLOCK_BYTES = 1 << 22
"""Working set of one block of vectors: small enough to stay in the second-level cache."""


def execute_packed(graph: Graph, x: IntArray, batch: int = 64) -> IntArray:
    """Run `graph` on a batch and return its one output.

    Args:
        graph: a graph with one input and one output.
        x: (N, *input shape), integer values.
        batch: frames computed together; bounds the memory.

    Returns:
        (N, *output shape) int64 values.

    Raises:
        QnnError: if `x` has another shape or values outside the input type.
    """
    parts = [run(graph, x[i : i + batch], _kernel)[graph.outputs[0]] for i in range(0, max(len(x), 1), batch)]
    return np.concatenate(parts)


def _kernel(op: Op, graph: Graph, x: IntArray) -> IntArray:
    fast = _FAST.get(type(op))
    result = fast(op, graph, x) if fast else None
    return reference_kernel(op, graph, x) if result is None else result


def pack(bits: npt.NDArray[np.bool_]) -> Words:
    """Pack the last axis, 64 bits to a word; missing bits are 0: (..., K) -> (..., ceil(K / 64))."""
    octets = np.packbits(bits, axis=-1, bitorder="little")
    missing = -octets.shape[-1] % 8
    if missing:
        octets = np.pad(octets, [(0, 0)] * (octets.ndim - 1) + [(0, missing)])
    return np.ascontiguousarray(octets).view(np.uint64)


def _matvec(op: Op, graph: Graph, x: IntArray) -> IntArray | None:
    assert isinstance(op, MatVec)
    kind = graph.types[op.inputs[0]].dtype
    if op.weight_dtype != BIPOLAR:
        return None
    weights = graph.constants[op.weights]
    columns = weights.shape[1]
    vectors = x.reshape(-1, columns)
    if kind == BIPOLAR:
        matches = _matches(pack(vectors > 0), pack(weights > 0), columns)
        counts = matches if op.domain == Domain.POPCOUNT else 2 * matches - columns
    elif kind == TERNARY:
        valid = vectors != 0
        matches = _matches(pack(vectors > 0), pack(weights > 0), columns, pack(valid))
        invalid = columns - valid.sum(axis=1, keepdims=True)
        counts = 2 * matches + invalid - (0 if op.domain == Domain.MASKED else columns)
    else:
        counts = _float_dot(vectors, weights)
    return counts.reshape(*x.shape[:-1], len(weights))


def _matches(x: Words, w: Words, columns: int, valid: Words | None = None) -> IntArray:
    """Count equal bits: (V, words), (rows, words) -> (V, rows); with `valid`, among the valid lanes only."""
    counts = np.empty((len(x), len(w)), np.int64)
    step = max(1, BLOCK_BYTES // (8 * max(1, len(w))))
    for start in range(0, len(x), step):
        block = slice(start, start + step)
        total = np.zeros((len(x[block]), len(w)), np.uint16 if columns < 1 << 16 else np.uint32)
        for word in range(x.shape[1]):
            differ = x[block, word, None] ^ w[None, :, word]
            if valid is not None:
                differ &= valid[block, word, None]
            total += np.bitwise_count(differ)
        lanes = columns if valid is None else np.bitwise_count(valid[block]).sum(axis=1, dtype=np.int64)[:, None]
        counts[block] = lanes - total.astype(np.int64)
    return counts


def _float_dot(x: IntArray, w: IntArray) -> IntArray:
    """Dot products through BLAS, exact because every partial sum is an integer below 2**53."""
    return np.rint(x.astype(np.float64) @ w.T.astype(np.float64)).astype(np.int64)


def _threshold(op: Op, graph: Graph, x: IntArray) -> IntArray | None:
    """One comparison a step on the narrowest type, as the reference does on int64."""
    assert isinstance(op, Threshold)
    table = graph.constants[op.thresholds]
    if table.shape[1] != 1 or not op.dtype.bipolar:
        return None
    reached = x >= table[:, 0]
    if op.falling:
        reached ^= graph.constants[op.falling] != 0
    return np.where(reached, np.int64(1), np.int64(-1))


_FAST: dict[type[Op], Callable[[Op, Graph, IntArray], IntArray | None]] = {MatVec: _matvec, Threshold: _threshold}
