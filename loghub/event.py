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
server              host name
process, thread     ``{"id": 1, "name": "MainProcess"}``
task                name of the asyncio task, or None
platform            ``python``, ``javascript`` or ``native``
mechanism           ``logging``, ``uncaught``, ``thread``, ``unraisable``, ``browser``, ``process``
frames              outermost first, see `Frame`
causes              nearest first, see `ErrorPart`
exceptions          members of an ExceptionGroup, see `ErrorPart`
notes               what ``add_note`` added
breadcrumbs         the records before it
system              python, platform, architecture, docker, ...
==================  ==================================================================================

An event that came from elsewhere (a detail file, a browser) may lack any of them.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Literal, TypedDict


class Frame(TypedDict, total=False):
    """One line of a stack."""

    file: str
    module: str
    function: str  # qualified: Class.method
    line: int
    column: int | None
    code: str  # the source line, stripped
    in_app: bool
    locals: dict[str, str]


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


def iso(at: float) -> str:
    """Return epoch seconds as ISO 8601 in UTC with milliseconds and ``Z``."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def epoch(timestamp: object) -> float | None:
    """Read an ISO 8601 time (naive means UTC) as epoch seconds; None where it is none."""
    try:
        read = datetime.fromisoformat(str(timestamp))
    except ValueError:
        return None
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def culprit(event: Event) -> str:
    """Return ``module in function`` of the place where it happened."""
    module, function = event.get("module") or "", event.get("function") or ""
    return f"{module} in {function}" if module and function else module or function or "unknown place"


def dumps(event: Any, indent: int | None = None) -> str:
    """Return JSON that any reader takes: no NaN, and lone surrogates stay escaped."""
    return json.dumps(event, indent=indent, default=repr, separators=None if indent else (",", ":"))
