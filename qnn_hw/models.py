# SPDX-License-Identifier: Apache-2.0
"""The profiler: what a model holds and computes, layer by layer, before anything is built.

    summary(model)                          # tables on the terminal
    summary(model, board="pynq-z2")         # with the cycles of every layer once compiled
    profile(model).to_dict()                # the same as data

Rules of counting (`docs/profiler.md` works out an example of each):

- a weight has the bits its quantizer states, otherwise 32; BatchNormalization counts what is left after folding, one
  scale and one shift a channel;
- a layer's multiply-accumulates (MACs) are kernel elements times positions the kernel is put on: output pixels of a
  convolution, input pixels of a transposed one; padded positions count, biases do not;
- a MAC has as many bits as the wider one of its operands. What a layer reads is followed through the model: quantizers
  as layers, as activations and as input quantizers, 8-bit images, and layers that move values without computing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import keras

from qnn_hw.errors import QnnError
from qnn_hw.ir.code_type import CodeType
from qnn_hw.ir.datatype import BIPOLAR, DataType, smallest_dtype
from qnn_hw.ir.ops.matvec import dot_dtype
from qnn_hw.layers import QuantLocallyConnected1D, QuantLocallyConnected2D
from qnn_hw.quantizers import ArgumentError, Quantizer
from qnn_hw.utils import memory_as_readable_str

__all__ = ["BoardProfile", "LayerProfile", "MacProfile", "ModelProfile", "WeightProfile", "profile", "summary"]

FLOAT_BITS = 32
_KILOBYTE_BITS = 8 * 1024

MacKind = Literal["binary", "ternary", "k-bit", "float"]
MAC_KINDS: tuple[MacKind, ...] = ("binary", "ternary", "k-bit", "float")
"""Both operands of one bit; -1, 0, 1 in at least one and no wider; other integers; floats in at least one."""

Shape = tuple[int, ...]

_CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
_DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
_SEPARABLE = (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)
_TRANSPOSED = (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose)
_LOCALLY_CONNECTED = (QuantLocallyConnected1D, QuantLocallyConnected2D)
_POOLS = tuple(getattr(keras.layers, f"{kind}Pooling{n}D") for kind in ("Max", "Average") for n in (1, 2, 3))
_WITHOUT_MACS = (keras.layers.Flatten, keras.layers.BatchNormalization, *_POOLS)
_MOVING = (
    *(keras.layers.Flatten, keras.layers.Reshape, keras.layers.Permute, keras.layers.RepeatVector),
    *(keras.layers.MaxPooling1D, keras.layers.MaxPooling2D, keras.layers.MaxPooling3D),
    *(keras.layers.GlobalMaxPooling1D, keras.layers.GlobalMaxPooling2D, keras.layers.GlobalMaxPooling3D),
    *(keras.layers.Cropping1D, keras.layers.Cropping2D, keras.layers.Cropping3D),
    *(keras.layers.Dropout, keras.layers.SpatialDropout1D, keras.layers.SpatialDropout2D),
    *(keras.layers.GaussianDropout, keras.layers.GaussianNoise, keras.layers.AlphaDropout),
    *(keras.layers.Identity, keras.layers.ActivityRegularization),
)
"""Layers whose outputs are some of their inputs, in inference."""


def summary(
    model: keras.Model,
    print_fn: Callable[[str], Any] | None = None,
    include_macs: bool = True,
    *,
    expand: bool = False,
    board: str | Path | None = None,
    target_fps: float | None = None,
) -> None:
    """Print what a model holds and computes: a row a layer, totals, and what hardware needs for it.

    Args:
        model: a built Keras model.
        print_fn: called with each table as one text; `print` without it.
        include_macs: whether to show multiply-accumulates.
        expand: give the layers of sub-models rows of their own, "sub-model/layer", instead of one row a sub-model.
        board: name of a board or path of a board file: compile the model for it and show the cycles of every layer.
        target_fps: frames a second to compile for; `qnn_hw.compile`'s own target without it.

    Raises:
        ArgumentError: (a ValueError) for a model that is not built, or `target_fps` without a board.
        QnnError: for a board that is unknown or a model that cannot be compiled for it.
    """
    show = print if print_fn is None else print_fn
    for text in profile(model, expand=expand, board=board, target_fps=target_fps).tables(include_macs):
        show(text)


def profile(
    model: keras.Model, *, expand: bool = False, board: str | Path | None = None, target_fps: float | None = None
) -> ModelProfile:
    """Return what `summary` prints as data; same arguments and errors."""
    if not model.built:
        raise ArgumentError(
            f"{model.name}: the model is not built, its shapes are unknown; start it with keras.Input(shape) or call "
            "model.build(shape)"
        )
    if target_fps is not None and board is None:
        raise ArgumentError(f"summary: target_fps={target_fps:g} without a board; give board='pynq-z2' or another one")
    rows, _ = _model_rows(model, None, expand)
    result = ModelProfile(model.name, tuple(rows))
    return result if board is None else _compiled(result, model, board, target_fps)


@dataclass(frozen=True, slots=True)
class WeightProfile:
    """One weight: its name, elements, bits of an element, and whether it is trained."""

    name: str
    count: int
    bits: int
    trainable: bool


@dataclass(frozen=True, slots=True)
class MacProfile:
    """Multiply-accumulates a frame, bits of the wider operand, and kind (see `MAC_KINDS`)."""

    count: int
    bits: int
    kind: MacKind


@dataclass(frozen=True, slots=True)
class LayerProfile:
    """One row.

    Attributes:
        name: of the layer, behind "sub-model/" where sub-models are expanded.
        kind: class of the layer.
        output_shape: with -1 for the batch and unknown sizes; one for each output; empty if unknown.
        input_precision: bits of the values that the weights meet; "?" if a quantizer does not state them, None for
            floats and for layers that have no such weights.
        weights: after folding the BatchNormalization.
        macs: empty for none, None where they are not counted.
        input_type, weight_type, accumulator_type: the integers a layer with MACs computes with, as the compiler writes
            them (`b1`, `u8`, `i9`), "float", or "?" where a quantizer does not state its codes. Accumulators are those
            of the dot product, without the bias, wide enough for any weights of this type.
        activation_bits: memory of the feature maps that a layer with MACs reads, in bits.
        cycles: a frame, once compiled for a board.
    """

    name: str
    kind: str
    output_shape: tuple[Shape, ...]
    input_precision: int | Literal["?"] | None
    weights: tuple[WeightProfile, ...]
    macs: tuple[MacProfile, ...] | None
    input_type: str = ""
    weight_type: str = ""
    accumulator_type: str = ""
    activation_bits: int = 0
    cycles: int | None = None


@dataclass(frozen=True, slots=True)
class BoardProfile:
    """The model compiled for a board.

    Attributes:
        board: name.
        clock_mhz: clock of the logic.
        interval_cycles: cycles between frames in steady state, set by the slowest stage.
        limiting_layer: the layer of that stage; "input" or "output" for the DMA.
        limiting_stage: its name.
        frames_per_s: at this clock.
    """

    board: str
    clock_mhz: float
    interval_cycles: int
    limiting_layer: str
    limiting_stage: str
    frames_per_s: float


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """A profiled model: its name, a row a layer, and what a board makes of it."""

    name: str
    layers: tuple[LayerProfile, ...]
    board: BoardProfile | None = None

    def weight_count(self, bits: int | None = None, trainable: bool | None = None) -> int:
        """Weights, all or those with so many bits, all or those that are trained or not."""
        return sum(
            w.count
            for w in _weights(self.layers)
            if bits in (None, w.bits) and (trainable is None or w.trainable == trainable)
        )

    def mac_count(self, bits: int | None = None, kind: MacKind | None = None) -> int:
        """Multiply-accumulates a frame, all or those with so many bits, all or those of one kind."""
        return sum(m.count for m in _macs(self.layers) if bits in (None, m.bits) and kind in (None, m.kind))

    @property
    def memory_bits(self) -> int:
        """Memory of the weights."""
        return sum(w.bits * w.count for w in _weights(self.layers))

    @property
    def activation_bits(self) -> int:
        """Memory of every feature map that a layer with MACs reads, in the bits it is read with."""
        return sum(layer.activation_bits for layer in self.layers)

    def tables(self, include_macs: bool = True) -> list[str]:
        """Return the texts that `summary` prints: layers, totals, and both again for the hardware's view."""
        texts = [
            _layer_table(self, include_macs),
            _table(_box(self, include_macs), f"{self.name} summary", ruled=False),
        ]
        if any(layer.macs for layer in self.layers):
            texts += [
                _hardware_table(self, include_macs),
                _table(_hardware_box(self), f"{self.name} hardware", ruled=False),
            ]
        return texts

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-ready data, totals included; sizes in bits."""
        return {
            **asdict(self),
            "totals": {
                "weights": self.weight_count(),
                "trainable_weights": self.weight_count(trainable=True),
                "memory_bits": self.memory_bits,
                "memory_bits_with_8_bit_floats": _memory_with_8_bit_floats(self),
                "activation_bits": self.activation_bits,
                "macs": self.mac_count(),
                "macs_by_kind": {kind: self.mac_count(kind=kind) for kind in MAC_KINDS},
                "macs_by_bits": {str(bits): self.mac_count(bits) for bits in _mac_bits(self)},
            },
        }


@dataclass(frozen=True, slots=True)
class _Values:
    """What a tensor holds: `bits` is None for floats; `stated` is False where a quantizer does not tell."""

    bits: int | None = None
    dtype: DataType | None = None
    ternary: bool = False
    stated: bool = True


_FLOATS = _Values()
_BYTE = _Values(8, DataType(8))


@dataclass(frozen=True, slots=True)
class _Products:
    """MACs of one kernel: `terms` are summed up for one output."""

    count: int
    x: _Values
    weights: _Values
    terms: int

    @property
    def macs(self) -> MacProfile:
        """Count, bits and kind."""
        operands = (self.x, self.weights)
        bits = max(v.bits or FLOAT_BITS for v in operands)
        if any(v.bits is None for v in operands):
            return MacProfile(self.count, bits, "float")
        narrow = all(v.bits == 1 or v.ternary for v in operands)
        return MacProfile(self.count, bits, "binary" if bits == 1 else "ternary" if narrow else "k-bit")

    @property
    def accumulator(self) -> DataType | None:
        """Type that holds every sum, as the compiler chooses it; None if an operand's integers are unknown."""
        if self.x.dtype is None or self.weights.dtype is None:
            return None
        return dot_dtype(self.x.dtype, self.weights.dtype, self.terms)


