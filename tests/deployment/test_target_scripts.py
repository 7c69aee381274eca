# SPDX-License-Identifier: Apache-2.0
"""The scripts that run on the board: complete or without effect, and nothing that a user gives in their text."""

import os
import re
import subprocess
from pathlib import Path

import pytest

import qnn_hw.deployment.commands as module
from qnn_hw.deployment.commands import Commands, script
from qnn_hw.deployment.target import Target

FOLDER = Path(module.__file__).parent / "target"
FED = sorted(path.name for path in FOLDER.glob("*.sh") if path.name != "environment.sh")
STEM, TOKEN = "net-00000000", "0123456789ab"


def home(place: Path) -> Path:
    """A home folder with something for every script to change: a build, a copy, leavings from 1970."""
    for folder in (STEM, f".incoming-{TOKEN}", ".incoming-old", ".old-old"):
        (place / "qnn" / folder).mkdir(parents=True)
        (place / "qnn" / folder / "file").write_text(folder)
        for path in (place / "qnn" / folder / "file", place / "qnn" / folder):
            os.utime(path, (0, 0))
    (place / "qnn" / f".result-{TOKEN}.json").write_text("{}")
    return place


def tree(place: Path) -> dict[str, str]:
    return {str(path.relative_to(place)): path.read_text() for path in sorted(place.rglob("*")) if path.is_file()}


def feed(name: str, text: str, place: Path) -> subprocess.CompletedProcess[str]:
    words = ["bash", "-s", "--", *((STEM, TOKEN) if name == "install.sh" else (TOKEN,))]
    environment = {"HOME": str(place), "PATH": os.environ["PATH"]}
    return subprocess.run(words, input=text, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("name", FED)
def test_a_script_that_arrives_in_half_does_nothing(name: str, tmp_path: Path) -> None:
    place = home(tmp_path)
    before = tree(place)
    lines = script(name).splitlines(keepends=True)
    for n in range(len(lines)):
        done = feed(name, "".join(lines[:n]), place)
        assert tree(place) == before, f"{name}: its first {n} lines changed something"
        assert "qnn:" not in done.stdout, f"{name}: its first {n} lines answered"


@pytest.mark.parametrize("name", [name for name in FED if name not in ("run.sh", "install.sh")])
def test_a_whole_script_answers(name: str, tmp_path: Path) -> None:
    done = feed(name, script(name), home(tmp_path))
    assert re.search(r"^qnn:(end|error)=", done.stdout, re.MULTILINE), done.stdout + done.stderr
    assert done.stderr == ""


def test_every_script_is_listed() -> None:
    table = (FOLDER / "README.md").read_text()
    listed = set(re.findall(r"^\| `(\w+\.sh)", table, re.MULTILINE))
    assert listed == {path.name for path in FOLDER.glob("*.sh")}


def test_the_remote_side_sees_constant_words_and_own_names(tmp_path: Path) -> None:
    commands = Commands(Target("pynq"), tmp_path / "socket", False, STEM, TOKEN, 1000, 600)
    asked = [commands.probe(), commands.space(), commands.tidy(), commands.sums(STEM), commands.prepare()]
    asked += [commands.install(), commands.run(("sudo", "-n"), False), commands.fetch(), commands.remove()]
    asked += [commands.stop(("sudo", "-n"))]
    for command in asked:
        remote = command.words[command.words.index("--") + 2 :]
        assert all(re.fullmatch(r"[A-Za-z0-9_./-]+", word) for word in remote), remote


def test_an_ipv6_address_is_told_from_a_path(tmp_path: Path) -> None:
    commands = Commands(Target("fe80::1"), tmp_path / "socket", False, STEM, TOKEN, 1000, 600)
    assert commands.copy((tmp_path / "a:b",)).words[-2:] == (
        str(tmp_path / "a:b"),
        f"[fe80::1]:qnn/.incoming-{TOKEN}/",
    )
