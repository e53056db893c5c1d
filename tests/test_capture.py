"""Capture: the same bug again is a cache hit, other bugs are not, and nothing it looks at can break it."""

from __future__ import annotations

import ast
import asyncio
import copy
import gc
import json
import linecache
import logging
import logging.handlers
import os
import pickle
import queue
import subprocess
import sys
import threading
import traceback
import tracemalloc
import warnings
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loghub import capture as capture_module
from loghub import codepath, description, fingerprint, traceback_text
from loghub.capture import MAX_KEYS, Capture
from loghub.event import dumps
from loghub.sighting import Sighting


class Collector(logging.Handler):
    """Keeps the records."""

    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)


@pytest.fixture
def log():
    """Return a logger whose records only a collector gets."""
    logger = logging.Logger("shop.cart")  # noqa: LOG001 - alone, without a root
    logger.addHandler(Collector())
    return logger


@pytest.fixture
def capture():
    """Return a Capture with the defaults."""
    return Capture()


@pytest.fixture
def computed(monkeypatch):
    """Return the events whose fingerprints were computed."""
    events = []
    honest = fingerprint.judge

    def judge(event, *version):
        events.append(event)
        return honest(event, *version)

    monkeypatch.setattr(fingerprint, "judge", judge)
    return events


def last(log):
    """Return the newest record."""
    return log.handlers[0].records[-1]


def failed(log, act, *args, **options):
    """Return the record of what `act` raises, logged at one place."""
    try:
        act(*args)
    except BaseException:
        log.exception("failed", **options)
    return last(log)


def mark(capture, record):
    """Return the record's fingerprint."""
    return capture.sight(record).kind.fingerprint


def event_of(capture, record):
    """Return the record's event."""
    return capture.keep(capture.sight(record), record)


def divide(by):
    """Fail for 0, and for a text."""
    return 1 / by


def either(first):
    """Raise at one of two lines."""
    if first:
        raise ValueError("one")
    raise ValueError("other")


def chained(explicit):
    """Raise with a cause or a context."""
    try:
        divide(0)
    except ZeroDivisionError as error:
        if explicit:
            raise KeyError("k") from error
        raise KeyError("k")  # noqa: B904 - the other relation


def caused_by(way, argument):
    """Raise because `way` failed."""
    try:
        way(argument)
    except Exception as error:
        raise RuntimeError("job failed") from error


def grouped(*members):
    """Raise a group."""
    raise ExceptionGroup("several", list(members))


def raised(error):
    """Return `error`, once it was raised."""
    try:
        raise error
    except BaseException as caught:
        return caught


def throw(error):
    """Raise `error`."""
    raise error


# The cache ----------------------------------------------------------------------------------------------------


def test_same_bug_again(capture, log, computed):
    """A repeat finds its kind without computing a fingerprint, and it is the very same kind."""
    first = capture.sight(failed(log, divide, 0))
    assert len(computed) == 1
    again = [capture.sight(failed(log, divide, 0)) for _ in range(5)]
    assert len(computed) == 1
    assert all(one.kind is first.kind for one in again)
    assert first.kind.fingerprint.startswith("v1:")


def test_one_record_many_handlers(capture, log, computed):
    """All who look at one record get one sighting and one event."""
    record = failed(log, divide, 0)
    assert capture.sight(record) is capture.sight(record)
    assert event_of(capture, record) is event_of(capture, record)
    assert len(computed) == 1


DIFFERENT = {
    "raise lines": ((either, True), (either, False)),
    "types": ((divide, "a"), (divide, 0)),
    "relations": ((chained, True), (chained, False)),
    "causes": ((caused_by, either, True), (caused_by, either, False)),
    "members": ((grouped, ValueError(1)), (grouped, KeyError(1))),
    "members' lines": (
        (lambda: grouped(raised_at(either, True)),),
        (lambda: grouped(raised_at(either, False)),),
    ),
    "errno": ((throw, OSError(28, "no")), (throw, OSError(24, "no"))),
    "missing module": ((__import__, "no_such_one"), (__import__, "no_such_other")),
    "no stack of the application": ((exec, "raise", {}), (exec, "1 +", {})),
    "broken files": ((compile, "x = = 1", "a.py", "exec"), (compile, "x = = 1", "b.py", "exec")),
}  # fmt: skip


def raised_at(way, argument):
    """Return what `way` raises."""
    try:
        way(argument)
    except Exception as error:
        return error
    return None


@pytest.mark.parametrize("name", DIFFERENT)
def test_different_bugs(capture, log, name):
    """Two bugs have two fingerprints, whichever came first, and keep them when they come again."""
    one, other = DIFFERENT[name]
    marks = [mark(capture, failed(log, *way)) for way in (one, other, one, other)]
    assert marks[0] != marks[1]
    assert marks[2:] == marks[:2]


def test_table_in_message(capture, log):
    """A database's error names its table in the message only, also when it is the cause or in a group."""
    database_error = type("OperationalError", (Exception,), {"__module__": "sqlite3"})
    for wrap in (lambda error: error, lambda error: ExceptionGroup("g", [error]),
                 lambda error: ExceptionGroup("g", [ExceptionGroup("h", [error])]), with_cause,
                 lambda error: ExceptionGroup("g", [with_cause(error)])):  # fmt: skip
        users, orders = (database_error(f"no such table: {name}") for name in ("users", "orders"))
        assert mark(capture, failed(log, throw, wrap(users))) != mark(capture, failed(log, throw, wrap(orders)))


def with_cause(error):
    """Return an error that `error` caused."""
    outer = RuntimeError("job failed")
    outer.__cause__ = raised(error)
    return outer


def test_values_are_one_bug(capture, log, computed):
    """Messages that differ in values only are looked up by their words."""
    marks = {mark(capture, failed(log, throw, OSError(28, f"/spool/{n} is full"))) for n in range(50)}
    assert len(marks) == 1
    assert len(computed) < 5


