# SPDX-License-Identifier: Apache-2.0
"""Simulation of the Verilog that Vitis HLS writes, behind the wrapper `hls/rtl/qnn_core.sv` of a build.

No Vitis HLS is needed, and none has been at work: `data/qnn_hls_core.v` is written by hand in its conventions.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest

from qnn_hw.backends.hls.cosim import print_wrapper
from qnn_hw.folding import LayerFolding
from qnn_hw.ir import BIPOLAR
from qnn_hw.ir.graph import Graph
from qnn_hw.simulation import simulate
from tests.random_nets import Net
from tests.test_elaborations import Elaboration, accelerator

DATA = Path(__file__).resolve().parent / "data"
CASE = Elaboration(Net((10,), classes=3, input_dtype=BIPOLAR, centred=False), folding=(("head", LayerFolding(1, 10)),))


@pytest.fixture(scope="module")
def build_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = accelerator(CASE, 0)
    path = made.write(tmp_path_factory.mktemp("hls-rtl") / "build")
    write_verilog(made.folded, path / "hls" / "vitis" / "solution1" / "syn" / "verilog")
    return path


def write_verilog(graph: Graph, folder: Path) -> None:
    """Put the hand-written module and its ROMs where Vitis HLS puts its own."""
    folder.mkdir(parents=True)
    shutil.copyfile(DATA / "qnn_hls_core.v", folder / "qnn_hls_core.v")
    weights = (graph.constants["head.weights"] > 0) @ (1 << np.arange(10))
    for name, words in (
        ("weights", weights),
        ("slopes", graph.constants["classifier.slopes"]),
        ("biases", graph.constants["classifier.biases"]),
    ):
        text = "".join(f"{int(word) % 2**32:08x}\n" for word in words)
        (folder / f"qnn_hls_core_{name}_ROM_AUTO_1R.dat").write_text(text, encoding="utf-8")


def test_the_wrapper_pads_the_data_to_whole_bytes(build_dir: Path) -> None:
    wrapper = (build_dir / "hls" / "rtl" / "qnn_core.sv").read_text()
    assert "    input  logic [9:0] s_axis_tdata," in wrapper
    assert "      .s_axis_TDATA({6'd0, s_axis_tdata})," in wrapper


def test_whole_bytes_are_not_padded() -> None:
    made = accelerator(Elaboration(Net((16,), classes=3), folding=(("head", LayerFolding(1, 16)),)), 0)
    assert "      .s_axis_TDATA(s_axis_tdata)," in print_wrapper(made.folded)


def test_every_scenario_passes_with_cycles(build_dir: Path) -> None:
    verdict = simulate(build_dir, backend="hls-rtl")
    assert verdict.passed, str(verdict)
    assert verdict.measured["interval_cycles"] == 5  # one beat in, three classes, one beat out
    assert verdict.measured["fifo_high_water"] is None


def test_a_wrong_rom_is_found_at_the_outside_output(build_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "verilog"
    shutil.copytree(build_dir / "hls" / "vitis" / "solution1" / "syn" / "verilog", folder)
    (folder / "qnn_hls_core_biases_ROM_AUTO_1R.dat").write_text("80000000\n80000000\n00000000\n")
    golden = np.load(build_dir / "golden" / "class_index.npy")
    assert (golden != 2).any(), "the defect would not show"
    verdict = simulate(
        build_dir, backend="hls-rtl", hls_verilog=folder, scenarios=["steady"], work_dir=tmp_path / "work"
    )
    assert verdict.findings[0].startswith("steady: stream outside output: frame "), str(verdict)
