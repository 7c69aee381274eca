# SPDX-License-Identifier: Apache-2.0
"""Quantizers: float tensors in, few-level float tensors out, with a pseudo-gradient for training.

A quantizer may be given as a string, a class, an object, or any callable or Keras layer; these are the same:

    QuantDense(64, kernel_quantizer="ste_sign")
    QuantDense(64, kernel_quantizer=SteSign)
    QuantDense(64, kernel_quantizer=SteSign(clip_value=1.0))

The string is the shortest; the object is needed for arguments. Every quantizer here is a Keras layer without weights,
so it can also stand alone in a model. Two attributes matter downstream: `precision`, the number of bits, and
`code_type`, which tells the compiler the integer codes and the real value of each. A callable without `code_type`
trains, but cannot be compiled.

Forward values are exact: always one of the levels, bit for bit, for every input. The usual trick
`x + stop_gradient(q - x)` is not exact in floating point (x = 1e9 gives 0 or 64 instead of 1), so forward and gradient
are given separately through `keras.ops.custom_gradient`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar, cast

import keras
from keras import ops

from qnn_hw.errors import QnnError
from qnn_hw.ir.code_type import CodeType
from qnn_hw.math import sign

__all__ = [
    "DoReFa",
    "FixedPoint",
    "Quantizer",
    "QuantizerLike",
    "SteSign",
    "deserialize",
    "get",
    "get_kernel_quantizer",
    "serialize",
]

QuantizerLike = str | dict[str, Any] | Callable[[Any], Any] | None
"""What every `*_quantizer` argument accepts: name, serialized form, class, object, callable, or `None` for none."""

QuantizerClass = TypeVar("QuantizerClass", bound="Quantizer")

_BY_NAME: dict[str, type[Quantizer]] = {}


def _register(*aliases: str) -> Callable[[type[QuantizerClass]], type[QuantizerClass]]:
    """Class decorator: serializable under the package "qnn_hw" and known to `get` by class name and `aliases`."""

    def register(cls: type[QuantizerClass]) -> type[QuantizerClass]:
        keras.saving.register_keras_serializable("qnn_hw")(cls)
        for name in (cls.__name__, *aliases):
            _BY_NAME[name] = cls
        return cls

    return register


def _with_gradient(x: Any, forward: Callable[[Any], Any], slope: Callable[[Any], Any]) -> Any:
    """`forward(x)`, exactly, with the elementwise pseudo-gradient `slope(x)`, a tensor of x's shape and dtype."""

    @ops.custom_gradient
    def run(x: Any) -> tuple[Any, Callable[..., Any]]:
        def gradient(*args: Any, upstream: Any = None) -> Any:
            # TensorFlow and JAX hand over the upstream gradient alone, PyTorch by name.
            if upstream is None:
                (upstream,) = args
            return ops.multiply(upstream, slope(x))

        return forward(x), gradient

    # A variable's tensor, not the variable: tf.custom_gradient refuses a function that reads variables.
    return run(ops.copy(x))


def _as_float(x: Any) -> Any:
    """`x` as a float tensor; integer inputs (raw images) become the default float type, floats stay as they are."""
    x = ops.convert_to_tensor(x)
    return x if "float" in keras.backend.standardize_dtype(x.dtype) else ops.cast(x, keras.config.floatx())


def _inside(x: Any, low: float, high: float) -> Any:
    """1 where low <= x <= high (closed on both sides), else 0, in x's dtype."""
    return ops.cast(ops.logical_and(x >= low, x <= high), x.dtype)


