# SPDX-License-Identifier: Apache-2.0
"""The Verilated accelerator between two memories: registers, whole batches, DMA rules, faults, recovery, the cache.

Two small networks, one a port width: 64 bits with one result beat a frame, 128 bits with two. Expected results come
from the reference executor.
"""

import functools
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qnn_hw.boards import load_board
from qnn_hw.compiler import Accelerator, assemble
from qnn_hw.errors import QnnError
from qnn_hw.folding import LayerFolding
from qnn_hw.ir.packing import unpack_words
from qnn_hw.samples import Samples
from qnn_hw.simulation import board_library as library_module
from qnn_hw.simulation.board.rtl import Model, ModelError, NoAnswer
from qnn_hw.simulation.board_library import board_library
from tests.boards.batches import CONTROL, LONG, Batch, open_batch, recover, soft_reset
from tests.random_nets import Net, build, samples
from tests.test_elaborations import Elaboration

FRAMES = 140
STATUS, ERRORS, FRAMES_IN, FRAMES_OUT, INTERVAL, LATENCY = 0x024, 0x028, 0x030, 0x034, 0x048, 0x04C
TLAST_MID_FRAME, TKEEP_PARTIAL = 1, 2
FULL_TLAST_QUEUE = 64
QUEUE_BEATS = 4
IDLE_CYCLES = 64

# The first one's queue holds more frames than the shell's TLAST queue.
NETS = {
    "64-bit-class": Elaboration(
        Net((35,), dense=(8,), classes=5),
        folding=(("fc0", LayerFolding(8, 35)), ("head", LayerFolding(1, 8, fifo_depth=100))),
    ),
    "128-bit-logits": Elaboration(Net((40,), dense=(8,), classes=6), 1_000_000, board="zcu104", output="logits"),
}


