# SPDX-License-Identifier: Apache-2.0
"""A board that serves PYNQ.remote: the gRPC services pynq's own RemoteDevice talks to, over the simulated board.

Runs in a pynq environment as a process of its own, without the rest of the package:

    python grpc_target.py CONFIG.json

CONFIG.json: {"address", "port", "pynq_board", "kernel", "generation": "3.1" | "4.0", "simulated": says that it is,
"silent_after": calls or null, "gone_after": calls or null, "firmware": {name: hex} already on the target,
"designs": [{"bin_sha256", "config": of the simulated board}]}.

What is configured is decided by the *content* of the file in /lib/firmware, as on a board: a stale file runs the old
design. One JSON object a line on stdout tells what happened: {"event": "ready" | "uploaded" | "configured" | ...}.
"""

import hashlib
import importlib.util
import itertools
import json
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from pynq.remote import buffer_pb2, buffer_pb2_grpc, mmio_pb2, mmio_pb2_grpc
from pynq.remote import remote_device_pb2 as device_pb2
from pynq.remote import remote_device_pb2_grpc as device_pb2_grpc

FIRMWARE = "/lib/firmware/"
MANAGER = "/sys/class/fpga_manager/fpga0/"
CHUNK = 1 << 20
_DATA = mmio_pb2.ReadResponse.DESCRIPTOR.fields_by_name["data"]
IS_SIGNED = _DATA.type == _DATA.TYPE_INT32
"""So it is in 3.1.2, where a register with bit 31 set arrives negative; 4.0.0 has uint32."""


