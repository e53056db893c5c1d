"""/errors: what is shown of what was asked for, page by page, whatever stands in an error."""

from __future__ import annotations

import contextlib
import html
import json
import re
import sqlite3
import time
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loghub.ledger.sqlite import SQLiteLedger
from loghub.web import create_app
from tests.web import filled


class Elements(HTMLParser):
    """What a page is made of.

    Attributes:
        all: Name and attributes of each element.
    """

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.all = []
        self.open = []
        self.texts = {}
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.all.append((tag, dict(attrs)))

    def named(self, tag):
        """Return the attributes of each element of a name."""
        return [attrs for name, attrs in self.all if name == tag]

    def shape(self):
        """Return the elements with the names of their attributes: what no text may change."""
        return [(tag, sorted(attrs)) for tag, attrs in self.all]


def client_of(home):
    """Return a client of the pages of a home."""
    return create_app(str(home), no_login=True).test_client()


def text_of(page):
    """Return a page's text, with its spaces made one."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def listed(page, table):
    """Return the keys of the rows of a table of a page."""
    return re.findall(
        r'<tr role="row" data-key="([^"]+)"', page.partition(f'class="rows {table}"')[2].split("</table")[0]
    )


def numbers(page):
    """Return which groups are listed."""
    return [int(key.removeprefix("v1:"), 16) for key in listed(page, "groups")]


@pytest.fixture(scope="module")
def five(tmp_path_factory):
    """Return a client of a home with five groups."""
    home = tmp_path_factory.mktemp("five")
    filled.groups(str(home), 5)
    with filled.pages(home) as app:
        yield app.test_client()


def get(client, url="/errors", code=200):
    """Return a page's text."""
    with client.get(url) as answer:
        assert answer.status_code == code
        return answer.get_data(as_text=True)


# What is shown --------------------------------------------------------------------------------------------------


def test_not_found(tmp_path):
    """An address that leads nowhere is answered with a page of ours, and with its headers."""
    answer = client_of(tmp_path).get("/nothing")
    assert answer.status_code == 404
    assert '<a href="/errors">To the errors</a>' in answer.get_data(as_text=True)
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert client_of(tmp_path).get("/api/nothing").json["error"] == "Not Found"


def test_page(five):
    """Statistics of 7 days by type, module and day, a drawing of them, groups and recent errors stand on one page."""
    page = get(five)
    assert "Errors in 7 days 15 " in text_of(page)
    assert "Kind4Error 5" in text_of(page)
    assert "shop.till 9" in text_of(page)
    assert re.search(r"<title>\d{4}-\d\d-\d\d: 1</title>", page)
    assert numbers(page) == [0, 1, 2, 3, 4]
    assert [key[15] for key in listed(page, "recent")] == list("01234")
    assert page.count('<svg class="spark') == 5


def test_commits(tmp_path):
    """In lists a commit is its first digits, with the whole of it as a title; any other release is shown as it is."""
    commit, version = "82e7de99113b233bd7e9899040792570cb208ee1", "shop-2026.11.28-long"
    now = time.time() - 60
    events = [filled.event_of(0, now, 1, release=commit), filled.event_of(0, now, 2, release=version)]
    filled.fold(str(tmp_path), *((event, 1, now) for event in events))
    client = client_of(tmp_path)
    recent = client.get("/errors").text.partition('id="recent"')[2]
    assert f'title="{commit}">82e7de99113b<' in recent
    assert f'title="{version}">{version}<' in recent
    bug = client.get(f"/groups/{filled.fingerprint_of(0)}").text.partition('id="samples"')[2]
    assert f'title="{commit}">82e7de99113b · production<' in bug
    assert f'title="{version}">{version} · production<' in bug


def test_headings_and_tables(five):
    """There is one first heading, each table has a caption, and the order of the list is told to screen readers."""
    page = get(five)
    found = Elements(page)
    assert len(found.named("h1")) == 1
    assert len(found.named("caption")) == len(found.named("table")) == 5
    sorts = {one["aria-sort"] for one in found.named("th") if "aria-sort" in one}
    assert sorts == {"descending", "none"}
    assert all(one.get("scope") for one in found.named("th"))


