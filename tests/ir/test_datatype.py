# SPDX-License-Identifier: Apache-2.0
"""`DataType`: ranges, codes, text form."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qnn_hw.errors import QnnError
from qnn_hw.ir.datatype import BIPOLAR, TERNARY, UINT8, DataType, parse_dtype, smallest_dtype


@pytest.mark.parametrize(
    ("dtype", "text", "low", "high"),
    [
        (UINT8, "u8", 0, 255),
        (BIPOLAR, "b1", -1, 1),
        (TERNARY, "i2", -2, 1),
        (DataType(1), "u1", 0, 1),
        (DataType(9, signed=True), "i9", -256, 255),
        (DataType(8, signed=True, fraction_bits=4), "i8.4", -128, 127),
        (DataType(4, fraction_bits=-2), "u4.-2", 0, 15),
        (DataType(64), "u64", 0, 2**64 - 1),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_range_and_text(dtype: DataType, text: str, low: int, high: int) -> None:
    assert (dtype.minimum, dtype.maximum) == (low, high)
    assert str(dtype) == text
    assert parse_dtype(text) == dtype


@pytest.mark.parametrize("text", ["", "8", "u", "x8", "u8.", "U8", "uint8", "u-1"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(QnnError) as caught:
        parse_dtype(text)
    assert str(caught.value) == f"data type {text!r}: expected u<bits>, i<bits> or b1, for example u8, i9 or b1"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("u0", "data type: 0 bits; a width lies in 1..64"),
        ("i65", "data type: 65 bits; a width lies in 1..64"),
        ("b2", "data type: a bipolar element is one unsigned bit"),
    ],
)
def test_contradictions_are_refused(text: str, sentence: str) -> None:
    with pytest.raises(QnnError) as caught:
        parse_dtype(text)
    assert str(caught.value) == sentence


def test_bipolar_codes_are_the_bits() -> None:
    values = np.array([-1, 1, 1])
    assert BIPOLAR.codes(values).tolist() == [0, 1, 1]
    assert BIPOLAR.values(np.array([0, 1, 1], np.uint8)).tolist() == [-1, 1, 1]


@pytest.mark.parametrize(("text", "value"), [("u8", -1), ("u8", 256), ("i4", 8), ("i4", -9), ("b1", 0), ("b1", 2)])
def test_a_value_outside_is_named_with_the_range(text: str, value: int) -> None:
    dtype = parse_dtype(text)
    with pytest.raises(QnnError) as caught:
        dtype.codes(np.array([value]))
    assert str(caught.value) == f"values {value}..{value} do not fit {text} ({dtype.minimum}..{dtype.maximum})"


def test_no_values_fit_everything() -> None:
    UINT8.check(np.zeros((0, 3), np.int64))


@given(st.integers(-(2**40), 2**40), st.integers(0, 2**40))
def test_the_smallest_type_holds_the_range_and_one_bit_less_does_not(low: int, span: int) -> None:
    dtype = smallest_dtype(low, low + span)
    assert dtype.minimum <= low and low + span <= dtype.maximum
    if dtype.bits > 1:
        narrower = DataType(dtype.bits - 1, dtype.signed)
        assert low < narrower.minimum or low + span > narrower.maximum
