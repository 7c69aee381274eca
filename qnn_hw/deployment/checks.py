# SPDX-License-Identifier: Apache-2.0
"""What must hold before anything is sent to a board; each failure is one sentence. Used by every way of deployment."""

import re
from pathlib import Path

from qnn_hw.backends.board.design import CLOCK_TOLERANCE
from qnn_hw.backends.board.hwh import SIMULATED as SIMULATED_VERSION
from qnn_hw.backends.board.hwh import BitHeader, read_bit_header, same_part
from qnn_hw.boards import Board, takes_pynq
from qnn_hw.deployment.payload import Payload, read_payload
from qnn_hw.errors import QnnError

SPARE_BYTES = 1 << 20
"""Space that must be left beside the copy: the results of a run, the file system's own blocks."""


def check_build(build: Path, folder: Path | None = None) -> Payload:
    """Return what travels of a build, after `check_pair`.

    Args:
        build: build folder.
        folder: holds the files instead of `BUILD/board`.

    Raises:
        QnnError: something is missing or wrong.
    """
    payload = read_payload(build, folder)
    check_pair(payload)
    return payload


def check_pair(payload: Payload) -> None:
    """Check that .bit and .hwh are those of this build, for its board, and that the timing was met.

    Raises:
        QnnError: they are not.
    """
    again = f"run qnn-hw synth {payload.build} --tool vivado again"
    made = payload.implementation
    if made.graph_hash != payload.graph_hash:
        raise QnnError(
            f"{payload.bit}: implemented for the graph hash {made.graph_hash}, the build's is {payload.graph_hash}; "
            f"{again}"
        )
    for file, expected in ((payload.bit, made.bit_sha256), (payload.hwh, made.hwh_sha256)):
        if payload.sums[file.name] != expected:
            raise QnnError(
                f"{file}: damaged, or from another implementation: its SHA-256 is {payload.sums[file.name][:16]}…, "
                f"recorded is {expected[:16]}…; {again}"
            )
    header = _header(payload.bit)
    _check_part(payload, header)
    if made.is_simulated:
        return
    if header.version == SIMULATED_VERSION:
        raise QnnError(f"{payload.bit}: made for the simulated board, but recorded as made by {made.tool}; {again}")
    if made.wns_ns is None:
        raise QnnError(f"{payload.bit}: {made.tool} left no timing; {again}")
    if made.wns_ns < 0:
        raise QnnError(
            f"{payload.bit}: the timing was missed by {-made.wns_ns:g} ns at {made.clock_mhz:g} MHz, so its results "
            "would be wrong now and then; build with a lower --clock-mhz"
        )
    if made.clock_mhz < payload.clock_mhz * (1 - CLOCK_TOLERANCE):
        raise QnnError(
            f"{payload.bit}: its timing was met at {made.clock_mhz:g} MHz, the build runs at {payload.clock_mhz:g} MHz"
            f"; {again}"
        )


def check_kind(payload: Payload, where: str, is_simulated: bool) -> None:
    """Check that a pair made for the simulated board goes to one.

    Args:
        payload: what would travel.
        where: how messages call the target.
        is_simulated: whether the target itself says that it is a simulated board.

    Raises:
        QnnError: the pair programs no FPGA, and the target has one.
    """
    if payload.implementation.is_simulated and not is_simulated:
        raise QnnError(
            f"{where}: {payload.bit.name} was made for the simulated board and programs no FPGA; run qnn-hw synth "
            f"{payload.build} --tool vivado first"
        )


def check_board(board: Board, where: str, found: str) -> None:
    """Check the name by which a target calls itself.

    Args:
        board: board the build was made for.
        where: how messages call the target.
        found: its device tree's `pynq_board`, else its variable BOARD; empty where it has neither.

    Raises:
        QnnError: another board, or none.
    """
    if _folded(found) in ("", "unknown"):
        raise QnnError(
            f"{where}: it does not say which board it is (no /proc/device-tree/chosen/pynq_board, no BOARD), so it is "
            f"no PYNQ image; the build needs a {board.title}: {board.pynq_board}"
        )
    if _folded(found) != _folded(board.pynq_board):
        raise QnnError(
            f"{where}: it is a {found}, the build was made for {board.pynq_board} ({board.part}); build with the "
            "--board it is, or deploy to another host"
        )


def check_pynq(board: Board, where: str, version: str) -> None:
    """Check the version of pynq on a target.

    Args:
        board: board the build was made for.
        where: how messages call the target.
        version: of pynq there; empty where it has none.

    Raises:
        QnnError: no pynq, or one that the board does not work with.
    """
    known = " or ".join(board.pynq_versions)
    if not version:
        raise QnnError(
            f"{where}: its python3 has no pynq; set the board up with PYNQ {board.pynq_versions[-1]}, as docs/deploy.md"
            " says (nothing is installed on a board by a deployment)"
        )
    if takes_pynq(board, version):
        return
    major = re.match(r"\d+", version)
    if board.family == "zynq-7000" and major and int(major[0]) >= 4:
        raise QnnError(
            f"{where}: pynq {version} has dropped Zynq-7000, and {board.title} is one; use the image "
            f"{board.pynq_versions[-1]}"
        )
    raise QnnError(
        f"{where}: it has pynq {version}, the driver works on {board.title} with pynq {known}; use that image"
    )


def check_space(payload: Payload, where: str, free_bytes: int) -> None:
    """Check that the copy fits beside what is there.

    Raises:
        QnnError: it does not.
    """
    needed = payload.n_bytes + SPARE_BYTES
    if free_bytes < needed:
        raise QnnError(
            f"{where}: its disk is full: {_megabytes(free_bytes)} MB left in the home folder, {_megabytes(needed)} MB "
            "needed; remove what is not used, for example older folders below ~/qnn"
        )


def _check_part(payload: Payload, header: BitHeader) -> None:
    wanted = payload.board.part
    for found in (header.part, payload.implementation.part):
        if not same_part(found, wanted):
            raise QnnError(
                f"{payload.bit}: it is for the part {found}, {payload.board.title} has {wanted}; build for the board "
                "it is meant for"
            )


def _header(file: Path) -> BitHeader:
    try:
        return read_bit_header(file.read_bytes())
    except QnnError as error:
        raise QnnError(f"{file}: {str(error).removeprefix('.bit file: ')}") from None
    except OSError as error:
        raise QnnError(f"{file}: cannot be read: {error.strerror or error}") from None


def _folded(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.1f}"
