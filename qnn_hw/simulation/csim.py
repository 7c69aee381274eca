# SPDX-License-Identifier: Apache-2.0
"""C simulation: compiles the HLS C++ of a build with g++ and runs frames through it, on all cores.

Two things are run: the stages one after the other (every stream can be compared) and the whole core `qnn_hls_core`.
Needs g++ and `ap_int.h`, see `ap_types_dir`; no vendor tool.
"""

import hashlib
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from qnn_hw.backends.hls.core import CORE, RENAMINGS
from qnn_hw.errors import QnnError
from qnn_hw.ir.datatype import DataType, IntArray
from qnn_hw.ir.graph import Graph, TensorType
from qnn_hw.ir.packing import to_bits
from qnn_hw.simulation.bench import hls_code
from qnn_hw.simulation.bench import verilator as tools
from qnn_hw.simulation.bench.judge import Finding
from qnn_hw.simulation.verilator import cache_folder, with_qnn_error

Words = npt.NDArray[np.uint32]

SOURCES = ("qnn_core.cpp", "host/stages.cpp", "host/csim.cpp")

WORKING_BYTES = 1 << 26
"""Room for codes while they are packed into words or unpacked."""

ap_types_dir = with_qnn_error(hls_code.ap_types_dir)


def hls_folder(build: Path) -> Path:
    """Return the folder with the HLS C++ of a build.

    Raises:
        QnnError: if the build has none: it is older than this version, or the network cannot be printed as C++.
    """
    folder = build / "hls"
    reason = folder / hls_code.NOT_WRITTEN
    if reason.is_file():
        raise QnnError(f"{build}: has no HLS C++: {reason.read_text(encoding='utf-8').strip()}")
    missing = next((name for name in SOURCES if not (folder / name).is_file()), None)
    if missing is not None:
        raise QnnError(f"{build}: has no hls/{missing}, an older qnn-hw wrote this build; build again")
    return folder


def compile_core(hls: Path, cache: Path | None = None) -> Path:
    """Return the program that runs the C++ in the folder `hls`, compiled now or taken from the cache.

    Its key is the SHA-256 of all sources and headers, weights among them, of the flags, and of g++'s version.

    Raises:
        QnnError: without g++ or `ap_int.h`; with the compiler's first error, where the whole log is named.
    """
    types = ap_types_dir()
    if shutil.which("g++") is None:
        raise QnnError("C simulation: g++ is not in PATH, install it: apt-get install g++")
    flags = [*hls_code.language_flags(), "-pipe", *hls_code.include_flags(hls)]
    folder = (cache or cache_folder()) / "csim"
    key = _key(hls, types)
    place = folder / key
    with tools.locked(folder / f"{key}.lock"):
        if not (place / "csim").is_file():
            tools.make_folder(place, lambda work: _compile(work, hls, flags, folder / f"{key}.log"))
    return place / "csim"


