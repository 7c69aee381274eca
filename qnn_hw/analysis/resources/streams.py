# SPDX-License-Identifier: Apache-2.0
"""The small stream modules: `qnn_width_converter`, `qnn_affine`, `qnn_logits`, `qnn_add`, `qnn_duplicate`.

width_converter  FF: the wide word, the count, one flag; down: a LUT a bit that shifts or loads, up: none (the word
                 shifts through its flip-flops)
affine           Scale a power of two: FF the result and one flag, an adder a lane in carry chains alone (a constant
                 summand needs no LUT), or an inverter where the offset is the sign bit; another Scale: a DSP a lane
                 with the result's register inside
logits           wires
add              FF: the sums and one flag; LUT: one for each bit at which both numbers vary (an unsigned narrower
                 one ends early, the carry chain takes the rest as it is), one less against a bipolar number
duplicate        FF: the beat and a flag an output; LUT: two for each output but one
"""

from qnn_hw.analysis.resources.cells import Resources
from qnn_hw.analysis.resources.structure import Parameters, Structure, adder_carry4, address_bits
from qnn_hw.analysis.resources.table import TableSummary


def width_converter(p: Parameters, table: TableSummary | None) -> Structure:
    """Return the structure of a width converter."""
    narrow, wide = sorted((int(p["InWidth"]), int(p["OutWidth"])))
    if narrow == wide:
        return Structure(Resources())
    count = address_bits(wide // narrow)
    down = int(p["InWidth"]) > int(p["OutWidth"])
    known = Resources(lut=wide - narrow if down else 0, ff=wide + count + 1, carry4=adder_carry4(count))
    return Structure(known, (("converter.one", 1.0),))


def affine(p: Parameters, table: TableSummary | None) -> Structure:
    """Return the structure of an affine map."""
    lanes, width, out = int(p["Lanes"]), int(p["InWidth"]), int(p["OutWidth"])
    scale, offset = int(p["Scale"]), int(p["Offset"])
    if abs(scale) & (abs(scale) - 1):
        return Structure(Resources(lut=1, ff=1, dsp=lanes))
    known = Resources(lut=1, ff=lanes * out + 1)
    zeros = abs(scale).bit_length() - 1
    if scale > 0 and offset % (1 << (width + zeros - 1)) == 0:
        return Structure(known + Resources(lut=lanes if offset else 0))  # one bit is inverted
    return Structure(known + Resources(carry4=lanes * adder_carry4(out - zeros)))


def logits(p: Parameters, table: TableSummary | None) -> Structure:
    """Return nothing: wires."""
    return Structure(Resources())


def add(p: Parameters, table: TableSummary | None) -> Structure:
    """Return the structure of an adder of streams."""
    lanes, out = int(p["Lanes"]), int(p["OutWidth"])
    narrow, wide = sorted((int(p[f"In{i}Width"]), int(p[f"In{i}Kind"])) for i in (0, 1))
    bits = {0: narrow[0], 1: wide[0], 2: wide[0] - 1}[narrow[1]]
    known = Resources(lut=lanes * bits, ff=lanes * out + 1, carry4=lanes * adder_carry4(out))
    return Structure(known, (("add.one", 1.0),))


def duplicate(p: Parameters, table: TableSummary | None) -> Structure:
    """Return the structure of a stream for several readers."""
    outputs = int(p["Outputs"])
    return Structure(Resources(lut=2 * outputs - 1, ff=int(p["Width"]) + outputs))
