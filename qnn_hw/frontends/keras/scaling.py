# SPDX-License-Identifier: Apache-2.0
"""Exact integer maps: value = scale * code + offset as step * (factor * code + summand) with small integers."""

import math
from dataclasses import dataclass
from fractions import Fraction

from qnn_hw.errors import QnnError

_MAX_INTEGER = 1 << 16
_MAX_DENOMINATOR = 64
_TOLERANCE = 1e-6  # a few units of float32 in scale and offset each


@dataclass(frozen=True, slots=True)
class AffineMap:
    """value = step * (factor * code + summand); `exact` if that holds without any rounding."""

    factor: int
    summand: int
    step: float
    exact: bool


def integer_map(layer: str, scale: float, offset: float) -> AffineMap:
    """Find the integers behind scale and offset.

    A pair of binary fractions with small numerators is taken as it is. Otherwise offset / scale must be a ratio with a
    small denominator, up to float32 rounding: x / 127.5 - 1 gives (2 x - 255) / 255.

    Raises:
        QnnError: if there are no such integers.
    """
    if scale == 0 or not (math.isfinite(scale) and math.isfinite(offset)):
        raise QnnError(f"{layer}: input scaling {scale:g} * x + {offset:g}; the scale must be finite and not zero")
    exact_scale, exact_offset = Fraction(scale), Fraction(offset)
    denominator = math.lcm(exact_scale.denominator, exact_offset.denominator)
    parts = (int(exact_scale * denominator), int(exact_offset * denominator))
    common = math.gcd(*parts)
    if max(abs(part) // common for part in parts) <= _MAX_INTEGER:
        return AffineMap(parts[0] // common, parts[1] // common, common / denominator, True)
    ratio = exact_offset / exact_scale
    close = ratio.limit_denominator(_MAX_DENOMINATOR)
    if abs(close - ratio) > _TOLERANCE * max(1.0, float(abs(ratio))) or abs(close.numerator) > _MAX_INTEGER:
        raise QnnError(
            f"{layer}: input scaling {scale:g} * x + {offset:g} is no integer map, offset / scale = "
            f"{float(ratio):g} must "
            "be a ratio of small integers; use for example x / 128 - 1 or x / 127.5 - 1"
        )
    sign = 1 if scale > 0 else -1
    return AffineMap(sign * close.denominator, sign * close.numerator, abs(scale) / close.denominator, False)
