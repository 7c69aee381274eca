# SPDX-License-Identifier: Apache-2.0
"""What travels to a board: the files of `BUILD/board`, read, named and summed."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qnn_hw.backends.board.design import stem as stem_of
from qnn_hw.backends.board.driver import DRIVER_FILE
from qnn_hw.backends.folder import read_board, read_manifest
from qnn_hw.boards import Board
from qnn_hw.errors import QnnError
from qnn_hw.simulation.board_run import TOOL

FOLDER = "board"
DRIVER = DRIVER_FILE
SIMULATED = TOOL
"""`tool` of an implementation that was not implemented: the pair made for the simulated board."""

_STEM = re.compile(r"[a-z0-9_]{1,64}-[0-9a-f]{8}")
_SUM = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Implementation:
    """What `<stem>.implementation.json` says of the pair beside it."""

    tool: str
    """Program that made the pair, with its version, or `SIMULATED`."""
    part: str
    """Vivado part name."""
    clock_mhz: float
    """Clock at which the timing was met."""
    wns_ns: float | None
    """Worst negative slack in ns, below 0 where the timing was missed; None where nothing was timed."""
    bit_sha256: str
    """Sum of the bitstream, 64 hex digits."""
    hwh_sha256: str
    """Sum of the hardware handoff file, 64 hex digits."""
    graph_hash: str
    """32 hex digits: the build it was made from."""

    @property
    def is_simulated(self) -> bool:
        """Whether the pair programs no FPGA and serves the simulated board alone."""
        return self.tool == SIMULATED


@dataclass(frozen=True, slots=True)
class Payload:
    """The files of one build that belong on a board, all in one folder and all there."""

    build: Path
    """Build folder."""
    folder: Path
    """Folder that holds the files."""
    stem: str
    """Base name of the files, `[a-z0-9_]`, a dash and eight hex digits; the folder on the board bears it."""
    graph_hash: str
    """32 hex digits."""
    clock_mhz: float
    """Clock the build asks for."""
    board: Board
    """Board the build was made for."""
    facts: Mapping[str, Any]
    """Content of `<stem>.json`, which the driver reads."""
    implementation: Implementation
    """Where the pair comes from."""
    names: tuple[str, ...]
    """Names of the files, the driver first and the bitstream last."""
    sums: Mapping[str, str]
    """Name -> SHA-256, 64 hex digits."""
    n_bytes: int
    """Bytes of all files together."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files, in the order of `names`."""
        return tuple(self.folder / name for name in self.names)

    @property
    def bit(self) -> Path:
        """The bitstream."""
        return self.folder / f"{self.stem}.bit"

    @property
    def hwh(self) -> Path:
        """The hardware handoff file."""
        return self.folder / f"{self.stem}.hwh"


def read_payload(build: Path, folder: Path | None = None) -> Payload:
    """Read what travels.

    Args:
        build: build folder.
        folder: holds the files instead of `BUILD/board`.

    Raises:
        QnnError: `build` is no build, a file is missing or cannot be read, or is not what its name says.
    """
    manifest = read_manifest(build)
    place = build / FOLDER if folder is None else folder
    stem = stem_of(manifest)
    if not _STEM.fullmatch(stem):
        raise QnnError(f"{build}: its name and graph hash give {stem!r}, not a file name; build it again")
    _require_pair(build, place, stem)
    names = (DRIVER, *(f"{stem}.{end}" for end in ("json", "golden.npz", "ipynb", "implementation.json", "hwh", "bit")))
    for name in names:
        if not (place / name).is_file():
            raise QnnError(f"{place / name}: missing; build again with qnn-hw build")
    facts = _read_json(place / f"{stem}.json")
    if facts.get("graph_hash") != manifest["graph_hash"]:
        raise QnnError(
            f"{place / f'{stem}.json'}: its graph hash is {facts.get('graph_hash')!r}, the build's is "
            f"{manifest['graph_hash']}; build again with qnn-hw build"
        )
    return Payload(
        build=build,
        folder=place,
        stem=stem,
        graph_hash=str(manifest["graph_hash"]),
        clock_mhz=float(manifest["clock_mhz"]),
        board=read_board(build),
        facts=facts,
        implementation=_implementation(place / f"{stem}.implementation.json"),
        names=names,
        sums={name: _sum(place / name) for name in names},
        n_bytes=sum((place / name).stat().st_size for name in names),
    )


def _require_pair(build: Path, place: Path, stem: str) -> None:
    """Raise where one of the three files of an implementation is missing, saying which of the reasons it is."""
    again = f"run qnn-hw synth {build} --tool vivado"
    there = {end: (place / f"{stem}.{end}").is_file() for end in ("bit", "hwh", "implementation.json")}
    if not any(there.values()):
        others = sorted(path.name for path in place.glob("*.bit")) if place.is_dir() else []
        if others:
            raise QnnError(f"{place}: it holds {others[0]}, and the bitstream of this build is {stem}.bit; {again}")
        raise QnnError(f"{place}: no bitstream {stem}.bit yet; {again}")
    for end, what in (("bit", "bitstream"), ("hwh", "hardware handoff file"), ("implementation.json", "record")):
        if not there[end]:
            raise QnnError(
                f"{place / f'{stem}.{end}'}: missing; PYNQ needs the {what} beside the other two files of its "
                f"implementation (.bit, .hwh, .implementation.json); {again}"
            )


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise QnnError(f"{file}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise QnnError(f"{file}: damaged: {error}; make it again") from None
    if not isinstance(content, dict):
        raise QnnError(f"{file}: damaged: it holds no table; make it again")
    return content


def _implementation(file: Path) -> Implementation:
    content = _read_json(file)
    if content.get("schema") != 1:
        raise QnnError(f"{file}: schema {content.get('schema')!r}, this version reads 1; implement the build again")
    slack = content.get("wns_ns")
    clock = content.get("clock_mhz")
    right = {
        "tool": isinstance(content.get("tool"), str) and content["tool"].strip() != "",
        "part": isinstance(content.get("part"), str),
        "clock_mhz": _is_number(clock) and clock > 0,  # type: ignore[operator]
        "wns_ns": slack is None or _is_number(slack),
        "bit_sha256": _is_sum(content.get("bit_sha256")),
        "hwh_sha256": _is_sum(content.get("hwh_sha256")),
        "graph_hash": isinstance(content.get("graph_hash"), str),
    }
    for key, fine in right.items():
        if not fine:
            raise QnnError(f"{file}: damaged: {key} is {content.get(key)!r}; implement the build again")
    return Implementation(**{key: content[key] for key in right if key != "wns_ns"}, wns_ns=slack)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def _is_sum(value: object) -> bool:
    return isinstance(value, str) and _SUM.fullmatch(value) is not None


def _sum(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise QnnError(f"{file}: cannot be read: {error.strerror or error}") from None
