# SPDX-License-Identifier: Apache-2.0
"""Random networks as a frontend writes them, without Keras: the fuel of the property tests."""

from dataclasses import dataclass

import numpy as np

import qnn_hw.ir.ops  # noqa: F401  (fills the registry)
from qnn_hw.ir import BIPOLAR, UINT8, ConstRef, DataType, Graph, Op, TensorType
from qnn_hw.ir.geometry import same_padding
from qnn_hw.ir.ops.add import Add
from qnn_hw.ir.ops.affine import Affine
from qnn_hw.ir.ops.classifier import Classifier
from qnn_hw.ir.ops.conv2d import Conv2D
from qnn_hw.ir.ops.flatten import Flatten
from qnn_hw.ir.ops.matvec import MatVec, dot_extremes
from qnn_hw.ir.ops.max_pool import MaxPool
from qnn_hw.ir.ops.threshold import Threshold


@dataclass(frozen=True)
class Conv:
    """A convolution, optionally with a max pool on its accumulators or on its codes."""

    channels: int
    kernel: tuple[int, int] = (3, 3)
    strides: tuple[int, int] = (1, 1)
    same: bool = False
    pad_value: int = 0
    pool: tuple[int, int] | None = None
    pool_strides: tuple[int, int] = (2, 2)
    pool_same: bool = False
    pool_codes: bool = False


@dataclass(frozen=True)
class Block:
    """A residual block: convolutions that keep the size of the map (times `strides`), added to what they started from.

    Every convolution ends in codes, but the last one in accumulators where `adds_accumulators` is set. A block of other
    channels or with strides has a 1x1 convolution on its short path; `inner` blocks stand in front of its convolutions.
    """

    channels: int
    kernels: tuple[tuple[int, int], ...] = ((3, 3),)
    strides: tuple[int, int] = (1, 1)
    pad_value: int = 0
    adds_accumulators: bool = False
    inner: tuple["Block", ...] = ()


@dataclass(frozen=True)
class Net:
    """Shape of a network; weights and thresholds come from a seed."""

    input_shape: tuple[int, ...]
    convs: tuple[Conv, ...] = ()
    dense: tuple[int, ...] = ()
    classes: int = 10
    blocks: tuple[Block, ...] = ()
    dense_block: bool = False
    input_dtype: DataType = UINT8
    centred: bool = True
    code_dtype: DataType = BIPOLAR
    ranks: bool = False


