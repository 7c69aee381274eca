# SPDX-License-Identifier: Apache-2.0
"""A hand-written build for the simulation tests: a core that sums each frame's elements.

Its RTL is in `data/`, the same core in C++ and as Vitis HLS might print it in `data/hls/`; the golden values are
computed here with NumPy.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from qnn_hw.simulation import StreamProbe, render_testbench, write_bench

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(__file__).resolve().parent / "data"
SHELL = ("qnn_shell", "qnn_axil_registers", "qnn_frame_unpack", "qnn_frame_pack", "qnn_hash_rom")
SHAPE = (5, 3, 4)  # of a frame: 60 elements, 7.5 outside beats
GRAPH_HASH = "cafef00ddeadbeef89abcdef01234567"


def write_summing_build(folder: Path, *, n_frames: int = 5, seed: int = 0) -> Path:
    """Write a complete build folder with `n_frames` golden frames and return it."""
    (folder / "rtl" / "data").mkdir(parents=True)
    (folder / "golden").mkdir()
    for path in (*(ROOT / "rtl" / f"{name}.sv" for name in SHELL), *sorted(DATA.glob("*.sv"))):
        shutil.copyfile(path, folder / "rtl" / path.name)
    words = [GRAPH_HASH[i : i + 8] for i in range(24, -1, -8)]
    (folder / "rtl" / "data" / "graph_hash.mem").write_text("\n".join(words) + "\n", encoding="utf-8")

    frames = np.random.default_rng(seed).integers(0, 256, (n_frames, *SHAPE))
    pairs = frames.reshape(n_frames, 5, 3, 2, 2).sum(axis=-1)
    golden = {
        "input": frames,
        "pairs": pairs,
        "quads": pairs.sum(axis=-1, keepdims=True),
        "sum": frames.reshape(n_frames, -1).sum(axis=1),
    }
    for name, array in golden.items():
        np.save(folder / "golden" / f"{name}.npy", array)
    streams = [
        {"name": "pairs", "shape": [5, 3, 2], "dtype": "u9", "elements_per_beat": 2, "path": "u_top.u_core.pairs"},
        {"name": "quads", "shape": [5, 3, 1], "dtype": "u10", "elements_per_beat": 1, "path": "u_top.u_core.quads"},
    ]
    manifest = {
        "schema": 1,
        "name": "summing",
        "graph_hash": GRAPH_HASH,
        "clock_mhz": 100,
        "dma_width_bits": 64,
        "output": "class",
        "n_classes": 1,
        "input": {"stream": "input", "shape": list(SHAPE), "dtype": "u8", "wire_bits": 8, "lanes": 4},
        "result": {"stream": "sum", "shape": [1], "dtype": "u32"},
        "frame_beats_in": 8,
        "frame_beats_out": 1,
        "streams": streams,
        "fifos": [{"name": "quads_fifo", "depth": 8}],
        "predicted": {"interval_cycles": 15},
    }
    (folder / "qnn.json").write_text(json.dumps(manifest), encoding="utf-8")
    probes = [StreamProbe("pairs", "u_top.u_core.pairs", 18, 15), StreamProbe("quads", "u_top.u_core.quads", 10, 15)]
    write_bench(folder, render_testbench(probes, dma_width_bits=64, beats_in=8, beats_out=1))
    return folder


def add_summing_hls(folder: Path) -> Path:
    """Add the core in C++ to a build of `write_summing_build` and return its `hls` folder."""
    hls = folder / "hls"
    templates = ROOT / "hls_templates"
    for source, target in (
        (DATA / "hls" / "qnn_core.sv", "cosim/qnn_core.sv"),
        (templates / "cosim" / "qnn_hls_stage.sv", "cosim/qnn_hls_stage.sv"),
        (templates / "cosim" / "dpi.cpp", "cosim/dpi.cpp"),
        (templates / "host" / "stage_table.hpp", "host/stage_table.hpp"),
        (templates / "shims" / "hls_stream.h", "include/shims/hls_stream.h"),
        (DATA / "hls" / "stages.cpp", "host/stages.cpp"),
        (DATA / "hls" / "summing.hpp", "include/summing.hpp"),
        (DATA / "hls" / "wrapper.sv", "rtl/qnn_core.sv"),
    ):
        (hls / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, hls / target)
    timing = {"interval_cycles": 16, "latency_cycles": 80}
    (hls / "cosim" / "cosim.json").write_text(json.dumps(timing), encoding="utf-8")
    return hls


def add_summing_verilog(folder: Path) -> Path:
    """Write the hand-written Verilog and its table to `folder` and return it."""
    folder.mkdir(parents=True)
    shutil.copyfile(DATA / "hls" / "qnn_hls_core.v", folder / "qnn_hls_core.v")
    (folder / "qnn_hls_core_beats_ROM_AUTO_1R.dat").write_text("0000000f\n", encoding="utf-8")
    return folder
