# SPDX-License-Identifier: Apache-2.0
"""Quantized twins of Keras layers: the same layer, the same arguments, plus quantizers.

    QuantDense(64, input_quantizer="ste_sign", kernel_quantizer="ste_sign", kernel_constraint="weight_clip")

Order of one call: quantize the input, pad, multiply with the quantized kernel, add the bias (never quantized), apply
the activation. Without quantizers a layer computes what its Keras twin computes. Optimizer, regularizers and
constraints see the kernel's latent floats; `layer.quantized_kernel` is what the layer computes with.

Padding comes after input quantization. With the default `pad_values=0.0`, `padding="same"` on +-1 inputs therefore adds
a third value at the border; `pad_values=1.0` or `-1.0` keeps the map binary.

Weights are quantized in their own type and then cast: under mixed precision a tiny float32 weight keeps its sign.

How it is built: a mixin a role over the Keras class. `_Quantized` resolves arguments and quantizes input and weights,
`_QuantizedWeight` is the attribute through which Keras's own `call` reads a weight, `_Padded` fills in `pad_values`.
Each public class is its signature; `_configure` sends the arguments on, and `_ARGUMENTS` documents them.
"""

from __future__ import annotations

import inspect
import itertools
import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import keras
from keras import ops

from qnn_hw import activations, constraints, context, quantizers
from qnn_hw.normalization import BatchNormalization
from qnn_hw.quantizers import ArgumentError, QuantizerLike

__all__ = [
    "BatchNormalization",
    "QuantConv1D",
    "QuantConv2D",
    "QuantConv2DTranspose",
    "QuantConv3D",
    "QuantConv3DTranspose",
    "QuantDense",
    "QuantDepthwiseConv2D",
    "QuantLocallyConnected1D",
    "QuantLocallyConnected2D",
    "QuantSeparableConv1D",
    "QuantSeparableConv2D",
]

_ARGUMENTS = {
    "units": "number of output neurons.",
    "filters": "number of output channels.",
    "kernel_size": "size of the kernel along each spatial axis, one integer for all or one for each.",
    "strides": "step along each spatial axis.",
    "padding": '"valid", or "same" by TensorFlow\'s rule (an odd element is added at the end); Conv1D also "causal".',
    "pad_values": 'what "same" fills in after the input has been quantized; no effect with "valid".',
    "output_padding": "elements added to the output along each spatial axis; None infers them.",
    "depth_multiplier": "depthwise output channels for each input channel.",
    "data_format": '"channels_last" (default) or "channels_first"; the compiler takes the first.',
    "dilation_rate": "distance of the kernel's taps.",
    "groups": "number of channel groups that are convolved separately.",
    "activation": "applied last; ours by name as well.",
    "use_bias": "whether to add a float bias.",
    "input_quantizer": "applied to the input, see `qnn_hw.quantizers.get`; None leaves it as it is.",
    "*_quantizer": "applied to the {0}; None leaves it as it is.",
    "*_initializer": "initial (latent) {0}.",
    "*_regularizer": "penalty on the (latent) {0}.",
    "activity_regularizer": "penalty on the output.",
    "*_constraint": 'projection of the (latent) {0} after each update; "weight_clip" as well.',
    "kwargs": "arguments of every Keras layer (name, dtype, trainable) and what comes last in the Keras twin.",
}


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
    binary = getattr(quantizer, "precision", None) == 1 and not isinstance(quantizer, quantizers.NoOp)
    if binary and constraint is None:
        warnings.warn(
            f"{layer_name}: a 1-bit {weight}_quantizer without a {weight}_constraint may leave starved weights, whose "
            f'gradient is zero for good; set {weight}_constraint="weight_clip".',
            UserWarning,
            stacklevel=4,
        )


