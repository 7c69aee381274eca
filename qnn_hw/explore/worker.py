# SPDX-License-Identifier: Apache-2.0
"""What runs on a worker of the cluster; it imports no TensorFlow."""

import io
import os
import socket
import tarfile
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qnn_hw import __version__
from qnn_hw.errors import QnnError
from qnn_hw.explore.network import unpack
from qnn_hw.explore.point import Facts, Task, evaluate
from qnn_hw.explore.store import DamagedPoint, Store, attach


@dataclass(frozen=True, slots=True)
class Place:
    """The client's sweep folder: its path there, and the token that shows whether a worker sees the same one."""

    folder: str
    token: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker returns.

    Attributes:
        facts: of the point.
        built: False where the point stood in the folder already.
        stored: whether the worker has written facts and build itself.
        packed: the build as a tar archive where the client has to write it; empty without a build.
    """

    facts: Facts
    built: bool
    stored: bool
    packed: bytes = b""


def hand_over(packed: bytes) -> bytes:
    """Return a network as it is: as a task it can be repeated when the worker that holds it is lost."""
    return packed


def work(packed: bytes, task: Task, place: Place) -> Answer:
    """Answer a task, in the sweep folder itself where this machine sees it, in a temporary one elsewhere.

    Raises:
        QnnError: another version of qnn-hw than the client's, or as `point.evaluate`.
    """
    expected = task.version.partition("+")[0]
    if __version__ != expected:
        raise QnnError(
            f"worker on {socket.gethostname()}: has qnn-hw {__version__}, this sweep runs with {expected}; "
            "install the same version there"
        )
    store = attach(place.folder, place.token)
    return _apart(packed, task) if store is None else work_in(store, packed, task)


def work_in(store: Store, packed: bytes, task: Task) -> Answer:
    """Answer a task in the sweep folder; what stands there is not made again."""
    known = finished(store, task)
    if known is not None and task.answered_by(known):
        return Answer(known, built=False, stored=True)
    # Only the synthesis may be missing: the build is then taken as it is.
    usable = known is not None and known["build"] and replace(task, synth=False).answered_by(known)
    store.log("started", task.key)
    store.remove_broken_build(task.key)
    folder = store.build_folder(task.key) if task.build or usable else None
    facts = evaluate(unpack(packed), task, folder, known if usable else None, lambda done: _store(store, done))
    store.log("finished", task.key)
    return Answer(facts, built=True, stored=True)


def finished(store: Store, task: Task) -> Facts | None:
    """Return the facts of a point whose file and build are whole, None if something of it has to be made."""
    try:
        facts = store.read_point(task.key)
    except DamagedPoint:
        return None
    if facts is not None and facts["build"] and not store.has_build(facts):
        return None
    return facts


def receive(store: Store, answer: Answer) -> None:
    """Write what a worker without the sweep folder has sent; the client does it."""
    if answer.stored:
        return
    key = answer.facts["key"]
    if answer.packed:
        folder = store.build_folder(key)
        with tempfile.TemporaryDirectory(prefix=".received.", dir=folder.parent) as beside:
            with tarfile.open(fileobj=io.BytesIO(answer.packed)) as archive:
                archive.extractall(beside, filter="data")
            old = Path(beside) / "old"
            if folder.exists():
                folder.rename(old)
            (Path(beside) / "build").rename(folder)
    _store(store, answer.facts)
    store.log("finished", key)


def _apart(packed: bytes, task: Task) -> Answer:
    with tempfile.TemporaryDirectory(prefix="qnn-hw-") as place:
        folder = Path(place) / "build"
        facts = evaluate(unpack(packed), task, folder if task.build else None, None, lambda done: None)
        return Answer(_signed(facts), built=True, stored=False, packed=_archive(folder) if facts["build"] else b"")


def _archive(folder: Path) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=3) as archive:
        archive.add(folder, "build")
    return file.getvalue()


def _store(store: Store, facts: Facts) -> None:
    store.write_point(facts if "worker" in facts else _signed(facts))


def _signed(facts: Facts) -> dict[str, Any]:
    return {**facts, "worker": f"{socket.gethostname()}:{os.getpid()}"}
