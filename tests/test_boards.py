# SPDX-License-Identifier: Apache-2.0
"""The board files and the errors a user's own file can raise."""

import json
import tomllib
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from qnn_hw.boards import Board, ClockSource, Processor, Window, board_toml, list_boards, load_board, takes_pynq
from qnn_hw.errors import QnnError
from qnn_hw.resources import resource_dir

FILES = {path.stem: path.read_text() for path in sorted(resource_dir("boards").glob("*.toml"))}
GOOD, GOOD_ULTRASCALE = FILES["pynq-z2"], FILES["zcu104"]
BOARDS = pytest.mark.parametrize("board", list_boards(), ids=lambda board: board.name)


def test_the_shipped_boards() -> None:
    assert [board.name for board in list_boards()] == ["kv260", "pynq-z1", "pynq-z2", "ultra96-v2", "zcu104"]


@BOARDS
def test_every_board_is_consistent(board: Board) -> None:
    assert load_board(board.name) == board
    # Outside streams are as wide as the memory port pynq supports: 64 bits on Zynq-7000, 128 on UltraScale+.
    assert board.dma_width_bits == {"zynq-7000": 64, "zynq-ultrascale+": 128}[board.family]
    assert board.part.startswith("xc7z" if board.family == "zynq-7000" else ("xczu", "xck26"))
    assert board.ff == 2 * board.lut  # a slice pairs each LUT with two flip-flops in both families
    assert all(len(part.split(":")) == 4 for part in board.board_parts)
    assert board.board_part == board.board_parts[0]
    settings = dict(board.processor.config)
    assert board.clock.config_property not in settings, "the clock comes from the build"
    width = "PCW_S_AXI_HP0_DATA_WIDTH" if board.family == "zynq-7000" else "PSU__SAXIGP2__DATA_WIDTH"
    assert settings[width] == str(board.dma_width_bits)
    # pynq computes clocks from a crystal of its own: the board's must be that one, or what it reads back is wrong.
    pynq_reference = 50 if board.family == "zynq-7000" else 33.333
    assert board.clock.reference_mhz == pytest.approx(pynq_reference, rel=1e-4)
    # pynq 4 has no Zynq-7000.
    assert board.family == "zynq-ultrascale+" or not takes_pynq(board, "4.0.0")


# Data sheets: DS190 (XC7Z020), DS891 (ZU7EV, ZU3EG), DS987 (K26).
@pytest.mark.parametrize(
    ("names", "figures", "memory_mb"),
    [
        (("pynq-z1", "pynq-z2"), (53_200, 106_400, 140, 0, 220), 512),
        (("zcu104",), (230_400, 460_800, 312, 96, 1_728), 2_048),
        (("ultra96-v2",), (70_560, 141_120, 216, 0, 360), 2_048),
        (("kv260",), (117_120, 234_240, 144, 64, 1_248), 4_096),
    ],
    ids=["xc7z020", "xczu7ev", "xczu3eg", "xck26"],
)
def test_figures_of_the_device(names: tuple[str, ...], figures: tuple[int, ...], memory_mb: int) -> None:
    for name in names:
        board = load_board(name)
        assert (board.lut, board.ff, board.bram36, board.uram, board.dsp) == figures
        assert board.memory_mb == memory_mb


@pytest.mark.parametrize(
    ("name", "version", "taken"),
    [
        ("pynq-z2", "3.1.2", True),
        ("pynq-z2", "3.1.0", True),
        ("pynq-z2", "3.0.1", True),
        ("pynq-z2", "4.0.0", False),
        ("pynq-z2", "3.10.0", False),
        ("zcu104", "4.0.0", True),
        ("kv260", "3.1.2", False),
        ("kv260", "unknown", False),
    ],
)
def test_pynq_releases(name: str, version: str, taken: bool) -> None:
    assert takes_pynq(load_board(name), version) == taken


def test_a_file_of_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace('"pynq-z2"', '"mine"').replace("clock_mhz = 100", "clock_mhz = 142.5"))
    assert load_board(path).name == "mine"
    assert load_board(str(path)).clock_mhz == 142.5


def test_an_unknown_name_lists_the_nearest() -> None:
    with pytest.raises(QnnError, match=r"board 'pynq-z3' is unknown; nearest: pynq-z[12], pynq-z[12]"):
        load_board("pynq-z3")


@BOARDS
def test_a_board_printed_and_read_again_is_the_same(board: Board, tmp_path: Path) -> None:
    path = tmp_path / "board.toml"
    path.write_text(board_toml(board))
    assert load_board(path) == board
    assert board_toml(load_board(path)) == path.read_text(), "printing is not stable"
    assert set(tomllib.loads(path.read_text())) == set(tomllib.loads(FILES[board.name]))