def test_same_stack_elsewhere_logged(capture):
    """Logger, level and component are part of the kind, and the fingerprint stays that of the bug."""

    def kinds_of(name, level, **extra):
        logger = logging.Logger(name)  # noqa: LOG001 - alone, without a root
        logger.addHandler(Collector())
        try:
            divide(0)
        except ZeroDivisionError:
            logger.log(level, "failed", exc_info=True, extra=extra)
        return capture.sight(last(logger)).kind

    kinds = [
        kinds_of("shop.cart", 40),
        kinds_of("shop.stock", 40),
        kinds_of("shop.cart", 50),
        kinds_of("shop.cart", 40, component="checkout"),
    ]
    assert len(set(kinds)) == 4
    assert len({kind.fingerprint for kind in kinds}) == 1
    assert [kind.component for kind in kinds] == ["shop", "shop", "shop", "checkout"]


def test_plain_records(capture, log, computed):
    """Without an exception the template tells: values do not count, words do, and so does the place."""
    for number in range(3):
        log.error("order %d is late", number)
    log.error("order %d is late", 1)
    log.error("order %d is lost", 1)
    marks = [mark(capture, record) for record in log.handlers[0].records]
    assert marks[0] == marks[1] == marks[2] != marks[4]
    # The same function, another line: one bug, though another code path.
    assert marks[3] == marks[0]
    assert len(computed) == 3


def test_template_of_placeholders(capture, log):
    """Where the template says nothing, the message tells bugs apart."""

    def say(text):
        log.error("%s", text)
        return mark(capture, last(log))

    assert say("disk full") != say("no route to host")
    assert say("disk full") == say("disk full")
    assert say("disk 7 full") == say("disk 8 full")


def test_traceback_as_argument(capture, log):
    """``logger.error("failed: %s", format_exc())`` has the fingerprint of what the text tells."""

    def say(way, *args):
        try:
            way(*args)
        except Exception:
            log.error("failed: %s", traceback.format_exc())
        return mark(capture, last(log))

    assert say(either, True) != say(either, False)
    assert say(either, True) == say(either, True)
    assert event_of(capture, last(log))["error_type"] == "ValueError"
    assert event_of(capture, last(log))["message"] == "failed:"


def test_long_messages_that_differ_late(capture, log):
    """The key covers all of a message, not only its beginning."""

    def say(text):
        log.error(text)
        return mark(capture, last(log))

    long = "word " * 300
    assert say(long + "one") == say(long + "one")
    assert len(capture._by_key) == 1
    say(long + "other")
    assert len(capture._by_key) == 2


def test_recursion(capture, log, computed):
    """5,000 frames make a small key; another depth is another path and the same bug."""

    def fall(depth):
        if depth:
            return fall(depth - 1)
        raise ValueError("at the bottom")

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(12_000)
    try:
        deep = [failed(log, fall, depth) for depth in (5000, 5000, 4999)]
        marks = [mark(capture, record) for record in deep]
        assert len(event_of(capture, deep[0])["frames"]) <= 251
    finally:
        sys.setrecursionlimit(limit)
    assert len(set(marks)) == 1
    assert len(computed) == 2
    assert all(len(key) < 600 for key in codepath._known)


@pytest.mark.slow
def test_code_that_dies(capture, log, computed):
    """20,000 code objects come and go: the cache stays bounded, and none is taken for another."""
    marks = {}
    for number in range(20_000):
        name = f"handler_{number % 50}"
        scope = {"__name__": "shop"}
        exec(f"def {name}():\n    raise ValueError(1)\n", scope)
        record = logging.LogRecord("shop", 40, __file__, 1, "failed", (), exc_info(scope[name]))
        marks.setdefault(name, set()).add(mark(capture, record))
    assert len(capture._by_key) <= MAX_KEYS
    assert all(len(found) == 1 for found in marks.values())
    assert len(set.union(*marks.values())) == 50


def exc_info(way):
    """Return the triple of what `way` raises."""
    try:
        way()
    except Exception:
        return sys.exc_info()
    return None


@pytest.mark.slow
def test_bounded_kinds_and_messages(log):
    """Messages without end do not grow the caches without end."""
    capture = Capture()
    for number in range(MAX_KEYS + 500):
        log.error("%s", "".join(chr(97 + int(digit)) for digit in str(number)))
        capture.sight(last(log))
    assert len(capture._by_key) <= MAX_KEYS
    assert len(capture._kinds) <= MAX_KEYS


def test_threads_learn_at_once(log):
    """Many threads that meet the same new bugs agree on their kinds."""
    capture = Capture()
    start = threading.Barrier(8)
    found = []

    def work():
        start.wait()
        for number in range(200):
            try:
                either(number % 2)
            except ValueError:
                record = logging.LogRecord("shop", 40, __file__, 1, "failed", (), sys.exc_info())
            found.append((number % 2, capture.sight(record).kind))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 2


# What an event says -------------------------------------------------------------------------------------------

SPEC_KEYS = [
    "timestamp", "error_type", "error_message", "module", "function", "traceback", "additional_info", "id",
    "fingerprint", "error_module", "level", "logger", "message", "template", "args", "component", "environment",
    "release", "server", "process", "thread", "task", "platform", "mechanism", "frames", "causes", "exceptions",
    "notes", "breadcrumbs", "system",
]  # fmt: skip


class Card:
    """Somebody's method."""

    def charge(self):
        raise LookupError("card 7 is unknown")


