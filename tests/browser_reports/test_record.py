"""A report becomes a record that goes the way of every other, and carries nothing that its sender may not choose."""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import pickle
import queue
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loghub import browser, request
from loghub.errors import BadReportError
from loghub.filters import EventFilter
from loghub.fingerprint import of_event
from loghub.formatters import JsonFormatter
from loghub.handlers.detailfile import JSONDetailHandler
from tests.heard import Heard, attached, counted

NOW = 1_790_000_000.25
ORIGIN = "https://shop.example"
STACK = """TypeError: Cannot read properties of undefined (reading 'total')
    at Cart.total (https://shop.example/static/app.3f2a1b.js?v=2:1:2345)
    at Array.forEach (<anonymous>)
    at render (https://shop.example/static/node_modules/view/view.js:4:5)
    at drawPage (https://shop.example/static/app.3f2a1b.js:1:99)"""
SAYS_NOTHING_ALIKE = {
    "inData": "Chromium shows where the page went on afterwards",
    "inBlob": "as above",
    "resource": "Chromium gives a DOMException no stack",
}


def test_the_event(post, event_of, capture):
    """The event is the browser's, but for what the server knows better: its environment, and who took it."""
    body = post(
        "TypeError", "Cannot read properties of undefined (reading 'total')", STACK, source_component="dashboard",
        context={"step": 2}, beside={"url": "https://shop.example/cart?token=hunter2&id=7#top", "user_agent": "Firefox",
                                     "viewport": [800, 600], "release": "web-3", "dropped": 4, "key": "public"},
    )  # fmt: skip
    event = event_of(body)
    assert [
        (one["function"], one["line"], one["column"], one["in_app"]) for one in event["frames"] if "line" in one
    ] == [
        ("drawPage", 1, 99, True),
        ("render", 4, 5, False),
        ("Cart.total", 1, 2345, True),
    ]
    expected = {
        "platform": "javascript", "mechanism": "browser", "logger": "loghub.browser", "level": "ERROR",
        "error_type": "TypeError", "component": "dashboard", "release": "web-3", "environment": "production",
        "module": "app", "function": "Cart.total", "timestamp": "2026-09-21T14:13:20.250Z", "breadcrumbs": [],
        "system": {"user_agent": "Firefox", "viewport": "800x600"}, "process": {"id": None, "name": "browser"},
        "additional_info": {"step": 2, "url": "https://shop.example/cart?token&id", "dropped_by_page": 4},
    }  # fmt: skip
    assert {name: event[name] for name in expected} == expected
    assert event["server"] == os.uname().nodename
    assert "?v=2" not in json.dumps(event)
    assert "public" not in json.dumps(event)


def test_what_the_page_does_not_say_is_unknown(post, event_of):
    """The server's release, system and component do not stand in for the page's."""
    event = event_of(post(stack=STACK))
    assert (event["release"], event["system"], event["component"]) == (None, {}, "unknown")


def test_without_system_info(post):
    """A filter that says nothing of systems says nothing of a browser's, and does not name the server."""
    capture = EventFilter(include_system_info=False).capture
    record = browser.record_of(post(stack=STACK, user_agent="UA"), now=NOW)
    event = capture.keep(capture.sight(record), record)
    assert (event.get("system"), event["server"]) == (None, "")


def test_the_request_that_brought_it_is_no_part_of_it(post, event_of):
    """What is served here is the report, not the page."""
    token = request.current.set(request.Request({"method": "POST", "path": "/api/report-error"}))
    try:
        assert "report-error" not in json.dumps(event_of(post(stack=STACK)))
    finally:
        request.current.reset(token)


def test_one_bug_has_one_fingerprint_in_all_browsers(stacks, post, event_of):
    """What real engines say of the same failure is one group, as far as they say the same."""
    assert SAYS_NOTHING_ALIKE.keys() < stacks["chrome"].keys()
    for name in stacks["chrome"].keys() - SAYS_NOTHING_ALIKE.keys():
        said = [of[name] for of in stacks.values() if name in of]
        marks = {event_of(post(one["type"], one["message"], one["stack"]))["fingerprint"] for one in said}
        assert len(said) == 3, name
        assert len(marks) == 1, name


