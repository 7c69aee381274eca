# SPDX-License-Identifier: Apache-2.0
"""Cut the part that runs on the host, in the driver, off the part that becomes hardware."""

from dataclasses import dataclass

from qnn_hw.ir.graph import Graph
from qnn_hw.ir.ops.threshold import Threshold


@dataclass(frozen=True, slots=True)
class Partition:
    """A network in two parts.

    Attributes:
        host: a quantizer of the raw input (one threshold operator), None where the wire carries raw samples.
        hardware: everything after it.
    """

    host: Graph | None
    hardware: Graph


def partition(graph: Graph) -> Partition:
    """Give a quantizer that reads the raw input to the host: it packs eight 1-bit samples into a byte.

    Where something else reads the raw input too, everything is hardware.

    Requires: a graph with one input. Ensures: hardware(host(x)) = graph(x).
    """
    first = graph.ops[0]
    if not isinstance(first, Threshold) or not graph.read_once(first.inputs[0]):
        return Partition(None, graph)
    (cut,) = first.outputs
    host = Graph(
        f"{graph.name}_host", graph.inputs, (first,), (cut,), {k: graph.constants[k] for k in first.constant_names()}
    )
    rest = Graph(graph.name, {cut: graph.types[cut]}, graph.ops[1:], graph.outputs, graph.constants)
    return Partition(host, rest.with_ops(rest.ops))
