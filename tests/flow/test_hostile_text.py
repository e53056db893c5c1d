"""Text from an attacker, all the way: from a logging call to an issue that GitHub takes and that does no harm.

What stands in the issue is rendered as GitHub renders it; outside of code there may be nothing that mentions, closes,
refers or links, but for loghub's own permalinks.
"""

from __future__ import annotations

import itertools
import linecache
import logging
import re
import socket
import sys
import types

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from loghub import EventFilter, GitHubIssueHandler
from loghub.delivery import deliverer
from loghub.github.block import read_state
from loghub.github.client import GitHubClient
from tests.clock import Clock
from tests.fakes.github import FakeGitHub
from tests.github.rendered import FRAGMENTS, LIVE, OURS, Page, hostile, hostile_json

REPO = "example/app"
COMMIT = "c0ffee" * 6 + "c0de"
TITLE = "{type}: {component} {message} {module} {function} {culprit} {environment} {level}"

PAYLOADS = {
    "fences": "```\n@octocat\n```` ~~~\n~~~~python\n</pre></code>`` @org/team ` ``",
    "html": "<!-- --> --!> <script>x</script> <img src=//e.example/i.png> <a href=/x>a</a> <details> &lt; &#64;octocat",
    "mentions": f"@octocat, (@org/team) /@octocat a@octocat.example user@{'a' * 40}",
    "closing": "fixes #1, closes GH-2, resolves owner/repo#3; Duplicate of #4\n\nCloses: #5\nfixes: owner/repo#6",
    "links": "https://e.example www.e.example [a](http://e.example) ![i](//e.example) <http://e.example> [^1]\n[^1]: x",
    "addresses": f"https://github.com/owner/repo/issues/3 https://github.com/o/r/blob/{'b' * 40}/a.py#L1",
    "commits": f"{'deadbeef' * 5} 1234567 o/r@{'c' * 40}",
    "markers": "<!-- loghub:end -->\n<!-- loghub:begin -->\n<!-- loghub:state {} -->\n<!-- loghub:comment {} -->",
    "blocks": "\n\n# h\n> q\n- [ ] t\n1. x\n| a | b |\n| - | - |\n***\n\tcode\n    code\nx\n===\n$$x$$ $`x`$ :+1:",
    "control": "\x00\x01\x07\b\x1b[31m\x1b]8;;http://e.example\x07x\x7f\x80\x9f\r\x0b\x0c\x85\u2028\u2029 \r\n",
    "bidi": "\u202etxt.exe\u202c \u2066\u2067\u2068\u2069 \u200e\u200f\u061c \u05d0\u0627",
    "zero width": "@\u200boct\u200ccat #\u200d1 \u2060\ufeff\u00ad\u034f\u3164\u115f\U000e0041 @\ufe0fx",
    "surrogates": "\ud800 \udc00\ud83c \udf08 \U0001f308",
    "backticks": f"{'`' * 90} @octocat fixes #1 https://e.example",  # longer than what cmark takes for code: 80
    "backslashes": "\\` \\@octocat \\#1 \\\\` \\",
    "braces": "{type} {message} {0} {} %s %(x)s ${x} {{x}}",
}
PAYLOADS = {name: f"Sencha {payload}" for name, payload in PAYLOADS.items()}


class Desk:
    """The real handler at the stand-in, in a time of its own; rounds are gone by hand."""

    def __init__(self, fake: FakeGitHub, folder) -> None:
        self.clock = fake.clock = Clock(1_800_000_000.0)
        self.fake = fake
        given = {"repo": REPO, "token": fake.token, "api_url": fake.url, "issues_per_hour": 1_000_000, "title": TITLE}
        self.handler = GitHubIssueHandler(**given, home=str(folder))
        self.handler._client = GitHubClient(
            REPO, self.handler.token, fake.url, timeout=(5, 10), clock=self.clock, sleep=self.clock.sleep
        )
        self.handler.home.now = self.clock

    def log(self, error=None, *, run=None, name="shop", text="failed", args=(), times=1, said=None, **more) -> None:
        """Log an error, raised in `run` or as it is; `said` are options of the EventFilter."""
        try:
            run() if run else None
            raise error or ValueError("tea")
        except Exception as caught:
            error = caught
        self.handler.filters[:] = []
        self.handler.addFilter(EventFilter(**{"release": "1.0"} | (said or {})))
        log = logging.Logger(name)  # noqa: LOG001 - one that no other test sees
        log.addHandler(self.handler)
        for _ in range(times):
            log.error(text, *args, exc_info=error, **more)

    def tell(self) -> None:
        """Deliver all that waits."""
        for _ in range(3):
            self.clock.now += 4000.0
            if self.handler.home.round(closing=True, everything=True):
                return
        raise AssertionError(self.handler.home.ledger().outbox())

    def issue(self) -> dict:
        """Return the newest issue."""
        return self.fake.issues(REPO)[-1]


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """Yield a desk; in the end nothing was sent that GitHub would not take."""
    monkeypatch.setattr(deliverer, "by_hand", True)
    with FakeGitHub(REPO) as fake:
        made = Desk(fake, tmp_path / "home")
        yield made
        made.handler.close()
        assert fake.violations == []


