# SPDX-License-Identifier: Apache-2.0
"""Deployment over ssh: the system's own ssh and scp, and a server on the loopback interface that plays the board."""

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qnn_hw
from qnn_hw.boards import load_board
from qnn_hw.deployment import Target, commands, deploy, over_ssh, ssh
from qnn_hw.errors import QnnError
from qnn_hw.simulation.board_run import simulated_board
from qnn_hw.simulation.pynq_environment import PynqNotAvailable, python_with_pynq
from tests.deployment.board_builds import VIVADO, add_pair, write_board_build

pytest.importorskip("asyncssh")
from tests.deployment.ssh_server import USER, Board, board_server, closed_port, silent_port

pytestmark = pytest.mark.skipif(
    shutil.which("ssh") is None or shutil.which("scp") is None, reason="no OpenSSH client (ssh, scp) on PATH"
)


def pynq_python(version: str) -> Path:
    try:
        return python_with_pynq(version)
    except PynqNotAvailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the tests themselves are run from one."""
    monkeypatch.setattr(ssh, "has_terminal", lambda: False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build = write_board_build(tmp_path_factory.mktemp("made") / "net")
    add_pair(build, VIVADO, n_more=3_000_000)
    return build


@pytest.fixture
def build(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "net"))


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    place = tmp_path / "served"
    place.mkdir()
    with board_server(place, pynq_python("3.1.2"), "Pynq-Z2") as served:
        yield served


def target(board: Board, **changed: Any) -> Target:
    return Target(**{"host": "board", "user": USER, "config": board.config, **changed})


def stem(build: Path) -> str:
    return next((build / "board").glob("*.hwh")).stem


def sources(build: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (build / "board").iterdir()}


def deployed(board: Board, build: Path) -> dict[str, bytes]:
    """Files of a build on the board, the script that runs the driver apart."""
    folder = board.folder / stem(build)
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "run.sh"}


def new_golden(build: Path) -> None:
    """The same network with other golden vectors: same name on the board, other content."""
    np.savez(build / "board" / f"{stem(build)}.golden.npz", raw=np.zeros((3, 8), np.uint8))


# --- what comes of it -------------------------------------------------------------------------------------------------


def test_a_build_arrives_whole_after_one_log_in(build: Path, board: Board) -> None:
    said: list[str] = []
    facts = deploy(build, target(board), progress=said.append)
    assert deployed(board, build) == sources(build)
    assert board.hidden() == []
    assert board.log_ins == 1
    assert (facts["installed"], facts["run"], facts["passed"], facts["simulated"]) == ("new", None, None, False)
    assert facts["target"]["board"] == "Pynq-Z2"
    assert facts["target"]["pynq"] == "3.1.2"
    assert facts["folder"] == f"~/qnn/{stem(build)}"
    assert {file["name"] for file in facts["files"]} == set(sources(build))
    assert facts["how_to_run"].endswith(f"{USER}@board sudo bash qnn/{stem(build)}/run.sh validate")
    assert said[0] == f"log in to {USER}@board"
    json.dumps(facts)


def test_what_is_there_is_not_copied_again(build: Path, board: Board) -> None:
    deploy(build, target(board))
    n_bytes = board.n_bytes
    assert deploy(build, target(board))["installed"] == "same"
    assert board.n_bytes == n_bytes


def test_other_content_under_the_same_name_takes_its_place(build: Path, board: Board) -> None:
    deploy(build, target(board))
    new_golden(build)
    assert deploy(build, target(board))["installed"] == "replaced"
    assert deployed(board, build) == sources(build)
    assert board.hidden() == []


@pytest.mark.parametrize("name", ["qnn_driver.py", "run.sh"])
def test_a_file_changed_on_the_board_is_put_right(build: Path, board: Board, name: str) -> None:
    deploy(build, target(board))
    file = board.folder / stem(build) / name
    right = file.read_bytes()
    file.write_text("changed\n")
    assert deploy(build, target(board))["installed"] == "replaced"
    assert file.read_bytes() == right
    assert deployed(board, build) == sources(build)


def test_what_a_person_put_beside_the_files_is_kept(build: Path, board: Board) -> None:
    deploy(build, target(board))
    mine = board.folder / stem(build) / "my photos"
    mine.mkdir()
    (mine / "cat.png").write_text("a cat")
    (board.folder / stem(build) / "mine.py").write_text("print()\n")
    new_golden(build)
    assert deploy(build, target(board))["installed"] == "replaced"
    assert (mine / "cat.png").read_text() == "a cat"
    shutil.rmtree(mine)
    assert deployed(board, build) == {**sources(build), "mine.py": b"print()\n"}
    assert board.hidden() == []


def test_the_files_are_on_the_card_before_they_take_their_place(build: Path, board: Board) -> None:
    """Who pulls the plug after a deployment finds all of it, or nothing."""
    note = board.home / "synced"
    board.tool("sync", f'ls -d "$HOME/qnn/"*/ 2>/dev/null >>{note}; printf "%s\\n" "$@" >>{note}')
    deploy(build, target(board))
    _, *files, folder = note.read_text().splitlines()
    assert [Path(file).name for file in files] == sorted([*sources(build), "run.sh"])
    assert {str(Path(file).parent) for file in files} == {folder}


@pytest.mark.parametrize(
    ("line", "user"), [("", "xilinx"), ("  User ubuntu\n", "ubuntu")], ids=["of-the-image", "of-the-configuration"]
)
def test_without_an_account_given(build: Path, board: Board, line: str, user: str) -> None:
    board.config.write_text(board.config.read_text() + line)
    facts = deploy(build, target(board, user=None))
    assert (facts["installed"], facts["target"]["user"]) == ("new", user)
    assert f" {user}@board sudo bash" in facts["how_to_run"]


def test_the_account_here_is_no_account_there_whatever_the_environment_says(
    build: Path, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `su`, say: LOGNAME is still the name of before, and ssh goes by the number."""
    monkeypatch.setenv("LOGNAME", "somebody")
    assert deploy(build, target(board, user=None))["target"]["user"] == USER