@given(
    text=st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip),
    settings=st.dictionaries(st.from_regex(r"PCW_[A-Z0-9_]+", fullmatch=True), st.text(st.characters(codec="utf-8"))),
)
def test_any_text_survives_printing(text: str, settings: dict[str, str]) -> None:
    # Read as TOML alone: settings may break the rules of a board.
    board = load_board("pynq-z2")
    config = tuple(settings.items())
    table = tomllib.loads(board_toml(replace(board, title=text, processor=replace(board.processor, config=config))))
    assert table["title"] == text
    assert table["processor"]["config"] == settings


def test_facts_of_a_board_are_json() -> None:
    facts = json.loads(json.dumps(asdict(load_board("kv260"))))
    assert facts["control"] == {"base": 0xA000_0000, "size": 0x1000_0000}
    assert facts["board_parts"][0] == "xilinx.com:kv260_som:part0:1.3"


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("lut = 53200", "lut = 0", "lut is 0, must be an integer, 1 or more"),
        ("lut = 53200", "lut = 53200.5", "lut is 53200.5, must be an integer, 1 or more"),
        ("lut = 53200", 'lut = "many"', "lut is 'many', must be a number"),
        ("uram = 0", "uram = -1", "uram is -1, must be an integer, 0 or more"),
        ("uram = 0", "uram = true", "uram is True, must be a number"),
        ("clock_mhz = 100", "clock_mhz = 0", "clock_mhz is 0, must be a number above 0"),
        ("clock_mhz = 100", "clock_mhz = nan", "clock_mhz is nan, must be a number above 0"),
        (
            "clock_mhz = 100",
            "clock_mhz = 251",
            "clock_mhz is 251, must lie between clock.min_mhz 1 and clock.max_mhz 250",
        ),
        (
            "dma_width_bits = 64",
            "dma_width_bits = 128",
            "dma_width_bits is 128, must be 64 (memory port of zynq-7000)",
        ),
        ('"zynq-7000"', '"zynq"', "family is 'zynq', must be zynq-7000 or zynq-ultrascale+"),
        (
            'family = "zynq-7000"',
            'family = ["zynq-7000"]',
            "family is ['zynq-7000'], must be zynq-7000 or zynq-ultrascale+",
        ),
        ('title = "TUL PYNQ-Z2"', 'title = ""', "title is '', must be a non-empty string of one line"),
        ('title = "TUL PYNQ-Z2"', 'title = "two\\nlines"', "title is 'two\\nlines', must be a non-empty string of one"),
        (
            '"xc7z020clg400-1"',
            '"zynq 7020"',
            "part is 'zynq 7020', must be a Vivado part name, such as xc7z020clg400-1",
        ),
        ("bram36 = 140", "bram = 140", "unknown key 'bram'; nearest: bram36"),
        ("bram36 = 140", "", "missing bram36; a board needs name, "),
        ("bram36 = 140", "bram36 = = 140", "not valid TOML"),
        ('["tul.com.tw:pynq-z2:part0:1.0"]', "[]", "board_parts is [], must be a list with at least one of: vendor:"),
        ('["tul.com.tw:pynq-z2:part0:1.0"]', '"tul.com.tw:pynq-z2:part0:1.0"', "must be a list with at least one of"),
        ('["tul.com.tw:pynq-z2:part0:1.0"]', '["pynq-z2"]', "board_parts holds 'pynq-z2', must be vendor:board:part0:"),
        ('["3.0.1", "3.1.2"]', '["3.0.1", "3.1"]', "pynq_versions holds '3.1', must be a release, such as 3.1.2"),
        ('["3.0.1", "3.1.2"]', '["3.0.1", "3.0.1"]', "pynq_versions is ['3.0.1', '3.0.1'], must name each once"),
        ("[memory]\n", "[ddr]\n", "unknown key 'ddr'"),
        ("[control] # of M_AXI_GP0", "[unused]", "unknown key 'unused'"),
        ("base = 0x4000_0000\n", "", "missing control.base; [control] needs base, size"),
        ("base = 0x4000_0000", "base = -1", "control.base is -1, must be an integer, 0 or more"),
        (
            "base = 0x4000_0000",
            "base = 0x5000_0000",
            "control.base is 0x50000000, must be a multiple of control.size 0x",
        ),
        (
            "base = 0x4000_0000",
            "base = 0x1_0000_0000",
            "control ends at 0x140000000, must end at 0x100000000 or before",
        ),
        (
            "size = 0x4000_0000",
            "size = 0x3000_0000",
            "control.size is 0x30000000, must be a power of two, 0x20000 or more",
        ),
        ("size = 0x4000_0000", "size = 0x1_0000", "control.size is 0x10000, must be a power of two, 0x20000 or more"),
        ("size = 0x4000_0000", "extra = 1\nsize = 0x4000_0000", "unknown key 'control.extra'; nearest:"),
        ("size = 0x2000_0000", "size = 0x4000_0000", "memory.size is 0x40000000, more than memory_mb 512 gives"),
        ("base = 0x0000_0000", "base = 0x6000_0000", "control and memory overlap; their addresses must be apart"),
        ("pll_divider = 1", "pll_divider = 3", "clock.pll_divider is 3, must be 1 or 2"),
        ("pll_divider = 1", 'pll_divider = "one"', "clock.pll_divider is 'one', must be a number"),
        ('"PCW_FPGA0_PERIPHERAL_FREQMHZ"', '"CONFIG.PCW"', "clock.config_property is 'CONFIG.PCW', must be the name"),
        ('"FCLK_CLK0"', '"FCLK CLK0"', "processor.clock_pin is 'FCLK CLK0', must be the name of a pin or port"),
        (
            '"xilinx.com:ip:processing_system7"',
            '"xilinx.com:ip:ps7:5.5"',
            "must be vendor:library:name, without a version",
        ),
        (
            "PCW_EN_CLK0_PORT = 1",
            "PCW_EN_CLK0_PORT = true",
            "processor.config.PCW_EN_CLK0_PORT is True, must be a number",
        ),
        (
            "PCW_EN_CLK0_PORT = 1",
            "en_clk0 = 1",
            "unknown key 'processor.config.en_clk0'; a key is the name of a CONFIG",
        ),
        (
            "PCW_S_AXI_HP0_DATA_WIDTH = 64",
            "PCW_S_AXI_HP0_DATA_WIDTH = 32",
            "processor.config.PCW_S_AXI_HP0_DATA_WIDTH is 32, must be 64 as dma_width_bits is",
        ),
    ],
)
def test_a_broken_file_is_one_sentence(tmp_path: Path, old: str, new: str, text: str) -> None:
    _check_error(tmp_path, GOOD, old, new, text)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (
            "dma_width_bits = 128",
            "dma_width_bits = 256",
            "dma_width_bits is 256, must be 64 or 128 (memory port of zynq-ultrascale+)",
        ),
        (
            "dma_width_bits = 128",
            "dma_width_bits = 64",
            "processor.config.PSU__SAXIGP2__DATA_WIDTH is 128, must be 64 as dma_width_bits is",
        ),
    ],
)
def test_a_broken_ultrascale_file_is_one_sentence(tmp_path: Path, old: str, new: str, text: str) -> None:
    _check_error(tmp_path, GOOD_ULTRASCALE, old, new, text)


