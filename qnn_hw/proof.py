# SPDX-License-Identifier: Apache-2.0
"""Simulate a build, a layer of it, or an accelerator in memory, and judge it against the golden vectors."""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qnn_hw.backends.folder import Build, read_build, read_manifest
from qnn_hw.backends.rtl import HASH_FILE, interface
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


@dataclass(frozen=True, slots=True)
class Simulation:
    """What to simulate.

    Attributes:
        images: golden frames sent in the steady and the stalled runs; None for all of them.
        stall: probability of a pause a cycle in the stalled runs.
        seed: of the pauses.
        wave: write waveforms (`sim/work/dump.vcd`).
        scenarios: out of `SCENARIOS`; empty for all, of long frames only the steady and the stalled run.
    """

    images: int | None = None
    stall: float = 0.4
    seed: int = 1
    wave: bool = False
    scenarios: tuple[str, ...] = ()


DEFAULT = Simulation()


def simulate_build(
    path: Path,
    run: Simulation = DEFAULT,
    *,
    layer: str | None = None,
    progress: Progress = lambda text: None,
) -> dict[str, Any]:
    """Simulate the build in `path` in cocotb on Verilator.

    Args:
        path: build folder.
        run: what to simulate.
        layer: only this layer, cut out into `sim/layers/<layer>` of the build.
        progress: called with a sentence before each step.

    Returns:
        The verdict as plain data: passed, findings by scenario, measured and predicted cycles, and how many of the
        simulated golden frames are decided otherwise than by Keras (both None where that is not known).

    Raises:
        QnnError: if the build cannot be simulated.
    """
    build = read_build(path)
    if layer is not None:
        progress(f"cutting out {layer}")
        path = _write_layer(build, _layer_accelerator(build, layer, run.images), layer)
    facts = read_manifest(path)
    interval = facts["predicted"]["interval_cycles"]
    long = interval > LONG_FRAME_CYCLES
    frames = run.images or facts["golden"]["frames"]
    progress(f"simulating {frames} frames of {interval:,} cycles")
    verdict = simulate(
        path,
        frames=frames,
        seed=run.seed,
        stall=run.stall,
        scenarios=run.scenarios or (SCENARIOS[:2] if long else SCENARIOS),
        wave=run.wave,
        opt="fast" if long else "quick",
    ).to_dict()
    return judge(verdict, interval, None if layer else keras_decisions(path, facts, frames))


def simulate_accelerator(
    accelerator: Accelerator, x: npt.NDArray[Any] | None = None, run: Simulation = DEFAULT
) -> dict[str, Any]:
    """Simulate an accelerator in memory; returns what `simulate_build` returns.

    Args:
        accelerator: what `compile` returned.
        x: raw samples (N, *shape); the golden ones by default.
        run: what to simulate.
    """
    if x is not None:
        accelerator = accelerator.with_samples(Samples(np.asarray(x), None, "given to simulate()"))
    with tempfile.TemporaryDirectory(prefix="qnn-hw-") as folder:
        return simulate_build(write_build(accelerator, Path(folder) / accelerator.name), run)


@dataclass(frozen=True, slots=True)
class Decisions:
    """How many decisions were compared with Keras, and how many differ."""

    compared: int
    differ: int


def keras_decisions(path: Path, facts: Mapping[str, Any], frames: int) -> Decisions | None:
    """Compare the expected results of the golden frames with what the prepared Keras model decided.

    The simulation compares the RTL with the expected result; this closes the chain to Keras.
    """
    file = path / "golden" / "keras_class.npy"
    if not file.is_file():
        return None
    result = _golden(path / "golden" / f"{facts['result']['stream']}.npy")[:frames]
    result = result.reshape(len(result), -1)
    classes = result[:, 0] if facts["output"] == "class" else best_class(result, facts["scores"])
    return Decisions(len(classes), int(np.count_nonzero(classes != _golden(file)[:frames])))


def best_class(accumulators: npt.NDArray[np.integer], scores: Mapping[str, Any]) -> npt.NDArray[np.int64]:
    """Decide from logits as the classifier does: (N, classes) accumulators -> (N,) class, the lowest of equals.

    `scores` is the entry of `qnn.json`: slopes and biases, or a rank table and the accumulator of its first column.
    """
    if scores["ranks"]:
        table = np.array(scores["ranks"])
        codes = table[np.arange(len(table)), accumulators - scores["first"]]
    else:
        codes = accumulators.astype(np.int64) * np.array(scores["slopes"]) + np.array(scores["biases"])
    return np.argmax(codes, axis=1)


def judge(verdict: dict[str, Any], predicted: int, decisions: Decisions | None) -> dict[str, Any]:
    """Add frame interval and Keras decisions to a verdict: it has failed if either disagrees."""
    measured = verdict["measured"].get("interval_cycles")
    agrees = measured is None or abs(measured - predicted) <= max(2, CYCLE_TOLERANCE * predicted)
    return {
        **verdict,
        "predicted_interval_cycles": predicted,
        "interval_agrees": agrees,
        "keras_compared": decisions and decisions.compared,
        "keras_mismatches": decisions and decisions.differ,
        "passed": verdict["passed"] and agrees and not (decisions and decisions.differ),
    }


def _write_layer(build: Build, part: Accelerator, layer: str) -> Path:
    """Write a layer's build; modules and tables are those of the build it is cut out of, not printed anew."""
    path = write_build(part, build.path / "sim" / "layers" / layer)
    own = {"qnn_core.sv", "qnn_top.sv", HASH_FILE}
    for file in (*path.glob("rtl/*.sv"), *path.glob("rtl/data/*.mem")):
        original = build.path / file.relative_to(path)
        if file.name not in own and original.is_file():
            shutil.copyfile(original, file)
    return path


def _layer_accelerator(build: Build, layer: str, images: int | None) -> Accelerator:
    width = build.manifest["dma_width_bits"]
    inside = [op for op in build.graph.ops if op.layer == layer]
    source = inside[0].inputs[0] if inside else next(iter(build.graph.inputs))
    part = slice_layer(build.graph, layer, width // wire_bits(build.graph.types[source].dtype.bits))
    codes = _golden(build.path / "golden" / "input.npy")
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
        golden=Golden(samples),
    )


def _golden(file: Path) -> npt.NDArray[Any]:
    try:
        codes: npt.NDArray[Any] = np.load(file, allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise QnnError(f"{file}: missing or damaged ({error}); build again") from None
    return codes
