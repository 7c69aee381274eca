# SPDX-License-Identifier: Apache-2.0
"""Quantized twins of Keras layers: the same layer, the same arguments, plus quantizers.

    QuantDense(64, input_quantizer="ste_sign", kernel_quantizer="ste_sign", kernel_constraint="weight_clip")

Order of one call: quantize the input, pad, multiply with the quantized kernel, add the bias (never quantized), apply
the activation. Without quantizers a layer computes what its Keras twin computes. Optimizer, regularizers and
constraints see the kernel's latent floats; `layer.quantized_kernel` is what the layer computes with.

Padding comes after input quantization. With the default `pad_values=0.0`, `padding="same"` on +-1 inputs therefore adds
a third value at the border; `pad_values=1.0` or `-1.0` keeps the map binary.

How it is built: a mixin a role over the Keras class. `_QuantizedInput` quantizes the input, `_QuantizedKernel` replaces
the public `kernel` property that Keras's own `call` reads, `_PaddedInput` replaces `convolution_op`.
"""

from __future__ import annotations

import warnings
from typing import Any

import keras
from keras import ops

from qnn_hw import activations, constraints, context, quantizers
from qnn_hw.errors import QnnError
from qnn_hw.quantizers import QuantizerLike

__all__ = ["QuantConv2D", "QuantDense"]


