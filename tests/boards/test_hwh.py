# SPDX-License-Identifier: Apache-2.0
"""The .hwh and .bit of the simulated board, read by pynq's own parsers and compared with the block design.

pynq runs in an environment of its own: 3.1.2 by default, the other releases in the slow tests.
"""

import json
import re
import subprocess
from dataclasses import replace
from functools import cache
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qnn_hw.backends.board.design import BlockDesign, block_design, dma_config
from qnn_hw.backends.board.hwh import (
    SIMULATED,
    BitHeader,
    bit_header,
    header_part,
    hwh_text,
    read_bit_header,
    same_part,
)
from qnn_hw.backends.rtl.registers import read_register_map
from qnn_hw.boards import Board, list_boards, load_board
from qnn_hw.errors import QnnError
from qnn_hw.resources import resource_dir
from tests.boards.simulated import need_pynq

BOARDS = pytest.mark.parametrize("board", list_boards(), ids=lambda board: board.name)
RELEASES = pytest.mark.parametrize(
    "release",
    [pytest.param("3.0.1", marks=pytest.mark.slow), "3.1.2", pytest.param("4.0.0", marks=pytest.mark.slow)],
)

# Runs inside the environment with pynq. Arguments: pairs of .hwh and .bit; prints one JSON list.
PROBE = """
import json, pathlib, sys, warnings
warnings.simplefilter("ignore")
import pynqmetadata
from pynq.lib.dma import DMA
from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser
from pynq.pl_server.embedded_device import bit2bin, parse_bit_header
from pynqmetadata.frontends import Metadata

def read(hwh, bit):
    parsed = RuntimeMetadataParser(Metadata(input=hwh))
    data = pathlib.Path(bit).read_bytes()
    header = parse_bit_header(data)
    header["data"] = header["data"].hex()
    ports = parsed.md.blocks["axi_dma_0"].ports
    spaces = {name: list(ports[name].addrmap.values()) for name in ("M_AXI_MM2S", "M_AXI_S2MM")}
    return {
        "ip": {name: {key: value for key, value in ip.items() if key not in ("driver", "device")}
               for name, ip in parsed.ip_dict.items()},
        "memories": list(parsed.mem_dict),
        "clocks": parsed.clock_dict,
        "processor": parsed.ps_name,
        "family": parsed.family_ps,
        "spaces": [[{key: space[key] for key in ("baseaddr", "addr_range", "memtype")} for space in found]
                   for found in spaces.values()],
        "header": header,
        "bin": bit2bin(data).hex(),
        "dma_types": DMA.bindto,
    }

if sys.argv[1] == "examples":
    folder = pathlib.Path(pynqmetadata.__file__).parent / "tests" / "hwhs"
    print(json.dumps([str(folder / name) for name in ("resizer.hwh", "rfsoc_sam.hwh")]))
else:
    print(json.dumps([read(*pair) for pair in zip(sys.argv[1::2], sys.argv[2::2])]))
"""


def design_for(board: Board, **changed: Any) -> BlockDesign:
    return block_design(
        {
            "name": "digits_mlp",
            "graph_hash": "0123456789abcdef0123456789abcdef",
            "dma_width_bits": board.dma_width_bits,
            "clock_mhz": board.clock_mhz,
            **changed,
        },
        board,
    )


