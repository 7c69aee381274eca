# SPDX-License-Identifier: Apache-2.0
"""Quantized layers against their Keras twins that hold the already quantized kernel."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from qnn_hw import context, layers
from qnn_hw.activations import hard_tanh
from qnn_hw.constraints import WeightClip
from qnn_hw.errors import QnnError
from qnn_hw.layers import QuantConv1D, QuantConv2D, QuantDense, QuantDepthwiseConv2D, QuantSeparableConv2D, same_padding
from qnn_hw.quantizers import DoReFa, NoOp, Quantizer, SteSign

BINARY = {"input_quantizer": "ste_sign", "kernel_quantizer": "ste_sign", "kernel_constraint": "weight_clip"}


DEPTHWISE = {"input_quantizer": "ste_sign", "depthwise_quantizer": "ste_sign", "depthwise_constraint": "weight_clip"}
SEPARABLE = {**DEPTHWISE, "pointwise_quantizer": "ste_sign", "pointwise_constraint": "weight_clip"}

KINDS = {
    "QuantDense": ((3, 20), {"units": 6, **BINARY}),
    "QuantConv1D": ((2, 9, 4), {"filters": 4, "kernel_size": 3, "groups": 2, **BINARY}),
    "QuantConv2D": ((2, 9, 8, 4), {"filters": 4, "kernel_size": 3, "groups": 2, **BINARY}),
    "QuantConv3D": ((2, 5, 6, 4, 2), {"filters": 3, "kernel_size": 3, **BINARY}),
    "QuantDepthwiseConv2D": ((2, 9, 8, 4), {"kernel_size": 3, "depth_multiplier": 2, **DEPTHWISE}),
    "QuantSeparableConv1D": ((2, 9, 4), {"filters": 3, "kernel_size": 3, "depth_multiplier": 2, **SEPARABLE}),
    "QuantSeparableConv2D": ((2, 9, 8, 4), {"filters": 3, "kernel_size": 3, "depth_multiplier": 2, **SEPARABLE}),
    "QuantConv2DTranspose": ((2, 5, 6, 4), {"filters": 3, "kernel_size": 3, "strides": 2, **BINARY}),
    "QuantConv3DTranspose": ((2, 4, 3, 5, 2), {"filters": 3, "kernel_size": 3, **BINARY}),
    "QuantLocallyConnected1D": ((2, 9, 4), {"filters": 3, "kernel_size": 3, "strides": 2, **BINARY}),
    "QuantLocallyConnected2D": ((2, 9, 8, 4), {"filters": 3, "kernel_size": 3, "padding": "same", **BINARY}),
}
"""Every layer: shape of an input, arguments. The Keras twin of `QuantX` is `X`."""
TWINS = [name for name in KINDS if "Locally" not in name]
PADDED = [name for name in TWINS if "Conv" in name and "Transpose" not in name]


def make(name: str, **more) -> keras.layers.Layer:
    """A layer of `KINDS`, built, with seeded weights and integer biases."""
    shape, arguments = KINDS[name]
    layer = getattr(layers, name)(**{**arguments, **more})
    layer.build((None, *shape[1:]))
    weights = [random_array(*w.shape) for w in layer.get_weights()]
    layer.set_weights([np.rint(w) if w.ndim == 1 else w for w in weights])
    return layer


def twin_of(layer: keras.layers.Layer, **more) -> keras.layers.Layer:
    """The Keras layer with the already quantized weights."""
    name = type(layer).__name__
    shape, arguments = KINDS[name]
    arguments = {k: v for k, v in arguments.items() if not k.endswith(("_quantizer", "_constraint"))}
    twin = getattr(keras.layers, name.removeprefix("Quant"))(**{**arguments, **more})
    twin.build((None, *shape[1:]))
    twin.set_weights([w if w.ndim == 1 else binarized(w) for w in layer.get_weights()])
    return twin


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

    @pytest.mark.parametrize("name", KINDS)
    def test_every_layer(self, name: str, tmp_path: Path) -> None:
        layer, x = make(name), random_array(*KINDS[name][0])
        model = keras.Sequential([keras.Input(x.shape[1:]), layer])
        expected = model(x).numpy()
        model.save(tmp_path / "m.keras")
        again = keras.models.load_model(tmp_path / "m.keras")
        assert_equal(again(x).numpy(), expected, "loaded")
        # JSON turns the shapes of built quantizers into lists.
        assert json.dumps(again.layers[0].get_config()) == json.dumps(layer.get_config())
        clone = keras.models.clone_model(model)
        clone.set_weights(model.get_weights())
        assert_equal(clone(x).numpy(), expected, "cloned")

    def test_a_subclass_keeps_its_own_name_and_documentation(self) -> None:
        class Mine(QuantDense):
            """My layer."""

            def __init__(self, wish: int, **kwargs) -> None:
                super().__init__(3, **kwargs)
                self.wish = wish

        assert Mine.__doc__ == "My layer."
        assert Mine(7, kernel_quantizer="ste_tern").kernel_quantizer.precision == 2


class TestEveryLayer:
    @pytest.mark.parametrize("name", TWINS)
    def test_equals_the_keras_layer_with_quantized_kernels(self, name: str) -> None:
        layer, x = make(name), random_array(*KINDS[name][0])
        assert_equal(layer(x).numpy(), twin_of(layer)(binarized(x)).numpy(), name)

    @pytest.mark.parametrize("pad_values", [1.0, -1.0], ids=lambda v: f"pad{v:+g}")
    @pytest.mark.parametrize("name", PADDED)
    def test_pad_values(self, name: str, pad_values: float) -> None:
        layer, x = make(name, padding="same", pad_values=pad_values, activation="relu"), random_array(*KINDS[name][0])
        widths = [(0, 0), *[(1, 1)] * (x.ndim - 2), (0, 0)]
        padded = np.pad(binarized(x), widths, constant_values=pad_values)
        assert_equal(layer(x).numpy(), twin_of(layer, activation="relu")(padded).numpy(), name)

    @pytest.mark.parametrize("name", KINDS)
    def test_output_shape(self, name: str) -> None:
        layer, shape = make(name), KINDS[name][0]
        assert layer.compute_output_shape(shape) == layer(random_array(*shape)).shape

    @pytest.mark.parametrize("name", KINDS)
    def test_latent_and_quantized_weights(self, name: str) -> None:
        layer = make(name)
        for weight in layer.weight_roles:
            latent = np.asarray(getattr(layer, weight))
            assert_equal(getattr(layer, f"quantized_{weight}").numpy(), binarized(latent), f"{name} quantized {weight}")
            with context.quantized_scope(True):
                assert_equal(getattr(layer, weight).numpy(), binarized(latent), f"{name} {weight} in the scope")
                assert any(np.array_equal(w, binarized(latent)) for w in layer.get_weights()), (
                    "get_weights in the scope"
                )
        assert all(np.unique(w).size > 2 for w in layer.get_weights() if w.size > 10), "latent outside of the scope"

    def test_depthwise_kernel_names(self) -> None:
        layer = make("QuantDepthwiseConv2D")
        assert layer.depthwise_kernel is layer.kernel
        assert_equal(layer.quantized_depthwise_kernel.numpy(), layer.quantized_kernel.numpy(), "both names")

    @pytest.mark.parametrize("name", KINDS)
    def test_saving_in_the_scope_stores_quantized_weights(self, name: str, tmp_path: Path) -> None:
        layer = make(name)
        model = keras.Sequential([keras.Input(KINDS[name][0][1:]), layer])
        latent = layer.get_weights()
        with context.quantized_scope(True):
            model.save_weights(tmp_path / "w.weights.h5")
        model.load_weights(tmp_path / "w.weights.h5")
        n_kernels = len(layer.weight_roles)
        for i, (got, before) in enumerate(zip(layer.get_weights(), latent, strict=True)):
            assert_equal(got, binarized(before) if i < n_kernels else before, f"{name} weight {i}")

    def test_unbuilt(self) -> None:
        for name in KINDS:
            layer = getattr(layers, name)(**KINDS[name][1], name="early")
            for weight in layer.weight_roles:
                with pytest.raises(AttributeError, match="early: build the layer before reading its"):
                    getattr(layer, weight)

    def test_optimizers_can_tell_binary_variables(self) -> None:
        layer = make("QuantSeparableConv2D", pointwise_quantizer="ste_tern")
        assert [getattr(v, "precision", None) for v in layer.trainable_variables] == [1, 2, None]

    def test_causal_padding_is_zero(self) -> None:
        with pytest.raises(ValueError, match=r'conv3: pad_values=1\.0 with padding="causal"; causal padding is zero'):
            QuantConv1D(2, 3, padding="causal", pad_values=1.0, name="conv3")
        layer = make("QuantConv1D", padding="causal")
        x = random_array(2, 9, 4)
        assert_equal(layer(x).numpy(), twin_of(layer, padding="causal")(binarized(x)).numpy(), "causal")

    def test_locally_connected_by_hand(self) -> None:
        layer = make("QuantLocallyConnected2D")
        x = random_array(2, 9, 8, 4)
        kernel, bias = layer.get_weights()
        padded = np.pad(binarized(x), [(0, 0), (1, 1), (1, 1), (0, 0)])
        expected = np.empty((2, 9, 8, 3), np.float32)
        for i in range(9):
            for j in range(8):
                patch = padded[:, i : i + 3, j : j + 3, :].reshape(2, -1)
                expected[:, i, j] = patch @ binarized(kernel[i * 8 + j]) + bias[i, j]
        assert_equal(layer(x).numpy(), expected, "QuantLocallyConnected2D")

    def test_locally_connected_needs_sizes(self) -> None:
        with pytest.raises(QnnError, match="every spatial size must be known"):
            layers.QuantLocallyConnected1D(2, 3).build((None, None, 3))
        with pytest.raises(ValueError, match='padding="causal"; allowed are "valid" and "same"'):
            layers.QuantLocallyConnected1D(2, 3, padding="causal")

    def test_starved_weights_name_the_kernel(self) -> None:
        with pytest.warns(UserWarning, match=r"set pointwise_constraint="):
            QuantSeparableConv2D(2, 3, **{**SEPARABLE, "pointwise_constraint": None})
        with pytest.warns(UserWarning, match=r"set depthwise_constraint="):
            QuantDepthwiseConv2D(3, **{**DEPTHWISE, "depthwise_constraint": None})

    def test_no_op_starves_nothing(self, recwarn: pytest.WarningsRecorder) -> None:
        QuantDense(3, kernel_quantizer=NoOp(precision=1))
        assert [str(w.message) for w in recwarn if issubclass(w.category, UserWarning)] == []

    @pytest.mark.parametrize("name", KINDS)
    def test_documentation_lists_every_argument(self, name: str) -> None:
        cls = getattr(layers, name)
        for argument in list(inspect.signature(cls).parameters):
            assert f"    {'**' if argument == 'kwargs' else ''}{argument}: " in cls.__doc__, argument


class OwnQuantizer(Quantizer):
    """A quantizer as a user writes it."""

    precision = 2

    def call(self, inputs):
        return super().call(keras.ops.round(keras.ops.clip(inputs, -1, 1)))


def train_once(model: keras.Model, shape: tuple[int, ...]) -> float:
    """One epoch on 32 random samples; the loss. The output shape tells the number of classes."""
    model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    labels = np.random.default_rng(1).integers(0, model.output_shape[-1], 32)
    return model.fit(random_array(32, *shape), labels, batch_size=16, verbose=0).history["loss"][0]


class TestTraining:
    @pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
    def test_mixed_precision(self, policy: str) -> None:
        keras.config.set_dtype_policy(policy)
        try:
            model = small_model()
            loss = train_once(model, (6, 6, 2))
            conv = model.layers[0]
            assert conv.compute_dtype == policy.removeprefix("mixed_")
            assert conv.kernel.dtype == "float32"
            assert model(random_array(2, 6, 6, 2)).dtype == conv.compute_dtype
            # Below the smallest float16: the sign is that of the float32 weight, not of a zero.
            conv.set_weights([np.full(w.shape, -1e-9, np.float32) for w in conv.get_weights()])
            plus = np.ones((1, 6, 6, 2), np.float32)
            inner = keras.ops.convert_to_numpy(keras.Model(model.inputs, conv.output)(plus)).astype(np.float32)
            assert inner[0, 2, 2].tolist() == [-1.0] * 4, f"hard_tanh(-18) of negative weights, got {inner[0, 2, 2]}"
        finally:
            keras.config.set_dtype_policy("float32")
        assert np.isfinite(loss)

    def test_custom_loop_equals_fit(self) -> None:
        x, y = random_array(32, 6, 6, 2), np.random.default_rng(1).integers(0, 3, 32)
        loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model, by_hand = small_model(), small_model()
        by_hand.set_weights(model.get_weights())
        model.compile(keras.optimizers.SGD(0.1), loss_of)
        model.train_on_batch(x, y)
        optimizer = keras.optimizers.SGD(0.1)

        @tf.function
        def step() -> None:
            with tf.GradientTape() as tape:
                loss = loss_of(y, by_hand(x, training=True))
            gradients = tape.gradient(loss, by_hand.trainable_variables)
            optimizer.apply_gradients(zip(gradients, by_hand.trainable_variables, strict=True))

        step()
        for i, (a, b) in enumerate(zip(model.get_weights(), by_hand.get_weights(), strict=True)):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7, err_msg=f"weight {i}")

    def test_mirrored_strategy(self) -> None:
        strategy = tf.distribute.MirroredStrategy(["CPU:0"])
        with strategy.scope():
            model = small_model()
            before = model.get_weights()
            assert np.isfinite(train_once(model, (6, 6, 2)))
        assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
        assert model.layers[0].quantized_kernel.shape == (3, 3, 2, 4)

    def test_flip_ratio_appears_in_the_logs(self) -> None:
        with context.metrics_scope(["flip_ratio"]):
            model = small_model()
        model.compile(keras.optimizers.Adam(0.5), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        x, y = random_array(64, 6, 6, 2), np.random.default_rng(1).integers(0, 3, 64)
        logs = model.fit(x, y, batch_size=16, verbose=0).history
        ratios = {name: values for name, values in logs.items() if name.startswith("flip_ratio/")}
        assert len(ratios) == 2, f"two kernel quantizers, logged: {sorted(logs)}"
        assert all(0 < values[0] < 1 for values in ratios.values()), ratios

    def test_a_quantizer_of_ones_own(self) -> None:
        model = keras.Sequential(
            [
                keras.Input((6,)),
                QuantDense(5, input_quantizer=OwnQuantizer, kernel_quantizer=OwnQuantizer(metrics=["flip_ratio"])),
                QuantDense(3, kernel_quantizer=lambda w: keras.ops.clip(w, -0.5, 0.5), input_quantizer=keras.ops.tanh),
            ]
        )
        assert np.isfinite(train_once(model, (6,)))
        assert set(np.unique(model.layers[0].quantized_kernel)) <= {-1.0, 0.0, 1.0}


class TestSignature:
    @pytest.mark.parametrize("name", TWINS)
    def test_keeps_the_keras_argument_order(self, name: str) -> None:
        ours = list(inspect.signature(getattr(layers, name).__init__).parameters.values())
        theirs = list(inspect.signature(getattr(keras.layers, name.removeprefix("Quant")).__init__).parameters.values())
        theirs = theirs[: [p.name for p in theirs].index("bias_constraint") + 1]
        extra = {"pad_values", "kwargs", *(p.name for p in ours if p.name.endswith("_quantizer"))}
        assert [(p.name, p.default) for p in ours if p.name not in extra] == [(p.name, p.default) for p in theirs]

    @pytest.mark.parametrize("name", KINDS)
    def test_quantizers_follow_use_bias_and_pad_values_follow_padding(self, name: str) -> None:
        cls = getattr(layers, name)
        names = list(inspect.signature(cls.__init__).parameters)
        expected = [f"{role}_quantizer" for role in ("input", *cls.weight_roles.values())]
        after_bias = names.index("use_bias") + 1
        assert names[after_bias : after_bias + len(expected)] == expected
        assert ("pad_values" in names) == (name in PADDED)
        if name in PADDED:
            assert names[names.index("padding") + 1] == "pad_values"
