# SPDX-License-Identifier: Apache-2.0
"""Runs programs on the simulated board: the driver of a build as it is, or a script of the user's.

    python -m qnn_hw.simulation.board_run BUILD SCRIPT [ARGUMENT ...]

A folder is filled as on a real board, with a .hwh and a .bit that hold no logic; the program runs in it, in an
environment with pynq, and finds the simulated board there (`board/device.py`), whose accelerator is the build's RTL.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qnn_hw.backends.board.design import BlockDesign, block_design
from qnn_hw.backends.board.hwh import bit_header, hwh_text
from qnn_hw.backends.folder import read_board, read_manifest
from qnn_hw.boards import Board
from qnn_hw.errors import QnnError, nearest
from qnn_hw.simulation.board.faults import KINDS
from qnn_hw.simulation.board_library import board_library
from qnn_hw.simulation.pynq_environment import python_with_pynq, version_for

TOOL = "simulated board"
"""What stands in `<stem>.implementation.json` where Vivado would."""
FAULT_FRAMES = 4
"""Frames of a batch when a fault is tried."""
FAULT_TIMEOUT_S = 0.5
"""Time-out the driver gets when a fault is tried."""
VALIDATE_TIMEOUT_S = 60.0
"""Time-out the driver gets otherwise: simulated frames take longer than real ones."""
_BOARD_CODE = Path(__file__).resolve().parent / "board"
_VARIABLE = "QNN_HW_SIMULATED_BOARD"

Progress = Callable[[str], None]


def simulate_driver(build: Path, *, version: str | None = None, progress: Progress | None = None) -> dict[str, Any]:
    """Run `qnn_driver.py validate` of a build, unmodified, on the simulated board.

    Args:
        build: build folder.
        version: release of pynq; default the newest that board and driver support.
        progress: called with a sentence before each step.

    Returns:
        What the driver reports (frames, equal, bit_exact, first_difference, keras_equal, top1, clock_mhz, pynq, part,
        graph_hash, interval_cycles, first_latency_cycles) and what the simulated board counted: `simulated_cycles`
        (of the programmable logic), `transfers`, `python`. `seconds`, `frames_per_s` and `latency_ms` are wall clock
        of the simulator and say nothing of a board; `board_frames_per_s` = clock / interval does.

    Raises:
        QnnError: the build is incomplete, there is no environment with pynq, or the driver ended with an error.
    """
    with simulated_board(build, version=version, progress=progress) as board:
        answer = board.folder / "validate.json"
        _say(progress, f"running the driver on the simulated {board.title} under pynq {board.pynq}")
        done = board.run(["qnn_driver.py", "validate", "--json", answer.name, "--timeout", f"{VALIDATE_TIMEOUT_S:g}"])
        facts = _answer(done, answer)
        if "error" in facts:
            # The folder it names is a copy that is gone by now.
            message = facts["error"]["message"].replace(str(board.folder), str(build / "board"))
            raise QnnError(f"simulated board: {facts['error']['kind']}: {message}")
        return facts | _counted(board) | {"board_frames_per_s": _rate(facts)}


def simulate_fault(
    build: Path, fault: str, *, version: str | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Let a fault befall the driver's second batch on the simulated board.

    Returns:
        `fault`, `description`, `error` (name of the driver's error, None if it noticed nothing), `message`, `seconds`
        until it was raised, `timeout_s`, `first_equal`, `second_equal` (None if the batch failed), `recovered` (the
        third batch is right), `frames` of a batch; and `pynq`, `python`, `simulated_cycles`, `transfers`.

    Raises:
        QnnError: the kind is unknown, or as `simulate_driver`.
    """
    if fault not in KINDS:
        raise QnnError(f"fault {fault!r} is unknown; nearest: {nearest(fault, list(KINDS))}; known: {', '.join(KINDS)}")
    with simulated_board(build, version=version, progress=progress) as board:
        answer = board.folder / "fault.json"
        _say(progress, f"letting {fault} happen on the simulated {board.title} under pynq {board.pynq}")
        # Beside the driver: a program's folder is the first that Python searches.
        script = board.folder / "try_fault.py"
        script.write_bytes((_BOARD_CODE / script.name).read_bytes())
        done = board.run([script.name, fault, answer.name, str(FAULT_FRAMES), str(FAULT_TIMEOUT_S)])
        facts = _answer(done, answer)
        return {"fault": fault, "description": KINDS[fault]} | facts | _counted(board)


