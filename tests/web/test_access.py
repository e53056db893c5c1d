"""Who may see the pages: login, roles, sessions, forged requests, headers."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from typing import ClassVar

import a2wsgi
import httpx
import pytest
from flask import Blueprint, Flask, request
from flask_wtf import CSRFProtect
from jinja2 import StrictUndefined
from starlette.applications import Starlette
from starlette.routing import Mount
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from loghub.errors import OptionValueError
from loghub.web import blueprint, create_app
from loghub.web.access import Password
from loghub.web.addresses import is_loopback, network
from tests.web.filled import event_of, fingerprint_of, fold, groups
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


def hand_over(one, other):
    """Have another browser know the cookies of one."""
    for cookie in one._cookies.values():  # werkzeug's client tells only those of which one knows the name
        other.set_cookie(cookie.key, cookie.value)


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


@pytest.mark.slow
def test_name_from_everywhere(app):
    """Who tries one name from many addresses has to wait for that name, and others come in."""
    answers = []
    for number in range(31):
        client = app.test_client()
        client.environ_base["REMOTE_ADDR"] = f"192.0.2.{number}"
        answers.append(log_in(client, password="wrong").status_code)
    assert answers == [403] * 30 + [429]
    client.environ_base["REMOTE_ADDR"] = "198.51.100.1"
    assert log_in(client).status_code == 429
    assert log_in(client, name="viewer", password="another").status_code == 303


def test_locked(tmp_path, caplog, monkeypatch):
    """Without a password nobody gets in, which is said in the log and at the login, and pages still report."""
    monkeypatch.delenv("LOGHUB_ADMIN_PASSWORD", raising=False)
    client = create_app(str(tmp_path)).test_client()
    (told,) = [one.getMessage() for one in caplog.records if one.name == "loghub"]
    assert "locked" in told
    assert "set LOGHUB_ADMIN_PASSWORD" in told
    for path in ("/errors", "/groups/v1", "/outbox", "/api/errors", "/metrics"):
        assert client.get(path).status_code in {302, 401}
    shown = client.get("/errors", follow_redirects=True)
    assert (shown.status_code, shown.request.path) == (503, "/login")
    assert "set LOGHUB_ADMIN_PASSWORD" in shown.text
    assert 'type="password"' not in shown.text
    assert client.post("/api/report-error", json={"error_info": {"error_type": "X"}}).status_code == 200
    assert client.get("/api/error-reporter/status").status_code == 200


def test_password_of_the_environment(tmp_path, monkeypatch):
    """A blueprint in an application that exists takes the passwords of the environment, too."""
    monkeypatch.setenv("LOGHUB_ADMIN_PASSWORD", "a good one")
    monkeypatch.setenv("LOGHUB_VIEWER_PASSWORD", "another")
    app = Flask("host")
    app.secret_key = "a key"
    app.register_blueprint(blueprint(str(tmp_path)))
    assert log_in(app.test_client()).status_code == 303
    assert log_in(app.test_client(), name="viewer", password="another").status_code == 303


def test_passwords_that_nobody_asks_for(tmp_path, monkeypatch):
    """With the host's decorators, or without a login, a broken hash in the environment harms nobody."""
    monkeypatch.setenv("LOGHUB_ADMIN_PASSWORD", "$argon2id$broken")
    with pytest.raises(OptionValueError, match="argon2"):
        create_app(str(tmp_path))
    assert create_app(str(tmp_path), no_login=True).test_client().get("/errors").status_code == 200
    blueprint(str(tmp_path), login_required=lambda view: view, admin_required=lambda view: view)


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

    def code(app):
        one = app.test_client()
        hand_over(client, one)
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
    assert (sent.status_code, sent.location) == (302, f"{prefix}/login?next={prefix}/errors")


@pytest.mark.slow
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


@pytest.mark.parametrize("target", ["//[", "http://[", "//[evil]/"])
def test_broken_target(app, target):
    """What is no address at all is no failure of ours, but not gone to either."""
    page = app.test_client().get("/login", query_string={"next": target})
    assert page.status_code == 200
    assert b'name="next" value="/errors"' in page.data


def test_mounted(app):
    """Below a mount of the server's the login leads back below it, and a program is told 401, not sent to a page."""
    client = Client(DispatcherMiddleware(Flask("host"), {"/ops": app.wsgi_app}))
    assert client.get("/ops/errors?type=K").location == "/ops/login?next=/ops/errors?type%3DK"
    assert client.get("/ops/api/errors").status_code == 401


