# SPDX-License-Identifier: Apache-2.0
"""The boards an accelerator can be built for: one TOML file a board in `boards/`, or a file of the user's own."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from qnn_hw.errors import QnnError, nearest
from qnn_hw.resources import resource_dir

Family = Literal["zynq-7000", "zynq-ultrascale+"]

# The other TOML file of the folder describes the register map, not a board.
_REGISTER_MAP = "registers"
_MAY_BE_ZERO = frozenset({"uram"})


@dataclass(frozen=True, slots=True)
class Board:
    """A board and what its FPGA holds; every field is a key of the TOML file and none may be left out."""

    name: str
    """The word after `--board`."""
    title: str
    """Maker and board, for people."""
    part: str
    """Vivado part name, for example `xc7z020clg400-1`."""
    board_part: str
    """Vivado `board_part` (vendor:board:part0:version)."""
    family: Family
    """Decides the processor cell, the memory port and the address window."""
    lut: int
    """LUT6 sites of the device."""
    ff: int
    """Flip-flops of the device."""
    bram36: int
    """36 Kbit block RAMs; each splits into two of 18 Kbit."""
    uram: int
    """288 Kbit UltraRAMs, 0 where the family has none."""
    dsp: int
    """DSP48 slices."""
    dma_width_bits: int
    """Width of the outside streams = width of the memory port the DMA sits on, in bits."""
    clock_mhz: float
    """Clock of the programmable logic when nothing else is asked for, in MHz."""
    pynq: str
    """Newest PYNQ release with an image for this board."""
    source: str
    """Document the device figures come from."""


def load_board(name_or_path: str | Path) -> Board:
    """Return a shipped board by name, or the board a TOML file describes (a `Path`, or a string that ends in `.toml`).

    Raises:
        QnnError: unknown name (with the nearest names), unreadable file, or a file that breaks the schema.
    """
    if isinstance(name_or_path, Path) or name_or_path.endswith(".toml"):
        return _read(Path(name_or_path))
    known = _shipped()
    if name_or_path not in known:
        raise QnnError(
            f"board {name_or_path!r} is unknown; nearest: {nearest(name_or_path, list(known))}; "
            "`qnn-hw boards` lists all, and a path to a .toml file is taken as well"
        )
    return _read(known[name_or_path])


def list_boards() -> tuple[Board, ...]:
    """Return every shipped board, sorted by name."""
    return tuple(_read(path) for path in _shipped().values())


def _shipped() -> dict[str, Path]:
    return {path.stem: path for path in sorted(resource_dir("boards").glob("*.toml")) if path.stem != _REGISTER_MAP}


def _read(path: Path) -> Board:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise QnnError(f"board file {path}: cannot be read ({error}); give a .toml file or a name") from None
    except tomllib.TOMLDecodeError as error:
        raise QnnError(f"board file {path}: not valid TOML ({error})") from None
    return _parse(table, path)


def _parse(table: Mapping[str, object], path: Path) -> Board:
    keys = [field.name for field in fields(Board)]
    for key in table:
        if key not in keys:
            raise QnnError(f"board file {path}: unknown key {key!r}; nearest: {nearest(key, keys)}")
    missing = [key for key in keys if key not in table]
    if missing:
        raise QnnError(f"board file {path}: missing {', '.join(missing)}; a board needs {', '.join(keys)}")
    for field in fields(Board):
        wrong = _complaint(field.name, field.type, table[field.name])
        if wrong:
            raise QnnError(f"board file {path}: {field.name} is {table[field.name]!r}, must be {wrong}")
    values: dict[str, Any] = dict(table)  # every value was checked above
    return Board(**values)


def _complaint(name: str, type_: object, value: object) -> str:
    """Return what `value` must be, or an empty string when it is that."""
    if name == "family":
        return "" if value in get_args(Family) else " or ".join(get_args(Family))
    if type_ is str:
        return "" if isinstance(value, str) and value else "a non-empty string"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "a number"
    if type_ is float:
        return "" if value > 0 else "a number above 0"
    if not isinstance(value, int) or value < (0 if name in _MAY_BE_ZERO else 1):
        return "an integer, 0 or more" if name in _MAY_BE_ZERO else "an integer, 1 or more"
    if name == "dma_width_bits" and (value < 64 or value & (value - 1)):
        return "a power of two, 64 or more"
    return ""
