# SPDX-License-Identifier: Apache-2.0
"""HyperparameterScheduler: when it sets what, what it logs, prints and refuses."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from qnn_hw.callbacks import HyperparameterScheduler, KernelMetrics
from qnn_hw.context import metrics_scope
from qnn_hw.errors import QnnError
from qnn_hw.layers import QuantDense
from qnn_hw.optimizers import Bop, CaseOptimizer

BINARY = {"kernel_quantizer": "ste_sign", "kernel_constraint": "weight_clip"}


def fitted(optimizer: Any, *callbacks: Any, epochs: int = 3) -> dict[str, list[float]]:
    """History of `epochs` epochs of two steps each."""
    model = keras.Sequential([keras.Input((4,)), QuantDense(3, **BINARY)])
    model.compile(optimizer, "mse")
    x, y = np.ones((4, 4), np.float32), np.ones((4, 3), np.float32)
    return model.fit(x, y, batch_size=2, epochs=epochs, verbose=0, callbacks=list(callbacks)).history


class TestHyperparameterScheduler:
    def test_every_epoch(self) -> None:
        history = fitted(keras.optimizers.SGD(1.0), HyperparameterScheduler(lambda t: 0.5**t, "learning_rate"))
        assert history["learning_rate"] == [1, 0.5, 0.25]

    def test_every_step_counts_on_over_epochs(self) -> None:
        times: list[int] = []

        def schedule(t: int) -> float:
            times.append(t)
            return 0.5**t

        callback = HyperparameterScheduler(schedule, "learning_rate", update_freq="step", log_name="rate")
        assert fitted(keras.optimizers.SGD(1.0), callback)["rate"] == [0.5, 0.125, 0.03125]
        assert times == [0, 1, 2, 3, 4, 5]

    @pytest.mark.parametrize(
        ("schedule", "expected"),
        [
            pytest.param(lambda t, value: value / 2, [0.5, 0.25, 0.125], id="value-by-position"),
            pytest.param(lambda t, value=1.0: value / 2, [0.5, 0.25, 0.125], id="value-with-default"),
            pytest.param(lambda t: np.float64(t + 1), [1, 2, 3], id="time-alone-numpy-result"),
            pytest.param(keras.optimizers.schedules.PolynomialDecay(1.0, 4, 0.0), [1, 0.75, 0.5], id="keras-schedule"),
        ],
    )
    def test_kinds_of_schedules(self, schedule: Any, expected: list[float]) -> None:
        history = fitted(keras.optimizers.SGD(1.0), HyperparameterScheduler(schedule, "learning_rate"))
        assert history["learning_rate"] == expected

    def test_two_optimizers_in_one(self, capsys: pytest.CaptureFixture[str]) -> None:
        bop, adam = Bop(gamma=0.5), keras.optimizers.Adam(0.5)
        history = fitted(
            CaseOptimizer((Bop.is_binary_variable, bop), default_optimizer=adam),
            HyperparameterScheduler(lambda t: 0.25**t, "gamma", bop, verbose=1),
            HyperparameterScheduler(lambda t: 0.125**t, "learning_rate", adam, log_name="adam"),
            epochs=2,
        )
        assert (history["gamma"], history["adam"]) == ([1, 0.25], [1, 0.125])
        assert capsys.readouterr().out == "Epoch 1: gamma is now 1.\nEpoch 2: gamma is now 0.25.\n"

    def test_looks_behind_loss_scaling(self) -> None:
        optimizer = keras.optimizers.LossScaleOptimizer(Bop(gamma=0.5))
        assert fitted(optimizer, HyperparameterScheduler(lambda t: 0.25, "gamma"), epochs=1)["gamma"] == [0.25]

    def test_error_inside_the_schedule_comes_out(self) -> None:
        def schedule(t: int, value: float) -> float:
            raise TypeError("mine")

        with pytest.raises(TypeError, match="mine"):
            fitted("sgd", HyperparameterScheduler(schedule, "learning_rate"))

    @pytest.mark.parametrize(
        ("optimizer", "name", "text"),
        [
            pytest.param(lambda: Bop(), "gama", r"gama of bop\w* is no such attribute", id="misspelled"),
            pytest.param(
                lambda: keras.optimizers.Adam(), "beta_1", r"beta_1 of adam\w* is float, not a variable", id="constant"
            ),
            pytest.param(
                lambda: Bop(gamma=keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)),
                "gamma",
                r"gamma of bop\w* is .*, not a variable",
                id="schedule-of-its-own",
            ),
        ],
    )
    def test_what_cannot_be_set(self, optimizer: Any, name: str, text: str) -> None:
        with pytest.raises(QnnError, match=text):
            fitted(optimizer(), HyperparameterScheduler(lambda t: 0.5, name))

    def test_unknown_frequency(self) -> None:
        with pytest.raises(QnnError, match='update_freq=\'batch\'; allowed are "epoch" and "step"'):
            HyperparameterScheduler(lambda t: 0.5, "gamma", update_freq="batch")  # type: ignore[arg-type]


def test_kernel_metrics_changes_nothing_where_layers_record_themselves() -> None:
    histories = []
    for callbacks in ([], [KernelMetrics()]):
        keras.utils.set_random_seed(0)
        with metrics_scope(["flip_ratio"]):
            history = fitted(keras.optimizers.SGD(0.1), *callbacks)
        histories.append(next(value for key, value in history.items() if key.startswith("flip_ratio/")))
    assert histories[0] == histories[1]
