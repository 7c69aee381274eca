# SPDX-License-Identifier: Apache-2.0
"""The tables of larq's reference nets: the same text from both profilers, character by character."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

import keras
import larq
import pytest
import tf_keras

from qnn_hw import layers, models, quantizers

BINARY = {
    "input_quantizer": "ste_sign",
    "kernel_quantizer": "ste_sign",
    "kernel_constraint": "weight_clip",
    "use_bias": False,
}
WEIGHTS_ONLY = {**BINARY, "input_quantizer": None}


def mnist_cnn(k: Any, q: Any, z: Any) -> Any:
    """The net of larq's MNIST tutorial: 93.6 k weights, 2.79 M MACs."""
    norm = {"scale": False}
    return k.Sequential(
        [
            k.layers.Input((28, 28, 1)),
            q.QuantConv2D(32, 3, name="conv1", **WEIGHTS_ONLY),
            k.layers.MaxPooling2D(2, name="pool1"),
            k.layers.BatchNormalization(name="bn1", **norm),
            q.QuantConv2D(64, 3, name="conv2", **BINARY),
            k.layers.MaxPooling2D(2, name="pool2"),
            k.layers.BatchNormalization(name="bn2", **norm),
            q.QuantConv2D(64, 3, name="conv3", **BINARY),
            k.layers.BatchNormalization(name="bn3", **norm),
            k.layers.Flatten(name="flatten"),
            q.QuantDense(64, name="dense1", **BINARY),
            k.layers.BatchNormalization(name="bn4", **norm),
            q.QuantDense(10, name="dense2", **BINARY),
            k.layers.BatchNormalization(name="bn5", **norm),
            k.layers.Activation("softmax", name="softmax"),
        ],
        name="mnist_cnn",
    )


def cifar10_binarynet(k: Any, q: Any, z: Any) -> Any:
    """The net of larq's CIFAR-10 tutorial: 10.36 M parameters as published, 514 M MACs, 0.994 of them binary."""
    norm = {"momentum": 0.999, "scale": False}
    parts = [k.layers.Input((32, 32, 3))]
    for i, filters in enumerate((128, 128, 256, 256, 512, 512)):
        options = BINARY if i else WEIGHTS_ONLY
        parts.append(q.QuantConv2D(filters, 3, padding="same" if i else "valid", name=f"conv{i}", **options))
        if i % 2:
            parts.append(k.layers.MaxPooling2D(2, 2, name=f"pool{i}"))
        parts.append(k.layers.BatchNormalization(name=f"bn{i}", **norm))
    parts.append(k.layers.Flatten(name="flatten"))
    for i, units in enumerate((1024, 1024, 10)):
        parts.append(q.QuantDense(units, name=f"dense{i}", **BINARY))
        parts.append(k.layers.BatchNormalization(name=f"bn_dense{i}", **norm))
    parts.append(k.layers.Activation("softmax", name="softmax"))
    return k.Sequential(parts, name="cifar10_binarynet")


def bireal_blocks(k: Any, q: Any, z: Any) -> Any:
    """Two blocks of Bi-Real Net, the second halves the map: scaled signs, residuals, a float shortcut."""
    x = image = k.layers.Input((32, 32, 3), name="image")
    x = k.layers.Conv2D(16, 7, strides=2, padding="same", use_bias=False, name="stem")(x)
    x = k.layers.BatchNormalization(momentum=0.8, name="stem_bn")(x)
    for i, (filters, strides) in enumerate(((16, 1), (32, 2))):
        shortcut = x
        if strides > 1:
            shortcut = k.layers.AveragePooling2D(2, 2, name=f"shrink{i}")(shortcut)
            shortcut = k.layers.Conv2D(filters, 1, use_bias=False, name=f"shortcut{i}")(shortcut)
            shortcut = k.layers.BatchNormalization(name=f"shortcut_bn{i}")(shortcut)
        x = q.QuantConv2D(
            filters,
            3,
            strides=strides,
            padding="same",
            input_quantizer="approx_sign",
            kernel_quantizer="magnitude_aware_sign",
            kernel_constraint="weight_clip",
            use_bias=False,
            name=f"conv{i}",
        )(x)
        x = k.layers.BatchNormalization(momentum=0.8, name=f"bn{i}")(x)
        x = k.layers.Add(name=f"add{i}")([x, shortcut])
    x = k.layers.GlobalAveragePooling2D(name="average")(x)
    x = k.layers.Dense(10, name="classes")(x)
    return k.Model(image, k.layers.Activation("softmax", name="softmax")(x), name="bireal")


