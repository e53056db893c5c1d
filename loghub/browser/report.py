"""What a browser posts, read and checked: bytes in, a `Report` or one sentence about what is wrong."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from loghub.browser.texts import clean, line_of
from loghub.errors import BadReportError
from loghub.event import LAST_SECOND, epoch
from loghub.journal.lines import MAX_TIMES
from loghub.scrub.own import clean as scrubbed
from loghub.scrub.size import MAX_MESSAGE_CHARS, cut

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BYTES = 64 * 1024
"""A longer body is refused; read no more of it than one byte beyond."""

MAX_DEPTH = 16
MAX_CAUSES = 10
MAX_DROPPED = 1_000_000
_MAX_DIGITS = 40
_MAX_KEYS = 2_000
_MAX_SHOWN = 40
_MILLISECONDS_FROM = 1e11  # as seconds, the year 5138
_CHARS = {
    "error_type": 200,
    "error_message": MAX_MESSAGE_CHARS,
    "source_component": 60,
    "stack": MAX_BYTES,
    "url": 2_000,
    "user_agent": 500,
    "viewport": 40,
    "release": 200,
    "key": 200,
}
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Cause:
    """An error that led to the reported one."""

    error_type: str
    error_message: str
    stack: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a browser says of one error; all of it is data from strangers.

    Attributes:
        error_type: Name of the class, as the browser says it.
        error_message: What it says; may have several lines.
        source_component: Which part of the page; ``unknown`` where it does not say.
        stack: As ``error.stack`` gives it; may be empty.
        context: What else is told.
        causes: Nearest first, at most `MAX_CAUSES`.
        url: Of the page, as it was sent.
        user_agent: The browser's name for itself.
        viewport: ``width x height``.
        release: What the page says that it is; empty: nothing.
        timestamp: When the browser says that it happened, epoch seconds; None: it does not.
        count: For how many occurrences of the error it stands, 1 to `MAX_TIMES`.
        dropped: How many occurrences, of whatever error, the page could not tell since its last report.
        key: What the page identifies itself with; it is for the endpoint, and never part of an event.
    """

    error_type: str = ""
    error_message: str = ""
    source_component: str = UNKNOWN
    stack: str = ""
    context: dict[str, Any] = field(default_factory=dict)
    causes: tuple[Cause, ...] = ()
    url: str = ""
    user_agent: str = ""
    viewport: str = ""
    release: str = ""
    timestamp: float | None = None
    count: int = 1
    dropped: int = 0
    key: str = ""


def read(body: bytes) -> Report:
    """Read the body of a report.

    It is an object with ``error_info``: ``error_type``, ``error_message``, ``source_component``, ``stack`` (texts) and
    ``context`` (an object), of which one of the first two, or the stack, must be there. Optional, in it or beside it:
    ``url``, ``user_agent``, ``release``, ``key`` (texts), ``viewport`` (a text, or ``width`` and ``height``),
    ``timestamp`` (ISO 8601, or milliseconds as of ``Date.now()``), ``count`` and ``dropped`` (whole numbers; what is
    too much is cut) and ``causes`` (a list of ``error_type``, ``error_message``, ``stack``). Texts ``url``,
    ``user_agent`` and ``viewport`` may stand in the context, too. null stands for what is not there; what else there
    is, is not looked at. Texts that are too long are cut, and say so; control characters and lone surrogates are
    escaped, and secrets are hidden, but for ``key`` and for ``url``, of which nothing secret is shown.

    Raises:
        BadReportError: It is no such report; the message says in one sentence what is wrong.
    """
    said = _object(body)
    info = said.get("error_info")
    if not isinstance(info, dict):
        raise BadReportError(
            'error_info is missing: send {"error_info": {"error_type": ..., "error_message": ...}}.'
            if info is None
            else f"error_info must be an object, not {_kind(info)}."
        )
    beside = {name: said[name] for name in _BESIDE if name in said}
    info = beside | {name: value for name, value in info.items() if value is not None}
    context = _context(info.get("context"))
    for name in _OF_THE_BROWSER:
        if info.get(name) is None and isinstance(context.get(name), str):
            info[name] = context.pop(name)
    texts = {name: _text(info, name) for name in _CHARS if name != "viewport"}
    if not any((info.get(name) or "").strip() for name in ("error_type", "error_message", "stack")):
        raise BadReportError("error_info says nothing: give it error_type, error_message or stack.")
    return Report(
        **texts | {"source_component": _component(texts["source_component"])},
        viewport=_viewport(info.get("viewport")),
        context=context,
        causes=_causes(info.get("causes")),
        timestamp=_time(info.get("timestamp")),
        count=_whole_number(info, "count", 1, MAX_TIMES),
        dropped=_whole_number(info, "dropped", 0, MAX_DROPPED),
    )


