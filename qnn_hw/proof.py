# SPDX-License-Identifier: Apache-2.0
"""Simulate a build, a layer of it, or an accelerator in memory, and judge it against the golden vectors."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qnn_hw.backends.folder import Build, read_build, read_manifest
from qnn_hw.backends.rtl import interface
from qnn_hw.boards import load_board
from qnn_hw.build import write_build
from qnn_hw.compiler import Accelerator, ClassScores, Golden
from qnn_hw.emulator import execute
from qnn_hw.errors import QnnError
from qnn_hw.folding.slice import slice_layer
from qnn_hw.ir.packing import wire_bits
from qnn_hw.samples import Samples
from qnn_hw.simulation import SCENARIOS, simulate

Progress = Callable[[str], None]

LONG_FRAME_CYCLES = 5_000
"""Above this frame interval only the steady and the stalled run are made by default; the others take many frames."""

CYCLE_TOLERANCE = 0.01
"""Share by which the measured frame interval may differ from the predicted one (or by 2 cycles, if that is more)."""


def simulate_build(
    path: Path,
    *,
    images: int | None = None,
    stall: float = 0.3,
    seed: int = 1,
    wave: bool = False,
    layer: str | None = None,
    scenarios: tuple[str, ...] | None = None,
    progress: Progress = lambda text: None,
) -> dict[str, Any]:
    """Simulate the build in `path` in cocotb on Verilator.

    Args:
        path: build folder.
        images: golden frames sent in the steady and the stalled runs; all by default.
        stall: probability of a pause a cycle on either side in the stalled runs.
        seed: of the pauses.
        wave: write waveforms into `sim/work`.
        layer: simulate only this layer, on the stream that enters it.
        scenarios: out of `SCENARIOS`; by default all, for long frames steady and stalls only.
        progress: called with a sentence before each step.

    Returns:
        The verdict as plain data: passed, findings by scenario, measured and predicted cycles.

    Raises:
        QnnError: if the build cannot be simulated.
    """
    build = read_build(path)
    if layer is not None:
        progress(f"cutting out {layer}")
        with tempfile.TemporaryDirectory(prefix="qnn-hw-") as folder:
            part = _layer_accelerator(build, layer, images)
            return _simulate(write_build(part, Path(folder) / "layer"), images, stall, seed, wave, scenarios, progress)
    return _simulate(path, images, stall, seed, wave, scenarios, progress)


def simulate_accelerator(accelerator: Accelerator, x: npt.NDArray[Any] | None = None, **options: Any) -> dict[str, Any]:
    """Simulate an accelerator in memory.

    Args:
        accelerator: what `compile` returned.
        x: raw samples (N, *shape); the golden ones by default.
        options: of `simulate_build`.
    """
    if x is not None:
        samples = Samples(np.asarray(x), None, "given to simulate()")
        accelerator = replace(accelerator, golden=Golden(samples, accelerator.emulate(x), 0, 0))
    with tempfile.TemporaryDirectory(prefix="qnn-hw-") as folder:
        return simulate_build(write_build(accelerator, Path(folder) / accelerator.name), **options)


def _simulate(
    path: Path,
    images: int | None,
    stall: float,
    seed: int,
    wave: bool,
    scenarios: tuple[str, ...] | None,
    progress: Progress,
) -> dict[str, Any]:
    facts = read_manifest(path)
    interval = facts["predicted"]["interval_cycles"]
    long = interval > LONG_FRAME_CYCLES
    chosen = scenarios or (SCENARIOS[:2] if long else SCENARIOS)
    frames = images or facts["golden"]["frames"]
    progress(f"simulating {frames} frames of {interval:,} cycles")
    verdict = simulate(path, frames=frames, seed=seed, scenarios=chosen, wave=wave, opt="fast" if long else "quick")
    return with_prediction(verdict.to_dict(), interval)


def _layer_accelerator(build: Build, layer: str, images: int | None) -> Accelerator:
    width = build.manifest["dma_width_bits"]
    inside = [op for op in build.graph.ops if op.layer == layer]
    source = inside[0].inputs[0] if inside else next(iter(build.graph.inputs))
    part = slice_layer(build.graph, layer, width // wire_bits(build.graph.types[source].dtype.bits))
    codes = _golden_input(build.path / "golden" / "input.npy")
    kind = next(iter(build.graph.inputs.values()))
    tensors = execute(build.graph, kind.dtype.values(codes[:images]))
    samples = Samples(tensors[source], None, f"the golden stream {source}")
    return Accelerator(
        name=f"{build.manifest['name']}_{layer}",
        board=load_board(build.manifest["board"]),
        clock_mhz=build.manifest["clock_mhz"],
        host=None,
        graph=part,
        folded=part,
        folding={},
        outside=interface(part, width),
        output="logits",
        classifier=ClassScores(),
        golden=Golden(samples, np.zeros(len(samples.x), np.int64), 0, 0),
    )


def _golden_input(file: Path) -> npt.NDArray[Any]:
    try:
        codes: npt.NDArray[Any] = np.load(file, allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise QnnError(f"{file}: missing or damaged ({error}); build again") from None
    return codes


def with_prediction(verdict: dict[str, Any], predicted: int) -> dict[str, Any]:
    """Add whether the measured frame interval agrees with the predicted one; a verdict that disagrees has failed."""
    measured = verdict["measured"].get("interval_cycles")
    agrees = measured is None or abs(measured - predicted) <= max(2, CYCLE_TOLERANCE * predicted)
    return {
        **verdict,
        "predicted_interval_cycles": predicted,
        "interval_agrees": agrees,
        "passed": verdict["passed"] and agrees,
    }
