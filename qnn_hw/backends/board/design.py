# SPDX-License-Identifier: Apache-2.0
"""The block design around the accelerator: processor, AXI DMA, accelerator, their addresses and the clock.

One description, from which the Vivado Tcl, the hardware handoff file of the simulated board and its register model are
made; so they agree by construction. Memory -> AXI DMA (MM2S) -> accelerator -> AXI DMA (S2MM) -> memory.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qnn_hw.boards import Board, ClockSource
from qnn_hw.errors import QnnError

DMA_CELL = "axi_dma_0"
ACCELERATOR_CELL = "qnn_0"
DMA_VLNV = "xilinx.com:ip:axi_dma:7.1"
ACCELERATOR_VLNV = "qnn-hw.org:accelerator:qnn_accelerator:1.0"
DMA_RANGE = 0x1_0000
"""Bytes of the DMA's registers in the address map: what Vivado gives it."""
ACCELERATOR_RANGE = 0x1000
"""Bytes of the accelerator's registers: its AXI4-Lite port has 12 address bits."""
LENGTH_BITS = 26
"""Bits of the DMA's length registers: transfers below 64 MiB. The IP's own default, 14, ends at 16 383 bytes."""
LARGEST_DIVISOR = 63
"""Both divisors of a processor's clock output have six bits, in either family."""
BURST_BEATS = 16
"""Beats of a DMA burst: the longest an AXI3 memory port (Zynq-7000) takes, so that none has to be split."""
CLOCK_TOLERANCE = 0.01
"""Share by which the clock may differ from the one asked for; pynq warns from the same share on."""
_LONGEST_NAME = 40


def block_design(manifest: Mapping[str, Any], board: Board) -> "BlockDesign":
    """Return the block design of a build: `manifest` is its `qnn.json`.

    The addresses start at the bottom of the board's control window: first the DMA, then the accelerator.

    Raises:
        QnnError: the board's streams are not as wide as those of the build, or its processor cannot make the clock.
    """
    width_bits = int(manifest["dma_width_bits"])
    if width_bits != board.dma_width_bits:
        raise QnnError(
            f"board {board.name}: its memory port has {board.dma_width_bits} bits, the build's streams have "
            f"{width_bits}; build again with --board {board.name}"
        )
    clock_mhz = float(manifest["clock_mhz"])
    divisor0, divisor1 = clock_divisors(board, clock_mhz)
    base = board.control.base
    return BlockDesign(
        stem=stem(manifest),
        graph_hash=str(manifest["graph_hash"]),
        part=board.part,
        board_part=board.board_part,
        family=board.family,
        clock_mhz=clock_mhz,
        processor_cell=board.processor.cell,
        dma_cell=DMA_CELL,
        accelerator_cell=ACCELERATOR_CELL,
        control_port=board.processor.control_port,
        memory_port=board.processor.memory_port,
        dma_width_bits=width_bits,
        length_bits=LENGTH_BITS,
        burst_beats=BURST_BEATS,
        control=(
            Segment(DMA_CELL, "S_AXI_LITE", base, DMA_RANGE),
            # Behind the DMA's range; a multiple of its own.
            Segment(ACCELERATOR_CELL, "s_axil", base + DMA_RANGE, ACCELERATOR_RANGE),
        ),
        memory_base=board.memory.base,
        memory_size=board.memory.size,
        reference_mhz=board.clock.reference_mhz,
        pll_multiplier=board.clock.pll_multiplier,
        pll_divider=board.clock.pll_divider,
        divisor0=divisor0,
        divisor1=divisor1,
        actual_mhz=divided(board.clock, divisor0, divisor1),
    )


def stem(manifest: Mapping[str, Any]) -> str:
    """Return the base name of a build's files on the board, such as `digits_mlp-1a2b3c4d`.

    The name of the network in [a-z0-9_], 40 characters at most, and the first eight digits of the graph hash: a rebuilt
    network gets another name, since PYNQ.remote does not send a file again whose name is there already.
    """
    name = re.sub(r"[^a-z0-9]+", "_", str(manifest["name"]).lower()).strip("_")[:_LONGEST_NAME].rstrip("_")
    return f"{name or 'network'}-{str(manifest['graph_hash'])[:8]}"


def clock_divisors(board: Board, clock_mhz: float) -> tuple[int, int]:
    """Return the two divisors that bring the board's PLL nearest to `clock_mhz`, the larger one first.

    Raises:
        QnnError: outside the board's range, or more than 1 % away from every clock the divisors make.
    """
    clock = board.clock
    if not clock.min_mhz <= clock_mhz <= clock.max_mhz:
        raise QnnError(
            f"board {board.name}: a clock of {clock_mhz:g} MHz is outside {clock.min_mhz:g} to {clock.max_mhz:g} MHz; "
            "choose another --clock-mhz"
        )
    best = min(_PRODUCTS, key=lambda product: abs(clock.pll_mhz / product - clock_mhz))
    if abs(clock.pll_mhz / best - clock_mhz) > CLOCK_TOLERANCE * clock_mhz:
        raise QnnError(
            f"board {board.name}: its {clock.pll} of {clock.pll_mhz:g} MHz divides to no clock within "
            f"{CLOCK_TOLERANCE:.0%} of {clock_mhz:g} MHz; nearest: {_around(clock, clock_mhz)} MHz; give one of these "
            "with --clock-mhz"
        )
    # The choice among equal products is Vivado's: balanced on Zynq-7000, the second 1 if possible on UltraScale+.
    pairs = _PRODUCTS[best]
    return pairs[-1] if board.family == "zynq-7000" else pairs[0]


