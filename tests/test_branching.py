# SPDX-License-Identifier: Apache-2.0
"""A residual block from the graph to the simulated RTL, and what cannot be done with a graph that branches."""

import json
from pathlib import Path

import pytest

from qnn_hw.backends.rtl import print_core
from qnn_hw.boards import load_board
from qnn_hw.compiler import Accelerator, assemble
from qnn_hw.errors import QnnError
from qnn_hw.folding.slice import slice_layer
from qnn_hw.ir import DataType, parse_graph
from qnn_hw.proof import Simulation, simulate_build
from qnn_hw.samples import Samples
from tests.random_nets import Block, Net, build, samples

NET = Net((6, 6, 8), blocks=(Block(8),), classes=4, input_dtype=DataType(2), centred=False, code_dtype=DataType(2))
"""u2[6,6,8] -> conv 3x3 -> threshold -> + u2[6,6,8] -> threshold -> dense -> classifier."""


@pytest.fixture(scope="module")
def residual() -> Accelerator:
    graph = build(NET, seed=1)
    made = assemble(graph, load_board("pynq-z2"), target_fps=50_000)
    return made.with_samples(Samples(samples(graph, 6, seed=1), None, "random"))


def test_a_residual_block_in_rtl_equals_the_reference(residual: Accelerator, tmp_path: Path) -> None:
    path = residual.write(tmp_path / "residual")
    watched = [stream["name"] for stream in json.loads((path / "qnn.json").read_text())["streams"]]
    assert {"image", "image_copy0", "block0_conv0", "block0_sum", "block0", "class_index"} <= set(watched)
    verdict = simulate_build(path, Simulation(seed=3, scenarios=("steady", "stalls")))
    assert verdict["passed"], verdict
    assert verdict["measured"]["fifo_high_water"]["block0_sum_fifo1"] > 2, "nothing waited on the short path"


def test_both_outputs_of_a_duplicate_are_connected(residual: Accelerator) -> None:
    core = print_core(residual.folded)
    assert ".m_axis_tvalid({image_copy1_tvalid, image_copy0_tvalid})" in core
    assert ".s0_axis_tdata(block0_conv0_queued_tdata)" in core
    assert ".s1_axis_tready(image_copy1_x2_queued_tready)" in core


@pytest.mark.parametrize(
    ("layer", "streams"),
    [("block0_sum", "2 streams enter it and 1 leave it"), ("image_duplicate", "1 streams enter it and 2")],
)
def test_a_layer_between_several_streams_is_not_cut_out(residual: Accelerator, layer: str, streams: str) -> None:
    with pytest.raises(QnnError, match=f"{layer}: {streams}"):
        slice_layer(residual.folded, layer, 32)
    assert slice_layer(residual.folded, "block0_conv0", 32).outputs == ("layer_serial",)


def test_a_core_has_one_reader_for_every_stream() -> None:
    text = 'graph g\ninput %x : u2[3]/3\n%y = add(%x, %x) {name="sum", layer="sum"} : u3[3]/3\noutput %y\n'
    with pytest.raises(QnnError, match=r"graph g: %x is read 2 times; a stream has one reader, let passes\.duplicate"):
        print_core(parse_graph(text, {}))
    unread = 'graph g\ninput %x : u2[3]/3\n%y, %z = duplicate(%x) {name="d", layer="d"} : u2[3]/3, u2[3]/3\noutput %y\n'
    with pytest.raises(QnnError, match=r"graph g: %z is read 0 times; .* remove what nobody reads"):
        print_core(parse_graph(unread, {}))
