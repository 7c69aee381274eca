# SPDX-License-Identifier: Apache-2.0
r"""Quantizers: float tensors in, few-level float tensors out, with a pseudo-gradient for training.

A quantizer may be given as a string, a class, an object, or any callable or Keras layer; these are the same:

    QuantDense(64, kernel_quantizer="ste_sign")
    QuantDense(64, kernel_quantizer=SteSign)
    QuantDense(64, kernel_quantizer=SteSign(clip_value=1.0))
    QuantDense(64, kernel_quantizer="ste_sign(clip_value=1.0)")

The plain string is the shortest; arguments need the object or the last form. Every quantizer here is a Keras layer
without weights, so it can also stand alone in a model. Two attributes matter downstream: `precision`, the number of
bits, and `code_type`, which tells the compiler the integer codes and the real value of each. A callable without
`code_type` trains; the compiler takes it if the quantized values turn out to be few-bit integers times a power of two.

In the formulas, $q(x)$ is the forward value and $\partial q / \partial x$ the pseudo-gradient that training uses
instead of the true one, which is zero almost everywhere.

Forward values are exact: always one of the levels, bit for bit, for every input. The usual trick
`x + stop_gradient(q - x)` is not exact in floating point (x = 1e9 gives 0 or 64 instead of 1), so forward and gradient
are given separately through `keras.ops.custom_gradient`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, TypeVar, cast

import keras
from keras import ops

from qnn_hw import context
from qnn_hw.errors import QnnError
from qnn_hw.ir.code_type import CodeType
from qnn_hw.math import heaviside, sign
from qnn_hw.metrics import FlipRatio

__all__ = [
    "ApproxSign",
    "ArgumentError",
    "DoReFa",
    "DoReFaQuantizer",
    "FixedPoint",
    "MagnitudeAwareSign",
    "NoOp",
    "NoOpQuantizer",
    "Quantizer",
    "QuantizerLike",
    "SteHeaviside",
    "SteSign",
    "SteTern",
    "SwishSign",
    "approx_sign",
    "deserialize",
    "get",
    "get_kernel_quantizer",
    "magnitude_aware_sign",
    "serialize",
    "ste_heaviside",
    "ste_sign",
    "ste_tern",
    "swish_sign",
]

QuantizerLike = str | dict[str, Any] | Callable[[Any], Any] | None
"""What every `*_quantizer` argument accepts: name, serialized form, class, object, callable, or `None` for none."""

QuantizerClass = TypeVar("QuantizerClass", bound="Quantizer")
Function = TypeVar("Function", bound=Callable[..., Any])

_BY_NAME: dict[str, type[Quantizer]] = {}
_BIPOLAR = CodeType(bits=1, bipolar=True)
_TERNARY = CodeType(bits=2, signed=True, symmetric=True)


class ArgumentError(QnnError, ValueError):
    """A wrong argument of the training API; a ValueError as well, as Keras raises for its own arguments."""


def _register(*aliases: str) -> Callable[[type[QuantizerClass]], type[QuantizerClass]]:
    """Class decorator: serializable under the package "qnn_hw" and known to `get` by class name and `aliases`."""

    def register(cls: type[QuantizerClass]) -> type[QuantizerClass]:
        keras.saving.register_keras_serializable("qnn_hw")(cls)
        for name in (cls.__name__, *aliases):
            _BY_NAME[name] = cls
        return cls

    return register


def _quantizing(codes: CodeType) -> Callable[[Function], Function]:
    """Function decorator: serializable, and with the two attributes a quantizer has."""

    def describe(function: Function) -> Function:
        function.precision, function.code_type = codes.bits, codes  # type: ignore[attr-defined]
        return cast(Function, keras.saving.register_keras_serializable("qnn_hw")(function))

    return describe


def _with_gradient(x: Any, forward: Callable[[Any], Any], backward: Callable[[Any, Any], Any]) -> Any:
    """`forward(x)`, exactly, with the pseudo-gradient `backward(x, upstream)`, a tensor of x's shape and dtype."""

    @ops.custom_gradient
    def run(x: Any) -> tuple[Any, Callable[..., Any]]:
        def gradient(*args: Any, upstream: Any = None) -> Any:
            # TensorFlow and JAX hand over the upstream gradient alone, PyTorch by name.
            if upstream is None:
                (upstream,) = args
            return backward(x, upstream)

        return forward(x), gradient

    # A variable's tensor, not the variable: tf.custom_gradient refuses a function that reads variables.
    return run(ops.copy(x))


