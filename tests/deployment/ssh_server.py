# SPDX-License-Identifier: Apache-2.0
"""An ssh server on the loopback interface that plays a PYNQ board: own keys, own home folder, faults on request.

It runs in the test process without any rights, on a port of its own; what it is asked to execute is executed by bash,
with the board's environment. `ssh` and `scp` are those of the system.
"""

import asyncio
import errno
import fcntl
import os
import pty
import shutil
import signal
import socket
import stat
import termios
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

USER = "xilinx"


@dataclass(slots=True)
class Faults:
    """What goes wrong; everything may be changed between two deployments."""

    cut_after_bytes: int | None = None
    """The connection is cut once this many bytes of files came."""
    full_after_bytes: int | None = None
    """The disk is full after this many bytes of files."""
    flip_a_bit: bool = False
    """One bit of what is written differs from what came."""
    cut_on: str = ""
    """The connection is cut when a command with this text is to be executed."""


@dataclass(slots=True)
class Board:
    """A board that somebody can log in to."""

    home: Path
    """Home folder of the account."""
    config: Path
    """ssh configuration whose `Host board` is it."""
    known_hosts: Path
    """Keys this side knows."""
    port: int
    environment: dict[str, str]
    """Of every command; may be changed between two deployments."""
    tools: Path
    """Folder in front of PATH, for programs of the board."""
    faults: Faults = field(default_factory=Faults)
    commands: list[str] = field(default_factory=list)
    """What was executed, in order."""
    log_ins: int = 0
    n_bytes: int = 0
    """Bytes of files that came."""
    children: list[int] = field(default_factory=list)
    """Processes of commands that have not ended; as with OpenSSH, a connection that goes does not end them."""

    @property
    def folder(self) -> Path:
        """Where deployments go."""
        return self.home / "qnn"

    def hidden(self) -> list[str]:
        """Names of what deployments left behind, the lock apart."""
        return sorted(path.name for path in self.folder.glob(".*") if path.name != ".lock")

    def tool(self, name: str, text: str) -> None:
        """Put a program of the board in front of the machine's own."""
        file = self.tools / name
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)


@contextmanager
def board_server(place: Path, python: Path, board: str, variables: Mapping[str, str] | None = None) -> Iterator[Board]:
    """Serve a board until the end of the block.

    Args:
        place: empty folder for keys, home and tools.
        python: its python3, of an environment with pynq.
        board: how it calls itself, its variable BOARD.
        variables: further variables of its sessions.
    """
    for name in ("home", "tools", "client"):
        (place / name).mkdir()
    host_key, user_key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    identity = place / "client" / "id"
    user_key.write_private_key(identity)
    identity.chmod(stat.S_IRUSR | stat.S_IWUSR)
    search = f"{place / 'tools'}:{os.defpath}:/usr/bin:/bin"
    served = Board(
        home=place / "home",
        config=place / "client" / "config",
        known_hosts=place / "client" / "known_hosts",
        port=0,
        environment={"HOME": str(place / "home"), "PATH": search, "BOARD": board, **(variables or {})},
        tools=place / "tools",
    )
    served.tool("python3", f'exec "{python}" "$@"')
    # An account that is not root, and sudo that needs no password.
    served.tool("sudo", '[ "$1" != -n ] || shift\nexec "$@"')
    served.tool("id", f'if [ "$1" = -u ]; then echo 1000; else exec {shutil.which("id")} "$@"; fi')
    with _loop() as loop:
        server = asyncio.run_coroutine_threadsafe(_listen(served, host_key, user_key), loop).result(30)
        served.port = server.get_port()
        public = host_key.export_public_key().decode().strip()
        served.known_hosts.write_text(f"[127.0.0.1]:{served.port} {public}\n")
        served.config.write_text(
            f"Host board\n  HostName 127.0.0.1\n  Port {served.port}\n  IdentityFile {identity}\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {served.known_hosts}\n  GlobalKnownHostsFile /dev/null\n"
        )
        try:
            yield served
        finally:
            for child in served.children:
                with suppress(ProcessLookupError):
                    os.killpg(child, signal.SIGKILL)
            asyncio.run_coroutine_threadsafe(_stop(server), loop).result(30)


