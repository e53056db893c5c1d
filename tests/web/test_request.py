"""The middleware tells each error of its request, changes nothing that the application does, and forgets."""

from __future__ import annotations

import asyncio
import contextvars
import io
import json
import logging
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from wsgiref.handlers import SimpleHandler
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest
from hypothesis import given
from hypothesis import strategies as st

import loghub.web
from loghub import request
from loghub.capture import Capture
from loghub.handlers.breadcrumb import BreadcrumbHandler

ROOT = Path(__file__).parents[2]


class Keeper(logging.Handler):
    """Keeps the event of each error."""

    def __init__(self) -> None:
        super().__init__()
        self.capture, self.events = Capture(), []

    def emit(self, record):
        self.events.append(self.capture.keep(self.capture.sight(record), record))

    def requests(self):
        """Return the facts of each event."""
        return [event["additional_info"].get("request") for event in self.events]


@pytest.fixture
def keeper():
    """Return the handler that sees errors."""
    return Keeper()


@pytest.fixture
def log(keeper):
    """Return a logger with the keeper."""
    logger = logging.Logger("shop")  # noqa: LOG001 - one that no other test sees
    logger.addHandler(keeper)
    return logger


@pytest.fixture(autouse=True)
def _forgets():
    """Nothing of a request is left when a test is over."""
    yield
    assert request.current.get() is None


# WSGI -----------------------------------------------------------------------------------------------------------


def environ(path="/pay", query="token=x&b=1", **more):
    """Return the environ of a request."""
    made = {"PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": "POST", "HTTP_X_REQUEST_ID": "r-1", **more}
    setup_testing_defaults(made)
    return made


def served(app, made=None):
    """Serve a request as a server does; return the status and the body."""
    said = []
    body = app(made or environ(), lambda status, headers, exc_info=None: said.append(status))
    try:
        return b"".join(body), said
    finally:
        if hasattr(body, "close"):
            body.close()


FACTS = {"method": "POST", "path": "/pay?token&b", "request_id": "r-1"}


def test_wsgi_facts(log, keeper):
    """An error has the request's facts while the application is called, while its body is made, and at close."""

    class Body:
        def __iter__(self):
            log.error("iterated")
            yield b"a"
            log.error("stepped")
            yield b"b"

        def close(self):
            log.error("closed")

    def app(environ, start_response):
        log.error("called")
        start_response("201 Created", [])
        return Body()

    assert served(loghub.web.wsgi(app)) == (b"ab", ["201 Created"])
    log.error("afterwards")
    assert keeper.requests() == [FACTS, *[FACTS | {"status": 201}] * 3, None]


def test_wsgi_keeps_the_rules():
    """An application that keeps the rules of WSGI still does, by the standard library's validator."""

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"a"

    wrapped = validator(loghub.web.wsgi(validator(app)))
    assert served(wrapped, environ(SCRIPT_NAME=""))[0] == b"a"


def test_wsgi_interleaved(log, keeper):
    """Requests whose bodies a server takes by turns in one thread, or in other threads, do not mix."""

    def app(environ, start_response):
        start_response("200 OK", [])
        for step in "ab":
            log.error(step)
            yield step.encode()

    wrapped = loghub.web.wsgi(app)
    bodies = [wrapped(environ(f"/{number}", ""), lambda *_: None) for number in range(2)]
    for body in bodies:
        next(body)
    assert request.current.get() is None
    with ThreadPoolExecutor(1) as pool:
        for body in bodies:
            pool.submit(next, body).result()
    assert [one["path"] for one in keeper.requests()] == ["/0", "/1", "/0", "/1"]


def test_wsgi_client_gone(log, keeper):
    """A server that closes a body early, or never does, leaves nothing behind."""

    def app(environ, start_response):
        start_response("200 OK", [])
        try:
            yield b"a"
            yield b"b"
        finally:
            log.error("gone")

    body = loghub.web.wsgi(app)(environ(), lambda *_: None)
    next(body)
    body.close()
    assert keeper.requests() == [FACTS | {"status": 200}]
    next(loghub.web.wsgi(app)(environ(), lambda *_: None))
    assert request.current.get() is None


