# SPDX-License-Identifier: Apache-2.0
"""The command line: parses, calls, prints. Facts go to stdout (`--json`: as JSON), progress to stderr."""

import errno
import importlib
import json as json_module
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from qnn_hw.errors import QnnError
from qnn_hw.resources import cache_dir

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print the facts as JSON.")]
BuildFolder = Annotated[Path, typer.Argument(help="Folder written by `qnn-hw build`.")]

_TENSORFLOW_SETTINGS = {
    "TF_CPP_MIN_LOG_LEVEL": "3",  # its remarks on the machine would stand between the lines a person reads
    "CUDA_VISIBLE_DEVICES": "-1",  # exactness is defined on the CPU; a GPU would only be reserved, not used
}

_INTERRUPTED = 128 + signal.SIGINT
"""Exit status after Ctrl-C."""


def main() -> None:
    """Run the command line; a user error is one sentence on stderr and exit status 1."""
    for name, value in _TENSORFLOW_SETTINGS.items():
        os.environ.setdefault(name, value)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        app(prog_name="qnn-hw")
    except QnnError as error:
        _stop(str(error))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "qnn_hw":
            raise
        _stop(f"the Python package {error.name} is missing; install qnn-hw again, `qnn-hw doctor` lists what it needs")
    except OSError as error:
        _stop(_sentence(error))
    except KeyboardInterrupt:
        _interrupted()
    except SystemExit as end:
        if end.code == _INTERRUPTED:  # what Typer makes of Ctrl-C in a command, without a word
            _interrupted()
        raise


def _interrupted() -> NoReturn:
    print("qnn-hw: interrupted", file=sys.stderr)
    raise SystemExit(_INTERRUPTED) from None


def _terminate(number: int, _: object) -> NoReturn:
    """End in order: programs that were started are ended, unfinished folders removed."""
    raise SystemExit(128 + number)


def _stop(message: str) -> NoReturn:
    print(f"qnn-hw: {message}", file=sys.stderr)
    raise SystemExit(1) from None


def _sentence(error: OSError) -> str:
    """Return what the operating system refused, and where."""
    place = f"{error.filename}: " if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{place}the disk is full; free some space and repeat"
    sentence = f"{place}{error.strerror or error}"
    cache = cache_dir()
    if error.filename and (cache.is_relative_to(error.filename) or Path(error.filename).is_relative_to(cache)):
        return f"{sentence}; the cache belongs there, set QNN_HW_CACHE to a folder that can be written"
    return sentence


@contextmanager
def working(text: str) -> Iterator[Callable[[str], None]]:
    """Tell on stderr what is being done; yields a function that changes the text.

    In a terminal it is one line with a spinner and the elapsed time, gone at the end; elsewhere a line now and then.
    """
    if not sys.stderr.isatty():
        yield _said_seldom(text)
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    # A descriptor of its own: `_load_tensorflow` puts the common one aside.
    with (
        os.fdopen(os.dup(sys.stderr.fileno()), "w") as terminal,
        Progress(*columns, console=Console(file=terminal), transient=True) as progress,
    ):
        task = progress.add_task(text)
        yield lambda new: progress.update(task, description=new)


SECONDS_BETWEEN_LINES = 5.0
"""How often progress is told where every text stays as a line, in a log for instance."""


def _said_seldom(text: str) -> Callable[[str], None]:
    last = -SECONDS_BETWEEN_LINES

    def say(new: str) -> None:
        nonlocal last
        if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            print(f"qnn-hw: {new}", file=sys.stderr, flush=True)

    say(text)
    return say


