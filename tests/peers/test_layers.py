# SPDX-License-Identifier: Apache-2.0
"""Every layer against larq's: outputs and the gradients for input, kernels and bias.

Binary layers compute with small integers, where every order of summation gives the same float: they must agree bit for
bit, upstream gradients included, which are small integers here, too.
"""

from __future__ import annotations

import inspect
from typing import Any

import keras
import larq
import numpy as np
import pytest
import tensorflow as tf

from qnn_hw import constraints, context, layers, metrics, optimizers, quantizers
from tests.peers.compare import assert_bits, outputs_and_gradients

BINARY = {"input_quantizer": "ste_sign", "kernel_quantizer": "ste_sign", "kernel_constraint": "weight_clip"}
DEPTHWISE = {"input_quantizer": "ste_sign", "depthwise_quantizer": "ste_sign", "depthwise_constraint": "weight_clip"}
SEPARABLE = {**DEPTHWISE, "pointwise_quantizer": "ste_sign", "pointwise_constraint": "weight_clip"}
PADDINGS = [("valid", 0.0), ("same", 0.0), ("same", 1.0), ("same", -1.0)]


def compare(name: str, shape: tuple[int, ...], arguments: dict[str, Any], exact: bool = True) -> None:
    """Build both layers with the same weights and compare outputs and all gradients."""
    rng = np.random.default_rng(sum(shape))
    x = rng.normal(0, 1, shape).astype("float32")
    x.flat[:: max(1, x.size // 9)] = 0.0
    our_layer, their_layer = getattr(layers, name)(**arguments), getattr(larq.layers, name)(**arguments)
    our_layer(x)
    their_layer(x)
    assert [w.shape for w in our_layer.get_weights()] == [w.shape for w in their_layer.get_weights()], "weights"
    weights = [rng.normal(0, 0.8, w.shape).astype("float32") for w in our_layer.get_weights()]
    weights[-1] = np.rint(weights[-1]) if arguments.get("use_bias", True) else weights[-1]
    our_layer.set_weights(weights)
    their_layer.set_weights(weights)
    dy = rng.integers(-2, 3, their_layer(x).shape).astype("float32")
    got, our_gradients = outputs_and_gradients(our_layer, x, dy, [v.value for v in our_layer.trainable_variables])
    # larq's quantized variables wrap the ones that gradients are taken for.
    variables = [getattr(v, "latent_variable", v) for v in their_layer.trainable_variables]
    expected, their_gradients = outputs_and_gradients(their_layer, x, dy, variables)
    pairs = [(got, expected, "outputs")]
    names = ["input", *(v.name for v in our_layer.trainable_variables)]
    pairs += [
        (ours, theirs, f"gradient of the {what}")
        for ours, theirs, what in zip(our_gradients, their_gradients, names, strict=True)
    ]
    for ours, theirs, what in pairs:
        if exact:
            assert_bits(ours, theirs, f"{name}: {what}")
        else:
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5, err_msg=f"{name}: {what}")


@pytest.mark.parametrize("shape", [(4, 7), (3, 64), (2, 5, 12)], ids=str)
@pytest.mark.parametrize("use_bias", [True, False], ids=["bias", "no-bias"])
def test_dense(shape: tuple[int, ...], use_bias: bool) -> None:
    compare("QuantDense", shape, {"units": 9, "use_bias": use_bias, **BINARY})


@pytest.mark.parametrize(("padding", "pad_values"), [*PADDINGS, ("causal", 0.0)])
@pytest.mark.parametrize(
    ("kernel_size", "strides", "dilation", "groups"),
    [(3, 1, 1, 1), (3, 2, 1, 1), (4, 3, 1, 2), (1, 2, 1, 1), (3, 1, 2, 1), (5, 1, 1, 4)],
    ids=["k3", "k3s2", "k4s3g2", "k1s2", "k3d2", "k5g4"],
)
def test_conv1d(padding: str, pad_values: float, kernel_size: int, strides: int, dilation: int, groups: int) -> None:
    arguments = {"filters": 8, "kernel_size": kernel_size, "strides": strides, "padding": padding}
    options = {"pad_values": pad_values, "dilation_rate": dilation, "groups": groups}
    compare("QuantConv1D", (2, 13, 4), {**arguments, **options, **BINARY})


@pytest.mark.parametrize(("padding", "pad_values"), PADDINGS)
@pytest.mark.parametrize("size", [(8, 7), (5, 9)], ids=str)
@pytest.mark.parametrize(
    ("kernel_size", "strides", "dilation", "groups"),
    [
        (3, 1, 1, 1),
        (3, 2, 1, 1),
        ((2, 3), (2, 1), 1, 1),
        (4, 3, 1, 2),
        (1, 2, 1, 1),
        (3, 1, 2, 1),
        (3, 1, (1, 2), 2),
        (3, 2, 1, 4),
    ],
    ids=["k3", "k3s2", "k2x3s2x1", "k4s3g2", "k1s2", "k3d2", "k3d1x2g2", "k3s2g4"],
)
def test_conv2d(padding, pad_values, size, kernel_size, strides, dilation, groups) -> None:
    arguments = {"filters": 8, "kernel_size": kernel_size, "strides": strides, "padding": padding}
    options = {"pad_values": pad_values, "dilation_rate": dilation, "groups": groups}
    compare("QuantConv2D", (2, *size, 4), {**arguments, **options, **BINARY})


@pytest.mark.parametrize(("padding", "pad_values"), PADDINGS)
@pytest.mark.parametrize(
    ("kernel_size", "strides"), [(3, 1), (3, 2), ((1, 2, 3), (1, 2, 1))], ids=["k3", "k3s2", "k1x2x3s1x2x1"]
)
def test_conv3d(padding, pad_values, kernel_size, strides) -> None:
    arguments = {"filters": 3, "kernel_size": kernel_size, "strides": strides, "padding": padding}
    compare("QuantConv3D", (2, 5, 6, 4, 2), {**arguments, "pad_values": pad_values, **BINARY})


@pytest.mark.parametrize(("padding", "pad_values"), PADDINGS)
@pytest.mark.parametrize("multiplier", [1, 3])
@pytest.mark.parametrize(
    ("kernel_size", "strides", "dilation"),
    [(3, 1, 1), (3, 2, 1), ((2, 3), 1, 1), (3, 1, 2)],
    ids=["k3", "k3s2", "k2x3", "k3d2"],
)
def test_depthwise_conv2d(padding, pad_values, multiplier, kernel_size, strides, dilation) -> None:
    arguments = {"kernel_size": kernel_size, "strides": strides, "padding": padding, "dilation_rate": dilation}
    options = {"pad_values": pad_values, "depth_multiplier": multiplier}
    compare("QuantDepthwiseConv2D", (2, 8, 7, 4), {**arguments, **options, **DEPTHWISE})


@pytest.mark.parametrize(("padding", "pad_values"), PADDINGS)
@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize(("strides", "dilation"), [(1, 1), (2, 1), (1, 2)], ids=["s1", "s2", "d2"])
@pytest.mark.parametrize("rank", [1, 2])
def test_separable_conv(rank, padding, pad_values, multiplier, strides, dilation) -> None:
    arguments = {"filters": 5, "kernel_size": 3, "strides": strides, "padding": padding, "dilation_rate": dilation}
    options = {"pad_values": pad_values, "depth_multiplier": multiplier}
    compare(f"QuantSeparableConv{rank}D", (2, *(9, 8)[:rank], 4), {**arguments, **options, **SEPARABLE})


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    ("kernel_size", "strides", "output_padding"),
    [(3, 1, None), (3, 2, None), (2, 2, None), (4, 3, None), (3, 2, 1)],
    ids=["k3", "k3s2", "k2s2", "k4s3", "k3s2o1"],
)
@pytest.mark.parametrize("rank", [2, 3])
def test_conv_transpose(rank, padding, kernel_size, strides, output_padding) -> None:
    arguments = {"filters": 3, "kernel_size": kernel_size, "strides": strides, "padding": padding}
    shape = (2, *(5, 6, 4)[:rank], 2)
    compare(f"QuantConv{rank}DTranspose", shape, {**arguments, "output_padding": output_padding, **BINARY})


