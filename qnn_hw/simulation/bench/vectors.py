# SPDX-License-Identifier: Apache-2.0
"""Integer codes <-> beats of a stream, as the testbench's binary files hold them.

A file holds the beats of whole frames one after the other, ceil(width/8) bytes a beat, most significant byte first
(the order of SystemVerilog's `$fread`). Element 0 of a beat lies in its least significant bits.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from .errors import SimulationError
from .manifest import Dtype, Manifest, Stream


def pack_beats(
    codes: npt.NDArray[np.int64], dtype: Dtype, elements_per_beat: int, *, slot_bits: int | None = None
) -> bytes:
    """Return the beats of `codes` (N, elements of a frame); each frame is zero-padded to whole beats.

    `slot_bits` is the room of an element on the wire, the bits of `dtype` by default.
    """
    slot_bits = slot_bits or dtype.bits
    n_frames, n_elements = codes.shape
    beats = -(-n_elements // elements_per_beat)
    bits = np.zeros((n_frames, beats * elements_per_beat, slot_bits), dtype=np.uint8)
    values = (codes > 0).astype(np.int64) if dtype.bipolar else codes
    for bit in range(dtype.bits):
        bits[:, :n_elements, bit] = (values >> bit) & 1
    n_bytes = -(-elements_per_beat * slot_bits // 8)
    packed = np.packbits(bits.reshape(n_frames * beats, elements_per_beat * slot_bits), axis=1, bitorder="little")
    return packed.reshape(-1, n_bytes)[:, ::-1].tobytes()


def unpack_beat(hex_digits: str, dtype: Dtype, elements_per_beat: int) -> list[int]:
    """Return the elements of one beat written in hexadecimal; bipolar elements as -1 and +1."""
    word = int(hex_digits, 16)
    mask = (1 << dtype.bits) - 1
    elements = []
    for lane in range(elements_per_beat):
        code = (word >> (lane * dtype.bits)) & mask
        if dtype.bipolar:
            code = 2 * code - 1
        elif dtype.signed and code >> (dtype.bits - 1):
            code -= 1 << dtype.bits
        elements.append(code)
    return elements


def read_golden(folder: Path, stream: Stream, n_frames: int) -> npt.NDArray[np.int64]:
    """Return the first `n_frames` frames of `folder`/<stream>.npy as (N, elements of a frame), values checked."""
    path = folder / f"{stream.name}.npy"
    if not path.is_file():
        raise SimulationError(f"stream {stream.name}: {path} is missing; build again")
    try:
        array = np.load(path, allow_pickle=False)
    except (EOFError, ValueError) as error:
        raise SimulationError(f"stream {stream.name}: {path} is damaged ({error}); build again") from error
    if array.ndim == 0 or array[0].size != stream.n_elements:
        raise SimulationError(
            f"stream {stream.name}: {path} has shape {array.shape}, expected (N, {', '.join(map(str, stream.shape))})"
        )
    codes = array[:n_frames].reshape(min(n_frames, len(array)), -1).astype(np.int64)
    low, high = _limits(stream.dtype)
    if codes.size and (codes.min() < low or codes.max() > high):
        raise SimulationError(
            f"stream {stream.name}: {path} holds {codes.min()} .. {codes.max()}, {stream.dtype} allows {low} .. {high}"
        )
    return codes


def write_vectors(manifest: Manifest, golden: Path, target: Path, n_frames: int) -> int:
    """Write the testbench's files for up to `n_frames` golden frames to `target`; return how many there are.

    `_input.bin`: outside input beats; `_result.bin`: outside output beats; `<stream>.bin`: one for each inner stream.
    """
    target.mkdir(parents=True, exist_ok=True)
    inputs = read_golden(golden, manifest.input, n_frames)
    n_golden = len(inputs)
    lanes = manifest.dma_width_bits // manifest.wire_bits
    beats = pack_beats(inputs, manifest.input.dtype, lanes, slot_bits=manifest.wire_bits)
    (target / "_input.bin").write_bytes(beats)
    words = read_golden(golden, manifest.result, n_golden)
    (target / "_result.bin").write_bytes(
        pack_beats(words, Dtype(bits=32, signed=True, bipolar=False), manifest.dma_width_bits // 32)
    )
    for stream in manifest.streams:
        codes = read_golden(golden, stream, n_golden)
        (target / f"{stream.name}.bin").write_bytes(pack_beats(codes, stream.dtype, stream.elements_per_beat))
    return n_golden


def _limits(dtype: Dtype) -> tuple[int, int]:
    if dtype.bipolar:
        return -1, 1
    if dtype.signed:
        return -(1 << (dtype.bits - 1)), (1 << dtype.bits) - 1  # values, or their codes read as unsigned numbers
    return 0, (1 << dtype.bits) - 1
