# SPDX-License-Identifier: Apache-2.0
"""Small nets with awkward BatchNormalizations, and the comparison of a graph with the Keras layers it comes from."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from qnn_hw.emulator import execute, execute_packed
from qnn_hw.frontends.keras import Converted, predict
from qnn_hw.frontends.keras.stages import DotStage
from qnn_hw.ir.datatype import IntArray
from qnn_hw.ir.graph import Graph
from qnn_hw.ir.ops.conv2d import Conv2D
from qnn_hw.ir.ops.matvec import MatVec
from qnn_hw.layers import QuantConv2D, QuantDense
from qnn_hw.passes import lower
from qnn_hw.passes.partition import partition

BINARY: dict[str, Any] = {
    "input_quantizer": "ste_sign",
    "kernel_quantizer": "ste_sign",
    "kernel_constraint": "weight_clip",
    "use_bias": False,
}
WEIGHTS_ONLY: dict[str, Any] = {**BINARY, "input_quantizer": None}

GAMMAS = (1.0, -1.0, 0.0, 1e-38, -1e-38, 0.5, -2.0, 1e-3, 1e30)
VARIANCES = (0.0, 1e-12, 1.0, 4.0, 1e6, 1e30)


def disturb(model: Any, seed: int) -> Any:
    """Give every BatchNormalization and bias values of which many are awkward: ties, zeros, tiny, huge."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            n = layer.moving_mean.shape[0]
            gamma = np.where(rng.random(n) < 0.5, rng.choice(GAMMAS, n), rng.normal(size=n))
            beta = np.where(rng.random(n) < 0.4, 0.0, rng.normal(size=n))
            mean = np.where(rng.random(n) < 0.6, rng.integers(-9, 10, n), rng.normal(size=n) * 5)
            variance = np.where(rng.random(n) < 0.5, rng.choice(VARIANCES, n), rng.random(n) * 30)
            parts = [gamma, beta, mean, variance]
            layer.set_weights(parts[0 if layer.scale else 1 :] if layer.center else [gamma, mean, variance])
        elif getattr(layer, "use_bias", False):
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, np.round(rng.normal(size=bias.shape) * 4) / 2])
    return model


def samples(converted: Converted, n: int, seed: int = 0) -> IntArray:
    """Random raw samples; the first ones are all-minimum and all-maximum."""
    rng, dtype, shape = np.random.default_rng(seed), converted.prepared.dtype, converted.prepared.shape
    x = rng.integers(dtype.minimum, dtype.maximum + 1, (n, *shape))
    if dtype.bipolar:
        x = rng.choice([-1, 1], (n, *shape))
    x[0], x[1] = dtype.minimum, dtype.maximum
    return x


def check(model: Any, converted: Converted, n: int = 40, fed: npt.NDArray[Any] | None = None) -> dict[str, IntArray]:
    """Compare every accumulator, every input of a dot product and every decision with the Keras layers.

    `fed`: what the original model takes for the same samples, where that is not the samples themselves.
    """
    graph, prepared = converted.graph, converted.prepared
    x = samples(converted, n)
    tensors = execute(graph, x)
    dots = [op for op in graph.ops if isinstance(op, (MatVec, Conv2D))]
    stages = [stage for stage in prepared.stages if isinstance(stage, DotStage)]
    values = run_stages(prepared, x)
    for op, stage in zip(dots, stages, strict=True):
        equal(f"{op.layer}: accumulators", tensors[op.outputs[0]], values[stage.layer])
    scores = predict(prepared.model, x).reshape(n, -1)
    equal("decision", tensors[graph.outputs[0]][:, 0], np.argmax(scores, axis=1))
    equal("decision of the packed hardware graph", packed_decisions(graph, x), np.argmax(scores, axis=1))
    for op, layer in zip(dots, [m for m in model.layers if isinstance(m, (QuantDense, QuantConv2D))], strict=False):
        if layer.input_quantizer is not None:
            before = predict(keras.Model(model.inputs, layer.input), x)
            codes = np.asarray(layer.input_quantizer(before)) / layer.input_quantizer.code_type.scale
            equal(f"{op.layer}: quantized input", tensors[op.inputs[0]], codes)
    return tensors


def packed_decisions(graph: Graph, x: IntArray) -> IntArray:
    """Lower the network to hardware operators and run them bit-packed, the host's quantizer by the reference."""
    parts = partition(graph)
    if parts.host is not None:
        x = execute(parts.host, x)[parts.host.outputs[0]]
    return execute_packed(lower(parts.hardware), x, batch=16)[:, 0]


def run_stages(prepared: Any, x: IntArray) -> dict[str, npt.NDArray[np.float32]]:
    """Run the prepared model's modules one by one: layer name -> accumulators."""
    import tensorflow as tf

    y: Any = tf.convert_to_tensor(x.astype(np.float32))
    result = {}
    for stage in prepared.stages:
        y = stage.module(y)
        if isinstance(stage, DotStage):
            result[stage.layer] = np.asarray(y)
    return result


def equal(what: str, got: npt.NDArray[Any], expected: npt.NDArray[Any]) -> None:
    """Compare; a failure names the first index that differs and both values."""
    assert got.shape == expected.shape, f"{what}: shape {got.shape}, expected {expected.shape}"
    wrong = np.argwhere(got != expected)
    if wrong.size:
        at = tuple(int(i) for i in wrong[0])
        raise AssertionError(f"{what}: {len(wrong)} differ, first at {at}: got {got[at]}, expected {expected[at]}")
