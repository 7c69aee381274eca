# SPDX-License-Identifier: Apache-2.0
"""One point of a sweep: what is asked (`Task`), and the facts that answer it (`evaluate`); no cluster in sight."""

import hashlib
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from qnn_hw import __version__
from qnn_hw.analysis.schedule import schedule
from qnn_hw.analyze import resource_facts
from qnn_hw.boards import Board
from qnn_hw.build import write_build
from qnn_hw.compiler import Accelerator, Output, assemble, check_golden
from qnn_hw.errors import QnnError
from qnn_hw.explore.network import Network
from qnn_hw.explore.targets import target_text
from qnn_hw.folding.choice import Search, TargetFps
from qnn_hw.resources import resource_dir

Facts = dict[str, Any]

COUNTED = ("lut", "ff", "bram36", "dsp")
"""Resources that a board's budget is compared with, and the columns of the table."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked of a point.

    Attributes:
        network: key of the network.
        model: its name.
        board, clock_mhz, output, target: as of `qnn_hw.compile`.
        version: the compiler's; see `tool_version`.
        time_limit_s: of the folding solver.
        build: write the build folder, too.
        synth: also synthesize with yosys.
    """

    network: str
    model: str
    board: Board
    clock_mhz: float
    output: Output
    target: TargetFps
    version: str
    time_limit_s: float
    build: bool
    synth: bool

    @property
    def key(self) -> str:
        """24 hex digits that name the point: everything its figures depend on, and nothing else."""
        content = [self.network, asdict(self.board), float(self.clock_mhz), self.output, target_text(self.target)]
        return hashlib.sha256(json.dumps([*content, self.version]).encode()).hexdigest()[:24]

    def answered_by(self, facts: Facts) -> bool:
        """Whether a finished point needs no more work: searched long enough, built and synthesized if asked for."""
        proven = facts["feasible"] and facts["solver"]["status"] in ("optimal", "rule")
        if not proven and facts["time_limit_s"] < self.time_limit_s:
            return False
        if not facts["feasible"]:
            return True
        return (facts["build"] or not self.build) and (facts["yosys"] is not None or not self.synth)


@lru_cache(maxsize=1)
def tool_version() -> str:
    """Version of qnn-hw and a digest of its sources: what a point was computed with."""
    digest = hashlib.sha256()
    package = Path(__file__).resolve().parents[1]
    for folder, pattern in ((package, "*.py"), (resource_dir("rtl"), "*.sv"), (resource_dir("hls_templates"), "*")):
        for file in sorted(folder.rglob(pattern)):
            if file.is_file():
                digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:12]}"


def evaluate(
    network: Network, task: Task, folder: Path | None, known: Facts | None, save: Callable[[Facts], None]
) -> Facts:
    """Compute the facts of a point.

    Args:
        network: of the task.
        task: what is asked.
        folder: where the build goes; None for none.
        known: facts of an earlier run whose build stands in `folder`; only the synthesis is then done.
        save: called with the facts as soon as the build stands, before the synthesis.

    Raises:
        QnnError: where the build or the synthesis fails. A target that cannot be met is no error but a fact.
    """
    if known is None:
        started = time.monotonic()
        facts, accelerator = _facts(network, task)
        if accelerator is not None and folder is not None:
            write_build(accelerator, folder)
            facts["build"] = True
        facts["seconds"] = round(time.monotonic() - started, 3)
        save(facts)
    else:
        facts, accelerator = known, None
    if task.synth and facts["feasible"]:
        if folder is not None and facts["build"]:
            facts = {**facts, "yosys": _synthesize(folder)}
        else:
            with tempfile.TemporaryDirectory(prefix="qnn-hw-") as place:
                facts = {**facts, "yosys": _synthesize(_written(network, task, accelerator, Path(place) / "build"))}
        save(facts)
    return facts


def _written(network: Network, task: Task, accelerator: Accelerator | None, folder: Path) -> Path:
    found = accelerator if accelerator is not None else _assemble(network, task)
    return write_build(found, folder)


def _assemble(network: Network, task: Task) -> Accelerator:
    return assemble(
        network.graph,
        task.board,
        target_fps=task.target,
        clock_mhz=task.clock_mhz,
        search=Search(time_limit_s=task.time_limit_s),
        output=task.output,
        golden=network.golden,
    )


def _facts(network: Network, task: Task) -> tuple[Facts, Accelerator | None]:
    board = task.board
    asked: Facts = {
        "key": task.key,
        "model": task.model,
        "network": task.network,
        "board": board.name,
        "clock_mhz": float(task.clock_mhz),
        "output": task.output,
        "target": target_text(task.target),
        "version": task.version,
        "time_limit_s": float(task.time_limit_s),
        "budget": {"lut": board.lut, "ff": board.ff, "bram36": float(board.bram36), "dsp": board.dsp},
        "build": False,
        "yosys": None,
    }
    try:
        accelerator = _assemble(network, task)
        found = schedule(accelerator.folded, accelerator.outside)
    except QnnError as error:
        return {**asked, "feasible": False, "reason": str(error)}, None
    check_golden(accelerator, network.golden)
    estimate = _counted(resource_facts(accelerator.folded, accelerator.outside)["sum"])
    over = [name for name in COUNTED if estimate[name] > asked["budget"][name]]
    return {
        **asked,
        "feasible": True,
        "reason": None,
        "graph_hash": accelerator.graph_hash,
        "folding": {name: asdict(folding) for name, folding in accelerator.folding.items()},
        "solver": _solver(accelerator),
        "interval_cycles": _plain(found.interval_cycles),
        "frames_per_s": round(found.frames_per_s(task.clock_mhz), 3),
        "latency_cycles": found.latency_cycles,
        "latency_us": round(found.latency_us(task.clock_mhz), 3),
        "limit": found.limit.stage,
        "estimate": estimate,
        "fits": not over,
        "over": over,
    }, accelerator


def _solver(accelerator: Accelerator) -> Facts:
    choice = accelerator.choice
    if choice.solution is None:
        return {"status": choice.method, "gap": None, "seconds": None}
    solution = choice.solution
    return {
        "status": "optimal" if solution.optimal else "time-out",
        "gap": round(solution.gap, 4),
        "seconds": round(solution.seconds, 3),
    }


def _counted(cells: Facts) -> Facts:
    return {
        "lut": cells["lut"],
        "ff": cells["ff"],
        "bram36": float(cells["bram36_equivalent"]),
        "dsp": cells["dsp"],
    }


def _plain(number: float) -> float:
    return int(number) if number == int(number) else round(number, 3)


def _synthesize(folder: Path) -> Facts:
    from qnn_hw.synthesis import synthesize_build

    started = time.monotonic()
    report = synthesize_build(folder, whole_top=False, workers=1)
    version = report["tool"]["version"]
    return {**_counted(report["sum"]), "version": version, "seconds": round(time.monotonic() - started, 3)}
