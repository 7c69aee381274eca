# SPDX-License-Identifier: Apache-2.0
"""Random networks and foldings as HLS C++ in C simulation, every stream against the reference.

By default a few seeds that between them hold every operator; `-m slow` also runs the elaborations of the RTL tests, and
looks on for `QNN_HW_RANDOM_SECONDS` (default 600) from `QNN_HW_RANDOM_SEED` (default 1) on. A failure names its seed,
and `QNN_HW_RANDOM_SEED=<that> QNN_HW_RANDOM_SECONDS=1` repeats it.
"""

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from qnn_hw.backends.hls import hls_files
from qnn_hw.emulator import execute
from qnn_hw.ir import BIPOLAR, DataType
from qnn_hw.simulation.csim import Expected, check_core
from tests.random_nets import Block, Conv, Net, build, samples
from tests.test_elaborations import ELABORATIONS, Elaboration, accelerator
from tests.test_random_rtl import random_case

FRAMES = 8
PROCESSES = os.cpu_count() or 1

NETS = {
    # Odd fan-in, the input's queue, words above 64 bits, logits.
    "dense-bipolar": Elaboration(
        Net((91,), dense=(21, 9), classes=5, input_dtype=BIPOLAR, centred=False), 1_000_000, output="logits"
    ),
    # A strided convolution of 8-bit samples, zero padding of a bipolar map, overlapping pools, falling channels.
    "conv-padded-pooled": Elaboration(
        Net(
            (9, 8, 3),
            (Conv(5, strides=(2, 1), same=True), Conv(4, (2, 3), same=True, pool=(3, 2), pool_same=True)),
            (6,),
            classes=3,
        ),
        30_000,
    ),
    # Codes of 3 bits, pools of codes, padding with -1 does not occur; rank scores.
    "codes-and-ranks": Elaboration(
        Net((6, 7, 2), (Conv(4, pool=(2, 2), pool_codes=True),), classes=4, code_dtype=DataType(3, signed=True)),
    ),
    "ranks": Elaboration(Net((12,), dense=(10,), classes=5, input_dtype=BIPOLAR, centred=False, ranks=True)),
    "residual": Elaboration(
        Net((6, 6, 2), (Conv(4, same=True, pad_value=-1),), classes=3, blocks=(Block(4), Block(6, strides=(2, 2))))
    ),
}


def check(case: Elaboration, seed: int, folder: Path) -> list[str]:
    """Return what differs between the C simulation of `case` with the weights of `seed` and the reference."""
    made = accelerator(case, seed)
    for name, text in hls_files(made.folded).items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    values = made.core_input(samples(build(case.net, seed), FRAMES, seed))
    tensors = execute(made.folded, values)
    codes = next(iter(made.folded.inputs.values())).dtype.codes(values)
    findings, _ = check_core(folder, made.folded, Expected(codes, tensors, tensors[made.folded.outputs[0]]))
    return [finding.text for finding in findings]


def check_all(cases: Sequence[tuple[str, Elaboration, int]], folder: Path) -> None:
    """Check several cases at a time: most of the time goes into g++."""
    with ThreadPoolExecutor(PROCESSES) as pool:
        found = pool.map(lambda case: check(case[1], case[2], folder / case[0]), cases)
        wrong = {name: findings for (name, _, _), findings in zip(cases, found, strict=True) if findings}
    assert not wrong, "\n".join(f"{name}: {findings}" for name, findings in wrong.items())


def test_chosen_networks(tmp_path: Path) -> None:
    check_all([(name, case, seed) for seed, (name, case) in enumerate(NETS.items(), 1)], tmp_path)


def test_chosen_networks_hold_every_operator() -> None:
    from qnn_hw.backends.hls.stage import _PRINTERS, _find_printers

    _find_printers()
    used = {type(op) for case in NETS.values() for op in accelerator(case, 1).folded.ops}
    missing = {cls.keyword for cls in _PRINTERS} - {cls.keyword for cls in used}
    assert not missing, f"no chosen network has {', '.join(sorted(missing))}"


def test_random_networks_by_seed(tmp_path: Path) -> None:
    check_all([(f"QNN_HW_RANDOM_SEED={seed}", random_case(seed), seed) for seed in range(1, 5)], tmp_path)


@pytest.mark.slow
def test_elaborations_of_the_rtl(tmp_path: Path) -> None:
    check_all([(name, case, 1) for name, case in ELABORATIONS.items()], tmp_path)


@pytest.mark.slow
def test_random_networks(tmp_path: Path) -> None:
    budget = float(os.environ.get("QNN_HW_RANDOM_SECONDS", "600"))
    first = seed = int(os.environ.get("QNN_HW_RANDOM_SEED", "1"))
    started = time.monotonic()
    while seed == first or time.monotonic() - started < budget:
        seeds = range(seed, seed + PROCESSES)
        check_all([(f"QNN_HW_RANDOM_SEED={s}", random_case(s), s) for s in seeds], tmp_path)
        seed += PROCESSES
    print(f"{seed - first} random networks in {time.monotonic() - started:.0f} s, seeds up to {seed - 1}")