def _document(cls: type) -> str:
    """Docstring of a public layer with its arguments, in the order of its signature."""
    lines = [inspect.cleandoc(cls.__doc__ or ""), "", "Args:"]
    for name in list(inspect.signature(cls.__init__).parameters)[1:]:  # type: ignore[misc]
        weight, _, kind = name.rpartition("_")
        shown = f"{weight} kernel" if weight in ("depthwise", "pointwise") else weight
        text = _ARGUMENTS.get(name) or _ARGUMENTS[f"*_{kind}"].format(shown)
        lines.append(f"    {'**' if name == 'kwargs' else ''}{name}: {text}")
    lines += ["", "Raises:", "    ArgumentError: (a ValueError) for an unknown quantizer or a contradiction."]
    lines += ["", "Warns:", "    UserWarning: for a 1-bit weight quantizer without a constraint on that weight."]
    return "\n".join(lines)


class _QuantizedWeight:
    """Attribute for a weight: the latent variable; inside `quantized_scope(True)` its quantized value.

    Keras's layers either have such a property themselves (found behind this class) or assign the variable.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.owner, self.name = owner, name

    def __get__(self, layer: Any, _: Any = None) -> Any:
        if layer is None:
            return self
        latent = self.latent(layer)
        quantizer = layer.weight_quantizer(self.name)
        if quantizer is None or not context.should_quantize():
            return latent
        return ops.cast(quantizer(ops.convert_to_tensor(latent)), layer.compute_dtype)

    def __set__(self, layer: Any, variable: Any) -> None:
        layer.__dict__[f"latent {self.name}"] = variable

    def latent(self, layer: Any) -> Any:
        assigned = layer.__dict__.get(f"latent {self.name}")
        if assigned is None and not layer.built:
            raise AttributeError(f"{layer.name}: build the layer before reading its {self.name}.")
        return getattr(super(self.owner, layer), self.name) if assigned is None else assigned


def _quantized(weight: str) -> property:
    """Property: the weight as the layer computes with it, whatever the scope; latent values if not quantized."""

    def read(self: Any) -> Any:
        with context.quantized_scope(True):
            return ops.convert_to_tensor(getattr(self, weight))

    return property(read, doc=f"Tensor: the {weight} as the layer computes with it (after it has been built).")


class _Quantized(keras.layers.Layer):
    """Role: quantize the input, then run the Keras layer's own `call` on quantized weights.

    Attributes:
        weight_roles: weight attribute -> name of the weight in the arguments `..._quantizer` and `..._constraint`.
    """

    weight_roles: ClassVar[Mapping[str, str]]
    input_quantizer: Any

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__module__ == __name__ and not cls.__name__.startswith("_"):
            keras.saving.register_keras_serializable("qnn_hw")(cls)
            cls.__doc__ = _document(cls)

    def _configure(self, arguments: dict[str, Any]) -> None:
        """Initialize the Keras layer, then the quantizers; `arguments`: locals() at the start of an `__init__`."""
        arguments = {**arguments, **arguments["kwargs"]}
        given = {role: arguments.pop(f"{role}_quantizer") for role in ("input", *self.weight_roles.values())}
        own = {"self", "kwargs"}
        resolve: dict[str, Callable[[Any], Any]] = {"activation": activations.get, "constraint": constraints.get}
        super().__init__(
            **{
                name: resolve.get(name.rpartition("_")[2], lambda same: same)(value)
                for name, value in arguments.items()
                if name not in own
            }
        )
        self.input_quantizer = quantizers.get(given.pop("input"))
        for role, identifier in given.items():
            setattr(self, f"{role}_quantizer", quantizers.get_kernel_quantizer(identifier))
            quantizer, constraint = getattr(self, f"{role}_quantizer"), getattr(self, f"{role}_constraint")
            _warn_if_starving(self.name, quantizer, constraint, role)

    def weight_quantizer(self, weight: str) -> Any:
        """Quantizer of one weight attribute; None for none."""
        return getattr(self, f"{self.weight_roles[weight]}_quantizer", None)

    def build(self, input_shape: Any) -> None:
        """Build the Keras layer, and the quantizers that are layers."""
        super().build(input_shape)
        pairs = [(self.input_quantizer, input_shape)]
        for weight in self.weight_roles:
            latent, quantizer = getattr(type(self), weight).latent(self), self.weight_quantizer(weight)
            latent.precision = getattr(quantizer, "precision", None)  # how optimizers tell binary variables
            pairs.append((quantizer, latent.shape))
        for quantizer, shape in pairs:
            if isinstance(quantizer, keras.layers.Layer) and not quantizer.built:
                quantizer.build(shape)

    def add_weight(self, *args: Any, **kwargs: Any) -> Any:
        """As Keras; a quantized weight is left in its own type by mixed precision until it is quantized."""
        if kwargs.get("name") in self.weight_roles and self.weight_quantizer(kwargs["name"]) is not None:
            kwargs["autocast"] = False
        return super().add_weight(*args, **kwargs)

    def call(self, inputs: Any) -> Any:
        """Quantized input through the Keras layer, with its weights read quantized."""
        if self.input_quantizer is not None:
            inputs = self.input_quantizer(inputs)
        with context.quantized_scope(True):
            return super().call(inputs)

    def get_weights(self) -> list[Any]:
        """Weights as NumPy arrays; inside `quantized_scope(True)` the quantized values."""
        return [ops.convert_to_numpy(self._visible(variable)) for variable in self.weights]

    def save_own_variables(self, store: Any) -> None:
        """Save the weights; inside `quantized_scope(True)` the quantized values."""
        values: dict[str, Any] = {}
        super().save_own_variables(values)
        own = [*self._trainable_variables, *self._non_trainable_variables]
        for key, value in values.items():
            store[key] = self._visible(own[int(key)]) if key.isdigit() and int(key) < len(own) else value

    def get_config(self) -> dict[str, Any]:
        """The Keras layer's config plus the quantizers."""
        names = [f"{role}_quantizer" for role in ("input", *self.weight_roles.values())]
        return {**super().get_config(), **{name: quantizers.serialize(getattr(self, name)) for name in names}}

    def _visible(self, variable: Any) -> Any:
        """What the current scope shows of one variable."""
        for weight in self.weight_roles:
            if getattr(type(self), weight).latent(self) is variable:
                return getattr(self, weight)
        return variable


