"""From an error in a page to its issue and back: real Chromium, real `loghub serve`, a stand-in for GitHub.

``dashboard/maps/js`` holds what esbuild 0.28.2 made of ``dashboard/src`` (``npx esbuild src/main.ts --bundle --minify
--sourcemap --outfile=maps/js/dashboard.8c1f2e.js``).
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.browser import acts, site
from tests.browser.acts import arrive, click, follow, press, serious, show, type_text, until
from tests.fakes.github import FakeGitHub
from tests.test_examples import free_port
from tests.web import filled
from tests.web.test_serve import serving

pytestmark = pytest.mark.slow

REPO = "acme/shop"
PASSWORD = "correct horse battery"
MAPS = Path(__file__).parent / "dashboard" / "maps"
BUNDLE = "/js/dashboard.8c1f2e.js"
OTHERS = 120
BUTTONS = "".join(f'<button id="{name}">{name}</button>' for name in ("buy", "next", "save"))
# What each says, the functions of its frames, the innermost last, and how often it happens at each page.
BUGS = {
    "TypeError": ("onBuy", "Cart.addToCart", 4),
    "RangeError": ("onNextPage", "loadPage", 2),
    "SyntaxError": ("onSave", "readSettings", 2),
}


@pytest.fixture(scope="module")
def chromium():
    """Return a running browser."""
    with acts.browser() as running:
        yield running


@pytest.fixture(scope="module")
def github():
    """Return a stand-in for GitHub."""
    with FakeGitHub(REPO) as fake:
        yield fake


@pytest.fixture(scope="module")
def shop():
    """Return a site of an origin of its own, whose scripts are minified."""
    with site.Site() as running:
        running.script((MAPS / BUNDLE[1:]).read_text("utf-8"), BUNDLE)
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory, github, shop):
    """Return where `loghub serve` listens, with a home that knows other bugs already."""
    folder, port = tmp_path_factory.mktemp("served"), free_port()
    filled.groups(str(folder / "home"), OTHERS, hours_apart=0.5)
    words = ["--port", str(port), "--allow-origin", shop.origin]
    for origin in (shop.origin, f"http://127.0.0.1:{port}"):
        words += ["--source-maps", f"{origin}/={MAPS}"]
    told = {"GITHUB_API_URL": github.url, "GITHUB_REPO": REPO, "GITHUB_TOKEN": github.token}
    with serving(folder, *words, LOGHUB_ADMIN_PASSWORD=PASSWORD, **told) as (_, address):
        yield address.rstrip("/")


@pytest.fixture(scope="module")
def pages(chromium, shop, server):
    """Return the addresses of a page of another origin, and of one of the server's own."""
    tag = f'<script src="{server}/static/js/error-reporter.js"></script>'
    body = f'{BUTTONS}<script src="{BUNDLE}"></script>'
    other, own = shop.page(body, head=tag), f"{server}/shop.html"
    chromium.made[own] = "text/html", f"<!doctype html><title>x</title>{tag}<body>{body}"
    chromium.made[server + BUNDLE] = "text/javascript", (MAPS / BUNDLE[1:]).read_text("utf-8")
    chromium.allowed = (shop.origin, server)
    return other, own


@pytest.fixture(scope="module")
def reported(chromium, github, pages):
    """Have each bug happen at each page, also after a reload; return the issues."""
    for page in pages:
        for clicks in (["buy", "buy", "buy", "next", "save"], ["buy", "next", "save"]):
            chromium.go(page)
            for button in clicks:
                click(chromium, f"#{button}")
            until(chromium, "document.title != 'x'")  # the last of them has its answer
        chromium.go("about:blank")
        wait(chromium, lambda: len(github.issues(REPO)) >= len(BUGS))
    return github.issues(REPO)


@pytest.fixture(scope="module")
def logged_in(chromium, server, reported):
    """Have an admin be logged in, once: logins are limited. Return the issues."""
    chromium.call("Network.clearBrowserCookies")
    show(chromium, server, "/login")
    log_in(chromium)
    return reported


@pytest.fixture(scope="module")
def paths(chromium, server, logged_in):
    """Return a path of each kind of page, as an admin finds it."""
    show(chromium, server, "/errors?type=TypeError")
    follow(chromium, ".groups a.type")
    group = chromium.ask("location.pathname")
    error = chromium.ask("new URL(document.querySelector('.samples a').href).pathname")
    return {"group": group, "error": error, "outbox": "/outbox", "404": "/errors/none.json"}


