"""Light or dark: as the system of whoever looks has it, or as they have chosen on the page; a cookie remembers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, abort, current_app, redirect, request, url_for

from loghub.web.access import is_local

if TYPE_CHECKING:
    from loghub.web.access import Access
    from loghub.web.site import Site

_COOKIE = "loghub_theme"
_COOKIE_SECONDS = 365 * 86400
_MEDIA = {"system": "(prefers-color-scheme: dark)", "light": "not all", "dark": "all"}


class Theme:
    """What the page of this request looks like.

    Attributes:
        choices: The names that there are, with their labels; none where no form can be signed.
        name: The one that is chosen.
        media: Where the dark colours apply, as a media query.
        scheme: For ``<meta name="color-scheme">``.
    """

    def __init__(self) -> None:
        self.choices = [(name, name.capitalize()) for name in _MEDIA] if current_app.secret_key else []
        chosen = request.cookies.get(_COOKIE, "")
        self.name = chosen if chosen in _MEDIA else "system"
        self.media = _MEDIA[self.name]
        self.scheme = "light dark" if self.name == "system" else self.name

    @staticmethod
    def here() -> str:
        """Return where to come back to: this page, if one can."""
        return request.script_root + request.full_path.rstrip("?") if request.method == "GET" else ""


def add(blueprint: Blueprint, _site: Site, _access: Access) -> None:
    """Add the route."""

    @blueprint.post("/theme")
    def theme() -> Any:
        chosen, target = request.form.get("theme"), request.form.get("next", "")
        if chosen not in _MEDIA:
            abort(400, f"The theme is one of {', '.join(_MEDIA)}.")
        answer = redirect(target if is_local(target) else url_for("loghub.errors"), 303)
        answer.set_cookie(
            _COOKIE,
            chosen,
            max_age=_COOKIE_SECONDS,
            path=url_for("loghub.index"),
            secure=request.is_secure,
            httponly=True,
            samesite="Lax",
        )
        return answer
