# SPDX-License-Identifier: Apache-2.0
"""The files of the RTL backend: generated modules, the library modules they use, and the tables."""

import re
from pathlib import Path

from qnn_hw.backends.instance import instance
from qnn_hw.backends.rtl.core import HASH_FILE, Interface, print_core, print_top
from qnn_hw.ir.graph import Graph
from qnn_hw.resources import resource_dir

_WORD = re.compile(r"\bqnn_\w+")


def rtl_files(graph: Graph, outside: Interface) -> dict[str, str]:
    """Return file name -> text: the generated core and top, and every library module they use."""
    generated = {"qnn_core.sv": print_core(graph), "qnn_top.sv": print_top(graph, outside)}
    return {**generated, **library_files("\n".join(generated.values()))}


def library_files(text: str) -> dict[str, str]:
    """Return the library modules and headers that `text` names, and those which they name in turn."""
    library = {path.stem: path for path in _library(resource_dir("rtl"))}
    found: dict[str, str] = {}
    pending = [text]
    while pending:
        for word in _WORD.findall(pending.pop()):
            path = library.get(word)
            if path is not None and path.name not in found:
                found[path.name] = path.read_text()
                pending.append(found[path.name])
    return dict(sorted(found.items()))


def _library(folder: Path) -> list[Path]:
    return [*folder.glob("*.sv"), *folder.glob("*.svh")]


def table_files(graph: Graph, graph_hash: str) -> dict[str, str]:
    """Return file name -> text of every table the core reads, and of the graph hash (four words, low word first)."""
    tables = {name: words for op in graph.ops for name, words in instance(op, graph).tables.items()}
    tables[HASH_FILE] = [graph_hash[i : i + 8] for i in (24, 16, 8, 0)]
    return {name: "\n".join(words) + "\n" for name, words in tables.items()}
