# SPDX-License-Identifier: Apache-2.0
"""The cycle model against RTL simulation, cycle for cycle, and what it says of loads, limits and batches."""

from pathlib import Path

import pytest

import qnn_hw
from qnn_hw.analysis import stage
from qnn_hw.analysis.behaviour import Behaviour, Gather, Passes, Queue, Reduce, Registers, Split, Wire
from qnn_hw.analysis.schedule import DeadlockError, schedule
from qnn_hw.boards import load_board
from qnn_hw.compiler import Accelerator, assemble
from qnn_hw.errors import QnnError
from qnn_hw.folding import LayerFolding
from qnn_hw.folding.fifos import with_depths
from qnn_hw.ir import BIPOLAR
from qnn_hw.ir.ops.matvec import MatVec
from tests.analysis.cores import simulate_cores
from tests.analysis.random_points import Point, random_point
from tests.random_nets import Block, Conv, Net, build

PACKAGE = Path(qnn_hw.__file__).parent

FRAMES = 90
"""More than the 64 frames that the shell lets in."""

SEEDS = (2, 5, 14, 23, 100, 104, 111, 112)
"""Convolutions with pools, strides and padding, branches, logits, intervals that too short queues lengthen."""

SLOW_SEEDS = range(200, 260)


def made(net: Net, folding: dict[str, LayerFolding] | None = None, target_fps: float = 20_000) -> Accelerator:
    graph = build(net, 1)
    return assemble(graph, load_board("pynq-z2"), target_fps=None if folding else target_fps, folding=folding)


def named() -> dict[str, Accelerator]:
    """What random points hardly ever are."""
    bipolar = {"input_dtype": BIPOLAR, "centred": False}
    return {
        "more-than-64-frames-inside": made(
            Net((8,), dense=(4,), classes=3, **bipolar),
            {"fc0": LayerFolding(4, 8), "head": LayerFolding(1, 1, fifo_depth=200)},
        ),
        "last-rows-not-read": made(Net((7, 7, 8), (Conv(4, kernel=(2, 2), strides=(3, 3)),), classes=3, **bipolar)),
        "residual": made(Net((8, 8, 8), (Conv(8, same=True),), blocks=(Block(8, ((3, 3), (3, 3))),), classes=4)),
        "wide-dma-beats-gathered": made(
            Net((256,), dense=(16,), classes=4, **bipolar), {"fc0": LayerFolding(2, 128), "head": LayerFolding(1, 2)}
        ),
    }


def differences(cases: dict[str, Accelerator], folder: Path, frames: int) -> list[str]:
    """What model and simulation do not agree on."""
    found = []
    measured = simulate_cores([(a.folded, a.outside) for a in cases.values()], folder, frames=frames)
    for (name, accelerator), rtl in zip(cases.items(), measured, strict=True):
        model = schedule(accelerator.folded, accelerator.outside, frames=frames)
        for frame, (want, got) in enumerate(zip(rtl.frame_ends, model.frame_ends, strict=True)):
            if want != got:
                found.append(f"{name}: frame {frame} ends in cycle {want}, the model says {got}")
                break
        found += [
            f"{name}: {queue.name} held {rtl.marks[queue.name]} beats, the model says {queue.high_water}"
            for queue in model.queues
            if rtl.marks[queue.name] != queue.high_water
        ]
        steady = schedule(accelerator.folded, accelerator.outside)
        if steady.interval_cycles != rtl.interval_cycles:
            found.append(f"{name}: interval {rtl.interval_cycles}, the model says {steady.interval_cycles:g}")
    return found


def as_cases(points: list[Point]) -> dict[str, Accelerator]:
    return {f"seed {point.seed} ({point.text})": point.accelerator for point in points}


def test_every_frame_ends_in_the_cycle_the_model_says(tmp_path: Path) -> None:
    cases = {**named(), **as_cases([random_point(seed) for seed in SEEDS])}
    assert differences(cases, tmp_path, FRAMES) == []


@pytest.mark.slow
@pytest.mark.parametrize("first", SLOW_SEEDS[::20])
def test_random_networks_agree(first: int, tmp_path: Path) -> None:
    assert differences(as_cases([random_point(seed) for seed in range(first, first + 20)]), tmp_path, 24) == []


def test_every_hardware_operator_is_timed() -> None:
    for room in ("backends/ops", "analysis/timing"):
        assert (PACKAGE / room).is_dir()
    described = {path.stem for path in (PACKAGE / "backends" / "ops").glob("*.py")}
    assert described == {path.stem for path in (PACKAGE / "analysis" / "timing").glob("*.py")}


def test_an_operator_that_nobody_timed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    a = random_point(14).accelerator
    schedule(a.folded, a.outside, frames=1)  # the descriptions are there
    monkeypatch.delitem(stage._DESCRIPTIONS, MatVec)
    with pytest.raises(QnnError, match=r"conv0: the cycle model does not know matvec; describe it in analysis/timing"):
        schedule(a.folded, a.outside)


def test_a_graph_that_is_not_folded_is_refused() -> None:
    a = random_point(14).accelerator
    with pytest.raises(QnnError, match=r"%image of graph random has no elements a beat; fold the graph first"):
        schedule(a.graph, a.outside)


