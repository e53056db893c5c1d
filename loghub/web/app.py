"""The pages as an application of their own."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from loghub import env
from loghub.web.blueprint import blueprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loghub.handlers.base import ReportingHandler

MAX_FORM_BYTES = 64 << 10


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
) -> Flask:
    """Return the pages and the REST endpoint as a WSGI application.

    Args:
        home: As for `blueprint`.
        ledger: As for `blueprint`.
        admin_password: A password or its argon2 hash; env LOGHUB_ADMIN_PASSWORD.
        viewer_password: Of who may look and change nothing; env LOGHUB_VIEWER_PASSWORD.
        secret_key: Signs sessions; env LOGHUB_SECRET_KEY. None: a new one, so that sessions end with the process, and
            several processes need one that is given.
        handlers: As for `blueprint`.
        no_login: As for `blueprint`.
        https: Browsers send the session's cookie over TLS only.
        proxies: Of so many proxies in front ``X-Forwarded-*`` is believed.
        url_prefix: The path below which it is found.

    Raises:
        OptionValueError: As `blueprint`.
    """
    app = Flask("loghub.web", static_folder=None, template_folder=None)
    app.secret_key = secret_key or env.read("LOGHUB_SECRET_KEY") or secrets.token_hex()
    app.config.update(
        SESSION_COOKIE_NAME="loghub_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=https,
        MAX_CONTENT_LENGTH=MAX_FORM_BYTES,
    )
    made = blueprint(
        home,
        ledger,
        admin_password=admin_password or env.read("LOGHUB_ADMIN_PASSWORD"),
        viewer_password=viewer_password or env.read("LOGHUB_VIEWER_PASSWORD"),
        handlers=handlers,
        no_login=no_login,
    )
    app.register_blueprint(made, url_prefix=url_prefix)
    if proxies:
        wsgi: Any = ProxyFix(app.wsgi_app, proxies, proxies, proxies, 0, proxies)
        app.wsgi_app = wsgi  # type: ignore[method-assign]
    return app
