# SPDX-License-Identifier: Apache-2.0
"""Deploys a build over ssh: checks, copies beside, renames when complete, runs the golden vectors on request.

On the board: `~/qnn/<stem>/` per build, `~/qnn/.incoming-<token>/` while a copy is under way, `~/qnn/.lock` held by the
one run that has the FPGA. Nothing is installed there.
"""

import base64
import binascii
import hashlib
import json
import re
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qnn_hw.deployment import ssh
from qnn_hw.deployment.checks import check_board, check_build, check_kind, check_pynq, check_space
from qnn_hw.deployment.commands import BUSY, RUN_SCRIPT, Command, Commands, script
from qnn_hw.deployment.payload import Payload
from qnn_hw.deployment.target import Target
from qnn_hw.errors import QnnError

Progress = Callable[[str], None]

RUN_TIMEOUT_S = 600
"""Seconds the golden vectors may take on the board, loading the bitstream included."""

_SPACE = re.compile(r"\s\d+\s+-?\d+\s+(\d+)\s+\d+%\s")  # blocks, used, AVAILABLE, share
_FULL = re.compile(r"no space left|quota", re.IGNORECASE)
_FULL_BYTES = 1 << 20
_NOISE = re.compile(r"received message too long|protocol error", re.IGNORECASE)  # scp read what a shell printed
_TIMED_OUT = 124  # of `timeout`
_KILLED = 137  # by `timeout`, after the signal to end was ignored, or by the kernel, for want of memory
_INTERRUPTED = 130
_NOT_EQUAL = 2  # of the driver


