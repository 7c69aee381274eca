# SPDX-License-Identifier: Apache-2.0
"""Queue depths from the cycle model: no deadlock, no throughput lost, no step more than needed, as RTL confirms."""

from dataclasses import replace
from pathlib import Path

import pytest

from qnn_hw.analysis.schedule import DeadlockError, schedule
from qnn_hw.boards import load_board
from qnn_hw.compiler import Accelerator, assemble
from qnn_hw.errors import QnnError
from qnn_hw.folding import LayerFolding, fold
from qnn_hw.folding.fifos import folding_with_depths, size_fifos, storage_step, storage_steps, with_depths
from qnn_hw.ir.ops.fifo import Fifo
from tests.analysis.cores import simulate_cores
from tests.random_nets import Block, Conv, Net, build

FRAMES = 16


def residual() -> Accelerator:
    net = Net((12, 12, 8), (Conv(16, same=True),), blocks=(Block(16, ((3, 3), (3, 3))),), classes=4)
    return unsized(assemble(build(net, 1), load_board("pynq-z2"), target_fps=30_000, clock_mhz=100))


def unsized(a: Accelerator) -> Accelerator:
    """With the queues as folding leaves them, before they are sized."""
    lanes = next(iter(a.folded.inputs.values())).lanes
    return replace(a, folded=fold(a.graph, a.folding, lanes))


def balanced() -> Accelerator:
    """Two dense layers of equal work, the second of which takes its vector at once and then computes for long."""
    folding = {"fc0": LayerFolding(1, 8), "fc1": LayerFolding(1, 4), "head": LayerFolding(2, 2)}
    return unsized(assemble(build(Net((64,), dense=(32, 16), classes=8), 1), load_board("pynq-z2"), folding=folding))


CASES = {"residual": residual, "balanced": balanced}


def slower(accelerator: Accelerator, depths: dict[str, int], interval: float) -> bool:
    """Whether these depths lose throughput, a deadlock included."""
    try:
        return schedule(accelerator.folded, accelerator.outside, fifo_depths=depths).interval_cycles > interval
    except DeadlockError:
        return True


@pytest.mark.parametrize("case", CASES)
def test_depths_keep_the_interval_and_one_step_less_does_not(case: str) -> None:
    a = CASES[case]()
    sizes = size_fifos(a.folded, a.outside)
    assert list(sizes.depths) == [op.name for op in a.folded.ops if isinstance(op, Fifo)]
    assert schedule(a.folded, a.outside, fifo_depths=sizes.depths).interval_cycles == sizes.interval_cycles
    for queue in sizes.queues:
        steps = storage_steps(queue.depth)
        assert steps[-1] == queue.depth, f"{queue.name}: {queue.depth} is no storage step"
        if len(steps) > 1:
            less = {**sizes.depths, queue.name: steps[-2]}
            assert slower(a, less, sizes.interval_cycles), f"{queue.name}: {steps[-2]} is enough, found {queue.depth}"


def test_the_queue_beside_a_block_is_as_long_as_the_block_needs() -> None:
    a = residual()
    sizes = {queue.name: queue for queue in size_fifos(a.folded, a.outside).queues}
    beside = sizes["block0_sum_fifo1"]
    assert storage_step(beside.need + 1) == beside.depth
    assert 2 < beside.depth < beside.given
    assert sizes["block0_conv0_acc_window_fifo"].depth == 2


def test_rtl_confirms_interval_and_occupancy(tmp_path: Path) -> None:
    found = {}
    cores = []
    for name, make in CASES.items():
        a = make()
        found[name] = size_fifos(a.folded, a.outside)
        cores.append((with_depths(a.folded, found[name].depths), a.outside))
    for (name, sizes), rtl in zip(found.items(), simulate_cores(cores, tmp_path, frames=FRAMES), strict=True):
        assert rtl.interval_cycles == sizes.interval_cycles, name
        for queue in sizes.queues:
            mark = rtl.marks[queue.name]
            assert mark <= queue.depth, f"{name}: {queue.name} held {mark} of {queue.depth} beats"
            steps = storage_steps(queue.depth)
            least = steps[-3] if len(steps) > 2 else 0
            assert mark > least, f"{name}: {queue.name} held {mark} beats, depth {queue.depth} is over a step too much"


def test_depths_go_into_the_folding_of_layers_with_a_queue_in_front() -> None:
    a = balanced()
    depths = size_fifos(a.folded, a.outside).depths
    folding = folding_with_depths(a.folding, a.folded, depths)
    assert {name: layer.fifo_depth for name, layer in folding.items()} == {
        "fc0": depths["fc0_acc_fifo"],
        "fc1": depths["fc1_acc_fifo"],
        "head": depths["head_acc_fifo"],
    }
    lanes = next(iter(a.folded.inputs.values())).lanes
    again = fold(a.graph, folding, lanes)
    assert {op.name: op.depth for op in again.ops if isinstance(op, Fifo)} == depths


def test_queues_without_a_key_in_the_folding_are_set_in_the_graph() -> None:
    a = residual()
    depths = {"block0_sum_fifo1": 129}
    assert folding_with_depths(a.folding, a.folded, depths) == dict(a.folding)
    graph = with_depths(a.folded, depths)
    assert {op.name: op.depth for op in graph.ops if isinstance(op, Fifo)}["block0_sum_fifo1"] == 129
    with pytest.raises(QnnError, match=r"sum_fifo: no queue of this graph has that name; queues: conv0_acc_"):
        with_depths(a.folded, {"sum_fifo": 4})
    with pytest.raises(QnnError, match=r"block0_sum_fifo1: depth=1; a queue holds at least 2 beats"):
        with_depths(a.folded, {"block0_sum_fifo1": 1})


@pytest.mark.parametrize(
    ("depth", "step"), [(1, 2), (2, 2), (3, 33), (33, 33), (34, 64), (64, 64), (65, 129), (129, 129), (130, 257)]
)
def test_storage_steps(depth: int, step: int) -> None:
    assert storage_step(depth) == step
    assert storage_steps(depth)[-1] == step