def _weights(layers: Iterable[LayerProfile]) -> Iterator[WeightProfile]:
    return (w for layer in layers for w in layer.weights)


def _macs(layers: Iterable[LayerProfile]) -> Iterator[MacProfile]:
    return (m for layer in layers for m in layer.macs or ())


def _mac_bits(found: ModelProfile) -> list[int]:
    return sorted({m.bits for m in _macs(found.layers)})


def _memory_with_8_bit_floats(found: ModelProfile) -> int:
    return sum((8 if w.bits > 8 else w.bits) * w.count for w in _weights(found.layers))


# ---- following values through a model


def _model_rows(
    model: Any, given: Sequence[_Values] | None, expand: bool
) -> tuple[list[LayerProfile], tuple[_Values, ...]]:
    """Profile the layers of a model that reads `given` (None: what its inputs declare); also what it delivers."""
    functional = model if hasattr(model, "_nodes_by_depth") else getattr(model, "_functional", None)
    if functional is None:  # a subclassed model: its layers are known, the way between them is not
        return [_unknown_row(layer) for layer in model.layers], (_FLOATS,)
    values: dict[int, _Values] = {}
    raw: set[int] = set()
    for i, tensor in enumerate(functional.inputs):
        values[id(tensor)] = given[i] if given is not None else _samples(tensor.dtype)
        if given is None:
            raw.add(id(tensor))
    rows: dict[int, list[LayerProfile]] = {}
    for node in _nodes(functional):
        layer, sources, results = node.operation, node.input_tensors, node.output_tensors
        inputs = tuple(values.get(id(t), _FLOATS) for t in sources)
        if isinstance(layer, keras.layers.InputLayer):
            outputs = tuple(values[id(t)] if id(t) in values else _samples(t.dtype) for t in results)
        elif isinstance(layer, keras.Model):
            inner, outputs = _model_rows(layer, inputs, expand)
            inner = [replace(row, name=f"{layer.name}/{row.name}") for row in inner] if expand else inner
            called = inner if expand else [_one_row(layer, inner, _shapes(results))]
            rows[id(layer)] = _again(rows.get(id(layer)), called)
        else:
            reads_raw = bool(sources) and id(sources[0]) in raw
            outputs = (_delivered(layer, inputs, reads_raw),) * len(results)
        if isinstance(layer, keras.layers.Layer) and not isinstance(layer, keras.Model):
            row = _row(layer, inputs, _shapes(sources), _shapes(results))
            rows[id(layer)] = _again(rows.get(id(layer)), [row])
        values |= {id(t): v for t, v in zip(results, outputs, strict=False)}
    found = [row for layer in model.layers for row in rows.get(id(layer)) or [_unknown_row(layer)]]
    return found, tuple(values.get(id(t), _FLOATS) for t in functional.outputs)