def deploy(
    build: Path,
    target: Target,
    *,
    run: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Copy a build to a board over ssh, and run its golden vectors there.

    A pair that was made for the simulated board is taken only by a target that says it is one: whose ssh sessions
    have QNN_HW_SIMULATED_BOARD set.

    Args:
        build: build folder, with the .bit/.hwh pair in `BUILD/board`.
        target: where to.
        run: also run the driver's `validate` there.
        dry_run: check what is here, contact nobody, and return the commands.
        progress: told what is being done, a line each.

    Returns:
        Facts: `target`, `simulated`, `stem`, `folder` (on the board), `graph_hash`, `part`, `clock_mhz`, `tool`,
        `files`, `installed` ("new", "replaced", "same" where nothing was copied, None in a dry run), `run` (what the
        driver returned; None without), `passed` (bit exact; None without a run), `how_to_run`, `commands` (dry run).

    Raises:
        QnnError: it cannot be done, or the driver failed. Results that differ are no error: `passed` is False.
    """
    payload = check_build(build)
    ssh.require_clients()
    target = ssh.with_user(target)
    with ssh.private_folder() as place:
        commands = Commands(
            target=target,
            control=place / "socket",
            has_terminal=ssh.has_terminal(),
            stem=payload.stem,
            token=secrets.token_hex(6),
            n_bytes=payload.n_bytes,
            run_timeout_s=RUN_TIMEOUT_S,
        )
        runner = place / RUN_SCRIPT
        runner.write_text(script(RUN_SCRIPT), encoding="utf-8")
        files = (*payload.paths, runner)
        if dry_run:
            return _facts(payload, commands, dry_run=_plan(commands, files, run))
        tell = progress if progress is not None else _silently
        tell(f"log in to {target.title}")
        with ssh.connection(commands):
            return _Deployment(payload, commands, files, tell).carry_out(run)


def _silently(text: str) -> None:
    """Tell nobody."""


def _plan(commands: Commands, files: Sequence[Path], run: bool) -> tuple[Command, ...]:
    """Return what a deployment to a board without this build executes, sudo without a password supposed."""
    control = commands.control.parent
    own = Command("a folder for the shared connection", ("mkdir", "-m", "700", str(control)))
    place = f"{commands.folder}/{RUN_SCRIPT}"
    return (
        own,
        commands.connect(),
        commands.probe(),
        commands.tidy(),
        commands.sums(commands.stem),
        commands.prepare(),
        Command(f"the script that becomes {place}", ("tee", str(control / RUN_SCRIPT)), script(RUN_SCRIPT)),
        commands.copy(files),
        commands.sums(commands.incoming),
        commands.install(),
        *((commands.run(("sudo", "-n"), asks=False), commands.fetch()) if run else ()),
        commands.close(),
        Command("remove the folder", ("rm", "-r", str(control))),
    )


def _facts(
    payload: Payload,
    commands: Commands,
    *,
    found: "_Found | None" = None,
    installed: str | None = None,
    result: dict[str, Any] | None = None,
    passed: bool | None = None,
    dry_run: Sequence[Command] = (),
) -> dict[str, Any]:
    target = commands.target
    return {
        "target": {
            "host": target.host,
            "user": target.user,
            "board": found.board if found else None,
            "pynq": found.pynq if found else None,
            "python": found.python if found else None,
        },
        "simulated": found.is_simulated if found else payload.implementation.is_simulated,
        "stem": payload.stem,
        "folder": f"~/{commands.folder}",
        "graph_hash": payload.graph_hash,
        "part": payload.board.part,
        "clock_mhz": payload.clock_mhz,
        "tool": payload.implementation.tool,
        "files": [
            {"name": path.name, "bytes": path.stat().st_size, "sha256": payload.sums[path.name]}
            for path in payload.paths
        ],
        "installed": installed,
        "run": result,
        "passed": passed,
        "how_to_run": commands.by_hand(),
        "commands": [command.as_facts() for command in dry_run],
    }


@dataclass(frozen=True, slots=True)
class _Found:
    """What a target says of itself."""

    board: str
    is_simulated: bool
    root: str
    """How a command becomes root: `yes` (is), `sudo`, `password` (sudo that asks), `no`."""
    python: str
    pynq: str
    free_bytes: int | None


@dataclass(frozen=True, slots=True)
class _Deployment:
    """One deployment over a connection that stands."""

    payload: Payload
    commands: Commands
    files: Sequence[Path]
    progress: Progress

    def carry_out(self, run: bool) -> dict[str, Any]:
        found = self._probe()
        self._check(found, run)
        installed = self._bring(found)
        result, passed = self._run(found) if run else (None, None)
        return _facts(self.payload, self.commands, found=found, installed=installed, result=result, passed=passed)

    @property
    def _where(self) -> str:
        return self.commands.target.title

    def _probe(self) -> _Found:
        self.progress(f"ask {self._where} what it is")
        answers = self._answers(self.commands.probe())
        missing = answers.get("missing", [])
        if missing:
            raise QnnError(f"{self._where}: it has no {', '.join(missing)}; the PYNQ images have them")

        def first(key: str) -> str:
            return answers.get(key, [""])[0].strip()

        return _Found(
            board=first("board"),
            is_simulated=first("simulated") == "yes",
            root=first("root"),
            python=first("python"),
            pynq=first("pynq"),
            free_bytes=_free_bytes(first("space")),
        )

    def _check(self, found: _Found, run: bool) -> None:
        check_kind(self.payload, self._where, found.is_simulated)
        check_board(self.payload.board, self._where, found.board)
        if not found.python:
            raise QnnError(f"{self._where}: it has no python3; set the board up with PYNQ, as docs/deploy.md says")
        check_pynq(self.payload.board, self._where, found.pynq)
        if run and found.root == "no":
            raise QnnError(f"{self._where}: running needs root, and it has no sudo; deploy with --user root")
        if run and found.root == "password" and not self.commands.has_terminal:
            raise QnnError(
                f"{self._where}: sudo asks for a password there, and no terminal is here to type it; deploy from a "
                f"terminal, or without --run and then type `{self.commands.by_hand()}`"
            )

    def _bring(self, found: _Found) -> str:
        """Have the files in place; return "same", "new" or "replaced"."""
        for name in self._answers(self.commands.tidy()).get("removed", []):
            self.progress(f"removed ~/qnn/{name}, left behind by a deployment that was cut off")
        if self._holds(self.commands.stem):
            self.progress(f"~/{self.commands.folder} holds this build already")
            return "same"
        if found.free_bytes is not None:
            check_space(self.payload, self._where, found.free_bytes)
        self._raise_error(self._answers(self.commands.prepare()))
        is_placed = False
        try:
            self._copy()
            answers = self._answers(self.commands.install(), "installed")
            self._raise_error(answers)
            installed = answers["installed"][0]
            if installed == "busy":
                raise self._busy()
            is_placed = True
            return installed
        finally:
            if not is_placed:
                self._remove()

    def _copy(self) -> None:
        self.progress(f"copy {self.payload.n_bytes / 1e6:.1f} MB")
        command = self.commands.copy(self.files)
        untouched = "what was there before stays usable; deploy again"
        try:
            outcome = ssh.execute(command)
        except ssh.TimedOut:
            raise ssh.silent(
                self.commands.target, f"the copy did not end within {command.timeout_s:.0f} s; {untouched}"
            ) from None
        if outcome.status:
            if not self._is_connected():
                raise QnnError(f"{self._where}: the connection was cut in the middle of the copy; {untouched}")
            answers = self._answers(self.commands.space(), "space")
            free_bytes = _free_bytes(answers["space"][0])
            if _FULL.search(outcome.errors) or (free_bytes is not None and free_bytes < _FULL_BYTES):
                raise QnnError(
                    f"{self._where}: its disk became full during the copy ({self.payload.n_bytes / 1e6:.1f} MB); "
                    f"{untouched} with more space there"
                )
            said = ssh.first_line(outcome.errors)
            if _NOISE.search(outcome.errors):
                said += ": its shell prints something at every log-in; keep its ~/.bashrc silent where no terminal is"
            raise QnnError(f"{self._where}: the copy failed ({said}); {untouched}")
        self.progress("compare the sums")
        if not self._holds(self.commands.incoming):
            raise QnnError(f"{self._where}: the copy arrived with other sums than it was sent with; {untouched}")

    def _holds(self, folder: str) -> bool:
        """Return whether a folder below `~/qnn` holds every file with the right sum."""
        answers = self._answers(self.commands.sums(folder))
        there = {name: value for value, _, name in (line.partition("  ") for line in answers.get("sum", []))}
        runner = hashlib.sha256(script(RUN_SCRIPT).encode()).hexdigest()
        return all(there.get(name) == value for name, value in {**self.payload.sums, RUN_SCRIPT: runner}.items())

    def _run(self, found: _Found) -> tuple[dict[str, Any], bool]:
        """Run the golden vectors; return what the driver found, and whether all was equal."""
        asks = found.root == "password"
        as_root = {"yes": (), "sudo": ("sudo", "-n")}.get(found.root, ("sudo",))
        self.progress("run the golden vectors" + (" (sudo asks for the password there)" if asks else ""))
        command = self.commands.run(as_root, asks, found.is_simulated)
        try:
            outcome = ssh.execute(command, is_shown=asks)
        except BaseException as end:  # Ctrl-C and SIGTERM too: they end ssh here, not the driver there
            self._stop(() if found.root == "yes" else ("sudo", "-n"))
            if isinstance(end, ssh.TimedOut):
                sentence = f"the run did not end within {command.timeout_s:.0f} s"
                raise ssh.silent(self.commands.target, sentence) from None
            raise
        if outcome.status == BUSY:
            raise self._busy()
        if asks and outcome.status == _INTERRUPTED:
            raise KeyboardInterrupt  # typed into the terminal of the board, which this one is during the run
        if outcome.status == ssh.CONNECTION_FAILED and not self._is_connected():
            raise QnnError(
                f"{self._where}: the connection was cut during the run; the files are in place, run it again"
            )
        answers = self._answers(self.commands.fetch())
        late = f"did not end within {RUN_TIMEOUT_S} s"
        if outcome.status == _TIMED_OUT:
            raise QnnError(f"{self._where}: the driver {late} and was ended; reset the board")
        result = _result(answers.get("result", [""])[0])
        error = result.get("error") if result else None
        if isinstance(error, dict):
            raise QnnError(f"{self._where}: the driver stopped: {error.get('message')}")
        if outcome.status == _KILLED:
            raise QnnError(
                f"{self._where}: the driver was killed: it {late}, or the memory there ran out; reset the board"
            )
        if not result or outcome.status not in (0, _NOT_EQUAL):
            said = ssh.last_line(outcome.errors) or ("see above" if asks else "it left no result")
            who = "sudo" if said.startswith("sudo:") else "the driver or sudo" if asks else "the driver"
            raise QnnError(f"{self._where}: {who} failed with exit status {outcome.status}: {said}")
        if result.get("graph_hash") != self.payload.graph_hash:
            raise QnnError(
                f"{self._where}: what ran has the graph hash {result.get('graph_hash')}, the build's is "
                f"{self.payload.graph_hash}; deploy again"
            )
        return result, outcome.status == 0 and result.get("bit_exact") is True

    def _answers(self, command: Command, needed: str = "end") -> dict[str, list[str]]:
        """Execute a script; return its answers, `needed` certainly among them unless it reports an error."""
        try:
            outcome = ssh.execute(command)
        except ssh.TimedOut:
            what = f"no answer within {command.timeout_s:.0f} s ({command.purpose})"
            raise ssh.silent(self.commands.target, what) from None
        answers = outcome.answers()
        if needed not in answers and "error" not in answers:
            if outcome.status == ssh.CONNECTION_FAILED and not self._is_connected():
                raise QnnError(f"{self._where}: the connection was cut ({command.purpose}); deploy again")
            said = ssh.last_line(outcome.errors) or f"exit status {outcome.status}"
            raise QnnError(f"{self._where}: it could not {command.purpose} ({said}); is it a PYNQ image, with bash?")
        return answers

    def _raise_error(self, answers: dict[str, list[str]]) -> None:
        if "error" in answers:
            reason = answers["error"][0]
            full = "its disk is full: " if _FULL.search(reason) else ""
            raise QnnError(f"{self._where}: {full}{reason}; nothing was changed there")

    def _is_connected(self) -> bool:
        with suppress(ssh.TimedOut):
            return ssh.execute(self.commands.check()).status == 0
        return False

    def _stop(self, as_root: Sequence[str]) -> None:
        """End the run on the board; where a person types there, the terminal that goes ends it."""
        with suppress(ssh.TimedOut):
            if self._is_connected():
                ssh.execute(self.commands.stop(as_root))
                ssh.execute(self.commands.remove())

    def _remove(self) -> None:
        """Remove this deployment's own leavings; where the connection has gone, the next one does."""
        with suppress(ssh.TimedOut):
            if self._is_connected():
                ssh.execute(self.commands.remove())

    def _busy(self) -> QnnError:
        return QnnError(
            f"{self._where}: another run has the FPGA (it holds ~/qnn/.lock); wait until it has ended and deploy again"
        )


def _free_bytes(line: str) -> int | None:
    """Return the space of a line of `df -Pk`, None where it says none."""
    found = _SPACE.search(line + " ")
    return int(found[1]) * 1024 if found else None


def _result(text: str) -> dict[str, Any]:
    """Return the result a board handed over; empty where it is none."""
    try:
        content = json.loads(base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error):
        return {}
    return content if isinstance(content, dict) else {}