def test_keys_and_values(log):
    """An event has the keys of SPEC 4, in its order, and each says what it should."""
    capture = Capture(component="pay", environment="staging", release="1.2", system={"python_version": "3"})
    event = event_of(capture, failed(log, Card().charge, extra={"order": 7}))
    assert list(event) == SPEC_KEYS
    assert event["timestamp"].endswith("Z")
    assert len(event["timestamp"]) == len("2026-01-01T00:00:00.000Z")
    expected = {
        "error_type": "LookupError", "error_message": "card 7 is unknown", "module": __name__,
        "function": "Card.charge", "additional_info": {"order": 7}, "error_module": "builtins", "level": "ERROR",
        "logger": "shop.cart", "message": "failed", "template": "failed", "args": [], "component": "pay",
        "environment": "staging", "release": "1.2", "platform": "python", "mechanism": "logging", "causes": [],
        "exceptions": [], "notes": [], "breadcrumbs": [], "system": {"python_version": "3"}, "task": None,
    }  # fmt: skip
    assert {key: event[key] for key in expected} == expected
    assert event["traceback"].startswith("Traceback (most recent call last):\n")
    assert event["traceback"].endswith("LookupError: card 7 is unknown")
    assert event["process"] == {"id": os.getpid(), "name": "MainProcess"}
    frame = event["frames"][-1]
    assert frame["code"] == 'raise LookupError("card 7 is unknown")'
    assert frame["file"] == __file__
    assert frame["in_app"] is True
    assert isinstance(frame["column"], int)
    assert event["fingerprint"] == fingerprint.of_event(event)


def test_plain_event(capture, log):
    """Without an exception, type is the level, message the message, and the place that of the call."""
    log.error("order %s is late", 7)
    event = event_of(capture, last(log))
    assert (event["error_type"], event["error_message"]) == ("ERROR", "order 7 is late")
    assert (event["module"], event["function"]) == ("test_capture", "test_plain_event")
    assert (event["template"], event["args"], event["frames"], event["traceback"]) == ("order %s is late", [7], [], "")


def test_causes_members_notes(capture, log):
    """Causes come nearest first with their relation, members with causes of their own, notes as texts."""

    def act():
        try:
            chained(True)
        except KeyError:
            error = ExceptionGroup("several", [raised_at(chained, False), ValueError("v")])
            error.add_note("seen at night")
            raise error  # noqa: B904 - its context counts

    event = event_of(capture, failed(log, act))
    assert [(part["error_type"], part["relation"]) for part in event["causes"]] == [
        ("KeyError", "context"),
        ("ZeroDivisionError", "cause"),
    ]
    first, second = event["exceptions"]
    assert first["causes"][0]["error_type"] == "ZeroDivisionError"
    assert second["error_message"] == "v"
    assert event["notes"] == ["seen at night"]


def test_nested_class_name(capture, log):
    """A nested class says where it stands, a local one only its name."""

    class LocalError(Exception):
        pass

    assert event_of(capture, failed(log, throw, LocalError()))["error_type"] == "LocalError"
    assert event_of(capture, failed(log, throw, Nest.EggError()))["error_type"] == "Nest.EggError"


class Nest:
    """Holds a class."""

    class EggError(Exception):
        """Lies in the nest."""


def test_locals_if_asked(log):
    """Frames carry their variables if asked, as texts, and secrets are gone."""

    def act():
        basket = ["egg"]
        password = "hunter2-hunter2"
        return basket[len(password)]

    frame = event_of(Capture(include_locals=True), failed(log, act))["frames"][-1]
    assert frame["locals"]["basket"] == "['egg']"
    assert "hunter2" not in dumps(frame["locals"])
    assert "locals" not in event_of(Capture(), failed(log, act))["frames"][-1]


def test_huge_locals(log):
    """A variable of many megabytes is not rendered as a whole, and says how large it is."""

    def hold(text, raw, many):
        raise ValueError(len(text) + len(raw) + len(many))

    capture = Capture(include_locals=True)
    record = failed(log, hold, "x" * 5_000_000, bytearray(5_000_000), list(range(5_000_000)))
    tracemalloc.start()
    shown = event_of(capture, record)["frames"][-1]["locals"]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
    assert shown["text"].endswith("(5000000 in all)")
    assert shown["raw"].endswith("(5000000 in all)")
    assert shown["many"] == "<list of 5000000>"


def test_locals_that_cannot_be_printed(log):
    """A variable whose repr raises does not cost the event."""

    def act():
        broken = Hostile()
        raise ValueError(type(broken).__name__)

    frame = event_of(Capture(include_locals=True), failed(log, act))["frames"][-1]
    assert frame["locals"]["broken"] == "<unprintable Hostile object>"


class Hostile:
    """Raises, however it is looked at."""

    def __repr__(self):
        raise RuntimeError("no")

    __str__ = __repr__


def test_task_name(capture, log):
    """The asyncio task is named, and its logger's own record of a lost exception arrives like any other."""

    async def work():
        try:
            divide(0)
        except ZeroDivisionError:
            log.exception("failed")

    async def main():
        await asyncio.create_task(work(), name="nightly")

    with asyncio.Runner() as runner:
        runner.run(_sighting(capture, log, main))
    assert event_of(capture, last(log))["task"] == "nightly"


def _sighting(capture, log, main):
    class Look(logging.Filter):
        def filter(self, record):
            event_of(capture, record)
            return True

    log.addFilter(Look())
    return main()


# Things that should not be said to a logger -------------------------------------------------------------------


class BadStrError(Exception):
    """Cannot be printed."""

    def __str__(self):
        raise RuntimeError("no")


class BadCauseError(Exception):
    """Breaks whoever walks its chain, traceback included."""

    @property
    def __cause__(self):
        raise RuntimeError("no")


class BadNotesError(Exception):
    """Has notes that are none."""

    @property
    def __notes__(self):
        raise RuntimeError("no")


class BadModuleError(Exception):
    """Has no module worth the name."""


BadModuleError.__module__ = 7


@pytest.mark.shows("hostile input", "nothing lost", "application unharmed")
@pytest.mark.parametrize("broken", [BadStrError, BadCauseError, BadNotesError, BadModuleError])
def test_hostile_exceptions(capture, log, broken):
    """An exception that breaks whoever looks at it is reported, with its class and its frames."""
    record = failed(log, throw, broken("x"))
    event = event_of(capture, record)
    assert event["error_type"] == broken.__name__
    assert event["function"] == "throw"
    assert "in throw" in event["traceback"]
    assert event["fingerprint"] == mark(capture, record)
    json.loads(dumps(event))


