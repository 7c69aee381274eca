# SPDX-License-Identifier: Apache-2.0
"""The block design: names, addresses and the clock, for every board."""

import json
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qnn_hw.backends.board.design import (
    ACCELERATOR_RANGE,
    CLOCK_TOLERANCE,
    LARGEST_DIVISOR,
    block_design,
    clock_divisors,
    divided,
    dma_config,
    stem,
)
from qnn_hw.backends.rtl.registers import read_register_map
from qnn_hw.boards import Board, list_boards, load_board
from qnn_hw.errors import QnnError
from qnn_hw.resources import resource_dir

BOARDS = pytest.mark.parametrize("board", list_boards(), ids=lambda board: board.name)
any_board = st.sampled_from(list_boards())


def facts(board: Board, **changed: Any) -> dict[str, Any]:
    """Return what of a `qnn.json` the block design reads."""
    return {
        "name": "digits_mlp",
        "graph_hash": "0123456789abcdef0123456789abcdef",
        "dma_width_bits": board.dma_width_bits,
        "clock_mhz": board.clock_mhz,
        **changed,
    }


@BOARDS
def test_addresses_are_apart_and_inside_the_window(board: Board) -> None:
    design = block_design(facts(board), board)
    assert [segment.cell for segment in design.control] == ["axi_dma_0", "qnn_0"]
    end = board.control.base
    for segment in design.control:
        assert segment.size >= 4096 and segment.size & (segment.size - 1) == 0, segment
        assert segment.base % segment.size == 0, segment
        assert segment.base >= end, f"{segment} overlaps the one before or begins below the window"
        end = segment.base + segment.size
    assert end <= board.control.base + board.control.size
    assert design.memory_base + design.memory_size <= 1 << 32, "the DMA has 32-bit addresses"
    assert design.memory_size <= board.memory_mb << 20


def test_the_smallest_control_window_holds_both() -> None:
    board = load_board("pynq-z2")
    small = replace(board, control=replace(board.control, size=0x2_0000))
    last = block_design(facts(small), small).control[-1]
    assert last.base + last.size <= small.control.base + small.control.size


def test_the_register_window_is_that_of_the_register_map() -> None:
    assert read_register_map(resource_dir("boards") / "registers.toml").window_bytes == ACCELERATOR_RANGE


@BOARDS
def test_the_design_says_what_the_board_says(board: Board) -> None:
    design = block_design(facts(board), board)
    assert (design.part, design.board_part, design.family) == (board.part, board.board_part, board.family)
    assert design.processor_cell == board.processor.cell
    assert (design.control_port, design.memory_port) == (board.processor.control_port, board.processor.memory_port)
    assert design.stem == "digits_mlp-01234567"
    assert json.loads(json.dumps(asdict(design)))["control"][1]["cell"] == "qnn_0"


@BOARDS
def test_the_dma_is_as_wide_as_the_streams(board: Board) -> None:
    settings = dict(dma_config(block_design(facts(board), board)))
    widths = {name: value for name, value in settings.items() if name.endswith("data_width")}
    assert set(widths.values()) == {str(board.dma_width_bits)}, widths
    assert settings["c_sg_length_width"] == "26"
    assert settings["c_include_sg"] == settings["c_include_mm2s_dre"] == settings["c_include_s2mm_dre"] == "0"
    assert settings["c_addr_width"] == "32"
    # A burst ends at 4 KiB boundaries and, on an AXI3 port, after 16 beats.
    assert int(settings["c_mm2s_burst_size"]) * board.dma_width_bits // 8 <= 4096
    assert int(settings["c_mm2s_burst_size"]) <= 16


def test_a_build_for_a_port_of_another_width_is_refused() -> None:
    with pytest.raises(QnnError) as caught:
        block_design(facts(load_board("zcu104")), load_board("pynq-z2"))
    assert str(caught.value) == (
        "board pynq-z2: its memory port has 64 bits, the build's streams have 128; build again with --board pynq-z2"
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("digits_mlp", "digits_mlp-01234567"),
        ("My Net (v2)", "my_net_v2-01234567"),
        ("../../etc/passwd", "etc_passwd-01234567"),
        ("Ünï", "n-01234567"),
        ("漢字", "network-01234567"),
        ("", "network-01234567"),
        ("a" * 39 + "_b", "a" * 39 + "-01234567"),
    ],
)
def test_stem(name: str, expected: str) -> None:
    assert stem({"name": name, "graph_hash": "0123456789abcdef"}) == expected


