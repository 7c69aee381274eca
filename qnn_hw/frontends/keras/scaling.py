# SPDX-License-Identifier: Apache-2.0
"""Exact integer maps: value = scale * code + offset as step * (factor * code + summand) with small integers."""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from qnn_hw.errors import QnnError
from qnn_hw.ir.datatype import BIPOLAR, DataType, IntArray, smallest_dtype

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
    if abs(close - ratio) > _TOLERANCE * max(1, abs(ratio)) or abs(close.numerator) > _MAX_INTEGER:
        raise QnnError(
            f"{layer}: input scaling {scale:g} * x + {offset:g} is no integer map, offset / scale = {float(ratio):g} must "
            "be a ratio of small integers; use for example x / 128 - 1 or x / 127.5 - 1"
        )
    sign = 1 if scale > 0 else -1
    return AffineMap(sign * close.denominator, sign * close.numerator, abs(scale) / close.denominator, False)


@dataclass(frozen=True, slots=True)
class IntegerKernel:
    """A float kernel as integers: kernel[..., m] = codes[..., m] * scale[m] (scale has one or m entries)."""

    codes: IntArray
    dtype: DataType
    scale: npt.NDArray[np.float64]


def plain_kernel(kernel: npt.NDArray[np.float32]) -> IntegerKernel | None:
    """Read weights that are integers times one power of two, at most 8 bits; +-1 times it is bipolar; else None."""
    nonzero = np.abs(kernel[kernel != 0]).astype(np.float64)
    if nonzero.size == 0:
        return None
    mantissa, exponent = np.frexp(nonzero)
    # The lowest set bit over all weights is the step.
    trailing = np.min(exponent - 24 + np.log2(np.bitwise_and(-(m := (mantissa * 2**24).astype(np.int64)), m)))
    step = 2.0**trailing
    codes = kernel.astype(np.float64) / step
    if np.abs(codes).max() > 255:
        return None
    integers = codes.astype(np.int64)
    dtype = kernel_dtype(integers)
    return IntegerKernel(integers, dtype, np.array([step])) if dtype.bits <= 8 else None


def per_filter_kernel(kernel: npt.NDArray[np.float32]) -> IntegerKernel | None:
    """Read a binary kernel with one scale a filter (+-s[m]); None if it is something else."""
    flat = kernel.reshape(-1, kernel.shape[-1])
    scale = np.abs(flat[0]).astype(np.float64)
    if not ((np.abs(flat) == scale).all() and (scale > 0).all()):
        return None
    return IntegerKernel(np.where(kernel > 0, 1, -1).astype(np.int64), BIPOLAR, scale)


def kernel_dtype(codes: IntArray) -> DataType:
    """Return bipolar for +-1, otherwise the smallest signed type."""
    if (np.abs(codes) == 1).all():
        return BIPOLAR
    low, high = int(codes.min()), int(codes.max())
    return smallest_dtype(min(low, -1), max(high, 0))