class _QuantizedKernel(_Quantized):
    """Role: a layer with one `kernel` and a `kernel_quantizer`."""

    weight_roles: ClassVar[Mapping[str, str]] = {"kernel": "kernel"}
    kernel = _QuantizedWeight()
    quantized_kernel = _quantized("kernel")


class _QuantizedSeparable(_Quantized):
    """Role: a layer with a depthwise and a pointwise kernel; the values between them are not quantized."""

    weight_roles: ClassVar[Mapping[str, str]] = {"depthwise_kernel": "depthwise", "pointwise_kernel": "pointwise"}
    depthwise_kernel = _QuantizedWeight()
    pointwise_kernel = _QuantizedWeight()
    quantized_depthwise_kernel = _quantized("depthwise_kernel")
    quantized_pointwise_kernel = _quantized("pointwise_kernel")


class _Padded(keras.layers.Layer):
    """Role: a convolution whose "same" padding fills in `pad_values` instead of zero."""

    pad_values: float
    operator: ClassVar[Callable[..., Any]] = staticmethod(ops.conv)

    def __init__(self, *, pad_values: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pad_values = float(pad_values)
        if self.padding == "causal" and self.pad_values != 0.0:
            raise ArgumentError(
                f'{self.name}: pad_values={self.pad_values} with padding="causal"; causal padding is zero, use '
                'pad_values=0.0 or padding="same".'
            )

    def call(self, inputs: Any) -> Any:
        """As Keras; where zero is not what "same" shall fill in, pad first and convolve "valid"."""
        if self.padding != "same" or self.pad_values == 0.0:
            return super().call(inputs)
        outputs = self.operator(
            ops.pad(inputs, self._pad_widths(inputs.shape), mode="constant", constant_values=self.pad_values),
            *(getattr(self, weight) for weight in self.weight_roles),
            strides=self.strides,
            padding="valid",
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )
        if self.use_bias:
            shape = [1] * (self.rank + 2)
            shape[-1 if self.data_format == "channels_last" else 1] = -1
            outputs = ops.add(outputs, ops.reshape(self.bias, shape))
        return outputs if self.activation is None else self.activation(outputs)

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
                raise ArgumentError(
                    f'{self.name}: pad_values={self.pad_values} with padding="same" needs a known image size, '
                    f"found shape {tuple(input_shape)}; give the model an Input with fixed height and width."
                )
            widths[first_spatial + i] = same_padding(size, self.kernel_size[i], self.strides[i], self.dilation_rate[i])
        return widths


class _LocallyConnected(keras.layers.Layer):
    """Role: a layer like a convolution, with an own kernel for every output position.

    The kernel is (positions, taps * channels, filters): positions row by row; taps row by row, channels fastest
    ("channels_first": taps fastest).
    """

    rank: ClassVar[int]

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, ...],
        strides: int | tuple[int, ...],
        padding: str,
        data_format: str | None,
        activation: Any,
        use_bias: bool,
        **kwargs: Any,
    ) -> None:
        own = {name: kwargs.pop(name) for name in list(kwargs) if name.startswith(("kernel_", "bias_"))}
        super().__init__(**kwargs)
        if padding not in ("valid", "same"):
            raise ArgumentError(f'{self.name}: padding="{padding}"; allowed are "valid" and "same".')
        self.filters, self.padding, self.use_bias = int(filters), padding, bool(use_bias)
        self.kernel_size, self.strides = self._per_axis(kernel_size), self._per_axis(strides)
        self.data_format = data_format or keras.config.image_data_format()
        self.activation = keras.activations.get(activation)
        for name, value in own.items():
            setattr(self, name, getattr(keras, f"{name.rpartition('_')[2]}s").get(value))

    def _per_axis(self, given: int | tuple[int, ...]) -> tuple[int, ...]:
        return (given,) * self.rank if isinstance(given, int) else tuple(given)

    def _output_sizes(self, input_shape: Any) -> tuple[int, ...]:
        """Output elements along each spatial axis."""
        sizes = input_shape[1:-1] if self.data_format == "channels_last" else input_shape[2:]
        if None in sizes:
            raise ArgumentError(f"{self.name}: input shape {tuple(input_shape)}; every spatial size must be known.")
        taps: tuple[int, ...] = self.kernel_size if self.padding == "valid" else (1,) * self.rank
        return tuple((n - k) // s + 1 for n, k, s in zip(sizes, taps, self.strides, strict=True))

    def build(self, input_shape: Any) -> None:
        """Create kernel and bias."""
        sizes = self._output_sizes(input_shape)
        channels = input_shape[-1 if self.data_format == "channels_last" else 1]
        shapes: dict[str, tuple[int, ...]] = {
            "kernel": (math.prod(sizes), math.prod(self.kernel_size) * channels, self.filters)
        }
        if self.use_bias:
            shapes["bias"] = (*sizes, self.filters)
        for name, shape in shapes.items():
            kinds = ("initializer", "regularizer", "constraint")
            options = {kind: getattr(self, f"{name}_{kind}") for kind in kinds}
            setattr(self, name, self.add_weight(name=name, shape=shape, **options))

    def call(self, inputs: Any) -> Any:
        """One product a position, bias, activation."""
        last = self.data_format == "channels_last"
        x = inputs if last else ops.moveaxis(inputs, 1, -1)
        sizes = self._output_sizes(inputs.shape)
        if self.padding == "same":
            spatial = zip(x.shape[1:-1], self.kernel_size, self.strides, strict=True)
            x = ops.pad(x, [(0, 0), *(same_padding(*axis) for axis in spatial), (0, 0)])
        taps = []
        for tap in itertools.product(*(range(k) for k in self.kernel_size)):
            steps = zip(tap, sizes, self.strides, strict=True)
            taps.append(x[(slice(None), *(slice(t, t + (n - 1) * s + 1, s) for t, n, s in steps))])
        patches = ops.stack(taps, axis=-2 if last else -1)
        patches = ops.reshape(patches, (-1, math.prod(sizes), len(taps) * x.shape[-1]))
        outputs = ops.reshape(ops.einsum("npk,pkf->npf", patches, self.kernel), (-1, *sizes, self.filters))
        outputs = outputs if last else ops.moveaxis(outputs, -1, 1)
        if self.use_bias:
            # "channels_first" reads the same numbers in another order, as tf-keras does: its weights fit.
            outputs = ops.add(outputs, self.bias if last else ops.reshape(self.bias, outputs.shape[1:]))
        return outputs if self.activation is None else self.activation(outputs)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """(batch, sizes ..., filters), channels where `data_format` has them."""
        sizes = self._output_sizes(input_shape)
        if self.data_format == "channels_last":
            return (input_shape[0], *sizes, self.filters)
        return (input_shape[0], self.filters, *sizes)

    def get_config(self) -> dict[str, Any]:
        """Arguments of `__init__`."""
        plain = ("filters", "kernel_size", "strides", "padding", "data_format", "use_bias")
        kinds = ("initializer", "regularizer", "constraint")
        parts = {f"{name}_{kind}": kind for name in ("kernel", "bias") for kind in kinds}
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in plain},
            "activation": keras.activations.serialize(self.activation),
            "activity_regularizer": keras.regularizers.serialize(self.activity_regularizer),
            **{name: getattr(keras, f"{kind}s").serialize(getattr(self, name)) for name, kind in parts.items()},
        }


