# SPDX-License-Identifier: Apache-2.0
"""Simulate a build, a layer of it, or an accelerator in memory, and judge it against the golden vectors.

Backend "rtl" is the SystemVerilog in cocotb; "hls" the HLS C++, as a program and then in the same cocotb testbench;
"hls-rtl" the Verilog that Vitis HLS made of it.
"""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt

from qnn_hw.analysis.schedule import schedule
from qnn_hw.backends.folder import Build, read_build
from qnn_hw.backends.hls.scripts import CONFIG_FILE, graph_hash_of
from qnn_hw.backends.rtl import HASH_FILE, interface
from qnn_hw.build import probed_streams, write_build
from qnn_hw.compiler import Accelerator, ClassScores, Golden, as_integers
from qnn_hw.emulator import execute, execute_packed
from qnn_hw.errors import QnnError
from qnn_hw.folding.choice import Choice
from qnn_hw.folding.slice import slice_layer
from qnn_hw.ir.datatype import IntArray
from qnn_hw.ir.packing import wire_bits
from qnn_hw.results import save_result
from qnn_hw.samples import Samples
from qnn_hw.simulation import BACKENDS, SCENARIOS, Backend, simulate
from qnn_hw.simulation.bench.manifest import STEADY_FRAMES
from qnn_hw.simulation.csim import Expected, check_core, hls_folder

Progress = Callable[[str], None]

