# SPDX-License-Identifier: Apache-2.0
"""Executes a `Graph` bit-exactly: `reference` is slow and obvious, `packed` is fast and checked against it."""

from qnn_hw.emulator.packed import execute_packed
from qnn_hw.emulator.reference import execute

__all__ = ["execute", "execute_packed"]
