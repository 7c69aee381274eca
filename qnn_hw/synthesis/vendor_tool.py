# SPDX-License-Identifier: Apache-2.0
"""What the drivers of vendor tools share: the tool runs in a process group of its own, with a time limit and a log."""

import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from qnn_hw.backends.folder import Build
from qnn_hw.errors import QnnError

BANNER_TIMEOUT_S = 120
"""Seconds a tool may take to name its release."""


def follow(
    words: Sequence[str],
    folder: Path,
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
    timeout_s: float | None = None,
) -> tuple[int, bool]:
    """Run a tool and copy what it prints to a log.

    An exception while it runs, an interrupt among them, stops the tool and everything it started.

    Args:
        words: program and arguments.
        folder: the tool's working folder.
        log: file for its output, both streams; replaced.
        environment: variables beside those of this process.
        on_line: called with every line it prints, without blanks around it.
        timeout_s: seconds after which it is stopped; none by default.

    Returns:
        Its exit status, and whether it ended in time.

    Raises:
        QnnError: it cannot be started.
    """
    late = threading.Event()
    with log.open("w", encoding="utf-8") as file, _start(words, folder, environment or {}) as process:

        def stop() -> None:
            late.set()
            _kill(process)

        watch = threading.Timer(timeout_s, stop) if timeout_s is not None else None
        if watch:
            watch.start()
        try:
            for line in process.stdout or ():
                file.write(line)
                file.flush()
                if on_line:
                    on_line(line.strip())
            status = process.wait()
        except BaseException:
            _kill(process)
            raise
        finally:
            if watch:
                watch.cancel()
    return status, not late.is_set()


def _start(words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            words,
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise QnnError(f"{words[0]}: cannot be started ({error.strerror}); repair the installation") from None


def _kill(process: subprocess.Popen[str]) -> None:
    """Stop the tool and what it started: the launcher is a shell script, the work is done by its children."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # the process leads a session of its own


def first_error(lines: Sequence[str]) -> str | None:
    """Return the first line that tells an error, of the tool or of a compiler it runs; None if there is none."""
    for line in lines:
        if re.match(r"\s*(ERROR|CRITICAL ERROR)\s*:", line) or re.search(r":\d+: (fatal )?error:", line):
            return " ".join(line.split()).rstrip(".")
    return None


def installed_release(words: Sequence[str]) -> str | None:
    """Return the release a tool names in its banner, for example "2024.1"; updates (2022.1.1) are of their release."""
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, timeout=BANNER_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\bv(20\d\d\.\d)(?!\d)", done.stdout + done.stderr)
    return found[1] if found else None


def check_graph_hash(folder: Path, found: str | None, build: Build) -> None:
    """Raise QnnError unless the graph hash found in a folder of scripts is that of the build's `qnn.json`."""
    expected = build.manifest["graph_hash"]
    if found != expected:
        raise QnnError(
            f"{folder}: stale, its graph hash is {found or 'missing'} and that of qnn.json {expected}; build again"
        )


def read_report(file: Path, advice: str) -> str:
    """Return the text of a report the tool wrote; QnnError, ending in `advice`, where there is none to read."""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise QnnError(f"{file}: missing; {advice}") from None
    except OSError as error:
        raise QnnError(f"{file}: cannot be read ({error.strerror}); {advice}") from None
