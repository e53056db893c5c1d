"""/errors/<filename>: one error with all that is known of it, whatever it is like and wherever it came from."""

from __future__ import annotations

import json
import re
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loghub.handlers.detailfile import JSONDetailHandler
from loghub.web.error import in_full
from loghub.web.shown import filename
from loghub.web.stack import MAX_FRAMES
from loghub.web.template import render as render_page
from loghub.web.whole import whole
from tests import shop
from tests.web.logged import logged, texts


@pytest.fixture
def app(tmp_path):
    """Return an application that can log errors, and its pages."""
    with logged(tmp_path) as made:
        yield made


def page(app, name=None, query=""):
    """Return the page of the newest error, or of a name."""
    answer = app.client("viewer").get(f"/errors/{name or app.filenames()[-1]}{query}")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer


def test_whole(app):
    """Type, message, place, stack with code and locals, cause, breadcrumbs, context and all facts are there."""
    app.log.warning("trying %s again", "visa")
    app.fail(shop.charged_in_a_chain, customer={"name": "Ada", "tags": ["vip"]}, empty={})
    said = texts(page(app))
    for part in (
        "tests.shop.CardError", "no card", "tests.shop in charged_in_a_chain", 'raise CardError("no card") from error',
        "caused by KeyError", "'card'", "WARNING shop.orders trying visa again", "customer 2", "name Ada", "0 vip",
        "logged: order 7 failed", "template order %d failed", "component shop", "release 2.4.0", "environment staging",
        "python_version", "platform python", "mechanism logging", "message order 7 failed", "number 7",
    ):  # fmt: skip
        assert part in said


def test_library_frames_are_folded(app):
    """Frames of the application are unfolded, those of libraries folded, and the innermost stands first."""
    app.fail(lambda: json.loads("{"))
    found = page(app).get_data(as_text=True)
    assert re.findall(r'<details class="run (\w+)"( open)?>', found) == [("library", ""), ("app", " open")]
    assert found.index("decoder.py") < found.index("test_error_page.py")
    assert found.count(">culprit<") == 1


def test_group_of_exceptions(app):
    """Each member of an exception group has its own stack and causes."""
    app.fail(shop.charged_in_a_group)
    said = texts(page(app))
    assert "1 of 2 tests.shop.CardError declined: 51" in said
    assert re.search(r"2 of 2 tests\.shop\.CardError no card .* caused by KeyError", said)


def test_notes(app):
    """What was added to an exception is shown, line by line."""

    def fail():
        error = ValueError("wrong")
        error.add_note("first\nsecond")
        raise error

    app.fail(fail)
    assert "<li>first\nsecond</li>" in page(app).get_data(as_text=True)


def test_without_exception(app):
    """A plain message has no stack, and its page says what was said."""
    app.log.error("disk is %d%% full", 91)
    said = texts(page(app))
    assert "What was said" in said
    assert "disk is 91% full" in said
    assert "culprit" not in said


def test_request(app):
    """What is known of the web request stands by itself; a request of the application's own stays in the context."""
    app.fail(request={"method": "GET", "path": "/pay?card", "status": 500})
    assert "Request method GET path /pay?card status 500" in texts(page(app))
    app.fail(request={"method": "GET", "shelf": "none"})
    assert "Context request 2 method GET shelf none" in texts(page(app))


def test_neighbours(app):
    """One gets to the newer and the older errors of the group, and to the group."""
    for number in range(3):
        app.fail(number=number)
    app.fail(shop.charged_in_a_group)  # of another group
    names = [filename(event) for event in app.ledger().events(9) if event["error_type"] == "CardError"]
    client = app.client("viewer")
    links = [re.findall(r'rel="(\w+)" href="/errors/([^"]+)"', client.get(f"/errors/{name}").text) for name in names]
    newest, middle, oldest = names
    assert links == [[("prev", middle)], [("next", newest), ("prev", oldest)], [("next", middle)]]
    group = next(one for one in app.ledger().groups() if one.error_type == "CardError")
    assert f'href="/groups/{group.fingerprint}">Seen 3 times<' in page(app, middle).text