def _load_tensorflow() -> None:
    """Import the front end; what TensorFlow's libraries print meanwhile is shown only if they cannot be loaded."""
    if "tensorflow" in sys.modules:
        return
    sys.stderr.flush()
    with tempfile.TemporaryFile() as aside:
        kept = os.dup(2)
        os.dup2(aside.fileno(), 2)
        try:
            importlib.import_module("qnn_hw.frontends.keras")
        except BaseException:
            aside.seek(0)
            os.write(kept, aside.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def show(facts: Any, as_json: bool, *parts: Any) -> None:
    """Print `facts` as JSON, or else the tables and sentences `parts`."""
    if as_json:
        print(json_module.dumps(facts, indent=1))
        return
    from rich.console import Console

    from qnn_hw.tables import TEXT_WIDTH, print_parts

    print_parts(Console(width=None if sys.stdout.isatty() else TEXT_WIDTH), *parts)


def _print_version(wanted: bool) -> None:
    if wanted:
        from qnn_hw import __version__

        print(f"qnn-hw {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Binarized Keras networks as verified dataflow accelerators on PYNQ boards."""


@app.command()
def build(
    model: Annotated[Path, typer.Argument(help="Trained model, a .keras file.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Build folder (default: build/<model name>).")] = None,
    board: Annotated[str, typer.Option(help="Board name, or path of a board file.")] = "pynq-z2",
    target_fps: Annotated[
        str | None, typer.Option(help="Frames a second to reach with least area, or max: as fast as fits the board.")
    ] = None,
    clock_mhz: Annotated[float | None, typer.Option(help="Clock (default: the board's).")] = None,
    folding: Annotated[Path | None, typer.Option(help="Folding file; other layers follow the target.")] = None,
    max_lut: Annotated[int | None, typer.Option(help="Budget of LUT (default: 80 % of the board's).")] = None,
    max_bram36: Annotated[float | None, typer.Option(help="Budget of block RAM (default: the board's).")] = None,
    max_dsp: Annotated[int | None, typer.Option(help="Budget of DSP slices (default: the board's).")] = None,
    time_limit: Annotated[float, typer.Option(min=0.1, help="Seconds to search for a folding.")] = 60.0,
    output: Annotated[str, typer.Option(help="class: the class index; logits: all accumulators.")] = "class",
    input_dtype: Annotated[str | None, typer.Option(help="What the wire carries: uint8, int8, i5, ...")] = None,
    input_scale: Annotated[
        float | None, typer.Option(help="Scaling outside the model: value = scale*raw+offset.")
    ] = None,
    input_offset: Annotated[float | None, typer.Option(help="Offset outside the model.")] = None,
    data: Annotated[str | None, typer.Option(help="Raw samples: FILE.npz or FILE.npz:x,y.")] = None,
    golden_frames: Annotated[int, typer.Option(min=1, help="Frames stored as golden vectors.")] = 20,
    class_names: Annotated[
        str | None, typer.Option(help="Names of the classes: a text file, one a line, or a,b,c.")
    ] = None,
    custom: Annotated[
        list[Path] | None, typer.Option(help="Python file that registers your own quantizers; may be repeated.")
    ] = None,
    json: Json = False,
) -> None:
    """Compile a trained model into a project folder: RTL, weights, golden vectors, testbench."""
    from qnn_hw.backends.board.design import clock_divisors
    from qnn_hw.boards import load_board
    from qnn_hw.build import check_target, manifest, write_build
    from qnn_hw.compiler import OUTPUTS, compile
    from qnn_hw.folding.choice import Search, parse_target_fps
    from qnn_hw.frontends.custom_code import run_custom_code
    from qnn_hw.frontends.model_file import check_model_file
    from qnn_hw.samples import load_class_names, load_samples
    from qnn_hw.tables import layer_table, throughput_lines

    if output not in OUTPUTS:
        raise QnnError(f"--output {output}: choose one of {', '.join(OUTPUTS)}")
    # What can be refused at once is refused before TensorFlow is loaded.
    rate = None if target_fps is None else parse_target_fps(target_fps)
    check_model_file(model)
    target = Path("build") / model.stem if out is None else out
    check_target(target)
    target_board = load_board(board)
    clock_divisors(target_board, target_board.clock_mhz if clock_mhz is None else clock_mhz)
    samples = load_samples(data) if data is not None else None
    names = load_class_names(class_names) if class_names is not None else ()
    with working(f"loading TensorFlow to read {model.name}") as say:
        _load_tensorflow()
        for file in custom or ():
            run_custom_code(file)
        say(f"compiling {model.name}")
        accelerator = compile(
            model,
            board,
            target_fps=rate,
            clock_mhz=clock_mhz,
            folding=folding,
            search=Search(max_lut, max_bram36, max_dsp, time_limit, say),
            output=output,
            input_dtype=input_dtype,
            input_scale=input_scale,
            input_offset=input_offset,
            calibration=samples,
            golden_frames=golden_frames,
            class_names=names,
        )
        say("writing the build")
        path = write_build(accelerator, target)
    facts = manifest(accelerator)
    show({"build": str(path), **facts}, json, layer_table(facts), throughput_lines(facts), f"written: {path}")


@app.command()
def explore(
    model: Annotated[Path, typer.Argument(help="Trained model, a .keras file.")],
    fps: Annotated[str, typer.Option(help="Targets: START:END[:POINTS], or a list such as 1000,5000,max.")],
    candidate: Annotated[
        list[Path] | None, typer.Option("--model", help="Another model to compare with; may be repeated.")
    ] = None,
    board: Annotated[
        list[str] | None, typer.Option(help="Board name or file; may be repeated (default: pynq-z2).")
    ] = None,
    clock_mhz: Annotated[float | None, typer.Option(help="Clock (default: each board's).")] = None,
    output: Annotated[str, typer.Option(help="class: the class index; logits: all accumulators.")] = "class",
    scheduler: Annotated[
        str | None, typer.Option(help="Dask scheduler, tcp://host:port (default: processes of this machine).")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=1024, help="Processes of this machine.")] = 2,
    builds: Annotated[bool, typer.Option("--builds/--no-builds", help="Write every build, or only its facts.")] = True,
    synth: Annotated[bool, typer.Option("--synth", help="Also synthesize every build with yosys.")] = False,
    time_limit: Annotated[float, typer.Option(help="Seconds of the folding solver, a point.")] = 60.0,
    out: Annotated[Path, typer.Option("--out", "-o", help="Sweep folder; one that is there goes on.")] = Path("sweep"),
    input_dtype: Annotated[str | None, typer.Option(help="What the wire carries: uint8, int8, i5, ...")] = None,
    input_scale: Annotated[
        float | None, typer.Option(help="Scaling outside the models: value = scale*raw+offset.")
    ] = None,
    input_offset: Annotated[float | None, typer.Option(help="Offset outside the models.")] = None,
    custom: Annotated[
        list[Path] | None, typer.Option(help="Python file that registers your own quantizers; may be repeated.")
    ] = None,
    json: Json = False,
) -> None:
    """Sweep targets, boards and models over a cluster: what each rate costs, and the Pareto front."""
    from qnn_hw.boards import load_board
    from qnn_hw.compiler import OUTPUTS
    from qnn_hw.explore import Network, Request, check_request, check_scheduler, parse_targets, sweep_parts
    from qnn_hw.explore import explore as run_exploration
    from qnn_hw.frontends.custom_code import run_custom_code
    from qnn_hw.frontends.model_file import check_model_file

    chosen = next((name for name in OUTPUTS if name == output), None)
    if chosen is None:
        raise QnnError(f"--output {output}: choose one of {', '.join(OUTPUTS)}")
    # What can be refused at once is refused before TensorFlow is loaded.
    models = [model, *(candidate or ())]
    for path in models:
        check_model_file(path)
    request = Request(
        boards=tuple(load_board(name) for name in dict.fromkeys(board or ["pynq-z2"])),
        targets=parse_targets(fps),
        out=out,
        clock_mhz=clock_mhz,
        output=chosen,
        scheduler=scheduler,
        workers=workers,
        builds=builds,
        synth=synth,
        time_limit_s=time_limit,
    )
    check_request(request, len(models))
    with working("asking the scheduler" if scheduler else f"loading TensorFlow to read {model.name}") as say:
        check_scheduler(request)
        say(f"loading TensorFlow to read {model.name}")
        _load_tensorflow()
        from qnn_hw.explore.models import read_network

        for file in custom or ():
            run_custom_code(file)

        def read(path: Path) -> Network:
            return read_network(path, input_dtype=input_dtype, input_scale=input_scale, input_offset=input_offset)

        facts = run_exploration(read, models, request, say)
    show(facts, json, *sweep_parts(facts))
    if facts["failed"]:
        raise typer.Exit(1)


@app.command()
def summary(folder: BuildFolder, json: Json = False) -> None:
    """Show bit-widths, folding, cycles and predicted throughput of a build."""
    from qnn_hw.backends.folder import read_manifest
    from qnn_hw.tables import layer_table, throughput_lines

    facts = read_manifest(folder)
    show(facts, json, layer_table(facts), throughput_lines(facts))


@app.command()
def analyze(
    folder: BuildFolder,
    input_range: Annotated[
        str | None, typer.Option(help="LOW:HIGH, least and greatest input value that occurs (default: its type's).")
    ] = None,
    json: Json = False,
) -> None:
    """Show the bits, cycles and estimated cells of a build: no simulation, no synthesis."""
    from qnn_hw.analyze import analysis_parts, parse_range
    from qnn_hw.analyze import analyze as analyze_build

    chosen = None if input_range is None else parse_range(input_range)
    with working("analyzing"):
        facts = analyze_build(folder, input_range=chosen)
    show(facts, json, *analysis_parts(facts))


@app.command()
def report(
    folder: BuildFolder,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="HTML file (default: BUILD/report.html).")] = None,
    json: Json = False,
) -> None:
    """Write one HTML page on a build that opens offline: network, bits, cycles, cells, verification."""
    from qnn_hw.report import write_report

    with working("writing the report"):
        file = write_report(folder, out)
    show({"report": str(file)}, json, f"written: {file}")


