# SPDX-License-Identifier: Apache-2.0
"""The pair that pynq loads, written without Vivado: hardware handoff (.hwh) and bitstream header (.bit).

Both are for the simulated board alone. The .hwh holds what pynq reads: cells, ports, parameters, addresses and clocks
of the block design; the .bit is a header in front of no logic at all. `read_bit_header` reads Vivado's files as well:
the checks before a deployment use it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from qnn_hw.backends.board.design import ACCELERATOR_VLNV, DMA_VLNV, BlockDesign, Segment, dma_config
from qnn_hw.backends.rtl.registers import Register, read_register_map
from qnn_hw.boards import Board
from qnn_hw.errors import QnnError
from qnn_hw.resources import resource_dir

NOTE = "Written by qnn-hw for its simulated board, not by Vivado: there is no bitstream behind it."
"""Comment in the .hwh."""
SIMULATED = "qnn-hw-simulated"
"""What stands in the .bit where Vivado writes its version."""

# Names that differ between the two processors, as Vivado's own files have them.
_ARCHITECTURES = {"zynq-7000": "zynq", "zynq-ultrascale+": "zynquplus"}
_PROCESSOR_VERSIONS = {"zynq-7000": "5.5", "zynq-ultrascale+": "3.5"}
_N_CLOCKS = 4
_AXI = "xilinx.com:interface:aximm:1.0"
_STREAM = "xilinx.com:interface:axis:1.0"
_MAGIC = bytes.fromhex("0ff00ff00ff00ff000")
_SYNC_WORD = bytes.fromhex("aa995566")


def hwh_text(design: BlockDesign, board: Board) -> str:
    """Return the hardware handoff file of `design` on `board` for the simulated board.

    pynq 3.0.1, 3.1.2 and 4.0.0 find in it: `axi_dma_0` for `pynq.lib.dma.DMA` with its parameters, `qnn_0` with its
    registers, the addresses of both, the memory behind the DMA, the port widths and the clock.
    """
    dma, accelerator = design.control
    lines = [
        '<?xml version="1.0" encoding="UTF-8" standalone="no" ?>',
        f"<!-- {NOTE} -->",
        '<EDKSYSTEM EDWVERSION="1.2" VIVADOVERSION="none">',
        "  " + _tag("SYSTEMINFO", True, **_system(design)),
        "  <EXTERNALPORTS/>",
        "  <EXTERNALINTERFACES/>",
        "  <MODULES>",
        *_module(design.dma_cell, DMA_VLNV, _dma_parameters(design), _dma_ports(design), _dma_memory(design, board)),
        *_module(
            design.processor_cell,
            f"{board.processor.ip}:{_PROCESSOR_VERSIONS[board.family]}",
            _processor_parameters(design, board),
            (
                _interface(design.control_port, _AXI, "MASTER", 32),
                _interface(design.memory_port, _AXI, "SLAVE", design.dma_width_bits),
            ),
            [_range(segment, design.control_port, "REGISTER", "reg0") for segment in (dma, accelerator)],
        ),
        *_module(
            design.accelerator_cell,
            ACCELERATOR_VLNV,
            {"Component_Name": design.accelerator_cell},
            (
                _interface(accelerator.port, _AXI, "SLAVE", 32),
                _interface("s_axis", _STREAM, "TARGET", design.dma_width_bits),
                _interface("m_axis", _STREAM, "INITIATOR", design.dma_width_bits),
            ),
            (),
            blocks=_register_block(accelerator),
        ),
        "  </MODULES>",
        "</EDKSYSTEM>",
    ]
    return "\n".join(lines) + "\n"


def bit_header(design: BlockDesign) -> bytes:
    """Return a .bit that is nothing but its header and the synchronisation word, for the simulated board.

    pynq parses it and turns it into the words of a .bin; a real FPGA would refuse it. Date and time are constants, so
    that one build gives one file.
    """
    name = f"{design.stem.replace('-', '_')}_wrapper;UserID=0X{design.graph_hash[:8].upper()};Version={SIMULATED}"
    fields = ((b"a", name), (b"b", header_part(design.part)), (b"c", "1970/01/01"), (b"d", "00:00:00"))
    head = len(_MAGIC).to_bytes(2, "big") + _MAGIC + (1).to_bytes(2, "big")
    for key, text in fields:
        value = text.encode("ascii") + b"\0"
        head += key + len(value).to_bytes(2, "big") + value
    data = b"\xff" * 4 + _SYNC_WORD
    return head + b"e" + len(data).to_bytes(4, "big") + data


def read_bit_header(data: bytes) -> "BitHeader":
    """Return what the header of a .bit file says.

    Raises:
        QnnError: not a .bit file, a header that is cut off, or a length other than that of the file.
    """
    cursor = 2 + int.from_bytes(data[:2], "big")
    if data[2:cursor] != _MAGIC or data[cursor : cursor + 2] != b"\0\1":
        raise QnnError(".bit file: does not start as a bitstream with a header does; give the .bit that Vivado wrote")
    cursor += 2
    texts: dict[str, str] = {}
    while (key := data[cursor : cursor + 1]) != b"e":
        end = cursor + 3 + int.from_bytes(data[cursor + 1 : cursor + 3], "big")
        if key not in (b"a", b"b", b"c", b"d") or end > len(data):
            raise QnnError(f".bit file: its header breaks off at byte {cursor}; copy the file again")
        texts[key.decode()] = data[cursor + 3 : end].rstrip(b"\0").decode("ascii", "replace")
        cursor = end
    body = int.from_bytes(data[cursor + 1 : cursor + 5], "big")
    if len(data) < cursor + 5 or body != len(data) - cursor - 5:
        raise QnnError(
            f".bit file: its header promises {body} bytes, {max(len(data) - cursor - 5, 0)} follow; copy the file again"
        )
    missing = [name for key, name in (("a", "design"), ("b", "part")) if key not in texts]
    if missing:
        raise QnnError(f".bit file: its header names no {' and no '.join(missing)}; give the .bit that Vivado wrote")
    name, *rest = texts["a"].split(";")
    settings = dict(item.split("=", 1) for item in rest if "=" in item)
    return BitHeader(
        design=name,
        version=settings.get("Version", ""),
        part=texts["b"],
        date=texts.get("c", ""),
        time=texts.get("d", ""),
        n_bytes=body,
    )


def header_part(part: str) -> str:
    """Return `part` as Vivado writes it into a .bit: `7z020clg400` for a 7 series part, the whole name for UltraScale+.

    Seen in headers of Vivado 2020.2 to 2025.1: xc7a100tcsg324-1 gives 7a100tcsg324, xcvu9p-flgb2104-3-e stays.
    """
    series7 = re.fullmatch(r"x[acq](7[a-z0-9]+)-.*", part)
    return series7[1] if series7 else part


def same_part(in_header: str, part: str) -> bool:
    """Return whether a .bit whose header says `in_header` was made for `part`.

    Device and package count, and outside the 7 series the speed grade: a design timed for a faster one may fail. The
    header of a 7 series part does not name its grade. The temperature grade never matters.
    """
    return _timed_part(in_header) == _timed_part(part)


def _timed_part(part: str) -> list[str]:
    """Return device, package and speed grade, without the `xc` in front; of a 7 series part device and package."""
    name = re.sub(r"^x[acq]", "", part.strip().lower())
    return name.split("-")[: 1 if name.startswith("7") else 3]


def _system(design: BlockDesign) -> dict[str, str]:
    """Return the attributes of SYSTEMINFO: device, package and speed grade, cut out of the part's name."""
    found = re.fullmatch(r"xc(7z\d+)([a-z]+\d+)(-.+)", design.part) or re.fullmatch(r"(\w+)-(\w+)(.*)", design.part)
    device, package, speed = found.groups() if found else (design.part, "", "")
    return {
        "ARCH": _ARCHITECTURES[design.family],
        "BOARD": design.board_part,
        "DEVICE": device,
        "NAME": design.stem.replace("-", "_"),
        "PACKAGE": package,
        "SPEEDGRADE": speed,
    }


