# SPDX-License-Identifier: Apache-2.0
"""`qnn_weight_store`: a table that is never written, in block RAM or as logic.

Block RAM: geometry by `memory.rom`; columns that are constant are taken out before (yosys' `opt_mem`), and its output
register is inside. Several banks are multiplexed: one LUT a bit for each pair of them.
Logic: a column of up to 64 words is one function of at most six address bits and could be one LUT, with one flip-flop
behind it; equal columns are merged (`opt_merge`), a column shares the LUT of its complement, constant ones vanish. Up
to 16 words yosys finds that LUT. In deeper tables its mapper shares pieces of the columns instead and takes more, the
more the deeper: the curve `rom`, LUTs a column at `KNOTS` words, is fitted to tables inside matrix-vector and
threshold units.
A table of one word is constants.
"""

import itertools
import math

from qnn_hw.analysis.resources.cells import Resources
from qnn_hw.analysis.resources.memory import Style, rom
from qnn_hw.analysis.resources.structure import Parameters, Structure, Terms, address_bits
from qnn_hw.analysis.resources.table import TableSummary, random_table

_STYLES: dict[str, Style] = {"auto": "auto", "lut": "logic", "lutram": "logic", "bram": "block"}


KNOTS = (2, 16, 32, 64, 256)
"""Depths between which the LUTs a column takes are interpolated, in the logarithm of the depth; beyond the last one
they grow with the depth."""


def column_terms(depth: int, columns: int) -> Terms:
    """Return the columns as shares of the two knots around `depth`."""
    for low, high in itertools.pairwise(KNOTS):
        if depth <= high:
            share = math.log(depth / low) / math.log(high / low)
            return ((f"rom.{low}", columns * (1 - share)), (f"rom.{high}", columns * share))
    return ((f"rom.{KNOTS[-1]}", columns * depth / KNOTS[-1]),)


def table_store(width: int, depth: int, style: str, table: TableSummary | None) -> Structure:
    """Return what holds a table, its output register included."""
    if depth == 1:
        return Structure(Resources())
    known = table or random_table(width, depth)
    memory = rom(max(1, width - known.constant), depth, _STYLES[style])
    if memory.kind == "block":
        # Between banks: a multiplexer of four inputs and two address bits is one LUT.
        mux = -(-(memory.banks - 1) // 3) * (width - known.constant)
        held = address_bits(memory.banks)
        cells = Resources(lut=mux, ff=held, bram18=memory.bram18, bram36=memory.bram36)
        return Structure(cells)
    return Structure(Resources(ff=known.distinct), column_terms(depth, known.functions))


def weight_store(p: Parameters, table: TableSummary | None) -> Structure:
    """Return the structure of `qnn_weight_store` by itself."""
    return table_store(int(p["Width"]), int(p["Depth"]), str(p["Style"]), table)
