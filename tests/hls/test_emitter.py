# SPDX-License-Identifier: Apache-2.0
"""The printed HLS C++: its text, its tables, its form; that it computes right is shown by test_csim.py."""

import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from qnn_hw.backends.hls import UnsupportedByHls, hls_files, make_core, print_source
from qnn_hw.backends.hls.core import RENAMINGS
from qnn_hw.backends.hls.stage import _PRINTERS, _find_printers
from qnn_hw.backends.hls.text import LINE_LENGTH, call
from qnn_hw.backends.instance import _DESCRIPTIONS, _find_descriptions
from qnn_hw.build import write_build
from qnn_hw.errors import QnnError
from qnn_hw.folding import LayerFolding
from qnn_hw.ir import DataType
from qnn_hw.ir.graph import Graph, Op, TensorType, operator
from qnn_hw.resources import resource_dir
from qnn_hw.simulation.csim import hls_folder
from tests.random_nets import Conv, Net
from tests.test_elaborations import BIPOLAR, ELABORATIONS, Elaboration, accelerator

TWO_LAYERS = Elaboration(
    Net((8,), (), (4,), classes=2, input_dtype=BIPOLAR, centred=False),
    folding=(("fc0", LayerFolding(2, 4, "bram", fifo_depth=4)), ("head", LayerFolding(1, 2, "lut"))),
)
CONVOLUTION = Elaboration(Net((8, 8, 2), (Conv(4, pool=(2, 2)), Conv(6, same=True)), (8,), classes=4))


def folded(case: Elaboration, seed: int = 1) -> Graph:
    return accelerator(case, seed).folded


def test_a_core_as_text() -> None:
    text = print_source(make_core(folded(TWO_LAYERS)))
    assert (
        text[text.index("// fc0_acc:") : text.index("// fc0:")]
        == """\
// fc0_acc: matvec of layer fc0, queued_input_queued b1[8]/4 -> fc0_acc u4[4]/2
void stage_fc0_acc(hls::stream<ap_uint<4>>& in, hls::stream<ap_uint<8>>& out) {
#pragma HLS INLINE off
  // weight_memory bram
#pragma HLS BIND_STORAGE variable = fc0_acc_weights type = rom_1p impl = bram
  const unsigned PE = 2;
  const unsigned SIMD = 4;
  const unsigned MatrixHeight = 4;
  const unsigned MatrixWidth = 8;
  const unsigned InKind = 0;
  const unsigned InWidth = 1;
  const unsigned InSigned = 0;
  const unsigned AccWidth = 4;
  const unsigned Vectors = 1;
  qnn::mvu<PE, SIMD, MatrixHeight, MatrixWidth, InKind, InWidth, InSigned, AccWidth, Vectors>(in, out, fc0_acc_weights);
}

""".replace("queued_input_queued", _name_of_the_queue(text))
    )
    core = text[text.index("void qnn_hls_core") :]
    assert core.startswith(
        """\
void qnn_hls_core(hls::stream<ap_uint<4>>& s_axis, hls::stream<ap_uint<32>>& m_axis) {
#pragma HLS INTERFACE axis port = s_axis
#pragma HLS INTERFACE axis port = m_axis
#pragma HLS INTERFACE ap_ctrl_none port = return
#pragma HLS DATAFLOW
  hls::stream<ap_uint<4>> s_queued_input("queued_input");
#pragma HLS STREAM variable = s_queued_input depth = 4
"""
    ), core
    assert "  stage_input_queue(s_axis, s_queued_input);\n  stage_fc0_acc(s_queued_input, s_fc0_acc);\n" in core
    assert core.endswith("  stage_class_index(s_head_acc, m_axis);\n}\n")


def _name_of_the_queue(text: str) -> str:
    found = re.search(r"// fc0_acc: matvec of layer fc0, (\w+) ", text)
    assert found
    return found[1]


def test_weight_table_has_the_layout_of_the_weight_memory() -> None:
    graph = folded(TWO_LAYERS)
    weights = graph.constants["fc0.weights"]
    words = [
        [sum(int(weights[2 * nf + p, 4 * sf + s] > 0) << s for s in range(4)) for p in range(2)]
        for nf in range(2)
        for sf in range(2)
    ]
    text = hls_files(graph)["weights/fc0_acc.hpp"]
    rows = "\n".join("    {" + ", ".join(f"0x{word:x}" for word in row) + "}," for row in words)
    assert f"QNN_TABLE(ap_uint<4>, fc0_acc_weights, [4][2]) = {{\n{rows}\n}};" in text


def test_words_above_64_bits_are_hexadecimal_texts() -> None:
    case = Elaboration(
        Net((130,), dense=(2,), classes=2, input_dtype=BIPOLAR, centred=False), folding=(("fc0", LayerFolding(2, 130)),)
    )
    graph = folded(case)
    row = graph.constants["fc0.weights"][0]
    word = sum(int(value > 0) << i for i, value in enumerate(row))
    assert f'{{QNN_HEX(130, "{word:033x}"), ' in hls_files(graph)["weights/fc0_acc.hpp"]


