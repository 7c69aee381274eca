# SPDX-License-Identifier: Apache-2.0
"""What goes to the board beside the bitstream: block design, driver, its facts, golden vectors, notebook."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qnn_hw.backends.board.design import stem
from qnn_hw.backends.board.driver import DRIVER_FILE, driver_text
from qnn_hw.backends.board.facts import facts, raw_samples
from qnn_hw.backends.board.notebook import notebook_text
from qnn_hw.boards import Board
from qnn_hw.ir import Graph

__all__ = ["DRIVER_FILE", "board_files", "driver_text", "facts", "golden_arrays", "stem"]


def board_files(manifest: Mapping[str, Any], board: Board, host_graph: Graph | None) -> dict[str, str]:
    """Return the texts of a build's `board` folder: driver, facts, notebook.

    Args:
        manifest: its `qnn.json`.
        board: what it was built for.
        host_graph: quantizer of the raw input, None where raw samples travel.

    Raises:
        QnnError: the board cannot carry the design, or the quantizer cannot be tabulated.
    """
    described = facts(manifest, board, host_graph)
    return {
        DRIVER_FILE: driver_text(),
        f"{described['stem']}.json": _one_line_each(described),
        f"{described['stem']}.ipynb": notebook_text(described),
    }


def _one_line_each(table: Mapping[str, Any]) -> str:
    """Print a table as JSON, one line a key: tables of thousands of codes stay readable."""
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in table.items())
    return f"{{\n{lines}\n}}\n"


def golden_arrays(build: Path, manifest: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
    """Return the content of `<stem>.golden.npz`, from the `golden` folder of a build that is being written or read.

    Returns:
        `raw`: samples (N, *shape) in the smallest integer type; `result`: int32 (N, words), the exact words the
        accelerator must deliver; `keras_class` and `labels`: (N,), where known.
    """
    folder = build / "golden"
    source = folder / "raw.npy"
    if source.is_file():
        raw = np.load(source)
    else:
        codes = np.load(folder / "input.npy")
        dtype = manifest["raw_input"]["dtype"]
        raw = raw_samples(codes, dtype).astype(np.int8) if dtype == "b1" else codes
    words = np.load(folder / f"{manifest['result']['stream']}.npy")
    arrays = {"raw": raw, "result": words.reshape(len(words), -1).astype(np.int32)}
    optional = ((name, folder / f"{name}.npy") for name in ("keras_class", "labels"))
    return arrays | {name: np.load(path) for name, path in optional if path.is_file()}
