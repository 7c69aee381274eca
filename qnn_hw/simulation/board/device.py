# SPDX-License-Identifier: Apache-2.0
"""pynq's device for the simulated board: registers by address, download of a bitstream, buffers.

Importing it registers the device with pynq, ahead of all others; `site/sitecustomize.py` does so when the variable
QNN_HW_SIMULATED_BOARD names a configuration:

    {"board": {"name", "part", "family", "pynq_board", ...}, "design": the block design (cells, addresses, clock),
     "library": the accelerator's shared library, "data": its tables, "faults": [{"kind", "transfer"}],
     "report": file for what happened, written when the program ends; optional}
"""

from __future__ import annotations

import atexit
import errno
import json
import os
import platform
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pynq.pl_server.device import Device

from .clocks import ProcessorRegisters
from .dma import AxiDma
from .faults import Faults
from .memory import ForeignMemory, Memory
from .rtl import Model, NoAnswer

VARIABLE = "QNN_HW_SIMULATED_BOARD"
_ARCH = {"zynq-7000": "armv7l", "zynq-ultrascale+": "aarch64"}
_PRIORITY = 10  # before pynq's own: 40, 50, 100, 200
_CONTROL, _SOFT_RESET = 0x020, 0x1  # of the accelerator
_MASK_12_BITS = 0xFFF


class BusError(BaseException):
    """An access to an address where nothing answers: a board kills the process there, or stops altogether.

    Not an `Exception`, so that a program cannot go on after it as it could not on a board.
    """


