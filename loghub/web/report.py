"""What pages report: /api/report-error, and whether that works: /api/error-reporter/status and /test.

The answer to a report never waits for GitHub. It is read from the ledger: the URL of the bug's issue where there is
one, else null, and in a sentence what is true. Its status is 200 in either case: the seed's clients know one success.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from flask import Response, current_app, jsonify, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from loghub import browser, fingerprint, sighting
from loghub.errors import BadReportError, LedgerError, OptionValueError
from loghub.seeds import reach
from loghub.seeds.error_reporter import get_error_reporter
from loghub.web.access import cookieless
from loghub.web.visitors import RefusedVisitError

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Blueprint

    from loghub.web.access import Access
    from loghub.web.site import Site
    from loghub.web.visitors import Visitors

MAX_BYTES = browser.MAX_BYTES

PATIENCE_SECONDS = 0.02
"""So long a page waits for the ledger; after that the answer says that it is not known."""

TOO_LARGE = f"A report has at most {MAX_BYTES} bytes: send less context, or a shorter stack."
NOT_TAKEN = (
    "The error was not counted: no handler of loghub's takes what logger loghub.browser is told; "
    "attach one in logging.yaml."
)
SWITCHED_OFF = "The error was not counted: ERROR_REPORTING_ENABLED says no."
IGNORED = "The error was not counted: the configuration ignores errors like it."
NOWHERE = "The error is counted; no issue is opened, for there is no repository or no token."
NOT_YET = "The error is counted; its bug has no issue yet."
KNOWN = "Error reported successfully: the error is counted, and this is its bug's issue."
UNKNOWN = "The error is counted; whether its bug has an issue cannot be known now."

_NO_REPORT = (b"", b"{}")


def add(blueprint: Blueprint, site: Site, access: Access) -> None:
    """Add the routes."""
    visitors = access.visitors

    @blueprint.route("/api/report-error", methods=["POST", "OPTIONS"])
    @cookieless
    def report_error() -> Response:
        return _answered(visitors, site, browser.read)

    @blueprint.route("/api/error-reporter/test", methods=["POST", "OPTIONS"])
    @cookieless
    def error_reporter_test() -> Response:
        return _answered(visitors, site, _test)

    @blueprint.get("/api/error-reporter/status")
    def error_reporter_status() -> Any:
        try:
            return get_error_reporter().status(site.figures()["issues"])
        except (OptionValueError, LedgerError) as error:  # it may quote what was set, and anybody may ask
            current_app.logger.warning("The status cannot be told: %s", error)
            return {"error": "Service Unavailable", "message": "The status cannot be told now: the log says why."}, 503


def _test(body: bytes) -> browser.Report:
    """Return the report of an error that is none; no body is needed, and one must be right: that is a test, too."""
    key = browser.read(body).key if b"".join(body.split()) not in _NO_REPORT else ""
    return browser.Report("TestError", "A test of the error reporter: nothing is wrong.", "loghub-test", key=key)


def _answered(visitors: Visitors, site: Site, read: Callable[[bytes], browser.Report]) -> Response:
    if request.method == "OPTIONS":
        return _preflight(visitors)
    answer = visitors.share(request, _reported(visitors, site, read))
    visitors.count(answer.status_code)
    return answer


def _preflight(visitors: Visitors) -> Response:
    try:
        visitors.check_origin(request)
    except RefusedVisitError as refused:
        return visitors.share(request, _answer(refused.status, refused.reason))
    return visitors.preflight(request, Response(status=204))


def _reported(visitors: Visitors, site: Site, read: Callable[[bytes], browser.Report]) -> Response:
    try:
        visitors.check_origin(request)
        visitors.spend(request)
        report = read(_body())
        visitors.check_key(request, report.key)
    except RefusedVisitError as refused:
        answer = _answer(refused.status, refused.reason)
        if refused.retry_after is not None:
            answer.headers["Retry-After"] = str(refused.retry_after)
        return answer
    except RequestEntityTooLarge:
        return _answer(413, TOO_LARGE)
    except (BadReportError, HTTPException) as error:  # a body that ends before its Content-Length is one of werkzeug's
        return _answer(400, getattr(error, "description", None) or str(error))
    if why := browser.noise(report):
        return _answer(200, why, success=True)
    return _told(report, request.headers.get("Origin") or request.host_url, site)


def _body() -> bytes:
    """Return the request's body, of which no more is read than a report may have; its Content-Type does not matter.

    Raises:
        RequestEntityTooLarge: It has more, whether or not it said so before.
    """
    if (request.content_length or 0) > MAX_BYTES:
        raise RequestEntityTooLarge
    parts: list[bytes] = []
    room = MAX_BYTES + 1
    while room and (part := request.stream.read(room)):
        parts.append(part)
        room -= len(part)
    if not room:
        raise RequestEntityTooLarge
    return b"".join(parts)


def _told(report: browser.Report, origin: str, site: Site) -> Response:
    """Log a report as any error is logged, and say what the ledger knows of its bug."""
    record = browser.record_of(report, now=time.time(), origin=origin, maps=site.maps)
    logger = logging.getLogger(record.name)
    is_on, is_heard = _is_on(), logger.isEnabledFor(record.levelno)
    own = _own(site) if is_on and is_heard and not reach.is_taken(logger) else None
    is_taken = is_heard and (own is not None or reach.is_taken(logger, record.levelno))
    if own is not None:
        own.handle(record)
    if logger.hasHandlers():  # else logging would print it as a last resort
        logger.handle(record)
    if not is_on or not is_taken:
        return _answer(200, SWITCHED_OFF if not is_on else NOT_TAKEN)
    seen = record.__dict__.get(sighting.FIELD)
    if isinstance(seen, sighting.Sighting) and seen.kind is None:
        return _answer(200, IGNORED)
    mark = fingerprint.of_record(record)
    url, why = _issue(mark)
    return _answer(200, why, success=True, url=url, mark=mark)


def _own(site: Site) -> logging.Handler | None:
    """Return the pages' own handler, as `loghub.report_error` has one where nothing of loghub's is attached."""
    try:
        return site.own.ready()
    except OptionValueError as error:  # such as a GITHUB_REPO that is none
        current_app.logger.warning("What pages report is not counted: %s", error)
        return None


def _is_on() -> bool:
    try:
        return get_error_reporter().enabled
    except OptionValueError:  # handlers that exist were made before the variable was spoilt
        return True


def _issue(mark: str) -> tuple[str | None, str]:
    handlers = list(reach.issue_handlers())
    try:
        for home, handler in handlers:
            with home.ledger().within(PATIENCE_SECONDS):  # a writer in this process may wait for one in another
                if url := reach.issue_url(home, handler, mark):
                    return url, KNOWN
    except LedgerError:
        return None, UNKNOWN
    return None, NOT_YET if handlers else NOWHERE


def _answer(
    status: int, message: str, *, success: bool = False, url: str | None = None, mark: str | None = None
) -> Response:
    """Return the seed's JSON: ``success``, ``issue_url``, ``message``; and ``fingerprint``, of the bug."""
    answer = jsonify(success=success, issue_url=url, message=message, fingerprint=mark)
    answer.status_code = status
    return answer
