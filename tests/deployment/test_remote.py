# SPDX-License-Identifier: Apache-2.0
"""PYNQ.remote: the driver of a build here, its accelerator behind pynq's own gRPC services (`grpc_target.py`).

The target is a process of the pynq environment on a loopback address of its own, since pynq knows one port only.
"""

import hashlib
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qnn_hw.boards import load_board
from qnn_hw.deployment import remote
from qnn_hw.deployment.remote import OPEN_LINE, PORT, deploy_remote
from qnn_hw.errors import QnnError
from qnn_hw.simulation.pynq_environment import python_with_pynq
from tests.deployment.board_builds import (
    FRAMES,
    add_pair,
    binary,
    design_of,
    simulated_configuration,
    write_board_build,
)

ZYNQ_MP = "Linux version 6.6.40-xilinx (oe-user@oe-host) (aarch64-xilinx-linux-gcc 13.3.0) #1 SMP"
ZYNQ_7000 = "Linux version 6.6.40-xilinx (oe-user@oe-host) (arm-xilinx-linux-gnueabi-gcc 13.3.0) #1 SMP armv7l"

FOUND = {
    "answer": "ok",
    "arch": "aarch64",
    "board": "ZCU104",
    "generation": "3.1",
    "simulated": "yes",
    "firmware": "absent",
}
"""What the probe finds on the target below."""


@dataclass
class Target:
    """A running target."""

    address: str
    output: Path

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output.read_text().splitlines()]

    def named(self, event: str) -> list[dict[str, Any]]:
        return [told for told in self.events if told["event"] == event]


def free_address() -> str:
    """Return a loopback address whose port nobody has: two runs of the tests at once take two."""
    for last in range(1, 255):
        address = f"127.{os.getpid() >> 8 & 0x7F | 0x40}.{os.getpid() & 0xFF}.{last}"
        with socket.socket() as trial:
            try:
                trial.bind((address, PORT))
            except OSError:
                continue
            return address
    raise AssertionError(f"port {PORT} is taken on 254 loopback addresses")


@contextmanager
def target(folder: Path, *builds: Path, version: str = "3.1.2", **changes: Any) -> Iterator[Target]:
    """Run a target that has the designs of `builds`; `changes` go over its configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    address = free_address()
    designs = []
    for build in builds:
        content = binary(build / "board" / f"{design_of(build).stem}.bit")
        designs.append({"bin_sha256": hashlib.sha256(content).hexdigest(), "config": simulated_configuration(build)})
    config = {
        "address": address,
        "port": PORT,
        "pynq_board": "ZCU104",
        "kernel": ZYNQ_MP,
        "generation": version.rpartition(".")[0],
        "simulated": True,
        "silent_after": None,
        "gone_after": None,
        "firmware": {},
        "designs": designs,
    }
    (folder / "target.json").write_text(json.dumps(config | changes))
    output = folder / "target.out"
    program = Path(__file__).with_name("grpc_target.py")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYNQ", "QNN_HW_SIM"))}
    command = [python_with_pynq(version), "-W", "ignore", program, folder / "target.json"]
    with output.open("w") as stdout, (folder / "target.err").open("w") as stderr:
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr, env=kept)
        try:
            while '"ready"' not in output.read_text():
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.05)
                    raise AssertionError(f"the target ended: {(folder / 'target.err').read_text()}")
            yield Target(address, output)
        finally:
            process.terminate()
            process.wait()


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two networks of one name and one structure, each with its pair."""
    folder = tmp_path_factory.mktemp("builds")
    made = tuple(write_board_build(folder / f"seed{seed}", seed, "zcu104") for seed in (1, 2))
    for build in made:
        add_pair(build)
    return made  # type: ignore[return-value]


def hash_of(build: Path) -> str:
    return design_of(build).graph_hash


def check_passed(facts: dict[str, Any], build: Path) -> None:
    assert facts["passed"], facts
    assert facts["run"]["equal"] == facts["run"]["frames"] == FRAMES, facts["run"]
    assert facts["run"]["graph_hash"] == hash_of(build), facts["run"]


