# SPDX-License-Identifier: Apache-2.0
"""Small sweeps, and a Dask cluster whose workers are processes of the test's own: they can be killed one by one."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from qnn_hw.boards import load_board
from qnn_hw.explore import Network, Request, network_of, parse_targets
from tests.random_nets import Net, build

ROOT = Path(__file__).resolve().parents[2]


def network(seed: int = 3, label: str = "net") -> Network:
    """A network of two dense layers, 16-8-4."""
    return network_of(label, build(Net((16,), dense=(8,), classes=4), seed))


def request(out: Path, fps: str, **options: object) -> Request:
    """A request for the smallest board."""
    return Request((load_board("pynq-z2"),), parse_targets(fps), out, **options)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Log:
    """What the workers wrote in builds.log: (event, key) -> how often, and what is begun but not finished."""

    count: Counter[tuple[str, str]]
    open_by_pid: dict[int, str]

    def finished(self) -> Counter[str]:
        """Key -> how often it was finished."""
        return Counter({key: number for (event, key), number in self.count.items() if event == "finished"})


def read_log(folder: Path) -> Log:
    """Read builds.log."""
    count: Counter[tuple[str, str]] = Counter()
    running: dict[int, str] = {}
    file = folder / "builds.log"
    for line in file.read_text().splitlines() if file.exists() else []:
        event, key, _, pid = line.split()
        count[event, key] += 1
        if event == "started":
            running[int(pid)] = key
        else:
            running.pop(int(pid), None)
    return Log(count, running)


def join(address: str) -> subprocess.Popen[bytes]:
    """Start a worker of the scheduler at `address`; nobody restarts it."""
    options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0"]
    return subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_worker", address, *options],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@contextmanager
def cluster(workers: int) -> Iterator[tuple[str, dict[int, subprocess.Popen[bytes]]]]:
    """Yield the address of a scheduler and its worker processes by pid; nobody restarts a worker that is killed."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=0, processes=True, dashboard_address=":0", silence_logs=50) as scheduler:
        started = [join(scheduler.scheduler_address) for _ in range(workers)]
        try:
            yield scheduler.scheduler_address, {process.pid: process for process in started}
        finally:
            for process in started:
                process.kill()
                process.wait()