@pytest.mark.parametrize(
    ("memory", "tiles", "pragma"),
    [
        ("auto", 4, "impl = lutram"),
        ("auto", 128, "impl = bram"),
        ("lut", 4, "impl = lutram"),
        ("lutram", 128, "impl = lutram"),
        ("bram", 4, "impl = bram"),
        ("bram", 1, None),
    ],
)
def test_weight_memory_becomes_a_pragma(memory: str, tiles: int, pragma: str | None) -> None:
    pe, simd = {1: (8, 16), 4: (4, 8), 128: (1, 1)}[tiles]
    net = Net((16,), dense=(8,), classes=2, input_dtype=BIPOLAR, centred=False)
    text = print_source(make_core(folded(Elaboration(net, folding=(("fc0", LayerFolding(pe, simd, memory)),)))))
    found = re.search(r"BIND_STORAGE variable = fc0_acc_weights type = rom_1p (.*)", text)
    assert (found and found[1]) == pragma


def test_the_same_network_gives_the_same_bytes() -> None:
    assert hls_files(folded(CONVOLUTION)) == hls_files(folded(CONVOLUTION))


def test_both_backends_know_the_same_operators() -> None:
    _find_descriptions()
    _find_printers()
    missing = {cls.keyword for cls in _DESCRIPTIONS if cls not in (*_PRINTERS, *RENAMINGS)}
    assert not missing, f"no HLS C++ for {', '.join(sorted(missing))}"


@pytest.mark.parametrize("name", ["conv-zero-padded-8bit", "pool-before-threshold", "dense-lcm-converters"])
def test_printed_code_is_as_clang_format_writes_it(name: str, tmp_path: Path) -> None:
    program = shutil.which("clang-format")
    if program is None:
        pytest.skip("clang-format is not installed")
    files = {
        file: text
        for file, text in hls_files(folded(ELABORATIONS[name])).items()
        if file.endswith((".hpp", ".cpp")) and not file.startswith(("include/", "cosim/"))
    }
    shutil.copyfile(resource_dir("hls_templates") / ".clang-format", tmp_path / ".clang-format")
    for file, text in files.items():
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        formatted = subprocess.run([program, str(path)], capture_output=True, text=True, check=True).stdout
        assert formatted == text, f"{file} is not formatted"


def test_long_calls_are_broken_as_clang_format_breaks_them() -> None:
    assert call("f(", ["a", "b"], ");", indent=2) == ["  f(a, b);"]
    long = ["x" * 50, "y" * 50, "z" * 50]
    assert call("f(", long, ");", indent=2) == [f"  f({long[0]}, {long[1]},", f"    {long[2]});"]
    wide = call("g" * 60 + "(", ["x" * 70, "y" * 30], ");")
    assert wide == ["g" * 60 + "(", "    " + "x" * 70 + ", " + "y" * 30 + ");"]
    assert max(map(len, wide)) <= LINE_LENGTH


def test_wide_beats_define_the_limit_before_ap_int_is_included() -> None:
    case = Elaboration(
        Net((8,), dense=(256,), classes=2), folding=(("fc0", LayerFolding(256, 8)), ("head", LayerFolding(1, 1)))
    )
    header = hls_files(folded(case))["qnn_core.hpp"]
    assert header.index("#define AP_INT_MAX_W 4096") < header.index("#include <ap_int.h>")
    assert "AP_INT_MAX_W" not in hls_files(folded(TWO_LAYERS))["qnn_core.hpp"]


def test_words_wider_than_every_beat_define_the_limit_too() -> None:
    # 700 unsigned bits are 350 pairs, whose sums and differences have 3 bits each: 1,050 bits.
    case = Elaboration(
        Net((700,), classes=2, input_dtype=DataType(1), centred=False), folding=(("head", LayerFolding(1, 700)),)
    )
    assert "#define AP_INT_MAX_W 4096" in hls_files(folded(case))["qnn_core.hpp"]


TOO_WIDE = Elaboration(
    Net((8,), dense=(1024,), classes=2), 1_000, folding=(("fc0", LayerFolding(1024, 8)), ("head", LayerFolding(1, 1)))
)


def test_a_beat_beyond_ap_int_is_refused_and_the_rtl_is_still_built(tmp_path: Path) -> None:
    made = accelerator(TOO_WIDE, 1)
    reason = (
        r"^fc0: a beat of fc0_acc \(i12\[1024\]/1024\) has 12,288 bits, HLS C\+\+ takes at most 8,191 "
        r"\(AP_INT_MAX_W\); lower PE or SIMD of the layer, or use the RTL$"
    )
    with pytest.raises(UnsupportedByHls, match=reason):
        hls_files(made.folded)
    path = write_build(made, tmp_path / "build")
    assert (path / "rtl" / "qnn_core.sv").is_file()
    with pytest.raises(QnnError, match=r"build: has no HLS C\+\+: fc0: a beat of fc0_acc"):
        hls_folder(path)


@operator("test_only")
@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown(Op):
    """An operator no backend has heard of."""

    def infer(self, inputs: tuple[TensorType, ...], constants: object) -> tuple[TensorType, ...]:
        return inputs

    def execute(self, inputs: tuple, types: tuple, constants: object) -> np.ndarray:
        return inputs[0]


def test_an_operator_without_a_template_is_refused() -> None:
    graph = folded(TWO_LAYERS)
    last = graph.ops[-1]
    strange = Unknown(name="strange", layer="conv7", inputs=last.inputs, outputs=("odd",))
    graph = graph.with_ops((*graph.ops[:-1], strange, replace(last, inputs=("odd",))))
    with pytest.raises(UnsupportedByHls, match=r"^conv7: test_only has no HLS C\+\+ template; use the RTL$"):
        make_core(graph)
