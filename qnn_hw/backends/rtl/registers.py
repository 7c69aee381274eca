# SPDX-License-Identifier: Apache-2.0
"""The register map: reads `boards/registers.toml` and prints it for RTL, driver and documentation.

`python -m qnn_hw.backends.rtl.registers` rewrites the three printed texts in a checkout; a test compares them with
the source, so none of them is edited by hand.
"""

from __future__ import annotations

import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from qnn_hw.errors import QnnError

BEGIN_MARK = "  // generated from boards/registers.toml by qnn_hw/backends/rtl/registers.py: begin"
END_MARK = "  // generated: end"
ACCESS_TEXT = {"ro": "read", "rw": "read, write", "w1c": "read, write 1 to clear"}


def read_register_map(path: Path) -> RegisterMap:
    """Return the register map in the TOML file `path`; a wrong entry raises `QnnError` naming it."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    registers = tuple(
        Register(
            name=entry["name"],
            offset=entry["offset"],
            n_words=entry.get("words", 1),
            access=entry["access"],
            unit=entry["unit"],
            text=entry["text"],
            fields=tuple(RegisterField(bit["name"], bit["bit"], bit["text"]) for bit in entry.get("bits", ())),
        )
        for entry in data["register"]
    )
    result = RegisterMap(
        window_bytes=data["window_bytes"],
        id_value=data["id_value"],
        shell_version=data["shell_version"],
        fifo_marks_offset=data["fifo_marks_offset"],
        registers=registers,
    )
    _check(result, path)
    return result


def systemverilog_block(registers: RegisterMap) -> str:
    """Return the `localparam` lines of `rtl/qnn_axil_registers.sv`, without the marks around them."""
    names = [("IdValue", registers.id_value, 32), ("ShellVersion", registers.shell_version, 32)]
    names += [(f"Offset{_camel(r.name)}", r.offset, 12) for r in registers.registers]
    names.append(("OffsetFifoMarks", registers.fifo_marks_offset, 12))
    return "\n".join(
        f"  localparam logic [{bits - 1}:0] {name} = {bits}'h{value:0{bits // 4}X};" for name, value, bits in names
    )


def python_constants(registers: RegisterMap) -> str:
    """Return the text of `boards/qnn_registers.py`: constants for the driver, nothing imported."""
    lines = [
        "# SPDX-License-Identifier: Apache-2.0",
        '"""Register offsets (bytes) and bit masks of an accelerator. Generated from boards/registers.toml."""',
        "",
        f"WINDOW_BYTES = {registers.window_bytes}",
        f"ID_VALUE = 0x{registers.id_value:08X}",
        f"SHELL_VERSION = {registers.shell_version}",
        "",
    ]
    for register in registers.registers:
        lines.append(f"{register.name.upper()} = 0x{register.offset:03X}  # {register.unit}")
        lines += [f"{register.name.upper()}_{f.name.upper()} = 1 << {f.bit}" for f in register.fields]
    lines.append(f"FIFO_MARKS = 0x{registers.fifo_marks_offset:03X}  # high-water mark of FIFO i at FIFO_MARKS + 4 * i")
    return "\n".join(lines) + "\n"


def markdown_table(registers: RegisterMap) -> str:
    """Return the text of `docs/registers.md`."""
    lines = [
        "# Registers",
        "",
        f"One AXI4-Lite window of {registers.window_bytes} bytes, 32-bit words. Other addresses read 0 and ignore"
        " writes; every response is OKAY.",
        "Printed by `python -m qnn_hw.backends.rtl.registers` from `boards/registers.toml`.",
        "",
        "| offset | name | access | unit | meaning |",
        "| --- | --- | --- | --- | --- |",
    ]
    for r in registers.registers:
        last = r.offset + 4 * (r.n_words - 1)
        offset = f"0x{r.offset:03X}" if r.n_words == 1 else f"0x{r.offset:03X}-0x{last:03X}"
        lines.append(f"| {offset} | {r.name} | {ACCESS_TEXT[r.access]} | {r.unit} | {r.text} |")
        lines += [f"| | {r.name}[{f.bit}] {f.name} | | bit | {f.text} |" for f in r.fields]
    marks = registers.fifo_marks_offset
    lines.append(
        f"| 0x{marks:03X} + 4i | fifo_mark i | read | beats | The most beats FIFO i held since reset;"
        " 0 unless `qnn_top` has the parameter `Counters` = 1. |"
    )
    return "\n".join(lines) + "\n"


def insert_block(text: str, block: str) -> str:
    """Return the SystemVerilog `text` with the lines between the two marks replaced by `block`."""
    head, found_begin, rest = text.partition(BEGIN_MARK)
    _, found_end, tail = rest.partition(END_MARK)
    if not (found_begin and found_end):
        raise QnnError(f"qnn_axil_registers.sv: the lines `{BEGIN_MARK.strip()}` and `{END_MARK.strip()}` are missing")
    return f"{head}{BEGIN_MARK}\n{block}\n{END_MARK}{tail}"


def printed_files(root: Path) -> dict[Path, str]:
    """Return path -> up-to-date text of every file printed from `root`/boards/registers.toml."""
    registers = read_register_map(root / "boards" / "registers.toml")
    block_path = root / "rtl" / "qnn_axil_registers.sv"
    return {
        block_path: insert_block(block_path.read_text(encoding="utf-8"), systemverilog_block(registers)),
        root / "boards" / "qnn_registers.py": python_constants(registers),
        root / "docs" / "registers.md": markdown_table(registers),
    }


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _check(registers: RegisterMap, path: Path) -> None:
    used: dict[int, str] = {}
    for register in registers.registers:
        if register.access not in ACCESS_TEXT:
            raise QnnError(f"{path}: {register.name} has access {register.access!r}, allowed are ro, rw and w1c")
        for offset in range(register.offset, register.offset + 4 * register.n_words, 4):
            if offset % 4 or offset >= registers.fifo_marks_offset:
                raise QnnError(
                    f"{path}: {register.name} is at 0x{offset:03X}, allowed are multiples of 4"
                    f" below 0x{registers.fifo_marks_offset:03X}"
                )
            if offset in used:
                raise QnnError(f"{path}: {register.name} and {used[offset]} share 0x{offset:03X}, move one")
            used[offset] = register.name


@dataclass(frozen=True, slots=True)
class RegisterField:
    """One named bit of a register."""

    name: str
    bit: int
    text: str


@dataclass(frozen=True, slots=True)
class Register:
    """One register of `n_words` 32-bit words from byte `offset` on; `access` is "ro", "rw" or "w1c"."""

    name: str
    offset: int
    n_words: int
    access: str
    unit: str
    text: str
    fields: tuple[RegisterField, ...]


@dataclass(frozen=True, slots=True)
class RegisterMap:
    """The whole window: its size in bytes, its constants, its registers in order of offset."""

    window_bytes: int
    id_value: int
    shell_version: int
    fifo_marks_offset: int
    registers: tuple[Register, ...]


def main(root: Path) -> None:
    """Rewrite the printed files of the checkout `root`."""
    for path, text in printed_files(root).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path.cwd())
