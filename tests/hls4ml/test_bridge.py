# SPDX-License-Identifier: Apache-2.0
"""The hls4ml bridge: what hls4ml compiles equals the software model, row by row."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from qnn_hw.errors import QnnError
from qnn_hw.frontends.keras import predict
from qnn_hw.layers import BatchNormalization, QuantConv1D, QuantConv2D, QuantDense
from qnn_hw.quantizers import DoReFa, FixedPoint, SteSign, ste_sign
from tests.hls4ml import nets
from tests.hls4ml.nets import BINARY, WEIGHTS_ONLY

BACKENDS = ("Vivado", "Vitis", "VivadoAccelerator")
IO_TYPES = ("io_parallel", "io_stream")
ROWS = 400


def check(model: Any, folder: Path, backend: str, io_type: str, name: str) -> Any:
    """Convert a net on small integer samples and compare it with the software model."""
    x = nets.small_integers(model.input_shape[1:], ROWS)
    hls_model = nets.converted(model, folder, backend, io_type)
    nets.assert_exact(name, nets.simulated(hls_model, x), nets.software_model(model, x, input_dtype="i5"))
    return hls_model


@pytest.mark.parametrize(
    ("kind", "io_type", "backend"),
    [
        ("dense", "io_parallel", "Vitis"),
        ("dense", "io_stream", "VivadoAccelerator"),
        ("conv", "io_parallel", "Vivado"),
        ("conv", "io_stream", "Vitis"),
    ],
)
def test_all_cases_in_one_net(kind: str, io_type: str, backend: str, tmp_path: Path) -> None:
    hls_model = check(nets.NETS[kind]("all"), tmp_path, backend, io_type, f"{kind}-{io_type}-{backend}")
    ours = {"Input", "QnnThreshold", "QnnMatvec", "QnnConvolution", "QnnPool", "Reshape"}
    assert {node.class_name for node in hls_model.get_layers()} <= ours, "a float node is left"


@pytest.mark.slow
@pytest.mark.parametrize("case", nets.CASES)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("io_type", IO_TYPES)
@pytest.mark.parametrize("kind", sorted(nets.NETS))
def test_matrix(kind: str, io_type: str, backend: str, case: str, tmp_path: Path) -> None:
    check(nets.NETS[kind](case), tmp_path, backend, io_type, f"{kind}-{io_type}-{backend}-{case}")


def _raw_net(dtype: str) -> Any:
    """8-bit samples, pooled, into binary weights; zero padding, bias, relu, and a pool before falling channels."""
    keras.utils.set_random_seed(2)
    layers = [
        keras.Input((7, 7, 2), dtype=dtype, name="samples"),
        keras.layers.MaxPooling2D(2, strides=1, name="p0"),
        QuantConv2D(6, 3, **{**WEIGHTS_ONLY, "use_bias": True}, padding="same", activation="relu", name="c1"),
        keras.layers.MaxPooling2D(2, name="p1"),
        keras.layers.BatchNormalization(name="bn1"),
        SteSign(name="sign"),
        keras.layers.MaxPooling2D(2, strides=1, name="p2"),
        keras.layers.Dropout(0.5, name="drop"),
        keras.layers.Flatten(name="f"),
        QuantDense(24, **{**WEIGHTS_ONLY, "use_bias": True}, name="d1"),
        BatchNormalization(scale=False, name="bn2"),
        keras.layers.Activation(ste_sign, name="sign2"),
        QuantDense(20, **WEIGHTS_ONLY, name="d2"),
        BatchNormalization(center=False, name="bn3"),
        QuantDense(17, **{**BINARY, "input_quantizer": DoReFa(2)}, name="d3"),
        QuantDense(16, **{**BINARY, "kernel_quantizer": "magnitude_aware_sign"}, name="d4"),
        keras.layers.BatchNormalization(name="bn4"),
        QuantDense(5, **BINARY, name="d5"),
    ]
    return nets.set_case(keras.Sequential(layers), "all", seed=5)


@pytest.mark.parametrize(
    ("io_type", "backend", "dtype"),
    [
        ("io_stream", "Vivado", "uint8"),
        pytest.param("io_parallel", "Vitis", "int8", marks=pytest.mark.slow),
    ],
)
def test_raw_samples_and_every_kind_of_quantizer(io_type: str, backend: str, dtype: str, tmp_path: Path) -> None:
    limits = np.iinfo(dtype)
    x = np.random.default_rng(1).integers(limits.min, limits.max + 1, (ROWS, 7, 7, 2)).astype(np.float32)
    model = nets.centre(_raw_net(dtype), x)
    hls_model = nets.converted(model, tmp_path, backend, io_type)
    nets.assert_exact(f"raw-{dtype}", nets.simulated(hls_model, x), nets.software_model(model, x))


def _mixed_net() -> Any:
    """A float front, a binary body that branches, a float head that reads +-1 and integer sums."""
    keras.utils.set_random_seed(4)
    x = keras.Input((12,), name="x")
    front = keras.layers.BatchNormalization(name="bn0")(keras.layers.Dense(16, activation="relu", name="front")(x))
    sums = QuantDense(14, **BINARY, name="d1")(front)
    normalized = keras.layers.BatchNormalization(name="bn1")(sums)
    signs = SteSign(name="s1")(QuantDense(14, **BINARY, name="d2")(normalized))
    both = keras.layers.Add(name="add")([signs, sums])
    model = nets.set_case(keras.Model(x, keras.layers.Dense(4, name="head")(both)), "mixed-sign-gamma")
    signs_of_gamma = np.where(np.arange(16) % 2, -1.0, 1.0)
    model.get_layer("bn0").set_weights([signs_of_gamma, np.zeros(16), np.full(16, 0.5), np.ones(16)])
    return model


@pytest.mark.parametrize(
    ("io_type", "backend"),
    [("io_parallel", "Vitis"), pytest.param("io_stream", "Vivado", marks=pytest.mark.slow)],
)
def test_binary_body_between_float_layers(io_type: str, backend: str, tmp_path: Path) -> None:
    model = _mixed_net()
    config = nets.hls4ml_module().utils.config_from_keras_model(model, granularity="name", backend=backend)
    for layer in config["LayerName"].values():
        layer["Trace"] = True
    hls_model = nets.converted(model, tmp_path, backend, io_type, config)
    x = np.random.default_rng(0).normal(size=(ROWS, 12)).astype(np.float32)
    outputs, trace = hls_model.trace(x)  # compiles
    # The body decides on what hls4ml's fixed-point front delivers.
    start = keras.Input((16,))
    sums = model.get_layer("d1")(start)
    signs = model.get_layer("s1")(model.get_layer("d2")(model.get_layer("bn1")(sums)))
    head = model.get_layer("head")(model.get_layer("add")([signs, sums]))
    fed = trace["bn0"].astype(np.float32)
    nets.assert_exact("sums", trace["d1"], predict(keras.Model(start, sums), fed))
    nets.assert_exact("signs", trace["s1"], predict(keras.Model(start, signs), fed))
    # The head is ordinary fixed point: weights with 10 fraction bits.
    np.testing.assert_allclose(outputs, predict(keras.Model(start, head), fed), atol=0.25)


@pytest.mark.parametrize(
    ("quantizer", "io_type", "atol"),
    [
        pytest.param(FixedPoint(4, 1), "io_stream", 0.0, id="half"),  # a power of two: sums stay exact
        pytest.param(DoReFa(2), "io_parallel", 0.01, id="third"),
    ],
)
def test_sums_of_scaled_codes_mean_what_keras_delivers(
    quantizer: Any, io_type: str, atol: float, tmp_path: Path
) -> None:
    """A quantizer, an addition and the end of the model read the same sums."""
    keras.utils.set_random_seed(3)
    x = keras.Input((20,))
    normalized = BatchNormalization(name="bn")(QuantDense(8, **BINARY, name="d0")(x))
    plain = QuantDense(8, **BINARY, name="plain")(normalized)
    sums = QuantDense(8, **{**BINARY, "input_quantizer": quantizer}, name="sums")(normalized)
    behind = QuantDense(5, **BINARY, name="behind")(BatchNormalization(name="bn2")(sums))
    model = nets.set_case(
        keras.Model(x, [behind, sums, keras.layers.Add(name="add")([plain, sums])]), "mixed-sign-gamma"
    )
    samples = nets.small_integers((20,), ROWS)
    hls_model = nets.converted(model, tmp_path, "Vitis", io_type)
    hls_model.compile()
    exact, *scaled = zip(hls_model.predict(samples), model(samples), strict=True)
    nets.assert_exact("behind", exact[0].reshape(ROWS, -1), np.asarray(exact[1]))
    for name, (ours, expected) in zip(("sums", "add"), scaled, strict=True):
        np.testing.assert_allclose(ours.reshape(ROWS, -1), expected, rtol=0, atol=atol, err_msg=name)


def test_a_model_that_ends_in_a_quantizer_delivers_its_values(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((9,)), QuantDense(8, **BINARY), BatchNormalization(), SteSign(name="s")])
    check(nets.set_case(model, "all"), tmp_path, "Vitis", "io_parallel", "signs")


def _refused(layers: list[Any], **options: Any) -> str:
    with pytest.raises(QnnError) as refusal:
        nets.converted(keras.Sequential(layers), options.pop("folder"), "Vitis", "io_parallel", **options)
    return str(refusal.value)


class TestRefusals:
    """One sentence each, with the layer's name and what to do."""

    def test_multi_bit_weights(self, tmp_path: Path) -> None:
        layers = [keras.Input((8,)), QuantDense(4, **{**BINARY, "kernel_quantizer": "ste_tern"}, name="d")]
        assert _refused(layers, folder=tmp_path) == (
            "d: its weights are of type i2, the hls4ml bridge takes -1 and +1; use kernel_quantizer='ste_sign'"
        )

    def test_float_weights(self, tmp_path: Path) -> None:
        layers = [keras.Input((8,)), QuantDense(4, input_quantizer="ste_sign", name="d")]
        assert _refused(layers, folder=tmp_path).startswith("d: the kernel is not an integer times a power of two")

    def test_quantizer_that_depends_on_the_samples(self, tmp_path: Path) -> None:
        layers = [keras.Input((8,)), QuantDense(4, **{**BINARY, "input_quantizer": "magnitude_aware_sign"}, name="d")]
        assert "d.input_quantizer: MagnitudeAwareSign delivers no fixed integer codes" in _refused(
            layers, folder=tmp_path
        )

    def test_layer_without_a_node(self, tmp_path: Path) -> None:
        layers = [keras.Input((8, 4)), QuantConv1D(4, 3, **BINARY, name="c")]
        assert _refused(layers, folder=tmp_path) == (
            "c: the hls4ml bridge has no QuantConv1D; use QuantDense or QuantConv2D"
        )

    @pytest.mark.parametrize("backend", ["Quartus", "oneAPI", "Catapult"])
    def test_backend_without_templates(self, backend: str, tmp_path: Path) -> None:
        model = keras.Sequential([keras.Input((8,)), QuantDense(4, **BINARY, name="d")])
        with pytest.raises(QnnError) as refusal:
            nets.converted(model, tmp_path, backend, "io_parallel")
        assert str(refusal.value) == (
            f"d: the hls4ml bridge has no templates for the backend {backend}; use Vivado, Vitis or VivadoAccelerator"
        )

    def test_dilation(self, tmp_path: Path) -> None:
        layers = [keras.Input((8, 8, 1)), QuantConv2D(4, 3, dilation_rate=2, **BINARY, name="c")]
        assert _refused(layers, folder=tmp_path) == (
            "c: data_format=channels_last, dilation_rate=(2, 2), groups=1; the hls4ml bridge takes channels_last, 1 "
            "and 1"
        )

    def test_padding_that_is_no_code(self, tmp_path: Path) -> None:
        layers = [keras.Input((4, 4, 1)), QuantConv2D(4, 3, padding="same", pad_values=0.5, **BINARY, name="c")]
        assert _refused(layers, folder=tmp_path).startswith("c: pad_values=0.5 is no value of its input")

    def test_unquantized_input(self, tmp_path: Path) -> None:
        layers = [keras.Input((8,)), keras.layers.ReLU(name="r"), QuantDense(4, **WEIGHTS_ONLY, name="d")]
        assert _refused(layers, folder=tmp_path) == (
            "d: its input is not quantized; give it an input_quantizer, for example 'ste_sign'"
        )

    def test_raw_input_without_a_precision(self, tmp_path: Path) -> None:
        layers = [keras.Input((8,), name="samples"), QuantDense(4, **WEIGHTS_ONLY, name="d")]
        assert _refused(layers, folder=tmp_path) == (
            "d: it reads the model input 'samples', whose precision is not stated; give the integer type of the "
            "samples, for example hls_config['LayerName']['samples'] = {'Precision': 'uint<8>'}, or "
            "keras.Input(dtype='uint8')"
        )

    def test_raw_input_too_wide(self, tmp_path: Path) -> None:
        layers = [keras.Input((8,), name="samples"), QuantDense(4, **WEIGHTS_ONLY, name="d")]
        config = {
            "Model": {"Precision": "fixed<16,6>", "ReuseFactor": 1},
            "LayerName": {"samples": {"Precision": "fixed<20,12>"}},
        }
        assert "d: its input 'samples' has the precision fixed<20,12" in _refused(
            layers, folder=tmp_path, hls_config=config
        )

    def test_quantizer_before_an_ordinary_layer_whose_values_no_type_holds(self, tmp_path: Path) -> None:
        layers = [
            keras.Input((8,)),
            QuantDense(4, **BINARY, name="d"),
            DoReFa(2, name="q"),
            keras.layers.Dense(3, name="head"),
        ]
        assert _refused(layers, folder=tmp_path).startswith("q: its quantizer delivers multiples of 0.333333")

    def test_channel_that_rises_and_falls(self, tmp_path: Path) -> None:
        layers = [
            keras.Input((8,)),
            QuantDense(4, **BINARY, name="d1"),
            keras.layers.Activation(keras.ops.square, name="a"),
            keras.layers.BatchNormalization(moving_mean_initializer=keras.initializers.Constant(5.0), name="bn"),
            QuantDense(4, **BINARY, name="d2"),
        ]
        assert "not monotone" in _refused(layers, folder=tmp_path)

    def test_layer_that_is_called_twice(self, tmp_path: Path) -> None:
        x = keras.Input((8,))
        shared = QuantDense(8, **BINARY, name="d")
        with pytest.raises(QnnError, match="d: the model calls this layer 2 times"):
            nets.converted(keras.Model(x, shared(shared(x))), tmp_path, "Vitis", "io_parallel")


def test_input_type_stated_in_the_configuration(tmp_path: Path) -> None:
    """Fixed-point inputs are exact as well: the type says what a code means."""
    keras.utils.set_random_seed(3)
    layers = [keras.Input((10,), name="samples"), QuantDense(8, **WEIGHTS_ONLY), BatchNormalization()]
    model = nets.set_case(keras.Sequential([*layers, QuantDense(5, **BINARY)]), "all")
    config = {
        "Model": {"Precision": "fixed<16,6>", "ReuseFactor": 1},
        "LayerName": {"samples": {"Precision": "fixed<8,4>"}},
    }
    codes = np.random.default_rng(0).integers(-128, 128, (ROWS, 10))
    hls_model = nets.converted(model, tmp_path, "Vitis", "io_parallel", config)
    ours = nets.simulated(hls_model, (codes / 16).astype(np.float32))
    expected = nets.software_model(model, codes, input_dtype="i8", input_scale=1 / 16)
    nets.assert_exact("fixed<8,4>", ours, expected)
