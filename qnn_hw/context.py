# SPDX-License-Identifier: Apache-2.0
"""Scopes: what a quantized layer shows as its weights, and which metrics new quantizers record.

Outside its `call`, a layer's `kernel` is the latent (float) variable that the optimizer updates. Inside
`quantized_scope(True)` the same attribute gives the quantized tensor:

    layer.kernel                    # latent floats
    with quantized_scope(True):
        layer.kernel                # -1.0 / +1.0
        model.save("binary.keras")  # stores the quantized weights

Kernel quantizers that are resolved inside `metrics_scope(["flip_ratio"])` record that metric while the model trains:

    with metrics_scope(["flip_ratio"]):
        model = build_model()

A scope belongs to the thread that entered it and is left on every way out, exceptions included.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from qnn_hw.errors import QnnError

__all__ = ["get_training_metrics", "metrics_scope", "quantized_scope", "should_quantize"]

TRAINING_METRICS = frozenset({"flip_ratio"})
"""Names that `metrics_scope` and the quantizers' argument `metrics` take; the classes are in `qnn_hw.metrics`."""


class _ThreadState(threading.local):
    """State of one thread; the class attributes are each new thread's start values."""

    quantize: bool = False
    training_metrics: frozenset[str] = frozenset()


_state = _ThreadState()


def should_quantize() -> bool:
    """Whether weights read now, in this thread, are to be quantized."""
    return _state.quantize


@contextmanager
def quantized_scope(quantize: bool) -> Iterator[None]:
    """Read weights quantized (`True`) or latent (`False`) inside the `with` block; scopes nest.

    A layer's own `call` always computes with quantized weights, whatever the surrounding scope says.
    """
    outer = _state.quantize
    _state.quantize = bool(quantize)
    try:
        yield
    finally:
        _state.quantize = outer


def get_training_metrics() -> frozenset[str]:
    """Names of the metrics that kernel quantizers resolved now, in this thread, are to record."""
    return _state.training_metrics


@contextmanager
def metrics_scope(metrics: Iterable[str] = ()) -> Iterator[frozenset[str]]:
    """Let every kernel quantizer resolved inside the `with` block record `metrics`; scopes nest and add up.

    Args:
        metrics: names out of `TRAINING_METRICS`.

    Yields:
        The names in force, those of outer scopes included.

    Raises:
        QnnError: for an unknown name.
    """
    outer = _state.training_metrics
    _state.training_metrics = outer | known_metrics("metrics_scope", metrics)
    try:
        yield _state.training_metrics
    finally:
        _state.training_metrics = outer


def known_metrics(where: str, metrics: Iterable[str]) -> frozenset[str]:
    """`metrics` as a set.

    Args:
        where: who was given them, for the error message.
        metrics: names out of `TRAINING_METRICS`.

    Raises:
        QnnError: for a name that is not one of them, or a plain string instead of a list.
    """
    names = frozenset((metrics,) if isinstance(metrics, str) else metrics)
    if isinstance(metrics, str) or not names <= TRAINING_METRICS:
        raise QnnError(
            f"{where}: metrics={metrics!r}; give a list of names out of: {', '.join(sorted(TRAINING_METRICS))}."
        )
    return names
