# SPDX-License-Identifier: Apache-2.0
"""The simulator's side of `cores`: waits until every core has reported."""

from typing import Any

import cocotb
from cocotb.triggers import RisingEdge


@cocotb.test()
async def all_cores_report(dut: Any) -> None:
    """The testbench does everything by itself."""
    await RisingEdge(dut.done)