def accelerator(name: str, seed: int) -> Accelerator:
    case = NETS[name]
    graph = build(case.net, seed)
    made = assemble(
        graph, load_board(case.board), target_fps=case.target_fps, folding=dict(case.folding), output=case.output
    )
    return made.with_samples(Samples(samples(graph, FRAMES, seed), None, f"random, seed {seed}"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("boards")


@pytest.fixture(scope="module")
def opened(folder: Path) -> Callable[[str], Batch]:
    """Write, compile and open each network once."""
    return functools.cache(lambda name: open_batch(accelerator(name, 0).write(folder / name)))


@pytest.fixture(params=NETS)
def batch(request: pytest.FixtureRequest, opened: Callable[[str], Batch]) -> Batch:
    return opened(request.param)


@pytest.fixture
def narrow(opened: Callable[[str], Batch]) -> Batch:
    return opened("64-bit-class")


def test_registers_of_an_accelerator_that_has_just_been_loaded(batch: Batch) -> None:
    model = batch.model()
    assert model.read(0x000) == 0x514E4E31
    assert model.read(0x004) == 1
    words = [model.read(0x010 + 4 * i) for i in range(4)]
    assert "".join(f"{word:08x}" for word in reversed(words)) == batch.facts["graph_hash"]
    assert [model.read(offset) for offset in (FRAMES_IN, FRAMES_OUT, INTERVAL, LATENCY, ERRORS, 0xFFC)] == [0] * 6
    model.write(0xFFC, 7)
    assert model.read(0xFFC) == 0


def test_time_passes_in_register_accesses_and_the_counter_counts_it(narrow: Batch) -> None:
    model = narrow.model()
    counted = model.read(0x040)
    before = model.cycles
    for _ in range(5):
        model.read(0x004)
    assert 10 <= model.cycles - before <= 60
    assert model.read(0x040) - counted == model.cycles - before


def test_interval_and_latency_are_those_predicted(batch: Batch) -> None:
    model = batch.model()
    batch.check(model, range(12))
    assert model.read(LATENCY) == batch.facts["predicted"]["latency_cycles"]
    assert model.read(INTERVAL) == batch.facts["predicted"]["interval_cycles"]


@pytest.mark.parametrize("count", [1, 2, 7, FULL_TLAST_QUEUE + 1, FRAMES], ids=lambda n: f"{n}-frames")
def test_golden_frames_come_back_bit_exact(batch: Batch, count: int) -> None:
    model = batch.model()
    batch.check(model, range(count))
    assert (model.read(FRAMES_IN), model.read(FRAMES_OUT), model.read(ERRORS)) == (count, count, 0)


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(list(NETS)),
    seed=st.integers(1, 2**31 - 1),
    probability=st.sampled_from([0.0, 0.1, 0.5, 0.9]),
    burst=st.sampled_from([(0, 0), (1, 3), (16, 40)]),
    counts=st.lists(st.integers(1, 9), min_size=1, max_size=4),
)
def test_no_pause_of_the_memory_changes_a_result(
    opened: Callable[[str], Batch],
    name: str,
    seed: int,
    probability: float,
    burst: tuple[int, int],
    counts: list[int],
) -> None:
    batch = opened(name)
    model = batch.model(seed)
    model.pauses(probability, seed=seed, burst_beats=burst[0], gap_cycles=burst[1])
    first = 0
    for count in counts:
        batch.check(model, range(first, first + count))
        first += count


def test_pauses_take_time_and_repeat_with_their_seed(narrow: Batch) -> None:
    def cycles(probability: float = 0.0, seed: int = 1, burst_beats: int = 0, gap_cycles: int = 0) -> int:
        model = narrow.model()
        model.pauses(probability, seed=seed, burst_beats=burst_beats, gap_cycles=gap_cycles)
        before = model.cycles
        narrow.check(model, range(20))
        return model.cycles - before

    beats = 20 * narrow.facts["frame_beats_in"]
    assert cycles(0.5) == cycles(0.5)
    assert len({cycles(0.5, seed) for seed in range(1, 6)}) > 1
    assert cycles() < cycles(0.5)
    assert cycles(burst_beats=10, gap_cycles=30) >= beats + beats // 10 * 30
    with pytest.raises(ValueError, match=r"probability=1 of a pause, from 0 to below 1 is needed"):
        cycles(1)


def test_power_up_values_do_not_matter(narrow: Batch) -> None:
    for seed in range(1, 9):
        narrow.check(narrow.model(seed), range(3))


def test_models_share_nothing(opened: Callable[[str], Batch]) -> None:
    batches = [opened(name) for name in NETS]
    models = [(batch, batch.model()) for batch in (*batches, *batches)]
    for batch, model in models:
        batch.send(model, range(2), less=2 * model.beat_bytes)  # stays in the middle
        model.advance(50)
    for batch, model in models:
        recover(model)
        batch.check(model, range(5))


def test_the_packet_ends_where_the_frames_end_however_large_the_memory(batch: Batch) -> None:
    model = batch.model()
    out = batch.room(10)
    batch.start(model, range(3), out)
    model.advance(LONG)
    assert (model.s2mm_state(), model.s2mm_received()) == ("ended", 3 * batch.frame_bytes_out)
    assert (out[3 * batch.frame_bytes_out :] == 0xA5).all()


def test_little_time_is_spent_when_no_engine_runs(narrow: Batch) -> None:
    model = narrow.model()
    assert model.advance(1_000_000) == IDLE_CYCLES
    narrow.start(model, [0], narrow.room(1))
    assert model.advance(1_000_000) <= narrow.facts["predicted"]["latency_cycles"] + IDLE_CYCLES + 10
    before = model.cycles
    assert model.advance(24) == 24
    assert model.cycles - before == 24


def test_a_transfer_that_ends_inside_a_frame_is_flagged_and_gives_no_packet(batch: Batch) -> None:
    model = batch.model()
    batch.start(model, range(2), batch.room(2), less=model.beat_bytes)
    model.advance(LONG)
    assert (model.s2mm_state(), model.s2mm_received()) == ("running", batch.frame_bytes_out)
    assert model.read(ERRORS) == TLAST_MID_FRAME
    recover(model)
    assert model.read(ERRORS) == 0
    batch.check(model, range(4))


def test_the_last_beat_says_how_much_of_it_counts(batch: Batch) -> None:
    model = batch.model()
    out = batch.room(1)
    batch.start(model, [0], out, less=1)
    model.advance(LONG)
    assert model.read(ERRORS) == TKEEP_PARTIAL
    # What is missing is the frame's padding: the result is right all the same.
    assert (model.s2mm_state(), out.view("<i4")[0]) == ("ended", batch.words[0, 0])


@pytest.mark.parametrize("missing", [1, 4, "a-beat"], ids=lambda n: f"{n}-short")
def test_a_packet_that_is_too_long_overflows(batch: Batch, missing: int | str) -> None:
    model = batch.model()
    short = 3 * batch.frame_bytes_out - (missing if isinstance(missing, int) else model.beat_bytes)
    out = batch.room(4)
    batch.start(model, range(3), out[:short])
    model.advance(LONG)
    assert (model.s2mm_state(), model.s2mm_received()) == ("overflow", short)
    assert (out[short:] == 0xA5).all()
    recover(model)
    batch.check(model, range(5))


def test_a_lost_tlast_overflows_a_memory_of_the_packets_size(batch: Batch) -> None:
    model = batch.model()
    model.drop_tlast()
    out = batch.room(2)
    batch.start(model, range(2), out)
    model.advance(LONG)
    assert (model.s2mm_state(), model.s2mm_received()) == ("overflow", out.size)
    recover(model)
    batch.check(model, range(2))


def test_a_lost_tlast_leaves_a_larger_memory_waiting(batch: Batch) -> None:
    model = batch.model()
    model.drop_tlast()
    batch.start(model, range(2), batch.room(3))
    assert model.advance(LONG) == LONG
    assert (model.s2mm_state(), model.s2mm_received()) == ("running", 2 * batch.frame_bytes_out)
    recover(model)
    batch.check(model, range(2))


def test_a_lost_tlast_may_wait_in_full_memory_for_one_more_beat(batch: Batch) -> None:
    model = batch.model()
    model.drop_tlast(silent=True)
    out = batch.room(2)
    batch.start(model, range(2), out)
    assert model.advance(LONG) == LONG
    assert (model.s2mm_state(), model.s2mm_received(), model.mm2s_left()) == ("running", out.size, 0)
    before = out.copy()
    batch.send(model, [2])
    model.advance(LONG)
    assert (model.s2mm_state(), model.s2mm_received()) == ("overflow", out.size)
    assert (out == before).all()
    recover(model)
    batch.check(model, range(2))


def test_an_early_tlast_ends_the_packet_with_its_first_beat(batch: Batch) -> None:
    model = batch.model()
    model.early_tlast()
    out = batch.room(FRAMES)
    batch.start(model, range(FRAMES), out)
    model.advance(LONG)
    assert (model.s2mm_state(), model.s2mm_received()) == ("ended", model.beat_bytes)
    assert model.mm2s_left() > 0, "the accelerator is full, the rest waits"
    recover(model)
    batch.check(model, range(5))


@pytest.mark.parametrize("beats", [0, 1, 16], ids=lambda n: f"{n}-beats")
def test_a_sender_that_breaks_off_is_recovered_from(batch: Batch, beats: int) -> None:
    model = batch.model()
    out = batch.room(9)
    model.s2mm(out, out.size)
    source = batch.frames[:9].reshape(-1).copy()
    model.mm2s(source, source.size, beats * model.beat_bytes)
    model.advance(LONG)
    assert model.mm2s_left() == source.size - beats * model.beat_bytes
    frame_beats = batch.frames.shape[1] // model.beat_bytes
    assert model.read(FRAMES_IN) == beats // frame_beats
    assert (model.s2mm_state(), model.s2mm_received()) == ("running", beats // frame_beats * batch.frame_bytes_out)
    recover(model)
    batch.check(model, [8, 7])


@pytest.mark.parametrize("extra", [1, 9], ids=lambda n: f"{n}-more")
def test_more_beats_than_asked_for_overflow(batch: Batch, extra: int) -> None:
    model = batch.model()
    model.extra_beats(extra)
    batch.start(model, range(2), batch.room(2))
    model.advance(LONG)
    assert model.s2mm_state() == "overflow"
    recover(model)
    model.extra_beats(extra)
    batch.start(model, range(2), batch.room(12))
    model.advance(LONG)
    got = model.s2mm_state(), model.s2mm_received()
    assert got == ("ended", 2 * batch.frame_bytes_out + extra * model.beat_bytes)
    batch.check(model, range(2))


def test_the_receiving_engine_takes_four_beats_before_it_is_armed(narrow: Batch) -> None:
    model = narrow.model()
    narrow.send(model, range(10))
    model.advance(LONG)
    for _ in range(500):
        model.read(FRAMES_OUT)
    assert model.read(FRAMES_OUT) == QUEUE_BEATS
    out = narrow.room(10)
    model.s2mm(out, out.size)
    model.advance(LONG)
    assert model.s2mm_state() == "ended"
    assert (unpack_words(out.reshape(10, -1), 1) == narrow.words[:10]).all()


def test_a_full_accelerator_stops_the_input_and_is_emptied_by_the_soft_reset(narrow: Batch) -> None:
    model = narrow.model()
    narrow.send(model, range(FRAMES))
    model.advance(LONG)
    inside = model.read(FRAMES_IN) - model.read(FRAMES_OUT)
    assert model.mm2s_left() > 0
    assert inside == FULL_TLAST_QUEUE + 1, "the TLAST queue is full, one more frame's last beat waits at the output"
    assert model.read(STATUS) == 0b1101, "busy, input stalled, output stalled"
    recover(model)
    assert (model.read(FRAMES_IN), model.read(FRAMES_OUT), model.read(STATUS)) == (0, 0, 0)
    narrow.check(model, range(FRAMES))


@settings(max_examples=80, deadline=None)
@given(
    name=st.sampled_from(list(NETS)),
    seed=st.integers(1, 2**31 - 1),
    cycles=st.integers(0, 700),
    armed=st.booleans(),
    probability=st.sampled_from([0.0, 0.5]),
    waits=st.integers(0, 60),
)
def test_recovery_flushes_what_was_stopped_at_any_moment(
    opened: Callable[[str], Batch],
    name: str,
    seed: int,
    cycles: int,
    armed: bool,
    probability: float,
    waits: int,
) -> None:
    batch = opened(name)
    model = batch.model(seed)
    model.pauses(probability, seed=seed)
    if armed:
        out = batch.room(FRAMES)
        model.s2mm(out, out.size)
    batch.send(model, range(FRAMES))
    model.advance(cycles)
    model.stop()
    for _ in range(waits):  # the accelerator goes on with what it holds
        model.read(FRAMES_OUT)
    soft_reset(model)
    model.stop()
    assert (model.read(FRAMES_IN), model.read(FRAMES_OUT), model.read(ERRORS)) == (0, 0, 0)
    batch.check(model, [9, 8, 7])
    batch.check(model, [0])


def test_without_the_second_stop_old_results_wait_in_the_dma(narrow: Batch) -> None:
    """Between the DMA's reset and the accelerator's, the DMA takes up to four beats that are still under way."""
    model = narrow.model()
    narrow.send(model, range(FRAMES))
    model.advance(LONG)
    model.stop()
    soft_reset(model)
    narrow.start(model, [9], narrow.room(1))
    model.advance(LONG)
    assert model.s2mm_state() == "overflow"


def test_without_the_soft_reset_half_a_frame_waits_in_the_accelerator(narrow: Batch) -> None:
    model = narrow.model()
    narrow.send(model, [0], less=2 * model.beat_bytes)
    model.advance(LONG)
    model.stop()
    narrow.start(model, [1, 2], narrow.room(3))
    model.advance(LONG)
    assert (model.s2mm_state(), model.s2mm_received()) == ("running", 2 * narrow.frame_bytes_out)
    assert model.read(ERRORS) == TLAST_MID_FRAME


@pytest.mark.parametrize("moment", [0, 3, 30], ids=lambda n: f"after-{n}-cycles")
def test_a_frozen_accelerator_moves_nothing(batch: Batch, moment: int) -> None:
    model = batch.model()
    batch.start(model, range(8), batch.room(8))
    model.advance(moment)
    model.freeze()
    model.advance(LONG)  # what the engines already have or offer
    left, received = model.mm2s_left(), model.s2mm_received()
    assert model.advance(LONG) == LONG
    assert (model.mm2s_left(), model.s2mm_received(), model.s2mm_state()) == (left, received, "running")
    assert model.read(0x000) == 0x514E4E31
    model.freeze(False)
    recover(model)
    batch.check(model, range(8))


def test_freezing_does_not_take_back_a_beat_that_is_offered(narrow: Batch) -> None:
    model = narrow.model()
    narrow.send(model, range(FRAMES))
    model.advance(LONG)
    left = model.mm2s_left()
    assert left > 0 and model.read(STATUS) & 0b100, "a beat stands at an input that is stalled"
    model.freeze()
    model.advance(LONG)
    assert model.mm2s_left() == left
    soft_reset(model)  # empties the accelerator, the streams stay frozen
    model.advance(LONG)
    assert model.mm2s_left() == left - model.beat_bytes, "TVALID must not fall before TREADY"
    model.freeze(False)
    recover(model)
    narrow.check(model, range(3))


def test_registers_that_do_not_answer_are_reported(narrow: Batch) -> None:
    model = narrow.model()
    model.freeze(registers=True)
    with pytest.raises(NoAnswer, match=r"the read at offset 0x030 got no answer on AXI4-Lite"):
        model.read(FRAMES_IN)
    with pytest.raises(NoAnswer, match=r"the write at offset 0x020 got no answer on AXI4-Lite"):
        model.write(CONTROL, 1)
    model.freeze(False)
    narrow.check(model, range(3))


def test_aresetn_makes_it_new(narrow: Batch) -> None:
    model = narrow.model()
    narrow.send(model, range(3), less=model.beat_bytes)
    model.advance(LONG)
    model.reset()
    assert (model.read(FRAMES_IN), model.mm2s_left()) == (0, 0)
    narrow.check(model, range(3))


def test_another_hash_can_be_read_back(narrow: Batch, tmp_path: Path) -> None:
    other = tmp_path / "other.mem"
    other.write_text("00000001\n00000002\n00000003\n00000004\n")
    model = Model(narrow.library, narrow.path / "rtl" / "data", hash_file=other)
    assert [model.read(0x010 + 4 * i) for i in range(4)] == [1, 2, 3, 4]
    narrow.check(model, range(3))


def test_memory_that_cannot_be_moved_is_refused(narrow: Batch) -> None:
    model = narrow.model()
    with pytest.raises(ValueError, match=r"shape \(8,\) does not hold 9 bytes"):
        model.mm2s(np.zeros(8, np.uint8), 9)
    with pytest.raises(ValueError, match=r"type int32"):
        model.s2mm(np.zeros(8, np.int32), 8)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"contiguous"):
        model.mm2s(np.zeros(16, np.uint8)[::2], 8)


def test_a_missing_table_is_named(narrow: Batch, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no graph_hash\.mem; give the folder rtl/data of a build"):
        Model(narrow.library, tmp_path)
    (tmp_path / "graph_hash.mem").write_text("0\n0\n0\n0\n")
    with pytest.raises(ModelError, match=r"\.mem: \$readmem file not found; build again"):
        Model(narrow.library, tmp_path)


def test_a_damaged_library_is_named(narrow: Batch, tmp_path: Path) -> None:
    (tmp_path / "accelerator.so").write_text("no library")
    with pytest.raises(
        ModelError, match=r"the library does not load \(.*accelerator\.so: .*\); delete it to have it made anew"
    ):
        Model(tmp_path / "accelerator.so", narrow.path / "rtl" / "data")


def test_the_library_needs_nothing_but_the_c_library(narrow: Batch) -> None:
    text = subprocess.run(["readelf", "-d", str(narrow.library)], capture_output=True, text=True, check=True).stdout
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", text)
    assert needed
    assert all(re.match(r"(libc|libm|libpthread|libstdc\+\+|libgcc_s|ld-linux.*)\.so", name) for name in needed), needed


def test_other_weights_take_the_same_library(narrow: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("something was compiled")

    other = accelerator("64-bit-class", 1).write(tmp_path / "other")
    monkeypatch.setattr(library_module, "_compile", refuse)
    batch = open_batch(other)
    assert batch.library == narrow.library
    assert batch.facts["graph_hash"] != narrow.facts["graph_hash"]
    batch.check(batch.model(), range(7))


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Stand in for the compilers: an empty library; returns the folders it worked in."""
    folders: list[Path] = []

    def compile_nothing(work: Path, *_: object) -> None:
        folders.append(work)
        (work / library_module.LIBRARY).touch()

    monkeypatch.setattr(library_module, "_compile", compile_nothing)
    monkeypatch.setattr(library_module, "_runtime", lambda *_: [])
    return folders


def small_build(folder: Path, text: str = "module qnn_top; endmodule\n") -> Path:
    (folder / "rtl").mkdir(parents=True)
    (folder / "rtl" / "qnn_top.sv").write_text(text)
    return folder


def test_a_library_is_made_once_and_said(tmp_path: Path, compiled: list[Path]) -> None:
    said: list[str] = []
    for name in ("a", "b"):
        path = board_library(small_build(tmp_path / name), tmp_path / "cache", said.append)
        assert path.is_file()
    assert (len(compiled), said) == (1, ["compiling the accelerator for the simulated board"])
    changed = small_build(tmp_path / "c", "module qnn_top; wire other; endmodule\n")
    assert board_library(changed, tmp_path / "cache") != path
    assert len(compiled) == 2


def test_an_interrupted_call_leaves_nothing(
    tmp_path: Path, compiled: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(work: Path, *_: object) -> None:
        (work / library_module.LIBRARY).touch()
        raise KeyboardInterrupt

    made = small_build(tmp_path / "a")
    with monkeypatch.context() as patch:
        patch.setattr(library_module, "_compile", interrupt)
        with pytest.raises(KeyboardInterrupt):
            board_library(made, tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob(library_module.LIBRARY))
    assert board_library(made, tmp_path / "cache").is_file()


def test_a_folder_without_rtl_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QnnError, match=r"holds no rtl/qnn_top\.sv; name a folder that `qnn-hw build` wrote$"):
        board_library(tmp_path)


def test_a_design_that_verilator_refuses_is_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QNN_HW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(library_module, "_runtime", lambda *_: [])
    broken = small_build(tmp_path / "a", "module qnn_top; nonsense\n")
    with pytest.raises(
        QnnError, match=r"verilator refused the accelerator: .*; the whole output is in .*\.log$"
    ) as told:
        board_library(broken)
    assert "\n" not in str(told.value)
    assert (tmp_path / "cache" / "failed-build.log").is_file()
