# SPDX-License-Identifier: Apache-2.0
"""Geometry of sliding windows: padding rules, output sizes, and the slow im2col everything is compared with."""

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from qnn_hw.ir.datatype import IntArray

Padding = tuple[int, int, int, int]
"""Rows added at the top and bottom, columns added left and right."""

Element = TypeVar("Element", bound=np.generic)


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return (before, after) of TensorFlow's "same" rule: the odd one goes after."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def output_size(size: int, kernel: int, stride: int, before: int, after: int) -> int:
    """Return the number of window positions along one axis; 0 or less if the window does not fit."""
    return (size + before + after - kernel) // stride + 1


def pad(x: IntArray, padding: Sequence[int], value: int) -> IntArray:
    """Surround maps (N, H, W, C) with `padding` (top, bottom, left, right) pixels of `value`."""
    top, bottom, left, right = padding
    return np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=value)


def windows(x: npt.NDArray[Element], kernel: Sequence[int], strides: Sequence[int]) -> npt.NDArray[Element]:
    """Cut windows out of maps that are padded already.

    Args:
        x: (N, H, W, C).
        kernel: height, width.
        strides: vertical, horizontal.

    Returns:
        (N, OH, OW, kh * kw * C), columns in the order (kh, kw, c).
    """
    rows = output_size(x.shape[1], kernel[0], strides[0], 0, 0)
    columns = output_size(x.shape[2], kernel[1], strides[1], 0, 0)
    taps = [
        x[:, i : i + (rows - 1) * strides[0] + 1 : strides[0], j : j + (columns - 1) * strides[1] + 1 : strides[1]]
        for i in range(kernel[0])
        for j in range(kernel[1])
    ]
    return np.concatenate(taps, axis=-1)
