"""Which errors a procedure is for."""

from __future__ import annotations

import http.client
import logging
import logging.handlers
import queue
import sqlite3
import sys
import traceback

import pytest

from loghub.recovery.kinds import Kinds


class CameraError(Exception):
    """Of an application."""


class LensError(CameraError):
    """One of them."""


def record(error=None, *, name="shop.db", level=logging.ERROR, text=None):
    """Return the record of an error."""
    info = (type(error), error, None) if error else None
    made = logging.LogRecord(name, level, "x.py", 1, "failed", None, info)
    made.exc_text = text
    return made


HERE = CameraError.__module__


@pytest.mark.parametrize(
    ("on", "fits"),
    [
        ("CameraError", True),
        ("LensError", True),
        (f"{HERE}.CameraError", True),
        ("Exception", True),
        ("other.CameraError", False),
        ("Camera", False),
        ("ValueError", False),
        ("shop", True),
        ("shop.db", True),
        ("shop.d", False),
        ("shop.db.pool", False),
        ("ERROR", True),
        ("WARNING", True),
        ("CRITICAL", False),
        ("error", True),
        ("Critical", False),
        ("v1:0123456789abcdef", False),
    ],
)
def test_names(on, fits):
    """A class is known by its name, dotted or not, with its subclasses, a logger with its children, a level upwards."""
    assert Kinds([on]).fit(record(LensError("dark"))) is fits
    assert Kinds(["nothing.else", on]).fit(record(LensError("dark"))) is fits


@pytest.mark.parametrize(
    ("on", "error"),
    [
        ("sqlite3.DatabaseError", sqlite3.OperationalError("locked")),
        ("OSError", ConnectionRefusedError("no")),
        ("builtins.ConnectionError", ConnectionRefusedError("no")),
        ("IOError", OSError("an alias is none of its names")),
        ("http.client.HTTPException", http.client.BadStatusLine("x")),
        ("socket.timeout", TimeoutError("known by an alias in another module")),
    ],
)
def test_real_classes(on, error):
    """Real hierarchies, also under the name that another loaded module has for a class."""
    assert Kinds([on]).fit(record(error)) is (on != "IOError")


def test_nothing_is_imported():
    """A name of a module that nobody has loaded is only a name."""
    sys.modules.pop("this", None)
    assert not Kinds(["this.that"]).fit(record(ValueError("x")))
    assert "this" not in sys.modules


@pytest.mark.parametrize("message", ["", "dark", "dark\nvery dark: no\n  light"])
def test_text_of_a_traceback(message):
    """Where only the text of a traceback came along, it says the class, whose parents count if it is known here."""
    try:
        raise LensError(message)
    except LensError:
        text = traceback.format_exc().rstrip("\n")
    for on, fits in (("LensError", True), (f"{HERE}.LensError", True), ("CameraError", True), ("File", False)):
        assert Kinds([on]).fit(record(text=text)) is fits


def test_without_an_exception():
    """A record without an exception fits by its logger and level alone."""
    assert not Kinds(["Exception"]).fit(record())
    assert Kinds(["shop"]).fit(record())


def test_class_by_name():
    """Seed names find what is configured for them."""
    kinds = Kinds(["sqlite3.DatabaseError", "CameraError", "shop.net"])
    assert kinds.fit_class("DatabaseError")
    assert kinds.fit_class("sqlite3.DatabaseError")
    assert kinds.fit_class("CameraError")
    assert not kinds.fit_class("NetworkError")


@pytest.mark.parametrize(
    ("on", "fits"),
    [
        ("CameraError", True),
        ("LensError", True),
        (f"{HERE}.CameraError", True),
        ("Exception", True),
        ("ValueError", False),
        ("other.CameraError", False),
    ],
)
def test_behind_a_queue(on, fits):
    """logging's own QueueHandler leaves nothing of an exception but its traceback in the message."""
    queued: queue.Queue[logging.LogRecord] = queue.Queue()
    try:
        raise LensError("dark")
    except LensError as error:
        made = record(error)
        made.exc_info = sys.exc_info()
    logging.handlers.QueueHandler(queued).handle(made)
    assert Kinds([on]).fit(queued.get()) is fits


def test_behind_a_queue_with_a_class_that_is_not_here():
    """Of a class that this process does not have, the name counts."""
    text = 'it broke\nTraceback (most recent call last):\n  File "a.py", line 1, in f\n    f()\nfar.off.LensError: dark'
    made = record()
    made.msg = text
    assert Kinds(["LensError"]).fit(made)
    assert Kinds(["far.off.LensError"]).fit(made)
    assert not Kinds(["Exception"]).fit(made)