def test_what_the_shell_of_the_board_prints_at_log_in_does_not_matter(build: Path, board: Board) -> None:
    """bash reads ~/.bashrc when ssh starts it; BASH_ENV does the same for the shell of this server."""
    (board.home / "chatter").write_text(
        "echo Welcome to PYNQ; echo qnn=:x=; cat <<<'a=b'; printf 'title without end'\n"
    )
    board.environment["BASH_ENV"] = str(board.home / "chatter")
    assert deploy(build, target(board))["installed"] == "new"


def test_a_copy_that_the_chatter_of_the_log_in_spoils_is_said(
    build: Path, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSH's own server starts what takes the files through the shell of the account, too."""
    (board.home.parent / "bin").mkdir()
    scp = board.home.parent / "bin" / "scp"
    scp.write_text("#!/bin/sh\necho 'Received message too long 1466263653' >&2\nexit 1\n")
    scp.chmod(0o755)
    monkeypatch.setenv("PATH", f"{scp.parent}:{os.environ['PATH']}")
    with pytest.raises(
        QnnError, match=r"the copy failed \(Received message too long 1466263653: its shell prints some"
    ):
        deploy(build, target(board))


def test_paths_with_anything_in_them_are_paths(made: Path, board: Board, tmp_path: Path) -> None:
    build = Path(shutil.copytree(made, tmp_path / "it's a; build: $(touch x) %h -o"))
    assert deploy(build, target(board))["installed"] == "new"
    assert deployed(board, build) == sources(build)


@pytest.mark.parametrize("name", ["a space", "${HOME}", 'a"quote', "%h", "more letters than a socket may have " * 3])
def test_any_folder_for_temporary_files_will_do(
    build: Path, board: Board, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix=name) as place:  # pytest's own is too long to tell
        monkeypatch.setattr(tempfile, "tempdir", place)
        assert deploy(build, target(board))["installed"] == "new"
        assert list(Path(place).iterdir()) == []
    assert board.log_ins == 1


def test_a_dry_run_names_the_commands_of_a_real_one_and_contacts_nobody(build: Path, board: Board) -> None:
    facts = deploy(build, target(board), run=True, dry_run=True)
    assert board.log_ins == 0
    assert (facts["installed"], facts["passed"]) == (None, None)
    planned = [entry["command"] for entry in facts["commands"]]
    assert [words[0] for words in planned[:2]] == ["mkdir", "ssh"]
    assert [words[0] for words in planned if words[0] not in ("ssh", "scp")] == ["mkdir", "tee", "rm"]
    remote = [" ".join(words[words.index("--") + 2 :]) for words in planned if words[0] == "ssh" and "-O" not in words]

    with pytest.raises(QnnError):  # there is no FPGA
        deploy(build, target(board), run=True)

    for text in remote:
        assert re.fullmatch(r"[A-Za-z0-9_. /-]+", text), text

    def same(commands: list[str]) -> list[str]:
        return [re.sub(r"[0-9a-f]{12}", "TOKEN", text) for text in commands]

    assert same(remote) == same(board.commands)


def test_a_dry_run_is_a_script_that_works(build: Path, board: Board) -> None:
    entries = deploy(build, target(board), dry_run=True)["commands"]
    done = subprocess.run(
        ["bash", "-e"],
        input="\n".join(entry["shell"] for entry in entries),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert deployed(board, build) == sources(build)


# --- faults of the copy -----------------------------------------------------------------------------------------------


def test_a_copy_that_is_cut_leaves_the_old_version_and_the_next_one_succeeds(build: Path, board: Board) -> None:
    deploy(build, target(board))
    before = deployed(board, build)
    new_golden(build)
    board.faults.cut_after_bytes = board.n_bytes + 1_000_000
    with pytest.raises(QnnError, match=r"board: the connection was cut in the middle of the copy; what was there be"):
        deploy(build, target(board))
    assert deployed(board, build) == before
    (half,) = board.hidden()
    assert half.startswith(".incoming-")

    board.faults.cut_after_bytes = None
    assert deploy(build, target(board))["installed"] == "replaced"
    assert deployed(board, build) == sources(build)
    assert board.hidden() == [half], "younger than an hour: it may be in use"

    said: list[str] = []
    two_hours_ago = (board.folder / half).stat().st_mtime - 7200
    for path in (board.folder / half, *(board.folder / half).iterdir()):
        os.utime(path, (two_hours_ago, two_hours_ago))
    assert deploy(build, target(board), progress=said.append)["installed"] == "same"
    assert board.hidden() == []
    assert f"removed ~/qnn/{half}, left behind by a deployment that was cut off" in said


@pytest.mark.parametrize(
    ("left", "sentence"),
    [
        (12, r"board: its disk became full during the copy \(3\.\d MB\); what was there before stays usable; deploy a"),
        (9_000_000, r"board: the copy failed \(scp: write remote .*: Failure\); what was there before stays usable"),
    ],
    ids=["no-space-left", "for-another-reason"],
)
def test_a_write_that_fails_is_said_and_nothing_is_left(build: Path, board: Board, left: int, sentence: str) -> None:
    """The server's protocol has one word for every failure; how much space is left decides which one it was."""
    board.faults.full_after_bytes = 1_000_000
    before, after = 'echo "/dev/mmcblk0p2 15 1 9000000 1% /"', f'echo "/dev/mmcblk0p2 15 1 {left} 99% /"'
    board.tool("df", f'if [ -e "$HOME/qnn" ]; then {after}; else {before}; fi')
    with pytest.raises(QnnError, match=sentence):
        deploy(build, target(board))
    assert board.hidden() == []
    assert not (board.folder / stem(build)).exists()


def test_a_full_disk_is_seen_before_the_copy(build: Path, board: Board) -> None:
    board.tool("df", 'echo "Filesystem"; echo "/dev/mmcblk0p2 15000000 14998000 2000 100% /"')
    with pytest.raises(QnnError, match=r"board: its disk is full: 2\.0 MB left in the home folder, 4\.\d MB needed"):
        deploy(build, target(board))
    assert board.n_bytes == 0


def test_a_bit_that_flips_on_the_way_is_found(build: Path, board: Board) -> None:
    board.faults.flip_a_bit = True
    with pytest.raises(QnnError, match="board: the copy arrived with other sums than it was sent with"):
        deploy(build, target(board))
    assert board.hidden() == []
    assert not (board.folder / stem(build)).exists()


def test_a_connection_that_goes_before_the_rename_leaves_the_old_version(build: Path, board: Board) -> None:
    deploy(build, target(board))
    before = deployed(board, build)
    new_golden(build)
    board.faults.cut_on = f"bash -s -- {stem(build)} "  # a stem and a token: the script that renames
    with pytest.raises(QnnError, match=r"board: the connection was cut \(put the copy in its place\); deploy again$"):
        deploy(build, target(board))
    assert deployed(board, build) == before


def test_a_folder_that_cannot_be_made_is_said(build: Path, board: Board) -> None:
    board.folder.write_text("a file where the folder should be")
    with pytest.raises(QnnError, match=r"board: mkdir: .*qnn.*: .*; nothing was changed there$"):
        deploy(build, target(board))


def test_two_deployments_at_once_both_end_with_the_whole_build(build: Path, board: Board) -> None:
    together = threading.Barrier(2, timeout=60)

    def wait(text: str) -> None:
        if text.startswith("copy "):
            together.wait()

    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(deploy, build, target(board), progress=wait) for _ in range(2)]
        ends = sorted(run.result()["installed"] for run in runs)
    assert ends[0] in ("new", "replaced")
    assert "new" in ends
    assert deployed(board, build) == sources(build)
    assert board.hidden() == []


@pytest.fixture
def held(board: Board) -> Iterator[None]:
    """Another run has the FPGA."""
    board.folder.mkdir(exist_ok=True)
    command = ["flock", str(board.folder / ".lock"), "sh", "-c", "echo held; read -r answer"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield
        holder.communicate(b"\n", timeout=30)


def test_one_run_at_a_time_has_the_fpga(build: Path, board: Board, held: None) -> None:
    with pytest.raises(QnnError, match=r"board: another run has the FPGA \(it holds ~/qnn/\.lock\); wait until"):
        deploy(build, target(board), run=True)
    assert deployed(board, build) == sources(build), "copying is not held up"


def test_a_version_in_use_is_not_replaced(build: Path, board: Board, held: None) -> None:
    assert deploy(build, target(board))["installed"] == "new"
    new_golden(build)
    before = deployed(board, build)
    with pytest.raises(QnnError, match="another run has the FPGA"):
        deploy(build, target(board))
    assert deployed(board, build) == before
    assert board.hidden() == []


# --- no connection ----------------------------------------------------------------------------------------------------


def other_port(board: Board, port: int) -> None:
    board.config.write_text(board.config.read_text().replace(f"Port {board.port}", f"Port {port}"))


def other_key(board: Board) -> None:
    import asyncssh

    asyncssh.generate_private_key("ssh-ed25519").write_private_key(board.config.parent / "id")


def other_host_key(board: Board) -> None:
    import asyncssh

    public = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    board.known_hosts.write_text(f"[127.0.0.1]:{board.port} {public}\n")


def test_the_command_that_forgets_a_host_key_forgets_it(build: Path, board: Board) -> None:
    """ssh knows a host by its address and port, not by the alias of the configuration, and in the file it is told."""
    other_host_key(board)
    with pytest.raises(QnnError) as caught:
        deploy(build, target(board))
    said = re.search(r"forget the old key with `(ssh-keygen .*)`", str(caught.value))
    assert said, caught.value
    done = subprocess.run(["bash", "-c", said[1]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert board.known_hosts.read_text() == ""


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (lambda board: other_port(board, closed_port()), r"^board: up, but it refuses connections on the ssh port"),
        (other_key, r"^xilinx@board: authentication was refused; copy your key with `ssh-copy-id xilinx@board`"),
        (other_host_key, r"^xilinx@board: its host key is not the one known for it, so nothing was sent"),
        (lambda board: board.known_hosts.write_text(""), r"^xilinx@board: its host key is not known yet; run `ssh -F "),
        (
            lambda board: board.config.write_text("Host board\n  HostName no-such-board.invalid\n"),
            r"^board: no host of this name is known",
        ),
        (lambda board: board.config.write_text("Nonsense yes\n"), r"^xilinx@board: ssh failed: .*bad configuration"),
    ],
    ids=["refused", "other-key", "host-key-changed", "host-key-unknown", "unknown-name", "bad-configuration"],
)
def test_no_connection_is_one_sentence(
    build: Path, board: Board, fault: Callable[[Board], None], sentence: str
) -> None:
    fault(board)
    with pytest.raises(QnnError, match=sentence):
        deploy(build, target(board))
    assert board.commands == []


def test_a_host_that_accepts_and_says_nothing_is_given_up(build: Path, board: Board) -> None:
    with silent_port() as port:
        other_port(board, port)
        with pytest.raises(QnnError, match=r"^board: does not answer; is the board up, and is this its address"):
            deploy(build, target(board, connect_timeout_s=1))


def test_host_keys_are_checked_as_the_user_has_it(build: Path) -> None:
    entries = deploy(build, Target("pynq"), dry_run=True)["commands"]
    for words in (entry["command"] for entry in entries if entry["command"][0] in ("ssh", "scp")):
        assert not any("stricthostkeychecking" in word.lower() for word in words), words
        assert "-F" not in words, words


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"host": "-oProxyCommand=touch x"}, "host '-oProxyCommand=touch x': give a host name or an address alone"),
        ({"host": ""}, "host '': give a host name"),
        ({"host": "py nq"}, "host 'py nq'"),
        ({"host": "pynq\n"}, r"host 'pynq\\n'"),
        ({"host": "pynq;reboot"}, "host 'pynq;reboot'"),
        ({"host": "xilinx@pynq"}, "host 'xilinx@pynq': give a host name or an address alone; the account goes into"),
        ({"host": "pynq:2222"}, "host 'pynq:2222': give it without a port; a port is `Port` in the ssh configuration"),
        ({"user": "-l root"}, "user '-l root': give the name of an account"),
        ({"user": ""}, "user '': give the name of an account"),
        ({"user": "a\tb"}, r"user 'a\\tb'"),
        ({"config": Path("nowhere")}, "nowhere: no such ssh configuration file"),
        ({"connect_timeout_s": 0}, "connect_timeout_s is 0, must be 1 or more"),
    ],
    ids=lambda value: repr(next(iter(value.values()))) if isinstance(value, dict) else "",
)
def test_what_is_no_name_is_refused(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(QnnError, match=sentence):
        Target(**{"host": "pynq", **fields})


@pytest.mark.parametrize("host", ["pynq", "192.168.2.99", "fe80::1%eth0", "::1", "board-3.lab.example"])
def test_names_and_addresses_are_taken(host: str) -> None:
    assert Target(host).title == host


def test_the_clients_must_be_there(build: Path, board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(build))
    with pytest.raises(QnnError, match=r"^ssh: not found on PATH; install an OpenSSH client"):
        deploy(build, target(board))


# --- a target that will not do ----------------------------------------------------------------------------------------


def only(board: Board, *left_out: str) -> None:
    """Give the board a PATH of its own without some programs."""
    needed = "bash sh id tail tr mkdir rm mv df find head cmp base64 sha256sum flock timeout python3 dirname cat"
    for name in needed.split():
        if name not in left_out and not (board.tools / name).exists():
            (board.tools / name).symlink_to(str(shutil.which(name)))
    for name in left_out:
        (board.tools / name).unlink(missing_ok=True)
    board.environment["PATH"] = str(board.tools)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda board: board.environment.update(BOARD="ZCU104"),
            "board: it is a ZCU104, the build was made for Pynq-Z2",
        ),
        (lambda board: board.environment.pop("BOARD"), "board: it does not say which board it is"),
        (lambda board: only(board, "python3"), "board: it has no python3; set the board up with PYNQ, as docs"),
        (
            lambda board: board.tool("python3", f'exec "{sys.executable}" "$@"'),
            r"board: its python3 has no pynq; set the board up with PYNQ 3\.1\.2, as docs/deploy",
        ),
        (lambda board: only(board, "flock"), "board: it has no flock; the PYNQ images have them"),
    ],
    ids=["other-board", "no-board", "no-python", "no-pynq", "no-flock"],
)
def test_a_target_that_will_not_do_is_refused_before_the_copy(
    build: Path, board: Board, change: Callable[[Board], None], sentence: str
) -> None:
    change(board)
    with pytest.raises(QnnError, match=sentence):
        deploy(build, target(board))
    assert board.n_bytes == 0