def wait(page, holds):
    """Wait until something outside of the browser holds, whose requests go on meanwhile."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        page.ask("new Promise(done => setTimeout(done, 20))")


@pytest.fixture
def page(chromium):
    """Return the browser; afterwards nothing was asked of another machine, and nothing was forbidden or run."""
    chromium.screen(1280)
    yield chromium
    assert chromium.requests == []
    assert chromium.ask("[...violations, ...alerts]") == []


def test_one_issue_per_bug(reported, github):
    """What is thrown, rejected and told becomes an issue each, with the names that a person wrote; reloads add none."""
    assert sorted(issue["title"] for issue in reported) == sorted(f"[Auto] {kind}: dashboard" for kind in BUGS)
    for issue in reported:
        outer, inner, _ = BUGS[issue["title"].split()[1].rstrip(":")]
        assert f"at {inner} (src/cart.ts:" in issue["body"]
        assert f"at {outer} (src/main.ts:" in issue["body"]
        assert "dashboard" in [label["name"] for label in issue["labels"]]
    assert github.violations == []


def test_log_in(page, server):
    """Who says a wrong password is told so, and may try again."""
    page.call("Network.clearBrowserCookies")
    show(page, server, "/errors")
    assert page.ask("location.pathname") == "/login"
    type_text(page, "#password", "a wrong one")
    follow(page, "main form button")
    assert texts(page, "[role=alert]") == ["Name or password is wrong."]
    assert page.ask("fetch('/api/groups').then(answer => answer.status)") == 401
    log_in(page)
    assert page.ask("location.pathname") == "/errors"


def test_the_same_on_the_pages(page, server, logged_in, github, tmp_path):
    """An admin finds the bugs with their counts among the others, and what each was, by clicks."""
    page.picture(tmp_path / "errors.png")
    wait(page, lambda: counts(page) == {kind: 2 * times for kind, (*_, times) in BUGS.items()})
    assert len(github.issues(REPO)) == len(logged_in) == len(BUGS)  # nor has a repeat opened another one

    seen = [keys(page)]
    while page.ask("!!document.querySelector('#groups a[rel=next]')"):
        follow(page, "#groups a[rel=next]")
        seen.append(keys(page))
    assert [len(one) for one in seen] == [50, 50, OTHERS + len(BUGS) - 100]
    assert len({key for one in seen for key in one}) == OTHERS + len(BUGS)

    follow(page, "a.brand")
    click(page, "#more summary")
    type_text(page, "#f-component", "dashboard")
    page.ask("window.old = true")
    press(page, "Enter")
    arrive(page)
    assert page.ask("location.search") == "?component=dashboard"
    follow(page, ".groups th:nth-child(2) a")
    assert texts(page, ".groups .type")[0] == "TypeError"
    assert [int(one) for one in texts(page, ".groups .count > :last-child")] == [8, 4, 4]
    page.picture(tmp_path / "dashboard.png")

    follow(page, ".groups a.type")
    assert page.ask("location.pathname").startswith("/groups/v1:")
    assert "dashboard" in page.ask("document.querySelector('main').innerText")
    page.picture(tmp_path / "group.png")
    follow(page, ".samples a")
    assert page.ask("location.pathname").startswith("/errors/error_")
    shown = page.ask("document.querySelector('main').innerText")
    for part in ("Cart.addToCart", "src/cart.ts", "this.items!.push({ price });", "onBuy", "HeadlessChrome"):
        assert part in shown
    page.picture(tmp_path / "error.png")
    for dark in (True, False):
        page.screen(1280, dark=dark)
        ground = page.ask("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
        assert all(one < 60 for one in ground) == dark
        page.picture(tmp_path / f"error-{dark}.png")


def test_mute_and_unmute(page, server, logged_in):
    """A muted bug leaves the open ones and comes back, by clicks."""
    show(page, server, "/errors?type=RangeError&status=open")
    follow(page, ".groups a.type")
    group = page.ask("location.pathname")
    follow(page, 'form:has(input[value="mute"]) button')
    assert "is muted" in page.ask("document.querySelector('.notice[role=status]').innerText")
    show(page, server, "/errors?type=RangeError&status=open")
    assert keys(page) == []
    show(page, server, "/errors?type=RangeError&status=muted")
    follow(page, ".groups a.type")
    assert page.ask("location.pathname") == group
    follow(page, 'form:has(input[value="unmute"]) button')
    assert "is not muted" in page.ask("document.querySelector('.notice[role=status]').innerText")
    show(page, server, "/errors?type=RangeError&status=open")
    assert len(keys(page)) == 1


def test_open_link_and_resend(page, server, logged_in, github):
    """A bug gets its issue, another is linked to that, and both are told again, by clicks."""

    def act(number, action):
        show(page, server, f"/groups/{filled.fingerprint_of(number)}")
        if action == "link":
            type_text(page, "#number", f"#{made}")
        follow(page, f'form:has(input[value="{action}"]) button')
        return page.ask("document.querySelector('.notice[role=status]').innerText")

    before = len(github.issues(REPO))
    made = 0
    assert act(5, "open").startswith("It is ")
    assert len(github.issues(REPO)) == before + 1
    made = github.issues(REPO)[-1]["number"]
    link = page.ask("document.querySelector('main a[href*=\"/issues/\"]').href")
    assert link.endswith(f"/acme/shop/issues/{made}")
    assert act(6, "link").endswith(f"/acme/shop/issues/{made} now.")
    assert "github:acme/shop will be told" in act(6, "resend")
    assert len(github.issues(REPO)) == before + 1
    assert github.violations == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1600])
def test_axe(page, server, paths, width, dark):
    """axe finds nothing serious on the pages of a group, an error, the outbox, what is not there, and the login."""
    page.screen(width, dark=dark)
    found = {}
    for name, path in paths.items():
        show(page, server, path)
        found[name] = serious(page)
        assert page.ask("document.documentElement.scrollWidth <= innerWidth"), name
    cookies = page.call("Network.getCookies")["cookies"]
    page.call("Network.clearBrowserCookies")
    show(page, server, "/login")
    found["login"] = serious(page)
    page.call("Network.setCookies", cookies=cookies)
    assert {name: one for name, one in found.items() if one} == {}


def log_in(page):
    """Fill the login's form, and send it by a click."""
    type_text(page, "#password", PASSWORD)
    follow(page, "main form button")


def counts(page):
    """Return how often each of the bugs has happened."""
    rows = page.ask("fetch('/api/groups?component=dashboard').then(answer => answer.json())")
    return {row["error_type"]: row["count"] for row in rows}


def keys(page):
    """Return the keys of the listed groups."""
    return page.ask("[...document.querySelectorAll('.groups tbody tr')].map(row => row.dataset.key)")


def texts(page, selector):
    """Return what stands in elements."""
    return page.ask(f"[...document.querySelectorAll({json.dumps(selector)})].map(one => one.innerText.trim())")
