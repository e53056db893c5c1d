"""Formatters that are not loghub's work as if loghub's file handler were the standard library's."""

from __future__ import annotations

import io
import logging
import logging.handlers
import queue
from pathlib import Path

import pytest
from pythonjsonlogger.json import JsonFormatter as Theirs

import loghub
from loghub.formatters import CachedTracebacks
from loghub.handlers.rotatingfile import RotatingFileHandler
from tests.rendering.hostile import caught, fail_plainly, raise_from

CALLS = []


def noting(name):
    """Return a method that notes that it was called, and with which text in the record, and does what logging does."""

    def method(self, first, *rest):
        record = first if isinstance(first, logging.LogRecord) else None
        CALLS.append(
            (type(self).__name__, name, record and record.exc_text, rest, record is None and type(first).__name__)
        )
        return getattr(super(type(self), self), name)(first, *rest)

    return method


def formatter_class(*names, base=logging.Formatter):
    """Return a class that overrides these methods."""
    return type("Own_" + "_".join(names), (base,), {name: noting(name) for name in names})


class Other(logging.Formatter):
    """Has a text of its own for exceptions."""

    def formatException(self, ei):
        CALLS.append(("Other", str(ei[0])))
        return f"[{ei[1]!r}]"


class Shortened(logging.Formatter):
    """Changes what logging makes."""

    def formatException(self, ei):
        return super().formatException(ei).splitlines()[-1]


class Forgetful(logging.Formatter):
    """Leaves no text in the record, as some projects do against the text of other formatters."""

    def format(self, record):
        record.exc_text = None
        try:
            return super().format(record)
        finally:
            record.exc_text = None


class OneLine(logging.Formatter):
    """Hides the exception from logging."""

    def format(self, record):
        info, record.exc_info = record.exc_info, None
        line = super().format(record)
        record.exc_info = info
        return f"{line} {info and info[0]}"


class Duck:
    """Is no logging.Formatter at all."""

    def format(self, record):
        CALLS.append(("Duck", record.exc_text))
        return record.getMessage()


class Borrowed:
    """Has only logging's format, and an exception's text of its own."""

    format = logging.Formatter.format
    usesTime = logging.Formatter.usesTime
    formatMessage = logging.Formatter.formatMessage
    formatStack = logging.Formatter.formatStack
    _style = logging.PercentStyle("%(message)s")

    def formatException(self, ei):
        return "borrowed"


def on_the_object():
    """Return logging's formatter with a method set on the object."""
    made = logging.Formatter("%(message)s")
    made.formatException = lambda ei: f"object {ei[1]!r}"
    return made


class Cached(CachedTracebacks, logging.Formatter):
    """loghub's mixin before logging's formatter."""


class CachedOther(Shortened, CachedTracebacks):
    """loghub's mixin behind a formatter that changes what it is given."""


class CachedTheirs(Theirs, CachedTracebacks):
    """loghub's mixin behind python-json-logger's."""


class CachedOneLine(OneLine, CachedTracebacks):
    """loghub's mixin behind a formatter with a format of its own."""


def plain(kind):
    """Return a maker of a formatter, for here and there."""
    return (lambda: kind("%(message)s"),) * 2


# name: (with loghub, what stands in its place without)
FORMATTERS = {
    "none": (lambda: None,) * 2,
    "logging's": plain(logging.Formatter),
    "formatException": plain(formatter_class("formatException")),
    "format": plain(formatter_class("format")),
    "formatStack": plain(formatter_class("formatStack")),
    "formatTime": (lambda: formatter_class("formatTime")("%(asctime)s %(message)s"),) * 2,
    "formatMessage": plain(formatter_class("formatMessage")),
    "exc_text in the line": (lambda: logging.Formatter("%(message)s %(exc_text)s"),) * 2,
    "all": plain(formatter_class("format", "formatException", "formatStack", "formatMessage")),
    "other": plain(Other),
    "shortened": plain(Shortened),
    "forgetful": plain(Forgetful),
    "one line": plain(OneLine),
    "duck": (Duck,) * 2,
    "borrowed": (Borrowed,) * 2,
    "on the object": (on_the_object,) * 2,
    "python-json-logger": plain(Theirs),
    "mixin": (lambda: Cached("%(message)s"), lambda: logging.Formatter("%(message)s")),
    "mixin behind other": (lambda: CachedOther("%(message)s"), lambda: Shortened("%(message)s")),
    "mixin behind json": (lambda: CachedTheirs("%(message)s"), lambda: Theirs("%(message)s")),
    "mixin behind format": (lambda: CachedOneLine("%(message)s"), lambda: OneLine("%(message)s")),
}

