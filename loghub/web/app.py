"""The pages as an application of their own."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Flask, abort, request
from flask.sessions import SecureCookieSessionInterface
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from loghub import env, options
from loghub.delivery.home import home_of
from loghub.handlers.base import home_option, ledger_option
from loghub.web import kept
from loghub.web.access import headers, is_local
from loghub.web.addresses import is_loopback
from loghub.web.request import wsgi
from loghub.web.routes import blueprint, refused
from loghub.web.visitors import ALL_REPORTS_PER_MINUTE, REPORTS_PER_MINUTE

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from loghub.handlers.base import ReportingHandler


class _Sessions(SecureCookieSessionInterface):
    """Keeps the cookie to TLS wherever the request came by it."""

    def get_cookie_secure(self, app: Flask) -> bool:
        return super().get_cookie_secure(app) or request.is_secure


def create_app(
    home: str | None = None,
    ledger: str | None = None,
    *,
    admin_password: str | None = None,
    viewer_password: str | None = None,
    secret_key: str | None = None,
    handlers: Sequence[ReportingHandler] | None = None,
    no_login: bool = False,
    https: bool = False,
    proxies: int = 0,
    url_prefix: str | None = None,
    now: Callable[[], float] = time.time,
    allowed_origins: Sequence[str] | str | None = None,
    public_key: str | None = None,
    reports_per_minute: int = REPORTS_PER_MINUTE,
    all_reports_per_minute: int = ALL_REPORTS_PER_MINUTE,
    metrics_token: str | None = None,
    source_maps: Mapping[str, str | os.PathLike[str]] | str | None = None,
) -> Flask:
    """Return the pages and the REST endpoint as a WSGI application.

    Args:
        home: As for `blueprint`.
        ledger: As for `blueprint`.
        admin_password: As for `blueprint`.
        viewer_password: As for `blueprint`.
        secret_key: Signs sessions; env LOGHUB_SECRET_KEY. None: one that is kept in the home, made if need be.
        handlers: As for `blueprint`.
        no_login: As for `blueprint`; answers only where it was asked for by a name of this machine (`is_loopback`).
        https: Browsers send the session's cookie over TLS only, also where a proxy in front does not say that it
            speaks TLS.
        proxies: Of so many proxies in front ``X-Forwarded-*`` is believed.
        url_prefix: The path below which it is found.
        now: The clock, epoch seconds.
        allowed_origins: As for `blueprint`, and so the four below.
        public_key: What a page's report has to bring.
        reports_per_minute: Of one address.
        all_reports_per_minute: Of all addresses together.
        metrics_token: What reads /metrics without a login.
        source_maps: As for `blueprint`.

    Raises:
        OptionValueError: As `blueprint`.
    """
    if url_prefix and not is_local(url_prefix):
        options.refuse("loghub.web", "url_prefix", url_prefix, "a path of this site, such as /ops")
    app = Flask("loghub.web", static_folder=None, template_folder=None)
    app.session_interface = _Sessions()
    app.secret_key = secret_key or env.read("LOGHUB_SECRET_KEY") or kept.secret_key(home_option("loghub.web", home))
    app.config.update(
        SESSION_COOKIE_NAME=_cookie_name(home, ledger),
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=https,
    )
    if no_login:  # a page elsewhere may have its own name lead to this machine (DNS rebinding)
        app.before_request(_is_for_this_machine)
    made = blueprint(
        home,
        ledger,
        admin_password=admin_password,
        viewer_password=viewer_password,
        handlers=handlers,
        no_login=no_login,
        now=now,
        allowed_origins=allowed_origins,
        public_key=public_key,
        reports_per_minute=reports_per_minute,
        all_reports_per_minute=all_reports_per_minute,
        metrics_token=metrics_token,
        source_maps=source_maps,
    )
    app.register_blueprint(made, url_prefix=url_prefix)
    app.register_error_handler(HTTPException, refused)  # of addresses that lead nowhere, too
    app.after_request(headers)
    outer: Any = wsgi(app.wsgi_app)  # the pages' own errors say in which request they happened
    if proxies:
        outer = ProxyFix(_within_this_site(outer), proxies, proxies, proxies, 0, proxies)
    app.wsgi_app = outer  # type: ignore[method-assign]
    return app


def _cookie_name(home: str | None, ledger: str | None) -> str:
    """Return a name of the home's own: browsers tell cookies apart by host alone, and not by port."""
    which = home_of(home_option("loghub.web", home), ledger_option("loghub.web", ledger))
    said = repr((which.path, which.url)).encode(errors="replace")
    return f"loghub_{hashlib.blake2b(said, digest_size=6).hexdigest()}"


def _within_this_site(app: Any) -> Any:
    """Return a WSGI application that no prefix leads elsewhere, whatever a proxy has let through."""

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        if not is_local(environ.get("SCRIPT_NAME", "")):
            environ["SCRIPT_NAME"] = ""
        return app(environ, start_response)

    return application


def _is_for_this_machine() -> None:
    # A page whose name leads here can also send what proxies say of the name: the one before them counts as well.
    before = request.environ.get("werkzeug.proxy_fix.orig", {}).get("HTTP_HOST")
    if not all(_is_loopback(host) for host in (request.host, before or request.host)):
        abort(400, "Without a login this is shown only under this machine's own names: ask for localhost.")


def _is_loopback(host: str) -> bool:
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:  # half of an IPv6 address
        return False
