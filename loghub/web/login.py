"""/login and /logout."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from flask import Blueprint, redirect, request, url_for

from loghub.web.access import is_local
from loghub.web.template import render

if TYPE_CHECKING:
    from loghub.web.access import Access
    from loghub.web.site import Site

LOCKED = "Nobody can log in: set LOGHUB_ADMIN_PASSWORD, and start again."


def add(blueprint: Blueprint, _site: Site, access: Access) -> None:
    """Add the routes, if there is a login: a host application's own may be at the same address."""
    if not access.has_login:
        return

    @blueprint.route("/login", methods=["GET", "POST"])
    def login() -> Any:
        target = request.values.get("next", "")
        target = target if is_local(target) else url_for("loghub.errors")
        if not access.passwords:
            return _page(target, trouble=LOCKED, locked=True), 503
        if request.method != "POST":  # also what only asks for headers tries no password
            return redirect(target) if access.role() else _page(target)
        name = request.form.get("name", "")
        wait = access.log_in(name, request.form.get("password", ""), request.remote_addr or "")
        if wait is None:
            return redirect(target, 303)
        if wait:
            answer = _page(target, name, f"Too many attempts: wait {math.ceil(wait)} seconds."), 429
            return *answer, {"Retry-After": str(math.ceil(wait))}
        return _page(target, name, "Name or password is wrong."), 403

    @blueprint.post("/logout")
    def logout() -> Any:
        access.log_out()
        return redirect(url_for("loghub.login"), 303)


def _page(target: str, name: str = "", trouble: str = "", *, locked: bool = False) -> str:
    return render("loghub/login.html", target=target, name=name, trouble=trouble, locked=locked)
