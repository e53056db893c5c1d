"""The HTML part of mails in a real Chromium: on narrow and wide screens, light and dark, and without a network."""

from __future__ import annotations

import os

import pytest

from tests.browser import mails
from tests.browser.chromium import Chromium

pytestmark = pytest.mark.slow

WIDTHS = [320, 600, 1200]
# What of the page lies beyond its right edge; text is measured by its lines, elements by their boxes.
OUTSIDE = """(() => {
  const all = document.createRange();
  all.selectNodeContents(document.body);
  const boxes = [...all.getClientRects(), ...[...document.querySelectorAll("*")].map(e => e.getBoundingClientRect())];
  return boxes.filter(box => box.right > innerWidth + 1 || box.left < -1).length;
})()"""
LIGHTNESS = """(() => {
  const text = getComputedStyle(document.querySelector("h2")).color.match(/\\d+/g).map(Number);
  return text[0] + text[1] + text[2];
})()"""


@pytest.fixture(scope="module")
def chromium():
    """Return a running browser; where there is none that is said, and in CI it is a failure."""
    if not Chromium.found():
        reason = "NOT TESTED: there is no Chromium here; `make browser` installs it on Debian."
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with Chromium() as running:
        yield running


@pytest.fixture(scope="module")
def page():
    """Return a function that returns the HTML of a mail by its name; each is made once."""
    made = {name: make().get_body(("html",)).get_content() for name, make in mails.MAILS.items()}
    return made.__getitem__


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", mails.MAILS)
def test_fits(chromium, page, name, width):
    """Nothing scrolls sideways or lies outside of the screen, and nothing is asked for."""
    chromium.show(page(name), width)
    assert chromium.ask("innerWidth") == width
    assert chromium.ask("document.documentElement.scrollWidth") <= width
    assert chromium.ask(OUTSIDE) == 0
    assert chromium.ask("document.querySelectorAll('h2').length") >= 1
    assert chromium.requests == []


def test_dark(chromium, page):
    """In a dark client the text is light, in a light one dark: the page leaves it to them."""
    chromium.show(page("one"), 600)
    light = chromium.ask(LIGHTNESS)
    chromium.show(page("one"), 600, dark=True)
    assert light < 150
    assert chromium.ask(LIGHTNESS) > 600


def test_numbers_stay_whole(chromium, page):
    """On the narrowest screen no count is broken into lines: each is as high as a line."""
    chromium.show(page("dozen"), 320)
    lines = chromium.ask(
        "[...document.querySelectorAll('td[align=right]')].map(cell => {"
        " const all = document.createRange(); all.selectNodeContents(cell);"
        " return new Set([...all.getClientRects()].map(box => box.top)).size })"
    )
    assert lines == [1] * 12


def test_notices_what_leaves(chromium):
    """The browser's ears are open: an image and a style sheet from outside are noticed, and not loaded."""
    outside = ["https://example.net/x.png", "https://example.net/x.css"]
    chromium.show(f'<link rel=stylesheet href="{outside[1]}"><img src="{outside[0]}">', 320)
    assert sorted(chromium.requests) == sorted(outside)
    chromium.requests.clear()


def test_notices_what_is_wide(chromium):
    """The measure is true: a word that does not break is found outside of the screen."""
    chromium.show("<p>" + "x" * 200, 320)
    assert chromium.ask(OUTSIDE) > 0