def _nodes(functional: Any) -> Iterator[Any]:
    """Calls of layers and operations, each behind those whose results it reads."""
    for _, nodes in sorted(functional._nodes_by_depth.items(), reverse=True):
        yield from nodes


def _shapes(tensors: Sequence[Any]) -> tuple[Shape, ...]:
    return tuple(tuple(size or -1 for size in tensor.shape) for tensor in tensors)


def _samples(dtype: Any) -> _Values:
    """Values of an input layer of this Keras type."""
    text = keras.backend.standardize_dtype(dtype)
    if text == "bool":
        return _Values(1, DataType(1))
    if "int" not in text:
        return _FLOATS
    bits = int(text.removeprefix("u").removeprefix("int"))
    return _Values(bits, DataType(bits, signed=not text.startswith("u")))


def _delivered(layer: Any, inputs: Sequence[_Values], reads_raw: bool) -> _Values:
    """What a layer or operation makes of its inputs."""
    first = inputs[0] if inputs else _FLOATS
    match layer:
        case Quantizer():
            return _quantized(layer)
        case keras.layers.Rescaling():
            # A float input that is scaled first is an image of bytes, as the compiler reads it, too.
            sample = _BYTE if reads_raw and first.bits is None else first
            return _rescaled(sample, layer)
        case keras.layers.Concatenate():
            return first if all(v == first for v in inputs) else _FLOATS
        case keras.layers.ZeroPadding1D() | keras.layers.ZeroPadding2D() | keras.layers.ZeroPadding3D():
            # The zeros at the border are a third value beside -1 and +1.
            return _Values(2, DataType(2, signed=True), ternary=True) if first.dtype == BIPOLAR else first
        case _ if isinstance(layer, _MOVING):
            return first
    activation = getattr(layer, "activation", None)
    states = hasattr(activation, "precision") or _code_type(activation) is not None
    return _quantized(activation) if states else _FLOATS


