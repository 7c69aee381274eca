# SPDX-License-Identifier: Apache-2.0
"""Packing codes into beats and back, and finding an element from a beat."""

import numpy as np
import pytest

from qnn_hw.simulation.bench.errors import SimulationError
from qnn_hw.simulation.bench.judge import Difference, locate
from qnn_hw.simulation.bench.manifest import Stream, parse_dtype
from qnn_hw.simulation.bench.vectors import pack_beats, unpack_beat


def test_element_zero_is_in_the_low_bits_and_bytes_come_high_first() -> None:
    assert pack_beats(np.array([[1, 2, 3]]), parse_dtype("u8"), 2) == bytes([2, 1, 0, 3])


def test_wire_slots_are_wider_than_elements() -> None:
    assert pack_beats(np.array([[5, -1]]), parse_dtype("i3"), 2, slot_bits=4) == bytes([0x75])


@pytest.mark.parametrize("codes", [[0, 1, 1], [-1, 1, 1]], ids=["codes", "values"])
def test_bipolar_bits_may_be_codes_or_values(codes: list[int]) -> None:
    assert pack_beats(np.array([codes]), parse_dtype("b1"), 3) == bytes([0b110])


@pytest.mark.parametrize("dtype", ["u1", "b1", "u5", "i9", "i17", "i9.4"])
@pytest.mark.parametrize("lanes", [1, 3, 16])
def test_unpacking_gives_back_what_was_packed(dtype: str, lanes: int) -> None:
    kind = parse_dtype(dtype)
    low, high = (0, 1 << kind.bits) if not kind.signed else (-(1 << (kind.bits - 1)), 1 << (kind.bits - 1))
    codes = np.random.default_rng(3).integers(low, high, (1, lanes))
    if kind.bipolar:
        codes = 2 * codes - 1
    assert unpack_beat(pack_beats(codes, kind, lanes).hex(), kind, lanes) == codes[0].tolist()


def test_a_beat_is_located_in_its_frame() -> None:
    stream = Stream("s", (4, 5, 6), parse_dtype("u4"), 2, "")
    beat = 3 * 60 + (2 * 5 + 1) * 3 + 2  # frame 3, row 2, column 1, channels 4 and 5
    assert locate(stream, beat, "a1", "71") == Difference(3, 35, 1, (2, 1, 5), 7, 10)


@pytest.mark.parametrize("text", ["8", "b2", "u0", "float32"])
def test_unknown_dtype_is_refused(text: str) -> None:
    with pytest.raises(SimulationError, match=f"dtype '{text}' is not known"):
        parse_dtype(text)
