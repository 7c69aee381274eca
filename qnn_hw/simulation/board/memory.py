# SPDX-License-Identifier: Apache-2.0
"""The board's memory as the DMA sees it: an array of its own, apart from what the program sees through its caches.

A buffer of the program has its own copy. `flush` carries that to memory, `invalidate` carries memory to it; a program
that forgets one of them works with old data here as it does on a board.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]

PAGE = 4096
"""Bytes; every buffer starts on a page."""
RESERVED = 128 << 20
"""Bytes for buffers: the contiguous memory (CMA) that PYNQ's images reserve."""
SMALLEST = 8192
"""Bytes a buffer takes at least, as in pynq 3.1 and later."""
STALE = 0xA5
"""What a byte holds that nothing was written to. Not 0, since a forgotten flush would then look like an empty image."""
_RESERVED_END = 0x4000_0000
"""Buffers lie below 1 GiB, or below the end of a smaller memory, as the kernel places them."""


class NoAnswer(Exception):
    """Nothing answers at this address: the interconnect's decode error."""


class ForeignMemory(Exception):
    """Memory that belongs to no buffer: on a board the DMA would read or overwrite other programs' data unnoticed."""


class Memory:
    """`size` bytes of DDR from address `base`, and the buffers in it."""

    def __init__(self, base: int, size: int) -> None:
        self.base = base
        self.size = size
        end = min(base + size, _RESERVED_END)
        self._first = end - min(RESERVED, end - base)
        self._bytes = np.empty(end - self._first, np.uint8)
        self._taken: dict[int, int] = {}

    def allocate(self, nbytes: int) -> int:
        """Return the address of a new buffer of `nbytes` bytes. Raises RuntimeError when none is free."""
        wanted = max(nbytes, SMALLEST)
        wanted += -wanted % PAGE
        address = self._first
        for taken in sorted(self._taken):
            if taken - address >= wanted:
                break
            address = taken + self._taken[taken]
        if address + wanted > self._first + self._bytes.size:
            free = self._bytes.size - sum(self._taken.values())
            raise RuntimeError(f"cannot allocate {nbytes} bytes: {free} of {self._bytes.size} bytes of CMA are free")
        self._taken[address] = wanted
        self._bytes[address - self._first :][:wanted] = STALE
        return address

    def free(self, address: int) -> None:
        """Give back the buffer at `address`."""
        del self._taken[address]

    @property
    def used(self) -> int:
        """Bytes taken by buffers."""
        return sum(self._taken.values())

    def view(self, address: int, nbytes: int) -> Bytes:
        """Return `nbytes` bytes from `address` as they lie in memory (uint8, shared).

        Raises:
            NoAnswer: not within the memory.
            ForeignMemory: within it, but not within one buffer.
        """
        if not (self.base <= address and address + nbytes <= self.base + self.size):
            raise NoAnswer(f"no memory at 0x{address:08x}, {nbytes} bytes")
        for start, length in self._taken.items():
            if start <= address and address + nbytes <= start + length:
                return self._bytes[address - self._first :][:nbytes]
        raise ForeignMemory(
            f"simulated board: the DMA was sent to 0x{address:08x}, {nbytes} bytes, which lie in no buffer; on a board "
            "it would read or overwrite memory of other programs, give it an address and a length within one buffer"
        )
