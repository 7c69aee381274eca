# SPDX-License-Identifier: Apache-2.0
"""What a quantizer delivers: integer codes and the affine map from a code to its real value.

Every quantizer of the training API states its output as a `CodeType`; the front end reads it and knows the wire format
without knowing the quantizer. No TensorFlow here: the compiler and the emulator import this module.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from qnn_hw.errors import QnnError


@dataclass(frozen=True, slots=True)
class CodeType:
    """Integer codes of a quantizer and their real values.

    Without `bipolar`, code c in [min_code, max_code] means `scale * c + offset`. With `bipolar`, a single bit means
    `scale * (2 * bit - 1) + offset`: bit 0 is -1, bit 1 is +1.

    The real value is exact where scale and offset are powers of two, zero or one. For other scales (DoReFa's
    1/(2^k - 1)) the float a quantizer delivers is the nearest float32, or a rounding away for a non-zero offset.

    Attributes:
        bits: width of a code in bits, 1 to 32.
        signed: two's complement codes instead of unsigned ones; never together with `bipolar`.
        bipolar: one bit that stands for -1 or +1.
        scale: real value of one code step, positive and finite.
        offset: real value of code 0 (bipolar: of the middle between the two values), finite.
        symmetric: signed codes without the most negative one; two bits are then the ternary -1, 0, 1.
        channel_scales: every index of the last axis has a scale of its own, not negative, that depends on the tensor
            and is to be read from the quantized values; `scale` is then 1 and `offset` 0.

    Raises:
        QnnError: for values outside these ranges.
    """

    bits: int
    signed: bool = False
    bipolar: bool = False
    scale: float = 1.0
    offset: float = 0.0
    symmetric: bool = False
    channel_scales: bool = False

    def __post_init__(self) -> None:
        """Reject contradictions early: everything after the front end relies on them."""
        if not 1 <= self.bits <= 32:
            raise QnnError(f"CodeType: bits={self.bits}; allowed are 1 to 32.")
        if self.bipolar and (self.bits != 1 or self.signed):
            raise QnnError(
                f"CodeType: bipolar with bits={self.bits}, signed={self.signed}; a bipolar code is one unsigned bit."
            )
        if self.signed and self.bits < 2:
            raise QnnError("CodeType: signed with bits=1; a signed code needs 2 bits or more, +-1 is `bipolar`.")
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise QnnError(f"CodeType: scale={self.scale}; it must be positive and finite.")
        if not math.isfinite(self.offset):
            raise QnnError(f"CodeType: offset={self.offset}; it must be finite.")
        if self.symmetric and not self.signed:
            raise QnnError("CodeType: symmetric without signed; unsigned codes have no most negative one to leave out.")
        if self.channel_scales and (self.scale, self.offset) != (1.0, 0.0):
            raise QnnError(
                f"CodeType: channel_scales with scale={self.scale}, offset={self.offset}; the tensor decides them, "
                "leave both out."
            )

    @property
    def min_code(self) -> int:
        """Smallest code as an integer (bipolar: 0, the bit)."""
        return int(self.symmetric) - (1 << (self.bits - 1)) if self.signed else 0

    @property
    def max_code(self) -> int:
        """Largest code as an integer (bipolar: 1, the bit)."""
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1

    def value(self, code: int) -> float:
        """Real value of `code`.

        Raises:
            QnnError: if `code` is outside [min_code, max_code], or with `channel_scales`.
        """
        if self.channel_scales:
            raise QnnError(f"CodeType {self}: the value of a code depends on the tensor; read it from the tensor.")
        if not self.min_code <= code <= self.max_code:
            raise QnnError(f"CodeType {self}: code {code} is outside [{self.min_code}, {self.max_code}].")
        return self.scale * (2 * code - 1 if self.bipolar else code) + self.offset

    def __str__(self) -> str:
        """Short text such as `bipolar`, `uint2*0.333333`, `int8*0.0625` or `ternary`, for reports and errors."""
        text = "bipolar" if self.bipolar else f"{'int' if self.signed else 'uint'}{self.bits}"
        if self.symmetric:
            text = "ternary" if self.bits == 2 else f"symmetric int{self.bits}"
        if self.channel_scales:
            text += "*s[c]"
        if self.scale != 1.0:
            text += f"*{self.scale:g}"
        if self.offset != 0.0:
            text += f"{self.offset:+g}"
        return text
