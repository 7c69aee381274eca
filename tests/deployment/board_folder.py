# SPDX-License-Identifier: Apache-2.0
"""Builds with a board folder and a pair in it, made in a second: no training, no Vivado."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from qnn_hw.backends.board import board_files, golden_arrays
from qnn_hw.backends.board.design import block_design, stem
from qnn_hw.backends.board.hwh import bit_header, hwh_text
from qnn_hw.backends.folder import read_build, read_manifest
from qnn_hw.boards import board_toml, load_board
from qnn_hw.compiler import assemble
from tests.random_nets import Net
from tests.random_nets import build as network

SIMULATED = "simulated board"


def make_build(path: Path, board: str = "pynq-z2", seed: int = 1) -> Path:
    """Write a build of a small network at `path`, with what goes to the board and the simulated board's pair."""
    chosen = load_board(board)
    build = assemble(network(Net((8,), dense=(4,), classes=3), seed=seed), chosen, target_fps=1e6).write(path)
    (build / "board.toml").write_text(board_toml(chosen))
    folder = build / "board"
    folder.mkdir(exist_ok=True)
    manifest = read_manifest(build)
    for name, text in board_files(manifest, chosen, read_build(build).host).items():
        (folder / name).write_text(text)
    np.savez(folder / f"{stem(manifest)}.golden.npz", **golden_arrays(build, manifest))
    write_pair(build)
    return build


def write_pair(build: Path, *, part: str | None = None, padding: int = 0, **record: Any) -> None:
    """Write the pair of the simulated board, and its record.

    Args:
        build: build folder.
        part: in the header of the .bit instead of the board's.
        padding: bytes that make the .bit longer.
        record: fields of the record that differ, for example `tool`.
    """
    manifest, board = read_manifest(build), load_board(build / "board.toml")
    design = block_design(manifest, board)
    base = build / "board" / design.stem
    bit, hwh = bit_header(design), hwh_text(design, board).encode()
    if part is not None:
        other = next(entry for entry in (load_board("pynq-z2"), load_board("zcu104")) if entry.part == part)
        bit = bit_header(block_design({**manifest, "dma_width_bits": other.dma_width_bits}, other))
    if padding:
        head, data = bit[:-12], bit[-8:] + bytes(padding)  # before them four bytes of length
        bit = head + len(data).to_bytes(4, "big") + data
    base.with_name(f"{design.stem}.bit").write_bytes(bit)
    base.with_name(f"{design.stem}.hwh").write_bytes(hwh)
    content = {
        "schema": 1,
        "tool": SIMULATED,
        "part": board.part,
        "clock_mhz": design.clock_mhz,
        "wns_ns": None,
        "bit_sha256": hashlib.sha256(bit).hexdigest(),
        "hwh_sha256": hashlib.sha256(hwh).hexdigest(),
        "graph_hash": design.graph_hash,
        **record,
    }
    base.with_name(f"{design.stem}.implementation.json").write_text(json.dumps(content, indent=1) + "\n")


def vivado_like(build: Path, **record: Any) -> None:
    """Make the pair look as if Vivado had written it: another version in the header, a tool, a slack."""
    folder, name = build / "board", stem(read_manifest(build))
    bit = (folder / f"{name}.bit").read_bytes().replace(b"qnn-hw-simulated", b"2024.1__________")
    (folder / f"{name}.bit").write_bytes(bit)
    file = folder / f"{name}.implementation.json"
    made = {
        **json.loads(file.read_text()),
        "tool": "Vivado 2024.1",
        "wns_ns": 0.25,
        "bit_sha256": hashlib.sha256(bit).hexdigest(),
        **record,
    }
    file.write_text(json.dumps(made, indent=1) + "\n")
