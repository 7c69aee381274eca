# SPDX-License-Identifier: Apache-2.0
"""What an operator is in hardware, RTL and HLS alike: a module, its parameters, its tables."""

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
        make_tables: computes `tables`; called only by who needs them, for comparing foldings needs parameters alone.
        counts_fill: the module has a `high_water` port.
        inputs: prefix of the ports of each stream the operator reads, in its order.
        outputs: the same for those it writes; where a prefix stands n times, the n streams lie side by side in one
            port, the first in the least significant bits.
    """

    module: str
    parameters: Mapping[str, int | str] = field(default_factory=dict)
    make_tables: Callable[[], Mapping[str, list[str]]] = dict
    counts_fill: bool = False
    inputs: tuple[str, ...] = ("s_axis",)
    outputs: tuple[str, ...] = ("m_axis",)

    @property
    def tables(self) -> Mapping[str, list[str]]:
        """File name -> hexadecimal words, one a line, as `qnn_weight_store` reads them."""
        return self.make_tables()


Describe = Callable[[Op, Graph], Instance]
_DESCRIPTIONS: dict[type[Op], Describe] = {}


def describes(cls: type[Op]) -> Callable[[Describe], Describe]:
    """Decorator: enter the function that describes an operator class."""

    def enter(function: Describe) -> Describe:
        _DESCRIPTIONS[cls] = function
        return function

    return enter


def instance(op: Op, graph: Graph) -> Instance:
    """Return the module for one operator of a folded graph.

    Raises:
        QnnError: if the hardware library has no module for it.
    """
    _find_descriptions()
    if type(op) not in _DESCRIPTIONS:
        raise QnnError(f"{op.layer}: {op.keyword} has no module in the hardware library")
    return _DESCRIPTIONS[type(op)](op, graph)


@functools.cache
def _find_descriptions() -> None:
    from qnn_hw.backends import ops

    for module in pkgutil.iter_modules(ops.__path__):
        importlib.import_module(f"{ops.__name__}.{module.name}")
