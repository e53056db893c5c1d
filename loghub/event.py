"""One error as plain data: the event, the same in journal, detail file, ledger, REST and ``before_send``.

An event is a dict that JSON can hold. Its keys, in the order in which they are written:

==================  ==================================================================================
timestamp           ISO 8601, UTC, milliseconds, ``Z``
error_type          name of the exception's class; without an exception the level's name
error_message       ``str(exception)``; without an exception the log message
module, function    where it happened: the innermost in-app frame, or the place of the logging call
traceback           as Python prints it; empty without an exception
additional_info     the record's ``extra``
id                  32 hex digits, one per occurrence
fingerprint         ``v1:`` and 16 hex digits: the key of "the same bug"
error_module        module of the exception's class
level, logger       of the record
message, template   the log message, and its text before the arguments went in
args                the arguments, as a list of texts or plain values, or a dict
component           which part of the system (``EventFilter``)
environment         ``production``, ``staging``, ...
release             what was deployed: a version or a commit
server              host name; empty where ``include_system_info`` is false
process, thread     ``{"id": 1, "name": "MainProcess"}``
task                name of the asyncio task, or None
platform            ``python``, ``javascript`` or ``native``
mechanism           ``logging``, ``uncaught``, ``thread``, ``unraisable``, ``browser``, ``process``
frames              outermost first, see `Frame`
causes              nearest first, see `ErrorPart`
exceptions          members of an ExceptionGroup, see `ErrorPart`
notes               what ``add_note`` added
breadcrumbs         the records before it
system              python, platform, architecture, docker, ...; of a browser's error ``user_agent`` and ``viewport``;
                    none where ``include_system_info`` is false
custom_fingerprint  what the application asked for, only where it did (`loghub.fingerprint.custom`)
==================  ==================================================================================

An event that came from elsewhere (a detail file, a browser) may lack any of them.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Frame(TypedDict, total=False):
    """One line of a stack."""

    file: str
    module: str
    function: str  # qualified: Class.method
    line: int
    column: int | None
    code: str  # the source line, stripped
    template: str  # what a raise says that goes on in the next lines, its values as %s
    in_app: bool
    locals: dict[str, str]


class Shared(dict[str, Any]):
    """A dict that stands in many events at once, such as a `Frame`: nobody changes it.

    It keeps what others found out about it.

    Attributes:
        clean_for: What a scrubber knew of secrets when it found nothing to change.
        chars: How many characters its texts have.
        laid_out: Its JSON, as `lay_out` needs it, and at what depth.
        read: What a fingerprint takes from it.
    """

    __slots__ = ("chars", "clean_for", "laid_out", "read")

    def __init__(self, of: Mapping[str, Any]) -> None:
        super().__init__(of)
        self.clean_for: Any = None
        self.read: Any = None
        self.chars = 0
        self.laid_out = (-1, "")


class ErrorPart(TypedDict, total=False):
    """An exception inside another: a cause, or a member of a group."""

    error_type: str
    error_module: str
    error_message: str
    frames: list[Frame]
    relation: Literal["cause", "context"]
    notes: list[str]
    causes: list[ErrorPart]
    exceptions: list[ErrorPart]


class Event(TypedDict, total=False):
    """One error; the module's docstring says what each key means."""

    timestamp: str
    error_type: str
    error_message: str
    module: str
    function: str
    traceback: str
    additional_info: dict[str, Any]
    id: str
    fingerprint: str
    error_module: str
    level: str
    logger: str
    message: str
    template: str
    args: list[Any] | dict[str, Any]
    component: str
    environment: str
    release: str | None
    server: str
    process: dict[str, Any]
    thread: dict[str, Any]
    task: str | None
    platform: str
    mechanism: str
    frames: list[Frame]
    causes: list[ErrorPart]
    exceptions: list[ErrorPart]
    notes: list[str]
    breadcrumbs: list[dict[str, Any]]
    system: dict[str, Any]


KEYS = tuple(Event.__annotations__)


FIRST_SECOND, LAST_SECOND = -62_135_596_800.0, 253_402_300_799.0
"""The years 1 to 9999, in UTC."""


