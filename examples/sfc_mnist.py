# SPDX-License-Identifier: Apache-2.0
"""SFC (784-256-256-256-10, 1-bit input) on MNIST: train, compile, compare with Keras, simulate, synthesize.

python examples/sfc_mnist.py --data mnist.npz      (without --data: the copy in Keras's cache)
"""

import argparse
import time
from pathlib import Path

import numpy as np

import qnn_hw
from qnn_hw import zoo
from qnn_hw.datasets import load
from qnn_hw.proof import simulate_build
from qnn_hw.samples import Samples
from qnn_hw.synthesis import synthesize_build
from qnn_hw.tables import resource_parts, to_text, verdict_parts


def main() -> None:
    """Run all steps and print what each one found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="mnist.npz with x_train, y_train, x_test, y_test")
    parser.add_argument("--out", type=Path, default=Path("build/sfc"))
    parser.add_argument("--model", type=Path, help="a trained .keras file, instead of training")
    parser.add_argument("--target-fps", type=float, default=390_000)
    parser.add_argument("--images", type=int, default=10, help="images sent through the RTL")
    options = parser.parse_args()

    data = load("mnist", options.data)
    model = trained(data, options.model, options.out.with_suffix(".keras"))
    samples = Samples(data.x_test, np.asarray(data.y_test, np.int64), "MNIST, test part")
    accelerator = qnn_hw.compile(
        model, "pynq-z2", target_fps=options.target_fps, calibration=samples, golden_frames=options.images
    )
    print(accelerator.summary())
    started = time.monotonic()
    emulated = accelerator.emulate(data.x_test)
    seconds = time.monotonic() - started
    software = np.argmax(qnn_hw.predict(accelerator.software_model, data.x_test), axis=1)
    print(f"test accuracy {np.mean(emulated == data.y_test):.2%}")
    print(f"Keras = emulator on {np.sum(emulated == software)} of {len(emulated)} test images ({seconds:.1f} s)")
    path = accelerator.write(options.out)
    print(to_text(*verdict_parts(simulate_build(path))))
    print(to_text(*resource_parts(synthesize_build(path))))


def trained(data, model: Path | None, target: Path):
    """Return the network in `model`, or train one and keep it as `target`."""
    if model is not None:
        from qnn_hw.frontends.keras import load_model

        return load_model(model)
    recipe = zoo.RECIPES["sfc"]
    network = zoo.sfc()
    history = zoo.train(
        network,
        data,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        progress=lambda done: print(done) if done.step == done.steps else None,
    )
    print(f"trained in {history.seconds:.0f} s, test accuracy {history.test_accuracy:.2%}")
    target.parent.mkdir(parents=True, exist_ok=True)
    network.save(target)
    return network


if __name__ == "__main__":
    main()