@app.command()
def simulate(
    folder: BuildFolder,
    images: Annotated[int | None, typer.Option(min=1, help="Frames to send (default: all golden ones).")] = None,
    wave: Annotated[bool, typer.Option("--wave", help="Write waveforms: dump.vcd in sim/work.")] = False,
    stall: Annotated[
        float, typer.Option(min=0.0, max=0.95, help="Probability of a pause a cycle, on both sides.")
    ] = 0.4,
    layer: Annotated[str | None, typer.Option(help="Simulate this layer alone.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the random pauses.")] = 1,
    backend: Annotated[
        str, typer.Option(help="rtl; hls: the HLS C++, in g++ and cocotb; hls-rtl: what Vitis HLS made of it.")
    ] = "rtl",
    data: Annotated[
        str | None, typer.Option(help="hls: C simulation of raw samples, FILE.npz or FILE.npz:x,y, instead.")
    ] = None,
    json: Json = False,
) -> None:
    """Prove a build bit-exact in cocotb on Verilator: outputs and every stream between layers."""
    from qnn_hw.proof import Simulation, simulate_build
    from qnn_hw.samples import load_samples
    from qnn_hw.simulation import BACKENDS
    from qnn_hw.tables import verdict_parts

    chosen = next((name for name in BACKENDS if name == backend), None)
    if chosen is None:
        raise QnnError(f"--backend {backend}: choose one of {', '.join(BACKENDS)}")
    if data is not None and chosen != "hls":
        raise QnnError(f"--data {data}: only --backend hls takes samples; RTL is simulated with the golden frames")
    if data is not None and layer is not None:
        raise QnnError(f"--data {data}: samples are for the whole network, not for --layer {layer}")
    samples = load_samples(data) if data is not None else None
    with working("building the simulation") as say:
        run = Simulation(images=images, stall=stall, seed=seed, wave=wave, backend=chosen)
        verdict = simulate_build(folder, run, layer=layer, data=samples, progress=say)
    show(verdict, json, *verdict_parts(verdict))
    if not verdict["passed"]:
        raise typer.Exit(1)


