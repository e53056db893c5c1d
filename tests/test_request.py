"""Facts of requests are read from what frameworks leave on records, and hold no value of a query."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loghub import request
from loghub.capture import Capture


def event_of(record):
    """Return the event of a record."""
    capture = Capture()
    return capture.keep(capture.sight(record), record)


def a_record(msg="failed", *args, name="shop", exc=None, func=None, **extra):
    """Return a record of an error, with `extra`."""
    info = None if exc is None else (type(exc), exc, exc.__traceback__)
    record = logging.LogRecord(name, logging.ERROR, __file__, 1, msg, args, info, func)
    record.__dict__.update(extra)
    return record


# Paths ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "query", "shown"),
    [
        ("/a?token=x&b=1", None, "/a?token&b"),
        ("/a", "token=x&b=1&b=2", "/a?token&b"),
        ("/a?token=x#fragment", None, "/a?token"),
        ("/a#fragment?token=x", None, "/a"),
        ("/a?b=1#token=x", None, "/a?b"),
        ("http://ann:secret@shop.example:80/a?b=1", None, "/a?b"),
        ("https://shop.example", None, "/"),
        ("/a?e3b0c44298fc1c149afb", None, "/a"),
        ("/a?e3b0c44298fc1c149afb=&b[]=1;c=2", None, "/a?e3b0c44298fc1c149afb&b[]&c"),
        ("/a?%73ecret=1&<script>=2", None, "/a"),
        ("/a?x", "b=1", "/a%3Fx?b"),
        ("/a#x", "", "/a%23x"),
        ("/a\r\nX-Evil: 1\x1b[31m\u2028", "", "/a  X-Evil: 1 [31m "),
        ("/a\nb?c=1", None, "/a b?c"),
        ("/caf\u00e9\u00a0", "", "/caf\u00e9\u00a0"),
        ("*", None, "*"),
        ("", "", "/"),
    ],
)
def test_shown_path(target, query, shown):
    """A path is shown with the names of its query, and no value, user, host or fragment."""
    assert request.shown_path(target, query) == shown


def test_bounded_path():
    """A long path ends at a slash, a long query with dots."""
    shown = request.shown_path("/" + "/".join(f"part{number}" for number in range(1_000)))
    assert len(shown) < 600
    assert re.fullmatch(r"(/part\d+)+/\.\.\.", shown)
    assert request.shown_path("/" + "x" * 10_000) == "/..."
    shown = request.shown_path("/a", "&".join(f"n{number}=1" for number in range(1_000)))
    assert shown.endswith("&n19&...")


@pytest.mark.slow
@given(st.text(), st.lists(st.tuples(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.integers(10**8, 10**9))))
def test_no_value(path, pairs):
    """Whatever the path, no value of the query is shown."""
    query = "&".join(f"{name}={value}" for name, value in pairs)
    path = path.replace("?", "")
    for shown in (request.shown_path(path, query), request.shown_path(f"{path}?{query}")):
        behind = shown.rpartition("?")[2] if pairs else ""
        assert not [value for _, value in pairs if str(value) in behind]


@pytest.mark.parametrize(
    ("given_id", "parent", "shown"),
    [
        ("7f-1", None, "7f-1"),
        ("7f-1", "00-" + "a" * 32 + "-" + "b" * 16 + "-01", "7f-1"),
        (None, "00-" + "a" * 32 + "-" + "b" * 16 + "-01", "a" * 32),
        ("", "00-" + "0" * 32 + "-" + "b" * 16 + "-01", None),
        ("x" * 129, None, None),
        ("a b", None, None),
        ("a\nb", None, None),
        ("a\n", None, None),
        ("é", None, None),
        (7, 7, None),
    ],
)
def test_request_id(given_id, parent, shown):
    """An id is taken if it is sound; else the trace's."""
    assert request.of("GET", "/", "", given_id, parent).get("request_id") == shown


# On records -----------------------------------------------------------------------------------------------------


class FakeDjangoRequest:
    """Has what Django's requests have, and properties that nobody may touch."""

    def __init__(self) -> None:
        self.method = "POST"
        self.path = "/pay/7/"
        self.META = {"QUERY_STRING": "token=x&b=1", "HTTP_X_REQUEST_ID": "r-1", "REMOTE_ADDR": "10.0.0.9"}
        self.resolver_match = type("Match", (), {})()
        self.resolver_match.route = "pay/<int:id>/"

    def __getattr__(self, name):
        raise AssertionError(name)

    @property
    def body(self):
        raise AssertionError

    user = POST = body

    def __repr__(self):
        return "<WSGIRequest: POST '/pay/7/?token=x&b=1'>"


def test_django():
    """Django's record has its request and the status; the request is replaced by facts, untouched."""
    event = event_of(a_record("Internal Server Error: %s", "/pay/7/", request=FakeDjangoRequest(), status_code=500))
    assert event["additional_info"] == {
        "request": {
            "method": "POST",
            "path": "/pay/7/?token&b",
            "request_id": "r-1",
            "route": "pay/<int:id>/",
            "status": 500,
        },
        "status_code": 500,
    }