class SimulatedDevice(Device):
    """The board as pynq sees it: processor registers, DMA, accelerator and memory, one program at a time."""

    _probe_priority_ = _PRIORITY

    @classmethod
    def _probe_(cls) -> list[SimulatedDevice]:
        path = os.environ.get(VARIABLE)
        return [cls(json.loads(Path(path).read_text(encoding="utf-8")))] if path else []

    def __init__(self, configuration: Mapping[str, Any]) -> None:
        import pynq.ps

        super().__init__("simulated_board")
        design = configuration["design"]
        self.configuration = configuration
        self.capabilities = {"REGISTER_RW": True}
        self.name = configuration["board"]["pynq_board"]
        self.arch = _ARCH[design["family"]]
        # pynq 3.0 asks the machine it runs on, and has no notion of another.
        pynq.ps.CPU_ARCH = self.arch
        self.faults = Faults(configuration.get("faults", ()))
        self.memory = Memory(design["memory_base"], design["memory_size"])
        self.accelerator: Model | None = None
        self.downloads = 0
        self._dma: AxiDma | None = None
        self._cycles_before = 0
        self._transfers_before = 0
        self._processor = ProcessorRegisters(design)
        self._segments = {segment["cell"]: segment for segment in design["control"]}
        if configuration.get("report"):
            atexit.register(self._report, Path(configuration["report"]))

    @property
    def cycles(self) -> int:
        """Clock cycles of the programmable logic that were simulated."""
        return self._cycles_before + (self.accelerator.cycles if self.accelerator is not None else 0)

    @property
    def transfers(self) -> int:
        """Transfers begun by the send channel."""
        return self._dma.sent if self._dma is not None else self._transfers_before

    def read_registers(self, address: int, length: int) -> bytes:
        """Return `length` bytes of registers from `address`. Raises `BusError` where nothing answers."""
        first = address - address % 4
        words = b"".join(self._read(first + i).to_bytes(4, "little") for i in range(0, address % 4 + length, 4))
        return words[address % 4 :][:length]

    def write_registers(self, address: int, data: bytes) -> None:
        """Write whole 32-bit registers from `address`. Raises `BusError` where nothing answers."""
        data = bytes(data)
        if address % 4 or len(data) % 4:
            raise BusError(
                f"simulated board: a write of {len(data)} bytes to 0x{address:08x} is not of whole registers"
            )
        for i in range(0, len(data), 4):
            self._write(address + i, int.from_bytes(data[i : i + 4], "little"))

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        """Return pynq's parser of the .hwh beside a .bit, made as on a board but for the memory banks of XRT."""
        from pynq.pl_server.embedded_device import DEFAULT_XCLBIN, BitfileHandler

        class Handler(BitfileHandler):
            def get_xclbin_data(self) -> Any:
                return DEFAULT_XCLBIN

        if Path(bitfile_name).suffix != ".bit":
            raise RuntimeError(f"simulated board: {bitfile_name} is no .bit file")
        parser = Handler(bitfile_name).get_parser(partial=partial)
        if parser is None:
            raise RuntimeError("Unable to find metadata for bitstream")
        return parser

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """Load a bitstream: accelerator and DMA begin anew.

        Raises:
            OSError: the bitstream is for another device; the FPGA manager refuses it.
        """
        from pynq.pl_server.embedded_device import parse_bit_header

        self.downloads += 1
        part = parse_bit_header(Path(bitstream.bitfile_name).read_bytes())["part"]
        here = self.configuration["board"]["part"]
        if _device(part) != _device(here) or self.faults.take("wrong_part", self.downloads):
            # What a write to the FPGA manager ends in when the device's identity check fails.
            raise OSError(errno.EIO, f"Input/output error: the FPGA ({here}) refuses a bitstream for {part}")
        self._cycles_before, self._transfers_before = self.cycles, self.transfers
        self.accelerator = self._dma = None
        self.accelerator = self._new_model()
        design = self.configuration["design"]
        width, bits = design["dma_width_bits"], design["length_bits"]
        self._dma = AxiDma(self.accelerator, self.memory, self.faults, width, bits, self._transfers_before)
        if parser is not None:
            self._set_port_widths(parser)
        super().post_download(bitstream, parser, self.name)

    def shutdown(self) -> None:
        """Nothing is to be shut down before a download: the design has no shutdown manager."""

    def gen_cache(self, bitstream: Any, parser: Any = None) -> None:
        """Metadata are not cached: the next program may find another board."""

    def allocate(self, shape: Any, dtype: Any, cacheable: bool = True, **_: Any) -> Any:
        """Return a buffer of the board's memory, as pynq's `allocate` does.

        A cached one is a copy until flushed or invalidated; one with `cacheable=False` is the memory itself.

        Raises:
            RuntimeError: nothing was downloaded yet, or memory is exhausted.
        """
        from .buffer import SimulatedBuffer

        if self.accelerator is None:
            raise RuntimeError("Overlay is not downloaded")
        return SimulatedBuffer.made(self, shape, np.dtype(dtype), bool(cacheable))

    def flush(self, bo: Any, offset: int, vaddr: int, nbytes: int) -> None:
        """Carry `nbytes` bytes of the program's copy of a buffer to memory."""
        if not self.faults.take("missing_flush", self.transfers + 1):
            bo.memory[offset : offset + nbytes] = bo.copy[offset : offset + nbytes]

    def invalidate(self, bo: Any, offset: int, vaddr: int, nbytes: int) -> None:
        """Carry `nbytes` bytes of memory to the program's copy of a buffer."""
        bo.copy[offset : offset + nbytes] = bo.memory[offset : offset + nbytes]

    def inject(self, kind: str) -> None:
        """Let a fault happen at the next transfer or download; see `faults.KINDS`."""
        self.faults.inject(kind)

    def _read(self, address: int) -> int:
        if address in self._processor:
            return self._processor.read(address)
        cell, offset = self._decode(address, "read")
        if self.accelerator is None or self._dma is None:
            raise _nothing_loaded("read", address)
        if cell == self.configuration["design"]["dma_cell"]:
            return self._dma.read(offset)
        try:
            return self.accelerator.read(offset & _MASK_12_BITS)
        except NoAnswer as error:
            raise BusError(str(error)) from error

    def _write(self, address: int, value: int) -> None:
        if address in self._processor:
            self._processor.write(address, value)
            return
        cell, offset = self._decode(address, "write")
        if self.accelerator is None or self._dma is None:
            raise _nothing_loaded("write", address)
        if cell == self.configuration["design"]["dma_cell"]:
            try:
                self._dma.write(offset, value)
            except ForeignMemory as error:
                raise BusError(str(error)) from error
            return
        if offset & _MASK_12_BITS == _CONTROL and value & _SOFT_RESET:
            self.accelerator.freeze(False)
        try:
            self.accelerator.write(offset & _MASK_12_BITS, value)
        except NoAnswer as error:
            raise BusError(str(error)) from error

    def _decode(self, address: int, access: str) -> tuple[str, int]:
        for cell, segment in self._segments.items():
            if segment["base"] <= address < segment["base"] + segment["size"]:
                return cell, address - segment["base"]
        raise BusError(
            f"simulated board: {access} of 0x{address:08x}, where nothing answers; on a board this kills the process "
            "or stops the processor; look the address up in the overlay's ip_dict"
        )

    def _new_model(self) -> Model:
        library, data = self.configuration["library"], Path(self.configuration["data"])
        if not self.faults.take("wrong_bitstream_hash", self.downloads):
            return Model(library, data)
        with tempfile.NamedTemporaryFile("w", suffix=".mem") as other:
            text = (data / "graph_hash.mem").read_text(encoding="utf-8")
            digit = re.search(r"^[0-9a-fA-F]", text, re.MULTILINE)
            at = digit.start() if digit else 0
            other.write(text[:at] + ("1" if text[at] == "0" else "0") + text[at + 1 :])
            other.flush()
            return Model(library, data, hash_file=other.name)

    def _set_port_widths(self, parser: Any) -> None:
        """Write the memory ports' widths as pynq's own device does."""
        from pynq.pl_server.embedded_device import EmbeddedDevice

        EmbeddedDevice.set_axi_port_width(self, parser)

    def _report(self, path: Path) -> None:
        facts = {
            **{"cycles": self.cycles, "transfers": self.transfers, "downloads": self.downloads},
            **{"faults": self.faults.fired, "python": platform.python_version()},
        }
        path.write_text(json.dumps(facts), encoding="utf-8")


def _device(part: str) -> str:
    """Return the device of a part name, in Vivado's long form or the short one of a .bit: xc7z020clg400-1 -> 7z020."""
    found = re.match(r"(?:xc)?(7z\d+|[a-z]+\d+[a-z]*)", part.lower())
    return found.group(1) if found else part


def _nothing_loaded(access: str, address: int) -> BusError:
    return BusError(
        f"simulated board: {access} of 0x{address:08x} before a bitstream was loaded; on a board nothing answers there "
        "and the processor stops"
    )
