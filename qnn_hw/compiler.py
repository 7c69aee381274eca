# SPDX-License-Identifier: Apache-2.0
"""`compile`: from a trained Keras model to an `Accelerator`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from qnn_hw.analysis import StageCycles, stage_cycles
from qnn_hw.analysis.resources import estimate_module
from qnn_hw.analysis.schedule import Schedule, schedule
from qnn_hw.backends.board.design import clock_divisors
from qnn_hw.backends.instance import instance
from qnn_hw.backends.rtl import Interface, interface, shell_parameters
from qnn_hw.boards import Board, load_board
from qnn_hw.emulator import execute, execute_packed
from qnn_hw.errors import QnnError
from qnn_hw.folding import Folding, fold, read_folding
from qnn_hw.folding.apply import input_lanes
from qnn_hw.folding.choice import NO_MARGIN, Choice, Search, TargetFps, check_target_fps, decide
from qnn_hw.folding.choices import Outer, as_area, graph_area
from qnn_hw.folding.fifos import automatic_depths, with_depths
from qnn_hw.folding.model import foldable_layers
from qnn_hw.ir.datatype import IntArray
from qnn_hw.ir.graph import Graph, TensorType, hash_graph
from qnn_hw.ir.ops.classifier import Classifier
from qnn_hw.passes import lower
from qnn_hw.passes.deliver_logits import deliver_logits
from qnn_hw.passes.partition import partition
from qnn_hw.samples import Samples, seeded_samples

if TYPE_CHECKING:
    import keras

    from qnn_hw.simulation import Backend

Output = Literal["class", "logits"]
OUTPUTS: tuple[Output, ...] = get_args(Output)

GOLDEN_FRAMES = 20
"""Frames whose every stream is stored with a build."""

SHELL_VERSION = 1

SEARCH = Search()

MOST_SOLUTIONS = 4
"""How often a folding is solved for until the finished graph keeps the budget."""


@dataclass(frozen=True, slots=True)
class Golden:
    """Vectors that travel with a build.

    Attributes:
        samples: raw input, (N, *shape), with labels if known.
        keras_class: (N,) class decided by the prepared Keras model; None without Keras.
        disagreements: decisions, of all samples given, that differ between the model as it came and the prepared one.
        compared: number of samples given.
    """

    samples: Samples
    keras_class: npt.NDArray[np.int64] | None = None
    disagreements: int = 0
    compared: int = 0


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A network compiled for a board; pure data, written to disk by `write`.

    Attributes:
        name: the model's name.
        board, clock_mhz: target.
        host: quantizer of the raw input that the driver computes, None where raw samples travel.
        graph: hardware graph before folding.
        folded: the same with PE, SIMD, converters and queues: what is printed.
        choice: layer name -> its folding, and how it was decided.
        outside: interface to the DMA.
        schedule: when its beats move: interval, latency, load and limit.
        output: "class" or "logits".
        classifier: the scores by which classes are compared (also where logits are delivered).
        golden: vectors to check against, None when compiled without Keras.
        software_model: the prepared Keras model the hardware equals, None when compiled without Keras.
        class_names: in the order of the class index; empty where nobody gave any.
        notes: what preparing changed, one sentence each.
    """

    name: str
    board: Board
    clock_mhz: float
    host: Graph | None
    graph: Graph
    folded: Graph
    choice: Choice
    outside: Interface
    schedule: Schedule
    output: Output
    classifier: "ClassScores"
    golden: Golden | None
    software_model: Any = None
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def input_type(self) -> TensorType:
        """Type of a raw sample."""
        return next(iter((self.host or self.graph).inputs.values()))

    @property
    def folding(self) -> Folding:
        """Layer name -> its folding."""
        return self.choice.folding

    @property
    def graph_hash(self) -> str:
        """32 hex digits that name exactly this accelerator."""
        host = hash_graph(self.host) if self.host else "none"
        io = f"{self.outside.dma_width_bits} {self.outside.element_bits} {self.outside.words} {self.output}"
        return hash_graph(self.folded, host, io, f"{self.clock_mhz:g} MHz", f"shell {SHELL_VERSION}")

    def stages(self) -> list[StageCycles]:
        """Cycles of every stage, DMA included."""
        return stage_cycles(self.folded, self.outside.beats_in, self.outside.beats_out)

    @property
    def interval_cycles(self) -> int:
        """Predicted cycles between frames in steady state."""
        return math.ceil(self.schedule.interval_cycles)

    @property
    def frames_per_s(self) -> float:
        """Predicted throughput at the chosen clock."""
        return self.schedule.frames_per_s(self.clock_mhz)

    def core_input(self, x: npt.NDArray[Any]) -> IntArray:
        """Turn raw samples (N, *shape) into the values the core takes, host quantizer included.

        Raises:
            QnnError: for another shape, fractional samples, or samples outside the input type.
        """
        values = as_integers(x, self.input_type)
        if self.host is None:
            return values
        return execute(self.host, values)[self.host.outputs[0]]

    def emulate(self, x: npt.NDArray[Any]) -> IntArray:
        """Classify raw samples (N, *shape) -> (N,), or with output "logits" (N, classes), bit-exactly and fast.

        Raises:
            QnnError: as `core_input`.
        """
        result = execute_packed(self.graph, self.core_input(x))
        return result[:, 0] if self.output == "class" else result

    def with_samples(self, samples: Samples) -> "Accelerator":
        """Return the accelerator with other golden samples, decided by Keras if the software model is at hand.

        Raises:
            QnnError: as `core_input`.
        """
        values = as_integers(samples.x, self.input_type)
        classes = None if self.software_model is None else _keras_class(self.software_model, values)
        return replace(self, golden=Golden(samples, classes))

    def summary(self) -> str:
        """Return the table of layers and the predicted throughput as text."""
        from qnn_hw.build import manifest
        from qnn_hw.tables import summary_text

        return summary_text(manifest(self))

    def bitwidths(self, input_range: tuple[int, int] | None = None) -> list[dict[str, Any]]:
        """Bits every stream needs with these weights; see `qnn_hw.analyze.bitwidths`."""
        from qnn_hw.analyze import bitwidths

        return bitwidths(self.folded, input_range)

    def write(self, path: str | Path) -> Path:
        """Write the project folder; see `qnn_hw.build.write_build`."""
        from qnn_hw.build import write_build

        return write_build(self, Path(path))

    def simulate(self, x: npt.NDArray[Any] | None = None, *, backend: "Backend" = "rtl") -> dict[str, Any]:
        """Simulate raw samples (default: the golden ones) in cocotb; see `qnn_hw.proof.simulate_accelerator`.

        `backend` is "rtl" or "hls": the SystemVerilog, or the HLS C++ (in a C simulation first).
        """
        from qnn_hw.proof import Simulation, simulate_accelerator

        return simulate_accelerator(self, x, Simulation(backend=backend))


