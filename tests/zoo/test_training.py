# SPDX-License-Identifier: Apache-2.0
"""The training recipe: it learns, repeats itself, goes on where it stopped, and refuses what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from qnn_hw import datasets, zoo
from qnn_hw.errors import QnnError
from qnn_hw.layers import QuantConv2D, QuantDense
from qnn_hw.optimizers import Bop, CaseOptimizer
from qnn_hw.zoo.recipes import RECIPES


@pytest.fixture(scope="module")
def digits() -> datasets.Dataset:
    return datasets.load("digits")


@pytest.fixture(scope="module")
def few(digits: datasets.Dataset) -> datasets.Dataset:
    """100 images to train, 40 to test."""
    return replace(
        digits,
        x_train=digits.x_train[:100],
        y_train=digits.y_train[:100],
        x_test=digits.x_test[:40],
        y_test=digits.y_test[:40],
    )


def arguments(name: str) -> dict[str, Any]:
    """Arguments of `train` that the recipe of a network states."""
    recipe = asdict(RECIPES[name])
    recipe.pop("datasets")
    return recipe


def with_dropout() -> keras.Model:
    """A network with random layers, whose state a checkpoint has to hold."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Rescaling(1 / 128, -1),
            keras.layers.Flatten(),
            QuantDense(
                16,
                kernel_quantizer="ste_sign",
                kernel_constraint="weight_clip",
                use_bias=False,
                kernel_initializer=keras.initializers.GlorotUniform(seed=5),
            ),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.Dropout(0.3, seed=3),
            keras.layers.Dense(10, kernel_initializer=keras.initializers.GlorotUniform(seed=6)),
        ],
        name="with_dropout",
    )


def assert_same_weights(got: keras.Model, expected: keras.Model) -> None:
    for variable, one, other in zip(got.variables, got.get_weights(), expected.get_weights(), strict=False):
        gap = np.abs(one.astype(float) - other.astype(float)).max()
        assert np.array_equal(one, other), f"{variable.path} {one.shape}: largest gap {gap}"


class Interrupted(Exception):
    """Raised from a progress report, as Ctrl-C would be."""


def interrupt_after(epoch: int) -> Callable[[zoo.Progress], None]:
    """Progress function that stops the training when `epoch` is done."""

    def report(progress: zoo.Progress) -> None:
        if progress.epoch == epoch and progress.step == progress.steps:
            raise Interrupted

    return report


def test_learns_in_a_few_epochs(digits: datasets.Dataset) -> None:
    seen: list[zoo.Progress] = []
    model = zoo.digits_mlp(seed=0)
    history = zoo.train(model, digits, epochs=5, progress=seen.append)
    assert history.test_accuracy > 0.8, f"test accuracy {history.test_accuracy} after 5 epochs"
    ends = [progress for progress in seen if progress.step == progress.steps]
    assert [(progress.epoch, progress.epochs, progress.steps) for progress in ends] == [(i, 5, 23) for i in range(1, 6)]
    assert tuple(progress.loss for progress in ends) == history.loss
    assert ends[-1].seconds_left == 0.0
    assert len(history.train_accuracy) == 5
    for layer in model.layers:
        if isinstance(layer, QuantDense):
            assert np.abs(layer.get_weights()[0]).max() <= 1.0, f"{layer.name}: latent weights beyond the clip value"
            assert set(np.unique(layer.quantized_kernel.numpy())) == {-1.0, 1.0}


def test_progress_as_a_line() -> None:
    progress = zoo.Progress(epoch=2, epochs=15, step=7, steps=469, loss=0.3, accuracy=0.912, seconds_left=130.4)
    assert str(progress) == "epoch 2 of 15, step 7 of 469, accuracy 91.2%, about 2 min 10 s left"
    assert str(replace(progress, step=469, seconds_left=9.0)) == "epoch 2 of 15, accuracy 91.2%, about 9 s left"


def test_the_same_seed_gives_the_same_weights(few: datasets.Dataset) -> None:
    def trained(seed: int) -> keras.Model:
        model = zoo.digits_mlp(seed=1)
        zoo.train(model, few, epochs=2, batch_size=50, seed=seed)
        return model

    first = trained(1)
    assert_same_weights(trained(1), first)
    assert not np.array_equal(trained(2).get_weights()[0], first.get_weights()[0])