def test_different_failures_have_different_fingerprints(stacks, post, event_of):
    """Failures that end in other functions, or are of another kind, are no group."""
    names = ("simple", "chained", "inData", "json", "multi", "recursion", "notFunction")
    said = [stacks["chrome"][name] for name in names]
    assert len({event_of(post(one["type"], one["message"], one["stack"]))["fingerprint"] for one in said}) == len(names)


@pytest.mark.parametrize(
    ("old", "new"),
    [("app.3f2a1b.js", "app.77aa00.js"), ("?v=2", "?v=3&x=1"), ("https://shop.example", "https://www.shop.example"),
     (":1:2345", ":7:11"), ("app.3f2a1b.js?v=2", "app.js")],
)  # fmt: skip
def test_a_deploy_changes_no_fingerprint(post, event_of, old, new):
    """Hashes in names, queries, hosts and positions are not the bug."""
    after = event_of(post(stack=STACK.replace(old, new)), own=["https://www.shop.example"])
    assert after["fingerprint"] == event_of(post(stack=STACK))["fingerprint"]


def test_a_stored_event_has_the_same_fingerprint(stacks, post, event_of):
    """What is kept says as much as what came in."""
    for engine in stacks.values():
        for one in engine.values():
            event = event_of(post(one["type"], one["message"], one["stack"]))
            assert of_event(json.loads(json.dumps(event))) == event["fingerprint"]


@pytest.mark.parametrize(
    ("kind", "message"),
    [("Error", "Uncaught TypeError: x.y is not a function"), ("", "TypeError: x.y is not a function"),
     ("TypeError", "TypeError: x.y is not a function"), ("TypeError", "x.y is not a function"),
     ("TypeError", "Uncaught (in promise) TypeError: x.y is not a function")],
)  # fmt: skip
def test_the_class_in_a_message(post, event_of, kind, message):
    """What window.onerror says has the class in front of the message."""
    event = event_of(post(kind, message))
    assert (event["error_type"], event["error_message"]) == ("TypeError", "x.y is not a function")


def test_only_a_stack(post, event_of):
    """Class and message are taken from the line above the frames."""
    event = event_of(post(None, None, STACK))
    assert (event["error_type"], event["error_message"]) == (
        "TypeError",
        "Cannot read properties of undefined (reading 'total')",
    )


def test_causes(post, event_of):
    """What led to an error stands behind it, nearest first."""
    causes = [{"error_type": "RangeError", "error_message": "deep", "stack": STACK}, {"error_message": "deeper"}]
    event = event_of(post(stack=STACK, causes=causes))
    assert [(one["error_type"], one["relation"], len(one["frames"])) for one in event["causes"]] == [
        ("RangeError", "cause", 4),
        ("Error", "cause", 0),
    ]
    assert "Caused by: RangeError: deep" in event["traceback"]


@pytest.mark.parametrize(
    ("said", "at"),
    [(NOW - 3_600, NOW - 3_600), (NOW + 60, NOW), (NOW - 90_000, NOW), (None, NOW), (0, NOW)],
)
def test_the_time(post, said, at):
    """A browser that was offline for some hours is believed; one that lives in the future, or long ago, is not."""
    record = browser.record_of(post(timestamp=None if said is None else said * 1_000), now=NOW)
    assert record.created == pytest.approx(at, abs=0.001)


HOSTILE = {"fingerprint": "mine", "component": "billing", "loghub_skip": True, "_loghub_event": "-", "_loghub_told": {},
           "levelno": 50, "exc_info": True, "exc_text": "x", "extra": {"fingerprint": "mine", "loghub_skip": True},
           "event": "x", "exception": "Traceback (most recent call last):\n", "_loghub_context": {}, "msg": "x",
           "stack_info": "x", "name": "root", "_loghub_mechanism": "logging", "positional_args": [1]}  # fmt: skip


