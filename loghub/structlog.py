"""Processors for structlog: `report` for loggers that do not end in `logging`, `merge_context` for those that do.

Neither is needed where structlog hands its events to `logging` in one of its usual ways: loghub reads what comes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from typing import TYPE_CHECKING, Any

from loghub.errors import MissingExtraError
from loghub.plain import RECORD_FIELDS, calling_frame, calling_thread, exc_info_of, read_event

try:
    from structlog.contextvars import get_contextvars
except ModuleNotFoundError as error:
    raise MissingExtraError('loghub.structlog needs structlog: pip install "loghub-handlers[structlog]"') from error

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping
    from types import FrameType

__all__ = ["Report", "merge_context", "report"]

_LEVELS = {name.lower(): level for name, level in logging.getLevelNamesMapping().items()} | {
    "exception": logging.ERROR,
    "fatal": logging.CRITICAL,
}
_STAMPS = ("timestamp", "level", "level_number", "logger")


class Report:
    """A processor that hands errors to `logging`, for loggers that end elsewhere (PrintLogger, BytesLogger, ...).

    It stands before whatever renders exceptions, and returns the event dict as it came. What a record needs it makes
    as `logging` would have: place, thread and logger are those of the call. An event that came from `logging`, or goes
    there, is left alone. Nothing is ever raised.

    Args:
        level: Name or number of the lowest level to hand over; an event with an exception goes whatever its level.
        logger: Name of the logger; None: that of the event dict (``add_logger_name``), else the calling module's.

    Raises:
        ValueError: There is no such level.
    """

    def __init__(self, *, level: int | str = logging.ERROR, logger: str | None = None) -> None:
        self.level: int = logging._checkLevel(level)  # type: ignore[attr-defined]
        self.logger = logger

    def __call__(self, logger: Any, method_name: str, event_dict: MutableMapping[str, Any]) -> Any:
        """Hand the event over if it is an error; return it unchanged."""
        with contextlib.suppress(Exception):  # an error reporter's own errors are no errors of the application
            if not isinstance(logger, logging.Logger) and "_record" not in event_dict:
                self._hand_over(logger, method_name, event_dict)
        return event_dict

    def _hand_over(self, logger: Any, method_name: str, event: Mapping[str, Any]) -> None:
        level = _LEVELS.get(method_name, logging.INFO)
        if level < self.level and not event.get("exc_info") and not event.get("exception"):
            return
        said = read_event({**get_contextvars(), **event})
        info = exc_info_of(said.exc_info)
        if level < self.level and info is None and not said.traceback:
            return
        frame = _called_from(event.get("stacklevel", 1))
        target = logging.getLogger(self._name(logger, said.more, frame))
        if not (target.isEnabledFor(level) and target.hasHandlers()):  # else logging would print it to stderr
            return
        path, line, function = _place(frame)
        more = {name: value for name, value in said.more.items() if name not in _STAMPS}
        record = target.makeRecord(
            target.name, level, path, line, said.message, said.args, info, function, _extra(more), said.stack or None
        )
        if info is None and said.traceback:
            record.exc_text = said.traceback
        if (thread := calling_thread()) is not None:
            record.thread, record.threadName = thread
        target.handle(record)

    def _name(self, logger: Any, said: Mapping[str, Any], frame: FrameType | None) -> str:
        named = self.logger or said.get("logger") or getattr(logger, "name", None)
        if isinstance(named, str):
            return named
        module = frame.f_globals.get("__name__") if frame is not None else None
        return module if isinstance(module, str) else "root"


report = Report()
"""`Report` with its defaults, for ``processors=[..., loghub.structlog.report, ...]``."""


def merge_context(_logger: Any, _method_name: str, event_dict: MutableMapping[str, Any]) -> Any:
    """Make the arguments of a `logging` call: the event is its message, all that is bound its ``extra``.

    It is the last processor of loggers that end in `logging`, in the place of ``render_to_log_kwargs``: contextvars are
    merged in, processors' own keys (time, level, logger) left out, and names that `logging` does not allow in ``extra``
    come within a dict ``extra`` of it, instead of a KeyError in the application.

    Returns:
        Positional arguments and keywords for the logger's method.
    """
    said = read_event({**get_contextvars(), **event_dict})
    more = {name: value for name, value in said.more.items() if name not in _STAMPS}
    keywords: dict[str, Any] = {"extra": _extra(more)}
    if said.exc_info is not None:
        keywords["exc_info"] = said.exc_info
    for name in ("stack_info", "stacklevel"):
        if name in event_dict:
            keywords[name] = event_dict[name]
    keywords["extra"].pop("stacklevel", None)
    if said.traceback:
        keywords["extra"]["exception"] = said.traceback
    if said.stack:
        keywords["extra"]["stack"] = said.stack
    return (said.message, *said.args), keywords


def _extra(more: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may stand in ``extra``; names that are a record's own stand one level deeper."""
    taken = {str(name): value for name, value in more.items() if name in RECORD_FIELDS}
    extra = {str(name): value for name, value in more.items() if name not in RECORD_FIELDS and name != "stacklevel"}
    if taken:
        nested = extra.get("extra")
        extra["extra"] = (nested if isinstance(nested, dict) else {}) | taken
    return extra


def _called_from(stacklevel: Any) -> FrameType | None:
    frame = calling_frame(sys._getframe(1))
    for _ in range(stacklevel - 1 if isinstance(stacklevel, int) else 0):
        if frame is None or frame.f_back is None:
            break
        frame = frame.f_back
    return frame


def _place(frame: FrameType | None) -> tuple[str, int, str]:
    if frame is None:
        return "(unknown file)", 0, "(unknown function)"  # as logging says it
    return os.path.normcase(frame.f_code.co_filename), frame.f_lineno, frame.f_code.co_name
