# SPDX-License-Identifier: Apache-2.0
"""`load_larq_weights`: trained weights from larq, or any tf-keras model, into a model built with this package.

    model = ...                                   # the same layers, from qnn_hw.layers and Keras 3
    load_larq_weights(model, "larq_model.h5")     # of larq_model.save(...) or larq_model.save_weights(...)
    load_larq_weights(model, weights)             # of larq_model.get_weights()

Layers are found by name where every name occurs on both sides, otherwise by order; every shape is compared before the
first weight is set. larq saves latent weights, or -1 and +1 inside its `quantized_scope(True)`: both give the same
predictions, only the former can be trained further.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import keras
import numpy as np
import numpy.typing as npt

from qnn_hw.errors import QnnError

__all__ = ["load_larq_weights"]

Source = str | os.PathLike[str] | Sequence[npt.ArrayLike]

_SAME_WEIGHT = {"depthwise_kernel": "kernel"}
"""Names in tf-keras -> name in Keras 3, for layers that have no weight of the former name."""

_ALLOWED = "give an .h5 or .keras file of tf-keras, an .npz file, or the list that get_weights() returns"


@dataclass(frozen=True, slots=True, eq=False)
class _Saved:
    """Weights of one saved layer, with their names where they are known ("" otherwise)."""

    layer: str
    names: tuple[str, ...]
    arrays: tuple[npt.NDArray[Any], ...]


def load_larq_weights(model: keras.Model, source: Source) -> dict[str, str]:
    """Set the weights of `model` to what larq or tf-keras saved.

    Args:
        model: a built model with the same layers; sub-models may be nested differently.
        source: `.h5` file of `save` or `save_weights`; `.weights.h5` file or `.keras` archive of tf-keras; the list
            `get_weights()` returns; or an `.npz` file of that list, as numpy.savez(file, *weights) writes it.

    Returns:
        Name of each layer with weights -> name of the saved layer it took them from ("" in a list without names).

    Raises:
        QnnError: if the source cannot be read, or layers, weights or shapes do not fit; no weight is changed then.
    """
    if not model.built:
        raise QnnError(f"{model.name}: the model is not built, it has no weights yet; start it with keras.Input(shape)")
    layers = [layer for layer in _leaves(model) if layer.weights]
    origin, saved = _read(model, layers, source)
    pairs = _paired(model, layers, saved, origin)
    values = [(layer, found, _fitted(layer, found, origin)) for layer, found in pairs]
    for layer, _, arrays in values:
        for variable, array in zip(layer.weights, arrays, strict=True):
            variable.assign(array)
    return {layer.name: found.layer for layer, found, _ in values}


def _leaves(model: Any) -> Iterator[Any]:
    """Layers in order; sub-models are entered."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        else:
            yield layer


def _read(model: Any, layers: Sequence[Any], source: Source) -> tuple[str, list[_Saved]]:
    """Return the name of the source for messages, and its layers with weights in order."""
    if not isinstance(source, str | os.PathLike):
        return "list of weights", _from_list(layers, [np.asarray(a) for a in source], "list of weights")
    file = Path(source)
    if not file.is_file():
        found = "is a folder" if file.is_dir() else "no such file"
        raise QnnError(f"{file}: {found}; {_ALLOWED}")
    try:
        if h5py.is_hdf5(file):
            return file.name, _from_hdf5(model, file, file.name)
        if zipfile.is_zipfile(file):
            return file.name, _from_archive(model, layers, file)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise QnnError(f"{file}: cannot be read ({error}); save the weights again") from error
    raise QnnError(f"{file}: holds no weights that can be read here; {_ALLOWED}")


def _from_archive(model: Any, layers: Sequence[Any], file: Path) -> list[_Saved]:
    with zipfile.ZipFile(file) as archive:
        members = archive.namelist()
        if "model.weights.h5" in members:
            return _from_hdf5(model, io.BytesIO(archive.read("model.weights.h5")), file.name)
    if not all(name.endswith(".npy") for name in members):
        raise QnnError(f"{file}: holds no weights that can be read here; {_ALLOWED}")
    with np.load(file, allow_pickle=False) as stored:
        names = stored.files
        if all(re.fullmatch(r"arr_\d+", name) for name in names):
            names = sorted(names, key=lambda name: int(name.removeprefix("arr_")))
            return _from_list(layers, [stored[name] for name in names], file.name)
        return _grouped((name, "", stored[name]) for name in names)


def _from_list(layers: Sequence[Any], arrays: list[npt.NDArray[Any]], origin: str) -> list[_Saved]:
    """Deal the arrays out to the layers, to each as many as it has."""
    expected = sum(len(layer.weights) for layer in layers)
    if len(arrays) != expected:
        raise QnnError(
            f"{origin}: {len(arrays)} arrays found, the model has {expected} weights in {len(layers)} layers; build "
            "the model with the same layers and arguments, use_bias and BatchNormalization's scale included"
        )
    rest = iter(arrays)
    return [_Saved("", ("",) * len(layer.weights), tuple(next(rest) for _ in layer.weights)) for layer in layers]


