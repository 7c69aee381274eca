# SPDX-License-Identifier: Apache-2.0
"""The commands of a deployment over ssh, as argument lists: what a dry run prints is what a real one executes.

No shell text is made from what a user gives. Host and user are arguments of ssh and were checked (`Target`); what the
board's shell sees are constant words and names of our own: the stem of the build and a random token.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qnn_hw.deployment.target import Target

ON_TARGET = "qnn"
"""Folder below the account's home that holds everything."""
BUSY = 73
"""Exit status of the run command when another run holds the lock."""
RUN_SCRIPT = "run.sh"

_SCRIPTS = Path(__file__).parent / "target"
_WITH_ENVIRONMENT = ("probe.sh", RUN_SCRIPT)
_SCRIPT_S = 60.0
_PROBE_S = 120.0
_SUMS_S = 300.0
_SLOWEST_BYTES_PER_S = 50_000.0
"""A link slower than this is given up; 10 Mbit/s Ethernet is twenty times faster."""


@dataclass(frozen=True, slots=True)
class Command:
    """One program to start on this computer."""

    purpose: str
    """What it is for, in a few words."""
    words: tuple[str, ...]
    """Program and arguments."""
    script: str = ""
    """Text on its standard input."""
    timeout_s: float = _SCRIPT_S
    """Seconds after which it is ended."""

    @property
    def as_shell(self) -> str:
        """The command as a person would type it, the script as a here-document."""
        line = shlex.join(self.words)
        if self.script:
            return f"{line} <<'END_OF_SCRIPT'\n{self.script}END_OF_SCRIPT"
        return f"{line} </dev/null" if self.words[0] in ("ssh", "scp") else line

    def as_facts(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"purpose": self.purpose, "command": list(self.words), "script": self.script, "shell": self.as_shell}


