# SPDX-License-Identifier: Apache-2.0
"""The sweep folder: one file a finished point, written at once or not at all, and the builds beside them.

    sweep.json            marks the folder and names it
    points/KEY.json       the facts of a point, with their checksum
    builds/KEY/           its build
    builds.log            a line whenever a worker starts or finishes a point

Client and workers use it alike, workers only if they see the same folder.
"""

import fcntl
import hashlib
import json
import os
import shutil
import socket
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from qnn_hw.backends.folder import MANIFEST
from qnn_hw.errors import QnnError

Facts = dict[str, Any]

MARKER = "sweep.json"
LOG = "builds.log"

_KIND = "qnn-hw sweep"
_SCHEMA = 1


class DamagedPoint(QnnError):
    """A point's file cannot be what was written; the message says why."""


@dataclass(frozen=True, slots=True)
class Store:
    """A sweep folder and the token that tells it from a folder of the same name on another machine."""

    folder: Path
    token: str

    def point_file(self, key: str) -> Path:
        """File of a finished point."""
        return self.folder / "points" / f"{key}.json"

    def build_folder(self, key: str) -> Path:
        """Folder of its build."""
        return self.folder / "builds" / key

    def finished_keys(self) -> list[str]:
        """Every point that has a file."""
        return sorted(file.stem for file in (self.folder / "points").glob("*.json"))

    def read_point(self, key: str) -> Facts | None:
        """Return the facts of a point, None if it is not finished.

        Raises:
            DamagedPoint: if its file was cut off or changed.
        """
        try:
            text = self.point_file(key).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise DamagedPoint(f"cannot be read: {error}") from None
        try:
            content = json.loads(text)
            facts, written = content["point"], content["sha256"]
        except (ValueError, KeyError, TypeError):
            raise DamagedPoint("cut off or no point file") from None
        if not isinstance(facts, dict) or facts.get("key") != key or written != _checksum(facts):
            raise DamagedPoint("changed since it was written")
        return facts

    def write_point(self, facts: Facts) -> None:
        """Write the facts of a finished point, at once."""
        content = {"sha256": _checksum(facts), "point": facts}
        write_at_once(self.point_file(facts["key"]), (json.dumps(content, indent=1) + "\n").encode())

    def has_build(self, facts: Facts) -> bool:
        """Whether the build that belongs to a point is there and is that build."""
        try:
            manifest = json.loads((self.build_folder(facts["key"]) / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(manifest, dict) and manifest.get("graph_hash") == facts["graph_hash"]

    def remove_broken_build(self, key: str) -> None:
        """Remove what stands in the place of a build and is none; an old build stays until the new one is whole."""
        folder = self.build_folder(key)
        if folder.is_dir() and not (folder / MANIFEST).is_file():
            shutil.rmtree(folder)

    def log(self, event: Literal["started", "finished"], key: str) -> None:
        """Append a line: event, key, host, process."""
        line = f"{event} {key} {socket.gethostname()} {os.getpid()}\n"
        descriptor = os.open(self.folder / LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, line.encode())  # in one piece: other workers append as well
        finally:
            os.close(descriptor)

    def remove_leftovers(self) -> None:
        """Remove what lost workers left half-written; only while nobody else works here (`lock`)."""
        for place in (self.folder / "points", self.folder / "builds"):
            for entry in place.glob(".*"):
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def check_place(folder: Path) -> None:
    """Raise QnnError unless a sweep may be written to `folder` or goes on there; changes nothing."""
    if folder.exists() and not folder.is_dir():
        raise QnnError(f"{folder}: is a file; give a folder for the sweep")
    if folder.is_dir() and any(folder.iterdir()):
        _token(folder)
    above = next(place for place in (folder.resolve(), *folder.resolve().parents) if place.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise QnnError(f"{folder}: cannot be written: {above} is {'not writable' if above.is_dir() else 'a file'}")


def open_store(folder: Path) -> Store:
    """Return the sweep folder, made if it is not there; what it holds stays.

    Raises:
        QnnError: as `check_place`.
    """
    check_place(folder)
    place = folder.resolve()
    for name in ("points", "builds"):
        (place / name).mkdir(parents=True, exist_ok=True)
    if not (place / MARKER).is_file():
        content = {"kind": _KIND, "schema": _SCHEMA, "token": uuid.uuid4().hex}
        write_at_once(place / MARKER, (json.dumps(content, indent=1) + "\n").encode())
    return Store(place, _token(place))


def attach(folder: str, token: str) -> Store | None:
    """Return the sweep folder if this machine sees the very same one."""
    try:
        return Store(Path(folder), token) if _token(Path(folder)) == token else None
    except (QnnError, OSError):
        return None


@contextmanager
def lock(store: Store) -> Iterator[None]:
    """Hold the folder for one sweep; given back by the operating system however the process ends.

    Raises:
        QnnError: while another sweep works in it.
    """
    with (store.folder / MARKER).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise QnnError(
                f"{store.folder}: another sweep is at work in this folder; wait for its end, or give another --out"
            ) from None
        yield


def write_at_once(path: Path, content: bytes) -> None:
    """Write a file that is whole whenever it is there."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


def _token(folder: Path) -> str:
    file = folder / MARKER
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if {entry.name for entry in folder.iterdir()} <= {"points", "builds"}:
            return ""  # stopped before the marker was written
        raise QnnError(
            f"{folder}: holds something that is not a sweep; give another --out, or empty this folder"
        ) from None
    except (OSError, ValueError) as error:
        raise QnnError(
            f"{file}: damaged ({error}); remove this one file and repeat, points and builds stay; or give another --out"
        ) from None
    if not isinstance(content, dict) or content.get("kind") != _KIND:
        raise QnnError(f"{folder}: holds something that is not a sweep; give another --out, or empty this folder")
    if content.get("schema") != _SCHEMA:
        raise QnnError(f"{file}: schema {content.get('schema')}, this version reads {_SCHEMA}; give another --out")
    return str(content.get("token", ""))


def _checksum(facts: Facts) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
