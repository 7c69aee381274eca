# SPDX-License-Identifier: Apache-2.0
"""Write a folding into the graph: PE and SIMD on the operators, width converters and queues between them."""

import math
from dataclasses import dataclass, field, replace

from qnn_hw.errors import QnnError
from qnn_hw.folding.model import Folding, LayerFolding, foldable_layers
from qnn_hw.folding.paths import queue_paths
from qnn_hw.ir.geometry import output_size
from qnn_hw.ir.graph import Graph, Op, TensorType
from qnn_hw.ir.ops.add import Add
from qnn_hw.ir.ops.classifier import Classifier
from qnn_hw.ir.ops.fifo import Fifo
from qnn_hw.ir.ops.logits import Logits
from qnn_hw.ir.ops.matvec import MatVec
from qnn_hw.ir.ops.pool import Pool
from qnn_hw.ir.ops.threshold import Threshold
from qnn_hw.ir.ops.width_converter import WidthConverter
from qnn_hw.ir.ops.window import Window

LUT_ROM_WORDS = 64
"""Deepest weight memory built from logic: one LUT6 holds 64 words of one bit."""

WINDOW_FIFO_DEPTH = 2
"""Beats in front of a line buffer; a register slice is enough, says the cycle model (docs/cycles.md)."""


def fold(graph: Graph, folding: Folding, input_lanes: int) -> Graph:
    """Fold a hardware graph.

    Requires: a graph as `passes.lower` leaves it (every tensor has one reader), a folding for every matvec and pool.
    Ensures: every tensor has its lanes; a width converter stands wherever producer and consumer disagree (through the
    least common multiple where neither divides the other), a queue in front of every window, of every matvec that
    reads its input more than once, and of an add on each path that would hold up the other; the values of the old
    tensors are unchanged.

    Args:
        graph: hardware graph, not folded.
        folding: layer name -> PE, SIMD and the rest.
        input_lanes: elements a beat at the core's input.

    Raises:
        QnnError: for a folding that does not fit, or a layer without one.
    """
    for layer in foldable_layers(graph):
        if layer.name not in folding:
            raise QnnError(f"{layer.name}: the folding does not name this layer")
        layer.check(folding[layer.name])
    builder = _Builder(graph, folding)
    name, kind = next(iter(graph.inputs.items()))
    builder.streams[name] = _Stream(name, input_lanes)
    for op in graph.ops:
        builder.add(op)
    outputs = builder.finish()
    folded = Graph(graph.name, {name: replace(kind, lanes=input_lanes)}, tuple(builder.ops), outputs, graph.constants)
    return queue_paths(folded)


@dataclass(frozen=True, slots=True)
class _Stream:
    """Where a tensor of the old graph has got to: its present name, behind converters and queues, and its lanes."""

    name: str
    lanes: int


