# SPDX-License-Identifier: Apache-2.0
"""Buffers of the simulated board: pynq's `PynqBuffer` with an address in the board's memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from pynq.buffer import PynqBuffer

from .memory import Bytes, Memory

_BESIDE = 4
"""Bytes by which the fault `unaligned_buffer` moves an address."""


class BufferObject:
    """The two sides of a buffer: `memory` as the DMA sees it, `copy` as the program does (uint8)."""

    def __init__(self, memory: Bytes, copy: Bytes) -> None:
        self.memory = memory
        self.copy = copy


class SimulatedBuffer(PynqBuffer):
    """A buffer of the board's memory; freed by `freebuffer`, by a `with` block, or with its last reference."""

    @classmethod
    def made(cls, device: Any, shape: Any, dtype: np.dtype[Any], cached: bool) -> SimulatedBuffer:
        """Return a new buffer. Raises RuntimeError when the memory is exhausted."""
        nbytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        address = device.memory.allocate(nbytes)
        memory = device.memory.view(address, nbytes)
        # What a fresh buffer holds is left over from before, in memory and in the caches alike.
        copy = memory.copy() if cached else memory
        made = cls(
            shape,
            dtype,
            buffer=copy.data,
            device=device,
            device_address=address,
            bo=BufferObject(memory, copy),
            coherent=not cached,
        )
        made._owned = device.memory
        return made

    _owned: Memory | None = None

    @property
    def physical_address(self) -> int:
        """Address of the buffer on the memory bus."""
        if self.device is not None and self.device.faults.take("unaligned_buffer", self.device.transfers + 1):
            return int(self.device_address) + _BESIDE
        return int(self.device_address)

    def freebuffer(self) -> None:
        """Give the memory back; views of the buffer must not be used for transfers afterwards."""
        memory, self._owned = self._owned, None
        if memory is not None:
            memory.free(self.device_address)
