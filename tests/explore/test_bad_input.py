# SPDX-License-Identifier: Apache-2.0
"""What `qnn-hw explore` refuses: one sentence, before TensorFlow is loaded, and nothing that was there is touched."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from qnn_hw.errors import QnnError
from qnn_hw.explore import check_request, check_scheduler, run_sweep
from qnn_hw.explore.store import lock, open_store
from tests.cli.session import ROOT, content, refused
from tests.explore.sweeps import network, request


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A file that passes for a model until it is read."""
    import zipfile

    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    return path


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--fps", "0:10"), "--fps 0:10: 0 is not between 0 and 1e+09 frames a second"),
        (
            ("--fps", "1000", "--board", "pynq-z3"),
            "board 'pynq-z3' is unknown; nearest: pynq-z2, pynq-z1; `qnn-hw boards` lists all, and a path to a .toml "
            "file is taken as well",
        ),
        (
            ("--fps", "1:1000:6000", "--board", "pynq-z2", "--board", "pynq-z1"),
            "explore: 1 models x 2 boards x 6000 targets are 12,000 points; ask for at most 10,000",
        ),
        (
            ("--fps", "9", "--clock-mhz", "0"),
            "board pynq-z2: a clock of 0 MHz is outside 1 to 250 MHz; choose another --clock-mhz",
        ),
        (
            ("--fps", "9", "--clock-mhz", "nan"),
            "board pynq-z2: a clock of nan MHz is outside 1 to 250 MHz; choose another --clock-mhz",
        ),
        (("--fps", "9", "--output", "both"), "--output both: choose one of class, logits"),
        (("--fps", "9", "--time-limit", "0"), "--time-limit 0: give the solver more than 0 and at most 1e6 seconds"),
        (
            ("--fps", "9", "--scheduler", "somewhere"),
            "--scheduler somewhere: no address of a scheduler; give one such as tcp://host:8786, as `dask scheduler` "
            "prints it",
        ),
        (
            ("--fps", "9", "--scheduler", "tcp://host:99999"),
            "--scheduler tcp://host:99999: no address of a scheduler; give one such as tcp://host:8786, as "
            "`dask scheduler` prints it",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_an_option_out_of_range(
    model: Path, tmp_path: Path, options: tuple[str, ...], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qnn_hw.cli._load_tensorflow", None)
    assert refused("explore", model, "--out", tmp_path / "sweep", *options) == sentence
    assert not (tmp_path / "sweep").exists()


def test_a_model_that_is_not_there(model: Path, tmp_path: Path) -> None:
    hint = "no such file; give a model saved with model.save('name.keras')"
    absent = tmp_path / "absent.keras"
    assert refused("explore", absent, "--fps", "1000") == f"{absent}: {hint}"
    assert refused("explore", model, "--model", absent, "--fps", "1000") == f"{absent}: {hint}"


def test_a_folder_that_holds_something_else(tmp_path: Path) -> None:
    diary, other = tmp_path / "diary", tmp_path / "other"
    diary.mkdir()
    (diary / "monday.txt").write_text("rain\n")
    other.mkdir()
    (other / "sweep.json").write_text(json.dumps({"kind": "chimney"}))
    file = tmp_path / "file"
    file.write_text("")
    before = content(tmp_path)
    for folder in (diary, other):
        with pytest.raises(QnnError) as error:
            check_request(request(folder, "1000"), 1)
        assert str(error.value) == (
            f"{folder}: holds something that is not a sweep; give another --out, or empty this folder"
        )
    with pytest.raises(QnnError, match="file: is a file; give a folder for the sweep"):
        check_request(request(file, "1000"), 1)
    assert content(tmp_path) == before


def test_a_damaged_marker_is_named_and_nothing_is_lost(tmp_path: Path) -> None:
    store = open_store(tmp_path / "sweep")
    (store.folder / "points" / "kept.json").write_text("{}")
    (store.folder / "sweep.json").write_text('{"kind": "qnn-hw sw')
    before = content(tmp_path)
    with pytest.raises(QnnError, match=r"sweep\.json: damaged \(.*\); remove this one file and repeat"):
        run_sweep([network()], request(store.folder, "1000"))
    assert content(tmp_path) == before
    (store.folder / "sweep.json").unlink()
    assert open_store(store.folder).finished_keys() == ["kept"]


def test_two_sweeps_in_one_folder(tmp_path: Path) -> None:
    store = open_store(tmp_path / "sweep")
    with lock(store), pytest.raises(QnnError) as error:
        run_sweep([network()], request(store.folder, "1000"))
    assert str(error.value) == (
        f"{store.folder}: another sweep is at work in this folder; wait for its end, or give another --out"
    )


@pytest.fixture
def silent() -> Iterator[str]:
    """Address of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"


def test_a_scheduler_that_does_not_answer(silent: str, tmp_path: Path) -> None:
    wanted = request(tmp_path / "sweep", "1000", scheduler=silent, scheduler_timeout_s=0.5)
    with pytest.raises(QnnError) as error:
        check_scheduler(wanted)
    assert str(error.value).startswith(f"--scheduler {silent}: does not answer within 0.5 s (")
    assert str(error.value).endswith(
        "start it with `dask scheduler` or leave --scheduler out; what is finished stays finished"
    )
    with pytest.raises(QnnError, match="does not answer within"):
        check_scheduler(replace(wanted, scheduler="tcp://127.0.0.1:9"))
    assert not (tmp_path / "sweep").exists()


def test_a_scheduler_without_workers(tmp_path: Path) -> None:
    from distributed import LocalCluster

    with LocalCluster(n_workers=0, processes=True, dashboard_address=":0", silence_logs=50) as scheduler:
        address = scheduler.scheduler_address
        wanted = request(tmp_path / "sweep", "1000", scheduler=address, scheduler_timeout_s=3)
        with pytest.raises(QnnError) as error:
            check_scheduler(wanted)
    assert str(error.value) == (
        f"--scheduler {address}: answers, but has no workers after 3 s; start some with `dask worker {address}`"
    )


INTERRUPTED = """
import os, signal, sys
from pathlib import Path
from qnn_hw import cli
from qnn_hw.explore import run_sweep
from tests.explore.sweeps import network, request

def interrupt(text):
    print(text, flush=True)
    if text.startswith("1 of"):
        os.killpg(0, signal.SIGINT)

def main():
    cli.app = lambda **options: run_sweep([network()], request(Path(sys.argv[1]), "10000:6000000:6"), interrupt)
    cli.main()

if __name__ == "__main__":
    main()
"""


def running(group: int) -> list[str]:
    """Command lines of a group's processes that still run code of ours; /proc/PID/stat: pid (name) state parent group.

    A process that is ending has no command line any more. Python's resource tracker ends by design when it sees that
    its parent has: a moment after it.
    """
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # ended meanwhile
            of = file.read_text().rpartition(") ")[2].split()[2]
            command = file.with_name("cmdline").read_bytes().replace(b"\0", b" ").decode()
            found += (
                [command] if int(of) == group and command and "multiprocessing.resource_tracker" not in command else []
            )
    return found


def test_ctrl_c_ends_every_process_and_keeps_what_is_finished(tmp_path: Path) -> None:
    script, out, errors = tmp_path / "interrupted.py", tmp_path / "sweep", tmp_path / "errors.txt"
    script.write_text(INTERRUPTED)
    with errors.open("wb") as stderr:  # no pipe: reading one to its end would wait for whoever still holds it
        done = subprocess.Popen(
            [sys.executable, script, out],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,  # Ctrl-C reaches the whole group, workers and solvers included
        )
    done.wait(timeout=300)
    assert running(done.pid) == [], "processes outlive the sweep"
    assert (done.returncode, errors.read_text()) == (130, "qnn-hw: interrupted\n")
    assert open_store(out).finished_keys()
    with lock(open_store(out)):
        pass