@pytest.mark.parametrize(
    "name",
    [
        "error_20260102_030405_KeyError_00000000.json",
        "error_99999999_999999_KeyError_00000000.json",
        "..%2Ferror_20260102_030405_Alien_0123abcd.json",
        "..%2F..%2Fetc%2Fpasswd",
        "error_20260102_030405_Alien_0123abcd.json%00.txt",
        "error_20260102_030405_Alien_0123abcd.json%0a",
        "error_20260102_030405_Ali%C3%A9n_0123abcd.json",
        "x.json",
        "%ED%A0%80",
    ],
)
def test_no_such_name(app, tmp_path, name):
    """Only names of seed B's pattern lead to a file, and none leads out of the folder."""
    app.fail()
    app.put()
    (tmp_path / "error_20260102_030405_KeyError_00000000.json").write_text('{"error_type": "Outside"}')
    for path in (f"/errors/{name}", f"/errors/{name}/json", f"/errors/{name}/markdown"):
        assert app.client("viewer").get(path).status_code == 404


def test_without_detail_file(app):
    """An error whose file is gone is shown from the ledger, and one that the ledger never had from its file."""
    app.fail()
    (name,) = app.filenames()
    (app.details / name).unlink()
    assert "no card" in texts(page(app, name))
    assert "from afar" in texts(page(app, app.put(error_message="from afar")))


def test_several_folders(tmp_path):
    """Files of all handlers are found; the first folder that has the name counts."""
    other = JSONDetailHandler(tmp_path / "other", home=str(tmp_path / "home"))
    with logged(tmp_path, [other]) as app:
        name = "error_20260102_030405_Alien_0123abcd.json"
        (tmp_path / "other" / name).write_text('{"error_type": "Alien", "error_message": "second"}')
        assert "second" in texts(page(app, name))
        app.put(name, error_message="first")
        assert "first" in texts(page(app, name))


IDS = {"CardError": "abcdef01" + "0" * 24, "ExceptionGroup": "abcdef01" + "1" * 24, "KeyError": "batch-7/of 9"}


def test_file_of_others(app):
    """A file whose name somebody else chose is saved from its page under that name."""
    name = "error_20261128_100000_KeyError.json"
    (app.details / name).write_text('{"error_type": "KeyError", "error_message": "order"}')
    client = app.client()
    saved = re.findall(r'href="([^"]+)" download', client.get(f"/errors/{name}").text)
    assert saved == [f"/errors/{name}/markdown", f"/errors/{name}/json"]
    assert [client.get(one).status_code for one in saved] == [200, 200]


def test_ids_that_begin_alike(tmp_path):
    """Errors whose ids begin alike each have their own page; so has one whose id is no number."""
    with logged(tmp_path, before_send=lambda event: {**event, "id": IDS[event["error_type"]]}) as app:
        for act in (shop.charged_in_a_chain, shop.charged_in_a_group, lambda: {}["key"]):
            app.fail(act)
        names = {event["error_type"]: filename(event) for event in app.ledger().events(9)}
        for kind, name in names.items():
            (app.details / name).unlink()
            assert f"id {IDS[kind]}" in texts(page(app, name))
        assert names["KeyError"].endswith("_KeyError_batch_7_.json")


def test_javascript(app):
    """An error of a browser shows files, columns and functions; its culprit is the innermost frame of its own."""
    frames = [
        {"file": "https://shop.example/vendor.js", "function": "t.dispatch", "line": 1, "column": 88213},
        {"file": "https://shop.example/app.js", "function": "addToCart", "line": 120, "column": 17, "in_app": True},
    ]
    said = texts(page(app, app.put(platform="javascript", error_message="x is undefined", frames=frames)))
    assert "https://shop.example/app.js:120:17 in addToCart culprit" in said
    assert "1 library frame vendor.js" in said
    assert "Alien x is undefined https://shop.example/app.js:120:17 in addToCart" in said


def test_native(app):
    """A stack without frames of the application is unfolded: there is nothing nearer."""
    frames = [{"file": "libc.so.6", "function": "abort", "in_app": False}, {"function": "raise", "in_app": False}]
    found = page(app, app.put(platform="native", frames=frames))
    assert '<details class="run library" open>' in found.text
    assert "(unknown file) in raise libc.so.6 in abort" in texts(found)


def test_hardly_anything(app):
    """A file with nothing but a type is shown, and so is one in which every key has a wrong type."""
    assert "Alien" in texts(page(app, app.put()))
    wrong = dict.fromkeys(("error_message", "frames", "causes", "breadcrumbs", "system", "args", "line"), 7)
    wrong |= {"additional_info": "text", "strange": {"deep": None}, "notes": "note"}
    said = texts(page(app, app.put(**wrong)))
    assert "Other keys" in said
    assert "deep null" in said


