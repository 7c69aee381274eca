# SPDX-License-Identifier: Apache-2.0
"""`DataType`: what the integers on a wire mean."""

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qnn_hw.errors import QnnError

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class DataType:
    """An integer type of `bits` bits; every value on a wire has one.

    Attributes:
        bits: width of an element, 1 to 64.
        signed: two's complement.
        bipolar: one bit whose code 0 means -1 and code 1 means +1.
        fraction_bits: the represented number is value * 2**-fraction_bits (metadata: arithmetic is on integers).

    The *value* of an element is an integer (bipolar: -1 or +1); its *code* is what the wire carries
    (bipolar: 0 or 1; otherwise the value itself, negative codes in two's complement).

    Raises:
        QnnError: for a width outside 1..64, or a bipolar type that is not exactly one unsigned bit.
    """

    bits: int
    signed: bool = False
    bipolar: bool = False
    fraction_bits: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 64:
            raise QnnError(f"data type: {self.bits} bits; a width lies in 1..64")
        if self.bipolar and (self.bits != 1 or self.signed):
            raise QnnError("data type: a bipolar element is one unsigned bit")

    @property
    def minimum(self) -> int:
        """Smallest value."""
        if self.bipolar:
            return -1
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        """Greatest value."""
        if self.bipolar:
            return 1
        return (1 << (self.bits - self.signed)) - 1

    def codes(self, values: IntArray) -> IntArray:
        """Turn values into codes, same shape.

        Raises:
            QnnError: if a value is not representable.
        """
        self.check(values)
        return (values + 1) // 2 if self.bipolar else values

    def values(self, codes: npt.NDArray[np.integer]) -> IntArray:
        """Turn codes into values, same shape (the inverse of `codes`)."""
        wide = codes.astype(np.int64)
        return 2 * wide - 1 if self.bipolar else wide

    def check(self, values: IntArray) -> None:
        """Raise QnnError unless every element of `values` is a value of this type."""
        if values.size == 0:
            return
        low, high = int(values.min()), int(values.max())
        if low < self.minimum or high > self.maximum or (self.bipolar and bool((values == 0).any())):
            raise QnnError(f"values {low}..{high} do not fit {self} ({self.minimum}..{self.maximum})")

    def __str__(self) -> str:
        kind = "b" if self.bipolar else "i" if self.signed else "u"
        return f"{kind}{self.bits}" + (f".{self.fraction_bits}" if self.fraction_bits else "")


BIPOLAR = DataType(1, bipolar=True)
TERNARY = DataType(2, signed=True)
UINT8 = DataType(8)

_TEXT = re.compile(r"([bui])(\d+)(?:\.(-?\d+))?")


def parse_dtype(text: str) -> DataType:
    """Parse the text form: `u8`, `i9`, `b1`, with fraction bits `i8.4`.

    Raises:
        QnnError: if `text` is no such form.
    """
    match = _TEXT.fullmatch(text)
    if match is None:
        raise QnnError(f"data type {text!r}: expected u<bits>, i<bits> or b1, for example u8, i9 or b1")
    kind, bits, fraction = match.groups()
    return DataType(int(bits), kind == "i", kind == "b", int(fraction or 0))


def smallest_dtype(low: int, high: int) -> DataType:
    """Return the narrowest integer type that holds `low`..`high`; unsigned where `low` >= 0."""
    if low >= 0:
        return DataType(max(1, high.bit_length()))
    return DataType(max((-low - 1).bit_length(), max(high, 0).bit_length()) + 1, signed=True)
