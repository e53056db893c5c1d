"""Markdown as GitHub would show it, and the payloads that try to be live in it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import cmarkgfm
from cmarkgfm.cmark import Options
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from loghub.github.block import BEGIN, END, State, write_state
from loghub.ledger.protocol import Group

FINGERPRINT = "v1:0123456789abcdef"
AT = 1_762_417_421.206  # 2025-11-06T08:23:41.206Z
TRACEBACK = """\
Traceback (most recent call last):
  File "a.py", line 1, in x
    boom()
ValueError: no
"""
STATE = State(FINGERPRINT, {"one": 1200, "two": 4}, AT - 86_400, AT)


def a_group(**changed):
    """Return a group like many."""
    known = {
        "fingerprint": FINGERPRINT,
        "error_type": "ValueError",
        "error_module": "builtins",
        "error_message": "missing required field 'model_id'",
        "component": "mcp-server",
        "culprit": "shop.cart in Cart.add",
        "level": "ERROR",
        "logger": "shop",
        "count": 1204,
        "first_seen_at": AT - 86_400,
        "last_seen_at": AT,
    }
    return Group(**{**known, **changed})


def an_event(**changed):
    """Return an event like many."""
    known = {
        "timestamp": "2025-11-06T08:23:41.206Z",
        "error_type": "ValueError",
        "error_message": "missing required field 'model_id'",
        "module": "shop.cart",
        "function": "Cart.add",
        "traceback": TRACEBACK,
        "component": "mcp-server",
        "level": "ERROR",
        "message": "missing required field 'model_id'",
        "platform": "python",
    }
    return {**known, **changed}


def units(text):
    """Return the length as a reader in UTF-16 counts it."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


class Page(HTMLParser):
    """What a browser would see: text outside of code, tags, comments, links."""

    def __init__(self, markdown):
        super().__init__()
        self.live, self.code, self.tags, self.comments, self.links = [], [], [], [], []
        self.depth = 0
        self.html = cmarkgfm.github_flavored_markdown_to_html(
            markdown, Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_HARDBREAKS | Options.CMARK_OPT_FOOTNOTES
        )
        self.feed(self.html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.depth += tag in {"code", "pre"}
        self.links += [value for name, value in attrs if name in {"href", "src"}]

    def handle_endtag(self, tag):
        self.depth -= tag in {"code", "pre"}

    def handle_data(self, data):
        (self.code if self.depth else self.live).append(data)

    def handle_comment(self, data):
        self.comments.append(data.strip())


OURS = {"h2", "h3", "p", "br", "strong", "code", "pre", "table", "thead", "tbody", "tr", "th", "td"}
LIVE = re.compile(
    r"@\w|#\d|GH-\d|://|www\."  # a closing keyword does nothing without one of these
    r"|\b(?=[0-9a-f]*\d)[0-9a-f]{7,}\b|[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\x00-\x08\x0b-\x1f\x7f-\x9f]",
    re.IGNORECASE,
)

# What could do harm, and what could help it out of where it stands.
WORDS = """
    @octocat @org/team #12 GH-12 o/r#12 o/r@cccccccccccccccccccccccccccccccccccccccc
    deadbeefdeadbeefdeadbeefdeadbeefdeadbeef 1234567 https://evil.example/x www.evil.example a@evil.example
    [a](https://e.example) ![i](https://e.example/i.png) <https://e.example> [^1] [x]: [^1]: https://e.example
    <a <details> <summary> <!-- --> --!> <script> </pre> <pre> <img <? ]]> &lt; &#64;octocat $x$ $`x`$ ** __ *
    ` `` ``` ```` ~~~ ````python \\` \\ | || --- === # [ ] > word é 日本 … [... <!--loghub:begin-->
"""
FRAGMENTS = [*WORDS.split(), "closes #12", "Fixes: GH-7", "Duplicate of #3", "<a href=x>", "<img src=x>"]
FRAGMENTS += [BEGIN, END, "<!-- loghub:state {} -->", write_state(STATE), "| --- |", "- [ ] t"]
FRAGMENTS += ["\n", "\n\n", "\r", "\r\n", "\t", " ", "    ", "\u2028", "\x0b", "\x0c", "\x1c", "\x85", "\x00"]
FRAGMENTS += [
    "\x1b[31m",
    "\x7f",
    "\u202e",
    "\u2066",
    "\u200b",
    "\u200d",
    "\ufeff",
    "\u00ad",
    "\u3164",
    "\ud800",
]
FRAGMENTS += ["\udc00", "\U0001f308", "\U000e0041", '  File "y.py", line 2, in z\n    boom()\n']
hostile = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=5), max_size=12).map("".join)
hostile_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | hostile,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(hostile, inner, max_size=3),
    max_leaves=6,
)
hostile_events = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(
            [
                "timestamp",
                "error_type",
                "error_message",
                "module",
                "function",
                "traceback",
                "component",
                "message",
            ],
            hostile,
        ),
        **dict.fromkeys(["level", "environment", "release", "server"], hostile),
        "platform": st.sampled_from(["python", "javascript", "native"]) | hostile,
        "additional_info": st.dictionaries(hostile, hostile_json, max_size=3),
        "breadcrumbs": st.lists(st.dictionaries(hostile, hostile, max_size=2), max_size=3),
        "system": st.dictionaries(hostile, hostile_json, max_size=2),
    },
)
hostile_groups = st.builds(
    a_group, error_type=hostile, error_message=hostile, component=hostile, culprit=hostile, level=hostile
)
# A ledger writes ids that read_state takes; a stranger may have put anything else that it takes.
ledgers = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=64)
times = st.integers(0, 4_000_000_000_000).map(lambda milliseconds: milliseconds / 1000)
states = st.builds(State, ledgers, st.dictionaries(ledgers, st.integers(0, 2**53 - 1), max_size=5), times, times)
seen = st.dictionaries(hostile, times, max_size=8)
recoveries = st.tuples(times, hostile)
hostile_states = st.builds(
    State, ledgers, st.dictionaries(ledgers, st.integers(0, 2**53 - 1), max_size=5), times, times,
    releases=seen, environments=seen, servers=seen, quiet=st.booleans(), recovery=recoveries,
)  # fmt: skip
thorough = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))


def assert_harmless(markdown, comments):
    """Assert that GitHub would show no more than what loghub says, and payloads only as code."""
    page = Page(markdown)
    live = "".join(page.live)
    assert set(page.tags) - OURS == set()
    assert page.links == []
    assert LIVE.search(live) is None
    assert [comment.partition(" ")[0] for comment in page.comments] == comments
    markdown.encode("utf-8")
