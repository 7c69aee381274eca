# SPDX-License-Identifier: Apache-2.0
"""Bop against its formula in NumPy; CaseOptimizer's division, training, saving and errors."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from qnn_hw.errors import QnnError
from qnn_hw.layers import QuantDense
from qnn_hw.optimizers import Bop, CaseOptimizer, ClaimError
from qnn_hw.quantizers import NoOp

BINARY = {"input_quantizer": "ste_sign", "kernel_quantizer": "ste_sign", "kernel_constraint": "weight_clip"}


def small_model(**options: Any) -> keras.Sequential:
    """Two binary layers around a normalization: two binary variables and three float ones."""
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input((6,)),
            QuantDense(8, use_bias=False, name="first", **BINARY, **options),
            keras.layers.BatchNormalization(name="norm"),
            QuantDense(3, name="second", **BINARY, **options),
        ]
    )


def data(n: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Seeded images and labels."""
    random = np.random.default_rng(5)
    return random.normal(size=(n, 6)).astype(np.float32), random.integers(0, 3, n)


def case_optimizer(**bop: Any) -> CaseOptimizer:
    """Bop for the binary variables, Adam for the others."""
    return CaseOptimizer(
        (Bop.is_binary_variable, Bop(**{"threshold": 1e-8, "gamma": 1e-2, **bop})),
        default_optimizer=keras.optimizers.Adam(0.01),
    )


def compiled(model: keras.Model, optimizer: Any) -> keras.Model:
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def sgn(x: np.ndarray) -> np.ndarray:
    return np.where(x < 0, np.float32(-1), np.float32(1))


def assert_same_state(got: keras.Model, expected: keras.Model, what: str) -> None:
    """Equal weights and optimizer state, naming the variable that differs."""
    variables = [each.variables + each.optimizer.variables for each in (got, expected)]
    for a, b in zip(*variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), f"{what}: {b.path}")


