# SPDX-License-Identifier: Apache-2.0
"""Graph -> SystemVerilog: the core, the top, the tables they read."""

from qnn_hw.backends.rtl.core import HASH_FILE, Interface, interface, print_core, print_top, shell_parameters
from qnn_hw.backends.rtl.files import library_files, rtl_files, table_files

__all__ = [
    "HASH_FILE",
    "Interface",
    "interface",
    "library_files",
    "print_core",
    "print_top",
    "rtl_files",
    "shell_parameters",
    "table_files",
]
