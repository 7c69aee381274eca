# SPDX-License-Identifier: Apache-2.0
"""`matvec` is `qnn::mvu`."""

from qnn_hw.backends.hls.stage import Stage, Table, choose, only_table, prints, slices
from qnn_hw.backends.instance import Instance
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.matvec import MatVec

INTEGERS = 2
"""`InKind` of inputs that are neither bipolar nor ternary."""


@prints(MatVec)
def matvec(op: Op, graph: Graph, found: Instance) -> Stage:
    """A weight tile becomes PE words of SIMD bits."""
    assert isinstance(op, MatVec)
    pixels = graph.types[op.inputs[0]].pixels
    arguments = choose(found, "PE SIMD MatrixHeight MatrixWidth InKind InWidth InSigned AccWidth", Vectors=pixels)
    words = only_table(found)
    column_tiles = arguments["MatrixWidth"] // op.simd
    weights = Table(
        "weights",
        op.simd,
        signed=False,
        dims=(len(words), op.pe),
        words=slices(words, op.simd, op.pe),
        memory=op.weight_memory,
        comment=(
            f"Tile t = nf * {column_tiles} + sf, word p: row nf * {op.pe} + p, columns sf * {op.simd} and following;",
            "column 0 of the word in its least significant bit, 1 = weight +1, 0 = weight -1.",
        ),
    )
    # Sums and differences of lane pairs, see dot_integer.hpp.
    pairs = (op.simd + 1) // 2 * (arguments["InWidth"] + 2) if arguments["InKind"] == INTEGERS else 0
    return Stage(op, "mvu", "mvu.hpp", arguments, (weights,), inside_bits=pairs)
