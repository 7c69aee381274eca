# SPDX-License-Identifier: Apache-2.0
"""`qnn_fifo`, and `qnn_register_slice`, which a queue of two beats is.

slice   FF 2 * Width + 3; a LUT a bit (old or new beat)
queue   Depth - 1 words in LUT memory up to 64 of them, else as yosys finds cheapest; FF: the output register
        (inside block RAM where there is one), two pointers, the count, one flag; LUT: pointers and count with
        their limits
"""

from qnn_hw.analysis.resources.cells import Resources
from qnn_hw.analysis.resources.memory import ram
from qnn_hw.analysis.resources.structure import Parameters, Structure, adder_carry4, address_bits
from qnn_hw.analysis.resources.table import TableSummary

_SHORT_BITS = 5
"""Pointers up to this width are mapped bit by bit, wider ones through their carry chains, which take fewer LUTs."""


def register_slice(p: Parameters, table: TableSummary | None) -> Structure:
    """Return the structure of a register slice."""
    width = int(p["Width"])
    return Structure(Resources(lut=width, ff=2 * width + 3), (("slice.one", 1.0),))


def fifo(p: Parameters, table: TableSummary | None) -> Structure:
    """Return the structure of a queue without counters."""
    width, depth = int(p["Width"]), int(p["Depth"])
    if depth <= 2:
        return register_slice(p, table)
    words = depth - 1
    pointer, count = address_bits(words), address_bits(words + 1)
    memory = ram(width, words, "distributed" if depth <= 64 else "auto")
    ff = 2 * pointer + count + 1 + (0 if memory.kind == "block" else width)
    if memory.kind == "block" and memory.banks > 1:
        ff += address_bits(memory.banks)
    carry4 = 2 * adder_carry4(pointer) + adder_carry4(count)
    known = Resources(
        lut=memory.lutram, lutram=memory.lutram, ff=ff, carry4=carry4, bram18=memory.bram18, bram36=memory.bram36
    )
    bits = float(2 * pointer + count)
    short = pointer <= _SHORT_BITS
    terms = (
        ("fifo.one", 1.0),
        ("fifo.short" if short else "fifo.long", bits),
        ("fifo.banks", float((memory.banks - 1) * width)),
    )
    return Structure(known, terms)
