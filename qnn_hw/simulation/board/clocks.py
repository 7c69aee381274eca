# SPDX-License-Identifier: Apache-2.0
"""The processor's registers that pynq touches: PLLs and clock dividers, and the widths of the memory ports.

They hold what the first-stage boot loader leaves, so that pynq's `Clocks` computes the board's clocks from them: the
PLL of the design's clock, and 100 MHz until a bitstream is loaded. What is written is read back, with no other effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BOOT_MHZ = 100.0
"""Clock of the programmable logic before a download, in MHz: what a program runs at that does not set it."""
_CPU_PLL = {"zynq-7000": 26, "zynq-ultrascale+": 72}
"""Feedback divisor of the PLL behind the processor cores: 1300 MHz of 50 MHz, 2400 MHz of 33.3 MHz."""
BLOCKS = {
    "zynq-7000": ((0xF800_0000, 0x1000),),
    "zynq-ultrascale+": (
        (0xFD1A_0000, 0x1000),  # CRF_APB
        *((0xFD36_0000 + i * 0x1_0000, 0x1000) for i in range(6)),  # AFIFM0 to 5: width of the memory ports
        (0xFD61_5000, 0x1000),  # FPD_SLCR: width of the control ports
        (0xFF41_9000, 0x1000),  # LPD_SLCR
        (0xFF5E_0000, 0x1000),  # CRL_APB
        (0xFF9B_0000, 0x1000),  # AFIFM6
    ),
}
"""First address and bytes of each block of registers, a family."""


class ProcessorRegisters:
    """The registers in `BLOCKS`; 0 until written, but for the clocks.

    Args:
        design: the block design; read are family, pll_multiplier, pll_divider, reference_mhz.
    """

    def __init__(self, design: Mapping[str, Any]) -> None:
        self._blocks = BLOCKS[design["family"]]
        self._values = _boot_values(design)

    def __contains__(self, address: int) -> bool:
        return any(base <= address < base + size for base, size in self._blocks)

    def read(self, address: int) -> int:
        """Return the register at `address`."""
        return self._values.get(address, 0)

    def write(self, address: int, value: int) -> None:
        """Write the register at `address`."""
        self._values[address] = value & 0xFFFF_FFFF


def _boot_values(design: Mapping[str, Any]) -> dict[int, int]:
    multiplier, divider = int(design["pll_multiplier"]), int(design["pll_divider"])
    pll_mhz = float(design["reference_mhz"]) * multiplier / divider
    first, second = _divisors(round(pll_mhz / BOOT_MHZ))
    cpu = _CPU_PLL[design["family"]]
    if design["family"] == "zynq-7000":
        slcr = 0xF800_0000
        return {
            slcr + 0x100: cpu << 12,  # ARM_PLL_CTRL
            slcr + 0x104: 21 << 12,  # DDR_PLL_CTRL: 1050 MHz
            slcr + 0x108: multiplier << 12,  # IO_PLL_CTRL
            slcr + 0x120: 2 << 8,  # ARM_CLK_CTRL: 650 MHz
            **{slcr + 0x170 + i * 0x10: second << 20 | first << 8 for i in range(4)},  # FPGAi_CLK_CTRL
        }
    crf, crl = 0xFD1A_0000, 0xFF5E_0000
    return {
        crl + 0x20: (divider == 2) << 16 | multiplier << 8,  # IOPLL_CTRL
        **{crl + 0xC0 + i * 4: 1 << 24 | second << 16 | first << 8 for i in range(4)},  # PLi_REF_CTRL
        crf + 0x20: 1 << 16 | cpu << 8,  # APLL_CTRL
        crf + 0x60: 1 << 8,  # ACPU_CTRL
    }


def _divisors(product: int) -> tuple[int, int]:
    """Return two divisors of at most 6 bits."""
    second = next(second for second in range(1, 64) if product % second == 0 and product // second < 64)
    return product // second, second
