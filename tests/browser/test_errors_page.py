"""/errors in a real Chromium: what clicks do, what stays while it keeps up to date, and who can use it."""

from __future__ import annotations

import contextlib
import json
import threading
import time

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.browser import acts
from tests.browser.acts import arrive, click, follow, press, serious, show, until
from tests.web import filled

pytestmark = pytest.mark.slow

HOSTILE = [
    "<script>alert(1)</script><img src=x onerror=alert(2)>", "تعذر الاتصال بخادم الدفع: انتهت المهلة المحددة للطلب",
    "x" * 10_240, "\u202ereversed\u202c", "无法连接到支付服务器、连接超时、请检查网络设置并稍后重试。" * 9,
    "'\"><svg/onload=alert(3)>",
]  # fmt: skip


@pytest.fixture(scope="module")
def chromium():
    """Return a running browser."""
    with acts.browser() as running:
        yield running


class Quiet(WSGIRequestHandler):
    """Says nothing about each request."""

    def log(self, *args):
        """Say nothing."""


@pytest.fixture(scope="module")
def serve():
    """Return a function that serves the pages of a home and returns their address."""
    servers, opened = [], contextlib.ExitStack()

    def start(home, **options):
        app = opened.enter_context(filled.pages(home, **options))
        server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()
    opened.close()


@pytest.fixture(scope="module")
def shop(tmp_path_factory, serve):
    """Return the address of the pages of a home with 120 groups, and the home."""
    home = str(tmp_path_factory.mktemp("shop"))
    filled.groups(home, 120, hours_apart=0.5)
    return serve(home), home


@pytest.fixture
def page(chromium):
    """Return the browser; afterwards nothing was asked of another machine, and nothing was forbidden or run."""
    chromium.requests.clear()
    chromium.screen(1280)
    yield chromium
    assert chromium.requests == []
    assert chromium.ask("[...violations, ...alerts]") == []


def rows(page):
    """Return the keys of the listed groups."""
    return page.ask("[...document.querySelectorAll('.groups tbody tr')].map(row => row.dataset.key)")


def look(page):
    """Have the page look for news now, and wait until it has shown them."""
    page.ask(
        "new Promise(done => {"
        " document.getElementById('live').addEventListener('refreshed', () => done(1), {once: true});"
        " document.dispatchEvent(new Event('visibilitychange')) })"
    )


# Clicks ---------------------------------------------------------------------------------------------------------


def test_filter_by_clicks(page, shop):
    """Filters are opened, filled, sent, kept in the URL, and taken back one by one."""
    show(page, shop[0])
    click(page, "#more summary")
    click(page, "#f-component")
    page.call("Input.insertText", text="web")
    page.ask("window.old = true")
    press(page, "Enter")
    arrive(page)
    assert page.ask("location.search") == "?component=web"
    assert rows(page) == [filled.fingerprint_of(n) for n in range(3)]
    follow(page, ".periods a:nth-child(2)")
    assert page.ask("location.search") == "?component=web&since=24h"
    follow(page, ".chips a")
    assert page.ask("location.search") == "?since=24h"
    assert len(rows(page)) == 48


def test_pages_and_back(page, shop):
    """Lists are sorted and paged by clicks, and the browser leads back."""
    show(page, shop[0])
    follow(page, ".groups th:nth-child(2) a")
    assert page.ask("document.querySelector('th[aria-sort=descending]').textContent").startswith("Count")
    first = rows(page)
    assert first[0] == filled.fingerprint_of(119)
    follow(page, "#groups a[rel=next]")
    assert rows(page)[0] == filled.fingerprint_of(69)
    page.ask("window.old = true; history.back()")
    until(page, f"document.querySelector('.groups tbody tr').dataset.key == {json.dumps(first[0])}")
    assert rows(page) == first


def test_keyboard(page, shop):
    """The first key leads past the navigation, and what has the focus is seen to have it."""
    show(page, shop[0])
    press(page, "Tab")
    assert page.ask("document.activeElement.textContent") == "Skip to content"
    assert page.ask("document.activeElement.getBoundingClientRect().left") >= 0
    press(page, "Enter")
    press(page, "Tab")
    assert page.ask("document.activeElement.id") == "pause"
    visited = 0
    while visited < 40 and (tag := page.ask("document.activeElement.tagName")) != "BODY":
        assert page.ask("getComputedStyle(document.activeElement).outlineStyle") != "none", tag
        press(page, "Tab")
        visited += 1
    assert visited > 20


# Keeping up -----------------------------------------------------------------------------------------------------