@pytest.mark.parametrize("late", [False, True])
def test_wsgi_exceptions(log, keeper, late):
    """An exception passes through as it is, and the server that logs it afterwards tells the request."""
    error = ValueError("no")

    def app(environ, start_response):
        if not late:
            raise error
        start_response("200 OK", [])

        def steps():
            yield b"a"
            raise error

        return steps()

    with pytest.raises(ValueError, match="no") as caught:
        served(loghub.web.wsgi(app))
    assert caught.value is error
    log.error("Error handling request", exc_info=error)
    assert keeper.requests() == [FACTS | ({"status": 200} if late else {})]
    assert pickle.loads(pickle.dumps(error)).args == ("no",)


def test_wsgi_leaves_bodies_alone():
    """Lists stay lists, and a file that the server can send by itself stays one; start_response gets what it got."""
    seen = []
    for made in ([b"a"], FileWrapper(io.BytesIO(b"a"))):

        def app(environ, start_response, made=made):
            start_response("200 OK", [], None)
            start_response("500 Oh", [], ("a", "b", "c"))
            return made

        given = environ() | {"wsgi.file_wrapper": FileWrapper}
        assert loghub.web.wsgi(app)(given, lambda *said: seen.append(said)) is made
    assert seen[:2] == [("200 OK", [], None), ("500 Oh", [], ("a", "b", "c"))]


@pytest.mark.parametrize("status", [b"200 OK", 200, None, "\u00b2\u00b2\u00b2 No", ""])
def test_wsgi_odd_status(status):
    """What an application gives start_response is the server's business, by name as well."""
    seen = []

    def app(environ, start_response):
        assert start_response(status, headers=[]) == "write"
        return []

    loghub.web.wsgi(app)(environ(), lambda *said, **named: seen.append((said, named)) or "write")
    assert seen == [((status,), {"headers": []})]


def test_wsgi_length():
    """A server that learns the Content-Length from a body of one part still does; other bodies get no length."""

    class Sized:
        def __len__(self):
            return 1

        def __iter__(self):
            return iter([b"a"])

    for body in (Sized(), iter([b"a"])):

        def app(environ, start_response, body=body):
            start_response("200 OK", [])
            return body

        out = io.BytesIO()
        SimpleHandler(io.BytesIO(), out, io.StringIO(), environ()).run(loghub.web.wsgi(app))
        assert (b"Content-Length: 1" in out.getvalue()) == isinstance(body, Sized)
        assert out.getvalue().endswith(b"\r\n\r\na")


def test_wsgi_within_another(log, keeper):
    """An application within another is part of its request: what led to it stays, and the outer goes on."""
    crumbs = BreadcrumbHandler()
    log.handlers = [crumbs, keeper]
    keeper.setLevel(logging.ERROR)

    def inner(environ, start_response):
        log.error("inner")
        return []

    def outer(environ, start_response):
        log.info("signed in")
        loghub.web.wsgi(inner)(environ, start_response)
        log.error("outer")
        return []

    served(loghub.web.wsgi(outer))
    crumbs.close()
    assert [event["breadcrumbs"][0]["message"] for event in keeper.events] == ["signed in"] * 2
    assert keeper.requests() == [FACTS] * 2


class OddStr(str):
    """A string that cannot be used as one."""

    __slots__ = ()

    def __bool__(self):
        raise KeyError

    __len__ = __getitem__ = __bool__


@pytest.mark.parametrize("rule", [pytest.param(OddStr("/pay"), id="odd"), 7, None])
def test_odd_route(log, keeper, rule):
    """Whatever a framework has as its route, the request is served."""

    class Route:
        pass

    Route.rule = Route.path = rule

    def app(environ, start_response):
        log.error("no")
        return []

    async def asynchronous(scope, receive, send):
        log.error("no")

    served(loghub.web.wsgi(app), environ() | {"bottle.route": Route()})
    call(loghub.web.asgi(asynchronous), scope(route=Route()))
    assert keeper.requests() == [FACTS | ({"route": "/pay"} if isinstance(rule, str) else {})] * 2


