# SPDX-License-Identifier: Apache-2.0
"""The registers of an AXI DMA 7.1 in simple ("direct register") mode, after AMD's PG021.

    0x00 / 0x30   DMACR    bit 0 RS (run), bit 1 reads 1, bit 2 Reset, bits 12-14 interrupt enables, 16-23 threshold 1
    0x04 / 0x34   DMASR    bit 0 Halted, bit 1 Idle, errors bit 4 DMAIntErr, 5 DMASlvErr, 6 DMADecErr,
                           interrupts (write 1 to clear) bit 12 IOC_Irq, 14 Err_Irq
    0x18 / 0x48   address, low word; the high word (0x1C / 0x4C) is not there: the DMA has 32 address bits
    0x28 / 0x58   LENGTH   writing starts a transfer; of the receive channel: afterwards the bytes received

First column MM2S (memory to stream, send), second S2MM (stream to memory, receive). Read in PG021, and kept here:

- Halted after reset. RS = 1 starts the channel: Halted 0, and Idle stays 0 until a first transfer has ended.
- A length written to a halted channel has no effect; neither has 0, nor a length written during a transfer.
- An error halts the channel, clears RS and stays until a reset. DMAIntErr exists on the receive channel alone: the
  packet is longer than the buffer, or a write to memory failed (then beside DMASlvErr or DMADecErr).
- A reset of one channel resets both, takes a while and clears itself. Writes meanwhile are lost.
- Without realignment engine an address must be a multiple of the data width; else the result is undefined. Here the low
  address bits are dropped, so that the program gets wrong data without any error: the worst a board might do.

- RS = 0 stops the channel when the transfer under way has ended; one that never ends is stopped by a reset alone.

Where PG021 is silent: the status after a packet that is too long is Halted, DMAIntErr, IOC_Irq and Err_Irq (0x5011), as
boards report it. A packet that fills the buffer and has no TLAST by then counts as too long at once (`missing_tlast`)
or when one more beat comes (`missing_tlast_silent`): programs that wait for ever are what users report more often.
"""

from __future__ import annotations

from typing import Protocol

from .faults import Faults
from .memory import Bytes, Memory, NoAnswer

CONTROL, STATUS, ADDRESS, LENGTH = 0x00, 0x04, 0x18, 0x28
RECEIVE = 0x30
"""Offset of the receive channel's registers."""
RUN, RESET = 0x1, 0x4
HALTED, IDLE = 0x1, 0x2
INTERNAL_ERROR, SLAVE_ERROR, DECODE_ERROR = 0x10, 0x20, 0x40
ERRORS = INTERNAL_ERROR | SLAVE_ERROR | DECODE_ERROR
DONE, ERROR_INTERRUPT = 0x1000, 0x4000
_INTERRUPTS = 0x7000
_CONTROL_DEFAULT = 0x0001_0002
_CONTROL_WRITABLE = 0xFF00_7009
_THRESHOLD = 0x00FF_0000

ACCESS_CYCLES = 24
"""Clock cycles of one register access: about what a Zynq's general-purpose port takes at 100 MHz."""
POLL_CYCLES = 20_000
"""Clock cycles that pass at most when a program polls a transfer that is under way: fewer, longer polls."""
BURST_BEATS = 16
"""Beats that the send channel has read when memory answers with an error; fewer of a shorter transfer, never all."""
_RESET_ACCESSES = 2
"""Accesses that still find the DMA in reset."""


class Accelerator(Protocol):
    """What moves the beats: see `rtl.py`."""

    def mm2s(self, memory: Bytes, nbytes: int, limit: int | None = None) -> None:
        """Begin to send `nbytes` bytes of `memory`, and break off after `limit` of them."""

    def s2mm(self, memory: Bytes, capacity: int) -> None:
        """Begin to receive up to `capacity` bytes into `memory`."""

    def advance(self, cycles: int) -> object:
        """Let clock cycles pass, up to `cycles`; fewer when nothing is under way."""

    def mm2s_left(self) -> int:
        """Return the bytes not sent yet."""

    def s2mm_received(self) -> int:
        """Return the bytes received."""

    def s2mm_state(self) -> str:
        """Return idle, running, ended or overflow."""

    def stop(self) -> None:
        """Drop both transfers."""

    def drop_tlast(self, count: int, *, silent: bool = False) -> None:
        """Let the next `count` packets come without TLAST; `silent`: a full buffer waits for one more beat."""

    def early_tlast(self, count: int) -> None:
        """Let the next `count` beats come with TLAST."""

    def freeze(self, frozen: bool) -> None:
        """Hold the accelerator's streams still, or let them go on."""


