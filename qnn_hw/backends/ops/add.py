# SPDX-License-Identifier: Apache-2.0
"""`add` is `qnn_add`."""

from qnn_hw.backends.instance import Instance, describes
from qnn_hw.ir.datatype import DataType
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.add import Add


@describes(Add)
def add(op: Op, graph: Graph) -> Instance:
    """Widths and kinds of both inputs; a kind tells the value of a code."""
    a, b = graph.input_types(op)
    return Instance(
        "qnn_add",
        {
            "Lanes": a.lanes,
            "In0Width": a.dtype.bits,
            "In0Kind": _kind(a.dtype),
            "In1Width": b.dtype.bits,
            "In1Kind": _kind(b.dtype),
            "OutWidth": graph.types[op.outputs[0]].dtype.bits,
        },
        inputs=("s0_axis", "s1_axis"),
    )


def _kind(dtype: DataType) -> int:
    return 2 if dtype.bipolar else int(dtype.signed)
