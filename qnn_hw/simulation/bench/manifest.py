# SPDX-License-Identifier: Apache-2.0
"""What the test bench needs to know of a build: the fields it reads from `qnn.json`.

    {
      "schema": 1,
      "name": "mnist_sfc",
      "graph_hash": "0123...",                     32 hex digits: the 128-bit number, most significant digit first
      "clock_mhz": 100,
      "dma_width_bits": 64,
      "output": "class",                           or "logits"
      "n_classes": 10,
      "input": {"stream": "input", "shape": [28, 28, 1], "dtype": "u8", "wire_bits": 8, "lanes": 8},
      "result": {"stream": "result", "shape": [1], "dtype": "u32"},   words of a frame: class, or one i32 a class
      "frame_beats_in": 98,                        outside beats of a frame
      "frame_beats_out": 1,
      "streams": [{"name": "fc1_acc", "shape": [256], "dtype": "i16", "elements_per_beat": 8,
                   "path": "u_top.u_core.fc1_acc"}],                  in pipeline order
      "fifos": [{"name": "fc1_fifo", "depth": 32}],                   in the order of the high-water registers
      "predicted": {"interval_cycles": 98}         or null
    }

dtype: "u8" unsigned, "i9" signed, "i9.4" the same with 4 fraction bits, "b1" one bipolar bit (0 = -1, 1 = +1).
`golden/<stream>.npy` holds integers (N, *shape); a bipolar stream may hold 0/1 or -1/+1.
Other fields of the file are ignored here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import SimulationError

SCHEMA = 1

STEADY_FRAMES = 3
"""Frames the steady scenario sends at least, repeating the golden ones: the interval lies between its last two."""

_DTYPE = re.compile(r"([uib])([1-9]\d*)(?:\.-?\d+)?")  # the bench compares codes: fraction bits do not matter


def read_manifest(path: Path) -> Manifest:
    """Return the manifest in `path`; a missing file or field raises `SimulationError` naming it."""
    if not path.is_file():
        raise SimulationError(f"{path}: no such file; a build folder has it at its top")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SimulationError(f"{path}: damaged ({error}); build again") from error
    if data.get("schema") != SCHEMA:
        raise SimulationError(f"{path}: schema is {data.get('schema')!r}, this bench reads {SCHEMA}: build again")
    try:
        return Manifest(
            name=data["name"],
            graph_hash=int(data["graph_hash"], 16),
            dma_width_bits=data["dma_width_bits"],
            output=data["output"],
            input=_stream(
                {
                    **data["input"],
                    "name": data["input"]["stream"],
                    "elements_per_beat": data["dma_width_bits"] // data["input"]["wire_bits"],
                }
            ),
            wire_bits=data["input"]["wire_bits"],
            result=_stream({**data["result"], "name": data["result"]["stream"], "elements_per_beat": 1}),
            frame_beats_in=data["frame_beats_in"],
            frame_beats_out=data["frame_beats_out"],
            streams=tuple(_stream(entry) for entry in data["streams"]),
            fifos=tuple((entry["name"], entry["depth"]) for entry in data["fifos"]),
            predicted_interval_cycles=(data.get("predicted") or {}).get("interval_cycles"),
        )
    except KeyError as error:
        raise SimulationError(f"{path}: the field {error} is missing; build again") from error


def parse_dtype(text: str) -> Dtype:
    """Return the element type written as "u8", "i9" or "b1"."""
    match = _DTYPE.fullmatch(text)
    if match is None or (match[1] == "b" and match[2] != "1"):
        raise SimulationError(f"dtype {text!r} is not known, allowed are u<bits>, i<bits> and b1")
    return Dtype(bits=int(match[2]), signed=match[1] == "i", bipolar=match[1] == "b")


def _stream(entry: Mapping[str, Any]) -> Stream:
    stream = Stream(
        name=entry["name"],
        shape=tuple(entry["shape"]),
        dtype=parse_dtype(entry["dtype"]),
        elements_per_beat=entry["elements_per_beat"],
        path=entry.get("path", ""),
    )
    if "path" in entry and stream.n_elements % stream.elements_per_beat:
        raise SimulationError(
            f"stream {stream.name}: {stream.elements_per_beat} elements a beat do not divide the"
            f" {stream.n_elements} elements of a frame"
        )
    return stream


@dataclass(frozen=True, slots=True)
class Dtype:
    """An element's bits and how they are read."""

    bits: int
    signed: bool
    bipolar: bool

    def __str__(self) -> str:
        """Return the text form, as in the manifest."""
        return f"{'b' if self.bipolar else 'i' if self.signed else 'u'}{self.bits}"


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream: shape of a frame (H, W, C) or (C,), element type, elements a beat, place in the design."""

    name: str
    shape: tuple[int, ...]
    dtype: Dtype
    elements_per_beat: int
    path: str

    @property
    def n_elements(self) -> int:
        """Elements of a frame."""
        return math.prod(self.shape)

    @property
    def width_bits(self) -> int:
        """Bits of a beat."""
        return self.elements_per_beat * self.dtype.bits

    @property
    def beats_per_frame(self) -> int:
        """Beats of a frame."""
        return -(-self.n_elements // self.elements_per_beat)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The parts of `qnn.json` the bench uses; `input` describes the outside input, `result` the result's words."""

    name: str
    graph_hash: int
    dma_width_bits: int
    output: str
    input: Stream
    wire_bits: int
    result: Stream
    frame_beats_in: int
    frame_beats_out: int
    streams: tuple[Stream, ...]
    fifos: tuple[tuple[str, int], ...]
    predicted_interval_cycles: int | None
