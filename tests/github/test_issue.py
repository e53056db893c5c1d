"""The text of an issue: what people and machines read, and what no payload can do."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from loghub.errors import OptionValueError
from loghub.github import issue
from loghub.github.issue import BEGIN, END, State, read_state, splice, write_state
from loghub.ledger.protocol import Group

FINGERPRINT = "v1:0123456789abcdef"
AT = 1_762_417_421.206  # 2025-11-06T08:23:41.206Z
LINK = f"https://github.com/o/r/blob/{'a' * 40}/shop/cart.py#L12"
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
names = st.lists(hostile, max_size=8).map(tuple)
hostile_groups = st.builds(
    a_group, error_type=hostile, error_message=hostile, component=hostile, culprit=hostile, level=hostile,
    releases=names, environments=names, servers=names,
)  # fmt: skip
# A ledger writes ids that read_state takes; a stranger may have put anything else that it takes.
ledgers = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=64)
times = st.integers(0, 4_000_000_000_000).map(lambda milliseconds: milliseconds / 1000)
states = st.builds(State, ledgers, st.dictionaries(ledgers, st.integers(0, 2**53 - 1), max_size=5), times, times)
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


STATE_LINE = (
    '<!-- loghub:state {"v": 1, "fingerprint": "v1:0123456789abcdef", "counts": {"one": 1200, "two": 4}, '
    '"first_seen_at": "2025-11-05T08:23:41.206Z", "last_seen_at": "2025-11-06T08:23:41.206Z"} -->'
)


# What no payload can do


@thorough
@given(hostile_events, hostile_groups, states)
@example(an_event(error_message="```\n@octocat closes #1\n```"), a_group(), STATE)
@example(an_event(error_type="`@octocat`", traceback="x\n" + "`" * 70_000 + "\n@octocat"), a_group(), STATE)
@example(an_event(), a_group(servers=("a|b `@octocat` | c \\|", "\\")), STATE)
def test_no_payload_is_live(event, group, state):
    """Nothing that came with an error mentions, refers, links, hides or leaves its code."""
    text = issue.body(event, group, state)

    assert_harmless(text, ["loghub:begin", "loghub:state", "loghub:end"])
    assert units(text) <= issue.BODY_LIMIT
    assert read_state(text) == state


@thorough
@given(hostile_events, hostile_groups, states, st.sampled_from(["milestone", "release", "regression"]))
def test_no_comment_is_live(event, group, state, kind):
    """The same holds for comments, and their hidden line is their own."""
    text = issue.comment(kind, state, event)

    assert_harmless(text, ["loghub:comment"])
    assert text.endswith(issue.comment_marker(kind, state, event))
    assert units(text) < 2_000


@thorough
@given(st.sampled_from([*FRAGMENTS, "{type}", "{{x}}"]), hostile_events, hostile_groups)
@example("", {"error_type": "@{message} \n#"}, a_group())
@example("x" * 240 + " ", {}, a_group(error_message="effaced-deadbeefs" * 9))
def test_no_title_is_live(start, event, group):
    """A title is one line of at most 256 in which nothing mentions, refers, links or closes."""
    template = start.replace("{", "{{").replace("}", "}}") + "@{component}#{message}GH-{type}://{level}"
    title = issue.title(issue.check_title(template), group, event)

    assert 0 < units(title) <= 256
    assert title.isprintable() or "\u3000" in title or "\xa0" in title
    assert not re.search(r"@\w|#\d|GH-\d|://|www\.\w|\b[0-9a-f]{7,}\b", title, re.IGNORECASE)
    title.encode("utf-8")


@thorough
@given(st.text(st.sampled_from("0123456789abcdefg @#:/w.GH-"), max_size=600))
def test_cut_title_is_not_live(message):
    """Cutting a title sets nothing free."""
    title = issue.title("{message}{message}{message}", a_group(error_message=message), {})

    assert units(title) <= 256
    assert not re.search(r"@\w|#\d|GH-\d|://|www\.\w|\b[0-9a-f]{7,}\b", title, re.IGNORECASE)


@thorough
@given(hostile)
def test_code_and_fence(text):
    """A code span and a fence are one element each, and hold what they were given."""
    span = Page(issue.code(text))
    fenced = Page(issue.fence(issue.visible(text)))

    assert (span.tags, span.live) == (["p", "code"], ["\n"])
    assert fenced.tags == ["pre", "code"]
    assert "".join(fenced.live).strip() == ""
    assert "".join(fenced.code).strip("\n") == issue.visible(text).strip("\n")


def test_fence_of_many_backticks():
    """A run of backticks does not make fences without end, and what is left out is said."""
    assert issue.fence("a" + "`" * 1000) == "\n".join(["`" * 51, "a" + "`" * 50 + "[... 950 more]", "`" * 51])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb", r"a\u202eb"),
        ("\u200bx\ufeff", r"\u200bx\ufeff"),
        ("\x1b[31m\x00", r"\u001b[31m\u0000"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\udb40\udc41"),
        ("a\r\nb\rc", "a\nb\\rc"),
        ("\u3164\u2800", r"\u3164\u2800"),
        ("日本語\u3000é \U0001f308\ttab", "日本語\u3000é \U0001f308\ttab"),
    ],
)
def test_visible(text, shown):
    """What the eye would miss is shown as an escape; letters, spaces and pictures stay."""
    assert issue.visible(text) == shown


# What people read


def test_seed_layout():
    """The body has seed A's sections, in its order and wording, with the block and the links between."""
    event = an_event(additional_info={"user": "é"}, system={"python_version": "3.12.0", "docker": True})

    text = issue.body(event, a_group(releases=("1.2",), servers=("web-1",)), STATE, permalinks=[LINK])

    assert text == "\n".join(
        [
            "## Automated Error Report",
            "",
            "**Error Type:** `ValueError`",
            "**Component:** `mcp-server`",
            "**Timestamp:** 2025-11-06T08:23:41.206Z",
            "**Location:** `shop.cart in Cart.add`",
            "",
            "### Error Message",
            "```",
            "missing required field 'model_id'",
            "```",
            "",
            "<!-- loghub:begin -->",
            STATE_LINE,
            "",
            "| Occurrences | 1,204 |",
            "| --- | --- |",
            "| First seen | 2025-11-05 08:23:41 UTC |",
            "| Last seen | 2025-11-06 08:23:41 UTC |",
            "| Releases | `1.2` |",
            "| Hosts | `web-1` |",
            "",
            "<!-- loghub:end -->",
            "",
            LINK,
            "",
            "### Traceback",
            "```python",
            "Traceback (most recent call last):",
            '  File "a.py", line 1, in x',
            "    boom()",
            "ValueError: no",
            "```",
            "",
            "### Additional Context",
            "```json",
            "{",
            '  "user": "é"',
            "}",
            "```",
            "",
            "### System Information",
            "```json",
            "{",
            '  "python_version": "3.12.0",',
            '  "docker": true',
            "}",
            "```",
        ]
    )


