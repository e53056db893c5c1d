"""The text of an issue: what people read, and what no payload can do."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loghub.errors import OptionValueError
from loghub.github import issue
from loghub.github.block import BODY_LIMIT, State, read_state, splice
from tests.github.rendered import (
    AT,
    FINGERPRINT,
    FRAGMENTS,
    STATE,
    a_group,
    an_event,
    assert_harmless,
    hostile,
    hostile_events,
    hostile_groups,
    hostile_states,
    states,
    thorough,
    units,
)

LINK = f"https://github.com/o/r/blob/{'a' * 40}/shop/cart.py#L12"
STATE_LINE = (
    '<!-- loghub:state {"v": 1, "fingerprint": "v1:0123456789abcdef", "counts": {"one": 1200, "two": 4}, '
    '"first_seen_at": "2025-11-05T08:23:41.206Z", "last_seen_at": "2025-11-06T08:23:41.206Z"} -->'
)


kinds = st.sampled_from(["milestone", "release", "regression", "return"])


def nameless(state):
    """Return a state without its names: of those a block carries the newest, as far as they fit."""
    return replace(state, releases={}, environments={}, servers={})


# What no payload can do


@pytest.mark.slow
@thorough
@given(hostile_events, hostile_groups, hostile_states)
@example(an_event(error_message="```\n@octocat closes #1\n```"), a_group(), STATE)
@example(an_event(error_type="`@octocat`", traceback="x\n" + "`" * 70_000 + "\n@octocat"), a_group(), STATE)
@example(an_event(), a_group(), replace(STATE, servers={"a|b `@octocat` | c \\|": AT, "\\": AT}))
def test_no_payload_is_live(event, group, state):
    """Nothing that came with an error mentions, refers, links, hides or leaves its code."""
    text = issue.body(event, group, state)

    names = state.releases or state.environments or state.servers
    seen = ["loghub:seen"] if state.quiet or names or state.recovery[1] else []
    assert_harmless(text, ["loghub:begin", "loghub:state", *seen, "loghub:end"])
    assert units(text) <= BODY_LIMIT
    assert nameless(read_state(text)) == nameless(state)


@pytest.mark.slow
@thorough
@given(hostile_events, hostile_states, kinds, hostile)
@example(an_event(release="1.2"), STATE, "regression", "`@octocat` --> closes #1 | [a](https://e.example)")
@example(an_event(release="1.2"), STATE, "release", "x" * 5_000)
def test_no_comment_is_live(event, state, kind, release):
    """The same holds for comments, and their hidden line is their own."""
    text = issue.comment(kind, state, event, release)

    assert_harmless(text, ["loghub:comment"])
    assert text.endswith(f"\n{issue.comment_marker(kind, state, release)}")
    assert units(text) < 2_000


@pytest.mark.slow
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


# What people read


def test_seed_layout():
    """The body has seed A's sections, in its order and wording, with the block and the links between."""
    event = an_event(additional_info={"user": "é"}, system={"python_version": "3.12.0", "docker": True})
    state = replace(STATE, releases={"1.2": AT}, servers={"web-1": AT})

    text = issue.body(event, a_group(), state, permalinks=[LINK])

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
            '<!-- loghub:seen {"releases": {"1.2": 1762417421}, "servers": {"web-1": 1762417421}} -->',
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


def test_breadcrumbs():
    """The last breadcrumbs before the error follow its context, a line each."""
    crumbs = [
        {"timestamp": "2026-01-02T03:04:05.678Z", "level": "INFO", "logger": "shop", "message": f"step\n{n}"}
        for n in range(30)
    ]
    event = an_event(additional_info={"user": 1}, breadcrumbs=crumbs, system={"docker": True})
    text = issue.body(event, a_group(), STATE)

    lines = [f"03:04:05.678 INFO shop: step {n}" for n in range(20, 30)]
    assert "**Breadcrumbs:** the last records before it\n\n```text\n" + "\n".join(lines) + "\n```" in text
    assert text.index('"user": 1') < text.index("**Breadcrumbs:**") < text.index("### System Information")
    assert "step 19" not in text