def _dma_parameters(design: BlockDesign) -> dict[str, str]:
    """Return the DMA's settings, and what Vivado adds to them from the connections."""
    return {
        **dict(dma_config(design)),
        "c_s_axis_s2mm_tdata_width": str(design.dma_width_bits),
        "c_enable_multi_channel": "0",
        "c_num_mm2s_channels": "1",
        "c_num_s2mm_channels": "1",
    }


def _dma_ports(design: BlockDesign) -> tuple[str, ...]:
    width = design.dma_width_bits
    return (
        _interface(design.control[0].port, _AXI, "SLAVE", 32),
        _interface("M_AXI_MM2S", _AXI, "MASTER", width),
        _interface("M_AXI_S2MM", _AXI, "MASTER", width),
        _interface("M_AXIS_MM2S", _STREAM, "INITIATOR", width),
        _interface("S_AXIS_S2MM", _STREAM, "TARGET", width),
    )


def _dma_memory(design: BlockDesign, board: Board) -> list[str]:
    """Return the memory both directions of the DMA reach, through the processor's memory port."""
    segment = Segment(design.processor_cell, design.memory_port, design.memory_base, design.memory_size)
    block = board.processor.memory_segment.rsplit("/", 1)[-1]
    return [_range(segment, port, "MEMORY", block) for port in ("M_AXI_MM2S", "M_AXI_S2MM")]