def test_times_without_javascript(five):
    """A time is said in UTC, and exactly for programs."""
    page = get(five)
    stamps = re.findall(r'<time datetime="([^"]+)">([^<]+)</time>', page)
    assert stamps
    assert all(shown == f"{stamp[:10]} {stamp[11:16]} UTC" for stamp, shown in stamps)


def test_nothing_inline(five):
    """No script and no style stands in the page itself: the policy of the pages forbids both."""
    found = Elements(get(five))
    assert all(one.get("src") for one in found.named("script"))
    assert not found.named("style")
    assert not [attrs for _, attrs in found.all if any(name == "style" or name.startswith("on") for name in attrs)]


def test_nothing_from_elsewhere(five):
    """All that the page loads is of its own server."""
    found = Elements(get(five))
    loaded = [one.get("src") or one.get("href") for tag in ("script", "link", "img") for one in found.named(tag)]
    assert loaded
    assert all(one.startswith("/static/loghub/") for one in loaded)
    assert all(get(five, one) for one in loaded)


def test_licence_of_the_chart(five):
    """The library that draws the chart comes with its licence."""
    assert "MIT" in get(five, "/static/loghub/vendor/uplot/LICENSE")
    assert "uPlot (v1.6.32)" in get(five, "/static/loghub/vendor/uplot/uPlot.iife.min.js")[:100]


def test_big_numbers(tmp_path):
    """Thousands are set apart, millions are said short with all digits beside."""
    now = time.time() - 60
    counts = (12_345, 123_456_789, 10**15)
    filled.fold(str(tmp_path), *((filled.event_of(n, now), count, now) for n, count in enumerate(counts)))
    page = get(client_of(tmp_path))
    assert '<data value="12345">12,345</data>' in page
    assert '<data value="123456789" title="123,456,789">123 M</data>' in page
    assert '<data value="1000000000000000" title="1,000,000,000,000,000">1000 T</data>' in page


def test_issue_link(tmp_path):
    """An issue is linked to, and an address that would run something is none."""
    filled.groups(str(tmp_path), 2)
    ledger = SQLiteLedger(str(tmp_path / "ledger.db"))
    ledger._rows(
        "UPDATE groups SET issue_url = 'https://github.com/acme/shop/issues/41' WHERE error_type = 'Kind0Error'"
    )
    ledger._rows("UPDATE groups SET issue_url = 'javascript:alert(1)' WHERE error_type = 'Kind1Error'")
    ledger.close()
    page = get(client_of(tmp_path))
    assert '<a href="https://github.com/acme/shop/issues/41" target="_blank" rel="noopener noreferrer">#41</a>' in page
    assert "javascript:" not in page


def test_links_to_what_there_is(tmp_path):
    """Groups and errors lead to their own pages where an application has these."""
    app = create_app(str(tmp_path), no_login=True)
    filled.groups(str(tmp_path), 1)
    for name, rule in (("group", "/groups/<fingerprint>"), ("error", "/errors/<filename>")):
        if f"loghub.{name}" not in app.view_functions:
            app.add_url_rule(rule, f"loghub.{name}", lambda **_: "")
    page = get(app.test_client())
    assert f'href="/groups/{filled.fingerprint_of(0)}"' in page
    found = re.findall(r'href="/errors/(error_[^"]+)"', page)
    assert len(found) == 1
    assert re.fullmatch(r"error_\d{8}_\d{6}_Kind0Error_00000000\.json", found[0])


def test_below_a_prefix(tmp_path):
    """Below a prefix every link stays below it."""
    filled.groups(str(tmp_path), 1)
    client = create_app(str(tmp_path), no_login=True, url_prefix="/ops").test_client()
    page = get(client, "/ops/errors?since=7d")
    found = Elements(page)
    assert all(one["href"].startswith(("/ops/", "#")) for one in found.named("a"))
    assert 'data-url="/ops/errors/live?since=7d"' in page


# Empty states ---------------------------------------------------------------------------------------------------