@pytest.mark.parametrize("table", ["processor", "control", "memory", "clock"])
def test_a_table_must_be_one(tmp_path: Path, table: str) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(f"{table} = 7\n" + _without(table))
    with pytest.raises(QnnError, match=rf": {table} is 7, must be a table \[{table}\]"):
        load_board(path)


def _keys(kind: type, prefix: str = "") -> list[str]:
    tables = {"processor": Processor, "control": Window, "memory": Window, "clock": ClockSource}
    names = [prefix + field.name for field in fields(kind) if field.name not in tables]
    return names if prefix else names + [key for name, inner in tables.items() for key in _keys(inner, f"{name}.")]


@pytest.mark.parametrize("key", [*_keys(Board), "processor", "control", "memory", "clock"])
def test_no_key_may_be_left_out(tmp_path: Path, key: str) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(_without(key))
    with pytest.raises(QnnError, match=f"missing {key}; "):
        load_board(path)


def test_every_field_is_described() -> None:
    """What the README says of a key is there for each, and for no other."""
    text = (resource_dir("boards") / "README.md").read_text()
    for kind in (Board, Processor, Window, ClockSource):
        for field in fields(kind):
            if not is_dataclass(field.type):
                assert f"`{field.name}`" in text, f"boards/README.md does not describe {field.name}"


def test_an_absent_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(QnnError, match="cannot be read"):
        load_board(tmp_path / "absent.toml")


def _without(key: str) -> str:
    """Return a whole board file without `key`, a table's name or a key with its table's name in front."""
    whole = tomllib.loads(GOOD)
    table, _, name = key.rpartition(".")
    del (whole[table] if table else whole)[name]
    return tomli_w.dumps(whole)


def _check_error(folder: Path, good: str, old: str, new: str, text: str) -> None:
    assert old in good
    path = folder / "broken.toml"
    path.write_text(good.replace(old, new))
    with pytest.raises(QnnError) as caught:
        load_board(path)
    assert str(caught.value).startswith(f"board file {path}: ")
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
