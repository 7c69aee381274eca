# SPDX-License-Identifier: Apache-2.0
"""Quantized layers against their Keras twins that hold the already quantized kernel."""

from __future__ import annotations

import inspect
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from qnn_hw import context
from qnn_hw.activations import hard_tanh
from qnn_hw.constraints import WeightClip
from qnn_hw.errors import QnnError
from qnn_hw.layers import QuantConv2D, QuantDense, same_padding
from qnn_hw.quantizers import DoReFa, SteSign

BINARY = {"input_quantizer": "ste_sign", "kernel_quantizer": "ste_sign", "kernel_constraint": "weight_clip"}


def random_array(*shape: int) -> np.ndarray:
    """Seeded normal float32 values."""
    return np.random.default_rng(sum(shape)).normal(0, 1, shape).astype(np.float32)


def binarized(x: np.ndarray) -> np.ndarray:
    """-1 where x < 0, else +1."""
    return np.where(x < 0, -1, 1).astype(np.float32)


def assert_equal(got: np.ndarray, expected: np.ndarray, what: str) -> None:
    """Exact equality, naming the first coordinates that differ."""
    assert got.shape == expected.shape, f"{what}: shape {got.shape}, expected {expected.shape}"
    wrong = np.argwhere(got != expected)
    assert wrong.size == 0, (
        f"{what}: {len(wrong)} of {got.size} differ, first at {tuple(wrong[0])}: "
        f"expected {expected[tuple(wrong[0])]!r}, got {got[tuple(wrong[0])]!r}"
    )


def small_model() -> keras.Sequential:
    """One layer of each kind, with every string argument in use."""
    return keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            QuantConv2D(4, 3, padding="same", pad_values=-1.0, activation="hard_tanh", name="conv1", **BINARY),
            keras.layers.Flatten(),
            QuantDense(
                3, input_quantizer=DoReFa(2), kernel_quantizer=SteSign(1.25), kernel_constraint=WeightClip(1.25)
            ),
        ]
    )


class TestDense:
    def test_equals_keras_with_quantized_kernel(self) -> None:
        layer, twin = QuantDense(5, **BINARY, bias_initializer="ones"), keras.layers.Dense(5)
        x = random_array(4, 7)
        got = layer(x).numpy()
        twin.build((None, 7))
        twin.set_weights([binarized(layer.get_weights()[0]), layer.get_weights()[1]])
        assert_equal(got, twin(binarized(x)).numpy(), "QuantDense")

    def test_without_quantizers_is_the_keras_layer(self) -> None:
        layer, twin = QuantDense(5, activation="relu"), keras.layers.Dense(5, activation="relu")
        x = random_array(4, 7)
        got = layer(x).numpy()
        twin.build((None, 7))
        twin.set_weights(layer.get_weights())
        assert_equal(got, twin(x).numpy(), "QuantDense without quantizers")
        assert_equal(layer.quantized_kernel.numpy(), layer.get_weights()[0], "quantized_kernel without quantizer")

    def test_gradient_reaches_the_latent_kernel(self) -> None:
        layer = QuantDense(1, use_bias=False, **BINARY)
        layer.build((None, 4))
        layer.set_weights([np.array([[0.5], [-1.0], [1.5], [-2.0]], np.float32)])
        x = np.array([[1.0, -1.0, 1.0, 1.0]], np.float32)
        with tf.GradientTape() as tape:
            output = layer(x)
        gradient = tape.gradient(output, layer.trainable_variables[0]).numpy()
        assert gradient.ravel().tolist() == [1.0, -1.0, 0.0, 0.0]


