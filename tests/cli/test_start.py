# SPDX-License-Identifier: Apache-2.0
"""What the commands load, what they print first, and that progress stays off stdout."""

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

import qnn_hw
from qnn_hw import cli
from tests.cli.session import ROOT, Outcome, python, run

COMMANDS = (
    *("build", "explore", "summary", "analyze", "report", "simulate", "synth", "deploy", "boards", "doctor", "train"),
    "demo",
)


def test_help_lists_every_command() -> None:
    outcome = run("--help")
    assert outcome.code == 0
    for command in COMMANDS:
        assert f" {command} " in outcome.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    outcome = run(command, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert f"Usage: qnn-hw {command} " in outcome.out
    assert "--json" in outcome.out


def test_version() -> None:
    assert run("--version").out == f"qnn-hw {qnn_hw.__version__}\n"


def test_an_unknown_command_is_refused() -> None:
    outcome = run("compile")
    assert outcome.code == 2
    assert "No such command 'compile'" in outcome.err


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGINT, 130, "qnn-hw: interrupted\n"), (signal.SIGTERM, 143, "")],
    ids=["ctrl-c", "sigterm"],
)
def test_a_signal_ends_a_command_in_order(number: int, code: int, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("qnn_hw.boards.list_boards", lambda: signal.raise_signal(number))
    try:
        assert run("boards") == Outcome(code, "", said)
    finally:
        signal.signal(signal.SIGTERM, before)


LOADED = """
import sys
from tests.cli.session import run
outcome = run(*sys.argv[2:])
assert outcome.code == 0, outcome.err
print([name for name in sys.argv[1].split(",") if name in sys.modules])
"""


def test_help_and_version_load_neither_numpy_nor_tensorflow(tmp_path: Path) -> None:
    for option in ("--help", "--version"):
        assert python(LOADED, "numpy,tensorflow,keras,cocotb,qnn_hw.compiler", option, cwd=tmp_path) == "[]\n"


def test_summary_boards_and_the_emulator_start_without_tensorflow(plain_build: Path, tmp_path: Path) -> None:
    script = LOADED + (
        "assert run('boards').code == 0\n"
        "import numpy as np\n"
        "import qnn_hw\n"
        "from pathlib import Path\n"
        "from qnn_hw.backends.folder import read_build\n"
        "graph = read_build(Path(sys.argv[3])).graph\n"
        "print(qnn_hw.emulator.execute_packed(graph, np.zeros((2, 16), np.int64)).shape)\n"
        "print('tensorflow' in sys.modules or 'keras' in sys.modules)\n"
    )
    assert python(script, "tensorflow,keras", "summary", plain_build, cwd=tmp_path) == "[]\n(2, 1)\nFalse\n"


@pytest.fixture
def folder(plain_build: Path, tmp_path: Path) -> Path:
    """A copy of the build, for a simulation to work in."""
    return Path(shutil.copytree(plain_build, tmp_path / "net"))


def test_simulate_proves_a_build_without_tensorflow(folder: Path, tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from tests.cli.session import run\n"
        "outcome = run('simulate', sys.argv[1], '--images', '2', '--json')\n"
        "print(outcome.out)\n"
        "assert outcome.err == 'qnn-hw: building the simulation\\n', outcome.err\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules\n"
    )
    verdict = json.loads(python(script, folder, cwd=tmp_path))
    assert verdict["passed"] and verdict["cycles_agree"]
    assert verdict["frames"] == 2
    assert [item["findings"] for item in verdict["scenarios"]] == [[]] * 8
    assert verdict["measured"]["interval_cycles"] == verdict["predicted_interval_cycles"]


def test_the_sim_folder_runs_where_the_package_cannot_be_imported(folder: Path, tmp_path: Path) -> None:
    """`make`, `python -m bench` and `pytest` in `sim/`; the simulator is the one of the test above."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Forbid:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('qnn_hw', 'tensorflow', 'keras'):\n"
        "            raise ImportError(name + ' is forbidden here')\n"
        "sys.meta_path.insert(0, Forbid())\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHON": sys.executable}
    forbidden = subprocess.run(
        [sys.executable, "-c", "import qnn_hw"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert "qnn_hw is forbidden here" in forbidden.stderr
    for command, sentence in (
        (
            ["make", f"PYTHON={sys.executable}", "FRAMES=2"],
            "random: passed; repeat in sim/: python -m bench --frames 2",
        ),
        ([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], "8 passed"),
    ):
        done = subprocess.run(command, cwd=folder / "sim", env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert sentence in done.stdout
    assert json.loads((folder / "sim" / "work" / "verdict.json").read_text())["passed"] is True


def test_progress_is_plain_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with cli.working("first") as say:
        say("second [conv1]")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "qnn-hw: first\n")


def test_progress_without_a_terminal_comes_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "SECONDS_BETWEEN_LINES", 0.0)
    with cli.working("first") as say:
        say("second [conv1]")
    assert capsys.readouterr().err == "qnn-hw: first\nqnn-hw: second [conv1]\n"


def test_progress_in_a_terminal_is_one_line_that_vanishes(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = pty.openpty()
    with os.fdopen(writer, "w") as terminal, monkeypatch.context() as patch:
        patch.setenv("TERM", "xterm")
        patch.setattr(sys, "stderr", terminal)
        with cli.working("first") as say:
            say("second [conv1]")
    screen_bytes = b""
    with os.fdopen(reader, "rb", buffering=0) as screen, suppress(OSError):  # ends with an error: nobody writes
        while part := screen.read(1 << 16):
            screen_bytes += part
    shown = screen_bytes.decode()
    assert "second [conv1]" in shown
    assert "qnn-hw: " not in shown
    assert shown.rstrip().endswith("\x1b[2K"), "the line is not erased at the end"