def _as_float(x: Any) -> Any:
    """`x` as a float tensor; integer inputs (raw images) become the default float type, floats stay as they are."""
    x = ops.convert_to_tensor(x)
    return x if "float" in keras.backend.standardize_dtype(x.dtype) else ops.cast(x, keras.config.floatx())


def _masked(upstream: Any, mask: Any) -> Any:
    """`upstream` where `mask`, else 0; the product costs two thirds of the time of a `where`."""
    return ops.multiply(upstream, ops.cast(mask, upstream.dtype))


def _straight_through(low: float, high: float) -> Callable[[Any, Any], Any]:
    """Pseudo-gradient: the upstream gradient where low <= x <= high (closed on both sides), else 0."""
    return lambda x, upstream: _masked(upstream, ops.logical_and(x >= low, x <= high))


def _clipped(clip_value: float | None) -> Callable[[Any, Any], Any]:
    """Pseudo-gradient: the upstream gradient where |x| <= clip_value, else 0; everywhere for `None`."""
    if clip_value is None:
        return lambda x, upstream: upstream
    return lambda x, upstream: _masked(upstream, ops.abs(x) <= clip_value)


def _check_clip_value(owner: str, clip_value: float | None) -> float | None:
    if clip_value is not None and not clip_value > 0:
        raise ArgumentError(f"{owner}: clip_value={clip_value}; give a positive number, or None for no limit.")
    return clip_value


@_quantizing(_BIPOLAR)
def ste_sign(x: Any, clip_value: float | None = 1.0) -> Any:
    """`SteSign` as a function: tensor of x's shape and float type, values exactly -1 or +1."""
    return _with_gradient(_as_float(x), sign, _clipped(clip_value))


@_quantizing(_BIPOLAR)
def approx_sign(x: Any) -> Any:
    """`ApproxSign` as a function: tensor of x's shape and float type, values exactly -1 or +1."""

    def backward(x: Any, upstream: Any) -> Any:
        magnitude = ops.abs(x)
        slope = ops.where(magnitude <= 1.0, 2.0 - 2.0 * magnitude, ops.zeros_like(x))
        return slope * upstream

    return _with_gradient(_as_float(x), sign, backward)


@_quantizing(_BIPOLAR)
def swish_sign(x: Any, beta: float = 5.0) -> Any:
    """`SwishSign` as a function: tensor of x's shape and float type, values exactly -1 or +1."""

    def backward(x: Any, upstream: Any) -> Any:
        scaled = beta * x
        gradient = upstream * beta * (2.0 - scaled * ops.tanh(scaled * 0.5)) / (1.0 + ops.cosh(scaled))
        # At infinity the quotient is infinity by infinity; its limit is 0.
        return ops.where(ops.isinf(x), ops.zeros_like(x), gradient)

    return _with_gradient(_as_float(x), sign, backward)


@_quantizing(CodeType(bits=1))
def ste_heaviside(x: Any, clip_value: float | None = 1.0) -> Any:
    """`SteHeaviside` as a function: tensor of x's shape and float type, values exactly 0 or 1."""
    return _with_gradient(_as_float(x), heaviside, _clipped(clip_value))


@_quantizing(CodeType(bits=1, bipolar=True, channel_scales=True))
def magnitude_aware_sign(x: Any, clip_value: float | None = 1.0) -> Any:
    """`MagnitudeAwareSign` as a function: tensor of x's shape and float type."""
    x = _as_float(x)
    axes = tuple(range(len(x.shape) - 1))
    return ops.stop_gradient(ops.mean(ops.abs(x), axis=axes)) * ste_sign(x, clip_value)


