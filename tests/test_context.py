# SPDX-License-Identifier: Apache-2.0
"""Scopes: nested, left by exceptions, one for each thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from qnn_hw.context import get_training_metrics, metrics_scope, quantized_scope, should_quantize
from qnn_hw.errors import QnnError

NONE, FLIPS = frozenset(), frozenset({"flip_ratio"})

SCOPES = [
    pytest.param(lambda: quantized_scope(True), should_quantize, False, True, id="quantized"),
    pytest.param(lambda: metrics_scope(["flip_ratio"]), get_training_metrics, NONE, FLIPS, id="metrics"),
]


@pytest.mark.parametrize(("scope", "read", "outside", "inside"), SCOPES)
class TestEveryScope:
    def test_holds_inside_alone(self, scope: Callable[[], Any], read: Any, outside: Any, inside: Any) -> None:
        assert read() == outside
        with scope():
            assert read() == inside
        assert read() == outside

    def test_is_left_by_an_exception(self, scope: Callable[[], Any], read: Any, outside: Any, inside: Any) -> None:
        with pytest.raises(KeyError), scope():
            raise KeyError
        assert read() == outside

    def test_belongs_to_its_thread(self, scope: Callable[[], Any], read: Any, outside: Any, inside: Any) -> None:
        found: list[Any] = []

        def other_thread() -> None:
            found.append(read())
            with scope():
                found.append(read())

        with scope():
            thread = threading.Thread(target=other_thread)
            thread.start()
            thread.join()
            assert read() == inside
        assert found == [outside, inside]


def test_quantized_scopes_nest() -> None:
    with quantized_scope(True):
        with quantized_scope(False):
            assert not should_quantize()
        assert should_quantize()


def test_metrics_scopes_add_up() -> None:
    with metrics_scope(["flip_ratio"]) as names:
        assert names == FLIPS
        with metrics_scope() as inner:
            assert inner == FLIPS


@pytest.mark.parametrize("names", [["accuracy"], "flip_ratio"], ids=["unknown", "string"])
def test_wrong_metrics(names: Any) -> None:
    with pytest.raises(QnnError, match=r"metrics_scope: metrics=.*; give a list of names out of: flip_ratio"):
        metrics_scope(names).__enter__()
    assert get_training_metrics() == NONE