def quicknet_blocks(k: Any, q: Any, z: Any) -> Any:
    """Stem, residual binary layers padded with 1, and a transition of QuickNet; ternary and 2-bit layers behind."""
    x = image = k.layers.Input((48, 48, 3), name="image")
    x = k.layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="stem1")(x)
    x = k.layers.BatchNormalization(name="stem1_bn")(x)
    x = k.layers.Activation("relu", name="stem1_relu")(x)
    x = k.layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False, name="stem2")(x)
    x = k.layers.BatchNormalization(scale=False, center=False, name="stem2_bn")(x)
    x = k.layers.Conv2D(32, 1, use_bias=False, name="stem3")(x)
    x = k.layers.BatchNormalization(name="stem3_bn")(x)
    for i in range(2):
        y = q.QuantConv2D(
            32, 3, padding="same", pad_values=1.0, activation="relu", input_quantizer=z.SteSign(clip_value=1.25),
            kernel_quantizer=z.SteSign(clip_value=1.25), kernel_constraint=None if i else "weight_clip",
            use_bias=False, name=f"conv{i}",
        )(x)  # fmt: skip
        y = k.layers.BatchNormalization(name=f"bn{i}")(y)
        x = k.layers.Add(name=f"add{i}")([x, y])
    x = k.layers.Activation("relu", name="relu")(x)
    x = k.layers.MaxPooling2D(2, name="pool")(x)
    x = q.QuantConv2D(
        64, 3, input_quantizer=z.DoReFa(2), kernel_quantizer=z.SteSign(), kernel_constraint="weight_clip", groups=2,
        name="two_bit",
    )(x)  # fmt: skip
    x = k.layers.Reshape((16, 64), name="reshape")(x)
    x = q.QuantConv1D(
        12, 3, dilation_rate=2, input_quantizer="ste_tern", kernel_quantizer="ste_sign",
        kernel_constraint="weight_clip", name="conv1d",
    )(x)  # fmt: skip
    x = k.layers.Flatten(name="flatten")(x)
    return k.Model(image, k.layers.Dense(10, activation="softmax", name="classes")(x), name="quicknet")


def with_sub_model(k: Any, q: Any, z: Any) -> Any:
    """A sub-model is one row, a frozen layer's weights are not trainable."""
    inner = k.Sequential(
        [k.layers.Input((6, 6, 4)), q.QuantConv2D(4, 3, name="deep", **BINARY), k.layers.BatchNormalization(name="bn")],
        name="inner",
    )
    frozen = q.QuantConv2D(4, 3, name="frozen", **WEIGHTS_ONLY)
    frozen.trainable = False
    parts = [k.layers.Input((8, 8, 3)), frozen, inner, k.layers.Flatten(name="flatten"), k.layers.Dense(3, name="out")]
    return k.Sequential(parts, name="nested")


NETS = [mnist_cnn, cifar10_binarynet, bireal_blocks, quicknet_blocks, with_sub_model]
Build = Callable[[Any, Any, Any], Any]


def shown(summary: Callable[..., Any], model: Any, include_macs: bool = True) -> list[str]:
    texts: list[str] = []
    summary(model, print_fn=texts.append, include_macs=include_macs)
    return texts[:2]  # ours goes on with two tables for hardware


def same(ours: str, theirs: str) -> None:
    changes = difflib.unified_diff(theirs.splitlines(), ours.splitlines(), "larq", "ours", n=0, lineterm="")
    assert ours == theirs, "\n".join(changes)


@pytest.mark.parametrize("build", NETS, ids=lambda build: build.__name__)
def test_the_same_tables(build: Build) -> None:
    ours = shown(models.summary, build(keras, layers, quantizers))
    theirs = shown(larq.models.summary, build(tf_keras, larq.layers, larq.quantizers))
    if build is quicknet_blocks:
        # Two-bit activations with binary weights are no ternary products; larq counts every 2-bit MAC as ternary.
        same(ours[0], theirs[0])
        ours[1], theirs[1] = (_without_ternary(text) for text in (ours[1], theirs[1]))
    for a, b in zip(ours, theirs, strict=True):
        same(a, b)


def _without_ternary(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if "ternarized" not in line)


@pytest.mark.parametrize("build", [mnist_cnn, bireal_blocks], ids=lambda build: build.__name__)
def test_without_macs_the_box_is_larqs(build: Build) -> None:
    ours = shown(models.summary, build(keras, layers, quantizers), include_macs=False)
    theirs = shown(larq.models.summary, build(tf_keras, larq.layers, larq.quantizers), include_macs=False)
    same(ours[1], theirs[1])
    assert "MACs" in theirs[0]
    assert "MACs" not in ours[0], "include_macs=False leaves the columns out here"


def test_figures_of_the_tutorials() -> None:
    mnist = models.profile(mnist_cnn(keras, layers, quantizers))
    assert (mnist.weight_count(), mnist.mac_count(), mnist.mac_count(1)) == (93_556, 2_794_240, 2_599_552)
    cifar = models.profile(cifar10_binarynet(keras, layers, quantizers))
    # (3456 + 147456) * 30^2 + (294912 + 589824) * 15^2 + (1179648 + 2359296) * 7^2 + 4608 * 1024 + 1024^2 + 10240
    assert (cifar.mac_count(), cifar.mac_count(32)) == (514_072_064, 3456 * 30**2)
    assert round(cifar.weight_count() / 1e6, 2) == 10.36, "M parameters, as published"