@pytest.mark.slow  # makes a further environment
def test_pynq_4_on_a_zynq_7000_is_refused(build: Path, board: Board) -> None:
    board.tool("python3", f'exec "{pynq_python("4.0.0")}" "$@"')
    with pytest.raises(QnnError, match=r"pynq 4\.0\.0 has dropped Zynq-7000, and TUL PYNQ-Z2 is one; use the image 3"):
        deploy(build, target(board))
    assert board.n_bytes == 0


def test_a_board_that_never_answers_is_given_up(build: Path, board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_PROBE_S", 1.0)
    board.tool("python3", "exec tail -f /dev/null")
    with pytest.raises(
        QnnError, match=r"board: no answer within 1 s \(ask what it is\); is the board up and the cable"
    ):
        deploy(build, target(board))


# --- runs -------------------------------------------------------------------------------------------------------------


def test_the_driver_s_own_sentence_is_passed_on(build: Path, board: Board) -> None:
    with pytest.raises(QnnError, match=r"^xilinx@board: the driver stopped: \S.*$"):
        deploy(build, target(board), run=True)  # pynq itself, and no FPGA
    assert board.hidden() == []
    assert deployed(board, build) == sources(build)


def test_a_driver_that_dies_is_one_sentence(build: Path, board: Board) -> None:
    python = pynq_python("3.1.2")
    board.tool("python3", f'case "$*" in *qnn_driver*) echo killed >&2; exit 9;; esac\nexec "{python}" "$@"')
    with pytest.raises(QnnError, match=r"board: the driver failed with exit status 9: killed$"):
        deploy(build, target(board), run=True)


def test_a_driver_that_does_not_end_is_ended(build: Path, board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over_ssh, "RUN_TIMEOUT_S", 1)
    python = pynq_python("3.1.2")
    board.tool("python3", f'case "$*" in *qnn_driver*) exec tail -f /dev/null;; esac\nexec "{python}" "$@"')
    with pytest.raises(QnnError, match="board: the driver did not end within 1 s and was ended; reset the board"):
        deploy(build, target(board), run=True)


def test_a_driver_that_the_kernel_kills_is_not_said_to_be_late_alone(build: Path, board: Board) -> None:
    """The board with the least memory has 512 MB."""
    python = pynq_python("3.1.2")
    board.tool("python3", f'case "$*" in *qnn_driver*) kill -9 $$;; esac\nexec "{python}" "$@"')
    with pytest.raises(
        QnnError, match="the driver was killed: it did not end within 600 s, or the memory there ran out"
    ):
        deploy(build, target(board), run=True)


def test_a_sudo_that_refuses_the_run_is_named(build: Path, board: Board) -> None:
    board.tool("sudo", '[ "$2" != true ] || exit 0\necho "sudo: a password is required" >&2\nexit 1')
    with pytest.raises(QnnError, match=r"board: sudo failed with exit status 1: sudo: a password is required$"):
        deploy(build, target(board), run=True)


def waiting_driver(board: Board) -> None:
    """Give the board a driver that waits for the signal to end, and notes that it came.

    Ctrl-C comes twice and more: from the terminal, from `timeout`, which has it from the terminal, and as SIGHUP from
    a terminal whose shell it ended.
    """
    driver, python = board.home / "driver.py", pynq_python("3.1.2")
    driver.write_text(
        "import pathlib, signal\n"
        "def stop(*_):\n"
        "    for number in ends:\n"
        "        signal.signal(number, signal.SIG_IGN)\n"
        "    raise KeyboardInterrupt\n"
        "ends = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)\n"
        "for number in ends:\n"
        "    signal.signal(number, stop)\n"
        "try:\n"
        "    print('driver runs', flush=True)\n"
        "    if pathlib.Path('started').exists():\n"
        "        pathlib.Path('started').write_text('.')\n"
        "    signal.pause()\n"
        "except KeyboardInterrupt:\n"
        "    pathlib.Path('ended').touch()\n"
        "    raise SystemExit(130)\n"
    )
    board.tool("python3", f'case "$*" in *qnn_driver*) exec "{python}" {driver};; esac\nexec "{python}" "$@"')


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"])
def test_nothing_runs_on_the_board_after_an_interruption(
    build: Path, board: Board, number: signal.Signals, status: int
) -> None:
    """Neither the driver nor the lock outlives the command; the driver was told to end, not killed."""
    started, ended = board.home / "started", board.home / "ended"
    os.mkfifo(started)
    waiting_driver(board)
    program = "from qnn_hw.cli import main; main()"
    words = [sys.executable, "-c", program, "deploy", str(build), "--host", "board", "--user", USER]
    words += ["--ssh-config", str(board.config), "--run"]
    with subprocess.Popen(words, cwd=Path(qnn_hw.__file__).parents[1], stderr=subprocess.PIPE, text=True) as process:
        pipe = os.open(started, os.O_RDWR)  # for writing too: an end without a driver is no end of file
        ready, _, _ = select.select([pipe], [], [], 60)
        os.close(pipe)
        process.send_signal(number if ready else signal.SIGKILL)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == status, errors
    assert ended.exists(), errors
    free = subprocess.run(["flock", "-n", str(board.folder / ".lock"), "true"], check=False)
    assert free.returncode == 0, "the run still holds the lock"
    assert board.hidden() == []


def test_a_connection_cut_during_a_run_is_said(build: Path, board: Board) -> None:
    board.faults.cut_on = "flock -n"
    with pytest.raises(QnnError, match="board: the connection was cut during the run; the files are in place"):
        deploy(build, target(board), run=True)
    assert deployed(board, build) == sources(build)


ASKING_SUDO = '[ "$1" != -n ] || exit 1\necho asked > "$HOME/asked"\nexec "$@"'


def test_sudo_that_asks_needs_a_terminal(build: Path, board: Board) -> None:
    board.tool("sudo", ASKING_SUDO)
    with pytest.raises(
        QnnError, match=r"board: sudo asks for a password there, and no terminal is here to type it; .*"
    ):
        deploy(build, target(board), run=True)
    assert board.n_bytes == 0


DEPLOY = """
import sys
from pathlib import Path
from qnn_hw.deployment import Target, deploy
from qnn_hw.errors import QnnError
try:
    deploy(Path(sys.argv[1]), Target("board", "xilinx", Path(sys.argv[2])), run=True)
except QnnError as error:
    print(error)
"""


def converse(terminal: int, answers: dict[str, str]) -> str:
    """Answer each question on a terminal, in this order, and return all that was written there."""
    written = ""
    for question, answer in [*answers.items(), ("", "")]:
        while not question or question not in written:
            ready, _, _ = select.select([terminal], [], [], 60)
            assert ready, f"nothing more came; until then: {written}"
            try:
                data = os.read(terminal, 1 << 12)
            except OSError:  # the program has ended
                assert not question, f"never asked {question!r}: {written}"
                return written
            written += data.decode()
        os.write(terminal, f"{answer}\n".encode())
    return written


def test_in_a_terminal_a_person_answers_for_host_key_and_sudo(build: Path, board: Board) -> None:
    board.tool(
        "sudo",
        '[ "$1" != -n ] || exit 1\nprintf "password for you: " >/dev/tty\nread -r answer </dev/tty\n'
        '[ "$answer" = xilinx ] || exit 1\nexec "$@"',
    )
    board.known_hosts.write_text("")
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(Path(qnn_hw.__file__).parents[1])  # where Python finds the package
        os.execv(sys.executable, [sys.executable, "-c", DEPLOY, str(build), str(board.config)])
    written = converse(
        terminal, {"Are you sure you want to continue connecting": "yes", "password for you: ": "xilinx"}
    )
    os.waitpid(child, 0)
    os.close(terminal)
    assert "xilinx@board: the driver stopped: " in written  # there is no FPGA
    assert len(board.known_hosts.read_text().splitlines()) == 1
    assert board.log_ins == 1
    assert board.hidden() == []


def test_ctrl_c_in_a_terminal_reaches_the_driver(build: Path, board: Board) -> None:
    """Whoever types a password of sudo types Ctrl-C there, too; sudo need not pass it on."""
    board.tool("sudo", '[ "$1" != -n ] || exit 1\necho password >/dev/tty\nread -r _ </dev/tty\nexec "$@"')
    waiting_driver(board)
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(Path(qnn_hw.__file__).parents[1])
        os.execv(sys.executable, [sys.executable, "-c", DEPLOY, str(build), str(board.config)])
    converse(terminal, {"password": "xilinx", "driver runs": "\x03"})
    os.waitpid(child, 0)
    os.close(terminal)
    # Ctrl-C ends the shell as well: the driver may be a moment behind.
    free = subprocess.run(["flock", "-w", "60", str(board.folder / ".lock"), "true"], check=False)
    assert free.returncode == 0, "the run still holds the lock"
    assert (board.home / "ended").exists()


def test_without_root_and_sudo_nothing_runs(build: Path, board: Board) -> None:
    only(board, "sudo")
    with pytest.raises(QnnError, match="board: running needs root, and it has no sudo; deploy with --user root"):
        deploy(build, target(board), run=True)


# --- the whole way ----------------------------------------------------------------------------------------------------


def test_a_simulated_pair_is_refused_by_a_board_that_is_none(build: Path, board: Board) -> None:
    add_pair(build)
    with pytest.raises(QnnError, match=r"board: \S+\.bit was made for the simulated board and programs no FPGA; run"):
        deploy(build, target(board))
    assert board.n_bytes == 0


@contextmanager
def simulated_behind_ssh(build: Path, place: Path, version: str) -> Iterator[Board]:
    """Serve the simulated board of a build: what ssh starts there finds it, as on a board."""
    pynq_python(version)
    place.mkdir()
    name = load_board(build / "board.toml").pynq_board
    with simulated_board(build, version=version) as simulated, board_server(place, simulated.python, name) as board:
        variables = simulated.environment()
        board.environment |= {name: variables[name] for name in ("QNN_HW_SIMULATED_BOARD", "PYTHONPATH")}
        yield board


def test_the_driver_runs_on_the_simulated_board_behind_ssh(tmp_path: Path) -> None:
    build = write_board_build(tmp_path / "net")
    add_pair(build)
    with simulated_behind_ssh(build, tmp_path / "served", "3.1.2") as board:
        facts = deploy(build, target(board), run=True)
        assert (facts["installed"], facts["simulated"], facts["passed"]) == ("new", True, True)
        assert facts["run"]["bit_exact"] is True
        assert facts["run"]["equal"] == facts["run"]["frames"] > 0
        assert facts["run"]["graph_hash"] == facts["graph_hash"]
        assert facts["run"]["pynq"] == "3.1.2"
        assert {"p50", "p99"} <= set(facts["run"]["latency_ms"])
        assert board.hidden() == []

        # A copy of another version is cut; what was there still runs.
        other = write_board_build(tmp_path / "other", seed=2)
        add_pair(other)
        board.faults.cut_after_bytes = board.n_bytes + 2000
        with pytest.raises(QnnError, match="the connection was cut in the middle of the copy"):
            deploy(other, target(board))
        board.faults.cut_after_bytes = None
        again = deploy(build, target(board), run=True)
        assert (again["installed"], again["passed"]) == ("same", True)

        # What the driver says of a fault arrives as it said it.
        configuration = Path(board.environment["QNN_HW_SIMULATED_BOARD"])
        healthy = configuration.read_text()
        configuration.write_text(
            json.dumps({**json.loads(healthy), "faults": [{"kind": "slave_error", "transfer": 1}]})
        )
        with pytest.raises(QnnError, match=r"^xilinx@board: the driver stopped: .*0x\w+.*$"):
            deploy(build, target(board), run=True)
        configuration.write_text(healthy)

        # Golden vectors that the accelerator does not meet are a result, not an error.
        file = build / "board" / f"{stem(build)}.golden.npz"
        arrays = dict(np.load(file))
        arrays["result"][0] += 1
        np.savez(file, **arrays)
        wrong = deploy(build, target(board), run=True)
        assert (wrong["installed"], wrong["passed"]) == ("replaced", False)
        assert wrong["run"]["equal"] == wrong["run"]["frames"] - 1


@pytest.mark.slow  # makes further environments
@pytest.mark.parametrize(("name", "version"), [("kv260", "3.0.1"), ("zcu104", "4.0.0")])
def test_the_other_releases_of_pynq_behind_ssh(tmp_path: Path, name: str, version: str) -> None:
    build = write_board_build(tmp_path / "net", board=name)
    add_pair(build)
    with simulated_behind_ssh(build, tmp_path / "served", version) as board:
        facts = deploy(build, target(board), run=True)
    assert (facts["passed"], facts["run"]["pynq"]) == (True, version)