def test_a_context_says_nothing_to_loghub(post, event_of):
    """Whatever names a stranger gives, they are context: fingerprint, component and level stay."""
    plain, hostile = event_of(post(stack=STACK)), event_of(post(stack=STACK, context=HOSTILE))
    same = ("fingerprint", "component", "level", "logger", "mechanism", "frames", "traceback", "message")
    assert [plain[name] for name in same] == [hostile[name] for name in same]
    assert set(hostile["additional_info"]) == set(HOSTILE)
    assert "custom_fingerprint" not in hostile


def test_an_origin_of_the_senders_choice_moves_no_other_report(post, capture):
    """A page may lie about its URL; who tells the truth on the same stack is still grouped by its own frames."""

    def mark(url):
        record = browser.record_of(post(stack=STACK, url=url), now=NOW)
        return capture.sight(record).kind.fingerprint

    assert mark("https://evil.example/") != mark("https://shop.example/") == mark("https://shop.example/other")


FORGED = "x\n2026-09-21 12:00:00 CRITICAL root: db dropped\r\x85\u2028\u202e\x1b[31m"


def test_no_line_of_a_log_is_forged(post):
    """In a log file every line but the first is indented, whatever a report has in its texts."""
    body = post(FORGED, FORGED, f"{STACK}\n{FORGED}\n at {FORGED} (a:1:2)\n{FORGED}@{FORGED}:1:2",
                causes=[{"error_type": FORGED, "error_message": FORGED}], source_component=FORGED)  # fmt: skip
    record = browser.record_of(body, now=NOW)
    text = logging.Formatter("%(levelname)s %(component)s %(pathname)s %(funcName)s %(message)s").format(record)
    first, *others = text.splitlines()
    assert first.startswith("ERROR ")
    assert all(line.startswith("    ") for line in others)
    assert not {"\r", "\x85", "\u2028", "\u202e", "\x1b"} & set(text)


def test_secrets_are_hidden_everywhere(post, event_of):
    """Passwords of people stand neither in the event nor in the log's line."""
    secret = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" + "k1L2m3N4o5P6q7R8"
    body = post("Error", f"login failed: password=hunter2secret {secret}", STACK, context={"password": "hunter2secret"},
                url=f"https://shop.example/?token={secret}", release=secret)  # fmt: skip
    record = browser.record_of(body, now=NOW)
    for text in (json.dumps(event_of(body)), logging.Formatter().format(record)):
        assert "hunter2secret" not in text
        assert secret not in text


_opened: list[str] = []
_watching = False


def _watch(event, args):
    if _watching and event == "open":
        _opened.append(str(args[0]))


def test_no_file_is_read_that_a_report_names(post, tmp_path):
    """A stack may name files of this machine; none is opened on the whole way of the record."""
    global _watching  # noqa: PLW0603 - an audit hook cannot be taken back
    sys.addaudithook(_watch)
    named = tmp_path / "secret.py"
    named.write_text("TOKEN = 'x'\n" * 9, "utf-8")
    lines = [f'  File "{named}", line 1, in f', f"    at f ({named}:1:2)", f"f@{named}:1:2", f"f@file://{named}:1:2"]
    stack = "\n".join(["Traceback (most recent call last):", *lines, "ValueError: x"])
    handler = JSONDetailHandler(directory=tmp_path / "details", home=str(tmp_path / "home"))
    with attached("loghub.browser", handler) as log:
        _watching = True
        try:
            for text in (stack, "\n".join(lines), "\n".join(lines[1:])):
                log.handle(browser.record_of(post("ValueError", stack, text, context={"exception": stack}), now=NOW))
        finally:
            _watching = False
    assert _opened  # the watch works: the handler has written
    assert not [path for path in _opened if path.endswith("secret.py")]


def test_through_ordinary_handlers(post, tmp_path):
    """A report is counted, kept as a detail file, and printed by any formatter."""
    home, details = str(tmp_path / "home"), tmp_path / "details"
    heard = Heard(home=home)
    with attached("loghub.browser", heard, JSONDetailHandler(directory=details, home=home)) as log:
        for number in range(3):
            record = browser.record_of(post(stack=STACK, context={"number": number}), now=NOW)
            JsonFormatter().format(record)
            log.handle(record)
        assert counted(home) == 3
    (first, *_) = sorted(details.glob("error_*_TypeError_*.json"))
    stored = json.loads(first.read_text("utf-8"))
    assert of_event(stored) == stored["fingerprint"] == heard.events[0]["fingerprint"]
    assert stored["platform"] == "javascript"


