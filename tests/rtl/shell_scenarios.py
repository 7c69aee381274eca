# SPDX-License-Identifier: Apache-2.0
"""cocotb tests of the shell beyond the bench's scenarios; started by test_shell.py."""

from cocotb.triggers import Timer

from qnn_hw.simulation.bench.scenarios import ERRORS, FIFO_MARKS, FRAMES_IN, FRAMES_OUT, Bench, scenario

MAX_FRAMES_INSIDE = 64 + 1  # queued TLAST flags, and the frame whose last beat waits at the output


@scenario
async def tlast_queue_full(bench: Bench) -> None:
    """A core that takes more frames than the TLAST queue: the input waits, no flag is lost."""
    n_frames = 150
    bench.start(n_frames, 7, hold_out=2000)
    most = 0
    while not int(bench.control.done.value):
        await Timer(1, "us")
        frames_in = await bench.read(FRAMES_IN)  # first: frames that move between the reads must not add up
        frames_out = await bench.read(FRAMES_OUT)
        most = max(most, frames_in - frames_out)
        if frames_out == n_frames:
            break
    await bench.finish(n_frames)
    if most != MAX_FRAMES_INSIDE:
        bench.add("register", f"frames inside: at most {most} seen, expected {MAX_FRAMES_INSIDE}")


@scenario
async def fifo_marks(bench: Bench) -> None:
    """The high-water registers give the core's numbers in order."""
    await Timer(200, "ns")
    for index, mark in enumerate((11, 22, 33, 0)):
        await bench.expect(f"fifo mark {index}", FIFO_MARKS + 4 * index, mark)
    await bench.expect("errors", ERRORS, 0)
