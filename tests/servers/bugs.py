"""What the applications under test do: they fail, and a witness file says which calls began and which returned."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

log = logging.getLogger("shop.orders")


def price():
    """Fail with a message."""
    raise ValueError("no price for tea")


def stock():
    """Fail with a key."""
    return {}["tea"]


def order():
    """Fail with a cause."""
    try:
        price()
    except ValueError as error:
        raise RuntimeError("order failed") from error


def share():
    """Fail as arithmetic does."""
    return 1 // 0


BUGS = {"ValueError": price, "KeyError": stock, "RuntimeError": order, "ZeroDivisionError": share}
NAMES = list(BUGS)


def say(what, bug):
    """Add a line to the witness, which no kill can take back."""
    fd = os.open(os.environ["WITNESS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, f"{what} {os.getpid()} {bug}\n".encode())
    finally:
        os.close(fd)


def fail(bug):
    """Meet a bug, for somebody else to log it."""
    say("begun", bug)
    BUGS[bug]()


def log_one(bug, logger=log):
    """Meet a bug and log it."""
    say("begun", bug)
    try:
        BUGS[bug]()
    except Exception:
        logger.exception("order failed")


def found_in(text):
    """Return which bug a traceback is about, by its last line; an empty text for none."""
    name = text.strip().split("\n")[-1].partition(":")[0]
    return name if name in NAMES else ""


class WitnessHandler(logging.Handler):
    """The last of the handlers: says that all others have returned."""

    def emit(self, record):
        """Add a line to the witness."""
        if record.exc_info:
            say("returned", record.exc_info[0].__name__)
        elif text := found_in(record.getMessage()):
            say("returned", text)


def config():
    """Return the logging configuration of this test."""
    return json.loads(Path(os.environ["LOGGING_JSON"]).read_text(encoding="utf-8"))
