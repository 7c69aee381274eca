# SPDX-License-Identifier: Apache-2.0
"""Kernels of every quantizer compile exactly: scales a filter, ternary and k-bit codes."""

from typing import Any

import keras
import numpy as np
import pytest

from qnn_hw.errors import QnnError
from qnn_hw.frontends.keras import convert
from qnn_hw.frontends.keras.stages import DotStage
from qnn_hw.layers import QuantConv2D, QuantDense
from tests.frontends.nets import check, disturb

BN = keras.layers.BatchNormalization


def net(kernel_quantizer: Any, input_quantizer: Any) -> keras.Sequential:
    """Two convolutions, a pool, and a dense classifier; the first layer reads 8-bit samples."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(7)
    first: dict[str, Any] = {"kernel_quantizer": kernel_quantizer, "kernel_constraint": "weight_clip"}
    inner = {**first, "input_quantizer": input_quantizer, "use_bias": False}
    return keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            keras.layers.Rescaling(1 / 128, -1),
            QuantConv2D(6, 3, padding="same", use_bias=False, **first),
            BN(),
            keras.layers.MaxPooling2D(2),
            QuantConv2D(5, 3, padding="same", **inner),
            BN(),
            keras.layers.Flatten(),
            QuantDense(4, **{**inner, "use_bias": True}),
            BN(),
        ]
    )


@pytest.mark.parametrize(
    ("kernel_quantizer", "weight_dtype", "input_quantizer"),
    [
        ("magnitude_aware_sign", "b1", "ste_sign"),
        ("magnitude_aware_sign", "b1", "ste_tern"),
        ("ste_tern", "i2", "ste_heaviside"),
        ("swish_sign", "b1", "swish_sign"),
        ("fixed_point(3, 2)", "i3", "approx_sign"),
    ],
)
def test_compiles_exactly(kernel_quantizer: str, weight_dtype: str, input_quantizer: str) -> None:
    model = disturb(net(kernel_quantizer, input_quantizer), seed=1)
    converted = convert(model)
    dots = [stage for stage in converted.prepared.stages if isinstance(stage, DotStage)]
    assert {str(stage.weight_dtype) for stage in dots} == {weight_dtype}
    check(model, converted)


def test_scales_of_powers_of_two_lose_nothing() -> None:
    """No rounding anywhere in the Keras model: even the ties of an untrained BatchNormalization agree."""
    model = net("magnitude_aware_sign", "ste_sign")
    for layer in model.layers:
        if isinstance(layer, QuantConv2D | QuantDense):
            kernel, *bias = layer.get_weights()
            scales = 2.0 ** -(np.arange(kernel.shape[-1]) % 3)
            layer.set_weights([np.where(kernel < 0, -scales, scales), *bias])
    check(model, convert(model))


def test_a_filter_of_zeros_has_the_scale_zero() -> None:
    model = disturb(net("magnitude_aware_sign", "ste_sign"), seed=2)
    layer = [layer for layer in model.layers if isinstance(layer, QuantConv2D)][1]
    (kernel,) = layer.get_weights()
    kernel[..., 2] = 0.0
    layer.set_weights([kernel])
    check(model, convert(model))


def test_scales_that_depend_on_the_samples_are_refused() -> None:
    layer = QuantDense(4, input_quantizer="magnitude_aware_sign", name="fc1")
    with pytest.raises(QnnError, match=r"fc1: the scales of its input_quantizer MagnitudeAwareSign depend on the samp"):
        convert(keras.Sequential([keras.Input((8,)), layer]), input_dtype="uint8")