class Channel:
    """Registers of one channel."""

    def __init__(self) -> None:
        self.control = _CONTROL_DEFAULT
        self.status = HALTED
        self.address = 0
        self.length = 0
        self.under_way = False

    def fail(self, error: int) -> None:
        """Halt with an error."""
        self.status = (self.status & ~IDLE & 0xFFFF_FFFF) | HALTED | ERROR_INTERRUPT | error
        self.control &= ~RUN
        self.under_way = False

    def finish(self) -> None:
        """End a transfer as it should."""
        self.status |= DONE | (IDLE if self.control & RUN else HALTED)
        self.under_way = False

    def write_control(self, value: int) -> None:
        """Take DMACR but for its Reset bit."""
        threshold = value & _THRESHOLD or self.control & _THRESHOLD  # writing 0 there has no effect
        self.control = (value & _CONTROL_WRITABLE) | threshold | 0x2
        if self.status & ERRORS:
            self.control &= ~RUN
        elif not value & RUN and not self.under_way:
            self.status = (self.status & ~IDLE) | HALTED
        elif value & RUN and self.status & HALTED:
            self.status &= ~(HALTED | IDLE)


class AxiDma:
    """The two channels between `memory` and the accelerator.

    Simulated time passes with register accesses alone: `ACCESS_CYCLES` each, up to `POLL_CYCLES` when the status of a
    channel is read while it transfers.

    Args:
        accelerator: moves the beats.
        memory: what addresses stand for.
        faults: what is to go wrong.
        width_bits: of the streams and of the memory ports.
        length_bits: bits of the LENGTH registers (c_sg_length_width).
        sent: transfers before this one was loaded: the count that faults are planned by goes on.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        memory: Memory,
        faults: Faults,
        width_bits: int,
        length_bits: int = 26,
        sent: int = 0,
    ) -> None:
        self.sent = sent
        self._accelerator = accelerator
        self._memory = memory
        self._faults = faults
        self._width = width_bits // 8
        self._length_mask = (1 << length_bits) - 1
        self._send = Channel()
        self._receive = Channel()
        self._in_reset = 0
        self._slave_error = False  # stands before the send channel's transfer under way

    def read(self, offset: int) -> int:
        """Return the register at byte `offset`; 0 where there is none."""
        channel, register = self._find(offset)
        self._pass_time(POLL_CYCLES if register == STATUS and channel.under_way else ACCESS_CYCLES)
        if register == CONTROL:
            return channel.control | (RESET if self._in_reset else 0)
        if register == STATUS:
            return channel.status
        if register == ADDRESS:
            return channel.address
        return channel.length if register == LENGTH else 0

    def write(self, offset: int, value: int) -> None:
        """Write the register at byte `offset`."""
        self._pass_time(ACCESS_CYCLES)
        channel, register = self._find(offset)
        if self._in_reset:
            return
        if register == CONTROL and value & RESET:
            self._accelerator.stop()
            self._send, self._receive, self._slave_error = Channel(), Channel(), False
            self._in_reset = _RESET_ACCESSES
        elif register == CONTROL:
            channel.write_control(value)
        elif register == STATUS:
            channel.status &= ~(value & _INTERRUPTS)
        elif register == ADDRESS:
            channel.address = value & 0xFFFF_FFFF
        elif register == LENGTH:
            self._start(channel, value & self._length_mask)

    @property
    def busy(self) -> bool:
        """Whether a channel transfers."""
        return self._send.under_way or self._receive.under_way

    def _find(self, offset: int) -> tuple[Channel, int]:
        return (self._receive, offset - RECEIVE) if offset >= RECEIVE else (self._send, offset)

    def _pass_time(self, cycles: int) -> None:
        self._in_reset = max(0, self._in_reset - 1)
        self._accelerator.advance(cycles)
        if self._slave_error:
            self._slave_error = False
            self._send.fail(SLAVE_ERROR)
        elif self._send.under_way and self._accelerator.mm2s_left() == 0:
            self._send.finish()
        if self._receive.under_way:
            state = self._accelerator.s2mm_state()
            if state in ("ended", "overflow"):
                self._receive.length = self._accelerator.s2mm_received()
            if state == "ended":
                self._receive.finish()
            elif state == "overflow":
                self._receive.fail(INTERNAL_ERROR | DONE)

    def _start(self, channel: Channel, length: int) -> None:
        channel.length = length
        if channel is self._send:
            self.sent += 1
            if self._faults.take("halted_channel", self.sent):
                channel.write_control(0)
        if channel.status & HALTED or channel.under_way or length == 0:
            return
        try:
            view = self._memory.view(channel.address - channel.address % self._width, length)
        except NoAnswer:
            channel.fail(DECODE_ERROR | (0 if channel is self._send else INTERNAL_ERROR))
            return
        channel.status &= ~IDLE
        channel.under_way = True
        if channel is self._send:
            if self._faults.take("never_answers", self.sent):
                self._accelerator.freeze(True)
            if self._faults.take("missing_tlast", self.sent):
                self._accelerator.drop_tlast(1)
            if self._faults.take("missing_tlast_silent", self.sent):
                self._accelerator.drop_tlast(1, silent=True)
            if self._faults.take("early_tlast", self.sent):
                self._accelerator.early_tlast(1)
            self._slave_error = self._faults.take("slave_error", self.sent)
            burst = min(BURST_BEATS, (length - 1) // self._width) * self._width
            self._accelerator.mm2s(view, length, burst if self._slave_error else None)
        else:
            short = self._faults.take("short_receive_buffer", self.sent + 1)
            self._accelerator.s2mm(view, max(1, length // 2) if short else length)
