# SPDX-License-Identifier: Apache-2.0
"""Cut one layer out of a folded graph, so that it can be simulated by itself."""

import math
from dataclasses import replace

from qnn_hw.errors import QnnError, nearest
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.logits import Logits
from qnn_hw.ir.ops.width_converter import WidthConverter


def layer_names(graph: Graph) -> list[str]:
    """Return the layers of a folded graph, in order."""
    return list(dict.fromkeys(op.layer for op in graph.ops))


def slice_layer(graph: Graph, layer: str, dma_lanes: int) -> Graph:
    """Return the operators of `layer` as a graph of their own.

    Its input is the stream that enters the layer, with as many elements a beat as the unpacker delivers; its output
    are the layer's codes, one 32-bit word each.

    Args:
        graph: folded graph.
        layer: name of a layer.
        dma_lanes: elements of the entering stream a DMA beat.

    Raises:
        QnnError: if there is no such layer, or not just one stream enters it and one leaves it.
    """
    inside = [op for op in graph.ops if op.layer == layer]
    if not inside:
        raise QnnError(f"no layer is named {layer!r}; nearest: {nearest(layer, layer_names(graph))}")
    read = [name for op in inside for name in op.inputs]
    written = [name for op in inside for name in op.outputs]
    entering = [name for name in read if name not in written]
    leaving = [name for name in written if name not in read]
    if len(entering) != 1 or len(leaving) != 1:
        raise QnnError(
            f"{layer}: {len(entering)} streams enter it and {len(leaving)} leave it; a layer is simulated by itself "
            "between one stream and one, simulate the whole build"
        )
    (source,), (last,) = entering, leaving
    kind, result = graph.types[source], graph.types[last]
    ops: list[Op] = []
    unpacked = kind
    if not (dma_lanes % kind.lanes == 0 or kind.lanes % dma_lanes == 0 or kind.lanes == kind.elements):
        # Through one element a beat: always possible, and speed does not matter for a layer by itself.
        unpacked = replace(kind, lanes=math.gcd(dma_lanes, kind.lanes))
        ops.append(WidthConverter(name="entry", layer=layer, inputs=("entering",), outputs=(source,), lanes=kind.lanes))
    ops += inside
    if graph.types[last].dtype.bits != 32:
        ops.append(Logits(name="words", layer=layer, inputs=(last,), outputs=("layer_words",), pe=result.lanes))
        last = "layer_words"
    if result.lanes > 1:
        ops.append(WidthConverter(name="serial", layer=layer, inputs=(last,), outputs=("layer_serial",), lanes=1))
        last = "layer_serial"
    name = "entering" if ops[0].name == "entry" else source
    constants = {ref: graph.constants[ref] for op in inside for ref in op.constant_names()}
    return Graph(layer, {name: unpacked}, tuple(ops), (last,), constants)
