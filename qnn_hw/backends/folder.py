# SPDX-License-Identifier: Apache-2.0
"""Read a build folder back, without TensorFlow."""

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qnn_hw.boards import Board, load_board
from qnn_hw.errors import QnnError
from qnn_hw.ir import Graph, parse_graph

SCHEMA = 1
MANIFEST = "qnn.json"
BOARD = "board.toml"

_Kinds = Mapping[str, type | tuple[type, ...]]

_NUMBER = (int, float)
_FIELDS: _Kinds = {
    "name": str,
    "graph_hash": str,
    "board": str,
    "clock_mhz": _NUMBER,
    "dma_width_bits": int,
    "output": str,
    "n_classes": int,
    "class_names": list,
    "raw_input": dict,
    "input": dict,
    "result": dict,
    "frame_beats_in": int,
    "frame_beats_out": int,
    "scores": dict,
    "layers": list,
    "streams": list,
    "fifos": list,
    "folding": dict,
    "predicted": dict,
    "golden": dict,
    "tool_versions": dict,
}
_PREDICTED: _Kinds = {
    **dict.fromkeys(("interval_cycles", "latency_cycles"), int),
    **dict.fromkeys(("limiting_stage", "limit"), str),
    "frames_per_s": _NUMBER,
}
_FOLDING: _Kinds = {
    "method": str,
    "proven_optimal": (bool, type(None)),
    "price_gap": (*_NUMBER, type(None)),
}
_GOLDEN: _Kinds = {"source": str, "frames": int, "compared_with_original_model": int, "decisions_that_differ": int}
_LAYER: _Kinds = {
    **dict.fromkeys(("layer", "kind", "input_dtype", "weight_dtype", "accumulator_dtype", "output_dtype"), str),
    **dict.fromkeys(("macs", "weight_bits", "pe", "simd", "cycles"), int),
    "output": list,
}


@dataclass(frozen=True, slots=True)
class Build:
    """A build folder read back.

    Attributes:
        path: the folder.
        manifest: content of `qnn.json`.
        graph: folded hardware graph.
        host: quantizer of the raw input, None where raw samples travel.
        board: what it was built for; the file travels with the build, for it may be the user's own.
    """

    path: Path
    manifest: Mapping[str, Any]
    graph: Graph
    host: Graph | None
    board: Board

    @property
    def budget(self) -> dict[str, int]:
        """What the board's FPGA holds: `lut`, `ff`, `bram36`, `dsp`."""
        return {name: getattr(self.board, name) for name in ("lut", "ff", "bram36", "dsp")}


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the content of `qnn.json` of the build in `path`.

    Raises:
        QnnError: if `path` is no build of this schema, or the file lacks what this version reads.
    """
    if path.suffix == ".keras":
        raise QnnError(f"{path}: is a model, not a build; `qnn-hw build {path}` makes the build, give its folder here")
    if path.is_file():
        raise QnnError(f"{path}: is a file; give the folder that `qnn-hw build` wrote")
    file = path / MANIFEST
    if not path.is_dir():
        raise QnnError(f"{path}: no such folder; make a build with `qnn-hw build`")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise QnnError(f"{path}: no build here ({MANIFEST} is missing); make one with `qnn-hw build`") from None
    except OSError as error:
        raise QnnError(f"{file}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise QnnError(f"{file}: damaged ({error}); build again") from None
    if not isinstance(content, dict):
        raise QnnError(f"{file}: damaged (it holds no table); build again")
    if content.get("schema") != SCHEMA:
        raise QnnError(f"{file}: schema {content.get('schema')}, this version reads {SCHEMA}; build again")
    _check(file, content, _FIELDS, "")
    _check(file, content["predicted"], _PREDICTED, "predicted.")
    _check(file, content["golden"], _GOLDEN, "golden.")
    _check(file, content["folding"], _FOLDING, "folding.")
    for i, layer in enumerate(content["layers"]):
        _check(file, layer, _LAYER, f"layers[{i}].")
    return content


def _check(file: Path, found: Any, expected: _Kinds, where: str) -> None:
    for key, kind in expected.items():
        if not isinstance(found, dict) or key not in found:
            raise QnnError(f"{file}: damaged (the field {where}{key} is missing); build again")
        kinds = kind if isinstance(kind, tuple) else (kind,)
        # A bool is an int to Python, and none to whoever wrote the number.
        if not isinstance(found[key], kinds) or (isinstance(found[key], bool) and bool not in kinds):
            raise QnnError(f"{file}: damaged (the field {where}{key} is {found[key]!r}); build again")


def read_build(path: Path) -> Build:
    """Read a build folder.

    Raises:
        QnnError: if it is incomplete or damaged, naming the file.
    """
    content = read_manifest(path)
    constants = _constants(path / "constants.npz")
    graph = _graph(path / "graph.txt", constants)
    host_file = path / "host.txt"
    host = _graph(host_file, constants) if host_file.is_file() else None
    return Build(path, content, graph, host, read_board(path))


def read_board(path: Path) -> Board:
    """Return the board that the build in `path` was made for.

    Raises:
        QnnError: its file is missing or damaged.
    """
    file = path / BOARD
    if not file.is_file():
        raise QnnError(f"{file}: missing; build again with qnn-hw build")
    return load_board(file)


def _constants(file: Path) -> dict[str, Any]:
    try:
        with np.load(file, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise _damaged(file, error) from None


def _graph(file: Path, constants: Mapping[str, Any]) -> Graph:
    try:
        graph = parse_graph(file.read_text(encoding="utf-8"), constants)
    except QnnError as error:
        raise QnnError(f"{file}: {error}; build again") from None
    except (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        # Typing the operators meets whatever a damaged attribute leads to.
        raise _damaged(file, error) from None
    return graph.with_ops(graph.ops)  # only its own constants


def _damaged(file: Path, error: Exception) -> QnnError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
    return QnnError(f"{file}: missing or damaged ({' '.join(reason.split())}); build again")