def test_empty_home(tmp_path):
    """Where nothing was reported yet, the page says what to do."""
    page = text_of(get(client_of(tmp_path)))
    assert "Nothing was reported here yet" in page
    assert "loghub --config logging.yaml test" in page


def test_nothing_like_that(five):
    """Where nothing is like what was asked for, the page leads back."""
    page = get(five, "/errors?type=NoSuchError")
    assert "No group is like that." in page
    assert "No error is like that." in page
    assert '<a href="/errors">Clear the filters</a>' in page
    assert "Seen first" not in page


def test_all_is_quiet(tmp_path):
    """Groups without an error in 7 days are listed, and the statistics say that there was none."""
    at = time.time() - 20 * 86400
    filled.fold(str(tmp_path), (filled.event_of(1, at), 3, at))
    page = get(client_of(tmp_path))
    assert "Errors in 7 days 0" in text_of(page)
    assert "None in this time." in page
    assert numbers(page) == [1]


# Filters --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("type=Kind1Error", [1]),
        ("type=kind*", [0, 1, 2, 3, 4]),
        ("type=shop.errors.Kind2Error", [2]),
        ("module=shop.cart", [1, 3]),
        ("module=shop", [0, 1, 2, 3, 4]),
        ("component=batch", [3, 4]),
        ("level=critical", [0]),
        ("level=40", [0, 1, 2, 3, 4]),
        ("release=1.1", [1, 3]),
        ("environment=staging", []),
        ("text=ORDER+2", [2]),
        ("text=c3", [3]),
        ("since=26h", [0, 1]),
        ("until=2d", [2, 3, 4]),
        ("since=3d&until=1d&component=web", [1, 2]),
        ("status=muted", []),
        ("status=open&sort=count", [4, 3, 2, 1, 0]),
        ("sort=first", [0, 1, 2, 3, 4]),
    ],
)
def test_filters(five, query, expected):
    """What the command line's options find, the URL finds, in groups and in recent errors, and the form shows it."""
    page = get(five, f"/errors?{query}")
    assert numbers(page) == expected
    if "status" not in query:
        assert sorted(int(key[:16], 16) for key in listed(page, "recent")) == sorted(expected)
    found = Elements(page)
    chosen = {one["name"]: one.get("value", "") for one in found.named("input") if one.get("value")}
    for name, values in parse_qs(query).items():
        if name not in ("level", "status", "sort"):
            assert chosen[name] == values[0]
        else:
            assert {"value": values[0], "selected": None} in found.named("option")
    assert "aria-invalid" not in page


def test_statistics_are_of_what_was_asked_for(five):
    """Numbers by type are of what the filters leave."""
    assert "Errors in 7 days 6 " in text_of(get(five, "/errors?component=web"))


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("level", "loud", "'loud' is no level: write CRITICAL"),
        ("level", "9" * 5000, "is no level"),
        ("since", "yesterday", "'yesterday' is no time: write 2026-11-27"),
        ("until", "-7d", "is no time"),
        ("status", "shut", "'shut' is no status: write open, resolved, muted."),
        ("sort", "colour", "'colour' is no order: write last, first, count."),
        ("type", "x" * 5000, "It is longer than 1000 characters."),
    ],
)
def test_wrong_value(five, name, value, says):
    """A wrong value is said at its field in one sentence, and the rest is kept."""
    other = "release" if name != "release" else "component"
    page = get(five, f"/errors?{name}={value}&{other}=1.1")
    found = Elements(page)
    wrong = [one for tag in ("input", "select") for one in found.named(tag) if one.get("aria-invalid")]
    assert [one["name"] for one in wrong] == [name]
    sentence = re.search(rf'id="{wrong[0]["aria-describedby"]}">([^<]*)', page)[1]
    assert says in html.unescape(sentence)
    assert numbers(page) == [1, 3]


def test_until_before_since(five):
    """Of two times that exclude each other the second is refused."""
    page = get(five, "/errors?since=1d&until=2d")
    assert "Until must be after since." in page
    assert numbers(page) == [0]


def test_chips(five):
    """What was chosen can be taken back one by one."""
    page = get(five, "/errors?component=web&since=7d")
    assert '<a href="/errors?since=7d"><span class="unseen">Remove </span>component' in page