def test_a_report_of_several(post, tmp_path):
    """A report of several occurrences is one record, and counted as so many: once, whoever handles it how often."""
    home = str(tmp_path / "home")
    first, second = Heard(home=home), Heard(home=home)
    with attached("loghub.browser", first, second) as log:
        for count in (1, 17, 10**6):
            record = browser.record_of(post(stack=STACK, count=count), now=NOW)
            log.handle(record)
            log.handle(record)
        assert counted(home) == 1 + 17 + 1000
    assert len(first.events) == len(second.events) == 6
    assert all("count" not in event["additional_info"] for event in first.events)


@pytest.mark.parametrize(
    ("message", "stack", "ignored"),
    [
        ("Script error.", "", True),
        ("Uncaught Script error", "", True),
        ("Script error.", STACK, False),
        ("ResizeObserver loop limit exceeded", "", True),
        ("ResizeObserver loop completed with undelivered notifications.", "", True),
        ("x is not defined", "f@moz-extension://a/b.js:1:2\n@chrome-extension://a/b.js:1:2", True),
        ("x is not defined", "    at f (chrome-extension://a/b.js:1:2)\n    at Array.map (<anonymous>)", True),
        ("x is not defined", f"f@moz-extension://a/b.js:1:2\ng@{ORIGIN}/a.js:1:2", False),
        ("x is not defined", "", False),
        ("x is not defined", "    at Array.map (<anonymous>)", False),
    ],
)
def test_noise(post, message, stack, ignored):
    """What tells nobody anything is ignored, with a sentence that says why; nothing else is."""
    why = browser.noise(browser.read(post("Error", message, stack)))
    assert (why or "").startswith("Ignored: ") is ignored
    assert (why is None) is not ignored


TEXTS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [STACK, FORGED, 'Traceback (most recent call last):\n  File "/etc/x.py", line 1, in f\nE: m', "%s %d"]
    ),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(TEXTS | st.sampled_from(list(HOSTILE)), inner, max_size=3)
    ),
    max_leaves=6,
)


@pytest.mark.slow
@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.fixed_dictionaries(
        {"error_type": TEXTS, "error_message": TEXTS, "stack": TEXTS},
        optional={
            "source_component": TEXTS,
            "context": st.dictionaries(TEXTS | st.sampled_from(list(HOSTILE)), VALUES, max_size=4),
            "url": TEXTS,
            "release": TEXTS,
        },
    )
)
def test_any_report_becomes_an_event(post, capture, info):
    """Whatever a report says, it is an event of logger loghub.browser that JSON can hold, and its log is not forged."""
    try:
        record = browser.record_of(post(**info), now=NOW)
    except BadReportError:
        assert not any(info[name].strip() for name in ("error_type", "error_message", "stack"))
        return
    event = capture.keep(capture.sight(record), record)
    assert (event["logger"], event["level"], event["platform"]) == ("loghub.browser", "ERROR", "javascript")
    json.dumps(event).encode()
    assert all(line.startswith("    ") for line in logging.Formatter().format(record).splitlines()[1:])


def test_behind_a_queue(post, capture):
    """A QueueHandler makes one text of message and stack; the bug is the same."""
    record = browser.record_of(post(stack=STACK), now=NOW)
    mark = capture.sight(browser.record_of(post(stack=STACK), now=NOW)).kind.fingerprint
    behind = pickle.loads(pickle.dumps(logging.handlers.QueueHandler(queue.Queue()).prepare(record)))
    assert capture.sight(behind).kind.fingerprint == mark


def test_frameless_errors_are_told_apart(post, capture):
    """Without frames the names in messages count, as the rules of scripts say."""
    texts = [
        "Cannot read properties of undefined (reading 'total')",
        "Cannot read properties of undefined (reading 'items')",
    ]
    records = [browser.record_of(post("TypeError", text), now=NOW) for text in texts]
    assert len({capture.sight(record).kind.fingerprint for record in records}) == 2
