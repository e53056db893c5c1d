"""loghub/web/static/js/error-reporter.js in a real Chromium, at a server that notes what is reported."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.browser import site as sites
from tests.browser.chromium import Chromium

pytestmark = pytest.mark.slow

REPORTER = '<script src="/static/js/error-reporter.js"></script>'
INSTALLED = REPORTER + '<script>installGlobalErrorHandler("dashboard")</script><script src="/app.js"></script>'
APP = """
function addToCart(cart) { return cart.items.length }
function leaf(text) { throw new RangeError(text) }
async function openPage(number) { leaf("page " + number) }
"""
# A minute of the page is 60 ms, so that a test sees the reporter give up; only for an answer it waits a second.
HURRY = """<script>
  const started = performance.now(), clock = performance.now.bind(performance), timer = setTimeout;
  performance.now = () => started + (clock() - started) * 1000;
  setTimeout = (does, wait) => timer(does, wait === 10000 ? 1000 : wait / 1000);
</script>"""


@pytest.fixture(scope="module")
def browser():
    """Return a running browser that may go online; where there is none that is said, and in CI it is a failure."""
    if not Chromium.found():
        reason = "NOT TESTED: there is no Chromium here; `make browser` installs it on Debian."
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with Chromium() as running:
        running.call("Fetch.disable")
        yield running


@pytest.fixture
def site():
    """Return a site with a script of its own."""
    with sites.Site() as running:
        running.script(APP)
        yield running


@pytest.fixture
def other():
    """Return a site of another origin."""
    with sites.Site() as running:
        running.script(APP)
        yield running


@pytest.fixture
def show(browser):
    """Return a function that opens an address and waits until all of it is loaded."""

    def opened(address):
        browser.call("Page.navigate", url=address)
        loaded = "document.readyState == 'complete' ? done() : addEventListener('load', () => done())"
        browser.ask(f"new Promise(done => {loaded})")

    yield opened
    browser.call("Page.navigate", url="about:blank")


def later(browser, code):
    """Run code in the page as its own: of errors in a debugger's frame the window hears nothing."""
    browser.ask(f"void setTimeout(() => {{ {code} }})")


def told(reports):
    """Return what reports are about, in their order."""
    return [(one.info["error_type"], one.info["error_message"]) for one in reports]


def test_errors(site, browser, show):
    """An uncaught error, a rejection and a caught error are told once, with frames, component, release and page."""
    head = '<meta name="release" content="2026.11.3">'
    show(site.page(INSTALLED, head=head) + "?token=s3cret&page=2#s3cret")
    later(browser, "addToCart()")
    site.wait(1)
    later(browser, "openPage(7)")
    site.wait(2)
    caught = "try { JSON.parse('{') } catch (error) { URL = reportError({ error, sourceComponent: 'cart', context }) }"
    assert browser.ask(f"var context = {{ field: 'a' }}, URL; {caught}; URL") == "https://github.example/issues/3"
    uncaught, rejected, by_hand = site.reports
    assert told(site.reports)[:2] == [
        ("TypeError", "Cannot read properties of undefined (reading 'items')"),
        ("RangeError", "page 7"),
    ]
    assert by_hand.info["error_type"] == "SyntaxError"
    assert f"at addToCart ({site.origin}/app.js:2:" in uncaught.info["stack"]
    assert [line.split()[1] for line in rejected.info["stack"].splitlines()[1:3]] == ["leaf", "openPage"]
    assert [one.info["source_component"] for one in site.reports] == ["dashboard", "dashboard", "cart"]
    assert {one.info["release"] for one in site.reports} == {"2026.11.3"}
    assert by_hand.info["context"]["field"] == "a"
    assert {one.info["context"]["url"] for one in site.reports} == {f"{site.origin}/?token=&page="}
    assert "Chrome/" in uncaught.info["context"]["user_agent"]
    assert uncaught.path == "/api/report-error"
    assert uncaught.headers["Origin"] == site.origin
    assert uncaught.headers["Content-Type"] == "application/json"
    assert all("s3cret" not in str(one) for one in site.reports)


def test_once(site, browser, show):
    """Loaded and installed twice, and thrown on after it was reported, an error is told once."""
    show(site.page(INSTALLED + INSTALLED))
    later(browser, "try { addToCart() } catch (error) { reportError({ error }); throw error }")
    site.wait(1)
    browser.ask("reportError({ error: 'end' })")
    assert [text for _, text in told(site.reports)][1:] == ["end"]


def test_repeats(site, browser, show):
    """Errors of one place come as one report and a number, whatever the page does between them."""
    show(site.page(HURRY + INSTALLED))
    # In one go: the clock is fast, and half a minute passes soon.
    later(browser, "for (let n = 0; n < 50; n++) dispatchEvent(new ErrorEvent('error', { message: 'late' }))")
    reports = site.wait(2)
    assert told(reports) == [("Error", "late")] * 2
    assert sum(one.info.get("count", 1) for one in reports) == 50


