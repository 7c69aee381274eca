# SPDX-License-Identifier: Apache-2.0
"""C simulation of a build: verdicts, planted defects, the C++ testbench, samples of one's own, what is refused."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from qnn_hw.backends.folder import read_build
from qnn_hw.errors import QnnError
from qnn_hw.folding import LayerFolding
from qnn_hw.ir import BIPOLAR, DataType
from qnn_hw.ir.graph import TensorType
from qnn_hw.proof import Simulation, simulate_build, simulate_c
from qnn_hw.samples import Samples
from qnn_hw.simulation import csim
from qnn_hw.simulation.bench import hls_code
from qnn_hw.tables import to_text, verdict_parts
from tests.cli.session import run
from tests.random_nets import Conv, Net
from tests.test_elaborations import Elaboration, accelerator

CASE = Elaboration(
    Net((6, 6, 2), (Conv(4, same=True, pool=(2, 2)),), (5,), classes=3),
    folding=(("conv0", LayerFolding(2, 6)), ("fc0", LayerFolding(5, 4))),
)
HLS = Simulation(backend="hls")


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return accelerator(CASE, 3).write(tmp_path_factory.mktemp("csim") / "sound")


@pytest.fixture
def copy(build: Path, tmp_path: Path) -> Path:
    return shutil.copytree(build, tmp_path / "copy")


def change(path: Path, edit: Callable[[str], str]) -> None:
    text = path.read_text()
    edited = edit(text)
    assert edited != text, f"{path.name}: nothing was changed"
    path.write_text(edited)


def first_finding(build: Path) -> str:
    verdict = simulate_c(read_build(build), HLS)
    assert not verdict["passed"], "the planted defect was not caught"
    return verdict["scenarios"][0]["findings"][0]["text"]


@pytest.mark.parametrize(
    "kind",
    [
        TensorType((3, 5), BIPOLAR, 5),
        TensorType((4, 6), DataType(9, signed=True), 6),
        TensorType((7,), DataType(32, signed=True), 7),
        TensorType((4,), DataType(32), 1),
        TensorType((66,), DataType(2, signed=True), 33),
        TensorType((2, 2, 3), DataType(11), 1),
    ],
    ids=str,
)
def test_words_and_values_are_inverse(kind: TensorType) -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, (5, *kind.shape)) if kind.dtype.bipolar else None
    if codes is None:
        codes = rng.integers(kind.dtype.minimum, kind.dtype.maximum, (5, *kind.shape), endpoint=True)
    words = np.concatenate(list(csim.pack_words(codes, kind)))
    assert words.shape == (5, kind.beats * -(-kind.width_bits // 32))
    assert np.array_equal(csim.unpack_words(words, kind), kind.dtype.values(codes))


def test_words_have_element_0_in_the_least_significant_bits() -> None:
    kind = TensorType((5,), DataType(12), 5)
    (words,) = csim.pack_words(np.array([[0x123, 0x456, 0x789, 0xABC, 0xDEF]]), kind)
    assert [f"{word:08x}" for word in words[0]] == ["89456123", "0defabc7"]


def test_sound_build_passes(build: Path) -> None:
    verdict = simulate_c(read_build(build), HLS)
    assert verdict["passed"], verdict
    assert verdict["csim"]["streams"] == 10
    assert verdict["csim"]["results_equal"] == verdict["frames"] == 4
    text = to_text(*verdict_parts(verdict))
    assert "random: HLS C++, 4 frames in C simulation" in text
    assert "results equal: 4 of 4" in text
    assert "frame interval, latency, FIFO fill: not applicable" in text
    assert text.endswith("PASSED\n")


def test_images_limit_the_frames(build: Path) -> None:
    assert simulate_c(read_build(build), Simulation(backend="hls", images=2))["frames"] == 2


def test_one_weight_bit_is_located(copy: Path) -> None:
    table = copy / "hls" / "weights" / "conv0_acc.hpp"
    change(table, lambda text: text.replace("    {0x", "    {0x1 ^ 0x", 1))
    finding = first_finding(copy)
    # Tap (0, 0) of the kernel lies in the padding of row 0 and of column 0.
    assert finding.startswith("stream conv0_acc: frame 0, row 1, column 1, channel 0: expected "), finding
    assert "; behind it differ, too: " in finding


def test_a_defect_in_a_header_is_located(copy: Path) -> None:
    header = copy / "hls" / "include" / "qnn" / "threshold.hpp"
    change(header, lambda text: text.replace("value >= limit ? 1 : 0", "value >= limit ? 0 : 1"))
    finding = first_finding(copy)
    assert finding.startswith("stream conv0: frame "), finding


def test_a_defect_in_the_wiring_of_the_core_is_located(copy: Path) -> None:
    """Every stage is right by itself, the core sends its output through the wrong table."""
    source = copy / "hls" / "qnn_core.cpp"

    def swap(text: str) -> str:
        head, core = text.rsplit("void qnn_hls_core(", 1)
        extra = "  hls::stream<ap_uint<32>> wrong;\n"
        core = core.replace(", m_axis);\n}", ", wrong);\n  m_axis.write(wrong.read() + 1);\n}")
        return head + "void qnn_hls_core(" + core.replace("#pragma HLS DATAFLOW\n", "#pragma HLS DATAFLOW\n" + extra)

    change(source, swap)
    finding = first_finding(copy)
    assert finding.startswith("qnn_hls_core, stream class_index: frame 0, channel 0: expected "), finding


def test_a_stage_that_reads_too_much_stops_with_the_stream_named(copy: Path) -> None:
    source = copy / "hls" / "qnn_core.cpp"
    change(source, lambda text: text.replace("const unsigned Vectors = 36;", "const unsigned Vectors = 37;", 1))
    with pytest.raises(QnnError, match=r"^random: the C simulation stopped: .*read while empty"):
        simulate_c(read_build(copy), HLS)


def test_testbench_in_plain_gxx(copy: Path) -> None:
    hls = copy / "hls"

    def compiled_and_run() -> subprocess.CompletedProcess[str]:
        flags = ["-std=c++14", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wno-unknown-pragmas"]
        command = ["g++", *flags, *hls_code.include_flags(hls), "testbench.cpp", "qnn_core.cpp", "-o", "testbench"]
        subprocess.run(command, cwd=hls, check=True)
        return subprocess.run([hls / "testbench"], capture_output=True, text=True, check=False, cwd=hls)

    good = compiled_and_run()
    assert (good.returncode, good.stdout) == (0, "testbench: 4 frames as expected\n")
    lines = (hls / "data" / "result.dat").read_text().split()
    wrong = f"{int(lines[2], 16) ^ 1:08x}"
    (hls / "data" / "result.dat").write_text("\n".join([*lines[:2], wrong, *lines[3:]]) + "\n")
    bad = subprocess.run([hls / "testbench", hls / "data"], capture_output=True, text=True, check=False)
    assert (bad.returncode, bad.stdout) == (1, f"testbench: frame 2, beat 0: expected {wrong}, got {lines[2]}\n")
    nothing = subprocess.run([hls / "testbench", hls], capture_output=True, text=True, check=False)
    assert nothing.returncode == 2
    assert "give their folder as first argument" in nothing.stdout


def test_samples_of_ones_own(build: Path, tmp_path: Path) -> None:
    graph = read_build(build).graph
    x = np.random.default_rng(5).integers(0, 256, (50, *next(iter(graph.inputs.values())).shape))
    classes = accelerator(CASE, 3).emulate(x)
    labels = np.where(np.arange(50) < 10, (classes + 1) % 3, classes)
    np.savez(tmp_path / "data.npz", images=x, labels=labels)
    spec = f"{tmp_path / 'data.npz'}:images,labels"
    outcome = run("simulate", build, "--backend", "hls", "--data", spec, "--json")
    assert outcome.code == 0, outcome.err
    verdict = json.loads(outcome.out)
    assert verdict["csim"]["frames"] == 50
    assert verdict["csim"]["stream_frames"] == 20
    assert verdict["csim"]["accuracy"] == 0.8
    assert [scenario["name"] for scenario in verdict["scenarios"]] == ["C simulation"]


def test_samples_are_for_the_c_simulation_alone(build: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((1, 6, 6, 2), np.int64))
    data = tmp_path / "d.npz"
    message = f"qnn-hw: --data {data}: only --backend hls takes samples; RTL is simulated with the golden frames"
    assert run("simulate", build, "--data", data).message == message
    message = f"qnn-hw: --data {data}: samples are for the whole network, not for --layer fc0"
    assert run("simulate", build, "--data", data, "--backend", "hls", "--layer", "fc0").message == message
    with pytest.raises(QnnError, match=r"^data: only the C simulation of the whole HLS C\+\+ takes other samples"):
        simulate_build(build, data=Samples(np.zeros((1, 6, 6, 2)), None, "test"))


def test_unknown_backend_is_refused(build: Path) -> None:
    message = "qnn-hw: --backend verilog: choose one of rtl, hls, hls-rtl"
    assert run("simulate", build, "--backend", "verilog").message == message


def test_a_build_without_hls_is_stale(copy: Path) -> None:
    shutil.rmtree(copy / "hls")
    with pytest.raises(
        QnnError, match=r"copy: has no hls/qnn_core.cpp, an older qnn-hw wrote this build; build again$"
    ):
        simulate_c(read_build(copy), HLS)


def test_hls_of_another_accelerator_is_stale(copy: Path) -> None:
    config = copy / "hls" / "hls_config.cfg"
    change(config, lambda text: re.sub(r"graph_hash=\w+", f"graph_hash={'0' * 32}", text))
    with pytest.raises(QnnError, match=r"copy/hls: stale, its graph hash is 0{32} and that of qnn.json \w{32}; build"):
        simulate_c(read_build(copy), HLS)


def test_the_first_error_of_the_compiler_is_shown_and_the_log_kept(copy: Path) -> None:
    change(copy / "hls" / "qnn_core.cpp", lambda text: text.replace("void stage_fc0(", "void stage_fc0 nonsense(", 1))
    with pytest.raises(QnnError, match=r"g\+\+ refused the HLS C\+\+: .*qnn_core.cpp:\d+:\d+: error: ") as caught:
        simulate_c(read_build(copy), HLS)
    log = Path(str(caught.value).rpartition("the whole log is in ")[2])
    assert "nonsense" in log.read_text()


def test_without_a_compiler(build: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(QnnError, match=r"^C simulation: g\+\+ is not in PATH, install it: apt-get install g\+\+$"):
        csim.compile_core(build / "hls")


def test_ap_int_comes_from_hls4ml_else_from_vitis(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert (csim.ap_types_dir() / "ap_int.h").is_file()
    monkeypatch.setattr(hls_code.util, "find_spec", lambda name: None)
    monkeypatch.delenv("XILINX_HLS", raising=False)
    with pytest.raises(QnnError, match=r"^HLS C\+\+: ap_int.h was not found; install it \(pip install 'hls4ml"):
        csim.ap_types_dir()
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "ap_int.h").touch()
    monkeypatch.setenv("XILINX_HLS", str(tmp_path))
    assert csim.ap_types_dir() == tmp_path / "include"
