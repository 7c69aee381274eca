# SPDX-License-Identifier: Apache-2.0
"""Which cells a memory becomes: the choice of yosys 0.70, computed.

Source: yosys, `passes/memory/memory_libmap.cc` (cost of a geometry, choice of the cheapest) with the cells of
`techlibs/xilinx/brams_xc4v.txt` and `lutrams_xc5v.txt` as `synth_xilinx` calls it for 7 series: a bit of ROM in logic
costs 1/64, a bit of RAM in registers 1, a RAMB18 129, a RAMB36 257, a group of four LUT memories 8, a bit that is
multiplexed or demultiplexed 1/2. Exact on every configuration of the error table.
"""

import functools
from dataclasses import dataclass
from typing import Literal

Style = Literal["auto", "block", "distributed", "logic"]

_BLOCK_COSTS = {"bram18": 129, "bram36": 257}
_BLOCK_BITS = {"bram18": 14, "bram36": 15}
"""Address bits at a width of one."""
_BLOCK_WIDTHS = (1, 2, 4, 9, 18, 36, 72)
_MULTIPLEXED = 0.5
_PORT = 2
"""A read port that is not the write port."""
_ROM_BIT = 1 / 64
_LUT_GROUP = 4
"""LUT sites of the cells that LUT memories come in."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What holds a memory.

    Attributes:
        kind: block RAM, LUT memory, or logic (a ROM as LUTs, a RAM as registers).
        bram18, bram36: cells.
        lutram: LUT sites.
        banks: memories one behind another in address, between which the read data is chosen.
        cost: in yosys' units.
    """

    kind: Literal["block", "distributed", "logic"]
    bram18: int = 0
    bram36: int = 0
    lutram: int = 0
    banks: int = 1
    cost: float = 0.0


@functools.lru_cache(maxsize=65536)
def rom(width: int, depth: int, style: Style) -> Memory:
    """Choose for a table with a synchronous read port."""
    logic = Memory("logic", cost=width * depth * _ROM_BIT)
    if style in ("logic", "distributed"):
        return logic
    block = _block(width, depth, 1, write=False)
    return block if style == "block" or block.cost < logic.cost else logic


@functools.lru_cache(maxsize=65536)
def ram(width: int, depth: int, style: Style, *, one_address: bool = False, synchronous: bool = True) -> Memory:
    """Choose for a memory with one write and one read port.

    Args:
        width, depth: bits of a word, words.
        style: what the RTL asks for.
        one_address: both ports have the same address.
        synchronous: the read data is registered, as block RAM needs it.
    """
    distributed = _distributed(width, depth, one_address)
    if style == "distributed":
        return distributed
    choices = [Memory("logic", cost=float(width * depth)), distributed]
    if synchronous:
        choices.append(_block(width, depth, 1, write=True))
    return min(choices, key=lambda memory: memory.cost)


def _block(width: int, depth: int, n_ports: int, *, write: bool) -> Memory:
    best = Memory("block", cost=float("inf"))
    for kind, cell_cost in _BLOCK_COSTS.items():
        for log2, cell_width in enumerate(_BLOCK_WIDTHS):
            if cell_width > (36 if kind == "bram18" else 72):
                continue
            banks = -(-depth // (1 << (_BLOCK_BITS[kind] - log2)))
            # With a write port, words are filled up to whole bytes of nine bits.
            filled = -(-width // min(9, cell_width)) * min(9, cell_width) if write else width
            cells = -(-banks * filled // cell_width)
            cost = cell_cost * cells + _MULTIPLEXED * (banks - 1) * width + _PORT * n_ports
            if write and banks > 1:
                cost += _MULTIPLEXED * banks
            if cost < best.cost:
                best = Memory("block", **{kind: cells}, banks=banks, cost=cost)
    return best


# Depth -> bits a group of four LUT sites holds: with one address for both ports, and with two.
_SINGLE = ((32, 8), (64, 4), (128, 2), (256, 1))
_DUAL = ((32, 6), (64, 3))


def _distributed(width: int, depth: int, one_address: bool) -> Memory:
    best = Memory("distributed", cost=float("inf"))
    for words, bits in _SINGLE if one_address else _DUAL:
        banks = -(-depth // words)
        cells = banks * -(-width // bits)  # words are filled up to whole cells
        cost = 8.0 * cells if one_address else cells + 7.0 * banks * width / bits
        cost += _MULTIPLEXED * ((banks - 1) * width + (banks if banks > 1 else 0)) + (0 if one_address else _PORT)
        if cost < best.cost:
            best = Memory("distributed", lutram=_LUT_GROUP * cells, banks=banks, cost=cost)
    return best
