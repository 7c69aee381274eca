# SPDX-License-Identifier: Apache-2.0
"""A sweep from its request to its tables: what is finished already stays, the rest goes to the cluster."""

import json
import queue
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qnn_hw.backends.board.design import clock_divisors
from qnn_hw.boards import Board
from qnn_hw.compiler import Output
from qnn_hw.errors import QnnError
from qnn_hw.explore.cluster import SCHEDULER_TIMEOUT_S, check_address, connected
from qnn_hw.explore.network import Network, pack
from qnn_hw.explore.plot import html_page, pareto_svg
from qnn_hw.explore.point import Facts, Task, tool_version
from qnn_hw.explore.store import DamagedPoint, Store, check_place, lock, open_store, write_at_once
from qnn_hw.explore.table import csv_text, parquet_bytes, rows_of
from qnn_hw.explore.targets import MAX_POINTS, target_text
from qnn_hw.explore.worker import Place, finished, hand_over, receive, work
from qnn_hw.folding.choice import TargetFps
from qnn_hw.folding.solver import DEFAULT_TIME_LIMIT_S

Progress = Callable[[str], None]

_LOOK_AFTER_S = 2.0
"""How often it is looked whether scheduler and workers are there while nothing arrives."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be swept.

    Attributes:
        boards, targets: every board with every target.
        out: sweep folder; a sweep there goes on or is extended.
        clock_mhz: of all boards; each board's own without it.
        output: as of `qnn_hw.compile`.
        scheduler: address of a Dask scheduler; a local cluster without it.
        workers: processes of the local cluster.
        builds: write every build folder, not only the facts.
        synth: also synthesize every build with yosys.
        time_limit_s: of the folding solver, a point.
        scheduler_timeout_s: how long the scheduler may take to answer.
    """

    boards: tuple[Board, ...]
    targets: tuple[TargetFps, ...]
    out: Path
    clock_mhz: float | None = None
    output: Output = "class"
    scheduler: str | None = None
    workers: int = 2
    builds: bool = True
    synth: bool = False
    time_limit_s: float = DEFAULT_TIME_LIMIT_S
    scheduler_timeout_s: float = SCHEDULER_TIMEOUT_S


def check_request(request: Request, n_models: int) -> None:
    """Raise QnnError for what can be refused before any model is read; changes nothing."""
    n_points = n_models * len(request.boards) * len(request.targets)
    if n_points > MAX_POINTS:
        raise QnnError(
            f"explore: {n_models} models x {len(request.boards)} boards x {len(request.targets)} targets are "
            f"{n_points:,} points; ask for at most {MAX_POINTS:,}"
        )
    for board in request.boards:
        clock_divisors(board, board.clock_mhz if request.clock_mhz is None else request.clock_mhz)
    if not 0 < request.time_limit_s <= 1e6:
        raise QnnError(f"--time-limit {request.time_limit_s:g}: give the solver more than 0 and at most 1e6 seconds")
    check_place(request.out)
    if request.scheduler is not None:
        check_address(request.scheduler)


def check_scheduler(request: Request) -> None:
    """Raise QnnError if a scheduler is asked for and does not answer, or has no workers."""
    if request.scheduler is not None:
        with connected(request.scheduler, 0, request.scheduler_timeout_s):
            pass


def explore(read: Callable[[Path], Network], models: Sequence[Path], request: Request, progress: Progress) -> Facts:
    """Sweep models; `read` converts one of them, once.

    Returns:
        As `run_sweep`.

    Raises:
        QnnError: as `run_sweep` and `read`, and for two models of the same name.
    """
    stems = [path.stem for path in models]
    for stem in stems:
        if stems.count(stem) > 1:
            raise QnnError(f"explore: two of the models are called {stem}; give the files different names")
    networks = []
    for path in models:
        progress(f"reading {path.name}")
        networks.append(read(path))
    return run_sweep(networks, request, progress)


def run_sweep(networks: Sequence[Network], request: Request, progress: Progress = lambda text: None) -> Facts:
    """Bring every point of the request into the sweep folder and write its tables.

    Args:
        networks: to sweep, with different labels.
        request: what is asked.
        progress: called with a sentence whenever a point is finished.

    Returns:
        The content of `summary.json` (docs/explore.md), and `rows`: the points of this request.

    Raises:
        QnnError: for a folder that holds something else or is in use, or a cluster that cannot be reached or goes
            away. What was finished until then stays.
    """
    started = time.monotonic()
    store = open_store(request.out)
    with lock(store):
        store.remove_leftovers()
        packed = {network.key(): pack(network) for network in networks}
        tasks = _tasks(dict(zip(packed, networks, strict=True)), request)
        damaged = _damaged(store, progress)
        open_tasks = [task for task in tasks if not _done(store, task)]
        results = _Results(failed={}, built=0)
        if open_tasks:
            progress(f"{len(tasks) - len(open_tasks)} of {len(tasks)} points are finished, starting workers")
            n_workers = min(request.workers, len(open_tasks))
            with connected(request.scheduler, n_workers, request.scheduler_timeout_s) as client:
                results = _run(client, packed, open_tasks, store, progress, len(tasks))
            store.remove_leftovers()
        rows, n_others = _write_tables(store)
        keys = {task.key for task in tasks}
        asked = [row for row in rows if row["key"] in keys]
        summary = {
            "sweep": str(request.out),
            "version": tool_version(),
            "points": len(tasks),
            "built": results.built,
            "known": len(tasks) - results.built - len(results.failed),
            "feasible": sum(row["feasible"] for row in asked),
            "infeasible": sum(not row["feasible"] for row in asked),
            "fitting": sum(row["fits"] for row in asked),
            "failed": [{"key": key, "reason": reason} for key, reason in results.failed.items()],
            "damaged": damaged,
            "points_in_folder": len(rows),
            "points_of_other_versions": n_others,
            "workers": request.workers if request.scheduler is None else request.scheduler,
            "seconds": round(time.monotonic() - started, 1),
        }
        write_at_once(store.folder / "summary.json", (json.dumps(summary, indent=1) + "\n").encode())
    return {**summary, "rows": asked}


