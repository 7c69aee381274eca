# SPDX-License-Identifier: Apache-2.0
"""`duplicate` is `qnn_duplicate`."""

from qnn_hw.backends.instance import Instance, describes
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.duplicate import Duplicate


@describes(Duplicate)
def duplicate(op: Op, graph: Graph) -> Instance:
    """The outputs lie side by side in one port."""
    return Instance(
        "qnn_duplicate",
        {"Width": graph.types[op.inputs[0]].width_bits, "Outputs": len(op.outputs)},
        outputs=("m_axis",) * len(op.outputs),
    )