# Signatures are read as lists, not as columns.
# fmt: off


class QuantDense(_QuantizedKernel, keras.layers.Dense):
    """`keras.layers.Dense` with quantized input and kernel.

    Input (batch, ..., input_dim), kernel (input_dim, units), output (batch, ..., units).
    """

    def __init__(
        self, units: int, activation: Any = None, use_bias: bool = True, input_quantizer: QuantizerLike = None,
        kernel_quantizer: QuantizerLike = None, kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros", kernel_regularizer: Any = None, bias_regularizer: Any = None,
        activity_regularizer: Any = None, kernel_constraint: Any = None, bias_constraint: Any = None, **kwargs: Any,
    ) -> None:
        self._configure(locals())


class QuantConv1D(_QuantizedKernel, _Padded, keras.layers.Conv1D):
    """`keras.layers.Conv1D` with quantized input and kernel and a choice of the padding value.

    Input (batch, steps, channels), kernel (kernel size, channels / groups, filters), output (batch, out steps,
    filters).
    """

    def __init__(
        self, filters: int, kernel_size: int | tuple[int], strides: int | tuple[int] = 1, padding: str = "valid",
        pad_values: float = 0.0, data_format: str | None = None, dilation_rate: int | tuple[int] = 1, groups: int = 1,
        activation: Any = None, use_bias: bool = True, input_quantizer: QuantizerLike = None,
        kernel_quantizer: QuantizerLike = None, kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros", kernel_regularizer: Any = None, bias_regularizer: Any = None,
        activity_regularizer: Any = None, kernel_constraint: Any = None, bias_constraint: Any = None, **kwargs: Any,
    ) -> None:
        self._configure(locals())