def assert_title_is_dead(title):
    """Assert that a title is one readable line that refers to nothing."""
    assert 0 < len(title) <= 256
    assert not re.search(r"@\w|#\d|GH-\d|://|www\.\w|\b[0-9a-f]{7,}\b", title, re.IGNORECASE)
    assert all(char.isprintable() or char == "\u3000" for char in title)


def assert_dead(markdown, comments, links=()):
    """Assert that a text shows payloads as nothing but code, and return its page; `links` may stand in it."""
    page = Page(markdown)
    assert set(page.tags) - OURS - ({"a"} if links else set()) == set()
    assert set(page.links) <= set(links)
    live = "".join(text for text in page.live if text not in links)
    assert LIVE.search(live) is None
    assert [comment.partition(" ")[0] for comment in page.comments] == comments
    return page


def assert_issue_is_dead(issue, count, links=()):
    """Assert that an issue is what loghub writes, says how often the bug was seen, and does no harm."""
    assert_title_is_dead(issue["title"])
    body = issue["body"]
    assert body.startswith("## Automated Error Report\n\n**Error Type:** `")
    assert read_state(body).count == count
    assert len(body) <= 65_536
    return assert_dead(body, ["loghub:begin", "loghub:state", "loghub:seen", "loghub:end"], links)


# Errors into which a payload is built


def fail():
    """Raise what the globals say, which each copy of this function has for itself."""
    raise error  # noqa: F821


def raiser(payload, error):
    """Return a function whose name, file and source line are the payload, and which raises `error`."""
    code = fail.__code__.replace(co_name=payload, co_qualname=payload, co_filename=payload)
    linecache.cache[payload] = (len(payload), None, [payload] * (code.co_firstlineno + 5), payload)
    return types.FunctionType(code, {"error": error})


def of_class(payload):
    """Return an error whose class has the payload as its name and module."""
    name = payload.replace("\0", "").encode(errors="ignore").decode()  # Python wants no more of a class's name
    return type(name, (Exception,), {"__module__": payload})("tea")


def with_note(payload):
    """Return an error with the payload as a note."""
    error = ValueError("tea")
    error.add_note(payload)
    return error


def with_causes(payload):
    """Return an error with a cause and a context that say the payload."""
    error = ValueError("tea")
    error.__cause__ = RuntimeError(payload)
    error.__cause__.__context__ = OSError(payload, payload, payload)
    return error


def group(payload):
    """Return a group in a group, all of them saying the payload."""
    return ExceptionGroup(payload, [ValueError(payload), ExceptionGroup("two", [KeyError(payload)])])


PLACES = {
    "message": lambda text: {"text": text},
    "argument": lambda text: {"text": "failed: %s", "args": (text,)},
    "error": lambda text: {"error": ValueError(text)},
    "repr": lambda text: {"error": KeyError(text, text)},
    "names": lambda text: {"run": raiser(text, ValueError("tea"))},
    "class": lambda text: {"error": of_class(text)},
    "note": lambda text: {"error": with_note(text)},
    "causes": lambda text: {"error": with_causes(text)},
    "group": lambda text: {"error": group(text)},
    "syntax": lambda text: {"error": SyntaxError(text, (text, 1, 1, text))},
    "extra": lambda text: {"extra": {text: text, "order": {text: [text, {text: text}]}}},
    "component": lambda text: {"extra": {"component": text}},
    "fingerprint": lambda text: {"extra": {"fingerprint": [text, "{{ default }}"]}},
    "logger": lambda text: {"name": text},
    "release": lambda text: {"said": {"release": text}},
    "environment": lambda text: {"said": {"environment": text, "component": text}},
}
UNSEEN = {"fingerprint"}
"""Where a payload is not shown."""


@pytest.mark.parametrize("payload", ["fences", "html", "mentions", "closing", "links", "addresses", "commits", "bidi"])
def test_the_scanner(payload):
    """What finds no harm in the issues finds it in the payloads as they are."""
    with pytest.raises(AssertionError):
        assert_dead(PAYLOADS[payload], [])


@pytest.mark.slow
@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("place", PLACES)
def test_payload(desk, place, payload):
    """Wherever a payload stands in an error, the issue is taken and shows it as code, and so are its comments."""
    desk.log(times=9, **PLACES[place](PAYLOADS[payload]))
    desk.tell()
    desk.log(times=2, **PLACES[place](PAYLOADS[payload]))
    desk.tell()
    desk.fake.edit(REPO, 1, state="closed", state_reason="completed", closed_at=0.0)
    desk.log(**PLACES[place](PAYLOADS[payload]))
    desk.tell()

    page = assert_issue_is_dead(desk.issue(), 12)
    assert place in UNSEEN or "Sencha" in "".join(page.code)
    comments = desk.fake.comments(REPO, 1)
    assert len(comments) >= 2
    for comment in comments:
        assert_dead(comment["body"], ["loghub:comment"])


