# SPDX-License-Identifier: Apache-2.0
"""`qnn_hw.prepare`: the software model of a trained network."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def prepare(
    model: "keras.Model",
    *,
    input_dtype: str | None = None,
    input_scale: float | None = None,
    input_offset: float | None = None,
) -> "keras.Model":
    """Return the Keras model that the hardware equals bit for bit when run through `qnn_hw.predict`.

    Args:
        model: a trained Keras model.
        input_dtype: type of the raw samples ("uint8", "int8", "i5", ...), where the model does not tell it.
        input_scale, input_offset: scaling applied outside the model: value = input_scale * raw + input_offset.

    Returns:
        A model that takes raw integer samples, (N, *shape) -> scores (N, classes).

    Raises:
        QnnError: naming the layer that cannot be made exact, and what to do.
    """
    from qnn_hw.frontends.keras import prepare as prepare_stages

    return prepare_stages(model, input_dtype=input_dtype, input_scale=input_scale, input_offset=input_offset).model
