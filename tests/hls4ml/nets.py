# SPDX-License-Identifier: Apache-2.0
"""Nets for the hls4ml bridge, and the way through hls4ml: convert, compile, predict, compare."""

import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

import qnn_hw
from qnn_hw.frontends.keras import predict
from qnn_hw.layers import BatchNormalization, QuantConv2D, QuantDense

BINARY: dict[str, Any] = {
    "input_quantizer": "ste_sign",
    "kernel_quantizer": "ste_sign",
    "kernel_constraint": "weight_clip",
    "use_bias": False,
}
WEIGHTS_ONLY: dict[str, Any] = {**BINARY, "input_quantizer": None}

CASES = ("mixed-sign-gamma", "gamma-0", "ties", "odd-fan-in", "no-bn")

FloatArray = npt.NDArray[np.float32]


def hls4ml_module() -> Any:
    """hls4ml with the bridge registered, however early it was imported."""
    os.environ.setdefault("HLS4ML_BACKEND_PLUGINS", "qnn_hw.hls4ml_bridge")
    import hls4ml

    from qnn_hw.hls4ml_bridge import register

    register(register_backend=None, register_writer=None)  # a second call changes nothing
    return hls4ml


def set_case(model: Any, case: str, seed: int = 0) -> Any:
    """Give every BatchNormalization the parameters of a case; "all" cycles through them channel by channel."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            n = layer.moving_mean.shape[0]
            gamma = rng.normal(size=n) * rng.choice([0.5, 1.0, 30.0], n)
            beta, mean = rng.normal(size=n) * 0.3, rng.normal(size=n) * 2
            variance = rng.random(n) * 20
            cycles = {"all": (0, 1, 2), "gamma-0": (0, 1), "ties": (2,)}
            kind = np.resize(cycles.get(case, (0,)), n)
            gamma = np.where(kind == 1, 0.0, gamma)
            # A tie: BatchNormalization gives exactly 0 at an accumulator that occurs.
            beta = np.where(kind == 2, 0.0, beta)
            mean = np.where(kind == 2, rng.integers(-3, 4, n), mean)
            parts = [*([gamma] if layer.scale else []), *([beta] if layer.center else []), mean, variance]
            layer.set_weights(parts)
        elif getattr(layer, "use_bias", False):
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, np.round(rng.normal(size=bias.shape) * 4) / 2])
    return model


def centre(model: Any, x: FloatArray) -> Any:
    """Move every BatchNormalization of a Sequential to what it sees on `x`, so that both bits occur."""
    values = x
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            channels = values.reshape(-1, values.shape[-1])
            layer.moving_mean.assign(np.round(np.median(channels, axis=0)))
            layer.moving_variance.assign(channels.var(axis=0) + 1)
        values = np.asarray(layer(values))
    return model


def dense_net(case: str = "all") -> Any:
    """Three binary dense layers; integer sums out."""
    keras.utils.set_random_seed(zlib.crc32(case.encode()))
    n_inputs = 37 if case in ("odd-fan-in", "all") else 40
    hidden = 21 if case in ("odd-fan-in", "all") else 24
    layers = [keras.Input((n_inputs,)), QuantDense(hidden, **BINARY, name="d1")]
    if case != "no-bn":
        layers.append(BatchNormalization(name="bn1"))
    layers.append(QuantDense(18, **BINARY, name="d2"))
    if case not in ("no-bn", "all"):
        layers.append(keras.layers.BatchNormalization(name="bn2"))
    return set_case(keras.Sequential([*layers, QuantDense(6, **BINARY, name="d3")]), case)


def conv_net(case: str = "all") -> Any:
    """Two binary convolutions with pools, "same" padding of both kinds, flatten, dense; integer sums out."""
    keras.utils.set_random_seed(zlib.crc32(case.encode()))
    channels = 3 if case in ("odd-fan-in", "all") else 4
    layers: list[Any] = [
        keras.Input((8, 7, channels)),
        QuantConv2D(6, 3, **BINARY, padding="same", name="c1"),
        *([] if case == "no-bn" else [BatchNormalization(name="bn1")]),
        keras.layers.MaxPooling2D(2, name="p1"),
        QuantConv2D(7, (3, 2), **BINARY, padding="same", pad_values=1.0, name="c2"),
        keras.layers.MaxPooling2D(3, strides=1, padding="same", name="p2"),
        *([] if case == "no-bn" else [keras.layers.BatchNormalization(name="bn2")]),
        QuantConv2D(6, 2, **BINARY, name="c3"),
        *([QuantDense(5, **BINARY, name="pointwise")] if case == "all" else []),
        keras.layers.Flatten(name="f"),
        QuantDense(5, **BINARY, name="d"),
    ]
    return set_case(keras.Sequential(layers), case)


def small_integers(shape: tuple[int, ...], n: int, seed: int = 0) -> FloatArray:
    """Samples -16..15, which hls4ml's default input type fixed<16,6> holds; zeros are among them."""
    return np.random.default_rng(seed).integers(-16, 16, (n, *shape)).astype(np.float32)


def software_model(model: Any, x: FloatArray, **scaling: Any) -> FloatArray:
    """What the prepared model gives, (n, outputs)."""
    return predict(qnn_hw.prepare(model, **scaling), x.astype(np.int64)).reshape(len(x), -1)


def converted(model: Any, folder: Path, backend: str, io_type: str, hls_config: Any = None, **options: Any) -> Any:
    """Convert with hls4ml; without a configuration, its own by layer name."""
    hls4ml = hls4ml_module()
    if hls_config is None:
        hls_config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend=backend)
    return hls4ml.converters.convert_from_keras_model(
        model, backend=backend, io_type=io_type, hls_config=hls_config, output_dir=str(folder / "project"), **options
    )


def simulated(hls_model: Any, x: FloatArray) -> FloatArray:
    """Compile and run, (n, outputs)."""
    hls_model.compile()
    return np.asarray(hls_model.predict(np.ascontiguousarray(x))).reshape(len(x), -1)


def assert_exact(name: str, ours: FloatArray, expected: FloatArray) -> None:
    """Every row equal; else the first difference. The samples must lead to different outputs."""
    assert len(np.unique(expected, axis=0)) > 5, f"{name}: the software model hardly tells the samples apart"
    different = np.argwhere(ours != expected)
    if len(different):
        row, channel = (int(i) for i in different[0])
        exact = (ours == expected).all(axis=1).mean()
        raise AssertionError(
            f"{name}: {exact:.1%} of {len(ours)} rows exact; first difference at row {row}, channel {channel}: hls4ml "
            f"gives {ours[row, channel]:g}, the software model {expected[row, channel]:g}"
        )


NETS: dict[str, Callable[[str], Any]] = {"dense": dense_net, "conv": conv_net}
