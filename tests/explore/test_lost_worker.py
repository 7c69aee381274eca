# SPDX-License-Identifier: Apache-2.0
"""A sweep over two workers of which one is killed in the middle of a build: complete, and nothing is built twice."""

import csv
import sys
from pathlib import Path

from qnn_hw.backends.folder import read_build
from qnn_hw.explore import run_sweep
from tests.explore.sweeps import cluster, network, read_log, request


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
