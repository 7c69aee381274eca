# SPDX-License-Identifier: Apache-2.0
"""Random networks through the simulated board's accelerator against the reference, for a stated time.

Random transfers, pauses of the memory, and transfers that are stopped and recovered from. `QNN_HW_RANDOM_SECONDS`
(default 300) is how long it looks; `QNN_HW_RANDOM_SEED` (default 1) where it starts. A failure names the seed, and
`QNN_HW_RANDOM_SEED=<that> QNN_HW_RANDOM_SECONDS=1` repeats it.
"""

import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from qnn_hw.boards import load_board
from qnn_hw.compiler import assemble
from qnn_hw.samples import Samples
from tests.boards.batches import Batch, open_batch, recover
from tests.random_nets import build, samples
from tests.test_elaborations import Elaboration
from tests.test_random_rtl import random_case

FRAMES = 40
TRANSFERS = 8


def write(case: Elaboration, board: str, seed: int, place: Path) -> Path:
    graph = build(case.net, seed)
    made = assemble(graph, load_board(board), folding=dict(case.folding), output=case.output)
    return made.with_samples(Samples(samples(graph, FRAMES, seed), None, f"random, seed {seed}")).write(place)


def random_transfers(batch: Batch, rng: np.random.Generator) -> None:
    model = batch.model(int(rng.integers(1, 1000)))
    for _ in range(TRANSFERS):
        probability = float(rng.choice([0, 0, 0.1, 0.5, 0.8]))
        burst, gap = (int(rng.choice([4, 16])), int(rng.integers(1, 50))) if rng.random() < 0.3 else (0, 0)
        model.pauses(probability, seed=int(rng.integers(1, 2**31)), burst_beats=burst, gap_cycles=gap)
        chosen = rng.integers(0, FRAMES, rng.choice([1, 2, 3, 9, 70])).tolist()
        if rng.random() < 0.4:
            batch.start(model, chosen, batch.room(len(chosen)))
            model.advance(int(rng.integers(1, 3 * batch.predicted("latency"))))
            recover(model)
        batch.check(model, chosen)


@pytest.mark.slow
def test_random_networks(tmp_path: Path) -> None:
    budget = float(os.environ.get("QNN_HW_RANDOM_SECONDS", "300"))
    seed = int(os.environ.get("QNN_HW_RANDOM_SEED", "1"))
    started, tried = time.monotonic(), 0
    while tried == 0 or time.monotonic() - started < budget:
        case, rng = random_case(seed), np.random.default_rng(seed)
        board = ["pynq-z2", "zcu104"][rng.integers(2)]
        for weights in range(2):
            path = write(case, board, seed + weights, tmp_path / "build")
            try:
                random_transfers(open_batch(path, tmp_path / "cache"), rng)
            except Exception as error:
                error.add_note(f"QNN_HW_RANDOM_SEED={seed}, weights {weights}, {board}: {case}")
                raise
            shutil.rmtree(path)
        seed, tried = seed + 1, tried + 1
    print(f"{tried} random networks in {time.monotonic() - started:.0f} s, seeds up to {seed - 1}")