LONG_FRAME_CYCLES = 5_000
"""Above this frame interval only the steady and the stalled run are made by default; the others take many frames."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """What to simulate.

    Attributes:
        images: golden frames sent in the steady and the stalled runs; None for all of them.
        stall: probability of a pause a cycle in the stalled runs.
        seed: of the pauses.
        wave: write waveforms (`sim/work/dump.vcd`).
        scenarios: out of `SCENARIOS`; empty for all, of long frames only the steady and the stalled run.
        backend: "rtl", "hls" or "hls-rtl".
    """

    images: int | None = None
    stall: float = 0.4
    seed: int = 1
    wave: bool = False
    scenarios: tuple[str, ...] = ()
    backend: Backend = "rtl"


DEFAULT = Simulation()


def simulate_build(
    path: Path,
    run: Simulation = DEFAULT,
    *,
    layer: str | None = None,
    data: Samples | None = None,
    progress: Progress = lambda text: None,
) -> dict[str, Any]:
    """Simulate the build in `path`: in cocotb on Verilator, the HLS C++ in a C simulation before that.

    The verdict on the whole network is kept in the build, see `qnn_hw.results`.

    Args:
        path: build folder.
        run: what to simulate.
        layer: only this layer, cut out into `sim/layers/<layer>` of the build.
        data: raw samples for the C simulation of backend "hls", instead of the golden frames and of cocotb.
        progress: called with a sentence before each step.

    Returns:
        The verdict as plain data: passed, findings by scenario, measured and predicted cycles, and how many of the
        simulated golden frames are decided otherwise than by Keras (both None where that is not known).

    Raises:
        QnnError: if the build cannot be simulated, or its verdict not be kept.
    """
    if run.backend not in BACKENDS:
        raise QnnError(f"backend {run.backend!r}: choose one of {', '.join(BACKENDS)}")
    if data is not None and (run.backend != "hls" or layer is not None):
        raise QnnError(
            "data: only the C simulation of the whole HLS C++ takes other samples than the golden frames; choose "
            "backend hls and no layer, or build again with --data"
        )
    build = read_build(path)
    if layer is not None:
        progress(f"cutting out {layer}")
        part = _write_layer(build, _layer_accelerator(build, layer, run.images), layer)
        return _simulate(read_build(part), run, True, None, progress)
    verdict = _simulate(build, run, False, data, progress)
    save_result(path, f"simulation-{run.backend}" if data is None else "simulation-c", verdict)
    return verdict


def _simulate(
    build: Build, run: Simulation, is_layer: bool, data: Samples | None, progress: Progress
) -> dict[str, Any]:
    match run.backend:
        case "rtl" | "hls-rtl":
            return _simulate_in_cocotb(build, run, is_layer, progress)
        case "hls":
            compiled = simulate_c(build, run, data, progress)
            if data is not None:
                return compiled
            verdict = _simulate_in_cocotb(build, run, is_layer, progress)
            return {
                **verdict,
                "csim": compiled["csim"],
                "scenarios": [*compiled["scenarios"], *verdict["scenarios"]],
                "passed": compiled["passed"] and verdict["passed"],
            }
        case other:
            assert_never(other)


def _simulate_in_cocotb(build: Build, run: Simulation, is_layer: bool, progress: Progress) -> dict[str, Any]:
    path, facts = build.path, build.manifest
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
        backend=run.backend,
        wave=run.wave,
        opt="fast" if long else "quick",
    ).to_dict()
    # The prediction is for our RTL: what Vitis HLS makes of the C++ has cycles of its own.
    predicted = predict_cycles(build, max(frames, STEADY_FRAMES)) if run.backend == "rtl" else None
    return judge(verdict, predicted, None if is_layer else keras_decisions(path, facts, frames))


def simulate_c(
    build: Build, run: Simulation, data: Samples | None = None, progress: Progress = lambda text: None
) -> dict[str, Any]:
    """Run the HLS C++ of a build as a program and compare it with the reference.

    Args:
        build: what `read_build` returned.
        run: `images` limits the frames.
        data: raw samples; without them the golden frames, every stream of which is compared. Of samples every stream
            of the first `STREAM_FRAMES` frames is compared with the reference, and the result of all with the fast
            executor.
        progress: called with a sentence before each step.

    Returns:
        A verdict as `simulate_build` returns; its entry `csim` tells what was compared, and the accuracy where labels
        are known.

    Raises:
        QnnError: if there is no HLS C++, or it cannot be compiled or run.
    """
    hls = hls_folder(build.path)
    _check_hash(hls, build)
    if data is None:
        expected = _golden_expected(build, run.images)
    else:
        expected = _expected(build, data.first(run.images or len(data.x)))
    findings, result = check_core(hls, build.graph, expected, progress)
    n_frames = len(expected.codes)
    facts: dict[str, Any] = {
        "frames": n_frames,
        "stream_frames": len(next(iter(expected.streams.values()))),
        "streams": len(expected.streams),
        "source": build.manifest["golden"]["source"] if data is None else data.source,
        "reference": "golden vectors" if data is None else "reference executor, results of all frames: fast executor",
        "results_equal": int((result == expected.results).reshape(n_frames, -1).all(axis=1).sum()),
        "accuracy": None,
    }
    if data is not None and data.y is not None:
        facts["accuracy"] = float(np.mean(_classes(build.manifest, result) == data.y[:n_frames]))
    scenario = {"name": "C simulation", "passed": not findings, "findings": [asdict(item) for item in findings]}
    decisions = keras_decisions(build.path, build.manifest, n_frames) if data is None else None
    verdict = {
        "name": build.manifest["name"],
        "backend": run.backend,
        "passed": not findings,
        "frames": n_frames,
        "measured": {},
        "scenarios": [scenario],
        "csim": facts,
        "repeat": f"qnn-hw simulate {build.path} --backend hls",
    }
    return judge(verdict, None, decisions)


def _check_hash(hls: Path, build: Build) -> None:
    """Raise QnnError if the C++ is that of another accelerator: all differences would be those of the networks."""
    file, expected = hls / CONFIG_FILE, build.manifest["graph_hash"]
    found = graph_hash_of(file.read_text(encoding="utf-8", errors="replace")) if file.is_file() else None
    if found != expected:
        raise QnnError(
            f"{hls}: stale, its graph hash is {found or 'missing'} and that of qnn.json {expected}; build again"
        )


STREAM_FRAMES = 20
"""Frames of given samples of which every stream is compared; the reference executor is the slow one."""


def _golden_expected(build: Build, images: int | None) -> Expected:
    golden, types = build.path / "golden", build.graph.types
    streams = {
        name: types[name].dtype.values(_golden(golden / f"{name}.npy")[:images])
        for name in probed_streams(build.graph)[1:]
    }
    codes = _golden(golden / "input.npy")[:images].astype(np.int64)
    return Expected(codes, streams, streams[probed_streams(build.graph)[-1]])


def _expected(build: Build, data: Samples) -> Expected:
    source = next(iter((build.host or build.graph).inputs.values()))
    values = as_integers(data.x, source)
    if build.host is not None:
        values = execute(build.host, values)[build.host.outputs[0]]
    tensors = execute(build.graph, values[:STREAM_FRAMES])
    kind = next(iter(build.graph.inputs.values()))
    return Expected(kind.dtype.codes(values), tensors, execute_packed(build.graph, values))


def _classes(facts: Mapping[str, Any], result: IntArray) -> npt.NDArray[np.int64]:
    """(N, ...) results of the core -> (N,) classes."""
    result = result.reshape(len(result), -1)
    return result[:, 0] if facts["output"] == "class" else best_class(result, facts["scores"])


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
    classes = _classes(facts, result)
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


@dataclass(frozen=True, slots=True)
class Cycles:
    """What the cycle model says of a run without pauses: first frame, and distance of the last two (None of one)."""

    first_latency: int
    interval: int | None


def predict_cycles(build: Build, frames: int) -> Cycles:
    """Predict the run of `frames` frames through the RTL of a build."""
    ends = schedule(build.graph, interface(build.graph, build.manifest["dma_width_bits"]), frames=frames).frame_ends
    return Cycles(ends[0], ends[-1] - ends[-2] if len(ends) > 1 else None)


def judge(verdict: dict[str, Any], predicted: Cycles | None, decisions: Decisions | None) -> dict[str, Any]:
    """Add cycles and Keras decisions to a verdict: it has failed if a cycle or a decision differs.

    Without a prediction (None) all cycles agree.
    """
    measured = verdict["measured"]
    pairs = []
    if predicted is not None:
        pairs = [
            (measured.get("interval_cycles"), predicted.interval),
            (measured.get("first_latency_cycles"), predicted.first_latency),
        ]
    agrees = all(found is None or found == expected for found, expected in pairs)
    return {
        **verdict,
        "predicted_interval_cycles": predicted and predicted.interval,
        "predicted_latency_cycles": predicted and predicted.first_latency,
        "cycles_agree": agrees,
        "keras_compared": decisions and decisions.compared,
        "keras_mismatches": decisions and decisions.differ,
        "passed": verdict["passed"] and agrees and not (decisions and decisions.differ),
    }


def _write_layer(build: Build, part: Accelerator, layer: str) -> Path:
    """Write a layer's build; modules and tables are those of the build it is cut out of, not printed anew."""
    path = write_build(part, build.path / "sim" / "layers" / layer)
    own = {"qnn_core.sv", "qnn_top.sv", HASH_FILE}
    library = (*path.glob("rtl/*.sv"), *path.glob("rtl/data/*.mem"))
    for file in (*library, *path.glob("hls/include/**/*.h*"), *path.glob("hls/weights/*.hpp")):
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
    outside = interface(part, width)
    return Accelerator(
        name=f"{build.manifest['name']}_{layer}",
        board=build.board,
        clock_mhz=build.manifest["clock_mhz"],
        host=None,
        graph=part,
        folded=part,
        choice=Choice({}, "file"),
        outside=outside,
        schedule=schedule(part, outside),
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
