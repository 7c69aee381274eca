# SPDX-License-Identifier: Apache-2.0
"""Verilator builds and cocotb runs for the package; the code is `bench/verilator.py`, errors are `QnnError` here."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from qnn_hw.errors import QnnError
from qnn_hw.simulation.bench import verilator as _bench
from qnn_hw.simulation.bench.errors import SimulationError
from qnn_hw.simulation.bench.verilator import SimBinary, SimResult, TestOutcome

P = ParamSpec("P")
R = TypeVar("R")


def with_qnn_error(function: Callable[P, R]) -> Callable[P, R]:
    """Return `function` raising `QnnError` where the bench raises `SimulationError`."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except SimulationError as error:
            raise QnnError(str(error)) from error

    return call


find_verilator = with_qnn_error(_bench.find_verilator)
build = with_qnn_error(_bench.build)
run = with_qnn_error(_bench.run)
cache_folder = _bench.cache_folder

__all__ = ["SimBinary", "SimResult", "TestOutcome", "build", "cache_folder", "find_verilator", "run", "with_qnn_error"]
