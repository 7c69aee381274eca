# SPDX-License-Identifier: Apache-2.0
"""The accelerator of the simulated board: the Verilated RTL of a build, loaded as a shared library.

Runs in the environment that has pynq: Python 3.10, NumPy and the standard library alone. The library is made by
`qnn_hw.simulation.board_library`; what it does on the streams is told at the head of `model.cpp`.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

STATES = ("idle", "running", "ended", "overflow")
"""Of the receiving engine: not armed, armed, its packet is complete, its packet is longer than the memory."""

_NO_ANSWER, _BROKEN = 1, 2

Memory = npt.NDArray[np.uint8]


class ModelError(RuntimeError):
    """The simulated accelerator cannot be used: no library, no tables, or the design itself stopped."""


class NoAnswer(ModelError):
    """An AXI4-Lite access got no answer; on a real board the processor would wait for ever."""


class Model:
    """One accelerator in its own clock domain, with an AXI DMA's two data movers on its streams.

    Time passes only inside `read`, `write`, `reset` and `advance`. The object is not for two threads at once, yet harms
    nobody: a call keeps the interpreter's lock.

    Args:
        library: the shared library.
        data: folder of the build's tables (`rtl/data`).
        hash_file: file read instead of the folder's `graph_hash.mem`.
        seed: of the registers' values at power-up.

    Raises:
        ModelError: the library does not load, or a table is missing or damaged.
    """

    def __init__(
        self,
        library: str | os.PathLike[str],
        data: str | os.PathLike[str],
        *,
        hash_file: str | os.PathLike[str] | None = None,
        seed: int = 1,
    ) -> None:
        self._handle: int | None = None
        self._library = _load(os.fspath(library))
        if not (Path(data) / "graph_hash.mem").is_file():
            raise ModelError(
                f"simulated accelerator: {data} holds no graph_hash.mem; give the folder rtl/data of a build"
            )
        with tempfile.TemporaryDirectory(prefix="qnn-tables-") as folder:
            tables = Path(data).resolve()
            if hash_file is not None:
                for table in tables.iterdir():
                    (Path(folder) / table.name).symlink_to(table)
                (Path(folder) / "graph_hash.mem").unlink()
                shutil.copyfile(hash_file, Path(folder) / "graph_hash.mem")
                tables = Path(folder)
            self._handle = self._library.qnn_model_create(os.fsencode(tables), seed)
        if not self._handle:
            raise ModelError(f"simulated accelerator: {self._problem()}; build again")
        self._sent: Memory | None = None  # held while the engine reads it
        self._received: Memory | None = None
        self.beat_bytes: int = self._library.qnn_model_beat_bytes()

    def __del__(self) -> None:
        if self._handle:
            self._library.qnn_model_destroy(self._handle)

    def reset(self) -> None:
        """Hold `aresetn` low for some cycles, as after the bitstream was loaded; stops both engines."""
        self._check(self._library.qnn_model_reset(self._handle))

    def read(self, offset: int) -> int:
        """Return the register at byte `offset` (12 bits count) over AXI4-Lite.

        Raises:
            NoAnswer: nothing came within 1000 cycles.
        """
        value = ctypes.c_uint32()
        self._check(self._library.qnn_model_read(self._handle, offset, ctypes.byref(value)), "read", offset)
        return value.value

    def write(self, offset: int, value: int) -> None:
        """Write 32 bits to the register at byte `offset` over AXI4-Lite; `NoAnswer` as for `read`."""
        self._check(self._library.qnn_model_write(self._handle, offset, value & 0xFFFFFFFF), "write", offset)

    def mm2s(self, memory: Memory, nbytes: int, limit: int | None = None) -> None:
        """Start to send the first `nbytes` of `memory`, read as the beats go, TLAST on the last.

        With `limit`, a multiple of `beat_bytes`, the engine breaks off after so many bytes.

        Raises:
            ValueError: `memory` is not contiguous uint8 of at least `nbytes`.
        """
        _check_memory(memory, nbytes)
        self._sent = memory
        self._library.qnn_model_send(self._handle, memory.ctypes.data, nbytes, nbytes if limit is None else limit)

    def s2mm(self, memory: Memory, capacity: int) -> None:
        """Start to receive one packet of at most `capacity` bytes into `memory`; `ValueError` as for `mm2s`."""
        _check_memory(memory, capacity)
        if not memory.flags.writeable:
            raise ValueError("memory to receive into must be writeable")
        self._received = memory
        self._library.qnn_model_receive(self._handle, memory.ctypes.data, capacity)

    def advance(self, cycles: int) -> int:
        """Clock `cycles` cycles and return how many it were: once no engine is running, 64 more at most."""
        passed = int(self._library.qnn_model_advance(self._handle, cycles))
        if passed < 0:
            self._check(_BROKEN)
        return passed

    def mm2s_left(self) -> int:
        """Return the bytes not yet sent; 0 also when the engine is idle."""
        return int(self._library.qnn_model_source_left(self._handle))

    def s2mm_received(self) -> int:
        """Return the bytes written by the receiving engine since it was last started."""
        return int(self._library.qnn_model_received(self._handle))

    def s2mm_state(self) -> str:
        """Return the receiving engine's state, one of `STATES`."""
        return STATES[self._library.qnn_model_sink_state(self._handle)]

    def stop(self) -> None:
        """Reset both engines: what they hold of the streams is lost, the accelerator keeps what it holds."""
        self._library.qnn_model_stop(self._handle)
        self._sent = self._received = None

    @property
    def cycles(self) -> int:
        """Clock cycles since power-up."""
        return int(self._library.qnn_model_cycles(self._handle))

    def pauses(self, probability: float = 0.0, *, seed: int = 1, burst_beats: int = 0, gap_cycles: int = 0) -> None:
        """Let memory be slow: both engines wait a cycle with `probability`, and `gap_cycles` before each burst.

        `burst_beats` is the length of a burst in beats, 0 for no bursts. The same seed gives the same pauses.
        """
        if not 0 <= probability < 1:
            raise ValueError(f"probability={probability} of a pause, from 0 to below 1 is needed")
        threshold = int(probability * 2**32)
        self._library.qnn_model_pauses(self._handle, seed & 0xFFFFFFFF, threshold, burst_beats, gap_cycles)

    def drop_tlast(self, count: int = 1, *, silent: bool = False) -> None:
        """Fault: the accelerator's next `count` TLASTs are lost on the way to the receiving engine.

        Where memory is full then, the engine's state is overflow, or `silent` running until one more beat comes.
        """
        self._library.qnn_model_drop_tlast(self._handle, count, silent)

    def early_tlast(self, count: int = 1) -> None:
        """Fault: the accelerator's next `count` beats come with TLAST."""
        self._library.qnn_model_early_tlast(self._handle, count)

    def extra_beats(self, count: int = 1) -> None:
        """Fault: the accelerator's next packet is `count` beats longer; TLAST comes with the last of them."""
        self._library.qnn_model_extra_beats(self._handle, count)

    def freeze(self, frozen: bool = True, *, registers: bool = False) -> None:
        """Fault: the accelerator handshakes on neither stream and, with `registers`, on AXI4-Lite neither.

        A beat that the sending engine offers already stays offered, and goes when the accelerator takes it.
        """
        self._library.qnn_model_freeze(self._handle, frozen, frozen and registers)

    def _check(self, answer: int, access: str = "", offset: int = 0) -> None:
        if answer == _NO_ANSWER:
            raise NoAnswer(f"simulated accelerator: the {access} at offset 0x{offset:03X} got no answer on AXI4-Lite")
        if answer == _BROKEN:
            raise ModelError(f"simulated accelerator: {self._problem()}; build again")

    def _problem(self) -> str:
        return str(self._library.qnn_model_problem(self._handle).decode(errors="replace"))