class Quantizer(keras.layers.Layer):
    """Base of all quantizers.

    A subclass sets `precision`, implements `call` and `code_type`, and returns the arguments of its `__init__` from
    `get_config`. Autocasting is off: a quantizer computes in the type of its input, float64 included.

    Attributes:
        precision: bits of one quantized value, `None` if not stated.
    """

    precision: int | None = None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)

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

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Quantizers are elementwise in shape."""
        return input_shape


@_register("ste_sign")
class SteSign(Quantizer):
    """Binarize to -1 or +1 with the straight-through estimator.

        q(x)     = -1 if x < 0 else +1        (+1 for both zeros, NaN for NaN)
        dq/dx   := 1 if |x| <= clip_value else 0

    Args:
        clip_value: largest magnitude that still gets a gradient (inclusive), or `None` for no limit.

    Raises:
        QnnError: if `clip_value` is not positive.

    Source: Courbariaux et al., "Binarized Neural Networks", arXiv:1602.02830.
    """

    precision = 1

    def __init__(self, clip_value: float | None = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if clip_value is not None and not clip_value > 0:
            raise QnnError(f"{self.name}: clip_value={clip_value}; give a positive number, or None for no limit.")
        self.clip_value = clip_value

    @property
    def code_type(self) -> CodeType:
        """One bipolar bit: 0 is -1, 1 is +1."""
        return CodeType(bits=1, bipolar=True)

    def call(self, inputs: Any) -> Any:
        """Tensor of the inputs' shape and float type, values exactly -1 or +1."""
        clip_value = self.clip_value
        return _with_gradient(
            _as_float(inputs),
            sign,
            lambda x: ops.ones_like(x) if clip_value is None else _inside(x, -clip_value, clip_value),
        )

    def get_config(self) -> dict[str, Any]:
        """Arguments of `__init__`."""
        return {**super().get_config(), "clip_value": self.clip_value}


