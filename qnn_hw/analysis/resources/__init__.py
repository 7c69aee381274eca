# SPDX-License-Identifier: Apache-2.0
"""What a module occupies on a 7-series device, without synthesis: one file an RTL module, formulas with their source.

`estimate_module` takes a module's parameters and is fast enough for a solver that compares thousands of foldings;
`estimate_graph` adds a whole accelerator up. How far both are from yosys stands in docs/resources.md.
"""

from qnn_hw.analysis.resources.cells import Resources
from qnn_hw.analysis.resources.estimate import (
    Described,
    GraphEstimate,
    OperatorEstimate,
    estimate,
    estimate_graph,
    estimate_module,
    structure_of,
)
from qnn_hw.analysis.resources.table import TableSummary, random_table, summarize

__all__ = [
    "Described",
    "GraphEstimate",
    "OperatorEstimate",
    "Resources",
    "TableSummary",
    "estimate",
    "estimate_graph",
    "estimate_module",
    "random_table",
    "structure_of",
    "summarize",
]
