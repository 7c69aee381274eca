# SPDX-License-Identifier: Apache-2.0
"""Running a vendor's tool: what reaches the log and the caller. Time limits and interrupts: test_vitis, test_vivado."""

import sys
from pathlib import Path

import pytest

from qnn_hw.errors import QnnError
from qnn_hw.synthesis.vendor_tool import first_error, follow

TALK = "import os, sys; print('one'); print('  two ', file=sys.stderr); print(os.environ['WORD'], os.getcwd()); exit(3)"


def test_both_streams_go_to_the_log_and_line_by_line_to_the_caller(tmp_path: Path) -> None:
    heard: list[str] = []
    log = tmp_path / "log"
    words = [sys.executable, "-u", "-c", TALK]
    status, in_time = follow(words, tmp_path, log, environment={"WORD": "three"}, on_line=heard.append, timeout_s=60)
    assert (status, in_time) == (3, True)
    assert heard == ["one", "two", f"three {tmp_path}"]
    assert log.read_text() == f"one\n  two \nthree {tmp_path}\n"


def test_a_program_that_cannot_be_started(tmp_path: Path) -> None:
    broken = tmp_path / "vivado"
    broken.write_bytes(b"\0")
    broken.chmod(0o755)
    with pytest.raises(QnnError, match=r"vivado: cannot be started \(Exec format error\); repair the installation"):
        follow([str(broken)], tmp_path, tmp_path / "log")


def test_the_first_error_is_of_the_tool_or_of_a_compiler() -> None:
    assert first_error(["INFO: fine", "CRITICAL WARNING: odd", " ERROR: [A 1]  broken."]) == "ERROR: [A 1] broken"
    assert first_error(["a.cpp:3:5: error: expected ';'", "ERROR: later"]) == "a.cpp:3:5: error: expected ';'"
    assert first_error(["no ERROR: here"]) is None
