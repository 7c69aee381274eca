# SPDX-License-Identifier: Apache-2.0
"""Activations used in binarized networks, usable by name in every `Quant*` layer: `activation="hard_tanh"`.

In Keras's own layers give the function itself: Keras does not look up registered names for plain strings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

__all__ = ["get", "hard_tanh", "leaky_tanh"]


@keras.saving.register_keras_serializable("qnn_hw")
def hard_tanh(x: Any) -> Any:
    """`clip(x, -1, 1)`; the gradient is 1 inside and 0 outside. Any shape, same dtype."""
    return ops.clip(x, -1.0, 1.0)


@keras.saving.register_keras_serializable("qnn_hw")
def leaky_tanh(x: Any, alpha: float = 0.2) -> Any:
    """`clip(x, -1, 1)` with slope `alpha` outside: `1 + alpha * (x - 1)` above 1, `-1 + alpha * (x + 1)` below -1."""
    return ops.clip(x, -1.0, 1.0) + (ops.maximum(x, 1.0) - 1.0) * alpha + (ops.minimum(x, -1.0) + 1.0) * alpha


_BY_NAME: dict[str, Callable[..., Any]] = {"hard_tanh": hard_tanh, "leaky_tanh": leaky_tanh}


def get(identifier: Any) -> Any:
    """Resolve an activation: one of ours by name, else whatever `keras.activations.get` accepts.

    Raises:
        ValueError: from Keras, for a name that neither knows.
    """
    if isinstance(identifier, str) and identifier in _BY_NAME:
        return _BY_NAME[identifier]
    return keras.activations.get(identifier)