def test_json(app):
    """The JSON is shown and can be saved: it is the event."""
    app.fail(customer="Zoë")
    (name,) = app.filenames()
    assert '"customer": "Zoë"' in texts(page(app))
    saved = app.client("viewer").get(f"/errors/{name}/json")
    assert json.loads(saved.data) == json.loads((app.details / name).read_bytes())
    assert saved.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert saved.mimetype == "application/json"


def test_markdown(app):
    """The Markdown is what the issue says, without the block that is loghub's."""
    app.fail(customer="Ada")
    (name,) = app.filenames()
    saved = app.client("viewer").get(f"/errors/{name}/markdown").get_data(as_text=True)
    for part in ("## Automated Error Report", "**Error Type:** `CardError`", "### Traceback", "### Additional Context"):
        assert part in saved
    assert "loghub:" not in saved
    assert " ".join(saved.split()) in texts(page(app))


def test_who_may_see(app):
    """Who is not logged in is sent to the login."""
    app.fail()
    (name,) = app.filenames()
    for path in (f"/errors/{name}", f"/errors/{name}/json", f"/errors/{name}/markdown"):
        answer = app.client(None).get(path)
        assert (answer.status_code, answer.location) == (302, f"/login?next={path}")


# Hostile and huge -------------------------------------------------------------------------------------------------

NASTY = [
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "' onmouseover='alert(1)", "javascript:alert(1)",
    "</pre></code></textarea><svg onload=alert(1)>", "{{ 7*7 }}{% raw %}", "\u202egnp.exe\u2066", "a\0b", "\ud800",
    "\x1b[31mred", "\u200b\u2028\ufeff", "```\n<b>", "-->", "%00%0d%0a", "&lt;b&gt;", "\r\nSet-Cookie: a=b",
]  # fmt: skip
TEXTS = st.one_of(st.sampled_from(NASTY), st.text(max_size=20))
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
FRAMES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "file": TEXTS, "function": TEXTS, "module": TEXTS, "code": TEXTS, "line": VALUES, "column": VALUES,
            "in_app": VALUES, "locals": st.dictionaries(TEXTS, VALUES, max_size=3) | VALUES,
        },
    ) | VALUES,
    max_size=4,
)  # fmt: skip
PARTS = st.fixed_dictionaries(
    {}, optional={"error_type": TEXTS, "error_message": TEXTS, "frames": FRAMES, "notes": VALUES, "relation": TEXTS}
)
NAMES = (
    "timestamp", "error_type", "error_message", "module", "function", "traceback", "id", "fingerprint", "error_module",
    "level", "logger", "message", "template", "args", "component", "environment", "release", "server", "process",
    "thread", "task", "platform", "mechanism", "notes", "system", "additional_info", "custom_fingerprint",
)  # fmt: skip
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(NAMES, TEXTS | VALUES),
        "frames": FRAMES,
        "causes": st.lists(PARTS, max_size=2) | VALUES,
        "exceptions": st.lists(PARTS, max_size=2) | VALUES,
        "breadcrumbs": st.lists(st.dictionaries(TEXTS, VALUES, max_size=3) | VALUES, max_size=3) | VALUES,
        "strange": VALUES,
    },
)
TAGS = {
    "html", "head", "meta", "title", "link", "body", "a", "header", "nav", "main", "form", "input", "button", "span",
    "p", "h1", "h2", "h3", "section", "details", "summary", "pre", "code", "ol", "ul", "li", "dl", "div", "dt", "dd",
    "time", "strong", "script", "img", "footer",
    "svg", "g", "rect", "select", "option", "label",
}  # fmt: skip


class Reading(HTMLParser):
    """Notes what of a page a browser would act on."""

    def __init__(self):
        super().__init__()
        self.tags, self.addresses, self.handlers = set(), [], []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            if name in ("href", "src", "action", "formaction"):
                self.addresses.append(value)
            if name.startswith("on") or name in ("style", "srcdoc"):
                self.handlers.append((name, value))


def is_harmless(html):
    """Check that a page has only our elements, leads only to our own pages, and hides no character."""
    html.encode()
    found = Reading()
    found.feed(html)
    assert found.tags <= TAGS
    assert found.handlers == []
    assert all(one.startswith(("/", "#main")) for one in found.addresses)
    assert (html.count("<script"), html.count("<img")) == (2, 1)
    assert [
        char for char in html if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl") and char not in "\n\t"
    ] == []