def test_sections_that_have_nothing():
    """Sections without content are not there, nor is the system when it is not wanted."""
    event = an_event(traceback="", additional_info={}, system={"docker": True})

    text = issue.body(event, a_group(), STATE, include_system_info=False)

    assert re.findall("^##.*", text, re.MULTILINE) == ["## Automated Error Report", "### Error Message"]


def test_almost_empty_event():
    """An event from elsewhere may lack everything; the group and the state speak for it."""
    text = issue.body({}, a_group(), STATE)

    assert "**Error Type:** `ValueError`\n**Component:** `mcp-server`\n" in text
    assert "**Timestamp:** 2025-11-06T08:23:41.206Z\n**Location:** `shop.cart in Cart.add`\n" in text
    assert "missing required field" in text


def test_log_message():
    """What the logging call said is shown when it is not what the exception said."""
    assert "**Log Message:** `charge failed`" in issue.body(an_event(message="charge failed"), a_group(), STATE)


def test_odd_context():
    """What a before_send put in place of plain data is shown as Python sees it."""
    for odd in (["a"], {("a", 1): 2}, {"x": object}):
        text = issue.body(an_event(additional_info=odd, breadcrumbs="x"), a_group(), STATE)
        assert "### Additional Context\n```json\n" in text
    loop = {}
    loop["loop"] = loop
    assert "{'loop': {...}}" in issue.body(an_event(additional_info=loop), a_group(), STATE)


def test_breadcrumbs_are_context():
    """The last breadcrumbs before the error are part of its context."""
    event = an_event(additional_info={"user": 1}, breadcrumbs=[{"message": f"step {n}"} for n in range(30)])

    text = issue.body(event, a_group(), STATE)

    assert '"user": 1' in text
    assert "step 19" not in text
    assert all(f"step {n}" in text for n in range(20, 30))