@dataclass(slots=True)
class _Results:
    """What became of the tasks: key -> why it failed, and how many were computed now."""

    failed: dict[str, str]
    built: int


def _tasks(networks: Mapping[str, Network], request: Request) -> list[Task]:
    tasks = [
        Task(
            network=key,
            model=network.label,
            board=board,
            clock_mhz=board.clock_mhz if request.clock_mhz is None else request.clock_mhz,
            output=request.output,
            target=target,
            version=tool_version(),
            time_limit_s=request.time_limit_s,
            build=request.builds,
            synth=request.synth,
        )
        for key, network in networks.items()
        for board in request.boards
        for target in request.targets
    ]
    return list({task.key: task for task in tasks}.values())


def _damaged(store: Store, progress: Progress) -> list[str]:
    """Remove damaged point files, and name them; they are made again if they are asked for."""
    found = []
    for key in store.finished_keys():
        try:
            store.read_point(key)
        except DamagedPoint as error:
            file = store.point_file(key)
            file.unlink()
            found.append(f"points/{file.name}: {error}")
            progress(f"points/{file.name} is damaged ({error}), it is made again")
    return found


def _done(store: Store, task: Task) -> bool:
    facts = finished(store, task)
    return facts is not None and task.answered_by(facts)


def _run(
    client: Any, packed: Mapping[str, bytes], tasks: Sequence[Task], store: Store, progress: Progress, total: int
) -> _Results:
    place, run = Place(str(store.folder), store.token), uuid.uuid4().hex[:8]
    # One task a network: kept once, sent from worker to worker, and repeated if the worker that has it is lost.
    sources = {
        key: client.submit(hand_over, packed[key], key=f"qnn-network-{run}-{key}", pure=False)
        for key in {task.network for task in tasks}
    }
    arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
    waiting = {}
    for task in tasks:
        future = client.submit(work, sources[task.network], task, place, key=f"qnn-point-{run}-{task.key}", pure=False)
        waiting[future.key] = (task, future)
    for _, future in list(waiting.values()):
        future.add_done_callback(arrived.put)
    results, n_before = _Results({}, 0), total - len(tasks)
    while waiting:
        try:
            future = arrived.get(timeout=_LOOK_AFTER_S)
        except queue.Empty:
            _look_after(client, [future for _, future in waiting.values()], progress)
            continue
        task, future = waiting.pop(future.key)
        reason = _collect(future, store, results)
        if reason:
            results.failed[task.key] = reason
        future.release()
        what = f"{task.model} on {task.board.name}, {target_text(task.target)} fps {'failed' if reason else 'done'}"
        progress(f"{n_before + len(tasks) - len(waiting)} of {total} points; {what}")
    return results


def _collect(future: Any, store: Store, results: _Results) -> str:
    """Take in the answer of a task; returns why there is none, else an empty string."""
    from distributed.scheduler import KilledWorker

    if future.status in ("cancelled", "lost"):
        raise _gone()
    if future.status == "finished":
        answer = future.result()
        receive(store, answer)
        results.built += answer.built
        return ""
    match future.exception():
        case QnnError() as error:
            return str(error)
        case KilledWorker():
            return "every worker that tried it was lost, out of memory most likely; take fewer or larger workers"
        case ModuleNotFoundError() as error:
            return f"a worker lacks the Python package {error.name}; install qnn-hw where the workers run"
        case error:
            return f"{type(error).__name__}: {error}"


def _look_after(client: Any, waiting: Sequence[Any], progress: Progress) -> None:
    """Raise QnnError if the scheduler has forgotten the tasks; tell if there is nobody to wait for."""
    if client.status in ("closing", "closed"):
        raise _gone()
    if client.status != "running":
        progress("the scheduler does not answer, waiting for it")
    elif any(future.status in ("lost", "cancelled") for future in waiting):
        raise _gone()
    elif not client.nthreads():
        progress("no worker is left, waiting for one; what is finished stays when you stop here")


def _gone() -> QnnError:
    return QnnError(
        "explore: the scheduler went away; the points finished until then are kept, repeat the command to go on"
    )


def _write_tables(store: Store) -> tuple[list[dict[str, Any]], int]:
    """Write the tables of all points of this version in the folder; returns rows and the number of other points."""
    points = []
    for key in store.finished_keys():
        facts = store.read_point(key)
        if facts is not None:
            points.append(facts)
    own = [facts for facts in points if facts["version"] == tool_version()]
    rows = rows_of(own)
    svg = pareto_svg(rows)
    write_at_once(store.folder / "points.csv", csv_text(rows).encode())
    write_at_once(store.folder / "points.parquet", parquet_bytes(rows))
    write_at_once(store.folder / "pareto.svg", svg.encode())
    write_at_once(store.folder / "pareto.html", html_page(svg, rows).encode())
    return rows, len(points) - len(own)
