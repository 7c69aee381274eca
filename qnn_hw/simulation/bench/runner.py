# SPDX-License-Identifier: Apache-2.0
"""Simulates a build folder: compiles the testbench, runs the scenarios, gives the verdict.

A build folder holds `qnn.json`, `golden/*.npy`, `rtl/*.sv`, `rtl/data/*.mem`, `sim/qnn_tb.sv` and `sim/tb/*.sv`.
What is simulated between the shell's inner streams is the backend:

    rtl       rtl/qnn_core.sv
    hls       hls/cosim/qnn_core.sv, whose stages are the compiled HLS C++, a frame at a time: there are no cycles to
              measure and no FIFOs to fill; those entries are `None`, "not applicable"
    hls-rtl   hls/rtl/qnn_core.sv around the Verilog that Vitis HLS wrote: judged at the outside ports, cycles included
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, assert_never, get_args

from .errors import SimulationError
from .hls_code import check_written, headers, include_flags, language_flags, table_sources
from .manifest import Manifest, read_manifest
from .vectors import write_vectors
from .verilator import SimBinary, build, run

Backend = Literal["rtl", "hls", "hls-rtl"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)

SCENARIOS = (
    *("steady", "stalls", "hard_reset", "soft_reset", "transfers", "tlast_early", "tlast_absent", "registers"),
)
DEFAULT_FRAMES = 4
DEFAULT_STALL = 0.4
MOST_STALL = 0.95
_FATAL = re.compile(r"%Fatal: [^ ]+: Assertion failed in [^ ]+: (.*)")  # Verilator's words for $fatal
TB_FILES = ("qnn_tb_axil.sv", "qnn_tb_control.sv", "qnn_tb_monitor.sv", "qnn_tb_sink.sv", "qnn_tb_source.sv")


def simulate(
    build_dir: Path,
    *,
    frames: int | None = None,
    seed: int = 1,
    stall: float = DEFAULT_STALL,
    scenarios: Sequence[str] = SCENARIOS,
    backend: Backend = "rtl",
    hls_verilog: Path | None = None,
    wave: bool = False,
    opt: str = "quick",
    work_dir: Path | None = None,
    cache_dir: Path | None = None,
    plusargs: Sequence[str] = (),
    timeout_s: float | None = None,
) -> Verdict:
    """Simulate the build in `build_dir` and return the verdict.

    Args:
        build_dir: the build folder.
        frames: frames of the steady and stalled runs; golden frames repeat if there are fewer. Default 4.
        seed: of pauses and of power-up values.
        stall: probability of a pause a cycle on the side that pauses, 0 to 0.95.
        scenarios: names out of `SCENARIOS`.
        backend: out of `BACKENDS`: what is simulated as the core.
        hls_verilog: for "hls-rtl", the folder with the Verilog that Vitis HLS wrote; default: looked for in `hls`.
        wave: write `dump.vcd` into the work folder.
        opt: "quick" or "fast", see `verilator.build`.
        work_dir: for what the run leaves; default `sim/work` of the build, for other backends `sim/work-<backend>`.
        cache_dir: of compiled simulators; default `verilator.cache_folder()`.
        plusargs: further ones.
        timeout_s: wall-clock limit of the run.

    A wrong design is a verdict; `SimulationError` means that it could not be simulated.
    """
    unknown = [name for name in scenarios if name not in SCENARIOS]
    if unknown or not scenarios:
        raise SimulationError(f"simulation: scenario {unknown!r} is not known, allowed are {', '.join(SCENARIOS)}")
    n_frames = DEFAULT_FRAMES if frames is None else frames
    if n_frames < 1:
        raise SimulationError(f"simulation: frames={n_frames}, at least 1 is needed")
    if not 0 <= stall <= MOST_STALL:
        raise SimulationError(f"simulation: stall={stall}, a probability from 0 to {MOST_STALL} is needed")
    if backend not in BACKENDS:
        raise SimulationError(f"simulation: backend {backend!r} is not known, allowed are {', '.join(BACKENDS)}")
    if hls_verilog is not None and backend != "hls-rtl":
        raise SimulationError(f"simulation: a folder with Verilog of Vitis HLS is for hls-rtl, not for {backend}")
    build_dir = build_dir.resolve()
    manifest = read_manifest(build_dir / "qnn.json")
    work_dir = (work_dir or build_dir / "sim" / work_name(backend)).resolve()
    design = find_design(build_dir, backend, hls_verilog)
    config = _prepare(manifest, build_dir, work_dir, n_frames, seed, stall, design)
    for table in design.tables:  # Vitis HLS's modules read theirs from the folder the simulator runs in
        shutil.copyfile(table, work_dir / table.name)
    started = time.monotonic()
    binary = build_simulator(build_dir, design=design, trace=wave, opt=opt, cache_dir=cache_dir)
    build_seconds = time.monotonic() - started
    started = time.monotonic()
    outcome = run(
        binary,
        test_module=f"{__package__}.scenarios",
        work_dir=work_dir,
        plusargs=[
            f"+qnn_data={build_dir / 'rtl' / 'data'}",
            f"+qnn_golden={work_dir / 'vectors'}",
            f"+qnn_events={config['events']}",
            *plusargs,
        ],
        env={"QNN_BENCH_CONFIG": str(work_dir / "config.json")},
        test_filter="|".join(rf"\.{name}$" for name in scenarios),
        seed=seed,
        wave=wave,
        timeout_s=timeout_s,
    )
    run_seconds = time.monotonic() - started
    if fatal := _FATAL.search(outcome.log.read_text(encoding="utf-8", errors="replace")):
        raise SimulationError(f"simulation: {fatal[1]}; build again, the log is {outcome.log}")
    results_path = work_dir / "results.json"
    results = json.loads(results_path.read_text(encoding="utf-8")) if results_path.is_file() else []
    by_name = {result["scenario"]: result for result in results}
    verdicts = []
    for test in outcome.tests:
        name = test.name.rpartition(".")[2]
        result = by_name.get(name, {"findings": [], "measured": {}})
        findings = tuple(finding["text"] for finding in result["findings"])
        if not test.passed and not findings:
            findings = (f"the scenario could not be judged: {test.message}; see {outcome.log}",)
        verdicts.append(
            ScenarioVerdict(
                name=name, findings=findings, details=tuple(result["findings"]), measured=result["measured"]
            )
        )
    missing = [name for name in scenarios if name not in {verdict.name for verdict in verdicts}]
    if missing:
        raise SimulationError(f"simulation: no result of {', '.join(missing)}; see {outcome.log}")
    return Verdict(
        name=manifest.name,
        backend=backend,
        scenarios=tuple(verdicts),
        n_frames=n_frames,
        seed=seed,
        repeat=repeat_command(
            *(n_frames, seed, stall, [v.name for v in verdicts if v.findings] or list(scenarios), backend, hls_verilog)
        ),
        build_seconds=round(build_seconds, 2),
        run_seconds=round(run_seconds, 2),
    )


def work_name(backend: Backend) -> str:
    """Return the folder in `sim` that a run of `backend` leaves its files in."""
    return "work" if backend == "rtl" else f"work-{backend}"


def find_design(build_dir: Path, backend: Backend = "rtl", hls_verilog: Path | None = None) -> Design:
    """Return what has to be compiled and loaded for a backend; `SimulationError` where the build lacks it."""
    sim, hls = build_dir / "sim", build_dir / "hls"
    library = sorted((build_dir / "rtl").glob("*.sv"))
    testbench = [*(sim / "tb" / name for name in TB_FILES), sim / "qnn_tb.sv"]
    bench = [*(path for path in library if path.name != "qnn_core.sv"), *testbench]
    match backend:
        case "rtl":
            return Design(backend, sources=(*library, *testbench))
        case "hls":
            cosim = hls / "cosim"
            timing = cosim / "cosim.json"
            check_written(hls, timing)
            interval, latency = _read_timing(timing)
            return Design(
                backend,
                sources=(*bench, *sorted(cosim.glob("*.sv")), cosim / "dpi.cpp", *table_sources(hls)),
                cxx_includes=tuple(include_flags(hls)),
                headers=tuple(headers(hls)),
                interval_cycles=interval,
                latency_cycles=latency,
            )
        case "hls-rtl":
            wrapper = hls / "rtl" / "qnn_core.sv"
            check_written(hls, wrapper)
            folder = find_hls_verilog(hls, hls_verilog)
            return Design(
                backend,
                sources=(*bench, wrapper, *sorted(folder.glob("*.v")), *sorted(folder.glob("*.sv"))),
                tables=tuple(sorted(folder.glob("*.dat"))),
            )
        case _:
            assert_never(backend)


def find_hls_verilog(hls: Path, given: Path | None = None) -> Path:
    """Return the folder with the Verilog that Vitis HLS wrote: `given`, else the newest below `hls`."""
    if given is not None:
        if not any(given.glob("*.v")):
            raise SimulationError(
                f"{given}: holds no Verilog (*.v); give the folder syn/verilog of a Vitis HLS project"
            )
        return given.resolve()
    for place in ("syn/verilog", "impl/verilog"):
        found = {path.parent for path in hls.glob(f"**/{place}/*.v")}
        if found:
            return max(found, key=lambda folder: (folder.stat().st_mtime_ns, str(folder)))
    raise SimulationError(
        f"{hls}: no Verilog of Vitis HLS below (**/syn/verilog/*.v); synthesize the C++ first with "
        "`qnn-hw synth --tool vitis` on this build, or name a folder of Verilog: `python -m bench --backend hls-rtl "
        "--hls-verilog FOLDER` in sim/"
    )


def build_simulator(
    build_dir: Path,
    *,
    design: Design | None = None,
    trace: bool = False,
    opt: str = "quick",
    cache_dir: Path | None = None,
) -> SimBinary:
    """Return the compiled testbench of `build_dir` around `design`, by default the RTL.

    In a simulator of "hls" the weights are compiled in, so that each trained network is a build of its own; the RTL
    reads its tables at run time.
    """
    design = design or find_design(build_dir)
    return build(
        design.sources,
        "qnn_tb",
        defines={"QNN_OUTSIDE_ONLY": 1} if design.backend == "hls-rtl" else None,
        cxx_flags=language_flags("-O2" if opt == "fast" else "-O1") if design.backend == "hls" else (),
        cxx_includes=design.cxx_includes,
        headers=design.headers,
        lint=design.backend != "hls-rtl",
        trace=trace,
        opt=opt,
        cache_dir=cache_dir,
    )


def repeat_command(
    n_frames: int,
    seed: int,
    stall: float,
    scenarios: Sequence[str],
    backend: Backend = "rtl",
    hls_verilog: Path | None = None,
) -> str:
    """Return the command that repeats a run, to be typed in the build's `sim` folder."""
    chosen = "" if backend == "rtl" else f" --backend {backend}"
    chosen += f" --hls-verilog {hls_verilog.resolve()}" if hls_verilog else ""
    return (
        f"python -m bench --frames {n_frames} --seed {seed} --stall {stall:g} --scenarios {','.join(scenarios)}{chosen}"
    )


