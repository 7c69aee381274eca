# SPDX-License-Identifier: Apache-2.0
"""Optimizers, schedules and metrics on the JAX backend; run as a program by `test_optimizers`, prints `ok`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import keras
import numpy as np

from qnn_hw.callbacks import HyperparameterScheduler, KernelMetrics
from qnn_hw.context import metrics_scope
from qnn_hw.layers import QuantDense
from qnn_hw.optimizers import Bop, CaseOptimizer

BINARY = {"input_quantizer": "ste_sign", "kernel_quantizer": "ste_sign", "kernel_constraint": "weight_clip"}


def main() -> None:
    keras.utils.set_random_seed(0)
    with metrics_scope(["flip_ratio"]):
        model = keras.Sequential(
            [
                keras.Input((8,)),
                QuantDense(16, use_bias=False, **BINARY),
                keras.layers.BatchNormalization(),
                QuantDense(3, **BINARY),
            ]
        )
    random = np.random.default_rng(0)
    x, y = random.normal(size=(64, 8)).astype(np.float32), random.integers(0, 3, 64)
    bop = Bop(threshold=keras.optimizers.schedules.ExponentialDecay(1e-8, 10, 0.5), gamma=0.02)
    optimizer = CaseOptimizer((Bop.is_binary_variable, bop), default_optimizer=keras.optimizers.Adam(0.01))
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    halving = HyperparameterScheduler(lambda t, value: value / 2, "gamma", bop, update_freq="step")
    history = model.fit(x, y, batch_size=16, epochs=2, verbose=0, callbacks=[halving, KernelMetrics()]).history
    assert np.allclose(history["gamma"], [0.02 / 2**4, 0.02 / 2**8]), history["gamma"]
    flips = [values for name, values in history.items() if name.startswith("flip_ratio/")]
    assert len(flips) == 2, history
    assert all(0 < each[0] < 1 for each in flips), flips
    kernels = [np.unique(np.asarray(layer.kernel)).tolist() for layer in (model.layers[0], model.layers[2])]
    assert kernels == [[-1, 1]] * 2, kernels

    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.keras")
        loaded = keras.models.load_model(Path(folder) / "model.keras")
    for each in (model, loaded):
        each.fit(x, y, batch_size=16, shuffle=False, verbose=0)
    variables = [each.variables + each.optimizer.variables for each in (model, loaded)]
    for a, b in zip(*variables, strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b), a.path)


if __name__ == "__main__":
    assert keras.backend.backend() == "jax", keras.backend.backend()
    main()
    assert "tensorflow" not in sys.modules, "something imported TensorFlow"
    print("ok")
