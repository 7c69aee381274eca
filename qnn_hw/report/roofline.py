# SPDX-License-Identifier: Apache-2.0
"""How far a network is from what the device could do: binary operations a second against LUTs and weight bandwidth.

An operation is half a multiply-accumulate of a binary weight with a binary input (XNOR, or add); layers with wider
inputs are shown, and not counted. Weights in tables of LUTs need no port; those in block RAM are limited by its ports.
"""

from collections.abc import Mapping
from typing import Any

from qnn_hw.ir.datatype import BIPOLAR
from qnn_hw.ir.graph import Graph
from qnn_hw.ir.ops.matvec import MatVec

Facts = dict[str, Any]

USABLE_LUT_SHARE = 0.75
"""Share of a device's LUTs that placement and routing fill without trouble; an assumption."""

OVERHEAD_LUT = 6_000
"""DMA, AXI, queues and line buffers; an assumption."""

BRAM36_BITS_PER_CYCLE = 72
"""A RAMB36 is two RAMB18, each with one 36-bit read port in simple dual-port mode (AMD UG473)."""

LUT_PER_LANE = (
    ("portable tables", 1.44, "3-lane 6:2 and 6:3 tables, weights at run time; synthesized with yosys, 576 lanes"),
    ("carry-chain counters", 1.17, "weights at run time; the slope of BISMO v2's dot-product unit, 1.17 + 44/n"),
)
"""Name, LUTs of one XNOR-popcount lane, source."""

SOURCES = (
    "LUT, BRAM: {board}.",
    "Block RAM: 72 bits a cycle of each BRAM36, two simple dual-port RAMB18 of 36 bits (AMD UG473).",
    "LUTs for lanes: 75 % of the device less 6,000 for DMA, AXI, queues and line buffers (assumption).",
    "1.17 LUT a lane: the improved BISMO (Umuroglu et al., arXiv:1901.00370), cost model of its sources, 1.17 + 44/n.",
    "1.44 LUT a lane: 6:2 and 6:3 tables in plain SystemVerilog, mapped with yosys.",
)


def roofline(graph: Graph, analysis: Mapping[str, Any], board: Mapping[str, Any]) -> Facts:
    """Return operations a second of the network and its layers, and the roofs of the board."""
    frames_per_s = analysis["schedule"]["frames_per_s"]
    clock_hz = analysis["clock_mhz"] * 1e6
    layers = [_layer(op, graph, frames_per_s, clock_hz) for op in graph.ops if isinstance(op, MatVec)]
    binary = [layer for layer in layers if layer["binary"]]
    ops, bits = (sum(layer[key] for layer in binary) for key in ("ops_per_frame", "bram_bits_per_frame"))
    return {
        "layers": layers,
        "total": {
            "ops_per_frame": ops,
            "ops_per_s": ops * frames_per_s,
            "peak_ops_per_s": sum(layer["peak_ops_per_s"] for layer in binary),
            "bram_bits_per_s": bits * frames_per_s,
            "ops_per_bram_bit": ops / bits if bits else None,
        },
        "roofs": _roofs(board, clock_hz),
    }


def _layer(op: MatVec, graph: Graph, frames_per_s: float, clock_hz: float) -> Facts:
    x, y = graph.types[op.inputs[0]], graph.types[op.outputs[0]]
    rows, columns = graph.constants[op.weights].shape
    ops = 2 * y.pixels * rows * columns
    bits = y.pixels * rows * columns * op.weight_dtype.bits if op.weight_memory == "bram" else 0
    return {
        "layer": op.layer,
        "binary": x.dtype == BIPOLAR and op.weight_dtype == BIPOLAR,
        "memory": op.weight_memory,
        "lanes": op.pe * op.simd,
        "ops_per_frame": ops,
        "ops_per_s": ops * frames_per_s,
        "peak_ops_per_s": 2 * op.pe * op.simd * clock_hz,
        "bram_bits_per_frame": bits,
        "ops_per_bram_bit": ops / bits if bits else None,
    }


def _roofs(board: Mapping[str, Any], clock_hz: float) -> Facts:
    usable = max(0.0, USABLE_LUT_SHARE * board["lut"] - OVERHEAD_LUT)
    return {
        "bram_bits_per_s": board["bram36"] * BRAM36_BITS_PER_CYCLE * clock_hz,
        "lut": [
            {
                "name": name,
                "lut_per_lane": lut_per_lane,
                "source": source,
                "lanes": int(usable / lut_per_lane),
                "ops_per_s": 2 * int(usable / lut_per_lane) * clock_hz,
            }
            for name, lut_per_lane, source in LUT_PER_LANE
        ],
        "sources": [text.format(board=board["source"]) for text in SOURCES],
    }