def same_padding(size: int, kernel_size: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Rows (or columns) that TensorFlow's "same" rule adds (before, after) an axis of `size` elements.

    The output has ceil(size / stride) elements; an odd number of added elements puts the extra one at the end:
    kernel 3, stride 2, size 8 gives (0, 1).
    """
    covered = (-(-size // stride) - 1) * stride + (kernel_size - 1) * dilation + 1
    total = max(covered - size, 0)
    return total // 2, total - total // 2


def _warn_if_starving(layer_name: str, quantizer: Any, constraint: Any, weight: str) -> None:
    """Warn about a binary weight quantizer whose latent weights may grow out of its gradient's reach."""
    if getattr(quantizer, "precision", None) == 1 and constraint is None:
        warnings.warn(
            f"{layer_name}: a 1-bit {weight}_quantizer without a {weight}_constraint may leave starved weights, whose "
            f'gradient is zero for good; set {weight}_constraint="weight_clip".',
            UserWarning,
            stacklevel=3,
        )


class _QuantizedInput(keras.layers.Layer):
    """Role: quantize the input, then run the Keras layer's own `call` on quantized weights."""

    input_quantizer: Any

    def call(self, inputs: Any) -> Any:
        """Quantized input through the Keras layer, with its weights read quantized."""
        if self.input_quantizer is not None:
            inputs = self.input_quantizer(inputs)
        with context.quantized_scope(True):
            return super().call(inputs)

    def build(self, input_shape: Any) -> None:
        """Build the Keras layer, and the input quantizer if it is a layer with weights of its own."""
        if isinstance(self.input_quantizer, keras.layers.Layer) and not self.input_quantizer.built:
            self.input_quantizer.build(input_shape)
        super().build(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The Keras layer's config plus the input quantizer."""
        return {**super().get_config(), "input_quantizer": quantizers.serialize(self.input_quantizer)}


class _QuantizedKernel(_QuantizedInput):
    """Role: a layer with one `kernel`, read latent outside a quantized scope and quantized inside."""

    kernel_quantizer: Any

    @property
    def kernel(self) -> Any:
        """Latent kernel variable; inside `quantized_scope(True)` its quantized value."""
        latent = super().kernel
        if self.kernel_quantizer is None or not context.should_quantize():
            return latent
        return self.kernel_quantizer(ops.convert_to_tensor(latent))

    @property
    def quantized_kernel(self) -> Any:
        """Kernel as the layer computes with it: a tensor of the kernel's shape (the latent values if not quantized).

        Raises:
            AttributeError: from Keras, before the layer is built.
        """
        with context.quantized_scope(True):
            return ops.convert_to_tensor(self.kernel)

    def build(self, input_shape: Any) -> None:
        """Build the Keras layer, then the kernel quantizer if it is a layer with weights of its own."""
        super().build(input_shape)
        if isinstance(self.kernel_quantizer, keras.layers.Layer) and not self.kernel_quantizer.built:
            self.kernel_quantizer.build(super().kernel.shape)

    def get_config(self) -> dict[str, Any]:
        """The Keras layer's config plus the kernel quantizer."""
        return {**super().get_config(), "kernel_quantizer": quantizers.serialize(self.kernel_quantizer)}

    def _set_quantizers(self, input_quantizer: QuantizerLike, kernel_quantizer: QuantizerLike) -> None:
        """Resolve and keep both quantizers; call after the Keras `__init__`."""
        self.input_quantizer = quantizers.get(input_quantizer)
        self.kernel_quantizer = quantizers.get_kernel_quantizer(kernel_quantizer)
        _warn_if_starving(self.name, self.kernel_quantizer, self.kernel_constraint, "kernel")


class _PaddedInput(keras.layers.Layer):
    """Role: a convolution whose "same" padding fills in `pad_values` instead of zero."""

    pad_values: float

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Convolve; where zero is not what "same" shall fill in, pad first and convolve "valid"."""
        if self.padding != "same" or self.pad_values == 0.0:
            return super().convolution_op(inputs, kernel)
        padded = ops.pad(inputs, self._pad_widths(inputs.shape), mode="constant", constant_values=self.pad_values)
        return ops.conv(
            padded,
            kernel,
            strides=list(self.strides),
            padding="valid",
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )

    def get_config(self) -> dict[str, Any]:
        """The Keras layer's config plus the padding value."""
        return {**super().get_config(), "pad_values": self.pad_values}

    def _pad_widths(self, input_shape: Any) -> list[tuple[int, int]]:
        """(before, after) for every axis of the input, batch and channels included."""
        first_spatial = 1 if self.data_format == "channels_last" else 2
        widths = [(0, 0)] * (self.rank + 2)
        for i in range(self.rank):
            size = input_shape[first_spatial + i]
            if size is None:
                raise QnnError(
                    f'{self.name}: pad_values={self.pad_values} with padding="same" needs a known image size, '
                    f"found shape {tuple(input_shape)}; give the model an Input with fixed height and width."
                )
            widths[first_spatial + i] = same_padding(size, self.kernel_size[i], self.strides[i], self.dilation_rate[i])
        return widths


@keras.saving.register_keras_serializable("qnn_hw")
class QuantDense(_QuantizedKernel, keras.layers.Dense):
    """`keras.layers.Dense` with quantized input and kernel.

    Input (batch, ..., input_dim), kernel (input_dim, units), output (batch, ..., units).

    Args:
        units: number of output neurons.
        activation: applied last; ours by name as well.
        use_bias: whether to add a float bias.
        input_quantizer: applied to the input, see `qnn_hw.quantizers.get`; `None` leaves it as it is.
        kernel_quantizer: applied to the kernel.
        kernel_initializer: initial latent kernel.
        bias_initializer: initial bias.
        kernel_regularizer: penalty on the latent kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output.
        kernel_constraint: projection of the latent kernel after each update; "weight_clip" as well.
        bias_constraint: projection of the bias after each update.
        **kwargs: arguments of every Keras layer (name, dtype, trainable) and of `Dense` that come last there.

    Raises:
        QnnError: for an unknown quantizer.

    Warns:
        UserWarning: for a 1-bit kernel quantizer without a kernel constraint.
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        input_quantizer: QuantizerLike = None,
        kernel_quantizer: QuantizerLike = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units,
            activation=activations.get(activation),
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=constraints.get(kernel_constraint),
            bias_constraint=constraints.get(bias_constraint),
            **kwargs,
        )
        self._set_quantizers(input_quantizer, kernel_quantizer)


@keras.saving.register_keras_serializable("qnn_hw")
class QuantConv2D(_QuantizedKernel, _PaddedInput, keras.layers.Conv2D):
    """`keras.layers.Conv2D` with quantized input and kernel and a choice of the padding value.

    Input (batch, height, width, channels), kernel (kernel height, kernel width, channels / groups, filters), output
    (batch, out height, out width, filters).

    Args:
        filters: number of output channels.
        kernel_size: height and width of the kernel, one integer for both or a pair.
        strides: step along height and width.
        padding: "valid", or "same" by TensorFlow's rule (an odd element is added at the end).
        pad_values: what "same" fills in after the input has been quantized; no effect with "valid".
        data_format: "channels_last" (default) or "channels_first"; the compiler takes the first.
        dilation_rate: distance of the kernel's taps.
        groups: number of channel groups that are convolved separately.
        activation: applied last; ours by name as well.
        use_bias: whether to add a float bias.
        input_quantizer: applied to the input, see `qnn_hw.quantizers.get`; `None` leaves it as it is.
        kernel_quantizer: applied to the kernel.
        kernel_initializer: initial latent kernel.
        bias_initializer: initial bias.
        kernel_regularizer: penalty on the latent kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output.
        kernel_constraint: projection of the latent kernel after each update; "weight_clip" as well.
        bias_constraint: projection of the bias after each update.
        **kwargs: arguments of every Keras layer (name, dtype, trainable).

    Raises:
        QnnError: for an unknown quantizer, or when called with an unknown image size that has to be padded.

    Warns:
        UserWarning: for a 1-bit kernel quantizer without a kernel constraint.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int] = (1, 1),
        padding: str = "valid",
        pad_values: float = 0.0,
        data_format: str | None = None,
        dilation_rate: int | tuple[int, int] = (1, 1),
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        input_quantizer: QuantizerLike = None,
        kernel_quantizer: QuantizerLike = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            filters,
            kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            groups=groups,
            activation=activations.get(activation),
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=constraints.get(kernel_constraint),
            bias_constraint=constraints.get(bias_constraint),
            **kwargs,
        )
        self.pad_values = float(pad_values)
        self._set_quantizers(input_quantizer, kernel_quantizer)
