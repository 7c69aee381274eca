# SPDX-License-Identifier: Apache-2.0
"""Keras layers of a prepared model: exact integers in float32, and every float operation as a layer of its own.

A prepared model states the arithmetic the hardware is compared with: integers (below 2**24, hence exact in float32) up
to the accumulator, then the trained model's float operations one by one. All layers are for inference; none trains.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops


def is_power_of_two(value: float) -> bool:
    """Tell whether multiplying by `value` only changes the exponent (0.125, 1, 4, ...)."""
    return value > 0 and math.frexp(value)[0] == 0.5


def _to_codes(x: Any, scale: float) -> Any:
    """Undo the scale of quantized values: exact for a power of two, otherwise rounded to the code they stand for."""
    if scale == 1.0:
        return x
    codes = ops.multiply(x, 1.0 / scale)
    return codes if is_power_of_two(scale) else ops.round(codes)


@keras.saving.register_keras_serializable("qnn_hw")
class IntegerMap(keras.layers.Layer):
    """First layer of a prepared model: u = factor * x + summand on raw integer samples, delivered as float32.

    Args:
        factor: integer factor.
        summand: integer summand.
        sample_dtype: text form of the raw samples' type, for example "u8".
    """

    def __init__(self, factor: int = 1, summand: int = 0, sample_dtype: str = "u8", **kwargs: Any) -> None:
        super().__init__(**{"trainable": False, **kwargs})
        self.factor, self.summand, self.sample_dtype = int(factor), int(summand), sample_dtype

    def call(self, inputs: Any) -> Any:
        """Any shape, integers in, float32 integers out."""
        x = ops.cast(inputs, "float32")
        if (self.factor, self.summand) == (1, 0):
            return x
        return ops.add(ops.multiply(x, float(self.factor)), float(self.summand))

    def compute_output_spec(self, inputs: Any) -> Any:
        """Same shape, float32."""
        return keras.KerasTensor(inputs.shape, dtype="float32")

    def get_config(self) -> dict[str, Any]:
        """Arguments of `__init__`."""
        own = {"factor": self.factor, "summand": self.summand, "sample_dtype": self.sample_dtype}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("qnn_hw")
class IntegerDense(keras.layers.Layer):
    """Product of integer codes and an integer kernel (inputs, units), held as float32.

    Args:
        units: rows of the result.
        weight_dtype: text form of the kernel's type, for example "b1".
        input_scale: real value of one code step of the input; the codes are recovered first.
    """

    def __init__(self, units: int, weight_dtype: str, input_scale: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**{"trainable": False, **kwargs})
        self.units, self.weight_dtype, self.input_scale = int(units), weight_dtype, float(input_scale)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the kernel, to be filled by `set_weights`."""
        shape = (input_shape[-1], self.units)
        self.kernel = self.add_weight(shape=shape, initializer="zeros", trainable=False, name="kernel")

    def call(self, inputs: Any) -> Any:
        """(..., inputs) -> (..., units), the integer accumulators."""
        return ops.matmul(_to_codes(inputs, self.input_scale), self.kernel)

    def get_config(self) -> dict[str, Any]:
        """Arguments of `__init__`."""
        own = {"units": self.units, "weight_dtype": self.weight_dtype, "input_scale": self.input_scale}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("qnn_hw")
