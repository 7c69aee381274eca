# SPDX-License-Identifier: Apache-2.0
"""What can be made to go wrong on the simulated board. A fault happens once and is gone afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

KINDS = {
    "short_receive_buffer": "The receive length is half of what it should be: the packet is longer than the buffer.",
    "missing_tlast": "The last beat of results comes without TLAST: the receive channel takes the packet for too long.",
    "missing_tlast_silent": "The last beat of results comes without TLAST: the receive channel waits for one more.",
    "early_tlast": "The first beat of results comes with TLAST: the receive channel takes the packet for complete.",
    "halted_channel": "The send channel stops before the transfer: it ignores the length written to it.",
    "wrong_bitstream_hash": "The hash registers answer with another graph's hash: another design is loaded.",
    "wrong_part": "The bitstream is for another FPGA.",
    "unaligned_buffer": "A buffer lies 4 bytes beside an address the DMA can use.",
    "slave_error": "The memory port answers a read of the send channel with SLVERR, after a burst that was sent.",
    "never_answers": "The accelerator takes no input until it is reset.",
    "missing_flush": "A flush is lost: the accelerator reads what the memory held before.",
}
"""Kind and what happens."""


class Faults:
    """The faults still to come and those that happened.

    Each is one of `KINDS` with the number (1, 2, ...) of the transfer or download it happens at; 0 stands for the next.
    """

    def __init__(self, planned: Iterable[Mapping[str, Any]] = ()) -> None:
        self.fired: list[str] = []
        self._planned: list[tuple[str, int]] = []
        for fault in planned:
            self.inject(fault["kind"], fault.get("transfer", 0))

    def inject(self, kind: str, transfer: int = 0) -> None:
        """Plan a fault. Raises ValueError for an unknown kind."""
        if kind not in KINDS:
            raise ValueError(f"simulated board: fault {kind!r} is unknown, known are {', '.join(KINDS)}")
        self._planned.append((kind, transfer))

    def pending(self, kind: str, number: int) -> bool:
        """Return whether a fault of `kind` happens at transfer or download `number`, without letting it happen."""
        return (kind, 0) in self._planned or (kind, number) in self._planned

    def take(self, kind: str, number: int) -> bool:
        """Return whether a fault of `kind` happens at transfer or download `number`, and note that it did."""
        for fault in ((kind, number), (kind, 0)):
            if fault in self._planned:
                self._planned.remove(fault)
                self.fired.append(kind)
                return True
        return False
