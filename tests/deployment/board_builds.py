# SPDX-License-Identifier: Apache-2.0
"""Builds with everything a deployment wants: driver, facts, golden vectors, and a pair made without Vivado."""

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from qnn_hw.backends.board.design import BlockDesign, block_design
from qnn_hw.backends.board.hwh import bit_header, hwh_text, read_bit_header
from qnn_hw.backends.folder import read_manifest
from qnn_hw.boards import load_board
from qnn_hw.compiler import assemble
from qnn_hw.samples import Samples
from qnn_hw.simulation.board_library import board_library
from qnn_hw.simulation.board_run import TOOL
from tests.random_nets import Net, build, samples

FRAMES = 20
NET = Net((6, 6, 1), dense=(8,), classes=4)
VIVADO = "Vivado 2024.1"


def write_board_build(path: Path, seed: int = 1, board: str = "pynq-z2", net: Net = NET) -> Path:
    """Write a build of random weights; one net with two seeds gives two networks of one name and one structure."""
    graph = build(net, seed)
    made = assemble(graph, load_board(board), target_fps=200_000)
    return made.with_samples(Samples(samples(graph, FRAMES, seed), None, f"random, seed {seed}")).write(path)


def design_of(build: Path) -> BlockDesign:
    return block_design(read_manifest(build), load_board(build / "board.toml"))


def add_pair(
    build: Path, tool: str = TOOL, /, *, header_part: str | None = None, n_more: int = 0, **record: Any
) -> Path:
    """Put a pair into BUILD/board, as `tool` would.

    Args:
        build: build folder.
        tool: who made it; of a Vivado, the header of the .bit has the release.
        header_part: part in the header of the .bit instead of the board's.
        n_more: bytes that make the .bit longer, a multiple of 4; for another implementation of the same build.
        record: fields of the record that differ, `tool` too.

    Returns:
        The .bit. Unlike that of `bit_header` its body differs with the graph hash, as a bitstream does.
    """
    board, design, folder = load_board(build / "board.toml"), design_of(build), build / "board"
    bit = bit_header(design if header_part is None else replace(design, part=header_part))
    if tool != TOOL:
        bit = _with_version(bit, tool.rpartition(" ")[2])
    body = bytes.fromhex("ffffffffaa995566" + design.graph_hash) + bytes(n_more)
    bit = bit[: -read_bit_header(bit).n_bytes - 4] + len(body).to_bytes(4, "big") + body
    hwh = hwh_text(design, board).encode()
    (folder / f"{design.stem}.bit").write_bytes(bit)
    (folder / f"{design.stem}.hwh").write_bytes(hwh)
    implementation = {
        "schema": 1,
        "tool": tool,
        "part": board.part,
        "clock_mhz": design.clock_mhz,
        "wns_ns": None if tool == TOOL else 0.25,
        "bit_sha256": hashlib.sha256(bit).hexdigest(),
        "hwh_sha256": hashlib.sha256(hwh).hexdigest(),
        "graph_hash": design.graph_hash,
        **record,
    }
    (folder / f"{design.stem}.implementation.json").write_text(json.dumps(implementation), encoding="utf-8")
    return folder / f"{design.stem}.bit"


def _with_version(bit: bytes, version: str) -> bytes:
    """Put a release of Vivado into the first field of the header, whose length changes with it."""
    start = bit.index(b"a", 11) + 1
    end = start + 2 + int.from_bytes(bit[start : start + 2], "big")
    design = bit[start + 2 : end].split(b";Version=")[0] + f";Version={version}".encode() + b"\0"
    return bit[:start] + len(design).to_bytes(2, "big") + design + bit[end:]


def binary(bit: Path) -> bytes:
    """Return what pynq uploads of a .bit: its body, the bytes of each word reversed."""
    data = bit.read_bytes()
    return np.frombuffer(data[-read_bit_header(data).n_bytes :], "<i4").byteswap().tobytes()


def simulated_configuration(build: Path) -> dict[str, Any]:
    """Return the configuration of the simulated board of a build."""
    board = load_board(build / "board.toml")
    return {
        "board": {"name": board.name, "part": board.part, "family": board.family, "pynq_board": board.pynq_board},
        "design": asdict(design_of(build)),
        "library": str(board_library(build)),
        "data": str(build / "rtl" / "data"),
        "faults": [],
    }
