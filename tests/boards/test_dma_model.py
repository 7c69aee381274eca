# SPDX-License-Identifier: Apache-2.0
"""The DMA of the simulated board alone: what PG021 says of the registers of an AXI DMA 7.1 in simple mode."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qnn_hw.simulation.board.dma import (
    ADDRESS,
    CONTROL,
    DECODE_ERROR,
    DONE,
    ERROR_INTERRUPT,
    HALTED,
    IDLE,
    INTERNAL_ERROR,
    LENGTH,
    RECEIVE,
    RESET,
    RUN,
    SLAVE_ERROR,
    STATUS,
    AxiDma,
)
from qnn_hw.simulation.board.faults import Faults
from qnn_hw.simulation.board.memory import ForeignMemory, Memory

WIDTH = 8
"""Bytes of a beat."""
MEMORY_SIZE = 16 << 20
RECEIVED = RECEIVE + LENGTH
RESET_WORD = 0x0001_0002
"""DMACR after a reset."""


class Wire:
    """An accelerator that hands every beat on as it came, TLAST included; a beat a cycle."""

    def __init__(self) -> None:
        self.cycles = 0
        self.frozen = False
        self.dropped = self.early = 0
        self.silent = False
        self.stop()

    def mm2s(self, memory: np.ndarray, nbytes: int, limit: int | None = None) -> None:
        self.source, self.position, self.left = memory, 0, nbytes
        self.broken_at = 0 if limit is None else nbytes - limit

    def s2mm(self, memory: np.ndarray, capacity: int) -> None:
        self.sink, self.capacity, self.count, self.state = memory, capacity, 0, "running"

    def advance(self, cycles: int) -> None:
        for _ in range(cycles):
            sending = self.left > self.broken_at
            if (not sending and self.state != "running") or self.frozen:
                return
            self.cycles += 1
            if not sending or self.state != "running":
                continue  # nothing is sent, or nobody takes it
            n = min(WIDTH, self.left)
            beat = self.source[self.position : self.position + n]
            self.position += n
            self.left -= n
            self._take(beat, last=not self.left)

    def _take(self, beat: np.ndarray, last: bool) -> None:
        room = self.capacity - self.count
        self.sink[self.count : self.count + min(room, beat.size)] = beat[:room]
        self.count += min(room, beat.size)
        if last and self.dropped:
            self.dropped, last = self.dropped - 1, False
        elif self.early:
            self.early, last = self.early - 1, True
        if beat.size > room or (self.count == self.capacity and not last and not self.silent):
            self.state = "overflow"
        elif last:
            self.state = "ended"

    def mm2s_left(self) -> int:
        return self.left

    def s2mm_received(self) -> int:
        return self.count

    def s2mm_state(self) -> str:
        return self.state

    def stop(self) -> None:
        self.left, self.broken_at, self.state, self.count = 0, 0, "idle", 0
        self.silent = False

    def drop_tlast(self, count: int, *, silent: bool = False) -> None:
        self.dropped, self.silent = count, silent

    def early_tlast(self, count: int) -> None:
        self.early = count

    def freeze(self, frozen: bool) -> None:
        self.frozen = frozen


class Board:
    """A DMA with its memory, and the steps of PG021's programming sequence."""

    def __init__(self, length_bits: int = 26) -> None:
        self.wire, self.memory, self.faults = Wire(), Memory(0, MEMORY_SIZE), Faults()
        self.dma = AxiDma(self.wire, self.memory, self.faults, WIDTH * 8, length_bits)

    def run(self) -> None:
        for channel in (0, RECEIVE):
            self.dma.write(channel + CONTROL, RUN)

    def transfer(self, channel: int, address: int, nbytes: int) -> None:
        self.dma.write(channel + ADDRESS, address)
        self.dma.write(channel + LENGTH, nbytes)

    def status(self, channel: int, polls: int = 50) -> int:
        """Status once the channel is idle or halted, else after so many polls."""
        for _ in range(polls):
            word = self.dma.read(channel + STATUS)
            if word & (IDLE | HALTED):
                break
        return word

    def reset(self) -> None:
        self.dma.write(CONTROL, RESET)
        while self.dma.read(CONTROL) & RESET:
            pass


@pytest.fixture
def board() -> Board:
    made = Board()
    made.run()
    return made


def filled(board: Board, nbytes: int, seed: int = 1) -> tuple[int, int, np.ndarray]:
    """Addresses of a buffer to send with random content and of one to receive, and the content."""
    source, sink = board.memory.allocate(nbytes), board.memory.allocate(nbytes)
    content = np.random.default_rng(seed).integers(0, 256, nbytes, np.uint8)
    board.memory.view(source, nbytes)[:] = content
    return source, sink, content


