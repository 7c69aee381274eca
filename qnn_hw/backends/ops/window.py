# SPDX-License-Identifier: Apache-2.0
"""`window` is `qnn_window`."""

import numpy as np

from qnn_hw.backends.instance import Instance, describes
from qnn_hw.ir.datatype import TERNARY
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.window import Window


@describes(Window)
def window(op: Op, graph: Graph) -> Instance:
    """Zero padding of a bipolar map is the module's ternary mode."""
    assert isinstance(op, Window)
    x, y = graph.types[op.inputs[0]], graph.types[op.outputs[0]]
    top, bottom, left, right = op.padding
    ternary = y.dtype == TERNARY and x.dtype != TERNARY
    pad = 0 if ternary else int(x.dtype.codes(np.array([op.pad_value]))[0]) if any(op.padding) else 0
    return Instance(
        "qnn_window",
        {
            "Channels": x.channels,
            "Lanes": x.lanes,
            "ElemWidth": x.dtype.bits,
            "OutElemWidth": y.dtype.bits,
            "MapHeight": x.shape[0],
            "MapWidth": x.shape[1],
            "KernelHeight": op.kernel[0],
            "KernelWidth": op.kernel[1],
            "StrideHeight": op.strides[0],
            "StrideWidth": op.strides[1],
            "PadTop": top,
            "PadBottom": bottom,
            "PadLeft": left,
            "PadRight": right,
            "Ternary": int(ternary),
            "PadCode": pad % (1 << x.dtype.bits),
            "Depth": op.depth,
        },
    )