@pytest.mark.parametrize("payload", PAYLOADS)
def test_host(desk, monkeypatch, payload):
    """The name of the host may be anything."""
    monkeypatch.setattr(socket, "gethostname", lambda: PAYLOADS[payload])
    desk.log()
    desk.tell()

    page = assert_issue_is_dead(desk.issue(), 1)
    assert "Sencha" in "".join(page.code)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_only_permalinks_are_links(desk, tmp_path, monkeypatch, payload):
    """With a commit as the release the frames are linked, and nothing else is."""
    file = tmp_path / "app" / "shop.py"
    file.parent.mkdir()
    file.write_text("def start(run):\n    run()\n")
    monkeypatch.chdir(file.parent)
    names = {}
    exec(compile(file.read_text(), str(file), "exec"), names)
    run = raiser(PAYLOADS[payload], ValueError("tea"))
    desk.log(run=lambda: names["start"](run), text=PAYLOADS[payload], said={"release": COMMIT})
    desk.tell()

    link = f"{desk.handler.web_url}/{REPO}/blob/{COMMIT}/shop.py#L2"
    assert f"\n\n{link}\n\n" in desk.issue()["body"]
    assert_issue_is_dead(desk.issue(), 1, [link])


# Sizes


@pytest.mark.shows("hostile input", "bounded")
@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fill", ["x", "Sencha ", "`", "```\n", "\n", "\U0001f308", "\u202e", "@octocat #1 ", "<b>"])
def test_a_megabyte(desk, place, fill):
    """A megabyte of anything, anywhere, is cut to an issue that GitHub takes and people can read."""
    desk.log(times=10, **PLACES[place]("Sencha" + fill * ((1 << 20) // len(fill))))
    desk.tell()

    page = assert_issue_is_dead(desk.issue(), 10)
    assert "### Traceback" in desk.issue()["body"]
    assert place in UNSEEN or "Sencha" in "".join(page.code)


@pytest.mark.parametrize("frames", [900, 5000])
def test_deep_recursion(desk, frames):
    """Of thousands of frames the innermost ones and the message stay."""

    def down(left):
        if left == 0:
            raise RecursionError("@octocat is at the bottom, fixes #1")
        down(left - 1)

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(frames + 1000)
    try:
        desk.log(run=lambda: down(frames))
    finally:
        sys.setrecursionlimit(limit)
    desk.tell()

    page = assert_issue_is_dead(desk.issue(), 1)
    shown = "".join(page.code)
    assert "RecursionError: @octocat is at the bottom" in shown
    assert ", in down" in shown


def test_endless_recursion(desk):
    """A recursion that Python ended is an issue like any other."""

    def endless(number):
        return endless(number + 1)

    desk.log(run=lambda: endless(0))
    desk.tell()

    assert_issue_is_dead(desk.issue(), 1)


def test_wide_group(desk):
    """A group of a thousand members, each with notes and causes, is an issue that GitHub takes."""
    members = []
    for number in range(1000):
        member = ValueError(f"@octocat fixes #{number}")
        member.add_note("```\n" * 10)
        member.__cause__ = KeyError("<!-- -->" * 10)
        members.append(member)
    desk.log(error=ExceptionGroup("many", members))
    desk.tell()

    assert_issue_is_dead(desk.issue(), 1)


# The whole way, with anything

lines = st.lists(st.sampled_from([*FRAGMENTS, *PAYLOADS.values()]) | st.text(max_size=5), max_size=6).map("".join)
given_options = st.fixed_dictionaries(dict.fromkeys(["release", "environment"], lines.filter(str.strip)))
kinds = st.sampled_from([ValueError, KeyError, OSError, RuntimeError, ZeroDivisionError])


@st.composite
def errors(draw, depth=2):
    """Return errors with any text, notes, causes and members."""
    text = draw(lines)
    error = draw(kinds)(text)
    if depth and draw(st.booleans()):
        error = ExceptionGroup(text, draw(st.lists(errors(depth=depth - 1), min_size=1, max_size=2)))
    if depth and draw(st.booleans()):
        error.__cause__ = draw(errors(depth=depth - 1))
    for note in draw(st.lists(lines, max_size=2)):
        error.add_note(note)
    return error


reserved = {"message", "asctime", "component", "fingerprint", *logging.makeLogRecord({}).__dict__}
extras = st.dictionaries(hostile.filter(lambda key: key not in reserved), hostile_json, max_size=3)
numbers = itertools.count()


@pytest.mark.shows("hostile input", "nothing lost")
@pytest.mark.slow
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # each example takes a while: no smaller one is looked for
)
@given(errors(), st.tuples(lines, lines, lines, lines), given_options, extras)
def test_the_whole_way(desk, error, texts, said, extra):
    """Whatever stands in a record: the issue that comes of it is taken, readable and harmless."""
    name, message, function, component = texts
    desk.log(
        run=raiser(function, error),
        name=name,
        text=message,
        extra=extra | {"component": component, "fingerprint": f"bug {next(numbers)}"},
        said=said,
    )
    desk.tell()

    assert_issue_is_dead(desk.issue(), 1)