@dataclass(frozen=True, slots=True)
class ClassScores:
    """Integer scores of the classes: slopes and biases, or a rank table; see `ir.ops.classifier`."""

    slopes: tuple[int, ...] = ()
    biases: tuple[int, ...] = ()
    ranks: tuple[tuple[int, ...], ...] = ()
    first: int = 0

    @property
    def n_classes(self) -> int:
        """Number of classes compared."""
        return len(self.slopes or self.ranks)


def compile(
    model: "keras.Model | str | Path",
    board: str | Path = "pynq-z2",
    *,
    target_fps: TargetFps | None = None,
    clock_mhz: float | None = None,
    folding: str | Path | Folding | None = None,
    search: Search = SEARCH,
    output: Output = "class",
    input_dtype: str | None = None,
    input_scale: float | None = None,
    input_offset: float | None = None,
    calibration: Samples | npt.NDArray[Any] | None = None,
    golden_frames: int = GOLDEN_FRAMES,
    class_names: Sequence[str] = (),
) -> Accelerator:
    """Compile a trained Keras model.

    Args:
        model: a built Keras model, or the path of a `.keras` file.
        board: name of a board, or path of a board file.
        target_fps: frames a second to reach with least area, or "max" for the highest rate that fits the board; without
            it each layer follows a rule of its own, at `DEFAULT_TARGET_FPS`.
        clock_mhz: clock of the logic, in MHz; one the board's processor makes to within 1 %, its default without it.
        folding: a folding or the path of a folding file; the layers it names are decided.
        search: budget and time of the folding solver.
        output: "class" delivers the class index, "logits" the integer accumulators of all classes.
        input_dtype, input_scale, input_offset: what the wire carries, and how it was scaled for training outside the
            model (value = input_scale * raw + input_offset).
        calibration: raw samples for the golden vectors; seeded random ones without it.
        golden_frames: how many of them are stored.
        class_names: what the board prints for a class, in the order of the class index; the index itself without them.

    Raises:
        QnnError: naming the layer or option at fault.
    """
    from qnn_hw.frontends.keras import convert, disagreements, load_model

    if golden_frames < 1:
        raise QnnError(f"golden_frames={golden_frames}: store at least 1 frame of golden vectors")

    if isinstance(model, str | Path):
        model = load_model(model)
    result = convert(model, input_dtype=input_dtype, input_scale=input_scale, input_offset=input_offset)
    samples = _as_samples(calibration) if calibration is not None else None
    if samples is not None and len(samples.x) == 0:
        raise QnnError("data: no samples; give at least one, or none at all for seeded random ones")
    raw_type = next(iter(result.graph.inputs.values()))
    if samples is None:
        samples = seeded_samples(raw_type, golden_frames)
    values = as_integers(samples.x, raw_type)
    differing = disagreements(model, result.prepared, values) if len(values) else 0
    stored = samples.first(golden_frames)
    golden = Golden(stored, _keras_class(result.prepared.model, values[:golden_frames]), differing, len(values))
    accelerator = assemble(
        result.graph,
        load_board(board),
        target_fps=target_fps,
        clock_mhz=clock_mhz,
        folding=folding,
        search=search,
        output=output,
        golden=golden,
    )
    check_golden(accelerator, golden)
    names = _checked_names(class_names, accelerator)
    return replace(accelerator, software_model=result.prepared.model, class_names=names, notes=result.notes)


