# SPDX-License-Identifier: Apache-2.0
"""The cocotb tests of a build: one scenario each, all in one process on one elaboration.

Python sets the registers of `qnn_tb_control`, waits for `done` and judges; nothing here runs per clock cycle.
The settings come from the JSON file $QNN_BENCH_CONFIG (`runner.Config`), the outcome goes to its `results` file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge, Timer

from .judge import Finding, Run, judge_run, measured, read_runs
from .manifest import STEADY_FRAMES, Manifest, read_manifest

ID_VALUE = 0x514E4E31
SHELL_VERSION = 1
ID, VERSION, GRAPH_HASH, CONTROL, STATUS, ERRORS = 0x000, 0x004, 0x010, 0x020, 0x024, 0x028
FRAMES_IN, FRAMES_OUT, CYCLES_LOW, CYCLES_HIGH = 0x030, 0x034, 0x040, 0x044
FRAME_INTERVAL, FIRST_LATENCY, FIFO_MARKS = 0x048, 0x04C, 0x100
TLAST_MID_FRAME = 1


def scenario(function: Callable[[Bench], Awaitable[None]]) -> Any:
    """Make a cocotb test of `function`: it gets a `Bench` and adds findings to it; any finding fails the test."""

    async def test(dut: Any) -> None:
        bench = Bench(dut, function.__name__)
        try:
            await function(bench)
        finally:
            bench.save()
        assert not bench.findings, "\n".join(finding.text for finding in bench.findings)

    test.__name__ = test.__qualname__ = function.__name__
    test.__doc__ = function.__doc__
    return cocotb.test()(test)


@scenario
async def steady(bench: Bench) -> None:
    """No pauses on either side: values, frame interval, first latency, FIFO marks; registers agree with the bench."""
    n_frames = max(bench.n_frames, STEADY_FRAMES)
    run = await bench.run(n_frames, n_frames)
    if run is None:
        return
    cycles = measured(run)
    if bench.backend == "hls":  # its stages run a frame at a time: there is nothing to measure or to predict
        bench.measured.update(dict.fromkeys([*cycles, "predicted_interval_cycles"]))
    else:
        bench.measured.update(cycles)
        bench.measured["predicted_interval_cycles"] = bench.manifest.predicted_interval_cycles
    for name, offset, want in (
        ("frames_in", FRAMES_IN, n_frames),
        ("frames_out", FRAMES_OUT, n_frames),
        ("errors", ERRORS, 0),
        ("status", STATUS, 0),
        ("first_latency", FIRST_LATENCY, cycles["first_latency_cycles"]),
        ("frame_interval", FRAME_INTERVAL, cycles["interval_cycles"]),
    ):
        await bench.expect(name, offset, want)  # the shell counts what the bench counts, whatever the core is
    if bench.backend != "rtl":  # the core's queues have no high-water marks
        bench.measured["fifo_high_water"] = None
        return
    marks = {}
    for index, (name, depth) in enumerate(bench.manifest.fifos):
        marks[name] = await bench.read(FIFO_MARKS + 4 * index)
        if marks[name] > depth:
            bench.add("register", f"FIFO {name}: high-water mark {marks[name]} exceeds its depth {depth}")
    bench.measured["fifo_high_water"] = marks


@scenario
async def stalls(bench: Bench) -> None:
    """Random pauses of the source, of the sink (with long ones that fill the pipeline), of both."""
    n_frames, hold, pause = max(bench.n_frames, 6), bench.config["hold_cycles"], bench.config["pause_per_mille"]
    await bench.run(n_frames, n_frames, stall_in=pause)
    await bench.run(n_frames, n_frames, stall_out=pause, hold_out=hold)
    await bench.run(n_frames, n_frames, stall_in=pause, stall_out=pause, hold_out=hold // 2)


@scenario
async def hard_reset(bench: Bench) -> None:
    """`aresetn` falls in the middle of a frame; then everything runs from the start."""
    await bench.run(2, 2, stall_out=bench.config["pause_per_mille"], abort_mode=1, abort_beats=bench.mid_beats)


@scenario
async def soft_reset(bench: Bench) -> None:
    """A soft reset through AXI4-Lite in the middle of a frame; then everything runs from the start."""
    bench.start(2, 2, abort_mode=2, abort_beats=bench.mid_beats)
    if not int(bench.control.paused.value):
        await RisingEdge(bench.control.paused)
    await bench.write(CONTROL, 1)
    for _ in range(100):
        if await bench.read(CONTROL) == 0:
            break
    else:
        bench.add("register", "control: soft_reset reads 1 for more than 100 reads, it must clear itself")
    for name, offset in (("frames_in", FRAMES_IN), ("frames_out", FRAMES_OUT), ("status", STATUS)):
        await bench.expect(f"{name} after a soft reset", offset, 0)
    bench.control.resume.value = 1
    await bench.finish(2)
    await bench.expect("frames_out", FRAMES_OUT, 2)


@scenario
async def transfers(bench: Bench) -> None:
    """TLAST for transfers of 1, 2 and 7 frames, a shorter last one among them."""
    for frames_per_transfer, n_frames in ((1, 3), (2, 5), (7, 8)):
        await bench.run(n_frames, frames_per_transfer)
        await bench.expect("errors", ERRORS, 0)


@scenario
async def tlast_early(bench: Bench) -> None:
    """TLAST in the middle of a frame: the error bit is set, values and frames stay right, writing 1 clears the bit."""
    if bench.manifest.frame_beats_in == 1:
        bench.measured["skipped"] = "a frame is one beat"
        return
    await bench.run(3, 3, tlast_mode=1)
    await bench.expect("errors after an early TLAST", ERRORS, TLAST_MID_FRAME)
    await bench.expect("frames_in", FRAMES_IN, 3)
    await bench.write(ERRORS, 0)
    await bench.expect("errors after writing 0", ERRORS, TLAST_MID_FRAME)
    await bench.write(ERRORS, TLAST_MID_FRAME, strb=0b1110)
    await bench.expect("errors after a write without byte 0", ERRORS, TLAST_MID_FRAME)
    await bench.write(ERRORS, TLAST_MID_FRAME)
    await bench.expect("errors after writing 1", ERRORS, 0)


@scenario
async def tlast_absent(bench: Bench) -> None:
    """No TLAST at all: frames are still counted, none comes out."""
    await bench.run(3, 3, tlast_mode=2)
    await bench.expect("errors", ERRORS, 0)
    await bench.expect("frames_out", FRAMES_OUT, 3)


@scenario
async def registers(bench: Bench) -> None:
    """Identity, unmapped addresses, the latched cycle count; every order of address and data, slow responses."""
    await Timer(200, "ns")
    await bench.expect("id", ID, ID_VALUE)
    await bench.expect("version", VERSION, SHELL_VERSION)
    for word in range(4):
        want = (bench.manifest.graph_hash >> (32 * word)) & 0xFFFFFFFF
        await bench.expect(f"graph_hash word {word}", GRAPH_HASH + 4 * word, want)
    for order in (0, 1, 2):
        for gap in (0, 1, 5):
            for offset in (ID, 0x008, 0x0F0, 0xFFC):
                await bench.write(offset, 0xFFFFFFFF, order=order, gap=gap)
            await bench.expect("id after a write", ID, ID_VALUE, gap=gap)
    for offset in (0x008, 0x00C, 0x02C, 0x038, 0x050, 0x0FC, FIFO_MARKS + 4 * len(bench.manifest.fifos), 0xFFC):
        await bench.expect(f"unmapped 0x{offset:03X}", offset, 0)
    await bench.write(CONTROL, 1, strb=0b1110)
    before = await bench.read(CYCLES_LOW)
    await bench.expect("cycles_high", CYCLES_HIGH, 0)
    if await bench.read(CYCLES_LOW) <= before:
        bench.add("register", f"cycles_low: does not count past {before}")
    if violations := int(bench.axil.violations.value):
        bench.add("register", f"AXI4-Lite: {violations} responses were taken back or changed while they waited")


class Bench:
    """One scenario's hold on the testbench: starts runs, does register accesses, gathers findings."""

    def __init__(self, dut: Any, name: str) -> None:
        self.config = json.loads(Path(os.environ["QNN_BENCH_CONFIG"]).read_text(encoding="utf-8"))
        self.manifest: Manifest = read_manifest(Path(self.config["manifest"]))
        self.control = dut.u_control
        self.axil = dut.u_axil
        self.name = name
        self.backend: str = self.config["backend"]
        self.n_frames: int = self.config["frames"]
        self.mid_beats = self.manifest.frame_beats_in + self.manifest.frame_beats_in // 2
        self.findings: list[Finding] = []
        self.measured: dict[str, object] = {}

    def start(
        self,
        n_frames: int,
        frames_per_transfer: int,
        *,
        stall_in: int = 0,
        stall_out: int = 0,
        hold_out: int = 0,
        tlast_mode: int = 0,
        abort_mode: int = 0,
        abort_beats: int = 0,
    ) -> None:
        """Set the run's registers and let it begin."""
        Bench._n_runs += 1
        for name, value in (
            ("run", Bench._n_runs),
            ("frames", n_frames),
            ("frames_per_transfer", frames_per_transfer),
            ("tlast_mode", tlast_mode),
            ("stall_in", stall_in),
            ("stall_out", stall_out),
            ("hold_out", hold_out),
            ("seed", self.config["seed"] + Bench._n_runs),
            ("abort_mode", abort_mode),
            ("abort_beats", abort_beats),
            ("watchdog", self.config["watchdog_cycles"]),
            ("limit", self.config["limit_cycles"]),
            ("drain", self.config["drain_cycles"]),
        ):
            getattr(self.control, f"cfg_{name}").value = value
        self.control.done.value = 0
        self.control.start.value = 1

    async def finish(self, n_frames: int) -> Run | None:
        """Wait for the end of the run and judge it; `None` if anything is wrong."""
        if not int(self.control.done.value):
            await RisingEdge(self.control.done)
        run = read_runs(Path(self.config["events"]))[Bench._n_runs]
        found = judge_run(run, self.manifest, n_frames, self.config["golden_frames"])
        known = {finding.text for finding in self.findings}
        self.findings += [finding for finding in found if finding.text not in known]
        return None if found else run

    async def run(self, n_frames: int, frames_per_transfer: int, **settings: int) -> Run | None:
        """Start a run, wait for it, judge it."""
        self.start(n_frames, frames_per_transfer, **settings)
        await Timer(1, "ns")  # the writes above take effect
        return await self.finish(n_frames)

    async def read(self, offset: int, *, gap: int = 0) -> int:
        """Return the register at `offset`; a response other than OKAY is a finding."""
        await self._access(write=0, addr=offset, gap=gap)
        return int(self.axil.result_data.value)

    async def write(self, offset: int, value: int, *, strb: int = 15, order: int = 0, gap: int = 0) -> None:
        """Write the register at `offset`; `order` 0 together, 1 address first, 2 data first, `gap` cycles apart."""
        await self._access(write=1, addr=offset, data=value, strb=strb, order=order, gap=gap)

    async def expect(self, name: str, offset: int, want: int | None, *, gap: int = 0) -> None:
        """Read the register at `offset`; another value than `want` is a finding."""
        got = await self.read(offset, gap=gap)
        if got != want:
            self.add("register", f"register {name} (0x{offset:03X}): expected {want}, got {got}")

    def add(self, kind: str, text: str) -> None:
        """Note something wrong."""
        self.findings.append(Finding(kind=kind, stream="registers", text=text))

    def save(self) -> None:
        """Add this scenario's outcome to the results file."""
        path = Path(self.config["results"])
        results = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
        results.append(
            {
                "scenario": self.name,
                "findings": [finding.to_dict() for finding in self.findings],
                "measured": self.measured,
            }
        )
        path.write_text(json.dumps(results, indent=1), encoding="utf-8")

    async def _access(self, **operation: int) -> None:
        for name, value in operation.items():
            getattr(self.axil, f"op_{name}").value = value
        self.axil.ack.value = 0
        self.axil.go.value = 1
        await RisingEdge(self.axil.ack)
        response = int(self.axil.result_resp.value)
        if response:
            kind = "write to" if operation["write"] else "read of"
            what = "no response within 1000 cycles" if response == 7 else f"response {response} instead of OKAY"
            self.add("register", f"AXI4-Lite {kind} 0x{operation['addr']:03X}: {what}")

    _n_runs = 0