def load_simulated_board() -> Any:
    """Import the folder of the simulated board as a package, whose parent is not importable here."""
    folder = Path(__file__).resolve().parents[2] / "qnn_hw" / "simulation" / "board"
    spec = importlib.util.spec_from_file_location(
        "simulated_board", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["simulated_board"] = module
    spec.loader.exec_module(module)
    return module


def tell(event: str, **facts: Any) -> None:
    print(json.dumps({"event": event, **facts}), flush=True)


class Turns:
    """Counts calls; from `silent_after` on none is answered, at `gone_after` the process ends."""

    def __init__(self, silent_after: int | None, gone_after: int | None) -> None:
        self._silent_after, self._gone_after = silent_after, gone_after
        self._taken = 0
        self._never = threading.Event()

    def take(self) -> None:
        if self._taken == self._gone_after:
            tell("gone")
            os._exit(1)
        if self._taken == self._silent_after:
            tell("silent")
            self._never.wait()
        self._taken += 1


class Chip:
    """The board's FPGA and memory: nothing configured at first."""

    def __init__(self, designs: "list[dict[str, Any]]") -> None:
        self.board = load_simulated_board()
        self._designs = {design["bin_sha256"]: design["config"] for design in designs}
        first = designs[0]["config"]["design"]
        self.memory = import_from("memory").Memory(first["memory_base"], first["memory_size"])
        self._processor = import_from("clocks").ProcessorRegisters(first)
        self._model: Any = None
        self._dma: Any = None
        self._segments: dict[str, tuple[int, int]] = {}

    def configure(self, name: str, content: bytes) -> bool:
        """Load the design whose bitstream this is; False where it is none."""
        config = self._designs.get(hashlib.sha256(content).hexdigest())
        if config is None:
            tell("refused", name=name, nbytes=len(content))
            return False
        design = config["design"]
        self._model = import_from("rtl").Model(config["library"], config["data"])
        self._model.reset()
        faults = import_from("faults").Faults(config["faults"])
        self._dma = import_from("dma").AxiDma(
            self._model, self.memory, faults, design["dma_width_bits"], design["length_bits"]
        )
        self._segments = {part["cell"]: (part["base"], part["size"]) for part in design["control"]}
        tell("configured", name=name, graph_hash=design["graph_hash"])
        return True

    def read(self, address: int) -> int:
        if address in self._processor:
            return self._processor.read(address)
        part, offset = self._find(address)
        return part.read(offset)

    def write(self, address: int, value: int) -> None:
        if address in self._processor:
            self._processor.write(address, value)
        else:
            part, offset = self._find(address)
            part.write(offset, value)

    def _find(self, address: int) -> "tuple[Any, int]":
        for cell, part in (("axi_dma_0", self._dma), ("qnn_0", self._model)):
            base, size = self._segments.get(cell, (0, 0))
            if base <= address < base + size:
                return part, address - base
        raise LookupError(f"nothing answers at 0x{address:08x}")


def import_from(name: str) -> Any:
    return importlib.import_module(f"simulated_board.{name}")


class Device(device_pb2_grpc.RemoteDeviceServicer):
    """Files of the board; writing the FPGA manager's `firmware` configures."""

    def __init__(self, turns: Turns, chip: Chip, files: "dict[str, bytes]") -> None:
        self._turns, self._chip, self._files = turns, chip, files

    def existsfile(self, request: Any, context: Any) -> Any:
        self._turns.take()
        return device_pb2.ExistsFileResponse(exists=request.file_path in self._files)

    def readfile(self, request: Any, context: Any) -> Iterator[Any]:
        self._turns.take()
        content = self._files.get(request.file_path)
        if content is None:
            context.abort(grpc.StatusCode.NOT_FOUND, f"{request.file_path}: no such file")
        for first in range(0, len(content), CHUNK):
            yield device_pb2.ReadFileResponse(data=content[first : first + CHUNK])

    def writefile(self, request_iterator: Any, context: Any) -> Any:
        self._turns.take()
        path, content = "", b""
        for request in request_iterator:
            path = request.file_path
            content += request.data
        self._files[path] = content
        if path.startswith(FIRMWARE):
            tell("uploaded", path=path, nbytes=len(content))
        if path == MANAGER + "firmware":
            name = content.decode()
            if not self._chip.configure(name, self._files.get(FIRMWARE + name, b"")):
                context.abort(grpc.StatusCode.INTERNAL, f"fpga_manager: {name} is refused")
        return device_pb2.WriteFileResponse()

    def set_bitstream_attrs(self, request: Any, context: Any) -> Any:
        self._turns.take()
        return device_pb2.SetBitstreamAttrsResponse(status=True)


class Mmio(mmio_pb2_grpc.MmioServicer):
    """Registers: 32-bit words at base + offset."""

    def __init__(self, turns: Turns, chip: Chip) -> None:
        self._turns, self._chip = turns, chip
        self._windows: dict[str, tuple[int, int]] = {}
        self._ids = map(str, itertools.count())

    def get_mmio(self, request: Any, context: Any) -> Any:
        self._turns.take()
        name = next(self._ids)
        self._windows[name] = (request.base_addr, request.length)
        return mmio_pb2.GetMmioResponse(status=True, mmio_id=name)

    def read(self, request: Any, context: Any) -> Any:
        self._turns.take()
        try:
            words = [
                self._chip.read(self._address(request.mmio_id, request.offset + 4 * i))
                for i in range(2 if request.length == 8 else 1)
            ]
        except LookupError as error:
            return mmio_pb2.ReadResponse(status=False, msg=str(error))
        if request.word_order == "big":
            words.reverse()
        value = sum(word << 32 * i for i, word in enumerate(words)) & ((1 << 8 * request.length) - 1)
        if IS_SIGNED:
            value = (value & 0xFFFF_FFFF ^ 0x8000_0000) - 0x8000_0000
        return mmio_pb2.ReadResponse(status=True, data=value)

    def write(self, request: Any, context: Any) -> Any:
        self._turns.take()
        try:
            for i in range(0, len(request.data), 4):
                word = int.from_bytes(request.data[i : i + 4], "little")
                self._chip.write(self._address(request.mmio_id, request.offset + i), word)
        except LookupError as error:
            return mmio_pb2.WriteResponse(status=False, msg=str(error))
        return mmio_pb2.WriteResponse(status=True)

    def _address(self, name: str, offset: int) -> int:
        base, length = self._windows[name]
        if offset >= length:
            raise LookupError(f"offset 0x{offset:x} is outside a window of 0x{length:x} bytes")
        return base + offset


class Buffers(buffer_pb2_grpc.RemoteBufferServicer):
    """Buffers: what the server's program sees (cached) beside what lies in memory; flush and invalidate copy."""

    def __init__(self, turns: Turns, chip: Chip) -> None:
        self._turns, self._chip = turns, chip
        self._cached: dict[str, tuple[int, np.ndarray]] = {}
        self._ids = map(str, itertools.count())

    def allocate(self, request: Any, context: Any) -> Any:
        self._turns.take()
        name = next(self._ids)
        self._cached[name] = (self._chip.memory.allocate(request.size), np.zeros(request.size, np.uint8))
        return buffer_pb2.AllocateResponse(buffer_id=name)

    def write(self, request_iterator: Any, context: Any) -> Any:
        self._turns.take()
        name, content = "", b""
        for request in request_iterator:
            name = request.buffer_id
            content += request.data
        cached = self._cached[name][1]
        cached[: len(content)] = np.frombuffer(content, np.uint8)
        return buffer_pb2.BufferWriteResponse()

    def read(self, request: Any, context: Any) -> Iterator[Any]:
        self._turns.take()
        content = self._cached[request.buffer_id][1].tobytes()
        for first in range(0, len(content), CHUNK):
            yield buffer_pb2.BufferReadResponse(data=content[first : first + CHUNK])

    def flush(self, request: Any, context: Any) -> Any:
        self._turns.take()
        address, cached = self._cached[request.buffer_id]
        self._chip.memory.view(address, cached.size)[:] = cached
        return buffer_pb2.FlushResponse()

    def invalidate(self, request: Any, context: Any) -> Any:
        self._turns.take()
        address, cached = self._cached[request.buffer_id]
        cached[:] = self._chip.memory.view(address, cached.size)
        return buffer_pb2.InvalidateResponse()

    def freebuffer(self, request: Any, context: Any) -> Any:
        self._turns.take()
        address, _ = self._cached.pop(request.buffer_id)
        self._chip.memory.free(address)
        return buffer_pb2.FreeBufferResponse()

    def physical_address(self, request: Any, context: Any) -> Any:
        self._turns.take()
        return buffer_pb2.AddressResponse(address=self._cached[request.buffer_id][0])

    def virtual_address(self, request: Any, context: Any) -> Any:
        self._turns.take()
        return buffer_pb2.AddressResponse(address=self._cached[request.buffer_id][1].ctypes.data)

    def cacheable(self, request: Any, context: Any) -> Any:
        self._turns.take()
        return buffer_pb2.CacheableResponse(cacheable=True)


def serve_gpio(server: Any, turns: Turns) -> None:
    """Add the service that images of 4.0 have and those of 3.1 have not: pins that keep what is written to them."""
    from pynq.remote import gpio_pb2, gpio_pb2_grpc

    class Gpio(gpio_pb2_grpc.GpioServicer):
        def __init__(self) -> None:
            self._pins: dict[str, int] = {}

        def get_gpio(self, request: Any, context: Any) -> Any:
            turns.take()
            self._pins.setdefault(str(request.index), 0)
            return gpio_pb2.GetGpioResponse(gpio_id=str(request.index))

        def read(self, request: Any, context: Any) -> Any:
            turns.take()
            return gpio_pb2.GpioReadResponse(value=self._pins[request.gpio_id])

        def write(self, request: Any, context: Any) -> Any:
            turns.take()
            self._pins[request.gpio_id] = request.value
            return gpio_pb2.GpioWriteResponse()

        def unexport(self, request: Any, context: Any) -> Any:
            turns.take()
            self._pins.pop(request.gpio_id, None)
            return gpio_pb2.GpioUnexportResponse()

        def is_exported(self, request: Any, context: Any) -> Any:
            turns.take()
            return gpio_pb2.GpioIsExportedResponse(is_exported=request.gpio_id in self._pins)

        def get_gpio_base_path(self, request: Any, context: Any) -> Any:
            turns.take()
            return gpio_pb2.GetGpioBasePathResponse(base_path="/sys/class/gpio/gpiochip338")

        def get_gpio_npins(self, request: Any, context: Any) -> Any:
            turns.take()
            return gpio_pb2.GetGpioNPinsResponse(npins=174)

    gpio_pb2_grpc.add_GpioServicer_to_server(Gpio(), server)


def main() -> None:
    config = json.loads(Path(sys.argv[1]).read_text())
    turns = Turns(config["silent_after"], config["gone_after"])
    chip = Chip(config["designs"])
    files = {
        "/proc/version": config["kernel"].encode(),
        "/proc/device-tree/chosen/pynq_board": config["pynq_board"].encode() + b"\0",
        **({"/run/qnn-hw-simulated-board": b""} if config["simulated"] else {}),
        MANAGER + "state": b"operating\n",
        MANAGER + "flags": b"0\n",
        **{FIRMWARE + name: bytes.fromhex(content) for name, content in config["firmware"].items()},
    }
    # One worker: calls come one after the other, as from one board, and one that is never answered blocks all.
    server = grpc.server(ThreadPoolExecutor(max_workers=1))
    device_pb2_grpc.add_RemoteDeviceServicer_to_server(Device(turns, chip, files), server)
    mmio_pb2_grpc.add_MmioServicer_to_server(Mmio(turns, chip), server)
    buffer_pb2_grpc.add_RemoteBufferServicer_to_server(Buffers(turns, chip), server)
    if config["generation"] == "4.0":
        serve_gpio(server, turns)
    server.add_insecure_port(f"{config['address']}:{config['port']}")
    server.start()
    tell("ready")
    server.wait_for_termination()


if __name__ == "__main__":
    main()