def ask(release: str, *arguments: str) -> Any:
    """Return what the probe prints under pynq `release`."""
    done = subprocess.run([need_pynq(release), "-c", PROBE, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"pynq {release} cannot read the pair:\n{done.stderr}"
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a function: what pynq `release` sees in the pair of a board. One start of Python a release."""
    folder = tmp_path_factory.mktemp("pairs")

    @cache
    def all_of(release: str) -> dict[str, Any]:
        arguments = []
        for board in list_boards():
            design = design_for(board)
            hwh, bit = folder / f"{board.name}.hwh", folder / f"{board.name}.bit"
            hwh.write_text(hwh_text(design, board), encoding="utf-8")
            bit.write_bytes(bit_header(design))
            arguments += [str(hwh), str(bit)]
        return dict(zip((board.name for board in list_boards()), ask(release, *arguments), strict=True))

    return lambda release, board: all_of(release)[board.name]


@RELEASES
@BOARDS
def test_pynq_finds_both_cells_at_their_addresses(seen: Any, release: str, board: Board) -> None:
    design, found = design_for(board), seen(release, board)
    assert found["processor"] == design.processor_cell
    assert found["family"] == board.processor.ip.split(":")[-1]
    assert set(found["ip"]) == {"axi_dma_0", "qnn_0", design.processor_cell}
    for segment in design.control:
        cell = found["ip"][segment.cell]
        assert (cell["phys_addr"], cell["addr_range"]) == (segment.base, segment.size), segment.cell
        assert cell["mem_id"] == segment.port
    assert found["ip"]["axi_dma_0"]["type"] in found["dma_types"], "pynq would not bind its DMA driver"
    assert found["ip"]["qnn_0"]["type"] == "qnn-hw.org:accelerator:qnn_accelerator:1.0"


@RELEASES
@BOARDS
def test_pynq_sees_the_memory_behind_the_dma(seen: Any, release: str, board: Board) -> None:
    expected = {"baseaddr": board.memory.base, "addr_range": board.memory.size, "memtype": "memory"}
    assert seen(release, board)["spaces"] == [[expected], [expected]]
    assert seen(release, board)["memories"] == [], "memory of the processor is not memory in the logic"


@RELEASES
@BOARDS
def test_pynq_reads_the_settings_of_the_dma(seen: Any, release: str, board: Board) -> None:
    parameters = seen(release, board)["ip"]["axi_dma_0"]["parameters"]
    for name, value in dma_config(design_for(board)):
        assert parameters[name] == value, name
    assert parameters["c_s_axis_s2mm_tdata_width"] == str(board.dma_width_bits)
    assert all(name == name.lower() for name in parameters), "pynq reads the names in lower case"


@RELEASES
@BOARDS
def test_pynq_makes_the_clock_of_the_design(seen: Any, release: str, board: Board) -> None:
    design, clocks = design_for(board), seen(release, board)["clocks"]
    assert [clocks[str(i)]["enable"] for i in range(4)] == [1, 0, 0, 0]
    product = clocks["0"]["divisor0"] * clocks["0"]["divisor1"]
    assert board.clock.pll_mhz / product == pytest.approx(design.actual_mhz)
    if release == "4.0.0" and board.family == "zynq-ultrascale+":
        assert clocks["0"]["frequency"] == pytest.approx(design.actual_mhz)


@RELEASES
@BOARDS
def test_pynq_sets_the_ports_as_wide_as_the_streams(seen: Any, release: str, board: Board) -> None:
    parameters = seen(release, board)["ip"][board.processor.cell]["parameters"]
    if board.family == "zynq-7000":
        assert parameters["PCW_S_AXI_HP0_DATA_WIDTH"] == "64"
        assert not any(name.startswith("C_SAXIGP") for name in parameters), "pynq sets widths on UltraScale+ alone"
    else:
        assert parameters["C_SAXIGP2_DATA_WIDTH"] == str(board.dma_width_bits)
        assert parameters["C_MAXIGP0_DATA_WIDTH"] == "32"


@RELEASES
def test_pynq_knows_the_registers(seen: Any, release: str) -> None:
    found = seen(release, load_board("pynq-z2"))["ip"]["qnn_0"]["registers"]
    expected: dict[str, int] = {}
    for register in read_register_map(resource_dir("boards") / "registers.toml").registers:
        for word in range(register.n_words):
            name = register.name if register.n_words == 1 else f"{register.name}_{word}"
            expected[name] = register.offset + 4 * word
            fields = {field.name: field.bit for field in register.fields}
            assert {key: value["bit_offset"] for key, value in found[name]["fields"].items()} == fields, name
            assert found[name]["access"] == ("read-only" if register.access == "ro" else "read-write"), name
    assert {name: register["address_offset"] for name, register in found.items()} == expected


@RELEASES
@BOARDS
def test_pynq_reads_the_header_as_we_do(seen: Any, release: str, board: Board) -> None:
    found = seen(release, board)["header"]
    ours = read_bit_header(bit_header(design_for(board)))
    assert found["design"] == ours.design == "digits_mlp_01234567_wrapper"
    assert found["version"] == f"Version={ours.version}" == f"Version={SIMULATED}"
    assert (found["part"], found["date"], found["time"]) == (ours.part, ours.date, ours.time)
    assert int(found["length"]) == ours.n_bytes == len(found["data"]) // 2
    assert same_part(ours.part, board.part)
    # The .bin holds the words with their bytes turned round.
    assert bytes.fromhex(seen(release, board)["bin"])[-4:] == bytes.fromhex("aa995566")[::-1]


@BOARDS
def test_every_setting_has_the_name_vivado_gives_it(board: Board) -> None:
    """pynqmetadata brings two handoff files that Vivado wrote: a Zynq-7000 with an AXI DMA, and an UltraScale+."""
    zynq7, ultrascale = (ElementTree.parse(path).getroot() for path in ask("3.1.2", "examples"))
    ours = ElementTree.fromstring(hwh_text(design_for(board), board))
    processor = board.processor.ip.split(":")[-1]
    for kind, theirs in ((processor, zynq7 if board.family == "zynq-7000" else ultrascale), ("axi_dma", zynq7)):
        known = _parameters(theirs, kind)
        assert known, f"no {kind} in the example"
        unknown = [name for name in _parameters(ours, kind) if name not in known]
        assert not unknown, f"Vivado writes no such parameter of {kind}: {unknown}"
        # Ports as well; the example uses another of the memory ports.
        ports, known_ports = _ports(ours, kind), _ports(theirs, kind)
        assert ports.items() <= known_ports.items(), f"{kind}: {ports} are not all among {known_ports}"


def _parameters(root: ElementTree.Element, kind: str) -> set[str]:
    return {
        str(parameter.get("NAME"))
        for module in root.iter("MODULE")
        if module.get("MODTYPE") == kind
        for parameter in module.findall("PARAMETERS/PARAMETER")
    }


def _ports(root: ElementTree.Element, kind: str) -> dict[str, tuple[str, str]]:
    return {
        re.sub(r"(?<=_HP)\d", "N", str(port.get("NAME"))): (str(port.get("TYPE")), str(port.get("VLNV")))
        for module in root.iter("MODULE")
        if module.get("MODTYPE") == kind
        for port in module.iter("BUSINTERFACE")
    }


@BOARDS
def test_the_file_says_that_it_is_not_vivados(board: Board) -> None:
    design = design_for(board)
    text = hwh_text(design, board)
    assert text == hwh_text(design, board)
    assert "<!-- Written by qnn-hw for its simulated board, not by Vivado" in text.splitlines()[1]
    root = ElementTree.fromstring(text)
    assert root.get("VIVADOVERSION") == "none"
    cells = {module.get("INSTANCE") for module in root.iter("MODULE")}
    assert {entry.get("INSTANCE") for entry in root.iter("MEMRANGE")} <= cells


def test_another_memory_port_gets_its_own_width() -> None:
    board = load_board("zcu104")
    config = tuple((name.replace("GP2__DATA", "GP3__DATA"), value) for name, value in board.processor.config)
    other = replace(board, processor=replace(board.processor, config=config))
    assert 'NAME="C_SAXIGP3_DATA_WIDTH" VALUE="128"' in hwh_text(design_for(other), other)


@pytest.mark.parametrize(
    ("part", "written"),
    [
        ("xc7z020clg400-1", "7z020clg400"),
        ("xc7a100tcsg324-1", "7a100tcsg324"),
        ("xa7z020clg400-1I", "7z020clg400"),
        ("xczu7ev-ffvc1156-2-e", "xczu7ev-ffvc1156-2-e"),
        ("xcvu9p-flgb2104-3-e", "xcvu9p-flgb2104-3-e"),
        ("xck26-sfvc784-2LV-c", "xck26-sfvc784-2LV-c"),
    ],
)
def test_the_part_as_a_header_writes_it(part: str, written: str) -> None:
    assert header_part(part) == written
    assert same_part(written, part)


@pytest.mark.parametrize(
    ("in_header", "part", "same"),
    [
        ("xc7z020clg400-1", "xc7z020clg400-1", True),
        ("7z020clg484", "xc7z020clg400-1", False),
        ("7z010clg400", "xc7z020clg400-1", False),
        ("xczu3eg-sbva484-1-e", "xczu3eg-sbva484-1-i", True),
        ("xczu3eg-sbva484-2-i", "xczu3eg-sbva484-1-i", False),
        ("xczu3eg", "xczu3eg-sbva484-1-i", False),
        ("xczu3eg-sfvc784-1-e", "xczu3eg-sbva484-1-i", False),
        ("xczu7ev-ffvc1156-2-e", "xczu3eg-sbva484-1-i", False),
        ("xck26-sfvc784-2LV-c", "xczu7ev-ffvc1156-2-e", False),
        ("", "xc7z020clg400-1", False),
    ],
)
def test_same_part(in_header: str, part: str, same: bool) -> None:
    assert same_part(in_header, part) == same


def test_every_pair_of_boards_is_told_apart_by_its_header() -> None:
    for board in list_boards():
        header = read_bit_header(bit_header(design_for(board)))
        alike = {other.name for other in list_boards() if same_part(header.part, other.part)}
        assert alike == {other.name for other in list_boards() if other.part == board.part}


def test_a_header_as_vivado_writes_it() -> None:
    name = b"design_1_wrapper;COMPRESS=TRUE;UserID=0XFFFFFFFF;Version=2022.1\0"
    data = bytes.fromhex("00090ff00ff00ff00ff0000001")
    for key, value in ((b"a", name), (b"b", b"7z020clg400\0"), (b"c", b"2023/12/23\0"), (b"d", b"11:09:14\0")):
        data += key + len(value).to_bytes(2, "big") + value
    data += b"e" + (12).to_bytes(4, "big") + b"\xff" * 8 + bytes.fromhex("aa995566")
    assert read_bit_header(data) == BitHeader(
        design="design_1_wrapper",
        version="2022.1",
        part="7z020clg400",
        date="2023/12/23",
        time="11:09:14",
        n_bytes=12,
    )


def test_a_file_cut_off_anywhere_is_refused() -> None:
    whole = bit_header(design_for(load_board("pynq-z2")))
    for length in range(len(whole)):
        with pytest.raises(QnnError, match=r"^\.bit file: [^\n]+$"):
            read_bit_header(whole[:length])
    with pytest.raises(QnnError, match="its header promises 8 bytes, 9 follow; copy the file again"):
        read_bit_header(whole + b"\0")


@given(data=st.binary(max_size=200))
def test_anything_else_is_refused_in_a_sentence(data: bytes) -> None:
    with pytest.raises(QnnError, match=r"^\.bit file: [^\n]+$"):
        read_bit_header(data)


@given(body=st.binary(max_size=80))
def test_a_broken_header_is_refused_in_a_sentence(body: bytes) -> None:
    try:
        header = read_bit_header(bytes.fromhex("00090ff00ff00ff00ff0000001") + body)
    except QnnError as error:
        assert str(error).startswith(".bit file: ") and "\n" not in str(error)
    else:
        assert header.design is not None and header.part is not None


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "does not start as a bitstream with a header does"),
        (b"PK\3\4" + bytes(60), "does not start as a bitstream with a header does"),
        (bytes.fromhex("00090ff00ff00ff00ff0000001") + b"e\0\0\0\0", "its header names no design and no part"),
        (bytes.fromhex("00090ff00ff00ff00ff0000001") + b"z\0\1\0", "its header breaks off at byte 13"),
    ],
    ids=["empty", "zip", "no-part", "unknown-field"],
)
def test_what_is_wrong_with_a_file(data: bytes, text: str) -> None:
    with pytest.raises(QnnError) as caught:
        read_bit_header(data)
    assert text in str(caught.value)
