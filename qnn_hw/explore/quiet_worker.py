# SPDX-License-Identifier: Apache-2.0
"""Preloaded by local workers: Ctrl-C is the client's business, which then ends them in order."""

import signal
from typing import Any


def dask_setup(worker: Any) -> None:
    """Ignore SIGINT in the worker's process and in those it starts; Dask calls this in the main thread."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
