# SPDX-License-Identifier: Apache-2.0
"""Codes to bits and back, against Python's own integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qnn_hw.ir.packing import WIRE_BITS, beats_to_hex, pack_frames, to_bits, unpack_words, wire_bits


@pytest.mark.parametrize(("bits", "wire"), [(1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (8, 8), (9, 16), (16, 16)])
def test_an_element_travels_in_the_next_width(bits: int, wire: int) -> None:
    assert wire_bits(bits) == wire


def test_an_element_too_wide_for_the_dma() -> None:
    with pytest.raises(ValueError, match="an element of 17 bits does not travel over DMA; at most 16"):
        wire_bits(17)


def test_bits_are_twos_complement_and_element_0_comes_first() -> None:
    assert to_bits(np.array([[-2, 1]]), 3).tolist() == [[0, 1, 1, 1, 0, 0]]


def test_a_beat_as_readmemh_reads_it() -> None:
    # Element 0 in the low bits: 0xA of element 0, 0x3 of element 1; a width that is no multiple of 4 is zero-padded.
    assert beats_to_hex(np.array([[0xA, 0x3], [0xF, 0x0]]), 4) == ["3a", "0f"]
    assert beats_to_hex(np.array([[1, 0, 1, 1, 1]]), 1) == ["1d"]
    assert beats_to_hex(np.array([[-1, 0, -1]]), 3) == ["1c7"]


@given(st.data(), st.integers(1, 20), st.integers(1, 17))
def test_a_hex_word_is_the_number(data: st.DataObject, lanes: int, bits: int) -> None:
    codes = data.draw(st.lists(st.integers(0, 2**bits - 1), min_size=lanes, max_size=lanes))
    (word,) = beats_to_hex(np.array([codes]), bits)
    assert int(word, 16) == sum(code << (i * bits) for i, code in enumerate(codes))
    assert len(word) == -(-lanes * bits // 4)


@pytest.mark.parametrize("beat_bits", [64, 128])
@pytest.mark.parametrize("bits", WIRE_BITS)
@pytest.mark.parametrize("elements", [1, 8, 65])
def test_frames_start_on_beats_and_no_element_straddles(elements: int, bits: int, beat_bits: int) -> None:
    codes = np.random.default_rng(bits).integers(0, 2**bits, (3, elements))
    frames = pack_frames(codes, bits, beat_bits)
    assert frames.shape == (3, -(-elements * bits // beat_bits) * beat_bits // 8)
    for frame, row in zip(frames, codes, strict=True):
        number = int.from_bytes(frame.tobytes(), "little")
        assert number == sum(int(code) << (i * bits) for i, code in enumerate(row))


def test_results_read_back() -> None:
    words = np.array([[1, -2, 2**31 - 1], [0, -(2**31), 7]])
    frames = pack_frames(words, 32, 64)
    assert frames.shape == (2, 16)
    assert unpack_words(frames, 3).tolist() == words.tolist()
