# SPDX-License-Identifier: Apache-2.0
"""Quantizers against their formulas in NumPy: every forward value bit for bit, every gradient, ties included."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from qnn_hw import context, quantizers
from qnn_hw import math as qnn_math
from qnn_hw.errors import QnnError
from qnn_hw.ir.code_type import CodeType
from qnn_hw.quantizers import (
    ApproxSign,
    DoReFa,
    FixedPoint,
    MagnitudeAwareSign,
    NoOp,
    Quantizer,
    SteHeaviside,
    SteSign,
    SteTern,
    SwishSign,
)

SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)
LARGEST = float(np.finfo(np.float32).max)


def corner_values(dtype: str = "float32") -> np.ndarray:
    """Zeros, ties, clip bounds and their neighbours, tiny and huge values, infinities, and 2,000 random numbers."""
    ties = np.array([0.0, 0.5, 1.0, 1.5, 2.5, 1 / 6, 5 / 6, 1 / 3, 2 / 3, 0.25, 0.125, 7.5, 7.96875], dtype)
    near = np.concatenate([ties, np.nextafter(ties, dtype_inf(dtype)), np.nextafter(ties, -dtype_inf(dtype))])
    near = near[(near == 0) | (np.abs(near) >= SMALLEST_NORMAL)]  # denormals: tested apart, backends flush them
    far = np.array([SMALLEST_NORMAL, 1e-30, 3e7, 1e9, 16777217.0, LARGEST, np.inf], dtype)
    random = np.random.default_rng(7).normal(0, 1.5, 2000).astype(dtype)
    return np.concatenate([near, -near, far, -far, random, np.array([-0.0], dtype)]).astype(dtype)


def dtype_inf(dtype: str) -> np.floating:
    """Infinity of `dtype`, so that `nextafter` stays in that type."""
    return np.dtype(dtype).type(np.inf)


def value_and_gradient(quantizer: Quantizer, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantized x and d sum(3 q(x)) / dx / 3, so that the upstream gradient is seen to be passed on."""
    x_tensor = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x_tensor)
        quantized = quantizer(x_tensor)
        total = tf.reduce_sum(3.0 * quantized)
    return quantized.numpy(), tape.gradient(total, x_tensor).numpy() / 3.0


def assert_same(got: np.ndarray, expected: np.ndarray, x: np.ndarray, what: str) -> None:
    """Bitwise equality (-0 counts as 0), naming the first input that differs."""
    assert got.dtype == x.dtype, f"{what}: dtype {got.dtype} for input {x.dtype}"
    wrong = np.flatnonzero(got != expected.astype(x.dtype))
    assert wrong.size == 0, (
        f"{what}: {wrong.size} of {x.size} differ, first at index {wrong[0]}: "
        f"x={x[wrong[0]]!r}, expected {expected[wrong[0]]!r}, got {got[wrong[0]]!r}"
    )


DTYPES = ("float32", "float64")

EVERY = [
    lambda: SteSign(1.25),
    lambda: SteSign(None),
    lambda: ApproxSign(),
    lambda: SwishSign(2.0),
    lambda: SteHeaviside(0.5),
    lambda: MagnitudeAwareSign(1.5),
    lambda: SteTern(0.1, clip_value=None),
    lambda: SteTern(ternary_weight_networks=True),
    lambda: FixedPoint(6, 3, signed=False),
    lambda: DoReFa(3),
    lambda: DoReFa(3, mode="weights"),
    lambda: NoOp(precision=1),
    lambda: SteSign(metrics=["flip_ratio"]),
]
"""One or two objects of every quantizer, none with default arguments only."""


