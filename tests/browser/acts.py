"""What a person does at a browser, and what keeps people out of a page."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path

import pytest

from tests.browser.chromium import Chromium

AXE = Path(__file__).parents[2] / ".axe" / "axe.min.js"
WATCH = """
window.violations = []; window.alerts = [];
document.addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
addEventListener("error", (event) => violations.push(event.message));
window.alert = (text) => alerts.push(text);
"""


@contextlib.contextmanager
def browser():
    """Yield a running browser; where there is none that is said, and in CI it is a failure."""
    if not Chromium.found() or not AXE.exists():
        reason = "NOT TESTED: there is no Chromium or no axe here; `make browser` installs them on Debian."
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with Chromium() as running:
        running.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        yield running


def show(page, url, path="/errors"):
    """Open a page of a server."""
    page.allowed = url
    page.go(url + path)


def click(page, selector):
    """Click on the middle of an element, as with a mouse."""
    page.ask(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'center'}})")
    place = page.ask(
        f"(() => {{ const box = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
        " return [box.x + box.width / 2, box.y + box.height / 2] })()"
    )
    for kind in ("mousePressed", "mouseReleased"):
        page.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)


def follow(page, selector):
    """Click on what leads to another page, and wait for that."""
    page.ask("window.old = true")
    click(page, selector)
    arrive(page)


def arrive(page):
    """Wait for another page than the one that is marked as old."""
    until(page, "!window.old")
    page.settle()


def until(page, condition):
    """Wait until a condition in the page holds."""
    deadline = time.monotonic() + 20
    while not page.ask(condition):
        assert time.monotonic() < deadline, condition
        time.sleep(0.02)


def press(page, key):
    """Press a key."""
    code = {"Tab": 9, "Enter": 13}[key]
    text = {"text": "\r"} if key == "Enter" else {}
    page.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, **text)
    page.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)


def type_text(page, selector, text):
    """Click on a field, and write into it in place of what is there."""
    click(page, selector)
    page.ask(f"document.querySelector({json.dumps(selector)}).select()")
    page.call("Input.insertText", text=text)


def serious(page):
    """Return what axe finds that is serious or critical, with all unfolded that can be."""
    page.ask("document.querySelectorAll('details').forEach(one => { one.open = true })")
    page.ask(AXE.read_text("utf-8") + ";1")
    found = page.ask("axe.run({resultTypes: ['violations']}).then(found => found.violations)")
    return [(one["id"], [node["html"][:200] for node in one["nodes"][:3]])
            for one in found if one["impact"] in ("serious", "critical")]  # fmt: skip
