# SPDX-License-Identifier: Apache-2.0
"""The command line as a user meets it, run in this process: what it prints where, and its exit status."""

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qnn_hw import cli

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Outcome:
    """Exit status and what was printed."""

    code: int
    out: str
    err: str

    @property
    def message(self) -> str:
        """The sentence on stderr, without the lines that tell the progress; fails unless it is one line."""
        (line,) = [line for line in self.err.splitlines() if line not in PROGRESS]
        return line


PROGRESS = tuple(
    f"qnn-hw: {step}"
    for step in (
        "building the simulation",
        "synthesizing with yosys",
        "writing the build",
        "analyzing",
        "writing the report",
        "setting up the simulated board",
    )
)


def run(*arguments: Any) -> Outcome:
    """Run `qnn-hw arguments` through `main`."""
    out, err = io.StringIO(), io.StringIO()
    before = sys.argv
    sys.argv = ["qnn-hw", *map(str, arguments)]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            cli.main()
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    finally:
        sys.argv = before
    return Outcome(code, out.getvalue(), _without_steps(err.getvalue()))


def _without_steps(err: str) -> str:
    steps = ("qnn-hw: loading TensorFlow", "qnn-hw: compiling ", "qnn-hw: simulating ", "qnn-hw: cutting out ")
    return "".join(line for line in err.splitlines(keepends=True) if not line.startswith(steps))


def refused(*arguments: Any) -> str:
    """Run a command that must be refused with one sentence; return it without the program's name."""
    outcome = run(*arguments)
    assert outcome.code == 1, f"exit status {outcome.code}\n{outcome.out}\n{outcome.err}"
    assert outcome.out == "", f"facts on stdout after an error: {outcome.out}"
    message = outcome.message
    assert message.startswith("qnn-hw: ")
    assert "Traceback" not in message
    return message.removeprefix("qnn-hw: ")


def python(script: str, *arguments: Any, cwd: Path, **environment: str) -> str:
    """Run a script in a fresh interpreter that finds package and tests; return its stdout, fail with its stderr."""
    settings = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=settings, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def content(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`, by its relative path."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