def _key(hls: Path, types: Path) -> str:
    version = subprocess.run(["g++", "-dumpfullversion"], capture_output=True, text=True, check=False).stdout
    digest = hashlib.sha256("\0".join([*hls_code.language_flags(), version.strip(), str(types)]).encode())
    for path in _sources(hls):
        digest.update(f"\0{path.relative_to(hls).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:32]


def _sources(hls: Path) -> list[Path]:
    """Everything the program can be made of; not what Vitis HLS left in a folder of its own."""
    folders = [path for name in ("host", "include", "weights") for path in (hls / name).rglob("*")]
    return sorted(path for path in [*hls.iterdir(), *folders] if path.suffix in (".cpp", ".hpp", ".h"))


def _compile(work: Path, hls: Path, flags: Sequence[str], log: Path) -> None:
    objects = [str(work / f"{i}.o") for i in range(len(SOURCES))]
    commands = [
        ["g++", *flags, "-c", str(hls / name), "-o", target] for name, target in zip(SOURCES, objects, strict=True)
    ]
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for done in list(pool.map(_run, commands)):
            _check_compiler(done, hls, log)
    _check_compiler(_run(["g++", *objects, "-o", str(work / "csim")]), hls, log)
    for path in objects:
        Path(path).unlink()


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _check_compiler(done: subprocess.CompletedProcess[str], hls: Path, log: Path) -> None:
    if done.returncode != 0:
        output = done.stdout + done.stderr
        log.write_text(output, encoding="utf-8")
        problem = tools.first_problem(output)
        raise QnnError(f"{hls}: g++ refused the HLS C++: {problem}; the whole log is in {log}")


def run_core(program: Path, graph: Graph, codes: IntArray, *, streams: bool) -> dict[str, IntArray]:
    """Run frames through a compiled core, shared among all cores of the machine.

    Args:
        program: what `compile_core` returned.
        graph: the folded graph it was printed from.
        codes: codes on the core's input, (N, *shape).
        streams: run the stages one after the other and return what every one delivers; else run the whole core and
            return its output alone.

    Returns:
        tensor name -> values (N, *shape).

    Raises:
        QnnError: if the program fails, with what it said.
    """
    kind = next(iter(graph.inputs.values()))
    names = [t for op in graph.ops if not isinstance(op, RENAMINGS) for t in op.outputs]
    if not streams:
        names = [_source(graph, graph.outputs[0])]
    with tempfile.TemporaryDirectory(prefix="qnn-hw-csim-") as folder:
        work = Path(folder)
        with (work / "input.bin").open("wb") as file:
            for words in pack_words(codes, kind):
                file.write(words.tobytes())
        parts = _parts(len(codes), os.cpu_count() or 1)
        processes = []
        for first, count in parts:
            out = work / str(first)
            out.mkdir()
            arguments = ["stages" if streams else "core", str(work / "input.bin"), str(out), str(first), str(count)]
            processes.append(
                subprocess.Popen(
                    [str(program), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
                )
            )
        complaints = [process.communicate()[1] for process in processes]
        for process, complaint in zip(processes, complaints, strict=True):
            if process.returncode != 0:
                last = (complaint.strip().splitlines() or [f"it ended with exit status {process.returncode}"])[-1]
                raise QnnError(f"{graph.name}: the C simulation stopped: {last}")
        results = {}
        for name in names:
            files = [work / str(first) / f"{name}.bin" for first, _ in parts]
            results[name] = np.concatenate([_read(file, graph.types[name]) for file in files])
        return results


def _source(graph: Graph, tensor: str) -> str:
    """Return the computed tensor that `tensor` is a renaming of."""
    op = graph.producer(tensor)
    return _source(graph, op.inputs[0]) if isinstance(op, RENAMINGS) else tensor


def _parts(frames: int, processes: int) -> list[tuple[int, int]]:
    """Return (first, count) of about equal shares of the frames."""
    count = max(1, min(frames, processes))
    ends = [frames * i // count for i in range(count + 1)]
    return [(a, b - a) for a, b in itertools.pairwise(ends)]


def pack_words(codes: IntArray, kind: TensorType) -> Iterator[Words]:
    """Yield (frames, beats * words a beat): frames as `stage_table.hpp` wants them, some at a time."""
    step = max(1, WORKING_BYTES // (8 * kind.elements * kind.dtype.bits))
    for start in range(0, len(codes), step):
        block = np.asarray(codes[start : start + step], np.int64).reshape(-1, kind.lanes)
        bits = to_bits(block, kind.dtype.bits)
        bits = np.pad(bits, ((0, 0), (0, -kind.width_bits % 32)))
        words = np.packbits(bits, axis=1, bitorder="little").view("<u4")
        yield words.reshape(-1, kind.beats * words.shape[1]).astype(np.uint32)


def unpack_words(words: Words, kind: TensorType) -> IntArray:
    """Return the values (N, *shape) in frames of words: the inverse of `pack_words`."""
    width, bits = kind.width_bits, kind.dtype.bits
    frame_words = kind.beats * -(-width // 32)
    frames = words.reshape(-1, frame_words)
    step = max(1, WORKING_BYTES // (8 * kind.elements * bits))
    values = np.empty((len(frames), kind.elements), np.int64)
    for start in range(0, len(frames), step):
        block = np.ascontiguousarray(frames[start : start + step], "<u4")
        octets = block.view(np.uint8).reshape(-1, -(-width // 32) * 4)
        fields = np.unpackbits(octets, axis=1, bitorder="little", count=width).reshape(-1, bits)
        codes = _codes(fields, kind.dtype)
        values[start : start + step] = kind.dtype.values(codes).reshape(-1, kind.elements)
    return values.reshape(-1, *kind.shape)


def _codes(fields: npt.NDArray[np.uint8], dtype: DataType) -> IntArray:
    """(elements, bits), LSB first -> codes."""
    codes = np.zeros(len(fields), np.int64)
    for bit in range(dtype.bits):
        weight = -(1 << bit) if dtype.signed and bit == dtype.bits - 1 else 1 << bit
        codes += fields[:, bit] * np.int64(weight)
    return codes


def _read(file: Path, kind: TensorType) -> IntArray:
    return unpack_words(np.fromfile(file, np.uint32), kind)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a C simulation has to deliver.

    Attributes:
        codes: codes on the core's input, (N, *shape).
        streams: tensor -> values (M, *shape) of the first M frames, in pipeline order; {} to compare no streams.
        results: values of the core's output, (N, *shape).
    """

    codes: IntArray
    streams: Mapping[str, IntArray]
    results: IntArray


def check_core(
    hls: Path, graph: Graph, expected: Expected, say: Callable[[str], None] = lambda text: None
) -> tuple[list[Finding], IntArray]:
    """Compile and run the HLS C++ in `hls`; return what differs, and the core's results (N, *shape).

    Raises:
        QnnError: if it cannot be compiled or stops.
    """
    say("compiling the HLS C++")
    program = compile_core(hls)
    findings: list[Finding] = []
    if expected.streams:
        frames = len(next(iter(expected.streams.values())))
        say(f"C simulation of {frames} frames, every stream")
        got = run_core(program, graph, expected.codes[:frames], streams=True)
        findings += differences(graph, got, expected.streams)
    say(f"C simulation of {len(expected.codes)} frames, the whole core")
    name = _source(graph, graph.outputs[0])
    (result,) = run_core(program, graph, expected.codes, streams=False).values()
    if not findings:
        # Where a stage is wrong the core is, too; the stage says more.
        findings += differences(graph, {name: result}, {name: expected.results}, f"{CORE}, ")
    return findings, result


def differences(
    graph: Graph, got: Mapping[str, IntArray], want: Mapping[str, IntArray], where: str = ""
) -> list[Finding]:
    """Return the first difference of the first differing stream of `want`, naming those behind it; [] if all agree."""
    differing = [name for name in want if name in got and not np.array_equal(got[name], want[name])]
    if not differing:
        return []
    name = differing[0]
    kind = graph.types[name]
    wrong = np.argwhere(got[name] != want[name])
    frame, *coordinates = (int(i) for i in wrong[0])
    element = int(np.ravel_multi_index(tuple(coordinates), kind.shape))
    axes = {1: ["channel"], 3: ["row", "column", "channel"]}.get(
        len(coordinates), [f"axis {i}" for i in range(len(coordinates))]
    )
    place = ", ".join(f"{axis} {value}" for axis, value in zip(axes, coordinates, strict=True))
    expected, found = int(want[name][tuple(wrong[0])]), int(got[name][tuple(wrong[0])])
    text = (
        f"{where}stream {name}: frame {frame}, {place}: expected {expected}, got {found} ({kind.dtype}; beat "
        f"{element // kind.lanes}, lane {element % kind.lanes}); {len(wrong)} of {got[name].size} elements differ"
    )
    if differing[1:]:
        text += f"; behind it differ, too: {', '.join(differing[1:])}"
    return [
        Finding(
            kind="value",
            stream=name,
            text=text,
            frame=frame,
            coordinates=tuple(coordinates),
            want=expected,
            got=found,
        )
    ]