@pytest.fixture(scope="module")
def renderer(tmp_path_factory):
    """Return a function that renders the page of any event."""
    with logged(tmp_path_factory.mktemp("app")) as made:

        def render(event):
            with made.app.test_request_context("/"):
                return render_page("loghub/error.html", **in_full(event, None), newer=None, older=None)

        yield render


@pytest.mark.slow
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(EVENTS)
def test_hostile(renderer, event):
    """Whatever stands in any field or key of an event, its page is whole and nothing of it is live or invisible."""
    is_harmless(renderer(event))


@pytest.mark.slow
@pytest.mark.parametrize("nasty", NASTY)
def test_hostile_from_logging(app, nasty):
    """What an application really logs ends as text, too, in every place to which it comes."""

    def fail():
        error = ValueError(nasty)
        error.add_note(nasty)
        raise error

    app.log.warning(nasty)
    app.fail(fail, message=nasty.replace("%", "%%") + "%d", **{"key " + nasty: {nasty: [nasty]}, "component": nasty})
    is_harmless(page(app).get_data(as_text=True))
    is_harmless(app.client("viewer").get(f"/groups/{app.ledger().groups()[0].fingerprint}").text)


def nested(depth):
    """Return a dict that holds a dict that holds ..."""
    value = {"end": 1}
    for _ in range(depth):
        value = {"in": value}
    return value


def huge():
    """Return an event of several megabytes."""
    frame = {"file": "/srv/app.py", "function": "walk", "line": 7, "code": "x" * 900, "in_app": True}
    full = {**frame, "locals": {f"name {n}": "l" * 2_000 for n in range(70)}}
    notes = ["n" * 9_000] * 50
    return {
        "error_type": "Alien",
        "error_message": "m" * 1_000_000,
        "traceback": "t" * 1_000_000,
        "frames": [*[full] * 20, *[frame] * 2_000, *[full] * 20],
        "additional_info": {f"key {number}": "v" * 50 for number in range(30_000)},
        "causes": [{"error_type": "Cause", "frames": [full], "notes": notes}] * 100,
        "breadcrumbs": [{"message": "c" * 3_000}] * 500,
        "system": nested(200),
        "notes": notes,
        "strange": {"wide": [[0] * 1_000] * 300},
    }


@pytest.mark.slow
def test_huge(renderer):
    """The page of a huge event is bounded, and says what it leaves out."""
    found = renderer(huge())
    assert len(json.dumps(huge())) > 10_000_000
    assert len(found) < 3_000_000
    for part in (
        "29,900 more values are in the JSON", "nested deeper", "400 older ones are in the JSON",
        "41 more exceptions are in the JSON", "1,940 frames in the middle", "20 more are in the JSON",
        "characters cut here",
    ):  # fmt: skip
        assert part in found


def test_huge_file(app):
    """So is that of a huge file."""
    said = huge()
    said["causes"] = said["causes"][:3]
    name = app.put(**said)
    assert (app.details / name).stat().st_size > 5_000_000
    assert len(page(app, name).data) < 3_000_000


def test_recursion_is_cut():
    """Of a stack that is too long both ends are kept, the inner one more of it."""
    frames = [{"file": "a.py", "line": number, "in_app": True} for number in range(1, 1001)]
    found = whole({"error_type": "RecursionError", "frames": frames})
    lines = [line.place for line in found.error.runs[0].lines]
    assert (lines[0], lines[-1], len(lines), found.error.left) == ("a.py:1000", "a.py:1", MAX_FRAMES, 900)


def test_recursion(app):
    """Of the frames of a recursion one is seen and the others are folded behind it; the way into it stays in sight."""

    def deeper(left):
        return deeper(left - 1) if left else {}["end"]

    app.fail(lambda: deeper(40))
    page = app.client().get(f"/errors/{app.filenames()[-1]}").text
    seen = re.sub(r"(?s)<details><summary>\d+ more frames at this very line.*?</ol></details></li>", "", page)
    assert "39 more frames at this very line" in page
    assert page.count("left - 1) if left") - seen.count("left - 1) if left") >= 39
    assert all(one in seen for one in ("culprit", "app.fail(lambda: deeper(40))", "act()"))
