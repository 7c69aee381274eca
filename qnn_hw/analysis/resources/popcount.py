# SPDX-License-Identifier: Apache-2.0
"""`qnn_popcount`, `qnn_dot_xnor`, `qnn_dot_ternary`: the popcount of one PE.

Structure: tables of six inputs, one LUT a table bit, until two rows are left, then one adder, a LUT a bit. What yosys
makes of it depends on the width in steps (its mapper merges tables with what stands before and behind them, better for
some widths than for others): the curves `dot_xnor` and `dot_ternary`, LUTs per LUT of the structure, are measured on
units that differ in SIMD alone, and interpolated between them.
"""

import functools

from qnn_hw.analysis.resources.structure import adder_carry4, interpolate


@functools.cache
def popcount_tree(width: int) -> tuple[int, int, int]:
    """Return table bits, width of the final adder and levels of tables of `qnn_popcount`; its own recursion."""
    n_columns = width.bit_length()
    heights = [width] + [0] * (n_columns - 1)
    table_bits = levels = 0
    while max(heights) > 2:
        below = [0] * n_columns
        for column, height in enumerate(heights):
            full, rest = divmod(height, 6)
            below[column] += full + (rest if rest <= 2 else 1)
            twice, four = full + (rest >= 3), full + (rest >= 4)
            table_bits += full + (rest >= 3)
            if column + 1 < n_columns:
                below[column + 1] += twice
                table_bits += twice
            if column + 2 < n_columns:
                below[column + 2] += four
                table_bits += four
        heights = below
        levels += 1
    first = next((column for column, height in enumerate(heights) if height == 2), n_columns)
    return table_bits, n_columns - first, levels


@functools.cache
def xnor_structure(simd: int) -> tuple[int, int]:
    """Return LUTs and CARRY4 of `qnn_dot_xnor` as its source says."""
    if simd <= 3:
        return min(simd, 2), 0  # one group: its two tables
    groups = -(-simd // 3)
    bits, adder, _ = popcount_tree(groups)
    total = simd.bit_length() - 1
    return 2 * groups + 2 * (bits + adder) + total, 2 * adder_carry4(adder) + adder_carry4(total)


@functools.cache
def ternary_structure(simd: int) -> tuple[int, int]:
    """Return LUTs and CARRY4 of `qnn_dot_ternary` as its source says."""
    bits, adder, _ = popcount_tree(simd)
    total = simd.bit_length()
    return simd + bits + adder + total, adder_carry4(adder) + adder_carry4(total)


@functools.cache
def dot_luts(kind: int, simd: int) -> float:
    """Return the LUTs of one PE's popcount, bipolar (kind 0) or ternary (1)."""
    if kind == 0:
        return xnor_structure(simd)[0] * interpolate("dot_xnor", simd)
    return ternary_structure(simd)[0] * interpolate("dot_ternary", simd)
