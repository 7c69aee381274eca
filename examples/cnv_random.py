# SPDX-License-Identifier: Apache-2.0
"""CNV (CIFAR-10 shapes) with random weights and BatchNorm of both signs, at FINN's own folding.

    python examples/cnv_random.py

Compares Keras with the emulator on 200 images, simulates frames in cocotb, counts resources with yosys.
"""

import argparse
import time
from pathlib import Path

import numpy as np

import qnn_hw
from qnn_hw import zoo
from qnn_hw.proof import simulate_build
from qnn_hw.samples import Samples
from qnn_hw.synthesis import synthesize_build
from qnn_hw.tables import resource_parts, to_text, verdict_parts

FOLDING = Path(__file__).with_name("cnv_folding.toml")
TARGET_FPS = 3_000


def randomize(model, seed: int) -> None:
    """Give every kernel random signs and every BatchNorm random statistics, gammas of both signs."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        weights = layer.get_weights()
        if type(layer).__name__ == "BatchNormalization":
            gamma, beta, mean, variance = weights
            spread = 30.0 if len(gamma) > 10 else 8.0
            layer.set_weights(
                [
                    rng.uniform(0.1, 1.5, gamma.shape) * rng.choice([-1, 1], gamma.shape),
                    rng.normal(0, 0.3, beta.shape),
                    rng.normal(0, spread / 4, mean.shape),
                    rng.uniform(0.2, 1.0, variance.shape) * spread**2,
                ]
            )
        elif weights:
            layer.set_weights([rng.uniform(-1, 1, w.shape) for w in weights])


def main() -> None:
    """Run all steps and print what each one found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("build/cnv"))
    parser.add_argument("--images", type=int, default=200, help="images compared with Keras")
    parser.add_argument("--frames", type=int, default=4, help="frames sent through the RTL")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-synth", action="store_true")
    options = parser.parse_args()

    model = zoo.cnv()
    randomize(model, options.seed)
    images = np.random.default_rng(options.seed).integers(0, 256, (options.images, 32, 32, 3))
    accelerator = qnn_hw.compile(
        model,
        "pynq-z2",
        target_fps=TARGET_FPS,
        folding=FOLDING,
        calibration=Samples(images, None, f"random images, seed {options.seed}"),
        golden_frames=options.frames,
    )
    print(accelerator.summary())
    started = time.monotonic()
    emulated = accelerator.emulate(images)
    seconds = time.monotonic() - started
    software = np.argmax(qnn_hw.predict(accelerator.software_model, images), axis=1)
    print(f"Keras = emulator on {np.sum(emulated == software)} of {len(emulated)} images ({seconds:.1f} s)")
    print(f"classes seen: {np.bincount(emulated, minlength=10).tolist()}")
    path = accelerator.write(options.out)
    started = time.monotonic()
    print(to_text(*verdict_parts(simulate_build(path))))
    print(f"simulation, compilation included: {time.monotonic() - started:.0f} s")
    if not options.no_synth:
        started = time.monotonic()
        print(to_text(*resource_parts(synthesize_build(path))))
        print(f"synthesis: {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
