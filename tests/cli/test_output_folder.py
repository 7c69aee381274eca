# SPDX-License-Identifier: Apache-2.0
"""Where a build goes: written beside its place and renamed, or not at all."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from qnn_hw import build as building
from qnn_hw.backends.folder import read_build
from qnn_hw.boards import load_board
from qnn_hw.compiler import Accelerator, assemble
from qnn_hw.errors import QnnError
from tests.cli.session import ROOT, content, python, refused
from tests.random_nets import Net
from tests.random_nets import build as random_net

OTHER = "holds something that is not a qnn-hw build; give another folder or empty this one"


@pytest.fixture(scope="module")
def accelerator() -> Accelerator:
    return assemble(random_net(Net((16,), dense=(8,), classes=4), seed=4), load_board("pynq-z2"), target_fps=1e6)


@pytest.fixture
def earlier(plain_build: Path, tmp_path: Path) -> Iterator[Path]:
    """An earlier build in a folder of its own; afterwards it is as it was, and alone."""
    path = tmp_path / "builds" / "net"
    shutil.copytree(plain_build, path)
    before = content(path.parent)
    yield path
    assert content(path.parent) == before, "the earlier build changed, or something was left beside it"
    assert [entry.name for entry in path.parent.iterdir()] == ["net"]


def test_a_folder_with_something_else_is_refused(good: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("chapter 1")
    assert refused("build", good, "--out", tmp_path) == f"{tmp_path}: {OTHER}"
    assert content(tmp_path) == {"thesis.tex": b"chapter 1"}


def test_a_file_is_refused(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("mine")
    assert refused("build", good, "--out", path) == f"{path}: is a file; give a folder for the build"
    assert refused("build", good, "--out", path / "build") == f"{path / 'build'}: cannot be written: {path} is a file"
    assert content(tmp_path) == {"file": b"mine"}


def test_the_folder_one_is_in_is_refused(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    sentence = "the build replaces its folder, and you are inside this one; give a folder of its own"
    assert refused("build", good, "--out", ".") == f".: {sentence}"
    assert refused("build", good, "--out", tmp_path) == f"{tmp_path}: {sentence}"


def test_a_folder_that_may_not_be_written_is_refused(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Asked of the system and not tried: root may write everywhere.
    monkeypatch.setattr(building.os, "access", lambda path, mode: Path(path) != tmp_path)
    path = tmp_path / "builds" / "net"
    assert refused("build", good, "--out", path) == f"{path}: cannot be written: {tmp_path} is not writable"
    assert list(tmp_path.iterdir()) == []


def test_a_build_replaces_an_earlier_one(accelerator: Accelerator, plain_build: Path, tmp_path: Path) -> None:
    path = tmp_path / "net"
    shutil.copytree(plain_build, path)
    (path / "sim" / "work").mkdir()
    (path / "sim" / "work" / "dump.vcd").write_text("of the earlier build")
    accelerator.write(path)
    assert json.loads((path / "qnn.json").read_text())["graph_hash"] == accelerator.graph_hash
    assert content(path) == content(accelerator.write(tmp_path / "fresh"))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["fresh", "net"]


def test_an_empty_folder_is_taken_and_parents_are_made(accelerator: Accelerator, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    deep = tmp_path / "a" / "b" / "net"
    assert content(accelerator.write(empty)) == content(accelerator.write(deep))


def test_behind_a_link_the_folder_is_replaced_and_the_link_stays(accelerator: Accelerator, tmp_path: Path) -> None:
    place, link = tmp_path / "disk" / "net", tmp_path / "link"
    place.mkdir(parents=True)
    link.symlink_to(place)
    accelerator.write(link)
    assert link.is_symlink()
    assert read_build(place).manifest["graph_hash"] == accelerator.graph_hash
    assert [entry.name for entry in place.parent.iterdir()] == ["net"]


@pytest.mark.parametrize("step", ["write_golden", "write_simulation", "_swap"])
def test_a_full_disk_at_any_step_leaves_the_earlier_build(
    accelerator: Accelerator, earlier: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(building, step, full)
    with pytest.raises(QnnError) as caught:
        accelerator.write(earlier)
    assert str(caught.value) == (
        f"{earlier}: the disk is full; nothing was written, an earlier build is as it was, free some space and repeat"
    )


def test_a_failing_rename_puts_the_earlier_build_back(
    accelerator: Accelerator, earlier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def refuse_the_second(self: Path, target: Path) -> Path:
        if Path(target) == earlier and not self.name.endswith(".old"):
            raise OSError(1, "Operation not permitted")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse_the_second)
    with pytest.raises(QnnError, match="cannot be written: Operation not permitted"):
        accelerator.write(earlier)


def test_an_interrupted_build_leaves_nothing(
    accelerator: Accelerator, earlier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(building, "write_golden", interrupt)
    with pytest.raises(KeyboardInterrupt):
        accelerator.write(earlier)


def test_parents_made_for_a_build_that_failed_go_with_it(
    accelerator: Accelerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(building, "write_golden", full)
    with pytest.raises(QnnError, match="the disk is full"):
        accelerator.write(tmp_path / "a" / "b" / "net")
    assert list(tmp_path.iterdir()) == []


WRITE = """
import sys
from pathlib import Path
from qnn_hw.boards import load_board
from qnn_hw.compiler import assemble
from qnn_hw.errors import QnnError
from tests.random_nets import Net, build
accelerator = assemble(build(Net((16,), dense=(8,), classes=4), seed=4), load_board("pynq-z2"), target_fps=1e6)
"""


def test_a_limit_on_file_sizes_stops_the_build_for_real(earlier: Path, tmp_path: Path) -> None:
    script = WRITE + (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))\n"
        "try:\n    accelerator.write(sys.argv[1])\nexcept QnnError as error:\n    print(error)\n"
    )
    assert python(script, earlier, cwd=tmp_path) == f"{earlier}: cannot be written: File too large\n"


def test_a_disk_that_is_really_full(plain_build: Path, tmp_path: Path) -> None:
    """On a small file system, where an earlier build fits and a second one beside it does not."""
    disk = tmp_path / "disk"
    disk.mkdir()
    script = WRITE + (
        "before = {p: p.read_bytes() for p in Path(sys.argv[1]).rglob('*') if p.is_file()}\n"
        "try:\n    accelerator.write(sys.argv[1])\nexcept QnnError as error:\n    print(error)\n"
        "after = {p: p.read_bytes() for p in Path(sys.argv[1]).rglob('*') if p.is_file()}\n"
        "print(before == after, [p.name for p in Path(sys.argv[1]).parent.iterdir()])\n"
    )
    room_kib = sum(-(-len(data) // 4096) * 4 for data in content(plain_build).values()) * 3 // 2
    shell = f'mount -t tmpfs -o size={room_kib}k disk "$0" && cp -r "$1" "$0/net" && exec "$2" -c "$3" "$0/net"'
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("needs a user namespace of its own (unshare -rm) to mount a small disk")
    command = ["unshare", "-rm", "sh", "-c", shell, str(disk), str(plain_build), sys.executable, script]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        f"{disk / 'net'}: the disk is full; nothing was written, an earlier build is as it was, free some space and "
        "repeat\nTrue ['net']\n"
    )