def divided(clock: ClockSource, divisor0: int, divisor1: int) -> float:
    """Return the clock that two divisors make, in MHz."""
    return clock.pll_mhz / (divisor0 * divisor1)


def dma_config(design: "BlockDesign") -> tuple[tuple[str, str], ...]:
    """Return (property, value) of the AXI DMA as set in Vivado, without the `CONFIG.` in front.

    Simple mode; both directions; no realignment, so a buffer that starts inside a beat is an error; 32-bit addresses.
    pynq reads these names from the .hwh as they are written here, in lower case. The width of the stream into the DMA
    is not among them: Vivado takes it from the connected stream.
    """
    width, burst = str(design.dma_width_bits), str(design.burst_beats)
    return (
        ("c_include_sg", "0"),
        ("c_sg_length_width", str(design.length_bits)),
        ("c_sg_include_stscntrl_strm", "0"),
        ("c_micro_dma", "0"),
        ("c_addr_width", "32"),
        ("c_include_mm2s", "1"),
        ("c_m_axi_mm2s_data_width", width),
        ("c_m_axis_mm2s_tdata_width", width),
        ("c_include_mm2s_dre", "0"),
        ("c_mm2s_burst_size", burst),
        ("c_include_s2mm", "1"),
        ("c_m_axi_s2mm_data_width", width),
        ("c_include_s2mm_dre", "0"),
        ("c_s2mm_burst_size", burst),
    )


def _around(clock: ClockSource, clock_mhz: float) -> str:
    """Return the fastest clock below and the slowest above `clock_mhz`, the range of the board kept."""
    made = [clock.pll_mhz / product for product in _PRODUCTS]
    legal = [found for found in made if clock.min_mhz <= found <= clock.max_mhz]
    near = [max((found for found in legal if found <= clock_mhz), default=None)]
    near.append(min((found for found in legal if found > clock_mhz), default=None))
    return " or ".join(f"{found:.4f}".rstrip("0").rstrip(".") for found in near if found is not None)


def _products() -> dict[int, tuple[tuple[int, int], ...]]:
    """Return product -> pairs of divisors, the larger one first; the second grows from pair to pair."""
    found: dict[int, tuple[tuple[int, int], ...]] = {}
    for second in range(1, LARGEST_DIVISOR + 1):
        for first in range(second, LARGEST_DIVISOR + 1):
            found[first * second] = (*found.get(first * second, ()), (first, second))
    return found


_PRODUCTS = _products()


@dataclass(frozen=True, slots=True)
class Segment:
    """Addresses of one register port: `size` bytes from `base`."""

    cell: str
    """Cell of the block design."""
    port: str
    """Its AXI4-Lite port."""
    base: int
    """First address as the processor sees it."""
    size: int
    """Bytes; a power of two, and `base` a multiple of it."""


@dataclass(frozen=True, slots=True)
class BlockDesign:
    """Cells, addresses and clock of one build on one board; plain values, so that `asdict` of it is JSON."""

    stem: str
    """Base name of the files on the board."""
    graph_hash: str
    """32 hex digits: what the accelerator's registers answer."""
    part: str
    """Vivado part name."""
    board_part: str
    """Vivado board part tried first."""
    family: str
    """`zynq-7000` or `zynq-ultrascale+`."""
    clock_mhz: float
    """Clock asked for."""
    processor_cell: str
    """Instance of the processor."""
    dma_cell: str
    """Instance of the AXI DMA."""
    accelerator_cell: str
    """Instance of the accelerator."""
    control_port: str
    """Processor port that reaches the registers."""
    memory_port: str
    """Processor port through which the DMA reaches memory."""
    dma_width_bits: int
    """Width of both streams, both memory ports of the DMA and the processor's memory port."""
    length_bits: int
    """Bits of the DMA's length registers."""
    burst_beats: int
    """Beats of a burst of the DMA on the memory port."""
    control: tuple[Segment, ...]
    """Registers of the DMA, then of the accelerator."""
    memory_base: int
    """First address of the memory the DMA reaches."""
    memory_size: int
    """Its bytes."""
    reference_mhz: float
    """Crystal of the processor, in MHz."""
    pll_multiplier: int
    """Feedback divisor of the PLL."""
    pll_divider: int
    """Output divider of the PLL."""
    divisor0: int
    """First divisor behind the PLL."""
    divisor1: int
    """Second divisor behind the PLL."""
    actual_mhz: float
    """Clock these make."""
