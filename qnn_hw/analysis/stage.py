# SPDX-License-Identifier: Apache-2.0
"""What an operator is in time: the registry from operator classes to behaviours."""

import functools
import importlib
import pkgutil
from collections.abc import Callable

from qnn_hw.analysis.behaviour import Behaviour
from qnn_hw.errors import QnnError
from qnn_hw.ir.graph import Graph, Op

Describe = Callable[[Op, Graph], Behaviour | None]
_DESCRIPTIONS: dict[type[Op], Describe] = {}


def timed(cls: type[Op]) -> Callable[[Describe], Describe]:
    """Decorator: enter the function that describes an operator class in time."""

    def enter(function: Describe) -> Describe:
        _DESCRIPTIONS[cls] = function
        return function

    return enter


def behaviour(op: Op, graph: Graph) -> Behaviour | None:
    """Return what one operator of a folded graph does in time; None for wires, which only rename a stream.

    Raises:
        QnnError: if nothing says how the operator behaves.
    """
    _find_descriptions()
    if type(op) not in _DESCRIPTIONS:
        raise QnnError(f"{op.layer}: the cycle model does not know {op.keyword}; describe it in analysis/timing")
    return _DESCRIPTIONS[type(op)](op, graph)


@functools.cache
def _find_descriptions() -> None:
    from qnn_hw.analysis import timing

    for module in pkgutil.iter_modules(timing.__path__):
        importlib.import_module(f"{timing.__name__}.{module.name}")
