"""examples/error_reporting_demo.html in a real Chromium, at the server of the example, with issues at a stand-in."""

from __future__ import annotations

import os
import time

import pytest

from tests.browser.chromium import Chromium
from tests.fakes.github import FakeGitHub
from tests.test_examples import EXAMPLES, free_port, running

pytestmark = pytest.mark.slow

SHOWN = """new Promise(done => (function look() {
  const lines = [...document.querySelectorAll("#answers li")];
  lines.length < WANTED ? setTimeout(look, 20) : done(lines.map(line => line.textContent));
})())"""


@pytest.fixture
def github(monkeypatch):
    """Return GitHub, which the example's environment names; `environment` takes such variables out of a person's."""
    with FakeGitHub("acme/shop") as fake:
        told = {"GITHUB_API_URL": fake.url, "GITHUB_REPO": "acme/shop", "GITHUB_TOKEN": fake.token}
        monkeypatch.setattr("tests.test_examples.environment", lambda folder, **env: os.environ | told | env)
        yield fake


def test_error_reporting_demo(tmp_path, github, chromium):
    """What nobody catches, what is rejected and what is caught each become an issue, whose URL the page then shows."""
    port = free_port()
    page = f"http://127.0.0.1:{port}/"
    with running([str(EXAMPLES / "error_reporting_demo.py"), "--serve", "--port", str(port)], tmp_path, page):
        shown, deadline = [], time.monotonic() + 60
        while not shown or "kept" in shown:  # nobody waits for GitHub: a report is answered by what is known
            assert time.monotonic() < deadline
            shown = clicked(chromium, page)
            while len(github.issues("acme/shop")) < len(shown):
                assert time.monotonic() < deadline
                chromium.ask("new Promise(done => setTimeout(done, 20))")
        chromium.go(page + "loghub/errors")
        listed = chromium.ask("[...document.querySelectorAll('.groups .type')].map(one => one.innerText)")
    issues = sorted(github.issues("acme/shop"), key=lambda issue: shown.index(issue["html_url"]))
    assert [issue["title"] for issue in issues] == [
        "[Auto] TypeError: dashboard", "[Auto] RangeError: dashboard", "[Auto] SyntaxError: dashboard",
    ]  # fmt: skip
    assert "addToCart" in issues[0]["body"]
    assert "page 7 of 3" in issues[1]["body"]
    assert '"field": "settings"' in issues[2]["body"]
    assert sorted(listed) == ["RangeError", "SyntaxError", "TypeError"]


def clicked(chromium, page):
    """Load the page and click on each button; return what it then shows."""
    chromium.go(page)
    for number, button in enumerate(("uncaught", "rejected", "caught"), 1):
        # Not from the debugger's own frame, of whose errors the window hears nothing.
        chromium.ask(f"setTimeout(() => document.getElementById('{button}').click())")
        shown = chromium.ask(SHOWN.replace("WANTED", str(number)))
    return shown


@pytest.fixture
def chromium():
    """Return a running browser that may go online; where there is none that is said, and in CI it is a failure."""
    if not Chromium.found():
        reason = "NOT TESTED: there is no Chromium here; `make browser` installs it on Debian."
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with Chromium() as running_browser:
        running_browser.call("Fetch.disable")
        yield running_browser