def test_the_driver_runs_here_and_a_rebuilt_network_of_the_same_name_runs_next(
    builds: tuple[Path, Path], tmp_path: Path
) -> None:
    old, new = builds
    told: list[str] = []
    with target(tmp_path, old, new) as board:
        first = deploy_remote(old, board.address, pynq="3.1.2", progress=told.append)
        again = deploy_remote(old, board.address, pynq="3.1.2")
        second = deploy_remote(new, board.address, pynq="3.1.2")
        configured = [event["graph_hash"] for event in board.named("configured")]
    for facts, build in ((first, old), (again, old), (second, new)):
        check_passed(facts, build)
    assert [facts["installed"] for facts in (first, again, second)] == ["new", "same", "new"]
    assert configured == [hash_of(old), hash_of(old), hash_of(new)]
    assert first["way"] == "PYNQ.remote" and first["simulated"] and first["run"]["pynq"] == "3.1.2"
    assert first["notes"] == [OPEN_LINE] and told[0] == OPEN_LINE


@pytest.mark.parametrize("rest", ["of-an-earlier-implementation", pytest.param("cut-off", marks=pytest.mark.slow)])
def test_a_stale_file_of_the_same_name_is_replaced(rest: str, builds: tuple[Path, Path], tmp_path: Path) -> None:
    old, new = builds
    name = f"{design_of(new).stem}.bin"
    whole = binary(new / "board" / f"{design_of(new).stem}.bit")
    stale = whole[: len(whole) // 2] if rest == "cut-off" else binary(old / "board" / f"{design_of(old).stem}.bit")
    with target(tmp_path, old, new, firmware={name: stale.hex()}) as board:
        facts = deploy_remote(new, board.address, pynq="3.1.2")
        uploaded = board.named("uploaded")
    check_passed(facts, new)
    assert facts["installed"] == "replaced"
    assert uploaded == [{"event": "uploaded", "path": f"/lib/firmware/{name}", "nbytes": len(whole)}]


@pytest.mark.slow
def test_pynq_alone_would_run_the_stale_file(
    builds: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = builds
    stale = binary(old / "board" / f"{design_of(old).stem}.bit")
    # The target is asked while the file is not there yet.
    monkeypatch.setattr(remote, "_probe", lambda *_: FOUND)
    with (
        target(tmp_path, old, new, firmware={f"{design_of(new).stem}.bin": stale.hex()}) as board,
        pytest.raises(QnnError, match=f"GraphHashMismatch: .*{hash_of(old)}"),
    ):
        deploy_remote(new, board.address, pynq="3.1.2")


@pytest.mark.slow
def test_results_that_differ_are_reported_not_raised(builds: tuple[Path, Path], tmp_path: Path) -> None:
    build = shutil.copytree(builds[0], tmp_path / "build")
    file = build / "board" / f"{design_of(build).stem}.golden.npz"
    with np.load(file) as golden:
        arrays = dict(golden)
    arrays["result"][3] = (arrays["result"][3] + 1) % 4
    np.savez(file, **arrays)
    with target(tmp_path / "target", build) as board:
        facts = deploy_remote(build, board.address, pynq="3.1.2")
    assert facts["passed"] is False
    assert facts["run"]["equal"] == FRAMES - 1
    assert facts["run"]["first_difference"]["frame"] == 3


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"pynq_board": "AUP-ZU3"}, "{host}: it is a AUP-ZU3, the build was made for ZCU104 (xczu7ev-ffvc1156-2-e)"),
        ({"silent_after": 0}, "{host}: PYNQ.remote stopped answering (DEADLINE_EXCEEDED: Deadline Exceeded)"),
        pytest.param(
            {"silent_after": 60},
            "{host}: the run did not end within 4 s and was stopped; restart the board",
            marks=pytest.mark.slow,
        ),
        pytest.param({"gone_after": 110}, "UNAVAILABLE: ", marks=pytest.mark.slow),
    ],
    ids=["another-board", "never-answers", "stops-answering", "goes-away"],
)
def test_a_target_that_does_not_do(
    changes: dict[str, Any], sentence: str, builds: tuple[Path, Path], tmp_path: Path
) -> None:
    # A file that would be replaced on the board that is meant.
    firmware = {f"{design_of(builds[0]).stem}.bin": "00"}
    with target(tmp_path, builds[0], firmware=firmware, **changes) as board, pytest.raises(QnnError) as caught:
        answer_s = 3 if changes.get("silent_after") == 0 else 10
        run_s = 4 if "silent_after" in changes else 60
        deploy_remote(builds[0], board.address, pynq="3.1.2", answer_s=answer_s, run_s=run_s)
    expected = sentence.format(host=board.address)
    assert expected in str(caught.value), f"expected {expected!r}, got {caught.value}"
    assert "\n" not in str(caught.value) and "StatusCode" not in str(caught.value), caught.value
    if "pynq_board" in changes:
        assert not board.named("uploaded") and not board.named("configured"), board.events


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"arch": "armv7l", "board": "Pynq-Z2"}, "pynq: its processor is armv7l, that of AMD ZCU104 aarch64"),
        ({"simulated": ""}, "pynq: {stem}.bit was made for the simulated board and programs no FPGA"),
        ({"generation": "5.0"}, "pynq: its image is of PYNQ 5.0 and AMD ZCU104 takes 3.0.1, 3.1.2, 4.0.0; boot the"),
        ({"firmware": "stale"}, "pynq: /lib/firmware/{stem}.bin is another bitstream and cannot be replaced"),
        ({"answer": "foreign", "detail": "UNIMPLEMENTED"}, "pynq: port 7967 is not PYNQ.remote (UNIMPLEMENTED)"),
    ],
    ids=["another-family", "a-real-board", "another-generation", "stale-for-ever", "another-service"],
)
def test_an_answer_that_does_not_do(
    changes: dict[str, str], sentence: str, builds: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "python_with_pynq", lambda *_: Path("python"))
    monkeypatch.setattr(remote, "_probe", lambda *_: FOUND | changes)
    with pytest.raises(QnnError) as caught:
        deploy_remote(builds[0], "pynq")
    expected = sentence.format(stem=design_of(builds[0]).stem)
    assert expected in str(caught.value), f"expected {expected!r}, got {caught.value}"


