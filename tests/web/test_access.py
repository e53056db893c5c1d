"""Who may see the pages: login, roles, sessions, forged requests, headers."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from loghub.errors import OptionValueError
from loghub.web import blueprint, create_app


def token_of(page):
    """Return the token in a page's form."""
    return re.search(rb'name="csrf_token" value="([^"]+)"', page.data)[1].decode()


@pytest.fixture
def app(tmp_path):
    """Return the pages of an empty home, with two passwords."""
    return create_app(str(tmp_path), admin_password="a good one", viewer_password="another")


def log_in(client, name="admin", password="a good one"):
    """Log in by the form."""
    page = client.get("/login")
    form = {"csrf_token": token_of(page), "name": name, "password": password, "next": "/errors"}
    return client.post("/login", data=form)


def test_login(app):
    """Who is not logged in is sent to the login and then to where he wanted to go."""
    client = app.test_client()
    sent = client.get("/errors?type=KeyError")
    assert (sent.status_code, sent.location) == (302, "/login?next=/errors?type%3DKeyError")
    assert log_in(client).location == "/errors"
    assert client.get("/errors").status_code == 200


def test_wrong_password(app):
    """A wrong password begins no session, and after some of them one has to wait."""
    client = app.test_client()
    answers = [log_in(client, password="wrong").status_code for _ in range(6)]
    assert answers == [403] * 5 + [429]
    assert client.get("/errors").status_code == 302
    assert int(log_in(client).headers["Retry-After"]) > 0


def test_nobody_is_kept_out(tmp_path):
    """An application that keeps nobody out is refused."""
    with pytest.raises(OptionValueError, match="nobody is kept out"):
        create_app(str(tmp_path))


def test_decorators_of_the_host(tmp_path):
    """In an existing application its own decorators decide, and both stand before what changes something."""
    app = Flask("host")
    app.secret_key = "a key"
    asked = []

    def required(name):
        def decorate(view):
            def checked(*args, **named):
                asked.append(name)
                return view(*args, **named)

            checked.__name__ = view.__name__
            return checked

        return decorate

    made = blueprint(str(tmp_path), login_required=required("login"), admin_required=required("admin"))
    app.register_blueprint(made, url_prefix="/ops")
    assert app.test_client().get("/ops/errors").status_code == 200
    assert asked == ["login"]


def test_forged(app):
    """A form without the session's token changes nothing."""
    client = app.test_client()
    log_in(client)
    assert client.post("/logout").status_code == 400
    assert client.get("/errors").status_code == 200


def test_headers(app):
    """Every answer forbids what is not needed."""
    answer = app.test_client().get("/login")
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    assert "SameSite=Lax" in answer.headers["Set-Cookie"]
