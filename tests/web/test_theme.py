"""Light and dark, by one's own choice."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from loghub.web import blueprint, create_app
from tests.web.logged import post, token_of


@pytest.fixture
def app(tmp_path):
    """Return the pages of an empty home, for everybody."""
    return create_app(str(tmp_path), no_login=True)


def dark_when(page):
    """Return where the dark colours apply, and what the browser is told."""
    text = page.get_data(as_text=True)
    return (
        re.search(r'dark\.css" media="([^"]*)"', text)[1],
        re.search(r'<meta name="color-scheme" content="([^"]*)"', text)[1],
    )


def pressed(page):
    """Return which button is down."""
    return re.findall(r'value="(\w+)" aria-pressed="true"', page.get_data(as_text=True))


@pytest.mark.parametrize(("theme", "media", "scheme"), [
    ("dark", "all", "dark"), ("light", "not all", "light"),
    ("system", "(prefers-color-scheme: dark)", "light dark"),
])  # fmt: skip
def test_chosen(app, theme, media, scheme):
    """What was chosen holds for every page, and leads back to the one that one was at."""
    client = app.test_client()
    page = client.get("/errors?type=KeyError")
    assert dark_when(page) == ("(prefers-color-scheme: dark)", "light dark")
    assert pressed(page) == ["system"]
    here = re.search(r'name="next" value="([^"]*)"', page.get_data(as_text=True))[1]
    answer = client.post("/theme", data={"csrf_token": token_of(page), "theme": theme, "next": here})
    assert (answer.status_code, answer.location) == (303, "/errors?type=KeyError")
    for path in ("/errors", "/outbox", "/groups/v1:0123456789abcdef", "/nowhere"):
        assert dark_when(client.get(path)) == (media, scheme), path
    assert pressed(client.get("/outbox")) == [theme]


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example/", "/\\evil.example", ""])
def test_leads_nowhere_else(app, target):
    """A page of somebody else cannot be come back to."""
    answer = post_raw(app.test_client(), theme="dark", next=target)
    assert answer.location == "/errors"


def post_raw(client, **form):
    """Send the form, and follow to nowhere."""
    return client.post("/theme", data={"csrf_token": token_of(client.get("/errors")), **form})


def test_refused(app):
    """What is no theme is refused in a sentence, and so is a form of another site."""
    client = app.test_client()
    answer = post_raw(client, theme="pink")
    assert (answer.status_code, "system, light, dark" in answer.get_data(as_text=True)) == (400, True)
    assert client.post("/theme", data={"theme": "dark"}).status_code == 400
    client.set_cookie("loghub_theme", "<script>")
    assert pressed(client.get("/errors")) == ["system"]


def test_before_the_login(tmp_path):
    """The login page can be dark, too, and stays so after a wrong password."""
    app = create_app(str(tmp_path), admin_password="a good one")
    client = app.test_client()
    assert pressed(post(client, "/theme", "/login", theme="dark", next="/login")) == ["dark"]
    wrong = post(client, "/login", name="admin", password="wrong")
    assert (wrong.status_code, dark_when(wrong)) == (403, ("all", "dark"))
    assert 'name="next" value=""' in wrong.get_data(as_text=True)


@pytest.mark.slow
def test_of_these_pages_only(tmp_path):
    """In an existing application the choice is sent to these pages alone, and not where scripts can read it."""
    host = Flask("host")
    host.secret_key = "not a secret"
    host.register_blueprint(blueprint(str(tmp_path), no_login=True), url_prefix="/ops")
    client = host.test_client()
    form = {"csrf_token": token_of(client.get("/ops/errors")), "theme": "dark"}
    (cookie,) = [
        one
        for one in client.post("/ops/theme", data=form, base_url="https://localhost").headers.getlist("Set-Cookie")
        if one.startswith("loghub_theme=")
    ] or [""]
    assert cookie.startswith("loghub_theme=dark; ")
    assert {"Path=/ops/", "HttpOnly", "SameSite=Lax", "Max-Age=31536000", "Secure"} <= set(cookie.split("; "))
