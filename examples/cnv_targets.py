# SPDX-License-Identifier: Apache-2.0
"""CNV (random weights) on the PYNQ-Z2 for several rates: what the folding solver finds, estimates and proves.

    python examples/cnv_targets.py --targets 3000,10000,max

For each target: folding, time and proof of the solver, estimated resources; then a simulation of the RTL against the
predicted cycles, and the resources by yosys.
"""

import argparse
import time
from pathlib import Path

from cnv_random import randomize

from qnn_hw import zoo
from qnn_hw.analysis.resources import estimate_graph
from qnn_hw.backends.instance import instance
from qnn_hw.backends.rtl import shell_parameters
from qnn_hw.boards import load_board
from qnn_hw.compiler import Accelerator, assemble
from qnn_hw.folding.choice import parse_target_fps
from qnn_hw.frontends.keras import convert
from qnn_hw.proof import Simulation, simulate_build
from qnn_hw.synthesis import synthesize_build
from qnn_hw.tables import resource_parts, to_text, verdict_parts


def describe(accelerator: Accelerator, seconds: float) -> None:
    solution = accelerator.choice.solution
    assert solution is not None
    estimated = estimate_graph(
        accelerator.folded, instance, shell_parameters(accelerator.folded, accelerator.outside)
    ).total
    proof = "proven optimal" if solution.optimal else f"gap {solution.gap:.1%}"
    print(
        f"{accelerator.interval_cycles:,} cycles = {accelerator.frames_per_s:,.0f} frames/s; "
        f"solver {solution.seconds:.1f} s, {proof}; folding, queues and schedule {seconds:.1f} s"
    )
    print(
        f"estimated: {estimated.lut:,} LUT, {estimated.ff:,} FF, {estimated.bram36_equivalent:g} BRAM36, "
        f"{estimated.dsp} DSP"
    )
    for name, layer in accelerator.folding.items():
        print(f"  {name:8} PE {layer.pe:4} SIMD {layer.simd:4} {layer.weight_memory}")


def main() -> None:
    """Run all steps and print what each one found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--targets", default="3000,10000,max", help="frames a second, or max; comma separated")
    parser.add_argument("--out", type=Path, default=Path("build"))
    parser.add_argument("--frames", type=int, default=3, help="frames sent through the RTL; 0 for none")
    parser.add_argument("--no-synth", action="store_true")
    options = parser.parse_args()

    model = zoo.cnv()
    randomize(model, seed=1)
    network = convert(model).graph
    for target in options.targets.split(","):
        print(f"\n== target {target} frames/s")
        started = time.monotonic()
        accelerator = assemble(network, load_board("pynq-z2"), target_fps=parse_target_fps(target))
        describe(accelerator, time.monotonic() - started)
        path = accelerator.write(options.out / f"cnv_{target}")
        if options.frames:
            verdict = simulate_build(path, Simulation(images=options.frames, scenarios=("steady",)))
            print(to_text(*verdict_parts(verdict)))
        if not options.no_synth:
            started = time.monotonic()
            print(to_text(*resource_parts(synthesize_build(path, whole_top=False))))
            print(f"synthesis: {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
