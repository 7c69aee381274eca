# SPDX-License-Identifier: Apache-2.0
"""qnn_shell with qnn_frame_unpack, qnn_frame_pack, qnn_axil_registers, qnn_hash_rom: all widths, TLAST, registers.

Each shape is one Verilator build. The golden beats of the core's input are the frames themselves (NumPy), so that
unpacking is checked element by element; the results are sums of a frame.
"""

import json
import os
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pytest

from qnn_hw.simulation import StreamProbe, find_verilator, render_testbench, run, simulate, write_bench
from qnn_hw.simulation.bench.runner import build_simulator
from qnn_hw.simulation.bench.verilator import TestOutcome

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
LIBRARY = ("qnn_shell", "qnn_axil_registers", "qnn_frame_unpack", "qnn_frame_pack", "qnn_hash_rom")
GRAPH_HASH = "00112233445566778899aabbccddeeff"


@dataclass(frozen=True)
class Shape:
    """Parameters of the shell under test."""

    DmaWidth: int
    WireWidth: int
    ElemWidth: int
    FrameElements: int
    CoreLanes: int
    OutWords: int

    def __str__(self) -> str:
        return (
            f"dma{self.DmaWidth}-wire{self.WireWidth}-elem{self.ElemWidth}-frame{self.FrameElements}"
            f"-lanes{self.CoreLanes}-words{self.OutWords}"
        )


WHOLE_FRAME = Shape(64, 1, 1, 784, 784, 10)  # 13 beats -> 1; ten words, five beats
PARTIAL = Shape(128, 4, 3, 84, 4, 7)  # 32 elements a beat, 8 core beats each, 5 in a frame's last; 7 words, 2 beats
SINGLE_BEAT = Shape(64, 8, 8, 8, 8, 1)  # a frame is one beat on both sides


def write_build(folder: Path, shape: Shape, n_frames: int = 5) -> Path:
    """Write a build of the echo core in `shape`."""
    (folder / "rtl" / "data").mkdir(parents=True)
    (folder / "golden").mkdir()
    for name in LIBRARY:
        shutil.copyfile(ROOT / "rtl" / f"{name}.sv", folder / "rtl" / f"{name}.sv")
    text = (HERE / "data" / "echo_top.sv").read_text()
    for name, value in asdict(shape).items():
        text = text.replace(f"@{name}@", str(value))
    (folder / "rtl" / "qnn_top.sv").write_text(text)
    words = [GRAPH_HASH[i : i + 8] for i in (24, 16, 8, 0)]
    (folder / "rtl" / "data" / "graph_hash.mem").write_text("\n".join(words) + "\n")
    frames = np.random.default_rng(7).integers(0, 1 << shape.ElemWidth, (n_frames, shape.FrameElements))
    np.save(folder / "golden" / "input.npy", frames)
    np.save(folder / "golden" / "core_in.npy", frames)
    np.save(folder / "golden" / "words.npy", frames.sum(axis=1, keepdims=True) + np.arange(shape.OutWords))
    beats_in = -(-shape.FrameElements * shape.WireWidth // shape.DmaWidth)
    beats_out = -(-shape.OutWords * 32 // shape.DmaWidth)
    n_core_beats = shape.FrameElements // shape.CoreLanes
    dtype = f"u{shape.ElemWidth}"
    manifest = {
        "schema": 1,
        "name": "echo",
        "graph_hash": GRAPH_HASH,
        "clock_mhz": 100,
        "dma_width_bits": shape.DmaWidth,
        "output": "logits",
        "n_classes": shape.OutWords,
        "input": {
            "stream": "input",
            "shape": [shape.FrameElements],
            "dtype": dtype,
            "wire_bits": shape.WireWidth,
            "lanes": shape.CoreLanes,
        },
        "result": {"stream": "words", "shape": [shape.OutWords], "dtype": "u32"},
        "frame_beats_in": beats_in,
        "frame_beats_out": beats_out,
        "streams": [
            {
                "name": "core_in",
                "shape": [shape.FrameElements],
                "dtype": dtype,
                "elements_per_beat": shape.CoreLanes,
                "path": "u_top.core_in",
            }
        ],
        "fifos": [{"name": f"fifo{i}", "depth": 64} for i in range(3)],
        "predicted": {"interval_cycles": max(beats_in, n_core_beats, shape.OutWords)},
    }
    (folder / "qnn.json").write_text(json.dumps(manifest))
    probe = StreamProbe("core_in", "u_top.core_in", shape.CoreLanes * shape.ElemWidth, n_core_beats)
    testbench = render_testbench([probe], dma_width_bits=shape.DmaWidth, beats_in=beats_in, beats_out=beats_out)
    write_bench(folder, testbench)
    return folder


@pytest.mark.parametrize("shape", [WHOLE_FRAME, PARTIAL, SINGLE_BEAT], ids=str)
def test_all_scenarios_at_full_throughput(shape: Shape, tmp_path: Path) -> None:
    verdict = simulate(write_build(tmp_path / "build", shape), frames=6)
    assert verdict.passed, str(verdict)
    assert verdict.measured["interval_cycles"] == verdict.measured["predicted_interval_cycles"]
    assert verdict.measured["fifo_high_water"] == {"fifo0": 11, "fifo1": 22, "fifo2": 33}


@pytest.mark.parametrize("shape", [WHOLE_FRAME, PARTIAL, SINGLE_BEAT, Shape(64, 8, 8, 64, 32, 1)], ids=str)
def test_verilator_lint_has_nothing_to_say(shape: Shape) -> None:
    root = find_verilator()
    parameters = [f"-G{name}={value}" for name, value in asdict(shape).items()]
    files = [str(ROOT / "rtl" / f"{name}.sv") for name in LIBRARY]
    done = subprocess.run(
        [str(root / "bin" / "verilator_bin"), "--lint-only", "-Wall", "--top", "qnn_shell", *parameters, *files],
        env={**os.environ, "VERILATOR_ROOT": str(root)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_input_waits_for_the_tlast_queue_and_marks_read_in_order(tmp_path: Path) -> None:
    folder = write_build(tmp_path / "build", SINGLE_BEAT)
    simulate(folder, scenarios=["registers"])  # writes vectors and settings
    work = folder / "sim" / "work"
    result = run(
        build_simulator(folder),
        test_module="shell_scenarios",
        python_path=[HERE],
        work_dir=work,
        plusargs=[
            f"+qnn_data={folder / 'rtl' / 'data'}",
            f"+qnn_golden={work / 'vectors'}",
            f"+qnn_events={work / 'events.txt'}",
        ],
        env={"QNN_BENCH_CONFIG": str(work / "config.json")},
    )
    assert result.tests == (
        TestOutcome("tlast_queue_full", True, None),
        TestOutcome("fifo_marks", True, None),
    )
