# SPDX-License-Identifier: Apache-2.0
"""`pool` is `qnn_pool`."""

import numpy as np

from qnn_hw.backends.instance import Instance, describes
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.pool import Pool
from qnn_hw.ir.packing import words_to_hex


@describes(Pool)
def pool(op: Op, graph: Graph) -> Instance:
    """The complement mask becomes a table of PE bits a word."""
    assert isinstance(op, Pool)
    y = graph.types[op.outputs[0]]
    mask = graph.constants[op.complement] if op.complement else np.zeros(y.channels, np.int64)
    file = f"{op.name}.mem"
    return Instance(
        "qnn_pool",
        {
            "PE": op.pe,
            "Channels": y.channels,
            "ElemWidth": y.dtype.bits,
            "Signed": int(y.dtype.signed),
            "Positions": op.positions,
            "InitFile": file,
        },
        lambda: {file: words_to_hex(mask.reshape(-1, op.pe).astype(np.uint8))},
    )