@given(name=st.text())
def test_a_stem_is_a_safe_name(name: str) -> None:
    made = stem({"name": name, "graph_hash": "0123456789abcdef"})
    before, _, after = made.rpartition("-")
    assert after == "01234567"
    assert 1 <= len(before) <= 40 and set(before) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")


@pytest.mark.parametrize(
    ("name", "clock_mhz", "divisors"),
    [
        # As in PYNQ's own design of the Z2.
        ("pynq-z2", 100, (5, 2)),
        ("pynq-z2", 142.86, (7, 1)),
        ("pynq-z2", 200, (5, 1)),
        ("pynq-z2", 166.67, (3, 2)),
        ("pynq-z2", 62.5, (4, 4)),
        # As in a Vivado handoff file of an UltraScale+ board, and in the preset of the Ultra96-V2.
        ("zcu104", 100, (15, 1)),
        ("ultra96-v2", 300, (5, 1)),
        ("ultra96-v2", 375, (4, 1)),
        ("kv260", 187.5, (8, 1)),
    ],
    ids=lambda value: f"{value[0]}x{value[1]}" if isinstance(value, tuple) else str(value),
)
def test_known_divisors(name: str, clock_mhz: float, divisors: tuple[int, int]) -> None:
    assert clock_divisors(load_board(name), clock_mhz) == divisors


@given(board=any_board, first=st.integers(1, LARGEST_DIVISOR), second=st.integers(1, LARGEST_DIVISOR))
def test_a_clock_that_divisors_make_is_found_again(board: Board, first: int, second: int) -> None:
    clock_mhz = divided(board.clock, first, second)
    if not board.clock.min_mhz <= clock_mhz <= board.clock.max_mhz:
        return
    assert divided(board.clock, *clock_divisors(board, clock_mhz)) == clock_mhz


@given(board=any_board, clock_mhz=st.floats(0.5, 400))
def test_no_other_divisors_come_nearer(board: Board, clock_mhz: float) -> None:
    inside = board.clock.min_mhz <= clock_mhz <= board.clock.max_mhz
    pairs = range(1, LARGEST_DIVISOR + 1)
    nearest = min(abs(divided(board.clock, a, b) - clock_mhz) for a in pairs for b in pairs if a >= b)
    try:
        found = clock_divisors(board, clock_mhz)
    except QnnError as error:
        assert not inside or nearest > CLOCK_TOLERANCE * clock_mhz
        assert "\n" not in str(error) and f"board {board.name}: " in str(error)
    else:
        assert inside and all(1 <= divisor <= LARGEST_DIVISOR for divisor in found)
        assert abs(divided(board.clock, *found) - clock_mhz) == nearest <= CLOCK_TOLERANCE * clock_mhz


@pytest.mark.parametrize(
    ("name", "clock_mhz", "text"),
    [
        (
            "pynq-z2",
            150,
            "board pynq-z2: its IO PLL of 1000 MHz divides to no clock within 1% of 150 MHz; nearest: 142.8571 or "
            "166.6667 MHz; give one of these with --clock-mhz",
        ),
        (
            "zcu104",
            200,
            "board zcu104: its IOPLL of 1500 MHz divides to no clock within 1% of 200 MHz; nearest: 187.5 or "
            "214.2857 MHz; give one of these with --clock-mhz",
        ),
        ("pynq-z1", 300, "board pynq-z1: a clock of 300 MHz is outside 1 to 250 MHz; choose another --clock-mhz"),
    ],
)
def test_a_clock_that_cannot_be_made(name: str, clock_mhz: float, text: str) -> None:
    board = load_board(name)
    with pytest.raises(QnnError) as caught:
        block_design(facts(board, clock_mhz=clock_mhz), board)
    assert str(caught.value) == text


@given(board=any_board, clock_mhz=st.floats(1, 375))
def test_the_clocks_offered_instead_are_taken(board: Board, clock_mhz: float) -> None:
    try:
        clock_divisors(board, clock_mhz)
    except QnnError as error:
        offered = str(error).partition("nearest: ")[2].partition(" MHz")[0]
        for text in offered.split(" or ") if offered else ():
            assert clock_divisors(board, float(text))


@BOARDS
def test_the_clock_of_the_design_is_the_one_its_divisors_make(board: Board) -> None:
    design = block_design(facts(board), board)
    made = design.reference_mhz * design.pll_multiplier / design.pll_divider / (design.divisor0 * design.divisor1)
    assert design.actual_mhz == pytest.approx(made)
    assert design.actual_mhz == pytest.approx(design.clock_mhz, rel=CLOCK_TOLERANCE)