@pytest.mark.parametrize(
    ("platform", "language"), [("python", "python"), ("javascript", "javascript"), ("native", "text")]
)
def test_language_of_traceback(platform, language):
    """A traceback is coloured as what it is."""
    assert f"### Traceback\n```{language}\n" in issue.body(an_event(platform=platform), a_group(), STATE)


def test_permalinks():
    """The innermost links stand alone on their lines, each once; what is no permalink is left out."""
    many = [LINK.replace("L12", f"L{n}") for n in range(1, 15)]
    bad = [
        "https://evil.example/x",
        f"{LINK}\n@octocat",
        LINK.replace("a" * 40, "main"),
        "javascript:x",
        LINK + "x" * 500,
    ]

    text = issue.body(an_event(), a_group(), STATE, permalinks=[*many, *many, *bad])

    assert "javascript:" not in text
    assert [line for line in text.split("\n") if "://" in line] == many[4:]
    assert all(f"\n\n{link}\n\n" in text for link in many[4:])
    assert "octocat" not in text


def test_newest_are_listed():
    """Of many hosts, releases and environments the newest are shown, and how many more there are."""
    group = a_group(releases=tuple(f"r{n}" for n in range(9)), servers=("a|b",), environments=("x",) * 5)

    text = issue.block(STATE, group)

    assert "| Releases | `r8`, `r7`, `r6`, `r5`, `r4` and 4 more |" in text
    assert "| Hosts | `a\\u007cb` |" in text
    assert "| Environments | `x`, `x`, `x`, `x`, `x` |" in text


# Cutting


def deep(frames, message):
    """Return a traceback of many frames with a message at its end."""
    lines = [f'  File "shop/f{n}.py", line {n}, in f{n}\n    call({n})\n    ^^^^^^' for n in range(frames)]
    return "\n".join(["Traceback (most recent call last):", *lines, f"ValueError: {message}"])


@pytest.mark.parametrize(
    "message",
    ["short", "x" * 200_000, "line\n" * 50_000, "日本" * 40_000, "\U0001f308" * 60_000, "`" * 90_000],
)
def test_cut_body(message):
    """Of what is too long, head, innermost frames and markers stay, and cuts are said."""
    huge = {str(n): "v" * 1000 for n in range(200)}
    event = an_event(
        error_message=message,
        traceback=deep(3000, message),
        additional_info=huge,
        system=huge,
        message=message,
    )

    text = issue.body(event, a_group(servers=(message,) * 50), STATE, permalinks=[LINK] * 100)

    assert units(text) <= issue.BODY_LIMIT
    assert text.startswith("## Automated Error Report\n")
    assert read_state(text) == STATE
    assert all(f'File "shop/f{n}.py"' in text for n in (0, 2990, 2999))
    assert "Traceback (most recent call last):" in text
    assert f"ValueError: {message[:5]}" in text
    assert "characters cut here" in text
    assert '"0": "vvv' in text
    assert units(text) > 30_000


def test_cut_javascript():
    """A browser's stack has its innermost frame on top, so its start stays."""
    stack = "TypeError: x\n" + "\n".join(f"    at f{n} (app.js:{n}:1)" for n in range(5000))

    text = issue.body(an_event(platform="javascript", traceback=stack), a_group(), STATE)

    assert "    at f0 (app.js:0:1)\n    at f1 " in text
    assert units(text) <= issue.BODY_LIMIT


@thorough
@given(hostile_events, st.integers(1, 3000), st.sampled_from(FRAGMENTS))
def test_long_payloads_fit(event, times, fragment):
    """However a long payload is made, the body fits and stays whole."""
    long = {
        **event,
        **dict.fromkeys(("error_message", "message", "component", "error_type"), fragment * times),
    }
    long["traceback"] = f"{fragment * times}\n" * 30
    long["additional_info"] = {fragment: [fragment * times] * 10}

    text = issue.body(long, a_group(), STATE)

    assert units(text) <= issue.BODY_LIMIT
    assert_harmless(text, ["loghub:begin", "loghub:state", "loghub:end"])


def test_long_source_line():
    """A source line without end (minified, generated) does not push the frames out."""
    traceback = "\n".join(f'  File "f{n}.py", line 1, in f\n    {"x" * 40_000}' for n in range(5))

    text = issue.body(an_event(traceback=traceback), a_group(), STATE)

    assert all(f'File "f{n}.py"' in text for n in range(5))
    assert "x [... 39,004 characters cut here]" in text