DJANGO = """
import asyncio, json, logging, sys
import django
from django.conf import settings
from django.test import AsyncClient, Client
from django.urls import path
from loghub.capture import Capture

class Keeper(logging.Handler):
    def emit(self, record):
        event = capture.keep(capture.sight(record), record)
        print(json.dumps(event["additional_info"]["request"]))

def fail(request, number):
    raise ValueError(number)

capture = Capture()
urlpatterns = [path("pay/<int:number>/", fail)]
settings.configure(ROOT_URLCONF=__name__, LOGGING_CONFIG=None, ALLOWED_HOSTS=["*"])
django.setup()
logging.getLogger("django.request").handlers = [Keeper()]
logging.getLogger("django").propagate = False
Client(raise_request_exception=False).get("/pay/7/?token=x&b=1")
asyncio.run(AsyncClient(raise_request_exception=False).get("/pay/7/?token=x&b=1"))
"""


def test_real_django():
    """The same of Django itself, under WSGI and under ASGI."""
    done = subprocess.run(
        [sys.executable, "-c", DJANGO], cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True
    )
    facts = {"method": "GET", "path": "/pay/7/?token&b", "route": "pay/<int:number>/", "status": 500}
    assert [json.loads(line) for line in done.stdout.splitlines()] == [facts, facts]


def test_flask():
    """Flask says method and path in its message."""
    import flask

    app, seen = flask.Flask("shop_of_test"), []
    app.logger.handlers = [logging.Handler()]
    app.logger.propagate = False
    app.logger.handlers[0].emit = seen.append

    @app.get("/a b")
    def fail():
        raise ValueError("no")

    assert app.test_client().get("/a b?token=x").status_code == 500
    assert event_of(seen[0])["additional_info"]["request"] == {"method": "GET", "path": "/a b"}


class FakeTornadoRequest:
    """Has what Tornado's requests have."""

    def __init__(self) -> None:
        self.method, self.path, self.query, self.uri = "GET", "/a", "b=1", "/a?b=1"


@pytest.mark.parametrize(
    ("record", "facts"),
    [
        (a_record("Error handling request %s", "/a?b=1", name="gunicorn.error"), {"path": "/a?b"}),
        (
            a_record("Uncaught exception %s\n%r", "GET /a?b=1 (::1)", FakeTornadoRequest(), name="tornado.application"),
            {"method": "GET", "path": "/a?b"},
        ),
        (a_record("%d %s", 404, "GET /a?b=1 (::1)", name="tornado.general"), {"method": "GET", "path": "/a?b"}),
        (a_record("Error handling request from %s", "10.0.0.9", name="aiohttp.server"), {}),
        (a_record("Exception on /a [GET]", func="somewhere_else"), {}),
        (a_record("Error handling request %s", 7, name="gunicorn.error"), {}),
    ],
)
def test_servers(record, facts):
    """Servers that say the request in their messages are understood, and nobody else is taken for one."""
    assert event_of(record)["additional_info"].get("request", {}) == facts


def test_own_request_stays():
    """What the caller calls `request` stays; the facts then stand beside it."""
    token = request.current.set(request.Request({"path": "/a"}))
    try:
        found = event_of(a_record(request="mine"))["additional_info"]
    finally:
        request.current.reset(token)
    assert found == {"request": "mine", "http_request": {"path": "/a"}}


class Hostile:
    """Answers everything with an error."""

    def __getattribute__(self, name):
        raise RuntimeError(name)


@pytest.mark.parametrize("odd", [Hostile, int, lambda: None, list, lambda: {"method": 1}, lambda: type, lambda: sys])
def test_odd_request(odd):
    """Whatever stands where a framework would put a request, the error is reported."""
    odd = odd()  # pytest would look at it
    assert event_of(a_record(request=odd, status_code=Hostile()))["error_message"] == "failed"


def test_left_by_an_exception():
    """An exception that went through the middleware says its request, a forged one nothing."""
    exc = ValueError("no")
    request.Request({"path": "/a"}).end(exc)
    assert event_of(a_record(exc=exc))["additional_info"] == {"request": {"path": "/a"}}
    exc.__dict__[request.MARK] = "x"
    assert event_of(a_record(exc=exc))["additional_info"] == {}


def test_not_of_another_thread():
    """A record of another thread is not given the request of the thread that reports it."""
    token = request.current.set(request.Request({"path": "/a"}))
    try:
        assert event_of(a_record(thread=-1))["additional_info"] == {}
    finally:
        request.current.reset(token)


def test_secrets_in_paths():
    """A secret in the path itself is scrubbed as everywhere."""
    token = "ghp_" + "Zk3mPq8sVx1c" * 3
    bound = request.current.set(request.Request(request.of("GET", f"/hook/{token}", "")))
    try:
        said = json.dumps(event_of(a_record()))
    finally:
        request.current.reset(bound)
    assert "/hook/[Filtered]" in said
    assert token not in said