class QuantConv2D(_QuantizedKernel, _Padded, keras.layers.Conv2D):
    """`keras.layers.Conv2D` with quantized input and kernel and a choice of the padding value.

    Input (batch, height, width, channels), kernel (kernel height, kernel width, channels / groups, filters), output
    (batch, out height, out width, filters).
    """

    def __init__(
        self, filters: int, kernel_size: int | tuple[int, int], strides: int | tuple[int, int] = (1, 1),
        padding: str = "valid", pad_values: float = 0.0, data_format: str | None = None,
        dilation_rate: int | tuple[int, int] = (1, 1), groups: int = 1, activation: Any = None, use_bias: bool = True,
        input_quantizer: QuantizerLike = None, kernel_quantizer: QuantizerLike = None,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros", kernel_regularizer: Any = None,
        bias_regularizer: Any = None, activity_regularizer: Any = None, kernel_constraint: Any = None,
        bias_constraint: Any = None, **kwargs: Any,
    ) -> None:
        self._configure(locals())


class QuantConv3D(_QuantizedKernel, _Padded, keras.layers.Conv3D):
    """`keras.layers.Conv3D` with quantized input and kernel and a choice of the padding value.

    Input (batch, depth, height, width, channels), kernel (kernel depth, kernel height, kernel width, channels / groups,
    filters), output (batch, out depth, out height, out width, filters).
    """

    def __init__(
        self, filters: int, kernel_size: int | tuple[int, int, int], strides: int | tuple[int, int, int] = (1, 1, 1),
        padding: str = "valid", pad_values: float = 0.0, data_format: str | None = None,
        dilation_rate: int | tuple[int, int, int] = (1, 1, 1), groups: int = 1, activation: Any = None,
        use_bias: bool = True, input_quantizer: QuantizerLike = None, kernel_quantizer: QuantizerLike = None,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros", kernel_regularizer: Any = None,
        bias_regularizer: Any = None, activity_regularizer: Any = None, kernel_constraint: Any = None,
        bias_constraint: Any = None, **kwargs: Any,
    ) -> None:
        self._configure(locals())


