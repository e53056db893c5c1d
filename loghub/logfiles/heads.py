"""The first line of a record, in the formats that people use, and what it says.

Known by where they put time and level, so that brackets, pipes, dashes and the order of the other fields do not matter:
logging's BASIC_FORMAT and its relatives, Flask, Django (also ``Internal Server Error: /path``, which has neither),
gunicorn, uvicorn, celery, loguru, structlog's console, absl, AWS Lambda, access logs. Sources: the formats that their
documentation or source gives (logging, flask.logging, django.utils.log, gunicorn.glogging, uvicorn.config,
celery.app.defaults, loguru._defaults, structlog.dev, absl.logging).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from loghub.logfiles.times import TIME

LEVELS = {
    "NOTSET": 0, "TRACE": 5, "DEBUG": 10, "INFO": 20, "SUCCESS": 25, "NOTICE": 25, "WARN": 30, "WARNING": 30,
    "ERROR": 40, "EXCEPTION": 40, "CRITICAL": 50, "FATAL": 50,
}  # fmt: skip
"""Levels by the names that logging, loguru and structlog have for them."""

_BYTES = {name.encode(): level for name, level in LEVELS.items()}
_BYTES |= {name.lower(): level for name, level in _BYTES.items()}
_ABSL = {b"D": 10, b"I": 20, b"W": 30, b"E": 40, b"F": 50}

_TIME = TIME.encode()
_UPPER = rb"TRACE|DEBUG|INFO|SUCCESS|NOTICE|WARN(?:ING)?|ERROR|EXCEPTION|CRITICAL|FATAL"
_BETWEEN = rb"[\s\-|:,;/\])>]{1,100}+|\[[^\]\n]{0,100}\]|\([^)\n]{0,100}\)|[^\s\[\]()|:]{1,120}+"
_LEVEL = rb"[\[(<]?(?P<level>" + _UPPER + rb"|(?<=\[)(?:debug|info|warning|error|exception|critical)(?= *\]))(?![\w.])"

_TIMED = re.compile(rb"[\[(<]?(?P<time>" + _TIME + rb")(?:(?P<between>(?:" + _BETWEEN + rb"){0,10}?)" + _LEVEL + rb")?")
_BARE = re.compile(
    rb"(?:(?P<django>(?:Internal Server Error|Not Implemented|Bad Gateway|Service Unavailable|Gateway Timeout): /)"
    rb"|\[ *(?P<boxed>" + _UPPER + rb"|debug|info|warning|error|exception|critical) *\]"
    # What PostgreSQL says ("ERROR:  relation") stands in messages of exceptions.
    rb"|(?P<level>TRACE|DEBUG|INFO|SUCCESS|NOTICE|WARN(?:ING)?|ERROR|CRITICAL)(?=:(?!  \S)|\s|\|)"
    rb"|(?P<absl>[DIWEF])\d{4} (?P<clock>\d\d:\d\d:\d\d\.\d{6}) "
    rb"|\S{1,60} \S{1,60} \S{1,60} \[(?P<time>" + _TIME + rb")\] \")"
)


@dataclass(slots=True)
class Head:
    """What the first line of a record says.

    Attributes:
        level: Its logging level; None if it says none.
        time: As it stands there (a text, or a number in JSON); None if it says none.
        said: Fields of a LogRecord: ``message``, ``name``, ``module``, ``funcName``, ``pathname``, ``lineno``.
        traceback: The text of one, in a field of its own.
        whole: No line that follows belongs to the record.
    """

    level: int | None
    time: object = None
    said: dict[str, Any] = field(default_factory=dict)
    traceback: str = ""
    whole: bool = False


def match(line: bytes) -> re.Match[bytes] | None:
    """Return a match if `line` begins a record; `level_of`, `time_of` and `read` take it."""
    first = line[:1]
    if first.isdigit():
        return _TIMED.match(line) or _BARE.match(line)
    if first in (b"[", b"<", b"("):
        return _TIMED.match(line) or _BARE.match(line)
    if first <= b" " or first == b"{":
        return None
    return _BARE.match(line) or (_TIMED.match(line) if first.isupper() else None)


def level_of(found: re.Match[bytes]) -> int | None:
    """Return the level that the line says, or None."""
    kind = found.lastgroup
    if kind in ("level", "boxed"):
        level = _BYTES[found[kind]]
        is_timed = found.re is _TIMED and level >= LEVELS["ERROR"]
        return None if is_timed and _is_prose(found["between"]) else level
    if kind == "django":
        return LEVELS["ERROR"]
    return _ABSL[found["absl"]] if kind == "clock" else None


def has_time(found: re.Match[bytes]) -> bool:
    """Return whether the line's own time can be read by `time_of`."""
    return found.re is _TIMED or found.lastgroup == "time"


def time_of(found: re.Match[bytes]) -> str:
    """Return the time of a line that has one."""
    return found["time"].decode()


def _is_prose(between: bytes) -> bool:
    """Return whether what stands between time and level is more like a sentence than like fields."""
    bare = _BOXES.sub(b" ", between).lstrip(b" \t|:;,/-])>")
    before, *rest = _SEPARATORS.split(bare)
    words = [word for word in (rest[-1] if rest else before).split() if not word.isdigit()]
    return len(words) > (0 if rest else 2)


