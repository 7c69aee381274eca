# SPDX-License-Identifier: Apache-2.0
"""Kernels as integers: what a dense or convolution layer computes with, read as few-bit codes times a scale."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qnn_hw.errors import QnnError
from qnn_hw.frontends.keras.measure import to_codes
from qnn_hw.frontends.keras.operations import code_type_of
from qnn_hw.frontends.keras.scaling import integer_map
from qnn_hw.ir.datatype import BIPOLAR, DataType, IntArray, parse_dtype, smallest_dtype
from qnn_hw.layers import QuantConv2D, QuantDense


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


def per_filter_kernel(kernel: npt.NDArray[np.float32], allow_zero: bool = False) -> IntegerKernel | None:
    """Read a binary kernel with one scale a filter (+-s[m]); None if it is something else.

    `allow_zero`: take a filter of zeros as bits with the scale 0.
    """
    flat = kernel.reshape(-1, kernel.shape[-1])
    scale = np.abs(flat[0]).astype(np.float64)
    if not ((np.abs(flat) == scale).all() and (allow_zero or (scale > 0).all())):
        return None
    return IntegerKernel(np.where(kernel > 0, 1, -1).astype(np.int64), BIPOLAR, scale)


def kernel_dtype(codes: IntArray) -> DataType:
    """Return bipolar for +-1, otherwise the smallest signed type."""
    if (np.abs(codes) == 1).all():
        return BIPOLAR
    low, high = int(codes.min()), int(codes.max())
    return smallest_dtype(min(low, -1), max(high, 0))


def own_kernel(layer: Any) -> IntegerKernel:
    """Read the kernel of a layer that was prepared before."""
    codes = np.asarray(layer.kernel).astype(np.int64)
    return IntegerKernel(codes, parse_dtype(layer.weight_dtype), np.ones(1))


def integer_kernel(layer: Any) -> IntegerKernel:
    """Read the kernel a layer computes with as integers times a scale.

    Raises:
        QnnError: if it holds NaN, or no few-bit integers stand behind it.
    """
    quantizer = getattr(layer, "kernel_quantizer", None)
    ours = isinstance(layer, (QuantDense, QuantConv2D))
    kernel = np.asarray(layer.quantized_kernel if ours else layer.kernel, np.float32)
    if not np.isfinite(kernel).all():
        raise QnnError(f"{layer.name}: the kernel holds NaN or infinity; train the model again")
    found = plain_kernel(kernel) if quantizer is None else _quantized_kernel(layer.name, quantizer, kernel)
    if found is None:
        raise QnnError(
            f"{layer.name}: the kernel is not an integer times a power of two in at most 8 bits; use "
            f"{'QuantConv2D' if kernel.ndim == 4 else 'QuantDense'} with a kernel_quantizer, for example 'ste_sign'"
        )
    return found


def _quantized_kernel(
    name: str, quantizer: Callable[[Any], Any], kernel: npt.NDArray[np.float32]
) -> IntegerKernel | None:
    try:
        code = code_type_of(quantizer)
    except QnnError:
        code = None
    if code is None:
        return plain_kernel(kernel) or per_filter_kernel(kernel)
    if code.channel_scales:
        return per_filter_kernel(kernel, allow_zero=True)
    if code.bipolar and code.offset == 0 and not np.isin(np.abs(kernel), np.float32(code.scale)).all():
        wrong = kernel[np.abs(kernel) != np.float32(code.scale)].flat[0]
        raise QnnError(
            f"{name}: the kernel_quantizer is to deliver +-{code.scale:g} but delivers {wrong:g}; check the quantizer"
        )
    codes = to_codes(name, kernel.reshape(-1, kernel.shape[-1]), code).reshape(kernel.shape).astype(np.int64)
    if code.bipolar and code.offset == 0:
        return IntegerKernel(2 * codes - 1, BIPOLAR, np.array([code.scale]))
    levels = integer_map(name, 2 * code.scale if code.bipolar else code.scale, code.value(0))
    integers = levels.factor * codes + levels.summand
    # The type follows from the quantizer's levels, not from the weights that happen to occur.
    ends = levels.factor * np.array([code.min_code, code.min_code + 1, code.max_code]) + levels.summand
    return IntegerKernel(integers, kernel_dtype(ends.astype(np.int64)), np.array([levels.step]))