@pytest.mark.parametrize("strides", [1, 2], ids=["s1", "s2"])
@pytest.mark.parametrize("kernel_size", [1, 3], ids=["k1", "k3"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("rank", [1, 2])
def test_locally_connected(rank, data_format, kernel_size, strides) -> None:
    arguments = {"filters": 3, "kernel_size": kernel_size, "strides": strides, "data_format": data_format}
    sizes = (8, 7)[:rank]
    shape = (2, *sizes, 4) if data_format == "channels_last" else (2, 4, *sizes)
    compare(f"QuantLocallyConnected{rank}D", shape, {**arguments, **BINARY})


FLOAT_LAYERS = {
    "QuantDense": ((3, 20), {"units": 6}),
    "QuantConv1D": ((2, 9, 4), {"filters": 3, "kernel_size": 3}),
    "QuantConv2D": ((2, 9, 8, 4), {"filters": 3, "kernel_size": 3}),
    "QuantConv3D": ((2, 5, 6, 4, 2), {"filters": 3, "kernel_size": 3}),
    "QuantDepthwiseConv2D": ((2, 9, 8, 4), {"kernel_size": 3}),
    "QuantSeparableConv1D": ((2, 9, 4), {"filters": 3, "kernel_size": 3}),
    "QuantSeparableConv2D": ((2, 9, 8, 4), {"filters": 3, "kernel_size": 3}),
    "QuantConv2DTranspose": ((2, 5, 6, 4), {"filters": 3, "kernel_size": 3}),
    "QuantConv3DTranspose": ((2, 4, 3, 5, 2), {"filters": 3, "kernel_size": 3}),
    "QuantLocallyConnected1D": ((2, 9, 4), {"filters": 3, "kernel_size": 3}),
    "QuantLocallyConnected2D": ((2, 9, 8, 4), {"filters": 3, "kernel_size": 3}),
}


@pytest.mark.parametrize("quantizer", [None, "magnitude_aware_sign", "ste_tern", "dorefa_quantizer"])
@pytest.mark.parametrize("name", FLOAT_LAYERS)
def test_float_values(name: str, quantizer: str | None) -> None:
    """Unquantized, and with quantizers whose values are no integers: equal up to the order of summation."""
    shape, arguments = FLOAT_LAYERS[name]
    depthwise, separable = "Depthwise" in name, "Separable" in name
    roles = ["depthwise"] if depthwise else ["depthwise", "pointwise"] if separable else ["kernel"]
    options = {f"{role}_quantizer": quantizer for role in roles}
    options |= {f"{role}_constraint": "weight_clip" for role in roles}
    compare(name, shape, {**arguments, **options, "input_quantizer": "approx_sign"}, exact=False)


@pytest.mark.parametrize("name", FLOAT_LAYERS)
def test_every_larq_argument_has_its_place(name: str) -> None:
    ours = list(inspect.signature(getattr(layers, name).__init__).parameters)
    theirs = list(inspect.signature(getattr(larq.layers, name).__init__).parameters)
    # tf-keras has these in other places, Keras 3 has no `implementation`, and larq takes `groups` everywhere.
    elsewhere = {"implementation", "output_padding", "data_format", "depth_multiplier"}
    theirs = [argument for argument in theirs if argument != "groups" or "groups" in ours]
    assert [a for a in ours if a not in elsewhere] == [a for a in theirs if a not in elsewhere]


def make_cnn(package: Any, library: Any) -> Any:
    """Small binary CNN of `package` (qnn_hw or larq) layers on `library` (Keras 3 or tf-keras)."""
    quantized = {"kernel_constraint": "weight_clip", "kernel_quantizer": "ste_sign", "use_bias": False}
    binary = {**quantized, "input_quantizer": "ste_sign"}

    def norm() -> Any:
        # The fused kernel of tf-keras averages n / (n - 1) times the variance, that of Keras 3 the variance.
        return library.layers.BatchNormalization(momentum=0.9, **({} if library is keras else {"fused": False}))

    return library.Sequential(
        [
            library.layers.InputLayer((12, 12, 3)),
            package.QuantConv2D(8, 3, **quantized),
            norm(),
            package.QuantConv2D(12, 3, padding="same", pad_values=1.0, **binary),
            library.layers.MaxPooling2D(),
            norm(),
            library.layers.Flatten(),
            package.QuantDense(5, **binary),
            norm(),
            library.layers.Softmax(),
        ]
    )


def same_start() -> tuple[Any, Any, np.ndarray, np.ndarray]:
    """Both models with the same weights, 160 samples and labels."""
    rng = np.random.default_rng(3)
    ours, theirs = make_cnn(layers, keras), make_cnn(larq.layers, tf.keras)
    weights = [rng.normal(0, 0.6, w.shape).astype("float32") if w.ndim > 1 else w for w in theirs.get_weights()]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    return ours, theirs, rng.normal(0, 1, (160, 12, 12, 3)).astype("float32"), rng.integers(0, 5, 160)


def assert_same_weights(ours: Any, theirs: Any, x: np.ndarray) -> None:
    """Weights equal up to float rounding, binary weights and decisions exactly."""
    for i, (got, expected) in enumerate(zip(ours.get_weights(), theirs.get_weights(), strict=True)):
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-6, err_msg=f"weight {i}")
        if got.ndim > 1:
            assert_bits(np.sign(got), np.sign(expected), f"sign of weight {i}")
    np.testing.assert_allclose(ours.predict(x, verbose=0), theirs.predict(x, verbose=0), rtol=1e-4, atol=1e-5)


def train(model: Any, optimizer: Any, x: np.ndarray, y: np.ndarray) -> list[float]:
    """Loss of five steps of 32 samples."""
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return [float(model.train_on_batch(x[i : i + 32], y[i : i + 32])) for i in range(0, 160, 32)]


def test_five_steps_with_adam() -> None:
    ours, theirs, x, y = same_start()
    our_losses = train(ours, keras.optimizers.Adam(0.01, epsilon=1e-7), x, y)
    their_losses = train(theirs, tf.keras.optimizers.Adam(0.01, epsilon=1e-7), x, y)
    np.testing.assert_allclose(our_losses, their_losses, rtol=1e-5)
    assert_same_weights(ours, theirs, x)


def test_five_steps_with_bop() -> None:
    ours, theirs, x, y = same_start()
    binary = [np.where(w < 0, -1, 1).astype("float32") if w.ndim > 1 else w for w in ours.get_weights()]
    ours.set_weights(binary)
    theirs.set_weights(binary)

    def optimizer(package: Any, adam: Any) -> Any:
        bop = package.Bop(threshold=1e-4, gamma=1e-2)
        return package.CaseOptimizer((package.Bop.is_binary_variable, bop), default_optimizer=adam)

    train(ours, optimizer(optimizers, keras.optimizers.Adam(0.01, epsilon=1e-7)), x, y)
    train(theirs, optimizer(larq.optimizers, tf.keras.optimizers.legacy.Adam(0.01, epsilon=1e-7)), x, y)
    flipped = [int((a != b).sum()) for a, b in zip(ours.get_weights(), binary, strict=True) if a.ndim > 1]
    assert min(flipped) > 0, f"nothing to compare: {flipped} weights flipped"
    assert_same_weights(ours, theirs, x)


def test_quantized_weights_are_the_same_in_scope() -> None:
    ours, theirs, _, _ = same_start()
    with larq.context.quantized_scope(True):
        expected = [layer.get_weights() for layer in theirs.layers]
    with context.quantized_scope(True):
        got = [layer.get_weights() for layer in ours.layers]
    for i, (a, b) in enumerate(zip(got, expected, strict=True)):
        for j, (mine, larqs) in enumerate(zip(a, b, strict=True)):
            assert_bits(mine, larqs, f"layer {i} weight {j}")


def test_flip_ratio() -> None:
    kernels = [np.random.default_rng(i).normal(size=(9, 11)).astype("float32") for i in range(5)]
    mine, larqs = quantizers.SteSign(metrics=["flip_ratio"]), larq.quantizers.SteSign(metrics=["flip_ratio"])
    for kernel in kernels:
        mine(tf.constant(kernel))
        larqs(tf.constant(kernel))
    assert isinstance(mine.flip_ratio, metrics.FlipRatio)
    np.testing.assert_allclose(float(mine.flip_ratio.result()), float(larqs.flip_ratio.result()), rtol=1e-6)


def test_constraint() -> None:
    w = tf.constant(np.linspace(-3, 3, 61, dtype="float32"))
    assert_bits(np.asarray(constraints.WeightClip(1.25)(w)), larq.constraints.WeightClip(1.25)(w).numpy(), "WeightClip")
