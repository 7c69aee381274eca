# SPDX-License-Identifier: Apache-2.0
"""The boards an accelerator can be built for: one TOML file a board in `boards/`, or a file of the user's own.

A file holds everything that differs between boards, so that no other code asks which board it is: device and its
resources, processor cell and its settings, memory port, address windows, clocks, PYNQ releases. `boards/README.md`
describes it field by field.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import tomli_w

from qnn_hw.errors import QnnError, nearest
from qnn_hw.resources import resource_dir

Family = Literal["zynq-7000", "zynq-ultrascale+"]

PORT_WIDTHS: dict[str, tuple[int, ...]] = {"zynq-7000": (64,), "zynq-ultrascale+": (64, 128)}
"""Bits of a memory port, by family: pynq leaves the port of a Zynq-7000 at 64 and sets that of the other family."""

# The other TOML file of the folder describes the register map, not a board.
_REGISTER_MAP = "registers"
_MAY_BE_ZERO = frozenset({"uram", "base"})
_PATTERNS = {
    "part": (re.compile(r"x[acq][a-z0-9]+(-[A-Za-z0-9]+)+"), "a Vivado part name, such as xc7z020clg400-1"),
    "board_parts": (re.compile(r"[^:\s]+:[^:\s]+:part\d+:[\d.]+"), "vendor:board:part0:version"),
    "pynq_versions": (re.compile(r"\d+\.\d+\.\d+"), "a release, such as 3.1.2"),
    "ip": (re.compile(r"[^:\s]+:[^:\s]+:[^:\s]+"), "vendor:library:name, without a version"),
    "cell": (re.compile(r"[a-z][a-z0-9_]*"), "a cell name: a-z, 0-9 and _"),
    "control_space": (re.compile(r"\w+"), "a name: letters, digits and _"),
    "memory_segment": (re.compile(r"\w+(/\w+)+"), "a segment under the cell, such as S_AXI_HP0/HP0_DDR_LOWOCM"),
    "config_property": (re.compile(r"[A-Z][A-Z0-9_]*"), "the name of a CONFIG property, without CONFIG."),
}
_PORTS = ("control_port", "control_clock_pin", "memory_port", "memory_clock_pin", "clock_pin", "reset_pin")
_PATTERNS.update({name: (re.compile(r"[A-Za-z]\w*"), "the name of a pin or port of the cell") for name in _PORTS})
# Width of a memory port among the settings of either processor cell.
_PORT_WIDTH = re.compile(r"PCW_S_AXI_HP\d_DATA_WIDTH|PSU__SAXIGP\d__DATA_WIDTH")
# Two windows of 64 KiB, the DMA's and the accelerator's.
_SMALLEST_CONTROL = 0x2_0000
_SMALLEST_MEMORY = 0x10_0000
_ADDRESSES = 1 << 32


@dataclass(frozen=True, slots=True)
class Processor:
    """The processor cell of the block design: what Vivado is told about it. Names are Vivado's."""

    cell: str
    """Instance name, for example `processing_system7_0`."""
    ip: str
    """vendor:library:name of the cell; the version is whatever the installed Vivado has."""
    automation: str
    """Argument of `-config` of `apply_bd_automation`: board preset and external ports."""
    control_port: str
    """AXI manager that reaches the registers of DMA and accelerator."""
    control_clock_pin: str
    """Clock input of that port."""
    control_space: str
    """Address space of that port under the cell, for `assign_bd_address -target_address_space`."""
    memory_port: str
    """AXI subordinate through which the DMA reaches the DDR memory; `dma_width_bits` wide."""
    memory_clock_pin: str
    """Clock input of that port."""
    memory_segment: str
    """Address segment of the DDR memory behind that port, under the cell."""
    clock_pin: str
    """Output that clocks the programmable logic."""
    reset_pin: str
    """Active-low reset output to the programmable logic."""
    config: tuple[tuple[str, str], ...]
    """(property, value) set after the board preset, in this order, without the `CONFIG.` in front."""


@dataclass(frozen=True, slots=True)
class Window:
    """A range of addresses: `size` bytes from `base`; size is a power of two and base a multiple of it."""

    base: int
    """First address."""
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class ClockSource:
    """Where the clock of the programmable logic comes from: reference * multiplier / divider / (two divisors)."""

    config_property: str
    """CONFIG property of the processor cell that asks for the clock, in MHz."""
    pll: str
    """PLL the clock is divided from, as Vivado calls it."""
    reference_mhz: float
    """Crystal of the processor, in MHz."""
    pll_multiplier: int
    """Feedback divisor of the PLL under the board preset."""
    pll_divider: int
    """Output divider of the PLL: 1 or 2."""
    min_mhz: float
    """Slowest clock that may be asked for."""
    max_mhz: float
    """Fastest clock that may be asked for."""

    @property
    def pll_mhz(self) -> float:
        """Frequency that the two divisors divide, in MHz."""
        return self.reference_mhz * self.pll_multiplier / self.pll_divider