def test_mounted_in_asgi(app):
    """So it is below a path of an ASGI application: the login leads back below it, and forms and reports work."""
    outer = httpx.ASGITransport(Starlette(routes=[Mount("/ops", a2wsgi.WSGIMiddleware(app))]))

    async def visit():
        async with httpx.AsyncClient(transport=outer, base_url="http://localhost", follow_redirects=True) as client:
            page = await client.get("/ops/outbox?destination=a")
            assert page.url.path == "/ops/login"
            form = {"csrf_token": token_of(page), "name": "admin", "password": "a good one", "next": "/ops/outbox"}
            page = await client.post("/ops/login", data=form)
            assert (page.status_code, page.url.path) == (200, "/ops/outbox")
            token = token_of(page)
            page = await client.post("/ops/outbox", data={"csrf_token": token, "action": "retry"})
            assert (page.url.path, "0 deliveries are due now." in page.text) == ("/ops/outbox", True)
            report, path = {"error_info": {"error_message": "lost"}}, "/ops/api/report-error"
            assert (await client.post(path, json=report)).status_code == 200
            assert (await client.post(path, content=b"x" * 70_000)).status_code == 413

    asyncio.run(visit())


@pytest.mark.parametrize("host", ["evil.example:5000", "[", "localhost@evil.example"])
def test_rebinding_behind_proxy(tmp_path, host):
    """A page whose name leads to this machine cannot hide that by what a proxy would say."""
    client = create_app(str(tmp_path), no_login=True, proxies=1).test_client()
    said = {"Host": host, "X-Forwarded-Host": "localhost"}
    assert client.get("/errors", headers=said).status_code == 400
    assert client.get("/errors", headers={"Host": "localhost", "X-Forwarded-Host": host}).status_code == 400
    assert client.get("/errors", headers=said | {"Host": "127.0.0.1:5000"}).status_code == 200


@pytest.mark.parametrize("is_late", [False, True], ids=["before", "after"])
def test_protected_host(tmp_path, is_late):
    """Forms work in an application that has Flask-WTF protect all of its own; without our token they do not."""
    host = Flask("host")
    host.secret_key = "a key"
    if not is_late:
        CSRFProtect(host)
    host.register_blueprint(blueprint(str(tmp_path), admin_password="a good one"), url_prefix="/ops")
    if is_late:
        CSRFProtect(host)
    host.post("/own")(lambda: "changed")
    client = host.test_client()
    form = {"csrf_token": token_of(client.get("/ops/login")), "name": "admin", "password": "a good one"}
    assert client.post("/ops/login", data=form).location == "/ops/errors"
    page = client.get("/ops/errors")
    assert client.post("/ops/outbox", data={"action": "retry"}).status_code == 400
    assert client.post("/ops/outbox", data={"action": "retry", "csrf_token": token_of(page)}).status_code == 303
    assert client.post("/own").status_code == 400


def test_headers_only(app):
    """Who asks for the headers of the login page tries no password, and may log in afterwards."""
    client = app.test_client()
    assert [client.head("/login").status_code for _ in range(6)] == [200] * 6
    assert log_in(client).status_code == 303


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_large_form(tmp_path, kind):
    """In an application that limits nothing, a form of ours is read no further than one of ours can be long."""
    host = Flask("host")
    host.secret_key = "a key"
    host.register_blueprint(blueprint(str(tmp_path), admin_password="a good one"))
    host.post("/own")(lambda: str(len(request.get_data())))
    client = host.test_client()
    head = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
    body = head + b"a" * (1 << 20) + b"\r\n--x--\r\n"
    assert client.post("/login", data=body, content_type=kind).status_code == 413
    assert client.post("/own", data=body, content_type=kind).text == str(len(body))


def test_logged_out(app):
    """Whoever has kept a cookie has nothing of it after the logout; other sessions go on."""
    one, other, thief = app.test_client(), app.test_client(), app.test_client()
    for client in (one, other):
        log_in(client)
    hand_over(one, thief)
    assert thief.get("/errors").status_code == 200
    assert one.post("/logout", data={"csrf_token": token_of(one.get("/errors"))}).status_code == 303
    assert [client.get("/errors").status_code for client in (one, thief, other)] == [302, 302, 200]


def host_of(home, **options):
    """Return an application of somebody else's with the pages in it."""
    host = Flask("host")
    host.secret_key = "a key"
    host.register_blueprint(blueprint(str(home), **options))
    return host


class Unlike(Flask):
    """An application whose templates are written in another way."""

    jinja_options: ClassVar = {
        "autoescape": False,
        "undefined": StrictUndefined,
        "variable_start_string": "[[",
        "variable_end_string": "]]",
        "trim_blocks": True,
    }


def test_templates_of_the_host(tmp_path):
    """However an application has its templates be read, the pages are the same, and what an error says is a text."""
    nasty = event_of(0, time.time() - 60, error_message="<img src=x onerror=alert(1)>")
    fold(str(tmp_path), (nasty, 1, time.time() - 60))
    pages = [
        f"/groups/{fingerprint_of(0)}",
        "/errors?since=a&after=b",
        "/outbox",
        "/errors/live",
        "/nothing",
        "/errors",
    ]
    answers = []
    for kind in (Flask, Unlike):
        host = kind("host")
        host.secret_key = "a key"
        host.register_blueprint(blueprint(str(tmp_path), no_login=True))
        client = host.test_client()
        answers.append([(answer.status_code, anyhow(answer.text)) for answer in map(client.get, pages)])
    assert answers[0] == answers[1]
    assert "&lt;img src=x onerror=" in answers[1][-1][1]
    assert "<img src=x" not in answers[1][-1][1]


