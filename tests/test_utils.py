# SPDX-License-Identifier: Apache-2.0
"""The helpers that have larq's names."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import keras
import pytest

from qnn_hw import quantizers
from qnn_hw.errors import QnnError
from qnn_hw.layers import QuantDense
from qnn_hw.utils import (
    memory_as_readable_str,
    patch_object,
    register_alias,
    register_keras_custom_object,
    set_precision,
)


@pytest.fixture(autouse=True)
def same_registry() -> Iterator[None]:
    """Take back what a test registers."""
    names = keras.saving.get_custom_objects()
    before = dict(names)
    yield
    names.clear()
    names.update(before)


@pytest.mark.parametrize(
    ("bits", "text"),
    [
        (0, "0.00 B"),
        (1, "0.12 B"),
        (8191, "1,023.88 B"),
        (8192, "1.00 KiB"),
        (10000, "1.22 KiB"),
        (123456789, "14.72 MiB"),
        (8 * 1024**3, "1.00 GiB"),
        (8 * 3 * 1024**4, "3,072.00 GiB"),
    ],
)
def test_memory(bits: int, text: str) -> None:
    assert memory_as_readable_str(bits) == text


def test_registered_class_is_found_by_its_bare_name() -> None:
    @register_keras_custom_object
    class Halving(quantizers.SteSign):
        pass

    assert isinstance(quantizers.get("Halving"), Halving)


def test_registered_function_is_found_by_its_alias() -> None:
    @register_alias("minus")
    def negative(x: Any) -> Any:
        return -x

    assert QuantDense(2, input_quantizer="minus").input_quantizer is negative


def test_precision_of_a_function() -> None:
    @set_precision(1)
    def binary(x: Any) -> Any:
        return x

    assert binary.precision == 1  # type: ignore[attr-defined]
    with pytest.warns(UserWarning, match="starved"):
        QuantDense(2, kernel_quantizer=binary)


@pytest.mark.parametrize("precision", [0, 1.5], ids=str)
def test_wrong_precision(precision: Any) -> None:
    with pytest.raises(QnnError, match=f"set_precision: precision={precision}; give the bits"):
        set_precision(precision)


def test_patched_attribute_comes_back() -> None:
    thing = SimpleNamespace(value=1)
    with pytest.raises(KeyError), patch_object(thing, "value", 2):
        assert thing.value == 2
        raise KeyError
    assert thing.value == 1
