# SPDX-License-Identifier: Apache-2.0
"""The same binary nets through stock hls4ml and through our bridge: rows equal to the software model.

    python benchmarks/hls4ml_comparison.py

Three ways to write one net, with the same signs as weights and the same BatchNormalizations:

- ours: QuantDense / QuantConv2D with input and kernel quantizers, through the bridge;
- "float layers": Dense / Conv2D that hold -1 and +1, and hls4ml's activation `binary_tanh` as the sign: what hls4ml and
  Keras 3 both know, types inferred (granularity "name");
- "BinaryDense": the class name for which hls4ml has a binary handler; it has none for a convolution.

Without options: backend Vitis, io_parallel, 1000 rows. Prints the table of docs/hls4ml.md.
"""

import argparse
import contextlib
import io
import os
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("HLS4ML_BACKEND_PLUGINS", "qnn_hw.hls4ml_bridge")

import hls4ml
import keras
import numpy as np

import qnn_hw
from qnn_hw.frontends.keras import predict
from qnn_hw.layers import QuantConv2D, QuantDense

CASES = ("positive gamma", "mixed-sign gamma", "gamma 0", "ties", "odd fan-in", "no BatchNormalization")
STYLES = ("ours", "float layers", "BinaryDense")


def binary_tanh(x: Any) -> Any:
    """Sign with sign(0) = +1, under the name of hls4ml's activation."""
    return keras.ops.where(x >= 0, 1.0, -1.0)


class BinaryDense(keras.layers.Dense):
    """A dense layer by the name that hls4ml's handler looks for."""


def net(kind: str, case: str, style: str, seed: int = 0) -> Any:
    """Return the net; the weights depend on kind, case and seed, not on the style."""
    odd = case == "odd fan-in"
    norms = case != "no BatchNormalization"
    ours = style == "ours"
    binary = {"kernel_quantizer": "ste_sign", "kernel_constraint": "weight_clip", "input_quantizer": "ste_sign"}
    dense = QuantDense if ours else BinaryDense if style == "BinaryDense" else keras.layers.Dense
    conv = QuantConv2D if ours else keras.layers.Conv2D
    options: dict[str, Any] = {"use_bias": False, **(binary if ours else {})}
    channels = 3 if odd else 4
    shape = (33 if odd else 32,) if kind == "dense" else (8, 8, channels)
    sizes = (24, 16, 8) if kind == "dense" else (6, 6, 8)
    layers: list[Any] = [keras.Input(shape, name="x")]
    for i, size in enumerate(sizes):
        last = i == len(sizes) - 1
        if not ours:
            layers.append(keras.layers.Activation(binary_tanh, name=f"sign{i}"))
        if last and kind == "conv":
            layers.append(keras.layers.Flatten(name="flatten"))
        if kind == "dense" or last:
            layers.append(dense(size, **options, name=f"l{i}"))
        else:
            layers.append(conv(size, 3, **options, name=f"l{i}"))
        if norms and not last:
            layers.append(keras.layers.BatchNormalization(name=f"bn{i}"))
    model = keras.Sequential(layers)
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if layer.name.startswith("l"):
            layer.set_weights([rng.choice([-1.0, 1.0], layer.kernel.shape)])
        elif isinstance(layer, keras.layers.BatchNormalization):
            n = layer.gamma.shape[0]
            gamma = rng.uniform(0.5, 1.5, n) * (1 if case == "positive gamma" else rng.choice([-1, 1], n))
            beta, mean, variance = rng.normal(size=n), rng.normal(size=n) * 2, rng.uniform(1, 9, n)
            if case == "gamma 0":
                gamma[::2] = 0.0
            if case == "ties":
                gamma, beta, mean = np.abs(gamma), np.zeros(n), 2.0 * rng.integers(-2, 3, n)
            layer.set_weights([gamma, beta, mean, variance])
    return model


def exact_rows(model: Any, expected: Any, x: Any, io_type: str, backend: str) -> str:
    """Convert, compile, run; the share of rows that are equal, or what hls4ml says instead."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        try:
            config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend=backend)
            hls_model = hls4ml.converters.convert_from_keras_model(
                model, backend=backend, io_type=io_type, hls_config=config, output_dir=str(Path(folder) / "project")
            )
            hls_model.compile()
            found = np.asarray(hls_model.predict(x)).reshape(expected.shape)
        except Exception as error:  # hls4ml raises whatever comes up
            return f"{type(error).__name__}: {str(error).splitlines()[0][:60]}"
    return f"{(found == expected).all(axis=1).mean():.1%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="Vitis")
    parser.add_argument("--io-type", nargs="+", default=["io_parallel"])
    parser.add_argument("--kinds", nargs="+", default=["dense", "conv"], choices=["dense", "conv"])
    parser.add_argument("--cases", nargs="+", default=CASES, choices=CASES)
    parser.add_argument("--rows", type=int, default=1000)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    start = time.perf_counter()
    print(f"| {arguments.backend}, {arguments.rows} rows | io type | {' | '.join(STYLES)} |")
    print("| --- | --- |" + " --- |" * len(STYLES))
    for kind in arguments.kinds:
        for case in arguments.cases:
            model = net(kind, case, "ours")
            x = np.random.default_rng(1).integers(-16, 16, (arguments.rows, *model.input_shape[1:]))
            expected = predict(qnn_hw.prepare(model, input_dtype="i5"), x).reshape(arguments.rows, -1)
            for io_type in arguments.io_type:
                cells = []
                for style in STYLES:
                    if style == "BinaryDense" and kind == "conv":
                        cells.append("none")
                        continue
                    twin = net(kind, case, style)
                    assert (predict(twin, x).reshape(expected.shape) == expected).all(), "the twins differ in Keras"
                    cells.append(exact_rows(twin, expected, x.astype(np.float32), io_type, arguments.backend))
                print(f"| {kind}, {case} | {io_type} | {' | '.join(cells)} |", flush=True)
    print(f"\nhls4ml {hls4ml.__version__}, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