@contextmanager
def silent_port() -> Iterator[int]:
    """Give a port that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]  # the kernel accepts; nobody reads


def closed_port() -> int:
    """Return a port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def _loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _listen(board: Board, host_key: asyncssh.SSHKey, user_key: asyncssh.SSHKey) -> asyncssh.SSHAcceptor:
    authorized = asyncssh.import_authorized_keys(user_key.export_public_key().decode())

    class Server(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            board.log_ins += 1
            return True

    class Files(asyncssh.SFTPServer):
        def __init__(self, chan: asyncssh.SSHServerChannel) -> None:
            super().__init__(chan, chroot=os.fsencode(board.home))

        def write(self, file_obj: Any, offset: int, data: bytes) -> int:
            faults = board.faults
            room = None if faults.full_after_bytes is None else faults.full_after_bytes - board.n_bytes
            if room is not None and room < len(data):
                file_obj.seek(offset)
                file_obj.write(data[: max(room, 0)])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            board.n_bytes += len(data)
            if faults.cut_after_bytes is not None and board.n_bytes > faults.cut_after_bytes:
                self.channel.get_connection().abort()
                raise ConnectionAbortedError
            if faults.flip_a_bit:
                data = bytes([data[0] ^ 1]) + data[1:]
            return super().write(file_obj, offset, data)

        def exit(self) -> None:
            self.channel.exit(0)  # as OpenSSH's own server; scp takes silence for a failure

    async def execute(process: asyncssh.SSHServerProcess[bytes]) -> None:
        command = process.command or ""
        board.commands.append(command)
        if board.faults.cut_on and board.faults.cut_on in command:
            process.channel.get_connection().abort()
            return
        if process.term_type:
            process.exit(await _execute_in_terminal(process, board))
            return
        child = await asyncio.create_subprocess_exec(
            *("/bin/bash", "-c", command),
            cwd=board.home,
            env=board.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        board.children.append(child.pid)
        feeding = asyncio.create_task(_pump(process.stdin, child.stdin))
        await asyncio.gather(_pump(child.stdout, process.stdout), _pump(child.stderr, process.stderr))
        status = await child.wait()
        board.children.remove(child.pid)
        feeding.cancel()
        process.exit(status)

    return await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=Server,
        server_host_keys=[host_key],
        authorized_client_keys=authorized,
        process_factory=execute,
        sftp_factory=Files,
        allow_scp=True,
        encoding=None,
    )


async def _execute_in_terminal(process: "asyncssh.SSHServerProcess[bytes]", board: Board) -> int:
    """Execute a command that has a terminal of its own, as `ssh -t` asks for."""
    ours, its = pty.openpty()
    child = await asyncio.create_subprocess_exec(
        *("/bin/bash", "-c", process.command or ""),
        cwd=board.home,
        env=board.environment,
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(its)
    loop = asyncio.get_running_loop()

    async def type_in() -> None:
        with suppress(OSError, asyncssh.Error):
            while data := await process.stdin.read(1 << 10):
                os.write(ours, data)

    typing = asyncio.create_task(type_in())
    with suppress(OSError):  # how a terminal says that its program has gone
        while data := await loop.run_in_executor(None, os.read, ours, 1 << 10):
            process.stdout.write(data)
    typing.cancel()
    status = await child.wait()
    os.close(ours)
    return status if status >= 0 else 255  # what ssh makes of a signal


async def _pump(source: Any, sink: Any) -> None:
    """Pass on bytes until there are no more, or until nobody takes them."""
    with suppress(ConnectionError, asyncssh.Error):
        while data := await source.read(1 << 16):
            sink.write(data)
            await sink.drain()
        if isinstance(sink, asyncio.StreamWriter):
            sink.close()


async def _stop(server: asyncssh.SSHAcceptor) -> None:
    server.close()
    await server.wait_closed()
