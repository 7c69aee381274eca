# SPDX-License-Identifier: Apache-2.0
"""A sweep over two workers of which one is killed in the middle of a build: complete, and nothing is built twice.

And one whose scheduler is killed: a sentence, and what is finished stays.
"""

import csv
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from qnn_hw.backends.folder import read_build
from qnn_hw.errors import QnnError
from qnn_hw.explore import run_sweep
from tests.explore.sweeps import cluster, join, network, read_log, request


def test_a_worker_is_killed_in_the_middle_of_twelve_builds(tmp_path: Path) -> None:
    from distributed import Client

    points, out, killed = 12, tmp_path / "sweep", dict[int, str]()
    with cluster(workers=2) as (address, processes):
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(2)

        def kill_a_busy_worker(text: str) -> None:
            if killed or not 1 <= len(read_log(out).finished()) < points - 1:
                return
            for pid, key in read_log(out).open_by_pid.items():
                processes[pid].kill()
                killed[pid] = key
                return

        wanted = request(out, f"10000:6000000:{points}", scheduler=address)
        facts = run_sweep([network()], wanted, kill_a_busy_worker)
        (lost,) = killed
        with Client(address, set_as_default=False) as client:
            left = client.run(lambda: __import__("os").getpid())
            with_tensorflow = client.run(lambda: "tensorflow" in sys.modules)
    assert lost not in left.values(), f"the killed worker {lost} is still there: {left}"
    assert not any(with_tensorflow.values()), "a worker has imported TensorFlow"
    assert facts["failed"] == []
    assert facts["points"] == facts["feasible"] == points
    log = read_log(out)
    assert log.finished() == dict.fromkeys((row["key"] for row in facts["rows"]), 1), "a point was built twice or never"
    interrupted = {key for (event, key), number in log.count.items() if event == "started" and number > 1}
    assert interrupted <= set(killed.values()), f"started again without need: {interrupted}, killed at {killed}"
    with (out / "points.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == points
    for row in rows:
        assert read_build(out / row["build"]).manifest["graph_hash"] == row["graph_hash"]
    assert list(out.rglob(".*")) == [], "the lost worker's half-written build is still there"


def test_the_scheduler_is_killed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    address, out = f"tcp://127.0.0.1:{port}", tmp_path / "sweep"
    options = ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", *options]
    scheduler = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    worker = join(address)

    def kill(text: str) -> None:
        if text.startswith("1 of 6"):
            scheduler.kill()

    try:
        wanted = request(out, "10000:6000000:6", scheduler=address, scheduler_timeout_s=60.0)
        with pytest.raises(QnnError) as error:
            run_sweep([network()], wanted, kill)
    finally:
        for process in (scheduler, worker):
            process.kill()
            process.wait()
    assert str(error.value) == (
        "explore: the scheduler went away; the points finished until then are kept, repeat the command to go on"
    )
    assert len(list((out / "points").glob("*.json"))) >= 1