@contextmanager
def simulated_board(
    build: Path,
    *,
    faults: Sequence[Mapping[str, Any]] = (),
    version: str | None = None,
    progress: Progress | None = None,
) -> Iterator[SimulatedBoard]:
    """Set up the simulated board of a build, with a folder filled as on a real one; the folder is removed at the end.

    Args:
        build: build folder.
        faults: `{"kind", "transfer"}` each, see `board/faults.py`.
        version: release of pynq; default the newest that board and driver support.
        progress: called with a sentence before each step that takes long.

    Raises:
        QnnError: the build is incomplete, there is no environment with pynq, or the RTL does not compile.
    """
    manifest = read_manifest(build)
    board = read_board(build)
    design = block_design(manifest, board)
    if not (build / "board" / f"{design.stem}.json").is_file():
        raise QnnError(f"{build}: holds no board/{design.stem}.json; build it again")
    pynq = version_for(board) if version is None else version
    python = python_with_pynq(pynq, progress)
    library = board_library(build, progress=progress)
    with tempfile.TemporaryDirectory(prefix="qnn-board-") as scratch:
        folder = Path(scratch) / "board"
        write_board_folder(build, folder, design, board)
        report, configuration = Path(scratch) / "report.json", Path(scratch) / "board.json"
        content = {
            "board": {"name": board.name, "part": board.part, "family": board.family, "pynq_board": board.pynq_board},
            "design": asdict(design),
            "library": str(library.resolve()),
            "data": str((build / "rtl" / "data").resolve()),
            "faults": list(faults),
            "report": str(report),
        }
        configuration.write_text(json.dumps(content), encoding="utf-8")
        yield SimulatedBoard(folder, python, pynq, board.title, configuration, report)


def write_board_folder(build: Path, folder: Path, design: BlockDesign, board: Board) -> None:
    """Fill `folder` as a deployment does, with a .hwh and a .bit for the simulated board in place of Vivado's."""
    folder.mkdir()
    made = {f"{design.stem}.{ending}" for ending in ("bit", "hwh", "implementation.json")}
    for source in sorted((build / "board").iterdir()):
        if source.is_file() and source.name not in made:
            (folder / source.name).write_bytes(source.read_bytes())
    pair = {"bit": bit_header(design), "hwh": hwh_text(design, board).encode()}
    for ending, content in pair.items():
        (folder / f"{design.stem}.{ending}").write_bytes(content)
    implementation = {
        "schema": 1,
        "tool": TOOL,
        "part": design.part,
        "clock_mhz": design.actual_mhz,  # the clock Vivado would have timed
        "wns_ns": None,
        **{f"{ending}_sha256": hashlib.sha256(content).hexdigest() for ending, content in pair.items()},
        "graph_hash": design.graph_hash,
    }
    text = json.dumps(implementation, indent=1) + "\n"
    (folder / f"{design.stem}.implementation.json").write_text(text, encoding="utf-8")


def _answer(done: subprocess.CompletedProcess[str], file: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        end = lines[-1].strip() if lines else "no output"
        raise QnnError(f"simulated board: the program ended with exit status {done.returncode}: {end}") from None
    return found


def _counted(board: SimulatedBoard) -> dict[str, Any]:
    counted = json.loads(board.report.read_text(encoding="utf-8"))
    return {
        **{"pynq": board.pynq, "python": counted["python"]},
        **{"simulated_cycles": counted["cycles"], "transfers": counted["transfers"]},
    }


def _rate(facts: Mapping[str, Any]) -> float | None:
    return facts["clock_mhz"] * 1e6 / facts["interval_cycles"] if facts["interval_cycles"] else None


def _say(progress: Progress | None, text: str) -> None:
    if progress is not None:
        progress(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a script on the simulated board of a build, in the caller's terminal and folder; return its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if len(given) < 2 or given[0].startswith("-"):
        print("usage: python -m qnn_hw.simulation.board_run BUILD SCRIPT [ARGUMENT ...]", file=sys.stderr)
        return 2
    try:
        with simulated_board(Path(given[0]), progress=lambda text: print(text, file=sys.stderr)) as board:
            script = [str(Path(given[1]).resolve()), *given[2:]]
            return subprocess.run([board.python, *script], env=board.environment(), check=False).returncode
    except QnnError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130  # the script had it, too, and has said what it has to say


@dataclass(frozen=True, slots=True)
class SimulatedBoard:
    """A simulated board, ready to run programs."""

    folder: Path
    """What was deployed: driver, facts, golden vectors, .bit, .hwh."""
    python: Path
    """Python of the environment with pynq."""
    pynq: str
    """Its release."""
    title: str
    """The board, for people."""
    configuration: Path
    """What QNN_HW_SIMULATED_BOARD names."""
    report: Path
    """What the board counted, written when a program ends."""

    def environment(self) -> dict[str, str]:
        """Return the environment variables under which a Python program finds the board; the folder is importable."""
        other = ("PYTHONPATH", "PYTHONHOME", "PYNQ_REMOTE_DEVICES")
        kept = {name: value for name, value in os.environ.items() if name not in other}
        path = os.pathsep.join((str(_BOARD_CODE / "site"), str(self.folder)))
        return kept | {_VARIABLE: str(self.configuration), "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}

    def run(self, arguments: Sequence[str], timeout_s: float | None = None) -> subprocess.CompletedProcess[str]:
        """Run Python with `arguments` in the folder and return what it printed.

        Raises:
            QnnError: it did not end within `timeout_s`.
        """
        command = [str(self.python), *arguments]
        try:
            return subprocess.run(
                command,
                cwd=self.folder,
                env=self.environment(),
                capture_output=True,
                text=True,
                check=False,
                timeout=timeout_s,
            )
        except subprocess.TimeoutExpired:
            raise QnnError(f"simulated board: {arguments[0]} did not end within {timeout_s:g} s") from None


if __name__ == "__main__":
    # Ends the script as well and removes the folder; by default this program alone would end.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    sys.exit(main())