class TestResumed:
    @pytest.mark.parametrize(("optimizer", "stop"), [("adam", 1), ("bop", 3)], ids=["adam-after-1", "bop-after-3"])
    def test_gives_the_same_weights(self, few: datasets.Dataset, tmp_path: Path, optimizer: str, stop: int) -> None:
        settings = {"epochs": 4, "batch_size": 25, "optimizer": optimizer, "augment": True, "seed": 7}
        straight = with_dropout()
        expected = zoo.train(straight, few, **settings)
        file = tmp_path / "state.npz"
        with pytest.raises(Interrupted):
            zoo.train(with_dropout(), few, **settings, checkpoint=file, progress=interrupt_after(stop))
        assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]
        resumed = with_dropout()
        epochs_seen: list[int] = []
        got = zoo.train(
            resumed,
            few,
            **settings,
            checkpoint=file,
            resume=True,
            progress=lambda progress: epochs_seen.append(progress.epoch),
        )
        assert sorted(set(epochs_seen)) == list(range(stop + 1, 5))
        assert_same_weights(resumed, straight)
        assert replace(got, seconds=0.0) == replace(expected, seconds=0.0)

    def test_after_the_last_epoch_only_measures(self, few: datasets.Dataset, tmp_path: Path) -> None:
        model, again = with_dropout(), with_dropout()
        file = tmp_path / "state.npz"
        expected = zoo.train(model, few, epochs=2, batch_size=50, checkpoint=file)
        got = zoo.train(again, few, epochs=2, batch_size=50, checkpoint=file, resume=True)
        assert_same_weights(again, model)
        assert (got.loss, got.test_accuracy) == (expected.loss, expected.test_accuracy)

    def test_without_a_checkpoint_starts_at_the_beginning(self, few: datasets.Dataset, tmp_path: Path) -> None:
        history = zoo.train(with_dropout(), few, epochs=1, batch_size=50, checkpoint=tmp_path / "none.npz", resume=True)
        assert len(history.loss) == 1

    def test_of_another_training_is_refused(self, few: datasets.Dataset, tmp_path: Path) -> None:
        file = tmp_path / "state.npz"
        zoo.train(with_dropout(), few, epochs=1, batch_size=50, checkpoint=file)
        with pytest.raises(QnnError, match=r"state\.npz: was made with epochs=1, now it is epochs=2; repeat"):
            zoo.train(with_dropout(), few, epochs=2, batch_size=50, checkpoint=file, resume=True)
        with pytest.raises(QnnError, match=r"state\.npz: was made with network="):
            zoo.train(zoo.digits_mlp(), few, epochs=1, batch_size=50, checkpoint=file, resume=True)

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"text"], ids=["empty", "cut-off", "text"])
    def test_from_a_damaged_file_is_refused(self, few: datasets.Dataset, tmp_path: Path, content: bytes) -> None:
        file = tmp_path / "state.npz"
        file.write_bytes(content)
        with pytest.raises(QnnError, match=r"state\.npz: is no checkpoint of a training"):
            zoo.train(with_dropout(), few, epochs=1, batch_size=50, checkpoint=file, resume=True)


def test_bop_takes_the_binary_kernels(few: datasets.Dataset) -> None:
    model = zoo.digits_cnn()
    zoo.train(model, few, epochs=1, batch_size=50, optimizer="bop")
    assert isinstance(model.optimizer, CaseOptimizer)
    claimed = {v.path for v in model.trainable_variables if Bop.is_binary_variable(v)}
    assert claimed == {f"digits_cnn/{name}/kernel" for name in ("conv1", "conv2", "fc1", "fc2")}
    for layer in model.layers:
        if isinstance(layer, QuantDense | QuantConv2D):
            assert set(np.unique(layer.get_weights()[0])) == {-1.0, 1.0}, f"{layer.name}: Bop leaves only +-1"