@pytest.mark.parametrize("channel", [0, RECEIVE], ids=["send", "receive"])
def test_after_power_up_a_channel_is_halted_and_not_idle(channel: int) -> None:
    dma = Board().dma
    assert dma.read(channel + STATUS) == HALTED
    assert dma.read(channel + CONTROL) == RESET_WORD
    assert dma.read(channel + LENGTH) == dma.read(channel + ADDRESS) == 0


@pytest.mark.parametrize("channel", [0, RECEIVE], ids=["send", "receive"])
def test_a_started_channel_is_neither_halted_nor_idle_before_its_first_transfer(channel: int) -> None:
    dma = Board().dma
    dma.write(channel + CONTROL, RUN)
    assert dma.read(channel + STATUS) == 0
    assert dma.read(channel + CONTROL) & RUN


def test_a_transfer_ends_idle_with_the_bytes_received(board: Board) -> None:
    source, sink, content = filled(board, 4096)
    board.transfer(RECEIVE, sink, 4096)
    board.transfer(0, source, 1000)
    assert board.status(0) == IDLE | DONE
    assert board.status(RECEIVE) == IDLE | DONE
    assert board.dma.read(RECEIVED) == 1000
    assert np.array_equal(board.memory.view(sink, 1000), content[:1000])


@settings(deadline=None)
@given(sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=6), room=st.integers(0, 64))
def test_transfers_of_any_size_one_after_the_other(sizes: list[int], room: int) -> None:
    board = Board()
    board.run()
    for i, size in enumerate(sizes):
        source, sink, content = filled(board, size + room, seed=i)
        board.transfer(RECEIVE, sink, size + room)
        board.transfer(0, source, size)
        assert board.status(0) & (IDLE | HALTED) == board.status(RECEIVE) & (IDLE | HALTED) == IDLE, (i, size, room)
        assert board.dma.read(RECEIVED) == size
        assert np.array_equal(board.memory.view(sink, size), content[:size]), (i, size, room)


def test_interrupt_bits_are_cleared_by_writing_ones(board: Board) -> None:
    source, sink, _ = filled(board, 64)
    board.transfer(RECEIVE, sink, 64)
    board.transfer(0, source, 64)
    assert board.status(RECEIVE) & DONE
    board.dma.write(RECEIVE + STATUS, 0)
    assert board.status(RECEIVE) & DONE
    board.dma.write(RECEIVE + STATUS, DONE)
    assert board.status(RECEIVE) == IDLE


@pytest.mark.parametrize("channel", [0, RECEIVE], ids=["send", "receive"])
def test_a_length_written_to_a_halted_channel_has_no_effect(channel: int) -> None:
    board = Board()
    source, _, _ = filled(board, 64)
    board.transfer(channel, source, 64)
    assert board.status(channel, polls=3) == HALTED
    assert not board.dma.busy
    board.run()
    assert board.status(channel, polls=3) == 0, "the length from before must not start a transfer now"


@pytest.mark.parametrize("length", [0, 1 << 26], ids=["zero", "zero-in-26-bits"])
def test_a_length_of_zero_starts_nothing(board: Board, length: int) -> None:
    source, _, _ = filled(board, 64)
    board.transfer(0, source, length)
    assert board.status(0, polls=3) == 0


def test_a_length_register_of_14_bits_drops_the_higher_ones() -> None:
    board = Board(length_bits=14)
    board.run()
    source, sink, _ = filled(board, 32768)
    board.transfer(RECEIVE, sink, 16383)
    board.transfer(0, source, 16384 + 128)
    assert board.status(RECEIVE) & IDLE
    assert board.dma.read(RECEIVED) == 128


def test_a_packet_longer_than_the_buffer_is_an_internal_error_that_halts_the_receive_channel(board: Board) -> None:
    source, sink, content = filled(board, 4096)
    board.transfer(RECEIVE, sink, 512)
    board.transfer(0, source, 520)
    assert board.status(RECEIVE) == HALTED | INTERNAL_ERROR | DONE | ERROR_INTERRUPT  # 0x5011, seen on boards
    assert board.dma.read(RECEIVE + CONTROL) == RESET_WORD, "RS is cleared"
    assert np.array_equal(board.memory.view(sink, 512), content[:512])


