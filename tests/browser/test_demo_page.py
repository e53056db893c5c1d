"""examples/error_reporting_demo.html in a real Chromium, at the server of the example, with issues at a stand-in."""

from __future__ import annotations

import os

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
    """What nobody catches, what is rejected and what is caught each become an issue, whose URL the page shows."""
    port = free_port()
    page = f"http://127.0.0.1:{port}/"
    with running([str(EXAMPLES / "error_reporting_demo.py"), "--serve", "--port", str(port)], tmp_path, page):
        chromium.call("Page.navigate", url=page)
        chromium.ask("new Promise(done => document.readyState == 'complete' ? done() : addEventListener('load', done))")
        for number, button in enumerate(("uncaught", "rejected", "caught"), 1):
            # Not from the debugger's own frame, of whose errors the window hears nothing.
            chromium.ask(f"setTimeout(() => document.getElementById('{button}').click())")
            shown = chromium.ask(SHOWN.replace("WANTED", str(number)))
    issues = github.issues("acme/shop")
    assert shown == [issue["html_url"] for issue in issues]
    assert [issue["title"] for issue in issues] == [
        "[Auto] TypeError: dashboard", "[Auto] RangeError: dashboard", "[Auto] SyntaxError: dashboard",
    ]  # fmt: skip
    assert "addToCart" in issues[0]["body"]
    assert "page 7 of 3" in issues[1]["body"]
    assert '"field": "settings"' in issues[2]["body"]


@pytest.fixture
def chromium():
    """Return a running browser that may go online; where there is none that is said, and in CI it is a failure."""
    if not Chromium.found():
        reason = "NOT TESTED: there is no Chromium here; `make browser` installs it on Debian."
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with Chromium() as running_browser:
        running_browser.call("Fetch.disable")
        yield running_browser