def test_hostile_exceptions_are_asked_about(log):
    """before_send sees such an event, too."""
    seen = []
    capture = Capture(before_send=lambda event: seen.append(event["error_type"]))
    assert capture.sight(failed(log, throw, BadCauseError())).kind is None
    assert seen == ["BadCauseError"]


def test_chain_in_a_circle(capture, log):
    """Exceptions that cause each other end somewhere."""
    one, other = ValueError("one"), KeyError("other")
    one.__cause__, other.__cause__ = other, one
    event = event_of(capture, failed(log, throw, one))
    assert [part["error_type"] for part in event["causes"]] == ["KeyError"]


def test_group_in_its_own_cause(capture, log):
    """A group whose member was caused by the group ends somewhere, too."""
    member = ValueError("m")
    group = ExceptionGroup("g", [member])
    member.__cause__ = group
    assert len(event_of(capture, failed(log, throw, group))["exceptions"]) == 1


@pytest.mark.shows("hostile input", "bounded", "ends in time")
def test_deep_and_wide_chains(capture, log):
    """5,000 causes, 5,000 members and 1,000 groups within groups are cut, not walked to their end."""
    error = ValueError("first")
    for _ in range(5000):
        following = ValueError("next")
        following.__context__, error = error, following
    nested = ValueError("inmost")
    for _ in range(1000):
        nested = ExceptionGroup("g", [nested])
    wide = ExceptionGroup("g", [ValueError(n) for n in range(5000)])
    for one in (error, nested, wide):
        event = event_of(capture, failed(log, throw, one))
        assert event["causes"] or event["exceptions"]
        assert len(dumps(event)) <= 300_000


def test_not_in_an_except(capture, log):
    """logger.exception outside of an except is a record without an exception."""
    log.exception("nothing happened")  # noqa: LOG004 - that is the point
    event = event_of(capture, last(log))
    assert (event["error_type"], event["error_message"]) == ("ERROR", "nothing happened")


@pytest.mark.parametrize("given", [True, (None, None, None), "exception"])
def test_ways_to_give_exc_info(capture, log, given):
    """exc_info may be True, an exception, or a triple of nothing."""
    error = raised(ValueError("v"))
    try:
        raise KeyError("k")
    except KeyError:
        log.error("failed", exc_info=error if given == "exception" else given)
    event = event_of(capture, last(log))
    expected = {True: "KeyError", (None, None, None): "ERROR", "exception": "ValueError"}
    assert event["error_type"] == expected[given]


@pytest.mark.parametrize("info", [True, ValueError("v"), (ValueError,), "text"])
def test_handmade_exc_info(capture, info):
    """A record made by hand may have anything as exc_info."""
    record = logging.LogRecord("shop", 40, __file__, 1, "failed", (), None)
    record.exc_info = info
    assert event_of(capture, record)["error_type"] == ("ValueError" if isinstance(info, ValueError) else "ERROR")


def test_exception_that_was_never_raised(capture, log):
    """Without a stack the message tells bugs apart, and the place is that of the call."""

    def say(text):
        log.error("failed", exc_info=ValueError(text))
        return mark(capture, last(log))

    assert say("no such user") != say("no such order")
    assert say("no such user") == say("no such user")
    assert event_of(capture, last(log))["function"] == "say"


def test_stack_info(capture, log):
    """stack_info is kept with the context."""
    log.error("here", stack_info=True)
    assert "test_stack_info" in event_of(capture, last(log))["additional_info"]["stack_info"]


@pytest.mark.parametrize(
    ("message", "args", "shown"),
    [
        ("%d items", ("many",), "%d items ('many',)"),
        ("%s and %s", ("one",), "%s and %s ('one',)"),
        ("100%", (1,), "100% (1,)"),
        ("%(name)s", ({"other": 1},), "%(name)s {'other': 1}"),
        ("%(name)s", ({"name": "x"},), "x"),
        (7, (), "7"),
        ({"order": 7}, (), "{'order': 7}"),
        (Hostile(), (), "<unprintable Hostile object>"),
        ("%s", (Hostile(),), "%s <unprintable tuple object>"),
    ],
)
def test_messages(capture, log, message, args, shown):
    """Whatever is logged has a message; where the arguments do not fit, both are in it."""
    log.error(message, *args)
    event = event_of(capture, last(log))
    assert event["message"] == shown
    json.loads(dumps(event))


@pytest.mark.parametrize("text", ["\ud800 half", "a\0b", "x" * 1_000_000, "\ud800" * 1000, ""])
def test_texts(capture, log, text):
    """Lone surrogates, NUL and a megabyte of text make an event that is JSON and UTF-8."""
    try:
        raise ValueError(text)
    except ValueError:
        log.exception(text, extra={"text": text, text or "empty": 1})
    data = dumps(event_of(capture, last(log))).encode("utf-8")
    assert len(data) <= 300_000
    assert json.loads(data)["error_type"] == "ValueError"


@pytest.mark.slow
@given(
    message=st.text() | st.integers() | st.none() | st.dictionaries(st.text(), st.text()) | st.binary(),
    args=st.lists(st.text() | st.integers() | st.none(), max_size=3),
    extra=st.dictionaries(st.sampled_from(["component", "fingerprint", "order", "_loghub_mechanism", "_x"]),
                          st.text() | st.lists(st.text()) | st.dictionaries(st.text(), st.integers())),
)  # fmt: skip
def test_any_record(message, args, extra):
    """Every record has a fingerprint and an event that JSON can hold, and keeps them."""
    capture = Capture()
    record = logging.LogRecord("shop", 40, __file__, 1, message, tuple(args), exc_info(lambda: divide(0)))
    record.__dict__.update(extra)
    event = event_of(capture, record)
    assert json.loads(dumps(event))["fingerprint"] == mark(capture, record)
    fresh = copy.copy(record)
    del fresh.__dict__["_loghub_event"]
    assert mark(Capture(), fresh) == mark(capture, record)


def test_record_of_nothing(capture):
    """A record that logging.makeLogRecord made of nearly nothing is reported."""
    record = logging.makeLogRecord({"msg": "from afar"})
    found = capture.sight(record).kind
    assert (found.logger, found.level, found.component) == ("root", 0, "root")
    assert event_of(capture, record)["message"] == "from afar"