class TestConv2D:
    @pytest.mark.parametrize("pad_values", [0.0, 1.0, -1.0], ids=lambda v: f"pad{v:+g}")
    @pytest.mark.parametrize("padding", ["valid", "same"])
    @pytest.mark.parametrize(
        ("kernel_size", "strides", "dilation"),
        [(3, 1, 1), (3, 2, 1), ((2, 3), (2, 1), 1), (4, 3, 1), (1, 2, 1), (3, 1, 2)],
        ids=["k3s1", "k3s2", "k2x3s2x1", "k4s3", "k1s2", "k3d2"],
    )
    def test_equals_keras_on_a_padded_input(
        self, kernel_size, strides, dilation, padding: str, pad_values: float
    ) -> None:
        layer = QuantConv2D(
            6, kernel_size, strides, padding, pad_values, dilation_rate=dilation, **BINARY, bias_initializer="ones"
        )
        x = random_array(2, 8, 7, 3)
        got = layer(x).numpy()
        twin = keras.layers.Conv2D(6, kernel_size, strides, "valid", dilation_rate=dilation)
        twin.build((None, 8, 7, 3))
        twin.set_weights([binarized(layer.get_weights()[0]), layer.get_weights()[1]])
        expected_input = binarized(x)
        if padding == "same":
            widths = [same_padding(x.shape[1 + i], layer.kernel_size[i], layer.strides[i], dilation) for i in (0, 1)]
            expected_input = np.pad(expected_input, [(0, 0), *widths, (0, 0)], constant_values=pad_values)
        assert_equal(got, twin(expected_input).numpy(), "QuantConv2D")
        assert layer.compute_output_shape(x.shape) == got.shape

    @pytest.mark.parametrize(
        ("pad_values", "row"), [(0.0, [4, 6, 4]), (1.0, [9, 9, 9]), (-1.0, [-1, 3, -1])], ids=["zero", "plus", "minus"]
    )
    def test_border_of_an_all_ones_map(self, pad_values: float, row: list[int]) -> None:
        layer = QuantConv2D(1, 3, padding="same", pad_values=pad_values, kernel_initializer="ones", **BINARY)
        got = layer(np.ones((1, 3, 3, 1), np.float32)).numpy()
        assert got[0, 0, :, 0].tolist() == row

    def test_pads_after_quantization(self) -> None:
        layer = QuantConv2D(1, 3, padding="same", pad_values=0.5, kernel_initializer="ones", **BINARY)
        assert layer(np.full((1, 1, 1, 1), 0.2, np.float32)).numpy().ravel().tolist() == [1 + 8 * 0.5]

    def test_groups_and_channels_first_reach_keras(self) -> None:
        layer = QuantConv2D(
            4, 3, groups=2, data_format="channels_last", kernel_quantizer=SteSign(), kernel_constraint="weight_clip"
        )
        layer.build((None, 5, 5, 4))
        assert layer.quantized_kernel.shape == (3, 3, 2, 4)
        first = QuantConv2D(2, 3, padding="same", pad_values=1.0, data_format="channels_first", **BINARY)
        assert first._pad_widths((1, 3, 8, 8)) == [(0, 0), (0, 0), (1, 1), (1, 1)]

    def test_unknown_image_size_is_named(self) -> None:
        layer = QuantConv2D(2, 3, padding="same", pad_values=1.0, name="conv7", **BINARY)
        with pytest.raises(QnnError, match=r'conv7: pad_values=1\.0 with padding="same" needs a known image size'):
            layer._pad_widths((None, None, 8, 3))

    @pytest.mark.parametrize(
        ("size", "kernel_size", "stride", "expected"),
        [(8, 3, 2, (0, 1)), (7, 3, 2, (1, 1)), (8, 2, 1, (0, 1)), (8, 1, 3, (0, 0)), (5, 5, 1, (2, 2))],
    )
    def test_same_padding(self, size: int, kernel_size: int, stride: int, expected: tuple[int, int]) -> None:
        assert same_padding(size, kernel_size, stride) == expected


class TestKernelViews:
    def test_latent_outside_quantized_inside(self) -> None:
        layer = QuantDense(3, **BINARY)
        layer.build((None, 8))
        latent = layer.get_weights()[0]
        assert_equal(np.asarray(layer.kernel), latent, "kernel outside the scope")
        assert_equal(layer.quantized_kernel.numpy(), binarized(latent), "quantized_kernel")
        with context.quantized_scope(True):
            assert_equal(layer.kernel.numpy(), binarized(latent), "kernel inside the scope")
        assert not context.should_quantize()

    def test_a_call_quantizes_in_every_scope(self) -> None:
        layer = QuantDense(3, **BINARY)
        x = random_array(2, 8)
        expected = layer(x).numpy()
        with context.quantized_scope(False):
            assert_equal(layer(x).numpy(), expected, "call inside quantized_scope(False)")

    def test_an_exception_in_the_call_leaves_the_scope(self) -> None:
        layer = QuantDense(3, activation=lambda _: 1 / 0, **BINARY)
        with pytest.raises(ZeroDivisionError):
            layer(random_array(2, 8))
        assert not context.should_quantize()

    def test_saving_in_the_scope_stores_quantized_weights(self, tmp_path: Path) -> None:
        model = small_model()
        with context.quantized_scope(True):
            model.save_weights(tmp_path / "binary.weights.h5")
        expected = [binarized(w) if w.ndim > 1 else w for w in model.get_weights()]
        model.load_weights(tmp_path / "binary.weights.h5")
        for i, (got, want) in enumerate(zip(model.get_weights(), expected, strict=True)):
            assert_equal(got, want, f"weight {i}")


