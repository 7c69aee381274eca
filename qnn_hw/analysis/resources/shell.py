# SPDX-License-Identifier: Apache-2.0
"""`qnn_shell`: AXI4-Lite registers, unpacking and packing of frames, counters; without high-water marks.

fixed       registers, counters (cycles 64 bits, frames, intervals), flags: fitted constant
unpacker    narrow (a core beat is a part of a DMA beat): the beat is held and shifted, a LUT a bit; wide: gathered
            in flip-flops alone
packer      the output beat and the words held for it
"""

from qnn_hw.analysis.resources.cells import Resources
from qnn_hw.analysis.resources.structure import Parameters, Structure, adder_carry4, address_bits
from qnn_hw.analysis.resources.table import TableSummary

_FIXED_FF = 397
_FIXED_CARRY4 = 53
_FLAGS = 4
"""LUT memory of the TLAST flags: 64 words of one bit."""


def shell(p: Parameters, table: TableSummary | None) -> Structure:
    """Return the structure of the shell."""
    dma, wire, element = int(p["DmaWidth"]), int(p["WireWidth"]), int(p["ElemWidth"])
    frame, core, words = int(p["FrameElements"]), int(p["CoreLanes"]), int(p["OutWords"])
    lanes = dma // wire
    beats = address_bits(-(-frame // lanes))
    shifted = 0
    if core <= lanes:
        chunks = lanes // core
        held, count = lanes * element, address_bits(chunks + 1)
        shifted = (lanes - core) * element
    else:
        group = -(-core // lanes)
        held, count = group * lanes * element, address_bits(group) + 1
    slots = dma // 32
    packed = 32 if words == 1 else 2 * dma - 32 + address_bits(slots) + address_bits(words)
    ff = _FIXED_FF + held + count + beats + packed
    terms = (("shell.one", 1.0), ("shell.counters", float(count + beats)))
    carry4 = _FIXED_CARRY4 + adder_carry4(count) + adder_carry4(beats) + adder_carry4(address_bits(words))
    return Structure(
        Resources(lut=_FLAGS + shifted + (dma if words > 1 else 0), lutram=_FLAGS, ff=ff, carry4=carry4), terms
    )
