# SPDX-License-Identifier: Apache-2.0
"""Every quantizer on 10,000 inputs, ties included: forward values and gradients equal larq's bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import larq
import numpy as np
import pytest
import tensorflow as tf

from qnn_hw import activations
from qnn_hw import math as qnn_math
from qnn_hw import quantizers as ours
from tests.peers.compare import assert_bits, outputs_and_gradients

theirs = larq.quantizers
N = 10_000


def elementwise_inputs(dtype: str) -> np.ndarray:
    """(100, 100): zeros, every tie and clip bound with its two neighbours, huge, tiny, infinite, NaN; random ones."""
    levels = [k / n for n in (1, 2, 3, 6, 7, 14, 15, 30, 255, 510) for k in range(min(n, 40) + 1)]
    ties = np.array([*levels, 0.05, 0.3, 0.75, 1.25, 1.3, 2.0], dtype)
    infinity = np.dtype(dtype).type(np.inf)
    near = np.concatenate([ties, np.nextafter(ties, infinity), np.nextafter(ties, -infinity)])
    tiny = np.finfo(dtype).tiny
    near = near[(near == 0) | (np.abs(near) >= tiny)]
    far = np.array([tiny, 1e-30, 1e-8, 5, 17, 18, 20, 89, 1e4, 1e9, 1e30, np.finfo(dtype).max, np.inf], dtype)
    special = np.concatenate([near, -near, far, -far, np.array([0.0, -0.0, np.nan], dtype)])
    random = np.random.default_rng(11).normal(0, 0.8, N - special.size).astype(dtype)
    return np.concatenate([special, random]).reshape(100, 100)


def kernel_inputs(dtype: str) -> np.ndarray:
    """(5, 5, 8, 50): seeded normal weights with zeros and an all-zero last channel."""
    x = np.random.default_rng(12).normal(0, 0.7, (5, 5, 8, 50)).astype(dtype)
    x[0, 0] = 0.0
    x[..., -1] = 0.0
    return x


def upstream(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(13).normal(0, 1, shape)


ELEMENTWISE: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "ste_sign": (lambda: ours.SteSign(), lambda: theirs.SteSign()),
    "ste_sign-1.25": (lambda: ours.SteSign(1.25), lambda: theirs.SteSign(1.25)),
    "ste_sign-unclipped": (lambda: ours.SteSign(None), lambda: theirs.SteSign(None)),
    "approx_sign": (lambda: ours.ApproxSign(), lambda: theirs.ApproxSign()),
    "swish_sign": (lambda: ours.SwishSign(), lambda: theirs.SwishSign()),
    "swish_sign-2": (lambda: ours.SwishSign(2.0), lambda: theirs.SwishSign(2.0)),
    "ste_heaviside": (lambda: ours.SteHeaviside(), lambda: theirs.SteHeaviside()),
    "ste_heaviside-0.75": (lambda: ours.SteHeaviside(0.75), lambda: theirs.SteHeaviside(0.75)),
    "ste_tern": (lambda: ours.SteTern(), lambda: theirs.SteTern()),
    "ste_tern-0.3": (lambda: ours.SteTern(0.3, clip_value=2.0), lambda: theirs.SteTern(0.3, clip_value=2.0)),
    "ste_tern-0": (lambda: ours.SteTern(0.0), lambda: theirs.SteTern(0.0)),
    **{f"dorefa-activations-{k}": (lambda k=k: ours.DoReFa(k), lambda k=k: theirs.DoReFa(k)) for k in (1, 2, 3, 4, 8)},
    "no_op": (lambda: ours.NoOp(precision=1), lambda: theirs.NoOp(precision=1)),
    "function-ste_sign": (lambda: ours.ste_sign, lambda: theirs.ste_sign),
    "function-approx_sign": (lambda: ours.approx_sign, lambda: theirs.approx_sign),
    "function-swish_sign": (lambda: ours.swish_sign, lambda: theirs.swish_sign),
    "function-ste_heaviside": (lambda: ours.ste_heaviside, lambda: theirs.ste_heaviside),
    "function-ste_tern": (lambda: ours.ste_tern, lambda: theirs.ste_tern),
}

WHOLE_TENSOR: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "magnitude_aware_sign": (lambda: ours.MagnitudeAwareSign(), lambda: theirs.MagnitudeAwareSign()),
    "magnitude_aware_sign-0.5": (lambda: ours.MagnitudeAwareSign(0.5), lambda: theirs.MagnitudeAwareSign(0.5)),
    "ste_tern-twn": (
        lambda: ours.SteTern(ternary_weight_networks=True),
        lambda: theirs.SteTern(ternary_weight_networks=True),
    ),
    **{
        f"dorefa-weights-{k}": (
            lambda k=k: ours.DoReFa(k, mode="weights"),
            lambda k=k: theirs.DoReFa(k, mode="weights"),
        )
        for k in (1, 2, 3, 4, 8)
    },
}


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> Iterator[str]:
    """Type of the inputs; larq's quantizers cast to the default type of tf-keras."""
    tf.keras.backend.set_floatx(request.param)
    yield request.param
    tf.keras.backend.set_floatx("float32")


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise(name: str, dtype: str) -> None:
    compare(name, ELEMENTWISE[name], elementwise_inputs(dtype))


