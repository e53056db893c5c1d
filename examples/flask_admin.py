"""Flask: the pages of errors inside an application that has a login of its own, for its own roles.

    ADMIN_PASSWORD=... SUPPORT_PASSWORD=... flask --app examples/flask_admin.py run

Open http://127.0.0.1:5000/pay/0 a few times, then http://127.0.0.1:5000/ops/errors: support may look, admin may also
mute. Pages of the application that load /ops/static/js/error-reporter.js report to /ops/api/report-error.
"""

import functools
import hmac
import logging
import os
import secrets

from flask import Flask, Response, abort, request

import loghub.web

PASSWORDS = {"admin": os.environ["ADMIN_PASSWORD"], "support": os.environ["SUPPORT_PASSWORD"]}


def only(*roles):
    """Return a decorator as applications have them: who is nobody is asked to log in, and others are refused."""

    def decorate(view):
        @functools.wraps(view)
        def checked(*args, **kwargs):
            given = request.authorization
            known = PASSWORDS.get(given.username) if given and given.type == "basic" else None
            if known is None or not hmac.compare_digest(known.encode(), (given.password or "").encode()):
                return Response("Log in.", 401, {"WWW-Authenticate": 'Basic realm="shop"'})
            if given.username not in roles:
                abort(403)
            return view(*args, **kwargs)

        return checked

    return decorate


logging.getLogger().addHandler(loghub.GitHubIssueHandler())

app = Flask(__name__)
app.secret_key = secrets.token_hex()  # forms are signed with it; several processes need one that is given
app.wsgi_app = loghub.web.wsgi(app.wsgi_app)  # errors say in which request they happened
pages = loghub.web.blueprint(
    login_required=only("support", "admin"),
    admin_required=only("admin"),
    is_admin=lambda: request.authorization and request.authorization.username == "admin",  # who is shown buttons
)
app.register_blueprint(pages, url_prefix="/ops")


@app.get("/pay/<int:people>")
def pay(people):
    return {"each": 100 / people}