class TestConstraint:
    def test_string_constraint_acts_on_the_latent_kernel(self) -> None:
        layer = QuantDense(2, use_bias=False, kernel_initializer="ones", **BINARY)
        model = keras.Sequential([keras.Input((4,)), layer])
        model.compile(keras.optimizers.SGD(100.0), "mse")
        model.train_on_batch(np.ones((8, 4), np.float32), np.full((8, 2), 50.0, np.float32))
        assert np.abs(layer.get_weights()[0]).max() == 1.0

    @pytest.mark.parametrize(
        "make", [lambda **k: QuantDense(2, **k), lambda **k: QuantConv2D(2, 3, **k)], ids=["dense", "conv"]
    )
    def test_starved_weights_warning(self, make) -> None:
        with pytest.warns(UserWarning, match=r'fc7: .* starved weights.*set kernel_constraint="weight_clip"') as caught:
            make(kernel_quantizer="ste_sign", name="fc7")
        assert len(caught) == 1

    @pytest.mark.parametrize(
        "arguments",
        [BINARY, {"kernel_quantizer": DoReFa(4, mode="weights")}, {"kernel_quantizer": tf.sign}, {}],
        ids=["constraint", "4-bit", "callable", "float"],
    )
    def test_no_warning(self, arguments: dict, recwarn: pytest.WarningsRecorder) -> None:
        QuantDense(2, **arguments)
        assert [str(w.message) for w in recwarn if issubclass(w.category, UserWarning)] == []

    def test_unknown_quantizer(self) -> None:
        with pytest.raises(QnnError, match="'ste_sing' is no quantizer"):
            QuantDense(2, kernel_quantizer="ste_sing")


class TestRoundTrips:
    def test_save_and_load(self, tmp_path: Path) -> None:
        model = small_model()
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
        x = random_array(3, 6, 6, 2)
        assert_equal(again(x).numpy(), model(x).numpy(), "loaded model")
        conv = again.get_layer("conv1")
        assert isinstance(conv.kernel_constraint, WeightClip)
        assert conv.activation is hard_tanh
        assert conv.pad_values == -1.0
        dense = again.layers[-1]
        assert (dense.input_quantizer.k_bit, dense.kernel_quantizer.clip_value) == (2, 1.25)
        assert dense.kernel_constraint.clip_value == 1.25

    def test_clone(self) -> None:
        model = small_model()
        clone = keras.models.clone_model(model)
        clone.set_weights(model.get_weights())
        x = random_array(3, 6, 6, 2)
        assert_equal(clone(x).numpy(), model(x).numpy(), "cloned model")

    @pytest.mark.parametrize("index", [0, 2], ids=["conv", "dense"])
    def test_config(self, index: int) -> None:
        layer = small_model().layers[index]
        assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()

    def test_a_quantizer_with_weights_is_saved_and_trained(self, tmp_path: Path) -> None:
        def make() -> keras.Sequential:
            return keras.Sequential(
                [
                    keras.Input((4,)),
                    QuantDense(3, input_quantizer=keras.layers.PReLU(), kernel_quantizer=keras.layers.PReLU()),
                ]
            )

        model = make()
        assert len(model.trainable_variables) == 4
        model.set_weights([random_array(*w.shape) for w in model.get_weights()])
        model.save_weights(tmp_path / "w.weights.h5")
        again = make()
        again.load_weights(tmp_path / "w.weights.h5")
        x = random_array(5, 4)
        assert_equal(again(x).numpy(), model(x).numpy(), "model with trainable quantizers")


class TestSignature:
    @pytest.mark.parametrize(
        ("layer", "twin", "last"),
        [(QuantDense, keras.layers.Dense, "bias_constraint"), (QuantConv2D, keras.layers.Conv2D, "bias_constraint")],
        ids=["dense", "conv2d"],
    )
    def test_keeps_the_keras_argument_order(self, layer: type, twin: type, last: str) -> None:
        ours = list(inspect.signature(layer.__init__).parameters.values())
        theirs = list(inspect.signature(twin.__init__).parameters.values())
        theirs = theirs[: [p.name for p in theirs].index(last) + 1]
        extra = {"input_quantizer", "kernel_quantizer", "pad_values", "kwargs"}
        assert [(p.name, p.default) for p in ours if p.name not in extra] == [(p.name, p.default) for p in theirs]

    def test_quantizers_follow_use_bias_and_pad_values_follow_padding(self) -> None:
        names = list(inspect.signature(QuantConv2D.__init__).parameters)
        after_bias = names.index("use_bias") + 1
        assert names[after_bias : after_bias + 2] == ["input_quantizer", "kernel_quantizer"]
        assert names[names.index("padding") + 1] == "pad_values"
