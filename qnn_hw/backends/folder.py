# SPDX-License-Identifier: Apache-2.0
"""Read a build folder back, without TensorFlow."""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qnn_hw.errors import QnnError
from qnn_hw.ir import Graph, parse_graph

SCHEMA = 1
MANIFEST = "qnn.json"


@dataclass(frozen=True, slots=True)
class Build:
    """A build folder read back.

    Attributes:
        path: the folder.
        manifest: content of `qnn.json`.
        graph: folded hardware graph.
        host: quantizer of the raw input, None where raw samples travel.
    """

    path: Path
    manifest: Mapping[str, Any]
    graph: Graph
    host: Graph | None


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the content of `qnn.json` of the build in `path`.

    Raises:
        QnnError: if `path` is no build of this schema.
    """
    file = path / MANIFEST
    if not file.is_file():
        raise QnnError(f"{path}: no build here ({MANIFEST} is missing); make one with `qnn-hw build`")
    try:
        content = json.loads(file.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise QnnError(f"{file}: damaged ({error}); build again") from None
    if content.get("schema") != SCHEMA:
        raise QnnError(f"{file}: schema {content.get('schema')}, this version reads {SCHEMA}; build again")
    return content


def read_build(path: Path) -> Build:
    """Read a build folder.

    Raises:
        QnnError: if it is incomplete or damaged.
    """
    content = read_manifest(path)
    try:
        with np.load(path / "constants.npz") as file:
            constants = {key: file[key] for key in file.files}
        host_file = path / "host.txt"
        graph = parse_graph((path / "graph.txt").read_text(), constants)
        host = parse_graph(host_file.read_text(), constants) if host_file.is_file() else None
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise QnnError(f"{path}: damaged build ({error}); build again") from None
    return Build(path, content, _only_its_constants(graph), host and _only_its_constants(host))


def _only_its_constants(graph: Graph) -> Graph:
    return graph.with_ops(graph.ops)
