# SPDX-License-Identifier: Apache-2.0
"""Our BatchNormalization against Keras's: the same training up to rounding, the same inference bit for bit."""

from typing import Any

import keras
import numpy as np
import pytest

from qnn_hw.frontends.keras import convert, predict
from qnn_hw.layers import BatchNormalization, QuantDense

SHAPES = {"dense": (6, 5), "map": (4, 3, 5, 7), "sequence": (4, 9, 3), "one-sample-map": (1, 4, 4, 2)}


def pair(shape: tuple[int, ...], **options: Any) -> tuple[Any, Any]:
    """Our layer and Keras's, with the same awkward weights."""
    layers = (BatchNormalization(**options), keras.layers.BatchNormalization(**options))
    rng = np.random.default_rng(1)
    weights = None
    for layer in layers:
        layer.build(shape)
        weights = weights or [rng.uniform(0.2, 2.0, w.shape).astype(np.float32) for w in layer.get_weights()]
        layer.set_weights(weights)
    return layers


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}, {"momentum": 0.9}], ids=str)
@pytest.mark.parametrize("name", SHAPES)
def test_training_equals_keras(name: str, options: dict[str, Any]) -> None:
    import tensorflow as tf

    x = np.random.default_rng(2).normal(3.0, 2.0, SHAPES[name]).astype(np.float32)
    results = []
    for layer in pair(x.shape, **options):
        inputs = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            y = layer(inputs, training=True)
            loss = tf.reduce_sum(y * y * tf.cos(y))
        gradients = tape.gradient(loss, [inputs, *layer.trainable_variables])
        results.append([np.asarray(value) for value in (y, *gradients, *layer.get_weights())])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-4)


def test_inference_is_bit_equal() -> None:
    x = np.random.default_rng(3).normal(size=(50, 4, 4, 6)).astype(np.float32)
    ours, theirs = (np.asarray(layer(x, training=False)) for layer in pair(x.shape))
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("dtype", ["float64", "mixed_float16"])
def test_other_types_go_the_way_of_keras(dtype: str) -> None:
    x = np.random.default_rng(4).normal(size=(8, 3))
    ours, theirs = (np.asarray(layer(x, training=True)) for layer in pair(x.shape, dtype=dtype))
    np.testing.assert_array_equal(ours, theirs)


def test_trains_saves_and_compiles(tmp_path: Any) -> None:
    model = keras.Sequential(
        [
            keras.Input((12,)),
            keras.layers.Rescaling(1 / 128, -1),
            QuantDense(8, kernel_quantizer="ste_sign", kernel_constraint="weight_clip", use_bias=False),
            BatchNormalization(),
            QuantDense(
                3,
                input_quantizer="ste_sign",
                kernel_quantizer="ste_sign",
                kernel_constraint="weight_clip",
                use_bias=False,
            ),
            BatchNormalization(),
        ]
    )
    x = np.random.default_rng(5).integers(0, 256, (64, 12))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, np.arange(64) % 3, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(predict(again, x), predict(model, x))
    assert convert(again).n_classes == 3