# Title and labels


def test_default_title():
    """The title is seed A's."""
    assert issue.title(issue.DEFAULT_TITLE, a_group(), an_event()) == "[Auto] ValueError: mcp-server"


def test_every_name():
    """A title may use each of the names."""
    template = "{type}|{component}|{message}|{module}|{function}|{culprit}|{environment}|{level}"
    event = an_event(environment="staging", error_message="one\n two")

    title = issue.title(issue.check_title(template), a_group(), event)

    assert title == "ValueError|mcp-server|one two|shop.cart|Cart.add|shop.cart in Cart.add|staging|ERROR"


@pytest.mark.parametrize(
    "template",
    [
        "{nope}",
        "{}",
        "{0}",
        "{type.__class__}",
        "{type[0]}",
        "{type!r}",
        "{type:>9999999999}",
        "{",
        "}",
        " ",
        "",
        7,
        None,
    ],
)
def test_refused_title(template):
    """A template with anything but the known names is refused, and the names are told."""
    with pytest.raises(
        OptionValueError, match=r"GitHubIssueHandler: option 'title' cannot be .*\{type\}, \{component\}"
    ):
        issue.check_title(template)


@pytest.mark.parametrize(
    ("message", "title"),
    [
        ("@octocat broke it", "@ octocat broke it"),
        ("closes #12, GH-7 and o/r#3", "closes # 12, GH- 7 and o/r# 3"),
        ("see https://e.example/x", "see https: //e.example/x"),
        ("bad object 0123abcdef", "bad object 0123ab…"),
        ("line one\nline two\t\u202e", "line one line two \\u202e"),
        ("x" * 300, "x" * 99 + "…"),
        ("", "missing required field 'model_id'"),
    ],
)
def test_inert_title(message, title):
    """What would be live in a title stays readable."""
    assert issue.title("{message}", a_group(), an_event(error_message=message)) == title


def test_cut_bares_no_commit():
    """Where the cut makes a commit out of the start of a word, that is not live either."""
    assert issue.title("x" * 240 + " deadbeefdeadbeefs", a_group(), {}) == "x" * 240 + " deadbe……"


@pytest.mark.parametrize(
    ("configured", "component", "auto", "chosen"),
    [
        (["bug", "automated-report"], "mcp-server", True, ["bug", "automated-report", "mcp-server"]),
        (["bug"], "mcp-server", False, ["bug"]),
        (["bug", "Bug", " bug "], "BUG", True, ["bug"]),
        (["a,b", "x" * 60, "", " ", ","], "c\nd", True, ["a b", "x" * 49 + "…", "c d"]),
        ([], "\U0001f308" * 40, True, ["\U0001f308" * 24 + "…"]),
    ],
)
def test_labels(configured, component, auto, chosen):
    """Labels are short, hold no comma, and stand there once."""
    assert issue.labels(configured, component, auto) == chosen


@thorough
@given(st.lists(hostile, max_size=150), hostile)
def test_any_labels(configured, component):
    """GitHub takes any list of labels that comes out."""
    chosen = issue.labels(configured, component, True)

    assert len(chosen) <= 100
    assert len({label.casefold() for label in chosen}) == len(chosen)
    assert all(0 < units(label) <= 50 and "," not in label and label.strip() == label for label in chosen)


# The state


@given(states)
def test_state_is_read_back(state):
    """What was written is read, with the same order of ledgers, from one line that is one comment."""
    line = write_state(state)
    read = read_state(f"{BEGIN}\n{line}\n{END}")

    assert read == state
    assert list(read.counts) == list(state.counts)
    assert "\n" not in line
    assert line.count("--") == 2
    assert line.count(">") == 1
    assert Page(line).html == line + "\n"
    assert list(json.loads(line[18:-4])) == ["v", "fingerprint", "counts", "first_seen_at", "last_seen_at"]


@given(states, states, states)
def test_merge_converges(one, two, three):
    """Writers that know nothing of each other end at the same state, in any order and however often."""
    two, three = (State(one.fingerprint, s.counts, s.first_seen_at, s.last_seen_at) for s in (two, three))

    assert one.merge(two) == two.merge(one)
    assert one.merge(two).merge(three) == one.merge(two.merge(three))
    assert one.merge(two).merge(two) == one.merge(two)
    assert one.merge(two).count >= max(one.count, two.count)


