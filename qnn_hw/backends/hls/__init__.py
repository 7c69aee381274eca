# SPDX-License-Identifier: Apache-2.0
"""Graph -> HLS C++: a dataflow core for Vitis HLS, its tables, its testbench."""

from qnn_hw.backends.hls.core import CORE, Core, make_core, print_header, print_source
from qnn_hw.backends.hls.files import golden_files, hls_files
from qnn_hw.backends.hls.scripts import script_files
from qnn_hw.backends.hls.stage import Stage, Table, UnsupportedByHls

__all__ = [
    "CORE",
    "Core",
    "Stage",
    "Table",
    "UnsupportedByHls",
    "golden_files",
    "hls_files",
    "make_core",
    "print_header",
    "print_source",
    "script_files",
]
