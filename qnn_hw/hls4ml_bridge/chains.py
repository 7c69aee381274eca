# SPDX-License-Identifier: Apache-2.0
"""Accumulators and thresholds of a part of a Keras model, measured by the compiler's own front end.

A part is one of our layers with what follows it up to a quantizer. It is prepared as a model of its own, so that the
same TensorFlow operations decide here and in the trained model.
"""

from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from qnn_hw.errors import QnnError
from qnn_hw.frontends.keras.integer_layers import Apply, Scale
from qnn_hw.frontends.keras.measure import Chain, ChainStage, Steps, measure_steps
from qnn_hw.frontends.keras.operations import code_type_of, function_name
from qnn_hw.frontends.keras.prepare import prepare
from qnn_hw.frontends.keras.stages import DotStage, FlattenStage, FloatStage, PoolStage, Reach
from qnn_hw.hls4ml_bridge.upstream import OURS, find_layer, moves_codes, upstream
from qnn_hw.ir.code_type import CodeType
from qnn_hw.ir.datatype import IntArray

RAW_BITS = 16
"""Widest raw input of a layer without an input quantizer."""

_WINDOW_BITS = 24
"""float32 holds every integer of this many bits; beyond, only the steps themselves matter."""


@dataclass(frozen=True, slots=True)
class Raw:
    """Type of raw inputs: integers of `bits` bits times 2^-fraction_bits."""

    bits: int
    signed: bool
    fraction_bits: int


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """A max pool of codes; `complement`: (channels,) bool, which of them are flipped afterwards."""

    stage: PoolStage
    complement: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Quantized:
    """A quantizer as integer operations on accumulators or on values of a fixed-point type.

    Attributes:
        pools_before: max pools of the integers themselves.
        thresholds: (channels, steps) ascending.
        falling: (channels,) bool.
        low, high: smallest and greatest code (bipolar: 0 and 1).
        code: what the codes mean.
        pools_after: max pools of the codes.
    """

    pools_before: tuple[Pool, ...]
    thresholds: IntArray
    falling: npt.NDArray[np.bool_]
    low: int
    high: int
    code: CodeType
    pools_after: tuple[Pool, ...]


def quantizer_of(layer: Any, part: str) -> Any:
    """Return the quantizer of a layer: its input_quantizer, its activation, or the layer itself."""
    return layer if part == "layer" else getattr(layer, part)


def stated_code(layer: Any, part: str) -> CodeType:
    """Return the code type of a quantizer that the bridge can take.

    Raises:
        QnnError: if it states none, or one whose scales depend on the samples, or an offset.
    """
    quantizer = quantizer_of(layer, part)
    code = code_type_of(quantizer)
    name = f"{layer.name}.{part}" if part != "layer" else layer.name
    if code is None or code.channel_scales or code.offset:
        raise QnnError(
            f"{name}: {function_name(quantizer)} delivers no fixed integer codes, which the hls4ml bridge needs; use a "
            "quantizer such as 'ste_sign'"
        )
    return code


def raw_source(model: Any, name: str) -> bool:
    """Tell whether one of our layers reads raw inputs of the model.

    Raises:
        QnnError: if what it reads is neither raw input nor the codes of a quantizer.
    """
    return _operand_code(model, find_layer(model, name)) is None


def operand_scale(model: Any, name: str, raw: Raw | None) -> float:
    """Return the real value of one step of what a layer of ours multiplies, see `dot_stage`."""
    if raw is not None:
        return 2.0**-raw.fraction_bits
    code = _operand_code(model, find_layer(model, name))
    return 1.0 if code is None else code.scale


def dot_stage(model: Any, name: str, raw: Raw | None) -> DotStage:
    """Return the integer product of one of our layers.

    Args:
        model: the Keras model.
        name: of the layer.
        raw: type of the raw inputs, for a layer that reads them.

    Raises:
        QnnError: if the layer cannot be made exact.
    """
    stages = _prepared(model, find_layer(model, name), (), raw)
    return next(stage for stage in stages if isinstance(stage, DotStage))


def fused_source(model: Any, name: str, part: str) -> str | None:
    """Return the name of our layer whose accumulators a quantizer sees through elementwise layers; None if none."""
    layer = find_layer(model, name)
    if part == "activation":
        return str(layer.name)
    above = upstream(model, layer)
    if not isinstance(above.source, OURS):
        return None
    # Codes of the source's own activation are the operand then, not its accumulators.
    return None if code_type_of(above.source.activation) is not None else str(above.source.name)


def fused_quantizer(model: Any, name: str, part: str, raw: Raw | None) -> Quantized:
    """Measure a quantizer on the accumulators of our layer before it (see `fused_source`).

    Args:
        model: the Keras model.
        name: of the layer the quantizer belongs to.
        part: which quantizer of it, see `quantizer_of`.
        raw: type of the raw inputs, if our layer before it reads them.

    Raises:
        QnnError: if a channel's code is not monotone, or an operation has no exact threshold.
    """
    layer = find_layer(model, name)
    stated_code(layer, part)
    if part == "activation":
        stages = _prepared(model, layer, (), raw)
    else:
        above = upstream(model, layer)
        quantizer = Apply(quantizer_of(layer, part), name=f"{layer.name}.{part}")
        stages = _prepared(model, above.source, (*above.between, quantizer), raw)
    dot = next(stage for stage in stages if isinstance(stage, DotStage))
    members = _members(stages[stages.index(dot) + 1 :])
    return _measure(Chain(dot.layer, members, len(dot.weights), dot.weights.ndim, dot.reach))


