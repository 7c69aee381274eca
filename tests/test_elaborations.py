# SPDX-License-Identifier: Apache-2.0
"""Whole cores in RTL against the reference: a fixed list of elaborations, each with many weights and back-pressure.

Weights, thresholds and directions are read at run time, so each entry is compiled once and then simulated with every
seed; the golden streams come from the reference executor.
"""

from dataclasses import dataclass
from pathlib import Path

import pytest

from qnn_hw.boards import load_board
from qnn_hw.compiler import Accelerator, assemble
from qnn_hw.folding import LayerFolding
from qnn_hw.ir import BIPOLAR, DataType
from qnn_hw.proof import Simulation, simulate_build
from qnn_hw.samples import Samples
from tests.random_nets import Block, Conv, Net, build, samples

FRAMES = 4
SEEDS = range(5)


@dataclass(frozen=True)
class Elaboration:
    """A network, and what the compiler is asked for."""

    net: Net
    target_fps: float | None = 100_000
    folding: tuple[tuple[str, LayerFolding], ...] = ()
    output: str = "class"
    board: str = "pynq-z2"
    scenarios: tuple[str, ...] = ("steady", "stalls", "hard_reset")


ELABORATIONS = {
    "dense-8bit-pe1-simd1": Elaboration(Net((16,), dense=(6,), classes=3), 1_000),
    "dense-8bit-unrolled": Elaboration(Net((16,), dense=(8,), classes=4), 5_000_000),
    "dense-odd-sizes": Elaboration(Net((35,), dense=(21, 9), classes=5), 400_000),
    "dense-bipolar-wide": Elaboration(Net((130,), dense=(64, 48), input_dtype=BIPOLAR, centred=False), 1_500_000),
    "dense-lcm-converters": Elaboration(
        Net((36,), dense=(24, 30), classes=6, input_dtype=BIPOLAR, centred=False),
        folding=(("fc0", LayerFolding(8, 9)), ("fc1", LayerFolding(10, 6)), ("head", LayerFolding(3, 15))),
    ),
    "dense-2bit-codes": Elaboration(Net((20,), dense=(12, 8), code_dtype=DataType(2))),
    "dense-3bit-signed-codes": Elaboration(Net((20,), dense=(10, 8), code_dtype=DataType(3, signed=True))),
    "dense-logits-pe2": Elaboration(
        Net((24,), dense=(8,), classes=6), folding=(("head", LayerFolding(2, 4)),), output="logits"
    ),
    "dense-128bit-dma": Elaboration(Net((40,), dense=(16,), classes=6), 1_000_000, board="zcu104"),
    "dense-rank-table": Elaboration(Net((12,), dense=(10,), classes=5, input_dtype=BIPOLAR, centred=False, ranks=True)),
    "dense-frame-below-a-dma-beat": Elaboration(
        Net((35,), dense=(6,), classes=3, input_dtype=BIPOLAR, centred=False), folding=(("fc0", LayerFolding(6, 35)),)
    ),
    "conv-balanced-behind-conv": Elaboration(
        Net(
            (7, 7, 4), (Conv(16, kernel=(3, 3)), Conv(8, kernel=(3, 3))), classes=3, input_dtype=BIPOLAR, centred=False
        ),
        target_fps=30_000,
        folding=(("conv0", LayerFolding(1, 12)), ("conv1", LayerFolding(8, 1))),
    ),
    "conv-valid": Elaboration(Net((7, 6, 2), (Conv(4), Conv(6, kernel=(2, 3))), (8,), classes=4)),
    "conv-zero-padded-8bit": Elaboration(Net((6, 5, 3), (Conv(4, same=True),), classes=4)),
    "conv-zero-padded-bipolar": Elaboration(Net((6, 6, 1), (Conv(4), Conv(6, same=True)), classes=4)),
    "conv-zero-padded-simd-over-pixels": Elaboration(
        Net((6, 6, 2), (Conv(4), Conv(6, same=True)), classes=4),
        folding=(("conv0", LayerFolding(2, 6)), ("conv1", LayerFolding(3, 12))),
    ),
    "conv-padded-with-minus-one": Elaboration(Net((5, 6, 2), (Conv(4), Conv(6, same=True, pad_value=-1)), classes=3)),
    "conv-strided": Elaboration(
        Net((9, 8, 2), (Conv(4, strides=(2, 2), same=True), Conv(4, kernel=(2, 2), strides=(1, 2))), classes=3)
    ),
    "conv-stride-skips-rows": Elaboration(Net((10, 9, 1), (Conv(4, kernel=(2, 2), strides=(3, 3)),), classes=3)),
    "conv-1x1": Elaboration(
        Net((4, 4, 8), (Conv(6, kernel=(1, 1)), Conv(4, kernel=(1, 1), strides=(2, 2))), classes=3)
    ),
    "pool-before-threshold": Elaboration(Net((8, 8, 2), (Conv(4, pool=(2, 2)), Conv(6, same=True)), (8,), classes=4)),
    "pool-overlapping-same": Elaboration(
        Net((7, 7, 2), (Conv(4, same=True, pool=(3, 3), pool_same=True),), classes=4), 30_000
    ),
    "pool-of-2bit-codes": Elaboration(
        Net((7, 6, 1), (Conv(4, pool=(2, 2), pool_codes=True),), (6,), classes=3, code_dtype=DataType(2))
    ),
    "pool-parallel": Elaboration(
        Net((8, 8, 2), (Conv(8, same=True, pool=(2, 2)),), classes=4),
        folding=(("conv0", LayerFolding(8, 18)), ("conv0_pool", LayerFolding(8, 8))),
    ),
    "residual-nested-projected-and-dense": Elaboration(
        Net(
            (6, 6, 4),
            (),
            (8,),
            blocks=(
                Block(4, ((3, 3), (2, 3)), inner=(Block(4, pad_value=-1),)),
                Block(6, strides=(2, 2), adds_accumulators=True),
            ),
            dense_block=True,
            classes=4,
            input_dtype=BIPOLAR,
            centred=False,
        ),
        50_000,
    ),
}


def accelerator(case: Elaboration, seed: int) -> Accelerator:
    graph = build(case.net, seed)
    x = samples(graph, FRAMES, seed)
    made = assemble(
        graph, load_board(case.board), target_fps=case.target_fps, folding=dict(case.folding), output=case.output
    )
    return made.with_samples(Samples(x, None, f"random, seed {seed}"))


def test_the_list_stays_short() -> None:
    assert len(ELABORATIONS) <= 25


@pytest.mark.parametrize("name", ELABORATIONS)
def test_rtl_equals_reference(name: str, tmp_path: Path) -> None:
    case = ELABORATIONS[name]
    for seed in SEEDS:
        scenarios = case.scenarios if seed == 0 else case.scenarios[:2]
        path = accelerator(case, seed).write(tmp_path / f"seed{seed}")
        verdict = simulate_build(path, Simulation(seed=seed + 1, scenarios=scenarios))
        assert verdict["passed"], f"{name}, weights seed {seed}: {verdict}"
