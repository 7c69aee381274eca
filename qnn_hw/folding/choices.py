# SPDX-License-Identifier: Apache-2.0
"""All foldings of a network as a problem for the solver: each segment folded by `apply.fold` and estimated alone."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from qnn_hw.analysis.resources import Resources, estimate_module
from qnn_hw.analysis.resources.estimate import Describe
from qnn_hw.errors import QnnError
from qnn_hw.folding.apply import converters, fold, input_lanes
from qnn_hw.folding.model import FoldableLayer, Folding, LayerFolding, foldable_layers
from qnn_hw.folding.solver import Area, Candidate, Problem
from qnn_hw.ir.graph import Graph, Op, TensorType
from qnn_hw.ir.ops.matvec import MatVec
from qnn_hw.ir.ops.pool import Pool
from qnn_hw.ir.ops.window import Window

DEEPEST_LUT_ROM = 1024
"""Words of the deepest weight memory considered in logic; beyond it block RAM is cheaper on every device."""


@dataclass(frozen=True, slots=True)
class Outer:
    """What surrounds the layers.

    Attributes:
        dma_lanes: elements a DMA beat.
        shell: area of what no folding changes.
        beats_in, beats_out: cycles a frame of the DMA streams.
        describe: `qnn_hw.backends.instance.instance`; handed in, because the backends lie above the folding.
    """

    dma_lanes: int
    shell: Area
    beats_in: int
    beats_out: int
    describe: Describe


@dataclass(frozen=True, slots=True)
class _Segment:
    """Operators from one foldable layer to the next, as a graph of its own."""

    layer: FoldableLayer
    graph: Graph

    @property
    def entering(self) -> TensorType:
        return next(iter(self.graph.inputs.values()))

    def lanes_in(self, folding: LayerFolding) -> int:
        first = self.graph.ops[0]
        if not isinstance(first, Window):
            return folding.simd
        return folding.pe if isinstance(self.layer.op, Pool) else math.gcd(folding.simd, self.entering.channels)


def pose(graph: Graph, outer: Outer, given: Folding, target_cycles: int | None) -> Problem:
    """State the choice of a folding as a problem for `solver.solve`.

    Args:
        graph: hardware graph, not folded; a single path.
        outer: what surrounds the layers.
        given: foldings that are decided already.
        target_cycles: what takes longer is left out (unless a layer then has nothing left); None keeps everything.

    Raises:
        QnnError: for a network that branches.
    """
    segments = _segments(graph)
    found = tuple(
        tuple(_candidates(segment, outer, i == 0, given.get(segment.layer.name), target_cycles))
        for i, segment in enumerate(segments)
    )
    junctions = tuple(
        dict(_junction(segments[i + 1].entering, found[i], found[i + 1])) for i in range(len(segments) - 1)
    )
    beats = max(outer.beats_in, outer.beats_out)
    return Problem(
        layers=tuple(segment.layer.name for segment in segments),
        candidates=tuple(map(_undominated, found)),
        junctions=junctions,
        fixed=outer.shell,
        fixed_cycles=beats,
        fixed_stage="dma_in" if beats == outer.beats_in else "dma_out",
    )


def branches(graph: Graph) -> bool:
    """Tell whether some operator reads or writes several tensors."""
    return any(len(op.inputs) > 1 or len(op.outputs) > 1 for op in graph.ops)


def _segments(graph: Graph) -> list[_Segment]:
    layers = {layer.op.name: layer for layer in foldable_layers(graph)}
    if branches(graph):
        op = next(op for op in graph.ops if len(op.inputs) > 1 or len(op.outputs) > 1)
        raise QnnError(
            f"{op.layer}: the network branches here, and the folding solver takes single paths only; give a rate "
            "(each layer then follows the rule), or a folding file"
        )
    parts: list[list[Op]] = [[]]
    for i, op in enumerate(graph.ops):
        opens = isinstance(op, Window) or (isinstance(op, MatVec) and not isinstance(graph.ops[i - 1], Window))
        if opens and any(isinstance(other, MatVec | Pool) for other in parts[-1]):
            parts.append([])
        parts[-1].append(op)
    return [_segment(tuple(part), graph, layers) for part in parts]


def _segment(ops: tuple[Op, ...], graph: Graph, layers: Mapping[str, FoldableLayer]) -> _Segment:
    constants = {name: graph.constants[name] for op in ops for name in op.constant_names()}
    source = ops[0].inputs[0]
    part = Graph(graph.name, {source: graph.types[source]}, ops, ops[-1].outputs, constants)
    return _Segment(next(layers[op.name] for op in ops if op.name in layers), part)


def _candidates(
    segment: _Segment, outer: Outer, is_first: bool, given: LayerFolding | None, target_cycles: int | None
) -> Iterator[Candidate]:
    """Fold a segment in every way; the first one takes the lanes that the unpacker delivers."""
    foldings = [given] if given else _foldings(segment.layer)
    if target_cycles is not None and not given:
        cycles = {folding: segment.layer.cycles(folding.pe, folding.simd) for folding in foldings}
        allowed = max(target_cycles, min(cycles.values()))
        foldings = [folding for folding in foldings if cycles[folding] <= allowed]
    for folding in foldings:
        named = {segment.layer.name: folding}
        lanes = input_lanes(segment.graph, named, outer.dma_lanes) if is_first else segment.lanes_in(folding)
        try:
            folded = fold(segment.graph, named, lanes)
        except QnnError:
            if given:
                raise
            continue  # elements of a frame that these lanes do not divide
        cycles_a_frame = [
            op.cycles(folded.input_types(op), (folded.types[op.outputs[0]],), folded.constants) for op in folded.ops
        ]
        area = graph_area(folded, outer.describe)
        yield Candidate(folding, lanes, folded.types[folded.outputs[0]].lanes, max(cycles_a_frame), area)


def _foldings(layer: FoldableLayer) -> list[LayerFolding]:
    if isinstance(layer.op, Pool):
        return [LayerFolding(pe, pe) for pe in layer.pes()]
    found = []
    for pe in layer.pes():
        for simd in layer.simds():
            words = layer.rows * layer.columns // (pe * simd)
            styles = ("lut", "bram") if 1 < words <= DEEPEST_LUT_ROM else ("lut",) if words == 1 else ("bram",)
            found += [LayerFolding(pe, simd, style) for style in styles]
    return found


def _undominated(candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """Drop what another one with the same lanes beats in every respect; no best solution is lost."""
    groups: dict[tuple[int, int], list[Candidate]] = {}
    for candidate in sorted(candidates, key=_respects):
        kept = groups.setdefault((candidate.lanes_in, candidate.lanes_out), [])
        if not any(all(a <= b for a, b in zip(_respects(k), _respects(candidate), strict=True)) for k in kept):
            kept.append(candidate)
    return tuple(candidate for kept in groups.values() for candidate in kept)


def _respects(candidate: Candidate) -> tuple[int, int, int, int]:
    return (candidate.cycles, candidate.area.lut, candidate.area.bram18, candidate.area.dsp)


def _junction(
    kind: TensorType, left: tuple[Candidate, ...], right: tuple[Candidate, ...]
) -> Iterator[tuple[tuple[int, int], Area]]:
    for lanes_out in {candidate.lanes_out for candidate in left}:
        for lanes_in in {candidate.lanes_in for candidate in right}:
            area = _converter_area(kind, lanes_out, lanes_in)
            if area is not None:
                yield (lanes_out, lanes_in), area


def _converter_area(kind: TensorType, present: int, wanted: int) -> Area | None:
    """Area of the converters between two widths; None where the elements of a frame do not fill the beats."""
    steps = converters(present, wanted)
    if any(kind.elements % lanes for lanes in steps):
        return None
    area, before = Area(), present
    for lanes in steps:
        bits = {"InWidth": before * kind.dtype.bits, "OutWidth": lanes * kind.dtype.bits}
        area, before = area + as_area(estimate_module("qnn_width_converter", bits)), lanes
    return area


def graph_area(graph: Graph, describe: Describe) -> Area:
    """Return the area of a folded graph by the solver's own estimates."""
    return sum((_area(op, graph, describe) for op in graph.ops), Area())


def _area(op: Op, graph: Graph, describe: Describe) -> Area:
    """Estimate without the tables: their words count as random bits, so that foldings can be compared in time."""
    unit = describe(op, graph)
    return as_area(estimate_module(unit.module, unit.parameters)) if unit.module else Area()


def as_area(resources: Resources) -> Area:
    """Return what the solver pays for an estimate."""
    return Area(resources.lut, resources.bram18 + 2 * resources.bram36, resources.dsp)