@app.command()
def synth(
    folder: BuildFolder,
    tool: Annotated[
        str, typer.Option(help="yosys; vitis: Vitis HLS on the HLS code; vivado: the bitstream.")
    ] = "yosys",
    top: Annotated[bool, typer.Option("--top/--no-top", help="yosys: also synthesize the whole top at once.")] = True,
    steps: Annotated[
        str | None, typer.Option(help="vitis: some of csim,csynth,cosim,export,syn,impl (default: csynth).")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="vivado: processes at a time (default: 2).")] = None,
    json: Json = False,
) -> None:
    """Count LUT, FF, CARRY, BRAM and DSP a layer, against the board's budget; with Vivado, make the bitstream."""
    from qnn_hw.results import save_result
    from qnn_hw.synthesis import synthesize_build
    from qnn_hw.tables import resource_parts, table

    if tool not in ("yosys", "vitis", "vivado"):
        raise QnnError(f"--tool {tool}: choose yosys, vitis or vivado")
    if steps is not None and tool != "vitis":
        raise QnnError(f"--steps {steps}: steps belong to --tool vitis")
    if jobs is not None and tool != "vivado":
        raise QnnError(f"--jobs {jobs}: jobs belong to --tool vivado")
    if tool == "vivado":
        from qnn_hw.synthesis import vivado

        with working("implementing with Vivado") as say:
            report = vivado.synthesize_with_vivado(folder, jobs=jobs or 2, progress=say)
        save_result(folder, "synthesis-vivado", report)
        title, rows, sentences = vivado.table_of(report)
        show(report, json, table(title, vivado.COLUMNS, rows), *sentences)
        return
    if tool == "vitis":
        from qnn_hw.synthesis.vitis import COLUMNS, synthesize_with_vitis, table_of

        with working("synthesizing with Vitis HLS") as say:
            chosen = (steps or "csynth").replace(",", " ").split()
            report = synthesize_with_vitis(folder, steps=chosen, progress=say)
        save_result(folder, "synthesis-vitis", report)
        title, rows, sentences = table_of(report)
        show(report, json, table(title, COLUMNS, rows), *sentences)
        if report["cosim"] and not report["cosim"]["passed"]:
            raise typer.Exit(1)
        return
    with working("synthesizing with yosys") as say:
        report = synthesize_build(folder, whole_top=top, progress=say)
    save_result(folder, "synthesis-yosys", report)
    show(report, json, *resource_parts(report))