class TestSteSign:
    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("clip_value", [1.0, 1.25, None], ids=lambda v: f"clip{v}")
    def test_forward_and_gradient(self, dtype: str, clip_value: float | None) -> None:
        x = corner_values(dtype)
        got, gradient = value_and_gradient(SteSign(clip_value), x)
        assert_same(got, np.where(x < 0, -1.0, 1.0), x, "SteSign forward")
        mask = np.ones_like(x) if clip_value is None else (np.abs(x) <= clip_value).astype(dtype)
        assert_same(gradient, mask, x, "SteSign gradient")

    def test_both_zeros_give_plus_one(self) -> None:
        assert SteSign()(np.array([0.0, -0.0], np.float32)).numpy().tolist() == [1.0, 1.0]

    def test_nan_stays_nan(self) -> None:
        assert np.isnan(SteSign()(np.array([np.nan], np.float32)).numpy()).all()

    def test_denormals_give_exact_levels(self) -> None:
        x = np.array([1e-40, -1e-40, 1.4e-45, -1.4e-45], np.float32)
        got = SteSign()(x).numpy()
        assert set(got.tolist()) <= {-1.0, 1.0}, f"denormal inputs gave {got}"
        assert got[[0, 2]].tolist() == [1.0, 1.0]

    def test_integers_become_the_default_float(self) -> None:
        got = SteSign()(ops.convert_to_tensor(np.array([0, 3, -2], np.int32)))
        assert got.dtype == "float32"
        assert got.numpy().tolist() == [1.0, 1.0, -1.0]

    def test_graph_mode_equals_eager(self) -> None:
        x = corner_values()
        quantizer = SteSign()
        assert_same(tf.function(quantizer)(tf.constant(x)).numpy(), quantizer(x).numpy(), x, "SteSign in a graph")

    @pytest.mark.parametrize("clip_value", [0.0, -1.0, float("nan")])
    def test_clip_value_must_be_positive(self, clip_value: float) -> None:
        with pytest.raises(QnnError, match=f"clip_value={clip_value}; give a positive number"):
            SteSign(clip_value)


def binary(x: np.ndarray) -> np.ndarray:
    return np.where(x < 0, -1.0, 1.0)


class TestOtherQuantizers:
    """Values and gradients written down once more in NumPy."""

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_approx_sign(self, dtype: str) -> None:
        x = corner_values(dtype)
        got, gradient = value_and_gradient(ApproxSign(), x)
        assert_same(got, binary(x), x, "ApproxSign forward")
        inside = np.abs(x) <= 1
        expected = np.where(inside, 2 - 2 * np.abs(np.where(inside, x, 0)), 0)
        np.testing.assert_allclose(gradient, expected, rtol=1e-6)

    @pytest.mark.parametrize("beta", [1.0, 5.0])
    def test_swish_sign(self, beta: float) -> None:
        x = corner_values("float64")
        got, gradient = value_and_gradient(SwishSign(beta), x)
        assert_same(got, binary(x), x, "SwishSign forward")
        y = np.clip(beta * x, -300, 300)  # beyond, the slope is 0 in float64
        expected = beta * (2 - y * np.tanh(y / 2)) / (1 + np.cosh(y))
        np.testing.assert_allclose(gradient, expected, rtol=1e-9, atol=1e-100)

    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("clip_value", [1.0, 0.5, None], ids=lambda v: f"clip{v}")
    def test_ste_heaviside(self, dtype: str, clip_value: float | None) -> None:
        x = corner_values(dtype)
        got, gradient = value_and_gradient(SteHeaviside(clip_value), x)
        assert_same(got, (x > 0).astype(dtype), x, "SteHeaviside forward")
        mask = np.ones_like(x) if clip_value is None else (np.abs(x) <= clip_value).astype(dtype)
        assert_same(gradient, mask, x, "SteHeaviside gradient")

    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("threshold", [0.05, 0.5, 0.0])
    def test_ste_tern(self, dtype: str, threshold: float) -> None:
        x = corner_values(dtype)
        got, gradient = value_and_gradient(SteTern(threshold), x)
        delta = np.dtype(dtype).type(threshold)
        assert_same(got, np.where(np.abs(x) < delta, 0, np.sign(x)), x, "SteTern forward")
        assert_same(gradient, (np.abs(x) <= 1).astype(dtype), x, "SteTern gradient")

    def test_ste_tern_ties_leave_zero(self) -> None:
        x = np.array([0.5, -0.5, np.nextafter(0.5, 0), -np.nextafter(0.5, 0), 0.0, -0.0], np.float64)
        assert SteTern(0.5)(tf.constant(x)).numpy().tolist() == [1, -1, 0, 0, 0, 0]

    def test_ternary_weight_network_threshold(self) -> None:
        x = np.array([[1.0, -2.0], [0.5, -0.5]], np.float32)  # 0.7 * mean|x| = 0.7
        assert SteTern(ternary_weight_networks=True)(x).numpy().tolist() == [[1, -1], [0, 0]]

    def test_magnitude_aware_sign(self) -> None:
        x = np.array([[0.5, -3.0, 0.0], [-1.5, 1.0, 0.0]], np.float32)
        got, gradient = value_and_gradient(MagnitudeAwareSign(), x)
        assert got.tolist() == [[1.0, -2.0, 0.0], [-1.0, 2.0, 0.0]]
        np.testing.assert_array_equal(gradient, [[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])

    def test_magnitude_aware_sign_of_a_vector_is_the_vector(self) -> None:
        x = np.array([0.5, -3.0, 0.0], np.float32)
        assert MagnitudeAwareSign()(x).numpy().tolist() == x.tolist()

    def test_no_op(self) -> None:
        x = corner_values()
        got, gradient = value_and_gradient(NoOp(precision=3), x)
        assert_same(got, x, x, "NoOp forward")
        assert_same(gradient, np.ones_like(x), x, "NoOp gradient")
        assert NoOp(1).code_type == CodeType(1, bipolar=True)
        with pytest.raises(QnnError, match="NoOp states no code_type"):
            _ = NoOp(3).code_type

    @pytest.mark.parametrize("quantizer", EVERY, ids=lambda make: type(make()).__name__)
    def test_nan_stays_nan(self, quantizer) -> None:
        made = quantizer()
        if getattr(made, "mode", "") != "weights":
            assert np.isnan(made(np.array([np.nan], np.float32)).numpy()).all()

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: SwishSign(0.0), "beta=0.0; it must be positive"),
            (lambda: SteTern(-0.1), "threshold_value=-0.1; it must not be negative"),
            (lambda: SteTern(clip_value=0.0), "clip_value=0.0; give a positive number"),
            (lambda: SteSign(metrics=["accuracy"]), "give a list of names out of: flip_ratio"),
        ],
        ids=["beta", "threshold", "clip", "metric"],
    )
    def test_refuses(self, make, message: str) -> None:
        with pytest.raises(QnnError, match=message):
            make()

    @pytest.mark.parametrize("name", ["ste_sign", "approx_sign", "swish_sign", "ste_heaviside", "ste_tern"])
    def test_functions_state_what_the_classes_state(self, name: str) -> None:
        function, made = getattr(quantizers, name), quantizers.get(name)
        x = corner_values()
        assert_same(function(tf.constant(x)).numpy(), made(x).numpy(), x, name)
        assert (function.precision, function.code_type) == (made.precision, made.code_type)
        assert quantizers.deserialize(quantizers.serialize(function)) is function


