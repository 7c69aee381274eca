# SPDX-License-Identifier: Apache-2.0
"""Weight constraints for latent weights, usable by name in every `Quant*` layer: `kernel_constraint="weight_clip"`.

A latent weight beyond the quantizer's clip value gets no gradient any more and can never change its sign again.
Clipping after each update keeps it within reach.
In Keras's own layers give the object itself: Keras does not look up registered names for plain strings.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from qnn_hw.errors import QnnError

__all__ = ["WeightClip", "get", "weight_clip"]


@keras.saving.register_keras_serializable("qnn_hw")
class WeightClip(keras.constraints.Constraint):
    """Clip latent weights to [-clip_value, +clip_value] after each optimizer step.

    Args:
        clip_value: positive float.

    Raises:
        QnnError: if `clip_value` is not positive.
    """

    def __init__(self, clip_value: float = 1.0) -> None:
        if not clip_value > 0:
            raise QnnError(f"WeightClip: clip_value={clip_value}; it must be positive.")
        self.clip_value = float(clip_value)

    def __call__(self, w: Any) -> Any:
        """Clipped copy of `w`, same shape and dtype."""
        return ops.clip(w, -self.clip_value, self.clip_value)

    def get_config(self) -> dict[str, Any]:
        """Arguments of `__init__`."""
        return {"clip_value": self.clip_value}


weight_clip = WeightClip
"""The same class under the name that the string `"weight_clip"` gives."""

_BY_NAME: dict[str, type[keras.constraints.Constraint]] = {"weight_clip": WeightClip, "WeightClip": WeightClip}


def get(identifier: Any) -> Any:
    """Resolve a constraint: one of ours by name, else whatever `keras.constraints.get` accepts (`None` stays `None`).

    Raises:
        ValueError: from Keras, for a name that neither knows.
    """
    if isinstance(identifier, str) and identifier in _BY_NAME:
        return _BY_NAME[identifier]()
    return keras.constraints.get(identifier)
