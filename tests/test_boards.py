# SPDX-License-Identifier: Apache-2.0
"""The board files and the errors a user's own file can raise."""

from pathlib import Path

import pytest

from qnn_hw.boards import list_boards, load_board
from qnn_hw.errors import QnnError
from qnn_hw.resources import resource_dir

GOOD = (resource_dir("boards") / "pynq-z2.toml").read_text()


def test_the_shipped_boards() -> None:
    assert [board.name for board in list_boards()] == ["kv260", "pynq-z1", "pynq-z2", "ultra96-v2", "zcu104"]


@pytest.mark.parametrize("board", list_boards(), ids=lambda board: board.name)
def test_every_board_is_consistent(board) -> None:  # type: ignore[no-untyped-def]
    assert load_board(board.name) == board
    # Outside streams are as wide as the memory port pynq supports: 64 bits on Zynq-7000, 128 on UltraScale+.
    assert board.dma_width_bits == {"zynq-7000": 64, "zynq-ultrascale+": 128}[board.family]
    assert board.part.startswith("xc7z" if board.family == "zynq-7000" else ("xczu", "xck26"))
    assert board.ff == 2 * board.lut  # a slice pairs each LUT with two flip-flops in both families
    assert len(board.board_part.split(":")) == 4


def test_the_device_of_the_pynq_boards() -> None:
    for name in ("pynq-z1", "pynq-z2"):
        board = load_board(name)
        assert (board.lut, board.ff, board.bram36, board.dsp, board.uram) == (53_200, 106_400, 140, 220, 0)
        assert (board.part, board.clock_mhz) == ("xc7z020clg400-1", 100)


def test_a_file_of_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace('"pynq-z2"', '"mine"').replace("clock_mhz = 100", "clock_mhz = 142.5"))
    assert load_board(path).name == "mine"
    assert load_board(str(path)).clock_mhz == 142.5


def test_an_unknown_name_lists_the_nearest() -> None:
    with pytest.raises(QnnError, match=r"board 'pynq-z3' is unknown; nearest: pynq-z[12], pynq-z[12]"):
        load_board("pynq-z3")


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("lut = 53200", "lut = 0", "lut is 0, must be an integer, 1 or more"),
        ("lut = 53200", "lut = 53200.5", "lut is 53200.5, must be an integer, 1 or more"),
        ("lut = 53200", 'lut = "many"', "lut is 'many', must be a number"),
        ("uram = 0", "uram = -1", "uram is -1, must be an integer, 0 or more"),
        ("uram = 0", "uram = true", "uram is True, must be a number"),
        ("clock_mhz = 100", "clock_mhz = 0", "clock_mhz is 0, must be a number above 0"),
        ("dma_width_bits = 64", "dma_width_bits = 96", "dma_width_bits is 96, must be a power of two, 64 or more"),
        ('"zynq-7000"', '"zynq"', "family is 'zynq', must be zynq-7000 or zynq-ultrascale+"),
        ('title = "TUL PYNQ-Z2"', 'title = ""', "title is '', must be a non-empty string"),
        ("bram36 = 140", "bram = 140", "unknown key 'bram'; nearest: bram36"),
        ("bram36 = 140", "", "missing bram36; a board needs name, "),
        ("bram36 = 140", "bram36 = = 140", "not valid TOML"),
    ],
    ids=lambda value: value if value.startswith(("lut", "uram", "clock", "dma", "bram")) else None,
)
def test_a_broken_file_is_one_sentence(tmp_path: Path, old: str, new: str, text: str) -> None:
    assert old in GOOD
    path = tmp_path / "broken.toml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(QnnError) as caught:
        load_board(path)
    assert f"board file {path}: " in str(caught.value)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_absent_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(QnnError, match="cannot be read"):
        load_board(tmp_path / "absent.toml")