def _check_memory(memory: Memory, nbytes: int) -> None:
    if memory.dtype != np.uint8 or memory.ndim != 1 or not memory.flags.c_contiguous or not 0 < nbytes <= memory.size:
        raise ValueError(
            f"memory of type {memory.dtype} and shape {memory.shape} does not hold {nbytes} bytes to move; "
            "one contiguous dimension of uint8 is needed"
        )


def _load(path: str) -> ctypes.PyDLL:
    try:
        library = ctypes.PyDLL(path)
    except OSError as error:
        raise ModelError(
            f"simulated accelerator: the library does not load ({error}); delete it to have it made anew"
        ) from error
    handle, u32, u64 = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64
    for name, result, *arguments in (
        ("beat_bytes", ctypes.c_uint),
        ("create", handle, ctypes.c_char_p, ctypes.c_int),
        ("destroy", None, handle),
        ("problem", ctypes.c_char_p, handle),
        ("reset", ctypes.c_int, handle),
        ("read", ctypes.c_int, handle, ctypes.c_uint, ctypes.POINTER(u32)),
        ("write", ctypes.c_int, handle, ctypes.c_uint, u32),
        ("advance", ctypes.c_int64, handle, u64),
        ("send", None, handle, handle, u64, u64),
        ("receive", None, handle, handle, u64),
        ("stop", None, handle),
        ("pauses", None, handle, u64, u32, ctypes.c_uint, ctypes.c_uint),
        ("drop_tlast", None, handle, ctypes.c_uint, ctypes.c_int),
        ("early_tlast", None, handle, ctypes.c_uint),
        ("extra_beats", None, handle, ctypes.c_uint),
        ("freeze", None, handle, ctypes.c_int, ctypes.c_int),
        ("source_left", u64, handle),
        ("received", u64, handle),
        ("source_state", ctypes.c_int, handle),
        ("sink_state", ctypes.c_int, handle),
        ("cycles", u64, handle),
    ):
        function = getattr(library, f"qnn_model_{name}")
        function.restype, function.argtypes = result, arguments
    return library