class TestMetrics:
    def test_flip_ratio(self) -> None:
        quantizer = SteTern(metrics=["flip_ratio"])
        for values in ([1, 1, 0, 0], [1, 0, 0, 0], [1, 0, 1, 1]):
            quantizer(np.array(values, np.float32))
        assert float(quantizer.flip_ratio.result()) == (0.25 + 0.5) / 2

    def test_inference_does_not_count(self) -> None:
        quantizer = SteSign(metrics=["flip_ratio"])
        quantizer(np.array([1.0, -1.0], np.float32))
        quantizer(np.array([-1.0, -1.0], np.float32), training=False)
        quantizer(np.array([1.0, 1.0], np.float32))
        assert float(quantizer.flip_ratio.result()) == 0.5

    def test_scales_are_no_flips(self) -> None:
        quantizer = MagnitudeAwareSign(metrics=["flip_ratio"])
        for scale in (0.1, 0.2, 0.3):
            quantizer(scale * np.array([[1, -1], [1, -1]], np.float32))
        assert float(quantizer.flip_ratio.result()) == 0.0

    def test_scope_reaches_kernel_quantizers_without_metrics_of_their_own(self) -> None:
        with context.metrics_scope(["flip_ratio"]):
            assert quantizers.get_kernel_quantizer("ste_sign").get_config()["metrics"] == ["flip_ratio"]
            assert quantizers.get_kernel_quantizer(SteSign(metrics=[])).get_config()["metrics"] == []
            assert quantizers.get("ste_sign").get_config()["metrics"] is None
        assert quantizers.get_kernel_quantizer("ste_sign").get_config()["metrics"] is None


