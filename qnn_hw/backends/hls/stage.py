# SPDX-License-Identifier: Apache-2.0
"""What an operator is in HLS C++: a function template of `hls_templates/`, its arguments, its tables."""

import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from qnn_hw.backends.instance import Instance, instance
from qnn_hw.errors import QnnError
from qnn_hw.ir.graph import Graph, Op

MAX_WIDTH_BITS = 8191
"""Bits of the widest beat or word: what FINN allows itself with Vitis HLS, although ap_int.h says 32,768."""

MAX_ELEMENT_BITS = 32
"""Bits of the widest element the templates take."""


class UnsupportedByHls(QnnError):
    """The network cannot be printed as HLS C++; as SystemVerilog it can."""


@dataclass(frozen=True, slots=True)
class Table:
    """A constant array handed to the function.

    Attributes:
        name: suffix of its name behind the operator's: `<op>_<name>`.
        width_bits: of a word.
        signed: words are `ap_int`, else `ap_uint`.
        dims: the array's dimensions.
        words: content in C order.
        memory: "auto", "lut", "lutram" or "bram", as in the folding; "" leaves the choice to the tool.
        comment: what the words mean, a line each.
    """

    name: str
    width_bits: int
    signed: bool
    dims: tuple[int, ...]
    words: list[int]
    memory: str = ""
    comment: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        """C++ type of a word."""
        return f"ap_{'' if self.signed else 'u'}int<{self.width_bits}>"


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the dataflow core.

    Attributes:
        op: the operator.
        function: function template in namespace qnn, which `include/qnn/<header>` holds.
        header: file name.
        arguments: template arguments in their order, name -> value.
        tables: arrays handed over behind the streams.
        inside_bits: of the widest `ap_uint` that the function makes besides beats and words; 0 if there is none.
    """

    op: Op
    function: str
    header: str
    arguments: Mapping[str, int]
    tables: tuple[Table, ...] = ()
    inside_bits: int = 0


Print = Callable[[Op, Graph, Instance], Stage]
_PRINTERS: dict[type[Op], Print] = {}


def prints(cls: type[Op]) -> Callable[[Print], Print]:
    """Decorator: enter the function that turns an operator class into a stage."""

    def enter(function: Print) -> Print:
        _PRINTERS[cls] = function
        return function

    return enter


def stage(op: Op, graph: Graph) -> Stage:
    """Return the stage for one operator of a folded graph.

    Raises:
        UnsupportedByHls: if there is no function template for it, or a beat or word is wider than `MAX_WIDTH_BITS`.
    """
    _find_printers()
    if type(op) not in _PRINTERS:
        raise UnsupportedByHls(f"{op.layer}: {op.keyword} has no HLS C++ template; use the RTL")
    found = _PRINTERS[type(op)](op, graph, instance(op, graph))
    for tensor in (*op.inputs, *op.outputs):
        if graph.types[tensor].dtype.bits > MAX_ELEMENT_BITS:
            raise UnsupportedByHls(
                f"{op.layer}: {tensor} has elements of {graph.types[tensor].dtype}, HLS C++ takes at most "
                f"{MAX_ELEMENT_BITS} bits; use the RTL"
            )
    for what, width in widths(found, graph):
        if width > MAX_WIDTH_BITS:
            raise UnsupportedByHls(
                f"{op.layer}: {what} has {width:,} bits, HLS C++ takes at most {MAX_WIDTH_BITS:,} (AP_INT_MAX_W); "
                "lower PE or SIMD of the layer, or use the RTL"
            )
    return found


def widths(found: Stage, graph: Graph) -> Iterator[tuple[str, int]]:
    """Name everything wide in a stage, and its bits."""
    for tensor in (*found.op.inputs, *found.op.outputs):
        yield f"a beat of {tensor} ({graph.types[tensor]})", graph.types[tensor].width_bits
    for table in found.tables:
        yield f"a word of {found.op.name}_{table.name}", table.width_bits
    if found.inside_bits:
        yield f"a word inside {found.op.name}", found.inside_bits


def choose(found: Instance, names: str, **more: int) -> dict[str, int]:
    """Return the RTL module's parameters `names` (separated by spaces), then `more`, as template arguments."""
    return {**{name: int(found.parameters[name]) for name in names.split()}, **more}


def slices(words: list[str], width_bits: int, count: int, *, offset: int = 0, step: int = 0) -> list[int]:
    """Cut hexadecimal words into `count` fields of `width_bits` each, the lowest first.

    Args:
        words: lines of a table of `Instance`.
        width_bits: of a field.
        count: fields of a word.
        offset: bit of the first field.
        step: bits from one field to the next; `width_bits` by default.
    """
    mask, step = (1 << width_bits) - 1, step or width_bits
    places = [offset + i * step for i in range(count)]
    return [(word >> place) & mask for word in (int(text, 16) for text in words) for place in places]


def as_signed(codes: list[int], width_bits: int) -> list[int]:
    """Read two's complement codes."""
    return [code - (1 << width_bits) if code >> (width_bits - 1) else code for code in codes]


def only_table(found: Instance) -> list[str]:
    """Return the one table of an instance."""
    (words,) = found.tables.values()
    return words


@functools.cache
def _find_printers() -> None:
    from qnn_hw.backends.hls import ops

    for module in pkgutil.iter_modules(ops.__path__):
        importlib.import_module(f"{ops.__name__}.{module.name}")