def test_merge():
    """Per ledger the larger count, the earliest first, the latest last; who spoke last comes last."""
    mine = State(FINGERPRINT, {"a": 5, "b": 2, "c": 1}, 10, 20)
    merged = mine.merge(State(FINGERPRINT, {"a": 3, "d": 4}, 5, 15))

    assert merged == State(FINGERPRINT, {"b": 2, "c": 1, "a": 5, "d": 4}, 5, 20)
    assert list(merged.counts) == ["b", "c", "a", "d"]
    assert merged.count == 12


def test_many_ledgers():
    """A hundred ledgers are told apart; the silent ones are one sum, so that the line stays short."""
    state = State(FINGERPRINT, {}, AT, AT)
    for number in range(1, 501):
        fresh = State(FINGERPRINT, {f"ledger-{number:027}": 2}, AT, AT)
        state = read_state(issue.block(state.merge(fresh), a_group()))

    assert state.count == 1000
    assert len(state.counts) == 101
    assert list(state.counts)[:2] == ["*", f"ledger-{401:027}"]
    assert len(write_state(state)) < 6_000


GOOD = {
    "v": 1,
    "fingerprint": FINGERPRINT,
    "counts": {"a": 1},
    "first_seen_at": "2025-11-05T08:23:41.206Z",
    "last_seen_at": "2025-11-06T08:23:41.206Z",
}


def with_state(text):
    """Return a body whose block begins with a state line of that JSON."""
    return f"hello\n\n{BEGIN}\n<!-- loghub:state {text} -->\n{END}\n"


def test_good_state():
    """The example that the bad ones differ from is read."""
    assert read_state(with_state(json.dumps(GOOD))).counts == {"a": 1}


@pytest.mark.parametrize(
    "changed",
    [
        *(
            {"v": 2},
            {"v": "1"},
            {"v": True},
            {"v": None},
            {"fingerprint": 1},
            {"fingerprint": ""},
            {"fingerprint": "x" * 65},
        ),
        *(
            {"counts": []},
            {"counts": {"a": -1}},
            {"counts": {"a": 1.5}},
            {"counts": {"a": True}},
            {"counts": {"a": "1"}},
        ),
        *(
            {"counts": {"": 1}},
            {"counts": {"a" * 65: 1}},
            {"counts": {"a b": 1}},
            {"counts": {"a": 2**53}},
            {"counts": None},
        ),
        *(
            {"first_seen_at": 7},
            {"first_seen_at": "soon"},
            {"last_seen_at": None},
            {"last_seen_at": "0001-01-01T00:00:00Z"},
        ),
    ],
)
def test_wrong_types(changed):
    """A state with a wrong type or range is no state."""
    assert read_state(with_state(json.dumps({**GOOD, **changed}))) is None


@pytest.mark.parametrize("key", GOOD)
def test_missing_key(key):
    """A state that lacks a key is no state."""
    assert read_state(with_state(json.dumps({k: v for k, v in GOOD.items() if k != key}))) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "{}",
        "[]",
        "1",
        "null",
        "[" * 20_000,
        '{"v":' * 100_000 + "1" + "}" * 100_000,
        "{" + "9" * 5000 + "}",
        '{"v": ' + "9" * 5000 + "}",
    ],
)
def test_malformed_state(text):
    """Broken, endless or deep JSON is no state and no error."""
    assert read_state(with_state(text)) is None


@thorough
@given(
    st.none() | hostile | st.text() | st.lists(st.sampled_from([BEGIN, END, "\n", "```", "{", "}", "- "])).map("".join)
)
def test_read_never_raises(body):
    """No body makes reading raise."""
    read_state(body)


def test_state_from_strangers_can_be_written_again():
    """Whatever is read can be written, merged and shown."""
    edge = {**GOOD, "first_seen_at": "1970-01-01T00:00:00+00:00", "last_seen_at": "9999-12-31T23:59:59Z"}
    state = read_state(with_state(json.dumps(edge)))

    assert read_state(issue.block(state.merge(state), a_group())) == state


# Our block in a body that people edit

BLOCK = issue.block(STATE, a_group())
FRESH = State(FINGERPRINT, {"one": 1300}, AT - 86_400, AT)
FRESH_BLOCK = issue.block(FRESH, a_group())


def indented(text, by):
    """Return a text with something before each line."""
    return "".join(by + line for line in text.splitlines(keepends=True))


