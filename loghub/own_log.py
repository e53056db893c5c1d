"""The lines that loghub logs of its own life; they are never reported."""

from __future__ import annotations

import logging

from loghub import capture
from loghub.scrub.own import clean

log = logging.getLogger(capture.OWN_LOGGER)


def tell(level: int, text: str) -> None:
    """Log a line of loghub's own life; the words of others in it may hold what they were given."""
    log.disabled = False  # dictConfig disables loggers that it does not name, unless told otherwise
    log.log(level, "Error reporter: %s", clean(text))


def named(error: BaseException) -> str:
    """Return how a line names an error that nobody expected."""
    return f"{type(error).__name__}: {capture.text_of(error)}"
