# SPDX-License-Identifier: Apache-2.0
"""Sign and step functions with the tie rules that the hardware has.

Both are plain forward functions without a useful gradient; the quantizers put a pseudo-gradient around them.
Numbers that the backend flushes to zero (denormals, on the TensorFlow CPU backend) count as zero.
"""

from __future__ import annotations

from typing import Any

from keras import ops

__all__ = ["heaviside", "sign"]


def sign(x: Any) -> Any:
    """-1 for x < 0, +1 for x >= 0 (so +1 for both zeros), NaN for NaN.

    Args:
        x: float tensor of any shape.

    Returns:
        Tensor of the same shape and dtype, values exactly -1.0 or +1.0 (or NaN).
    """
    x = ops.convert_to_tensor(x)
    one = ops.ones_like(x)
    # The second `where` lets NaN through, for which both comparisons are false.
    return ops.where(x < 0, -one, ops.where(x >= 0, one, x))


def heaviside(x: Any) -> Any:
    """0 for x <= 0, 1 for x > 0 (so 0 for both zeros), NaN for NaN.

    Args:
        x: float tensor of any shape.

    Returns:
        Tensor of the same shape and dtype, values exactly 0.0 or 1.0 (or NaN).
    """
    x = ops.convert_to_tensor(x)
    return ops.where(x > 0, ops.ones_like(x), ops.where(x <= 0, ops.zeros_like(x), x))
