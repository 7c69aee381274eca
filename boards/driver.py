# SPDX-License-Identifier: Apache-2.0
"""Driver of a qnn-hw accelerator on a PYNQ board.

    with Accelerator() as accelerator:             # the files beside this one
        accelerator.predict(x)                     # raw samples (N, *shape) -> classes (N,)
        accelerator.classify("seven.png")          # a picture -> (class, name)
        accelerator.validate()                     # every golden vector, word for word

    python3 qnn_driver.py validate|throughput|latency [--folder DIR] [--json FILE] [--frames N] [--timeout S]

The way of a batch: raw samples -> codes -> frames packed to whole beats -> AXI DMA (send) -> accelerator -> AXI DMA
(receive) -> 32-bit words -> classes. While one transfer runs, the next one is packed and the last one is read.

Runs on pynq 3.0.1, 3.1.2 and 4.0.0 and through PYNQ.remote, on Python 3.10 or newer, with NumPy 1.21 (Ubuntu 22.04's,
in the images of pynq 3) or newer; pictures in files need Pillow. One process at a time; its threads wait for each
other. Every failure is a `DriverError` of one sentence (but for Python's own MemoryError); where a transfer was under
way the hardware has been reset before it is raised, and the next call starts afresh.
"""

# Annotations stay text: the NumPy of the images does not know its types with parameters yet.
from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from qnn_registers import (
    CONTROL,
    CONTROL_SOFT_RESET,
    ERRORS,
    ERRORS_TKEEP_PARTIAL,
    ERRORS_TLAST_MID_FRAME,
    FIRST_LATENCY,
    FRAME_INTERVAL,
    FRAMES_IN,
    FRAMES_OUT,
    GRAPH_HASH,
    ID,
    ID_VALUE,
    SHELL_VERSION,
    STATUS,
    STATUS_BUSY,
    STATUS_IN_RESET,
    STATUS_INPUT_STALLED,
    STATUS_OUTPUT_STALLED,
    VERSION,
)

from qnn_hw.ir.packing import pack_frames, unpack_words

SCHEMA = 1
"""Of the files `<stem>.json` and `<stem>.implementation.json`."""

BULK_BYTES = 1 << 20
"""Size of the buffers for batches: some 2 ms at full rate, ten times what starting a transfer costs. By default a
transfer has no more elements either: packing them takes up to ten bytes of memory each, however small they become."""
SMALL_BYTES = 8192
"""Size of the buffers for single frames, and the least that is ever allocated: smaller ones were given addresses of
more than 32 bits (pynq 3.0.1 and 3.1.0 with XRT 2.17)."""

# Registers of an AXI DMA in simple mode, product guide PG021; the receiving channel's stand 0x30 above the sender's.
SEND, RECEIVE = 0x00, 0x30
DMA_CONTROL, DMA_STATUS, DMA_LENGTH = 0x00, 0x04, 0x28
DMA_RUN, DMA_RESET = 0x1, 0x4
DMA_HALTED, DMA_IDLE = 0x1, 0x2
DMA_INTERNAL_ERROR, DMA_SLAVE_ERROR, DMA_DECODE_ERROR = 0x10, 0x20, 0x40
DMA_FAULTS = DMA_INTERNAL_ERROR | DMA_SLAVE_ERROR | DMA_DECODE_ERROR | DMA_HALTED

_DMA_BITS = {
    DMA_HALTED: "halted",
    DMA_IDLE: "idle",
    DMA_INTERNAL_ERROR: "DMAIntErr",
    DMA_SLAVE_ERROR: "DMASlvErr",
    DMA_DECODE_ERROR: "DMADecErr",
}
_STATUS_BITS = {
    STATUS_BUSY: "busy",
    STATUS_IN_RESET: "in_reset",
    STATUS_INPUT_STALLED: "input_stalled",
    STATUS_OUTPUT_STALLED: "output_stalled",
}
_ERROR_BITS = {ERRORS_TLAST_MID_FRAME: "tlast_mid_frame", ERRORS_TKEEP_PARTIAL: "tkeep_partial"}

_ALL_ONES = 0xFFFF_FFFF
_RESET_S = 0.25
"""Time a reset or a start may take; both take microseconds."""
_RESET_POLLS = 64
"""Reads before that time counts: a machine that was suspended is no broken board."""
_LOOKS = 8
"""How often within a time-out the count of delivered frames is looked at."""
_CLOCK_TOLERANCE = 0.001
"""Share by which the clock read back may lie above the one the timing was met at: pynq rounds the reference clock."""
_PIXELS_AT_ONCE = 1 << 18
"""Pixels whose colours are computed at once: a photograph as a whole would take most of a small board's memory."""
_BOARD_FILE = Path("/proc/device-tree/chosen/pynq_board")

_IMAGE_VIVADO = {"3.0": (2022, 1), "3.1": (2024, 1), "4.0": (2025, 2)}
"""The Vivado each release's image was made with; designs of newer ones have come with a dead DMA on older images."""

_abandoned: list[Any] = []
"""Buffers of transfers that could not be stopped: never freed, for the DMA may still write there."""

Samples: TypeAlias = "npt.NDArray[np.integer[Any]]"
Words: TypeAlias = "npt.NDArray[np.int32]"


class DriverError(RuntimeError):
    """Anything that goes wrong here; the message is one sentence."""


class InputError(DriverError, ValueError):
    """Samples or a picture that the network cannot take."""


class FilesError(DriverError):
    """A file beside the driver is missing, damaged, or belongs to another build."""


class PairMismatch(FilesError):
    """The bitstream and its hardware handoff file are not the pair that the build left."""


class PynqError(DriverError):
    """There is no pynq, no device, or a release that this board cannot use."""


class WrongPart(DriverError):
    """The bitstream is for another FPGA or another board."""


class OverlayNotLoaded(DriverError):
    """pynq could not load the bitstream."""


class DesignMismatch(DriverError):
    """What is in the bitstream is not the design this driver drives."""


class GraphHashMismatch(DesignMismatch):
    """The accelerator that answers is another network than the files say."""


class ClockTooFast(DriverError):
    """The logic is clocked faster than its timing was met."""


class BufferUnusable(DriverError):
    """A buffer cannot be allocated, or lies where the DMA cannot reach it."""


class BufferUnaligned(BufferUnusable):
    """A buffer does not start on a whole word of the DMA."""


class ResultError(DriverError):
    """The accelerator delivered words that are no result of this network."""


class AcceleratorClosed(DriverError):
    """The accelerator was closed, or never recovered."""


class BoardLost(DriverError):
    """Something else failed in the middle: the connection to a remote board was cut, a register did not answer."""


class RecoveryFailed(DriverError):
    """The hardware does not come out of its reset; load the overlay again."""


class TransferError(DriverError):
    """A transfer failed; the subclass is the first cause."""


class TransferTimeout(TransferError):
    """The accelerator stopped delivering frames."""


class TlastMissing(TransferError):
    """Every frame was delivered, but no end of the transfer: DMAIntErr, or a time-out."""


class TlastMidFrame(TransferError):
    """The accelerator saw a transfer end in the middle of a frame."""


class ReceiveOverflow(TransferError):
    """More arrived than the receiving transfer had room for (DMAIntErr)."""


class ReceiveIncomplete(TransferError):
    """The receiving transfer ended before all its words had come."""


class DmaInternalError(TransferError):
    """The sending channel reports DMAIntErr: a length of zero."""


class DmaSlaveError(TransferError):
    """Memory answered the DMA with an error (DMASlvErr)."""


class DmaDecodeError(TransferError):
    """The DMA's address leads nowhere (DMADecErr)."""


class ChannelHalted(TransferError):
    """A channel of the DMA stands still without an error bit."""


class ChannelBusy(TransferError):
    """A channel of the DMA still carries another transfer."""


class Prediction(NamedTuple):
    """What `classify` decides: class index and its name."""

    class_index: int
    class_name: str


# ------------------------------------------------------------------------------------------------------------- pictures


