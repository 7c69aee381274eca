# SPDX-License-Identifier: Apache-2.0
"""Golden frames of a build through the accelerator's model, and what brings it back after an error."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from qnn_hw.ir.packing import pack_frames, unpack_words
from qnn_hw.simulation.board.rtl import Model
from qnn_hw.simulation.board_library import board_library

CONTROL = 0x020
LONG = 20_000
"""Cycles in which whatever can still move has moved, in a small network."""


@dataclasses.dataclass(frozen=True)
class Batch:
    """A build, its golden frames as they travel, and the result words the reference computes for them."""

    path: Path
    library: Path
    frames: npt.NDArray[np.uint8]  # (N, bytes a frame)
    words: npt.NDArray[np.int64]  # (N, words)
    facts: dict
    frame_bytes_out: int

    def model(self, seed: int = 1) -> Model:
        return Model(self.library, self.path / "rtl" / "data", seed=seed)

    def start(self, model: Model, indexes: Sequence[int], out: npt.NDArray[np.uint8], less: int = 0) -> None:
        """Arm both engines, the receiving one first; `less` bytes of the last frame are not sent."""
        model.s2mm(out, out.size)
        self.send(model, indexes, less)

    def send(self, model: Model, indexes: Sequence[int], less: int = 0) -> None:
        source = self.frames[np.asarray(indexes)].reshape(-1).copy()
        model.mm2s(source, source.size - less)

    def room(self, count: int) -> npt.NDArray[np.uint8]:
        return np.full(count * self.frame_bytes_out, 0xA5, np.uint8)

    def predicted(self, what: str) -> int:
        return self.facts["predicted"][f"{what}_cycles"]

    def check(self, model: Model, indexes: Sequence[int]) -> None:
        """One transfer from beginning to end, compared with the reference."""
        out = self.room(len(indexes))
        self.start(model, indexes, out)
        model.advance(LONG + 40 * (self.predicted("latency") + len(indexes) * self.predicted("interval")))
        assert model.s2mm_state() == "ended", f"{model.s2mm_received()} of {out.size} bytes, {model.mm2s_left()} unsent"
        assert (model.s2mm_received(), model.mm2s_left()) == (out.size, 0)
        want = self.words[np.asarray(indexes)]
        got = unpack_words(out.reshape(len(indexes), -1), want.shape[1])
        wrong = np.argwhere(got != want)
        assert not len(wrong), (
            f"{len(wrong)} of {want.size} words differ, the first in frame {wrong[0][0]} (golden frame"
            f" {indexes[wrong[0][0]]}), word {wrong[0][1]}: expected {want[tuple(wrong[0])]},"
            f" got {got[tuple(wrong[0])]}"
        )


def open_batch(path: Path, cache: Path | None = None) -> Batch:
    """Compile the accelerator of a build and load its golden frames."""
    facts = json.loads((path / "qnn.json").read_text())
    codes = np.load(path / "golden" / "input.npy")
    words = np.load(path / "golden" / f"{facts['result']['stream']}.npy")
    width = facts["dma_width_bits"]
    return Batch(
        path=path,
        library=board_library(path, cache),
        frames=pack_frames(codes.reshape(len(codes), -1), facts["input"]["wire_bits"], width),
        words=words.reshape(len(words), -1),
        facts=facts,
        frame_bytes_out=facts["frame_beats_out"] * width // 8,
    )


def soft_reset(model: Model) -> None:
    model.write(CONTROL, 1)
    for _ in range(10):
        if not model.read(CONTROL) & 1:
            return
    pytest.fail("the soft reset does not end")


def recover(model: Model) -> None:
    """What a driver does after any error; the second stop empties the DMA's queue, see the test of it."""
    model.stop()
    soft_reset(model)
    model.stop()
