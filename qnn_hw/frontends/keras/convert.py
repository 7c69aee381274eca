# SPDX-License-Identifier: Apache-2.0
"""`convert`: from the stages of a prepared model to the `Graph`, with every threshold and score measured."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from qnn_hw.errors import QnnError
from qnn_hw.frontends.keras.measure import Chain, ChainStage, Steps, measure_steps
from qnn_hw.frontends.keras.prepare import Prepared, prepare
from qnn_hw.frontends.keras.scores import AffineScores, exact_scores
from qnn_hw.frontends.keras.stages import DotStage, FlattenStage, FloatStage, MapStage, PoolStage, Reach, Stage
from qnn_hw.ir.datatype import DataType, IntArray
from qnn_hw.ir.graph import ConstRef, Graph, Op, TensorType
from qnn_hw.ir.ops.affine import Affine
from qnn_hw.ir.ops.classifier import Classifier
from qnn_hw.ir.ops.conv2d import Conv2D
from qnn_hw.ir.ops.flatten import Flatten
from qnn_hw.ir.ops.matvec import MatVec
from qnn_hw.ir.ops.max_pool import MaxPool
from qnn_hw.ir.ops.threshold import Threshold

_RISING = ("scale", "bias")
"""Operations that rise in every channel, whatever their weights: scales are positive."""

HOST_QUANTIZER = "host_quantizer"
"""Name of the threshold on raw samples that the driver runs; its output is what the hardware receives."""


@dataclass(frozen=True, slots=True, eq=False)
class Converted:
    """What the front end delivers.

    Attributes:
        graph: raw samples -> class index, in the order of the network.
        prepared: the software model the graph equals.
        n_classes: scores compared.
        notes: what preparing changed, one sentence each.
    """

    graph: Graph
    prepared: Prepared
    n_classes: int
    notes: tuple[str, ...]


def convert(
    model: Any,
    *,
    input_dtype: str | None = None,
    input_scale: float | None = None,
    input_offset: float | None = None,
) -> Converted:
    """Turn a Keras model, or what `prepare` made of it, into a graph that computes the same decisions.

    Args:
        model: a Keras model or a `Prepared`; the other arguments go to `prepare` and stay None for a `Prepared`.
        input_dtype: see `prepare`.
        input_scale: see `prepare`.
        input_offset: see `prepare`.

    Raises:
        QnnError: naming the layer that cannot be converted, with what to do.
    """
    if isinstance(model, Prepared):
        prepared = model
    else:
        prepared = prepare(model, input_dtype=input_dtype, input_scale=input_scale, input_offset=input_offset)
    builder = _Builder()
    builder.types["input"] = TensorType(prepared.shape, prepared.dtype)
    segments = _segments(prepared.stages)
    reach = Reach(prepared.dtype.minimum, prepared.dtype.maximum, 2 if prepared.dtype.bipolar else 1)
    _emit_samples(builder, segments[0], reach, last=len(segments) == 1)
    for i, segment in enumerate(segments[1:], 1):
        dot = segment[0]
        if not isinstance(dot, DotStage):
            raise QnnError(f"{dot.layer}: a segment of the network starts without an accumulator")
        _emit_dot(builder, dot)
        if i < len(segments) - 1:
            _emit_chain(builder, _chain(builder, dot.layer, segment[1:], dot.reach), _identifier(dot.layer))
        else:
            _emit_scores(builder, _chain(builder, dot.layer, segment[1:], dot.reach))
    graph = Graph(
        _identifier(prepared.source),
        {"input": builder.types["input"]},
        tuple(builder.ops),
        (builder.tensor,),
        builder.constants,
    )
    return Converted(graph, prepared, builder.n_classes, prepared.notes)


def _segments(stages: tuple[Stage, ...]) -> list[list[Stage]]:
    """Cut before every dense or convolution stage; the first segment holds what stands before them all."""
    result: list[list[Stage]] = [[]]
    for stage in stages:
        if isinstance(stage, DotStage):
            result.append([])
        result[-1].append(stage)
    return result


@dataclass(slots=True)
class _Builder:
    """The graph under construction: its operators and the tensor they end in."""

    ops: list[Op] = field(default_factory=list)
    constants: dict[str, IntArray] = field(default_factory=dict)
    types: dict[str, TensorType] = field(default_factory=dict)
    tensor: str = "input"
    n_classes: int = 0

    @property
    def kind(self) -> TensorType:
        """Type of the current tensor."""
        return self.types[self.tensor]

    def fresh_tensor(self, wanted: str) -> str:
        """Return `wanted`, with a number behind it if a tensor has that name."""
        return _fresh(wanted, self.types)

    def fresh_op(self, wanted: str) -> str:
        """Return `wanted`, with a number behind it if an operator has that name."""
        return _fresh(wanted, {op.name for op in self.ops})

    def constant(self, owner: str, field_name: str, value: npt.NDArray[Any]) -> ConstRef:
        """Enter a constant under `owner.field_name`."""
        name = f"{owner}.{field_name}"
        self.constants[name] = np.ascontiguousarray(value, dtype=np.int64)
        return ConstRef(name)

    def add(self, op: Op) -> None:
        """Append an operator that reads the current tensor."""
        (self.types[op.outputs[0]],) = op.infer((self.kind,), self.constants)
        self.ops.append(op)
        self.tensor = op.outputs[0]


def _fresh(wanted: str, taken: Collection[str]) -> str:
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    return name


def _identifier(name: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return plain if re.match(r"[A-Za-z_]", plain) else f"_{plain}"


def _count_moves(stages: list[ChainStage]) -> int:
    """Return how many pools and flattens stand before the first float operation."""
    floats = [i for i, stage in enumerate(stages) if isinstance(stage, FloatStage)]
    return floats[0] if floats else len(stages)


def _chain(builder: _Builder, layer: str, stages: list[Stage], reach: Reach) -> Chain:
    """Gather what follows an integer tensor, pools moved before scale and bias: both rise, so the maximum commutes."""
    members: list[ChainStage] = []
    for stage in stages:
        if isinstance(stage, PoolStage):
            falling = [isinstance(m, FloatStage) and m.operation not in _RISING for m in members]
            members.insert(_count_moves(members) if not any(falling) else len(members), stage)
        elif isinstance(stage, (FloatStage, FlattenStage)):
            members.append(stage)
    return Chain(layer, tuple(members), builder.kind.channels, len(builder.kind.shape) + 1, reach)


def _emit_samples(builder: _Builder, stages: list[Stage], reach: Reach, last: bool) -> None:
    """Emit what stands before the first accumulator: integer map or host quantizer."""
    first = stages[0]
    if isinstance(first, MapStage) and (first.factor, first.summand) != (1, 0):
        names: dict[str, Any] = {
            "name": "input_map",
            "layer": first.layer,
            "inputs": ("input",),
            "outputs": ("input_map",),
        }
        builder.add(Affine(**names, scale=first.factor, offset=first.summand))
    _emit_chain(builder, _chain(builder, "input", stages, reach), "input_codes", host=True)


def _emit_dot(builder: _Builder, dot: DotStage) -> None:
    name = builder.fresh_op(_identifier(dot.layer))
    common: dict[str, Any] = {
        "name": name,
        "layer": dot.layer,
        "inputs": (builder.tensor,),
        "outputs": (builder.fresh_tensor(f"{name}_acc"),),
        "weights": builder.constant(name, "weights", dot.weights),
        "weight_dtype": dot.weight_dtype,
    }
    if dot.weights.ndim == 2:
        builder.add(MatVec(**common))
    else:
        builder.add(Conv2D(**common, strides=dot.strides, padding=dot.padding, pad_value=dot.pad_value))


def _emit_chain(builder: _Builder, chain: Chain, output: str, host: bool = False) -> None:
    """Emit threshold, pools and flattens up to the next accumulator.

    The threshold stands where the float operations start if a pool comes in between (it then takes in what is behind
    that pool, too), otherwise in the order of the network.
    """
    floats = [i for i, stage in enumerate(chain.stages) if isinstance(stage, FloatStage)]
    if not floats:
        _emit_moves(builder, chain.stages, ())
        return
    # Pools before the first float operation see accumulators; flattens move behind the threshold, which is the same
    # for every pixel.
    pools = [i for i, stage in enumerate(chain.stages[: floats[0]]) if isinstance(stage, PoolStage)]
    start = pools[-1] + 1 if pools else 0
    _emit_moves(builder, chain.stages[:start], ())
    inner = replace(chain, stages=chain.stages[start : floats[-1] + 1])
    n_pools = sum(isinstance(stage, PoolStage) for stage in inner.stages)
    quantizer = inner.quantizer
    if quantizer.code is None:
        raise QnnError(f"{quantizer.layer}: the values behind it are not quantized; add a quantizer")
    low, high = quantizer.low, quantizer.high
    steps = measure_steps(inner, low, high)
    if any(flip.any() for flip in steps.flips):
        # A flipped code must be a code of the same range.
        low, high = quantizer.code.min_code, quantizer.code.max_code
        steps = measure_steps(inner, low, high)
    _emit_threshold(builder, inner, steps, low, output, host)
    _emit_moves(builder, chain.stages[start:], steps.flips[:n_pools])


def _emit_threshold(builder: _Builder, chain: Chain, steps: Steps, base: int, output: str, host: bool) -> None:
    quantizer = chain.quantizer
    code = quantizer.code
    if code is None:
        raise QnnError(f"{quantizer.layer}: no quantizer")
    # A code that the first pool flips back leaves the threshold flipped.
    falling = steps.falling ^ steps.flips[0] if steps.flips else steps.falling
    thresholds = steps.thresholds
    if host and (thresholds == thresholds[0]).all() and (falling == falling[0]).all():
        thresholds, falling = thresholds[:1], np.full(chain.channels, falling[0])
    name = HOST_QUANTIZER if host else builder.fresh_op(f"{output}_threshold")
    owner = name if host else output
    builder.add(
        Threshold(
            name=name,
            layer=quantizer.layer if host else chain.layer,
            inputs=(builder.tensor,),
            outputs=(builder.fresh_tensor(output),),
            thresholds=builder.constant(owner, "thresholds", thresholds),
            falling=builder.constant(owner, "falling", falling) if falling.any() else ConstRef(""),
            dtype=DataType(code.bits, code.signed, code.bipolar),
            base=base,
        )
    )


def _emit_moves(builder: _Builder, stages: tuple[ChainStage, ...], flips: tuple[npt.NDArray[np.bool_], ...]) -> None:
    """Emit pools and flattens; `flips`: for the first pools, where what is behind them falls."""
    number = 0
    for stage in stages:
        if isinstance(stage, FloatStage):
            continue
        name = _identifier(stage.layer)
        common: dict[str, Any] = {
            "name": builder.fresh_op(name),
            "layer": stage.layer,
            "inputs": (builder.tensor,),
            "outputs": (builder.fresh_tensor(name),),
        }
        if isinstance(stage, FlattenStage):
            builder.add(Flatten(**common))
            continue
        complement = ConstRef("")
        if number < len(flips):
            following = flips[number + 1] if number + 1 < len(flips) else np.zeros_like(flips[number])
            change = flips[number] ^ following
            complement = builder.constant(name, "complement", change) if change.any() else complement
        number += 1
        builder.add(
            MaxPool(**common, size=stage.size, strides=stage.strides, padding=stage.padding, complement=complement)
        )


def _emit_scores(builder: _Builder, chain: Chain) -> None:
    """Emit the classifier on the last accumulators."""
    floats = [i for i, stage in enumerate(chain.stages) if isinstance(stage, FloatStage)]
    pools = [i for i, stage in enumerate(chain.stages) if isinstance(stage, PoolStage)]
    if floats and pools and pools[-1] > floats[0]:
        raise QnnError(
            f"{chain.stages[pools[-1]].layer}: max pooling behind the float operations of the last layer; "
            "put a quantizer and a QuantDense classifier behind it"
        )
    _emit_moves(builder, chain.stages, ())
    if builder.kind.pixels != 1:
        raise QnnError(
            f"{chain.layer}: the model ends in a map of shape {builder.kind.shape}; end it in a QuantDense, or "
            "a convolution "
            "with one output pixel, that has one score a class"
        )
    if chain.channels < 2:
        raise QnnError(f"{chain.layer}: the model has one output; a classifier needs two or more classes")
    builder.n_classes = chain.channels
    scores = exact_scores(chain)
    name = _identifier(chain.layer)
    table: dict[str, Any]
    names: dict[str, Any]
    if isinstance(scores, AffineScores):
        table = {
            "slopes": builder.constant(name, "slopes", scores.slopes),
            "biases": builder.constant(name, "biases", scores.biases),
        }
    else:
        table = {"ranks": builder.constant(name, "ranks", scores.ranks), "first": scores.first}
    names = {
        "name": builder.fresh_op("classifier"),
        "layer": chain.layer,
        "inputs": (builder.tensor,),
        "outputs": (builder.fresh_tensor("class_index"),),
    }
    builder.add(Classifier(**names, **table))
