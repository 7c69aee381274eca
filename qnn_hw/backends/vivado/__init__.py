# SPDX-License-Identifier: Apache-2.0
"""The `vivado/` folder of a build: Tcl that makes the bitstream, and the Verilog top that it packages.

The Tcl is the same for every build and lies in `boards/vivado`; every value is in `settings.tcl`, printed here.
"""

from qnn_hw.backends.vivado.files import RESULTS, RUN, SETTINGS, WRAPPER, graph_hash_of, vivado_files
from qnn_hw.backends.vivado.releases import RELEASES, Release, newer_than_images

__all__ = [
    "RELEASES",
    "RESULTS",
    "RUN",
    "SETTINGS",
    "WRAPPER",
    "Release",
    "graph_hash_of",
    "newer_than_images",
    "vivado_files",
]