def test_wsgi_flask(log, keeper):
    """Flask's route is known, and its streamed responses belong to their request."""
    import flask

    app = flask.Flask("shop_of_test")

    @app.get("/users/<int:number>")
    def user(number):
        def steps():
            log.error("streaming")
            yield "a"

        log.error("in the view")
        return flask.Response(steps())

    app.wsgi_app = loghub.web.wsgi(app.wsgi_app)
    assert app.test_client().get("/users/7?q=1").data == b"a"
    facts = {"method": "GET", "path": "/users/7?q", "route": "/users/<int:number>"}
    assert keeper.requests() == [facts, facts | {"status": 200}]


@pytest.mark.parametrize("path", ["/caf\u00e9".encode().decode("latin-1"), "/\udcff", None, 7])
def test_wsgi_odd_environ(log, keeper, path):
    """An odd environ costs facts, never the request."""

    def app(environ, start_response):
        log.error("no")
        return [b"a"]

    assert served(loghub.web.wsgi(app), environ(PATH_INFO=path, QUERY_STRING=None))[0] == b"a"
    shown = keeper.requests()[0]["path"]
    assert shown == "/caf\u00e9" if isinstance(path, str) and "Ã" in path else shown.startswith("/")


# ASGI -----------------------------------------------------------------------------------------------------------


def scope(path="/pay", kind="http", **more):
    """Return the scope of a request."""
    headers = [(b"x-request-id", b"r-1"), (b"x-request-id", b"r-2"), (b"host", b"shop.example")]
    return {
        "type": kind, "path": path, "method": "POST", "query_string": b"token=x&b=1", "headers": headers, **more,
    }  # fmt: skip


async def receive():
    """Stand for the server's side."""
    return {"type": "http.request"}


def call(app, made, sent=None):
    """Serve one request in a loop of its own."""

    async def send(message):
        (sent if sent is not None else []).append(message)

    asyncio.run(app(made, receive, send))


def test_asgi_facts(log, keeper):
    """Errors in the request's task, in its children and in threads that work for it have the facts."""

    async def child():
        log.error("child")

    async def app(scope, receive, send):
        log.error("called")
        await send({"type": "http.response.start", "status": 201, "headers": []})
        await asyncio.create_task(child())
        await asyncio.to_thread(log.error, "thread")
        await send({"type": "http.response.body", "body": b"a"})

    sent = []
    call(loghub.web.asgi(app), scope(), sent)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert keeper.requests() == [FACTS, *[FACTS | {"status": 201}] * 2]


TEXTS = st.text("a/?=-\n\u00e9\udcff")


@pytest.mark.slow
@given(
    st.dictionaries(
        st.sampled_from(["path", "method", "query_string", "headers", "route"]),
        st.one_of(
            st.none(), st.integers(), st.binary(), TEXTS, st.just(object()), st.lists(st.binary()),
            st.lists(st.tuples(st.sampled_from([b"x-request-id", "x-request-id", b"traceparent"]), TEXTS)),
            st.lists(st.lists(st.sampled_from([b"x-request-id", b"a", bytearray(b"x"), None]), max_size=3)),
        ),
    )
)  # fmt: skip
def test_asgi_odd_scope(made):
    """Whatever stands in a scope, the application gets it, and its answer gets out."""
    given_scope, sent, got = {"type": "http"} | made, [], []

    async def app(scope, receive, send):
        got.append(scope)
        await send({"type": "http.response.start", "status": None})

    call(loghub.web.asgi(app), given_scope, sent)
    assert got[0] is given_scope
    assert sent == [{"type": "http.response.start", "status": None}]


def test_asgi_headers_are_left_to_the_application():
    """Headers that can be read only once are not read here."""
    given_headers = iter([(b"x-request-id", b"r-1")])

    async def app(scope, receive, send):
        assert list(scope["headers"]) == [(b"x-request-id", b"r-1")]

    call(loghub.web.asgi(app), scope(headers=given_headers))