@dataclass
class _Builder:
    """Appends folded operators; `streams` holds, for every tensor of the old graph, what its reader will read."""

    graph: Graph
    folding: Folding
    ops: list[Op] = field(default_factory=list)
    streams: dict[str, _Stream] = field(default_factory=dict)

    def add(self, op: Op) -> None:
        kind = self.graph.types[op.inputs[0]]
        lanes = self.streams[op.inputs[0]].lanes
        match op:
            case Window():
                self._window(op, kind)
            case MatVec():
                self._matvec(op, kind)
            case Pool():
                pe = self.folding[op.layer].pe
                self._convert(op, op.inputs[0], pe)
                self._append(replace(op, pe=pe), pe)
            case Threshold():
                lanes = lanes if kind.channels % lanes == 0 else math.gcd(lanes, kind.channels)
                self._convert(op, op.inputs[0], lanes)
                self._append(replace(op, pe=lanes), lanes)
            case Logits():
                self._append(replace(op, pe=lanes), lanes)
            case Classifier():
                self._classifier(op)
            case Add():
                # The narrower of the two has as many beats as before; the wider one needs no more than those.
                lanes = min(self.streams[name].lanes for name in op.inputs)
                for name in op.inputs:
                    self._convert(op, name, lanes)
                self._append(op, lanes)
            case _:
                self._append(op, lanes)

    def _window(self, op: Window, kind: TensorType) -> None:
        layer = self.folding[op.layer]
        (reader,) = self.graph.consumers(op.outputs[0])
        lanes = layer.pe if isinstance(reader, Pool) else math.gcd(layer.simd, kind.channels)
        self._convert(op, op.inputs[0], lanes)
        self._queue(op, layer.fifo_depth or WINDOW_FIFO_DEPTH)
        self._append(replace(op, depth=line_buffer_words(op, kind, lanes)), lanes)

    def _matvec(self, op: MatVec, kind: TensorType) -> None:
        layer: LayerFolding = self.folding[op.layer]
        self._convert(op, op.inputs[0], layer.simd)
        source = self.graph.producer(op.inputs[0])
        rows, columns = self.graph.constants[op.weights].shape
        if isinstance(source, Window):
            # Whole vectors wait here while earlier ones are reused, if they arrive slower than a beat a cycle.
            if rows > layer.pe and layer.simd > self.graph.types[source.inputs[0]].channels:
                self._queue(op, columns // layer.simd + 2)
        elif layer.fifo_depth or rows > layer.pe:
            self._queue(op, layer.fifo_depth or columns // layer.simd + 2)
        memory = weight_memory(layer, rows * columns // (layer.pe * layer.simd))
        self._append(replace(op, pe=layer.pe, simd=layer.simd, weight_memory=memory), layer.pe)

    def _classifier(self, op: Classifier) -> None:
        if op.ranks:
            self._convert(op, op.inputs[0], 1)
        self._append(replace(op, pe=self.streams[op.inputs[0]].lanes), 1)

    def finish(self) -> tuple[str, ...]:
        """Logits leave one word a beat. Returns the present names of the outputs."""
        for name in self.graph.outputs:
            last = self.graph.producer(name)
            if isinstance(last, Logits):
                self._convert(last, name, 1)
        return tuple(self.streams[name].name for name in self.graph.outputs)

    def _convert(self, op: Op, tensor: str, lanes: int) -> None:
        elements, present = self.graph.types[tensor].elements, self.streams[tensor].lanes
        if elements % lanes:
            raise QnnError(f"{op.layer}: {lanes} elements a beat do not divide its {elements} inputs")
        for step in converters(present, lanes):
            self._converter(op, tensor, step)

    def _converter(self, op: Op, tensor: str, lanes: int) -> None:
        before = self.streams[tensor].name
        after = self._free(f"{before}_x{lanes}")
        self.ops.append(
            WidthConverter(name=f"{after}_converter", layer=op.layer, inputs=(before,), outputs=(after,), lanes=lanes)
        )
        self.streams[tensor] = _Stream(after, lanes)

    def _queue(self, op: Op, depth: int) -> None:
        (tensor,) = op.inputs
        before = self.streams[tensor]
        after = self._free(f"{before.name}_queued")
        self.ops.append(
            Fifo(name=f"{op.name}_fifo", layer=op.layer, inputs=(before.name,), outputs=(after,), depth=depth)
        )
        self.streams[tensor] = _Stream(after, before.lanes)

    def _free(self, name: str) -> str:
        taken = set(self.graph.types) | {t for op in self.ops for t in op.outputs}
        while name in taken:
            name += "_"
        return name

    def _append(self, op: Op, lanes: int) -> None:
        self.ops.append(replace(op, inputs=tuple(self.streams[name].name for name in op.inputs)))
        self.streams |= {name: _Stream(name, lanes) for name in op.outputs}


def converters(present: int, wanted: int) -> list[int]:
    """Return the lanes behind each width converter from `present` to `wanted`; through the least common multiple."""
    if present == wanted:
        return []
    common = math.lcm(present, wanted)
    return [wanted] if common in (present, wanted) else [common, wanted]


def weight_memory(layer: LayerFolding, depth: int) -> str:
    """Return where the weights of a layer lie: as asked for, else logic up to `LUT_ROM_WORDS` words, then block RAM."""
    if layer.weight_memory != "auto":
        return layer.weight_memory
    return "lut" if depth <= LUT_ROM_WORDS else "bram"


def input_lanes(graph: Graph, folding: Folding, dma_lanes: int) -> int:
    """Choose the elements a beat at the core's input.

    The first layer's own width where the unpacker can deliver it (a part or a multiple of a DMA beat, or the whole
    frame), else the widest part of a DMA beat that divides the frame.

    Args:
        graph: hardware graph, not folded.
        folding: layer name -> PE, SIMD.
        dma_lanes: elements a DMA beat.
    """
    kind = next(iter(graph.inputs.values()))
    first = next(op for op in graph.ops if isinstance(op, Window | MatVec))
    layer = folding[first.layer]
    wanted = layer.simd
    if isinstance(first, Window):
        (reader,) = graph.consumers(first.outputs[0])
        wanted = layer.pe if isinstance(reader, Pool) else math.gcd(layer.simd, kind.channels)
    if dma_lanes % wanted == 0 or wanted == kind.elements or wanted % dma_lanes == 0:
        return wanted
    return math.gcd(dma_lanes, kind.elements)


def line_buffer_words(op: Window, kind: TensorType, lanes: int) -> int:
    """Words of the line buffer: enough for the writer never to hold up a reader that is as fast as itself.

    The reader frees a word as the window leaves it. At the end of a row of windows it goes on by `strides[0]` rows, at
    the end of a frame by all rows that are left, to the next frame's first window; what comes next has to be there
    already, beside the rows a window spans and one window's width.
    """
    height, width = kind.shape[:2]
    windows = output_size(height, op.kernel[0], op.strides[0], op.padding[0], op.padding[1])
    to_next_frame = height - (windows - 1) * op.strides[0]
    rows = op.kernel[0] - 1 + max(op.strides[0], to_next_frame)
    return (rows * width + op.kernel[1]) * (kind.channels // lanes)
