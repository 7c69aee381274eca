# SPDX-License-Identifier: Apache-2.0
"""The reference executor: int64 NumPy, one operator after the other. Golden vectors come from here."""

from qnn_hw.errors import QnnError
from qnn_hw.ir.datatype import IntArray
from qnn_hw.ir.graph import Graph, Op


def reference_kernel(op: Op, graph: Graph, inputs: tuple[IntArray, ...]) -> IntArray:
    """Compute one operator by its own definition; every output of the operator carries the result."""
    return op.execute(inputs, graph.input_types(op), graph.constants)


def execute(graph: Graph, x: IntArray) -> dict[str, IntArray]:
    """Run `graph` on a batch and return every tensor.

    Args:
        graph: a graph with one input.
        x: (N, *input shape), integer values (bipolar: -1 or +1).

    Returns:
        tensor name -> (N, *shape) int64 values, the input included.

    Raises:
        QnnError: if `x` has another shape or values outside the input type.
    """
    check_input(graph, x)
    tensors = {next(iter(graph.inputs)): x}
    for op in graph.ops:
        result = reference_kernel(op, graph, tuple(tensors[name] for name in op.inputs))
        tensors |= dict.fromkeys(op.outputs, result)
    return tensors


def check_input(graph: Graph, x: IntArray) -> None:
    """Raise QnnError unless `x` is a batch for the one input of `graph`."""
    name, kind = next(iter(graph.inputs.items()))
    if x.shape[1:] != kind.shape:
        raise QnnError(f"input {name}: samples have shape {x.shape[1:]}, the network takes {kind.shape}")
    try:
        kind.dtype.check(x)
    except QnnError as error:
        raise QnnError(f"input {name}: {error}") from None
