# SPDX-License-Identifier: Apache-2.0
"""Queues where paths meet: on which path, and how deep."""

from fractions import Fraction

import numpy as np

from qnn_hw.emulator import execute
from qnn_hw.folding import choose_folding, fold
from qnn_hw.folding.apply import input_lanes
from qnn_hw.folding.paths import frames_held, queue_paths
from qnn_hw.ir import BIPOLAR, DataType, Graph, parse_graph
from qnn_hw.ir.ops.fifo import Fifo
from qnn_hw.ir.ops.window import Window
from qnn_hw.passes import lower
from tests.random_nets import Block, Conv, Net, build, samples


def folded(net: Net, cycles: int = 4000) -> Graph:
    graph = lower(build(net, seed=2))
    folding = choose_folding(graph, cycles)
    result = fold(graph, folding, input_lanes(graph, folding, 8))
    x = samples(graph, 3, seed=2)
    before, after = execute(graph, x), execute(result, x)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    return result


def queues(graph: Graph) -> dict[str, int]:
    return {op.name: op.depth for op in graph.ops if isinstance(op, Fifo) and "_sum_fifo" in op.name}


def net(*blocks: Block, **more) -> Net:
    return Net((6, 6, 4), blocks=blocks, classes=3, input_dtype=BIPOLAR, centred=False, **more)


def test_the_short_path_holds_what_the_long_one_does() -> None:
    graph = folded(net(Block(4)))
    long = [op for op in graph.ops if op.layer == "block0_conv0"]
    depth = queues(graph)["block0_sum_fifo1"]
    held = sum(frames_held(op, graph) for op in long)
    beats = graph.types["block0_sum"].beats
    assert held * beats <= depth - 2 < held * beats + 1
    (window,) = [op for op in long if isinstance(op, Window)]
    assert depth > window.depth * graph.types[window.inputs[0]].lanes // graph.types["block0_sum"].lanes


def test_two_long_paths_have_a_queue_each() -> None:
    assert queues(folded(net(Block(4, strides=(2, 2))))).keys() == {"block0_sum_fifo0", "block0_sum_fifo1"}


def test_an_outer_path_covers_the_inner_block() -> None:
    depths = queues(folded(net(Block(4, inner=(Block(4),)))))
    assert depths["block0_sum_fifo1"] > depths["block0_inner0_sum_fifo1"]


def test_a_second_block_needs_no_more_than_the_first() -> None:
    depths = queues(folded(net(Block(4), Block(4), code_dtype=DataType(2))))
    first, second = depths["block0_sum_fifo1"], depths["block1_sum_fifo1"]
    assert second <= first * 2, "the queue covers what lies before its own fork"


CROSSED = """\
graph crossed
input %x : u2[4]/1
%a, %b, %c = duplicate(%x) {name="d", layer="d"} : u2[4]/1, u2[4]/1, u2[4]/1
%s = affine(%a) {name="s", layer="s", scale=2, offset=0} : u3[4]/1
%t, %u = duplicate(%s) {name="e", layer="e"} : u3[4]/1, u3[4]/1
%v = affine(%t) {name="v", layer="v", scale=2, offset=0} : u4[4]/1
%p = add(%v, %b) {name="p", layer="p"} : u5[4]/1
%q = add(%u, %c) {name="q", layer="q"} : u4[4]/1
%y = add(%p, %q) {name="y", layer="y"} : u6[4]/1
output %y
"""


def test_paths_that_cross_are_measured_from_the_tensor_they_all_go_through() -> None:
    graph = parse_graph(CROSSED, {})
    result = queue_paths(graph)
    depths = {op.name: op.depth for op in result.ops if isinstance(op, Fifo)}
    stage = frames_held(graph.ops[1], graph)
    assert stage == Fraction(4, 4) + Fraction(1, 4)
    assert depths["p_fifo1"] == 2 * stage * 4 + 2 and depths["q_fifo1"] == stage * 4 + 2
    # From %x, not from %s: one path to either goes past %s. What is in queues counts as held.
    longest = max(Fraction(depths["q_fifo1"], 4), stage) + stage
    assert depths["y_fifo0"] == longest * 4 + 2
    x = np.arange(4)[None]
    assert np.array_equal(execute(result, x)["y"], 8 * x)


def test_without_an_add_the_graph_is_the_same_object() -> None:
    graph = folded(Net((6, 6, 2), (Conv(4),)))
    assert queue_paths(graph) is graph
