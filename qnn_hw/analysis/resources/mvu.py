# SPDX-License-Identifier: Apache-2.0
"""`qnn_mvu`: matrix-vector unit; with qnn_accumulator, qnn_lane_pairs and qnn_dot_integer, which it alone uses.

With NF = MatrixHeight / PE, SF = MatrixWidth / SIMD, T = NF * SF tiles:

    FF     operands SIMD * OperandWidth, sums PE * SumWidth, results PE * AccWidth, running sums the same if SF > 1,
           three valid bits, two first/last pairs if SF > 1, counters of tiles, folds and passes, and the weight words
    LUT    per PE: popcount (or choices and adders), one LUT a bit of the running sum (two for integers, where a carry
           enters); the multiplexer before the vector buffer SIMD * InWidth if the vector is repeated; counters; weights
           in logic
    LUTRAM the vector buffer, SF words of SIMD * InWidth bits, if SF > 1 and NF > 1
    BRAM   weights, T words of PE * SIMD bits

A single tile (T = 1) has constant weights: the popcounts of all PEs become functions of the same inputs, which yosys
shares; terms of their own. With integers a leaf is then a sum or a difference as it comes or inverted, and PEs share
the inverted ones; the same holds for equal leaves of a few tiles.
An adder takes one summand through its LUTs, the other has to be there as it is: of two leaves one is chosen by LUTs of
its own, and of a pair of lanes one comes through the LUTs of the multiplexer before the vector buffer.
"""

from qnn_hw.analysis.resources.cells import Resources
from qnn_hw.analysis.resources.memory import ram
from qnn_hw.analysis.resources.popcount import dot_luts, popcount_tree, ternary_structure, xnor_structure
from qnn_hw.analysis.resources.structure import Parameters, Structure, adder_carry4, address_bits
from qnn_hw.analysis.resources.table import TableSummary, random_table
from qnn_hw.analysis.resources.weight_store import table_store

_SHARED = 0.75
"""Exponent of PE for popcounts of constant weights, bipolar; chosen by leaving units out."""