def _processor_parameters(design: BlockDesign, board: Board) -> dict[str, str]:
    """Return the settings of the processor cell that pynq or a reader of the file looks at."""
    parameters = {**dict(board.processor.config), board.clock.config_property: _number(design.clock_mhz)}
    # pynq sets the width of the ports on UltraScale+ from parameters of this form.
    for name, value in board.processor.config:
        if port := re.fullmatch(r"PSU__([MS]AXIGP\d)__DATA_WIDTH", name):
            parameters[f"C_{port[1]}_DATA_WIDTH"] = value
    zynq7 = design.family == "zynq-7000"
    for clock in range(_N_CLOCKS):
        divisors = (design.divisor0, design.divisor1) if clock == 0 else (1, 1)
        control = f"PSU__CRL_APB__PL{clock}_REF_CTRL__"
        enable = f"PCW_FPGA_FCLK{clock}_ENABLE" if zynq7 else f"PSU__FPGA_PL{clock}_ENABLE"
        source = f"PCW_FCLK{clock}_PERIPHERAL_CLKSRC" if zynq7 else control + "SRCSEL"
        parameters[enable] = "1" if clock == 0 else "0"
        parameters[source] = board.clock.pll
        for index, divisor in enumerate(divisors):
            name = f"PCW_FCLK{clock}_PERIPHERAL_DIVISOR{index}" if zynq7 else f"{control}DIVISOR{index}"
            parameters[name] = str(divisor)
    actual, reference = f"{design.actual_mhz:.6f}", _number(design.reference_mhz)
    if zynq7:
        return parameters | {
            "PCW_CRYSTAL_PERIPHERAL_FREQMHZ": reference,
            "PCW_IOPLL_CTRL_FBDIV": str(design.pll_multiplier),
            "PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ": actual,
        }
    return parameters | {
        "PSU__PSS_REF_CLK__FREQMHZ": reference,
        "PSU__CRL_APB__IOPLL_CTRL__FBDIV": str(design.pll_multiplier),
        "PSU__CRL_APB__IOPLL_CTRL__DIV2": str(design.pll_divider - 1),
        "PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ": actual,
    }


def _module(
    cell: str,
    vlnv: str,
    parameters: Mapping[str, str],
    interfaces: Iterable[str],
    memory: Iterable[str],
    blocks: Iterable[str] = (),
) -> list[str]:
    """Return the lines of one cell."""
    kind, version = vlnv.split(":")[2:]
    attributes = {"FULLNAME": f"/{cell}", "HWVERSION": version, "INSTANCE": cell, "MODTYPE": kind, "VLNV": vlnv}
    return [
        "    " + _tag("MODULE", False, **attributes),
        *blocks,
        "      <PARAMETERS>",
        *("        " + _tag("PARAMETER", NAME=name, VALUE=value) for name, value in parameters.items()),
        "      </PARAMETERS>",
        "      <PORTS/>",
        "      <BUSINTERFACES>",
        *interfaces,
        "      </BUSINTERFACES>",
        "      <MEMORYMAP>",
        *memory,
        "      </MEMORYMAP>",
        "    </MODULE>",
    ]


