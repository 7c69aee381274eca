# SPDX-License-Identifier: Apache-2.0
"""What quantization costs in training: our layers against larq's and against the float Keras twin of the same network.

    python benchmarks/training_cost.py [--steps 8] [--rounds 6] [--network cnn] [--network mlp]

Each candidate is a process of its own with the same interpreter, data, optimizer (Adam) and batch of 128. The processes
take turns, a few steps at a time, so that other load on the machine meets all of them; the best turn of each counts.
The times are CPU times of the whole process (user and system), which other load disturbs less than wall times. Peak
memory is the largest resident set of the process. Candidates from larq need larq and tf-keras (`make test-peers` makes
such an environment) and are left out where these are missing.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

BATCH = 128
CANDIDATES = ("ours", "ours-keras-bn", "larq", "float-keras", "float-tf-keras")
NETWORKS = ("cnn", "mlp")
SHAPES = {"cnn": (32, 32, 3), "mlp": (784,)}
LIMITS = (("larq", {"cnn": 1.0, "mlp": 1.0}), ("float-keras", {"cnn": 1.10, "mlp": 1.20}))
"""Largest allowed CPU time of ours in terms of the other's, by network."""


def network(name: str, candidate: str) -> tuple[Any, Any]:
    """(model, the Keras it is made of): CNN 64-64-128-128-10, 96.2 MMAC, or MLP 784-1024-1024-1024-10, 2.91 MMAC."""
    binary: dict[str, Any] = {"kernel_quantizer": "ste_sign", "kernel_constraint": "weight_clip"}
    normalization = None
    if candidate in ("ours", "ours-keras-bn"):
        import keras

        from qnn_hw.layers import BatchNormalization
        from qnn_hw.layers import QuantConv2D as Conv2D
        from qnn_hw.layers import QuantDense as Dense

        if candidate == "ours":
            normalization = BatchNormalization
    elif candidate == "larq":
        import larq
        import tf_keras as keras

        Conv2D, Dense = larq.layers.QuantConv2D, larq.layers.QuantDense
    else:
        if candidate == "float-keras":
            import keras
        else:
            import tf_keras as keras

        Conv2D, Dense, binary = keras.layers.Conv2D, keras.layers.Dense, {}
    normalization = normalization or keras.layers.BatchNormalization
    inner = {**binary, "input_quantizer": "ste_sign"} if binary else {}
    layers = [keras.Input(SHAPES[name])]
    if name == "cnn":
        for i, filters in enumerate((64, 64, 128, 128)):
            arguments = {"padding": "same", "use_bias": False, **(inner if i else binary)}
            layers.append(Conv2D(filters, 3, **arguments))
            if i % 2:
                layers.append(keras.layers.MaxPooling2D())
            layers.append(normalization(momentum=0.9, scale=False))
        layers.append(keras.layers.Flatten())
    else:
        for i in range(3):
            layers.append(Dense(1024, use_bias=False, **(inner if i else binary)))
            layers.append(normalization(momentum=0.9, scale=False))
    layers += [Dense(10, use_bias=False, **inner), normalization(momentum=0.9, scale=False)]
    return keras.Sequential(layers), keras


def work(name: str, candidate: str) -> None:
    """Child process: for each line with a number of steps, train that many and answer with the cost as JSON."""
    import numpy as np
    import tensorflow as tf

    model, keras = network(name, candidate)
    # XLA off for all: what Keras 3 would choose by itself depends on the model.
    model.compile(
        keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False
    )
    random = np.random.default_rng(0)
    images = random.normal(size=(BATCH, *SHAPES[name])).astype("float32")
    labels = random.integers(0, 10, BATCH)
    data = tf.data.Dataset.from_tensors((images, labels)).repeat()
    model.fit(data, steps_per_epoch=2, verbose=0)  # traces and warms up
    print("ready", flush=True)
    for line in sys.stdin:
        steps = int(line)
        cpu, wall = time.process_time(), time.perf_counter()
        model.fit(data, steps_per_epoch=steps, verbose=0)
        answer = {
            "cpu_ms": 1e3 * (time.process_time() - cpu) / steps,
            "wall_ms": 1e3 * (time.perf_counter() - wall) / steps,
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        print(json.dumps(answer), flush=True)


def measure(name: str, candidates: tuple[str, ...], steps: int, rounds: int) -> dict[str, dict[str, float]]:
    """Best CPU and wall ms a step and peak MiB of each candidate, over `rounds` turns of `steps` steps."""
    environment = {
        **os.environ,
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_USE_LEGACY_KERAS": "1",  # for larq; `import keras` stays Keras 3
        "KERAS_BACKEND": "tensorflow",
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).resolve().parent.parent), os.environ.get("PYTHONPATH", "")]),
    }
    children = {
        candidate: subprocess.Popen(
            [sys.executable, __file__, "--work", name, candidate],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        for candidate in candidates
    }
    best: dict[str, dict[str, float]] = {}
    try:
        for candidate, child in children.items():
            if child.stdout.readline().strip() != "ready":
                sys.exit(f"training_cost: {candidate} {name} does not start; run it with --work {name} {candidate}")
        for turn in range(rounds):
            # Another order each time, so that nobody always follows the same neighbour.
            order = list(children.items())
            for candidate, child in order[turn % len(order) :] + order[: turn % len(order)]:
                child.stdin.write(f"{steps}\n")
                child.stdin.flush()
                cost = json.loads(child.stdout.readline())
                kept = best.setdefault(candidate, cost)
                best[candidate] = {
                    "cpu_ms": min(kept["cpu_ms"], cost["cpu_ms"]),
                    "wall_ms": min(kept["wall_ms"], cost["wall_ms"]),
                    "peak_mib": max(kept["peak_mib"], cost["peak_mib"]),
                }
    finally:
        for child in children.values():
            child.stdin.close()
            child.wait()
    return best


def report(name: str, best: dict[str, dict[str, float]]) -> bool:
    """Print the table of one network; whether all limits are kept."""
    print(f"{name}: batch {BATCH}, best CPU and wall ms a step, peak MiB")
    for candidate, cost in best.items():
        ratio = best["ours"]["cpu_ms"] / cost["cpu_ms"]
        memory = best["ours"]["peak_mib"] / cost["peak_mib"]
        print(
            f"  {candidate:14} {cost['cpu_ms']:8.1f} cpu {cost['wall_ms']:8.1f} wall {cost['peak_mib']:7.0f} MiB"
            f"   ours/it: cpu {ratio:.3f}, memory {memory:.3f}"
        )
    kept = True
    for other, limits in LIMITS:
        if other in best:
            ratio = best["ours"]["cpu_ms"] / best[other]["cpu_ms"]
            kept &= ratio <= limits[name]
            print(f"  limit against {other}: {ratio:.3f} <= {limits[name]:.2f}: {ratio <= limits[name]}")
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description="Cost of quantization in training.")
    parser.add_argument("--steps", type=int, default=8, help="steps a turn; the MLP makes ten times as many")
    parser.add_argument("--rounds", type=int, default=6, help="turns of each candidate")
    parser.add_argument("--network", choices=NETWORKS, action="append", help="default: both")
    parser.add_argument("--work", nargs=2, metavar=("NETWORK", "CANDIDATE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(*arguments.work)
        return
    here = CANDIDATES if importlib.util.find_spec("larq") else ("ours", "ours-keras-bn", "float-keras")
    kept = True
    for name in arguments.network or NETWORKS:
        steps = arguments.steps * (10 if name == "mlp" else 1)
        kept &= report(name, measure(name, here, steps, arguments.rounds))
    sys.exit(not kept)


if __name__ == "__main__":
    main()
