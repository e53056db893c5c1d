"""What is known of the web request in which something was logged: plain facts, and no value of a query.

The facts come, nearest first, from the record itself where a framework put them there (Django, gunicorn, Flask,
Tornado), from the middleware of `loghub.web` by a context variable, and from an exception that passed through that
middleware before somebody logged it. They are one dict:

==========  ==================================================================
method      ``GET``; ``WEBSOCKET`` for a websocket
path        decoded, with the names of the query: ``/a?token&b``
route       the pattern that led to the view: ``/users/<int:id>``
status      of the response, a number
request_id  from ``X-Request-Id``, else the trace's id from ``traceparent``
==========  ==================================================================

Each is there if it is known. The client's address, its headers and the body never are.
"""

from __future__ import annotations

import contextlib
import contextvars
import re
import threading
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

MARK = "_loghub_request"
"""Where an exception carries the facts of the request that it ended."""

_MAX_PATH = 500
_MAX_NAMES = 20
_NAME = re.compile(r"[A-Za-z_][\w.\[\]-]{0,39}", re.ASCII)
_METHOD = re.compile(r"[A-Za-z]{1,20}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:+/=-]{1,128}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_FLASK = re.compile(r"Exception on (.+) \[([A-Z]+)\]", re.DOTALL)
_TORNADO = re.compile(r"([A-Z]+) (\S+) \(")
_MAX_SAID = 4_096


class Request:
    """A request that is being served.

    Attributes:
        facts: What is known by now.
        find_route: Asks the framework, as long as the request lasts, which route it took.
        strand: A weak reference to the asyncio task or greenlet that serves it; None for a thread.
    """

    __slots__ = ("facts", "find_route", "strand")

    def __init__(
        self, facts: dict[str, Any], find_route: Callable[[], str | None] | None = None, strand: object = None
    ) -> None:
        self.facts = facts
        self.find_route = find_route
        self.strand = None if strand is None else weakref.ref(strand)

    def known(self) -> dict[str, Any]:
        """Return the facts, with the route if there is one by now."""
        if self.find_route is not None and "route" not in self.facts:
            with contextlib.suppress(Exception):  # an object of a framework
                route = self.find_route()
                if route is not None and (said := str.__str__(route)):  # of a subclass, without its own ways
                    self.facts["route"] = said[:_MAX_PATH]
        return self.facts

    def end(self, error: BaseException | None = None) -> None:
        """Let go of the framework's objects, and leave the facts with the error that ended the request."""
        facts = self.known()
        self.find_route = None
        if error is not None:
            with contextlib.suppress(Exception):  # an exception may have any __dict__
                error.__dict__[MARK] = facts


current: contextvars.ContextVar[Request | None] = contextvars.ContextVar("loghub_request", default=None)
"""The request that is being served here."""


def facts() -> dict[str, Any] | None:
    """Return what is known of the request that is being served here, not to be changed; None outside of one."""
    request = current.get()
    return None if request is None else request.known()


def of_record(record: logging.LogRecord, exc: BaseException | None, trail: Any = None) -> dict[str, Any]:
    """Return what is known of the request of a record; empty: nothing.

    Args:
        record: Which may have been logged by another thread or process than this.
        exc: Its exception.
        trail: What a `loghub.breadcrumbs.Trail` brought along.
    """
    found: dict[str, Any] = {}
    if trail:
        found |= trail
    elif record.thread is None or record.thread == threading.get_ident():
        found |= facts() or {}
    if not found and exc is not None:
        left = _fields(exc).get(MARK)
        found |= left if type(left) is dict else {}
    try:
        return found | _on(record)
    except Exception:  # it may be anything that stands there
        return found


def is_framework_request(value: object) -> bool:
    """Return whether an object is a framework's request, which facts stand for: printed it would say its query."""
    fields = _fields(value)
    return type(fields.get("method")) is str and type(fields.get("path")) is str


# Reading what frameworks put on records -------------------------------------------------------------------------


def _on(record: logging.LogRecord) -> dict[str, Any]:
    """Return the facts that stand on the record itself."""
    fields = record.__dict__
    request = fields.get("request")
    found = {} if request is None else _of_object(request)
    if found and type(status := fields.get("status_code")) is int:
        found["status"] = status
    return found or _said(record)


def _of_object(request: object) -> dict[str, Any]:
    """Return the facts of a request object by its plain attributes; a property could read the body or raise."""
    if not is_framework_request(request):
        return {}
    fields = _fields(request)
    meta: Any = fields.get("META")
    meta = meta if type(meta) is dict else {}
    query = meta.get("QUERY_STRING", fields.get("query"))
    found = of(fields["method"], fields["path"], query, meta.get("HTTP_X_REQUEST_ID"), meta.get("HTTP_TRACEPARENT"))
    route = _fields(fields.get("resolver_match")).get("route")
    if type(route) is str and route:
        found["route"] = route[:_MAX_PATH]
    return found


def _said(record: logging.LogRecord) -> dict[str, Any]:
    """Return what servers and frameworks say in their messages."""
    args: Any = record.args
    args = args if type(args) is tuple else ()
    text = record.msg if type(record.msg) is str and len(record.msg) <= _MAX_SAID else ""
    if record.name == "gunicorn.error" and text.startswith("Error handling request") and args:
        return of(None, args[0])
    if record.name.startswith("tornado.") and args:
        for one in args:
            if found := _of_object(one):
                return found
        summary = next((read for one in args if type(one) is str and (read := _TORNADO.match(one))), None)
        return of(summary[1], summary[2]) if summary else {}
    if record.funcName == "log_exception" and (read := _FLASK.fullmatch(text % args if args else text)):
        return of(read[2], read[1], "")
    return {}


def _fields(value: object) -> dict[str, Any]:
    """Return an object's own attributes, without asking the object."""
    try:
        fields = object.__getattribute__(value, "__dict__")
    except Exception:
        return {}
    return fields if type(fields) is dict else {}


# Making facts ---------------------------------------------------------------------------------------------------


def of(
    method: object,
    target: object,
    query: object = None,
    request_id: object = None,
    traceparent: object = None,
) -> dict[str, Any]:
    """Return the facts of a request, as far as they are sound.

    Args:
        method: As the client sent it.
        target: A path, or (with `query` None) what stands behind the method: with a query, or a whole URL.
        query: What stands behind the question mark; a path that is given with one has it decoded out already.
        request_id: ``X-Request-Id``.
        traceparent: The header of this name, by W3C's Trace Context.
    """
    found: dict[str, Any] = {}
    if type(method) is str and _METHOD.fullmatch(method):
        found["method"] = method.upper()
    if type(target) is str and target:
        found["path"] = shown_path(target, query if type(query) is str else None)
    if type(request_id) is str and _REQUEST_ID.fullmatch(request_id):
        found["request_id"] = request_id
    elif type(traceparent) is str and (read := _TRACEPARENT.fullmatch(traceparent)):
        found["request_id"] = read[1]
    return found


def shown_path(target: str, query: str | None = None) -> str:
    """Return a path with the names of its query: no value, no user, no host, no fragment.

    Args:
        target: As of `of`.
        query: As of `of`.
    """
    if query is None:
        path, _, query = _AUTHORITY.sub("", target[: 4 * _MAX_PATH], count=1).partition("#")[0].partition("?")
    else:
        path = target[: 4 * _MAX_PATH].replace("?", "%3F").replace("#", "%23")
    names = [name for name in map(_name_of, re.split("[&;]", query[:_MAX_SAID], maxsplit=10 * _MAX_NAMES)) if name]
    names = list(dict.fromkeys(names))
    more = "&..." if len(names) > _MAX_NAMES else ""
    shown = _cut(path) or "/"
    if not shown.isprintable():
        shown = _CONTROL.sub(" ", shown)  # in no other form is a key in it still known to the scrubber
    return f"{shown}?{'&'.join(names[:_MAX_NAMES])}{more}" if names else shown


def _name_of(pair: str) -> str:
    """Return the name of a pair; what has no ``=`` may be a value as well as a name."""
    name, equals, _ = pair.partition("=")
    return name if equals and _NAME.fullmatch(name) else ""


def _cut(path: str) -> str:
    """Cut at a slash: half a segment could be half a secret, which nobody recognizes."""
    if len(path) <= _MAX_PATH:
        return path
    return path[:_MAX_PATH].rpartition("/")[0] + "/..."
