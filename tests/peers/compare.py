# SPDX-License-Identifier: Apache-2.0
"""Bitwise comparison, and the same computation in both packages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf


def outputs_and_gradients(
    function: Callable[[Any], Any], x: np.ndarray, upstream: np.ndarray | None = None, variables: Any = ()
) -> tuple[np.ndarray, list[np.ndarray]]:
    """function(x), and the gradients of sum(upstream * function(x)) for x and for each of the variables."""
    tensor = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        outputs = function(tensor)
        weights = tf.ones_like(outputs) if upstream is None else tf.constant(upstream, outputs.dtype)
        total = tf.reduce_sum(outputs * weights)
    return outputs.numpy(), [np.asarray(g) for g in tape.gradient(total, [tensor, *variables])]


def assert_bits(got: np.ndarray, expected: np.ndarray, what: str) -> None:
    """Equal bit for bit; NaN equals NaN and -0 equals 0. Names the first coordinates that differ."""
    assert got.shape == expected.shape, f"{what}: shape {got.shape}, larq has {expected.shape}"
    assert got.dtype == expected.dtype, f"{what}: type {got.dtype}, larq has {expected.dtype}"
    wrong = np.argwhere((got != expected) & ~(np.isnan(got) & np.isnan(expected)))
    if wrong.size:
        at = tuple(int(i) for i in wrong[0])
        raise AssertionError(
            f"{what}: {len(wrong)} of {got.size} differ, first at {at}: larq {expected[at]!r}, ours {got[at]!r}"
        )
