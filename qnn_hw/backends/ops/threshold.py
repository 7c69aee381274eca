# SPDX-License-Identifier: Apache-2.0
"""`threshold` is `qnn_threshold`."""

import numpy as np

from qnn_hw.backends.instance import Instance, describes
from qnn_hw.errors import QnnError
from qnn_hw.ir.datatype import smallest_dtype
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.matvec import MatVec
from qnn_hw.ir.ops.threshold import Threshold
from qnn_hw.ir.packing import beats_to_hex


@describes(Threshold)
def threshold(op: Op, graph: Graph) -> Instance:
    """Thresholds become a table: word nf holds PE p, step i at (p * Steps + i) * ThresholdWidth.

    Raises:
        QnnError: for a channel that still falls.
    """
    assert isinstance(op, Threshold)
    if op.falling:
        raise QnnError(
            f"{op.layer}: a channel falls and its weights cannot be negated; the hardware library compares with >="
        )
    x = graph.types[op.inputs[0]]
    low, high = x.dtype.minimum, x.dtype.maximum
    source = graph.producer(op.inputs[0])
    if isinstance(source, MatVec):
        low, high = source.extremes(graph.types[source.inputs[0]].dtype, graph.constants[source.weights].shape[1])
    width = smallest_dtype(low, high + 1).bits
    steps = graph.constants[op.thresholds].shape[1]
    file = f"{op.name}.mem"

    def tables() -> dict[str, list[str]]:
        table = np.broadcast_to(graph.constants[op.thresholds], (x.channels, steps))
        words = np.clip(table, low, high + 1).reshape(x.channels // op.pe, op.pe * steps)
        return {file: beats_to_hex(words, width)}

    return Instance(
        "qnn_threshold",
        {
            "PE": op.pe,
            "Channels": x.channels,
            "InWidth": x.dtype.bits,
            "InSigned": int(low < 0),
            "Steps": steps,
            "ThresholdWidth": width,
            "OutWidth": op.dtype.bits,
            "OutBase": op.base,
            "InitFile": file,
        },
        tables,
    )