def test_file_that_no_file_can_be(capture):
    """A code object with an impossible file name is described like any other."""

    def act():
        raise ValueError("v")

    code = act.__code__.replace(co_filename="a\0b")
    record = logging.LogRecord("shop", 40, __file__, 1, "failed", (), exc_info(lambda: exec(code)))
    event = event_of(capture, record)
    assert event["error_type"] == "ValueError"
    assert event["frames"][-1]["code"] == ""


# What the caller says -----------------------------------------------------------------------------------------


def test_fingerprint_of_ones_own(capture, log):
    """extra's fingerprint decides, with the default where it asks for it."""
    plain = mark(capture, failed(log, divide, 0))
    own = mark(capture, failed(log, divide, 0, extra={"fingerprint": "payment"}))
    same = mark(capture, failed(log, either, True, extra={"fingerprint": "payment"}))
    split = mark(capture, failed(log, divide, 0, extra={"fingerprint": ["{{ default }}", "tenant 7"]}))
    default = mark(capture, failed(log, divide, 0, extra={"fingerprint": "{{ default }}"}))
    assert own == same == fingerprint.custom("payment", "")
    assert split == fingerprint.custom(["{{ default }}", "tenant 7"], plain)
    assert len({plain, own, split}) == 3
    assert default == plain
    assert event_of(capture, last(log))["fingerprint"] == plain
    assert "fingerprint" not in event_of(capture, last(log))["additional_info"]


def test_component_of_ones_own(log):
    """extra's component stands over the filter's, and the filter's over the logger's first name."""
    record = failed(log, divide, 0)
    assert event_of(Capture(), record)["component"] == "shop"
    assert event_of(Capture(component="pay"), record)["component"] == "pay"
    record = failed(log, divide, 0, extra={"component": "checkout"})
    assert event_of(Capture(component="pay"), record)["component"] == "checkout"
    record = failed(log, divide, 0, extra={"component": {"odd": 1}})
    assert event_of(Capture(), record)["component"] == "{'odd': 1}"


def test_skip(capture, log):
    """What is marked loghub_skip is not reported."""
    assert capture.sight(failed(log, divide, 0, extra={"loghub_skip": True})).kind is None
    assert capture.sight(failed(log, divide, 0)).kind is not None


def test_own_logger(capture):
    """Logger loghub is never reported; loghub.uncaught is."""
    record = logging.LogRecord("loghub", 40, __file__, 1, "Error reporter: ...", (), None)
    assert capture.sight(record).kind is None
    record = logging.LogRecord("loghub.uncaught", 50, __file__, 1, "Uncaught", (), None)
    assert event_of(capture, record)["mechanism"] == "uncaught"


def test_what_deliverers_log(capture, log, monkeypatch):
    """What a delivering thread logs is not reported; a record of another process with the same ident is."""
    monkeypatch.setattr(capture_module, "muted_threads", {threading.get_ident()})
    record = failed(log, divide, 0)
    assert capture.sight(record).kind is None
    monkeypatch.setattr(capture_module, "muted_threads", {12345})
    for process, reported in ((os.getpid(), False), (os.getpid() + 1, True)):
        record = failed(log, divide, 0)
        record.thread, record.process = 12345, process
        assert (capture.sight(record).kind is not None) is reported


# before_send --------------------------------------------------------------------------------------------------


def test_before_send_sees_every_occurrence(log):
    """It is asked about every occurrence, with the scrubbed event, and once for all handlers."""
    seen = []

    def hook(event):
        seen.append(event)
        return event

    capture = Capture(before_send=hook)
    for number in range(5):
        record = failed(log, divide, 0, extra={"n": number, "password": "hunter2-hunter2"})
        capture.sight(record)
        event_of(capture, record)
    assert [event["additional_info"]["n"] for event in seen] == [0, 1, 2, 3, 4]
    assert "hunter2" not in dumps(seen)
    assert mark(capture, last(log)) == mark(Capture(), failed(log, divide, 0))


def test_before_send_changes(log):
    """What it changes is what is kept; what it adds is scrubbed, too; the key of the occurrence stays."""

    def hook(event):
        return event | {
            "error_message": "[gone]",
            "component": "pay",
            "additional_info": {"password": "hunter2-hunter2"},
        }

    record = failed(log, divide, 0)
    event = event_of(Capture(before_send=hook), record)
    assert (event["error_message"], event["component"]) == ("[gone]", "pay")
    assert "hunter2" not in dumps(event)
    assert event["id"]


def test_before_send_drops(log):
    """None means that this occurrence is not reported, and only this one."""
    answers = iter([None, True])
    capture = Capture(before_send=lambda event: event if next(answers) else None)
    assert [capture.sight(failed(log, divide, 0)).kind is None for _ in range(2)] == [True, False]


def test_before_send_chooses_the_fingerprint(log):
    """A fingerprint that it sets is taken as one of the caller's own."""
    capture = Capture(before_send=lambda event: event | {"fingerprint": ["{{ default }}", event["error_type"]]})
    default = mark(Capture(), failed(log, divide, 0))
    record = failed(log, divide, 0)
    assert mark(capture, record) == fingerprint.custom(["{{ default }}", "ZeroDivisionError"], default)
    assert event_of(capture, record)["fingerprint"] == mark(capture, record)


@pytest.mark.parametrize("answer", [RuntimeError("no"), True, "event", ["event"]])
def test_before_send_fails(log, answer, capsys):
    """Where it fails, the occurrence is reported without what it may have been there to take out; once said."""

    def hook(event):
        if isinstance(answer, Exception):
            event["error_type"] = "half way"
            raise answer
        return answer

    capture = Capture(before_send=hook)
    for _ in range(3):
        event = event_of(capture, failed(log, throw, ValueError("very private")))
    assert event["error_type"] == "ValueError"
    assert "very private" not in dumps(event)
    assert event["error_message"] == "[withheld: before_send failed]"
    assert event["fingerprint"] == mark(Capture(), failed(log, throw, ValueError("x")))
    assert capsys.readouterr().err.count("--- Logging error ---") == 1


