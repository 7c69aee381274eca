# SPDX-License-Identifier: Apache-2.0
"""What the driver must know of a build: the content of `<stem>.json` (schema 1), described in docs/driver.md."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from qnn_hw.backends.board.design import block_design
from qnn_hw.boards import Board
from qnn_hw.errors import QnnError
from qnn_hw.ir import Graph
from qnn_hw.ir.datatype import IntArray, parse_dtype
from qnn_hw.ir.graph import TensorType

SCHEMA = 1

WIDEST_TABLE_BITS = 16
"""Raw samples up to this width are quantized on the host by a table of every value."""

_VALUES_AT_ONCE = 1 << 20
"""Elements a tabulating run holds."""


def facts(manifest: Mapping[str, Any], board: Board, host_graph: Graph | None) -> dict[str, Any]:
    """Return the facts of a build, values of JSON throughout.

    Args:
        manifest: its `qnn.json`.
        board: what it was built for.
        host_graph: quantizer of the raw input, None where raw samples travel.

    Raises:
        QnnError: the board cannot carry the design, or the quantizer cannot be tabulated.
    """
    design = block_design(manifest, board)
    accelerator = next(segment for segment in design.control if segment.cell == design.accelerator_cell)
    beat_bytes = design.dma_width_bits // 8
    n_classes = int(manifest["n_classes"])
    return {
        "schema": SCHEMA,
        "name": manifest["name"],
        "stem": design.stem,
        "graph_hash": design.graph_hash,
        "board": board.name,
        "board_title": board.title,
        "part": board.part,
        "family": board.family,
        "pynq_board": board.pynq_board,
        "pynq_versions": list(board.pynq_versions),
        "clock_mhz": manifest["clock_mhz"],
        "dma": design.dma_cell,
        "accelerator": accelerator.cell,
        "dma_width_bits": design.dma_width_bits,
        "dma_length_bits": design.length_bits,
        "control": {"base": board.control.base, "size": board.control.size},
        "memory": {"base": design.memory_base, "size": design.memory_size},
        "raw_input": {"shape": list(manifest["raw_input"]["shape"]), "dtype": manifest["raw_input"]["dtype"]},
        "input": {
            "shape": list(manifest["input"]["shape"]),
            "dtype": manifest["input"]["dtype"],
            "wire_bits": manifest["input"]["wire_bits"],
        },
        "host_codes": None if host_graph is None else host_codes(host_graph),
        "result": {
            "shape": list(manifest["result"]["shape"]),
            "dtype": manifest["result"]["dtype"],
            "words": int(np.prod(manifest["result"]["shape"])),
        },
        "output": manifest["output"],
        "n_classes": n_classes,
        "scores": {
            "slopes": list(manifest["scores"]["slopes"]),
            "biases": list(manifest["scores"]["biases"]),
            "ranks": [list(row) for row in manifest["scores"]["ranks"]],
            "first": manifest["scores"]["first"],
        },
        "frame_bytes_in": manifest["frame_beats_in"] * beat_bytes,
        "frame_bytes_out": manifest["frame_beats_out"] * beat_bytes,
        "predicted": {key: manifest["predicted"][key] for key in ("interval_cycles", "latency_cycles")},
        "class_names": [str(name) for name in manifest.get("class_names") or range(n_classes)],
        "preprocessing": _preprocessing(manifest["raw_input"]["shape"]),
    }


def host_codes(host: Graph) -> dict[str, Any]:
    """Tabulate the host's quantizer over every raw value, so that the board computes no floats and no thresholds.

    Returns:
        `first`, the least raw value, and `codes[c][raw - first]`: one row where all channels agree, else one a channel.

    Raises:
        QnnError: raw samples too wide for a table, or a quantizer that depends on the position.
    """
    (source,) = host.inputs
    raw = host.inputs[source]
    if raw.dtype.bits > WIDEST_TABLE_BITS:
        raise QnnError(
            f"{host.ops[0].layer}: raw samples of {raw.dtype.bits} bits are quantized on the board by a table of every "
            f"value, at most {WIDEST_TABLE_BITS} bits; give samples of fewer bits"
        )
    values = [-1, 1] if raw.dtype.bipolar else range(raw.dtype.minimum, raw.dtype.maximum + 1)
    column = np.asarray(values, np.int64)
    step = max(1, _VALUES_AT_ONCE // raw.elements)
    rows = np.concatenate([_tabulate(host, raw, column[i : i + step]) for i in range(0, len(column), step)]).T
    if raw.dtype.bipolar:  # -1, 0 (never used), +1
        rows = np.stack([rows[:, 0], rows[:, 0], rows[:, 1]], axis=1)
    if (rows == rows[:1]).all():
        rows = rows[:1]
    return {"first": raw.dtype.minimum, "codes": rows.tolist()}


def _tabulate(host: Graph, raw: TensorType, values: IntArray) -> IntArray:
    """Return the codes of `values`: (values,) -> (values, channels)."""
    frames = np.broadcast_to(values.reshape(-1, *(1 for _ in raw.shape)), (len(values), *raw.shape))
    tensors: dict[str, IntArray] = dict.fromkeys(host.inputs, np.ascontiguousarray(frames))
    for op in host.ops:
        inputs = tuple(tensors[name] for name in op.inputs)
        tensors |= dict.fromkeys(op.outputs, op.execute(inputs, host.input_types(op), host.constants))
    (out,) = host.outputs
    codes = host.types[out].dtype.codes(tensors[out])
    pixels = codes.reshape(len(values), -1, raw.channels)
    if (pixels != pixels[:, :1]).any():
        raise QnnError(f"{host.ops[0].layer}: quantizes the raw input differently by position; the driver cannot")
    return pixels[:, 0]


def _preprocessing(shape: list[int]) -> dict[str, int] | None:
    """How pictures become samples: their size, None where the network takes none; the steps are the driver's."""
    if len(shape) != 3 or shape[2] not in (1, 3):
        return None
    return {"height": shape[0], "width": shape[1], "channels": shape[2]}


def raw_samples(codes: IntArray, dtype: str) -> IntArray:
    """Turn codes on the core's input back into raw samples, same shape; they differ for bipolar ones only."""
    return parse_dtype(dtype).values(codes)
