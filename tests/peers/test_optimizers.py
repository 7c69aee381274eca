# SPDX-License-Identifier: Apache-2.0
"""Five training steps with larq on tf-keras and with ours on Keras 3: the same weights.

Normalizations are left out: Keras 3 computes them with other operations than tf-keras, in another order, so that a
value at zero may get another sign; that would say nothing about the layers and optimizers compared here.
"""

from __future__ import annotations

from typing import Any

import keras
import larq
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from qnn_hw import layers, metrics, optimizers
from tests.peers.compare import assert_bits

STEPS = 5
SHAPES = {"cnn": (8, 8, 3), "mlp": (20,)}
BINARY = {"kernel_quantizer": "ste_sign", "kernel_constraint": "weight_clip", "use_bias": False}


def network(name: str, package: Any, of: Any) -> Any:
    """The network `name` with the quantized layers of `package` in a model of the Keras `of`."""
    inner = {**BINARY, "input_quantizer": "ste_sign"}
    if name == "cnn":
        stack = [
            package.QuantConv2D(8, 3, padding="same", **BINARY),
            package.QuantConv2D(8, 3, padding="same", pad_values=1.0, activation="tanh", **inner),
            of.layers.MaxPooling2D(),
            package.QuantConv2D(12, 3, strides=2, **inner),
            of.layers.Flatten(),
        ]
    else:
        stack = [
            package.QuantDense(32, **BINARY),
            package.QuantDense(24, **{**inner, "kernel_quantizer": "swish_sign"}),
        ]
    return of.Sequential([of.Input(SHAPES[name]), *stack, package.QuantDense(5, **inner), of.layers.Dense(4)])


def optimizer(name: str, package: Any, of: Any) -> Any:
    """Adam for all, or Bop for the binary weights and Adam for the rest."""
    # tf-keras's Adam computes as Keras 3's; the older one that larq's CaseOptimizer takes has a fused operation.
    adam = of.optimizers.legacy.Adam if name == "bop" and of is tf_keras else of.optimizers.Adam
    if name == "adam":
        return adam(0.01)
    bop = package.Bop(threshold=1e-4, gamma=0.1)
    return package.CaseOptimizer((package.Bop.is_binary_variable, bop), default_optimizer=adam(0.01))


def trained(model: Any, of: Any, optimizer: Any, images: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
    """Weights after each step, all in one list."""
    loss = of.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, jit_compile=False)
    found = []
    for step in range(STEPS):
        model.train_on_batch(images[step], labels[step])
        found += [np.array(w) for w in model.get_weights()]
    return found


@pytest.mark.parametrize("by", ["adam", "bop"])
@pytest.mark.parametrize("name", ["cnn", "mlp"])
def test_five_steps_give_the_same_weights(name: str, by: str) -> None:
    random = np.random.default_rng(11)
    images = random.normal(size=(STEPS, 16, *SHAPES[name])).astype(np.float32)
    labels = random.integers(0, 4, (STEPS, 16))
    ours, theirs = network(name, layers, keras), network(name, larq.layers, tf_keras)
    start = [random.uniform(-1, 1, w.shape).astype(np.float32) for w in theirs.get_weights()]
    ours.set_weights(start)
    theirs.set_weights(start)
    got = trained(ours, keras, optimizer(by, optimizers, keras), images, labels)
    expected = trained(theirs, tf_keras, optimizer(by, larq.optimizers, tf_keras), images, labels)
    for i, (a, b) in enumerate(zip(got, expected, strict=True)):
        what = f"{name} {by}, step {i // len(start)}, weight {i % len(start)}"
        if by == "bop" and i % len(start) < len(start) - 2:
            assert_bits(a, b, what)
        else:
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6, err_msg=what)
    assert any((a != b).any() for a, b in zip(got[: len(start)], start, strict=True)), "the first step moves weights"
    flips = np.mean(np.sign(got[-len(start)]) != np.sign(start[0]))
    assert flips > 0, "no binary weight changed its sign"


def test_bop_alone_bit_for_bit() -> None:
    """Ties, zeros and both signs among them: every pair of small integers as weight and gradient."""
    random = np.random.default_rng(2)
    weight = random.choice(np.float32([-1, 1, 0.5, -0.0]), 4000)
    ours, theirs = keras.Variable(weight), tf.Variable(weight)
    mine, other = optimizers.Bop(threshold=0.5, gamma=0.5), larq.optimizers.Bop(threshold=0.5, gamma=0.5)
    for step in range(STEPS):
        gradient = random.integers(-3, 4, 4000).astype(np.float32)
        mine.apply([gradient], [ours])
        other.apply_gradients([(tf.constant(gradient), theirs)])
        assert_bits(ours.numpy(), theirs.numpy(), f"step {step}")


def test_flip_ratio() -> None:
    random = np.random.default_rng(4)
    mine, other = metrics.FlipRatio(), larq.metrics.FlipRatio()
    for i in range(7):
        if i == 4:
            mine.reset_state()
            other.reset_state()
        values = random.choice(np.float32([-1, 1]), (5, 6))
        mine.update_state(values)
        other.update_state(values)
        assert float(mine.result()) == pytest.approx(abs(float(other.result()))), f"update {i}"
