# SPDX-License-Identifier: Apache-2.0
"""From a Keras model to the plain list of its layers in the order they are called."""

from typing import Any

import keras

from qnn_hw.errors import QnnError

IDENTITIES = (
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.AlphaDropout,
    keras.layers.ActivityRegularization,
    keras.layers.Identity,
)
"""Layers that do nothing at inference."""


_READ = (
    keras.Model,
    keras.layers.Dense,
    keras.layers.Conv2D,
    keras.layers.Rescaling,
    keras.layers.MaxPooling2D,
    keras.layers.Flatten,
    *IDENTITIES,
)
"""Layers the compiler reads by class and arguments; others (BatchNormalization, quantizers) it runs themselves."""


def layers_in_order(model: Any) -> tuple[Any, ...]:
    """Return the layers of a single-path model; nested models are flattened, `InputLayer`s and identities left out.

    Raises:
        QnnError: if the model is not built, branches, or calls something that is no layer.
    """
    if not isinstance(model, keras.Model):
        raise QnnError(f"model: found {type(model).__name__}; give a keras.Sequential or functional keras.Model")
    if not (isinstance(model, keras.Sequential) or hasattr(model, "_nodes_by_depth")):
        raise QnnError(
            f"{model.name}: a subclassed model hides the order of its layers; build a keras.Sequential or "
            "functional model"
        )
    if not model.built or not getattr(model, "inputs", None):
        raise QnnError(f"{model.name}: the model has no input shape yet; start it with keras.Input(shape)")
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise QnnError(
            f"{model.name}: the model has {len(model.inputs)} inputs and {len(model.outputs)} outputs; give a model "
            "with one of each"
        )
    found = list(_flatten(model))
    names: set[str] = set()
    for layer in found:
        if layer.name in names:
            raise QnnError(f"{layer.name}: the model calls two layers of this name; give every layer its own name")
        names.add(layer.name)
    return tuple(found)


def _check_call(layer: Any) -> None:
    """Refuse a subclass whose own `call` does what its class does not tell."""
    owner = next(cls for cls in type(layer).__mro__ if "call" in vars(cls))
    if isinstance(layer, _READ) and not owner.__module__.startswith(("keras.", "qnn_hw.")):
        raise QnnError(
            f"{layer.name}: {owner.__name__} overrides call(), which the compiler cannot read; use the Keras layer, or "
            "put the computation into a layer of its own"
        )


def _flatten(model: Any) -> list[Any]:
    result: list[Any] = []
    _check_call(model)
    for layer in model.layers if isinstance(model, keras.Sequential) else _single_path(model):
        _check_call(layer)
        if isinstance(layer, keras.Model):
            result += _flatten(layer)
        elif not isinstance(layer, (keras.layers.InputLayer, *IDENTITIES)):
            result.append(layer)
    return result


def _single_path(model: Any) -> list[Any]:
    """Return what a functional model calls; its nodes, sorted by depth, must form one path."""
    result: list[Any] = []
    previous: Any = None
    for _, nodes in sorted(model._nodes_by_depth.items(), reverse=True):
        layer = nodes[0].operation
        inputs = nodes[0].input_tensors
        if len(nodes) > 1 or (previous is not None and (len(inputs) != 1 or inputs[0] is not previous)):
            raise QnnError(f"{layer.name}: the model branches here; only single-path networks are supported")
        if not isinstance(layer, keras.layers.Layer):
            raise QnnError(
                f"{layer.name}: {type(layer).__name__} is an operation outside of any layer; use the Keras layer for it"
            )
        previous = nodes[0].output_tensors[0]
        result.append(layer)
    return result
