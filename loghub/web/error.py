"""/errors/<filename>: one error, whole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, abort

from loghub.event import culprit, dumps, epoch
from loghub.github.issue import passage
from loghub.github.markdown import as_text, cut, visible
from loghub.ledger.protocol import Group
from loghub.web import shown
from loghub.web.template import render
from loghub.web.whole import whole

if TYPE_CHECKING:
    from loghub.event import Event
    from loghub.web.access import Access
    from loghub.web.site import Site

MAX_JSON_CHARS = 200_000
"""So much of an event's JSON stands on the page; the file to save has all of it."""


def add(blueprint: Blueprint, site: Site, access: Access) -> None:
    """Add the routes."""

    def found(filename: str) -> Event:
        event = site.event(filename)
        if event is None:
            abort(404, "There is no such error, or it was too old to be kept.")
        return event

    @blueprint.get("/errors/<filename>")
    @access.see
    def error(filename: str) -> Any:
        event = found(filename)
        newer, older = site.ledger().beside(str(event.get("id") or ""))
        return render(
            "loghub/error.html",
            **in_full(event, site.group(event.get("fingerprint")), filename),
            newer=newer and shown.filename(newer),
            older=older and shown.filename(older),
        )

    @blueprint.get("/errors/<filename>/json")
    @access.see
    def error_json(filename: str) -> Any:
        return _file(dumps(found(filename), indent=4), "application/json", filename)

    @blueprint.get("/errors/<filename>/markdown")
    @access.see
    def error_markdown(filename: str) -> Any:
        event = found(filename)
        text = markdown(event, site.group(event.get("fingerprint")))
        return _file(text + "\n", "text/markdown", filename.removesuffix(".json") + ".md")


def in_full(event: Event, group: Group | None, filename: str | None = None) -> dict[str, Any]:
    """Return what the templates need to show an event in full.

    Args:
        event: The event.
        group: Its group, if the ledger has it.
        filename: Under which it was found, if it was: a file of somebody else's may have a name of its own.
    """
    return {
        "event": whole(event),
        "filename": filename or shown.filename(event),
        "group": group,
        "json": _json(event),
        "markdown": markdown(event, group),
    }


def markdown(event: Event, group: Group | None) -> str:
    """Return an event as its issue shows it."""
    return passage(event, group or _alone(event))


def _alone(event: Event) -> Group:
    """Return the group of an event that no group of the ledger has."""
    texts = ("fingerprint", "error_type", "error_module", "error_message", "component", "level", "logger")
    at = epoch(event.get("timestamp")) or 0.0
    said: dict[str, Any] = {key: as_text(event.get(key)) for key in texts}
    return Group(**said, culprit=culprit(event), count=1, first_seen_at=at, last_seen_at=at)


def _json(event: Event) -> str:
    try:
        text = json.dumps(event, indent=2, ensure_ascii=False, default=repr)
    except (ValueError, RecursionError) as error:
        return f"It cannot be shown: {error}"
    return visible(cut(text, MAX_JSON_CHARS, 0.9))


def _file(text: str, kind: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text.encode(errors="backslashreplace"), headers=headers, content_type=f"{kind}; charset=utf-8")
