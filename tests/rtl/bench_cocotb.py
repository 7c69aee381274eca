# SPDX-License-Identifier: Apache-2.0
"""The simulator's side of `bench`: drives all cases at once, cycle by cycle, and checks each beat.

Every case runs through all phases; before each phase everything is reset, the first time in the middle of a stream.
Checked in every cycle: a beat that is offered and not taken stays offered and unchanged; nothing comes that is not
expected; in the end nothing is missing and nothing follows.
"""

import json
import os
import random
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import Timer

# name, probability that a beat is offered, probability that a beat is taken, beats are taken only once offered
PHASES = (
    ("full speed", 1.0, 1.0, False),
    ("idle input", 0.4, 1.0, False),
    ("blocked output", 1.0, 0.35, False),
    ("idle input and blocked output", 0.5, 0.5, False),
    ("mostly blocked output", 0.9, 0.1, False),
    ("ready only after valid", 1.0, 0.7, True),
    ("starved input", 0.1, 0.9, False),
)
RESET_AFTER = 37
"""Cycles of the stream that is cut off by a reset."""
QUIET = 40
"""Cycles that are watched after the last beat."""


class Runner:
    """One case, or one further stream of a case: its handles, its position in the beats, its complaints."""

    def __init__(self, dut: Any, case: dict[str, Any]) -> None:
        self.case = case
        handle = case["handle"]
        self.s_data = getattr(dut, f"{handle}_s_data")
        self.s_valid = getattr(dut, f"{handle}_s_valid")
        self.s_ready = getattr(dut, f"{handle}_s_ready")
        self.m_data = getattr(dut, f"{handle}_m_data")
        self.m_valid = getattr(dut, f"{handle}_m_valid")
        self.m_ready = getattr(dut, f"{handle}_m_ready")
        self.high_water = getattr(dut, f"{handle}_high_water") if case["depth"] else None
        self.complaints: list[str] = []
        self.random = random.Random(case["name"])
        self.restart("start")

    def restart(self, phase: str) -> None:
        self.phase = phase
        self.sent = 0
        self.received = 0
        self.offered = False
        self.taking = False
        self.pending: int | None = None
        self.cycles = 0
        self.quiet = 0
        self.stored = 0
        self.highest = 0
        self.completed: int | None = None
        self.appeared: int | None = None
        self.s_valid.value = 0
        self.m_ready.value = 0

    def complain(self, text: str) -> None:
        if len(self.complaints) < 8:
            self.complaints.append(f"{self.phase}, cycle {self.cycles}: {text}")

    def drive(self, p_valid: float, p_ready: float, after_valid: bool) -> None:
        beats = self.case["beats_in"]
        if not self.offered and self.sent < len(beats) and self.random.random() < p_valid:
            self.offered = True
            self.s_data.value = beats[self.sent]
            self.s_valid.value = 1
        elif not self.offered:
            self.s_valid.value = 0
        allowed = not after_valid or self.pending is not None
        self.taking = allowed and self.random.random() < p_ready
        self.m_ready.value = int(self.taking)

    def sample(self) -> None:
        self.cycles += 1
        expected = self.case["beats_out"]
        accepted = self.offered and bool(int(self.s_ready.value))
        taken = False
        if int(self.m_valid.value) and self.appeared is None:
            self.appeared = self.cycles
        if accepted and self.sent + 1 == self.case["first_needs"]:
            self.completed = self.cycles
        if int(self.m_valid.value):
            beat = int(self.m_data.value)
            if self.pending is not None and beat != self.pending:
                self.complain(f"beat {self.received} changed from {self.pending:#x} to {beat:#x} while it waited")
            if self.taking:
                taken = True
                if self.received >= len(expected):
                    self.complain(f"beat {self.received} ({beat:#x}) is one too many")
                elif beat != expected[self.received]:
                    self.complain(f"beat {self.received} is {beat:#x}, expected {expected[self.received]:#x}")
                self.received += 1
                self.pending = None
            else:
                self.pending = beat
        elif self.pending is not None:
            self.complain(f"beat {self.received} ({self.pending:#x}) was withdrawn")
            self.pending = None
        if accepted:
            self.sent += 1
            self.offered = False
        self.stored += int(accepted) - int(taken)
        self.highest = max(self.highest, self.stored)
        if self.done():
            self.quiet += 1

    def done(self) -> bool:
        return self.received >= len(self.case["beats_out"]) and self.sent >= len(self.case["beats_in"])

    def finish(self) -> None:
        case = self.case
        if self.sent < len(case["beats_in"]) or self.received < len(case["beats_out"]):
            self.complain(
                f"stuck with {self.sent} of {len(case['beats_in'])} beats in, "
                f"{self.received} of {len(case['beats_out'])} out"
            )
        cycles = self.cycles - self.quiet
        if self.phase == "full speed" and case["cycles_limit"] and cycles > case["cycles_limit"]:
            self.complain(f"took {cycles} cycles, expected at most {case['cycles_limit']}")
        if self.phase == "full speed" and case["latency"] is not None and self.completed and self.appeared:
            latency = self.appeared - self.completed
            if latency != case["latency"]:
                self.complain(f"latency is {latency} cycles, the header says {case['latency']}")
        if self.high_water is not None:
            shown = int(self.high_water.value)
            if shown != self.highest:
                self.complain(f"high_water is {shown}, {self.highest} words were stored")
            if self.highest > case["depth"]:
                self.complain(f"{self.highest} words were stored in a depth of {case['depth']}")


@cocotb.test()
async def streams(dut: Any) -> None:
    """Runs all cases through all phases."""
    folder = Path(os.environ["QNN_BENCH"])
    cases = json.loads((folder / "stimulus.json").read_text())
    runners = [Runner(dut, case) for case in cases]

    async def cycle() -> None:
        dut.aclk.value = 0
        await Timer(5, "ns")

    async def edge() -> None:
        dut.aclk.value = 1
        await Timer(5, "ns")

    async def reset() -> None:
        dut.aresetn.value = 0
        for _ in range(4):
            await cycle()
            await edge()
        dut.aresetn.value = 1

    await reset()
    for runner in runners:
        runner.restart("cut off")
    for _ in range(RESET_AFTER):
        for runner in runners:
            runner.drive(0.8, 0.7, False)
        await cycle()
        for runner in runners:
            runner.sample()
        await edge()

    for phase, p_valid, p_ready, after_valid in PHASES:
        for runner in runners:
            runner.restart(phase)
        await reset()
        running = list(runners)
        while running:
            for runner in running:
                runner.drive(p_valid, p_ready, after_valid)
            await cycle()
            for runner in running:
                runner.sample()
            await edge()
            for runner in list(running):
                longest = max(len(runner.case["beats_in"]), len(runner.case["beats_out"]), 1)
                if runner.quiet >= QUIET or runner.cycles > 40 * longest + 2000:
                    runner.finish()
                    runner.s_valid.value = 0
                    runner.m_ready.value = 0
                    running.remove(runner)
    (folder / "complaints.json").write_text(json.dumps({r.case["name"]: r.complaints for r in runners}))
