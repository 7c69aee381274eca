# SPDX-License-Identifier: Apache-2.0
"""The fast executor: bipolar vectors packed 64 to a word, XNOR and popcount; everything else as in the reference.

A window on a bipolar map is never unrolled element by element: pixels are packed first, windows are cut from bytes.
The result holds the same values as the reference's, element for element.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from qnn_hw.emulator.reference import check_input, reference_kernel
from qnn_hw.ir.datatype import BIPOLAR, TERNARY, IntArray
from qnn_hw.ir.geometry import windows
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.matvec import Domain, MatVec
from qnn_hw.ir.ops.threshold import Threshold
from qnn_hw.ir.ops.window import Window

Words = npt.NDArray[np.uint64]
Bytes = npt.NDArray[np.uint8]

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
    check_input(graph, x)
    if len(x) == 0:
        return np.empty((0, *graph.types[graph.outputs[0]].shape), np.int64)
    return np.concatenate([_run(graph, x[i : i + batch]) for i in range(0, len(x), batch)])


def _run(graph: Graph, x: IntArray) -> IntArray:
    tensors = {next(iter(graph.inputs)): x}
    fused = {op.outputs[0]: op for op in graph.ops if isinstance(op, Window) and _feeds_binary_matvec(op, graph)}
    for op in graph.ops:
        if op.outputs[0] in fused:
            continue
        source = fused.get(op.inputs[0])
        if source is not None and isinstance(op, MatVec):
            result = _convolve(source, op, graph, tensors[source.inputs[0]])
        else:
            result = _kernel(op, graph, tuple(tensors[name] for name in op.inputs))
        tensors |= dict.fromkeys(op.outputs, result)
    return tensors[graph.outputs[0]]


def _feeds_binary_matvec(window: Window, graph: Graph) -> bool:
    readers = graph.consumers(window.outputs[0])
    return graph.types[window.inputs[0]].dtype == BIPOLAR and all(
        isinstance(op, MatVec) and op.weight_dtype == BIPOLAR for op in readers
    )


def _convolve(window: Window, op: MatVec, graph: Graph, x: IntArray) -> IntArray:
    """Window and matvec at once on pixels packed to bytes: (N, H, W, C) -> (N, OH, OW, rows) accumulators.

    Bits that fill a pixel's last byte are 0 in maps and weights alike and never differ.
    """
    channels, taps = x.shape[3], window.kernel[0] * window.kernel[1]
    weights = graph.constants[op.weights]
    columns = weights.shape[1]
    pixels = np.packbits(x > 0, axis=3, bitorder="little")
    padding_byte = np.packbits(np.full(channels, window.pad_value > 0), bitorder="little")
    vectors = _words(_byte_windows(pixels, window, padding_byte))
    rows = _words(
        np.packbits(weights.reshape(-1, taps, channels) > 0, axis=2, bitorder="little").reshape(len(weights), -1)
    )
    valid = None
    if graph.types[window.outputs[0]].dtype == TERNARY:
        inside = np.packbits(np.ones((1, *x.shape[1:]), np.bool_), axis=3, bitorder="little")
        valid = _words(_byte_windows(inside, window, np.zeros_like(padding_byte)))
        valid = np.broadcast_to(valid, (len(x), *valid.shape[1:])).reshape(-1, valid.shape[-1])
    matches = _matches(vectors.reshape(-1, vectors.shape[-1]), rows, columns, valid)
    shape = (*vectors.shape[:-1], len(weights))
    return _in_domain(op.domain, matches, columns, valid).reshape(shape)


def _byte_windows(pixels: Bytes, window: Window, padding_byte: Bytes) -> Bytes:
    """Cut windows out of packed pixels: (N, H, W, bytes) -> (N, OH, OW, kh * kw * bytes)."""
    top, bottom, left, right = window.padding
    n, height, width, octets = pixels.shape
    padded = np.empty((n, height + top + bottom, width + left + right, octets), np.uint8)
    padded[:] = padding_byte
    padded[:, top : top + height, left : left + width] = pixels
    return windows(padded, window.kernel, window.strides)


def _in_domain(domain: Domain, matches: IntArray, columns: int, valid: Words | None) -> IntArray:
    """Turn matches (V, rows), among the valid lanes where there are invalid ones, into accumulators of `domain`."""
    if valid is None:
        return matches if domain == Domain.POPCOUNT else 2 * matches - columns
    invalid = columns - np.bitwise_count(valid).sum(axis=1, dtype=np.int64)[:, None]
    return 2 * matches + invalid - (0 if domain == Domain.MASKED else columns)


def _kernel(op: Op, graph: Graph, inputs: tuple[IntArray, ...]) -> IntArray:
    fast = _FAST.get(type(op))
    result = fast(op, graph, inputs[0]) if fast else None
    return reference_kernel(op, graph, inputs) if result is None else result


def pack(bits: npt.NDArray[np.bool_]) -> Words:
    """Pack the last axis, 64 bits to a word; missing bits are 0: (..., K) -> (..., ceil(K / 64))."""
    return _words(np.packbits(bits, axis=-1, bitorder="little"))


def _words(octets: Bytes) -> Words:
    """See the last axis as 64-bit words, filled up with zeros: (..., bytes) -> (..., ceil(bytes / 8))."""
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
    if kind in (BIPOLAR, TERNARY):
        valid = pack(vectors != 0) if kind == TERNARY else None
        matches = _matches(pack(vectors > 0), pack(weights > 0), columns, valid)
        counts = _in_domain(op.domain, matches, columns, valid)
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