@dataclass(frozen=True, slots=True)
class Board:
    """A board and what its FPGA holds; every field is a key of the TOML file and none may be left out."""

    name: str
    """The word after `--board`."""
    title: str
    """Maker and board, for people."""
    part: str
    """Vivado part name, for example `xc7z020clg400-1`."""
    board_parts: tuple[str, ...]
    """Vivado board parts (vendor:board:part0:version) that stand for it, the one tried first in front."""
    family: Family
    """Decides what the .hwh calls things and which registers set the clock."""
    lut: int
    """LUT6 sites of the device."""
    ff: int
    """Flip-flops of the device."""
    bram36: int
    """36 Kbit block RAMs; each splits into two of 18 Kbit."""
    uram: int
    """288 Kbit UltraRAMs, 0 where the device has none."""
    dsp: int
    """DSP48 slices."""
    memory_mb: int
    """DDR memory of the processor, in MiB."""
    dma_width_bits: int
    """Width of the outside streams = width of the memory port the DMA sits on, in bits."""
    clock_mhz: float
    """Clock of the programmable logic when nothing else is asked for, in MHz."""
    pynq_board: str
    """Name the PYNQ image gives the board: variable BOARD and /proc/device-tree/chosen/pynq_board."""
    pynq_versions: tuple[str, ...]
    """PYNQ releases with an image for this board that the driver is made for, oldest first."""
    source: str
    """Document the device figures come from."""
    processor: Processor
    """The processor cell."""
    control: Window
    """Addresses of the control port, from which DMA and accelerator take theirs."""
    memory: Window
    """Addresses of the DDR memory that the DMA reaches."""
    clock: ClockSource
    """How the clock is made."""

    @property
    def board_part(self) -> str:
        """The first of `board_parts`."""
        return self.board_parts[0]


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


def board_toml(board: Board) -> str:
    """Return `board` as the text of a board file; `load_board` of that file gives an equal board.

    A build keeps it, so that it stays whole when it was made for a file of the user's own.
    """
    table = asdict(board)
    table["processor"]["config"] = dict(board.processor.config)
    return tomli_w.dumps(table)


def takes_pynq(board: Board, version: str) -> bool:
    """Return whether the driver may run under pynq `version` on `board`.

    Patch releases are alike: 3.1.0 runs where 3.1.2 is listed. Only the first two numbers count.
    """
    return version.split(".")[:2] in [known.split(".")[:2] for known in board.pynq_versions]


def _shipped() -> dict[str, Path]:
    return {path.stem: path for path in sorted(resource_dir("boards").glob("*.toml")) if path.stem != _REGISTER_MAP}


def _read(path: Path) -> Board:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise QnnError(f"board file {path}: cannot be read ({error}); give a .toml file or a name") from None
    except tomllib.TOMLDecodeError as error:
        raise QnnError(f"board file {path}: not valid TOML ({error})") from None
    try:
        board: Board = _parse(Board, table, "")
        _check(board)
    except _Broken as error:
        raise QnnError(f"board file {path}: {error}") from None
    return board


class _Broken(Exception):
    """What is wrong, without the name of the file."""


def _parse(kind: type[Any], table: Mapping[str, object], prefix: str) -> Any:
    """Return a `kind` from a TOML table; `prefix` is the table's name with a dot, empty for the file itself."""
    hints = get_type_hints(kind)
    keys = [field.name for field in fields(kind)]
    what = f"[{prefix[:-1]}]" if prefix else "a board"
    for key in table:
        if key not in keys:
            raise _Broken(f"unknown key {prefix + key!r}; nearest: {nearest(key, keys)}")
    missing = [key for key in keys if key not in table]
    if missing:
        raise _Broken(f"missing {', '.join(prefix + key for key in missing)}; {what} needs {', '.join(keys)}")
    return kind(**{key: _value(key, hints[key], table[key], prefix) for key in keys})