def test_refresh_moves_nothing(page, tmp_path, serve):
    """A refresh shows what is new and leaves focus, scroll, what is open and what is being written alone."""
    filled.groups(str(tmp_path), 30, issues=True)
    show(page, serve(tmp_path))
    page.ask("""
      document.getElementById("more").open = document.getElementById("table-of-days").open = true;
      document.getElementById("f-release").value = "2.";
      const link = document.querySelectorAll(".groups .status a")[25];
      link.focus(); link.mark = "the same";
      link.scrollIntoView({block: "center"});
    """)
    before = page.ask("document.activeElement.getBoundingClientRect().top")
    now = time.time()
    filled.fold(str(tmp_path), (filled.event_of(77, now), 1000, now))
    look(page)
    assert rows(page)[0] == filled.fingerprint_of(77)
    assert page.ask("document.querySelector('#days-h + .hero').textContent.trim()") == f"{1000 + sum(range(1, 8)):,}"
    assert page.ask("document.activeElement.mark") == "the same"
    assert page.ask("document.activeElement.closest('tr').dataset.key") == filled.fingerprint_of(25)
    assert abs(page.ask("document.activeElement.getBoundingClientRect().top") - before) < 2
    assert page.ask("document.getElementById('more').open && document.getElementById('table-of-days').open")
    assert page.ask("document.getElementById('f-release').value") == "2."
    assert page.ask("document.getElementById('said').textContent") == "1,000 more errors."
    assert page.ask("document.querySelectorAll('#chart canvas').length") == 1


def test_a_focused_row_that_moves(page, tmp_path, serve):
    """A group that comes to the top while it has the focus keeps it, and stands there once."""
    filled.groups(str(tmp_path), 8, issues=True)
    show(page, serve(tmp_path))
    page.ask("const link = document.querySelectorAll('.groups .status a')[5]; link.focus(); link.mark = 1")
    now = time.time()
    filled.fold(str(tmp_path), (filled.event_of(5, now, 9), 1, now))
    look(page)
    assert rows(page) == [filled.fingerprint_of(n) for n in (5, 0, 1, 2, 3, 4, 6, 7)]
    assert page.ask("document.activeElement.mark") == 1


def test_refresh_waits_for_a_selection(page, tmp_path, serve):
    """While text of the list is selected nothing changes; then it does."""
    filled.groups(str(tmp_path), 3)
    show(page, serve(tmp_path))
    page.ask("getSelection().selectAllChildren(document.querySelector('.groups .message'))")
    now = time.time()
    filled.fold(str(tmp_path), (filled.event_of(8, now), 1, now))
    page.ask("document.dispatchEvent(new Event('visibilitychange'))")
    until(page, "performance.getEntriesByType('resource').some(one => one.name.includes('/errors/live'))")
    assert len(rows(page)) == 3
    assert page.ask("String(getSelection())") == "order 0 lost"
    page.ask("getSelection().removeAllRanges()")
    until(page, "document.querySelectorAll('.groups tbody tr').length == 4")


def test_pause(page, tmp_path, serve):
    """Who pauses the refresh is asked nothing of, and the button says so; a click goes on."""
    filled.groups(str(tmp_path), 3)
    show(page, serve(tmp_path))
    click(page, "#pause")
    assert page.ask("document.getElementById('pause').ariaPressed") == "true"
    assert page.ask("document.getElementById('refreshed').textContent") == "Paused"
    now = time.time()
    filled.fold(str(tmp_path), (filled.event_of(8, now), 1, now))
    page.ask("performance.clearResourceTimings(); document.dispatchEvent(new Event('visibilitychange'))")
    page.settle()
    assert page.ask("performance.getEntriesByType('resource').length") == 0
    click(page, "#pause")
    until(page, "document.querySelectorAll('.groups tbody tr').length == 4")


def test_from_empty_to_first(page, tmp_path, serve):
    """The first error comes to an empty page by itself."""
    show(page, serve(tmp_path))
    assert page.ask("document.querySelector('#live h2').textContent") == "Nothing was reported here yet"
    assert page.ask("document.querySelector('.filters').checkVisibility()") is False
    filled.groups(str(tmp_path), 1)
    look(page)
    assert rows(page) == [filled.fingerprint_of(0)]
    assert page.ask("document.querySelector('.filters').checkVisibility()")
    assert page.ask("document.querySelectorAll('#chart canvas').length") == 1


# Looks ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile(tmp_path_factory, serve):
    """Return the address of the pages of a home whose errors say what attacks, or is very long."""
    home, now = str(tmp_path_factory.mktemp("hostile")), time.time()
    names = ("error_type", "error_message", "module", "function", "component", "release", "environment", "logger")
    filled.fold(home, *((filled.event_of(n, now - 60 * n, **dict.fromkeys(names, text)), 10 ** (2 * n), now - 60 * n)
                        for n, text in enumerate(HOSTILE)))  # fmt: skip
    return serve(home)


