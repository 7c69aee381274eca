# SPDX-License-Identifier: Apache-2.0
"""Weights that larq saved, in every format it can save, predict the same in our layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import larq
import numpy as np
import pytest
import tf_keras

from qnn_hw import layers as our_layers
from qnn_hw.larq_weights import load_larq_weights

BINARY = {
    "input_quantizer": "ste_sign",
    "kernel_quantizer": "ste_sign",
    "kernel_constraint": "weight_clip",
    "use_bias": False,
}
SEPARABLE = {
    "depthwise_quantizer": "ste_sign",
    "pointwise_quantizer": "ste_tern",
    "depthwise_constraint": "weight_clip",
    "pointwise_constraint": "weight_clip",
}
SHAPE = (12, 12, 3)


def cnn(k: Any, q: Any) -> Any:
    """Every kind of weight a small net has: separable, depthwise, all makes of BatchNormalization, a sub-model."""
    inner = k.Sequential(
        [
            k.layers.Input((4, 4, 16)),
            q.QuantConv2D(8, 3, padding="same", pad_values=1.0, **BINARY),
            k.layers.BatchNormalization(scale=False),
        ]
    )
    return k.Sequential(
        [
            k.layers.Input(SHAPE),
            q.QuantConv2D(8, 3, kernel_quantizer="ste_sign", kernel_constraint="weight_clip", use_bias=False),
            k.layers.BatchNormalization(momentum=0.9),
            q.QuantDepthwiseConv2D(3, input_quantizer="ste_sign", depthwise_quantizer="ste_sign",
                                   depthwise_constraint="weight_clip", use_bias=False),
            k.layers.BatchNormalization(center=False),
            q.QuantSeparableConv2D(16, 3, strides=2, padding="same", input_quantizer="ste_sign", **SEPARABLE),
            k.layers.PReLU(shared_axes=[1, 2]),
            inner,
            k.layers.Flatten(),
            q.QuantDense(24, **BINARY),
            k.layers.BatchNormalization(),
            k.layers.Dense(5),
        ]
    )  # fmt: skip


def branches(k: Any, q: Any) -> Any:
    """Two branches, named layers."""
    x = k.layers.Input(SHAPE)
    left = q.QuantConv2D(6, 3, padding="same", name="left", **BINARY)(x)
    right = q.QuantConv2D(6, 1, name="right", **BINARY)(x)
    y = k.layers.BatchNormalization(name="bn")(k.layers.Add(name="add")([left, right]))
    y = k.layers.Flatten(name="flat")(y)
    return k.Model(x, q.QuantDense(4, name="classes", **BINARY)(y))


NETS = [pytest.param(cnn, id="cnn"), pytest.param(branches, id="branches")]
Build = Callable[[Any, Any], Any]


def trained(build: Build) -> Any:
    """A larq model after some steps, so that no weight has its initial value."""
    tf_keras.utils.set_random_seed(7)
    model = build(tf_keras, larq.layers)
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(96, *SHAPE)).astype(np.float32), rng.integers(0, 4, 96)
    model.compile(tf_keras.optimizers.legacy.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=32, epochs=2, verbose=0)
    return model


def whole_h5(model: Any, folder: Path) -> Any:
    model.save(folder / "whole.h5")
    return folder / "whole.h5"


def weights_h5(model: Any, folder: Path) -> Any:
    model.save_weights(folder / "only.h5")
    return folder / "only.h5"


def new_weights_h5(model: Any, folder: Path) -> Any:
    model.save_weights(folder / "new.weights.h5")
    return folder / "new.weights.h5"


def archive(model: Any, folder: Path) -> Any:
    model.save(folder / "whole.keras")
    return folder / "whole.keras"


def weight_list(model: Any, folder: Path) -> Any:
    return model.get_weights()


def npz(model: Any, folder: Path) -> Any:
    np.savez(folder / "weights.npz", *model.get_weights())
    return folder / "weights.npz"


SOURCES = [whole_h5, weights_h5, new_weights_h5, archive, weight_list, npz]


@pytest.fixture(scope="module", params=NETS)
def pair(request: pytest.FixtureRequest) -> tuple[Build, Any]:
    return request.param, trained(request.param)


@pytest.mark.parametrize("save", SOURCES, ids=lambda save: save.__name__)
def test_the_same_weights_and_predictions(pair: tuple[Build, Any], save: Callable[..., Any], tmp_path: Path) -> None:
    build, theirs = pair
    ours = build(keras, our_layers)
    taken = load_larq_weights(ours, save(theirs, tmp_path))
    assert len(taken) == sum(bool(layer.weights) for layer in ours._flatten_layers() if not hasattr(layer, "layers"))
    for i, (a, b) in enumerate(zip(ours.get_weights(), theirs.get_weights(), strict=True)):
        assert np.array_equal(a, b), f"weight {i} of shape {a.shape} differs"
    compare(ours, theirs)


def test_weights_saved_quantized_predict_the_same(pair: tuple[Build, Any], tmp_path: Path) -> None:
    build, theirs = pair
    ours = build(keras, our_layers)
    with larq.context.quantized_scope(True):
        theirs.save_weights(tmp_path / "quantized.h5")
    load_larq_weights(ours, tmp_path / "quantized.h5")
    first = next(layer for layer in ours.layers if hasattr(layer, "kernel_quantizer"))
    assert set(np.unique(first.get_weights()[0])) == {-1.0, 1.0}
    compare(ours, theirs)


def compare(ours: Any, theirs: Any) -> None:
    """Every input of a binary product equal bit for bit, scores to float rounding.

    With TensorFlow 2.21 the scores, too, were equal bit for bit when this was written. 2e-5 leaves room for machines
    on which tf-keras fuses a BatchNormalization that Keras 3 multiplies and adds: a few roundings of float32. Signs
    must still be equal: none of these samples lies that close to a threshold.
    """
    x = np.random.default_rng(1).normal(size=(64, *SHAPE)).astype(np.float32)
    binary = [layer for layer in ours.layers if getattr(layer, "input_quantizer", None) is not None]
    their_binary = [layer for layer in theirs.layers if getattr(layer, "input_quantizer", None) is not None]
    for a, b in zip(binary, their_binary, strict=True):
        got = np.asarray(a.input_quantizer(keras.Model(ours.inputs[0], a.input)(x, training=False)))
        expected = np.asarray(b.input_quantizer(tf_keras.Model(theirs.inputs[0], b.input)(x, training=False)))
        assert np.array_equal(got, expected), f"{a.name}: {np.count_nonzero(got != expected)} of {got.size} bits differ"
    got, expected = np.asarray(ours(x, training=False)), np.asarray(theirs(x, training=False))
    np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-5)
    assert np.array_equal(got.argmax(1), expected.argmax(1))
