# SPDX-License-Identifier: Apache-2.0
"""A user's own quantizers and layers: run the Python file that defines and registers them."""

import importlib.util
import sys
from pathlib import Path

from qnn_hw.errors import QnnError


def run_custom_code(path: Path) -> None:
    """Import the Python file at `path` under its own name, so that what it registers with Keras can be loaded.

    Raises:
        QnnError: if there is no such file, or running it raises.
    """
    if not path.is_file():
        raise QnnError(f"--custom {path}: no such Python file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise QnnError(f"--custom {path}: not a Python file; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the user's code raises
        del sys.modules[path.stem]
        reason = " ".join(str(error).split())
        raise QnnError(f"--custom {path}: running it failed ({type(error).__name__}: {reason})") from error