class IntegerConv2D(keras.layers.Layer):
    """Convolution of integer codes with an integer kernel (kh, kw, inputs, filters), held as float32.

    Args:
        filters: channels of the result.
        kernel_size: height, width.
        weight_dtype: text form of the kernel's type, for example "b1".
        strides: vertical, horizontal.
        padding: rows at the top and bottom, columns left and right.
        pad_value: value of every padded code.
        input_scale: real value of one code step of the input; the codes are recovered first.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Sequence[int],
        weight_dtype: str,
        strides: Sequence[int] = (1, 1),
        padding: Sequence[int] = (0, 0, 0, 0),
        pad_value: int = 0,
        input_scale: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"trainable": False, **kwargs})
        self.filters, self.weight_dtype = int(filters), weight_dtype
        self.kernel_size, self.strides, self.padding = tuple(kernel_size), tuple(strides), tuple(padding)
        self.pad_value, self.input_scale = int(pad_value), float(input_scale)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the kernel, to be filled by `set_weights`."""
        shape = (*self.kernel_size, input_shape[-1], self.filters)
        self.kernel = self.add_weight(shape=shape, initializer="zeros", trainable=False, name="kernel")

    def call(self, inputs: Any) -> Any:
        """(N, H, W, inputs) -> (N, OH, OW, filters), the integer accumulators."""
        x = _to_codes(inputs, self.input_scale)
        top, bottom, left, right = self.padding
        if any(self.padding):
            widths = [(0, 0), (top, bottom), (left, right), (0, 0)]
            x = ops.pad(x, widths, mode="constant", constant_values=float(self.pad_value))
        strides = list(self.strides)
        if (x.shape[2] - self.kernel_size[1]) // strides[1] == 0:
            # One output column: TensorFlow 2.21's oneDNN convolution of one channel gives wrong sums for batches here
            # if the horizontal stride is not 1; without the columns no window covers, the stride does not matter.
            x, strides[1] = x[:, :, : self.kernel_size[1]], 1
        return ops.conv(x, self.kernel, strides=strides, padding="valid", data_format="channels_last")

    def get_config(self) -> dict[str, Any]:
        """Arguments of `__init__`."""
        own = {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "weight_dtype": self.weight_dtype,
            "strides": self.strides,
            "padding": self.padding,
            "pad_value": self.pad_value,
            "input_scale": self.input_scale,
        }
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("qnn_hw")
class Scale(keras.layers.Layer):
    """y = x * factor: the input and weight scales, moved behind the accumulator.

    Args:
        size: 1 for one factor, or one a channel.
    """

    def __init__(self, size: int = 1, **kwargs: Any) -> None:
        super().__init__(**{"trainable": False, **kwargs})
        self.size = int(size)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the factors, to be filled by `set_weights`."""
        self.factor = self.add_weight(shape=(self.size,), initializer="ones", trainable=False, name="factor")

    def call(self, inputs: Any) -> Any:
        """Same shape."""
        return ops.multiply(inputs, self.factor)

    def get_config(self) -> dict[str, Any]:
        """Arguments of `__init__`."""
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable("qnn_hw")
class Bias(keras.layers.Layer):
    """y = x + bias, the bias of a dense or convolution layer as a layer of its own."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"trainable": False, **kwargs})

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the summands (channels,), to be filled by `set_weights`."""
        self.bias = self.add_weight(shape=(input_shape[-1],), initializer="zeros", trainable=False, name="bias")

    def call(self, inputs: Any) -> Any:
        """Same shape."""
        return ops.add(inputs, self.bias)


@keras.saving.register_keras_serializable("qnn_hw")
class Apply(keras.layers.Layer):
    """An activation or quantizer that stood inside another layer, as a layer of its own.

    Args:
        function: any callable or Keras layer, or its serialized form.
    """

    def __init__(self, function: Callable[[Any], Any] | dict[str, Any] | str, **kwargs: Any) -> None:
        super().__init__(**{"trainable": False, **kwargs})
        if isinstance(function, dict | str):
            self.function: Callable[[Any], Any] = keras.saving.deserialize_keras_object(function)
        else:
            self.function = function

    def call(self, inputs: Any) -> Any:
        """Same shape."""
        return self.function(inputs)

    def compute_output_spec(self, inputs: Any) -> Any:
        """Same shape, float32."""
        return keras.KerasTensor(inputs.shape, dtype="float32")

    def get_config(self) -> dict[str, Any]:
        """Arguments of `__init__`, the function in serialized form."""
        return {**super().get_config(), "function": keras.saving.serialize_keras_object(self.function)}
