# SPDX-License-Identifier: Apache-2.0
"""Runs the driver on this machine and the accelerator on the board, through pynq's own PYNQ.remote (gRPC, port 7967).

The driver is the file of the build, unchanged: with `PYNQ_REMOTE_DEVICES` set, pynq's device, registers and buffers are
those of the board. What pynq does not do is asked before: whether the board answers at all (pynq would wait for ever),
whether it is the board of the build, and whether a file of the bitstream's name that already lies there is this one
(pynq would configure whatever it is).
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from qnn_hw.backends.board import DRIVER_FILE
from qnn_hw.backends.folder import read_board
from qnn_hw.boards import Board, takes_pynq
from qnn_hw.deployment.checks import check_board, check_build, check_kind
from qnn_hw.deployment.payload import Payload
from qnn_hw.errors import QnnError
from qnn_hw.simulation.pynq_environment import VERSIONS, python_with_pynq

Progress = Callable[[str], None]

PORT = 7967
"""Where PYNQ.remote listens; pynq knows no other."""
OPEN_LINE = (
    f"PYNQ.remote has no authentication and no encryption: whoever reaches port {PORT} of the board can configure it, "
    "read and write its memory and write any of its files; use it on a link you trust"
)
"""Said in every report and before every connection."""

# pynq's documentation of 3.1 and 4.0 names these two.
_TRIED_UPSTREAM = frozenset({"zcu104", "aup-zu3"})
_FIRST = (3, 1)
_PROBE = Path(__file__).with_name("remote_probe.py")
_WITH_STATE = "pl_server"
_LAST_S = 5.0
"""Seconds for a program that is told to end."""
# How a gRPC error prints itself, its innards included, on one line.
_RPC_ERROR = re.compile(r"<\S+ of RPC that terminated with: status = StatusCode\.(\w+) details = \"(.*?)\" debug_.*?>")
_NOT_PASSED_ON = ("PYTHONPATH", "PYTHONHOME", "QNN_HW_SIMULATED_BOARD", "PYNQ_REMOTE_DEVICES")
_INSTALLED: Mapping[str, tuple[str, str]] = {
    "absent": ("new", "pynq uploads {file} to {host}"),
    "same": ("same", "{file} on {host} is this bitstream; it is not uploaded again"),
    "replaced": ("replaced", "{file} on {host} was another bitstream, or half of one, and has been replaced"),
}


def deploy_remote(
    build: Path,
    host: str,
    *,
    dry_run: bool = False,
    progress: Progress = lambda text: None,
    pynq: str | None = None,
    answer_s: float = 5.0,
    run_s: float = 600.0,
) -> dict[str, Any]:
    """Run the golden vectors of a build on a board that booted a PYNQ.remote image.

    Args:
        build: build folder, with the .bit/.hwh pair in `BUILD/board`.
        host: name or IPv4 address of the board.
        dry_run: check what is here, contact nobody, and return the steps.
        progress: told what is being done, a line each.
        pynq: version of pynq on this side; without it the newest the board takes.
        answer_s: how long the board may take over a question, in seconds.
        run_s: how long the whole run may take, in seconds, the upload of the bitstream included.

    Returns:
        Facts: `way` ("PYNQ.remote"), `target`, `simulated`, `stem`, `graph_hash`, `part`, `clock_mhz`, `tool`,
        `installed` ("new", "replaced", "same"; None in a dry run), `run` (what the driver returned), `passed` (bit
        exact), `notes` (sentences, `OPEN_LINE` the first), `steps` (of a dry run).

    Raises:
        QnnError: it cannot be done, or the driver failed. Results that differ are no error: `passed` is False.
    """
    # What this board can never do is said before anybody waits for a bitstream.
    version = _pynq_version(read_board(build), pynq)
    payload = check_build(build)
    _check_host(host)
    notes = _notes(payload.board)
    if dry_run:
        return _facts(payload, host, version, notes, steps=_steps(payload, host, version))
    for note in notes:
        progress(note)
    python = python_with_pynq(version, progress)
    progress(f"ask {host} what it is")
    found = _probe(python, payload.bit, host, answer_s)
    _check_target(payload, host, found)
    if found["firmware"] == "other":
        found = _probe(python, payload.bit, host, answer_s, "--replace")
        _check_target(payload, host, found)
    installed, sentence = _INSTALLED[found["firmware"]]
    progress(sentence.format(file=f"{payload.stem}.bin", host=host))
    progress(f"run the driver here, with pynq {version}, and the accelerator on {host}")
    result = _run_driver(python, payload, host, run_s)
    return _facts(payload, host, version, notes, found=found, installed=installed, result=result)


def _facts(
    payload: Payload,
    host: str,
    version: str,
    notes: list[str],
    *,
    found: Mapping[str, str] | None = None,
    installed: str | None = None,
    result: dict[str, Any] | None = None,
    steps: tuple[str, ...] = (),
) -> dict[str, Any]:
    return {
        "way": "PYNQ.remote",
        "target": {
            "host": host,
            "board": found["board"] if found else None,
            "remote": found["generation"] if found else None,
            "pynq": version,
        },
        "simulated": bool(found["simulated"]) if found else payload.implementation.is_simulated,
        "stem": payload.stem,
        "graph_hash": payload.graph_hash,
        "part": payload.board.part,
        "clock_mhz": payload.clock_mhz,
        "tool": payload.implementation.tool,
        "installed": installed,
        "run": result,
        "passed": None if result is None else bool(result["bit_exact"]),
        "notes": notes,
        "steps": list(steps),
    }


def _check_host(host: str) -> None:
    """Refuse what pynq would read as several hosts, or gRPC as something else than a host."""
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", host):
        raise QnnError(f"host {host!r}: PYNQ.remote takes one name or IPv4 address, without user, port or spaces")


def _pynq_version(board: Board, wanted: str | None) -> str:
    """Return the version of pynq for this side: `wanted`, or the newest of those the board takes."""
    if board.family != "zynq-ultrascale+":
        raise QnnError(
            f"{board.title}: PYNQ.remote was tried by its authors on Zynq UltraScale+ alone; deploy over ssh, without "
            "--remote"
        )
    versions = [version for version in VERSIONS if takes_pynq(board, version) and _number(version) >= _FIRST]
    if not versions:
        raise QnnError(
            f"{board.title}: PYNQ.remote began with pynq 3.1 and this board takes {', '.join(board.pynq_versions)}; "
            "deploy over ssh, without --remote"
        )
    if wanted is not None and wanted not in versions:
        raise QnnError(f"pynq {wanted}: through PYNQ.remote {board.title} takes {', '.join(versions)}")
    return wanted or versions[-1]


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _notes(board: Board) -> list[str]:
    notes = [OPEN_LINE]
    if board.name not in _TRIED_UPSTREAM:
        notes.append(f"pynq's own authors tried PYNQ.remote on ZCU104 and AUP-ZU3, not on the {board.title}")
    return notes


def _steps(payload: Payload, host: str, version: str) -> tuple[str, ...]:
    return (
        f"make or find the environment of pynq {version}",
        f"ask {host}:{PORT} for its architecture, board and generation of PYNQ.remote",
        f"compare /lib/firmware/{payload.stem}.bin on {host}, if it is there, with the bitstream; replace another one",
        f"PYNQ_REMOTE_DEVICES={host} python {DRIVER_FILE} validate, in a copy of {payload.folder}",
    )


def _probe(python: Path, bit: Path, host: str, answer_s: float, *options: str) -> dict[str, str]:
    # Beside the deadlines of its questions: the start of pynq on a slow disk, and the bitstream to and fro.
    limit_s = 6 * answer_s + 420
    words = [str(python), str(_PROBE), host, str(bit), "--answer-s", str(answer_s), *options]
    done = _run(words, _environment(host), limit_s)
    if done is None:
        raise QnnError(f"{host}: took more than {limit_s:g} s over its first questions; restart the board")
    try:
        found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        raise QnnError(f"{host}: pynq could not ask it: {_last_line(done.stderr)}") from None
    return found


def _check_target(payload: Payload, host: str, found: Mapping[str, str]) -> None:
    board = payload.board
    match found["answer"]:
        case "unreachable":
            raise QnnError(
                f"{host}: no PYNQ.remote at port {PORT} ({found['detail']}); is the board on, in this network, and "
                "booted from a PYNQ.remote image?"
            )
        case "foreign":
            raise QnnError(f"{host}: port {PORT} is not PYNQ.remote ({found['detail']}); give the address of the board")
        case "silent":
            raise QnnError(f"{host}: PYNQ.remote stopped answering ({found['detail']}); restart the board")
    check_kind(payload, host, bool(found["simulated"]))
    if found["arch"] != "aarch64":
        raise QnnError(f"{host}: its processor is {found['arch']}, that of {board.title} aarch64; give its address")
    if found["board"]:  # some images do not say
        check_board(board, host, found["board"])
    if not takes_pynq(board, found["generation"]):
        raise QnnError(
            f"{host}: its image is of PYNQ {found['generation']} and {board.title} takes "
            f"{', '.join(board.pynq_versions)}; boot the image of one of these"
        )
    if found["firmware"] == "stale":
        raise QnnError(
            f"{host}: /lib/firmware/{payload.stem}.bin is another bitstream and cannot be replaced; remove it there"
        )


def _run_driver(python: Path, payload: Payload, host: str, run_s: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="qnn-remote-") as scratch:
        # A copy: what runs writes beside what it loads, and a build stays as it was written.
        folder = Path(scratch) / "board"
        folder.mkdir()
        for path in payload.paths:
            shutil.copyfile(path, folder / path.name)
        report = Path(scratch) / "report.json"
        words = [str(python), str(folder / DRIVER_FILE), "validate", "--folder", str(folder), "--json", str(report)]
        variables = {
            "PYNQ_REMOTE_DEVICES": host,
            "PYTHONPATH": str(_package_of_its_own(python, Path(scratch) / "packages")),
        }
        done = _run(words, {**_environment(host), **variables}, run_s, scratch)
        if done is None:
            raise QnnError(f"{host}: the run did not end within {run_s:g} s and was stopped; restart the board")
        result = _read_report(report)
    if result is None:
        raise QnnError(
            f"{host}: the driver ended with status {done.returncode} and no report: {_last_line(done.stderr)}"
        )
    if "error" in result:
        message = _RPC_ERROR.sub(r"\1: \2", result["error"]["message"])
        raise QnnError(f"{host}: {result['error']['kind']}: {message}")
    return result


def _run(
    words: Sequence[str], environment: Mapping[str, str], limit_s: float, folder: str | None = None
) -> subprocess.CompletedProcess[str] | None:
    """Run a program to its end and return what it said; None where it was stopped after `limit_s`."""
    with subprocess.Popen(
        words,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        try:
            output, errors = process.communicate(timeout=limit_s)
        except BaseException as end:  # Ctrl-C and SIGTERM too
            # Not killed at once: the driver resets the hardware first, else a DMA goes on writing into memory there.
            process.terminate()
            try:
                process.communicate(timeout=_LAST_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if isinstance(end, subprocess.TimeoutExpired):
                return None
            raise
        return subprocess.CompletedProcess(words, process.returncode, output, errors)


def _package_of_its_own(python: Path, folder: Path) -> Path:
    """Return `folder`, filled with a pynq that shares all but the place of its state with the one of an environment.

    pynq notes in its own package which bitstream is loaded, one note for all boards and all programs: two runs at once
    trip over each other, and metadata of an earlier run are taken for those of this bitstream.
    """
    (installed,) = python.parent.parent.glob("lib/python3*/site-packages/pynq")
    package = folder / "pynq"
    package.mkdir(parents=True)
    for part in installed.iterdir():
        if part.name != _WITH_STATE:
            (package / part.name).symlink_to(part)
    shutil.copytree(installed / _WITH_STATE, package / _WITH_STATE)
    return folder


def _read_report(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _environment(host: str) -> dict[str, str]:
    """Return the environment of a program that talks to the board: no simulated board, no proxy in between."""
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED_ON}
    # gRPC would ask an http proxy of this machine for the way to the board.
    return {**kept, "no_grpc_proxy": host, "PYTHONDONTWRITEBYTECODE": "1"}


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip(" >\t")]
    return lines[-1].rstrip(".") if lines else "it said nothing"
