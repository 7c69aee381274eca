# SPDX-License-Identifier: Apache-2.0
"""Lets a fault befall the driver: one batch without, one with it, one after it.

    python try_fault.py KIND ANSWER.json FRAMES TIMEOUT_S

Runs in the folder that holds the driver, on the simulated board. The driver is used as any program uses it; the fault
is asked of the board between two of its batches.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import qnn_driver  # of the folder
from pynq import Device

FOLDER = Path.cwd()
_DEVICE_DIGIT = re.compile(rb"(?<=7z0)\d|(?<=xczu)\d|(?<=xck)\d")


def main() -> None:
    """Try the fault named on the command line and write what happened."""
    kind, answer, frames, timeout_s = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    tried = _at_opening if kind in ("wrong_part", "wrong_bitstream_hash") else _at_a_batch
    facts = {"frames": frames, "timeout_s": timeout_s} | tried(kind, frames, timeout_s)
    answer.write_text(json.dumps(facts), encoding="utf-8")


def _at_a_batch(kind: str, frames: int, timeout_s: float) -> dict[str, Any]:
    with qnn_driver.Accelerator(FOLDER, timeout_s=timeout_s) as accelerator:
        batches = _Batches(accelerator.facts["stem"], frames)
        first = batches.equal(0, accelerator)
        Device.active_device.inject(kind)
        second, failure = _attempt(lambda: batches.equal(1, accelerator))
        return {"first_equal": first, "second_equal": second, **failure, "recovered": batches.equal(2, accelerator)}


def _at_opening(kind: str, frames: int, timeout_s: float) -> dict[str, Any]:
    def batch(number: int, folder: Path) -> bool:
        with qnn_driver.Accelerator(folder, timeout_s=timeout_s) as accelerator:
            return _Batches(accelerator.facts["stem"], frames).equal(number, accelerator)

    first = batch(0, FOLDER)
    if kind == "wrong_part":
        with tempfile.TemporaryDirectory() as other:
            second, failure = _attempt(lambda: batch(1, _for_another_part(Path(other) / "board")))
    else:
        Device.active_device.inject(kind)
        second, failure = _attempt(lambda: batch(1, FOLDER))
    return {"first_equal": first, "second_equal": second, **failure, "recovered": batch(2, FOLDER)}


def _for_another_part(folder: Path) -> Path:
    """Copy the board's files with the bitstream of another FPGA among them, its sum as it should be."""
    shutil.copytree(FOLDER, folder)
    bitstream = next(folder.glob("*.bit"))
    described = bitstream.with_suffix(".implementation.json")
    content = bitstream.read_bytes()
    # One digit of the device, the length unchanged: the header counts it. xc7z020 becomes xc7z010.
    content = _DEVICE_DIGIT.sub(lambda digit: b"2" if digit[0] == b"1" else b"1", content, count=1)
    bitstream.write_bytes(content)
    facts = json.loads(described.read_text(encoding="utf-8"))
    described.write_text(json.dumps(facts | {"bit_sha256": hashlib.sha256(content).hexdigest()}), encoding="utf-8")
    return folder


def _attempt(call: Callable[[], bool]) -> tuple[bool | None, dict[str, Any]]:
    began = time.monotonic()
    try:
        result, error, message = call(), None, None
    except qnn_driver.DriverError as raised:
        result, error, message = None, type(raised).__name__, str(raised)
    return result, {"error": error, "message": message, "seconds": time.monotonic() - began}


class _Batches:
    """Golden frames, in batches that differ from each other."""

    def __init__(self, stem: str, frames: int) -> None:
        with np.load(FOLDER / f"{stem}.golden.npz") as golden:
            self._raw, self._result = golden["raw"], golden["result"]
        self._frames = frames

    def equal(self, number: int, accelerator: Any) -> bool:
        """Return whether the accelerator delivers exactly the golden words for a batch."""
        chosen = np.arange(number * self._frames, (number + 1) * self._frames) % len(self._raw)
        return bool(np.array_equal(accelerator.results(self._raw[chosen]), self._result[chosen]))


if __name__ == "__main__":
    main()