def test_nobody_there(builds: tuple[Path, Path]) -> None:
    address = free_address()
    with pytest.raises(QnnError) as caught:
        deploy_remote(builds[0], address, pynq="3.1.2", answer_s=1)
    assert str(caught.value) == (
        f"{address}: no PYNQ.remote at port {PORT} (Connection refused); is the board on, in this network, and booted "
        "from a PYNQ.remote image?"
    )


def test_something_else_at_the_port(builds: tuple[Path, Path]) -> None:
    address = free_address()
    with socket.create_server((address, PORT)), pytest.raises(QnnError) as caught:
        deploy_remote(builds[0], address, pynq="3.1.2", answer_s=1)
    assert str(caught.value) == (
        f"{address}: port {PORT} is not PYNQ.remote (something takes the connection that does not speak gRPC); give "
        "the address of the board"
    )


@pytest.fixture
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Path:
        raise AssertionError("an environment was asked for")

    monkeypatch.setattr(remote, "python_with_pynq", fail)


@pytest.mark.usefixtures("no_environment")
def test_a_dry_run_contacts_nobody(builds: tuple[Path, Path]) -> None:
    facts = deploy_remote(builds[0], "zcu104.invalid", dry_run=True)
    assert facts["run"] is None and facts["passed"] is None and facts["installed"] is None
    assert facts["notes"] == [OPEN_LINE]
    assert facts["target"]["pynq"] == "4.0.0"
    assert f"/lib/firmware/{design_of(builds[0]).stem}.bin" in facts["steps"][2]


@pytest.mark.usefixtures("no_environment")
@pytest.mark.parametrize("host", ["", "-v", "a,b", "a b", "unix:/run/x", "xilinx@pynq", "10.0.0.2:7967", "a\nb"])
def test_hosts_that_pynq_or_grpc_would_read_otherwise(host: str, builds: tuple[Path, Path]) -> None:
    with pytest.raises(QnnError, match=r"PYNQ\.remote takes one name or IPv4 address, without user, port or spaces"):
        deploy_remote(builds[0], host)


