# SPDX-License-Identifier: Apache-2.0
"""The simulated board as a target of a deployment: the same driver, the same report, no board."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qnn_hw.simulation.board_run import simulate_driver, simulate_fault


def simulate(build: Path, *, fault: str | None = None, progress: Callable[[str], None] | None = None) -> dict[str, Any]:
    """Run the build's driver on the simulated board.

    Args:
        build: build folder.
        fault: None to run the golden vectors, or what is to befall the driver's second batch: a kind of
            `qnn_hw.simulation.board.faults.KINDS`.
        progress: called with a sentence before each step.

    Returns:
        As `qnn_hw.simulation.board_run.simulate_driver`, or with a fault as `simulate_fault`.

    Raises:
        PynqNotAvailable: there is no environment with pynq and none can be made.
        QnnError: the build is incomplete, the fault is unknown, or the driver ended with an error.
    """
    if fault is None:
        return simulate_driver(build, progress=progress)
    return simulate_fault(build, fault, progress=progress)
