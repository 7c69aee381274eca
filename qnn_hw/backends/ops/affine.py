# SPDX-License-Identifier: Apache-2.0
"""`affine` is `qnn_affine`."""

from qnn_hw.backends.instance import Instance, describes
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.affine import Affine


@describes(Affine)
def affine(op: Op, graph: Graph) -> Instance:
    """Scale and offset become parameters."""
    assert isinstance(op, Affine)
    x, y = graph.types[op.inputs[0]], graph.types[op.outputs[0]]
    return Instance(
        "qnn_affine",
        {
            "Lanes": x.lanes,
            "InWidth": x.dtype.bits,
            "InSigned": int(x.dtype.signed),
            "OutWidth": y.dtype.bits,
            "Scale": op.scale,
            "Offset": op.offset,
        },
    )