@pytest.mark.usefixtures("no_environment")
@pytest.mark.parametrize(
    ("board", "sentence"),
    [
        (
            "pynq-z2",
            "PYNQ.remote was tried by its authors on Zynq UltraScale+ alone; deploy over ssh, without --remote",
        ),
        ("kv260", "PYNQ.remote began with pynq 3.1 and this board takes 3.0.1; deploy over ssh, without --remote"),
    ],
)
def test_boards_without_pynq_remote(board: str, sentence: str, tmp_path: Path) -> None:
    build = write_board_build(tmp_path / "build", board=board)
    add_pair(build)
    with pytest.raises(QnnError) as caught:
        deploy_remote(build, "10.0.0.2")
    assert str(caught.value) == f"{load_board(board).title}: {sentence}"


@pytest.mark.usefixtures("no_environment")
def test_a_pynq_that_the_board_does_not_take(builds: tuple[Path, Path]) -> None:
    with pytest.raises(QnnError, match=r"pynq 3\.0\.1: through PYNQ\.remote AMD ZCU104 takes 3\.1\.2, 4\.0\.0"):
        deploy_remote(builds[0], "10.0.0.2", pynq="3.0.1")


@pytest.mark.parametrize("end", ["late", "interrupted"])
def test_a_program_that_is_stopped_may_put_things_in_order(
    end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver takes a DMA down that would go on writing; killed, it could not."""
    done = tmp_path / "done"
    program = f"trap 'kill $!; echo reset >{done}; exit' TERM; tail -f /dev/null & kill -INT $0; wait"
    words = ["sh", "-c", program, str(os.getpid()) if end == "interrupted" else "nobody"]
    if end == "interrupted":
        with pytest.raises(KeyboardInterrupt):
            remote._run(words, os.environ, 60)
    else:
        assert remote._run(words, os.environ, 1) is None
    assert done.read_text() == "reset\n"


@pytest.mark.slow
def test_the_driver_runs_here_under_the_newest_pynq(builds: tuple[Path, Path], tmp_path: Path) -> None:
    with target(tmp_path, *builds, version="4.0.0") as board:
        for build in builds:
            facts = deploy_remote(build, board.address)
            check_passed(facts, build)
            assert facts["target"]["pynq"] == facts["run"]["pynq"] == "4.0.0"
            assert facts["target"]["remote"] == "4.0"


@pytest.mark.slow
def test_two_boards_at_once(builds: tuple[Path, Path], tmp_path: Path) -> None:
    """pynq keeps one note of what is loaded in its own package; each run has a package of its own."""
    old, new = builds
    with (
        target(tmp_path / "first", old) as first,
        target(tmp_path / "second", new) as second,
        ThreadPoolExecutor(2) as runs,
    ):
        pairs = [(old, first), (new, second)] * 3
        done = [runs.submit(deploy_remote, build, board.address, pynq="3.1.2") for build, board in pairs]
        for (build, _), run in zip(pairs, done, strict=True):
            check_passed(run.result(), build)
    (package,) = python_with_pynq("3.1.2").parents[1].glob("lib/python3*/site-packages/pynq/pl_server")
    assert not list(package.glob("*.pkl")) and not list(package.glob("global_pl_state*"))


@pytest.mark.slow
def test_the_target_passes_the_acceptance_test_of_pynq(builds: tuple[Path, Path], tmp_path: Path) -> None:
    """Ten of its eleven checks; the last wants an AXI GPIO in the design."""
    bit = builds[0] / "board" / f"{design_of(builds[0]).stem}.bit"
    shutil.copytree(bit.parent, tmp_path / "board")  # pynq writes beside the bitstream
    with target(tmp_path / "target", builds[0], version="4.0.0") as board:
        selftest = [python_with_pynq("4.0.0"), "-W", "ignore", "-m", "pynq.remote.selftest"]
        packages = remote._package_of_its_own(python_with_pynq("4.0.0"), tmp_path / "packages")
        done = subprocess.run(
            [*selftest, "--ip", board.address, "--bitstream", str(tmp_path / "board" / bit.name)],
            env=remote._environment(board.address) | {"PYTHONPATH": str(packages)},
            capture_output=True,
            text=True,
            timeout=120,
        )
    failed = [line.strip() for line in done.stdout.splitlines() if "[FAIL]" in line]
    assert failed == ["[FAIL] no AXI GPIO in the overlay to MMIO-test"], done.stdout + done.stderr
    assert "10 passed" in done.stdout, done.stdout
