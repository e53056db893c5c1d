"""What the functions tell is an ordinary LogRecord of logger ``loghub.report``."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from loghub import own_log
from loghub.description import text_of
from loghub.fingerprint.reading import with_stack
from loghub.traceback_text import TRACEBACK_HEAD

if TYPE_CHECKING:
    from types import FrameType

log = logging.getLogger("loghub.report")

MAX_TEXT = 200_000
"""So many characters of a message or a traceback are read, the last of them."""

_HERE = os.path.dirname(__file__)


def of_exception(exc: BaseException, said: Mapping[str, Any], message: str, *args: object) -> logging.LogRecord:
    """Return the record of an exception, caught or never raised; `said` is its ``extra``."""
    return _made(message, args, (type(exc), exc, exc.__traceback__), said)


def of_text(
    kind: str, text: str, traceback: str, said: Mapping[str, Any], message: str, *args: object
) -> logging.LogRecord:
    """Return the record of an error that only texts tell of: its class, what it says, its stack; each may be empty."""
    text, traceback = text[:MAX_TEXT], traceback[-MAX_TEXT:]
    told = dict(with_stack({"error_type": kind, "error_module": "", "error_message": text, "traceback": traceback}))
    if TRACEBACK_HEAD in traceback and (told.get("frames") or told.get("causes") or told.get("exceptions")):
        record = _made(message, args, None, said)  # as QueueHandler leaves it, and so it is read
        record.exc_text = traceback
        return record
    told |= {
        "error_type": kind or told["error_type"] or "Error",
        "error_message": text or told["error_message"],
        "traceback": traceback,
        "frames": told.get("frames", []),
    }
    record = _made(message, args, None, {**said, "_loghub_told": told})
    head = f"{told['error_type']}: {told['error_message']}"
    record.exc_text = traceback if traceback.startswith(head) else f"{head}\n{traceback}".rstrip()
    return record


def context(given: object) -> dict[str, Any]:
    """Return what a caller gave as context, for ``extra``; names that mean something else on a record stand apart."""
    if not given:
        return {}
    items = given.items() if isinstance(given, Mapping) else [("context", given)]
    said = {text_of(name): value for name, value in items}
    apart = {name: said.pop(name) for name in list(said) if name in _TAKEN or name.startswith(_OURS)}
    return said | {"_loghub_apart": apart} if apart else said


_TAKEN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "fingerprint", "component"}
_OURS = ("loghub_", "_loghub_")


def send(record: logging.LogRecord, *first: logging.Handler) -> bool:
    """Hand a record to `first`, and to the handlers of its logger; False where logging is off for it."""
    # dictConfig disables loggers that it does not name, unless told otherwise.
    log.disabled = False
    if not log.isEnabledFor(record.levelno):
        return False
    for handler in first:
        handler.handle(record)
    if not first or log.hasHandlers():  # else logging would print it as a last resort
        log.handle(record)
    return True


def say(text: str) -> None:
    """Log a line of loghub's own life, once for as long as the process remembers it."""
    if text not in _said:
        if len(_said) >= _MAX_SAID:
            _said.clear()
        _said.add(text)
        own_log.tell(logging.WARNING, text)


_MAX_SAID = 64
_said: set[str] = set()


def _made(message: str, args: tuple[Any, ...], info: Any, said: Mapping[str, Any]) -> logging.LogRecord:
    caller = _caller()
    code = caller.f_code
    return log.makeRecord(
        log.name, logging.ERROR, code.co_filename, caller.f_lineno, message, args, info, code.co_name, dict(said)
    )


def _caller() -> FrameType:
    frame = sys._getframe(1)
    while frame.f_back is not None and os.path.dirname(frame.f_code.co_filename) == _HERE:
        frame = frame.f_back
    return frame
