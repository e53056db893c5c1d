"""A record from a file, told as the LogRecord that it was: so it is found, described and scrubbed as a live one.

What a text does not say is missing: the place of a logging call unless the format has it, and the class around a
method unless the sources are at hand.
"""

from __future__ import annotations

import logging
import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from loghub import fingerprint
from loghub.capture import text_of
from loghub.description import in_order
from loghub.event import iso
from loghub.foreign_text import parse_foreign
from loghub.logfiles.records import FOREIGN
from loghub.sighting import FIELD
from loghub.traceback_text import TRACEBACK_HEAD, parse_traceback, without_loguru

if TYPE_CHECKING:
    from collections.abc import Callable

    from loghub.capture import Capture
    from loghub.event import Event
    from loghub.logfiles.records import Record

MAX_CAPTURES = 64

_STACK_INFO = "\nStack (most recent call last):\n"
_BROKEN_FILE = re.compile(rf'{re.escape(TRACEBACK_HEAD)}\n  File "[^\n]*", line \d+\n')
_FATAL = "Fatal Python error: "


class Told(NamedTuple):
    """What became of a record.

    Attributes:
        fingerprint: Which bug it is.
        level: Its logging level.
        environment, release: Where and of what it is said to be.
        event: Makes the whole event, scrubbed, given its id.
        size: Characters that are held until then, about.
    """

    fingerprint: str
    level: int
    environment: str
    release: str
    event: Callable[[str], Event]
    size: int


class Teller:
    """Tells records.

    Args:
        capture_of: Makes the Capture for an environment and a release; either may be empty: not said.
        level: The lowest level of a record without an exception.
    """

    def __init__(self, capture_of: Callable[[str, str], Capture], level: int) -> None:
        self._capture_of = capture_of
        self._captures: dict[tuple[str, str], Capture] = {}
        self._level = level

    def tell(self, record: Record, at: float, origin: str) -> Told | None:
        """Return what a record says; None if that is no error.

        Args:
            record: It.
            at: When it was made.
            origin: Where it stands, for people.
        """
        message, traceback = texts(record)
        made = self._record(record, at, message, origin)
        capture = self._capture(made)
        foreign = _foreign(record, message, traceback)
        if foreign is not None:
            return _of_text(capture, made, foreign)
        if TRACEBACK_HEAD in traceback:
            made.exc_text = traceback
        elif made.levelno < self._level or record.stage == FOREIGN:
            return None
        sighting = capture.sight(made)
        kind = sighting.kind
        if kind is None:
            return None

        def whole(key: str) -> Event:
            event = capture.keep(sighting, made)
            event["id"] = key
            return event

        said = capture.describer
        return Told(
            kind.fingerprint, kind.level, said.environment, said.release or "", whole, len(message) + len(traceback)
        )

    def _record(self, record: Record, at: float, message: str, origin: str) -> logging.LogRecord:
        head, said = record.head, record.head.said
        level = head.level if head.level is not None else logging.ERROR
        path, line = said.get("pathname", ""), said.get("lineno", 0)
        made = logging.LogRecord(
            said.get("name") or "root", level, path, line, message, None, None, said.get("funcName")
        )
        fields = made.__dict__
        fields.update(created=at, process=None, processName=None, thread=None, threadName=None, imported_from=origin)
        if said.get("module"):
            made.module = said["module"]
        for name, value in said.get("extra", {}).items():
            if name not in fields and not name.startswith(("loghub_", FIELD)):
                fields[name] = value
        if said.get("component"):
            fields["component"] = said["component"]
        if said.get("fingerprint"):
            fields[FIELD] = said["fingerprint"]
        fields["_said"] = said
        return made

    def _capture(self, made: logging.LogRecord) -> Capture:
        said = made.__dict__.pop("_said")
        key = said.get("environment", ""), said.get("release", "")
        if key not in self._captures and len(self._captures) >= MAX_CAPTURES:
            key = "", ""
        if key not in self._captures:
            self._captures[key] = self._capture_of(*key)
        return self._captures[key]


def texts(record: Record) -> tuple[str, str]:
    """Return a record's message, and the text of its traceback, empty if it has none."""
    head = record.head
    more = b"\n".join(record.lines).decode("utf-8", "replace").rstrip()
    message = str(head.said.get("message", ""))
    if head.traceback:
        return message, without_loguru(head.traceback)
    if not more:
        return message, ""
    if record.has_traceback and TRACEBACK_HEAD not in more and more.lstrip().startswith("File "):
        more = f"{TRACEBACK_HEAD}\n{more}"  # a broken file that was started has no head
    at = more.find(TRACEBACK_HEAD) if record.has_traceback else -1
    if at < 0:
        told = f"{message}\n{more}" if message else more
        return (told.partition(_STACK_INFO)[0], "") if record.stage != FOREIGN else (more.partition("\n")[0], more)
    start = more.rfind("\n", 0, at) + 1
    before, traceback = more[:start].rstrip(), without_loguru(more[start:])
    if before:
        message = f"{message}\n{before}" if message else before
    return message or _last_words(record), traceback


def _last_words(record: Record) -> str:
    """Return the last line that is not indented: of a bare traceback the one that names the exception."""
    last = next((line for line in reversed(record.lines) if line[:1] > b" "), b"")
    return last.decode("utf-8", "replace")


def _foreign(record: Record, message: str, traceback: str) -> dict[str, Any] | None:
    """Return an error whose text alone tells it, with that: of another language, or before Python ran; else None."""
    if _BROKEN_FILE.match(traceback):
        return {"platform": "python", **parse_traceback(traceback), "error_module": "builtins", "traceback": traceback}
    if TRACEBACK_HEAD in traceback or not (record.lines or traceback):
        return None
    text = traceback or message
    read = parse_traceback(text) | {"platform": "python"} if text.startswith(_FATAL) else parse_foreign(text)
    return None if read is None else {"platform": "native", **read, "traceback": text}


def _of_text(capture: Capture, made: logging.LogRecord, read: dict[str, Any]) -> Told:
    """Tell a record whose error only a text tells: it has no frames, so that the text makes the fingerprint."""
    frames = read["frames"]
    at = next((one for one in reversed(frames) if one.get("in_app")), frames[-1] if frames else {})
    said = capture.describer
    event: Any = {
        "timestamp": iso(made.created),
        "error_type": read["error_type"] or "Error",
        "error_module": read["error_module"],
        "error_message": read["error_message"] or text_of(made.msg),
        "module": at.get("module") or os.path.basename(str(at.get("file", ""))),
        "function": at.get("function", ""),
        "traceback": read["traceback"],
        "additional_info": {"imported_from": made.__dict__["imported_from"]},
        "level": made.levelname,
        "logger": made.name,
        "message": text_of(made.msg),
        "component": said.component_of(made),
        "environment": said.environment,
        "release": said.release,
        "platform": read["platform"],
        "mechanism": "logging",
    }
    mark = fingerprint.of_event(event, capture.grouping)

    def whole(key: str) -> Event:
        return capture.scrubber.event(in_order(event | {"id": key, "fingerprint": mark}))

    return Told(mark, made.levelno, said.environment, said.release or "", whole, len(read["traceback"]))