def _read_timing(path: Path) -> tuple[int, int]:
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        return int(entry["interval_cycles"]), int(entry["latency_cycles"])
    except (ValueError, TypeError, KeyError) as error:
        raise SimulationError(f"{path}: damaged ({error}); build again") from error


def _prepare(
    manifest: Manifest, build_dir: Path, work_dir: Path, n_frames: int, seed: int, stall: float, design: Design
) -> Mapping[str, object]:
    vectors = work_dir / "vectors"
    shutil.rmtree(vectors, ignore_errors=True)
    golden_frames = write_vectors(manifest, build_dir / "golden", vectors, n_frames)
    interval = manifest.predicted_interval_cycles or 4 * manifest.frame_beats_in
    if design.backend == "hls":
        interval = max(design.interval_cycles, manifest.frame_beats_in)
    hold = design.latency_cycles + 6 * interval  # all that is inside has then moved up to where it waits
    quiet = max(20_000, hold + 6 * interval)
    longest = 20 * quiet + 40 * (design.latency_cycles + (n_frames + 8) * interval) + n_frames * hold
    config: dict[str, object] = {
        "manifest": str(build_dir / "qnn.json"),
        "backend": design.backend,
        "events": str(work_dir / "events.txt"),
        "results": str(work_dir / "results.json"),
        "frames": n_frames,
        "golden_frames": golden_frames,
        "seed": seed,
        "pause_per_mille": round(1000 * stall),
        "watchdog_cycles": quiet,
        "hold_cycles": hold,
        "limit_cycles": min(2**32 - 1, longest),
        "drain_cycles": max(256, 2 * interval),
    }
    Path(work_dir / "results.json").unlink(missing_ok=True)
    Path(work_dir / "events.txt").unlink(missing_ok=True)
    (work_dir / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    return config


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate from the command line; returns 0 if all is right, 1 if not, 2 if it could not be simulated."""
    parser = argparse.ArgumentParser(prog="bench", description="Simulates the accelerator of this build.")
    parser.add_argument("--build", type=Path, default=Path(".."), help="the build folder (default: ..)")
    parser.add_argument("--frames", type=int, default=DEFAULT_FRAMES, help="frames of a run (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of pauses and power-up values (default: %(default)s)")
    parser.add_argument("--stall", type=float, default=DEFAULT_STALL, help="pauses a cycle (default: %(default)s)")
    parser.add_argument("--scenarios", default=",".join(SCENARIOS), help="comma separated (default: all)")
    parser.add_argument("--opt", choices=("quick", "fast"), default="quick", help="of the compiler (default: quick)")
    parser.add_argument("--backend", choices=BACKENDS, default="rtl", help="the core that runs (default: rtl)")
    parser.add_argument("--hls-verilog", type=Path, help="hls-rtl: folder of Vitis HLS's Verilog (default: in ../hls)")
    parser.add_argument("--wave", action="store_true", help="write dump.vcd into the work folder")
    options = parser.parse_args(arguments)
    try:
        verdict = simulate(
            options.build,
            frames=options.frames,
            seed=options.seed,
            stall=options.stall,
            scenarios=options.scenarios.split(","),
            backend=options.backend,
            hls_verilog=options.hls_verilog,
            wave=options.wave,
            opt=options.opt,
        )
    except SimulationError as error:
        print(error, file=sys.stderr)
        return 2
    print(verdict)
    path = options.build / "sim" / work_name(options.backend) / "verdict.json"
    path.write_text(json.dumps(verdict.to_dict(), indent=1) + "\n", encoding="utf-8")
    return 0 if verdict.passed else 1


@dataclass(frozen=True, slots=True)
class Design:
    """What is compiled for a backend.

    Attributes:
        backend: which one.
        sources: SystemVerilog, Verilog and C++ files.
        cxx_includes: flags that lead the C++ to its headers.
        headers: those headers.
        tables: files the simulator finds in its working folder.
        interval_cycles: of "hls": cycles from frame to frame that its stage-at-a-time simulation may take; else 0.
        latency_cycles: of "hls": an upper bound of the cycles a frame takes through all stages; else 0.
    """

    backend: Backend
    sources: tuple[Path, ...]
    cxx_includes: tuple[str, ...] = ()
    headers: tuple[Path, ...] = ()
    tables: tuple[Path, ...] = ()
    interval_cycles: int = 0
    latency_cycles: int = 0


@dataclass(frozen=True, slots=True)
class ScenarioVerdict:
    """One scenario: what is wrong (nothing: passed), the same as JSON objects, what was measured."""

    name: str
    findings: tuple[str, ...]
    details: tuple[Mapping[str, object], ...]
    measured: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a simulation; `repeat` is the command that repeats what failed."""

    name: str
    backend: Backend
    scenarios: tuple[ScenarioVerdict, ...]
    n_frames: int
    seed: int
    repeat: str
    build_seconds: float
    run_seconds: float

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not any(scenario.findings for scenario in self.scenarios)

    @property
    def findings(self) -> tuple[str, ...]:
        """All findings, each after its scenario's name."""
        return tuple(f"{scenario.name}: {text}" for scenario in self.scenarios for text in scenario.findings)

    @property
    def measured(self) -> Mapping[str, object]:
        """What the steady run measured: cycles a frame, first latency, FIFO marks; empty without that scenario.

        `None` is "not applicable": of "hls" all of it, of "hls-rtl" the FIFO marks.
        """
        return next((s.measured for s in self.scenarios if s.name == "steady"), {})

    def to_dict(self) -> dict[str, object]:
        """Return the verdict for JSON."""
        return {
            "name": self.name,
            "backend": self.backend,
            "passed": self.passed,
            "frames": self.n_frames,
            "seed": self.seed,
            "measured": dict(self.measured),
            "scenarios": [
                {"name": s.name, "passed": not s.findings, "findings": list(s.details) or list(s.findings)}
                for s in self.scenarios
            ],
            "repeat": self.repeat,
            "build_seconds": self.build_seconds,
            "run_seconds": self.run_seconds,
        }

    def __str__(self) -> str:
        """Return a line a scenario, the findings under it, the measurements, the command that repeats it."""
        lines = []
        for scenario in self.scenarios:
            lines.append(f"{'FAIL' if scenario.findings else 'pass'}  {scenario.name}")
            lines += [f"      {text}" for text in scenario.findings]
        lines += [f"{key}: {'not applicable' if value is None else value}" for key, value in self.measured.items()]
        lines.append(f"{self.name}: {'passed' if self.passed else 'FAILED'}; repeat in sim/: {self.repeat}")
        return "\n".join(lines)