_OF_THE_BROWSER = ("url", "user_agent", "viewport")
_BESIDE = ("url", "user_agent", "viewport", "release", "timestamp", "count", "dropped", "causes", "key")


# JSON -----------------------------------------------------------------------------------------------------------


def _object(body: bytes) -> dict[str, Any]:
    if len(body) > MAX_BYTES:
        raise BadReportError(f"The report has more than {MAX_BYTES} bytes: send less context, or a shorter stack.")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BadReportError(f"The report is not UTF-8 (byte {error.start}): send JSON in UTF-8.") from None
    try:
        said = json.loads(
            text, object_pairs_hook=_pairs, parse_int=_whole, parse_float=_float, parse_constant=_refuse_constant
        )
    except BadReportError:
        raise
    except RecursionError:
        raise BadReportError(_DEEP) from None
    except ValueError as error:
        where = f" (at character {error.pos})" if isinstance(error, json.JSONDecodeError) else ""
        raise BadReportError(f"The report is not JSON{where}: send an object with error_info.") from None
    if not isinstance(said, dict):
        raise BadReportError(f"The report must be an object with error_info, not {_kind(said)}.")
    _check_depth(said)
    return said


_DEEP = f"The report is nested more than {MAX_DEPTH} levels deep: flatten its context."


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1) if len(pairs) < _MAX_KEYS else ""
        shown = f" {_shown(twice)}" if twice else ""
        raise BadReportError(f"An object in the report names a key{shown} twice: name each once.")
    return found


def _whole(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise BadReportError(f"A number in the report has more than {_MAX_DIGITS} digits: send it as a text.")
    return int(digits)


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise BadReportError(f"The number {_shown(text)} is too large: send it as a text.")
    return number


def _refuse_constant(name: str) -> None:
    raise BadReportError(f"{name} is not JSON: send null, or a text.")


def _check_depth(said: Any) -> None:
    level = [said]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for one in level
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise BadReportError(_DEEP)


# Fields ---------------------------------------------------------------------------------------------------------


def _text(said: Mapping[str, Any], name: str, where: str = "") -> str:
    value = said.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadReportError(f"{where}{name} must be a text, not {_kind(value)}.")
    if name not in _AS_SENT:  # before it is cut, or taken apart into lines: a piece of a secret looks like none
        value = scrubbed(value)
    if name in _MANY_LINES:
        return cut(clean(value), _CHARS[name], 0.9)
    return cut(line_of(value[: 8 * _CHARS[name]]).strip(), _CHARS[name], 0.9)


_MANY_LINES = ("error_message", "stack")
_AS_SENT = ("key", "url")


def _component(text: str) -> str:
    """Return a component as it can be a label; whoever posts must not choose other signs."""
    return _ODD.sub("_", text).strip("_ ") or UNKNOWN


_ODD = re.compile(r"[^\w .:/-]+")


def _context(value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadReportError(f"context must be an object, not {_kind(value)}.")
    cleaned: dict[str, Any] = clean(value)
    return cleaned


def _causes(value: object) -> tuple[Cause, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise BadReportError(f"causes must be a list, not {_kind(value)}.")
    found = []
    for number, one in enumerate(value[:MAX_CAUSES]):
        where = f"causes[{number}]"
        if not isinstance(one, dict):
            raise BadReportError(f"{where} must be an object, not {_kind(one)}.")
        found.append(Cause(*(_text(one, name, f"{where}.") for name in ("error_type", "error_message", "stack"))))
    return tuple(found)


def _viewport(value: object) -> str:
    if isinstance(value, dict):
        value = [value.get("width"), value.get("height")]
    if isinstance(value, list) and len(value) == 2 and all(_is_number(one) and 0 <= one < 1e6 for one in value):
        return "x".join(str(round(one)) for one in value)
    if value is None or isinstance(value, str):
        return _text({"viewport": value}, "viewport")
    raise BadReportError("viewport must be a text, or width and height as numbers.")


def _time(value: object) -> float | None:
    at: Any = epoch(value) if isinstance(value, str) else value
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= _MILLISECONDS_FROM:
        at = value / 1000
    if not _is_number(at) or not 0 <= at <= LAST_SECOND:
        raise BadReportError("timestamp must be ISO 8601, or milliseconds as of Date.now().")
    return float(at)


def _whole_number(said: Mapping[str, Any], name: str, least: int, most: int) -> int:
    value: Any = said.get(name)
    if value is None:
        return least
    if not _is_number(value) or value != int(value) or value < least:
        raise BadReportError(f"{name} must be a whole number, {least} or more.")
    return int(min(value, most))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "something else")


_KINDS = {str: "a text", int: "a number", float: "a number", bool: "true or false", list: "a list", dict: "an object",
          type(None): "null"}  # fmt: skip


def _shown(text: str) -> str:
    return f'"{cut(line_of(text[:1_000]), _MAX_SHOWN)}"'
