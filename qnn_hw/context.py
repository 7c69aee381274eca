# SPDX-License-Identifier: Apache-2.0
"""Scopes that change what a quantized layer shows: its latent weights or its quantized ones.

Outside its `call`, a layer's `kernel` is the latent (float) variable that the optimizer updates. Inside
`quantized_scope(True)` the same attribute gives the quantized tensor:

    layer.kernel                    # latent floats
    with quantized_scope(True):
        layer.kernel                # -1.0 / +1.0
        model.save("binary.keras")  # stores the quantized weights

The scope belongs to the thread that entered it and is left on every way out, exceptions included.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quantized_scope", "should_quantize"]


class _ThreadState(threading.local):
    """State of one thread; the class attribute is each new thread's start value."""

    quantize: bool = False


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
