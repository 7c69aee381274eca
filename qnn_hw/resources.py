# SPDX-License-Identifier: Apache-2.0
"""Where qnn-hw finds the files that are not Python, and where it keeps what is expensive to make twice."""

import os
from pathlib import Path
from typing import Literal

from qnn_hw.errors import QnnError

_PACKAGE = Path(__file__).resolve().parent


def resource_dir(name: Literal["rtl", "hls_templates", "boards"]) -> Path:
    """Return the folder `name`: inside the installed wheel, else beside the package in a checkout.

    Raises:
        QnnError: the folder is in neither place, which means a damaged installation.
    """
    installed = _PACKAGE / "_resources" / name
    if installed.is_dir():
        return installed
    checkout = _PACKAGE.parent
    # A folder called `boards` beside the package in site-packages would be somebody else's.
    if (checkout / "pyproject.toml").is_file() and (checkout / name).is_dir():
        return checkout / name
    raise QnnError(
        f"resources: the folder {name!r} is neither in {installed.parent} nor in a checkout around {_PACKAGE}; "
        "install qnn-hw again"
    )


def cache_dir() -> Path:
    """Return the cache folder: `$QNN_HW_CACHE`, else `~/.cache/qnn-hw`.

    Deleting it costs time and nothing else. It is not created here.
    """
    chosen = os.environ.get("QNN_HW_CACHE")
    return Path(chosen).expanduser().absolute() if chosen else Path.home() / ".cache" / "qnn-hw"
