# SPDX-License-Identifier: Apache-2.0
"""Builds with everything a deployment wants: driver, facts, golden vectors, and a pair made without Vivado."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from qnn_hw.backends.board import board_files, golden_arrays
from qnn_hw.backends.board.design import BlockDesign, block_design
from qnn_hw.backends.board.hwh import bit_header, hwh_text, read_bit_header
from qnn_hw.backends.folder import read_manifest
from qnn_hw.boards import load_board
from qnn_hw.compiler import assemble
from qnn_hw.samples import Samples
from qnn_hw.simulation.board_library import board_library
from tests.random_nets import Net, build, samples

FRAMES = 20
NET = Net((6, 6, 1), dense=(8,), classes=4)


def write_board_build(path: Path, seed: int, board: str = "zcu104", net: Net = NET) -> Path:
    """Write a build of random weights; one net with two seeds gives two networks of one name and one structure."""
    graph = build(net, seed)
    made = assemble(graph, load_board(board), target_fps=200_000)
    made.with_samples(Samples(samples(graph, FRAMES, seed), None, f"random, seed {seed}")).write(path)
    manifest = read_manifest(path)
    folder = path / "board"
    folder.mkdir(exist_ok=True)
    for name, text in board_files(manifest, load_board(path / "board.toml"), None).items():
        (folder / name).write_text(text, encoding="utf-8")
    np.savez(folder / f"{design_of(path).stem}.golden.npz", **golden_arrays(path, manifest))
    return path


def design_of(build: Path) -> BlockDesign:
    return block_design(read_manifest(build), load_board(build / "board.toml"))


def add_pair(build: Path, tool: str = "simulated board", run: int = 0) -> Path:
    """Put a pair into BUILD/board, as `tool` would; `run` stands for another implementation of the same build.

    Returns:
        The .bit. Unlike that of `bit_header` its body differs with the graph hash, as a bitstream does.
    """
    board, design, folder = load_board(build / "board.toml"), design_of(build), build / "board"
    bit = bit_header(design)
    if tool != "simulated board":
        bit = _with_version(bit, tool.rpartition(" ")[2])
    body = bytes.fromhex("ffffffffaa995566" + design.graph_hash) + run.to_bytes(4, "big")
    bit = bit[: -read_bit_header(bit).n_bytes - 4] + len(body).to_bytes(4, "big") + body
    hwh = hwh_text(design, board).encode()
    (folder / f"{design.stem}.bit").write_bytes(bit)
    (folder / f"{design.stem}.hwh").write_bytes(hwh)
    implementation = {
        "schema": 1,
        "tool": tool,
        "part": board.part,
        "clock_mhz": design.clock_mhz,
        "wns_ns": None if tool == "simulated board" else 0.25,
        "bit_sha256": hashlib.sha256(bit).hexdigest(),
        "hwh_sha256": hashlib.sha256(hwh).hexdigest(),
        "graph_hash": design.graph_hash,
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