def test_before_send_logs(log):
    """A hook that logs an error itself is not asked about that one, and nothing goes round in circles."""
    found = []

    class Look(logging.Handler):
        def emit(self, record):
            found.append(event_of(capture, record))

    def hook(event):
        log.error("from the hook")
        return event

    capture = Capture(before_send=hook)
    log.addHandler(Look())
    log.error("from outside")
    assert [event["message"] for event in found] == ["[withheld: before_send failed]", "from outside"]


def test_before_send_returns_next_to_nothing(log):
    """An event of which a hook left nothing is still an occurrence of its bug."""
    capture = Capture(before_send=lambda event: {})
    record = failed(log, divide, 0)
    event = event_of(capture, record)
    assert event["fingerprint"] == mark(Capture(), failed(log, divide, 0))
    assert event["id"]


# Records travel -----------------------------------------------------------------------------------------------


def by_queue(record):
    """Return the record as QueueListener's handlers get it."""
    return logging.handlers.QueueHandler(queue.Queue()).prepare(record)


def forgetting(record):
    """Return the record as it was before anybody looked."""
    record.__dict__.pop("_loghub_event", None)
    return record


TRAVELLERS = {
    "plain": (divide, 0),
    "method": (Card().charge,),
    "nested class": (lambda: throw(Nest.EggError("e")),),
    "cause": (chained, True),
    "context": (chained, False),
    "group": (grouped, ValueError(1), KeyError(2)),
    "errno": (lambda: throw(OSError(28, "no space")),),
    "several lines": (lambda: throw(ValueError("one\ntwo")),),
}


@pytest.mark.parametrize("name", TRAVELLERS)
def test_through_a_queue(capture, log, name):
    """A record that a QueueHandler made a text of has the fingerprint, type and message of the direct one."""
    direct = failed(log, *TRAVELLERS[name], extra={"order": 7})
    told = forgetting(by_queue(failed(log, *TRAVELLERS[name], extra={"order": 7})))
    assert told.exc_info is None
    assert mark(Capture(), told) == mark(capture, direct)
    live, read = event_of(capture, direct), event_of(Capture(), copy.copy(told))
    for key in ("error_type", "error_module", "error_message", "message", "function", "additional_info", "traceback"):
        assert read[key] == live[key], key


def test_exc_text_only(capture, log):
    """What SocketHandler leaves (exc_text, no exc_info) is read, too."""
    record = failed(log, divide, 0)
    direct = mark(capture, record)
    logging.Formatter().format(record)
    record.exc_info = None
    assert mark(Capture(), forgetting(record)) == direct


def test_local_class_through_a_queue(log):
    """A class that was made within a function is called the same."""

    class LocalError(Exception):
        pass

    record = forgetting(by_queue(failed(log, throw, LocalError("l"))))
    assert event_of(Capture(), record)["error_type"] == "LocalError"


def test_text_that_only_looks_like_a_traceback(capture, log):
    """The words alone are no traceback."""
    log.error("the log says Traceback (most recent call last): what now?")
    event = event_of(capture, last(log))
    assert (event["error_type"], event["traceback"]) == ("ERROR", "")
    assert event["message"].endswith("what now?")


def test_queue_in_one_process(capture, log):
    """A copy that a queue passes on shares the sighting: counted once, whichever way it comes first."""
    record = failed(log, divide, 0)
    capture.sight(record)
    assert capture.sight(by_queue(record)) is capture.sight(record)


@pytest.mark.parametrize("travel", [copy.deepcopy, lambda record: pickle.loads(pickle.dumps(record))])
def test_verdict_travels(log, travel):
    """In the next process what was said of a record holds: fingerprint, who counted it, or not to be reported."""
    here, there = Capture(component="pay"), Capture()
    record = failed(log, divide, 0, extra={"fingerprint": "mine"})
    here.sight(record).marks |= {"aa11", "bb22"}
    arrived = travel(by_queue(record))
    assert type(arrived._loghub_event) is str
    assert mark(there, arrived) == mark(here, record)
    assert event_of(there, arrived)["fingerprint"] == mark(here, record)
    assert there.sight(arrived).marks == {"aa11", "bb22"}

    dropped = failed(log, divide, 0, extra={"loghub_skip": True})
    here.sight(dropped)
    del dropped.loghub_skip
    assert there.sight(travel(by_queue(dropped))).kind is None


@pytest.mark.parametrize("text", ["", "v1:zz", "anything at all", "v1:0123456789abcdef" * 2, "-x"])
def test_what_others_put_there(capture, log, text):
    """A foreign text in the place of the sighting does no harm."""
    record = failed(log, divide, 0)
    record._loghub_event = text
    assert capture.sight(record).kind is not None
    assert capture.sight(record).marks == frozenset()


def test_second_filter(log):
    """Another EventFilter's sighting does not bind, but what was counted is not counted again."""
    one, other = Capture(component="one"), Capture(component="other")
    record = failed(log, divide, 0)
    one.sight(record).marks |= {"aa11"}
    one.sight(record).kept = 3
    second = other.sight(record)
    assert (second.kind.component, second.marks, second.kept) == ("other", {"aa11"}, 3)


def test_pickle_needs_no_loghub(capture, log):
    """A record's pickle loads in a process that has no loghub."""
    record = failed(log, divide, 0)
    capture.sight(record).marks |= {"aa11"}
    data = pickle.dumps(by_queue(record).__dict__, 1)
    code = (
        "import pickle, sys, logging\n"
        "assert 'site' not in sys.modules\n"
        "record = logging.makeLogRecord(pickle.loads(sys.stdin.buffer.read()))\n"
        "assert not any(name.startswith('loghub') for name in sys.modules)\n"
        "print(record.getMessage().splitlines()[0], type(record._loghub_event).__name__)\n"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], input=data, capture_output=True, check=False)
    assert done.stdout.decode().strip() == "failed str", done.stderr.decode()


