# SPDX-License-Identifier: Apache-2.0
"""The core of the training API on the JAX backend; run as a program by `test_jax_backend`, prints `ok` at the end."""

from __future__ import annotations

import sys
from typing import Any

import jax
import keras
import numpy as np

from qnn_hw import callbacks, context, layers, quantizers

BINARY: dict[str, Any] = {
    "input_quantizer": "ste_sign",
    "kernel_quantizer": "ste_sign",
    "kernel_constraint": "weight_clip",
    "use_bias": False,
}
SEPARABLE: dict[str, Any] = {
    **{f"{role}_quantizer": "ste_sign" for role in ("input", "depthwise", "pointwise")},
    **{f"{role}_constraint": "weight_clip" for role in ("depthwise", "pointwise")},
}


def check_gradients() -> None:
    """Quantizers: levels and pseudo-gradients at ties, bounds and both zeros."""
    x = np.array([-2.0, -1.0, -0.05, -0.0, 0.0, 0.04, 0.5, 1.0, 1.5], np.float32)
    inside = np.abs(x) <= 1
    sign = np.where(x < 0, -1.0, 1.0)
    expected = {
        "ste_sign": (sign, inside),
        "approx_sign": (sign, np.where(inside, 2 - 2 * np.abs(x), 0)),
        "ste_heaviside": (x > 0, inside),
        "ste_tern": (np.where(np.abs(x) < np.float32(0.05), 0, np.sign(x)), inside),
        "dorefa_quantizer(1)": (np.rint(np.clip(x, 0, 1)), (x >= 0) & (x <= 1)),
        "fixed_point(4, 2)": (np.clip(np.rint(x * 4), -8, 7) / 4, (x >= -2) & (x <= 1.75)),
        "magnitude_aware_sign": (np.abs(x) * sign, np.abs(x) * inside),
        "no_op(1)": (x, np.ones_like(x)),
    }
    for name, (values, slope) in expected.items():
        quantizer = quantizers.get(name)
        np.testing.assert_array_equal(np.asarray(quantizer(x)), values.astype(np.float32), err_msg=name)
        gradient = jax.grad(lambda x, q=quantizer: q(x).sum())(jax.numpy.asarray(x))
        np.testing.assert_allclose(np.asarray(gradient), slope.astype(np.float32), rtol=1e-6, err_msg=name)


def check_training() -> None:
    """One step of a net with a layer of every kind: weights move, their quantized values stay levels."""
    keras.utils.set_random_seed(5)
    with context.metrics_scope(["flip_ratio"]):
        model = keras.Sequential(
            [
                keras.Input((10, 10, 3)),
                layers.QuantConv2D(6, 3, **{**BINARY, "input_quantizer": None}),
                keras.layers.BatchNormalization(),
                layers.QuantDepthwiseConv2D(
                    3,
                    padding="same",
                    pad_values=1.0,
                    input_quantizer="ste_sign",
                    depthwise_quantizer="ste_sign",
                    depthwise_constraint="weight_clip",
                ),
                keras.layers.BatchNormalization(),
                layers.QuantSeparableConv2D(5, 3, padding="same", pad_values=-1.0, **SEPARABLE),
                keras.layers.BatchNormalization(),
                layers.QuantConv2DTranspose(4, 2, **BINARY),
                keras.layers.BatchNormalization(),
                layers.QuantLocallyConnected2D(3, 3, strides=2, **BINARY),
                keras.layers.Flatten(),
                # Ternary, and not constrained: both are allowed.
                layers.QuantDense(5, input_quantizer=quantizers.DoReFa(2), kernel_quantizer="ste_tern"),
            ]
        )
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 1, (16, 10, 10, 3)).astype(np.float32), rng.integers(0, 5, 16)
    model.compile(
        keras.optimizers.Adam(0.05), keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=True
    )
    before = model.get_weights()
    first = model.fit(x, y, batch_size=16, verbose=0, callbacks=[callbacks.KernelMetrics()]).history["loss"][0]
    moved = [int((a != b).sum()) for a, b in zip(model.get_weights(), before, strict=True)]
    assert all(moved), f"weights without a change: {moved}"
    assert np.isfinite(first), first
    for layer in model.layers:
        if isinstance(layer, layers.QuantConv2D | layers.QuantDepthwiseConv2D | layers.QuantConv2DTranspose):
            levels = np.unique(np.asarray(layer.quantized_kernel))
            assert levels.tolist() == [-1.0, 1.0], f"{layer.name}: {levels}"
    history = model.fit(x, y, batch_size=8, epochs=5, verbose=0, callbacks=[callbacks.KernelMetrics()]).history
    assert history["loss"][-1] < first, f"loss {first} -> {history['loss'][-1]}"
    ratio = float(model.layers[0].kernel_quantizer.flip_ratio.result())
    assert 0 < ratio < 1, f"flip ratio {ratio}"


if __name__ == "__main__":
    assert keras.backend.backend() == "jax", keras.backend.backend()
    # Keras itself imports it for `fit` where it is installed.
    assert "tensorflow" not in sys.modules, "importing the training API imported TensorFlow"
    check_gradients()
    check_training()
    print("ok")
