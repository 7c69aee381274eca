# SPDX-License-Identifier: Apache-2.0
"""`qnn_pool`: running maximum of each channel.

FF     values and results PE * ElemWidth each, fold counter three times, position counter, four flags, mask words
LUTRAM the running maxima, Channels / PE words of PE * ElemWidth bits
LUT    a bit of the maximum and, where the mask is not zero, of its complement: one each for codes of one or two bits,
       whose comparison fits into it, two for wider ones; a single fold has a constant mask, zero for half of the PEs
"""

from qnn_hw.analysis.resources.cells import Resources
from qnn_hw.analysis.resources.memory import ram
from qnn_hw.analysis.resources.structure import Parameters, Structure, adder_carry4, address_bits
from qnn_hw.analysis.resources.table import TableSummary, random_table
from qnn_hw.analysis.resources.weight_store import table_store


def pool(p: Parameters, table: TableSummary | None) -> Structure:
    """Return the structure of a pooling unit."""
    pe, folds, width = int(p["PE"]), int(p["Channels"]) // int(p["PE"]), int(p["ElemWidth"])
    positions = int(p["Positions"])
    known = table or random_table(pe, folds)
    store = table_store(pe, folds, "auto", known)
    masked = pe - known.constant if folds > 1 else pe / 2
    counters = address_bits(folds) + address_bits(positions)
    bits = pe * width
    lutram = ram(bits, folds, "distributed", one_address=folds == 1, synchronous=False).lutram
    ff = 2 * bits + counters + 2 * address_bits(folds) + 4
    carry4 = adder_carry4(address_bits(folds)) + adder_carry4(address_bits(positions))
    terms = (
        *store.lut,
        ("pool.one", 1.0),
        ("pool.counters", float(counters)),
        ("pool.bits", float((pe + masked) * width * (1 if width <= 2 else 2))),
    )
    return Structure(Resources(lut=lutram, lutram=lutram, ff=ff, carry4=carry4) + store.known, terms)