NEIGHBOURS = ["logging's", "formatException", "all", "other", "forgetful", "one line", "python-json-logger"]


def records():
    """Return records of every kind, made anew."""
    exc = caught(raise_from, ValueError("x"), caught(fail_plainly, "before"))
    info = type(exc), exc, exc.__traceback__

    def record(exc_info, **given):
        made = logging.LogRecord("shop", logging.ERROR, __file__, 1, "failed %d", (7,), exc_info)
        made.created, made.msecs = 1_767_268_800.0, 0.0
        vars(made).update(given)
        return made

    return [
        record(info),
        record(None),
        record(info, stack_info="Stack (most recent call last):\n  here"),
        record((None, None, None)),
        record(info, exc_text="there already"),
        record(info, exc_text=""),
        record((ValueError, ValueError("without traceback"), None)),
        record(None, exc_text="alone"),
    ]


def passed_through(records, handlers):
    """Return, for each record, its text and the calls of formatters after each handler."""
    said = []
    for record in records:
        for handler in handlers:
            CALLS.clear()
            handler.handle(record)
            said.append((record.exc_text, record.exc_info and record.exc_info[0], list(CALLS)))
    return said


def around(file_handler, before, own, after):
    """Return a file handler with a formatter, between two stream handlers with others."""
    streams = [logging.StreamHandler(io.StringIO()) for _ in range(2)]
    for handler, formatter in zip([streams[0], file_handler, streams[1]], [before, own, after], strict=True):
        handler.setFormatter(formatter)
    return [streams[0], file_handler, streams[1]]


@pytest.fixture
def files(tmp_path):
    """loghub's file handler and the standard library's."""
    made = RotatingFileHandler(tmp_path / "ours.log"), logging.handlers.RotatingFileHandler(tmp_path / "theirs.log")
    yield made
    for handler in made:
        handler.close()


@pytest.mark.slow
@pytest.mark.parametrize("own", FORMATTERS)
def test_same_as_without_loghub(files, own):
    """Before, in and after loghub's file handler every formatter is called, and writes, as beside logging's own."""
    for before in NEIGHBOURS:
        for after in NEIGHBOURS:
            chosen = [FORMATTERS[name] for name in (before, own, after)]
            ours, theirs = (
                around(handler, chosen[0][1](), chosen[1][index](), chosen[2][1]())
                for index, handler in enumerate(files)
            )
            assert passed_through(records(), ours) == passed_through(records(), theirs), (before, after)
            for one, other in zip((ours[0], ours[2]), (theirs[0], theirs[2]), strict=True):
                assert one.stream.getvalue() == other.stream.getvalue(), (before, after)
    ours, theirs = (Path(handler.baseFilename).read_text(encoding="utf-8") for handler in files)
    assert ours == theirs


@pytest.mark.parametrize("name", [name for name in FORMATTERS if name.startswith("mixin")])
def test_mixin_with_anybodys_formatter(name):
    """With the mixin a formatter writes what it writes without, on whatever handler, before and after others."""
    for other in FORMATTERS.values():
        for order in (1, -1):
            ours, theirs = ([logging.StreamHandler(io.StringIO()) for _ in range(2)] for _ in range(2))
            for index, handlers in enumerate((ours, theirs)):
                for handler, formatter in zip(handlers, [FORMATTERS[name][index](), other[1]()][::order], strict=True):
                    handler.setFormatter(formatter)
            assert passed_through(records(), ours) == passed_through(records(), theirs)
            assert [one.stream.getvalue() for one in ours] == [one.stream.getvalue() for one in theirs]


def test_loghubs_json(files):
    """loghub's JsonFormatter leaves the record to others as python-json-logger's leaves it."""
    for before in NEIGHBOURS:
        for after in NEIGHBOURS:
            made = loghub.JsonFormatter(), Theirs()
            ours, theirs = (
                around(handler, FORMATTERS[before][1](), made[index], FORMATTERS[after][1]())
                for index, handler in enumerate(files)
            )
            assert passed_through(records(), ours) == passed_through(records(), theirs), (before, after)


@pytest.mark.parametrize("name", FORMATTERS)
def test_behind_a_queue(files, name):
    """A record that a QueueHandler has prepared is written as by the standard library's file handler."""
    waiting = queue.SimpleQueue()
    for index, handler in enumerate(files):
        handler.setFormatter(FORMATTERS[name][index]())
        for record in records():
            logging.handlers.QueueHandler(waiting).handle(record)
            handler.handle(waiting.get())
    ours, theirs = (Path(handler.baseFilename).read_text(encoding="utf-8") for handler in files)
    assert ours == theirs
