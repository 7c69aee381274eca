# SPDX-License-Identifier: Apache-2.0
"""boards/registers.toml and what is printed from it."""

from pathlib import Path

import pytest

from qnn_hw.backends.rtl.registers import insert_block, printed_files, python_constants, read_register_map
from qnn_hw.errors import QnnError

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "boards" / "registers.toml"


@pytest.mark.parametrize("path", printed_files(ROOT), ids=lambda path: path.name)
def test_printed_file_is_up_to_date(path: Path) -> None:
    assert path.read_text() == printed_files(ROOT)[path], "run: python -m qnn_hw.backends.rtl.registers"


def test_offsets_are_those_of_the_contract() -> None:
    offsets = {register.name: register.offset for register in read_register_map(SOURCE).registers}
    assert offsets == {
        "id": 0x000,
        "version": 0x004,
        "graph_hash": 0x010,
        "control": 0x020,
        "status": 0x024,
        "errors": 0x028,
        "frames_in": 0x030,
        "frames_out": 0x034,
        "cycles_low": 0x040,
        "cycles_high": 0x044,
        "frame_interval": 0x048,
        "first_latency": 0x04C,
    }


def test_driver_constants_are_python_without_imports() -> None:
    names: dict[str, object] = {}
    exec(python_constants(read_register_map(SOURCE)), {"__builtins__": {}}, names)
    assert names["ID_VALUE"] == 0x514E4E31
    assert names["ERRORS_TLAST_MID_FRAME"] == 1
    assert names["FIFO_MARKS"] == 0x100


def test_two_registers_in_one_place_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "registers.toml"
    path.write_text(SOURCE.read_text().replace("offset = 0x004", "offset = 0x000"))
    with pytest.raises(QnnError, match="version and id share 0x000, move one"):
        read_register_map(path)


def test_missing_marks_are_named() -> None:
    with pytest.raises(QnnError, match="are missing"):
        insert_block("module x; endmodule\n", "")