def _checked_names(names: Sequence[str], accelerator: Accelerator) -> tuple[str, ...]:
    found = tuple(name.strip() for name in names)
    n_classes = accelerator.classifier.n_classes
    if found and len(found) != n_classes:
        raise QnnError(f"class_names: {len(found)} names for {n_classes} classes; give one a class, in their order")
    wrong = next((name for i, name in enumerate(found) if not name or name in found[:i]), None)
    if wrong is not None:
        raise QnnError(f"class_names: {wrong!r} is {'given twice' if wrong else 'no name'}; every class needs its own")
    return found


def check_golden(accelerator: Accelerator, golden: Golden) -> None:
    """Refuse an accelerator that decides a golden frame otherwise than Keras: nothing wrong is ever built."""
    if golden.keras_class is None or accelerator.output != "class":
        return
    differing = np.flatnonzero(accelerator.emulate(golden.samples.x) != golden.keras_class)
    if differing.size:
        raise QnnError(
            f"{accelerator.name}: the integer network decides {differing.size} of {len(golden.keras_class)} golden "
            f"frames otherwise than the software model, first frame {differing[0]}; a quantizer whose forward values "
            "are not exactly its levels does that, otherwise it is a defect of qnn-hw: nothing was built"
        )


def _keras_class(software_model: Any, values: IntArray) -> npt.NDArray[np.int64]:
    from qnn_hw.frontends.keras import predict

    return np.argmax(predict(software_model, values).reshape(len(values), -1), axis=1).astype(np.int64)


def assemble(
    network: Graph,
    board: Board,
    *,
    target_fps: TargetFps | None = None,
    clock_mhz: float | None = None,
    folding: str | Path | Folding | None = None,
    search: Search = SEARCH,
    output: Output = "class",
    golden: Golden | None = None,
) -> Accelerator:
    """Compile a network given as a graph; the part of `compile` behind the frontend.

    Raises:
        QnnError: naming the layer or option at fault.
    """
    clock = board.clock_mhz if clock_mhz is None else clock_mhz
    clock_divisors(board, clock)  # refuses a clock that the board cannot make
    if target_fps is not None:
        check_target_fps(target_fps)
    if output not in OUTPUTS:
        raise QnnError(f"output={output!r}: choose one of {', '.join(OUTPUTS)}")
    parts = partition(network)
    hardware = lower(parts.hardware)
    scores = _class_scores(hardware)
    if output == "logits":
        hardware = deliver_logits(hardware)
    layers = foldable_layers(hardware)
    given = read_folding(Path(folding), layers) if isinstance(folding, str | Path) else dict(folding or {})
    outer = _outer(hardware, board)
    choice, folded = _fold_within_budget(hardware, board, outer, clock, target_fps, given, search)
    outside = interface(folded, board.dma_width_bits)
    accelerator = Accelerator(
        network.name,
        board,
        clock,
        parts.host,
        hardware,
        folded,
        choice,
        outside,
        schedule(folded, outside),
        output,
        scores,
        golden,
    )
    if isinstance(target_fps, float | int):
        _check_target(accelerator, target_fps)
    return accelerator


