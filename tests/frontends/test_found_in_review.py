# SPDX-License-Identifier: Apache-2.0
"""Models that once compiled to something else than they compute."""

from typing import Any

import keras
import numpy as np
import pytest

from qnn_hw.compiler import compile
from qnn_hw.errors import QnnError
from qnn_hw.frontends.keras import predict
from qnn_hw.layers import QuantConv2D, QuantDense

BINARY: dict[str, Any] = {"kernel_quantizer": "ste_sign", "kernel_constraint": "weight_clip", "use_bias": False}
IMAGES = np.random.default_rng(0).integers(0, 256, (60, 6, 4, 1))


def net(*layers: Any, shape: tuple[int, ...] = (6, 4, 1)) -> keras.Sequential:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input(shape), keras.layers.Rescaling(1 / 128, offset=-1), *layers])


def test_negative_rescaling_behind_a_pool_is_refused() -> None:
    model = net(
        keras.layers.MaxPooling2D(2, name="pool"),
        keras.layers.Rescaling(-1.0, name="minus"),
        keras.layers.Flatten(),
        QuantDense(6, **BINARY),
    )
    with pytest.raises(QnnError, match=r"minus: a negative Rescaling behind the pool pool turns its maximum"):
        compile(model)


def test_one_output_column_of_one_channel() -> None:
    """TensorFlow's own convolution is wrong here for batches; the software model goes around it."""
    model = net(
        QuantConv2D(8, 3, strides=(1, 2), **BINARY),
        keras.layers.Flatten(),
        QuantDense(6, input_quantizer="ste_sign", **BINARY),
    )
    accelerator = compile(model, calibration=IMAGES)
    scores = predict(accelerator.software_model, IMAGES)
    np.testing.assert_array_equal(scores, predict(accelerator.software_model, IMAGES, batch_size=1))
    np.testing.assert_array_equal(accelerator.emulate(IMAGES), scores.argmax(axis=1))


class Negated(QuantDense):
    """Not what its class says."""

    def call(self, inputs: Any) -> Any:
        return -super().call(inputs)


def test_overridden_call_is_refused() -> None:
    model = net(keras.layers.Flatten(), Negated(6, **BINARY, name="last"))
    with pytest.raises(QnnError, match=r"last: Negated overrides call\(\), which the compiler cannot read"):
        compile(model)


def test_two_outputs_are_refused() -> None:
    source = keras.Input((36,))
    hidden = QuantDense(8, **BINARY)(source)
    model = keras.Model(source, [QuantDense(4, input_quantizer="ste_sign", **BINARY)(hidden), hidden], name="twin")
    with pytest.raises(QnnError, match=r"twin: the model has 1 inputs and 2 outputs"):
        compile(model, input_dtype="u8")


def test_no_samples() -> None:
    model = net(keras.layers.Flatten(), QuantDense(6, **BINARY))
    with pytest.raises(QnnError, match="data: no samples"):
        compile(model, calibration=IMAGES[:0])
    assert compile(model, calibration=IMAGES).emulate(IMAGES[:0]).shape == (0,)