def value_quantizer(model: Any, name: str, part: str, raw: Raw) -> Quantized:
    """Measure a quantizer on every value of a fixed-point type, the same for all channels.

    Raises:
        QnnError: if not all of its steps lie within the type's range of 24-bit integers.
    """
    layer = find_layer(model, name)
    code = stated_code(layer, part)
    bits = min(raw.bits, _WINDOW_BITS)
    reach = Reach(-(1 << bits - 1), (1 << bits - 1) - 1) if raw.signed else Reach(0, (1 << bits) - 1)
    scale = Scale(1, name=f"{layer.name}.{part}.scale")
    scale.build((None, 1))
    scale.set_weights([np.array([2.0**-raw.fraction_bits], np.float32)])
    quantizer = Apply(quantizer_of(layer, part), name=f"{layer.name}.{part}")
    stages = (
        FloatStage(layer.name, "scale", scale),
        FloatStage(layer.name, function_name(quantizer.function), quantizer, code, code.min_code, code.max_code),
    )
    found = _measure(Chain(layer.name, stages, 1, 2, reach))
    inside = (found.thresholds > reach.first) & (found.thresholds <= reach.last)
    if raw.bits > bits and not inside.all():
        raise QnnError(
            f"{layer.name}: its input has {raw.bits} bits and a quantizer step outside of 24 of them; give the layer "
            "before it a result precision of at most 24 bits"
        )
    return found


def _operand_code(model: Any, layer: Any) -> CodeType | None:
    """Return the code type of what a layer of ours multiplies; None for raw inputs of the model."""
    if layer.input_quantizer is not None:
        return stated_code(layer, "input_quantizer")
    above = upstream(model, layer)
    floats = [one for one in above.between if not moves_codes(one)]
    if not floats and isinstance(above.source, keras.layers.InputLayer):
        return None
    if not floats and isinstance(above.source, keras.layers.Layer):
        if code_type_of(above.source) is not None:
            return stated_code(above.source, "layer")
        if isinstance(above.source, OURS) and code_type_of(above.source.activation) is not None:
            return stated_code(above.source, "activation")
    raise QnnError(f"{layer.name}: its input is not quantized; give it an input_quantizer, for example 'ste_sign'")


def _prepared(model: Any, source: Any, following: tuple[Any, ...], raw: Raw | None) -> tuple[Any, ...]:
    """Prepare source and what follows as a model of its own; return its stages."""
    (tensor,) = [t for node in source._inbound_nodes[:1] for t in node.input_tensors]
    code = _operand_code(model, source)
    dtype, scale = "u8", 1.0  # any type will do in front of an input quantizer
    if source.input_quantizer is None:
        if code is not None:
            kind = "b" if code.bipolar else "i" if code.signed else "u"
            dtype, scale = f"{kind}{code.bits}", code.scale
        elif raw is not None:
            dtype, scale = f"{'i' if raw.signed else 'u'}{raw.bits}", 2.0**-raw.fraction_bits
    x = first = keras.Input(tensor.shape[1:], dtype="float32")
    for layer in (source, *following):
        x = layer(x)
    return prepare(keras.Model(first, x, name=source.name), input_dtype=dtype, input_scale=scale).stages


def _members(stages: tuple[Any, ...]) -> tuple[ChainStage, ...]:
    """Gather a chain, pools moved before scale and bias: both rise, so the maximum commutes."""
    members: list[ChainStage] = []
    for stage in stages:
        if isinstance(stage, PoolStage):
            floats = [m for m in members if isinstance(m, FloatStage)]
            rising = all(m.operation in ("scale", "bias") for m in floats)
            members.insert(members.index(floats[0]) if floats and rising else len(members), stage)
        elif isinstance(stage, (FloatStage, FlattenStage)):
            members.append(stage)
    return tuple(members)


def _measure(chain: Chain) -> Quantized:
    """Measure the threshold that stands where the floats start, and the pools on both sides of it."""
    floats = [i for i, stage in enumerate(chain.stages) if isinstance(stage, FloatStage)]
    before = [stage for stage in chain.stages[: floats[0]] if isinstance(stage, PoolStage)]
    start = chain.stages.index(before[-1]) + 1 if before else 0
    inner = replace(chain, stages=chain.stages[start : floats[-1] + 1])
    code = inner.quantizer.code
    if code is None:
        raise QnnError(f"{inner.quantizer.layer}: the values behind it are not quantized; add a quantizer")
    low, high = inner.quantizer.low, inner.quantizer.high
    steps = measure_steps(inner, low, high)
    pools = [stage for stage in inner.stages if isinstance(stage, PoolStage)]
    none = np.zeros(chain.channels, np.bool_)
    # What the first pool flips back leaves the threshold flipped.
    falling = steps.falling ^ steps.flips[0] if steps.flips else steps.falling
    return Quantized(
        tuple(Pool(stage, none) for stage in before),
        steps.thresholds,
        falling,
        low,
        high,
        code,
        _pools_after(pools, steps, none),
    )


def _pools_after(pools: list[PoolStage], steps: Steps, none: npt.NDArray[np.bool_]) -> tuple[Pool, ...]:
    flips = (*steps.flips, none)
    return tuple(Pool(stage, flips[i] ^ flips[i + 1]) for i, stage in enumerate(pools))