def iso(at: float) -> str:
    """Return epoch seconds as ISO 8601 in UTC with milliseconds and ``Z``."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def epoch(timestamp: object) -> float | None:
    """Read an ISO 8601 time (naive means UTC) as epoch seconds; None where it is none, or one that `iso` cannot say."""
    try:
        read = datetime.fromisoformat(str(timestamp))
    except ValueError:
        return None
    at = (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    return at if FIRST_SECOND <= at <= LAST_SECOND else None


def storable(value: object) -> str:
    """Return what a database takes as text: lone surrogates have no UTF-8, and PostgreSQL knows no NUL."""
    text = str("" if value is None else value)
    if not text.isascii():
        text = text.encode(errors="backslashreplace").decode()
    return text.replace("\0", "\\x00")


def escaped(text: str) -> str:
    """Return `text` with control characters and lone surrogates as in a repr, but for line breaks and tabs."""
    return text.translate(_ESCAPES)


SURROGATES = {code: f"\\u{code:04x}" for code in range(0xD800, 0xE000)}
"""What stands for each lone surrogate, which UTF-8 cannot hold."""

_ESCAPES = SURROGATES | {
    code: repr(chr(code))[1:-1] for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"
}


def culprit(event: Event) -> str:
    """Return ``module in function`` of the place where it happened."""
    module, function = event.get("module") or "", event.get("function") or ""
    return f"{module} in {function}" if module and function else module or function or "unknown place"


def dumps(event: Any, indent: int | None = None) -> str:
    """Return JSON that any reader takes: no NaN, and lone surrogates stay escaped."""
    return json.dumps(event, indent=indent, default=repr) if indent else _compact(event)


def lay_out(value: Any) -> str:
    """Return JSON in which every line break is still open; `one_line` and `indented` close them.

    The standard library indents in Python, token by token. Here its C encoder writes whatever has no containers
    within. An open break is a control character, which no JSON text holds: the deeper the break, the higher.
    """
    return _laid_out(value, 0)


def one_line(text: str) -> bytes:
    """Return what `lay_out` gave as one line of JSON."""
    return text.encode().translate(None, bytes(range(32)))


def indented(text: str) -> str:
    """Return what `lay_out` gave as ``dumps(value, indent=4)``."""
    for depth, mark in enumerate(_MARKS):
        if mark not in text:
            break
        text = text.replace(mark, "\n" + 4 * depth * " ")
    return text


_MARKS = [chr(number) for number in range(1, 32) if chr(number) != "\n"]  # an open break, by depth
_SCALARS = frozenset((str, int, float, bool, type(None)))
_CONTAINERS = (dict, list, tuple)
_compact = json.JSONEncoder(default=repr, separators=(",", ":")).encode
_encode = json.JSONEncoder(default=repr, separators=("\0", ": ")).encode


def _laid_out(value: Any, depth: int) -> str:
    if not _holds_more(value):
        return _encode(value)
    if depth + 1 >= len(_MARKS):
        return dumps(value)
    if type(value) is not Shared:
        return _laid_out_anew(value, depth)
    if value.laid_out[0] != depth:
        value.laid_out = (depth, _laid_out_anew(value, depth))
    return value.laid_out[1]


def _laid_out_anew(value: Any, depth: int) -> str:
    outer, inner = _MARKS[depth], _MARKS[depth + 1]
    if isinstance(value, dict):
        return "{" + inner + ("," + inner).join(_entries(value, inner, depth)) + outer + "}"
    if any(map(_holds_more, value)):
        parts = [_laid_out(one, depth + 1) for one in value]
    else:
        parts = [_encode(value)[1:-1].replace("\0", "," + inner)]
    return "[" + inner + ("," + inner).join(parts) + outer + "]"


def _entries(value: dict[Any, Any], inner: str, depth: int) -> Iterator[str]:
    """Yield the entries of a dict, those without containers many at once."""
    flat: dict[Any, Any] = {}
    for key, entry in value.items():
        if not _holds_more(entry):
            flat[key] = entry
            continue
        if flat:
            yield _encode(flat)[1:-1].replace("\0", "," + inner)
            flat = {}
        name = f'"{key}": ' if key in KEYS else _encode({key: 0})[1:-2]
        yield name + _laid_out(entry, depth + 1)
    if flat:
        yield _encode(flat)[1:-1].replace("\0", "," + inner)


def _holds_more(value: Any) -> bool:
    return type(value) not in _SCALARS and isinstance(value, _CONTAINERS) and len(value) > 0
