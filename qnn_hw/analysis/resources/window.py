# SPDX-License-Identifier: Apache-2.0
"""`qnn_window`: line buffer and its address generator.

memory  Depth words of Lanes * ElemWidth bits: block RAM, LUT memory or registers, whichever yosys finds cheapest;
        its read register is inside block RAM and flip-flops otherwise
FF      output Lanes * ElemWidth, addresses (write, read, base), fill and offset, position counters, four flags;
        with padding row and column twice
LUT     additions modulo Depth of the addresses, fill and offset with their comparisons, position counters, padding
        comparisons; a LUT a bit where the memory has several banks; an inverter a lane in ternary mode
"""

from qnn_hw.analysis.resources.cells import Resources
from qnn_hw.analysis.resources.memory import ram
from qnn_hw.analysis.resources.structure import Parameters, Structure, adder_carry4, address_bits
from qnn_hw.analysis.resources.table import TableSummary


def window(p: Parameters, table: TableSummary | None) -> Structure:
    """Return the structure of a sliding window."""
    n = {name: int(value) for name, value in p.items()}
    fold, bits = n["Channels"] // n["Lanes"], n["Lanes"] * n["ElemWidth"]
    height = n["MapHeight"] + n["PadTop"] + n["PadBottom"]
    width = n["MapWidth"] + n["PadLeft"] + n["PadRight"]
    rows = (height - n["KernelHeight"]) // n["StrideHeight"] + 1
    columns = (width - n["KernelWidth"]) // n["StrideWidth"] + 1
    memory = ram(bits, n["Depth"], "auto")
    address = max(1, address_bits(n["Depth"]))
    # Steps between windows are whole pixels: the low bits of their addresses stay constant.
    still = (fold & -fold).bit_length() - 1
    base = max(1, address - still)
    fill = _fill_bits(n, fold, rows, columns)
    counts = [address_bits(states) for states in (fold, n["KernelWidth"], n["KernelHeight"], columns, rows)]
    padded_rows, padded_columns = n["PadTop"] + n["PadBottom"] > 0, n["PadLeft"] + n["PadRight"] > 0
    pads = (address_bits(height + n["StrideHeight"] + 1) if padded_rows else 0) + (
        address_bits(width + n["StrideWidth"] + 1) if padded_columns else 0
    )
    ff = bits + (0 if memory.kind == "block" else bits) + 3 * address - still + 2 * fill + sum(counts) + 2 * pads + 2
    ff += 1 if pads else 0
    if memory.kind == "logic":
        ff += bits * n["Depth"]
    if memory.kind == "block" and memory.banks > 1:
        ff += address_bits(memory.banks)
    carry4 = (4 if n["KernelHeight"] > 1 else 2) * adder_carry4(address) + 4 * adder_carry4(fill)
    carry4 += sum(adder_carry4(count) for count in counts)
    carry4 += 2 * adder_carry4(pads // (2 if padded_rows and padded_columns else 1))
    # Between banks of the memory: a multiplexer of four inputs and two address bits is one LUT.
    mux = -(-(memory.banks - 1) // 3) * bits
    known = Resources(
        lut=memory.lutram + mux,
        lutram=memory.lutram,
        ff=ff,
        carry4=carry4,
        bram18=memory.bram18,
        bram36=memory.bram36,
    )
    terms = (
        ("window.base", float(base)),
        ("window.rows", float(base if n["KernelHeight"] > 1 else 0)),
        ("window.counters", float(sum(counts))),
        ("window.kernel", float((n["KernelHeight"] > 2) + (n["KernelWidth"] > 2))),
        ("window.pads", float(pads)),
        ("window.ternary", float(n["Ternary"] * n["Lanes"])),
        ("window.banks", float(memory.banks - 1 if memory.kind == "distributed" else 0)),
    )
    return Structure(known, terms)


def _fill_bits(n: dict[str, int], fold: int, rows: int, columns: int) -> int:
    """Width of `fill`, as the module computes it."""
    next_window = n["StrideWidth"] * fold
    next_row = (n["StrideHeight"] * n["MapWidth"] - (columns - 1) * n["StrideWidth"]) * fold
    next_frame = n["MapHeight"] * n["MapWidth"] - (rows - 1) * n["StrideHeight"] * n["MapWidth"]
    next_frame = (next_frame - (columns - 1) * n["StrideWidth"]) * fold
    longest = max(next_window, next_row, next_frame)
    return address_bits(max(longest, n["Depth"] - min(next_row, next_frame, 0)) + 1) + 1