def test_resources(site, browser, show):
    """What cannot be loaded is told only where it is asked for."""
    lost = '<img src="/lost.png?sig=s3cret"><script src="/lost.js"></script>'
    show(site.page(INSTALLED + lost))
    browser.ask("reportError({ error: 'end' })")
    assert told(site.reports) == [("Error", "end")]
    show(site.page(REPORTER + "<script>installGlobalErrorHandler('cart', { resources: true })</script>" + lost))
    assert sorted(told(site.wait(3)[1:])) == [
        ("ResourceError", f"Could not load <img> {site.origin}/lost.png"),
        ("ResourceError", f"Could not load <script> {site.origin}/lost.js"),
    ]


def test_browsers_own_report_error(site, browser, show):
    """reportError(error) is told once, and the page's own listeners hear it as from the browser's function."""
    show(site.page("<script>heard = []; addEventListener('error', e => heard.push(e.message))</script>" + INSTALLED))
    assert browser.ask("reportError(new TypeError('alone'))") == "https://github.example/issues/1"
    browser.ask("reportError('words')")
    browser.ask("reportError({ error: 'end' })")
    assert told(site.reports) == [("TypeError", "alone"), ("Error", "words"), ("Error", "end")]
    assert browser.ask("heard") == ["Uncaught TypeError: alone", "Uncaught words"]


HOSTILE = [
    "frames[0]", "document.body", "new Event('x')", "null", "Symbol()", "fetch('/x').then(got => { throw got })",
    "(() => { const { proxy, revoke } = Proxy.revocable(Error, {}); revoke(); return proxy })()",
    "new DOMException('stopped', 'AbortError')", "Object.create(null)", "new Proxy({}, { get() { throw this } })",
    "Object.defineProperty(new Error('x'), 'stack', { get() { reportError(this); throw this } })",
    "{ toString() { throw this }, deep: document }", "(function f() { try { return f() } catch (e) { return e } })()",
]  # fmt: skip


def test_hostile(site, other, browser, show):
    """Whatever is thrown or rejected, of whatever window, is told by type and message, and the page goes on."""
    frame = other.page("x")
    show(site.page(f'<iframe src="{frame}"></iframe>{INSTALLED}'))
    for code in HOSTILE:
        later(browser, f"Promise.reject({code})" if "fetch" not in code else code)
    reports = site.wait(len(HOSTILE) - 3)  # four are the same: nothing of them can be read
    assert all(one.info["error_type"] and isinstance(one.info["error_message"], str) for one in reports)
    assert {
        ("AbortError", "stopped"), ("UnhandledRejection", "null"), ("Response", "[object Response]"),
        ("UnhandledRejection", "[unreadable]"), ("Event", "x of null"),
        ("RangeError", "Maximum call stack size exceeded"), ("HTMLBodyElement", "[object HTMLBodyElement]"),
    } <= set(told(reports))  # fmt: skip
    context = "{ document, self, top, frame: frames[0], event, style: getComputedStyle(document.body), navigator }"
    browser.ask(f"reportError({{ error: 'end', context: {context} }})")
    assert told(site.reports)[-1] == ("Error", "end")
    assert site.reports[-1].size < 60_000


def test_large(site, browser, show):
    """An error that says a megabyte in a script of three bytes a letter stays below the server's limit."""
    show(site.page(INSTALLED))
    url = browser.ask("reportError({ error: new Error('漢'.repeat(1e6)), context: Array(1e5).fill('漢'.repeat(1e4)) })")
    assert url
    assert 20_000 < site.reports[0].size < 60_000


def test_budget(site, browser, show):
    """Of thirty different errors in a minute twenty are told; who reported the others gets null."""
    show(site.page(INSTALLED))
    urls = browser.ask("Promise.all(Array.from({ length: 30 }, (_, n) => reportError({ error: 'no. ' + n })))")
    assert [bool(url) for url in urls] == [True] * 20 + [False] * 10
    assert len(site.reports) == 20


@pytest.mark.parametrize("mood", [500, 503, "hang", "drop"])
def test_no_loop(site, browser, show, mood):
    """A server that fails is asked five times for one error, which is then counted as lost; the failures are none."""
    site.mood = mood
    show(site.page(HURRY + INSTALLED))
    later(browser, "addToCart()")
    site.wait(5)
    browser.ask("new Promise(done => timer(done, 500))")  # all that it would do in eight minutes more
    site.mood = "take"
    browser.ask("reportError({ error: 'end' })")
    site.wait(6)
    assert {kind for kind, _ in told(site.reports[:5])} == {"TypeError"}
    assert set(told(site.reports[5:])) == {("Error", "end")}
    assert site.reports[5].info["dropped"] == 1


