"""A record that is one JSON object: python-json-logger's, structlog's, loguru's, ours, and their relatives."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

from loghub.logfiles.heads import LEVELS, Head
from loghub.traceback_dicts import written
from loghub.traceback_text import TRACEBACK_HEAD

_LEVEL = ("levelname", "level", "severity", "log.level", "levelno", "lvl", "log_level", "loglevel")
_TIME = ("timestamp", "asctime", "@timestamp", "time", "ts", "datetime", "created", "date")
_MESSAGE = ("message", "msg", "event", "text", "log")
_LOGGER = ("logger", "name", "logger_name", "log.logger", "loggerName")
_TRACEBACK = ("exc_info", "exception", "traceback", "exc_text", "stack_trace", "error.stack_trace", "error.stack")
_PLACE = {"module": "module", "funcName": "funcName", "func_name": "funcName", "function": "funcName",
          "pathname": "pathname", "lineno": "lineno"}  # fmt: skip
_OURS = ("fingerprint", "component", "environment", "release")
_FINGERPRINT = re.compile(r"v\d{1,3}:[0-9a-f]{16}")
_RECORD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def parse(line: bytes) -> Head | None:
    """Return what a line says; None if it is no JSON object, or none that is a record."""
    try:
        given = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(given, dict):
        return None
    return _loguru(given) or _read(given)


def _read(given: dict[str, Any]) -> Head | None:
    level_key, level = _level(given)
    time_key, time = _first(given, _TIME, (str, int, float))
    message_key, message = _first(given, _MESSAGE, (str, int, float))
    name_key, name = _first(given, _LOGGER, (str,))
    trace_key, trace = _first(given, _TRACEBACK, (str, list))
    if level is None and message is None and not trace:
        return None
    said: dict[str, Any] = {"message": str(message or ""), "name": name or ""}
    used = {level_key, time_key, message_key, name_key, trace_key, *_OURS, *_PLACE}
    for key, attribute in _PLACE.items():
        value = given.get(key)
        if isinstance(value, int if attribute == "lineno" else str) and value:
            said[attribute] = value
    for key in _OURS:
        value = given.get(key)
        if isinstance(value, str) and value:
            said[key] = value
    if not _FINGERPRINT.fullmatch(said.get("fingerprint", "")):
        said.pop("fingerprint", None)
    elif level is None:
        level = LEVELS["ERROR"]  # our formatter gives one to errors alone
    said["extra"] = {key: value for key, value in given.items() if key not in used and key not in _RECORD}
    return Head(level, time, said, _trace(trace), whole=True)


def _level(given: dict[str, Any]) -> tuple[str, int | None]:
    for key in _LEVEL:
        value = given.get(key)
        if isinstance(value, str) and (level := LEVELS.get(value.strip().upper())) is not None:
            return key, level
        if isinstance(value, int) and not isinstance(value, bool):
            return key, value
    return "", None


def _first(given: dict[str, Any], keys: tuple[str, ...], kinds: tuple[type, ...]) -> tuple[str, Any]:
    found = (
        (key, given[key]) for key in keys if isinstance(given.get(key), kinds) and not isinstance(given[key], bool)
    )
    return next(found, ("", None))


def _trace(value: Any) -> str:
    """Return the text of a traceback; structlog's dict_tracebacks are written as Python would."""
    if isinstance(value, str):
        return value if "\n" in value else ""
    return written(value) if isinstance(value, list) else ""


def _loguru(given: dict[str, Any]) -> Head | None:
    """Read what loguru writes with ``serialize=True``."""
    record, text = given.get("record"), given.get("text")
    if not isinstance(record, dict) or not isinstance(text, str) or not isinstance(record.get("level"), dict):
        return None
    level, time, file = record["level"].get("no"), record.get("time"), record.get("file")
    said: dict[str, Any] = {
        "message": str(record.get("message", "")),
        "name": str(record.get("name") or ""),
        "module": str(record.get("module") or ""),
        "funcName": str(record.get("function") or ""),
        "extra": record.get("extra") if isinstance(record.get("extra"), dict) else {},
    }
    if isinstance(file, dict) and isinstance(record.get("line"), int):
        said |= {"pathname": str(file.get("path", "")), "lineno": record["line"]}
    at = text.find(TRACEBACK_HEAD) if record.get("exception") else -1
    return Head(
        level if isinstance(level, int) else None,
        time.get("timestamp") if isinstance(time, dict) else None,
        said,
        text[at:] if at >= 0 else "",
        whole=True,
    )
