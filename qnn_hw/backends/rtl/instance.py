# SPDX-License-Identifier: Apache-2.0
"""What an operator is in RTL: a module, its parameters, its tables; one function an operator, found by its class."""

import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from qnn_hw.errors import QnnError
from qnn_hw.ir.graph import Graph, Op


@dataclass(frozen=True, slots=True)
class Instance:
    """One module of the core.

    Attributes:
        module: module name, empty for an operator that is only a renaming of a stream.
        parameters: name -> value, strings for file names and styles.
        tables: file name -> hexadecimal words, one a line, as `qnn_weight_store` reads them.
        counts_fill: the module has a `high_water` port.
    """

    module: str
    parameters: Mapping[str, int | str] = field(default_factory=dict)
    tables: Mapping[str, list[str]] = field(default_factory=dict)
    counts_fill: bool = False


Printer = Callable[[Op, Graph], Instance]
_PRINTERS: dict[type[Op], Printer] = {}


def prints(cls: type[Op]) -> Callable[[Printer], Printer]:
    """Decorator: enter the RTL printer of an operator class."""

    def enter(printer: Printer) -> Printer:
        _PRINTERS[cls] = printer
        return printer

    return enter


def instance(op: Op, graph: Graph) -> Instance:
    """Return the module for one operator of a folded graph.

    Raises:
        QnnError: if the RTL library has no module for it.
    """
    _find_printers()
    if type(op) not in _PRINTERS:
        raise QnnError(f"{op.layer}: {op.keyword} has no module in the RTL library")
    return _PRINTERS[type(op)](op, graph)


@functools.cache
def _find_printers() -> None:
    from qnn_hw.backends.rtl import ops

    for module in pkgutil.iter_modules(ops.__path__):
        importlib.import_module(f"{ops.__name__}.{module.name}")