@pytest.mark.parametrize("channel", [0, RECEIVE], ids=["send", "receive"])
def test_an_address_without_memory_is_a_decode_error(board: Board, channel: int) -> None:
    board.transfer(channel, MEMORY_SIZE, 64)
    expected = HALTED | DECODE_ERROR | ERROR_INTERRUPT | (INTERNAL_ERROR if channel else 0)
    assert board.status(channel) == expected


@pytest.mark.parametrize(("nbytes", "passed"), [(4096, 128), (136, 128), (128, 120), (12, 8), (8, 0), (3, 0)])
def test_a_slave_error_halts_the_channel_behind_its_first_burst(board: Board, nbytes: int, passed: int) -> None:
    source, sink, content = filled(board, 4096)
    board.memory.view(sink, 4096)[:] = 0
    board.transfer(RECEIVE, sink, 4096)
    board.faults.inject("slave_error")
    board.transfer(0, source, nbytes)
    assert board.status(0) == HALTED | SLAVE_ERROR | ERROR_INTERRUPT
    assert board.status(RECEIVE, polls=3) == 0, "the packet has not ended"
    received = board.memory.view(sink, 4096)
    assert np.array_equal(received[:passed], content[:passed]) and not received[passed:].any()
    board.reset()
    board.run()
    board.transfer(RECEIVE, sink, 64)
    board.transfer(0, source, 64)
    assert board.status(0) == board.status(RECEIVE) == IDLE | DONE
    assert np.array_equal(board.memory.view(sink, 64), content[:64])


def test_a_slave_error_is_reported_where_nothing_takes_the_first_burst(board: Board) -> None:
    source, _, _ = filled(board, 4096)
    board.faults.inject("slave_error")
    board.transfer(0, source, 4096)
    assert board.status(0, polls=2) == HALTED | SLAVE_ERROR | ERROR_INTERRUPT


def test_an_error_stays_until_a_reset(board: Board) -> None:
    source, sink, _ = filled(board, 64)
    board.transfer(0, MEMORY_SIZE, 64)
    for word in (RUN, 0, RUN):
        board.dma.write(CONTROL, word)
    board.dma.write(STATUS, 0xFFFF_FFFF)
    assert board.status(0) == HALTED | DECODE_ERROR
    assert not board.dma.read(CONTROL) & RUN
    board.reset()
    board.run()
    board.transfer(RECEIVE, sink, 64)
    board.transfer(0, source, 64)
    assert board.status(RECEIVE) == IDLE | DONE


@pytest.mark.parametrize("channel", [0, RECEIVE], ids=["send", "receive"])
def test_a_reset_of_one_channel_resets_both(board: Board, channel: int) -> None:
    _, sink, _ = filled(board, 64)
    board.transfer(RECEIVE, sink, 64)
    board.dma.write(channel + CONTROL, RESET)
    while board.dma.read(channel + CONTROL) & RESET:
        pass
    for other in (0, RECEIVE):
        assert board.dma.read(other + STATUS) == HALTED
        assert board.dma.read(other + CONTROL) == RESET_WORD
        assert board.dma.read(other + LENGTH) == 0
    assert board.wire.state == "idle"


def test_a_second_reset_stops_the_channel_started_in_between(board: Board) -> None:
    board.reset()
    board.dma.write(CONTROL, RUN)
    board.dma.write(RECEIVE + CONTROL, RESET)
    while board.dma.read(RECEIVE + CONTROL) & RESET:
        pass
    assert board.status(0) == HALTED


def test_a_reset_takes_a_while_and_loses_writes_meanwhile(board: Board) -> None:
    board.dma.write(CONTROL, RESET)
    board.dma.write(CONTROL, RUN)
    assert board.status(0) == HALTED


def test_a_stopped_channel_ends_its_transfer_first(board: Board) -> None:
    source, sink, _ = filled(board, 64)
    board.transfer(RECEIVE, sink, 64)
    board.dma.write(RECEIVE + CONTROL, 0)
    assert board.status(RECEIVE, polls=3) == 0, "it still waits for its packet"
    board.transfer(0, source, 64)
    assert board.status(RECEIVE) == HALTED | DONE
    board.dma.write(CONTROL, 0)
    assert board.status(0) == HALTED | DONE


def test_a_length_written_during_a_transfer_is_lost(board: Board) -> None:
    source, sink, content = filled(board, 128)
    board.transfer(RECEIVE, sink, 128)
    board.dma.write(RECEIVED, 8)
    board.transfer(0, source, 128)
    assert board.status(RECEIVE) == IDLE | DONE
    assert np.array_equal(board.memory.view(sink, 128), content)


