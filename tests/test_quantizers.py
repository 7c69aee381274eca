# SPDX-License-Identifier: Apache-2.0
"""Quantizers against their formulas in NumPy: every forward value bit for bit, every gradient, ties included."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from qnn_hw import math as qnn_math
from qnn_hw import quantizers
from qnn_hw.errors import QnnError
from qnn_hw.ir.code_type import CodeType
from qnn_hw.quantizers import DoReFa, FixedPoint, Quantizer, SteSign

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
        ],
        ids=["ste_sign", "fixed", "fixed-unsigned", "dorefa-a2", "dorefa-w2", "dorefa-w1"],
    )
    def test_states_codes(self, quantizer, expected: CodeType, text: str) -> None:
        made = quantizer()
        assert made.code_type == expected
        assert str(made.code_type) == text
        assert made.precision == expected.bits

    @pytest.mark.parametrize(
        "quantizer",
        [lambda: SteSign(), lambda: FixedPoint(5, 2), lambda: DoReFa(1), lambda: DoReFa(3), lambda: DoReFa(8)],
        ids=["ste_sign", "fixed", "dorefa1", "dorefa3", "dorefa8"],
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
        ],
        ids=["bits", "bipolar", "signed", "scale", "offset"],
    )
    def test_refuses(self, arguments: dict, message: str) -> None:
        with pytest.raises(QnnError, match=message):
            CodeType(**arguments)

    def test_refuses_a_code_outside(self) -> None:
        with pytest.raises(QnnError, match=r"CodeType int4: code 8 is outside \[-8, 7\]"):
            CodeType(4, signed=True).value(8)

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

    def test_callables_and_none_pass_through(self) -> None:
        layer = keras.layers.ReLU()
        assert quantizers.get(None) is None
        assert quantizers.get(ops.sign) is ops.sign
        assert quantizers.get(layer) is layer

    @pytest.mark.parametrize("wrong", ["ste_sing", 42, 1.5], ids=str)
    def test_unknown_lists_the_names(self, wrong) -> None:
        with pytest.raises(QnnError, match="is no quantizer; allowed are None, a callable, or a name: DoReFa, "):
            quantizers.get(wrong)

    def test_a_class_that_needs_arguments_says_so(self) -> None:
        with pytest.raises(QnnError, match=r"FixedPoint needs arguments .*bits.*fraction_bits"):
            quantizers.get("fixed_point")

    @pytest.mark.parametrize(
        "make",
        [
            lambda: SteSign(1.25),
            lambda: SteSign(None),
            lambda: FixedPoint(6, 3, signed=False),
            lambda: DoReFa(3, mode="weights"),
        ],
        ids=["ste_sign", "ste_sign-unclipped", "fixed", "dorefa"],
    )
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