def test_long_breadcrumbs():
    """Breadcrumbs take little room, however long they are."""
    long = [{"message": "\u202e`" * 5_000, "logger": "a" * 500} for _ in range(50)]
    without, with_them = (issue.body(an_event(breadcrumbs=crumbs), a_group(), STATE) for crumbs in ([], long))
    assert len(with_them) - len(without) < 4_000


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


# Cutting


def deep(frames, message):
    """Return a traceback of many frames with a message at its end."""
    lines = [f'  File "shop/f{n}.py", line {n}, in f{n}\n    call({n})\n    ^^^^^^' for n in range(frames)]
    return "\n".join(["Traceback (most recent call last):", *lines, f"ValueError: {message}"])


@pytest.mark.shows("hostile input", "said")
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

    state = replace(STATE, servers={message + str(n): AT for n in range(50)})

    text = issue.body(event, a_group(), state, permalinks=[LINK] * 100)

    assert units(text) <= BODY_LIMIT
    assert text.startswith("## Automated Error Report\n")
    assert nameless(read_state(text)) == STATE
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
    assert units(text) <= BODY_LIMIT


@pytest.mark.slow
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

    assert units(text) <= BODY_LIMIT
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


@pytest.mark.slow
@thorough
@given(st.lists(hostile, max_size=150), hostile)
def test_any_labels(configured, component):
    """GitHub takes any list of labels that comes out."""
    chosen = issue.labels(configured, component, True)

    assert len(chosen) <= 100
    assert len({label.casefold() for label in chosen}) == len(chosen)
    assert all(0 < units(label) <= 50 and "," not in label and label.strip() == label for label in chosen)


def test_new_issue_has_room():
    """A new issue at its fullest still takes a block that has grown."""
    event = an_event(error_message="m\n" * 9000, traceback=deep(5000, "x"), additional_info={"k": ["v" * 99] * 999})
    text = issue.body(event, a_group(), STATE)
    names = {f"{n:060}": AT for n in range(9)}
    grown = State(FINGERPRINT, {f"{n:012}": n for n in range(99)}, AT, AT, releases=names, servers=names)

    assert splice(text, grown).count("| Occurrences |") == 1


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
    """A new release, a regression and a return say what they are about."""
    event, once = an_event(release="1.3-->"), State(FINGERPRINT, {"a": 1}, AT, AT)

    assert "Seen in a new release at 2025-11-06 08:23:41 UTC in release `1.3-->`;" in issue.comment(
        "release", STATE, event
    )
    text = issue.comment("regression", once, event, "1.3-->")
    assert text.startswith(
        "Regression: seen again at 2025-11-06 08:23:41 UTC in release `1.3-->`, after this was closed as completed;"
    )
    assert "; once since 2025-11-06" in text
    assert r'{"kind": "regression", "about": "1.3\u002d\u002d\u003e"}' in text
    assert issue.comment("return", once, event).startswith(
        "Seen again at 2025-11-06 08:23:41 UTC in release `1.3-->`, after this was closed because it was silent; once"
    )


def test_comment_about_another_release():
    """Where the newest occurrence is of another release, its environment and host are not told of that one."""
    event = an_event(release="1.2", environment="production", server="web-1")

    assert issue.comment("release", STATE, event, "1.3").startswith(
        "Seen in a new release at 2025-11-06 08:23:41 UTC in release `1.3`; 1,204 times since"
    )
    assert "in release `1.2`, in environment `production`, on host `web-1`;" in issue.comment(
        "release", STATE, event, "1.2"
    )


@pytest.mark.slow
@thorough
@given(states, states, kinds, hostile, hostile)
def test_marker_tells_comments_apart(one, other, kind, release, another):
    """A retry finds its comment whatever was counted meanwhile, unless that is another milestone or release."""
    same = issue.comment_marker(kind, one, release) == issue.comment_marker(kind, other, another)

    if kind == "milestone":
        assert same is (issue.milestone(one.count) == issue.milestone(other.count))
    else:
        assert same is (issue.one_line(release, 200) == issue.one_line(another, 200))


@pytest.mark.parametrize(
    ("count", "reached"),
    [(0, 0), (9, 0), (10, 10), (99, 10), (100, 100), (123_456, 100_000), (10**15, 10**15)],
)
def test_milestones(count, reached):
    """Milestones are powers of ten from ten."""
    assert issue.milestone(count) == reached
