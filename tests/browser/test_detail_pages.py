"""The pages of a group, an error and the outbox in a real Chromium: clicks, keys, narrow, dark, without JavaScript."""

from __future__ import annotations

import os
import threading
import time

import pytest
from werkzeug.serving import make_server

from loghub.delivery import deliverer, leases
from loghub.ledger.protocol import Outcome
from tests import shop
from tests.browser.chromium import Chromium
from tests.fakes.github import FakeGitHub
from tests.web.logged import PASSWORDS, github, logged
from tests.web.test_error_page import NASTY, huge

pytestmark = pytest.mark.slow

GITHUB = "github:acme/shop"
LISTEN = """
  globalThis.refused = [];
  addEventListener("securitypolicyviolation", event => refused.push(event.violatedDirective + " " + event.blockedURI));
  globalThis.alert = () => refused.push("a script of the error ran");
"""
LOADED = "new Promise(done => document.readyState == 'complete' ? done(1) : addEventListener('load', () => done(1)))"
LOW = """(() => {
  const lightness = color => color.match(/[\\d.]+/g).slice(0, 3).map(Number)
    .map(one => (one /= 255) <= .04045 ? one / 12.92 : ((one + .055) / 1.055) ** 2.4)
    .reduce((sum, one, n) => sum + one * [.2126, .7152, .0722][n], 0);
  const behind = element => {
    for (; element; element = element.parentElement) {
      const color = getComputedStyle(element).backgroundColor;
      if (!/, 0\\)$|transparent/.test(color)) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const found = [];
  for (const element of document.querySelectorAll("main *")) {
    const own = [...element.childNodes].some(node => node.nodeType == 3 && node.data.trim());
    if (!own || !element.checkVisibility()) continue;
    const [a, b] = [lightness(getComputedStyle(element).color), lightness(behind(element))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) found.push(element.className + ": " + element.textContent.slice(0, 40));
  }
  return found;
})()"""
UNNAMED = """["a", "button", "input:not([type=hidden])", "select", "summary"]
  .flatMap(one => [...document.querySelectorAll("main " + one)])
  .filter(one => !(one.textContent.trim() || one.getAttribute("aria-label") || one.labels?.length))
  .map(one => one.outerHTML)"""


class Browser:
    """A person at a browser who looks at one application's pages."""

    def __init__(self, chromium, port):
        self.chromium, self.base = chromium, f"http://127.0.0.1:{port}"
        chromium.call("Network.clearBrowserCookies")
        self.look(1200)

    def look(self, width, *, dark=False):
        """Look at a screen of so many pixels."""
        self.chromium.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.chromium.call("Emulation.setEmulatedMedia", features=[scheme])

    def go(self, path):
        """Open a page; check that it asks for nothing outside, breaks no rule and does not scroll sideways."""
        self.chromium.call("Page.navigate", url=self.base + path)
        self.settle()
        self.check()

    def settle(self):
        """Wait until the page is loaded."""
        self.chromium.ask(LOADED)

    def arrive(self, path):
        """Open a page on which no script may run, not even one that waits."""
        self.chromium.call("Page.navigate", url=self.base + path)
        until(lambda: self.chromium.ask("document.readyState + location.pathname") == f"complete{path}")

    def check(self):
        """Check what holds for every page."""
        asked = self.chromium.ask("performance.getEntriesByType('resource').map(one => one.name)")
        assert [one for one in asked if not one.startswith(self.base)] == []
        assert self.chromium.ask("refused") == []
        assert self.chromium.ask("document.documentElement.scrollWidth - innerWidth") <= 0

    def log_in(self):
        """Log in as admin, by the form."""
        self.go("/login?next=/outbox")
        self.chromium.ask(f"document.getElementById('password').value = '{PASSWORDS['admin']}'")
        self.leave("main form button")

    def leave(self, selector):
        """Click something that leads to another page, and wait for that."""
        self.chromium.ask("globalThis.old = true")
        self.click(selector)
        until(lambda: self.chromium.ask("!globalThis.old && document.readyState == 'complete'"))
        self.check()

    def click(self, selector):
        """Click in the middle of something that can be seen, as a mouse does."""
        at = self.chromium.ask(
            f"(() => {{ const one = document.querySelector({selector!r}); one.scrollIntoView({{block: 'center'}});"
            " const box = one.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2] })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            where = {"x": at[0], "y": at[1], "button": "left", "clickCount": 1}
            self.chromium.call("Input.dispatchMouseEvent", type=kind, **where)

    def press(self, key, code):
        """Press a key."""
        for kind in ("keyDown", "keyUp"):
            text = "\r" if key == "Enter" else ""
            self.chromium.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code,
                text=text if kind == "keyDown" else "",
            )  # fmt: skip

    def ask(self, script):
        """Return what a script comes to."""
        return self.chromium.ask(script)

    def text(self):
        """Return what can be read on the page."""
        return self.chromium.ask("document.querySelector('main').innerText")