class TestFixedPoint:
    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize(
        ("bits", "fraction_bits", "signed"),
        [(8, 4, True), (4, 2, False), (1, 0, False), (2, 1, True), (16, -3, True), (24, 23, False), (8, 20, True)],
        ids=lambda v: str(v),
    )
    def test_forward_and_gradient(self, dtype: str, bits: int, fraction_bits: int, signed: bool) -> None:
        x = corner_values(dtype)
        low = -(2 ** (bits - 1)) if signed else 0
        high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
        # float64 holds every product exactly that is not saturated anyway; rint rounds half to even.
        codes = np.clip(np.rint(x.astype(np.float64) * 2.0**fraction_bits), low, high)
        step = 2.0**-fraction_bits
        got, gradient = value_and_gradient(FixedPoint(bits, fraction_bits, signed), x)
        assert_same(got, codes * step, x, "FixedPoint forward")
        assert_same(gradient, ((x >= low * step) & (x <= high * step)).astype(dtype), x, "FixedPoint gradient")

    def test_rounds_half_to_even(self) -> None:
        x = np.array([0.5, 1.5, 2.5, -0.5, -1.5], np.float32)
        assert FixedPoint(8, 0)(x).numpy().tolist() == [0.0, 2.0, 2.0, 0.0, -2.0]

    def test_saturates(self) -> None:
        x = np.array([1e30, -1e30, np.inf, -np.inf], np.float32)
        assert FixedPoint(4, 1)(x).numpy().tolist() == [3.5, -4.0, 3.5, -4.0]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ((0, 0, False), "bits=0 with signed=False; allowed are 1 to 24"),
            ((1, 0, True), "bits=1 with signed=True; allowed are 2 to 24"),
            ((25, 0, True), "bits=25 with signed=True; allowed are 2 to 24"),
            ((8, 65, True), "fraction_bits=65; allowed are -64 to 64"),
        ],
        ids=["no-bits", "one-signed-bit", "beyond-float32", "fraction"],
    )
    def test_refuses(self, arguments: tuple[int, int, bool], message: str) -> None:
        with pytest.raises(QnnError, match=message):
            FixedPoint(*arguments)


class TestDoReFa:
    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("k_bit", [1, 2, 3, 4, 8])
    def test_activations(self, dtype: str, k_bit: int) -> None:
        x = corner_values(dtype)
        n = np.dtype(dtype).type(2**k_bit - 1)
        got, gradient = value_and_gradient(DoReFa(k_bit), x)
        assert_same(got, np.rint(np.clip(x, 0, 1) * n) / n, x, f"DoReFa({k_bit}) forward")
        assert_same(gradient, ((x >= 0) & (x <= 1)).astype(dtype), x, f"DoReFa({k_bit}) gradient")

    @pytest.mark.parametrize(
        ("k_bit", "x", "expected"),
        [(1, [0.5], [0.0]), (2, [1 / 6, 0.5, 5 / 6], [0.0, 2 / 3, 2 / 3])],
        ids=["k1", "k2"],
    )
    def test_activation_ties_go_to_even(self, k_bit: int, x: list[float], expected: list[float]) -> None:
        got = DoReFa(k_bit)(np.array(x, np.float32)).numpy()
        assert got.tolist() == np.array(expected, np.float32).tolist()

    @pytest.mark.parametrize("k_bit", [1, 2, 4, 8])
    def test_weights(self, k_bit: int) -> None:
        x = np.random.default_rng(3).normal(0, 1, (5, 7)).astype(np.float64)
        n = 2**k_bit - 1
        squashed = np.tanh(x)
        largest = np.abs(squashed).max()
        got, gradient = value_and_gradient(DoReFa(k_bit, mode="weights"), x)
        expected = 2 * np.rint((squashed / (2 * largest) + 0.5) * n) / n - 1
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-15)
        np.testing.assert_allclose(gradient, (1 - squashed**2) / largest, rtol=1e-12)
        odd = got * n
        assert np.array_equal(np.rint(odd) % 2, np.ones_like(odd)), "weight levels must be odd multiples of 1/n"

    @pytest.mark.parametrize(("k_bit", "level"), [(1, -1.0), (2, 1 / 3)])
    def test_all_zero_weights(self, k_bit: int, level: float) -> None:
        got, gradient = value_and_gradient(DoReFa(k_bit, mode="weights"), np.zeros((2, 3), np.float32))
        np.testing.assert_allclose(got, level, rtol=1e-6)
        assert np.isfinite(gradient).all()

    def test_refuses_an_unknown_mode(self) -> None:
        with pytest.raises(QnnError, match='mode="weight"; allowed are "activations" and "weights"'):
            DoReFa(2, mode="weight")  # type: ignore[arg-type]

    def test_refuses_an_odd_width(self) -> None:
        with pytest.raises(QnnError, match="k_bit=0; allowed are 1 to 16"):
            DoReFa(0)