class TestBop:
    def test_three_steps_follow_the_formula(self) -> None:
        random = np.random.default_rng(0)
        weights = sgn(random.normal(size=(5, 7)))
        variable, bop = keras.Variable(weights), Bop(threshold=0.05, gamma=0.25)
        average = np.zeros_like(weights)
        for step in range(3):
            gradient = random.normal(0, 0.5, (5, 7)).astype(np.float32)
            bop.apply([gradient], [variable])
            average = average + np.float32(0.25) * (gradient - average)
            weights = sgn(-np.sign(weights * average - np.float32(0.05)) * weights)
            np.testing.assert_array_equal(variable.numpy(), weights, f"step {step}")
        assert 0 < np.mean(weights == 1) < 1

    @pytest.mark.parametrize(
        ("weight", "gradient", "expected"),
        [
            pytest.param(1.0, 1.0, -1.0, id="above-threshold-flips-plus"),
            pytest.param(-1.0, -1.0, 1.0, id="above-threshold-flips-minus"),
            pytest.param(1.0, 0.25, 1.0, id="below-threshold-keeps-plus"),
            pytest.param(-1.0, -0.25, -1.0, id="below-threshold-keeps-minus"),
            pytest.param(-1.0, 1.0, -1.0, id="right-direction-keeps"),
            pytest.param(1.0, 0.5, 1.0, id="tie-plus-becomes-plus"),
            pytest.param(-1.0, -0.5, 1.0, id="tie-minus-becomes-plus"),
            pytest.param(0.3, 0.0, 1.0, id="first-step-binarizes-plus"),
            pytest.param(-0.3, 0.0, -1.0, id="first-step-binarizes-minus"),
        ],
    )
    def test_one_weight(self, weight: float, gradient: float, expected: float) -> None:
        variable = keras.Variable(np.float32([weight]))
        Bop(threshold=0.5, gamma=1.0).apply([np.float32([gradient])], [variable])
        assert float(variable.numpy()[0]) == expected

    def test_schedules_of_both_hyperparameters_count_steps_from_zero(self) -> None:
        schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.25, 0.5])
        bop = Bop(threshold=schedule, gamma=schedule)
        variable = keras.Variable(np.float32([1.0]))
        for expected in (0.25, 0.5):
            assert float(bop.threshold) == expected
            assert float(bop.gamma) == expected
            bop.apply([np.float32([0.0])], [variable])
        with pytest.raises(QnnError, match="threshold is a schedule"):
            bop.threshold = 0.1

    def test_new_numbers_reach_a_compiled_step(self) -> None:
        model = compiled(small_model(), case_optimizer(threshold=1e9))
        x, y = data()
        model.fit(x, y, verbose=0)
        before = model.get_layer("first").kernel.numpy()
        model.fit(x, y, verbose=0)
        np.testing.assert_array_equal(model.get_layer("first").kernel.numpy(), before, "nothing flips at 1e9")
        model.optimizer.case_optimizers[0].threshold = 0.0
        model.fit(x, y, epochs=3, verbose=0)
        assert np.any(model.get_layer("first").kernel.numpy() != before), "threshold=0 flips"

    def test_config_round_trip_with_and_without_schedules(self) -> None:
        decay = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
        bop = keras.optimizers.deserialize(keras.optimizers.serialize(Bop(threshold=0.25, gamma=decay, clipnorm=2.0)))
        assert isinstance(bop, Bop)
        assert float(bop.threshold) == 0.25
        assert float(bop.gamma) == pytest.approx(0.1)
        assert bop.clipnorm == 2.0

    def test_refuses_a_learning_rate(self) -> None:
        with pytest.raises(QnnError, match="Bop: argument learning_rate; allowed besides"):
            Bop(learning_rate=0.1)

    def test_binary_variables(self) -> None:
        layers = [
            QuantDense(2, kernel_quantizer="ste_sign", kernel_constraint="weight_clip"),
            QuantDense(2, kernel_quantizer=NoOp(precision=1)),
            QuantDense(2, kernel_quantizer=NoOp(precision=2)),
            QuantDense(2),
            keras.layers.Dense(2),
        ]
        found = []
        for layer in layers:
            layer.build((None, 4))
            assert not Bop.is_binary_variable(layer.bias)
            found.append(Bop.is_binary_variable(layer.trainable_variables[0]))
        assert found == [True, True, False, False, False]

    def test_binary_variables_of_loaded_and_cloned_models(self, tmp_path: Path) -> None:
        model = small_model()
        model.save(tmp_path / "model.keras")
        for again in (keras.models.load_model(tmp_path / "model.keras"), keras.models.clone_model(model)):
            names = [v.path for v in again.trainable_variables if Bop.is_binary_variable(v)]
            assert [name.split("/")[-2] for name in names] == ["first", "second"], names

    def test_latent_free_training_keeps_weights_binary(self) -> None:
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((6,)), QuantDense(3, kernel_quantizer=NoOp(precision=1), use_bias=False)])
        compiled(model, Bop(threshold=1e-8, gamma=0.1)).fit(*data(), epochs=3, verbose=0)
        assert set(np.unique(model.layers[0].kernel.numpy())) == {-1.0, 1.0}