class TestDistillation:
    def test_pulls_the_scores_towards_the_teacher(self, few: datasets.Dataset) -> None:
        """A teacher that takes every class for the next one; half of the loss follows it."""
        teacher = keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                keras.layers.Rescaling(1 / 128, -1),
                keras.layers.Flatten(),
                keras.layers.Dense(10),
            ]
        )
        shifted = replace(few, y_train=(few.y_train + 1) % 10)
        zoo.train(teacher, shifted, epochs=30, batch_size=50)

        def share_of_the_next_class(teacher: keras.Model | None) -> float:
            model = zoo.digits_mlp()
            zoo.train(model, few, epochs=10, batch_size=50, teacher=teacher)
            scores = model.predict(few.x_train, verbose=0)
            of_next = scores[np.arange(len(scores)), (few.y_train + 1) % 10]
            return float(np.mean(of_next >= np.sort(scores, axis=1)[:, -2]))

        assert share_of_the_next_class(teacher) > 0.7
        assert share_of_the_next_class(None) < 0.5

    def test_probabilities_become_scores(self, few: datasets.Dataset) -> None:
        from qnn_hw.zoo.distillation import teacher_scores

        model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])
        model.layers[-1].set_weights([np.random.default_rng(0).normal(0, 0.001, (64, 10)), np.arange(10) / 10])
        with_softmax = keras.Sequential([model, keras.layers.Softmax()])
        plain = teacher_scores(model, few.x_train, 10, 50)
        logarithms = teacher_scores(with_softmax, few.x_train, 10, 50)
        difference = plain - logarithms
        assert np.allclose(difference, difference[:, :1], atol=1e-4)

    def test_a_teacher_that_does_not_fit_is_refused(self, few: datasets.Dataset) -> None:
        with pytest.raises(QnnError, match=r"teacher sfc: maps \(28, 28, 1\) to \(10,\); for these images it must map"):
            zoo.train(zoo.digits_mlp(), few, epochs=1, teacher=zoo.sfc())

    def test_is_part_of_the_checkpoint(self, few: datasets.Dataset, tmp_path: Path) -> None:
        file = tmp_path / "state.npz"
        settings = {"epochs": 1, "batch_size": 50, "checkpoint": file}
        zoo.train(zoo.digits_mlp(), few, **settings, teacher=zoo.digits_cnn(seed=1))
        with pytest.raises(QnnError, match="was made with teacher="):
            zoo.train(zoo.digits_mlp(), few, **settings, resume=True)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2], ids=lambda v: f"seed{v}")
@pytest.mark.parametrize(
    ("builder", "bar"), [(zoo.digits_mlp, 0.95), (zoo.digits_cnn, 0.97)], ids=["digits_mlp", "digits_cnn"]
)
def test_accuracy_on_digits(
    digits: datasets.Dataset, builder: Callable[..., keras.Model], bar: float, seed: int
) -> None:
    history = zoo.train(builder(seed=seed), digits, **arguments(builder.__name__), seed=seed)
    assert history.test_accuracy >= bar, f"{builder.__name__}, seed {seed}: {history.test_accuracy}, bar {bar}"


def test_every_network_has_a_recipe_for_sets_that_exist() -> None:
    from qnn_hw.datasets.load import FILE_SETS

    for name, recipe in RECIPES.items():
        shape = getattr(zoo, name)().input_shape[1:]
        for dataset in recipe.datasets:
            assert shape == ((8, 8, 1) if dataset == "digits" else FILE_SETS[dataset].image_shape), f"{name}, {dataset}"


def test_refuses_a_set_that_does_not_fit(digits: datasets.Dataset) -> None:
    with pytest.raises(QnnError, match=r'train: model sfc maps \(28, 28, 1\) to \(10,\), but "digits" has images'):
        zoo.train(zoo.sfc(), digits, epochs=1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "epochs=0, batch_size=64; both must be at least 1"),
        ({"batch_size": 0}, "epochs=1, batch_size=0; both must be at least 1"),
        ({"learning_rate": 0.0}, r"learning_rate=0\.0; it must be a positive number"),
        ({"learning_rate": float("nan")}, "learning_rate=nan; it must be a positive number"),
        ({"seed": -1}, "seed=-1; it must be from 0 to 4294967295"),
        ({"optimizer": "adamw"}, 'optimizer "adamw" is unknown; nearest: adam'),
    ],
    ids=["epochs", "batch-size", "learning-rate", "nan", "seed", "optimizer"],
)
def test_refuses_wrong_arguments(digits: datasets.Dataset, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(QnnError, match=f"train: {message}"):
        zoo.train(zoo.digits_mlp(), digits, **{"epochs": 1, **wrong})