def _rescaled(sample: _Values, layer: Any) -> _Values:
    """Integers behind scale * x + offset: factor * x + summand with offset / scale = summand / factor."""
    if sample.bits is None or sample.dtype is None:
        return _FLOATS
    try:
        scale, offset = Fraction(float(layer.scale)), Fraction(float(layer.offset))
        ratio = offset / scale
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):  # one a channel, or no number
        return _Values(sample.bits)
    close = ratio.limit_denominator(64)
    if abs(close - ratio) > Fraction(1, 10**6) * max(Fraction(1), abs(ratio)):
        return _Values(sample.bits)
    sign = 1 if scale > 0 else -1
    ends = sorted(
        sign * (close.denominator * v + close.numerator) for v in (sample.dtype.minimum, sample.dtype.maximum)
    )
    return _Values(sample.bits, smallest_dtype(ends[0], ends[1]))


def _code_type(quantizer: Any) -> CodeType | None:
    try:
        found = getattr(quantizer, "code_type", None)
    except QnnError:  # a quantizer that states none
        return None
    return found if isinstance(found, CodeType) else None


def _quantized(quantizer: Any) -> _Values:
    """What a quantizer delivers to a layer's input; its integers are known where code 0 means 0."""
    code = _code_type(quantizer)
    bits = getattr(quantizer, "precision", None) or (code.bits if code else None)
    if bits is None:
        return _Values(stated=False)
    dtype = None if code is None or code.offset else DataType(code.bits, code.signed, code.bipolar)
    return _Values(bits, dtype, _is_ternary(code))