@pytest.mark.parametrize(
    "quoted",
    [
        f"```\n{BLOCK}\n```\n",
        f"~~~~ text\n{BLOCK}\n~~~\n```\n~~~~~\n",
        f"````\n```\n{BLOCK}\n```\n````\n",
        f"   ```\n{BLOCK}\n   ```\n",
        f"```\n{BLOCK}\n    ```\n",
        f"```\r\n{BLOCK}\r\n```\r\n".replace("\n", "\r\n").replace("\r\r", "\r"),
        indented(f"```\n{BLOCK}\n```\n", "> "),
        indented(BLOCK, "> ") + "\n",
        indented(BLOCK, "    ") + "\n",
        indented(BLOCK, "\t") + "\n",
        f"- ```\n{indented(BLOCK, '  ')}\n  ```\n",
        f"1. step\n\n   ```\n{indented(BLOCK, '   ')}\n   ```\n",
        f"```\n{BLOCK}\n",
        f"text {BEGIN}\n{write_state(STATE)}\n{END}\n",
        f"{write_state(STATE)}\n",
        f"{END}\n{write_state(STATE)}\n{BEGIN}\n",
        f"{BEGIN}\n{write_state(STATE)}\n",
        f"{BEGIN}\n\n{write_state(STATE)}\n{END}\n",
        f"{BEGIN}\n{write_state(STATE)}, said the bot\n{END}\n",
    ],
)
def test_quoted_block_is_not_ours(quoted):
    """What a person quotes of a block is not read, and a fresh block beside it is."""
    assert read_state(quoted) is None
    spliced = splice(quoted, FRESH_BLOCK)
    assert read_state(spliced) == FRESH


def test_ours_after_a_quoted_one():
    """Our block is read although another is quoted before it, and only ours is replaced."""
    quotes = [
        f"```\n{BLOCK}\n```",
        indented(BLOCK, "> "),
        f"- ```\n{indented(BLOCK, '  ')}\n  ```",
        f"- ```\n  {BEGIN}",
    ]
    for quote in quotes:
        text = f"{quote}\n\n{FRESH_BLOCK}\n\nbye\n"
        assert read_state(text) == FRESH
        assert splice(text, BLOCK) == f"{quote}\n\n{BLOCK}\n\nbye\n"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_read_any_newline(newline):
    """GitHub's editor makes CRLF of every newline; the block is read all the same."""
    assert read_state(f"{BEGIN}  \n{write_state(STATE)}\t\n{END} \n".replace("\n", newline)) == STATE


def test_splice_crlf():
    """In a body with CRLF the block gets CRLF, all other text stays, and the same block changes nothing."""
    text = f"one\r\n\r\n{BLOCK}\r\ntwo \u2028\x0b\r\n".replace("\r\n", "\n").replace("\n", "\r\n")

    spliced = splice(text, FRESH_BLOCK)

    assert spliced == "one\r\n\r\n" + FRESH_BLOCK.replace("\n", "\r\n") + "\r\ntwo \u2028\x0b\r\n"
    assert splice(spliced, FRESH_BLOCK) == spliced


def test_splice_in_place():
    """The block is replaced where it stands, with what people wrote into it."""
    edited = BLOCK.replace("| Occurrences", "my note\n| Occurrences")

    assert splice(f"a\n{edited}\nb", FRESH_BLOCK) == f"a\n{FRESH_BLOCK}\nb"


@pytest.mark.parametrize(("body", "spliced"), [("", ""), ("a", "a\n\n"), ("a\r\n", "a\r\n\r\n\r\n")])
def test_splice_appends(body, spliced):
    """Where the block is gone it comes at the end."""
    newline = "\r\n" if "\r" in body else "\n"

    assert splice(body, FRESH_BLOCK) == spliced + FRESH_BLOCK.replace("\n", newline)


def test_splice_before_an_open_fence():
    """After a fence that nobody closed the end is code, so the block comes first, and later finds itself."""
    spliced = splice("note\n```\ncode", FRESH_BLOCK)

    assert spliced == f"{FRESH_BLOCK}\n\nnote\n```\ncode"
    assert splice(spliced, BLOCK) == f"{BLOCK}\n\nnote\n```\ncode"


