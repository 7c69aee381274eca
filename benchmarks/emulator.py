# SPDX-License-Identifier: Apache-2.0
"""Images a second of the packed emulator, the reference executor and Keras, in one run, as ratios.

    python benchmarks/emulator.py

Networks with random weights; process CPU time, best of three, so that other work on the machine matters little.
"""

import time
from collections.abc import Callable

import numpy as np

import qnn_hw
from qnn_hw import zoo
from qnn_hw.emulator import execute
from qnn_hw.tables import table, to_text

IMAGES = {"sfc": 1000, "cnv": 20}
REPEATS = 3


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the least process CPU time of `REPEATS` runs."""
    seconds = []
    for _ in range(REPEATS):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    return min(seconds)


def main() -> None:
    """Measure and print the table."""
    rows = []
    for name, count in IMAGES.items():
        accelerator = qnn_hw.compile(getattr(zoo, name)(), target_fps=1000, golden_frames=1)
        shape = accelerator.input_type.shape
        x = np.random.default_rng(1).integers(0, 256, (count, *shape))
        packed = cpu_seconds(lambda: accelerator.emulate(x))  # noqa: B023  (called at once)
        keras = cpu_seconds(lambda: qnn_hw.predict(accelerator.software_model, x))  # noqa: B023
        values = accelerator.core_input(x)
        reference = cpu_seconds(lambda: execute(accelerator.graph, values))  # noqa: B023
        rows.append([name, count, round(count / packed), round(reference / packed, 1), round(keras / packed, 1)])
    columns = ("network", "images", "packed, images/CPU s", "times the reference", "times Keras")
    print(to_text(table("Packed emulator", columns, rows)))


if __name__ == "__main__":
    main()