def test_asgi_within_another(log, keeper):
    """An application within another, and one that it asks itself, are part of its request, which then goes on."""
    crumbs = BreadcrumbHandler()
    log.handlers = [crumbs, keeper]
    keeper.setLevel(logging.ERROR)

    async def inner(scope, receive, send):
        log.error("inner")

    async def outer(made, receive, send):
        log.info("signed in")
        await loghub.web.asgi(inner)(scope("/inner"), receive, send)
        log.error("outer")

    call(loghub.web.asgi(outer), scope("/outer"))
    crumbs.close()
    assert [event["breadcrumbs"][0]["message"] for event in keeper.events] == ["signed in"] * 2
    assert [one["path"] for one in keeper.requests()] == ["/inner?token&b", "/outer?token&b"]


def test_asgi_request_that_another_left(log, keeper):
    """A server that begins a request's task in the one before has each error told of its own, without its crumbs."""
    crumbs = BreadcrumbHandler()
    log.handlers = [crumbs, keeper]
    keeper.setLevel(logging.ERROR)

    async def app(made, receive, send):
        log.info("step of %s", made["path"])
        if made["path"] == "/1":
            following.append(asyncio.create_task(serve("/2")))
            await asyncio.sleep(0)
        raise ValueError(made["path"])

    async def serve(path):
        try:
            await wrapped(scope(path), receive, None)
        except ValueError:
            log.exception("Exception in ASGI application")

    async def both():
        await serve("/1")
        await following[0]

    following, wrapped = [], loghub.web.asgi(app)
    asyncio.run(both())
    crumbs.close()
    told = {event["error_message"]: event for event in keeper.events}
    for path in ("/1", "/2"):
        assert told[path]["additional_info"]["request"]["path"] == f"{path}?token&b"
        assert told[path]["breadcrumbs"][-1]["message"] == f"step of {path}"
    assert len(told["/2"]["breadcrumbs"]) == 1


def test_asgi_streaming_side_by_side(log, keeper):
    """Requests that stream side by side do not mix."""

    async def app(scope, receive, send):
        for _ in range(3):
            await asyncio.sleep(0)
            log.error(scope["path"])

    async def serve():
        wrapped = loghub.web.asgi(app)
        await asyncio.gather(*(wrapped(scope(f"/{number}"), receive, None) for number in range(5)))
        assert request.current.get() is None

    asyncio.run(serve())
    assert len(keeper.events) == 15
    for event in keeper.events:
        assert event["additional_info"]["request"]["path"] == event["message"] + "?token&b"


def test_asgi_websocket(log, keeper):
    """A websocket has facts, too."""

    async def app(scope, receive, send):
        log.error("no")

    call(loghub.web.asgi(app), {"type": "websocket", "path": "/ws", "query_string": b"", "headers": []})
    assert keeper.requests() == [{"method": "WEBSOCKET", "path": "/ws"}]


def test_asgi_lifespan(log, keeper):
    """The application's lifespan is no request, and gets what the server gave."""
    given = []

    async def app(*args):
        given.extend(args)
        log.error("no")

    made = {"type": "lifespan"}
    asyncio.run(loghub.web.asgi(app)(made, receive, print))
    assert given[0] is made
    assert given[1:] == [receive, print]
    assert keeper.requests() == [None]


def test_asgi_exceptions(log, keeper):
    """An exception passes through as it is, and the server that logs it afterwards tells request and route."""
    error = ValueError("no")

    class Route:
        path = "/pay/{id}"

    async def app(scope, receive, send):
        scope["route"] = Route()
        raise error

    with pytest.raises(ValueError, match="no") as caught:
        call(loghub.web.asgi(app), scope())
    assert caught.value is error
    log.error("Exception in ASGI application\n", exc_info=error)
    assert keeper.requests() == [FACTS | {"route": "/pay/{id}"}]


