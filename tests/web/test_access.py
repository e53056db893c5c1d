"""Who may see the pages: login, roles, sessions, forged requests, headers."""

from __future__ import annotations

import subprocess
import sys

import pytest
from flask import Flask

from loghub.errors import OptionValueError
from loghub.web import blueprint, create_app
from loghub.web.access import Password
from loghub.web.addresses import is_loopback, network
from tests.web.logged import token_of


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


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("localhost:5000", 200),
        ("127.0.0.1", 200),
        ("[::1]:80", 200),
        ("evil.example", 400),
        ("localhost.evil.example", 400),
    ],
)
def test_rebinding(tmp_path, host, code):
    """Without a login a page is shown only to who asks for this machine by its own names."""
    client = create_app(str(tmp_path), no_login=True).test_client()
    assert client.get("/errors", headers={"Host": host}).status_code == code


def test_sessions_end(tmp_path):
    """A session is known to another process with the same key and password; it ends with the password, and in time."""
    clock = [1e9]

    def app(password="a good one"):
        return create_app(str(tmp_path), admin_password=password, secret_key="k", now=lambda: clock[0])

    client = app().test_client()
    log_in(client)
    cookie = client.get_cookie("loghub_session").value

    def code(app):
        one = app.test_client()
        one.set_cookie("loghub_session", cookie)
        return one.get("/errors").status_code

    assert (code(app()), code(app("a new one"))) == (200, 302)
    clock[0] += 12 * 3600
    assert code(app()) == 302


def test_host_session(tmp_path):
    """Logging in and out within another application leaves its own session alone."""
    app = Flask("host")
    app.secret_key = "a key"
    app.register_blueprint(blueprint(str(tmp_path), admin_password="a good one"))
    client = app.test_client()
    with client.session_transaction() as session:
        session["basket"] = [1, 2]
    log_in(client)
    client.post("/logout", data={"csrf_token": token_of(client.get("/errors"))})
    with client.session_transaction() as session:
        assert session["basket"] == [1, 2]
    assert client.get("/errors").status_code == 302


def test_cookie_over_tls(app):
    """Over TLS the cookie is kept to TLS."""
    client = app.test_client()
    assert "Secure" in client.get("/login", base_url="https://localhost").headers["Set-Cookie"]
    assert "Secure" not in app.test_client().get("/login").headers["Set-Cookie"]


@pytest.mark.parametrize(
    ("given", "one"),
    [
        ("192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"), ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"), ("", "?"), ("unix", "?"),
    ],
)  # fmt: skip
def test_network(given, one):
    """A visitor is an address, or a network of IPv6."""
    assert network(given) == one


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("localhost", True), ("127.0.0.1", True), ("127.8.9.10", True), ("::1", True), ("::ffff:127.0.0.1", True),
        ("localhost.example", False), ("0.0.0.0", False), ("::", False), ("192.0.2.7", False), ("", False),
    ],
)  # fmt: skip
def test_loopback(tmp_path, host, own):
    """Without a login the pages answer to names of this machine only, whichever of its own addresses it is."""
    assert is_loopback(host) is own
    client = create_app(str(tmp_path), no_login=True).test_client()
    name = f"[{host}]" if ":" in host else host or "shop.example"
    assert client.get("/errors", headers={"Host": f"{name}:5000"}).status_code == (200 if own else 400)


@pytest.mark.parametrize("prefix", ["", "/ops"])
def test_programs_are_not_sent_to_the_login(app, prefix):
    """What asks for JSON, below a prefix of the server or not, gets 401 and JSON, and a browser the login."""
    client = app.test_client()
    for path, accept in (("/api/groups", "*/*"), ("/errors", "application/json")):
        answer = client.get(path, headers={"Accept": accept}, environ_overrides={"SCRIPT_NAME": prefix})
        assert (answer.status_code, answer.json["error"]) == (401, "Unauthorized")
    sent = client.get("/errors", headers={"Accept": "text/html,*/*"}, environ_overrides={"SCRIPT_NAME": prefix})
    assert (sent.status_code, sent.location) == (302, f"{prefix}/login?next=/errors")


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/a\nb", "javascript:x"]
)
def test_sent_elsewhere(app, target):
    """After the login nobody is sent to another site."""
    client = app.test_client()
    form = {"csrf_token": token_of(client.get("/login")), "name": "admin", "password": "a good one", "next": target}
    assert client.post("/login", data=form).location == "/errors"


def test_viewer(app):
    """A viewer may look."""
    client = app.test_client()
    log_in(client, "viewer", "another")
    assert client.get("/errors").status_code == 200


def test_no_hash():
    """What begins like a hash and is none is refused at the start."""
    with pytest.raises(OptionValueError, match="argon2"):
        Password("$argon2id$v=19$broken")


def test_names_stay_what_they_are():
    """Whichever name of the package is asked for first, `blueprint` is the function."""
    code = "import loghub.web as web; print(web.create_app.__name__, web.blueprint.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "create_app blueprint\n"