@pytest.mark.parametrize(
    ("behaviour", "offers", "latency"),
    [
        pytest.param(Registers(1), 1, 1, id="affine-add-duplicate"),
        pytest.param(Registers(2), 1, 2, id="threshold"),
        pytest.param(Queue(2), 1, 1, id="register-slice"),
        pytest.param(Queue(16), 1, 2, id="fifo"),
        pytest.param(Split(4), 1, 1, id="converter-down"),
        pytest.param(Gather(4), 4, 1, id="converter-up"),
        pytest.param(Reduce(positions=4, folds=1), 4, 2, id="pool"),
        pytest.param(Passes(beats=3, passes=2, depth=2), 3, 3, id="matvec"),
        pytest.param(Passes(beats=5, passes=1, depth=3), 5, 4, id="classifier"),
    ],
)
def test_latency_is_what_the_header_of_the_module_says(behaviour: Behaviour, offers: int, latency: int) -> None:
    source, sink = Wire("in", offers=[7] * offers), Wire("out")
    next(behaviour.run([source], [sink]))
    assert source.taken == list(range(7, 7 + offers))
    assert sink.offers[0] == source.taken[-1] + latency


def test_a_finished_beat_that_meets_a_full_output_stops_the_whole_pipeline() -> None:
    source, sink = Wire("in", offers=[0] * 8), Wire("out")
    process = Passes(beats=2, passes=1, depth=2).run([source], [sink])
    next(process)
    # Results are ready in cycles 4 and 6; the second waits before the output register from cycle 5 on.
    assert (source.taken, sink.offers) == ([0, 1, 2, 3, 4], [4, 6])
    sink.taken.append(20)  # the first result leaves in cycle 20: in it, the pipeline goes on
    next(process)
    assert source.taken == [0, 1, 2, 3, 4, 20, 21]


def test_a_frame_does_not_depend_on_later_ones() -> None:
    a = random_point(111).accelerator
    assert schedule(a.folded, a.outside, frames=5).frame_ends == schedule(a.folded, a.outside, frames=9).frame_ends[:5]


def test_batches_are_what_sending_them_takes() -> None:
    a = random_point(111).accelerator
    steady = schedule(a.folded, a.outside)
    assert steady.steady
    for frames in (1, 2, len(steady.frame_ends), len(steady.frame_ends) + 13):
        assert steady.batch_cycles(frames) == schedule(a.folded, a.outside, frames=frames).frame_ends[-1]
    assert steady.latency_us(100) == pytest.approx(steady.latency_cycles / 100)
    assert steady.frames_per_s(100, batch=1) == pytest.approx(100e6 / steady.latency_cycles)
    assert steady.frames_per_s(100) == pytest.approx(100e6 / steady.interval_cycles)


def test_loads_add_up_and_the_limit_is_the_stage_that_always_works() -> None:
    a = random_point(14).accelerator
    found = schedule(a.folded, a.outside)
    for stream in found.streams:
        assert stream.beats + stream.held + stream.empty == found.interval_cycles, stream
    for load in found.stages:
        assert load.busy + load.blocked + load.starved == pytest.approx(1), load
    (busiest,) = [load for load in found.stages if load.name == found.limit.stage]
    assert found.limit.busy
    assert busiest.busy == 1
    assert found.limit.reason == f"{busiest.name} has work in every one of {busiest.cycles} cycles"


def test_a_limit_that_no_stage_sets_names_the_queues() -> None:
    a = random_point(111).accelerator
    limit = schedule(a.folded, a.outside).limit
    assert not limit.busy
    assert limit.stage == "head_acc_fifo"
    assert limit.reason == (
        "no stage has work all the time (head_acc comes nearest: 352 of 465 cycles); head_acc_fifo (depth 5) runs full "
        "and empty within a frame: it is too short for the bursts around it"
    )


def test_too_short_a_queue_beside_a_block_is_a_deadlock_in_the_model_and_in_rtl(tmp_path: Path) -> None:
    a = named()["residual"]
    with pytest.raises(DeadlockError, match=r"frame 0 never leaves, .* full queues: .*block0_sum_fifo1 \(depth 5\)"):
        schedule(a.folded, a.outside, fifo_depths={"block0_sum_fifo1": 5})
    stuck = with_depths(a.folded, {"block0_sum_fifo1": 5})
    (rtl,) = simulate_cores([(stuck, a.outside)], tmp_path, frames=2, watchdog=5_000)
    assert rtl.frame_ends == ()


def test_a_pace_slower_than_the_accelerator_is_kept() -> None:
    a = random_point(14).accelerator
    slow = schedule(a.folded, a.outside, pace_cycles=5_000)
    assert slow.steady
    assert slow.interval_cycles == 5_000


def test_depths_of_what_is_no_queue_are_refused() -> None:
    a = random_point(111).accelerator
    with pytest.raises(QnnError, match=r"cycle model: 'fc9' is no queue of this graph; queues: conv0_acc_"):
        schedule(a.folded, a.outside, fifo_depths={"fc9": 4})
    with pytest.raises(QnnError, match=r"conv0_acc_fifo has depth 1; a queue holds at least 2 beats"):
        schedule(a.folded, a.outside, fifo_depths={"conv0_acc_fifo": 1})


def test_no_frames_are_refused() -> None:
    a = random_point(111).accelerator
    with pytest.raises(QnnError, match=r"cycle model: frames=0; send at least 1"):
        schedule(a.folded, a.outside, frames=0)
    with pytest.raises(QnnError, match=r"cycle model: a batch of 0 frames; it holds at least 1"):
        schedule(a.folded, a.outside, frames=1).frames_per_s(100, batch=0)
