# SPDX-License-Identifier: Apache-2.0
"""Asks a PYNQ.remote target what it is, and replaces a stale bitstream there. Runs inside a pynq environment.

pynq itself waits for ever for a target that does not answer, and configures whatever file of the right name lies in the
target's firmware folder: the one before, or half of one whose upload was cut. Here every question has a deadline, and
the file is compared before pynq comes to it.

Prints one JSON object: {"answer": "ok", "arch", "board", "generation", "firmware", "simulated"} or
{"answer": "unreachable" | "foreign" | "silent", "detail"}.
"""

import argparse
import json
import socket
from pathlib import Path
from typing import Any

import grpc
from pynq.pl_server.embedded_device import bit2bin
from pynq.remote import remote_device_pb2 as messages
from pynq.remote import remote_device_pb2_grpc as services

PORT = 7967
FIRMWARE = "/lib/firmware/"
SIMULATED = "/run/qnn-hw-simulated-board"
"""File by which a target says that there is a simulated board behind it."""
_TRANSFER_S = 120.0
_CHUNK = 2 * 1024 * 1024
_FOREIGN = (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)


def main() -> None:
    """Probe the target named on the command line and print what was found."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("host")
    arguments.add_argument("bit", type=Path, help="the .bit that will be configured")
    arguments.add_argument("--replace", action="store_true", help="replace a file of its name that is another one")
    arguments.add_argument("--answer-s", type=float, default=5.0, help="deadline of every question, in seconds")
    given = arguments.parse_args()
    with grpc.insecure_channel(f"{given.host}:{PORT}") as channel:
        print(json.dumps(_probe(channel, given)))


def _probe(channel: Any, given: argparse.Namespace) -> dict[str, str]:
    answer_s: float = given.answer_s
    try:
        grpc.channel_ready_future(channel).result(timeout=answer_s)
    except grpc.FutureTimeoutError:
        return _why_not(given.host, answer_s)
    device = services.RemoteDeviceStub(channel)
    try:
        kernel = _read(device, "/proc/version", answer_s)
        return {
            "answer": "ok",
            # The two words pynq's own RemoteDevice knows, told apart as it does.
            "arch": "aarch64" if b"aarch64" in kernel else "armv7l",
            "board": _board(device, answer_s),
            "generation": _generation(channel, answer_s),
            "simulated": "yes" if _exists(device, SIMULATED, answer_s) else "",
            "firmware": _firmware(device, given.bit, given.replace, answer_s),
        }
    except grpc.RpcError as error:
        answer = "foreign" if error.code() in _FOREIGN else "silent"
        return {"answer": answer, "detail": f"{error.code().name}: {error.details()}"}


def _why_not(host: str, answer_s: float) -> dict[str, str]:
    """Say why there is no gRPC connection: no TCP connection either, or something else behind the port."""
    try:
        socket.create_connection((host, PORT), timeout=answer_s).close()
    except OSError as error:
        return {"answer": "unreachable", "detail": error.strerror or str(error)}
    return {"answer": "foreign", "detail": "something takes the connection that does not speak gRPC"}


def _board(device: Any, answer_s: float) -> str:
    path = "/proc/device-tree/chosen/pynq_board"
    if not _exists(device, path, answer_s):
        return ""
    return _read(device, path, answer_s).decode("utf-8", "replace").strip("\0\n ")


def _generation(channel: Any, answer_s: float) -> str:
    """Return "4.0" or "3.1": images of 4.0 serve GPIO, those of 3.1 do not know the name."""
    ask = channel.unary_unary("/gpio.Gpio/get_gpio_npins", lambda _: b"", lambda answer: answer)
    try:
        ask(None, timeout=answer_s)
    except grpc.RpcError as error:
        if error.code() is grpc.StatusCode.UNIMPLEMENTED:
            return "3.1"
        if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            raise
    return "4.0"


def _firmware(device: Any, bit: Path, replace: bool, answer_s: float) -> str:
    """Compare the file of this name on the target, if there is one, with the bitstream.

    Returns:
        "absent" (pynq uploads it), "same", "other"; with `replace` instead of "other" "replaced", or "stale" where it
        stays what it was.
    """
    path = FIRMWARE + bit.stem + ".bin"
    wanted = bit2bin(bit.read_bytes())
    if not _exists(device, path, answer_s):
        return "absent"
    if _read(device, path, _TRANSFER_S) == wanted:
        return "same"
    if not replace:
        return "other"
    pieces = (
        messages.WriteFileRequest(file_path=path, data=wanted[first : first + _CHUNK])
        for first in range(0, len(wanted), _CHUNK)
    )
    device.writefile(pieces, timeout=_TRANSFER_S)
    return "replaced" if _read(device, path, _TRANSFER_S) == wanted else "stale"


def _exists(device: Any, path: str, deadline_s: float) -> bool:
    return bool(device.existsfile(messages.ExistsFileRequest(file_path=path), timeout=deadline_s).exists)


def _read(device: Any, path: str, deadline_s: float) -> bytes:
    pieces = device.readfile(messages.ReadFileRequest(file_path=path), timeout=deadline_s)
    return b"".join(piece.data for piece in pieces)


if __name__ == "__main__":
    main()