class TestCaseOptimizer:
    def test_each_variable_is_updated_as_by_its_optimizer_alone(self) -> None:
        random = np.random.default_rng(1)
        start = [random.normal(size=4).astype(np.float32) for _ in range(3)]
        together = [keras.Variable(value, name=name) for value, name in zip(start, "abc", strict=True)]
        alone = [keras.Variable(value) for value in start]
        case = CaseOptimizer(
            (lambda v: v.name == "a", keras.optimizers.SGD(0.1, momentum=0.9)),
            (lambda v: v.name == "b", Bop(threshold=0.0, gamma=0.5)),
            default_optimizer=keras.optimizers.Adam(0.1),
        )
        single = [keras.optimizers.SGD(0.1, momentum=0.9), Bop(threshold=0.0, gamma=0.5), keras.optimizers.Adam(0.1)]
        for _ in range(4):
            gradients = [random.normal(size=4).astype(np.float32) for _ in range(3)]
            case.apply_gradients(zip(gradients, together, strict=True))
            for optimizer, gradient, variable in zip(single, gradients, alone, strict=True):
                optimizer.apply([gradient], [variable])
        for got, expected in zip(together, alone, strict=True):
            np.testing.assert_array_equal(got.numpy(), expected.numpy(), got.name)
        assert int(case.iterations) == 4

    def test_two_claims(self) -> None:
        case = CaseOptimizer((lambda v: True, "sgd"), (lambda v: v.name == "b", "adam"))
        with pytest.raises(ClaimError, match=r"variable b is claimed by the predicates 0, 1; at most one"):
            case.build([keras.Variable(0.0, name="a"), keras.Variable(0.0, name="b")])
        assert issubclass(ClaimError, ValueError)

    def test_predicate_without_a_claim(self) -> None:
        case = CaseOptimizer((lambda v: False, "sgd"), default_optimizer="adam")
        with pytest.raises(ClaimError, match=r"no variable is claimed by predicate 0 \(sgd\w*\); each must"):
            case.build([keras.Variable(0.0)])

    def test_unclaimed_without_default_warns_and_stays(self) -> None:
        variables = [keras.Variable(1.0, name="a"), keras.Variable(1.0, name="b")]
        case = CaseOptimizer((lambda v: v.name == "a", keras.optimizers.SGD(0.5)))
        with pytest.warns(UserWarning, match="no predicate claims b and there is no default_optimizer"):
            case.apply([np.float32(1.0), np.float32(1.0)], variables)
        assert [float(v.numpy()) for v in variables] == [0.5, 1.0]

    @pytest.mark.parametrize(
        ("build", "text"),
        [
            pytest.param(lambda: CaseOptimizer(), "no optimizers", id="nothing"),
            pytest.param(lambda: CaseOptimizer("adam"), "'adam' is no pair", id="no-pair"),
            pytest.param(lambda: CaseOptimizer(("adam", bool)), "is no pair", id="wrong-order"),
            pytest.param(
                lambda: CaseOptimizer((bool, keras.optimizers.SGD(loss_scale_factor=2.0))),
                "scales the loss",
                id="scale",
            ),
        ],
    )
    def test_wrong_arguments(self, build: Any, text: str) -> None:
        with pytest.raises(QnnError, match=text):
            build()

    def test_missing_gradients(self) -> None:
        variables = [keras.Variable(1.0, name="a"), keras.Variable(1.0, name="b")]
        case = CaseOptimizer((lambda v: v.name == "a", keras.optimizers.SGD(0.5)), default_optimizer="adam")
        case.apply([np.float32(1.0), None], variables)
        assert [float(v.numpy()) for v in variables] == [0.5, 1.0]
        with pytest.raises(QnnError, match="no variable has a gradient"):
            case.apply([None, None])

    @pytest.mark.parametrize(
        "predicate", [Bop.is_binary_variable, lambda v: v.name == "kernel"], ids=["ours", "lambda"]
    )
    def test_a_loaded_model_trains_on_as_the_saved_one(self, tmp_path: Path, predicate: Any) -> None:
        adam = keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.01, 2, 0.5))
        model = compiled(small_model(), CaseOptimizer((predicate, Bop(gamma=0.1)), default_optimizer=adam))
        x, y = data()
        model.fit(x, y, batch_size=8, epochs=2, verbose=0)
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        assert_same_state(loaded, model, "loaded")
        for each in (model, loaded):
            each.fit(x, y, batch_size=8, shuffle=False, verbose=0)
        assert_same_state(loaded, model, "trained on")
        loaded.save(tmp_path / "again.keras")
        assert_same_state(keras.models.load_model(tmp_path / "again.keras"), model, "loaded twice")

    def test_saved_before_the_first_step(self, tmp_path: Path) -> None:
        compiled(small_model(), case_optimizer()).save(tmp_path / "ours.keras")
        assert keras.models.load_model(tmp_path / "ours.keras").optimizer.built
        unnamed = CaseOptimizer((lambda v: v.name == "kernel", "sgd"), default_optimizer="adam")
        compiled(small_model(), unnamed).save(tmp_path / "unnamed.keras")
        with pytest.raises(ClaimError, match="without its predicates, but the model has 5; load with compile=False"):
            keras.models.load_model(tmp_path / "unnamed.keras")

    def test_clone_with_a_copy_of_the_optimizer(self) -> None:
        model = compiled(small_model(), case_optimizer())
        clone = keras.models.clone_model(model)
        clone.set_weights(model.get_weights())
        compiled(clone, CaseOptimizer.from_config(model.optimizer.get_config()))
        for each in (model, clone):
            each.fit(*data(), batch_size=8, shuffle=False, verbose=0)
        assert_same_state(clone, model, "clone")

    def test_custom_loop_equals_fit(self) -> None:
        import tensorflow as tf

        fitted, looped = compiled(small_model(), case_optimizer()), small_model()
        x, y = data()
        fitted.fit(x, y, batch_size=8, shuffle=False, verbose=0)
        optimizer, loss = case_optimizer(), keras.losses.SparseCategoricalCrossentropy(from_logits=True)

        @tf.function
        def step(images: Any, labels: Any) -> None:
            with tf.GradientTape() as tape:
                value = loss(labels, looped(images, training=True))
            gradients = tape.gradient(value, looped.trainable_variables)
            optimizer.apply_gradients(zip(gradients, looped.trainable_variables, strict=True))

        optimizer.build(looped.trainable_variables)
        for i in range(0, len(x), 8):
            step(x[i : i + 8], y[i : i + 8])
        for a, b in zip(looped.variables, fitted.variables, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6, err_msg=b.path)

    def test_mixed_precision(self) -> None:
        model = compiled(small_model(dtype="mixed_float16"), case_optimizer())
        model.optimizer = keras.optimizers.LossScaleOptimizer(model.optimizer, initial_scale=2.0**8)
        model.fit(*data(), batch_size=8, epochs=2, verbose=0)
        kernel = model.get_layer("first").kernel
        assert kernel.dtype == "float32"
        assert set(np.unique(kernel.numpy())) == {-1.0, 1.0}
        assert int(model.optimizer.inner_optimizer.iterations) == 8

    def test_learning_rate_is_that_of_the_only_optimizer_with_one(self) -> None:
        case = case_optimizer()
        case.learning_rate = 0.5
        assert float(case.learning_rate) == float(case.default_optimizer.learning_rate) == 0.5
        two = CaseOptimizer((bool, "sgd"), default_optimizer="adam")
        assert not hasattr(two, "learning_rate")

    def test_keras_learning_rate_callback(self) -> None:
        model = compiled(small_model(), case_optimizer())
        history = model.fit(
            *data(), epochs=2, verbose=0, callbacks=[keras.callbacks.LearningRateScheduler(lambda t: 0.5**t)]
        )
        assert history.history["learning_rate"] == [1.0, 0.5]

    def test_moving_average_of_one_optimizer(self) -> None:
        averaging = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)
        model = compiled(small_model(), CaseOptimizer((Bop.is_binary_variable, Bop()), default_optimizer=averaging))
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            model.fit(*data(), batch_size=8, verbose=0)
        average = averaging._model_variables_moving_average[0]
        np.testing.assert_array_equal(model.get_layer("norm").gamma.numpy(), average.numpy())

    def test_gradient_accumulation_inside_a_case(self) -> None:
        variable = keras.Variable(np.float32([1.0]))
        case = CaseOptimizer((lambda v: True, keras.optimizers.SGD(1.0, gradient_accumulation_steps=2)))
        for gradient, expected in ((0.5, 1.0), (0.25, 0.625)):
            case.apply([keras.ops.convert_to_tensor(np.float32([gradient]))], [variable])
            assert float(variable.numpy()[0]) == expected


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed: pip install 'qnn-hw[jax]'")
def test_on_jax() -> None:
    root = Path(__file__).resolve().parent.parent
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(root)}
    run = subprocess.run(
        [sys.executable, "-m", "tests.jax_optimizers"], cwd=root, env=environment, capture_output=True, text=True
    )
    assert run.stdout.strip().endswith("ok"), f"tests/jax_optimizers.py failed:\n{run.stdout}\n{run.stderr}"
