"""The OpenAPI document: of the parameters, by the table that reads them, and of the rows, by their types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict

from loghub import browser, event
from loghub.web import parameters, schema
from loghub.web.visitors import KEY_HEADER

if TYPE_CHECKING:
    from collections.abc import Collection

    from loghub.web.access import Access

VERSION = "1"


class Group(TypedDict):
    """A row of /api/groups: `loghub.history.group_row`."""

    fingerprint: str
    error_type: str
    error_message: str
    component: str
    culprit: str
    count: int
    first_seen_at: str
    last_seen_at: str
    status: Literal["open", "resolved", "muted"]
    issue_url: str | None


class Statistics(TypedDict):
    """The answer of /api/stats: `loghub.history.statistics`."""

    total_errors: int
    error_types: dict[str, int]
    modules: dict[str, int]
    daily_counts: dict[str, int]


class Answer(TypedDict):
    """What becomes of a report."""

    success: bool
    issue_url: str | None
    message: str
    fingerprint: str | None


class Status(TypedDict):
    """The reporter's status."""

    enabled: bool
    github_repo: str | None
    has_token: bool
    reported_errors_count: int


class Refusal(TypedDict):
    """Why a request is refused."""

    error: str
    message: str


TYPES: tuple[type, ...] = (event.Event, event.ErrorPart, event.Frame, Group, Statistics, Answer, Status, Refusal)

_TEXT: dict[str, Any] = {"type": ["string", "null"]}
_CAUSE = {"type": "object", "properties": dict.fromkeys(("error_type", "error_message", "stack"), _TEXT)}
_SAYS = ("error_type", "error_message", "stack")
_INFO: dict[str, Any] = {
    "type": "object",
    "properties": {
        **dict.fromkeys((*_SAYS, "source_component", "url", "user_agent", "release", "key"), _TEXT),
        "context": {"type": ["object", "null"], "description": "What else is known; nested 14 levels deep at most."},
        "causes": {"type": ["array", "null"], "items": _CAUSE},
        "count": {
            "type": ["integer", "null"],
            "minimum": 1,
            "description": "Occurrences that it stands for; 1000 at most count.",
        },
        "dropped": {"type": ["integer", "null"], "minimum": 0, "description": "Occurrences that could not be told."},
    },
    "anyOf": [{"properties": {one: schema.NOT_BLANK}, "required": [one]} for one in _SAYS],
}
REPORT = {
    "type": "object",
    "properties": {"error_info": _INFO},
    "required": ["error_info"],
    "description": f"At most {browser.MAX_BYTES} bytes.",
}


def document(url: str, access: Access, cookie: str) -> dict[str, Any]:
    """Return the document.

    Args:
        url: Where the pages are: a path without a slash at its end.
        access: Its login is told, where it has one; a host application knows its own.
        cookie: What holds the session.
    """
    logged_in: list[Any] = [{"session": []}] if access.has_login else []
    metrics = [*logged_in, *([{"metrics": []}] if access.visitors.metrics_token else [])]
    report: dict[str, Any] = {
        "summary": "Report an error of a page.",
        "parameters": [_header(KEY_HEADER, "The public key, where one is asked for.")],
        "requestBody": {"required": True, "content": _posted(REPORT)},
        "responses": _answers(Answer, (200, 400, 403, 413, 429)),
    }
    test = report | {
        "summary": "Report an error that is none; a report that is sent is looked at, and not reported.",
        "requestBody": {"content": _posted({"anyOf": [REPORT, {"type": "object", "maxProperties": 0}]})},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "loghub", "version": VERSION},
        "servers": [{"url": url or "/"}],
        "paths": {
            "/api/report-error": {"post": report},
            "/api/error-reporter/status": {"get": _got("Whether errors are reported.", Status)},
            "/api/error-reporter/test": {"post": test},
            "/api/errors": {"get": _listed("The newest errors that are kept in full.", event.Event, logged_in)},
            "/api/groups": {"get": _listed("The bugs.", Group, logged_in)},
            "/api/stats": {
                "get": _got("Counts by type, module and day.", Statistics, parameters.STATS, security=logged_in)
            },
            "/api/openapi.json": {"get": {"summary": "This document.", "responses": _bare("application/json")}},
            "/healthz": {"get": {"summary": "Whether the ledger can be used.", "responses": _bare("text/plain", 503)}},
            "/metrics": {
                "get": {
                    "summary": "Figures, in OpenMetrics 1.0.",
                    "responses": _bare("application/openmetrics-text") | _bare("text/plain", 401, ok=False),
                    "security": metrics,
                }
            },
        },
        "components": {
            "schemas": {one.__name__: schema.of_typed_dict(one) for one in TYPES},
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": cookie},
                "metrics": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _posted(what: dict[str, Any]) -> dict[str, Any]:
    return {kind: {"schema": what} for kind in ("application/json", "text/plain")}


def _got(
    summary: str, row: type, names: Collection[str] = (), *, security: list[Any] | None = None, many: bool = False
) -> dict[str, Any]:
    """Return the description of a GET."""
    refusals = (400, 401, 503) if names else (503,)
    return {
        "summary": summary,
        "parameters": [
            {"in": "query", "name": name, "schema": what.schema, "description": what.says}
            for name, what in (parameters.PARAMETERS | (parameters.OF_ERRORS if row is event.Event else {})).items()
            if name in names
        ],
        "responses": _answers(row, (200,), many=many) | _answers(Refusal, refusals),
        "security": security or [],
    }


def _listed(summary: str, row: type, security: list[Any]) -> dict[str, Any]:
    names = parameters.GROUPS if row is Group else parameters.ERRORS
    said = _got(summary, row, names, security=security, many=True)
    link = {"description": 'Where there is more: the query it goes on with, rel="next".', "schema": {"type": "string"}}
    said["responses"]["200"]["headers"] = {"Link": link}
    return said


def _answers(row: type, statuses: Collection[int], *, many: bool = False) -> dict[str, Any]:
    said = {"type": "array", "items": schema.of(row)} if many else schema.of(row)
    return {
        str(status): {"description": _SAID[status], "content": {"application/json": {"schema": said}}}
        for status in statuses
    }


def _bare(kind: str, *statuses: int, ok: bool = True) -> dict[str, Any]:
    all_of_them = (200, *statuses) if ok else statuses
    return {str(one): {"description": _SAID[one], "content": {kind: {}}} for one in all_of_them}


def _header(name: str, says: str) -> dict[str, Any]:
    return {"in": "header", "name": name, "schema": {"type": "string"}, "description": says}


_SAID = {
    200: "Done.",
    400: "Something that was sent is wrong; the message says what.",
    401: "Nobody is logged in.",
    403: "Not from here, or not without the right key or role.",
    413: "Too large.",
    429: "Too many; Retry-After says for how long.",
    503: "The ledger cannot be used now.",
}