class TestCodeType:
    @pytest.mark.parametrize(
        ("quantizer", "expected", "text"),
        [
            (lambda: SteSign(), CodeType(1, bipolar=True), "bipolar"),
            (lambda: FixedPoint(8, 4), CodeType(8, signed=True, scale=0.0625), "int8*0.0625"),
            (lambda: FixedPoint(3, 0, signed=False), CodeType(3), "uint3"),
            (lambda: DoReFa(2), CodeType(2, scale=1 / 3), "uint2*0.333333"),
            (lambda: DoReFa(2, mode="weights"), CodeType(2, scale=2 / 3, offset=-1.0), "uint2*0.666667-1"),
            (lambda: DoReFa(1, mode="weights"), CodeType(1, bipolar=True), "bipolar"),
            (lambda: ApproxSign(), CodeType(1, bipolar=True), "bipolar"),
            (lambda: SwishSign(), CodeType(1, bipolar=True), "bipolar"),
            (lambda: SteHeaviside(), CodeType(1), "uint1"),
            (lambda: SteTern(), CodeType(2, signed=True, symmetric=True), "ternary"),
            (lambda: MagnitudeAwareSign(), CodeType(1, bipolar=True, channel_scales=True), "bipolar*s[c]"),
        ],
        ids=[
            *("ste_sign", "fixed", "fixed-unsigned", "dorefa-a2", "dorefa-w2", "dorefa-w1"),
            *("approx_sign", "swish_sign", "ste_heaviside", "ste_tern", "magnitude_aware_sign"),
        ],
    )
    def test_states_codes(self, quantizer, expected: CodeType, text: str) -> None:
        made = quantizer()
        assert made.code_type == expected
        assert str(made.code_type) == text
        assert made.precision == expected.bits

    @pytest.mark.parametrize(
        "quantizer",
        [
            *(lambda: SteSign(), lambda: FixedPoint(5, 2), lambda: DoReFa(1), lambda: DoReFa(3), lambda: DoReFa(8)),
            *(lambda: SteHeaviside(), lambda: SteTern()),
        ],
        ids=["ste_sign", "fixed", "dorefa1", "dorefa3", "dorefa8", "ste_heaviside", "ste_tern"],
    )
    def test_values_are_exactly_those_the_quantizer_delivers(self, quantizer) -> None:
        made = quantizer()
        codes = made.code_type
        levels = np.array([codes.value(c) for c in range(codes.min_code, codes.max_code + 1)], np.float32)
        delivered = np.unique(made(np.linspace(-5, 5, 20001, dtype=np.float32)).numpy())
        assert delivered.tolist() == levels.tolist()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"bits": 0}, "bits=0; allowed are 1 to 32"),
            ({"bits": 2, "bipolar": True}, "bipolar with bits=2"),
            ({"bits": 1, "signed": True}, "signed with bits=1"),
            ({"bits": 1, "scale": 0.0}, "scale=0.0; it must be positive"),
            ({"bits": 1, "offset": float("inf")}, "offset=inf"),
            ({"bits": 2, "symmetric": True}, "symmetric without signed"),
            ({"bits": 1, "scale": 2.0, "channel_scales": True}, "channel_scales with scale=2.0"),
        ],
        ids=["bits", "bipolar", "signed", "scale", "offset", "symmetric", "channel_scales"],
    )
    def test_refuses(self, arguments: dict, message: str) -> None:
        with pytest.raises(QnnError, match=message):
            CodeType(**arguments)

    def test_refuses_a_code_outside(self) -> None:
        with pytest.raises(QnnError, match=r"CodeType int4: code 8 is outside \[-8, 7\]"):
            CodeType(4, signed=True).value(8)

    def test_values_with_scales_of_the_tensor_are_not_guessed(self) -> None:
        with pytest.raises(QnnError, match=r"bipolar\*s\[c\]: the value of a code depends on the tensor"):
            MagnitudeAwareSign().code_type.value(1)

    def test_a_quantizer_without_codes_says_so(self) -> None:
        with pytest.raises(QnnError, match="quantizer Quantizer states no code_type"):
            _ = Quantizer(name="mine").code_type