ASKED = (
    "type", "module", "component", "level", "release", "environment", "text", "since", "until", "status", "sort",
    "after", "older", "other",
)  # fmt: skip
VALUES = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["%", "*" * 900, "0", "\x00", "9999-12-31", "0001-01-01", "999999w", "\ud800", "9" * 400 + "~x"]),
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(asked=st.dictionaries(st.sampled_from(ASKED), VALUES))
def test_any_question(five, asked):
    """Whatever a URL asks for, there is a page, and nothing of the question becomes a part of it."""
    asked = {name: text.encode(errors="surrogatepass") for name, text in asked.items()}
    page = five.get("/errors", query_string=asked).get_data(as_text=True)
    found = Elements(page)
    assert {tag for tag, _ in found.all} <= TAGS
    assert all(one.get("src", "").startswith("/static/loghub/") for one in found.named("script"))


# Pages of lists -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Return a client of a home with 120 groups."""
    home = tmp_path_factory.mktemp("many")
    filled.groups(str(home), 120, hours_apart=0.25)
    with filled.pages(home) as app:
        yield app.test_client()


def walk(client, url, table):
    """Return the rows of each page of a list, by its links to the next."""
    pages = []
    while url:
        page = get(client, url)
        pages.append(listed(page, table))
        nav = page.partition(f'aria-label="Pages of {"groups" if table == "groups" else "recent errors"}"')[2]
        following = re.search(r'rel="next" href="([^"]+)"', nav.split("</nav")[0])
        url = html.unescape(following[1]) if following else None
    return pages


@pytest.mark.slow
@pytest.mark.parametrize("query", ["", "?sort=count", "?sort=first", "?component=batch", "?since=30d"])
@pytest.mark.parametrize("table", ["groups", "recent"])
def test_paging(many, query, table):
    """The links lead through the whole list, each row once."""
    pages = walk(many, f"/errors{query}", table)
    rows = [row for page in pages for row in page]
    assert [len(page) for page in pages] == ([50, 50, 17] if "component" in query else [50, 50, 20])
    assert len(rows) == len(set(rows))


def test_the_lists_go_on_apart(many):
    """Who pages in one list stays where he is in the other."""
    page = get(many)
    first = html.unescape(re.search(r'rel="next" href="([^"]+after=[^"]+)"', page)[1])
    second = get(many, first)
    older = html.unescape(re.search(r'rel="next" href="([^"]+older=[^"]+)"', second)[1])
    assert set(parse_qs(urlsplit(older).query)) == {"after", "older"}
    assert numbers(get(many, older)) == list(range(50, 100))


def test_another_question_begins_anew(many):
    """What changes the list leads to its beginning."""
    page = get(many, html.unescape(re.search(r'rel="next" href="([^"]+)"', get(many))[1]))
    assert not re.search(r'href="[^"]*sort=count[^"]*after', page)


def test_wrong_place(many):
    """A place that is none is said, and the list begins at its beginning."""
    page = get(many, "/errors?after=nonsense&older=%3Cb%3E")
    assert "&#39;nonsense&#39; is no place in a list" in page
    assert "&lt;b&gt;" in page
    assert numbers(page) == list(range(50))


# Live -----------------------------------------------------------------------------------------------------------


def test_live(tmp_path):
    """What is shown is sent again only after something has changed."""
    filled.groups(str(tmp_path), 1)
    client = client_of(tmp_path)
    page = get(client, "/errors?text=order")
    etag = re.search(r'data-etag="([^"]+)"', page)[1]
    asked = {"If-None-Match": f'"{etag}"'}
    same = client.get("/errors/live?text=order", headers=asked)
    assert (same.status_code, same.data) == (304, b"")
    now = time.time()
    filled.fold(str(tmp_path), (filled.event_of(0, now, 7), 4, now))
    fresh = client.get("/errors/live?text=order", headers=asked)
    assert fresh.status_code == 200
    assert '<div id="found" data-total="5">' in fresh.get_data(as_text=True)
    assert fresh.headers["ETag"] != f'"{etag}"'
    assert "<form" not in fresh.get_data(as_text=True)