@app.command()
def deploy(
    folder: BuildFolder,
    host: Annotated[str | None, typer.Option(help="The board: a Host of ~/.ssh/config, a name, or an address.")] = None,
    user: Annotated[
        str | None, typer.Option(help="Account there (default: that of ~/.ssh/config, else xilinx).")
    ] = None,
    ssh_config: Annotated[Path | None, typer.Option(help="ssh configuration read instead of ~/.ssh/config.")] = None,
    run: Annotated[bool, typer.Option("--run", help="Run the golden vectors on the board.")] = False,
    remote: Annotated[
        bool, typer.Option("--remote", help="Run through PYNQ.remote: no ssh, and no authentication either.")
    ] = False,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Run the driver on the simulated board instead.")
    ] = False,
    fault: Annotated[str | None, typer.Option(help="--simulate: what befalls the second batch.")] = None,
    package: Annotated[Path | None, typer.Option(help="Write an overlay wheel into this folder instead.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="--host: print what would be done, contact nobody.")
    ] = False,
    json: Json = False,
) -> None:
    """Put a build on a PYNQ board and prove it there; or on the simulated board, with the same driver."""
    _check_places(host=host is not None, simulate=simulate, package=package is not None)
    _check_belongs("host", host is not None, user=user, ssh_config=ssh_config, run=run, remote=remote, dry_run=dry_run)
    _check_belongs("simulate", simulate, fault=fault)
    if remote:
        _check_belongs("host without --remote", False, user=user, ssh_config=ssh_config, run=run)
    if package is not None:
        _package(folder, package, json)
    elif simulate:
        _simulate_board(folder, fault, json)
    elif host is not None:
        _deploy(folder, host, user, ssh_config, run=run, remote=remote, dry_run=dry_run, json=json)


def _check_places(**given: bool) -> None:
    chosen = [f"--{name}" for name, wanted in given.items() if wanted]
    if len(chosen) != 1:
        raise QnnError(
            f"deploy: give one of --host NAME, --simulate and --package FOLDER; found {' and '.join(chosen) or 'none'}"
        )


def _check_belongs(place: str, is_there: bool, **options: Any) -> None:
    for name, value in options.items():
        if value and not is_there:
            raise QnnError(f"--{name.replace('_', '-')} belongs to --{place}")


def _package(folder: Path, out: Path, json: bool) -> None:
    from qnn_hw import deployment

    wheel = deployment.package(folder, out)
    install = f"on the board, as docs/deploy.md says: pip install --no-deps --no-index --force-reinstall {wheel.name}"
    show({"wheel": str(wheel)}, json, f"written: {wheel}", install)


def _simulate_board(folder: Path, fault: str | None, json: bool) -> None:
    from qnn_hw import deployment
    from qnn_hw.deployment.tables import fault_parts, simulated_parts
    from qnn_hw.results import save_result

    with working("setting up the simulated board") as say:
        facts = deployment.simulate(folder, fault=fault, progress=say)
    if fault is not None:
        show(facts, json, *fault_parts(facts))
        passed = facts["recovered"]
    else:
        show(facts, json, *simulated_parts(facts))
        save_result(folder, "board-simulated", facts)
        passed = facts["bit_exact"]
    if not passed:
        raise typer.Exit(1)


