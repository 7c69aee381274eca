# SPDX-License-Identifier: Apache-2.0
"""`qnn_pool`: running maximum of each channel.

FF     values and results PE * ElemWidth each, fold counter three times, position counter, four flags, mask words
LUTRAM the running maxima, Channels / PE words of PE * ElemWidth bits
LUT    per channel: comparison and choice, one LUT a bit for one-bit codes; the complement where the mask is not
       zero
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
    masked = pe - known.constant if folds > 1 else 0
    counters = address_bits(folds) + address_bits(positions)
    bits = pe * width
    lutram = ram(bits, folds, "distributed", one_address=folds == 1, synchronous=False).lutram
    ff = 2 * bits + counters + 2 * address_bits(folds) + 4
    carry4 = adder_carry4(address_bits(folds)) + adder_carry4(address_bits(positions))
    terms = (
        *store.lut,
        ("pool.one", 1.0),
        ("pool.counters", float(counters)),
        ("pool.bit" if width == 1 else "pool.bits", float(bits)),
        ("pool.compare", float(pe * (width - 1))),
        ("pool.masked", float(masked * width)),
    )
    return Structure(Resources(lut=lutram, lutram=lutram, ff=ff, carry4=carry4) + store.known, terms)