def test_live_costs_nothing(tmp_path, monkeypatch):
    """While nothing changes, whoever looks on asks the ledger for nothing."""
    filled.groups(str(tmp_path), 1)
    client = create_app(str(tmp_path), no_login=True).test_client()
    monkeypatch.setattr("loghub.web.site.time.time", lambda: 1_790_000_000.0)
    get(client)
    asked = []
    real = SQLiteLedger.groups
    monkeypatch.setattr(SQLiteLedger, "groups", lambda *args: asked.append(args) or real(*args))
    get(client, "/errors/live")
    get(client, "/errors/live?sort=count")
    assert len(asked) == 1


def test_live_needs_the_login(tmp_path):
    """Who is not logged in sees nothing by this way either."""
    client = create_app(str(tmp_path), admin_password="a good one").test_client()
    assert client.get("/errors/live").status_code == 302


# Hostile errors -------------------------------------------------------------------------------------------------

TAGS = {
    "html", "head", "meta", "title", "link", "script", "body", "a", "header", "img", "nav", "main", "div", "h1", "h2",
    "span", "button", "p", "form", "label", "input", "details", "summary", "select", "option", "ul", "li", "section",
    "figure", "figcaption", "svg", "rect", "path", "table", "caption", "colgroup", "col", "thead", "tbody", "tr", "th",
    "td", "bdi", "data", "time", "footer", "ol", "code", "pre",
}  # fmt: skip
TEXTS = [
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "' onmouseover='alert(1)",
    "</bdi></td><svg/onload=1>", "{{ 7 * 7 }}", "{% raw %}", "]]><!--", "&lt;b&gt;", "javascript:alert(1)",
    "\u202egnirts", "تعذر الاتصال", "x" * 10_000, "\x00\x1b[31m", "\ud800", "a\nb\r\nc",
]  # fmt: skip
HOSTILE = st.one_of(st.text(min_size=1, max_size=60), st.sampled_from(TEXTS))
FIELDS = (
    "error_type", "error_message", "error_module", "module", "function", "component", "logger", "environment",
    "release", "level", "message",
)  # fmt: skip


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """Return a function that has one error happen, and returns the elements of the page of that alone."""
    home = str(tmp_path_factory.mktemp("one"))

    def look(said, info):
        now = time.time() - 1
        filled.fold(home, (filled.event_of(1, now, additional_info={info: info}, **said), 3, now))
        page = get(client)
        ledger = SQLiteLedger(f"{home}/ledger.db")
        assert ledger.purge([filled.fingerprint_of(1)]) == 1
        ledger.close()
        return Elements(page)

    with filled.pages(home) as app:
        client = app.test_client()
        yield look


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(said=st.fixed_dictionaries(dict.fromkeys(FIELDS, HOSTILE)), info=HOSTILE)
def test_hostile_errors(seen, said, info):
    """Whatever stands in an error, the page has the same elements as for a harmless one."""
    found = seen(said, info)
    assert {tag for tag, _ in found.all} <= TAGS
    assert all(one["href"].startswith(("/", "#")) for one in found.named("a"))
    # Only a level that is known is shown.
    harmless = seen(dict.fromkeys(FIELDS, "harmless") | {"level": said["level"]}, "harmless")
    assert found.shape() == harmless.shape()


@pytest.mark.parametrize(
    "odd", [{"timestamp": 1e308}, {"timestamp": None}, {"level": ["ERROR"]}, {"level": {}}, {"id": "\ud800"}], ids=repr
)
def test_odd_events(tmp_path, odd):
    """An event that `before_send` or another program has changed is listed all the same."""
    now = time.time()
    filled.fold(tmp_path, (filled.event_of(1, now - 60), 1, now - 60))
    with filled.pages(tmp_path) as app, contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as ledger:
        data = json.dumps(filled.event_of(1, now - 60) | odd)
        with ledger:
            ledger.execute("UPDATE events SET data = ?", [data])
        page = app.test_client().get("/errors")
        assert page.status_code == 200
        assert "order 1 lost" in page.text.partition('id="recent"')[2]