def read(line: bytes, found: re.Match[bytes]) -> Head:
    """Return what a line says for which `match` gave `found`."""
    groups = found.groupdict()
    head = Head(level_of(found), _text(groups.get("time")) or None)
    if groups.get("django"):
        head.said = {"name": "django.request", "message": _text(line)}
        return head
    rest = _text(line[found.end() :])
    if head.level is None:
        head.said = {"message": rest.strip(" \t:-|])>,")}
        return head
    if head.time is None:
        head.time, rest = _time_in(rest)
    if clock := groups.get("clock"):
        head.time = None
        head.said["name"] = "absl"
        rest = re.sub(r"^ *\d+ ", "", rest) if clock else rest
    between = _text(groups.get("between"))
    name = groups["level"] or groups.get("boxed") or b""
    if name.islower():
        head.said |= _structlog(rest)
    else:
        head.said |= _after(rest, _logger_in(between), timed=head.time is not None)
    if set(between) <= set("] [0123456789") and "[" in between and "name" not in head.said:
        head.said["name"] = "gunicorn.error"
    return head


def _time_in(rest: str) -> tuple[str | None, str]:
    """Return a time that stands first in what follows the level, and what follows it."""
    found = _TIME_FIRST.match(rest)
    return (found["time"], rest[found.end() :]) if found else (None, rest)


def _logger_in(between: str) -> str:
    """Return the logger's name from between time and level; empty if there is none."""
    words = [word for word in _WORD.findall(between) if not _NO_LOGGER.fullmatch(word)]
    return words[0] if words else ""


def _after(rest: str, logger: str, *, timed: bool) -> dict[str, Any]:
    """Read what follows the level."""
    for form in _AFTER if not logger else _AFTER_LOGGER:
        if (read := form.match(rest)) is not None:
            said = {key: value for key, value in read.groupdict().items() if value}
            break
    else:
        said = {"message": rest.lstrip(" \t:-|])>,")}
    if logger:
        said["name"] = logger
    elif not timed and "name" not in said and rest.startswith(":  "):
        said["name"] = "uvicorn.error"  # its lines are padded
    said.setdefault("message", "")
    if "lineno" in said:
        said["lineno"] = int(said["lineno"])
    return said


def _structlog(rest: str) -> dict[str, Any]:
    """Read what follows the level on structlog's console: the event, the logger in brackets, pairs."""
    line = rest.lstrip(" ]").rstrip()
    end, pairs = 0, {}
    for token in _TOKEN.finditer(line):
        if token["key"]:
            pairs[token["key"]] = token["value"].strip("'\"")
        else:
            end, pairs = token.end(), {}
    named = _NAMED.search(line[:end])
    said: dict[str, Any] = {"message": line[: named.start() if named else end].rstrip(), "extra": pairs}
    return said | ({"name": named["name"]} if named else {})


def _text(part: bytes | None) -> str:
    return part.decode("utf-8", "replace") if part else ""


_BOXES = re.compile(rb"\[[^\]]*\]|\([^)]*\)")
_SEPARATORS = re.compile(rb"\s*[|:;,/]\s*|\s+-\s+")
_TIME_FIRST = re.compile(r"[\s\-|:,\[(]{0,10}(?P<time>" + TIME + r")")
_WORD = re.compile(r"[^\s\[\]()|:;,/]+")
_NO_LOGGER = re.compile(
    r"[\d.:,+\-xXa-f]*|-|MainThread|Thread-\S+|Dummy-\d+|ThreadPoolExecutor\S*|MainProcess|ForkPoolWorker-\d+|Process-\S+"
    r"|SpawnProcess-\S+|[\w./\-]+\.py|\w+\(\)|<module>"
)
_NAME = r"[A-Za-z_]\w*(?:[.\-]\w+)*"
_CLOSED = r"[\])>]?"
_AFTER = tuple(
    re.compile(pattern)
    for pattern in (
        r"\s*+\| (?P<name>[\w.<>\-]+):(?P<funcName>[\w<>]+):(?P<lineno>\d{1,7}) - (?P<message>.*)",  # loguru
        rf"{_CLOSED} in (?P<module>\w+): (?P<message>.*)",  # Flask
        rf":(?P<name>{_NAME}):(?P<message>.*)",  # BASIC_FORMAT
        r"/[\w\-]+\] (?P<message>.*)",  # celery
        rf"{_CLOSED}\s*+[:\-|]?\s*+\[(?P<name>{_NAME})(?::(?P<lineno>\d{{1,7}}))?\]\s*+[:\-|]?\s*+(?P<message>.*)",
        rf"{_CLOSED}\s*+[:\-|]?\s*+(?P<name>{_NAME})(?:\s++-\s++|\s*+\|\s*+)(?P<message>.*)",
        rf"{_CLOSED}\s*+[:\-|]?\s*+(?P<name>[a-z_]\w*(?:\.\w+)*): (?P<message>.*)",
        rf"{_CLOSED}\s*+[:\-|]?\s*+(?P<name>[a-z_]\w*(?:\.\w+)+) (?P<message>.*)",
    )
)
_AFTER_LOGGER = (re.compile(rf"{_CLOSED}[\s:\-|]*+(?P<message>.*)"),)
_TOKEN = re.compile(r"(?P<key>[\w.]++)=(?P<value>'[^']*+'|\"[^\"]*+\"|\S++)|\S++")
_NAMED = re.compile(r"\[(?P<name>[\w.\-]+)\]$")
