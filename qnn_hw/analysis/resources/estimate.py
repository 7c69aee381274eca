# SPDX-License-Identifier: Apache-2.0
"""Estimates from the formulas: of a module, of an operator, of an accelerator."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from qnn_hw.analysis.resources.cells import Resources
from qnn_hw.analysis.resources.classifier import classifier
from qnn_hw.analysis.resources.fifo import fifo, register_slice
from qnn_hw.analysis.resources.mvu import mvu
from qnn_hw.analysis.resources.pool import pool
from qnn_hw.analysis.resources.shell import shell
from qnn_hw.analysis.resources.streams import add, affine, duplicate, logits, width_converter
from qnn_hw.analysis.resources.structure import Formula, Parameters, Structure, calibration
from qnn_hw.analysis.resources.table import TableSummary, summarize
from qnn_hw.analysis.resources.threshold import threshold
from qnn_hw.analysis.resources.weight_store import weight_store
from qnn_hw.analysis.resources.window import window
from qnn_hw.errors import QnnError, nearest
from qnn_hw.ir.graph import Graph, Op

FORMULAS: Mapping[str, Formula] = {
    "qnn_add": add,
    "qnn_affine": affine,
    "qnn_classifier": classifier,
    "qnn_duplicate": duplicate,
    "qnn_fifo": fifo,
    "qnn_logits": logits,
    "qnn_mvu": mvu,
    "qnn_pool": pool,
    "qnn_register_slice": register_slice,
    "qnn_shell": shell,
    "qnn_threshold": threshold,
    "qnn_weight_store": weight_store,
    "qnn_width_converter": width_converter,
    "qnn_window": window,
}
"""Module -> its formula."""


class Described(Protocol):
    """What `backends.instance.instance` returns: a module, its parameters, its tables."""

    @property
    def module(self) -> str:
        """Name of the RTL module, empty for a renaming."""
        ...

    @property
    def parameters(self) -> Mapping[str, int | str]:
        """Parameter -> value."""
        ...

    @property
    def tables(self) -> Mapping[str, list[str]]:
        """File name -> hexadecimal words."""
        ...


Describe = Callable[[Op, Graph], Described]


@dataclass(frozen=True, slots=True)
class OperatorEstimate:
    """Estimate of one operator: its layer, keyword, name, RTL module, cells."""

    layer: str
    operator: str
    name: str
    module: str
    resources: Resources


@dataclass(frozen=True, slots=True)
class GraphEstimate:
    """Estimate of an accelerator: its operators and the shell."""

    operators: tuple[OperatorEstimate, ...]
    shell: Resources

    @property
    def total(self) -> Resources:
        """Operators and shell."""
        return sum((operator.resources for operator in self.operators), self.shell)


def structure_of(module: str, parameters: Parameters, table: TableSummary | None = None) -> Structure:
    """Return what the formula of `module` gives, before the fitted weights.

    Raises:
        QnnError: for a module without a formula.
    """
    if module not in FORMULAS:
        raise QnnError(f"resources: no formula for module {module!r}; nearest: {nearest(module, list(FORMULAS))}")
    return FORMULAS[module](parameters, table)


def estimate_module(module: str, parameters: Parameters, table: TableSummary | None = None) -> Resources:
    """Estimate one module.

    Args:
        module: name of an RTL module.
        parameters: its parameters; file names are not looked at.
        table: what is known of its table of constants; without it the table counts as random bits.

    Raises:
        QnnError: for a module without a formula.
    """
    structure = structure_of(module, parameters, table)
    weights = calibration()["lut"]
    luts = sum(weights[name] * size for name, size in structure.lut)
    return replace(structure.known, lut=max(structure.known.lut, round(structure.known.lut + luts)))


def estimate(op: Op, graph: Graph, describe: Describe) -> Resources:
    """Estimate one operator of a folded graph.

    Args:
        op, graph: the operator and its graph.
        describe: `qnn_hw.backends.instance.instance`; handed in, because the backends lie above the analysis.

    Raises:
        QnnError: for an operator without a module, or a module without a formula.
    """
    printed = describe(op, graph)
    return _described(printed) if printed.module else Resources()


def estimate_graph(graph: Graph, describe: Describe, shell_parameters: Parameters) -> GraphEstimate:
    """Estimate a whole accelerator.

    Args:
        graph: folded graph.
        describe: as for `estimate`.
        shell_parameters: of `qnn_shell`, as `backends.rtl.core.shell_parameters` returns them.

    Raises:
        QnnError: as `estimate`.
    """
    operators = []
    for op in graph.ops:
        printed = describe(op, graph)
        if printed.module:
            operators.append(OperatorEstimate(op.layer, op.keyword, op.name, printed.module, _described(printed)))
    return GraphEstimate(tuple(operators), estimate_module("qnn_shell", shell_parameters))


def table_width(module: str, parameters: Parameters) -> int:
    """Return the bits of a word of the table of `module`; 0 for a module without one."""
    p = {name: int(value) for name, value in parameters.items() if not isinstance(value, str)}
    match module:
        case "qnn_weight_store":
            return p["Width"]
        case "qnn_mvu":
            return p["PE"] * p["SIMD"]
        case "qnn_threshold":
            return p["PE"] * p["Steps"] * p["ThresholdWidth"]
        case "qnn_pool":
            return p["PE"]
        case "qnn_classifier" if p["ScoreKind"]:
            return p["ScoreWidth"]
        case "qnn_classifier":
            return p["PE"] * (p["ScoreWidth"] + p["SlopeWidth"])
        case _:
            return 0


def _described(printed: Described) -> Resources:
    width = table_width(printed.module, printed.parameters)
    words = next(iter(printed.tables.values()), None) if width else None
    return estimate_module(printed.module, printed.parameters, summarize(words, width) if words else None)