@pytest.fixture(scope="module")
def chromium():
    """Return a running browser that may go online; where there is none that is said, and in CI it is a failure."""
    if not Chromium.found():
        reason = "NOT TESTED: there is no Chromium here; `make browser` installs it on Debian."
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with Chromium() as running:
        running.call("Fetch.disable")
        running.call("Page.enable")
        running.call("Page.addScriptToEvaluateOnNewDocument", source=LISTEN)
        yield running


@pytest.fixture
def app(tmp_path, monkeypatch):
    """Return an application with two bugs, of which one is a dead letter; nothing is delivered by itself."""
    monkeypatch.setattr(deliverer, "by_hand", True)
    monkeypatch.setattr(leases, "pause", lambda seconds: None)
    with FakeGitHub("acme/shop") as fake, logged(tmp_path, [github(fake, tmp_path)]) as made:
        made.log.warning("trying the card again")
        made.fail(customer={"name": "Ada", "tags": ["vip"]})
        made.fail(shop.charged_in_a_group)
        made.fail(lambda: __import__("json").loads("{"))
        items = {item.group.error_type: item for item in made.ledger().waiting(GITHUB, time.time())}
        card = items["CardError"]
        dead = Outcome(card.group.fingerprint, "dead", card.total, "GitHub answered 422", attempts=3)
        made.ledger().settle(GITHUB, [dead], time.time())
        yield made