class _Builder:
    def __init__(self, net: Net, seed: int) -> None:
        self.net, self.rng = net, np.random.default_rng(seed)
        self.ops: list[Op] = []
        self.constants: dict[str, np.ndarray] = {}
        self.current = "image"
        self.types = {self.current: TensorType(net.input_shape, net.input_dtype)}

    @property
    def type(self) -> TensorType:
        return self.types[self.current]

    def add(self, op: Op) -> None:
        self.ops.append(op)
        (self.current,) = op.outputs
        (self.types[self.current],) = op.infer(tuple(self.types[name] for name in op.inputs), self.constants)

    def constant(self, name: str, value: np.ndarray) -> ConstRef:
        self.constants[name] = np.asarray(value, np.int64)
        return ConstRef(name)

    def names(self, layer: str, output: str) -> dict:
        return {"name": output, "layer": layer, "inputs": (self.current,), "outputs": (output,)}

    def weights(self, layer: str, *shape: int) -> ConstRef:
        return self.constant(f"{layer}.weights", self.rng.integers(0, 2, shape) * 2 - 1)

    def threshold(self, layer: str, fan_in: int, kind: DataType) -> None:
        low, high = dot_extremes(kind, BIPOLAR, fan_in)
        self.quantize(layer, low, high, max(2, round(np.sqrt(fan_in) * max(abs(kind.minimum), kind.maximum))))

    def quantize(self, layer: str, low: int, high: int, spread: int) -> None:
        code = self.net.code_dtype
        steps = 1 if code.bipolar else code.maximum - code.minimum
        table = self.rng.integers(-spread, spread + 1, (self.type.channels, steps))
        table = np.sort(np.clip(table, low, high + 1), axis=1)
        table[self.rng.random(len(table)) < 0.08] = self.type.dtype.minimum
        table[self.rng.random(len(table)) < 0.08] = self.type.dtype.maximum + 1
        self.add(
            Threshold(
                **self.names(layer, layer),
                thresholds=self.constant(f"{layer}.thresholds", table),
                falling=self.constant(f"{layer}.falling", self.rng.integers(0, 2, self.type.channels)),
                dtype=code,
                base=0 if code.bipolar else code.minimum,
            )
        )

    def pool(self, layer: str, conv: Conv) -> None:
        size, strides = conv.pool, conv.pool_strides
        padding = (0, 0, 0, 0)
        if conv.pool_same:
            padding = (
                *same_padding(self.type.shape[0], size[0], strides[0]),
                *same_padding(self.type.shape[1], size[1], strides[1]),
            )
        self.add(MaxPool(**self.names(layer, layer), size=size, strides=strides, padding=padding))

    def conv(self, layer: str, conv: Conv, *, quantized: bool = True) -> None:
        kind = self.type
        padding = (0, 0, 0, 0)
        if conv.same:
            padding = (
                *same_padding(kind.shape[0], conv.kernel[0], conv.strides[0]),
                *same_padding(kind.shape[1], conv.kernel[1], conv.strides[1]),
            )
        self.add(
            Conv2D(
                **self.names(layer, f"{layer}_acc"),
                weights=self.weights(layer, conv.channels, *conv.kernel, kind.channels),
                weight_dtype=BIPOLAR,
                strides=conv.strides,
                padding=padding,
                pad_value=conv.pad_value,
            )
        )
        fan_in = conv.kernel[0] * conv.kernel[1] * kind.channels
        if conv.pool and not conv.pool_codes:
            self.pool(f"{layer}_pool", conv)
        if quantized:
            self.threshold(layer, fan_in, kind.dtype)
        if conv.pool and conv.pool_codes:
            self.pool(f"{layer}_pool", conv)

    def block(self, layer: str, block: Block) -> None:
        start, channels = self.current, self.type.channels
        for i, inner in enumerate(block.inner):
            self.block(f"{layer}_inner{i}", inner)
        for i, kernel in enumerate(block.kernels):
            strides = block.strides if i == 0 else (1, 1)
            conv = Conv(block.channels, kernel, strides, same=True, pad_value=block.pad_value)
            last = i == len(block.kernels) - 1
            self.conv(f"{layer}_conv{i}", conv, quantized=not (last and block.adds_accumulators))
        long = self.current
        self.current = start
        if block.channels != channels or block.strides != (1, 1):
            self.conv(f"{layer}_short", Conv(block.channels, (1, 1), block.strides))
        self.sum(layer, long)

    def sum(self, layer: str, other: str) -> None:
        names = {**self.names(f"{layer}_sum", f"{layer}_sum"), "inputs": (other, self.current)}
        self.add(Add(**names))
        kind = self.type.dtype
        self.quantize(layer, kind.minimum, kind.maximum, max(2, kind.maximum // 2))

    def dense_block(self) -> None:
        start = self.current
        self.dense("dense_block_fc", self.type.channels)
        self.sum("dense_block", start)

    def dense(self, layer: str, width: int) -> None:
        kind = self.type
        self.matvec(layer, width)
        self.threshold(layer, kind.channels, kind.dtype)

    def matvec(self, layer: str, width: int) -> None:
        self.add(
            MatVec(
                **self.names(layer, f"{layer}_acc"),
                weights=self.weights(layer, width, self.type.channels),
                weight_dtype=BIPOLAR,
            )
        )

    def classifier(self) -> None:
        classes = self.net.classes
        if self.net.ranks:
            low, high = self.type.dtype.minimum, self.type.dtype.maximum
            slopes = self.rng.integers(-3, 4, (classes, 1))
            scores = slopes * np.arange(low, high + 1) + self.rng.integers(-9, 10, (classes, 1))
            ranks = np.unique(scores, return_inverse=True)[1].reshape(scores.shape)
            scores = {"ranks": self.constant("classifier.ranks", ranks), "first": low}
        else:
            slopes, biases = self.rng.integers(-99, 100, classes), self.rng.integers(-999, 1000, classes)
            # The greatest is always there: widths are parameters, and each other width is another simulator.
            slopes[-1], biases[-1] = -100, -1000
            scores = {
                "slopes": self.constant("classifier.slopes", slopes),
                "biases": self.constant("classifier.biases", biases),
            }
        self.add(Classifier(**self.names("classifier", "class_index"), **scores))


def build(net: Net, seed: int) -> Graph:
    """Return the network as a frontend would write it, with random weights, thresholds and directions."""
    b = _Builder(net, seed)
    source = b.type
    if net.centred:
        b.add(Affine(**b.names("rescaling", "scaled"), scale=1, offset=-(1 << (net.input_dtype.bits - 1))))
    for i, conv in enumerate(net.convs):
        b.conv(f"conv{i}", conv)
    for i, block in enumerate(net.blocks):
        b.block(f"block{i}", block)
    if len(b.type.shape) > 1:
        b.add(Flatten(**b.names("flatten", "flat")))
    for i, width in enumerate(net.dense):
        b.dense(f"fc{i}", width)
    if net.dense_block:
        b.dense_block()
    b.matvec("head", net.classes)
    b.classifier()
    return Graph("random", {"image": source}, tuple(b.ops), (b.current,), b.constants)


def samples(graph: Graph, count: int, seed: int) -> np.ndarray:
    """Random input values for `graph`, the extremes among them."""
    kind = next(iter(graph.inputs.values()))
    rng = np.random.default_rng(seed)
    codes = rng.integers(kind.dtype.minimum, kind.dtype.maximum + 1, (count, *kind.shape))
    codes[:1] = kind.dtype.minimum
    codes[1:2] = kind.dtype.maximum
    return codes if not kind.dtype.bipolar else rng.integers(0, 2, codes.shape) * 2 - 1