@pytest.mark.parametrize("width", [360, 768, 1600])
@pytest.mark.parametrize(
    "query", ["", "?type=%3Cscript%3Ealert(1)%3C/script%3E&since=x&level=%22%3E&text=" + "y" * 900]
)
def test_fits(page, hostile, width, query):
    """The page never scrolls sideways, whatever it shows, and what it shows is text."""
    page.screen(width)
    show(page, hostile, "/errors" + query)
    page.ask("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert page.ask("document.documentElement.scrollWidth <= innerWidth")
    assert page.ask("document.querySelectorAll('#live script, #live img, #live [onload], #live [onerror]').length") == 0


def test_dark(page, shop):
    """Colours follow the screen's, the chart's as well, without a reload."""
    show(page, shop[0])
    lightness = (
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).reduce((sum, one) => sum + Number(one), 0)"
    )
    assert page.ask(lightness) > 600
    page.ask("window.drawn = document.querySelector('#chart canvas')")
    page.screen(1280, dark=True)
    until(page, "document.querySelector('#chart canvas') != drawn")
    assert page.ask(lightness) < 150


def test_dark_by_click(page, shop):
    """Whoever wants it dark has it dark, the chart as well, on a screen that is light; and may have it as before."""
    show(page, shop[0], "/errors?sort=count")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.ask(ground)
    follow(page, ".theme [value=dark]")
    assert page.ask("location.search") == "?sort=count"
    assert all(one < 60 for one in page.ask(ground + ".match(/\\d+/g).map(Number)"))
    assert page.ask("document.querySelector('.theme [aria-pressed=true]').textContent") == "Dark"
    axis = page.ask("document.querySelector('#chart canvas').toDataURL()")
    page.screen(360)
    show(page, shop[0], "/outbox")
    assert page.ask(ground) != light
    assert page.ask("document.documentElement.scrollWidth <= innerWidth")
    page.screen(1280)
    show(page, shop[0], "/errors?sort=count")
    follow(page, ".theme [value=system]")
    assert page.ask(ground) == light
    assert page.ask("document.querySelector('#chart canvas').toDataURL()") != axis


def test_chart(page, shop):
    """The days are drawn by the library, in place of the drawing without JavaScript, and times are the viewer's."""
    page.call("Emulation.setTimezoneOverride", timezoneId="Asia/Kathmandu")
    show(page, shop[0])
    assert page.ask("document.querySelector('#chart canvas').width") > 300
    assert page.ask("document.querySelector('#chart svg').checkVisibility()") is False
    assert page.ask("document.querySelector('[data-zone]').textContent") in ("Asia/Kathmandu", "Asia/Katmandu")
    assert "UTC" not in page.ask("document.querySelector('.groups time').textContent")
    page.call("Emulation.setTimezoneOverride", timezoneId="")


def test_without_javascript(page, shop):
    """Without JavaScript all is there but the live chart: a drawing, the table, filters, pages, times in UTC."""
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        page.allowed = shop[0]
        page.call("Page.navigate", url=shop[0] + "/errors?sort=count")
        until(page, "document.readyState == 'complete' && location.pathname == '/errors'")
        assert page.ask("document.querySelector('#chart svg').checkVisibility()")
        assert page.ask("document.querySelector('#refresh').checkVisibility()") is False
        assert page.ask("document.querySelector('.groups time').textContent").endswith(" UTC")
        assert page.ask("document.documentElement.scrollWidth <= innerWidth")
        assert len(rows(page)) == 50
    finally:
        page.call("Emulation.setScriptExecutionDisabled", value=False)
        page.go(shop[0] + "/errors")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("which", ["full", "narrow", "wrong values", "hostile", "empty", "login", "refused"])
def test_axe(page, shop, hostile, serve, tmp_path, which, dark):  # noqa: PLR0917 - fixtures
    """axe finds nothing serious on any page, in light and in dark."""
    page.screen(360 if which == "narrow" else 1280, dark=dark)
    if which == "empty":
        show(page, serve(tmp_path))
    elif which == "login":
        show(page, serve(tmp_path, admin_password="a good one"))
        assert page.ask("location.pathname") == "/login"
    elif which == "hostile":
        show(page, hostile)
    else:
        paths = {"wrong values": "/errors?level=loud&since=x&component=web&after=x", "refused": "/nothing"}
        show(page, shop[0], paths.get(which, "/errors?component=web"))
    assert serious(page) == []
