# SPDX-License-Identifier: Apache-2.0
"""FlipRatio by hand, in compiled functions, and during `fit` through the quantizers."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from qnn_hw.context import metrics_scope
from qnn_hw.errors import QnnError
from qnn_hw.layers import QuantDense
from qnn_hw.metrics import FlipRatio
from qnn_hw.quantizers import SteSign

BINARY = {"kernel_quantizer": "ste_sign", "kernel_constraint": "weight_clip"}


class TestFlipRatio:
    def test_mean_share_of_changes_without_the_first_update(self) -> None:
        metric = FlipRatio()
        assert float(metric.result()) == 0
        for values, expected in (([1, 1, -1, -1], 0), ([1, 1, 1, -1], 0.25), ([-1, -1, -1, 1], 0.625)):
            metric.update_state(np.float32(values))
            assert float(metric.result()) == expected, values

    def test_a_reset_forgets_the_values_before(self) -> None:
        metric = FlipRatio()
        metric.update_state(np.ones(4))
        metric.reset_state()
        metric.update_state(-np.ones(4))
        assert float(metric.result()) == 0
        metric.update_state(np.ones(4))
        assert float(metric.result()) == 1

    def test_fractions_need_a_float_type(self) -> None:
        for dtype, expected in (("int8", 0.0), ("float32", 1.0)):
            metric = FlipRatio(values_dtype=dtype)
            metric.update_state(np.float32([0.25]))
            metric.update_state(np.float32([0.75]))
            assert float(metric.result()) == expected, dtype

    def test_in_a_compiled_function(self) -> None:
        metric = FlipRatio()
        metric.build((2,))
        update = tf.function(metric.update_state)
        for values in ([1, 1], [1, -1]):
            update(np.float32(values))
        assert float(metric.result()) == 0.5

    def test_another_shape(self) -> None:
        metric = FlipRatio()
        metric.update_state(np.ones(4))
        with pytest.raises(QnnError, match=r"flip_ratio: values of shape \(5,\) after \(4,\); use one metric a tensor"):
            metric.update_state(np.ones(5))

    def test_unknown_axis(self) -> None:
        with pytest.raises(QnnError, match=r"values of shape \(None, 4\); every axis must be known"):
            FlipRatio().build((None, 4))

    def test_config_round_trip(self) -> None:
        metric = keras.metrics.deserialize(keras.metrics.serialize(FlipRatio(values_dtype="float32", name="flips")))
        assert isinstance(metric, FlipRatio)
        assert (metric.values_dtype, metric.name) == ("float32", "flips")


def trained(model: keras.Model, **fit: Any) -> dict[str, list[float]]:
    random = np.random.default_rng(0)
    model.compile("sgd", "mse")
    x, y = random.normal(size=(8, 4)).astype(np.float32), random.normal(size=(8, 3)).astype(np.float32)
    return model.fit(x, y, verbose=0, **fit).history


class TestDuringFit:
    def test_metrics_scope_reaches_kernel_quantizers_alone(self) -> None:
        with metrics_scope(["flip_ratio"]):
            layer = QuantDense(3, input_quantizer="ste_sign", **BINARY)
        history = trained(keras.Sequential([keras.Input((4,)), layer]), epochs=1)
        assert [key for key in history if "flip" in key] == [f"flip_ratio/{layer.kernel_quantizer.name}"]

    def test_equals_the_flips_counted_by_hand(self) -> None:
        layer = QuantDense(3, kernel_quantizer=SteSign(metrics=["flip_ratio"]), kernel_constraint="weight_clip")
        model = keras.Sequential([keras.Input((4,)), layer])
        layer.kernel.assign(np.random.default_rng(1).normal(0, 0.02, (4, 3)))
        seen: list[np.ndarray] = []

        class Record(keras.callbacks.Callback):
            def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
                seen.append(layer.kernel.numpy() >= 0)

        history = trained(model, batch_size=2, callbacks=[Record()])
        flips = [np.mean(a != b) for a, b in itertools.pairwise(seen)]
        assert sum(flips) > 0
        assert history[f"flip_ratio/{layer.kernel_quantizer.name}"] == pytest.approx([np.mean(flips)])

    def test_model_with_a_metric_saves_and_loads(self, tmp_path: Path) -> None:
        with metrics_scope(["flip_ratio"]):
            model = keras.Sequential([keras.Input((4,)), QuantDense(3, **BINARY)])
        trained(model)
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
        assert any("flip_ratio" in key for key in trained(again))
        assert len(again.weights) == 2
