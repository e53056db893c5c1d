"""Messages that renderers made are read back; whatever else a message is, it stays itself."""

from __future__ import annotations

import logging
import logging.handlers
import queue
import warnings

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from loghub import rendered
from loghub.capture import Capture
from loghub.plain import plain
from loghub.traceback_text import TRACEBACK_HEAD, without_loguru

RENDERERS = {
    "json": structlog.processors.JSONRenderer(),
    "pairs": structlog.processors.KeyValueRenderer(),
    "logfmt": structlog.processors.LogfmtRenderer(),
    "console": structlog.dev.ConsoleRenderer(),
    "grey": structlog.dev.ConsoleRenderer(colors=False),
    "dict": lambda logger, name, event: str(event),
}
EVENTS = [
    {"order": 7, "event": "charge failed", "level": "error"},
    {"event": "x=1 and [y] of {z}", "level": "critical", "timestamp": "2026-11-28T08:00:00.123456Z"},
    {"user": "ada lovelace", "event": 'it\'s "so"', "level": "error", "logger": "shop.orders"},
    {"none": None, "yes": True, "number": 1.5, "event": "all kinds", "level": "warning"},
]


@pytest.mark.parametrize("number", range(len(EVENTS)))
@pytest.mark.parametrize("name", RENDERERS)
def test_there_and_back(name, number):
    """What was said is read out of what each renderer makes of it, with what stands behind it."""
    event = EVENTS[number]
    for behind in ("", "\nTraceback (most recent call last):\n  x"):
        text = RENDERERS[name](None, "error", dict(event)) + behind
        said, rest = rendered.read(text)
        assert rest == behind
        assert said["event"] == event["event"]
        assert {key: str(said[key]).lower().replace("null", "none") or "none" for key in event} == {
            key: str(value).lower() for key, value in event.items()
        }


texts = st.text(st.characters(codec="utf-8"), max_size=40)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.slow
@settings(deadline=None)
@given(st.dictionaries(texts, values, max_size=4), texts)
def test_any_dict(more, event):
    """Any dict comes back whole from JSON and from its repr, as far as names are texts."""
    said = more | {"event": event}
    assert rendered.read(RENDERERS["json"](None, "error", dict(said))) == (said, "")
    assert rendered.read(str(said)) == (said, "")


@pytest.mark.slow
@settings(deadline=None)
@given(st.text(max_size=300) | st.from_regex(r"[\w =\[\]{}'\"<>:,\\\n-]{0,80}", fullmatch=True))
def test_any_text(text):
    """No text breaks the reader, and what it does not read it leaves alone."""
    found = rendered.read(text)
    assert found is None or (rendered.event_key(found[0]) and text.endswith(found[1]))


HOSTILE = [
    "{" * 50_000,
    "event=" + "(" * 50_000,
    "event='a' " * 20_000 + "x",
    "{'event': " + "<" * 50_000 + "}",
    "[error    ] " + "a=1 " * 200_000 + "!",
    "[error    ] x " + "a='" * 100_001,
    "{'event': '" + "\\" * 50_001,
    '{"event": ' + "[" * 50_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text(text):
    """A text that was made to take long takes no longer than others, and breaks nothing."""
    rendered.read(text)


@pytest.mark.parametrize(
    "text",
    [
        "{'a\\d': 1, 'event': 'x'}",
        "event='x\\d' a=1if",
        "{'event': 'x', 'a': 1if 1 else 2}",
        "{'event': 'x', 'a': 1 is 1}",
        "event='\\477'",
    ],
)
def test_the_parser_does_not_warn(text):
    """No message has Python's parser warn on the application's stderr."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")  # as errors they would be SyntaxErrors, which are none
        rendered.read(text)
    assert not caught


@pytest.mark.parametrize("lines", ["  |\n", " \n", "\n", f"  {TRACEBACK_HEAD}\n", "  > File\n"])
def test_hostile_loguru(lines):
    """Looking for loguru's marks takes no longer in a text that was made for it."""
    text = f"{TRACEBACK_HEAD}\n{lines * 5_000}> File "
    assert "> File " in without_loguru(f"{text}\nx > File ")


class Odd:
    """Breaks whoever looks at it."""

    def __eq__(self, other):
        raise RuntimeError("odd")

    __hash__ = None

    def __repr__(self):
        raise RuntimeError("odd")


@pytest.mark.parametrize("fields", [
    {"msg": {"event": "x", "thread": Odd()}}, {"msg": {"event": Odd()}, "_logger": None},
    {"msg": {Odd: 1, "event": "x"}}, {"msg": {"event": "x", "exc_notes": Odd()}},
    {"msg": {"event": "x", "exc_info": Odd()}}, {"msg": {"event": "x", "positional_args": Odd()}}, {"timestamp": Odd()},
    {"msg": {"event": "x", "exception": [{"exc_type": "E", "frames": [{"lineno": Odd()}]}]}}, {"exception": [Odd()]},
    {"msg": {"event": "x", "exception": [{"exc_type": "E", "is_group": True, "exceptions": [[], [[]], 5]}]}},
])  # fmt: skip
def test_hostile_objects(fields):
    """Objects that break whoever compares or shows them are reported with what can be said."""
    record = logging.makeLogRecord({"name": "shop", "levelno": 40, "levelname": "ERROR"} | fields)
    before = dict(record.__dict__)
    plain(record)
    assert all(record.__dict__[name] is value for name, value in before.items())
    capture = Capture()
    assert capture.keep(capture.sight(record), record)["level"] == "ERROR"


def test_the_record_stays_as_it_was():
    """Reading changes nothing about the record, which belongs to other handlers, too."""
    record = logging.makeLogRecord({"name": "shop", "msg": {"event": "x %s", "positional_args": (1,), "a": 1}})
    before = dict(record.__dict__)
    read = plain(record)
    assert (read.getMessage(), read is record) == ("x 1", False)
    assert record.__dict__ == before
    assert plain(read) is read


def test_plain_records_are_not_copied():
    """A record that is as it should be is returned itself."""
    record = logging.makeLogRecord({"name": "shop", "msg": "charge of %s failed", "args": ("ada",), "order": 7})
    assert plain(record) is record
    sent = logging.handlers.QueueHandler(queue.Queue()).prepare(record)
    assert plain(sent) is sent