def _fold_within_budget(
    graph: Graph,
    board: Board,
    outer: Outer,
    clock_mhz: float,
    target_fps: TargetFps | None,
    given: Folding,
    search: Search,
) -> tuple[Choice, Graph]:
    """Decide the folding, fold, size the queues; solve again where the finished graph exceeds the budget after all.

    The solver sees each segment alone, with queues before they are sized and a shell for the widest input.
    """
    budget, margin = search.budget(board), NO_MARGIN
    for _ in range(MOST_SOLUTIONS):
        choice = decide(graph, board, outer, clock_mhz, target_fps, given, search, margin)
        folded = fold(graph, choice.folding, input_lanes(graph, choice.folding, outer.dma_lanes))
        outside = interface(folded, board.dma_width_bits)
        search.progress("sizing the queues")
        folded = with_depths(folded, automatic_depths(folded, choice.folding, outside))
        shell = as_area(estimate_module("qnn_shell", shell_parameters(folded, outside)))
        excess = (graph_area(folded, instance) + shell).less(budget)
        if choice.method != "solver" or excess == NO_MARGIN:
            return choice, folded
        margin += excess
    raise QnnError(
        f"folding: every design found needs more than the budget ({excess.lut:,} LUT, {excess.bram18:,} RAMB18, "
        f"{excess.dsp:,} DSP too many at last); raise it a little"
    )


def _outer(graph: Graph, board: Board) -> Outer:
    """Describe what surrounds the layers; the shell's area hardly depends on the lanes, which are not known yet."""
    kind = next(iter(graph.inputs.values()))
    outside = interface(graph, board.dma_width_bits)
    dma_lanes = board.dma_width_bits // outside.element_bits
    widest = replace(outside, input=replace(kind, lanes=math.gcd(dma_lanes, kind.elements)))
    shell = as_area(estimate_module("qnn_shell", shell_parameters(graph, widest)))
    return Outer(dma_lanes, shell, outside.beats_in, outside.beats_out, instance)


def _check_target(accelerator: Accelerator, target_fps: float) -> None:
    """Raise QnnError if a stage outside the foldings, an input or output stream above all, misses the target."""
    limit, interval = accelerator.schedule.limit, accelerator.interval_cycles
    allowed = int(accelerator.clock_mhz * 1e6 / target_fps)
    if interval > allowed:
        raise QnnError(
            f"{limit.layer}: target_fps={target_fps:g} allows {allowed} cycles a frame, {limit.stage} takes "
            f"{interval}; lower target_fps, raise clock_mhz, or give the first layer a SIMD that is a part or a "
            "multiple of a DMA beat"
        )


def _class_scores(graph: Graph) -> ClassScores:
    last = graph.ops[-1]
    if not isinstance(last, Classifier):
        raise QnnError(f"{last.layer}: the network must end in a layer with one output a class, found {last.keyword}")
    if last.ranks:
        return ClassScores(ranks=tuple(map(tuple, graph.constants[last.ranks].tolist())), first=last.first)
    slopes, biases = graph.constants[last.slopes].tolist(), graph.constants[last.biases].tolist()
    return ClassScores(tuple(slopes), tuple(biases))


def _as_samples(data: Samples | npt.NDArray[Any]) -> Samples:
    return data if isinstance(data, Samples) else Samples(np.asarray(data), None, "given to compile()")


def as_integers(x: npt.NDArray[Any], kind: TensorType) -> IntArray:
    """Return raw samples as int64 values of `kind`, (N, *shape).

    A missing channel axis of size 1 is added.

    Raises:
        QnnError: for another shape, fractional samples, or samples outside the type.
    """
    x = np.asarray(x)
    if x.dtype.kind not in "buif":
        raise QnnError(f"data: samples are {x.dtype} values; give the raw {kind.dtype} samples")
    if x.shape[1:] == kind.shape[:-1] and kind.shape[-1] == 1:
        x = x[..., None]
    if x.shape[1:] != kind.shape:
        raise QnnError(f"data: samples have shape {x.shape[1:]}, the network takes {kind.shape}")
    with np.errstate(invalid="ignore"):  # NaN and infinity are caught by the comparison
        values = x.astype(np.int64)
    if not np.array_equal(values, x):
        raise QnnError(f"data: samples are not integers; give the raw {kind.dtype} samples, before any scaling")
    try:
        kind.dtype.check(values)
    except QnnError as error:
        raise QnnError(f"data: {error}; give the raw samples, before any scaling") from None
    return values
