# SPDX-License-Identifier: Apache-2.0
"""`qnn_classifier`: scores of the classes and the greatest of them.

    DSP   a multiplier a PE (25 x 18 bits; a wider slope takes two), affine scores only; the bias is added inside it
    FF    the scores, the best of the beat and of the frame, the fold counter, valid bits; the beat's values are held
          inside the DSP
    LUT   a tree of PE - 1 comparisons and choices of score and index, the comparison with the best of the frame, the
          table in logic; where all classes are one beat, neither that comparison nor the last choice of a score
    BRAM  the table where yosys finds it cheaper: rank tables above all
Flags and fold indices that only travel down the pipeline become shift registers (SRL16).
"""

from qnn_hw.analysis.resources.cells import Resources
from qnn_hw.analysis.resources.structure import Parameters, Structure, adder_carry4, address_bits, comparison
from qnn_hw.analysis.resources.table import TableSummary
from qnn_hw.analysis.resources.weight_store import table_store

_DSP_BITS = 25
_CONSTANT_BITS = 6
"""Bits a score does not need where slope and bias are constants (one class a PE); fitted."""


def classifier(p: Parameters, table: TableSummary | None) -> Structure:
    """Return the structure of a classifier."""
    pe, classes = int(p["PE"]), int(p["Classes"])
    score, slope, ranks = int(p["ScoreWidth"]), int(p["SlopeWidth"]), int(p["ScoreKind"]) == 1
    folds = classes // pe
    index, fold = max(1, address_bits(classes)), address_bits(folds)
    if ranks:
        store = table_store(score, folds << int(p["InWidth"]), "auto", table)
        dsp = 0
    else:
        store = table_store(pe * (score + slope), folds, "auto", table)
        dsp = pe * (1 if slope <= _DSP_BITS else 2)
    lutram = fold + 2 if folds > 2 else folds - 1
    ff = pe * score + 2 * (score + index) + index + 4 + (4 if folds == 2 else 0)
    if folds == 1:
        ff -= _CONSTANT_BITS * pe
    # With one beat a frame nothing is compared with its best, and the last choice is of the index alone.
    nodes = pe if folds > 1 else pe - 1
    luts, chain = comparison(score)
    carry4 = adder_carry4(fold) + nodes * chain
    # Ranks rise or fall with the accumulator: their columns are simpler functions than those of other tables.
    logic = sum(size for _, size in store.lut)
    table_terms = (("classifier.ranks", logic * (folds << int(p["InWidth"])) / 64),) if ranks else store.lut
    terms = (
        *table_terms,
        ("classifier.one", 1.0),
        ("classifier.fold", float(fold)),
        ("classifier.compare", float(nodes * luts)),
        ("classifier.choose", float((pe - 1 if folds > 1 else max(0, pe - 2)) * score)),
        ("classifier.lanes", float((pe - 1) * address_bits(pe))),
    )
    return Structure(Resources(lut=lutram, lutram=lutram, ff=ff, carry4=carry4, dsp=dsp) + store.known, terms)