class QuantDepthwiseConv2D(_QuantizedKernel, _Padded, keras.layers.DepthwiseConv2D):
    """`keras.layers.DepthwiseConv2D` with quantized input and kernel and a choice of the padding value.

    Input (batch, height, width, channels), kernel (kernel height, kernel width, channels, depth_multiplier), output
    (batch, out height, out width, channels * depth_multiplier).
    """

    weight_roles: ClassVar[Mapping[str, str]] = {"kernel": "depthwise"}
    operator = staticmethod(ops.depthwise_conv)
    depthwise_kernel = property(lambda self: self.kernel, doc="The kernel under its Keras 2 name.")
    quantized_depthwise_kernel = _quantized("kernel")

    def __init__(
        self, kernel_size: int | tuple[int, int], strides: int | tuple[int, int] = (1, 1), padding: str = "valid",
        pad_values: float = 0.0, depth_multiplier: int = 1, data_format: str | None = None,
        dilation_rate: int | tuple[int, int] = (1, 1), activation: Any = None, use_bias: bool = True,
        input_quantizer: QuantizerLike = None, depthwise_quantizer: QuantizerLike = None,
        depthwise_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None,
        depthwise_constraint: Any = None, bias_constraint: Any = None, **kwargs: Any,
    ) -> None:
        self._configure(locals())


class QuantSeparableConv1D(_QuantizedSeparable, _Padded, keras.layers.SeparableConv1D):
    """`keras.layers.SeparableConv1D` with quantized input and kernels and a choice of the padding value.

    Input (batch, steps, channels), depthwise kernel (kernel size, channels, depth_multiplier), pointwise kernel (1,
    channels * depth_multiplier, filters), output (batch, out steps, filters). What the depthwise kernel delivers is not
    quantized before the pointwise product.
    """

    operator = staticmethod(ops.separable_conv)

    def __init__(
        self, filters: int, kernel_size: int | tuple[int], strides: int | tuple[int] = 1, padding: str = "valid",
        pad_values: float = 0.0, data_format: str | None = None, dilation_rate: int | tuple[int] = 1,
        depth_multiplier: int = 1, activation: Any = None, use_bias: bool = True,
        input_quantizer: QuantizerLike = None, depthwise_quantizer: QuantizerLike = None,
        pointwise_quantizer: QuantizerLike = None, depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None, pointwise_regularizer: Any = None, bias_regularizer: Any = None,
        activity_regularizer: Any = None, depthwise_constraint: Any = None, pointwise_constraint: Any = None,
        bias_constraint: Any = None, **kwargs: Any,
    ) -> None:
        self._configure(locals())


class QuantSeparableConv2D(_QuantizedSeparable, _Padded, keras.layers.SeparableConv2D):
    """`keras.layers.SeparableConv2D` with quantized input and kernels and a choice of the padding value.

    Input (batch, height, width, channels), depthwise kernel (kernel height, kernel width, channels, depth_multiplier),
    pointwise kernel (1, 1, channels * depth_multiplier, filters), output (batch, out height, out width, filters). What
    the depthwise kernel delivers is not quantized before the pointwise product.
    """

    operator = staticmethod(ops.separable_conv)

    def __init__(
        self, filters: int, kernel_size: int | tuple[int, int], strides: int | tuple[int, int] = (1, 1),
        padding: str = "valid", pad_values: float = 0.0, data_format: str | None = None,
        dilation_rate: int | tuple[int, int] = (1, 1), depth_multiplier: int = 1, activation: Any = None,
        use_bias: bool = True, input_quantizer: QuantizerLike = None, depthwise_quantizer: QuantizerLike = None,
        pointwise_quantizer: QuantizerLike = None, depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None, pointwise_regularizer: Any = None, bias_regularizer: Any = None,
        activity_regularizer: Any = None, depthwise_constraint: Any = None, pointwise_constraint: Any = None,
        bias_constraint: Any = None, **kwargs: Any,
    ) -> None:
        self._configure(locals())


