# SPDX-License-Identifier: Apache-2.0
"""Nodes of an hls4ml graph: our operators, and the quantizer that passes turn into a threshold."""

from typing import Any, ClassVar

import numpy as np
from hls4ml.model.attributes import Attribute, ConfigurableAttribute, WeightAttribute
from hls4ml.model.layers import Layer, layer_map, register_layer
from hls4ml.model.types import IntegerPrecisionType, XnorPrecisionType

from qnn_hw.ir.datatype import IntArray, smallest_dtype

WORD_BITS = 32
"""Synapses of a weight word."""

_SMALLEST = 2
"""Integer types below two bits confuse hls4ml's type inference."""


class QnnQuantizer(Layer):
    """A quantizer of the Keras model before its thresholds are known; none is left after conversion.

    Attributes:
        keras_layer: name of the Keras layer it belongs to.
        part: "input_quantizer", "activation" or "layer" (the layer is itself the quantizer).
    """

    _expected_attributes: ClassVar[tuple[Any, ...]] = (
        Attribute("keras_layer", value_type=str),
        Attribute("part", value_type=str),
    )

    def initialize(self) -> None:
        """Output: the input's shape, one bit."""
        self.add_output_variable(self.get_input_variable().shape, precision=XnorPrecisionType())


class _Dot(Layer):
    """What matvec and convolution share: rows of packed +-1 weights, integer sums out.

    Attributes:
        keras_layer: name of the Keras layer.
        n_taps: products of a sum.
        weight_data: (rows, words of 32 synapses), see `pack_weights`.
        pad_code: code at padded positions.
        acc_width: bits of a sum, set by the pass that knows the operand.
    """

    _expected_attributes: ClassVar[tuple[Any, ...]] = (
        Attribute("keras_layer", value_type=str),
        Attribute("n_taps"),
        Attribute("n_words"),
        Attribute("pad_code", default=0),
        Attribute("acc_width", default=32),
        ConfigurableAttribute("reuse_factor", default=1),
        WeightAttribute("weight"),
    )

    def initialize(self) -> None:
        """Output: 32-bit integers until the pass narrows them."""
        precision = IntegerPrecisionType(width=32, signed=True)
        self.add_output_variable(list(self.get_attr("output_shape")), precision=precision)
        words = IntegerPrecisionType(width=WORD_BITS, signed=False)
        self.add_weights_variable("weight", var_name="w{index}", precision=words, data=self.get_attr("weight_data"))


class QnnMatvec(_Dot):
    """Dense layer with +-1 weights: n_pixels vectors of n_taps elements, n_out sums each."""

    _expected_attributes: ClassVar[tuple[Any, ...]] = (Attribute("n_pixels"), Attribute("n_out"))


class QnnConvolution(_Dot):
    """2D convolution with +-1 weights; geometry attributes as hls4ml's Conv2D."""

    _expected_attributes: ClassVar[tuple[Any, ...]] = (Attribute("n_chan"), Attribute("n_filt"))


class QnnThreshold(Layer):
    """Step function a channel.

    Attributes:
        threshold_data: (channels, steps) ascending, in codes of the input.
        falling_data: (channels,) bool.
        low, step: smallest code delivered, distance of two.
        out_precision: type of the output; taken away once it has been used.
    """

    _expected_attributes: ClassVar[tuple[Any, ...]] = (
        Attribute("low"),
        Attribute("step"),
        WeightAttribute("threshold"),
        WeightAttribute("falling"),
    )

    def initialize(self) -> None:
        """Output: the input's shape."""
        self.add_output_variable(self.get_input_variable().shape, precision=_take(self, "out_precision"))
        thresholds = self.get_attr("threshold_data")
        self.add_weights_variable(
            "threshold", var_name="t{index}", precision=fitting_integer(thresholds), data=thresholds.astype(np.int64)
        )
        _add_bits(self, "falling", "f{index}")


class QnnPool(Layer):
    """Max pooling of codes, any stride and padding.

    Attributes:
        complement_data: (channels,) bool, where the maximum is flipped.
        flip: smallest plus greatest code.
        out_precision: type of input and output; taken away once it has been used.
    """

    _expected_attributes: ClassVar[tuple[Any, ...]] = (
        Attribute("n_chan"),
        Attribute("flip"),
        WeightAttribute("complement"),
    )

    def initialize(self) -> None:
        """Output: out_height, out_width, n_chan."""
        shape = [self.get_attr("out_height"), self.get_attr("out_width"), self.get_attr("n_chan")]
        self.add_output_variable(shape, precision=_take(self, "out_precision"))
        _add_bits(self, "complement", "c{index}")


DOTS = ("QnnMatvec", "QnnConvolution")
"""Class names of the nodes that read codes."""


def register_nodes() -> None:
    """Enter the nodes into hls4ml's table of layers, once."""
    for node in (QnnQuantizer, QnnMatvec, QnnConvolution, QnnThreshold, QnnPool):
        if node.__name__ not in layer_map:
            register_layer(node.__name__, node)


def pack_weights(weights: IntArray) -> IntArray:
    """Pack rows of +-1 into words of 32 synapses.

    Args:
        weights: (rows, inputs) of -1 and +1.

    Returns:
        (rows, words) int64: synapse i in bit i % 32 of word i // 32, bit 1 = +1; the rest of the last word is 1.
    """
    rows, n_inputs = weights.shape
    n_words = -(-n_inputs // WORD_BITS)
    bits = np.ones((rows, n_words * WORD_BITS), np.int64)
    bits[:, :n_inputs] = weights > 0
    return np.asarray((bits.reshape(rows, n_words, WORD_BITS) << np.arange(WORD_BITS)).sum(axis=2))


def fitting_integer(values: IntArray) -> Any:
    """Return hls4ml's signed integer type that holds all values."""
    found = smallest_dtype(min(int(values.min()), -1), int(values.max()))
    return IntegerPrecisionType(width=max(found.bits, _SMALLEST), signed=True)


def _take(node: Any, name: str) -> Any:
    """Remove an attribute: hls4ml would make a type definition of a precision that stays."""
    value = node.get_attr(name)
    del node.attributes[name]
    return value


def _add_bits(node: Any, name: str, var_name: str) -> None:
    data = np.asarray(node.get_attr(f"{name}_data")).astype(np.int64)
    node.add_weights_variable(name, var_name=var_name, precision=IntegerPrecisionType(width=1, signed=False), data=data)
