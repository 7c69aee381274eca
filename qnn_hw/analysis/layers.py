# SPDX-License-Identifier: Apache-2.0
"""The table of `summary`: a row a layer that computes."""

from dataclasses import dataclass

from qnn_hw.ir.graph import Graph
from qnn_hw.ir.ops.matvec import MatVec
from qnn_hw.ir.ops.pool import Pool
from qnn_hw.ir.ops.threshold import Threshold


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One layer of a folded graph.

    Attributes:
        layer: name in the Keras model.
        kind: "dense", "conv" or "pool".
        output: shape of a frame.
        input_dtype, weight_dtype, accumulator_dtype, output_dtype: text forms; "" where there is none.
        macs: multiply-accumulates a frame.
        weight_bits: bits of the weight memory.
        pe, simd: folding.
        cycles: cycles a frame of its slowest stage.
    """

    layer: str
    kind: str
    output: tuple[int, ...]
    input_dtype: str
    weight_dtype: str
    accumulator_dtype: str
    output_dtype: str
    macs: int
    weight_bits: int
    pe: int
    simd: int
    cycles: int


def layer_rows(graph: Graph) -> list[LayerRow]:
    """List the layers of a folded graph in order."""
    cycles: dict[str, int] = {}
    for op in graph.ops:
        types = tuple(graph.types[name] for name in op.outputs)
        cycles[op.layer] = max(cycles.get(op.layer, 0), op.cycles(graph.input_types(op), types, graph.constants))
    return [_row(op, graph, cycles[op.layer]) for op in graph.ops if isinstance(op, MatVec | Pool)]


def _row(op: MatVec | Pool, graph: Graph, cycles: int) -> LayerRow:
    x, y = graph.types[op.inputs[0]], graph.types[op.outputs[0]]
    if isinstance(op, Pool):
        return LayerRow(op.layer, "pool", y.shape, str(x.dtype), "", "", str(y.dtype), 0, 0, op.pe, op.pe, cycles)
    rows, columns = graph.constants[op.weights].shape
    thresholds = [c for c in graph.consumers(op.outputs[0]) if isinstance(c, Threshold)]
    result = str(thresholds[0].dtype) if thresholds else str(y.dtype)
    return LayerRow(
        layer=op.layer,
        kind="conv" if len(y.shape) == 3 else "dense",
        output=y.shape,
        input_dtype=str(x.dtype),
        weight_dtype=str(op.weight_dtype),
        accumulator_dtype=str(y.dtype),
        output_dtype=result,
        macs=y.pixels * rows * columns,
        weight_bits=rows * columns * op.weight_dtype.bits,
        pe=op.pe,
        simd=op.simd,
        cycles=cycles,
    )