def _deploy(
    folder: Path,
    host: str,
    user: str | None,
    ssh_config: Path | None,
    *,
    run: bool,
    remote: bool,
    dry_run: bool,
    json: bool,
) -> None:
    from qnn_hw import deployment
    from qnn_hw.deployment.tables import deployed_parts
    from qnn_hw.results import save_result

    if remote:
        with working("checking the build") as say:
            facts = deployment.deploy_remote(folder, host, dry_run=dry_run, progress=say)
    else:
        # Plain lines: a spinner would overwrite the questions of ssh and sudo.
        target = deployment.Target(host, user, ssh_config)
        facts = deployment.deploy(folder, target, run=run, dry_run=dry_run, progress=_say_line)
    show(facts, json, *deployed_parts(facts))
    if facts["run"]:
        save_result(folder, "board-simulated" if facts["simulated"] else "board", facts["run"])
    if facts["passed"] is False:
        raise typer.Exit(1)


def _say_line(text: str) -> None:
    print(f"qnn-hw: {text}", file=sys.stderr, flush=True)


@app.command()
def boards(json: Json = False) -> None:
    """List the boards an accelerator can be built for."""
    from dataclasses import asdict

    from qnn_hw.boards import list_boards
    from qnn_hw.tables import table

    known = list_boards()
    columns = ("name", "part", "LUT", "FF", "BRAM36", "DSP", "MHz", "PYNQ")
    rows = [[b.name, b.part, b.lut, b.ff, b.bram36, b.dsp, b.clock_mhz, ", ".join(b.pynq_versions)] for b in known]
    show([asdict(board) for board in known], json, table("Boards", columns, rows))


@app.command()
def doctor(json: Json = False) -> None:
    """Check this machine: compilers, simulator, synthesizer, disk, pynq; says what is missing and how to get it."""
    from dataclasses import asdict

    from qnn_hw.doctor import check
    from qnn_hw.tables import table

    checks = check()
    states = ["ok" if item.ok else "not here" if item.needed_for else "MISSING" for item in checks]
    rows = [
        [state, item.name, item.needed_for, item.found, item.remedy] for state, item in zip(states, checks, strict=True)
    ]
    columns = ("", "check", "only for", "found", "remedy")
    show([asdict(item) for item in checks], json, table("This machine", columns, rows))
    if "MISSING" in states:
        raise typer.Exit(1)


@app.command()
def train(
    dataset: Annotated[str, typer.Option(help="digits, mnist, fashion-mnist or cifar10.")],
    model: Annotated[str | None, typer.Option(help="Network of the zoo (default: the first for the data set).")] = None,
    data: Annotated[Path | None, typer.Option(help="File or folder of the data set (default: Keras's cache).")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the images (default: the recipe's).")] = None,
    optimizer: Annotated[str, typer.Option(help="adam; bop: binary weights by Bop, the rest by Adam.")] = "adam",
    learning_rate: Annotated[float | None, typer.Option(help="Adam's first (default: the recipe's).")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Images a step (default: the recipe's).")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of weights and order of images.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Model file (default: <model>.keras).")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted training.")] = False,
    distill: Annotated[Path | None, typer.Option(help="Trained .keras model whose scores are learnt as well.")] = None,
    tensorboard: Annotated[Path | None, typer.Option(help="Folder for TensorBoard's log.")] = None,
    json: Json = False,
) -> None:
    """Train a network of the zoo by its recipe: a .keras file for `qnn-hw build`."""
    from qnn_hw.train import Request, check, run_training, sentences

    request = Request(
        dataset=dataset,
        data=data,
        model=model,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        optimizer=optimizer,
        seed=seed,
        out=out,
        resume=resume,
        teacher=distill,
        tensorboard=tensorboard,
    )
    # What can be refused at once is refused before TensorFlow is loaded.
    check(request)
    with working("loading TensorFlow") as say:
        _load_tensorflow()
        facts = run_training(request, say)
    show(facts, json, sentences(facts))


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the two builds go.")] = Path("build"),
    json: Json = False,
) -> None:
    """Train two small binarized networks on the digits set, build, prove and synthesize them."""
    from qnn_hw.demo import run_demo
    from qnn_hw.tables import demo_parts

    with working("loading TensorFlow") as say:
        _load_tensorflow()
        report = run_demo(out, progress=say)
    show(report, json, *demo_parts(report))
    if not report["passed"]:
        raise typer.Exit(1)
