# SPDX-License-Identifier: Apache-2.0
"""Codes to bits and back: beats of a stream, memory words, and the frames outside (needs NumPy alone).

Everywhere element 0 lies in the least significant bits and no element straddles a beat.
"""

import numpy as np
import numpy.typing as npt

WIRE_BITS = (1, 2, 4, 8, 16)
"""Widths of an element outside, in bits."""

Codes = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


def wire_bits(bits: int) -> int:
    """Return the width outside of an element of `bits` bits: the next of `WIRE_BITS`.

    Raises:
        ValueError: above 16 bits.
    """
    for width in WIRE_BITS:
        if bits <= width:
            return width
    raise ValueError(f"an element of {bits} bits does not travel over DMA; at most {WIRE_BITS[-1]}")


def to_bits(codes: Codes, bits: int) -> Bytes:
    """Expand codes to bits, two's complement, LSB first: (..., lanes) -> (..., lanes * bits) of 0 and 1."""
    wide = (codes[..., None] >> np.arange(bits)) & 1
    return wide.astype(np.uint8).reshape(*codes.shape[:-1], -1)


def words_to_hex(bits: Bytes) -> list[str]:
    """Print words given as bits, LSB first: (words, width) -> one hexadecimal number a word, as $readmemh reads it."""
    octets = np.packbits(bits, axis=1, bitorder="little")[:, ::-1]
    digits = -(-bits.shape[1] // 4)
    text = octets.tobytes().hex()
    length = 2 * octets.shape[1]
    return [text[i + length - digits : i + length] for i in range(0, len(text), length)]


def beats_to_hex(codes: Codes, bits: int) -> list[str]:
    """Print beats of a stream: (beats, lanes) codes -> one hexadecimal number a beat."""
    return words_to_hex(to_bits(codes, bits))


def pack_frames(codes: Codes, element_bits: int, beat_bits: int) -> Bytes:
    """Pack frames as they travel outside: each starts on a beat and is zero-padded to whole beats.

    Args:
        codes: (N, elements), flattened in H, W, C order.
        element_bits: width of an element outside, one of `WIRE_BITS`.
        beat_bits: width of the DMA stream.

    Returns:
        (N, bytes a frame), little-endian.
    """
    bits = to_bits(codes, element_bits)
    missing = -bits.shape[1] % beat_bits
    return np.packbits(np.pad(bits, ((0, 0), (0, missing))), axis=1, bitorder="little")


def unpack_words(frames: Bytes, words: int) -> npt.NDArray[np.int32]:
    """Read results back: (N, bytes a frame) -> (N, words) of 32-bit little-endian words."""
    return np.ascontiguousarray(frames[:, : 4 * words]).view("<i4")
