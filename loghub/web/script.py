"""GET /static/js/error-reporter.js: at this path in any application, since pages that exist name it.

A route of its own, since the host application may have a /static of its own, and the pages' files stand below another
path. Pages of other sites load it, too.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from flask import Response, request

if TYPE_CHECKING:
    from flask import Blueprint

    from loghub.web.access import Access
    from loghub.web.site import Site

MAX_AGE_SECONDS = 3600


def add(blueprint: Blueprint, _site: Site, _access: Access) -> None:
    """Add the route."""

    @blueprint.get("/static/js/error-reporter.js")
    def error_reporter() -> Response:
        with open(os.path.join(blueprint.static_folder or "", "js", "error-reporter.js"), "rb") as file:
            answer = Response(file.read(), mimetype="text/javascript")
        answer.cache_control.public = True
        answer.cache_control.max_age = MAX_AGE_SECONDS
        answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        # With crossorigin on the script's tag a page hears what goes wrong in it.
        answer.headers["Access-Control-Allow-Origin"] = "*"
        answer.add_etag()
        answer.make_conditional(request)
        return answer
