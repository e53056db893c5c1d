"""Bytes of strangers are a report, or one sentence says what is wrong with them."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loghub import browser
from loghub.browser.report import MAX_BYTES, Cause
from loghub.errors import BadReportError, LoghubError


def of(beside=None, **info):
    """Return the report of an ``error_info``."""
    return browser.read(json.dumps({"error_info": {"error_message": "no", **info}, **(beside or {})}).encode())


def test_the_seeds_report():
    """What seed A posts is all that is needed."""
    body = b"""{"error_info": {"error_type": "TypeError", "error_message": "Cannot read property 'x' of undefined",
               "source_component": "dashboard", "stack": "Error: ...", "context": {"a": [1, null]}}}"""
    assert browser.read(body) == browser.Report(
        error_type="TypeError",
        error_message="Cannot read property 'x' of undefined",
        source_component="dashboard",
        stack="Error: ...",
        context={"a": [1, None]},
    )


def test_everything_that_may_be_told():
    """Optional fields stand within error_info or beside it, and within it count first."""
    beside = {"url": "https://a/?b=1", "user_agent": "UA", "release": "1.2", "key": "k", "count": 3, "dropped": 9,
              "timestamp": 1_790_000_000_250, "viewport": {"width": 1200, "height": 800.4},
              "causes": [{"error_type": "E", "error_message": "m", "stack": "s", "more": 1}]}  # fmt: skip
    expected = {"url": "https://a/?b=1", "user_agent": "UA", "release": "1.2", "key": "k", "count": 3, "dropped": 9,
                "timestamp": 1_790_000_000.25, "viewport": "1200x800", "causes": (Cause("E", "m", "s"),)}  # fmt: skip
    for report in (of(beside), of(**beside), of({"url": "https://other/", "key": 1}, **beside)):
        assert {name: getattr(report, name) for name in expected} == expected


def test_the_browser_in_the_context():
    """Pages tell of the browser in the context, too; what stands beside it counts first, and what is no text stays."""
    told = {"url": "https://a/", "user_agent": "UA", "viewport": "360x640"}
    report = of(context=told | {"step": 1})
    assert (report.url, report.user_agent, report.viewport) == ("https://a/", "UA", "360x640")
    assert report.context == {"step": 1}
    report = of(context=told | {"viewport": [1]}, user_agent="other")
    assert (report.url, report.user_agent, report.viewport) == ("https://a/", "other", "")
    assert report.context == {"user_agent": "UA", "viewport": [1]}


def test_null_is_what_is_not_there():
    """A page need not leave out what it does not know."""
    names = (
        "source_component",
        "stack",
        "context",
        "url",
        "viewport",
        "timestamp",
        "count",
        "dropped",
        "causes",
        "key",
        "release",
    )
    assert of(dict.fromkeys(names), **dict.fromkeys(names)) == browser.Report(error_message="no")


@pytest.mark.parametrize("timestamp", ["2026-09-21T12:53:20.250Z", 1_789_995_200_250, 1_789_995_200.25])
def test_a_time(timestamp):
    """ISO 8601, milliseconds and seconds mean the same."""
    assert of(timestamp=timestamp).timestamp == 1_789_995_200.25


S = b'{"error_info": {"stack": "x", '
FAULTS = {
    b"": "The report is not JSON (at character 0): send an object with error_info.",
    b"\xff": "The report is not UTF-8 (byte 0): send JSON in UTF-8.",
    b"[]": "The report must be an object with error_info, not a list.",
    b"null": "The report must be an object with error_info, not null.",
    b"{}": 'error_info is missing: send {"error_info": {"error_type": ..., "error_message": ...}}.',
    b'{"error_info": "x"}': "error_info must be an object, not a text.",
    b'{"error_info": {}}': "error_info says nothing: give it error_type, error_message or stack.",
    b'{"error_info": {"error_message": " ", "stack": "\\n\\u001e"}}': (
        "error_info says nothing: give it error_type, error_message or stack."
    ),
    b'{"error_info": {"error_type": 1}}': "error_type must be a text, not a number.",
    b'{"error_info": {"error_message": ["x"]}}': "error_message must be a text, not a list.",
    S + b'"context": "y"}}': "context must be an object, not a text.",
    S + b'"causes": {}}}': "causes must be a list, not an object.",
    S + b'"causes": [1]}}': "causes[0] must be an object, not a number.",
    S + b'"causes": [{"stack": true}]}}': "causes[0].stack must be a text, not true or false.",
    S + b'"viewport": [1]}}': "viewport must be a text, or width and height as numbers.",
    S + b'"count": true}}': "count must be a whole number, 1 or more.",
    S + b'"count": 0}}': "count must be a whole number, 1 or more.",
    S + b'"dropped": -1}}': "dropped must be a whole number, 0 or more.",
    S + b'"timestamp": "now"}}': "timestamp must be ISO 8601, or milliseconds as of Date.now().",
    S + b'"timestamp": 1e300}}': "timestamp must be ISO 8601, or milliseconds as of Date.now().",
    b'{"error_info": {"stack": NaN}}': "NaN is not JSON: send null, or a text.",
    b'{"error_info": {"stack": -Infinity}}': "-Infinity is not JSON: send null, or a text.",
    b'{"a": 1e999}': 'The number "1e999" is too large: send it as a text.',
    b'{"a": ' + b"9" * 5_000 + b"}": "A number in the report has more than 40 digits: send it as a text.",
    b'{"a": 1, "a": 2}': 'An object in the report names a key "a" twice: name each once.',
    b'{"\\u2028\\n": 1, "\\u2028\\n": 2}': 'An object in the report names a key "\\u2028\\n" twice: name each once.',
    b'{"a":' * 17 + b"1" + b"}" * 17: "The report is nested more than 16 levels deep: flatten its context.",
    b"[" * MAX_BYTES: "The report is nested more than 16 levels deep: flatten its context.",
    b" " * (MAX_BYTES + 1): "The report has more than 65536 bytes: send less context, or a shorter stack.",
}


@pytest.mark.parametrize("body", FAULTS)
def test_faults(body):
    """Each fault has its sentence, which says what to do."""
    with pytest.raises(BadReportError) as caught:
        browser.read(body)
    assert str(caught.value) == FAULTS[body]
    assert isinstance(caught.value, LoghubError)
    assert isinstance(caught.value, ValueError)


def test_long_texts_are_cut_and_say_so():
    """What is too long keeps its beginning and its end."""
    report = of(error_message="a" * 20_000, url="u" * 3_000, user_agent="ua" * 500, error_type="T" * 300)
    for text, limit in (
        (report.error_message, 8_192),
        (report.url, 2_000),
        (report.user_agent, 500),
        (report.error_type, 200),
    ):
        assert len(text) <= limit
        assert "characters cut" in text


def test_odd_characters():
    """NUL and lone surrogates become what they are written as; a name stays on its line."""
    report = of(error_message="a\0b\ud83dc\nd", user_agent="a\nb\u2028c", context={"\ud800": ["\0"], "x": {"y\0": 1}})
    assert report.error_message == "a\\x00b\\ud83dc\nd"
    assert report.user_agent == "a\\nb\\u2028c"
    assert report.context == {"\\ud800": ["\\x00"], "x": {"y\\x00": 1}}


@pytest.mark.parametrize(
    ("said", "component"),
    [
        ("dashboard", "dashboard"),
        ("a b/c:d-e.f", "a b/c:d-e.f"),
        ("", "unknown"),
        ("<b>\n@me,", "b_n_me"),
        ("!!", "unknown"),
    ],
)
def test_components(said, component):
    """A component can be a label: it has letters, digits and few signs."""
    assert of(source_component=said).source_component == component


def test_counts_are_bounded():
    """A number that nobody can have counted is no number to believe."""
    report = of(count=10**30, dropped=10**30)
    assert (report.count, report.dropped) == (1_000, 1_000_000)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=9), inner, max_size=3)),
    max_leaves=8,
)
FIELDS = ("error_type", "error_message", "source_component", "stack", "context", "url", "user_agent", "viewport",
          "release", "timestamp", "count", "dropped", "causes", "key")  # fmt: skip
INFO = st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=5)
BODIES = st.one_of(
    st.binary(),
    JSON.map(json.dumps).map(str.encode),
    st.builds(lambda info, beside: json.dumps({**beside, "error_info": info}).encode(), st.one_of(INFO, JSON), INFO),
)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(BODIES)
@example(b'{"error_info": {"error_type": "", "stack": "x", "timestamp": ""}}')
def test_any_bytes(body):
    """Nothing but a report comes back, and nothing but one printable sentence is raised."""
    fault = ""
    try:
        report = browser.read(body)
    except BadReportError as error:
        fault = str(error)
    if fault:
        assert fault.isprintable()
        assert fault.endswith(".")
        assert len(fault) < 200
    else:
        assert report.error_type or report.error_message or report.stack
        json.dumps([report.context, report.error_message, report.stack, report.url]).encode()
