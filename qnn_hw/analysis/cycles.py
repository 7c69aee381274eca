# SPDX-License-Identifier: Apache-2.0
"""Cycles a frame for which every stage has work: the slowest one bounds the frame interval from below.

Quick, for choosing foldings. `qnn_hw.analysis.schedule` knows the interval itself, latency and queues included.
"""

from dataclasses import dataclass

from qnn_hw.ir.graph import Graph


@dataclass(frozen=True, slots=True)
class StageCycles:
    """One stage: operator name, the layer it belongs to, cycles it takes for a frame in steady state."""

    name: str
    layer: str
    cycles: int


def stage_cycles(graph: Graph, dma_beats_in: int, dma_beats_out: int) -> list[StageCycles]:
    """List the stages of a folded graph, both DMA streams included.

    Each stage works on one tile or beat a cycle (`Op.cycles`); stages overlap, so nothing is added up. The interval is
    the longest of them where queues are long enough for the bursts between stages: docs/cycles.md has both, measured.
    """
    stages = [StageCycles("dma_in", "input", dma_beats_in)]
    for op in graph.ops:
        outputs = tuple(graph.types[name] for name in op.outputs)
        stages.append(StageCycles(op.name, op.layer, op.cycles(graph.input_types(op), outputs, graph.constants)))
    return [*stages, StageCycles("dma_out", "output", dma_beats_out)]