def _quantized_weights(layer: Any, name: str) -> _Values:
    """What the quantizer of one weight delivers."""
    quantizer = layer.weight_quantizer(name) if name in getattr(layer, "weight_roles", {}) else None
    if quantizer is None:
        return _FLOATS
    code = _code_type(quantizer)
    bits = getattr(quantizer, "precision", None) or (code.bits if code else None)
    return _Values(bits, None if code is None else _weight_type(code), _is_ternary(code), bits is not None)


def _is_ternary(code: CodeType | None) -> bool:
    return code is not None and code.bits == 2 and code.symmetric


def _weight_type(code: CodeType) -> DataType | None:
    """Smallest type of the integers a weight's codes stand for; levels like the odd thirds become odd integers."""
    if code.bipolar:
        return BIPOLAR if not code.offset else None
    step = Fraction(code.offset / code.scale).limit_denominator(64)
    ends = [step.denominator * c + step.numerator for c in (code.min_code, code.max_code)]
    return smallest_dtype(min(ends[0], -1), ends[1])


# ---- counting


def _products(layer: Any, inputs: Sequence[_Values], source: Shape, result: Shape) -> tuple[_Products, ...] | None:
    """MACs of a layer's kernels; none for layers that have no MACs, None where they are not counted."""
    if isinstance(layer, _WITHOUT_MACS):
        return ()
    quantizer = getattr(layer, "input_quantizer", None)
    x = _quantized(quantizer) if quantizer is not None else inputs[0] if inputs else _FLOATS
    if isinstance(layer, _SEPARABLE):
        pixels = _pixels(layer, result)
        depthwise, pointwise = tuple(layer.depthwise_kernel.shape), tuple(layer.pointwise_kernel.shape)
        weights = _quantized_weights(layer, "depthwise_kernel")
        first = _Products(math.prod(depthwise) * pixels, x, weights, math.prod(depthwise[:-2]))
        # Nothing quantizes the sums in between: the pointwise product reads accumulators.
        sums = first.accumulator
        between = _FLOATS if sums is None else _Values(sums.bits, sums)
        weights = _quantized_weights(layer, "pointwise_kernel")
        return (first, _Products(math.prod(pointwise) * pixels, between, weights, math.prod(pointwise[:-1])))
    if isinstance(layer, keras.layers.Dense):
        shape, positions, terms = tuple(layer.kernel.shape), math.prod(result[1:-1]), int(layer.kernel.shape[0])
    elif isinstance(layer, _DEPTHWISE):
        shape, positions = tuple(layer.kernel.shape), _pixels(layer, result)
        terms = math.prod(shape[:-2])
    elif isinstance(layer, _TRANSPOSED):
        shape, positions = tuple(layer.kernel.shape), _pixels(layer, source)
        # An output is reached by every stride-th tap only; the kernel holds (taps, filters, inputs).
        taps = (-(-k // s) for k, s in zip(layer.kernel_size, layer.strides, strict=True))
        terms = math.prod(taps) * shape[-1]
    elif isinstance(layer, _CONVOLUTIONS):
        shape, positions = tuple(layer.kernel.shape), _pixels(layer, result)
        terms = math.prod(shape[:-1])
    elif isinstance(layer, _LOCALLY_CONNECTED):
        shape, positions = tuple(layer.kernel.shape), 1  # (positions, terms, filters): each element is used once
        terms = shape[1]
    else:
        return None
    return (_Products(math.prod(shape) * positions, x, _quantized_weights(layer, "kernel"), terms),)


def _pixels(layer: Any, shape: Shape) -> int:
    """Positions of a map (batch, ...), wherever its channels stand."""
    return math.prod(shape[2:] if layer.data_format == "channels_first" else shape[1:-1])


def _row(layer: Any, inputs: Sequence[_Values], sources: tuple[Shape, ...], results: tuple[Shape, ...]) -> LayerProfile:
    """Profile one call of a layer."""
    products = _products(layer, inputs, sources[0], results[0]) if sources and results else None
    known = products is not None and all(p.count > 0 for p in products)
    row = LayerProfile(layer.name, type(layer).__name__, results, None, _weight_rows(layer), None)
    if not products:
        quantizer = getattr(layer, "input_quantizer", None)
        precision = None if quantizer is None else _precision(_quantized(quantizer))
        return replace(row, input_precision=precision, macs=() if known else None)
    x, last = products[0].x, products[-1]
    elements = math.prod(sources[0][1:])
    return replace(
        row,
        input_precision=_precision(x),
        macs=tuple(p.macs for p in products) if known else None,
        input_type=_type_text((x,), x.dtype),
        weight_type=_type_text((products[0].weights,), products[0].weights.dtype),
        accumulator_type=_type_text((last.x, last.weights), last.accumulator),
        activation_bits=max(elements, 0) * (x.bits or FLOAT_BITS),
    )


def _type_text(operands: Sequence[_Values], dtype: DataType | None) -> str:
    if dtype is not None:
        return str(dtype)
    return "float" if any(v.bits is None and v.stated for v in operands) else "?"


def _unknown_row(layer: Any) -> LayerProfile:
    return LayerProfile(layer.name, type(layer).__name__, (), None, _weight_rows(layer), None)


def _precision(values: _Values) -> int | Literal["?"] | None:
    return values.bits if values.stated else "?"


def _weight_rows(layer: Any) -> tuple[WeightProfile, ...]:
    variables = list(layer.weights)
    if isinstance(layer, keras.layers.BatchNormalization):
        # Folded: the shift takes in mean and beta, the scale variance and gamma.
        names = {v.name for v in variables}
        gone = {a for a, b in (("beta", "moving_mean"), ("gamma", "moving_variance")) if {a, b} <= names}
        variables = [v for v in variables if v.name not in gone]
    trained = {id(v) for v in layer.trainable_weights}
    return tuple(
        WeightProfile(
            v.name, math.prod(v.shape), _quantized_weights(layer, v.name).bits or FLOAT_BITS, id(v) in trained
        )
        for v in variables
    )


def _again(before: list[LayerProfile] | None, now: list[LayerProfile]) -> list[LayerProfile]:
    """A layer that is called several times computes as often, but has its weights once."""
    if before is None:
        return now
    return [
        replace(
            a,
            macs=None if a.macs is None or b.macs is None else a.macs + b.macs,
            activation_bits=a.activation_bits + b.activation_bits,
        )
        for a, b in zip(before, now, strict=True)
    ]


def _one_row(model: Any, rows: Sequence[LayerProfile], results: tuple[Shape, ...]) -> LayerProfile:
    """A sub-model as one row."""
    readers = [row.input_precision for row in rows if row.kind != "InputLayer"]
    return LayerProfile(
        model.name,
        type(model).__name__,
        results,
        readers[0] if readers else None,
        tuple(_weights(rows)),
        tuple(_macs(rows)),
        activation_bits=sum(row.activation_bits for row in rows),
    )


def _compiled(found: ModelProfile, model: keras.Model, board: str | Path, target_fps: float | None) -> ModelProfile:
    """Add the cycles of every layer: what `qnn_hw.compile` does, but for its golden vectors."""
    from qnn_hw.boards import load_board
    from qnn_hw.compiler import assemble
    from qnn_hw.frontends.keras import convert

    target = load_board(board)
    accelerator = assemble(convert(model).graph, target, target_fps=target_fps)
    limit = accelerator.schedule.limit
    cycles: dict[str, int] = {}
    for stage in accelerator.stages():
        cycles[stage.layer] = max(cycles.get(stage.layer, 0), stage.cycles)
    layers = tuple(replace(row, cycles=cycles.get(row.name.rpartition("/")[2])) for row in found.layers)
    made = BoardProfile(
        accelerator.board.name,
        accelerator.clock_mhz,
        accelerator.interval_cycles,
        limit.layer,
        limit.stage,
        accelerator.frames_per_s,
    )
    return replace(found, layers=layers, board=made)


# ---- tables


def _layer_table(found: ModelProfile, include_macs: bool) -> str:
    weight_bits = sorted({w.bits for w in _weights(found.layers)})
    mac_bits = _mac_bits(found) if include_macs else []
    header = [
        "Layer",
        "Input prec.\n(bit)",
        "Outputs",
        *(f"# {bits}-bit\nx 1" for bits in weight_bits),
        "Memory\n(kB)",
        *(f"{bits}-bit MACs" for bits in mac_bits),
    ]
    rows = [
        [
            layer.name,
            str(layer.input_precision or "-"),
            _shape_text(layer.output_shape),
            *_layer_cells(ModelProfile("", (layer,)), weight_bits, mac_bits, counted=layer.macs is not None),
        ]
        for layer in found.layers
    ]
    total = ["Total", "", "", *_layer_cells(found, weight_bits, mac_bits, counted=True)]
    return _table([header, *rows, total], f"{found.name} stats", ruled=True)


def _layer_cells(found: ModelProfile, weight_bits: list[int], mac_bits: list[int], counted: bool) -> list[str]:
    return [
        *(str(found.weight_count(bits)) for bits in weight_bits),
        _kilobytes(found.memory_bits),
        *(str(found.mac_count(bits)) if counted else "?" for bits in mac_bits),
    ]


def _shape_text(shapes: tuple[Shape, ...]) -> str:
    return "?" if not shapes else str(shapes[0] if len(shapes) == 1 else list(shapes))


def _kilobytes(bits: int) -> str:
    return f"{bits / _KILOBYTE_BITS:.2f}" if bits else "0"


def _box(found: ModelProfile, include_macs: bool) -> list[list[str]]:
    as_floats = FLOAT_BITS * found.weight_count()
    rows = [
        ["Total params", _readable(found.weight_count())],
        ["Trainable params", _readable(found.weight_count(trainable=True))],
        ["Non-trainable params", _readable(found.weight_count(trainable=False))],
        ["Model size", memory_as_readable_str(found.memory_bits)],
        ["Model size (8-bit FP weights)", memory_as_readable_str(_memory_with_8_bit_floats(found))],
        ["Float-32 Equivalent", memory_as_readable_str(as_floats)],
        ["Compression Ratio of Memory", f"{found.memory_bits / as_floats if as_floats else 0:.2f}"],
    ]
    if include_macs:
        macs = found.mac_count()
        rows.append(["Number of MACs", _readable(macs)])
        for name, kind in (("binarized", "binary"), ("ternarized", "ternary")):
            if some := found.mac_count(kind=kind):  # type: ignore[arg-type]
                rows.append([f"Ratio of MACs that are {name}", f"{some / macs:.4f}"])
    return rows


def _hardware_table(found: ModelProfile, include_macs: bool) -> str:
    kinds = [kind for kind in MAC_KINDS if include_macs and found.mac_count(kind=kind)]
    cycles = found.board is not None
    header = ["Layer", "Input", "Weights", "Accumulator", "Activations\n(kB)"]
    header += [*(f"{kind.capitalize() if kind != 'k-bit' else kind} MACs" for kind in kinds), *["Cycles"] * cycles]
    rows = []
    for layer in found.layers:
        if not layer.macs:
            continue
        rows.append(
            [
                layer.name,
                *(text or "-" for text in (layer.input_type, layer.weight_type, layer.accumulator_type)),
                _kilobytes(layer.activation_bits),
                *(str(sum(m.count for m in layer.macs if m.kind == kind)) for kind in kinds),
                *["-" if layer.cycles is None else str(layer.cycles)] * cycles,
            ]
        )
    total = ["Total", "", "", "", _kilobytes(found.activation_bits), *(str(found.mac_count(kind=k)) for k in kinds)]
    return _table([header, *rows, [*total, *[""] * cycles]], f"{found.name} hardware", ruled=True)


def _hardware_box(found: ModelProfile) -> list[list[str]]:
    rows = [
        ["Activation memory", memory_as_readable_str(found.activation_bits)],
        ["Largest feature map", memory_as_readable_str(max(layer.activation_bits for layer in found.layers))],
    ]
    if (board := found.board) is not None:
        rows += [
            ["Board", f"{board.board}, {board.clock_mhz:g} MHz"],
            ["Cycles a frame", str(board.interval_cycles)],
            ["Limiting layer", f"{board.limiting_layer} ({board.limiting_stage})"],
            ["Frames a second", _readable(board.frames_per_s)],
        ]
    return rows


def _readable(number: float) -> str:
    """Number with three significant digits and a unit: 999, 93.6 k, 1.88 B."""
    number = float(f"{number:.3g}")  # first, so that 999 900 becomes 1 M and not 1000 k
    if number < 1000:
        return f"{number:g}"
    if number >= 1e15:
        return f"{number:.2E}"
    thousands = int(math.log10(number) + 1e-9) // 3
    return f"{number / 1000**thousands:.3g} {' kMBT'[thousands]}"


def _table(rows: list[list[str]], title: str, ruled: bool) -> str:
    """Draw rows of cells, which may have several lines; ruled: with a heading, right-aligned, and a total below."""
    widths = [max(len(line) for row in rows for line in row[i].split("\n")) for i in range(len(rows[0]))]
    inside = sum(widths) + 2 * len(widths)
    rule = f"+{'-' * inside}+"
    lines = [f"+{title}{rule[len(title) + 1 :]}" if len(title) <= inside else rule]
    for number, row in enumerate(rows):
        if ruled and number in (1, len(rows) - 1):
            lines.append(rule)
        cells = [cell.split("\n") for cell in row]
        for i in range(max(map(len, cells))):
            texts = [cell[i] if i < len(cell) else "" for cell in cells]
            padded = [
                text.rjust(width) if ruled and column else text.ljust(width)
                for column, (text, width) in enumerate(zip(texts, widths, strict=True))
            ]
            lines.append(f"| {'  '.join(padded)} |")
    return "\n".join([*lines, rule])
