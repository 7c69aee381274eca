# SPDX-License-Identifier: Apache-2.0
"""Results of runs, kept inside the build they belong to: `BUILD/results/<kind>.json`.

A result names the graph hash of the build it was measured on; one that names another is stale and never shown as the
state of this build. `qnn-hw build` writes none: the same input still gives a byte-identical folder.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from qnn_hw.backends.folder import read_manifest
from qnn_hw.errors import QnnError

SCHEMA = 1
FOLDER = "results"

COMMANDS: Mapping[str, str] = {
    "simulation-rtl": "simulate {build}",
    "simulation-hls": "simulate {build} --backend hls",
    "simulation-hls-rtl": "simulate {build} --backend hls-rtl",
    "simulation-c": "simulate {build} --backend hls --data FILE.npz",
    "synthesis-yosys": "synth {build}",
    "synthesis-vitis": "synth {build} --tool vitis",
    "synthesis-vivado": "synth {build} --tool vivado",
    "board-simulated": "deploy {build} --simulate",
    "board": "deploy {build} --host HOST --run",
}
"""Kind of result -> the command, after `qnn-hw`, that makes it."""

_FIELDS: Mapping[str, Mapping[str, type]] = {
    "simulation": {"passed": bool, "frames": int, "measured": dict, "scenarios": list},
    "synthesis": {"tool": dict, "operators": list, "sum": dict},
    "board": {"frames": int, "equal": int, "bit_exact": bool, "pynq": str, "part": str},
}
"""What the facts of every kind of a family hold; the family is the word before the first dash."""
_SCENARIO: Mapping[str, type] = {"name": str, "passed": bool, "findings": list}
_CELLS = ("lut", "ff", "bram36_equivalent", "dsp")
_CLOCK, _SLACK = ("asked_mhz", "actual_mhz"), ("wns_ns", "tns_ns", "whs_ns")
_COUNTED = ("clock_mhz", "interval_cycles", "first_latency_cycles")
_MAY_BE_NONE = ("keras_equal", "top1", "frames_per_s")


@dataclass(frozen=True, slots=True)
class Result:
    """One result.

    Attributes:
        kind: a key of `COMMANDS`.
        date: UTC, to the minute: "2026-01-31T09:05Z".
        graph_hash: of the build that was run.
        current: whether the build still is the one that was run.
        facts: what the run returned.
    """

    kind: str
    date: str
    graph_hash: str
    current: bool
    facts: Mapping[str, Any]


def save_result(build: Path, kind: str, facts: Mapping[str, Any]) -> Path:
    """Keep what a run returned; an earlier result of this kind is replaced at once or not at all.

    Args:
        build: build folder.
        kind: a key of `COMMANDS`.
        facts: verdict of a simulation, report of a synthesis, or what the driver's `validate` reports of a board.

    Returns:
        The file written.

    Raises:
        QnnError: for an unknown kind, if `build` is no build, or if the file cannot be written.
    """
    if kind not in COMMANDS:
        raise QnnError(f"result {kind!r}: choose one of {', '.join(COMMANDS)}")
    content = {
        "schema": SCHEMA,
        "kind": kind,
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "graph_hash": read_manifest(build)["graph_hash"],
        "facts": facts,
    }
    file = build / FOLDER / f"{kind}.json"
    write_whole(file, json.dumps(content, indent=1) + "\n")
    return file


def load_results(build: Path) -> dict[str, Result]:
    """Return the results kept in a build, by kind; empty where nothing was run.

    Raises:
        QnnError: if `build` is no build, or a file is damaged, naming it.
    """
    graph_hash = read_manifest(build)["graph_hash"]
    results = {}
    for kind in COMMANDS:
        file = build / FOLDER / f"{kind}.json"
        if file.exists():
            results[kind] = _read(file, kind, graph_hash)
    return results


def write_whole(file: Path, text: str) -> None:
    """Write a text file so that it is there complete or not at all; folders above it are made.

    Raises:
        QnnError: if it cannot be written.
    """
    beside = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.is_dir():
            raise QnnError(f"{file}: is a folder; give the name of a file")
        descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        beside = Path(name)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        beside.chmod(0o644)
        beside.replace(file)
    except OSError as error:
        raise QnnError(f"{file}: cannot be written: {error.strerror or error}") from None
    finally:
        if beside is not None:
            with suppress(OSError):  # gone, once it has taken its place
                beside.unlink()


def _read(file: Path, kind: str, graph_hash: str) -> Result:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise QnnError(f"{file}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise _damaged(file, kind, str(error)) from None
    if not isinstance(content, dict) or not isinstance(content.get("facts"), dict):
        raise _damaged(file, kind, "it holds no facts")
    if content.get("schema") != SCHEMA:
        raise _damaged(file, kind, f"schema {content.get('schema')}, this version reads {SCHEMA}")
    for key in ("kind", "date", "graph_hash"):
        if not isinstance(content.get(key), str):
            raise _damaged(file, kind, f"the field {key} is {content.get(key)!r}")
    if content["kind"] != kind:
        raise _damaged(file, kind, f"it is of the kind {content['kind']!r}")
    wrong = _complaint(content["facts"], kind)
    if wrong:
        raise _damaged(file, kind, wrong)
    return Result(kind, content["date"], content["graph_hash"], content["graph_hash"] == graph_hash, content["facts"])


def _complaint(facts: Mapping[str, Any], kind: str) -> str:
    """Return what is wrong with the facts of a run, or an empty string."""
    family = kind.partition("-")[0]
    for key, expected in _FIELDS[family].items():
        if not isinstance(facts.get(key), expected):
            return f"the field facts.{key} is {facts.get(key)!r}"
    match family:
        case "simulation":
            return _complaint_of_simulation(facts)
        case "board":
            return _complaint_of_board(facts)
        case _:
            return _complaint_of_synthesis(facts, kind)


def _complaint_of_simulation(facts: Mapping[str, Any]) -> str:
    for i, entry in enumerate(facts["scenarios"]):
        if not isinstance(entry, dict) or not all(isinstance(entry.get(key), t) for key, t in _SCENARIO.items()):
            return f"the entry facts.scenarios[{i}] is {entry!r}"
    return ""


def _complaint_of_board(facts: Mapping[str, Any]) -> str:
    latency = facts.get("latency_ms")
    if latency is not None and not isinstance(latency, dict):
        return f"the field facts.latency_ms is {latency!r}"
    return (
        _no_number(facts, _COUNTED)
        or _no_number(facts, _MAY_BE_NONE, or_none=True)
        or _no_number(latency or {}, ("p50", "p99"), "latency_ms.", or_none=True)
    )


def _complaint_of_synthesis(facts: Mapping[str, Any], kind: str) -> str:
    sums = ["sum"]
    if kind == "synthesis-vivado":
        for key in ("clock", "slack"):
            if not isinstance(facts.get(key), dict):
                return f"the field facts.{key} is {facts.get(key)!r}"
        wrong = _no_number(facts["clock"], _CLOCK, "clock.") or _no_number(facts["slack"], _SLACK, "slack.")
        if wrong:
            return wrong
        sums += ["top", "system", *(["shell"] if facts.get("shell") is not None else [])]
    rows = [(f"operators[{i}]", row) for i, row in enumerate(facts["operators"])]
    for where, entry in [*((name, facts.get(name)) for name in sums), *rows]:
        numbers = isinstance(entry, dict) and all(isinstance(entry.get(key), int | float) for key in _CELLS)
        if not numbers or (where not in sums and not isinstance(entry.get("layer"), str)):
            return f"the entry facts.{where} is {entry!r}"
    return ""


def _no_number(facts: Mapping[str, Any], names: tuple[str, ...], where: str = "", *, or_none: bool = False) -> str:
    """Return what is wrong with the first of `names` that is no number, or an empty string."""
    for name in names:
        found = facts.get(name)
        # A bool is an int to Python, and none to whoever wrote the number.
        if not (isinstance(found, int | float) and not isinstance(found, bool)) and not (or_none and found is None):
            return f"the field facts.{where}{name} is {found!r}"
    return ""


def _damaged(file: Path, kind: str, reason: str) -> QnnError:
    command = COMMANDS[kind].format(build=file.parent.parent)
    return QnnError(f"{file}: damaged ({reason}); repeat `qnn-hw {command}`, or remove the file")