def test_without_realignment_an_unaligned_address_moves_other_bytes_without_any_error(board: Board) -> None:
    source, sink, content = filled(board, 64)
    board.transfer(RECEIVE, sink, 32)
    board.transfer(0, source + 12, 32)
    assert board.status(0) == board.status(RECEIVE) == IDLE | DONE
    assert np.array_equal(board.memory.view(sink, 32), content[8:40])


def test_there_is_no_high_address_word(board: Board) -> None:
    for offset in (0x1C, RECEIVE + 0x1C):
        board.dma.write(offset, 1)
        assert board.dma.read(offset) == 0


def test_a_packet_without_tlast_that_leaves_room_never_ends(board: Board) -> None:
    source, sink, _ = filled(board, 128)
    board.faults.inject("missing_tlast")
    board.transfer(RECEIVE, sink, 128)
    board.transfer(0, source, 64)
    assert board.status(0) == IDLE | DONE
    assert board.status(RECEIVE, polls=5) == 0


def test_a_full_buffer_without_tlast_is_an_internal_error(board: Board) -> None:
    source, sink, _ = filled(board, 64)
    board.faults.inject("missing_tlast")
    board.transfer(RECEIVE, sink, 64)
    board.transfer(0, source, 64)
    assert board.status(0) == IDLE | DONE
    assert board.status(RECEIVE) == HALTED | INTERNAL_ERROR | DONE | ERROR_INTERRUPT


def test_a_full_buffer_without_tlast_may_wait_for_one_more_beat(board: Board) -> None:
    source, sink, content = filled(board, 64)
    board.faults.inject("missing_tlast_silent")
    board.transfer(RECEIVE, sink, 64)
    board.transfer(0, source, 64)
    assert board.status(0) == IDLE | DONE
    assert board.status(RECEIVE, polls=5) == 0, "neither idle nor an error"
    assert np.array_equal(board.memory.view(sink, 64), content)
    board.transfer(0, source, 8)
    assert board.status(RECEIVE) == HALTED | INTERNAL_ERROR | DONE | ERROR_INTERRUPT
    assert np.array_equal(board.memory.view(sink, 64), content)


def test_an_early_tlast_ends_the_receive_channel_while_the_other_still_sends(board: Board) -> None:
    source, sink, _ = filled(board, 4096)
    board.faults.inject("early_tlast")
    board.transfer(RECEIVE, sink, 4096)
    board.transfer(0, source, 4096)
    assert board.status(RECEIVE) == IDLE | DONE
    assert board.dma.read(RECEIVED) == WIDTH
    assert board.status(0, polls=5) == 0


def test_time_passes_with_accesses_alone(board: Board) -> None:
    source, sink, _ = filled(board, 64)
    board.transfer(RECEIVE, sink, 64)
    before = board.wire.cycles
    board.dma.read(STATUS)
    assert 0 < board.wire.cycles - before < 100, "the send channel has nothing under way: no long poll"
    board.transfer(0, source, 64)
    board.dma.read(RECEIVE + STATUS)
    assert board.status(RECEIVE, polls=1) == IDLE | DONE


def test_memory_of_no_buffer_stops_the_program(board: Board) -> None:
    source, _, _ = filled(board, 4096)
    with pytest.raises(ForeignMemory, match="lie in no buffer"):
        board.transfer(0, source, 1 << 20)


def test_memory_runs_out_as_cma_does() -> None:
    memory = Memory(0, MEMORY_SIZE)
    buffers = [memory.allocate(4 << 20) for _ in range(4)]
    assert all(address % 4096 == 0 for address in buffers)
    with pytest.raises(RuntimeError, match=r"cannot allocate 1 bytes: 0 of 16777216 bytes of CMA are free"):
        memory.allocate(1)
    memory.free(buffers[1])
    assert memory.allocate(4 << 20) == buffers[1]
    assert memory.used == MEMORY_SIZE


def test_a_fresh_buffer_is_not_zero() -> None:
    memory = Memory(0, MEMORY_SIZE)
    assert memory.view(memory.allocate(100), 100).all()


def test_an_unknown_fault_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="fault 'fire' is unknown, known are short_receive_buffer, missing_tlast"):
        Faults([{"kind": "fire"}])


def test_a_planned_fault_happens_once_at_its_transfer() -> None:
    faults = Faults([{"kind": "slave_error", "transfer": 2}])
    assert [faults.take("slave_error", n) for n in (1, 2, 2, 3)] == [False, True, False, False]
    assert faults.fired == ["slave_error"]
