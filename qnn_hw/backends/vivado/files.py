# SPDX-License-Identifier: Apache-2.0
"""The files of a build's `vivado/` folder."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from qnn_hw.backends.board.design import (
    ACCELERATOR_RANGE,
    ACCELERATOR_VLNV,
    CLOCK_TOLERANCE,
    DMA_VLNV,
    BlockDesign,
    block_design,
    dma_config,
)
from qnn_hw.backends.vivado.releases import RELEASES
from qnn_hw.backends.vivado.wrapper import MODULE, print_wrapper
from qnn_hw.boards import Board
from qnn_hw.errors import QnnError
from qnn_hw.resources import resource_dir

RUN, SETTINGS, WRAPPER = "run.tcl", "settings.tcl", f"{MODULE}.v"
RESULTS = "out"
"""Folder the scripts leave the bitstream in, beside themselves; it appears complete or not at all."""
DESIGN, PROJECT = "qnn_system", "qnn"
"""Name of the block design and of the Vivado project."""

_HASH = re.compile(r"^\s*variable graph_hash (\w+)$", re.MULTILINE)
# A module of its own (SOM) sits on a carrier, which Vivado wants to be told apart; newest first.
_CARRIERS = {
    "xilinx.com:kv260_som": (
        "som240_1_connector xilinx.com:kv260_carrier:som240_1_connector:2.0",
        "som240_1_connector xilinx.com:kv260_carrier:som240_1_connector:1.3",
        "som240_1_connector xilinx.com:kv260_carrier:som240_1_connector:1.2",
    )
}
_BOARD_STORE = "install them by Tools > Vivado Store > Boards, or get them from the repository XilinxBoardStore"
_BY_HAND = "and put the board's folder into data/boards/board_files of the Vivado installation"
# Who offers the files, by the vendor in the board part.
_HINTS = {
    "www.digilentinc.com": "get pynq-z1.zip, which the PYNQ documentation links (page PYNQ-Z1)",
    "tul.com.tw": "install them by Tools > Vivado Store > Boards (TUL, pynq-z2), or get pynq-z2.zip, which the PYNQ "
    "documentation links (page PYNQ-Z2)",
}


def vivado_files(manifest: Mapping[str, Any], board: Board, sources: Collection[str]) -> dict[str, str]:
    """Return file name -> text of a build's `vivado/` folder.

    Args:
        manifest: `qnn.json` of the build.
        board: the build's board.
        sources: files of the build as paths below it, at least everything in `rtl/`; others are ignored.

    Raises:
        QnnError: as `block_design`, or a value of the board cannot be written as Tcl.
    """
    design = block_design(manifest, board)
    scripts = {
        path.name: path.read_text(encoding="utf-8") for path in (resource_dir("boards") / "vivado").glob("*.tcl")
    }
    generated = {
        SETTINGS: print_settings(design, board, sources),
        WRAPPER: print_wrapper(str(manifest["name"]), design.dma_width_bits),
    }
    return dict(sorted({**scripts, **generated}.items()))


def graph_hash_of(settings: str) -> str | None:
    """Return the graph hash in the text of a `settings.tcl`, None if there is none."""
    found = _HASH.search(settings)
    return found[1] if found else None


def print_settings(design: BlockDesign, board: Board, sources: Collection[str]) -> str:
    """Return the text of `settings.tcl`: every value the scripts use, and no logic."""
    processor = board.processor
    vendor, library, name, version = ACCELERATOR_VLNV.split(":")
    rtl = sorted(path for path in sources if re.fullmatch(r"rtl/[^/]+\.(sv|svh|v)", path))
    tables = sorted(path for path in sources if re.fullmatch(r"rtl/data/[^/]+\.mem", path))
    clock = f"{design.clock_mhz:.6f}".rstrip("0").rstrip(".")
    config = [*processor.config, (board.clock.config_property, clock)]
    groups: list[tuple[str, list[tuple[str, str]]]] = [
        (
            "What is built.",
            [
                ("stem", _word(design.stem)),
                ("graph_hash", _word(design.graph_hash)),
                ("releases", _list(release.version for release in RELEASES)),
                ("project", PROJECT),
                ("design", DESIGN),
            ],
        ),
        (
            "The board; of the board parts, the first that is installed is taken.",
            [
                ("part", _word(design.part)),
                ("board_parts", _list(board.board_parts)),
                ("board_connections", _list(_carriers(board))),
                ("board_files_hint", _word(_hint(board))),
            ],
        ),
        (
            "The IP: its name, and its files from this folder.",
            [
                ("ip_vendor", _word(vendor)),
                ("ip_library", _word(library)),
                ("ip_name", _word(name)),
                ("ip_version", _word(version)),
                ("ip_vlnv", _word(ACCELERATOR_VLNV)),
                ("ip_top", MODULE),
                ("register_bytes", str(ACCELERATOR_RANGE)),
                ("rtl_files", _lines(_word(name) for name in [WRAPPER, *(f"../{path}" for path in rtl)])),
                ("memory_files", _lines(_word(f"../{path}") for path in tables)),
            ],
        ),
        (
            "The processor: cell, what follows the board's preset, ports and pins.",
            [
                ("processor", _word(design.processor_cell)),
                ("processor_vlnv", _word(f"{processor.ip}:*")),
                ("processor_rule", _word(_rule(processor.ip))),
                ("processor_automation", _word(processor.automation)),
                ("processor_config", _pairs(config)),
                ("control_port", _word(design.control_port)),
                ("control_clock_pin", _word(processor.control_clock_pin)),
                ("control_space", _word(processor.control_space)),
                ("memory_port", _word(design.memory_port)),
                ("memory_clock_pin", _word(processor.memory_clock_pin)),
                ("memory_segment", _word(processor.memory_segment)),
                ("clock_pin", _word(processor.clock_pin)),
                ("reset_pin", _word(processor.reset_pin)),
            ],
        ),
        (
            "The clock asked for, in MHz, and the share by which the processor's may differ.",
            [("clock_mhz", clock), ("clock_tolerance", f"{CLOCK_TOLERANCE:g}")],
        ),
        (
            "Accelerator and DMA.",
            [
                ("accelerator", _word(design.accelerator_cell)),
                ("dma", _word(design.dma_cell)),
                ("dma_vlnv", _word(DMA_VLNV)),
                ("dma_config", _pairs(dma_config(design))),
            ],
        ),
        (
            "Addresses: cell, port, base, bytes of each register port; the memory that the DMA reaches.",
            [
                (
                    "control",
                    _lines(f"{{{s.cell} {s.port} 0x{s.base:08X} 0x{s.size:X}}}" for s in design.control),
                ),
                ("memory_base", f"0x{design.memory_base:08X}"),
                ("memory_size", f"0x{design.memory_size:X}"),
            ],
        ),
    ]
    lines = [
        "# SPDX-License-Identifier: Apache-2.0",
        f"# Generated by qnn-hw for {design.stem} on {board.name}: every value that run.tcl and its files use.",
        "namespace eval settings {",
    ]
    for comment, values in groups:
        lines += [f"    # {comment}", *(f"    variable {name} {text}" for name, text in values), ""]
    return "\n".join([*lines[:-1], "}", ""])


def _carriers(board: Board) -> tuple[str, ...]:
    for prefix, connections in _CARRIERS.items():
        if any(part.startswith(f"{prefix}:") for part in board.board_parts):
            return connections
    return ()


def _hint(board: Board) -> str:
    return f"{_HINTS.get(board.board_part.partition(':')[0], _BOARD_STORE)}, {_BY_HAND}"


def _rule(ip: str) -> str:
    vendor, _, name = ip.split(":")
    return f"{vendor}:bd_rule:{name}"


def _word(text: str) -> str:
    """Return a text as one word of Tcl, read as it stands."""
    if re.fullmatch(r"[\w.:/,+*-]+", text):
        return text
    if not text.isprintable() or re.search(r"[{}\\]", text):
        raise QnnError(f"Vivado scripts: {text!r} cannot be written as Tcl; braces and backslashes are not allowed")
    return f"{{{text}}}"


def _list(words: Iterable[str]) -> str:
    return f"{{{' '.join(_word(word) for word in words)}}}"


def _lines(words: Iterable[str]) -> str:
    """Return a list, an element a line; the elements are words of Tcl already."""
    return "{\n" + "".join(f"        {word}\n" for word in words) + "    }"


def _pairs(pairs: Sequence[tuple[str, str]]) -> str:
    return _lines(f"CONFIG.{name} {_word(value)}" for name, value in pairs)
