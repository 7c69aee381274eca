# SPDX-License-Identifier: Apache-2.0
"""What is checked before anything is sent: each fault one sentence."""

import dataclasses
import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from qnn_hw.boards import load_board
from qnn_hw.deployment.checks import check_board, check_build, check_kind, check_pynq, check_space
from qnn_hw.errors import QnnError
from tests.deployment.board_builds import VIVADO, add_pair, write_board_build

Z2 = load_board("pynq-z2")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build = write_board_build(tmp_path_factory.mktemp("checks") / "net")
    add_pair(build)
    return build


@pytest.fixture
def build(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "net"))


def file_of(build: Path, end: str) -> Path:
    return next((build / "board").glob(f"*-????????.{end}"))


def test_a_whole_build_passes_and_names_what_travels(build: Path) -> None:
    payload = check_build(build)
    stem = payload.stem
    assert re.fullmatch(r"[a-z0-9_]+-[0-9a-f]{8}", stem)
    ends = ("json", "golden.npz", "ipynb", "implementation.json", "hwh", "bit")
    assert payload.names == ("qnn_driver.py", *(f"{stem}.{end}" for end in ends))
    assert sorted(payload.sums) == sorted(payload.names)
    assert payload.n_bytes == sum(path.stat().st_size for path in payload.paths)
    assert payload.implementation.is_simulated


def test_a_pair_of_vivado_passes(build: Path) -> None:
    add_pair(build, VIVADO)
    payload = check_build(build)
    assert not payload.implementation.is_simulated
    check_kind(payload, "pynq", is_simulated=False)
    check_kind(payload, "pynq", is_simulated=True)


def test_a_pair_may_lie_in_a_folder_of_its_own(build: Path) -> None:
    folder = build.parent / "elsewhere"
    (build / "board").rename(folder)
    assert check_build(build, folder).bit.parent == folder


@pytest.mark.parametrize(
    ("ends", "sentence"),
    [
        (("bit", "hwh", "implementation.json"), r"no bitstream \S+\.bit yet; run qnn-hw synth \S+ --tool vivado$"),
        (("hwh",), r"\.hwh: missing; PYNQ needs the hardware handoff file beside the other two files"),
        (("bit",), r"\.bit: missing; PYNQ needs the bitstream beside"),
        (("implementation.json",), r"implementation\.json: missing; PYNQ needs the record beside"),
        (("golden.npz",), r"golden\.npz: missing; build again with qnn-hw build$"),
        (("ipynb",), r"ipynb: missing; build again"),
        (("json",), r"\.json: missing; build again"),
    ],
    ids=["no-pair", "no-hwh", "no-bit", "no-record", "no-golden", "no-notebook", "no-facts"],
)
def test_what_is_missing_is_named(build: Path, ends: tuple[str, ...], sentence: str) -> None:
    for end in ends:
        file_of(build, end).unlink()
    with pytest.raises(QnnError, match=sentence):
        check_build(build)


def test_the_pair_of_an_earlier_build_is_not_taken(build: Path) -> None:
    for end in ("bit", "hwh", "implementation.json"):
        file_of(build, end).rename(build / "board" / f"random-00000000.{end}")
    with pytest.raises(QnnError, match=r"it holds random-00000000\.bit, and the bitstream of this build is random-"):
        check_build(build)


def damaged_bit(build: Path) -> None:
    file = file_of(build, "bit")
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")


def damaged_hwh(build: Path) -> None:
    file = file_of(build, "hwh")
    file.write_text(file.read_text().replace("axi_dma_0", "axi_dma_1"))