def _interface(name: str, vlnv: str, kind: str, width_bits: int) -> str:
    return "        " + _tag("BUSINTERFACE", DATAWIDTH=str(width_bits), NAME=name, TYPE=kind, VLNV=vlnv)


def _range(segment: Segment, manager: str, kind: str, block: str) -> str:
    """Return one range of addresses: what `manager` of the enclosing cell reaches in `segment`."""
    return "        " + _tag(
        "MEMRANGE",
        ADDRESSBLOCK=block,
        BASENAME="C_BASEADDR",
        BASEVALUE=f"0x{segment.base:08X}",
        HIGHNAME="C_HIGHADDR",
        HIGHVALUE=f"0x{segment.base + segment.size - 1:08X}",
        INSTANCE=segment.cell,
        IS_DATA="TRUE",
        IS_INSTRUCTION="TRUE",
        MASTERBUSINTERFACE=manager,
        MEMTYPE=kind,
        SLAVEBUSINTERFACE=segment.port,
    )


def _register_block(segment: Segment) -> list[str]:
    """Return the accelerator's registers, so that pynq's `register_map` knows their names."""
    registers = read_register_map(resource_dir("boards") / "registers.toml").registers
    return [
        "      <ADDRESSBLOCKS>",
        "        "
        + _tag(
            "ADDRESSBLOCK",
            False,
            ACCESS="read-write",
            INTERFACE=segment.port,
            NAME="reg0",
            RANGE=str(segment.size),
            USAGE="register",
        ),
        "          <REGISTERS>",
        *(line for register in registers for line in _register(register)),
        "          </REGISTERS>",
        "        </ADDRESSBLOCK>",
        "      </ADDRESSBLOCKS>",
    ]


def _register(register: Register) -> list[str]:
    lines = []
    for word in range(register.n_words):
        name = register.name if register.n_words == 1 else f"{register.name}_{word}"
        lines += [
            "            " + _tag("REGISTER", False, NAME=name),
            *_properties(14, register.text, ADDRESS_OFFSET=f"0x{register.offset + 4 * word:X}", SIZE="32"),
            "              " + _tag("PROPERTY", NAME="ACCESS", VALUE=_access(register)),
            "              " + _tag("PROPERTY", NAME="IS_ENABLED", VALUE="true"),
            "              <FIELDS>",
        ]
        for field in register.fields:
            lines += [
                "                " + _tag("FIELD", False, NAME=field.name),
                *_properties(18, field.text, BIT_OFFSET=str(field.bit), BIT_WIDTH="1"),
                "                  " + _tag("PROPERTY", NAME="ACCESS", VALUE=_access(register)),
                "                </FIELD>",
            ]
        lines += ["              </FIELDS>", "            </REGISTER>"]
    return lines


def _properties(indent: int, text: str, **values: str) -> list[str]:
    properties = {"DESCRIPTION": text, **values}
    return [" " * indent + _tag("PROPERTY", NAME=name, VALUE=value) for name, value in properties.items()]


def _access(register: Register) -> str:
    return "read-only" if register.access == "ro" else "read-write"


def _tag(element: str, close: bool = True, /, **attributes: str) -> str:
    """Return one tag; attributes in alphabetical order, as Vivado writes them."""
    inside = "".join(f" {name}={quoteattr(value)}" for name, value in sorted(attributes.items()))
    return f"<{element}{inside}{'/' if close else ''}>"


def _number(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class BitHeader:
    """The header of a .bit file."""

    design: str
    """Top of the design, for example `digits_mlp_wrapper`."""
    version: str
    """Version of Vivado, or `SIMULATED`; empty if the header names none."""
    part: str
    """Part as the header writes it; compare it with `same_part`."""
    date: str
    """year/month/day."""
    time: str
    """hours:minutes:seconds."""
    n_bytes: int
    """Bytes of configuration data behind the header."""
