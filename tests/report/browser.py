# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium driven over its DevTools protocol through a pair of pipes: standard library only.

python -m tests.report.browser PAGE.html PICTURE.png WIDTH HEIGHT    # photographs the top of a page
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECONDS = 60
"""Patience with one answer of the browser; a page takes well under one second."""


def find_chromium() -> str | None:
    """Path of a Chromium or Chrome, None where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for path in map(shutil.which, names) if path), None)


@dataclass
class Page:
    """One tab."""

    read: int
    write: int
    session: str = ""
    number: int = 0
    rest: bytes = b""
    events: list[dict[str, Any]] = field(default_factory=list)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result; events that come meanwhile are kept."""
        self.number += 1
        message: dict[str, Any] = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == self.number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def wait(self, event: str) -> None:
        """Return when an event has come."""
        while not any(found.get("method") == event for found in self.events):
            self.events.append(self._message())

    def _message(self) -> dict[str, Any]:
        end = time.monotonic() + SECONDS
        while b"\0" not in self.rest:
            assert time.monotonic() < end, "the browser does not answer"
            try:
                data = os.read(self.read, 1 << 20)
            except BlockingIOError:
                time.sleep(0.005)  # a pipe has no timeout of its own
                continue
            assert data, "the browser has ended"
            self.rest += data
        message, _, self.rest = self.rest.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def open(self, file: Path, width: int, height: int, *, dark: bool = False) -> None:
        """Load a file into a viewport of this size, in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.events.clear()
        self.call("Page.navigate", url=file.resolve().as_uri())
        self.wait("Page.loadEventFired")

    def evaluate(self, expression: str) -> Any:
        """Value of a JavaScript expression on the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def screenshot(self, clip: tuple[float, float, float, float] | None = None, scale: float = 1) -> bytes:
        """PNG of the viewport, or of a part of the page: x, y, width, height."""
        options: dict[str, Any] = {"format": "png"}
        if clip is not None:
            x, y, width, height = clip
            options |= {
                "clip": {"x": x, "y": y, "width": width, "height": height, "scale": scale},
                "captureBeyondViewport": True,
            }
        return base64.b64decode(self.call("Page.captureScreenshot", **options)["data"])

    @property
    def complaints(self) -> list[str]:
        """What the page has written to the console, requests that failed, exceptions; since it was opened."""
        kinds = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded", "Network.loadingFailed")
        return [json.dumps(event) for event in self.events if event.get("method") in kinds]

    @property
    def requests(self) -> list[str]:
        """URLs the page has asked for."""
        return [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]


@contextmanager
def browser(chromium: str, profile: Path) -> Iterator[Page]:
    """Start a browser with an empty profile in `profile`; ended, with all its processes, at the end."""
    to_browser, from_browser = os.pipe(), os.pipe()
    command = [chromium, "--headless=new", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run"]
    command += ["--hide-scrollbars", f"--user-data-dir={profile}", "--disable-dev-shm-usage"]
    if os.getuid() == 0:
        command.append("--no-sandbox")  # the sandbox refuses to run as root
    # The protocol wants descriptors 3 and 4; the shell puts the pipes there.
    script = f'exec "$@" 3<&{to_browser[0]} 4>&{from_browser[1]}'
    process = subprocess.Popen(
        ["bash", "-c", script, "bash", *command, "about:blank"],
        pass_fds=(to_browser[0], from_browser[1]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_browser[0])
    os.close(from_browser[1])
    os.set_blocking(from_browser[0], False)
    page = Page(from_browser[0], to_browser[1])
    try:
        target = page.call("Target.createTarget", url="about:blank")["targetId"]
        page.session = page.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        yield page
    finally:
        page.session = ""
        try:
            page.call("Browser.close")
        except (AssertionError, OSError):
            process.kill()
        os.close(from_browser[0])
        os.close(to_browser[1])
        process.wait(SECONDS)


def photograph(file: Path, picture: Path, width: int, height: int) -> None:
    """Write a PNG of the top of a page."""
    chromium = find_chromium()
    assert chromium is not None, "no chromium on PATH"
    with tempfile.TemporaryDirectory() as profile, browser(chromium, Path(profile)) as page:
        page.open(file, width, height)
        picture.write_bytes(page.screenshot())


if __name__ == "__main__":
    photograph(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
