# SPDX-License-Identifier: Apache-2.0
"""CNV-W1A1 at FINN's folding and a residual block: cycles by model, by RTL simulation and by FINN; queue depths.

    python benchmarks/cnv_cycles.py

Prints the tables of docs/cycles.md. Needs Keras (the network comes from `examples/cnv_random.py`) and what `qnn-hw
simulate` needs. Weights are random: they do not change a cycle. Two minutes on two idle cores.
"""

import os
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

import numpy as np  # noqa: E402

from qnn_hw.analysis.schedule import Schedule, schedule  # noqa: E402
from qnn_hw.backends.rtl import Interface, interface  # noqa: E402
from qnn_hw.boards import load_board  # noqa: E402
from qnn_hw.compiler import Accelerator, assemble  # noqa: E402
from qnn_hw.folding.fifos import FifoSizes, size_fifos  # noqa: E402
from qnn_hw.folding.slice import slice_layer  # noqa: E402
from qnn_hw.ir.graph import Graph  # noqa: E402
from qnn_hw.ir.packing import wire_bits  # noqa: E402
from tests.analysis.cores import Measured, simulate_cores  # noqa: E402
from tests.random_nets import Block, Conv, Net, build  # noqa: E402

FRAMES = 6
WATCHDOG_CYCLES = 500_000
CLOCK_MHZ = 100

FINN_CYCLES = {
    "conv1": 32_400,
    "conv2": 28_224,
    "conv3": 20_736,
    "conv4": 28_800,
    "conv5": 20_736,
    "conv6": 18_432,
    "fc1": 32_768,
    "fc2": 32_768,
    "fc3": 1_024,
}
"""Cycles a frame of FINN's estimate_layer_cycles for the same folding (Xilinx/finn, dev of April 2026)."""

FINN_LATENCY = 249_362
"""The sum of all its layers' cycles, FINN's estimate of the latency."""


@dataclass(frozen=True, slots=True)
class Core:
    """A graph to schedule and to simulate."""

    name: str
    graph: Graph
    outside: Interface


def cnv() -> Accelerator:
    """CNV with random weights at FINN's folding, as `examples/cnv_random.py` compiles it."""
    import qnn_hw
    from examples.cnv_random import FOLDING, TARGET_FPS, randomize
    from qnn_hw import zoo
    from qnn_hw.samples import Samples

    model = zoo.cnv()
    randomize(model, 1)
    images = np.random.default_rng(1).integers(0, 256, (1, 32, 32, 3))
    samples = Samples(images, None, "a random image")
    return qnn_hw.compile(
        model, "pynq-z2", target_fps=TARGET_FPS, folding=FOLDING, calibration=samples, golden_frames=1
    )


def residual() -> Accelerator:
    """8-bit 16x16x8 input, a convolution to 16 channels, a block of two 3x3 convolutions, 10 classes."""
    net = Net((16, 16, 8), (Conv(16, same=True),), blocks=(Block(16, ((3, 3), (3, 3))),), classes=10)
    return assemble(build(net, 1), load_board("pynq-z2"), target_fps=20_000, clock_mhz=CLOCK_MHZ)


def layer_alone(a: Accelerator, layer: str) -> Core:
    """One layer as an accelerator of its own, each beat of its output a word of the result."""
    source = next(op for op in a.folded.ops if op.layer == layer).inputs[0]
    width = a.outside.dma_width_bits
    part = slice_layer(a.folded, layer, width // wire_bits(a.folded.types[source].dtype.bits))
    last = [op for op in a.folded.ops if op.layer == layer][-1]
    # Without the converter to single 32-bit words: that would take longer than the layer.
    kept = [op for op in part.ops if op.name not in ("words", "serial")]
    part = part.with_ops(tuple(kept), outputs=last.outputs)
    outside = replace(interface(part, width), words=part.types[last.outputs[0]].beats)
    return Core(layer, part, outside)


def sizing(a: Accelerator) -> tuple[FifoSizes, float]:
    """What the depths of the queues follow from, and the CPU seconds that takes."""
    started = time.process_time()
    sizes = size_fifos(a.folded, a.outside)
    return sizes, time.process_time() - started


def print_queues(title: str, sizes: FifoSizes, seconds: float, model: Schedule, rtl: Measured) -> None:
    """Table of queues: their depths, and what both say of their use."""
    print(f"\n{title}: {seconds:.1f} CPU seconds, {sizes.schedules} schedules; {sizes.bits:,} bits\n")
    print("| queue | bits a beat | need | depth | high-water model | RTL |")
    print("| --- | --- | --- | --- | --- | --- |")
    fills = {fill.name: fill.high_water for fill in model.queues}
    for q in sizes.queues:
        row = (q.name, q.width_bits, q.need, q.depth, fills[q.name], rtl.marks[q.name])
        print("| " + " | ".join(map(str, row)) + " |")


def main() -> None:
    """Compute, simulate, print."""
    network, block = cnv(), residual()
    started = time.process_time()
    schedule(network.folded, network.outside)
    seconds = time.process_time() - started
    layers = [layer_alone(network, layer) for layer in FINN_CYCLES]
    network_sizes, network_seconds = sizing(network)
    block_sizes, block_seconds = sizing(block)
    whole = [
        Core("CNV", network.folded, network.outside),
        Core("residual block", block.folded, block.outside),
    ]
    cores = [*layers, *whole]
    with tempfile.TemporaryDirectory(prefix="cnv-cycles-") as folder:
        simulated = simulate_cores(
            [(core.graph, core.outside) for core in cores], Path(folder), frames=FRAMES, watchdog=WATCHDOG_CYCLES
        )
    rtl = {core.name: measured for core, measured in zip(cores, simulated, strict=True)}
    model = {core.name: schedule(core.graph, core.outside, frames=FRAMES) for core in cores}
    print(f"The model takes {seconds:.1f} CPU seconds for CNV.\n")
    print("| layer alone | interval FINN | model | RTL | latency model | RTL |")
    print("| --- | --- | --- | --- | --- | --- |")
    for core in layers:
        print(_row(core.name, FINN_CYCLES[core.name], model[core.name], rtl[core.name]))
    print("\n| whole | interval FINN | model | RTL | latency FINN | model | RTL |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for core in whole:
        finn, latency = (max(FINN_CYCLES.values()), FINN_LATENCY) if core.name.startswith("CNV") else ("", "")
        found, measured = model[core.name], rtl[core.name]
        print(
            f"| {core.name} | {finn} | {found.interval_cycles:g} | {measured.interval_cycles} | {latency} "
            f"| {found.latency_cycles} | {measured.frame_ends[0]} |"
        )
    found = model["CNV"]
    print(f"\nAt {CLOCK_MHZ} MHz: {found.latency_us(CLOCK_MHZ):.1f} us alone, frames/s by batch:", end=" ")
    print(", ".join(f"{n}: {found.frames_per_s(CLOCK_MHZ, n):.0f}" for n in (1, 10, 100, 1000)))
    equal = sum(model[core.name].frame_ends == rtl[core.name].frame_ends for core in cores)
    print(f"\nEvery frame of {equal} of the {len(cores)} simulated cores ends in the predicted cycle.")
    print_queues("CNV", network_sizes, network_seconds, model["CNV"], rtl["CNV"])
    print_queues("Residual block", block_sizes, block_seconds, model["residual block"], rtl["residual block"])


def _row(name: str, finn: int, model: Schedule, rtl: Measured) -> str:
    cells = (name, finn, f"{model.interval_cycles:g}", rtl.interval_cycles, model.latency_cycles, rtl.frame_ends[0])
    return "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    main()