class QuantConv2DTranspose(_QuantizedKernel, keras.layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose` with quantized input and kernel.

    Input (batch, height, width, channels), kernel (kernel height, kernel width, filters, channels), output (batch, out
    height, out width, filters).
    """

    def __init__(
        self, filters: int, kernel_size: int | tuple[int, int], strides: int | tuple[int, int] = (1, 1),
        padding: str = "valid", output_padding: int | tuple[int, int] | None = None, data_format: str | None = None,
        dilation_rate: int | tuple[int, int] = (1, 1), activation: Any = None, use_bias: bool = True,
        input_quantizer: QuantizerLike = None, kernel_quantizer: QuantizerLike = None,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros", kernel_regularizer: Any = None,
        bias_regularizer: Any = None, activity_regularizer: Any = None, kernel_constraint: Any = None,
        bias_constraint: Any = None, **kwargs: Any,
    ) -> None:
        self._configure(locals())


class QuantConv3DTranspose(_QuantizedKernel, keras.layers.Conv3DTranspose):
    """`keras.layers.Conv3DTranspose` with quantized input and kernel.

    Input (batch, depth, height, width, channels), kernel (kernel depth, kernel height, kernel width, filters,
    channels), output (batch, out depth, out height, out width, filters).
    """

    def __init__(
        self, filters: int, kernel_size: int | tuple[int, int, int], strides: int | tuple[int, int, int] = (1, 1, 1),
        padding: str = "valid", data_format: str | None = None,
        output_padding: int | tuple[int, int, int] | None = None,
        dilation_rate: int | tuple[int, int, int] = (1, 1, 1), activation: Any = None, use_bias: bool = True,
        input_quantizer: QuantizerLike = None, kernel_quantizer: QuantizerLike = None,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros", kernel_regularizer: Any = None,
        bias_regularizer: Any = None, activity_regularizer: Any = None, kernel_constraint: Any = None,
        bias_constraint: Any = None, **kwargs: Any,
    ) -> None:
        self._configure(locals())


class QuantLocallyConnected1D(_QuantizedKernel, _LocallyConnected):
    """1D convolution with quantized input and kernel, and an own kernel for every output position.

    Input (batch, steps, channels), kernel (output positions, taps * channels, filters), bias and output (out steps,
    filters). Keras 3 has no such layer.
    """

    rank = 1

    def __init__(
        self, filters: int, kernel_size: int | tuple[int], strides: int | tuple[int] = 1, padding: str = "valid",
        data_format: str | None = None, activation: Any = None, use_bias: bool = True,
        input_quantizer: QuantizerLike = None, kernel_quantizer: QuantizerLike = None,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros", kernel_regularizer: Any = None,
        bias_regularizer: Any = None, activity_regularizer: Any = None, kernel_constraint: Any = None,
        bias_constraint: Any = None, **kwargs: Any,
    ) -> None:
        self._configure(locals())


class QuantLocallyConnected2D(_QuantizedKernel, _LocallyConnected):
    """2D convolution with quantized input and kernel, and an own kernel for every output position.

    Input (batch, height, width, channels), kernel (output positions, taps * channels, filters), bias and output (out
    height, out width, filters). Keras 3 has no such layer.
    """

    rank = 2

    def __init__(
        self, filters: int, kernel_size: int | tuple[int, int], strides: int | tuple[int, int] = (1, 1),
        padding: str = "valid", data_format: str | None = None, activation: Any = None, use_bias: bool = True,
        input_quantizer: QuantizerLike = None, kernel_quantizer: QuantizerLike = None,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros", kernel_regularizer: Any = None,
        bias_regularizer: Any = None, activity_regularizer: Any = None, kernel_constraint: Any = None,
        bias_constraint: Any = None, **kwargs: Any,
    ) -> None:
        self._configure(locals())
