# SPDX-License-Identifier: Apache-2.0
"""The unit of the resource model: cells of a 7-series device, counted as yosys' netlists are counted."""

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Resources:
    """Cells of a mapped netlist: `a + b` adds, `n * a` is n instances, a `sum` starts at `Resources()`."""

    lut: int = 0
    """LUT6 sites: logic, memory and shift registers together. Logical LUTs, no credit for packing two into one."""
    lutram: int = 0
    """Of `lut`: sites used as memory or shift register; only about a third of a device's LUTs can be (SLICEM)."""
    ff: int = 0
    """Flip-flops and latches."""
    carry4: int = 0
    """CARRY4 cells, four carry bits each."""
    muxf: int = 0
    """MUXF7 and MUXF8 cells."""
    bram18: int = 0
    """RAMB18E1 cells, 18 Kbit each."""
    bram36: int = 0
    """RAMB36E1 cells, 36 Kbit each."""
    dsp: int = 0
    """DSP48E1 cells."""

    @property
    def bram36_equivalent(self) -> float:
        """Block RAM in units of 36 Kbit: two RAMB18E1 share one."""
        return self.bram36 + self.bram18 / 2

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Resources)))

    def __mul__(self, n_instances: int) -> "Resources":
        return Resources(*(getattr(self, f.name) * n_instances for f in fields(Resources)))

    __rmul__ = __mul__
