# SPDX-License-Identifier: Apache-2.0
"""What the driver does on the simulated board, as a program in the environment with pynq: no pytest, no package.

    python driver_checks.py FOLDER ANSWER.json

FOLDER is a board folder as deployed. ANSWER.json gets, for each function `check_...` below, null or what went wrong.
"""

import dataclasses
import importlib.util
import json
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from types import SimpleNamespace

import numpy as np

FOLDER = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()
A_TRANSFER = 7
"""Frames a transfer in most checks: batches of other sizes leave a rest."""


def load_driver():
    specification = importlib.util.spec_from_file_location("qnn_driver", FOLDER / "qnn_driver.py")
    module = importlib.util.module_from_spec(specification)
    sys.modules["qnn_driver"] = module
    specification.loader.exec_module(module)
    return module


def device():
    import pynq

    return pynq.Device.active_device


def equal(got, want, what):
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, f"{what}: shape {got.shape}, expected {want.shape}"
    assert got.dtype == want.dtype, f"{what}: type {got.dtype}, expected {want.dtype}"
    wrong = np.argwhere(got != want)
    assert not len(wrong), (
        f"{what}: {len(wrong)} of {want.size} differ, first at {wrong[0].tolist()}: {got[tuple(wrong[0])]}, "
        f"expected {want[tuple(wrong[0])]}"
    )


def raised(kind, call):
    """Call, and return the error of exactly `kind` that it ends in."""
    try:
        call()
    except BaseException as error:
        assert type(error) is kind, f"{type(error).__name__} instead of {kind.__name__}: {error}"
        return error
    raise AssertionError(f"no {kind.__name__}")


def expected_classes(driver, acc, words):
    return driver.classes_of(words, acc.facts["n_classes"], driver.scores_of(acc.facts))