def _value(key: str, hint: Any, value: object, prefix: str) -> object:
    if is_dataclass(hint) or key == "config":
        if not isinstance(value, dict):
            raise _Broken(f"{prefix}{key} is {value!r}, must be a table [{prefix}{key}]")
        return _config(value, f"{prefix}{key}.") if key == "config" else _parse(hint, value, f"{key}.")
    if hint == tuple[str, ...]:
        return _texts(key, value, prefix)
    wrong = _complaint(key, hint, value)
    if wrong:
        raise _Broken(f"{prefix}{key} is {value!r}, must be {wrong}")
    return value


def _config(table: Mapping[str, object], prefix: str) -> tuple[tuple[str, str], ...]:
    """Return the settings as texts, in the order of the file; Vivado takes every value as a text."""
    for key, value in table.items():
        if not _PATTERNS["config_property"][0].fullmatch(key):
            raise _Broken(f"unknown key {prefix + key!r}; a key is {_PATTERNS['config_property'][1]}")
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise _Broken(f"{prefix}{key} is {value!r}, must be a number or a string")
        if isinstance(value, str) and not value.isprintable():
            raise _Broken(f"{prefix}{key} is {value!r}, must be of one line")
    return tuple((key, str(value)) for key, value in table.items())


def _texts(key: str, value: object, prefix: str) -> tuple[str, ...]:
    pattern, meaning = _PATTERNS[key]
    if not isinstance(value, list) or not value:
        raise _Broken(f"{prefix}{key} is {value!r}, must be a list with at least one of: {meaning}")
    for item in value:
        if not isinstance(item, str) or not pattern.fullmatch(item):
            raise _Broken(f"{prefix}{key} holds {item!r}, must be {meaning}")
    if len(set(value)) != len(value):
        raise _Broken(f"{prefix}{key} is {value!r}, must name each once")
    return tuple(value)


def _complaint(name: str, type_: object, value: object) -> str:
    """Return what `value` must be, or an empty string when it is that."""
    if name == "family":
        return "" if value in get_args(Family) else " or ".join(get_args(Family))
    if type_ is str:
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            return "a non-empty string of one line"
        pattern, meaning = _PATTERNS.get(name, (None, ""))
        return "" if pattern is None or pattern.fullmatch(value) else meaning
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "a number"
    if type_ is float:
        return "" if 0 < value < float("inf") else "a number above 0"
    if not isinstance(value, int) or value < (0 if name in _MAY_BE_ZERO else 1):
        return "an integer, 0 or more" if name in _MAY_BE_ZERO else "an integer, 1 or more"
    return ""


def _check(board: Board) -> None:
    """Raise `_Broken` where fields that are each legal do not fit together."""
    widths = PORT_WIDTHS[board.family]
    if board.dma_width_bits not in widths:
        allowed = " or ".join(str(width) for width in widths)
        raise _Broken(f"dma_width_bits is {board.dma_width_bits}, must be {allowed} (memory port of {board.family})")
    for name, window, least in (
        ("control", board.control, _SMALLEST_CONTROL),
        ("memory", board.memory, _SMALLEST_MEMORY),
    ):
        if window.size & (window.size - 1) or window.size < least:
            raise _Broken(f"{name}.size is 0x{window.size:X}, must be a power of two, 0x{least:X} or more")
        if window.base % window.size:
            raise _Broken(f"{name}.base is 0x{window.base:X}, must be a multiple of {name}.size 0x{window.size:X}")
        if window.base + window.size > _ADDRESSES:
            raise _Broken(f"{name} ends at 0x{window.base + window.size:X}, must end at 0x{_ADDRESSES:X} or before")
    if board.control.base < board.memory.base + board.memory.size and (
        board.memory.base < board.control.base + board.control.size
    ):
        raise _Broken("control and memory overlap; their addresses must be apart")
    if board.memory.size > board.memory_mb << 20:
        raise _Broken(f"memory.size is 0x{board.memory.size:X}, more than memory_mb {board.memory_mb} gives")
    for name, value in board.processor.config:
        if _PORT_WIDTH.fullmatch(name) and value != str(board.dma_width_bits):
            raise _Broken(
                f"processor.config.{name} is {value}, must be {board.dma_width_bits} as dma_width_bits is: the memory "
                "port is as wide as the streams"
            )
    if board.clock.pll_divider not in (1, 2):
        raise _Broken(f"clock.pll_divider is {board.clock.pll_divider}, must be 1 or 2")
    if not board.clock.min_mhz <= board.clock_mhz <= board.clock.max_mhz:
        raise _Broken(
            f"clock_mhz is {board.clock_mhz:g}, must lie between clock.min_mhz {board.clock.min_mhz:g} and "
            f"clock.max_mhz {board.clock.max_mhz:g}"
        )
