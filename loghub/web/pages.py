"""/errors: what failed lately, and how much of what."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flask import Blueprint, make_response, request, url_for
from markupsafe import Markup

from loghub import asked, history
from loghub.errors import BadCursorError
from loghub.event import culprit
from loghub.forecast import Forecast
from loghub.web.template import render

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from loghub.asked import Asked
    from loghub.ledger.find import Page
    from loghub.ledger.protocol import Ledger
    from loghub.web.access import Access
    from loghub.web.site import Site

ROWS = 50
TOP = 8
PLACES = ("after", "older")
"""Where the lists of groups and of recent errors go on."""

PERIODS = {"": "Any time", "24h": "24 hours", "7d": "7 days", "30d": "30 days", "90d": "90 days"}


def add(blueprint: Blueprint, site: Site, access: Access) -> None:
    """Add the routes."""

    # Who looks at the same asks again every few seconds: while nothing changes that costs no question to the ledger.
    @lru_cache(maxsize=16)
    def rendered(given: tuple[tuple[str, str], ...], _when: object) -> tuple[str, str]:
        """Return what is shown below the form, which is the same for everybody, and its mark."""
        text = render("loghub/errors/live.html", **_found(site.ledger(), dict(given), site.now))
        return text, hashlib.blake2b(text.encode(), digest_size=12).hexdigest()

    def live() -> tuple[str, str]:
        mark = site.ledger().mark()
        return rendered(tuple(_given().items()), (mark, int(site.now() // 60), request.script_root))

    @blueprint.get("/errors")
    @access.see
    def errors() -> Any:
        given = _given()
        question = asked.read(given, site.now)
        text, etag = live()
        return render("loghub/errors.html", live=Markup(text), etag=etag, **_links(given, question))  # noqa: S704

    @blueprint.get("/errors/live")
    @access.see
    def errors_live() -> Any:
        text, etag = live()
        response = make_response(text)
        response.set_etag(etag)
        return response.make_conditional(request)


def _given() -> dict[str, str]:
    """Return what the URL asks for, and nothing else that stands in it."""
    found = {name: request.args.get(name, "") for name in (*asked.NAMES, *PLACES)}
    return {name: text for name, text in found.items() if text.strip()}


def _links(given: Mapping[str, str], question: Asked) -> dict[str, Any]:
    """Return what the templates say of the question, and `to`: where another one leads."""

    def to(**changed: str | None) -> str:
        """Return the page with some of the question changed; a list that is another one is seen from its beginning."""
        kept = {name: text for name, text in given.items() if name not in PLACES or set(changed) <= set(PLACES)}
        wanted: dict[str, Any] = {name: text for name, text in {**kept, **changed}.items() if text}
        return url_for("loghub.errors", **wanted)

    return {
        "asked": question,
        "given": given,
        "to": to,
        "periods": PERIODS,
        "live_url": url_for("loghub.errors_live", **dict[str, Any](given)),
    }


def _found(ledger: Ledger, given: Mapping[str, str], now: Callable[[], float]) -> dict[str, Any]:
    """Return what there is of what was asked for."""
    question = asked.read(given, now)
    find = question.find
    groups, lost = _page(lambda after: ledger.groups(ROWS, find, after, question.order), given.get("after", ""))
    recent, lost_recent = _page(lambda after: ledger.events(ROWS, find, after), given.get("older", ""))
    course = history.course(ledger, find, now)
    return {
        **_links(given, question),
        "filtered": bool(set(question.said) - {"sort"} - set(question.troubles)),
        "statistics": history.statistics(ledger, find=find, now=now),
        "totals": ledger.totals(),
        "course": course,
        "ahead": course.ahead if isinstance(course.ahead, Forecast) and find.until is None else None,
        "groups": groups,
        "outlooks": history.outlooks(ledger, groups, now),
        "recent": recent,
        "culprit": culprit,
        "lost": {"after": lost, "older": lost_recent},
        "top": TOP,
        "sorts": {order: name for name, order in asked.SORTS.items()},
    }


def _page(ask: Callable[[str], Page[Any]], after: str) -> tuple[Page[Any], str]:
    """Return a page of a list, and what is wrong with the place in it, if so: then it is the first page."""
    try:
        return ask(after), ""
    except BadCursorError as error:
        return ask(""), str(error)
