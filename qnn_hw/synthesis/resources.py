# SPDX-License-Identifier: Apache-2.0
"""What a netlist of 7-series cells occupies, and the one place where LUTs are counted."""

from collections.abc import Mapping
from dataclasses import fields

from qnn_hw.analysis.resources.cells import Resources
from qnn_hw.errors import QnnError

_LUT = frozenset({"LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "LUT6_2", "CFGLUT5"})
# LUT6 sites one cell takes, from the 7-series libraries guide (UG953) and the CLB guide (UG474): a dual-port memory
# needs a second copy to read from; RAM32M and RAM64M fill the four LUTs of a slice. The F7/F8 muxes inside the deep
# ones are part of the cell and not counted as muxf.
_MEMORY_SITES = {
    "RAM32M": 4,
    "RAM64M": 4,
    "RAM32X1S": 1,
    "RAM64X1S": 1,
    "RAM128X1S": 2,
    "RAM256X1S": 4,
    "RAM32X1D": 2,
    "RAM64X1D": 2,
    "RAM128X1D": 4,
    "SRL16": 1,
    "SRL16E": 1,
    "SRLC16": 1,
    "SRLC16E": 1,
    "SRLC32E": 1,
}
_FF = frozenset({"FDRE", "FDSE", "FDCE", "FDPE", "FDRE_1", "FDSE_1", "FDCE_1", "FDPE_1", "LDCE", "LDPE"})
_OTHER = {
    "CARRY4": "carry4",
    "MUXF7": "muxf",
    "MUXF8": "muxf",
    "RAMB18E1": "bram18",
    "RAMB36E1": "bram36",
    "DSP48E1": "dsp",
}
# Free: an inverter disappears into the LUT or flip-flop it feeds, buffers and constants are no LUT sites,
# and $scopeinfo only remembers names.
_FREE = frozenset({"INV", "BUFG", "BUFGCTRL", "IBUF", "OBUF", "GND", "VCC", "$scopeinfo"})


def count_resources(cells: Mapping[str, int]) -> Resources:
    """Count what `cells` (cell type -> number of cells of a mapped 7-series netlist) occupy.

    A LUT of any size is one, LUT6_2 is one, memories and shift registers count the LUT sites they fill.

    Raises:
        QnnError: a cell type that is not in the tables above, for example a module that was left a black box.
    """
    counts = dict.fromkeys((field.name for field in fields(Resources)), 0)
    for cell, n_cells in cells.items():
        if cell in _LUT:
            counts["lut"] += n_cells
        elif cell in _MEMORY_SITES:
            counts["lut"] += n_cells * _MEMORY_SITES[cell]
            counts["lutram"] += n_cells * _MEMORY_SITES[cell]
        elif cell in _FF:
            counts["ff"] += n_cells
        elif cell in _OTHER:
            counts[_OTHER[cell]] += n_cells
        elif cell not in _FREE:
            raise QnnError(
                f"netlist: {n_cells} cell(s) of type {cell!r}, which is no 7-series cell qnn-hw counts; "
                "give the source file of that module"
            )
    return Resources(**counts)
