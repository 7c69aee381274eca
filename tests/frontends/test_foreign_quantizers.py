# SPDX-License-Identifier: Apache-2.0
"""Quantizers of the user's own whose forward values are only exact where it matters."""

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from qnn_hw.compiler import check_golden, compile
from qnn_hw.errors import QnnError
from qnn_hw.frontends.keras import convert
from qnn_hw.ir.code_type import CodeType
from qnn_hw.layers import QuantDense
from qnn_hw.quantizers import Quantizer
from tests.frontends.nets import check


class Quarters(Quantizer):
    """0, 1/4, 1/2 or 3/4 in the usual spelling, which gives 0 at inputs so large that rounding swallows the level."""

    precision = 2
    code_type = CodeType(bits=2, scale=0.25)

    def call(self, inputs: Any) -> Any:
        levels = ops.clip(ops.floor(inputs * 4), 0, 3) / 4
        return inputs + ops.stop_gradient(levels - inputs)


class Unsteady(Quarters):
    """Not the same value for the same input: what no compiler can follow."""

    def call(self, inputs: Any) -> Any:
        return super().call(inputs + ops.cast(ops.shape(inputs)[0] > 8, inputs.dtype))


def net(quantizer: Any) -> Any:
    binary = {"kernel_quantizer": "ste_sign", "kernel_constraint": "weight_clip", "use_bias": False}
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((12,)),
            keras.layers.Rescaling(1 / 128, -1),
            QuantDense(8, **binary),
            keras.layers.BatchNormalization(),
            QuantDense(4, input_quantizer=quantizer, **binary),
        ]
    )
    model.layers[-2].set_weights([np.ones(8), np.zeros(8), np.zeros(8), np.full(8, 16.0)])
    return model


def test_straight_through_spelling_is_exact_where_it_is_reached() -> None:
    model = net(Quarters())
    converted = convert(model)
    check(model, converted)
    threshold = next(op for op in converted.graph.ops if op.keyword == "threshold")
    assert converted.graph.constants[threshold.thresholds].shape == (8, 3)


def test_unsteady_quantizer_is_refused() -> None:
    with pytest.raises(QnnError, match=r"Unsteady gives different floats for the same number"):
        compile(net(Unsteady()), input_dtype="uint8")


def test_what_differs_from_keras_is_never_built() -> None:
    accelerator = compile(net(Quarters()), input_dtype="uint8")
    assert accelerator.golden is not None and accelerator.golden.keras_class is not None
    wrong = accelerator.golden.keras_class.copy()
    wrong[3] += 1
    with pytest.raises(QnnError, match=r"decides 1 of 20 golden frames otherwise .* first frame 3"):
        check_golden(accelerator, replace(accelerator.golden, keras_class=wrong))