def anyhow(text):
    """Return a page but for its token."""
    return re.sub(r'(name="csrf_token" value=)"[^"]+"', r"\1", text)


def plain(view):
    """Decorate a view as those do who know no functools.wraps."""

    def checked(**named):
        return view(**named)

    return checked


def test_plain_decorators(tmp_path):
    """Decorators that hand on no name, and views that the application has wrapped, serve as well."""
    host = host_of(tmp_path, login_required=plain, admin_required=plain)
    for name, view in [*host.view_functions.items()]:
        host.view_functions[name] = plain(view)
    client = host.test_client()
    assert client.get("/errors").status_code == 200
    assert client.get("/outbox").status_code == 200
    assert client.post("/api/report-error", json={"error_info": {"error_message": "lost"}}).status_code == 200
    assert client.post("/outbox", data={"action": "retry"}).status_code == 400


def test_renamed(tmp_path):
    """A blueprint whose pages would not find each other is refused when it is registered."""
    made = blueprint(str(tmp_path), admin_password="a good one")
    host, parent = Flask("host"), Blueprint("parent", __name__)
    with pytest.raises(OptionValueError, match="without a name"):
        host.register_blueprint(made, name="other")
    parent.register_blueprint(made)
    with pytest.raises(OptionValueError, match="not in another blueprint"):
        host.register_blueprint(parent)


@pytest.mark.parametrize("prefix", ["//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil", "ops"])
def test_prefix_elsewhere(tmp_path, prefix):
    """A prefix that a proxy has let through leads to no other site: the pages are found without it."""
    app = create_app(str(tmp_path), admin_password="a good one", proxies=1)
    answer = app.test_client().get("/errors", headers={"X-Forwarded-Prefix": prefix})
    assert answer.location == "/login?next=/errors"
    answer = app.test_client().get("/errors", headers={"X-Forwarded-Prefix": "/ops"})
    assert answer.location == "/ops/login?next=/ops/errors"


@pytest.mark.slow
def test_logged_out_elsewhere(tmp_path):
    """A logout counts in every process that shows the same home."""
    options = {"admin_password": "a good one", "secret_key": "a key"}
    one, other = (create_app(str(tmp_path), **options).test_client() for _ in range(2))
    log_in(one)
    hand_over(one, other)
    assert other.get("/errors").status_code == 200
    one.post("/logout", data={"csrf_token": token_of(one.get("/errors"))})
    assert other.get("/errors").status_code == 302
    log_in(other)
    assert other.get("/errors").status_code == 200


def test_no_secret(tmp_path, caplog):
    """An application that has no secret_key is told so in one sentence, and takes reports all the same."""
    host = Flask("host")
    host.register_blueprint(blueprint(str(tmp_path), admin_password="a good one"))
    client = host.test_client()
    answer = client.get("/login")
    assert (answer.status_code, "set app.secret_key" in answer.text) == (500, True)
    assert "set app.secret_key" in caplog.text
    assert client.post("/logout").status_code == 500
    assert client.post("/api/report-error", json={"error_info": {"error_message": "lost"}}).status_code == 200
    host.secret_key = "a key"
    assert log_in(client).status_code == 303


def test_shown_to_admins(tmp_path):
    """In an existing application only who is an admin there is shown what changes something."""
    home, who = str(tmp_path), {"is_admin": True}
    groups(home, 1)
    host = host_of(home, login_required=plain, admin_required=plain, is_admin=lambda: who["is_admin"])
    client, page = host.test_client(), f"/groups/{fingerprint_of(0)}"
    assert 'value="mute"' in client.get(page).text
    who["is_admin"] = False
    answer = client.get(page)
    assert (answer.status_code, 'value="mute"' in answer.text) == (200, False)
    with pytest.raises(OptionValueError, match="give all three"):
        blueprint(home, admin_password="a good one", is_admin=bool)


def test_other_pages_at_another_port(tmp_path):
    """Who looks at the pages of another home on the same machine, of which he has the cookies, stays logged in."""
    one, other = (
        create_app(str(tmp_path / name), admin_password="a good one").test_client() for name in ("one", "other")
    )
    log_in(one)
    hand_over(one, other)
    log_in(other)
    hand_over(other, one)
    assert [client.get("/errors").status_code for client in (one, other)] == [200, 200]


@pytest.mark.parametrize("options", [{}, {"admin_password": "a good one"}], ids=["", "with a password"])
def test_login_of_the_host(tmp_path, options):
    """Where an application's decorators decide, its own login is found, also without a prefix."""
    host = host_of(tmp_path, login_required=plain, admin_required=plain, **options)
    host.get("/login")(lambda: "own")
    client = host.test_client()
    assert client.get("/login").text == "own"
    assert "Log out" not in client.get("/errors").text