def mvu(p: Parameters, table: TableSummary | None) -> Structure:
    """Return the structure of a matrix-vector unit."""
    pe, simd, kind = int(p["PE"]), int(p["SIMD"]), int(p["InKind"])
    width, signed, acc = int(p["InWidth"]), int(p["InSigned"]), int(p["AccWidth"])
    nf, sf = int(p["MatrixHeight"]) // pe, int(p["MatrixWidth"]) // simd
    tiles = nf * sf
    pe = _different(pe, simd, tiles, table)
    sum_width = _sum_width(kind, simd, width, signed, acc)
    repeats = nf > 1 and sf > 1
    folded = sf > 1

    counters = address_bits(tiles) + address_bits(sf) + (address_bits(nf) if nf > 1 else 0)
    if tiles == 1:
        counters = 0
    ff = 3 + counters + (4 if folded else 0) + pe * (acc * (2 if folded else 1))
    if kind == 0 and tiles == 1:
        ff += simd  # both polarities of an operand
    ff += _operand_ff(kind, simd, width, signed) + _sum_ff(kind, pe, sum_width)
    lut = carry4 = 0
    if folded:
        lut += pe * acc
        carry4 += pe * adder_carry4(acc)
    for states in (tiles, sf if folded else 1, nf):
        carry4 += adder_carry4(address_bits(states))
    lutram = 0
    if repeats:
        lutram = ram(simd * width, sf, "distributed", one_address=kind < 2 or simd == 1).lutram
        lut += (-(-simd // 2) if kind == 2 else simd) * width
        if kind == 2 and simd > 1:
            ff += address_bits(sf)  # the read address is registered: the memory has two ports

    store = table_store(int(p["PE"]) * simd, tiles, str(p["WeightStyle"]), table)
    terms = [*store.lut, ("mvu.one", 1.0), ("mvu.counters", float(counters))]
    if kind == 2:
        choices, adders, dot_carry4 = _integer(simd, width, signed, sum_width)
        pairs = (simd // 2) * 2 * (width + 1)
        terms.append(("mvu.pairs", float(pairs)))
        terms.append(("mvu.choices", _chosen(pe, simd, tiles) * choices))
        terms.append(("mvu.adders", float(pe * adders)))
        terms.append(("mvu.integer_sum", float(pe * acc if folded else 0)))
        carry4 += pe * dot_carry4 + (simd // 2) * 2 * adder_carry4(width + 1)
    elif tiles == 1 and kind == 0:
        terms.append(("mvu.constant0", pe**_SHARED * dot_luts(kind, simd)))
        carry4 += pe * xnor_structure(simd)[1]
    elif tiles == 1:
        terms.append(_constant_ternary(pe, simd))
        carry4 += pe * ternary_structure(simd)[1]
    else:
        # Lanes of constant weight, as tables of two or three words have them, count less.
        fixed = (table or random_table(int(p["PE"]) * simd, tiles)).constant / (int(p["PE"]) * simd)
        luts = pe * dot_luts(kind, simd)
        terms += [(f"mvu.dot{kind}", luts * (1 - fixed)), ("mvu.dot_fixed", luts * fixed)]
        carry4 += pe * (xnor_structure if kind == 0 else ternary_structure)(simd)[1]
    if kind == 1 and (tiles > 1 or simd > 3):
        bits, adder, _ = popcount_tree(simd)
        terms.append(("mvu.invalid", float(bits + adder)))
        carry4 += adder_carry4(adder)
    known = Resources(lut=lut + lutram, lutram=lutram, ff=ff, carry4=carry4)
    return Structure(known + store.known, tuple(terms))


def _sum_width(kind: int, simd: int, width: int, signed: int, acc: int) -> int:
    if kind == 0:
        return simd.bit_length()
    if kind == 1:
        return (2 * simd).bit_length()
    return min(acc, width + (0 if signed else 1) + address_bits(simd))


def _operand_ff(kind: int, simd: int, width: int, signed: int) -> int:
    if kind < 2:
        return simd * width
    return simd * (width + 1) - simd % 2  # an odd last lane has no bit to grow into


def _sum_ff(kind: int, pe: int, sum_width: int) -> int:
    if kind == 1:
        return pe * (sum_width - 1) + 1  # the lowest bit is that of the invalid lanes: the same for all PEs
    return pe * (sum_width + (1 if kind == 2 else 0))


def _integer(simd: int, width: int, signed: int, out: int) -> tuple[int, int, int]:
    """Return LUTs that choose leaves, LUTs of adders, CARRY4 of `qnn_dot_integer`.

    An adder takes one of its leaves through its own LUTs and the other ready made.
    """
    leaf = min(width + 1 if signed else width + 2, out)
    nodes = -(-simd // 2)
    choices, adders, carry4, level = max(1, nodes // 2) * leaf, 0, 0, 0
    while nodes > 1:
        level += 1
        bits = min(leaf + level, out)
        adders += (nodes // 2) * bits
        carry4 += (nodes // 2) * adder_carry4(bits + 1)
        nodes = -(-nodes // 2)
    return choices, adders, carry4


def _chosen(pe: int, simd: int, tiles: int) -> float:
    """Return the different leaves of `pe` PEs: those with the same two weights in all tiles share one.

    Of the 4^tiles patterns of weights two are plain wires, no choice.
    """
    if simd == 1:
        return pe / 2 if tiles == 1 else float(pe)
    if tiles > 8:
        return float(pe)
    patterns = 4**tiles
    return (patterns - 2) * (1 - (1 - 1 / patterns) ** pe)


def _constant_ternary(pe: int, simd: int) -> tuple[str, float]:
    """Return the term of PEs with constant weights: lanes are shared, tables and adders are not.

    Up to three lanes a bit of the sum is one LUT, the lowest the same for all PEs.
    """
    if simd <= 3:
        return "mvu.constant1_table", float(pe * min(simd, 2) + 1)
    bits, adder, levels = popcount_tree(simd)
    return "mvu.constant1" if levels <= 2 else "mvu.constant1_deep", float(pe * (bits + adder + simd.bit_length()))


def _different(pe: int, simd: int, tiles: int, table: TableSummary | None) -> int:
    """PEs that differ: those of equal weights are merged, which few weights a PE make likely."""
    weights = simd * tiles
    if weights > 12:
        return pe
    if simd == 1 and table is not None and tiles > 1:
        return min(pe, table.distinct + min(table.constant, 2))
    patterns = 2.0**weights
    return max(1, round(patterns * (1 - (1 - 1 / patterns) ** pe)))