@pytest.mark.parametrize("name", WHOLE_TENSOR)
def test_whole_tensor(name: str, dtype: str) -> None:
    compare(name, WHOLE_TENSOR[name], kernel_inputs(dtype))


@pytest.mark.parametrize("shape", [(), (7,), (3, 3, 6, 1), (1, 4)], ids=str)
@pytest.mark.parametrize("name", WHOLE_TENSOR)
def test_odd_shapes(name: str, shape: tuple[int, ...]) -> None:
    compare(name, WHOLE_TENSOR[name], np.random.default_rng(5).normal(size=shape).astype("float32"))


def compare(name: str, pair: tuple[Callable[[], Any], Callable[[], Any]], x: np.ndarray) -> None:
    dy = upstream(x.shape)
    our_y, (our_dx,) = outputs_and_gradients(pair[0](), x, dy)
    their_y, (their_dx,) = outputs_and_gradients(pair[1](), x, dy)
    assert_bits(our_y, their_y, f"{name}: values")
    if name.removeprefix("function-").startswith("swish"):
        # At infinity larq's quotient is NaN, ours its limit 0.
        assert (our_dx[np.isinf(x)] == 0).all()
        their_dx = np.where(np.isinf(x), np.zeros_like(x), their_dx)
    assert_bits(our_dx, their_dx, f"{name}: gradient")


@pytest.mark.parametrize("name", ["ste_sign", "approx_sign", "swish_sign", "ste_heaviside", "ste_tern"])
def test_names_mean_the_same(name: str) -> None:
    x = elementwise_inputs("float32")
    assert_bits(np.asarray(ours.get(name)(tf.constant(x))), np.asarray(theirs.get(name)(tf.constant(x))), name)


@pytest.mark.parametrize(
    "name", sorted(set(theirs.__all__) - {"Quantizer", "QuantizerType", "QuantizerFunctionWrapper"})
)
def test_nothing_public_is_missing(name: str) -> None:
    assert hasattr(ours, name), f"larq.quantizers.{name} has no counterpart"
    if isinstance(getattr(theirs, name), type):
        assert getattr(ours, name).__name__ == getattr(theirs, name).__name__


@pytest.mark.parametrize("name", ["hard_tanh", "leaky_tanh"])
def test_activations(name: str) -> None:
    x = elementwise_inputs("float32")
    got, (our_dx,) = outputs_and_gradients(getattr(activations, name), x, upstream(x.shape))
    expected, (their_dx,) = outputs_and_gradients(getattr(larq.activations, name), x, upstream(x.shape))
    assert_bits(got, expected, f"{name}: values")
    assert_bits(our_dx, their_dx, f"{name}: gradient")


@pytest.mark.parametrize("name", ["sign", "heaviside"])
def test_math(name: str) -> None:
    x = tf.constant(elementwise_inputs("float32"))
    assert_bits(np.asarray(getattr(qnn_math, name)(x)), np.asarray(getattr(larq.math, name)(x)), name)