def picture_to_sample(
    picture: npt.NDArray[np.uint8], height: int, width: int, channels: int, *, invert: bool = False
) -> npt.NDArray[np.uint8]:
    """Turn a picture into grey levels or colours 0..255 of a network's size, in integers throughout.

    Alpha is laid over white; colours become grey as (299 R + 587 G + 114 B) / 1000 where the network takes one channel,
    grey is repeated where it takes three; the largest centred part with the network's aspect ratio is cut out and
    averaged over areas. Each step rounds to nearest, halves up.

    Args:
        picture: uint8 (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).
        height, width, channels: of the network's input; 1 or 3 channels.
        invert: take 255 - value, for dark strokes on light paper where the network knows light ones on dark.

    Returns:
        uint8 (height, width, channels).

    Raises:
        InputError: for another type or shape.
    """
    colours = _colours(np.asarray(picture), channels)
    cut = _centre(colours, height, width)
    small = _area_average(_area_average(cut, height).swapaxes(0, 1), width).swapaxes(0, 1)
    total = cut.shape[0] * cut.shape[1]
    levels: npt.NDArray[np.uint8] = ((2 * small.astype(np.int64) + total) // (2 * total)).astype(np.uint8)
    return np.bitwise_xor(levels, np.uint8(255 if invert else 0))


def _colours(picture: npt.NDArray[Any], channels: int) -> npt.NDArray[np.uint8]:
    if channels not in (1, 3):
        raise InputError(f"picture: the network takes {channels} channels a pixel; pictures have 1 or 3")
    if picture.dtype != np.uint8:
        raise InputError(f"picture: its values are {picture.dtype}; give 8-bit grey levels or colours (uint8)")
    if picture.ndim == 2:
        picture = picture[..., None]
    if picture.ndim != 3 or picture.shape[2] not in (1, 3, 4) or picture.size == 0:
        raise InputError(f"picture: its shape is {picture.shape}; give (H, W), (H, W, 3) or (H, W, 4)")
    if picture.shape[2] == channels:
        return picture
    rows, columns = picture.shape[:2]
    colours = np.empty((rows, columns, channels), np.uint8)
    step = max(1, _PIXELS_AT_ONCE // columns)
    for top in range(0, rows, step):
        colours[top : top + step] = _converted(picture[top : top + step], channels)
    return colours


def _converted(picture: npt.NDArray[np.uint8], channels: int) -> npt.NDArray[np.uint8]:
    if picture.shape[2] == 4:
        alpha = picture[..., 3:].astype(np.uint32)
        over = (picture[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
        picture = over.astype(np.uint8)
    if picture.shape[2] == channels:
        return picture
    if channels == 3:
        return np.repeat(picture, 3, axis=2)
    grey = (picture.astype(np.uint32) @ np.array([299, 587, 114], np.uint32) + 500) // 1000
    return grey.astype(np.uint8)[..., None]


def _centre(picture: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.uint8]:
    rows, columns = picture.shape[:2]
    kept_rows = max(1, min(rows, columns * height // width))
    kept_columns = max(1, min(columns, rows * width // height))
    top, left = (rows - kept_rows) // 2, (columns - kept_columns) // 2
    return picture[top : top + kept_rows, left : left + kept_columns]


def _area_average(picture: npt.NDArray[Any], height: int) -> npt.NDArray[np.float64]:
    """Sum rows over areas: (H, W, C) -> (height, W, C), H times the average of each area.

    Row i gathers the input rows i * H / height ... (i + 1) * H / height, parts of rows by their share. In units of
    1 / height every share is an integer and every sum far below 2**53, so the floats are exact.
    """
    rows = picture.shape[0]
    flat = picture.reshape(rows, -1)
    out = np.empty((height, flat.shape[1]))
    for i in range(height):
        low, high = i * rows, (i + 1) * rows
        first, last = low // height, -(-high // height)
        edges = np.clip(np.arange(first, last + 1) * height, low, high)
        out[i] = np.diff(edges).astype(np.float64) @ flat[first:last]
    return out.reshape(height, *picture.shape[1:])


def _read_picture(picture: Any) -> npt.NDArray[np.uint8]:
    """Return the pixels of a file or of a Pillow image; Pillow is imported for a file only."""
    if isinstance(picture, str | os.PathLike):
        try:
            from PIL import Image, ImageOps
        except ImportError:
            raise InputError(f"picture {picture}: reading it needs Pillow; give a NumPy array (H, W, 3)") from None
        try:
            with Image.open(picture) as opened:
                return _pixels(ImageOps.exif_transpose(opened))  # photographs lie on their side
        except InputError:
            raise
        except (OSError, ValueError, SyntaxError) as error:
            raise InputError(f"picture {picture}: cannot be read ({_line(error)})") from None
    return _pixels(picture)


def _pixels(image: Any) -> npt.NDArray[np.uint8]:
    """Return the pixels of a Pillow image: (H, W), (H, W, 3), or (H, W, 4) where it may have alpha."""
    if image.mode.startswith(("I", "F")):  # Pillow would make everything above 255 white
        raise InputError(f"picture: its values are of Pillow's mode {image.mode}; give 8-bit grey levels or colours")
    plain = image.mode in ("L", "RGB") and "transparency" not in getattr(image, "info", {})
    return np.asarray(image if plain else image.convert("RGBA"))


def _is_picture_object(x: object) -> bool:
    return isinstance(x, str | os.PathLike) or (hasattr(x, "convert") and hasattr(x, "mode"))


# -------------------------------------------------------------------------------------------------- samples and results


def parse_type(text: str) -> tuple[int, int, bool]:
    """Return least value, greatest value and "is bipolar" of an element type: `u8`, `i9`, `b1` (-1 or +1).

    Raises:
        FilesError: for any other text.
    """
    match = re.fullmatch(r"([ui])(\d+)(?:\.-?\d+)?|b1", text)
    if match is None:
        raise FilesError(f"facts: {text!r} is no type of an element; expected u<bits>, i<bits> or b1")
    if text == "b1":
        return -1, 1, True
    bits = int(match[2])
    return (0, (1 << bits) - 1, False) if match[1] == "u" else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1, False)


def check_samples(x: Any, shape: Sequence[int], dtype: str) -> Samples:
    """Return raw samples as integers (N, *shape); one sample alone becomes N = 1, a channel axis of 1 may be left out.

    Raises:
        InputError: for another shape, for what are no integers, or for values outside the type.
    """
    shape = tuple(shape)
    try:
        values = np.asarray(x)
    except ValueError as error:
        raise InputError(f"samples: no array of one shape ({_line(error)}); the network takes (N, *{shape})") from None
    if values.dtype.kind not in "buif":
        raise InputError(f"samples: their values are {values.dtype}; give the raw {dtype} samples")
    values = _with_shape(values, shape)
    if values.dtype.kind == "f":
        with np.errstate(invalid="ignore"):  # NaN, infinity and what is too great are caught by the comparison
            whole = values.astype(np.int32)  # raw types have 16 bits at most; a data set in 64 would fill a board
        if not np.array_equal(whole, values):
            raise InputError(f"samples: not integers; give the raw {dtype} samples, before any scaling")
        values = whole
    if values.dtype.kind == "b":
        values = values.astype(np.uint8)
    low, high, bipolar = parse_type(dtype)
    kind = np.iinfo(values.dtype)
    if values.size and (bipolar or kind.min < low or kind.max > high):
        least, greatest = int(values.min()), int(values.max())
        if least < low or greatest > high or (bipolar and bool((values == 0).any())):
            raise InputError(
                f"samples: values {least}..{greatest}, the network takes {dtype} "
                f"({'-1 or +1' if bipolar else f'{low}..{high}'}); give the raw samples, before any scaling"
            )
    return values


def _with_shape(values: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    if values.shape[1:] == shape:
        return values
    if values.shape == shape:
        return values[None]
    if shape[-1] == 1 and values.shape[1:] == shape[:-1]:
        return values[..., None]
    if shape[-1] == 1 and values.shape == shape[:-1]:
        return values[None, ..., None]
    raise InputError(f"samples: their shape is {values.shape}; the network takes (N, {', '.join(map(str, shape))})")


@dataclass(frozen=True)
class HostTable:
    """The quantizer that is computed here: a table of every raw value, or a comparison, which is faster.

    Attributes:
        codes: (rows * values,), one row for all channels or one a channel.
        offsets: (rows,), what is added to a raw value to find its code.
        steps: (rows,), where a code is 0 below and 1 from there on; empty where it is anything else.
        falling: (rows,), 1 where it is 1 below and 0 from there on.
    """

    codes: npt.NDArray[np.integer[Any]]
    offsets: npt.NDArray[np.int32]
    steps: npt.NDArray[np.int32]
    falling: npt.NDArray[np.uint8]


def host_table(host_codes: Mapping[str, Any] | None) -> HostTable | None:
    """Return the table of the facts, `codes[c][raw - first]`, made for fast look-ups; None where raw samples travel."""
    if host_codes is None:
        return None
    codes = np.asarray(host_codes["codes"], np.int64)
    small: type[np.integer[Any]] = np.uint8 if codes.min() >= 0 and codes.max() < 256 else np.int32
    first = int(host_codes["first"])
    offsets = np.arange(len(codes), dtype=np.int32) * codes.shape[1] - first
    changes = np.diff(codes, axis=1) != 0
    steps, falling = np.zeros(0, np.int32), np.zeros(0, np.uint8)
    if codes.min() >= 0 and codes.max() <= 1 and changes.sum(axis=1).max(initial=0) <= 1:
        # A row without any change counts as one that is 1 from the first value on, or that falls there.
        changed = changes.any(axis=1)
        steps = (first + np.where(changed, changes.argmax(axis=1) + 1, 0)).astype(np.int32)
        falling = np.where(changed, codes[:, 0], 1 - codes[:, 0]).astype(np.uint8)
    return HostTable(codes.ravel().astype(small), offsets.astype(np.int32), steps, falling)


def to_codes(samples: Samples, bipolar: bool, table: HostTable | None) -> Samples:
    """Turn raw samples (N, ..., C) into what the wire carries, same shape.

    Args:
        samples: as `check_samples` returns them.
        bipolar: they are -1 and +1.
        table: quantizer of the raw samples, None where they travel as they are.
    """
    if table is None:
        return (samples > 0).astype(np.uint8) if bipolar else samples
    # A row a channel is laid out for a whole sample first: NumPy is slow along a short axis.
    flat, rows = samples.reshape(len(samples), -1), len(table.offsets)
    pixels = flat.shape[1] // rows if rows > 1 else 1
    if table.steps.size:
        codes: Samples = _compared(flat, np.tile(table.steps, pixels), np.tile(table.falling, pixels))
    else:
        codes = np.take(table.codes, np.add(flat, np.tile(table.offsets, pixels), dtype=np.int32, casting="unsafe"))
    return codes.reshape(samples.shape)


def _compared(flat: Samples, steps: npt.NDArray[np.int32], falling: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    kind = np.iinfo(flat.dtype)
    within = kind.min <= steps.min() and steps.max() <= kind.max
    # Within one type: NumPy would widen the samples before it compares.
    codes = np.greater_equal(flat, steps.astype(flat.dtype) if within else steps).view(np.uint8)
    return np.bitwise_xor(codes, falling, out=codes) if falling.any() else codes


@dataclass(frozen=True)
class Scores:
    """How classes compare, integers throughout; slopes and biases, or ranks.

    Attributes:
        slopes, biases: (classes,); the score of class c at word w is slopes[c] * w + biases[c].
        ranks: (classes, values); the score is ranks[c, w - first]. Empty where slopes and biases count.
        first: word of the first column of `ranks`.
    """

    slopes: npt.NDArray[np.int64]
    biases: npt.NDArray[np.int64]
    ranks: npt.NDArray[np.int64]
    first: int


def scores_of(facts: Mapping[str, Any]) -> Scores | None:
    """Return how the classes of logits compare; None where the accelerator delivers the class."""
    if facts["output"] == "class":
        return None
    given = facts["scores"]
    # Types are named wherever it matters: on a 32-bit ARM an integer of NumPy has 32 bits.
    slopes, biases, ranks = (np.array(given[key], np.int64) for key in ("slopes", "biases", "ranks"))
    return Scores(slopes, biases, ranks, int(given["first"]))


def classes_of(words: Words, n_classes: int, scores: Scores | None) -> npt.NDArray[np.int64]:
    """Decide the class of every frame from its words: (N, words) -> (N,).

    A class travels as itself. Of logits the class with the greatest score wins, the lowest in a tie.

    Raises:
        ResultError: for words that no frame of this network can have.
    """
    values = words.astype(np.int64)
    if scores is None:
        classes = values[:, 0]
        wrong = np.flatnonzero((classes < 0) | (classes >= n_classes))
        if wrong.size:
            raise ResultError(
                f"frame {wrong[0]}: the accelerator delivered {classes[wrong[0]]}, classes are 0..{n_classes - 1}; "
                "the caches were not flushed, or the bitstream is damaged"
            )
        return classes
    if not scores.ranks.size:
        return np.asarray((values * scores.slopes + scores.biases).argmax(axis=1), np.int64)
    column = values - scores.first
    n_values = scores.ranks.shape[1]
    wrong = np.flatnonzero(((column < 0) | (column >= n_values)).any(axis=1))
    if wrong.size:
        raise ResultError(
            f"frame {wrong[0]}: the accelerator delivered {values[wrong[0]].tolist()}, accumulators are "
            f"{scores.first}..{scores.first + n_values - 1}; the caches were not flushed, or the bitstream is damaged"
        )
    return np.asarray(scores.ranks[np.arange(n_classes), column].argmax(axis=1), np.int64)


def split(count: int, at_most: int) -> list[tuple[int, int]]:
    """Cut `count` frames into transfers of `at_most` and a rest: first and last + 1 of each."""
    return [(first, min(first + at_most, count)) for first in range(0, count, at_most)]


def frames_a_transfer(
    bytes_in: int, bytes_out: int, length_limit: int, wanted: int | None = None, elements: int = 1
) -> int:
    """Return how many whole frames go into one transfer, in both directions.

    Args:
        bytes_in, bytes_out: of a frame outside.
        length_limit: greatest length of a transfer, in bytes.
        wanted: the caller's wish; without one, what fills `BULK_BYTES` with bytes or with elements.
        elements: of a raw sample.

    Raises:
        InputError: where one frame, or the wish, is longer than a transfer.
    """
    most = length_limit // max(bytes_in, bytes_out)
    if most == 0:
        raise InputError(
            f"a frame of {bytes_in} bytes in and {bytes_out} out is longer than a transfer of {length_limit} bytes"
        )
    if wanted is None:
        return max(1, min(most, BULK_BYTES // max(bytes_in, bytes_out, elements)))
    if not 1 <= wanted <= most or wanted != int(wanted):
        raise InputError(f"frames_per_transfer={wanted}: choose 1..{most}, a transfer holds {length_limit} bytes")
    return int(wanted)


# ------------------------------------------------------------------------------------------------ files and the overlay


def read_facts(folder: Path) -> dict[str, Any]:
    """Return the facts `<stem>.json` of the one build in `folder`.

    Raises:
        FilesError: where there is none, more than one, or one of another schema.
    """
    found = [facts for path in sorted(folder.glob("*-*.json")) if (facts := _facts_in(path)) is not None]
    if not found:
        raise FilesError(f"{folder}: no facts of an accelerator (<name>-<hash>.json) here; copy the whole board folder")
    if len(found) > 1:
        raise FilesError(f"{folder}: more than one build here ({', '.join(f['stem'] for f in found)}); keep them apart")
    if found[0].get("schema") != SCHEMA:
        raise FilesError(f"{folder}: facts of schema {found[0].get('schema')}, this driver reads {SCHEMA}; build again")
    missing = [key for key in _KEYS if key not in found[0]]
    if missing:
        raise FilesError(f"{folder}: the facts of {found[0]['stem']} lack {', '.join(missing)}; build again")
    return found[0]


_KEYS = (
    *("stem", "graph_hash", "board", "board_title", "part", "family", "pynq_board", "pynq_versions", "dma"),
    *("accelerator", "dma_width_bits", "dma_length_bits", "control", "memory", "raw_input", "input", "host_codes"),
    *("result", "output", "n_classes", "scores", "frame_bytes_in", "frame_bytes_out", "predicted", "class_names"),
    "preprocessing",
)


def _facts_in(path: Path) -> dict[str, Any] | None:
    if not re.fullmatch(r".*-[0-9a-f]{8}\.json", path.name):  # what else may lie there, damaged or not
        return None
    content = _read_json(path)
    return content if content.get("stem") == path.stem and "graph_hash" in content else None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FilesError(f"{path}: cannot be read ({error.strerror}); copy the whole board folder") from None
    except ValueError as error:
        raise FilesError(f"{path}: damaged ({_line(error)}); copy the board folder again") from None
    if not isinstance(content, dict):
        raise FilesError(f"{path}: damaged (it holds no table); copy the board folder again")
    return content


def read_implementation(folder: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the bitstream's maker says of it, after checking that bitstream and handoff file are that pair.

    Raises:
        FilesError: a file is missing or damaged, or the timing was not met.
        PairMismatch: the files are not the ones described.
        WrongPart: the bitstream is for another FPGA than the build.
    """
    stem = facts["stem"]
    files = {kind: folder / f"{stem}.{kind}" for kind in ("bit", "hwh", "implementation.json")}
    for kind, path in files.items():
        if not path.is_file():
            what = {"bit": "the bitstream", "hwh": "the hardware handoff file"}.get(
                kind, "what goes with the bitstream"
            )
            raise FilesError(f"{path.name}: {what} is missing in {folder}; make it with `qnn-hw synth --tool vivado`")
    made = _read_json(files["implementation.json"])
    if made.get("schema") != SCHEMA or not isinstance(made.get("clock_mhz"), int | float):
        raise FilesError(f"{stem}.implementation.json: damaged, or of another schema; run Vivado again for this build")
    if made.get("graph_hash") != facts["graph_hash"]:
        raise PairMismatch(
            f"{stem}: the bitstream was made for graph {made.get('graph_hash')}, this is {facts['graph_hash']}; "
            "run Vivado again for this build"
        )
    for kind in ("bit", "hwh"):
        found = hashlib.sha256(files[kind].read_bytes()).hexdigest()
        if found != made.get(f"{kind}_sha256"):
            raise PairMismatch(
                f"{files[kind].name}: its SHA-256 is {found[:16]}..., {stem}.implementation.json says "
                f"{str(made.get(f'{kind}_sha256'))[:16]}...; copy bitstream and handoff file again, together"
            )
    if made.get("wns_ns") is not None and float(made["wns_ns"]) < 0:
        raise FilesError(f"{stem}: its timing was not met (slack {made['wns_ns']} ns); build for a slower clock")
    part = bitstream_part(files["bit"])
    if not _same_part(part, facts["part"]) or made.get("part") != facts["part"]:
        raise WrongPart(
            f"{stem}.bit: its header says {part}, its implementation {made.get('part')}, the build is for "
            f"{facts['part']}; run Vivado again for this build"
        )
    return made


def bitstream_part(path: Path) -> str:
    """Return the part a .bit file names in its header, for example `7z020clg400`.

    Raises:
        FilesError: the file has no such header.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    # Two bytes of length and as many bytes, two bytes 0x0001; then fields of a letter, two bytes of length and a text.
    at = 2 + int.from_bytes(head[:2], "big") + 2
    while at + 3 <= len(head) and head[at : at + 1] in (b"a", b"b", b"c", b"d"):
        length = int.from_bytes(head[at + 1 : at + 3], "big")
        if head[at : at + 1] == b"b":
            return head[at + 3 : at + 3 + length].rstrip(b"\0").decode("ascii", "replace")
        at += 3 + length
    raise FilesError(f"{path.name}: no bitstream (its header names no part); copy it again")


def _same_part(header: str, part: str) -> bool:
    """Tell whether a header's part is `part`, by device and package: that of a Zynq-7000 names nothing more."""
    return _device_and_package(header) == _device_and_package(part)


def _device_and_package(part: str) -> str:
    name = re.sub(r"^x[acq]", "", part.strip().lower())
    return "-".join(name.split("-")[: 1 if name.startswith("7") else 2])


def check_pynq(version: str, facts: Mapping[str, Any]) -> None:
    """Raise PynqError unless this release of pynq can drive the board; releases differ in their first two numbers."""
    allowed = list(facts["pynq_versions"])
    if facts["family"] == "zynq-7000" and int(version.partition(".")[0]) >= 4:
        raise PynqError(
            f"pynq {version} does not drive the Zynq-7000 of the {facts['board_title']} any more; use image 3.1.2"
        )
    if _release(version) not in [_release(one) for one in allowed]:
        raise PynqError(
            f"pynq {version} is not known to drive the {facts['board_title']}; use the image of {' or '.join(allowed)}"
        )


def _release(version: str) -> tuple[str, ...]:
    return tuple(version.split(".")[:2])


def _import_pynq() -> Any:
    try:
        import pynq
    except ImportError as error:
        raise PynqError(
            f"pynq cannot be imported ({_line(error)}); on the board use its own Python: "
            "python3 in a root shell that logs in (sudo -i)"
        ) from None
    return pynq


def _check_board(device: Any, facts: Mapping[str, Any]) -> None:
    """Raise WrongPart where the board says that it is another one; many say nothing."""
    if device.has_capability("REMOTE"):
        name = str(device.name)
    elif _BOARD_FILE.is_file():
        name = _BOARD_FILE.read_bytes().decode("utf-8", "replace")
    else:
        return
    name = name.strip("\0 \n")
    expected = str(facts["pynq_board"])
    if _folded(name) not in ("", "unknown", _folded(expected)):
        raise WrongPart(f"this board is a {name}, the bitstream is for a {expected} ({facts['part']}); deploy another")


def _folded(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def newer_vivado(tool: str, pynq_version: str) -> str:
    """Return a warning where the bitstream was made with a newer Vivado than the image, else an empty text."""
    release = pynq_version.rpartition(".")[0]
    match = re.search(r"Vivado v?(\d{4})\.(\d)", tool)
    if match is None or release not in _IMAGE_VIVADO or (int(match[1]), int(match[2])) <= _IMAGE_VIVADO[release]:
        return ""
    year, minor = _IMAGE_VIVADO[release]
    return (
        f"the bitstream was made with {match[0]}, the image of pynq {pynq_version} with Vivado {year}.{minor}; if the "
        "DMA does not answer, make it with that one"
    )


def check_design(ip_dict: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    """Check names, addresses and parameters before any register is touched: a read of nothing freezes the board.

    Raises:
        DesignMismatch: naming what is missing or different.
    """
    window = facts["control"]
    low, high = int(window["base"]), int(window["base"]) + int(window["size"])
    ranges = []
    for name in (facts["dma"], facts["accelerator"]):
        if name not in ip_dict:
            raise DesignMismatch(
                f"the design has no {name}, only {', '.join(sorted(ip_dict)) or 'nothing'}; is the .hwh old?"
            )
        first = ip_dict[name].get("phys_addr")
        size = ip_dict[name].get("addr_range")
        if not isinstance(first, int) or not isinstance(size, int) or size < 4096 or not low <= first <= high - size:
            raise DesignMismatch(
                f"{name} is at {first!r} ({size!r} bytes), outside {low:#x}..{high - 1:#x}; is the .hwh old?"
            )
        ranges.append((first, first + size))
    if ranges[0][0] < ranges[1][1] and ranges[1][0] < ranges[0][1]:
        raise DesignMismatch(
            f"{facts['dma']} and {facts['accelerator']} share addresses at {ranges[0][0]:#x}; is the .hwh old?"
        )
    parameters = ip_dict[facts["dma"]].get("parameters") or {}
    expected = {
        "c_include_sg": 0,
        "c_sg_length_width": facts["dma_length_bits"],
        "c_m_axi_mm2s_data_width": facts["dma_width_bits"],
        "c_m_axi_s2mm_data_width": facts["dma_width_bits"],
    }
    for key, value in expected.items():
        if str(parameters.get(key)) != str(value):
            raise DesignMismatch(f"{facts['dma']} has {key} = {parameters.get(key)}, this driver needs {value}")


def _line(error: BaseException) -> str:
    """Return an error's text on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _decoded(word: int, names: Mapping[int, str]) -> str:
    """Print a register and the names of the bits set in it."""
    return f"{word:#010x} ({', '.join(name for bit, name in names.items() if word & bit) or 'none'})"


# ------------------------------------------------------------------------------------------------------------- hardware


@dataclass(frozen=True)
class Buffer:
    """Memory that the DMA reaches.

    Attributes:
        array: as pynq allocated it; handed to the DMA, flushed and invalidated.
        view: the same bytes as a plain array, for arithmetic.
    """

    array: Any
    view: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Rates:
    """What a transfer should take.

    Attributes:
        bytes_in, bytes_out: of a frame outside.
        beat_bytes: of a beat of the DMA.
        frame_s, first_s: seconds a frame, and seconds until the first result.
    """

    bytes_in: int
    bytes_out: int
    beat_bytes: int
    frame_s: float
    first_s: float


class Hardware:
    """The DMA and the registers of the accelerator: one transfer at a time, started here and finished here.

    Attributes:
        timeout_s: seconds without a frame delivered after which a transfer has failed.
        settled: whether no transfer is under way and no reset was cut off.
    """

    def __init__(self, pynq: Any, overlay: Any, facts: Mapping[str, Any], rates: Rates, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self.settled = False
        self._name, self._hash = str(facts["accelerator"]), int(facts["graph_hash"], 16) & _ALL_ONES
        self._rates = rates
        places = {name: overlay.ip_dict[name] for name in (facts["dma"], facts["accelerator"])}
        maps = [pynq.MMIO(int(p["phys_addr"]), int(p["addr_range"]), device=overlay.device) for p in places.values()]
        self._dma_registers, self._registers = maps
        self._check_identity(facts)
        # pynq starts both channels when it makes the DMA object and waits for ever: see before that they do start.
        self._reset_dma()
        self._start_dma()
        self._dma = getattr(overlay, facts["dma"])
        if getattr(self._dma, "sendchannel", None) is None or getattr(self._dma, "recvchannel", None) is None:
            raise DesignMismatch(f"{facts['dma']}: pynq sees no send and receive channel; is the .hwh old?")
        self._frames = 0  # delivered since the last reset
        self._pending = 0  # frames of the transfer under way
        self.recover()

    def register(self, offset: int) -> int:
        """Return a register of the accelerator."""
        with _named():
            return int(self._registers.read(offset)) & _ALL_ONES  # signed, through PYNQ.remote of pynq 3.1

    def prepare(self) -> None:
        """See that the next transfer meets this network, and nothing left of what was cut off or done by others.

        Raises:
            GraphHashMismatch: another program has loaded another network since.
            RecoveryFailed, BoardLost: as `recover`.
        """
        if self.register(GRAPH_HASH) != self._hash:  # 32 bits of it: one access, before every batch
            raise GraphHashMismatch(
                f"{self._name}: another network was loaded into the FPGA since; open the accelerator again, and let one"
                " program at a time use the board"
            )
        if not self.settled or self.register(FRAMES_OUT) != self._frames:
            self.recover()

    def start(self, send: Buffer, receive: Buffer, frames: int) -> None:
        """Arm the receiver, then send `frames` packed frames.

        Raises:
            TransferError: a channel does not take its transfer; nothing has been reset yet.
            BufferUnaligned: a buffer moved to where the DMA cannot start.
        """
        self.settled, self._pending = False, frames
        self._arm(self._dma.recvchannel, RECEIVE, receive, frames * self._rates.bytes_out)
        self._arm(self._dma.sendchannel, SEND, send, frames * self._rates.bytes_in)

    def finish(self, receive: Buffer) -> None:
        """Wait until the transfer is complete and make its results visible in `receive`.

        Raises:
            TransferError: naming the first cause; nothing has been reset yet.
        """
        frames, delivered = self._pending, self._frames
        wanted = frames * self._rates.bytes_out
        now = time.monotonic()
        deadline = now + self.timeout_s + self._rates.first_s + frames * self._rates.frame_s
        look = now + self.timeout_s / _LOOKS
        while True:
            # Before the status is read: whoever was not scheduled in between has not lost a transfer.
            now = time.monotonic()
            received = self._dma.read(RECEIVE + DMA_STATUS)
            sent = self._dma.read(SEND + DMA_STATUS)
            if (received | sent) & DMA_FAULTS:
                raise self._fault(sent, received)
            if received & DMA_IDLE:
                came = self._dma.read(RECEIVE + DMA_LENGTH)
                if came != wanted:  # final, even while there is more to send
                    raise ReceiveIncomplete(
                        f"receive: {came} of {wanted} bytes came before TLAST; " + self._evidence(sent, received)
                    )
                if sent & DMA_IDLE:
                    break
            if now >= look:
                look = now + self.timeout_s / _LOOKS
                count = self.register(FRAMES_OUT)
                if count != delivered and (count - self._frames) & _ALL_ONES < frames:
                    deadline = now + self.timeout_s + self._rates.frame_s  # slow, but not stuck
                delivered = count
            if now >= deadline:
                raise self._fault(sent, received)
        receive.array.invalidate()
        self._frames = (self._frames + frames) & _ALL_ONES
        self.settled, self._pending = True, 0

    def recover(self) -> None:
        """Stop and reset the DMA, reset the accelerator and clear its errors, then start both channels of the DMA.

        The DMA is reset a second time behind the accelerator: its receiver takes four words before it is armed, which
        would be the first ones of the next transfer.

        Raises:
            RecoveryFailed: something does not come out of its reset.
            BoardLost: pynq failed.
        """
        self.settled = False
        with _named():
            self._reset_dma()
            self._registers.write(CONTROL, CONTROL_SOFT_RESET)
            _wait(self._registers, CONTROL, CONTROL_SOFT_RESET, "the accelerator's soft reset does not end")
            _wait(self._registers, STATUS, STATUS_IN_RESET, "the accelerator stays in reset")
            self._registers.write(ERRORS, _ALL_ONES)
            self._reset_dma()
            self._start_dma()
            # Once more through pynq's own objects, so that they too know that the next transfer is the first.
            for channel in (self._dma.sendchannel, self._dma.recvchannel):
                channel.start()
        self._frames = self._pending = 0
        self.settled = True

    def _check_identity(self, facts: Mapping[str, Any]) -> None:
        name = facts["accelerator"]
        found = self.register(ID)
        if found != ID_VALUE:
            raise DesignMismatch(f"{name}: register 0 reads {found:#x}, an accelerator answers {ID_VALUE:#x}")
        version = self.register(VERSION)
        if version != SHELL_VERSION:
            raise DesignMismatch(f"{name}: its registers are version {version}, this driver knows {SHELL_VERSION}")
        words = [self.register(GRAPH_HASH + 4 * i) for i in range(4)]
        answer = f"{sum(word << (32 * i) for i, word in enumerate(words)):032x}"
        if answer != facts["graph_hash"]:
            raise GraphHashMismatch(
                f"{name}: the network in the FPGA is {answer}, the files are for {facts['graph_hash']}; "
                "deploy bitstream and files of one build"
            )

    def _reset_dma(self) -> None:
        registers = self._dma_registers
        registers.write(SEND + DMA_CONTROL, DMA_RESET)  # one write resets both channels
        for channel, name in ((SEND, "send"), (RECEIVE, "receive")):
            control = channel + DMA_CONTROL
            _wait(registers, control, DMA_RESET, f"the reset of the DMA's {name} channel does not end")

    def _start_dma(self) -> None:
        registers = self._dma_registers
        for channel, name in ((SEND, "send"), (RECEIVE, "receive")):
            registers.write(channel + DMA_CONTROL, DMA_RUN)
            _wait(registers, channel + DMA_STATUS, DMA_HALTED, f"the DMA's {name} channel does not start")

    def _arm(self, channel: Any, place: int, buffer: Buffer, n_bytes: int) -> None:
        try:
            channel.transfer(buffer.array, start=0, nbytes=n_bytes)  # flushes what is sent
        except (RuntimeError, ValueError) as error:
            sent, received = self._dma.read(SEND + DMA_STATUS), self._dma.read(RECEIVE + DMA_STATUS)
            name = "send" if place == SEND else "receive"
            address = int(buffer.array.physical_address)
            if address % self._rates.beat_bytes or "unaligned" in str(error):
                raise BufferUnaligned(
                    f"{name}: the buffer does not start on a multiple of {self._rates.beat_bytes} bytes, as the DMA "
                    f"needs; {self._evidence(sent, received)}"
                ) from error
            if (sent | received) & DMA_FAULTS:
                raise self._fault(sent, received) from error
            raise ChannelBusy(
                f"{name}: pynq refuses the transfer ({_line(error)}); " + self._evidence(sent, received)
            ) from error

    def _fault(self, sent: int, received: int) -> TransferError:
        """Return the error that names the first cause of what both status words and the registers show."""
        evidence = self._evidence(sent, received)
        for bit, kind, text in (
            (DMA_DECODE_ERROR, DmaDecodeError, "the DMA's address leads nowhere (DMADecErr)"),
            (DMA_SLAVE_ERROR, DmaSlaveError, "memory answered the DMA with an error (DMASlvErr)"),
        ):
            for word, name in ((sent, "send"), (received, "receive")):
                if word & bit:
                    return kind(f"{name}: {text}; {evidence}")
        if self.register(ERRORS) & ERRORS_TLAST_MID_FRAME:
            return TlastMidFrame(f"send: the transfer was no whole number of frames (tlast_mid_frame); {evidence}")
        complete = (self.register(FRAMES_OUT) - self._frames) & _ALL_ONES == self._pending
        offered = self.register(STATUS) & STATUS_OUTPUT_STALLED
        if received & DMA_INTERNAL_ERROR and complete and not offered:
            return TlastMissing(f"receive: all results came, but no TLAST with the last one (DMAIntErr); {evidence}")
        if received & DMA_INTERNAL_ERROR:
            return ReceiveOverflow(f"receive: more results came than there was room for (DMAIntErr); {evidence}")
        if sent & DMA_INTERNAL_ERROR:
            return DmaInternalError(f"send: the DMA reports an internal error (DMAIntErr), a length of 0?; {evidence}")
        for word, name in ((sent, "send"), (received, "receive")):
            if word & DMA_HALTED:
                return ChannelHalted(f"{name}: the DMA channel has halted without an error; {evidence}")
        if complete and not received & DMA_IDLE:
            return TlastMissing(f"receive: all results came, but no TLAST with the last one; {evidence}")
        return TransferTimeout(f"no frame delivered for {self.timeout_s:g} s; {evidence}")

    def _evidence(self, sent: int, received: int) -> str:
        """Describe what stands in the registers, for the end of a message."""
        rates, frames = self._rates, self._pending
        beats_in, beats_out = rates.bytes_in // rates.beat_bytes, rates.bytes_out // rates.beat_bytes
        accepted = (self.register(FRAMES_IN) - self._frames) & _ALL_ONES
        delivered = (self.register(FRAMES_OUT) - self._frames) & _ALL_ONES
        return (
            f"send status {_decoded(sent, _DMA_BITS)}, receive status {_decoded(received, _DMA_BITS)}, "
            f"{accepted} of {frames} frames accepted ({accepted * beats_in} of {frames * beats_in} beats), "
            f"{delivered} delivered ({delivered * beats_out} of {frames * beats_out} beats), "
            f"accelerator status {_decoded(self.register(STATUS), _STATUS_BITS)}, "
            f"errors {_decoded(self.register(ERRORS), _ERROR_BITS)}"
        )


@contextmanager
def _named() -> Iterator[None]:
    """Give whatever pynq raises a name of ours; PYNQ.remote raises an error of its own from any access."""
    try:
        yield
    except (DriverError, MemoryError):
        raise
    except Exception as error:
        raise BoardLost(
            f"the conversation with the board broke off ({type(error).__name__}: {_line(error)}); see whether the "
            "board is there, then open the accelerator again"
        ) from error


def _wait(registers: Any, offset: int, bits: int, failure: str) -> None:
    """Poll a register until `bits` are clear, for `_RESET_S` at most; raise RecoveryFailed with `failure`."""
    end = time.monotonic() + _RESET_S
    polls = 0
    while registers.read(offset) & bits:
        polls += 1
        if polls >= _RESET_POLLS and time.monotonic() > end:
            raise RecoveryFailed(f"{failure} within {_RESET_S:g} s; load the overlay again, or restart the board")


def allocate(pynq: Any, device: Any, n_bytes: int, facts: Mapping[str, Any]) -> Buffer:
    """Allocate at least `n_bytes` of cacheable memory that the DMA reaches, zeroed and flushed.

    Raises:
        BufferUnusable: no memory, or out of the DMA's reach.
        BufferUnaligned: it does not start on a whole word of the DMA.
    """
    n_bytes = max(n_bytes, SMALL_BYTES)
    try:
        # A receiver's cache lines must not be dirty when data comes: its zeros are flushed below, nobody writes again.
        array = pynq.allocate((n_bytes,), np.uint8, target=device, cacheable=1)
    except Exception as error:  # each release of pynq has its own
        raise BufferUnusable(
            f"{n_bytes} bytes of contiguous memory cannot be allocated ({_line(error)}); free the buffers of other "
            "notebooks, or give fewer frames_per_transfer"
        ) from error
    address, width = int(array.physical_address), int(facts["dma_width_bits"]) // 8
    low, high = int(facts["memory"]["base"]), int(facts["memory"]["base"]) + int(facts["memory"]["size"])
    problem: DriverError | None = None
    if address + n_bytes > min(high, 1 << 32) or address < low:
        problem = BufferUnusable(
            f"a buffer of {n_bytes} bytes lies at {address:#x}, the DMA reaches {low:#x}..{min(high, 1 << 32) - 1:#x}; "
            "restart the board, or use a newer image"
        )
    elif address % width:
        problem = BufferUnaligned(
            f"a buffer starts at {address:#x}, the DMA needs multiples of {width}; use a newer image"
        )
    if problem is not None:
        array.freebuffer()
        raise problem
    view = np.asarray(array)
    view[...] = 0
    array.flush()
    return Buffer(array, view)


class Accelerator:
    """An accelerator on the board, loaded and checked.

    Args:
        folder: where the files of one build lie; by default the driver's own folder.
        timeout_s: seconds without a frame delivered after which a transfer has failed.
        frames_per_transfer: frames in one DMA transfer; by default what fills 1 MiB, or has as many elements.

    Attributes:
        facts: content of `<stem>.json`.
        implementation: content of `<stem>.implementation.json`.
        clock_mhz: clock of the logic, read back from the board.
        pynq_version: release of pynq in use.
        overlay: pynq's object, for example for `accelerator.overlay.qnn_0.register_map`.
        frames_per_transfer: as decided.

    Raises:
        DriverError: a subclass a cause; nothing stays allocated.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] | None = None,
        timeout_s: float = 2.0,
        frames_per_transfer: int | None = None,
    ) -> None:
        self._send: list[Buffer] = []
        self._receive: list[Buffer] = []
        self._hardware: Hardware | None = None
        self._lock = threading.RLock()
        if not timeout_s > 0:
            raise InputError(f"timeout_s={timeout_s}: give seconds above 0")
        self.folder = Path(__file__).resolve().parent if folder is None else Path(folder)
        self.facts = facts = read_facts(self.folder)
        self.implementation = read_implementation(self.folder, facts)
        self._table, self._scores = host_table(facts["host_codes"]), scores_of(facts)
        self._bipolar = parse_type(facts["raw_input"]["dtype"])[2]
        bytes_in, bytes_out = int(facts["frame_bytes_in"]), int(facts["frame_bytes_out"])
        limit = (1 << int(facts["dma_length_bits"])) - 1
        elements = int(np.prod(facts["raw_input"]["shape"]))
        self.frames_per_transfer = frames_a_transfer(bytes_in, bytes_out, limit, frames_per_transfer, elements)
        self._few = max(1, SMALL_BYTES // max(bytes_in, bytes_out))

        pynq = _import_pynq()
        self.pynq_version = str(pynq.__version__)
        check_pynq(self.pynq_version, facts)
        warning = newer_vivado(str(self.implementation.get("tool")), self.pynq_version)
        if warning:
            warnings.warn(warning, stacklevel=2)
        self.overlay = overlay = _load_overlay(pynq, self.folder / f"{facts['stem']}.bit", facts)
        self.clock_mhz = self._read_clock(pynq)
        predicted = facts["predicted"]
        hertz = self.clock_mhz * 1e6
        rates = Rates(
            bytes_in,
            bytes_out,
            int(facts["dma_width_bits"]) // 8,
            predicted["interval_cycles"] / hertz,
            predicted["latency_cycles"] / hertz,
        )
        try:
            with _named():
                self._hardware = Hardware(pynq, overlay, facts, rates, timeout_s)
                for frames in (*[self.frames_per_transfer] * 2, min(self._few, self.frames_per_transfer)):
                    self._send.append(allocate(pynq, overlay.device, frames * bytes_in, facts))
                    self._receive.append(allocate(pynq, overlay.device, frames * bytes_out, facts))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Accelerator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._hardware is None else f"{self.clock_mhz:g} MHz, pynq {self.pynq_version}"
        return f"<{self.facts['stem']} on {self.facts['board_title']}: {state}>"

    def close(self) -> None:
        """Stop what is under way and free the buffers; the FPGA stays as it is. May be called twice."""
        with self._lock:
            hardware, self._hardware = self._hardware, None
            buffers = self._send + self._receive
            self._send, self._receive = [], []
            if hardware is not None and not hardware.settled:
                try:
                    hardware.recover()
                except DriverError:
                    _abandoned.extend(buffers)
                    return
                except BaseException:  # interrupted once more
                    _abandoned.extend(buffers)
                    raise
            for buffer in buffers:
                with suppress(Exception):  # a remote board may be gone
                    buffer.array.freebuffer()

    def recover(self) -> None:
        """Reset the DMA and the accelerator; done by itself after every failed transfer.

        Raises:
            RecoveryFailed: something does not come out of its reset.
        """
        with self._lock:
            self._running().recover()

    def results(self, x: Any) -> Words:
        """Return the words the accelerator delivers: (N, words) int32, a class index or the logits of all classes.

        Args:
            x: as `predict`.

        Raises:
            InputError: samples the network does not take.
            TransferError: naming the first cause; the hardware has been reset, the next call starts afresh.
        """
        samples = self._samples(x)
        return self._stream(len(samples), lambda first, last: samples[first:last])

    def predict(self, x: Any) -> npt.NDArray[np.int64]:
        """Classify: (N,) class indices.

        Args:
            x: raw samples, integers (N, *shape) with N = 0, 1 or any number, or one sample (*shape). Or one picture: a
                file name, a Pillow image, or an array uint8 (H, W, 3) or (H, W, 4) of another size; see `classify`.

        Raises:
            InputError: samples the network does not take.
            TransferError: naming the first cause; the hardware has been reset, the next call starts afresh.
        """
        return classes_of(self.results(x), int(self.facts["n_classes"]), self._scores)

    def classify(self, picture: Any, *, invert: bool = False) -> Prediction:
        """Classify one picture of any size: class index and its name.

        Args:
            picture: a file name, a Pillow image, or an array uint8 (H, W), (H, W, 3) or (H, W, 4); it is cut to the
                network's aspect ratio and averaged down to its size, see `picture_to_sample`.
            invert: take the negative.

        Raises:
            InputError: no picture, or a network that does not take pictures.
            TransferError: as `predict`.
        """
        index = int(self.predict(self._sample(picture, invert))[0])
        return Prediction(index, str(self.facts["class_names"][index]))

    def validate(self, frames: int | None = None) -> dict[str, Any]:
        """Send the golden samples that travel with the build and compare every word.

        Args:
            frames: how many; all by default.

        Returns:
            `frames`, `equal` (frames with every word as expected), `bit_exact` (all of them), `first_difference`
            (None, or frame, word, expected, got), `keras_equal` (frames of the class that the Keras model decides;
            None without those classes), `top1` (share of right classes; None without labels), `seconds`,
            `frames_per_s` (wall clock), `interval_cycles` and `first_latency_cycles` (counted by the accelerator).

        Raises:
            FilesError: the golden file is missing or does not fit.
            TransferError: as `predict`.
        """
        if frames is not None and frames < 1:
            raise InputError(f"frames={frames}: validate at least 1 frame")
        golden = self._golden()
        raw, expected = golden["raw"][:frames], golden["result"][:frames]
        self.recover()  # the accelerator's own measurements start at a reset
        began = time.perf_counter()
        words = self.results(raw)
        seconds = time.perf_counter() - began
        different = np.argwhere(words != expected)
        where = None
        if len(different):
            frame, word = (int(i) for i in different[0])
            where = {
                "frame": frame,
                "word": word,
                "expected": int(expected[frame, word]),
                "got": int(words[frame, word]),
            }
        count = len(raw)
        equal = int((words == expected).all(axis=1).sum())
        return {
            "frames": count,
            "equal": equal,
            "bit_exact": equal == count,
            "first_difference": where,
            "keras_equal": self._matching(words, golden, "keras_class"),
            "top1": None if (right := self._matching(words, golden, "labels")) is None else right / count,
            "seconds": seconds,
            "frames_per_s": count / seconds,
            "interval_cycles": self._running().register(FRAME_INTERVAL),
            "first_latency_cycles": self._running().register(FIRST_LATENCY),
        }

    def throughput(self, frames: int = 1000) -> dict[str, Any]:
        """Stream `frames` samples, the golden ones over and over, and time it by the wall clock, packing included.

        Returns:
            `frames`, `seconds`, `frames_per_s`, `megabytes_per_s` (sent), `interval_cycles` (between the last two
            frames, counted by the accelerator) and `accelerator_frames_per_s` (that at the clock; None before there
            were two frames).
        """
        samples = self._some_samples(frames)
        began = time.perf_counter()
        self._stream(frames, lambda first, last: samples[np.arange(first, last) % len(samples)])
        seconds = time.perf_counter() - began
        interval = self._running().register(FRAME_INTERVAL)
        return {
            "frames": frames,
            "seconds": seconds,
            "frames_per_s": frames / seconds,
            "megabytes_per_s": frames * self.facts["frame_bytes_in"] / seconds / 1e6,
            "interval_cycles": interval,
            "accelerator_frames_per_s": self.clock_mhz * 1e6 / interval if interval else None,
        }

    def latency(self, frames: int = 100) -> dict[str, Any]:
        """Send `frames` samples one by one and time each from raw sample to result, packing included.

        Returns:
            `frames`, `p50` and `p99` in milliseconds.
        """
        samples = self._some_samples(frames)
        times = []
        for i in range(frames):
            one = samples[i % len(samples)][None]
            began = time.perf_counter()
            self._stream(1, lambda first, last, one=one: one)  # type: ignore[misc]
            times.append(1000 * (time.perf_counter() - began))
        return {"frames": frames, "p50": float(np.percentile(times, 50)), "p99": float(np.percentile(times, 99))}

    def _read_clock(self, pynq: Any) -> float:
        try:
            clock = float(pynq.Clocks.fclk0_mhz)
        except Exception as error:  # pynq divides by what it reads
            raise DesignMismatch(f"the clock of the logic cannot be read back ({_line(error)})") from error
        if not clock > 0:
            raise DesignMismatch(f"the clock of the logic reads back as {clock:g} MHz; load the overlay again")
        met = float(self.implementation["clock_mhz"])
        if clock > met * (1 + _CLOCK_TOLERANCE):
            raise ClockTooFast(
                f"the logic is clocked at {clock:g} MHz, its timing was met at {met:g} MHz; load the overlay again, or "
                "build for the faster clock"
            )
        return clock

    def _running(self) -> Hardware:
        if self._hardware is None:
            raise AcceleratorClosed("the accelerator was closed; open it again")
        return self._hardware

    def _samples(self, x: Any) -> Samples:
        shape = tuple(self.facts["raw_input"]["shape"])
        if _is_picture_object(x):
            return self._sample(x, False)[None]
        if (
            isinstance(x, np.ndarray)
            and x.dtype == np.uint8
            and x.ndim == 3
            and x.shape[2] in (3, 4)
            and len(shape) == 3
            and x.shape != shape
            and not (shape[2] == 1 and x.shape[1:] == shape[:-1])
        ):
            return self._sample(x, False)[None]
        return check_samples(x, shape, self.facts["raw_input"]["dtype"])

    def _sample(self, picture: Any, invert: bool) -> Samples:
        """Turn a picture into one raw sample (*shape)."""
        described = self.facts["preprocessing"]
        if described is None:
            raise InputError(
                f"picture: this network takes samples of shape {tuple(self.facts['raw_input']['shape'])}, no pictures"
            )
        pixels = _read_picture(picture) if _is_picture_object(picture) else np.asarray(picture)
        levels = picture_to_sample(
            pixels, described["height"], described["width"], described["channels"], invert=invert
        )
        low, high, bipolar = parse_type(self.facts["raw_input"]["dtype"])
        if bipolar:
            return np.where(levels >= 128, 1, -1)
        return low + levels.astype(np.int64) * (high - low + 1) // 256

    def _golden(self) -> dict[str, npt.NDArray[Any]]:
        path = self.folder / f"{self.facts['stem']}.golden.npz"
        try:
            with np.load(path, allow_pickle=False) as file:
                golden = {name: file[name] for name in file.files}
        except FileNotFoundError:
            raise FilesError(
                f"{path.name}: the golden vectors are missing in {self.folder}; copy the whole folder"
            ) from None
        except Exception as error:  # a damaged archive raises what it likes
            raise FilesError(f"{path.name}: damaged ({_line(error)}); copy the board folder again") from None
        words = int(self.facts["result"]["words"])
        if not {"raw", "result"} <= golden.keys() or golden["result"].shape != (len(golden["raw"]) or -1, words):
            raise FilesError(f"{path.name}: does not hold raw samples and {words} result words each; copy it again")
        return golden

    def _some_samples(self, frames: int) -> Samples:
        """Return the golden samples, or random ones of the network's type where none travel."""
        if frames < 1:
            raise InputError(f"frames={frames}: measure at least 1 frame")
        raw = self.facts["raw_input"]
        if (self.folder / f"{self.facts['stem']}.golden.npz").is_file():
            return check_samples(self._golden()["raw"], raw["shape"], raw["dtype"])
        low, high, bipolar = parse_type(raw["dtype"])
        drawn = np.random.default_rng(0).integers(0 if bipolar else low, high + 1, (64, *raw["shape"]))
        return 2 * drawn - 1 if bipolar else drawn

    def _matching(self, words: Words, golden: Mapping[str, npt.NDArray[Any]], key: str) -> int | None:
        if key not in golden:
            return None
        try:
            classes = classes_of(words, int(self.facts["n_classes"]), self._scores)
        except ResultError:
            return 0
        return int((classes == golden[key][: len(words)]).sum())

    def _stream(self, count: int, take: Callable[[int, int], Samples]) -> Words:
        """Send frames 0 .. count - 1, `take(first, last)` at a time, and gather the words: (count, words).

        Two pairs of buffers alternate: while a transfer runs, the next one is packed and the last one is read.
        """
        with self._lock:
            return self._streamed(self._running(), count, take)

    def _streamed(self, hardware: Hardware, count: int, take: Callable[[int, int], Samples]) -> Words:
        words = np.empty((count, int(self.facts["result"]["words"])), np.int32)
        # A single transfer that fits takes the small buffers: a whole buffer is flushed, however little is in it.
        pairs = [2] if count <= min(self._few, self.frames_per_transfer) else [0, 1]
        chunks = split(count, self.frames_per_transfer)

        def pack(k: int) -> None:
            self._pack(take(*chunks[k]), self._send[pairs[k % len(pairs)]])

        def gather(k: int) -> None:
            (first, last), view = chunks[k], self._receive[pairs[k % len(pairs)]].view
            frames = view[: (last - first) * self.facts["frame_bytes_out"]].reshape(last - first, -1)
            words[first:last] = unpack_words(frames, words.shape[1])

        if not chunks:
            return words
        hardware.prepare()
        pack(0)
        with self._recovering():
            for k, (first, last) in enumerate(chunks):
                pair = pairs[k % len(pairs)]
                hardware.start(self._send[pair], self._receive[pair], last - first)
                if k > 0:
                    gather(k - 1)
                if k + 1 < len(chunks):
                    pack(k + 1)
                hardware.finish(self._receive[pair])
        gather(len(chunks) - 1)
        return words

    def _pack(self, samples: Samples, buffer: Buffer) -> None:
        facts = self.facts
        codes = to_codes(samples, self._bipolar, self._table).reshape(len(samples), -1)
        frames = buffer.view[: len(samples) * facts["frame_bytes_in"]].reshape(len(samples), -1)
        pack_frames(codes, int(facts["input"]["wire_bits"]), int(facts["dma_width_bits"]), out=frames)

    @contextmanager
    def _recovering(self) -> Iterator[None]:
        """Reset the hardware when anything ends a transfer early, an interruption by the user included."""
        try:
            with _named():
                yield
        except BaseException as error:
            try:
                self.recover()
            except (RecoveryFailed, BoardLost) as failed:
                _abandoned.extend(self._send + self._receive)
                self._hardware, self._send, self._receive = None, [], []
                raise type(failed)(f"{_line(failed)}; it began with: {_line(error)}") from error
            raise


def _load_overlay(pynq: Any, bitstream: Path, facts: Mapping[str, Any]) -> Any:
    """Load the bitstream, after checking the board and the design it describes."""
    try:
        device = pynq.Device.active_device
    except Exception as error:  # "No Devices Found", or the runtime's own
        remote = os.environ.get("PYNQ_REMOTE_DEVICES")
        hint = (
            f"is there a board at {remote}, running PYNQ.remote?"
            if remote
            else "run as root in the image's whole environment: python3 in a shell that logs in (sudo -i)"
        )
        raise PynqError(f"pynq finds no device ({_line(error)}); {hint}") from error
    _check_board(device, facts)
    try:
        overlay = pynq.Overlay(str(bitstream), download=False)
    except Exception as error:  # a parser's
        raise OverlayNotLoaded(f"{bitstream.name}: pynq cannot read it ({_line(error)})") from error
    check_design(overlay.ip_dict, facts)
    try:
        overlay.download()
    except Exception as error:  # the FPGA manager refuses, or no right to write there
        raise OverlayNotLoaded(
            f"{bitstream.name}: the FPGA does not take it ({_line(error)}); run as root on a board with {facts['part']}"
        ) from error
    return overlay


# --------------------------------------------------------------------------------------------------------- command line


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise InputError(f"{message}; see --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="qnn_driver.py", description="Run an accelerator on this board.")
    parser.add_argument("command", choices=("validate", "throughput", "latency"))
    parser.add_argument("--folder", help="files of one build; by default where this file lies")
    parser.add_argument("--json", metavar="FILE", help="write what was found there")
    parser.add_argument("--frames", type=int, help="frames to send; all golden ones, 1000, or 100 single ones")
    parser.add_argument("--timeout", type=float, default=2.0, metavar="S", help="seconds without a frame (default 2)")
    return parser


def _measure(accelerator: Accelerator, command: str, frames: int | None) -> dict[str, Any]:
    facts = accelerator.facts
    found: dict[str, Any] = {
        "stem": facts["stem"],
        "graph_hash": facts["graph_hash"],
        "board": facts["board"],
        "part": facts["part"],
        "clock_mhz": accelerator.clock_mhz,
        "pynq": accelerator.pynq_version,
        "tool": accelerator.implementation.get("tool"),
    }
    if command == "throughput":
        return found | accelerator.throughput(1000 if frames is None else frames)
    if command == "latency":
        return found | {"latency_ms": accelerator.latency(100 if frames is None else frames)}
    found |= accelerator.validate(frames)
    return found | {"latency_ms": accelerator.latency(found["frames"])}


def _write_json(path: str | None, content: Mapping[str, Any]) -> None:
    if path is None:
        return
    try:
        Path(path).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise FilesError(f"{path}: cannot be written ({error.strerror})") from None


class _Stopped(KeyboardInterrupt):
    """A signal to end: Ctrl-C, the deployment's time is up, or its connection is gone."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def _stopped_in_order() -> Iterator[None]:
    """Turn the first signal that would end the process into `_Stopped`; those after it are ignored.

    An armed DMA would go on writing into memory that Linux has given to somebody else by then, so nothing may cut the
    recovery short: Ctrl-C comes more than once, from the terminal, from `timeout`, and from the shell that ends.
    """

    def stop(number: int, _: object) -> None:
        for each in heard:
            signal.signal(each, signal.SIG_IGN)
        raise _Stopped(number)

    ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    heard = [number for number in ends if signal.getsignal(number) != signal.SIG_IGN]
    kept = {number: signal.signal(number, stop) for number in heard}  # not what nohup has silenced
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0, 1 after an error (one sentence on the standard error), 2 where a word differs from the golden one, 128 plus
        the signal's number after Ctrl-C (130), SIGTERM (143) or SIGHUP (129).
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    report = given[given.index("--json") + 1] if "--json" in given[:-1] else None
    try:
        options = _parser().parse_args(given)
        report = options.json
        if options.frames is not None and options.frames < 1:
            raise InputError(f"--frames {options.frames}: give at least 1")
        with _stopped_in_order(), Accelerator(options.folder, timeout_s=options.timeout) as accelerator:
            print(f"{accelerator.facts['stem']} on {accelerator.facts['board_title']}, {accelerator.clock_mhz:g} MHz")
            found = _measure(accelerator, options.command, options.frames)
        _write_json(report, found)
    except DriverError as error:
        print(f"error: {_line(error)}", file=sys.stderr)
        try:
            _write_json(report, {"error": {"kind": type(error).__name__, "message": _line(error)}})
        except FilesError as second:
            print(f"error: {_line(second)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        print("stopped; the hardware was reset", file=sys.stderr)
        return 128 + (stop.number if isinstance(stop, _Stopped) else signal.SIGINT)
    except Exception as error:  # a defect: whoever reads the file alone learns of it, the traceback follows
        with suppress(FilesError):
            _write_json(report, {"error": {"kind": type(error).__name__, "message": _line(error)}})
        raise
    for key, value in found.items():
        print(f"{key:22} {value}")
    return 2 if found.get("bit_exact") is False else 0


if __name__ == "__main__":
    sys.exit(main())
