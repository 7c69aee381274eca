# SPDX-License-Identifier: Apache-2.0
"""The zoo's networks: their structure, and the properties that the compiler relies on."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest

from qnn_hw import zoo
from qnn_hw.layers import QuantConv2D, QuantDense

QUANTIZED = (QuantConv2D, QuantDense)

Builder = Callable[..., keras.Sequential]


def shapes(model: keras.Sequential) -> dict[str, tuple[int, ...]]:
    """Kernel shape of each quantized layer by name."""
    return {layer.name: tuple(layer.kernel.shape) for layer in model.layers if isinstance(layer, QUANTIZED)}


@pytest.mark.parametrize(
    ("builder", "expected"),
    [
        (zoo.digits_mlp, {"fc1": (64, 128), "fc2": (128, 64), "fc3": (64, 10)}),
        (zoo.digits_cnn, {"conv1": (3, 3, 1, 16), "conv2": (3, 3, 16, 32), "fc1": (512, 64), "fc2": (64, 10)}),
        (zoo.sfc, {"fc1": (784, 256), "fc2": (256, 256), "fc3": (256, 256), "fc4": (256, 10)}),
        (
            zoo.cnv,
            {
                "conv1": (3, 3, 3, 64),
                "conv2": (3, 3, 64, 64),
                "conv3": (3, 3, 64, 128),
                "conv4": (3, 3, 128, 128),
                "conv5": (3, 3, 128, 256),
                "conv6": (3, 3, 256, 256),
                "fc1": (256, 512),
                "fc2": (512, 512),
                "fc3": (512, 10),
            },
        ),
    ],
    ids=["digits_mlp", "digits_cnn", "sfc", "cnv"],
)
class TestStructure:
    def test_kernels(self, builder: Builder, expected: dict[str, tuple[int, ...]]) -> None:
        model = builder()
        assert shapes(model) == expected
        assert model.output_shape == (None, 10)

    def test_every_layer_is_binary_behind_the_first(
        self, builder: Builder, expected: dict[str, tuple[int, ...]]
    ) -> None:
        layers = [layer for layer in builder().layers if isinstance(layer, QUANTIZED)]
        for layer in layers:
            assert layer.kernel_quantizer.code_type.bipolar, f"{layer.name}: kernel is not binary"
            assert layer.kernel_constraint is not None, f"{layer.name}: latent weights are not clipped"
            assert not layer.use_bias, f"{layer.name}: has a bias in front of a normalization"
        for layer in layers[1:]:
            assert layer.input_quantizer.code_type.bipolar, f"{layer.name}: input is not binary"
        assert (layers[0].input_quantizer is not None) == (builder is zoo.sfc)

    def test_seed_decides_the_weights(self, builder: Builder, expected: dict[str, tuple[int, ...]]) -> None:
        keras.utils.set_random_seed(1)
        first = builder(seed=3).get_weights()
        keras.utils.set_random_seed(2)
        again, other = builder(seed=3).get_weights(), builder(seed=4).get_weights()
        assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
        assert not np.array_equal(first[0], other[0])


def test_pools_stand_before_the_normalization() -> None:
    names = [layer.name for layer in zoo.cnv().layers]
    for index in (2, 4):
        at = names.index(f"conv{index}")
        assert names[at : at + 3] == [f"conv{index}", f"pool{index}", f"bn_conv{index}"]


def test_scaling_is_exact() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1)
    scaled = zoo.digits_mlp().get_layer("scale")(pixels).numpy()
    assert np.array_equal(scaled * 128, pixels.astype(np.float32) - 128)


def test_save_and_load(tmp_path) -> None:
    model = zoo.digits_cnn()
    model.save(tmp_path / "cnn.keras")
    again = keras.models.load_model(tmp_path / "cnn.keras")
    x = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1), dtype=np.uint8)
    assert np.array_equal(again(x).numpy(), model(x).numpy())
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
