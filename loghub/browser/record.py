"""A browser's report as the record of an ordinary logging call."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from loghub import request
from loghub.browser import stack as stacks
from loghub.browser.report import Report, read
from loghub.browser.texts import line_of
from loghub.journal.writing import TIMES
from loghub.plain import CONTEXT
from loghub.scrub.own import clean as scrubbed
from loghub.scrub.size import cut

if TYPE_CHECKING:
    from collections.abc import Collection

    from loghub.browser.sourcemaps import SourceMaps

log = logging.getLogger("loghub.browser")

PLACE = "<browser>"
"""Stands for the file of the call, which no process of this host has made."""

MAX_LINE = 1_000
"""So many characters of an error's message stand in the log's line; all of it stands in the event."""

LATE_SECONDS = 86_400.0
"""For so long a browser may have been offline: an older time is not believed."""


def record_of(
    report: bytes | Report,
    *,
    now: float,
    origin: str | None = None,
    own: Collection[str] = (),
    maps: SourceMaps | None = None,
) -> logging.LogRecord:
    """Return the record of a report, to be handed to ``logging.getLogger("loghub.browser").handle``.

    Its event has platform ``javascript``, mechanism ``browser`` and what the report says; ``server`` is the host that
    took it, ``environment`` that of its EventFilter, ``system`` the browser, and ``release`` the page's, or None. There
    are no breadcrumbs, process, thread or request of this host's: they are none of the error's. Nothing in a report
    chooses a fingerprint, a level or a logger.

    Args:
        report: What was posted, or what `loghub.browser.read` made of it.
        now: Epoch seconds.
        origin: The request's ``Origin``, or that of the site. Scripts of it, and of the page's ``url``, are in-app.
        own: More origins whose scripts are the application's, such as its CDN's.
        maps: Source maps, by which frames get their original names.

    Raises:
        BadReportError: `report` is none; the message says in one sentence what is wrong.
    """
    said = read(report) if isinstance(report, bytes) else report
    origins = {stacks.origin_of(one) for one in (origin or "", said.url, *own)} - {""}
    error = _read_error(said.error_type, said.error_message, said.stack, origins, maps)
    causes = [_read_error(one.error_type, one.error_message, one.stack, origins, maps) for one in said.causes]
    below = [*error.lines, *(line for cause in causes for line in (f"    Caused by: {cause.head}", *cause.lines))]
    told = error.part | {
        "traceback": "\n".join([error.head, *below]),
        "causes": [cause.part | {"relation": "cause"} for cause in causes],
        "exceptions": [],
        "notes": [],
        "platform": "javascript",
        "release": said.release or None,
        "process": {"id": None, "name": "browser"},
        "thread": {"id": None, "name": ""},
        "task": None,
        "breadcrumbs": [],
        "system": {name: text for name in ("user_agent", "viewport") if (text := getattr(said, name))},
    }
    extra = {
        "_loghub_mechanism": "browser",
        "_loghub_told": told,
        "component": said.source_component,
        CONTEXT: _context(said),  # apart: what a stranger names must not become a field of the record
    }
    log.disabled = False  # dictConfig disables loggers that it does not name, unless told otherwise
    record = log.makeRecord(log.name, logging.ERROR, PLACE, 0, scrubbed(error.head), (), None, "", extra)
    at = said.timestamp if said.timestamp is not None and now - LATE_SECONDS <= said.timestamp <= now else now
    if said.count > 1:
        record.__dict__[TIMES] = said.count
    record.created, record.msecs = at, int(at % 1 * 1000) + 0.0
    record.exc_text = scrubbed("\n".join(below)) or None  # every line is indented: none can pass for one of a log
    return record


class _Error(NamedTuple):
    """An error as an event has it, and as a log shows it: a line, and indented lines below."""

    part: dict[str, Any]
    head: str
    lines: list[str]


def _read_error(kind: str, message: str, stack: str, own: Collection[str], maps: SourceMaps | None) -> _Error:
    message = message or ("" if kind else stacks.head_of(stack))
    message = message.removeprefix("Uncaught ").removeprefix("(in promise) ")
    named = _NAMED.match(message)
    if named and kind in ("", "Error", named[1]):  # what window.onerror says has the class in front
        kind, message = named[1], message[named.end() :]
    kind = _ODD.sub("_", kind) or "Error"
    lines = stacks.read(stack, message, own)
    if maps is not None:
        lines = [line if line.frame is None else line._replace(frame=maps.original(line.frame)) for line in lines]
    head = line_of(f"{kind}: {cut(message, MAX_LINE, 0.9)}").removesuffix(": ")
    part = {
        "error_type": kind,
        "error_module": "",
        "error_message": message,
        "frames": [line.frame for line in lines if line.frame is not None][::-1],
    }
    return _Error(part, head, [stacks.shown(line) for line in lines])


_NAMED = re.compile(r"([A-Z][\w$]{0,80}(?:Error|Exception)): ")
_ODD = re.compile(r"[^\w$.]+")


def _context(said: Report) -> dict[str, Any]:
    context = dict(said.context)
    if said.url:
        context["url"] = shown_url(said.url)
    elif isinstance(url := context.get("url"), str):
        context["url"] = shown_url(url)
    if said.dropped:
        context["dropped_by_page"] = said.dropped
    return context


def shown_url(url: str) -> str:
    """Return a page's URL with the names of its query: no value, no user, no fragment."""
    return stacks.origin_of(url) + request.shown_path(url)
