# SPDX-License-Identifier: Apache-2.0
"""Every refusal names the layer, what was found and what to do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from qnn_hw.errors import QnnError
from qnn_hw.frontends.keras import convert, load_model, predict, prepare
from qnn_hw.layers import QuantConv2D, QuantDense
from qnn_hw.quantizers import SteSign
from tests.frontends.nets import BINARY, WEIGHTS_ONLY

L = keras.layers


def dense(*between: Any, **options: Any) -> Any:
    last = QuantDense(3, **{**BINARY, "name": "fc2", **options})
    return keras.Sequential(
        [keras.Input((4,), dtype="uint8"), QuantDense(5, **WEIGHTS_ONLY, name="fc1"), *between, last]
    )


def conv(*layers: Any) -> Any:
    return keras.Sequential([keras.Input((6, 6, 2)), L.Rescaling(1 / 128), *layers], name="net")


def with_nan(model: Any) -> Any:
    layer = model.get_layer("fc2")
    layer.set_weights([np.full(w.shape, np.nan, np.float32) for w in layer.get_weights()])
    return model


def branching() -> Any:
    x = keras.Input((4,), dtype="uint8")
    y = QuantDense(4, **WEIGHTS_ONLY, name="fc1")(x)
    return keras.Model(x, L.Add(name="sum")([y, QuantDense(4, **BINARY, name="fc2")(y)]))


def first_layer_is_float() -> Any:
    return keras.Sequential([keras.Input((4,), name="in"), QuantDense(3, **WEIGHTS_ONLY, name="fc1")])


def dirty(weights: Any) -> Any:
    """A kernel_quantizer that says bipolar and is not."""

    class Lazy(SteSign):
        def call(self, inputs: Any) -> Any:
            return super().call(inputs) * weights

    return Lazy()


CASES: dict[str, tuple[Callable[[], Any], str]] = {
    "raw samples unknown": (
        first_layer_is_float,
        "fc1: the model takes float32 inputs and does not say what the raw samples are; give input_dtype (for example "
        "'uint8') with input_scale and input_offset if you scale outside of the model, or start the model with "
        "keras.Input(dtype='uint8') or Rescaling",
    ),
    "scaling is no integer map": (
        lambda: keras.Sequential(
            [
                keras.Input((4,)),
                L.Rescaling(1 / 255 / 0.3081, -0.1307 / 0.3081, name="scale"),
                QuantDense(3, **WEIGHTS_ONLY),
            ]
        ),
        "scale: input scaling 0.0127282 * x + -0.424213 is no integer map, offset / scale = -33.3285 must be a "
        "ratio of "
        "small integers; use for example x / 128 - 1 or x / 127.5 - 1",
    ),
    "rescaling per channel": (
        lambda: keras.Sequential(
            [keras.Input((2,)), L.Rescaling([0.5, 0.25], name="scale"), QuantDense(3, **WEIGHTS_ONLY)]
        ),
        "scale: Rescaling with one scale a channel; raw samples need one scale and offset for all",
    ),
    "float layer in front": (
        lambda: keras.Sequential(
            [
                keras.Input((4,), dtype="uint8"),
                L.BatchNormalization(name="bn"),
                QuantDense(3, **WEIGHTS_ONLY, name="fc"),
            ]
        ),
        "bn: BatchNormalization between the raw samples and fc makes floats; give fc an input_quantizer or "
        "remove this layer",
    ),
    "input not quantized": (
        lambda: dense(L.BatchNormalization(), input_quantizer=None),
        "fc2: its input is not quantized; give it an input_quantizer, for example 'ste_sign'",
    ),
    "float kernel": (
        lambda: dense(kernel_quantizer=None, kernel_constraint=None),
        "fc2: the kernel is not an integer times a power of two in at most 8 bits; use QuantDense with a "
        "kernel_quantizer, for example 'ste_sign'",
    ),
    "kernel with NaN": (
        lambda: with_nan(dense()),
        "fc2: the kernel holds NaN or infinity; train the model again",
    ),
    "kernel not binary": (
        lambda: dense(kernel_quantizer=dirty(0.5)),
        "fc2: the kernel_quantizer is to deliver +-1 but delivers",
    ),
    "quantizer without code_type": (
        lambda: dense(input_quantizer=lambda x: x),
        "fc2: the input_quantizer states no code_type; use a quantizer of qnn_hw.quantizers",
    ),
    "place-dependent activation": (
        lambda: dense(L.ELU(name="act")),
        "act: elu gives different floats for the same number, depending on its place in the tensor, so that no "
        "threshold is "
        "exact; use relu, leaky_relu or hard_tanh",
    ),
    "place-dependent function found by probing": (
        lambda: dense(L.Activation(lambda x: 1 - keras.ops.exp(-x), name="act")),
        "act: <lambda> gives different floats for the same number",
    ),
    "softmax in the middle": (
        lambda: dense(L.Softmax(name="soft")),
        "soft: softmax in the middle of the network; it is supported at the end only",
    ),
    "unsupported layer": (
        lambda: conv(L.AveragePooling2D(2, name="mean"), QuantConv2D(3, 3, **BINARY)),
        "mean: AveragePooling2D is not supported; supported are Rescaling, Quant/Dense",
    ),
    "groups": (
        lambda: conv(QuantConv2D(4, 3, groups=2, name="conv", **WEIGHTS_ONLY)),
        "conv: groups=2; only 1 is supported",
    ),
    "dilation": (
        lambda: conv(QuantConv2D(4, 3, dilation_rate=2, name="conv", **WEIGHTS_ONLY)),
        "conv: dilation_rate=(2, 2); only 1 is supported",
    ),
    "channels first": (
        lambda: conv(L.MaxPooling2D(data_format="channels_first", name="pool"), L.Flatten(), QuantDense(3, **BINARY)),
        "pool: data_format=channels_first; only channels_last is supported",
    ),
    "pad value": (
        lambda: conv(QuantConv2D(4, 3, padding="same", pad_values=-0.3, name="conv", **WEIGHTS_ONLY)),
        "conv: pad_values=-0.3 is no value of its input (codes 0..255 times 0.0078125); use one of these or 0",
    ),
    "parameters per pixel": (
        lambda: conv(
            QuantConv2D(4, 3, **WEIGHTS_ONLY), L.Flatten(), L.BatchNormalization(name="bn"), QuantDense(3, **BINARY)
        ),
        "bn: BatchNormalization after a Flatten of several pixels has one parameter a pixel; put it before the Flatten",
    ),
    "batch normalization over rows": (
        lambda: conv(
            QuantConv2D(4, 3, **WEIGHTS_ONLY), L.BatchNormalization(axis=1, name="bn"), QuantConv2D(2, 4, **BINARY)
        ),
        "bn: BatchNormalization over axis 1; it must be the last axis (channels_last)",
    ),
    "ends in a map": (
        lambda: conv(QuantConv2D(4, 3, name="conv", **WEIGHTS_ONLY)),
        "conv: the model ends in a map of shape (4, 4, 4); end it in a QuantDense, or a convolution with one "
        "output pixel, "
        "that has one score a class",
    ),
    "one class": (
        lambda: keras.Sequential([keras.Input((4,), dtype="int8"), QuantDense(1, **WEIGHTS_ONLY, name="fc")]),
        "fc: the model has one output; a classifier needs two or more classes",
    ),
    "nothing to build": (
        lambda: keras.Sequential([keras.Input((4,)), L.ReLU()], name="net"),
        "net: no dense or convolution layer found; there is nothing to build",
    ),
    "not built": (
        lambda: keras.Sequential([QuantDense(3)], name="net"),
        "net: the model has no input shape yet; start it with keras.Input(shape)",
    ),
    "unknown image size": (
        lambda: keras.Sequential([keras.Input((None, 6, 2), dtype="uint8"), QuantConv2D(3, 3)], name="net"),
        "net: input shape (None, 6, 2); give a fixed (features,) or (height, width, channels)",
    ),
    "branch": (branching, "sum: the model branches here; only single-path networks are supported"),
    "other arithmetic": (
        lambda: dense(L.BatchNormalization(dtype="float16", name="bn")),
        "bn: computes in float16, exactness is defined in float32; use dtype='float32'",
    ),
    "accumulator beyond float32": (
        lambda: keras.Sequential([keras.Input((600,), dtype="int16"), QuantDense(3, **WEIGHTS_ONLY, name="fc")]),
        "fc: accumulators reach 19660800, float32 is exact below 16777216; use fewer inputs or bits",
    ),
}


@pytest.mark.filterwarnings("ignore:.*starved weights")
@pytest.mark.parametrize("case", CASES)
def test_message(case: str) -> None:
    keras.utils.set_random_seed(0)
    build, message = CASES[case]
    with pytest.raises(QnnError) as error:
        convert(build())
    assert str(error.value)[: len(message)] == message


def test_input_dtype_is_explained() -> None:
    with pytest.raises(QnnError, match=r"^data type 'byte': expected u<bits>, i<bits> or b1"):
        prepare(first_layer_is_float(), input_dtype="byte")
    with pytest.raises(QnnError, match=r"^input_dtype 'u20': raw samples are integers of at most 16 bits"):
        prepare(first_layer_is_float(), input_dtype="u20")


def test_samples_that_do_not_fit() -> None:
    prepared = prepare(dense())
    with pytest.raises(QnnError, match=r"takes raw uint8 samples, found values 0.5..0.5 of type float64$"):
        predict(prepared.model, np.full((1, 4), 0.5))
    with pytest.raises(QnnError, match=r"takes raw uint8 samples, found values 256..256 of type int64$"):
        predict(prepared.model, np.full((1, 4), 256))


def test_files(tmp_path: Path) -> None:
    with pytest.raises(QnnError, match=r"missing.keras: no such file; give a model saved with "):
        load_model(tmp_path / "missing.keras")
    (tmp_path / "weights.h5").write_bytes(b"")
    with pytest.raises(QnnError, match=r"weights.h5: found a .h5 file; give a .keras file"):
        load_model(tmp_path / "weights.h5")
    model = dense()
    model.save(tmp_path / "model.keras")
    whole = (tmp_path / "model.keras").read_bytes()
    (tmp_path / "model.keras").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        QnnError, match=r"model.keras: is no .keras archive, or was cut off; save the model again with model.save\(\)$"
    ):
        load_model(tmp_path / "model.keras")
    (tmp_path / "model.keras").write_bytes(whole)
    assert [layer.name for layer in load_model(tmp_path / "model.keras").layers] == ["fc1", "fc2"]