@_quantizing(_TERNARY)
def ste_tern(
    x: Any,
    threshold_value: float = 0.05,
    ternary_weight_networks: bool = False,
    clip_value: float | None = 1.0,
) -> Any:
    """`SteTern` as a function: tensor of x's shape and float type, values exactly -1, 0 or +1."""

    def forward(x: Any) -> Any:
        magnitude = ops.abs(x)
        threshold: Any = threshold_value
        if ternary_weight_networks:
            threshold = 0.7 * ops.sum(magnitude) / ops.cast(ops.size(x), x.dtype)
        return ops.where(magnitude < threshold, ops.zeros_like(x), ops.sign(x))

    return _with_gradient(_as_float(x), forward, _clipped(clip_value))


class Quantizer(keras.layers.Layer):
    """Base of all quantizers.

    A subclass sets `precision`, implements `call` and `code_type`, and returns the arguments of its `__init__` from
    `get_config`. If `call` ends in `return super().call(outputs)`, the metrics see the quantized values.
    Autocasting is off: a quantizer computes in the type of its input, float64 included.

    Attributes:
        precision: bits of one quantized value, `None` if not stated.

    Args:
        metrics: names of metrics on the quantized values, "flip_ratio" or none. `None`: those of the
            `qnn_hw.context.metrics_scope` in which a layer takes this object as quantizer of its weights.
        **kwargs: arguments of every Keras layer (name, dtype).

    Raises:
        QnnError: for an unknown metric.
    """

    precision: int | None = None

    def __init__(self, metrics: Sequence[str] | None = None, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.flip_ratio: Any = None
        self._metric_names: tuple[str, ...] | None = None
        if metrics is not None:
            self._set_metrics(metrics)

    @property
    def code_type(self) -> CodeType:
        """Integer codes behind the quantized values.

        Raises:
            QnnError: if the subclass does not state them; such a quantizer trains, but cannot be compiled.
        """
        raise QnnError(
            f"{self.name}: quantizer {type(self).__name__} states no code_type, so its values have no integer codes; "
            "override the property `code_type` to compile it."
        )

    def build(self, input_shape: Any) -> None:
        """Create the state of the metrics, which is as large as the quantized tensor."""
        if "flip_ratio" in (self._metric_names or ()):
            # Values that need not be small integers are compared as floats.
            values_dtype = "int8" if self.precision == 1 or isinstance(self, SteTern) else keras.config.floatx()
            self.flip_ratio = FlipRatio(values_dtype, name=f"flip_ratio/{self.name}")
            self.flip_ratio.build(tuple(input_shape))

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Update the metrics with quantized values, except in inference, and return these values.

        On JAX, Keras does not hand the metrics' state to a model that trains, so that only direct calls record:
        `qnn_hw.callbacks.KernelMetrics` makes them.
        """
        recording = training is None if keras.backend.backend() == "jax" else training is not False
        if self.flip_ratio is not None and recording:
            self.flip_ratio.update_state(inputs)
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Quantizers are elementwise in shape."""
        return input_shape

    def compute_output_spec(self, inputs: Any, **_: Any) -> Any:
        """The input's shape and, if that is a float type, its type."""
        dtype = keras.backend.standardize_dtype(inputs.dtype)
        return keras.KerasTensor(inputs.shape, dtype if "float" in dtype else keras.config.floatx())

    def get_config(self) -> dict[str, Any]:
        """Arguments of `__init__`."""
        metrics = None if self._metric_names is None else list(self._metric_names)
        return {**super().get_config(), "metrics": metrics}

    def _set_metrics(self, metrics: Iterable[str]) -> None:
        self._metric_names = tuple(sorted(context.known_metrics(self.name, metrics)))


@_register("ste_sign")
class SteSign(Quantizer):
    r"""Binarize to -1 or +1 with the straight-through estimator.

    $$ q(x) = \begin{cases} -1 & x < 0 \\ +1 & x \ge 0 \end{cases}
       \qquad
       \frac{\partial q}{\partial x} = \begin{cases} 1 & |x| \le \text{clip\_value} \\
                                                    0 & \text{otherwise} \end{cases} $$

    Both zeros give +1, NaN gives NaN.

    Args:
        clip_value: largest magnitude that still gets a gradient (inclusive), or `None` for no limit.
        metrics: see `Quantizer`.
        **kwargs: see `Quantizer`.

    Raises:
        ArgumentError: if `clip_value` is not positive.

    Source: Courbariaux et al., "Binarized Neural Networks", arXiv:1602.02830.
    """

    precision = 1

    def __init__(self, clip_value: float | None = 1.0, metrics: Sequence[str] | None = None, **kwargs: Any) -> None:
        super().__init__(metrics=metrics, **kwargs)
        self.clip_value = _check_clip_value(self.name, clip_value)

    @property
    def code_type(self) -> CodeType:
        """One bipolar bit: 0 is -1, 1 is +1."""
        return _BIPOLAR

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Tensor of the inputs' shape and float type, values exactly -1 or +1."""
        return super().call(ste_sign(inputs, self.clip_value), training)

    def get_config(self) -> dict[str, Any]:
        """Arguments of `__init__`."""
        return {**super().get_config(), "clip_value": self.clip_value}


@_register("approx_sign")
class ApproxSign(Quantizer):
    r"""Binarize to -1 or +1; the gradient is that of a piecewise quadratic which resembles the sign function.

    $$ q(x) = \begin{cases} -1 & x < 0 \\ +1 & x \ge 0 \end{cases}
       \qquad
       \frac{\partial q}{\partial x} = \begin{cases} 2 - 2|x| & |x| \le 1 \\ 0 & \text{otherwise} \end{cases} $$

    Both zeros give +1, NaN gives NaN.

    Args:
        metrics: see `Quantizer`.
        **kwargs: see `Quantizer`.

    Source: Liu et al., "Bi-Real Net", arXiv:1808.00278.
    """

    precision = 1

    def __init__(self, metrics: Sequence[str] | None = None, **kwargs: Any) -> None:
        super().__init__(metrics=metrics, **kwargs)

    @property
    def code_type(self) -> CodeType:
        """One bipolar bit: 0 is -1, 1 is +1."""
        return _BIPOLAR

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Tensor of the inputs' shape and float type, values exactly -1 or +1."""
        return super().call(approx_sign(inputs), training)


@_register("swish_sign")
class SwishSign(Quantizer):
    r"""Binarize to -1 or +1; the gradient is that of the SignSwish function.

    $$ q(x) = \begin{cases} -1 & x < 0 \\ +1 & x \ge 0 \end{cases}
       \qquad
       \frac{\partial q}{\partial x} = \frac{\beta \, (2 - \beta x \tanh(\beta x / 2))}{1 + \cosh(\beta x)} $$

    The gradient is negative for larger |x| and 0 at infinity. Both zeros give +1, NaN gives NaN.

    Args:
        beta: how steep the swish function is, positive.
        metrics: see `Quantizer`.
        **kwargs: see `Quantizer`.

    Raises:
        ArgumentError: if `beta` is not positive.

    Source: Darabi et al., "BNN+: Improved Binary Network Training", arXiv:1812.11800.
    """

    precision = 1

    def __init__(self, beta: float = 5.0, metrics: Sequence[str] | None = None, **kwargs: Any) -> None:
        super().__init__(metrics=metrics, **kwargs)
        if not beta > 0:
            raise ArgumentError(f"{self.name}: beta={beta}; it must be positive.")
        self.beta = beta

    @property
    def code_type(self) -> CodeType:
        """One bipolar bit: 0 is -1, 1 is +1."""
        return _BIPOLAR

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Tensor of the inputs' shape and float type, values exactly -1 or +1."""
        return super().call(swish_sign(inputs, self.beta), training)

    def get_config(self) -> dict[str, Any]:
        """Arguments of `__init__`."""
        return {**super().get_config(), "beta": self.beta}


@_register("ste_heaviside")
class SteHeaviside(Quantizer):
    r"""Binarize to 0 or 1 with the straight-through estimator.

    $$ q(x) = \begin{cases} 0 & x \le 0 \\ 1 & x > 0 \end{cases}
       \qquad
       \frac{\partial q}{\partial x} = \begin{cases} 1 & |x| \le \text{clip\_value} \\
                                                    0 & \text{otherwise} \end{cases} $$

    Both zeros give 0, NaN gives NaN. In hardware a product with such a value is an AND gate.

    Args:
        clip_value: largest magnitude that still gets a gradient (inclusive), or `None` for no limit.
        metrics: see `Quantizer`.
        **kwargs: see `Quantizer`.

    Raises:
        ArgumentError: if `clip_value` is not positive.
    """

    precision = 1

    def __init__(self, clip_value: float | None = 1.0, metrics: Sequence[str] | None = None, **kwargs: Any) -> None:
        super().__init__(metrics=metrics, **kwargs)
        self.clip_value = _check_clip_value(self.name, clip_value)

    @property
    def code_type(self) -> CodeType:
        """One unsigned bit."""
        return CodeType(bits=1)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Tensor of the inputs' shape and float type, values exactly 0 or 1."""
        return super().call(ste_heaviside(inputs, self.clip_value), training)

    def get_config(self) -> dict[str, Any]:
        """Arguments of `__init__`."""
        return {**super().get_config(), "clip_value": self.clip_value}


@_register("magnitude_aware_sign")
class MagnitudeAwareSign(Quantizer):
    r"""Binarize to -s or +s, where every index of the last axis has its own s: the mean magnitude of its weights.

    $$ q(x)_{\dots c} = s_c \, \mathrm{sign}(x_{\dots c}), \qquad
       s_c = \operatorname{mean}_{\dots} |x_{\dots c}|, \qquad
       \frac{\partial q}{\partial x} = \begin{cases} s_c & |x| \le \text{clip\_value} \\
                                                    0 & \text{otherwise} \end{cases} $$

    The sign of both zeros is +1; s counts as a constant. The last axis of a dense or convolution kernel is the output
    channel, hence one scale a filter. A depthwise kernel (h, w, channels, 1) gets a single scale, a one-dimensional
    tensor comes out as it is, and a channel of zeros has s = 0.

    Args:
        clip_value: largest magnitude that still gets a gradient (inclusive), or `None` for no limit.
        metrics: see `Quantizer`.
        **kwargs: see `Quantizer`.

    Raises:
        ArgumentError: if `clip_value` is not positive.

    Source: Liu et al., "Bi-Real Net", arXiv:1808.00278.
    """

    precision = 1

    def __init__(self, clip_value: float | None = 1.0, metrics: Sequence[str] | None = None, **kwargs: Any) -> None:
        super().__init__(metrics=metrics, **kwargs)
        self.clip_value = _check_clip_value(self.name, clip_value)

    @property
    def code_type(self) -> CodeType:
        """One bipolar bit, with a scale for every index of the last axis that the weights decide."""
        return CodeType(bits=1, bipolar=True, channel_scales=True)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Tensor of the inputs' shape and float type, values exactly -s[c] or +s[c]."""
        quantized = magnitude_aware_sign(inputs, self.clip_value)
        super().call(sign(quantized), training)  # the metrics see the bits: the scales change at every step
        return quantized

    def get_config(self) -> dict[str, Any]:
        """Arguments of `__init__`."""
        return {**super().get_config(), "clip_value": self.clip_value}


@_register("ste_tern")
class SteTern(Quantizer):
    r"""Ternarize to -1, 0 or +1 with the straight-through estimator.

    $$ q(x) = \begin{cases} +1 & x \ge \Delta \\ 0 & |x| < \Delta \\ -1 & x \le -\Delta \end{cases}
       \qquad
       \frac{\partial q}{\partial x} = \begin{cases} 1 & |x| \le \text{clip\_value} \\
                                                    0 & \text{otherwise} \end{cases} $$

    $\Delta$ is `threshold_value`, or with `ternary_weight_networks` $0.7 \operatorname{mean}|x|$ over the whole tensor.
    Zero gives 0 even where $\Delta = 0$; NaN gives NaN.

    Args:
        threshold_value: smallest magnitude that does not become 0, not negative.
        ternary_weight_networks: derive the threshold from the tensor, as Ternary Weight Networks do. Their scaling
            factor is not applied.
        clip_value: largest magnitude that still gets a gradient (inclusive), or `None` for no limit.
        metrics: see `Quantizer`.
        **kwargs: see `Quantizer`.

    Raises:
        ArgumentError: if `threshold_value` is negative or `clip_value` is not positive.

    Source: Li et al., "Ternary Weight Networks", arXiv:1605.04711.
    """

    precision = 2

    def __init__(
        self,
        threshold_value: float = 0.05,
        ternary_weight_networks: bool = False,
        clip_value: float | None = 1.0,
        metrics: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(metrics=metrics, **kwargs)
        if not threshold_value >= 0:
            raise ArgumentError(f"{self.name}: threshold_value={threshold_value}; it must not be negative.")
        self.threshold_value = threshold_value
        self.ternary_weight_networks = ternary_weight_networks
        self.clip_value = _check_clip_value(self.name, clip_value)

    @property
    def code_type(self) -> CodeType:
        """Signed codes -1, 0 and 1 in two bits."""
        return _TERNARY

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Tensor of the inputs' shape and float type, values exactly -1, 0 or +1."""
        quantized = ste_tern(inputs, self.threshold_value, self.ternary_weight_networks, self.clip_value)
        return super().call(quantized, training)

    def get_config(self) -> dict[str, Any]:
        """Arguments of `__init__`."""
        return {
            **super().get_config(),
            "threshold_value": self.threshold_value,
            "ternary_weight_networks": self.ternary_weight_networks,
            "clip_value": self.clip_value,
        }


@_register("fixed_point")
class FixedPoint(Quantizer):
    r"""Round to a fixed-point grid, saturating.

    $$ q(x) = 2^{-f} \operatorname{clip}(\operatorname{round}(2^f x),\, c_{\min},\, c_{\max})
       \qquad
       \frac{\partial q}{\partial x} = \begin{cases} 1 & 2^{-f} c_{\min} \le x \le 2^{-f} c_{\max} \\
                                                    0 & \text{otherwise} \end{cases} $$

    f is `fraction_bits`; round takes halves to the even neighbour. Codes are two's complement integers of `bits` bits,
    $-2^{b-1} \dots 2^{b-1} - 1$, or unsigned ones, $0 \dots 2^b - 1$. Scaling by a power of two is exact, so every
    output is a level, bit for bit, in float32 and float64; infinities saturate, NaN stays NaN.

    Args:
        bits: width of a code in bits, 1 to 24 (2 to 24 if signed); float32 holds integers exactly up to 2^24.
        fraction_bits: bits behind the binary point, -64 to 64; negative ones drop low integer bits.
        signed: two's complement instead of unsigned.
        metrics: see `Quantizer`.
        **kwargs: see `Quantizer`.

    Raises:
        ArgumentError: if `bits` or `fraction_bits` is out of range.
    """

    def __init__(
        self,
        bits: int,
        fraction_bits: int,
        signed: bool = True,
        metrics: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(metrics=metrics, **kwargs)
        fewest = 2 if signed else 1
        if not fewest <= bits <= 24:
            raise ArgumentError(f"{self.name}: bits={bits} with signed={signed}; allowed are {fewest} to 24.")
        if not -64 <= fraction_bits <= 64:
            raise ArgumentError(f"{self.name}: fraction_bits={fraction_bits}; allowed are -64 to 64.")
        self.bits = int(bits)
        self.fraction_bits = int(fraction_bits)
        self.signed = bool(signed)
        self.precision = self.bits

    @property
    def code_type(self) -> CodeType:
        """`bits`-bit integer with scale 2^-fraction_bits."""
        return CodeType(bits=self.bits, signed=self.signed, scale=2.0**-self.fraction_bits)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Tensor of the inputs' shape and float type, values exactly code * 2^-fraction_bits."""
        codes = self.code_type
        low, high = codes.min_code, codes.max_code

        def forward(x: Any) -> Any:
            return ops.clip(ops.round(x * 2.0**self.fraction_bits), low, high) * codes.scale

        backward = _straight_through(low * codes.scale, high * codes.scale)
        return super().call(_with_gradient(_as_float(inputs), forward, backward), training)

    def get_config(self) -> dict[str, Any]:
        """Arguments of `__init__`."""
        return {
            **super().get_config(),
            "bits": self.bits,
            "fraction_bits": self.fraction_bits,
            "signed": self.signed,
        }


@_register("dorefa_quantizer", "DoReFaQuantizer")
class DoReFa(Quantizer):
    r"""k-bit quantizer of DoReFa-Net, for activations or for weights; $n = 2^k - 1$.

    mode="activations":

    $$ q(x) = \tfrac{1}{n} \operatorname{round}(n \operatorname{clip}(x, 0, 1))
       \qquad
       \frac{\partial q}{\partial x} = \begin{cases} 1 & 0 \le x \le 1 \\ 0 & \text{otherwise} \end{cases} $$

    mode="weights", with m the maximum of $|\tanh x|$ over the whole tensor, which counts as a constant:

    $$ q(x) = \tfrac{2}{n} \operatorname{round}\!\left(n \left(\frac{\tanh x}{2 m} + \tfrac12\right)\right) - 1
       \qquad
       \frac{\partial q}{\partial x} = \frac{\operatorname{sech}^2 x}{m} $$

    Round takes halves to the even neighbour. The weight levels are the odd multiples of 1/n from -1 to +1: there is no
    zero. An all-zero tensor has m = 0, which is read as 1.

    Args:
        k_bit: bits of one value, 1 to 16.
        mode: "activations" or "weights".
        metrics: see `Quantizer`.
        **kwargs: see `Quantizer`.

    Raises:
        ArgumentError: if `k_bit` or `mode` is not one of these.

    Source: Zhou et al., "DoReFa-Net", arXiv:1606.06160.
    """

    def __init__(
        self,
        k_bit: int = 2,
        mode: Literal["activations", "weights"] = "activations",
        metrics: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(metrics=metrics, **kwargs)
        if not 1 <= k_bit <= 16:
            raise ArgumentError(f"{self.name}: k_bit={k_bit}; allowed are 1 to 16.")
        if mode not in ("activations", "weights"):
            raise ArgumentError(f'{self.name}: mode="{mode}"; allowed are "activations" and "weights".')
        self.k_bit = int(k_bit)
        self.mode = mode
        self.precision = self.k_bit

    @property
    def code_type(self) -> CodeType:
        """Activations: unsigned, scale 1/n. Weights: unsigned, scale 2/n, offset -1; bipolar for one bit."""
        n = 2**self.k_bit - 1
        if self.mode == "activations":
            return CodeType(bits=self.k_bit, scale=1.0 / n)
        if self.k_bit == 1:
            return _BIPOLAR
        return CodeType(bits=self.k_bit, scale=2.0 / n, offset=-1.0)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Tensor of the inputs' shape and float type, values on the levels above."""
        n = float(2**self.k_bit - 1)

        def round_to_level(x: Any) -> Any:
            return ops.round(x * n) / n

        x = _as_float(inputs)
        if self.mode == "activations":
            quantized = _with_gradient(x, lambda x: round_to_level(ops.clip(x, 0.0, 1.0)), _straight_through(0.0, 1.0))
        else:
            squashed = ops.tanh(x)
            largest = ops.stop_gradient(ops.max(ops.abs(squashed)))
            largest = ops.where(largest > 0, largest, ops.ones_like(largest))
            unit = squashed / (2.0 * largest) + 0.5
            quantized = 2.0 * _with_gradient(unit, round_to_level, lambda x, upstream: upstream) - 1.0
        return super().call(quantized, training)

    def get_config(self) -> dict[str, Any]:
        """Arguments of `__init__`."""
        return {**super().get_config(), "k_bit": self.k_bit, "mode": self.mode}


DoReFaQuantizer = DoReFa
"""The same class under its longer name."""


@_register("NoOpQuantizer", "no_op")
class NoOp(Quantizer):
    r"""Leave the values as they are and state how many bits they have.

    $$ q(x) = x \qquad \frac{\partial q}{\partial x} = 1 $$

    For weights that are few-valued already, as those which the optimizer `Bop` flips.

    Args:
        precision: bits of one value; 1 stands for -1 or +1.
        metrics: see `Quantizer`.
        **kwargs: see `Quantizer`.
    """

    def __init__(self, precision: int, metrics: Sequence[str] | None = None, **kwargs: Any) -> None:
        super().__init__(metrics=metrics, **kwargs)
        self.precision = precision

    @property
    def code_type(self) -> CodeType:
        """One bipolar bit for `precision=1`.

        Raises:
            QnnError: for more bits, whose meaning nobody stated.
        """
        return _BIPOLAR if self.precision == 1 else super().code_type

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The inputs."""
        return super().call(ops.convert_to_tensor(inputs), training)

    def get_config(self) -> dict[str, Any]:
        """Arguments of `__init__`."""
        return {**super().get_config(), "precision": self.precision}


NoOpQuantizer = NoOp
"""The same class under its longer name."""


def serialize(quantizer: Callable[[Any], Any] | None) -> Any:
    """JSON-ready form of a quantizer (`None` stays `None`), the inverse of `deserialize`."""
    return None if quantizer is None else keras.saving.serialize_keras_object(quantizer)


def deserialize(config: dict[str, Any] | str, custom_objects: dict[str, Any] | None = None) -> Callable[[Any], Any]:
    """Quantizer from what `serialize` returned, or from a name.

    Own classes must be registered with `keras.saving` or given in `custom_objects`.
    """
    if isinstance(config, str) and config not in (custom_objects or {}):
        return cast(Callable[[Any], Any], get(config))
    return cast(Callable[[Any], Any], keras.saving.deserialize_keras_object(config, custom_objects=custom_objects))


def get(identifier: QuantizerLike) -> Callable[[Any], Any] | None:
    """Resolve a quantizer argument.

    Args:
        identifier: `None` (no quantization); a name such as "ste_sign" or "SteSign", or one registered with
            `keras.saving`; a name with arguments such as "fixed_point(8, 4)" or "dorefa_quantizer(k_bit=3)"; a
            serialized quantizer; a quantizer class (instantiated without arguments); or any callable.

    Raises:
        ArgumentError: for anything else, with the known names.
    """
    match identifier:
        case None:
            return None
        case str():
            known = _BY_NAME.get(identifier) or keras.saving.get_registered_object(identifier)
            if known is not None:
                return get(known)
            if identifier.endswith(")"):
                return _from_call(identifier)
        case dict():
            return deserialize(identifier)
        case type() if issubclass(identifier, keras.layers.Layer):
            try:
                return cast(Callable[[Any], Any], identifier())
            except TypeError as error:
                raise ArgumentError(
                    f"quantizers.get: {identifier.__name__} needs arguments ({error}); "
                    f"give an object, for example {identifier.__name__}(...)."
                ) from error
        case _ if callable(identifier):
            return identifier
    raise ArgumentError(
        f"quantizers.get: {identifier!r} is no quantizer; allowed are None, a callable, or a name: "
        f"{', '.join(sorted(_BY_NAME))}."
    )


def get_kernel_quantizer(identifier: QuantizerLike) -> Callable[[Any], Any] | None:
    """Resolve a quantizer that is applied to weights; it gets the metrics of the surrounding `metrics_scope`.

    Args:
        identifier: see `get`.

    Raises:
        ArgumentError: see `get`.
    """
    quantizer = get(identifier)
    if isinstance(quantizer, Quantizer) and quantizer._metric_names is None and context.get_training_metrics():
        quantizer._set_metrics(context.get_training_metrics())
    return quantizer


def _from_call(text: str) -> Callable[[Any], Any]:
    """Quantizer from a name with literal arguments."""
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
            raise ValueError("write name(argument, name=argument)")
        arguments = [ast.literal_eval(argument) for argument in call.args]
        named = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
        return _BY_NAME[call.func.id](*arguments, **named)
    except (SyntaxError, TypeError, KeyError, ValueError) as error:
        if isinstance(error, QnnError):
            raise
        raise ArgumentError(
            f"quantizers.get: {text!r} makes no quantizer ({error}); write for example 'fixed_point(8, 4)', with a "
            f"name of these: {', '.join(sorted(_BY_NAME))}."
        ) from error