PEOPLE = [BEGIN, END, write_state(STATE), BLOCK, "```", "~~~", "````", "- ```", "  ```", "> ", "    ", "1. "]
PEOPLE += ["- ", "text", "\n", "\n\n", "\r\n", "\r", "\u2028", "\ud800", "<details>", "<!--", "-->", " "]
people = st.lists(st.sampled_from(PEOPLE) | st.text(max_size=3), max_size=15).map("".join)


@thorough
@given(people)
def test_splice_any_body(body):
    """Whatever people wrote stays around one block that is read; once more changes nothing."""
    spliced = splice(body, FRESH_BLOCK)

    assert read_state(spliced) == FRESH
    before, found, after = spliced.partition(FRESH_BLOCK)
    if not found:
        before, found, after = spliced.partition(FRESH_BLOCK.replace("\n", "\r\n"))
    assert found
    if read_state(body) is None and END not in body:
        assert body in (before[: len(body)], after[-len(body) :])
    else:
        assert body.startswith(before.rstrip("\r\n")) or body.endswith(after.lstrip("\r\n"))
    assert splice(spliced, FRESH_BLOCK) == spliced


plain_people = st.lists(
    st.sampled_from(
        ["```\n", "~~~\n", "````\n", "- ```\n", "  ```\n", "> ```\n", "    ```\n", "text\n", "\n", "> x\n"]
    ),
    max_size=8,
).map("".join)


@thorough
@given(plain_people, plain_people)
def test_markdown_agrees(before, after):
    """A block that is read is one that Markdown takes for hidden comments, never for code."""
    body = f"{before}{BLOCK}\n{after}"
    hidden = "<!-- loghub:begin -->\n<!-- loghub:state" in Page(body).html

    if read_state(body):
        assert hidden


def test_shortened_block():
    """Near the limit the block is cut down to its state; beyond it there is no edit."""
    room = issue.BODY_LIMIT - units(FRESH_BLOCK)
    assert splice("x" * (room - 2), FRESH_BLOCK).endswith(FRESH_BLOCK)

    short = splice("x" * (room - 1), FRESH_BLOCK)
    assert units(short) <= issue.BODY_LIMIT
    assert short.endswith(f"\n\n{BEGIN}\n{write_state(FRESH)}\n{END}")
    assert read_state(short) == FRESH

    assert splice("x" * issue.BODY_LIMIT, FRESH_BLOCK) is None
    assert splice("\U0001f308" * (issue.BODY_LIMIT // 2), FRESH_BLOCK) is None


def test_new_issue_has_room():
    """A new issue at its fullest still takes a block that has grown."""
    event = an_event(error_message="m\n" * 9000, traceback=deep(5000, "x"), additional_info={"k": ["v" * 99] * 999})
    text = issue.body(event, a_group(), STATE)
    grown = State(FINGERPRINT, {f"{n:032}": n for n in range(99)}, AT, AT)
    block = issue.block(grown, a_group(releases=("r" * 60,) * 9, servers=("s" * 60,) * 9))

    assert splice(text, block).count("| Occurrences |") == 1


# Comments


def test_milestone_comment():
    """A milestone says how often, since when, and where last."""
    event = an_event(release="1.2", environment="production", server="web-1")

    assert issue.comment("milestone", STATE, event) == (
        "Seen 1,204 times since 2025-11-05 08:23:41 UTC, last at 2025-11-06 08:23:41 UTC in release `1.2`,"
        " in environment `production`, on host `web-1`.\n\n"
        '<!-- loghub:comment {"kind": "milestone", "about": "1000"} -->'
    )


def test_other_comments():
    """A new release and a regression name the release."""
    event = an_event(release="1.3-->")

    assert "Seen in a new release at 2025-11-06 08:23:41 UTC in release `1.3-->`;" in issue.comment(
        "release", STATE, event
    )
    text = issue.comment("regression", State(FINGERPRINT, {"a": 1}, AT, AT), event)
    assert text.startswith(
        "Regression: seen again at 2025-11-06 08:23:41 UTC in release `1.3-->`, after this was closed"
    )
    assert "; once since 2025-11-06" in text
    assert r'{"kind": "regression", "about": "1.3\u002d\u002d\u003e"}' in text


@pytest.mark.parametrize(
    ("count", "reached"),
    [(0, 0), (9, 0), (10, 10), (99, 10), (100, 100), (123_456, 100_000), (10**15, 10**15)],
)
def test_milestones(count, reached):
    """Milestones are powers of ten from ten."""
    assert issue.milestone(count) == reached
