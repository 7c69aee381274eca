# SPDX-License-Identifier: Apache-2.0
"""`qnn_threshold`: comparators behind a table of thresholds.

FF   values PE * InWidth, codes PE * OutWidth, two valid bits, the fold counter, the threshold words
LUT  the comparisons, into whose LUTs the popcount of several steps goes; thresholds in logic; with constant thresholds
     and up to six bits a LUT a bit of the code
BRAM thresholds, Channels / PE words of PE * Steps * ThresholdWidth bits, where yosys finds it cheaper than logic
"""

from qnn_hw.analysis.resources.cells import Resources
from qnn_hw.analysis.resources.structure import Parameters, Structure, adder_carry4, address_bits, comparison
from qnn_hw.analysis.resources.table import TableSummary
from qnn_hw.analysis.resources.weight_store import table_store


def threshold(p: Parameters, table: TableSummary | None) -> Structure:
    """Return the structure of a threshold unit."""
    pe, folds, steps = int(p["PE"]), int(p["Channels"]) // int(p["PE"]), int(p["Steps"])
    width, wide, out = int(p["InWidth"]), int(p["ThresholdWidth"]), int(p["OutWidth"])
    compared = max(width, wide)
    store = table_store(pe * steps * wide, folds, "auto", table)
    luts, chain = comparison(compared, constant=folds == 1)
    carry4 = pe * steps * chain + adder_carry4(address_bits(folds))
    ff = pe * (width + out) + 2 + address_bits(folds)
    # A number of up to six bits against constants: the codes are functions of it.
    direct = folds == 1 and compared <= 6
    terms = (
        *store.lut,
        ("threshold.one", 1.0),
        ("threshold.counter", float(address_bits(folds))),
        ("threshold.compare", float(pe * (out if direct else steps * luts))),
    )
    return Structure(Resources(ff=ff, carry4=carry4) + store.known, terms)
