# SPDX-License-Identifier: Apache-2.0
"""Of a run of a vendor's tool: how it was called, Ctrl-C while it runs, and what it leaves behind."""

import json
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def call(path: Path) -> dict[str, Any]:
    """What the stand-in wrote down of its last call."""
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def interrupt(action: Callable[[], object], pid_file: Path) -> None:
    """Interrupt `action` when what its tool started has left its id in `pid_file`; check that it ended too."""

    def interrupt_when_it_runs() -> None:
        while not (pid_file.exists() and pid_file.read_text()):
            time.sleep(0.05)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    watcher = threading.Thread(target=interrupt_when_it_runs, daemon=True)
    watcher.start()
    with pytest.raises(KeyboardInterrupt):
        action()
    watcher.join()
    assert not _running(int(pid_file.read_text())), "the process the tool had started lives on"


def _running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def left_over(folder: Path) -> list[str]:
    """Hidden entries of a folder: what a run that has ended should have removed."""
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]
