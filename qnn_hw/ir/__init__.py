# SPDX-License-Identifier: Apache-2.0
"""The intermediate representation: data types, tensors, operators and the immutable `Graph`."""

from qnn_hw.ir.datatype import BIPOLAR, TERNARY, UINT8, DataType, parse_dtype
from qnn_hw.ir.graph import ConstRef, Graph, Op, TensorType
from qnn_hw.ir.text import parse_graph, print_graph

__all__ = [
    "BIPOLAR",
    "TERNARY",
    "UINT8",
    "ConstRef",
    "DataType",
    "Graph",
    "Op",
    "TensorType",
    "parse_dtype",
    "parse_graph",
    "print_graph",
]
