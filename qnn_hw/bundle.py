# SPDX-License-Identifier: Apache-2.0
"""`export`: the integers behind a trained network in one NumPy file, for an engine or accelerator of your own.

    bundle = export(model, "digits.npz")
    bundle.arrays["fc1.weights"]        # the -1 and +1 of the layer fc1, in the shape Keras holds them

A bundle is a list of operations on int64 arrays and the tables they need; `docs/export.md` explains every field and
holds a reader of 30 lines of plain NumPy that reproduces the predictions. It is made from the graph before any hardware
pass: weights are those of the Keras layers, and thresholds compare dot products.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from qnn_hw.errors import QnnError
from qnn_hw.ir.code_type import CodeType
from qnn_hw.ir.datatype import IntArray
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.affine import Affine
from qnn_hw.ir.ops.classifier import Classifier
from qnn_hw.ir.ops.conv2d import Conv2D
from qnn_hw.ir.ops.flatten import Flatten
from qnn_hw.ir.ops.matvec import MatVec
from qnn_hw.ir.ops.max_pool import MaxPool
from qnn_hw.ir.ops.threshold import Threshold

if TYPE_CHECKING:
    import keras

    from qnn_hw.frontends.keras.prepare import Prepared

__all__ = ["Bundle", "export", "read_bundle"]

FORMAT = "qnn-hw bundle"
VERSION = 1

Entry = dict[str, Any]
"""One operation as it stands in the header."""


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A network as integers; what `docs/export.md` describes.

    Attributes:
        header: JSON-ready description: format, version, name, input, operations, classes, notes.
        arrays: "<operation>.<field>" -> integers, in the narrowest of int8, int16, int32, int64 that holds them.
    """

    header: Mapping[str, Any]
    arrays: Mapping[str, npt.NDArray[np.signedinteger[Any]]]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the bundle as a compressed `.npz` file and return its path.

        Raises:
            QnnError: if the name does not end in .npz, or the file cannot be written.
        """
        file = Path(path)
        if file.suffix != ".npz":
            raise QnnError(f"{file}: a bundle is an .npz file; give a name that ends in .npz")
        try:
            with file.open("wb") as stream:
                tables: dict[str, Any] = {"header": np.array(json.dumps(self.header)), **self.arrays}
                np.savez_compressed(stream, **tables)
        except OSError as error:
            raise QnnError(f"{file}: cannot be written ({error.strerror}); choose a folder you can write to") from error
        return file


def export(
    model: keras.Model | str | os.PathLike[str],
    path: str | os.PathLike[str] | None = None,
    *,
    input_dtype: str | None = None,
    input_scale: float | None = None,
    input_offset: float | None = None,
) -> Bundle:
    """Turn a trained network into integers, thresholds and class scores.

    Args:
        model: a built Keras model, or the path of a `.keras` file.
        path: where the bundle is written as `.npz`; nothing is written without it.
        input_dtype: type of the raw samples ("uint8", "int8", "i5", ...), where the model does not tell it.
        input_scale, input_offset: scaling applied outside the model: value = input_scale * raw + input_offset.

    Returns:
        The bundle; its decisions equal those of `qnn_hw.prepare(model)` for every sample.

    Raises:
        QnnError: naming the layer that has no integers behind it, or a file that cannot be read or written.
    """
    from qnn_hw.frontends.keras import convert, load_model

    if isinstance(model, str | os.PathLike):
        model = load_model(Path(model))
    converted = convert(model, input_dtype=input_dtype, input_scale=input_scale, input_offset=input_offset)
    graph = converted.graph
    arrays: dict[str, IntArray] = {}
    weight_scales = _weight_scales(model)
    accumulator_scales, levels = _accumulator_scales(converted.prepared), _levels(converted.prepared)
    operations: list[Entry] = []
    for op in graph.ops:
        for entry, tables in _entries(op, graph):
            arrays |= {f"{entry['name']}.{field}": table for field, table in tables.items()}
            if entry["kind"] in ("dense", "conv2d"):
                entry["weight_scale"] = weight_scales[op.layer]
                entry["accumulator_scale"] = accumulator_scales[op.layer]
            elif entry["kind"] == "threshold":
                code = next(levels)
                entry["output_scale"], entry["output_offset"] = code.scale, code.offset
            operations.append(entry)
    (source,) = graph.inputs.values()
    header = {
        "format": FORMAT,
        "version": VERSION,
        "name": graph.name,
        "input": {
            "type": str(source.dtype),
            "shape": list(source.shape),
            "minimum": source.dtype.minimum,
            "maximum": source.dtype.maximum,
        },
        "operations": operations,
        "classes": converted.n_classes,
        "notes": list(converted.notes),
    }
    bundle = Bundle(header, {name: _narrow(table) for name, table in arrays.items()})
    if path is not None:
        bundle.save(path)
    return bundle


def read_bundle(path: str | os.PathLike[str]) -> Bundle:
    """Read what `Bundle.save` wrote.

    Raises:
        QnnError: if there is no such file, or it is no bundle of this version.
    """
    file = Path(path)
    try:
        with np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        header = json.loads(str(arrays.pop("header")))
    except FileNotFoundError:
        raise QnnError(f"{file}: no such file; write one with qnn_hw.export(model, path)") from None
    except (OSError, ValueError, KeyError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise QnnError(f"{file}: is no bundle ({error}); write one with qnn_hw.export(model, path)") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT or header.get("version") != VERSION:
        raise QnnError(f"{file}: is no bundle of version {VERSION}; write one with qnn_hw.export(model, path)")
    return Bundle(header, arrays)


def _entries(op: Op, graph: Graph) -> list[tuple[Entry, dict[str, IntArray]]]:
    """Describe one operator: header entries and their tables, in the order of execution."""
    (x,), y = graph.input_types(op), graph.types[op.outputs[0]]
    common: Entry = {"name": op.name, "layer": op.layer}
    shapes: Entry = {"input_shape": list(x.shape), "output_shape": list(y.shape)}
    constants = graph.constants
    match op:
        case Affine():
            tables = {"factor": np.array([op.scale]), "summand": np.array([op.offset])}
            return [({**common, "kind": "affine", **shapes, "output_type": str(y.dtype)}, tables)]
        case MatVec():
            types = {"weight_type": str(op.weight_dtype), "accumulator_type": str(y.dtype)}
            return [({**common, "kind": "dense", **shapes, **types}, {"weights": constants[op.weights].T})]
        case Conv2D():
            weights = constants[op.weights].transpose(1, 2, 3, 0)
            types = {"weight_type": str(op.weight_dtype), "accumulator_type": str(y.dtype)}
            window = _window(weights.shape[:2], op.strides, op.padding, op.pad_value)
            return [({**common, "kind": "conv2d", **shapes, **window, **types}, {"weights": weights})]
        case MaxPool():
            # Padding with the smallest value never wins.
            window = _window(op.size, op.strides, op.padding, x.dtype.minimum)
            entry: Entry = {**common, "kind": "max_pool", **shapes, **window, "output_type": str(y.dtype)}
            if not op.complement:
                return [(entry, {})]
            flipped = constants[op.complement] != 0
            tables = {
                "factor": np.where(flipped, -1, 1),
                "summand": np.where(flipped, y.dtype.minimum + y.dtype.maximum, 0),
            }
            flip: Entry = {**common, "name": f"{op.name}.flip", "kind": "affine", **shapes}
            return [(entry, {}), ({**flip, "input_shape": list(y.shape), "output_type": str(y.dtype)}, tables)]
        case Threshold():
            return [({**common, "kind": "threshold", **shapes, "output_type": str(op.dtype)}, _codes(op, graph))]
        case Flatten():
            return [({**common, "kind": "flatten", **shapes}, {})]
        case Classifier():
            return _scores(op, graph, common)
    raise QnnError(f"{op.layer}: {op.keyword} has no place in a bundle; export the Keras model, not a compiled graph")


def _window(size: Any, strides: Any, padding: Any, pad_value: int) -> Entry:
    return {"window": list(size), "strides": list(strides), "padding": list(padding), "pad_value": pad_value}


def _codes(op: Threshold, graph: Graph) -> dict[str, IntArray]:
    """value = start + step * count: codes, the direction of each channel and the +-1 of a bipolar bit in one form."""
    table = graph.constants[op.thresholds]
    falling = graph.constants[op.falling] != 0 if op.falling else np.zeros(len(table), bool)
    first = np.where(falling, op.base + table.shape[1], op.base)
    one_step = 2 if op.dtype.bipolar else 1
    return {
        "thresholds": table,
        "start": op.dtype.values(first),
        "step": np.where(falling, -one_step, one_step).astype(np.int64),
    }


def _scores(op: Classifier, graph: Graph, common: Entry) -> list[tuple[Entry, dict[str, IntArray]]]:
    (x,) = graph.input_types(op)
    shapes = {"input_shape": [x.elements], "output_shape": [x.elements]}
    entries: list[tuple[Entry, dict[str, IntArray]]] = []
    if len(x.shape) > 1:  # a convolution with one output pixel
        flat = {**common, "name": f"{op.name}.flatten", "kind": "flatten"}
        entries.append(({**flat, "input_shape": list(x.shape), "output_shape": [x.elements]}, {}))
    if op.ranks:
        entry = {**common, "kind": "ranks", **shapes, "first": op.first}
        return [*entries, (entry, {"ranks": graph.constants[op.ranks]})]
    tables = {"slopes": graph.constants[op.slopes], "biases": graph.constants[op.biases]}
    return [*entries, ({**common, "kind": "scores", **shapes}, tables)]


def _weight_scales(model: Any) -> dict[str, list[float]]:
    """Layer name -> real value of the weight 1: one number, or one a filter."""
    from qnn_hw.frontends.keras.integer_layers import IntegerConv2D, IntegerDense
    from qnn_hw.frontends.keras.kernels import integer_kernel, own_kernel
    from qnn_hw.frontends.keras.walk import layers_in_order

    scales: dict[str, list[float]] = {}
    for layer in layers_in_order(model):
        if isinstance(layer, IntegerDense | IntegerConv2D):
            scales[layer.name] = own_kernel(layer).scale.tolist()
        elif hasattr(layer, "kernel"):
            scales[layer.name] = integer_kernel(layer).scale.tolist()
    return scales


def _accumulator_scales(prepared: Prepared) -> dict[str, list[float]]:
    """Layer name -> real value of the accumulator 1, input and weight scales together: one number, or one a filter."""
    from qnn_hw.frontends.keras.stages import DotStage, FloatStage

    scales: dict[str, list[float]] = {}
    for stage in prepared.stages:
        if isinstance(stage, DotStage):
            scales[stage.layer] = [1.0]
        elif isinstance(stage, FloatStage) and stage.operation == "scale" and stage.layer in scales:
            scales[stage.layer] = np.asarray(stage.module.factor).astype(float).tolist()
    return scales


def _levels(prepared: Prepared) -> Iterator[CodeType]:
    """Codes of the last quantizer before each dense or convolution layer that has one, in order: one a threshold."""
    from qnn_hw.frontends.keras.stages import DotStage, FloatStage

    code: CodeType | None = None
    for stage in prepared.stages:
        if isinstance(stage, FloatStage):
            code = stage.code or code
        elif isinstance(stage, DotStage):
            if code is not None:
                yield code
            code = None


def _narrow(table: IntArray) -> npt.NDArray[np.signedinteger[Any]]:
    for kind in (np.int8, np.int16, np.int32):
        limits = np.iinfo(kind)
        if table.size == 0 or (limits.min <= table.min() and table.max() <= limits.max):
            return np.ascontiguousarray(table, dtype=kind)
    return np.ascontiguousarray(table, dtype=np.int64)
