# SPDX-License-Identifier: Apache-2.0
"""The test bench of an accelerator: builds it with Verilator, runs it under cocotb, judges it.

This folder is copied into every build as `sim/bench`; it imports numpy, cocotb and the standard library alone.
"""

from .errors import SimulationError
from .runner import BACKENDS, SCENARIOS, Backend, ScenarioVerdict, Verdict, simulate

__all__ = ["BACKENDS", "SCENARIOS", "Backend", "ScenarioVerdict", "SimulationError", "Verdict", "simulate"]