@pytest.fixture
def browser(chromium, app):
    """Return a browser in which an admin has logged in at the application's pages."""
    server = make_server("127.0.0.1", 0, app.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    made = Browser(chromium, server.server_port)
    made.log_in()
    yield made
    chromium.call("Page.navigate", url="about:blank")
    chromium.ask(LOADED)
    server.shutdown()
    server.server_close()
    thread.join(10)


def group(app, kind="CardError"):
    """Return the path of a group's page."""
    return "/groups/" + next(one.fingerprint for one in app.ledger().groups() if one.error_type == kind)


def error(app, kind="CardError"):
    """Return the path of an error's page."""
    return "/errors/" + next(name for name in app.filenames() if f"_{kind}_" in name)


def button(action):
    """Return where the button of a form is."""
    return f'form:has(input[value="{action}"]) button'


def test_mute_and_unmute(browser, app):
    """A bug is muted for seven days and unmuted by clicks, and each time the page says what was done."""
    browser.go(group(app))
    browser.ask("document.getElementById('days').value = '7'")
    browser.leave(button("mute"))
    assert "is muted until 20" in browser.text()
    browser.leave(button("unmute"))
    assert "is not muted." in browser.text()
    assert browser.ask("document.querySelector('[role=status].notice').textContent").endswith("is not muted.")


def test_retry_and_discard(browser, app):
    """A dead letter is due again by a click; with discard all one is asked first."""
    browser.go("/outbox")
    browser.click(".sure summary")
    assert "is not told of them" in browser.text()
    browser.leave('.letters button[value="retry"]')
    assert "1 delivery is due now." in browser.text()
    assert {row["state"] for row in app.ledger().outbox()} == {"waiting"}


def test_fold(browser, app):
    """Library frames unfold by a click on their line, all by a button, and by keyboard."""
    browser.go(error(app, "JSONDecodeError"))
    shown = "[...document.querySelectorAll('.run')].map(one => one.open)"
    assert browser.ask(shown) == [False, True]
    browser.click(".run.library > summary")
    assert browser.ask(shown) == [True, True]
    browser.click("[data-fold=close]")
    assert browser.ask(shown) == [False, True]
    browser.click("[data-fold=open]")
    assert browser.ask("[...document.querySelectorAll('.stack-card details')].every(one => one.open)")
    browser.ask("document.querySelector('.run.library > summary').focus()")
    browser.press("Enter", 13)
    assert browser.ask(shown) == [False, True]


def test_copy(browser, app):
    """The Markdown is in the clipboard after a click, and that is said."""
    browser.chromium.call("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    browser.go(error(app))
    browser.click("[data-copy=markdown]")
    said = "new Promise(done => (function look() { const said = document.querySelector('[data-copied]').textContent;"
    assert browser.ask(said + " said ? done(said) : setTimeout(look, 20) })())") == "Copied."
    copied = browser.ask("navigator.clipboard.readText()")
    assert copied.startswith("## Automated Error Report")
    assert copied == browser.ask("document.getElementById('markdown').textContent")


def test_without_a_clipboard(browser, app):
    """Where a page has no clipboard of its own, as without TLS, the text is copied by selecting it."""
    browser.go(error(app))
    browser.ask("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    browser.ask("document.addEventListener('copy', () => { globalThis.copied = document.activeElement.value })")
    browser.click("[data-copy=markdown]")
    assert browser.ask("copied").startswith("## Automated Error Report")


@pytest.mark.parametrize("width", [360, 1600])
def test_fits(browser, app, width):
    """On a narrow and a wide screen nothing scrolls sideways, also with everything unfolded and hostile texts."""
    crumbs = [{"message": "a word", "error_type": "E" * 90}]
    short = {"causes": [], "error_message": "w" * 3_000, "frames": huge()["frames"][:30], "breadcrumbs": crumbs}
    app.put(**(huge() | short))
    app.fail(lambda: {}["x" * 500], message="y" * 300 + "%d", **{"k" * 200: {"v" * 400: ["w" * 400]}})
    browser.look(width)
    for path in (group(app), group(app, "KeyError"), error(app, "ExceptionGroup"), error(app, "KeyError"),
                 error(app, "Alien"), "/outbox"):  # fmt: skip
        browser.go(path)
        browser.ask("document.querySelectorAll('details').forEach(one => { one.open = true })")
        browser.check()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_legible(browser, app, dark):
    """Light and dark, every text has a contrast of 4.5 or more, and all that can be operated has a name."""
    browser.look(1200, dark=dark)
    for path in (group(app), error(app), error(app, "ExceptionGroup"), "/outbox"):
        browser.go(path)
        browser.ask("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert browser.ask(LOW) == []
        assert browser.ask(UNNAMED) == []
        assert browser.ask("document.querySelectorAll('h1').length") == 1
    dark_ground = browser.ask("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every(one => one < 60)")
    assert dark_ground == dark


def test_long_facts(browser, app):
    """A long value among the facts is scrolled to its end by keys, and does not make the page long."""
    app.put(message="word " * 2_000)
    browser.go(error(app, "Alien"))
    long = "document.querySelector('.facts .long')"
    assert browser.ask(f"{long}.clientHeight < 300 && {long}.scrollHeight > 2000")
    browser.ask(f"{long}.focus()")
    assert browser.ask(f"document.activeElement == {long} && {long}.getAttribute('aria-label')") == "message"


def test_nothing_runs(browser, app):
    """What stands in an error runs nowhere and asks for nothing."""
    for number, nasty in enumerate(NASTY):
        app.put(
            f"error_20260102_0304{number:02}_Nasty_0123abcd.json",
            error_message=nasty, module=nasty, traceback=nasty, notes=[nasty], additional_info={nasty: {nasty: nasty}},
            frames=[{"file": nasty, "function": nasty, "code": nasty, "in_app": True, "locals": {nasty: nasty}}],
            breadcrumbs=[{"message": nasty, "level": nasty, "logger": nasty}], platform=nasty,
        )  # fmt: skip
        browser.go(f"/errors/error_20260102_0304{number:02}_Nasty_0123abcd.json")


def test_without_javascript(browser, app):
    """Without JavaScript all can be read and done; buttons that need it are not there."""
    browser.chromium.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.arrive(error(app, "JSONDecodeError"))
        buttons = "[...document.querySelectorAll('[data-copy], [data-fold]')].map(one => one.checkVisibility())"
        assert set(browser.ask(buttons)) == {False}
        browser.click(".run.library > summary")
        assert browser.ask("document.querySelector('.run.library').open")
        browser.arrive(group(app))
        browser.click(button("mute"))
        until(lambda: "CardError" in [one.error_type for one in app.ledger().groups() if one.status == "muted"])
    finally:
        browser.chromium.call("Emulation.setScriptExecutionDisabled", value=False)


def until(holds):
    """Wait until something holds; after a minute it fails."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
