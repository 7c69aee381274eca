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
    # -1, 0 or +1 by the inner one, 0 for both zeros; NaN stays NaN. Comparison and `where` cost twice the time.
    return ops.sign(ops.sign(x) + 0.5)


def heaviside(x: Any) -> Any:
    """0 for x <= 0, 1 for x > 0 (so 0 for both zeros), NaN for NaN.

    Args:
        x: float tensor of any shape.

    Returns:
        Tensor of the same shape and dtype, values exactly 0.0 or 1.0 (or NaN).
    """
    three_valued = ops.sign(x)
    return ops.where(three_valued < 0, 0.0, three_valued)
