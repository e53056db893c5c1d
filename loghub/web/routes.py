"""The pages and the REST endpoint as a blueprint, for `create_app` and for applications that exist."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from flask import Blueprint, current_app, redirect, url_for
from werkzeug.exceptions import HTTPException

from loghub import env, options, own_log
from loghub.errors import LedgerError, OptionValueError
from loghub.web import access as rules
from loghub.web import api, error, group, login, metrics, outbox, pages, report, script, theme
from loghub.web.site import Site
from loghub.web.template import known_to_all, render
from loghub.web.visitors import ALL_REPORTS_PER_MINUTE, REPORTS_PER_MINUTE, Visitors

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from flask.blueprints import BlueprintSetupState

    from loghub.handlers.base import ReportingHandler

PARTS = (login, pages, group, error, outbox, report, script, api, metrics, theme)
"""Each adds its routes: ``add(blueprint, site, access)``."""

_VARIABLES = {rules.ADMIN: "LOGHUB_ADMIN_PASSWORD", rules.VIEWER: "LOGHUB_VIEWER_PASSWORD"}


def blueprint(
    home: str | None = None,
    ledger: str | None = None,
    *,
    login_required: Callable[[Any], Any] | None = None,
    admin_required: Callable[[Any], Any] | None = None,
    is_admin: Callable[[], object] | None = None,
    admin_password: str | None = None,
    viewer_password: str | None = None,
    handlers: Sequence[ReportingHandler] | None = None,
    no_login: bool = False,
    now: Callable[[], float] = time.time,
    allowed_origins: Sequence[str] | str | None = None,
    public_key: str | None = None,
    reports_per_minute: int = REPORTS_PER_MINUTE,
    all_reports_per_minute: int = ALL_REPORTS_PER_MINUTE,
    metrics_token: str | None = None,
    source_maps: Mapping[str, str | os.PathLike[str]] | str | None = None,
) -> Blueprint:
    """Return the pages for an existing Flask application, to be registered there, also below a `url_prefix`.

    The application needs a ``secret_key``: sessions and forms are signed with it.

    Args:
        home: Folder of journal and ledger (env LOGHUB_HOME; else the user's state directory).
        ledger: Where the ledger is (env LOGHUB_LEDGER; else in the home).
        login_required: The application's own decorator for views that show something.
        admin_required: Its decorator for views that change something; both are applied to those.
        is_admin: Says whether who asks is to be shown what `admin_required` lets him do, that is, its buttons; also
            asked of who is not logged in. None: they are shown to everybody who may see the page.
        admin_password: For the blueprint's own login as ``admin``; a password, or an argon2 hash of one; None: env
            LOGHUB_ADMIN_PASSWORD, else nobody can log in, and only what needs no login is of use.
        viewer_password: For the login as ``viewer``, who may change nothing; None: env LOGHUB_VIEWER_PASSWORD.
        handlers: What is told to resend, to open or to link; None: the handlers of this process that use the home.
        no_login: Show and change everything for everybody who comes: only where nobody else can come.
        now: The clock, epoch seconds.
        allowed_origins: As for `Visitors`, and so the four below.
        public_key: What a page's report has to bring.
        reports_per_minute: Of one address.
        all_reports_per_minute: Of all addresses together.
        metrics_token: What reads /metrics without a login.
        source_maps: Prefixes of scripts' URLs with the folders of their source maps, as for
            `loghub.browser.SourceMaps`: a mapping, or ``prefix=folder, ...``; None: env LOGHUB_SOURCE_MAPS.

    Raises:
        OptionValueError: Only one of the two decorators is given, or a value is malformed. Also where it is
            registered in another blueprint, under another name, or below a prefix with variables.
    """
    if (login_required is None) != (admin_required is None):
        raise OptionValueError("loghub.web: login_required and admin_required go together: give both, or neither.")
    if is_admin is not None and login_required is None:
        raise OptionValueError("loghub.web: is_admin goes with login_required and admin_required: give all three.")
    passwords = {rules.ADMIN: admin_password, rules.VIEWER: viewer_password}
    if login_required is None and not no_login:  # else it is nobody's business here what the environment says of them
        passwords = {role: given or env.read(_VARIABLES[role]) for role, given in passwords.items()}
    known = {role: rules.Password(given) for role, given in passwords.items() if given}
    site = Site(home, ledger, handlers, source_maps=source_maps, now=now)
    visitors = Visitors(allowed_origins, public_key, reports_per_minute, all_reports_per_minute, metrics_token)
    access = rules.Access(site, known, no_login, login_required, admin_required, visitors, is_admin)
    if access.has_login and not known:
        own_log.tell(logging.WARNING, f"The pages are locked. {login.LOCKED}")
    made = Blueprint("loghub", __name__, static_folder="static", static_url_path="/static/loghub")
    for part in PARTS:
        part.add(made, site, access)
    made.record(_check_place)
    made.record(rules.leave_forms_to_us)
    made.before_request(access.check_forged)
    made.after_request(rules.headers)
    made.errorhandler(HTTPException)(refused)

    @made.errorhandler(LedgerError)
    def no_ledger(error: LedgerError) -> Any:
        current_app.logger.error("The ledger cannot be used: %s", error)
        why = str(error) if access.role() else "The log says why."  # where it lies is nothing for everybody
        return _said(503, "The ledger cannot be used now", why)

    def about_who_asks() -> dict[str, Any]:
        about = {"role": access.role(), "has_login": access.has_login, "csrf_token": access.token}
        return about | {"theme": theme.Theme()}

    made.record(known_to_all(about_who_asks))

    @made.get("/")
    def index() -> Any:
        return redirect(url_for("loghub.errors"))

    return made


def _check_place(state: BlueprintSetupState) -> None:
    if "<" in (state.url_prefix or ""):
        options.refuse("loghub.web", "url_prefix", state.url_prefix, "a path that is always the same, such as /ops")
    if state.name_prefix or state.name != state.blueprint.name:
        raise OptionValueError(
            "loghub.web: the pages find each other by the blueprint's name: register it in the application itself, "
            "not in another blueprint, and without a name."
        )


def refused(error: HTTPException) -> Any:
    """Answer with why a request was refused, as a page or as JSON."""
    if error.response is not None or (error.code or 500) < 400:
        return error
    kept = {name: value for name, value in error.get_headers() if name in {"Allow", "Retry-After", "WWW-Authenticate"}}
    return *_said(error.code or 500, error.name, error.description or ""), kept


def _said(code: int, name: str, reason: str) -> Any:
    if rules.wants_json():
        return {"error": name, "message": reason}, code
    return render("loghub/refused.html", code=code, name=name, reason=reason), code
