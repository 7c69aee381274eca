# SPDX-License-Identifier: Apache-2.0
"""Small helpers under the names that larq gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import keras

from qnn_hw.errors import QnnError

__all__ = [
    "memory_as_readable_str",
    "patch_object",
    "register_alias",
    "register_keras_custom_object",
    "set_precision",
]

Thing = TypeVar("Thing", bound=Callable[..., Any])


def memory_as_readable_str(num_bits: float) -> str:
    """Memory size with two decimals in the largest of B, KiB, MiB and GiB that leaves at least one: "1.22 KiB".

    Args:
        num_bits: size in bits.
    """
    size = num_bits / 8
    for unit in ("B", "KiB", "MiB"):
        if abs(size) < 1024:
            return f"{size:,.2f} {unit}"
        size /= 1024
    return f"{size:,.2f} GiB"


def register_keras_custom_object(cls: Thing) -> Thing:
    """Class or function decorator: Keras finds it by its bare name, for loading and in string arguments."""
    keras.saving.get_custom_objects()[cls.__name__] = cls
    return cls


def register_alias(name: str) -> Callable[[Thing], Thing]:
    """Class or function decorator: Keras finds it by `name`, too.

    @register_alias("half_sign")
    class HalfSign(Quantizer): ...

    QuantDense(64, kernel_quantizer="half_sign")
    """

    def register(cls: Thing) -> Thing:
        keras.saving.get_custom_objects()[name] = cls
        return cls

    return register


def set_precision(precision: int = 32) -> Callable[[Thing], Thing]:
    """Function decorator for quantizers: state the number of bits of their values, as `function.precision`.

    Raises:
        QnnError: if `precision` is not a positive integer.
    """
    if not isinstance(precision, int) or precision < 1:
        raise QnnError(f"set_precision: precision={precision!r}; give the bits of one value, an integer from 1 up.")

    def decorate(function: Thing) -> Thing:
        function.precision = precision  # type: ignore[attr-defined]
        return function

    return decorate


@contextmanager
def patch_object(object: Any, name: str, value: Any) -> Iterator[None]:
    """Give `object` the attribute `name` = `value` inside the `with` block, and put the old one back on every way out.

    Raises:
        AttributeError: if the object has no such attribute.
    """
    old = getattr(object, name)
    setattr(object, name, value)
    try:
        yield
    finally:
        setattr(object, name, old)
