# SPDX-License-Identifier: Apache-2.0
"""`qnn-hw demo`: train, build, prove and synthesize two small networks on data that needs no download."""

import hashlib
import importlib.metadata
import inspect
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qnn_hw.resources import cache_dir

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class DemoNet:
    """One network of the demonstration.

    Attributes:
        name: of the zoo builder and of its recipe.
        target_fps: frames a second asked of the folding.
        min_accuracy: test accuracy below which the demonstration fails.
    """

    name: str
    target_fps: float
    min_accuracy: float


NETS = (DemoNet("digits_mlp", 500_000, 0.95), DemoNet("digits_cnn", 50_000, 0.97))
BOARD = "pynq-z2"
SIMULATED_IMAGES = 20


def run_demo(out: Path, progress: Progress) -> dict[str, Any]:
    """Run the demonstration.

    Args:
        out: the builds are written to `out/<network>`.
        progress: called with a sentence before each step.

    Returns:
        One entry a network with everything measured, and whether all of it holds.

    Raises:
        QnnError: if a step cannot be done at all.
    """
    nets = [_run_net(net, out / net.name, progress) for net in NETS]
    return {"nets": nets, "passed": all(net["passed"] for net in nets)}


def _run_net(net: DemoNet, path: Path, progress: Progress) -> dict[str, Any]:
    started = time.monotonic()
    from qnn_hw.compiler import compile
    from qnn_hw.datasets import load
    from qnn_hw.frontends.keras import predict
    from qnn_hw.proof import Simulation, simulate_build
    from qnn_hw.report import write_report
    from qnn_hw.results import save_result
    from qnn_hw.samples import Samples
    from qnn_hw.synthesis import synthesize_build

    data = load("digits")
    model = _trained(net.name, data, progress)
    progress(f"{net.name}: comparing Keras and accelerator on {len(data.x_test)} test images")
    samples = Samples(data.x_test, np.asarray(data.y_test, np.int64), "digits, test part")
    accelerator = compile(model, BOARD, target_fps=net.target_fps, calibration=samples, golden_frames=SIMULATED_IMAGES)
    emulated = accelerator.emulate(data.x_test)
    keras_class = np.argmax(predict(accelerator.software_model, data.x_test), axis=1)
    accelerator.write(path)
    progress(f"{net.name}: simulating {SIMULATED_IMAGES} images in cocotb")
    verdict = simulate_build(path, progress=lambda text: progress(f"{net.name}: {text}"))
    progress(f"{net.name}: simulating the HLS C++")
    hls = simulate_build(path, Simulation(backend="hls"), progress=lambda text: progress(f"{net.name}: {text}"))
    progress(f"{net.name}: synthesizing with yosys")
    resources = synthesize_build(path, whole_top=True, progress=lambda text: progress(f"{net.name}: {text}"))
    save_result(path, "synthesis-yosys", resources)
    board = _on_simulated_board(path, lambda text: progress(f"{net.name}: {text}"))
    write_report(path)
    accuracy = float(np.mean(emulated == data.y_test))
    differing = int(np.sum(emulated != keras_class))
    return {
        "name": net.name,
        "build": str(path),
        "test_images": len(data.x_test),
        "accuracy": accuracy,
        "keras_mismatches": differing,
        "verdict": verdict,
        "hls_verdict": hls,
        "resources": resources,
        "board": board,
        "interval_predicted": accelerator.interval_cycles,
        "clock_mhz": accelerator.clock_mhz,
        "seconds": round(time.monotonic() - started, 1),
        "passed": verdict["passed"]
        and hls["passed"]
        and board.get("bit_exact", True)
        and differing == 0
        and accuracy >= net.min_accuracy,
    }


def _on_simulated_board(build: Path, progress: Progress) -> dict[str, Any]:
    """Run the build's driver on the simulated board; `not_run` with the reason where pynq cannot be had."""
    from qnn_hw.deployment import simulate
    from qnn_hw.results import save_result
    from qnn_hw.simulation.pynq_environment import PynqNotAvailable

    try:
        facts = simulate(build, progress=progress)
    except PynqNotAvailable as error:
        return {"not_run": str(error)}
    save_result(build, "board-simulated", facts)
    return facts


def _trained(name: str, data: Any, progress: Progress) -> Any:
    """Return the trained network, from the cache if its code, recipe and data are the same as when it was stored."""
    from qnn_hw import zoo
    from qnn_hw.frontends.keras import load_model

    recipe = zoo.RECIPES[name]
    file = cache_dir() / "zoo" / f"{name}-{_training_key(name, data)}.keras"
    if file.is_file():
        return load_model(file)
    model = getattr(zoo, name)()

    zoo.train(
        model,
        data,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        progress=lambda done: progress(f"{name}: training, {done}"),
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent) as folder:
        beside = Path(folder) / file.name
        model.save(beside)
        os.replace(beside, file)
    return model


def _training_key(name: str, data: Any) -> str:
    """Name of everything the trained weights depend on: sources, data, versions."""
    from qnn_hw import layers, quantizers
    from qnn_hw.zoo import nets, recipes, training

    digest = hashlib.sha256(name.encode())
    for module in (nets, recipes, training, layers, quantizers):
        source = Path(inspect.getfile(module))
        # A module that is a folder is known by all its files.
        for file in sorted(source.parent.rglob("*.py")) if source.name == "__init__.py" else [source]:
            digest.update(file.read_bytes())
    for array in (data.x_train, data.y_train):
        digest.update(np.ascontiguousarray(array).tobytes())
    for distribution in ("tensorflow", "keras"):
        digest.update(importlib.metadata.version(distribution).encode())
    return digest.hexdigest()[:16]