@dataclass(frozen=True, slots=True)
class Commands:
    """Makes the commands of one deployment."""

    target: Target
    control: Path
    """Socket of the shared connection, in a folder nobody else can enter."""
    has_terminal: bool
    """Whether a person can be asked for a password or about a host key."""
    stem: str
    """Base name of the build's files, `[a-z0-9_-]`."""
    token: str
    """Random hex digits: tells this deployment's folder from others'."""
    n_bytes: int
    """Bytes that are copied."""
    run_timeout_s: int
    """Seconds that the driver may take."""

    @property
    def folder(self) -> str:
        """Folder on the board, below the home folder."""
        return f"{ON_TARGET}/{self.stem}"

    def connect(self) -> Command:
        """Log in once; what follows uses this connection and asks for nothing."""
        batch = () if self.has_terminal else ("-o", "BatchMode=yes")
        # A person needs time to type; a machine needs the time-out, the key exchange and a slow board's log-in.
        patience_s = 180.0 if self.has_terminal else 3.0 * self.target.connect_timeout_s + 15.0
        # The connection stays in the background and goes by itself when nothing used it for a minute.
        shared = ("-o", "ControlMaster=yes", "-o", "ControlPersist=60")
        words = ("ssh", *self._options(), *batch, *shared, "-T", "--", self.target.host, "true")
        return Command("log in", words, timeout_s=patience_s)

    def probe(self) -> Command:
        """Ask what the target is."""
        return self._remote("ask what it is", "probe.sh", timeout_s=_PROBE_S)

    def sums(self, folder: str) -> Command:
        """Ask for the SHA-256 sums of the files in a folder below `ON_TARGET`."""
        return self._remote(f"sums of the files in {ON_TARGET}/{folder}", "sums.sh", folder, timeout_s=_SUMS_S)

    def tidy(self) -> Command:
        """Remove what deployments that were cut off left behind, after an hour."""
        return self._remote("remove what was left behind", "tidy.sh")

    def prepare(self) -> Command:
        """Make the folder that takes the copy."""
        return self._remote("make room for the copy", "prepare.sh", self.token)

    def space(self) -> Command:
        """Ask how much space is left."""
        return self._remote("space left", "space.sh")

    def copy(self, files: Sequence[Path]) -> Command:
        """Copy files into that folder."""
        host = f"[{self.target.host}]" if ":" in self.target.host else self.target.host
        # Absolute paths: a name with a colon in it would be taken for a host's.
        sources = [str(file.resolve()) for file in files]
        place = f"{host}:{ON_TARGET}/{self.incoming}/"
        words = ("scp", "-q", "-B", *self._options(), "-o", "ControlMaster=no", "--", *sources, place)
        return Command("copy", words, timeout_s=_SCRIPT_S + self.n_bytes / _SLOWEST_BYTES_PER_S)

    @property
    def incoming(self) -> str:
        """Name of the folder that takes the copy, below `ON_TARGET`."""
        return f".incoming-{self.token}"

    def install(self) -> Command:
        """Let the complete copy take its place."""
        return self._remote("put the copy in its place", "install.sh", self.stem, self.token)

    def run(self, as_root: Sequence[str], asks: bool, is_simulated: bool = False) -> Command:
        """Run the driver against the golden vectors, one run at a time on a board.

        Args:
            as_root: words that make the rest run as root: none, `sudo`, or `sudo -n`.
            asks: whether a person types a password on this terminal.
            is_simulated: whether the board is simulated, whose frames take longer than a driver waits for real ones.
        """
        terminal = ("-t",) if asks else ("-o", "BatchMode=yes", "-T")
        remote = (
            *("flock", "-n", "-E", str(BUSY), f"{ON_TARGET}/.lock", *as_root),
            # In the foreground: Ctrl-C in the board's terminal reaches the driver, which resets the hardware.
            *("timeout", "--foreground", "-k", "5", str(self.run_timeout_s)),
            *("bash", f"{self.folder}/{RUN_SCRIPT}", "validate"),
            *("--json", f"{ON_TARGET}/.result-{self.token}.json"),
            *(("--timeout", "60") if is_simulated else ()),
        )
        words = ("ssh", *terminal, *self._options(), "-o", "ControlMaster=no", "--", self.target.host, *remote)
        # The board ends the driver itself; this one is for a board that has gone.
        return Command("run the golden vectors", words, timeout_s=self.run_timeout_s + (180.0 if asks else 30.0))

    def fetch(self) -> Command:
        """Fetch the result of the run."""
        return self._remote("fetch the result", "fetch.sh", self.token)

    def stop(self, as_root: Sequence[str]) -> Command:
        """End the run and wait until the driver has reset the hardware; without a terminal nothing else ends it."""
        return self._remote("end the run", "stop.sh", self.token, *as_root)

    def remove(self) -> Command:
        """Remove an incomplete copy."""
        return self._remote("remove the incomplete copy", "remove.sh", self.token)

    def close(self) -> Command:
        """Log out."""
        words = ("ssh", *self._options(), "-O", "exit", "--", self.target.host)
        return Command("log out", words, timeout_s=10.0)

    def check(self) -> Command:
        """Ask whether the shared connection still stands; contacts nobody."""
        words = ("ssh", *self._options(), "-O", "check", "--", self.target.host)
        return Command("check the connection", words, timeout_s=10.0)

    def by_hand(self) -> str:
        """Return what a person types to run the golden vectors."""
        config = () if self.target.config is None else ("-F", str(self.target.config))
        return shlex.join(
            ("ssh", "-t", *config, self.target.title, "sudo", "bash", f"{self.folder}/{RUN_SCRIPT}", "validate")
        )

    def _options(self) -> tuple[str, ...]:
        """Return what every ssh and scp is told; the rest is the user's configuration, host key checking included."""
        config = () if self.target.config is None else ("-F", str(self.target.config.resolve()))
        user = () if self.target.user is None else ("-o", f"User={self.target.user}")
        settings = {
            "ControlPath": str(self.control).replace("%", "%%"),
            "ConnectTimeout": str(self.target.connect_timeout_s),
            # A board that goes silent in the middle is given up after 15 s.
            "ServerAliveInterval": "5",
            "ServerAliveCountMax": "3",
            # Error messages are read; settings for interactive log-ins would get in the way.
            "LogLevel": "ERROR",
            "RemoteCommand": "none",
            "ClearAllForwardings": "yes",
            "ForwardAgent": "no",
            "ForwardX11": "no",
        }
        return (*config, *user, *(word for key, value in settings.items() for word in ("-o", f"{key}={value}")))

    def _remote(self, purpose: str, name: str, *names: str, timeout_s: float = _SCRIPT_S) -> Command:
        options = (*self._options(), "-o", "ControlMaster=no", "-o", "BatchMode=yes", "-T")
        words = ("ssh", *options, "--", self.target.host, "bash", "-s", "--", *names)
        return Command(purpose, words, script(name), timeout_s)


def script(name: str) -> str:
    """Return the text of one of the scripts that run on the board."""
    text = (_SCRIPTS / name).read_text(encoding="utf-8")
    if name in _WITH_ENVIRONMENT:
        text = (_SCRIPTS / "environment.sh").read_text(encoding="utf-8") + text
    return text
