# SPDX-License-Identifier: Apache-2.0
"""`logits` is `qnn_logits`."""

from qnn_hw.backends.instance import Instance, describes
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.logits import Logits


@describes(Logits)
def logits(op: Op, graph: Graph) -> Instance:
    """Sign or zero extension to 32 bits."""
    x = graph.types[op.inputs[0]]
    return Instance("qnn_logits", {"PE": x.lanes, "InWidth": x.dtype.bits, "InSigned": int(x.dtype.signed)})