@_register("fixed_point")
class FixedPoint(Quantizer):
    """Round to a fixed-point grid, saturating.

        code(x)  = clip(round_half_even(x * 2^fraction_bits), min_code, max_code)
        q(x)     = code(x) * 2^-fraction_bits
        dq/dx   := 1 if min_code * 2^-fraction_bits <= x <= max_code * 2^-fraction_bits else 0

    Codes are two's complement integers of `bits` bits, or unsigned ones. Scaling by a power of two is exact, so every
    output is a level, bit for bit, in float32 and float64; infinities saturate, NaN stays NaN.

    Args:
        bits: width of a code in bits, 1 to 24 (2 to 24 if signed); float32 holds integers exactly up to 2^24.
        fraction_bits: bits behind the binary point, -64 to 64; negative ones drop low integer bits.
        signed: two's complement instead of unsigned.

    Raises:
        QnnError: if `bits` or `fraction_bits` is out of range.
    """

    def __init__(self, bits: int, fraction_bits: int, signed: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        fewest = 2 if signed else 1
        if not fewest <= bits <= 24:
            raise QnnError(f"{self.name}: bits={bits} with signed={signed}; allowed are {fewest} to 24.")
        if not -64 <= fraction_bits <= 64:
            raise QnnError(f"{self.name}: fraction_bits={fraction_bits}; allowed are -64 to 64.")
        self.bits = int(bits)
        self.fraction_bits = int(fraction_bits)
        self.signed = bool(signed)
        self.precision = self.bits

    @property
    def code_type(self) -> CodeType:
        """`bits`-bit integer with scale 2^-fraction_bits."""
        return CodeType(bits=self.bits, signed=self.signed, scale=2.0**-self.fraction_bits)

    def call(self, inputs: Any) -> Any:
        """Tensor of the inputs' shape and float type, values exactly code * 2^-fraction_bits."""
        codes = self.code_type
        low, high = codes.min_code, codes.max_code

        def forward(x: Any) -> Any:
            return ops.clip(ops.round(x * 2.0**self.fraction_bits), low, high) * codes.scale

        return _with_gradient(_as_float(inputs), forward, lambda x: _inside(x, low * codes.scale, high * codes.scale))

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
    """k-bit quantizer of DoReFa-Net, for activations or for weights; n = 2^k_bit - 1.

    mode="activations":

        q(x)     = round_half_even(clip(x, 0, 1) * n) / n
        dq/dx   := 1 if 0 <= x <= 1 else 0

    mode="weights", with t = tanh(x) and m = max|t| over the whole tensor (m counts as a constant):

        q(x)     = 2 * round_half_even((t / (2 m) + 1/2) * n) / n - 1
        dq/dx   := sech^2(x) / m

    The weight levels are the odd multiples of 1/n from -1 to +1: there is no zero. An all-zero tensor has m = 0, which
    is read as 1.

    Args:
        k_bit: bits of one value, 1 to 16.
        mode: "activations" or "weights".

    Raises:
        QnnError: if `k_bit` or `mode` is not one of these.

    Source: Zhou et al., "DoReFa-Net", arXiv:1606.06160.
    """

    def __init__(self, k_bit: int = 2, mode: Literal["activations", "weights"] = "activations", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 1 <= k_bit <= 16:
            raise QnnError(f"{self.name}: k_bit={k_bit}; allowed are 1 to 16.")
        if mode not in ("activations", "weights"):
            raise QnnError(f'{self.name}: mode="{mode}"; allowed are "activations" and "weights".')
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
            return CodeType(bits=1, bipolar=True)
        return CodeType(bits=self.k_bit, scale=2.0 / n, offset=-1.0)

    def call(self, inputs: Any) -> Any:
        """Tensor of the inputs' shape and float type, values on the levels above."""
        n = float(2**self.k_bit - 1)

        def round_to_level(x: Any) -> Any:
            return ops.round(x * n) / n

        x = _as_float(inputs)
        if self.mode == "activations":
            return _with_gradient(x, lambda x: round_to_level(ops.clip(x, 0.0, 1.0)), lambda x: _inside(x, 0.0, 1.0))
        squashed = ops.tanh(x)
        largest = ops.stop_gradient(ops.max(ops.abs(squashed)))
        largest = ops.where(largest > 0, largest, ops.ones_like(largest))
        unit = squashed / (2.0 * largest) + 0.5
        return 2.0 * _with_gradient(unit, round_to_level, ops.ones_like) - 1.0

    def get_config(self) -> dict[str, Any]:
        """Arguments of `__init__`."""
        return {**super().get_config(), "k_bit": self.k_bit, "mode": self.mode}


def serialize(quantizer: Callable[[Any], Any] | None) -> Any:
    """JSON-ready form of a quantizer (`None` stays `None`), the inverse of `deserialize`."""
    return None if quantizer is None else keras.saving.serialize_keras_object(quantizer)


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Callable[[Any], Any]:
    """Quantizer from what `serialize` returned; own classes must be registered or given in `custom_objects`."""
    return cast(Callable[[Any], Any], keras.saving.deserialize_keras_object(config, custom_objects=custom_objects))


def get(identifier: QuantizerLike) -> Callable[[Any], Any] | None:
    """Resolve a quantizer argument.

    Args:
        identifier: `None` (no quantization); a name such as "ste_sign" or "SteSign", or one registered with
            `keras.saving`; a serialized quantizer; a quantizer class (instantiated without arguments); or any callable.

    Raises:
        QnnError: for anything else, with the known names.
    """
    match identifier:
        case None:
            return None
        case str():
            known = _BY_NAME.get(identifier) or keras.saving.get_registered_object(identifier)
            if known is not None:
                return get(known)
        case dict():
            return deserialize(identifier)
        case type() if issubclass(identifier, keras.layers.Layer):
            try:
                return cast(Callable[[Any], Any], identifier())
            except TypeError as error:
                raise QnnError(
                    f"quantizers.get: {identifier.__name__} needs arguments ({error}); "
                    f"give an object, for example {identifier.__name__}(...)."
                ) from error
        case _ if callable(identifier):
            return identifier
    raise QnnError(
        f"quantizers.get: {identifier!r} is no quantizer; allowed are None, a callable, or a name: "
        f"{', '.join(sorted(_BY_NAME))}."
    )


def get_kernel_quantizer(identifier: QuantizerLike) -> Callable[[Any], Any] | None:
    """Resolve a quantizer that is applied to weights; same arguments and errors as `get`."""
    return get(identifier)
