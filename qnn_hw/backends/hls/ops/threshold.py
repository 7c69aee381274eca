# SPDX-License-Identifier: Apache-2.0
"""`threshold` is `qnn::threshold`."""

from qnn_hw.backends.hls.stage import Stage, Table, choose, only_table, prints, slices
from qnn_hw.backends.instance import Instance
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.threshold import Threshold


@prints(Threshold)
def threshold(op: Op, graph: Graph, found: Instance) -> Stage:
    """The steps of a channel stand together."""
    assert isinstance(op, Threshold)
    arguments = choose(
        found,
        "PE Channels InWidth InSigned Steps ThresholdWidth OutWidth OutBase",
        Vectors=graph.types[op.inputs[0]].pixels,
    )
    words, steps, width = only_table(found), arguments["Steps"], arguments["ThresholdWidth"]
    signed = ", two's complement" if arguments["InSigned"] else ""
    thresholds = Table(
        "thresholds",
        width,
        signed=False,
        dims=(len(words), op.pe, steps),
        words=slices(words, width, op.pe * steps),
        comment=(f"[cf][p][i]: threshold i, ascending{signed}, of channel cf * {op.pe} + p.",),
    )
    # One bit a threshold that is reached.
    return Stage(op, "threshold", "threshold.hpp", arguments, (thresholds,), inside_bits=steps)
