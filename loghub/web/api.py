"""What the pages show, as JSON for programs of those who are logged in: /api/errors, /api/groups, /api/stats.

Rows are those of the command line's ``--json``, and parameters have the names of its options. Where there is more than
was asked for, the header Link says with which query it goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from flask import Response, abort, current_app, jsonify, request, url_for

from loghub import history
from loghub.errors import BadCursorError, BadFilterError
from loghub.event import dumps
from loghub.web import openapi, parameters

if TYPE_CHECKING:
    from collections.abc import Collection

    from flask import Blueprint

    from loghub.ledger.find import Page
    from loghub.web.access import Access
    from loghub.web.parameters import Query
    from loghub.web.site import Site


def add(blueprint: Blueprint, site: Site, access: Access) -> None:
    """Add the routes."""

    def asked(names: Collection[str]) -> Query:
        try:
            return parameters.read(request.args, names, site.now)
        except BadFilterError as error:
            abort(400, str(error))

    @blueprint.get("/api/errors")
    @access.see
    def api_errors() -> Response:
        query = asked(parameters.ERRORS)
        page = site.ledger().events(query.limit, query.find, query.after)
        return _rows(page, page)

    @blueprint.get("/api/groups")
    @access.see
    def api_groups() -> Response:
        query, ledger = asked(parameters.GROUPS), site.ledger()
        page = ledger.groups(query.limit, query.find, query.after, query.order)
        rows = [history.group_row(one) for one in page]
        if query.trend:
            outlooks = history.outlooks(ledger, page, site.now)
            rows = [row | outlooks[row["fingerprint"]].row() for row in rows]
        return _rows(rows, page)

    @blueprint.get("/api/stats")
    @access.see
    def api_stats() -> Response:
        query, ledger = asked(parameters.STATS), site.ledger()
        found = history.statistics(ledger, query.days, site.now, query.find)
        return _json(found | (history.prospect_row(ledger, query.find, site.now) if query.trend else {}))

    @blueprint.get("/api/openapi.json")
    def api_openapi() -> Response:
        cookie = current_app.config["SESSION_COOKIE_NAME"]
        return jsonify(openapi.document(url_for("loghub.index").rstrip("/"), access, cookie))

    @blueprint.errorhandler(BadCursorError)
    def no_such_place(error: BadCursorError) -> Any:
        return {"error": "Bad Request", "message": f"after: {error}"}, 400


def _rows(rows: list[Any], page: Page[Any]) -> Response:
    answer = _json(rows)
    if page.after:
        query = urlencode(request.args.to_dict() | {"after": page.after})
        answer.headers["Link"] = f'<?{query}>; rel="next"'
    return answer


def _json(what: Any) -> Response:
    return Response(dumps(what), mimetype="application/json")