def _from_hdf5(model: Any, file: Path | io.BytesIO, origin: str) -> list[_Saved]:
    with h5py.File(file, "r") as root:
        top = root.get("model_weights", root)
        if any(name.startswith("layer_names") for name in top.attrs):
            return _grouped(
                (name, layer, np.asarray(top[layer][name]))
                for layer in _texts(top, "layer_names")
                for name in _texts(top[layer], "weight_names")
            )
        if "layers" in root:
            return list(_from_containers(model, root["layers"], origin))
    raise QnnError(f"{origin}: an HDF5 file without weights of Keras layers; {_ALLOWED}")


def _texts(group: Any, name: str) -> list[str]:
    """Attribute of names; tf-keras cuts one of more than 64 kB into name0, name1, ..."""
    parts = (
        [name]
        if name in group.attrs
        else sorted(
            (key for key in group.attrs if re.fullmatch(rf"{name}\d+", key)),
            key=lambda key: int(key.removeprefix(name)),
        )
    )
    values = [value for part in parts for value in group.attrs[part]]
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def _grouped(weights: Iterable[tuple[str, str, npt.NDArray[Any]]]) -> list[_Saved]:
    """Gather (path of a weight, layer it was filed under, array): "sub/conv/kernel:0" is the kernel of conv."""
    layers: dict[str, list[tuple[str, npt.NDArray[Any]]]] = {}
    for path, filed, array in weights:
        *above, name = path.split(":")[0].split("/")
        layers.setdefault(above[-1] if above else filed, []).append((name, array))
    return [
        _Saved(layer, tuple(name for name, _ in found), tuple(array for _, array in found))
        for layer, found in layers.items()
    ]


def _from_containers(model: Any, group: Any, origin: str) -> Iterator[_Saved]:
    """Read the newer format, in which a layer is filed under its class and a count: `layers/quant_dense_1/vars/0`."""
    counts: dict[str, int] = {}
    for layer in model.layers:
        kind = _snake_case(type(layer).__name__)
        number = counts.get(kind, 0)
        counts[kind] = number + 1
        name = f"{kind}_{number}" if number else kind
        if isinstance(layer, keras.Model):
            if f"{name}/layers" in group:
                yield from _from_containers(layer, group[f"{name}/layers"], origin)
        elif layer.weights:
            stored = group[name]["vars"] if name in group else {}
            arrays = tuple(np.asarray(stored[key]) for key in sorted(stored, key=int))
            if not arrays:
                raise QnnError(f"{layer.name}: {origin} holds no weights of a layer {name}; build the model as it was")
            # Numbered names of classes must not be taken for names of layers: no layer's name has a slash.
            yield _Saved(f"layers/{name}", ("",) * len(arrays), arrays)


def _snake_case(name: str) -> str:
    """QuantConv2D -> quant_conv2d, PReLU -> p_re_lu: the rule of Keras."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _paired(model: Any, layers: Sequence[Any], saved: Sequence[_Saved], origin: str) -> list[tuple[Any, _Saved]]:
    """Find the saved layer of every layer: by name if the names are the same on both sides, else by order."""
    by_name = {found.layer: found for found in saved}
    if len(by_name) == len(saved) == len(layers) and all(layer.name in by_name for layer in layers):
        return [(layer, by_name[layer.name]) for layer in layers]
    if len(saved) != len(layers):
        ours, theirs = [layer.name for layer in layers], [found.layer for found in saved]
        raise QnnError(
            f"{origin}: {len(theirs)} layers with weights found ({_listed(theirs)}), {model.name} has {len(ours)} "
            f"({_listed(ours)}); build the model with the same layers"
        )
    return list(zip(layers, saved, strict=True))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names if len(names) <= 8 else [*names[:7], "..."])


def _fitted(layer: Any, found: _Saved, origin: str) -> list[npt.NDArray[Any]]:
    """Put the arrays of a saved layer in the order of the layer's weights and compare the shapes."""
    names = [variable.name for variable in layer.weights]
    where = f"layer {found.layer} of {origin}" if found.layer else origin
    if len(found.arrays) != len(names):
        theirs = ", ".join(n for n in found.names if n) or f"{len(found.arrays)} arrays"
        raise QnnError(
            f"{layer.name}: {where} holds {theirs}, the layer has {', '.join(names)}; build it with the same arguments"
        )
    own = tuple(name if name in names else _SAME_WEIGHT.get(name, name) for name in found.names)
    by_name = dict(zip(own, found.arrays, strict=True))
    arrays = [by_name[name] for name in names] if by_name.keys() == set(names) else list(found.arrays)
    for name, variable, array in zip(names, layer.weights, arrays, strict=True):
        if tuple(array.shape) != tuple(variable.shape):
            raise QnnError(
                f"{layer.name}: {where} has a {name} of shape {tuple(array.shape)}, the layer needs "
                f"{tuple(variable.shape)}; build the model with the same sizes and the same order of layers"
            )
    return arrays