def test_homemade_json_formatter(capture, log):
    """A formatter that prints the record's dict as JSON works, before and after we looked."""

    class HomeMade(logging.Formatter):
        def format(self, record):
            fields = dict(record.__dict__)
            fields["exc_info"] = self.formatException(record.exc_info)
            return json.dumps(fields)

    record = failed(log, divide, 0, extra={"order": 7})
    event_of(capture, record)
    assert json.loads(HomeMade().format(record))["order"] == 7


# Nothing is held ----------------------------------------------------------------------------------------------


class Precious:
    """Something that somebody waits to see freed."""


def test_nothing_survives(log):
    """After the record is gone, nothing holds exception, frame, local or record, with no collector's help."""
    capture = Capture(include_locals=True, before_send=lambda event: event)
    plain = Capture()
    log.handlers.clear()

    class Look(logging.Handler):
        def emit(self, record):
            event_of(plain, record)
            event_of(capture, record)
            gone.append(weakref.ref(record))

    gone = []

    def act():
        precious = Precious()
        gone.append(weakref.ref(precious))
        error = OwnedError("v")
        error.precious = precious
        gone.append(weakref.ref(error))
        try:
            raise error
        finally:
            del error

    log.addHandler(Look())
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            try:
                act()
            except OwnedError:
                log.exception("failed %s", "x")
        assert len(gone) == 9
        assert [reference() for reference in gone] == [None] * 9
    finally:
        gc.enable()


class OwnedError(Exception):
    """An exception that can be watched."""


def test_fingerprint_of_record(capture, log):
    """The fingerprint of a record can be asked for, also of one that is not reported; nothing is left on it."""
    record = failed(log, divide, 0, extra={"loghub_skip": True})
    asked = capture.fingerprint_of(record)
    assert "_loghub_event" not in record.__dict__
    capture.sight(record)
    assert capture.fingerprint_of(record) == asked == mark(capture, failed(log, divide, 0))


def test_warnings_by_logging(capture, log):
    """What captureWarnings logs is told apart by the warning, not by the logging module's one call."""
    marks = []
    for text in ("old", "old", "older"):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warnings.warn(text, DeprecationWarning, stacklevel=1)
        shown = warnings.formatwarning(text, DeprecationWarning, caught[0].filename, caught[0].lineno)
        record = logging.LogRecord("py.warnings", 30, __file__, 1, "%s", (shown,), None)
        marks.append(mark(capture, record))
    assert marks[0] == marks[1] != marks[2]