def test_asgi_fastapi(log, keeper):
    """FastAPI's route is known within sync endpoints, which run in threads."""
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/users/{number}")
    def user(number: int):
        log.error("in the endpoint of %d", number)

    made = scope(
        "/users/7", root_path="", http_version="1.1", server=("shop", 80), client=("10.0.0.9", 1), scheme="http"
    )
    call(loghub.web.asgi(app), made | {"method": "GET"})
    assert [event["message"] for event in keeper.events] == ["in the endpoint of 7"]
    found = keeper.requests()[0]
    assert found["path"] == "/users/7?token&b"
    assert found["route"] == "/users/{number}"
    assert "10.0.0.9" not in json.dumps(keeper.events[0]["additional_info"])


def test_asgi_coroutine_thrown_away():
    """A request whose coroutine is closed elsewhere ends without noise."""

    async def app(scope, receive, send):
        await asyncio.Event().wait()

    async def start():
        running = loghub.web.asgi(app)(scope(), receive, None)
        contextvars.copy_context().run(running.send, None)
        running.close()

    asyncio.run(start())


@pytest.mark.slow
def test_uvicorn_tells_the_request(log, keeper):
    """A real server, which logs outside of the middleware, tells in which request an exception happened."""
    import http.client

    import uvicorn

    async def app(scope, receive, send):
        raise ValueError("no")

    server = uvicorn.Server(
        uvicorn.Config(loghub.web.asgi(app), port=0, log_config=None, lifespan="off", interface="asgi3")
    )
    errors = logging.getLogger("uvicorn.error")
    errors.addHandler(keeper)
    keeper.setLevel(logging.ERROR)
    running = threading.Thread(target=server.run)
    running.start()
    try:
        while not server.started:
            running.join(0.01)
            assert running.is_alive()
        port = server.servers[0].sockets[0].getsockname()[1]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/a?token=x", headers={"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01"})
        assert connection.getresponse().status == 500
        connection.close()
    finally:
        server.should_exit = True
        running.join(10)
        errors.removeHandler(keeper)
    assert keeper.requests() == [{"method": "GET", "path": "/a?token", "request_id": "a" * 32}]


# Breadcrumbs and queues -----------------------------------------------------------------------------------------


def test_each_request_begins_without_crumbs(log, keeper):
    """What a worker's thread did for an earlier request is no crumb of the next; nor what the server's task did."""
    crumbs = BreadcrumbHandler()
    log.handlers = [crumbs, keeper]
    keeper.filter = lambda record: record.levelno >= logging.ERROR

    def sync(environ, start_response):
        log.info("step of %s", environ["PATH_INFO"])
        log.error("failed")
        return []

    async def asynchronous(scope, receive, send):
        sync({"PATH_INFO": scope["path"]}, None)

    for number in range(2):
        served(loghub.web.wsgi(sync), environ(f"/{number}"))
    call(loghub.web.asgi(asynchronous), scope("/2"))
    crumbs.close()
    found = [[one["message"] for one in event["breadcrumbs"]] for event in keeper.events]
    assert found == [[f"step of /{number}"] for number in range(3)]


def test_through_a_queue(log, keeper):
    """Behind a queue an error knows its request where breadcrumbs are kept before the queue."""
    crumbs, seen = BreadcrumbHandler(), []
    log.handlers = [crumbs, logging.Handler()]
    log.handlers[1].emit = seen.append

    def app(environ, start_response):
        log.error("failed")
        return []

    served(loghub.web.wsgi(app))
    with ThreadPoolExecutor(1) as pool:
        pool.submit(keeper.emit, seen[0]).result()
    crumbs.close()
    assert keeper.requests() == [FACTS]


# Names ----------------------------------------------------------------------------------------------------------


def test_import_is_light():
    """The middleware loads no web framework; a name that is not there is refused as usual."""
    code = (
        "import sys, loghub.web; loghub.web.wsgi, loghub.web.asgi\n"
        "heavy = 'flask', 'starlette', 'django', 'requests', 'sqlite3', 'asyncio'\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        loghub.web.nothing  # noqa: B018
    assert {"wsgi", "asgi"} <= set(dir(loghub.web))