def broken_off(build: Path) -> None:
    """A .bit that broke off before its sums were taken: both agree, and its header tells."""
    file = file_of(build, "bit")
    rest = file.read_bytes()[:-3]
    add_pair(build, bit_sha256=hashlib.sha256(rest).hexdigest())
    file.write_bytes(rest)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (damaged_bit, r"\.bit: damaged, or from another implementation: its SHA-256 is [0-9a-f]{16}…, recorded is"),
        (damaged_hwh, r"\.hwh: damaged, or from another implementation"),
        (broken_off, r"\.bit: its header promises \d+ bytes, \d+ follow"),
        (
            lambda build: add_pair(build, header_part="xczu7ev-ffvc1156-2-e"),
            r"\.bit: it is for the part xczu7ev-ffvc1156-2-e, TUL PYNQ-Z2 has xc7z020clg400-1",
        ),
        (lambda build: add_pair(build, VIVADO, part=None), r"damaged: part is None"),
        (lambda build: add_pair(build, graph_hash="f" * 32), r"implemented for the graph hash f{32}, the build's is"),
        (lambda build: add_pair(build, schema=2), r"schema 2, this version reads 1"),
        (lambda build: add_pair(build, wns_ns="0.1"), r"damaged: wns_ns is '0\.1'"),
        (lambda build: add_pair(build, clock_mhz=0), r"damaged: clock_mhz is 0"),
        (lambda build: add_pair(build, bit_sha256="abc"), r"damaged: bit_sha256 is 'abc'"),
        (
            lambda build: add_pair(build, VIVADO, wns_ns=-0.125),
            r"the timing was missed by 0\.125 ns at 100 MHz.*--clock-mhz$",
        ),
        (lambda build: add_pair(build, VIVADO, wns_ns=None), r"Vivado 2024\.1 left no timing"),
        (lambda build: add_pair(build, VIVADO, clock_mhz=75), r"met at 75 MHz, the build runs at 100 MHz"),
        (lambda build: add_pair(build, tool=VIVADO, wns_ns=1), r"made for the simulated board, but recorded"),
        (lambda build: file_of(build, "json").write_text("{"), r"\.json: damaged: "),
        (lambda build: file_of(build, "json").write_text('{"graph_hash": "0"}'), r"its graph hash is '0', the build's"),
        (lambda build: (build / "board.toml").unlink(), r"board\.toml: missing; build again"),
    ],
    ids=[
        *("bit-damaged", "hwh-damaged", "bit-broken-off", "bit-of-another-part", "no-part", "other-graph", "schema"),
        *("slack-no-number", "clock-zero", "sum-no-sum", "timing-missed", "timing-unknown", "clock-too-low"),
        *("simulated-as-real", "facts-damaged", "facts-of-another", "no-board-file"),
    ],
)
def test_a_wrong_pair_is_refused(build: Path, damage: Callable[[Path], None], sentence: str) -> None:
    damage(build)
    with pytest.raises(QnnError, match=sentence):
        check_build(build)


def test_a_part_in_the_record_of_another_board_is_refused(build: Path) -> None:
    content = file_of(build, "implementation.json").read_text()
    file_of(build, "implementation.json").write_text(content.replace("xc7z020clg400-1", "xc7z010clg400-1"))
    with pytest.raises(QnnError, match="it is for the part xc7z010clg400-1, TUL PYNQ-Z2 has xc7z020clg400-1"):
        check_build(build)


def test_a_simulated_pair_goes_to_a_simulated_board_alone(build: Path) -> None:
    payload = check_build(build)
    check_kind(payload, "xilinx@pynq", is_simulated=True)
    with pytest.raises(QnnError, match=r"^xilinx@pynq: \S+\.bit was made for the simulated board and programs no FPGA"):
        check_kind(payload, "xilinx@pynq", is_simulated=False)


@pytest.mark.parametrize("found", ["Pynq-Z2", "pynq-z2", "PYNQ Z2"])
def test_the_board_is_known_by_its_name(found: str) -> None:
    check_board(Z2, "pynq", found)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ("ZCU104", r"^pynq: it is a ZCU104, the build was made for Pynq-Z2 \(xc7z020clg400-1\)"),
        ("", r"^pynq: it does not say which board it is"),
        ("Unknown", r"^pynq: it does not say which board it is"),
    ],
)
def test_another_board_is_refused(found: str, sentence: str) -> None:
    with pytest.raises(QnnError, match=sentence):
        check_board(Z2, "pynq", found)


@pytest.mark.parametrize("version", ["3.0.1", "3.1.2", "3.1.0"])
def test_a_pynq_of_the_board_is_taken(version: str) -> None:
    check_pynq(Z2, "pynq", version)


@pytest.mark.parametrize(
    ("board", "version", "sentence"),
    [
        ("pynq-z2", "", r"its python3 has no pynq; set the board up with PYNQ 3\.1\.2, as docs"),
        ("pynq-z2", "4.0.0", r"pynq 4\.0\.0 has dropped Zynq-7000, and TUL PYNQ-Z2 is one; use the image 3\.1\.2$"),
        ("pynq-z2", "2.7.0", r"it has pynq 2\.7\.0, the driver works on TUL PYNQ-Z2 with pynq 3\.0\.1 or 3\.1\.2"),
        (
            "kv260",
            "4.0.0",
            r"it has pynq 4\.0\.0, the driver works on AMD Kria KV260 with pynq 3\.0\.1; use that image",
        ),
    ],
    ids=["none", "z7-on-4", "too-old", "kria-on-4"],
)
def test_another_pynq_is_refused(board: str, version: str, sentence: str) -> None:
    with pytest.raises(QnnError, match=sentence):
        check_pynq(load_board(board), "pynq", version)


def test_a_full_disk_is_seen_before_the_copy(build: Path) -> None:
    payload = dataclasses.replace(check_build(build), n_bytes=4_000_000)
    check_space(payload, "pynq", 6_000_000)
    with pytest.raises(QnnError, match=r"^pynq: its disk is full: 1\.5 MB left in the home folder, 5\.0 MB needed"):
        check_space(payload, "pynq", 1_500_000)
