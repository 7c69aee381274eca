# SPDX-License-Identifier: Apache-2.0
"""Runs commands over one ssh connection, with the ssh and scp of the system, and says in a sentence why one failed.

One log-in serves all: the first ssh stays in the background and the others go through its socket (ControlMaster).
"""

import os
import pwd
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from qnn_hw.deployment.commands import Command, Commands
from qnn_hw.deployment.target import Target
from qnn_hw.errors import QnnError

IMAGE_USER = "xilinx"
"""Account of the PYNQ images."""
CONNECTION_FAILED = 255
"""Exit status of ssh when the connection, not the command, failed."""

# A socket's path may have 107 bytes, and ssh appends 17 while it makes one.
_LONGEST_FOLDER = 80
_ANSWER = "qnn:"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    status: int
    """Exit status; 255 also where ssh itself failed."""
    output: str
    """Standard output."""
    errors: str
    """Standard error."""

    def answers(self) -> dict[str, list[str]]:
        """Return what a script answered: key -> values, in the order they came."""
        found: dict[str, list[str]] = {}
        for line in self.output.splitlines():
            # Not at the start of the line alone: the log-in's own chatter need not end with a line.
            _, answer, rest = line.partition(_ANSWER)
            key, equals, value = rest.partition("=")
            if answer and equals:
                found.setdefault(key, []).append(value)
        return found


class TimedOut(Exception):
    """A command did not end in its time and was ended."""


def has_terminal() -> bool:
    """Return whether a person sits in front: ssh may then ask for a password or about a host key."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def require_clients() -> None:
    """Raise `QnnError` unless ssh and scp are installed."""
    for name in ("ssh", "scp"):
        if shutil.which(name) is None:
            raise QnnError(f"{name}: not found on PATH; install an OpenSSH client (Debian: openssh-client)")


def with_user(target: Target) -> Target:
    """Return `target` with an account: its own, else the one of the ssh configuration, else that of the PYNQ images.

    Raises:
        QnnError: the ssh configuration cannot be read.
    """
    if target.user is not None:
        return target
    config = () if target.config is None else ("-F", str(target.config.resolve()))
    # Prints what the configuration comes to for this host, and connects to nobody.
    outcome = execute(Command("read the ssh configuration", ("ssh", "-G", *config, "--", target.host), timeout_s=30.0))
    if outcome.status:
        raise refused(target, outcome.errors)
    found = re.search(r"^user (.+)$", outcome.output, re.MULTILINE)
    # Without a word in the configuration ssh takes the name of the account here, which no board has. As ssh does it:
    # by the number of the account; the variables that getpass reads survive `su` and name somebody else.
    named = found[1] if found and found[1] != pwd.getpwuid(os.getuid()).pw_name else IMAGE_USER
    return replace(target, user=named)


@contextmanager
def private_folder() -> Iterator[Path]:
    """Give a folder that only this account can enter, short enough to hold a socket; removed afterwards."""
    place = tempfile.gettempdir()
    # ssh splits the path of a socket at spaces and expands `${...}` in it.
    is_plain = re.fullmatch(r"[\w./+-]+", place) and len(os.fsencode(place)) <= _LONGEST_FOLDER - 20
    parent = place if is_plain else "/tmp"
    with tempfile.TemporaryDirectory(prefix="qnn-ssh-", dir=parent, ignore_cleanup_errors=True) as name:
        yield Path(name)


@contextmanager
def connection(commands: Commands) -> Iterator[None]:
    """Log in, and log out afterwards.

    Raises:
        QnnError: why the log-in failed.
    """
    command = commands.connect()
    try:
        outcome = execute(command)
    except TimedOut:
        raise silent(commands.target, f"no log-in within {command.timeout_s:.0f} s") from None
    if outcome.status:
        raise refused(commands.target, outcome.errors)
    try:
        yield
    finally:
        with suppress(TimedOut):
            execute(commands.close())


def execute(command: Command, *, is_shown: bool = False) -> Outcome:
    """Run one command to its end.

    Args:
        command: what to run.
        is_shown: a person sees its output and types into it, instead of it being captured.

    Raises:
        TimedOut: it took longer than its time.
    """
    # Files instead of pipes: the ssh that stays in the background would keep a pipe open.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command.words,
            stdin=None if is_shown else subprocess.PIPE if command.script else subprocess.DEVNULL,
            stdout=sys.stderr.fileno() if is_shown else output,
            stderr=None if is_shown else errors,
            env={**os.environ, "LC_ALL": "C"},
        )
        try:
            process.communicate(command.script.encode() if command.script else None, timeout=command.timeout_s)
        except subprocess.TimeoutExpired:
            raise TimedOut(command.purpose) from None
        finally:
            _end(process)
        return Outcome(process.returncode, _text(output), _text(errors))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process that still runs; nothing to do for one that has ended."""
    for send in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(send)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def refused(target: Target, errors: str) -> QnnError:
    """Return the sentence for a connection that ssh could not make.

    Args:
        target: to whom.
        errors: what ssh wrote on its standard error.
    """
    where = target.title
    config = () if target.config is None else ("-F", str(target.config))
    words = {
        "where": where,
        "host": target.host,
        "log_in": shlex.join(("ssh", *config, where)),
        "forget": shlex.join(_forget(target, errors)),
    }
    for pattern, sentence in _REASONS:
        if pattern.search(errors):
            return QnnError(sentence.format_map(words))
    return QnnError(f"{where}: ssh failed: {last_line(errors) or 'without a word'}")


