# SPDX-License-Identifier: Apache-2.0
"""The training recipe: it learns, repeats itself, and refuses what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import keras
import numpy as np
import pytest

from qnn_hw import datasets, zoo
from qnn_hw.errors import QnnError
from qnn_hw.layers import QuantDense


@pytest.fixture(scope="module")
def digits() -> datasets.Dataset:
    return datasets.load("digits")


def test_learns_in_a_few_epochs(digits: datasets.Dataset) -> None:
    seen: list[tuple[int, int, float, float]] = []
    model = zoo.digits_mlp(seed=0)
    history = zoo.train(model, digits, epochs=5, progress=lambda *report: seen.append(report))
    assert history.test_accuracy > 0.8, f"test accuracy {history.test_accuracy} after 5 epochs"
    assert [(epoch, epochs) for epoch, epochs, _, _ in seen] == [(i, 5) for i in range(1, 6)]
    assert tuple(loss for _, _, loss, _ in seen) == history.loss
    assert len(history.train_accuracy) == 5
    for layer in model.layers:
        if isinstance(layer, QuantDense):
            assert np.abs(layer.get_weights()[0]).max() <= 1.0, f"{layer.name}: latent weights beyond the clip value"
            assert set(np.unique(layer.quantized_kernel.numpy())) == {-1.0, 1.0}


def test_the_same_seed_gives_the_same_weights(digits: datasets.Dataset) -> None:
    def weights() -> list[np.ndarray]:
        model = zoo.digits_cnn(seed=1)
        zoo.train(model, digits, epochs=1, seed=1)
        return model.get_weights()

    for i, (first, second) in enumerate(zip(weights(), weights(), strict=True)):
        assert np.array_equal(first, second), f"weight {i} {first.shape}: largest gap {np.abs(first - second).max()}"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2], ids=lambda v: f"seed{v}")
@pytest.mark.parametrize(
    ("builder", "bar"), [(zoo.digits_mlp, 0.95), (zoo.digits_cnn, 0.97)], ids=["digits_mlp", "digits_cnn"]
)
def test_accuracy_on_digits(
    digits: datasets.Dataset, builder: Callable[..., keras.Model], bar: float, seed: int
) -> None:
    recipe = zoo.RECIPES[builder.__name__]
    history = zoo.train(builder(seed=seed), digits, **asdict(recipe), seed=seed)
    assert history.test_accuracy >= bar, f"{builder.__name__}, seed {seed}: {history.test_accuracy}, bar {bar}"


def test_refuses_a_set_that_does_not_fit(digits: datasets.Dataset) -> None:
    with pytest.raises(QnnError, match=r'train: model sfc maps \(28, 28, 1\) to \(10,\), but "digits" has images'):
        zoo.train(zoo.sfc(), digits, epochs=1)


@pytest.mark.parametrize(("epochs", "batch_size"), [(0, 64), (1, 0)])
def test_refuses_empty_training(digits: datasets.Dataset, epochs: int, batch_size: int) -> None:
    with pytest.raises(QnnError, match=f"train: epochs={epochs}, batch_size={batch_size}; both must be at least 1"):
        zoo.train(zoo.digits_mlp(), digits, epochs=epochs, batch_size=batch_size)