class TestRegistry:
    @pytest.mark.parametrize("name", ["ste_sign", "SteSign"])
    def test_name_class_and_object_are_interchangeable(self, name: str) -> None:
        configs = [quantizers.get(form).get_config() for form in (name, SteSign, SteSign())]
        assert [config["clip_value"] for config in configs] == [1.0, 1.0, 1.0]

    @pytest.mark.parametrize("name", ["dorefa_quantizer", "DoReFaQuantizer", "DoReFa"])
    def test_dorefa_names(self, name: str) -> None:
        made = quantizers.get_kernel_quantizer(name)
        assert (type(made), made.k_bit, made.mode) == (DoReFa, 2, "activations")

    def test_a_name_may_have_arguments(self) -> None:
        made = quantizers.get("fixed_point(8, fraction_bits=4)")
        assert (type(made), made.bits, made.fraction_bits) == (FixedPoint, 8, 4)
        assert quantizers.get('DoReFa(k_bit=3, mode="weights")').mode == "weights"
        assert quantizers.get("ste_sign(clip_value=None)").clip_value is None

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("fixed_point(8)", "fixed_point.8.' makes no quantizer .*fraction_bits"),
            ("no_such(8)", "makes no quantizer"),
            ("ste_sign(__import__('os'))", "makes no quantizer"),
            ("fixed_point(99, 1)", "bits=99 with signed=True; allowed are 2 to 24"),
        ],
    )
    def test_a_name_with_wrong_arguments(self, text: str, message: str) -> None:
        with pytest.raises(ValueError, match=message) as caught:
            quantizers.get(text)
        assert isinstance(caught.value, QnnError)

    @pytest.mark.parametrize(("alias", "name"), [("DoReFaQuantizer", "DoReFa"), ("NoOpQuantizer", "NoOp")])
    def test_class_aliases(self, alias: str, name: str) -> None:
        assert getattr(quantizers, alias) is getattr(quantizers, name)

    def test_deserialize_takes_names(self) -> None:
        assert isinstance(quantizers.deserialize("approx_sign"), ApproxSign)

    def test_callables_and_none_pass_through(self) -> None:
        layer = keras.layers.ReLU()
        assert quantizers.get(None) is None
        assert quantizers.get(ops.sign) is ops.sign
        assert quantizers.get(layer) is layer

    @pytest.mark.parametrize("wrong", ["ste_sing", 42, 1.5], ids=str)
    def test_unknown_lists_the_names(self, wrong) -> None:
        with pytest.raises(
            QnnError, match="is no quantizer; allowed are None, a callable, or a name: ApproxSign, DoReFa, "
        ):
            quantizers.get(wrong)

    def test_a_class_that_needs_arguments_says_so(self) -> None:
        with pytest.raises(QnnError, match=r"FixedPoint needs arguments .*bits.*fraction_bits"):
            quantizers.get("fixed_point")

    @pytest.mark.parametrize("make", EVERY, ids=lambda make: type(make()).__name__)
    def test_serialize_round_trip(self, make) -> None:
        made = make()
        again = quantizers.deserialize(quantizers.serialize(made))
        assert type(again) is type(made)
        assert again.get_config() == made.get_config()
        assert quantizers.get(quantizers.serialize(made)).get_config() == made.get_config()

    def test_none_serializes_to_none(self) -> None:
        assert quantizers.serialize(None) is None


class TestMath:
    def test_sign(self) -> None:
        x = np.array([-np.inf, -2.0, -0.0, 0.0, 3.0, np.inf], np.float32)
        assert qnn_math.sign(x).numpy().tolist() == [-1, -1, 1, 1, 1, 1]
        assert np.isnan(qnn_math.sign(np.float32(np.nan)).numpy())

    def test_heaviside(self) -> None:
        x = np.array([-np.inf, -2.0, -0.0, 0.0, 3.0, np.inf], np.float32)
        assert qnn_math.heaviside(x).numpy().tolist() == [0, 0, 0, 0, 1, 1]
        assert np.isnan(qnn_math.heaviside(np.float32(np.nan)).numpy())
