# SPDX-License-Identifier: Apache-2.0
"""The bits every stream really needs, from the actual weights; which channels are constant."""

from dataclasses import dataclass

import numpy as np

from qnn_hw.analysis.ranges import Range, value_ranges
from qnn_hw.ir.datatype import DataType, smallest_dtype
from qnn_hw.ir.graph import Graph, Op
from qnn_hw.ir.ops.duplicate import Duplicate
from qnn_hw.ir.ops.fifo import Fifo
from qnn_hw.ir.ops.flatten import Flatten
from qnn_hw.ir.ops.threshold import Threshold
from qnn_hw.ir.ops.width_converter import WidthConverter

_CARRIERS = (Duplicate, Fifo, Flatten, WidthConverter)


@dataclass(frozen=True, slots=True)
class StreamBits:
    """One stream of a hardware graph.

    Attributes:
        stream: tensor name.
        layer: layer it is computed in, "input" for the network's input.
        operator: keyword of the operator that computes it, "input" for the network's input.
        dtype: type it has in hardware, which follows from the types in front of it and never from the weights, so that
            a retrained network fits the same hardware.
        low, high: least and greatest value with these weights.
        needed: the narrowest type that holds `low`..`high`.
        threshold_bits: bits of the thresholds that compute it, clipped to what their accumulators reach plus one; 0
            where no thresholds do.
        constant_channels: channels that give the same value for every input; the hardware in front of them, and the
            inputs behind them that they feed, compute nothing.
    """

    stream: str
    layer: str
    operator: str
    dtype: DataType
    low: int
    high: int
    needed: DataType
    threshold_bits: int
    constant_channels: tuple[int, ...]


def stream_bits(graph: Graph, input_range: tuple[int, int] | None = None) -> list[StreamBits]:
    """List the network's input and every computed stream of a hardware graph, in order.

    Args:
        graph: as `passes.lower` or `folding.fold` leave it.
        input_range: least and greatest raw value that occurs; everything the input type can express without it.

    Raises:
        QnnError: for an input range outside the input type.
    """
    ranges = value_ranges(graph, input_range)
    rows = [_row(name, None, graph, ranges) for name in graph.inputs]
    rows += [_row(op.outputs[0], op, graph, ranges) for op in graph.ops if not isinstance(op, _CARRIERS)]
    return rows


def _row(stream: str, op: Op | None, graph: Graph, ranges: dict[str, Range]) -> StreamBits:
    found, dtype = ranges[stream], graph.types[stream].dtype
    low, high = int(found.low.min()), int(found.high.max())
    return StreamBits(
        stream=stream,
        layer=op.layer if op else "input",
        operator=op.keyword if op else "input",
        dtype=dtype,
        low=low,
        high=high,
        needed=dtype if dtype.bipolar else smallest_dtype(low, high),
        threshold_bits=_threshold_bits(op, graph, ranges[op.inputs[0]]) if isinstance(op, Threshold) else 0,
        constant_channels=tuple(found.constant.tolist()),
    )


def _threshold_bits(op: Threshold, graph: Graph, x: Range) -> int:
    """A threshold below the least accumulator is always reached, one above the greatest never: both may be clipped."""
    table = np.clip(graph.constants[op.thresholds], x.low[:, None], x.high[:, None] + 1)
    return smallest_dtype(int(table.min()), int(table.max())).bits
