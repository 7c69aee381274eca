# SPDX-License-Identifier: Apache-2.0
"""Random networks, foldings and back-pressure in RTL against the reference, for a stated time.

`QNN_HW_RANDOM_SECONDS` (default 600) is how long it looks; `QNN_HW_RANDOM_SEED` (default 1) where it starts. A failure
names the seed, and `QNN_HW_RANDOM_SEED=<that> QNN_HW_RANDOM_SECONDS=1` repeats it.
"""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from qnn_hw.errors import QnnError
from qnn_hw.folding import LayerFolding
from qnn_hw.folding.model import foldable_layers
from qnn_hw.ir import BIPOLAR, DataType
from qnn_hw.ir.datatype import UINT8
from qnn_hw.passes import lower
from qnn_hw.passes.partition import partition
from qnn_hw.proof import Simulation, simulate_build
from tests.random_nets import Block, Conv, Net, build
from tests.test_elaborations import Elaboration, accelerator

SLOWEST_FRAME_CYCLES = 20_000
SCENARIOS = ("steady", "stalls", "hard_reset", "soft_reset")


def random_conv(rng: np.random.Generator, padded: list[int]) -> Conv:
    pool = [None, (2, 2), (3, 2), (1, 3)][rng.integers(4)]
    return Conv(
        channels=int(rng.integers(1, 9)),
        kernel=(int(rng.integers(1, 4)), int(rng.integers(1, 4))),
        strides=(int(rng.integers(1, 3)), int(rng.integers(1, 3))),
        same=bool(rng.integers(2)),
        pad_value=padded[rng.integers(len(padded))],
        pool=pool,
        pool_strides=(int(rng.integers(1, 3)), int(rng.integers(1, 3))),
        pool_same=bool(rng.integers(2)),
        pool_codes=bool(rng.integers(2)),
    )


def random_block(rng: np.random.Generator, padded: list[int], depth: int = 0) -> Block:
    kernels = tuple((int(rng.integers(1, 4)), int(rng.integers(1, 4))) for _ in range(rng.integers(1, 3)))
    inner = (random_block(rng, padded, depth + 1),) if depth < 2 and rng.random() < 0.3 else ()
    return Block(
        channels=int(rng.integers(1, 9)),
        kernels=kernels,
        strides=(int(rng.integers(1, 3)), int(rng.integers(1, 3))) if depth == 0 else (1, 1),
        pad_value=padded[rng.integers(len(padded))],
        adds_accumulators=bool(rng.integers(2)),
        inner=inner,
    )


def random_net(rng: np.random.Generator) -> Net:
    code = [BIPOLAR, BIPOLAR, DataType(2), DataType(3, signed=True)][rng.integers(4)]
    source = [UINT8, UINT8, DataType(4, signed=True), DataType(3)][rng.integers(4)]
    convs: list[Conv] = []
    for _ in range(rng.integers(0, 3)):
        convs.append(random_conv(rng, [-1, 0, 1] if convs and code == BIPOLAR else [0]))
    blocks = tuple(
        random_block(rng, [-1, 0] if convs and code == BIPOLAR else [0]) for _ in range(rng.choice([0, 0, 1, 2]))
    )
    shape = (int(rng.integers(5, 11)), int(rng.integers(5, 11)), int(rng.integers(1, 5)))
    return Net(
        input_shape=shape if convs or blocks else (int(rng.integers(2, 80)),),
        convs=tuple(convs),
        dense=tuple(int(n) for n in rng.integers(1, 40, rng.integers(0, 3))),
        classes=int(rng.integers(2, 12)),
        input_dtype=source,
        centred=not source.signed,
        code_dtype=code,
        blocks=blocks,
        dense_block=bool(rng.random() < 0.2),
    )


def random_case(seed: int) -> Elaboration:
    """A network that can be built, with a random legal folding of frames that are not too long."""
    rng = np.random.default_rng(seed)
    while True:
        net = random_net(rng)
        try:
            layers = foldable_layers(lower(partition(build(net, 0)).hardware))
        except QnnError:
            continue  # a window that does not fit its map: draw again
        folding = []
        for layer in layers:
            pe, simd = int(rng.choice(layer.pes())), int(rng.choice(layer.simds()))
            pool = layer.op.keyword == "pool"
            depth = int(rng.choice([0, 0, 2, 3, 40]))
            folding.append((layer.name, LayerFolding(pe, pe if pool else simd, fifo_depth=depth)))
        slowest = max(layer.cycles(f.pe, f.simd) for layer, (_, f) in zip(layers, folding, strict=True))
        if slowest <= SLOWEST_FRAME_CYCLES:
            return Elaboration(net, None, folding=tuple(folding), output=["class", "logits"][rng.integers(2)])


@pytest.mark.slow
def test_random_networks(tmp_path: Path) -> None:
    budget = float(os.environ.get("QNN_HW_RANDOM_SECONDS", "600"))
    seed = int(os.environ.get("QNN_HW_RANDOM_SEED", "1"))
    started, tried = time.monotonic(), 0
    while tried == 0 or time.monotonic() - started < budget:
        case = random_case(seed)
        for weights in range(2):
            path = accelerator(case, seed + weights).write(tmp_path / f"{seed}-{weights}")
            verdict = simulate_build(path, Simulation(seed=seed, scenarios=SCENARIOS))
            findings = [f for scenario in verdict["scenarios"] for f in scenario["findings"]]
            assert not findings, f"QNN_HW_RANDOM_SEED={seed}, weights {weights}: {case}\n{findings}"
        seed, tried = seed + 1, tried + 1
    print(f"{tried} random networks in {time.monotonic() - started:.0f} s, seeds up to {seed - 1}")
