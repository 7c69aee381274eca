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


def frame_bytes(elements: int, element_bits: int, beat_bits: int) -> int:
    """Bytes of a frame outside: whole beats."""
    return -(-elements * element_bits // beat_bits) * (beat_bits // 8)


def pack_frames(codes: npt.NDArray[np.integer], element_bits: int, beat_bits: int, out: Bytes | None = None) -> Bytes:
    """Pack frames as they travel outside: each starts on a beat and is zero-padded to whole beats.

    Whole bytes at a time for the widths of `WIRE_BITS`; bit by bit, ten times slower and more, for any other.

    Args:
        codes: (N, elements), flattened in H, W, C order; of any integer type.
        element_bits: width of an element outside, one of `WIRE_BITS`.
        beat_bits: width of the DMA stream.
        out: (N, bytes a frame) to pack into instead of a new array; its padding is left as it is.

    Returns:
        (N, bytes a frame), little-endian: `out` where it was given.
    """
    frames, elements = codes.shape
    if out is None:
        out = np.zeros((frames, frame_bytes(elements, element_bits, beat_bits)), np.uint8)
    filled = out[:, : -(-elements * element_bits // 8)]
    if element_bits == 8:
        filled[...] = codes.astype(np.uint8, copy=False)  # modulo 256: two's complement
    elif element_bits == 16:
        filled[...] = codes.astype("<u2").view(np.uint8)
    elif element_bits in (2, 4):
        filled[...] = _pack_parts(codes, element_bits)
    elif element_bits == 1:
        filled[...] = np.packbits(codes.astype(np.uint8, copy=False) & 1, axis=1, bitorder="little")
    else:
        filled[...] = np.packbits(to_bits(codes.astype(np.int64), element_bits), axis=1, bitorder="little")
    return out


def _pack_parts(codes: npt.NDArray[np.integer], bits: int) -> Bytes:
    """Pack elements of 2 or 4 bits: (N, elements) -> (N, bytes), the first in the low bits."""
    frames, elements = codes.shape
    parts = 8 // bits
    low = codes.astype(np.uint8, copy=False) & np.uint8(2**bits - 1)
    if elements % parts:
        low = np.concatenate([low, np.zeros((frames, -elements % parts), np.uint8)], axis=1)
    packed = low[:, ::parts].copy()
    for i in range(1, parts):
        packed |= low[:, i::parts] << np.uint8(i * bits)
    return packed


def unpack_words(frames: Bytes, words: int) -> npt.NDArray[np.int32]:
    """Read results back: (N, bytes a frame) -> (N, words) of 32-bit little-endian words."""
    return np.ascontiguousarray(frames[:, : 4 * words]).view("<i4")
