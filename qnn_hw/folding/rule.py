# SPDX-License-Identifier: Apache-2.0
"""The simple rule: the cheapest folding of each layer, by itself, that keeps up with the target."""

from qnn_hw.errors import QnnError
from qnn_hw.folding.model import FoldableLayer, Folding, LayerFolding, foldable_layers
from qnn_hw.ir.graph import Graph
from qnn_hw.ir.ops.pool import Pool

PE_OVERHEAD_LANES = 16
"""Cost of a PE beyond its lanes (accumulator, threshold, control), in lanes: BISMO fits 44 LUT, at 2-3 LUT a lane."""


def choose_folding(graph: Graph, target_cycles: int, skip: frozenset[str] = frozenset()) -> Folding:
    """Choose PE and SIMD for every layer of a hardware graph.

    Each layer gets the folding of least cost bits * (PE + 1) * SIMD + PE_OVERHEAD_LANES * PE among those with at most
    `target_cycles` cycles a frame, `bits` being the width of an input element: arithmetic and input stream grow with
    it. Of equal cost the faster.

    Args:
        graph: hardware graph, not folded.
        target_cycles: cycles a frame allowed.
        skip: layers to leave out.

    Raises:
        QnnError: naming the layer whose fastest folding is too slow.
    """
    layers = [layer for layer in foldable_layers(graph) if layer.name not in skip]
    return {layer.name: _choose(layer, target_cycles, _input_bits(layer, graph)) for layer in layers}


def _input_bits(layer: FoldableLayer, graph: Graph) -> int:
    return graph.types[layer.op.inputs[0]].dtype.bits


def _choose(layer: FoldableLayer, target_cycles: int, bits: int) -> LayerFolding:
    pairs = [(pe, pe) for pe in layer.pes()] if isinstance(layer.op, Pool) else _pairs(layer)
    fitting = [pair for pair in pairs if layer.cycles(*pair) <= target_cycles]
    if not fitting:
        fastest = min(layer.cycles(*pair) for pair in pairs)
        raise QnnError(
            f"{layer.name}: the target allows {target_cycles} cycles a frame, its fastest folding takes {fastest}; "
            f"lower target_fps or raise clock_mhz"
        )
    pe, simd = min(fitting, key=lambda pair: (_cost(pair[0], pair[1], bits), layer.cycles(*pair), pair))
    return LayerFolding(pe, simd)


def _pairs(layer: FoldableLayer) -> list[tuple[int, int]]:
    return [(pe, simd) for pe in layer.pes() for simd in layer.simds()]


def _cost(pe: int, simd: int, bits: int) -> int:
    return bits * (pe + 1) * simd + PE_OVERHEAD_LANES * pe