def test_parser_that_two_threads_ask(log, monkeypatch):
    """The parser may fail in one thread for what another does in it: the source is read once more."""
    record = forgetting(by_queue(failed(log, Card().charge)))
    expected = mark(Capture(), copy.copy(record))
    honest, calls = ast.parse, []
    description._qualified.cache_clear()
    traceback_text._names_by_line.cache_clear()

    def parse(*args, **options):
        calls.append(args)
        if len(calls) == 1:
            raise SystemError("AST constructor recursion depth mismatch (before=18, after=9)")
        return honest(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(ast, "parse", parse)
        again = mark(Capture(), forgetting(copy.copy(record)))
    assert len(calls) > 1
    assert again == expected


@pytest.mark.parametrize("way", ["live", "text"])
def test_others_refresh_linecache(log, monkeypatch, way):
    """linecache may lose a file between two looks, when other threads log: that makes no other bug of it."""
    record = failed(log, Card().charge)
    if way == "text":
        record = forgetting(by_queue(record))
    expected = event_of(Capture(), copy.copy(record))
    honest, calls = linecache.getlines, []
    description._qualified.cache_clear()

    def getlines(*args):
        calls.append(args)
        if len(calls) in (1, 5):
            raise KeyError(args[0])
        return honest(*args)

    with monkeypatch.context() as patch:
        patch.setattr(linecache, "getlines", getlines)
        event = event_of(Capture(), forgetting(copy.copy(record)))
    assert calls
    for key in ("fingerprint", "function", "frames", "traceback"):
        assert event[key] == expected[key], key


def test_sighting_is_small():
    """To everybody else a sighting is an empty str."""
    assert Sighting() == ""
    assert json.dumps({"x": Sighting()}) == '{"x": ""}'


# What the place in the code does not say ----------------------------------------------------------------------


class ConnectError(Exception):
    """A class of the application's that may carry a code."""


MESSAGES = ["All attempts failed", "[Errno -2] Name or service not known", "[Errno 13] Permission denied"]


@pytest.mark.parametrize("order", [MESSAGES, MESSAGES[::-1]])
@pytest.mark.parametrize("kind", [ConnectError, RuntimeError])
def test_codes_in_any_order(log, kind, order):
    """A code in the message tells bugs of one place apart, whichever message came first."""
    capture, alone = Capture(), [mark(Capture(), failed(log, throw, kind(text))) for text in order]
    assert len(set(alone)) == 3
    for _ in range(3):
        assert [mark(capture, failed(log, throw, kind(text))) for text in order] == alone


def test_code_of_a_cause(log):
    """So does a code in the message of a cause."""
    capture = Capture()

    def wrapped(text):
        raise RuntimeError("job failed") from ConnectError(text)

    alone = [mark(Capture(), failed(log, wrapped, text)) for text in MESSAGES]
    for _ in range(2):
        assert [mark(capture, failed(log, wrapped, text)) for text in MESSAGES] == alone


def test_never_raised_in_two_places(log):
    """An exception that was never raised is told by the place that logged it."""
    capture = Capture()

    def here():
        log.error("x", exc_info=ValueError("boom"))
        return last(log)

    def there():
        log.error("x", exc_info=ValueError("boom"))
        return last(log)

    marks = [mark(capture, place()) for place in (here, there, here, there)]
    assert marks[0] != marks[1]
    assert marks[2:] == marks[:2]


def test_traceback_in_an_argument_later(log):
    """The text of a traceback in an argument counts, also where other texts stood there before."""
    capture = Capture()

    def say(text):
        log.error("job failed: %s", text)
        return mark(capture, last(log))

    plain = [say("timeout") for _ in range(3)]
    try:
        divide(0)
    except ZeroDivisionError:
        told = [say(traceback.format_exc()) for _ in range(2)]
    assert len({*plain}) == len({*told}) == 1
    assert plain[0] != told[0]
    assert say("timeout") == plain[0]


def test_relations_of_one_place(log):
    """Cause or context, and member or cause of a member, are other bugs though all frames are the same."""

    def linked(cause):
        try:
            divide(0)
        except ZeroDivisionError as error:
            new = KeyError("x")
            if cause:
                new.__cause__ = error
            raise new  # noqa: B904 - what this is about

    def tree(nested):
        inner, outer = raised(ValueError("a")), raised(KeyError("b"))
        if nested:
            inner.__cause__ = outer
        raise ExceptionGroup("g", [inner] if nested else [inner, outer])

    for way in (linked, tree):
        capture, alone = Capture(), [mark(Capture(), failed(log, way, which)) for which in (True, False)]
        assert alone[0] != alone[1]
        for _ in range(2):
            assert [mark(capture, failed(log, way, which)) for which in (True, False)] == alone


def test_before_send_changes_one_event(log):
    """What before_send does to one event, deep inside too, is scrubbed and reaches no other event."""
    done = []

    def change(event):
        if not done:
            done.append(1)
            event["system"]["password"] = "hunter2hunter2"
            event["process"]["name"] = "mine"
            event["frames"][-1]["code"] = "token = 'ghp_0123456789abcdefghijklmnopqrstuvwxyz'"
        return event

    capture = Capture(before_send=change, system={"python_version": "3.11"})
    first, second = (event_of(capture, failed(log, divide, 0)) for _ in range(2))
    assert first["system"]["password"] == "[Filtered]"
    assert "ghp_" not in json.dumps(first)
    assert (first["process"]["name"], second["process"]["name"]) == ("mine", "MainProcess")
    assert "password" not in second["system"]
    assert second["frames"][-1]["code"] == "return 1 / by"


def test_codes_in_log_messages(capture):
    """At one place of the code a log message with another code is another bug, whichever came first."""
    log = logging.Logger("shop")  # noqa: LOG001 - alone, without a root
    told = ["timed out", "no such table: bills", OSError(28, "full"), "no such table: orders", "timed out", "gone"]
    records = [log.makeRecord("shop", 40, __file__, 7, "query failed: %s", (one,), None) for one in told]
    for order in (1, -1):
        kinds = [mark(capture, record) for record in records[::order]][::order]
        assert kinds[0] == kinds[4] == kinds[5]
        assert len(set(kinds)) == 4
    for record in records:
        assert fingerprint.of_event(capture.sight(record).whole(record)) == mark(capture, record)


# Objects that do not want to be looked at ------------------------------------------------------------------------


class Reluctant(str):
    """A text that fails whoever asks it for a text."""

    __slots__ = ()

    def __str__(self):
        raise RuntimeError("no text")


class Unasked:
    """An object that answers nothing: neither whether it is true, nor what its class is."""

    def __bool__(self):
        raise OSError("neither")

    def __getattribute__(self, name):
        raise KeyError(name)

    def __repr__(self):
        return "unasked"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("before_send", [None, lambda event: event])
def test_str_that_would_end_the_program(log, kind, before_send):
    """An exception whose __str__ raises what ends programs is described all the same."""

    class Ending(Exception):
        def __str__(self):
            raise kind

    error = raised(Ending())
    log.error("it broke", exc_info=error)
    event = event_of(Capture(before_send=before_send), last(log))
    assert event["error_message"] == "<unprintable Ending object>"
    assert "str() failed" in event["traceback"]


def test_str_that_is_reluctant():
    """An exception that says a str of a class of its own, which fails whoever formats it, is described."""

    class Odd(Exception):
        def __str__(self):
            return Reluctant("x")

        def __bool__(self):
            raise OSError("neither")

    error = raised(Odd())
    record = logging.LogRecord("shop", logging.ERROR, __file__, 1, "it broke", (), (Odd, error, error.__traceback__))
    event = event_of(Capture(), record)
    assert event["error_message"] == "x"
    assert type(event["error_message"]) is str


def test_args_that_cannot_be_asked():
    """Arguments that are an object that answers nothing are described all the same."""
    record = logging.LogRecord("shop", logging.ERROR, __file__, 1, "it broke", (), None)
    record.args = Unasked()
    event = event_of(Capture(), record)
    assert event["message"] == "it broke unasked"
    assert event["args"] == ["<unprintable Unasked>"]


def test_groups_that_share_their_members(log):
    """Groups of groups that share members, which traceback prints again and again, are described in no time."""
    error = ExceptionGroup("g", [ValueError("bad"), KeyError("key")])
    for _ in range(60):
        error = ExceptionGroup("g", [error, error])
    log.error("it broke", exc_info=raised(error))
    event = event_of(Capture(), last(log))
    assert event["error_type"] == "ExceptionGroup"
    assert event["traceback"].startswith("Traceback (most recent call last):\n  File ")
    assert event["traceback"].endswith("ExceptionGroup: g (2 sub-exceptions)")


def test_local_groups_that_share_their_members(log):
    """A local variable that is such a group is named, not rendered; one that is not too large is shown."""

    def act(small):
        endless = small
        for _ in range(60):
            endless = ExceptionGroup("g", [endless, endless])
        raise ValueError("bad")

    event = event_of(Capture(include_locals=True), failed(log, act, ExceptionGroup("s", [KeyError("key")])))
    shown = event["frames"][-1]["locals"]
    assert shown["endless"] == "<ExceptionGroup>"
    assert shown["small"] == "ExceptionGroup('s', [KeyError('key')])"


def test_circle_in_a_group(log):
    """A group whose members' causes go in a circle is printed as by traceback."""
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    record = failed(log, _throw, one, two)
    event = event_of(Capture(), record)
    assert event["traceback"] == "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")


def _throw(*members):
    raise ExceptionGroup("g", list(members))