def check_batches_of_any_size(driver, acc, raw, words):
    for count in (0, 1, 2, A_TRANSFER - 1, A_TRANSFER, A_TRANSFER + 1, 2 * A_TRANSFER, 3 * A_TRANSFER + 1, len(raw)):
        before = device().transfers
        equal(acc.results(raw[:count]), words[:count], f"{count} frames")
        wanted = -(-count // A_TRANSFER)
        assert device().transfers - before == wanted, f"{count} frames took {device().transfers - before} transfers"


def check_more_frames_than_the_accelerator_holds(driver, acc, raw, words):
    # 64 frames fit into the shell; what comes after waits.
    order = np.arange(200) % len(raw)
    with driver.Accelerator(FOLDER) as whole:
        before = device().transfers
        equal(whole.results(raw[order]), words[order], "200 frames in one transfer")
        assert device().transfers == before + 1


def check_one_sample_alone(driver, acc, raw, words):
    equal(acc.results(raw[3]), words[3:4], "one sample")
    equal(acc.predict(raw[3]), acc.predict(raw[3:4]), "one sample's class")
    assert acc.predict(raw[:0]).shape == (0,)


def check_classes_have_names(driver, acc, raw, words):
    equal(acc.predict(raw), expected_classes(driver, acc, words), "classes")
    if acc.facts["preprocessing"] is None:
        error = raised(driver.InputError, lambda: acc.classify(np.zeros((9, 9), np.uint8)))
        assert str(error) == "picture: this network takes samples of shape (70,), no pictures"
        return
    picture = np.random.default_rng(5).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    sample = driver.picture_to_sample(picture, 5, 4, 1)
    index, name = acc.classify(picture)
    assert (index, name) == (int(acc.predict(sample)[0]), acc.facts["class_names"][index])
    assert acc.predict(picture).tolist() == [index]
    inverted = acc.classify(picture, invert=True)
    assert inverted.class_index == int(acc.predict(255 - sample)[0])


def check_packing_overlaps_the_transfer(driver, acc, raw, words):
    log = []

    def noting(name, call):
        def noted(*arguments):
            log.append(name)
            return call(*arguments)

        return noted

    hardware = acc._hardware
    acc._pack = noting("pack", acc._pack)
    hardware.start, hardware.finish = noting("start", hardware.start), noting("finish", hardware.finish)
    equal(acc.results(raw[: 3 * A_TRANSFER]), words[: 3 * A_TRANSFER], "three transfers")
    expected = ["pack", "start", "pack", "finish", "start", "pack", "finish", "start", "finish"]
    assert log == expected, f"the order was {log}"


def check_receiver_is_armed_first(driver, acc, raw, words):
    log = []
    dma = acc._hardware._dma
    for name in ("sendchannel", "recvchannel"):
        channel = getattr(dma, name)

        def noted(*arguments, name=name, transfer=channel.transfer, **named):
            log.append((name, named["nbytes"]))
            return transfer(*arguments, **named)

        channel.transfer = noted
    acc.results(raw[:2])
    assert log == [
        ("recvchannel", 2 * acc.facts["frame_bytes_out"]),
        ("sendchannel", 2 * acc.facts["frame_bytes_in"]),
    ], f"transfers were {log}"


def check_interruption_recovers(driver, acc, raw, words):
    hardware = acc._hardware
    read = hardware._dma.read
    reads = []

    def interrupted(offset):
        reads.append(offset)
        if len(reads) == 3:
            raise KeyboardInterrupt
        return read(offset)

    hardware._dma.read = interrupted
    raised(KeyboardInterrupt, lambda: acc.results(raw))
    hardware._dma.read = read
    equal(acc.results(raw), words, "the batch after Ctrl-C")


def check_an_interrupted_recovery_is_made_good(driver, acc, raw, words):
    """Ctrl-C in a transfer, and once more at any register access of the recovery from it."""
    board = device()
    kept = {name: getattr(board, name) for name in ("read_registers", "write_registers")}

    def interrupted_at(first, later):
        accesses = []

        def counting(call):
            def counted(*arguments):
                accesses.append(arguments)
                if len(accesses) in (first, first + later):
                    raise KeyboardInterrupt
                return call(*arguments)

            return counted

        for name, call in kept.items():
            setattr(board, name, counting(call))
        try:
            raised(KeyboardInterrupt, lambda: acc.results(raw[:2]))
        finally:
            for name, call in kept.items():
                setattr(board, name, call)
        return len(accesses) == first + later

    times = 0
    for first in (4, 9, 15):  # before the receiver is armed, before the sender is, while both run
        later = 1
        while interrupted_at(first, later):
            equal(acc.results(raw[:3]), words[:3], f"after Ctrl-C at access {first} and {later} accesses later")
            later += 1
            times += 1
        equal(acc.results(raw[:3]), words[:3], f"after Ctrl-C at access {first}")
    assert times > 3 * 10, f"the recovery was interrupted {times} times"


def check_closing_that_is_interrupted_frees_nothing_in_use(driver, acc, raw, words):
    device().inject("never_answers")
    acc._pack(raw[:2], acc._send[0])
    acc._hardware.start(acc._send[0], acc._receive[0], 2)
    used = device().memory.used

    def interrupted():
        raise KeyboardInterrupt

    acc._hardware.recover = interrupted
    raised(KeyboardInterrupt, acc.close)
    assert device().memory.used == used, "buffers were freed that the DMA may still write to"
    for buffer in driver._abandoned:
        buffer.array.freebuffer()
    driver._abandoned.clear()


def check_threads_wait_for_each_other(driver, acc, raw, words):
    found, start = {}, threading.Barrier(4)

    def work(k):
        order = (np.arange(20) + 5 * k) % len(raw)
        start.wait()
        found[k] = [bool((acc.results(raw[order]) == words[order]).all()) for _ in range(5)]

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {k: [True] * 5 for k in range(4)}, f"right batches: {found}"


def check_a_failure_while_packing_recovers(driver, acc, raw, words):
    pack = acc._pack
    calls = []

    def failing(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            assert not acc._hardware.settled, "nothing is under way while the second transfer is packed"
            raise MemoryError("Unable to allocate 60. MiB")
        pack(*arguments)

    acc._pack = failing
    raised(MemoryError, lambda: acc.results(raw))
    acc._pack = pack
    equal(acc.results(raw), words, "the batch after it")


def check_a_slow_network_is_no_timeout(driver, acc, raw, words):
    """A frame takes longer than the time-out: what is predicted comes on top."""
    hardware = acc._hardware
    rates, read, register, real = hardware._rates, hardware._dma.read, hardware.register, driver.time
    seconds = [0]

    def later(offset):
        seconds[0] += 1
        return read(offset) if seconds[0] > 45 else 0

    def delivered(offset):
        return seconds[0] // 10 if offset == driver.FRAMES_OUT else register(offset)

    acc.recover()
    hardware.timeout_s, hardware._rates = 4, dataclasses.replace(rates, frame_s=10, first_s=10)
    try:
        acc._pack(raw[:5], acc._send[0])
        hardware.start(acc._send[0], acc._receive[0], 5)
        driver.time = SimpleNamespace(monotonic=lambda: seconds[0])
        hardware._dma.read, hardware.register = later, delivered
        hardware.finish(acc._receive[0])
    finally:
        driver.time, hardware._rates, hardware._dma.read, hardware.register = real, rates, read, register
    view = acc._receive[0].view[: 5 * acc.facts["frame_bytes_out"]].reshape(5, -1)
    equal(driver.unpack_words(view, words.shape[1]), words[:5], "five slow frames")


def check_a_signal_to_end_recovers(driver, acc, raw, words):
    """As the deployment sends it when its time is up, in the middle of a transfer; more of them during the recovery."""
    ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    hardware, board = acc._hardware, device()
    read, write = hardware._dma.read, board.write_registers
    kept = {number: signal.signal(number, signal.SIG_DFL) for number in ends}  # nohup has silenced one of them
    for number in ends:
        reads, writes = [], []

        def ended(offset, number=number, reads=reads):
            reads.append(offset)
            if len(reads) == 3:
                os.kill(os.getpid(), number)
            return read(offset)

        def ended_again(*arguments, reads=reads, writes=writes):
            if len(reads) >= 3:
                writes.append(arguments)
                for each in ends:
                    os.kill(os.getpid(), each)
            return write(*arguments)

        hardware._dma.read, board.write_registers = ended, ended_again
        try:
            with driver._stopped_in_order():
                error = raised(driver._Stopped, lambda: acc.results(raw))
        finally:
            hardware._dma.read, board.write_registers = read, write
        assert error.number == number and hardware.settled and writes, (error.number, number, writes)
        equal(acc.results(raw), words, f"the batch after {signal.Signals(number).name}")
    found = {number: signal.signal(number, handler) for number, handler in kept.items()}
    assert found == dict.fromkeys(ends, signal.SIG_DFL), "the handlers were not put back"


def check_a_failure_of_anything_else_recovers(driver, acc, raw, words):
    hardware = acc._hardware
    finish = hardware.finish

    def cut(buffer):
        hardware.finish = finish
        raise OSError("connection reset by peer")

    hardware.finish = cut
    error = raised(driver.BoardLost, lambda: acc.results(raw))
    assert "(OSError: connection reset by peer)" in str(error), error
    equal(acc.results(raw), words, "the batch after it")


def check_half_a_frame_is_named(driver, acc, raw, words):
    hardware = acc._hardware
    rates = hardware._rates
    hardware.timeout_s = 0.2
    beat = rates.beat_bytes
    if rates.bytes_in == beat:
        return  # a frame of one beat has no middle
    hardware._rates = dataclasses.replace(rates, bytes_in=2 * rates.bytes_in - beat)  # of one frame: one and a half
    error = raised(driver.TlastMidFrame, lambda: acc.results(raw[:1]))
    hardware._rates = rates
    assert "tlast_mid_frame" in str(error), error
    equal(acc.results(raw), words, "the batch after it")


def check_an_early_end_is_named(driver, acc, raw, words):
    hardware = acc._hardware
    start = hardware.start

    def optimistic(send, receive, frames):
        start(send, receive, frames)
        hardware._pending = frames + 1

    hardware.start = optimistic
    error = raised(driver.ReceiveIncomplete, lambda: acc.results(raw[:2]))
    hardware.start = start
    size = acc.facts["frame_bytes_out"]
    assert str(error).startswith(f"receive: {2 * size} of {3 * size} bytes came before TLAST; send status"), error
    equal(acc.results(raw), words, "the batch after it")


def check_an_early_end_is_named_while_the_sender_is_busy(driver, acc, raw, words):
    order = np.arange(400) % len(raw)
    with driver.Accelerator(FOLDER, timeout_s=1e6) as whole:  # whoever waits for the time-out waits for ever
        hardware = whole._hardware
        dma = hardware._dma
        read = dma.read
        polls = []

        def counted(offset):
            polls.append(offset)
            assert len(polls) < 1000, "the driver goes on polling a receiver that has ended"
            return read(offset)

        device().inject("early_tlast")
        dma.read = counted
        error = raised(driver.ReceiveIncomplete, lambda: whole.results(raw[order]))
        dma.read = read
        came, wanted = hardware._rates.beat_bytes, len(order) * whole.facts["frame_bytes_out"]
        begin = f"receive: {came} of {wanted} bytes came before TLAST; send status 0x00000000"
        assert str(error).startswith(begin), error
        equal(whole.results(raw[order]), words[order], "the batch after it")


def check_the_receiver_may_end_before_the_sender_is_idle(driver, acc, raw, words):
    dma = acc._hardware._dma
    read = dma.read
    polls = []

    def late(offset):
        word = read(offset)
        if offset == driver.SEND + driver.DMA_STATUS:
            polls.append(word)
            return word & ~driver.DMA_IDLE if len(polls) % 4 else word
        return word

    dma.read = late
    equal(acc.results(raw), words, "a sender that is seen idle late")
    dma.read = read
    assert len(polls) >= 8
    acc._hardware.timeout_s = 0.2
    dma.read = lambda offset: 0 if offset == driver.SEND + driver.DMA_STATUS else read(offset)
    raised(driver.TransferTimeout, lambda: acc.results(raw))  # the receiver got its TLAST: not TlastMissing
    dma.read = read
    equal(acc.results(raw), words, "the batch after it")


def check_results_without_tlast_time_out_as_such(driver, acc, raw, words):
    acc._hardware.timeout_s = 0.2
    device().inject("missing_tlast_silent")
    error = raised(driver.TlastMissing, lambda: acc.results(raw[:5]))
    assert str(error).startswith("receive: all results came, but no TLAST with the last one; send status"), error
    assert "receive status 0x00000000 (none), 5 of 5 frames accepted" in str(error), error
    equal(acc.results(raw), words, "the batch after it")


def check_a_process_that_was_stopped_keeps_its_results(driver, acc, raw, words):
    """Stopped for longer than the time-out, at any access of `finish`, while its transfer goes on and ends."""

    class Clock:
        now = 0.0

        def monotonic(self):
            return self.now

        def perf_counter(self):
            return self.now

    acc.recover()
    hardware, clock = acc._hardware, Clock()
    dma = hardware._dma
    read, real = dma.read, driver.time

    def stop():
        device().accelerator.freeze(False)
        clock.now += 1000

    stops = 8
    driver.time = clock
    try:
        for access in range(stops):
            reads = []

            def stopped(offset, access=access, reads=reads):
                if not reads and access == 0:
                    stop()
                word = read(offset)
                reads.append(word)
                if len(reads) == access:
                    stop()
                return word

            acc._pack(raw[:5], acc._send[0])
            device().accelerator.freeze(True)
            hardware.start(acc._send[0], acc._receive[0], 5)
            dma.read = stopped
            hardware.finish(acc._receive[0])
            dma.read = read
            assert access < 2 or not reads[0] & driver.DMA_IDLE, "the transfer was over before the process was stopped"
            view = acc._receive[0].view[: 5 * acc.facts["frame_bytes_out"]].reshape(5, -1)
            equal(driver.unpack_words(view, words.shape[1]), words[:5], f"stopped at access {access}")
    finally:
        driver.time, dma.read = real, read
        device().accelerator.freeze(False)


def check_a_slave_error_in_the_middle_of_a_frame_is_recovered_from(driver, acc, raw, words):
    with driver.Accelerator(FOLDER) as whole:
        before = device().accelerator.cycles
        device().inject("slave_error")
        error = raised(driver.DmaSlaveError, lambda: whole.results(raw[:8]))
        assert device().accelerator.cycles > before
        per_frame = whole._hardware._rates.bytes_in // whole._hardware._rates.beat_bytes
        sent = min(16, 8 * per_frame - 1)
        assert sent % per_frame or per_frame == 1, "the error falls between two frames"
        assert f" {sent // per_frame} of 8 frames accepted" in str(error), error
        for count in (1, 20):
            equal(whole.results(raw[:count]), words[:count], f"{count} frames after it")


def check_too_little_room_is_named(driver, acc, raw, words):
    hardware = acc._hardware
    arm = hardware._arm

    def short(channel, place, buffer, n_bytes):
        arm(channel, place, buffer, n_bytes - (hardware._rates.bytes_out if place == driver.RECEIVE else 0))

    hardware._arm = short
    error = raised(driver.ReceiveOverflow, lambda: acc.results(raw[:5]))
    hardware._arm = arm
    assert "DMAIntErr" in str(error) and "output_stalled" in str(error), error
    equal(acc.results(raw), words, "the batch after it")


def check_an_address_without_memory_is_named(driver, acc, raw, words):
    hardware = acc._hardware

    class Elsewhere:
        def __init__(self, array):
            self.array = array
            self.physical_address = 0xF000_0000

        def __getattr__(self, name):
            return getattr(self.array, name)

    pairs = list(acc._send)
    acc._send = [driver.Buffer(Elsewhere(b.array), b.view) for b in pairs]
    error = raised(driver.DmaDecodeError, lambda: acc.results(raw[:2]))
    acc._send = pairs
    assert str(error).startswith("send: the DMA's address leads nowhere (DMADecErr); send status 0x"), error
    assert hardware._pending == 0
    equal(acc.results(raw), words, "the batch after it")


def check_a_second_transfer_is_refused(driver, acc, raw, words):
    hardware = acc._hardware
    start = hardware.start

    def twice(*arguments):
        start(*arguments)
        start(*arguments)

    device().inject("never_answers")
    hardware.start = twice
    error = raised(driver.ChannelBusy, lambda: acc.results(raw[:2]))
    hardware.start = start
    assert str(error).startswith("receive: pynq refuses the transfer (DMA channel not idle); send status 0x"), error
    equal(acc.results(raw), words, "the batch after it")


def check_an_internal_error_of_the_sender_is_named(driver, acc, raw, words):
    dma = acc._hardware._dma
    read = dma.read
    dma.read = lambda offset: 0x11 if offset == driver.SEND + driver.DMA_STATUS else read(offset)
    error = raised(driver.DmaInternalError, lambda: acc.results(raw[:2]))
    dma.read = read
    assert "send status 0x00000011 (halted, DMAIntErr)" in str(error), error
    equal(acc.results(raw), words, "the batch after it")


def check_a_dead_board_ends_in_a_failed_recovery(driver, acc, raw, words):
    hardware = acc._hardware
    registers = hardware._dma_registers

    class Dead:
        def read(self, offset):
            return driver.DMA_RESET

        def write(self, offset, value):
            pass

    device().inject("never_answers")
    hardware.timeout_s = 0.2
    hardware._dma_registers = Dead()
    error = raised(driver.RecoveryFailed, lambda: acc.results(raw[:2]))
    assert "the reset of the DMA's send channel does not end" in str(error), error
    assert "; it began with: no frame delivered for 0.2 s; send status" in str(error), error
    raised(driver.AcceleratorClosed, lambda: acc.results(raw[:2]))
    assert device().memory.used > 0, "buffers were freed that the DMA may still write to"
    hardware._dma_registers = registers
    for buffer in driver._abandoned:
        buffer.array.freebuffer()
    driver._abandoned.clear()


def check_closing_stops_a_transfer(driver, acc, raw, words):
    device().inject("never_answers")
    acc._pack(raw[:2], acc._send[0])
    acc._hardware.start(acc._send[0], acc._receive[0], 2)
    dma = acc._hardware._dma
    acc.close()
    assert dma.read(driver.SEND + driver.DMA_STATUS) & driver.DMA_FAULTS == 0
    assert device().memory.used == 0
    with driver.Accelerator(FOLDER) as again:
        equal(again.results(raw), words, "after opening it again")


def check_a_lost_flush_is_seen(driver, acc, raw, words):
    second = int(np.argmax((words != words[0]).any(axis=1)))
    assert second > 0, "every golden frame has the same result"
    equal(acc.results(raw[:1]), words[:1], "the batch before it")
    device().inject("missing_flush")
    equal(acc.results(raw[second]), words[:1], "what memory still holds")
    equal(acc.results(raw[second]), words[second][None], "the batch after it")


def check_validate(driver, acc, raw, words):
    found = acc.validate()
    assert (found["frames"], found["equal"], found["bit_exact"]) == (len(raw), len(raw), True), found
    assert found["first_difference"] is None and found["keras_equal"] is None
    classes = expected_classes(driver, acc, words)
    assert found["top1"] == float((classes == np.arange(len(raw)) % 3).mean())
    assert found["interval_cycles"] > 0 and found["first_latency_cycles"] > 0
    assert acc.validate(3)["frames"] == 3


def check_measurements(driver, acc, raw, words):
    found = acc.throughput(100)
    assert found["frames"] == 100 and found["frames_per_s"] > 0 and found["megabytes_per_s"] > 0, found
    assert found["accelerator_frames_per_s"] == acc.clock_mhz * 1e6 / found["interval_cycles"]
    found = acc.latency(5)
    assert found["frames"] == 5 and 0 < found["p50"] <= found["p99"], found
    for call in (acc.latency, acc.throughput, acc.validate):
        assert str(raised(driver.InputError, lambda call=call: call(0))).startswith("frames=0: ")


def check_closing_frees_everything(driver, acc, raw, words):
    assert device().memory.used > 0
    acc.close()
    acc.close()
    assert device().memory.used == 0, f"{device().memory.used} bytes are still taken"
    error = raised(driver.AcceleratorClosed, lambda: acc.predict(raw))
    assert str(error) == "the accelerator was closed; open it again"
    assert "closed" in repr(acc)


def check_no_memory(driver, acc, raw, words):
    acc.close()
    most = ((1 << 26) - 1) // acc.facts["frame_bytes_in"]
    error = raised(driver.BufferUnusable, lambda: driver.Accelerator(FOLDER, frames_per_transfer=most))
    assert "of contiguous memory cannot be allocated" in str(error), error
    assert device().memory.used == 0, f"{device().memory.used} bytes are still taken"


def check_buffers_out_of_reach(driver, acc, raw, words):
    import pynq

    used = device().memory.used
    facts = {**acc.facts, "memory": {"base": 0, "size": 0x1000_0000}}
    error = raised(driver.BufferUnusable, lambda: driver.allocate(pynq, device(), 100, facts))
    assert "the DMA reaches 0x0..0xfffffff" in str(error), error
    assert device().memory.used == used


def check_another_network_in_the_fpga(driver, acc, raw, words):
    acc.close()
    device().inject("wrong_bitstream_hash")
    error = raised(driver.GraphHashMismatch, lambda: driver.Accelerator(FOLDER))
    assert acc.facts["graph_hash"] in str(error), error
    assert device().memory.used == 0
    with driver.Accelerator(FOLDER) as again:
        equal(again.results(raw), words, "after loading it again")


def check_another_program_loads_another_network(driver, acc, raw, words):
    equal(acc.results(raw), words, "the batch before it")
    device().inject("wrong_bitstream_hash")
    acc.overlay.download()
    transfers = device().transfers
    error = raised(driver.GraphHashMismatch, lambda: acc.predict(raw))
    assert "another network was loaded into the FPGA since; open the accelerator again" in str(error), error
    assert device().transfers == transfers, "samples were sent to another network"
    acc.close()
    with driver.Accelerator(FOLDER) as again:
        equal(again.results(raw), words, "after opening it again")


def check_two_accelerators_of_one_build(driver, acc, raw, words):
    equal(acc.results(raw), words, "the first one")
    with driver.Accelerator(FOLDER) as other:
        for count in (3, len(raw), 8):
            equal(acc.results(raw[:count]), words[:count], "the first one, after the second was opened")
            equal(other.results(raw[:count]), words[:count], "the second one")
    equal(acc.results(raw), words, "the first one, after the second was closed")


def check_transfers_are_no_longer_than_packing_needs(driver, acc, raw, words):
    with driver.Accelerator(FOLDER) as whole:
        longest = max(whole.facts["frame_bytes_in"], whole.facts["frame_bytes_out"], raw[0].size)
        assert whole.frames_per_transfer == (1 << 20) // longest, whole.frames_per_transfer


def check_a_clock_that_reads_nothing(driver, acc, raw, words):
    for megahertz in (0.0, float("nan")):
        pynq = SimpleNamespace(Clocks=SimpleNamespace(fclk0_mhz=megahertz))
        error = raised(driver.DesignMismatch, lambda pynq=pynq: acc._read_clock(pynq))
        assert "the clock of the logic reads back as" in str(error), error


def check_a_bitstream_the_fpga_refuses(driver, acc, raw, words):
    acc.close()
    device().inject("wrong_part")
    error = raised(driver.OverlayNotLoaded, lambda: driver.Accelerator(FOLDER))
    assert f"run as root on a board with {acc.facts['part']}" in str(error), error
    with driver.Accelerator(FOLDER) as again:
        equal(again.results(raw), words, "after loading it again")


def check_a_clock_too_fast(driver, acc, raw, words):
    acc.close()
    path = FOLDER / f"{acc.facts['stem']}.implementation.json"
    text = path.read_text()
    path.write_text(json.dumps({**json.loads(text), "clock_mhz": acc.clock_mhz * 0.99}))
    try:
        error = raised(driver.ClockTooFast, lambda: driver.Accelerator(FOLDER))
    finally:
        path.write_text(text)
    assert str(error).startswith(f"the logic is clocked at {acc.clock_mhz:g} MHz, its timing was met at"), error


def check_opened_twice_after_each_other(driver, acc, raw, words):
    for _ in range(2):
        with driver.Accelerator(FOLDER, frames_per_transfer=A_TRANSFER) as again:
            equal(again.results(raw), words, "one more time")


def main():
    driver = load_driver()
    answers = {}
    for name, check in [(name, call) for name, call in globals().items() if name.startswith("check_")]:
        try:
            with driver.Accelerator(FOLDER, timeout_s=20, frames_per_transfer=A_TRANSFER) as acc:
                golden = acc._golden()
                check(driver, acc, golden["raw"], golden["result"])
            answers[name] = None
        except BaseException:
            answers[name] = traceback.format_exc()
    Path(sys.argv[2]).write_text(json.dumps(answers))


if __name__ == "__main__":
    main()
