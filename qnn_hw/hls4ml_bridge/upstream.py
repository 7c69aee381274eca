# SPDX-License-Identifier: Apache-2.0
"""Which layers of a Keras model stand before a layer, read from the model's own nodes."""

from dataclasses import dataclass
from typing import Any

import keras

from qnn_hw.errors import QnnError
from qnn_hw.frontends.keras.operations import code_type_of, operation_of
from qnn_hw.frontends.keras.walk import IDENTITIES
from qnn_hw.layers import QuantConv2D, QuantDense

OURS = (QuantDense, QuantConv2D)
"""Layers with exact integer sums."""

_MOVES = (keras.layers.MaxPooling2D, keras.layers.Flatten)


@dataclass(frozen=True, slots=True, eq=False)
class Upstream:
    """What a layer reads.

    Attributes:
        source: the nearest layer before that is no elementwise operation, pool, flatten or identity: one of ours, a
            quantizer, an input, or anything else; None where several tensors meet.
        between: the layers from there on, in the order they are called.
    """

    source: Any
    between: tuple[Any, ...]


def find_layer(model: Any, name: str) -> Any:
    """Return the layer `name`.

    Raises:
        QnnError: if the model calls it more than once: its thresholds would differ from call to call.
    """
    layer = model.get_layer(name)
    calls = [node for node in _nodes(model) if node.operation is layer]
    if len(calls) != 1:
        raise QnnError(f"{name}: the model calls this layer {len(calls)} times; give every call a layer of its own")
    return layer


def upstream(model: Any, layer: Any) -> Upstream:
    """Walk back from what `layer` reads to the nearest layer that is not elementwise.

    Raises:
        QnnError: see `find_layer`.
    """
    producers = {id(tensor): node for node in _nodes(model) for tensor in node.output_tensors}
    (call,) = [node for node in _nodes(model) if node.operation is layer]
    between: list[Any] = []
    while len(call.input_tensors) == 1:
        call = producers[id(call.input_tensors[0])]
        if not passes_through(call.operation):
            return Upstream(call.operation, tuple(reversed(between)))
        find_layer(model, call.operation.name)
        between.append(call.operation)
    return Upstream(None, tuple(reversed(between)))


def passes_through(layer: Any) -> bool:
    """Tell whether a layer is elementwise without quantizing, moves values, or does nothing."""
    if isinstance(layer, (*_MOVES, *IDENTITIES)):
        return True
    return isinstance(layer, keras.layers.Layer) and code_type_of(layer) is None and operation_of(layer) is not None


def moves_codes(layer: Any) -> bool:
    """Tell whether a layer hands on codes as they are."""
    return isinstance(layer, (*_MOVES, *IDENTITIES))


def declared_dtype(model: Any, name: str) -> str:
    """Return the type of the model's input `name`, for example "uint8"."""
    layer = next(node.operation for node in _nodes(model) if node.operation.name == name)
    return str(keras.backend.standardize_dtype(layer.dtype))


def _nodes(model: Any) -> list[Any]:
    # A Sequential leaves its input out of `layers`; the functional model inside it does not.
    functional = model._functional if isinstance(model, keras.Sequential) else model
    return [node for nodes in functional._nodes_by_depth.values() for node in nodes]
