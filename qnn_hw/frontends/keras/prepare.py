# SPDX-License-Identifier: Apache-2.0
"""`prepare`: from a trained Keras model to the software model, in which every rounding has its place."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import keras
import numpy as np
import numpy.typing as npt

from qnn_hw.errors import QnnError
from qnn_hw.frontends.keras import monotone
from qnn_hw.frontends.keras.integer_layers import (
    Apply,
    Bias,
    IntegerConv2D,
    IntegerDense,
    IntegerMap,
    Scale,
)
from qnn_hw.frontends.keras.kernels import IntegerKernel, integer_kernel, own_kernel
from qnn_hw.frontends.keras.operations import code_type_of, function_name, is_single_valued, operation_of
from qnn_hw.frontends.keras.scaling import AffineMap, integer_map
from qnn_hw.frontends.keras.software import check_arithmetic, predict
from qnn_hw.frontends.keras.stages import DotStage, FlattenStage, FloatStage, MapStage, PoolStage, Reach, Stage
from qnn_hw.frontends.keras.walk import layers_in_order
from qnn_hw.ir.code_type import CodeType
from qnn_hw.ir.datatype import BIPOLAR, DataType, IntArray, parse_dtype
from qnn_hw.ir.geometry import Padding, same_padding

Scaling = tuple[float, float]
"""(scale, offset): value = scale * x + offset."""

_EXACT_FLOAT32 = 1 << 24
_WIDEST_SAMPLE = 16
_DENSE = (keras.layers.Dense, IntegerDense)
_CONV = (keras.layers.Conv2D, IntegerConv2D)
_SUPPORTED = (
    "Rescaling, Quant/Dense, Quant/Conv2D, BatchNormalization, Activation, ReLU, LeakyReLU, PReLU, quantizers, "
    "MaxPooling2D, Flatten, Dropout, Softmax at the end"
)


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """The software model and what the front end knows about it.

    Attributes:
        model: Keras model, raw integer samples (N, *shape) -> what the original returns, without a final softmax.
        source: name of the model it comes from.
        dtype: type of the raw samples.
        shape: shape of one sample.
        affine: (a, b) of the integer map u = a * x + b on the samples; None where there is none.
        outside: (scale, offset) applied by the user before the original model.
        stages: the network, stage by stage.
        notes: what preparing changed, one sentence each.
    """

    model: Any
    source: str
    dtype: DataType
    shape: tuple[int, ...]
    affine: tuple[int, int] | None
    outside: Scaling
    stages: tuple[Stage, ...]
    notes: tuple[str, ...]


def prepare(
    model: Any,
    *,
    input_dtype: str | None = None,
    input_scale: float | None = None,
    input_offset: float | None = None,
) -> Prepared:
    """Build the software model of `model`: raw integer samples in, every scale behind an exact integer accumulator.

    Where all scales are powers of two the prepared model returns the same floats as the original, bit for bit.

    Args:
        model: a built Sequential or single-path functional model, channels last.
        input_dtype: type of the raw samples: "uint8", "int8", "u8", "i5", "b1" (-1 or +1), ... Not needed if the model
            has an integer input or starts with Rescaling (then uint8).
        input_scale: scaling done outside of the model: it is fed input_scale * raw + input_offset.
        input_offset: see `input_scale`.

    Raises:
        QnnError: naming the layer that cannot be prepared, with what to do.
    """
    check_arithmetic(model)
    layers = layers_in_order(model)
    if not any(isinstance(layer, _DENSE + _CONV) for layer in layers):
        raise QnnError(f"{model.name}: no dense or convolution layer found; there is nothing to build")
    dtype = _sample_dtype(model, layers, input_dtype)
    outside = (1.0 if input_scale is None else float(input_scale), 0.0 if input_offset is None else float(input_offset))
    shape = tuple(model.inputs[0].shape[1:])
    if None in shape or len(shape) not in (1, 3):
        raise QnnError(f"{model.name}: input shape {shape}; give a fixed (features,) or (height, width, channels)")
    builder = _Builder(dtype, cast(tuple[int, ...], shape))
    _start(builder, layers, outside)
    for i, layer in enumerate(layers):
        _lower(builder, layer, all(isinstance(later, keras.layers.Flatten) for later in layers[i + 1 :]))
    result = keras.Model(builder.input, builder.x, name=f"{_name(model.name)}_prepared")
    first = builder.stages[0]
    affine = None
    if isinstance(first, MapStage) and (first.factor, first.summand) != (1, 0):
        affine = (first.factor, first.summand)
    return Prepared(
        result, model.name, dtype, builder.shape, affine, outside, tuple(builder.stages), tuple(builder.notes)
    )


def disagreements(model: Any, prepared: Prepared, x: npt.ArrayLike) -> int:
    """Count the samples that the original and the prepared model classify differently.

    Args:
        model: the original.
        prepared: what `prepare` made of it.
        x: (N, *shape) raw samples.
    """
    raw = np.asarray(x)
    fed = raw
    if prepared.outside != (1.0, 0.0):
        scale, offset = np.float32(prepared.outside[0]), np.float32(prepared.outside[1])
        fed = raw.astype(np.float32) * scale + offset
    ours, theirs = predict(prepared.model, raw), predict(model, fed)
    return int(np.count_nonzero(_decisions(ours) != _decisions(theirs)))


def _decisions(scores: npt.NDArray[np.float32]) -> IntArray:
    return np.argmax(scores.reshape(len(scores), -1), axis=1)


@dataclass(slots=True)
class _Builder:
    """The model under construction: the current tensor, what its values mean, and the stages so far."""

    dtype: DataType
    shape: tuple[int, ...]
    stages: list[Stage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    codes: CodeType | None = None
    """What the values of the current tensor stand for; None while they are floats of a chain."""
    low: int = 0
    high: int = 0
    """Smallest and greatest integer value (bipolar: -1 and +1) of the current tensor, if `codes`."""
    step: float = 1.0
    """Scale that was moved behind the first accumulator (of the integer map)."""
    input: Any = None
    x: Any = None

    @property
    def scaled_samples(self) -> bool:
        """Whether the current tensor is the integer map of the samples (moved, perhaps, but not computed with)."""
        return self.codes is not None and not any(isinstance(s, (DotStage, FloatStage)) for s in self.stages)

    def add(self, stage: Stage) -> None:
        """Append a stage and call its module."""
        self.x = stage.module(self.x)
        self.stages.append(stage)


def _name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", text)


def _sample_dtype(model: Any, layers: Sequence[Any], given: str | None) -> DataType:
    """Decide what the raw samples are: as given, else the integer input, else uint8 before a Rescaling."""
    declared = keras.backend.standardize_dtype(model.inputs[0].dtype)
    if given is not None:
        return _parse_samples(given)
    if isinstance(layers[0], IntegerMap):
        return parse_dtype(layers[0].sample_dtype)
    if "int" in declared:
        return _parse_samples(declared)
    if isinstance(layers[0], keras.layers.Rescaling):
        return DataType(8)
    raise QnnError(
        f"{layers[0].name}: the model takes {declared} inputs and does not say what the raw samples are; give "
        "input_dtype (for example 'uint8') with input_scale and input_offset if you scale outside of the model, "
        "or start the model with keras.Input(dtype='uint8') or Rescaling"
    )


def _parse_samples(text: str) -> DataType:
    match = re.fullmatch(r"(u?)int(\d+)", text)
    dtype = parse_dtype(f"{'u' if match[1] else 'i'}{match[2]}" if match else text)
    if dtype.bits > _WIDEST_SAMPLE or dtype.fraction_bits:
        raise QnnError(
            f"input_dtype {text!r}: raw samples are integers of at most {_WIDEST_SAMPLE} bits, for example 'uint8'"
        )
    return dtype


def _start(builder: _Builder, layers: Sequence[Any], outside: Scaling) -> None:
    """Build the input and the integer map; find out whether a quantizer in front makes codes on the host."""
    dtype = builder.dtype
    unsigned = not (dtype.signed or dtype.bipolar)
    holder = f"{'u' if unsigned else ''}int{8 if dtype.bits <= 8 else 16}"
    builder.input = builder.x = keras.Input(builder.shape, dtype=holder, name="samples")
    front = _front(layers)
    if any(code_type_of(layer) for layer in front) or _input_quantizer(layers[len(front)]) is not None:
        _add_map(builder, "input", AffineMap(1, 0, 1.0, True))
        builder.codes = None
        if outside != (1.0, 0.0):
            scaling = keras.layers.Rescaling(*outside, name="input_scaling")
            builder.add(FloatStage("input_scaling", "rescaling", scaling))
        return
    scale, offset = outside
    name, pooled = "input", ""
    for layer in front:
        pooled = layer.name if isinstance(layer, keras.layers.MaxPooling2D) else pooled
        if isinstance(layer, keras.layers.Rescaling):
            own_scale, own_offset = _rescaling(layer)
            if own_scale < 0 and pooled:
                raise QnnError(
                    f"{layer.name}: a negative Rescaling behind the pool {pooled} turns its maximum into a minimum; "
                    "put it before the pool"
                )
            scale, offset = own_scale * scale, own_scale * offset + own_offset
            name = layer.name
        elif not isinstance(layer, (keras.layers.Flatten, keras.layers.MaxPooling2D, IntegerMap)):
            raise QnnError(
                f"{layer.name}: {type(layer).__name__} between the raw samples and {layers[len(front)].name} "
                "makes floats; "
                f"give {layers[len(front)].name} an input_quantizer or remove this layer"
            )
    chosen = integer_map(name, scale, offset)
    if isinstance(layers[0], IntegerMap):
        chosen = AffineMap(layers[0].factor, layers[0].summand, 1.0, True)
    if not chosen.exact or np.float32(chosen.step) != chosen.step:
        builder.notes.append(
            f"{name}: the input scaling {scale:g} * x + {offset:g} is done as u = {chosen.factor} * x + "
            f"{chosen.summand}, with the scale {chosen.step:g} behind the first accumulator"
        )
    _add_map(builder, name, chosen)


def _front(layers: Sequence[Any]) -> list[Any]:
    """Return the layers before the first dense or convolution layer."""
    first = next(i for i, layer in enumerate(layers) if isinstance(layer, _DENSE + _CONV))
    return list(layers[:first])


def _add_map(builder: _Builder, name: str, chosen: AffineMap) -> None:
    module = IntegerMap(chosen.factor, chosen.summand, str(builder.dtype), name="integer_samples")
    builder.add(MapStage(name, chosen.factor, chosen.summand, module))
    ends = sorted(chosen.factor * v + chosen.summand for v in (builder.dtype.minimum, builder.dtype.maximum))
    builder.low, builder.high = ends
    builder.step = chosen.step
    # The widest code type is a placeholder here: the integers themselves are the codes.
    untouched = (chosen.factor, chosen.summand) == (1, 0)
    builder.codes = CodeType(1, bipolar=True) if builder.dtype.bipolar and untouched else CodeType(32, signed=True)


def _rescaling(layer: Any) -> Scaling:
    scale, offset = np.asarray(layer.scale, np.float32), np.asarray(layer.offset, np.float32)
    if scale.size != 1 or offset.size != 1:
        raise QnnError(
            f"{layer.name}: Rescaling with one scale a channel; raw samples need one scale and offset for all"
        )
    # A scale given as 1/255 is meant as 1/255: Python's value, not its float32 rounding, leads to the ratio.
    return float(np.asarray(layer.scale).item()), float(np.asarray(layer.offset).item())


def _input_quantizer(layer: Any) -> Any:
    return getattr(layer, "input_quantizer", None)


def _lower(builder: _Builder, layer: Any, final: bool) -> None:
    """Turn one Keras layer into stages; `final`: nothing that computes follows."""
    match layer:
        case IntegerMap():
            return
        case keras.layers.Rescaling() if builder.scaled_samples:
            return  # part of the integer map
        case keras.layers.Dense() | keras.layers.Conv2D() | IntegerDense() | IntegerConv2D():
            _lower_dot(builder, layer, final)
        case keras.layers.MaxPooling2D():
            _lower_pool(builder, layer)
        case keras.layers.Flatten():
            _check_channels_last(layer)
            builder.add(FlattenStage(layer.name, int(np.prod(builder.x.shape[1:-1])), layer))
        case keras.layers.Softmax():
            _drop(builder, layer.name, "softmax", final)
        case keras.layers.Activation() if operation_of(layer) in ("softmax", "sigmoid") and final:
            _drop(builder, layer.name, function_name(layer.activation), final)
        case keras.layers.Activation() if operation_of(layer) == "linear":
            return
        case _:
            _lower_float(builder, layer.name, layer)


def _drop(builder: _Builder, name: str, operation: str, final: bool) -> None:
    if not final:
        raise QnnError(f"{name}: softmax in the middle of the network; it is supported at the end only")
    builder.notes.append(
        f"{name}: the final {operation} is left out; classes are decided on the values before it, "
        "which differ where its rounding makes two scores equal"
    )


def _lower_float(builder: _Builder, name: str, module: Any) -> None:
    """Add one elementwise float operation; after a quantizer the current values are codes again."""
    operation = operation_of(module)
    if operation is None:
        raise QnnError(f"{name}: {type(module).__name__} is not supported; supported are {_SUPPORTED}")
    _check_parameters(builder, name, module)
    code = code_type_of(module)
    if operation in monotone.AMBIGUOUS or (operation not in monotone.SINGLE_VALUED and not is_single_valued(module)):
        raise QnnError(
            f"{name}: {operation} gives different floats for the same number, depending on its place in the tensor, so "
            "that no threshold is exact; use relu, leaky_relu or hard_tanh"
        )
    if code is None:
        builder.add(FloatStage(name, operation, module))
        builder.codes = None
        return
    # The whole range of the type: a level nobody reaches is a threshold that never fires.
    low, high = code.min_code, code.max_code
    builder.add(FloatStage(name, operation, module, code, low, high))
    builder.codes, builder.step = code, 1.0
    builder.low, builder.high = (2 * low - 1, 2 * high - 1) if code.bipolar else (low, high)


def _check_parameters(builder: _Builder, name: str, module: Any) -> None:
    channels, pixels = builder.x.shape[-1], int(np.prod(builder.x.shape[1:-1]))
    if isinstance(module, keras.layers.BatchNormalization):
        axis = module.axis if isinstance(module.axis, int) else module.axis[0]
        if axis not in (-1, len(builder.x.shape) - 1):
            raise QnnError(f"{name}: BatchNormalization over axis {axis}; it must be the last axis (channels_last)")
        if _flattened_map(builder):
            raise QnnError(
                f"{name}: BatchNormalization after a Flatten of several pixels has one parameter a pixel; put "
                "it before "
                "the Flatten"
            )
    per_channel = pixels == 1 and not _flattened_map(builder)
    if isinstance(module, keras.layers.PReLU) and not per_channel and int(np.prod(module.alpha.shape)) != channels:
        raise QnnError(f"{name}: PReLU with one slope a pixel; use shared_axes=[1, 2]")


def _flattened_map(builder: _Builder) -> bool:
    """Tell whether a map of several pixels was flattened since the last accumulator or the input."""
    for stage in reversed(builder.stages):
        if isinstance(stage, DotStage):
            return False
        if isinstance(stage, FlattenStage) and stage.pixels > 1:
            return True
    return False


def _check_channels_last(layer: Any) -> None:
    if getattr(layer, "data_format", "channels_last") not in (None, "channels_last"):
        raise QnnError(f"{layer.name}: data_format={layer.data_format}; only channels_last is supported")


def _lower_pool(builder: _Builder, layer: Any) -> None:
    _check_channels_last(layer)
    size, strides = tuple(layer.pool_size), tuple(layer.strides)
    padding = _padding(layer.padding, builder.x.shape[1:3], size, strides)
    builder.add(PoolStage(layer.name, size, strides, padding, layer))


def _padding(kind: str, shape: Sequence[int], size: Sequence[int], strides: Sequence[int]) -> Padding:
    if kind == "valid":
        return (0, 0, 0, 0)
    top, bottom = same_padding(shape[0], size[0], strides[0])
    left, right = same_padding(shape[1], size[1], strides[1])
    return (top, bottom, left, right)


def _lower_dot(builder: _Builder, layer: Any, final: bool) -> None:
    """Split a dense or convolution layer into quantizer, integer product, scale, bias and activation."""
    quantizer = _input_quantizer(layer)
    if quantizer is not None:
        code = code_type_of(quantizer)
        if code is None:
            raise QnnError(
                f"{layer.name}: the input_quantizer states no code_type; use a quantizer of qnn_hw.quantizers"
            )
        if code.channel_scales:
            raise QnnError(
                f"{layer.name}: the scales of its input_quantizer {function_name(quantizer)} depend on the samples; "
                "use it for kernels only, and for example 'ste_sign' here"
            )
        _lower_float(builder, layer.name, Apply(quantizer, name=f"{layer.name}.input_quantizer"))
    codes = builder.codes
    if codes is None:
        raise QnnError(f"{layer.name}: its input is not quantized; give it an input_quantizer, for example 'ste_sign'")
    if codes.offset:
        raise QnnError(
            f"{layer.name}: its input has levels {codes} with an offset; use a quantizer whose code 0 means 0"
        )
    raw = builder.step
    own = isinstance(layer, (IntegerDense, IntegerConv2D))
    kernel = own_kernel(layer) if own else integer_kernel(layer)
    stage = _dot_stage(builder, layer, kernel, codes, raw)
    builder.add(stage)
    builder.codes = None
    if own:
        return
    factor = (kernel.scale * codes.scale * raw).astype(np.float32)
    if (factor != 1).any():
        _add_with_weights(builder, layer.name, "scale", Scale(len(factor), name=f"{layer.name}.scale"), factor)
    if layer.use_bias:
        bias = np.asarray(layer.bias, np.float32)
        if not np.isfinite(bias).all():
            raise QnnError(f"{layer.name}: the bias holds NaN or infinity; train the model again")
        _add_with_weights(builder, layer.name, "bias", Bias(name=f"{layer.name}.bias"), bias)
    operation = function_name(layer.activation)
    if operation == "softmax" or (operation == "sigmoid" and final):
        _drop(builder, layer.name, operation, final)
    elif operation != "linear":
        _lower_float(builder, layer.name, Apply(layer.activation, name=f"{layer.name}.activation"))


def _add_with_weights(
    builder: _Builder, name: str, operation: str, module: Any, value: npt.NDArray[np.float32]
) -> None:
    builder.add(FloatStage(name, operation, module))
    module.set_weights([value])


def _dot_stage(builder: _Builder, layer: Any, kernel: IntegerKernel, codes: CodeType, raw: float) -> DotStage:
    """Build the integer layer and work out which accumulators it can reach."""
    dense = isinstance(layer, _DENSE)
    # Values behind an integer map are integers already; quantized activations still carry their scale.
    input_scale = layer.input_scale if isinstance(layer, (IntegerDense, IntegerConv2D)) else codes.scale
    strides, padding, pad_value = ((1, 1), (0, 0, 0, 0), 0) if dense else _window(builder, layer, codes.scale * raw)
    weights = kernel.codes.T if dense else np.transpose(kernel.codes, (3, 0, 1, 2))
    reach = _reach(builder, weights, kernel.dtype, pad_value if any(padding) else None)
    bound = max(abs(reach.first), abs(reach.last), _magnitude(builder, weights, pad_value))
    if bound >= _EXACT_FLOAT32:
        raise QnnError(
            f"{layer.name}: accumulators reach {bound}, float32 is exact below {_EXACT_FLOAT32}; use fewer "
            "inputs or bits"
        )
    name, text = layer.name, str(kernel.dtype)
    if dense:
        module: Any = IntegerDense(weights.shape[0], text, input_scale, name=name)
    else:
        module = IntegerConv2D(
            weights.shape[0], weights.shape[1:3], text, strides, padding, pad_value, input_scale, name=name
        )
    module.build(builder.x.shape)
    module.set_weights([kernel.codes.astype(np.float32)])
    contiguous = np.ascontiguousarray(weights, dtype=np.int64)
    return DotStage(name, contiguous, kernel.dtype, strides, padding, pad_value, reach, module)


def _window(builder: _Builder, layer: Any, value_of_one: float) -> tuple[tuple[int, int], Padding, int]:
    """Return strides, padding and the padded code of a convolution."""
    _check_channels_last(layer)
    if isinstance(layer, IntegerConv2D):
        return (layer.strides[0], layer.strides[1]), cast(Padding, tuple(layer.padding)), layer.pad_value
    if tuple(layer.dilation_rate) != (1, 1):
        raise QnnError(f"{layer.name}: dilation_rate={tuple(layer.dilation_rate)}; only 1 is supported")
    if layer.groups != 1:
        raise QnnError(f"{layer.name}: groups={layer.groups}; only 1 is supported")
    strides = (layer.strides[0], layer.strides[1])
    padding = _padding(layer.padding, builder.x.shape[1:3], layer.kernel_size, strides)
    pad = float(getattr(layer, "pad_values", 0.0)) / value_of_one
    code = round(pad)
    allowed = code == 0 or (builder.low <= code <= builder.high)
    if any(padding) and (abs(pad - code) > 1e-6 * max(1.0, abs(pad)) or not allowed):
        raise QnnError(
            f"{layer.name}: pad_values={layer.pad_values:g} is no value of its input (codes "
            f"{builder.low}..{builder.high} "
            f"times {value_of_one:g}); use one of these or 0"
        )
    return strides, padding, code if any(padding) else 0


def _reach(builder: _Builder, weights: IntArray, dtype: DataType, pad: int | None) -> Reach:
    """Return every value the accumulators can take, over all channels and border cases."""
    flat = weights.reshape(len(weights), -1)
    low = builder.low if pad is None else min(builder.low, pad)
    high = builder.high if pad is None else max(builder.high, pad)
    # With bipolar operands and no zero padding each product is odd, so the sum has the parity of their number.
    odd = dtype == BIPOLAR and builder.codes is not None and builder.codes.bipolar and pad != 0
    products = np.sort(np.stack([flat * low, flat * high]), axis=0)
    first, last = int(products[0].sum(axis=1).min()), int(products[1].sum(axis=1).max())
    return Reach(first, last, 2 if odd else 1)


def _magnitude(builder: _Builder, weights: IntArray, pad: int) -> int:
    """Return a bound on every partial sum, in whatever order it is taken."""
    flat = np.abs(weights.reshape(len(weights), -1))
    return int(flat.sum(axis=1).max()) * max(abs(builder.low), abs(builder.high), abs(pad))