def test_offline(site, browser, show):
    """Without a network reports wait, for nobody's promise, and go in their order when it is back."""
    show(site.page(INSTALLED))
    network = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    browser.call("Network.emulateNetworkConditions", offline=True, **network)
    try:
        assert browser.ask("navigator.onLine") is False
        assert browser.ask("Promise.all(['a', 'b'].map(error => reportError({ error })))") == [None, None]
        assert site.reports == []
    finally:
        browser.call("Network.emulateNetworkConditions", offline=False, **network)
    assert told(site.wait(2)) == [("Error", "a"), ("Error", "b")]


def test_leaving(site, other, browser, show):
    """What waits when the page is left goes by beacon, to another origin as well, with the key inside."""
    tag = f'<script src="{other.origin}/static/js/error-reporter.js" data-key="k1"></script>'
    show(site.page(tag))
    other.mood = 500
    browser.ask("reportError({ error: 'a' })")
    browser.ask("reportError({ error: 'b' })")
    other.mood = "take"
    show("about:blank")
    first, *beacons = other.wait(3)
    assert sorted(told(beacons)) == [("Error", "a"), ("Error", "b")]  # each goes its own way
    assert first.headers["X-Loghub-Key"] == "k1"
    assert "key" not in first.info
    for beacon in beacons:
        assert beacon.headers["Content-Type"].startswith("text/plain")
        assert beacon.info["key"] == "k1"
        assert "X-Loghub-Key" not in beacon.headers
    assert site.reports == []


def test_other_origin(site, other, browser, show):
    """A reporter from another origin reports there, after a preflight; of that origin's muted errors it is silent."""
    tag = f'<script src="{other.origin}/ops/static/js/error-reporter.js" data-key="k1"></script>'
    other.script("addToCart(); function addToCart() { undefined.items }", "/muted.js")
    allowed = {"Access-Control-Allow-Origin": "*"}
    other.script("openPage(); function openPage() { undefined.items }", "/open.js", allowed)
    show(
        site.page(
            tag
            + "<script>installGlobalErrorHandler('dashboard')</script>"
            + f'<script src="{other.origin}/muted.js"></script>'
            + f'<script src="{other.origin}/open.js" crossorigin></script>'
        )
    )
    assert browser.ask("reportError({ error: 'end' })") == "https://github.example/issues/2"
    told_of, end = other.reports
    assert "openPage" in told_of.info["stack"]
    assert told(other.reports)[1] == ("Error", "end")
    assert end.path == "/ops/api/report-error"
    assert end.headers["Origin"] == site.origin
    assert set(other.preflights) == {"/ops/api/report-error"}


def test_endpoint(site, other, browser, show):
    """A script tag may name the endpoint and the release."""
    tag = REPORTER.replace("<script ", f'<script data-release="r9" data-endpoint="{other.origin}/in" ')
    show(site.page(tag))
    browser.ask("reportError({ error: 'x' })")
    assert [(one.path, one.info["release"]) for one in other.reports] == [("/in", "r9")]


def test_strict_policy(site, browser, show):
    """It works under a policy without inline scripts; where requests are forbidden nothing comes, and no loop."""
    site.script("installGlobalErrorHandler('dashboard'); addToCart(); " + APP)
    tags = REPORTER + '<script src="/app.js"></script>'
    policy = "default-src 'none'; script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'"
    show(site.page(tags, headers={"Content-Security-Policy": policy}))
    assert told(site.wait(1)) == [("TypeError", "Cannot read properties of undefined (reading 'items')")]
    forbidden = policy.replace("connect-src 'self'", "connect-src 'none'")
    show(site.page(tags, headers={"Content-Security-Policy": forbidden}))
    assert browser.ask("reportError({ error: 'x' })") is None
    show("about:blank")
    assert len(site.reports) == 1


def test_file(browser, show, tmp_path, site):
    """A page from a file, with the reporter beside it, is left alone; with an endpoint named it reports."""
    folder = tmp_path / "static" / "js"
    folder.mkdir(parents=True)
    shutil.copy(sites.REPORTER, folder)
    page = tmp_path / "page.html"
    tag = '<script src="static/js/error-reporter.js"></script>'
    page.write_text(f"<!doctype html>{tag}<script>installGlobalErrorHandler('cart')</script>")
    show(page.as_uri())
    assert browser.ask("reportError({ error: 'x' })") is None
    named = tag.replace("<script ", f'<script data-endpoint="{site.origin}/api/report-error" ')
    page.write_text(f"<!doctype html>{named}")
    show(page.as_uri() + "?token=s3cret")
    assert browser.ask("reportError({ error: 'x' })")
    assert site.reports[0].info["context"]["url"] == page.as_uri() + "?token="
