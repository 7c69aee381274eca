# SPDX-License-Identifier: Apache-2.0
"""The report in headless Chromium, where there is one: it renders silently and fits the window, wide and narrow."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from qnn_hw.report import write_report
from tests.report.browser import Page, browser, find_chromium

CHROMIUM = find_chromium()
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH (Debian's package: chromium)")

WIDTHS = (1280, 400)
FEWEST_COLOURS = 20


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    assert CHROMIUM is not None
    with browser(CHROMIUM, tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="module", params=["chain", "measured", "branches"])
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(request.getfixturevalue(request.param), tmp_path_factory.mktemp("page") / "report.html")


def pixels(png: bytes) -> tuple[int, int, bytes]:
    """Width, height and filtered scan lines of a PNG."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    place, data = 8, b""
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        if png[place + 4 : place + 8] == b"IDAT":
            data += png[place + 8 : place + 8 + length]
        place += length + 12
    return width, height, zlib.decompress(data)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_renders(tab: Page, page: Path, width: int, dark: bool) -> None:
    tab.open(page, width, 900, dark=dark)
    assert tab.complaints == []
    assert tab.requests == [page.resolve().as_uri()], "it asks for something else"
    wide = tab.evaluate("document.documentElement.scrollWidth")
    assert wide <= width, f"the page is {wide} pixels wide in a window of {width}"
    shot_width, shot_height, lines = pixels(tab.screenshot())
    assert (shot_width, shot_height) == (width, 900)
    assert len(set(lines)) > FEWEST_COLOURS, "the screenshot is blank"


@pytest.mark.parametrize("width", WIDTHS)
def test_only_boxes_made_for_it_scroll_sideways(tab: Page, page: Path, width: int) -> None:
    tab.open(page, width, 900)
    over = tab.evaluate(
        """[...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll') && !e.closest('svg')
           && e.tagName != 'SCRIPT' && e.getBoundingClientRect().right > innerWidth + 0.5)
           .map(e => e.tagName + ': ' + e.textContent.slice(0, 60))"""
    )
    assert over == []


def test_the_drawing_is_readable(tab: Page, page: Path) -> None:
    """Texts of the drawing stay inside their boxes, with the fonts that are here."""
    tab.open(page, 1280, 900)
    outside = tab.evaluate(
        """[...document.querySelectorAll('.network g.node')].flatMap(g => {
             const body = g.querySelector('.body').getBoundingClientRect();
             return [...g.querySelectorAll('text')].filter(t => {
               const box = t.getBoundingClientRect();
               return box.left < body.left - 1 || box.right > body.right + 1;
             }).map(t => t.textContent.trim());
           })"""
    )
    assert outside == []


def test_everything_scrollable_can_be_reached_with_the_keyboard(tab: Page, page: Path) -> None:
    tab.open(page, 400, 900)
    unreachable = tab.evaluate(
        """[...document.querySelectorAll('.scroll')].filter(e => e.tabIndex != 0 || !e.ariaLabel).length"""
    )
    assert unreachable == 0
