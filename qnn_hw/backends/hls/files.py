# SPDX-License-Identifier: Apache-2.0
"""The files of the HLS backend: printed code, copied templates, golden vectors for the C++ testbench.

The scripts for Vitis HLS (`scripts.py`) need to know board and clock as well; the build folder adds them.
"""

import numpy as np

from qnn_hw.backends.hls.core import HEADER, SOURCE, Core, make_core, print_header, print_source, table_header
from qnn_hw.backends.hls.cosim import cosim_files
from qnn_hw.backends.hls.stages import print_stages
from qnn_hw.backends.hls.testbench import print_testbench
from qnn_hw.backends.hls.weights import print_tables
from qnn_hw.ir.datatype import IntArray
from qnn_hw.ir.graph import Graph, TensorType
from qnn_hw.ir.packing import beats_to_hex
from qnn_hw.resources import resource_dir

INPUT_DATA = "data/input.dat"
RESULT_DATA = "data/result.dat"


def hls_files(graph: Graph) -> dict[str, str]:
    """Return path inside `hls/` -> text: everything but the golden vectors.

    Raises:
        UnsupportedByHls: naming the layer HLS C++ does not take.
    """
    core = make_core(graph)
    tables = {table_header(item): print_tables(item, core.graph) for item in core.stages if item.tables}
    return {
        HEADER: print_header(core),
        SOURCE: print_source(core),
        **tables,
        "testbench.cpp": print_testbench(core),
        "host/stages.cpp": print_stages(core),
        **cosim_files(graph),
        **_library(core),
    }


def golden_files(graph: Graph, inputs: IntArray, results: IntArray) -> dict[str, str]:
    """Return path -> text of the testbench's vectors: codes (N, *shape) as beats, one hexadecimal number a line."""
    source = next(iter(graph.inputs.values()))
    return {INPUT_DATA: _beats(inputs, source), RESULT_DATA: _beats(results, graph.types[graph.outputs[0]])}


def _beats(codes: IntArray, kind: TensorType) -> str:
    words = beats_to_hex(np.ascontiguousarray(codes).reshape(-1, kind.lanes), kind.dtype.bits)
    return "".join(f"{word}\n" for word in words)


def _library(core: Core) -> dict[str, str]:
    """Return the templates; all of them, so that they can be looked into and reused."""
    folder = resource_dir("hls_templates")
    places = {"": "include/qnn", "shims": "include/shims", "host": "host"}
    return {
        f"{place}/{path.name}": path.read_text(encoding="utf-8")
        for part, place in places.items()
        for path in sorted((folder / part).glob("*"))
        if path.suffix in (".hpp", ".h", ".cpp")
    }