def _forget(target: Target, errors: str) -> tuple[str, ...]:
    """Return the command that forgets a host key: of the name and file that ssh says, seldom that of an alias."""
    name = re.search(r"host key for (\S+) has changed", errors, re.IGNORECASE)
    file = re.search(r"^offending .* key in (.+):\d+\s*$", errors, re.IGNORECASE | re.MULTILINE)
    return ("ssh-keygen", *(("-f", file[1]) if file else ()), "-R", name[1] if name else target.host)


def silent(target: Target, what: str) -> QnnError:
    """Return the sentence for a board that stopped answering; `what` it did not do in which time."""
    return QnnError(f"{target.title}: {what}; is the board up and the cable in? Reset it and try again")


def first_line(text: str) -> str:
    """Return the first line that says something, or an empty string."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def last_line(text: str) -> str:
    """Return the last line that says something, or an empty string."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


_REASONS: Sequence[tuple[re.Pattern[str], str]] = tuple(
    (re.compile(pattern, re.IGNORECASE), sentence)
    for pattern, sentence in (
        (
            r"could not resolve hostname",
            "{host}: no host of this name is known; give its address, or name it in ~/.ssh/config",
        ),
        (
            r"host identification has changed|host key .* has changed|offending .* key in",
            "{where}: its host key is not the one known for it, so nothing was sent; if its SD card was written anew, "
            "forget the old key with `{forget}`, else somebody else answers under this name",
        ),
        (
            r"host key verification failed|no .* host key is known",
            "{where}: its host key is not known yet; run `{log_in}` once, compare the fingerprint and accept it",
        ),
        (
            r"permission denied|too many authentication failures|no more authentication methods",
            "{where}: authentication was refused; copy your key with `ssh-copy-id {where}`, or check --user",
        ),
        (
            r"connection refused",
            "{host}: up, but it refuses connections on the ssh port; is the ssh server running, and is this the port?",
        ),
        (
            r"no route to host|network is unreachable|host is down|network is down",
            "{host}: no way to this host; check the cable and the address (a PYNQ board has 192.168.2.99 on a direct "
            "cable, and this computer needs an address beside it)",
        ),
        (
            r"timed out during banner exchange|timed out|not responding",
            "{host}: does not answer; is the board up, and is this its address?",
        ),
        (
            r"closed by (remote host|.* port)|connection reset|kex_exchange_identification|broken pipe",
            "{host}: ended the connection before the log-in; is this an ssh server, and does it take this client?",
        ),
    )
)
