"""Middleware that has every error say in which request it happened.

    application = loghub.web.wsgi(application)
    app = loghub.web.asgi(app)

Errors that leave the application pass through as they are: the server logs them, and finds the request's facts
on the exception. Each request begins without breadcrumbs.
"""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any

from loghub import breadcrumbs, request
from loghub.request import Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Any]]
    Send = Callable[[Any], Awaitable[None]]
    Application = Callable[..., Any]

_HEADERS = frozenset((b"x-request-id", b"traceparent"))
_MAX_HEADER = 1_024
_PAIRS = (list, tuple)
_MADE = (list, tuple, io.IOBase)
_END = object()


def wsgi(app: Application) -> Application:
    """Return a WSGI application that does what `app` does, and tells loghub of the request meanwhile.

    The facts hold while `app` is called and at each step of its response's body, never in between: a server may
    take the next step in another thread, or none at all.

    Args:
        app: A WSGI application.
    """

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        one = Request(_facts(_of_environ, environ), lambda: _route_of_environ(environ))
        facts = one.facts

        def start(*said: Any, **named: Any) -> Any:
            status = said[0] if said else named.get("status")
            if isinstance(status, str) and status[:3].isdecimal():
                facts["status"] = int(status[:3])
            return start_response(*said, **named)

        if request.current.get() is None:  # else it is an application within another
            breadcrumbs.begin()
        body: Iterable[bytes] = _within(one, app, environ, start)
        if isinstance(body, _MADE):  # nothing of the application runs any more
            one.end()
            return body
        wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(wrapper, type) and isinstance(body, wrapper):  # the server knows a faster way for it
            one.end()
            return body
        return (_SizedBody if hasattr(type(body), "__len__") else _Body)(one, body)

    return application


def asgi(app: Application) -> Application:
    """Return an ASGI application that does what `app` does, and tells loghub of the request meanwhile.

    Args:
        app: An ASGI 3 application; requests and websockets are told of, its lifespan is not.
    """

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await app(scope, receive, send)
            return
        one = Request(_facts(_of_scope, scope), lambda: _route_of_scope(scope), breadcrumbs.strand())
        facts = one.facts

        async def note(message: Any) -> Any:
            if "status" in message and isinstance(status := message["status"], int):
                facts["status"] = int(status)
            return await send(message)

        outer = _outer(one)
        if outer is None:
            breadcrumbs.begin()
        token = request.current.set(one)
        try:
            await app(scope, receive, note)
        except BaseException as error:
            one.end(error)
            raise
        finally:
            one.end()
            with contextlib.suppress(ValueError):  # closed by the garbage collector, in somebody else's context
                request.current.reset(token)
                if outer is None:
                    request.current.set(None)

    return application


def _facts(read: Callable[[Any], dict[str, Any]], source: Any) -> dict[str, Any]:
    try:
        return read(source)
    except Exception:  # servers and other middleware may leave anything there
        return {}


# WSGI -----------------------------------------------------------------------------------------------------------


def _within(one: Request, act: Callable[..., Any], *args: Any) -> Any:
    """Do a step of a request."""
    token = request.current.set(one)
    try:
        return act(*args)
    except BaseException as error:
        one.end(error)
        raise
    finally:
        request.current.reset(token)


class _Body:
    """The body of a response, each step of which belongs to its request."""

    def __init__(self, one: Request, body: Iterable[bytes]) -> None:
        self._request = one
        self._body = body
        self._steps: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._steps is None:
            self._steps = _within(self._request, iter, self._body)
        step = _within(self._request, next, self._steps, _END)
        if step is _END:
            raise StopIteration
        return step  # type: ignore[no-any-return]

    def close(self) -> None:
        close = getattr(self._body, "close", None)
        try:
            if close is not None:
                _within(self._request, close)
        finally:
            self._request.end()


class _SizedBody(_Body):
    """A body of which servers learn from its length that there is one part, and so the Content-Length."""

    def __len__(self) -> int:
        return len(self._body)  # type: ignore[arg-type]


def _of_environ(environ: dict[str, Any]) -> dict[str, Any]:
    path = _decoded(environ.get("SCRIPT_NAME")) + _decoded(environ.get("PATH_INFO"))
    return request.of(
        environ.get("REQUEST_METHOD"),
        path or "/",
        environ.get("QUERY_STRING") or "",
        environ.get("HTTP_X_REQUEST_ID"),
        environ.get("HTTP_TRACEPARENT"),
    )


def _decoded(text: Any) -> str:
    """Return a text of an environ, which holds bytes as Latin-1, as the UTF-8 that it mostly is."""
    return text.encode("latin-1", "replace").decode("utf-8", "replace") if type(text) is str else ""


def _route_of_environ(environ: dict[str, Any]) -> str | None:
    """Return the route that werkzeug (Flask) or Bottle left in the environ."""
    fields = getattr(environ.get("werkzeug.request"), "__dict__", {})
    rule = getattr(fields.get("url_rule") or environ.get("bottle.route"), "rule", None)
    return rule if isinstance(rule, str) else None


# ASGI -----------------------------------------------------------------------------------------------------------


def _outer(one: Request) -> Request | None:
    """Return the request that this one is a part of.

    A server may begin the next request of a connection while it answers the one before (uvicorn does): its task
    then inherits a request that is none of its business.
    """
    outer = request.current.get()
    if outer is None or outer.find_route is None or outer.strand is None or one.strand is None:
        return None
    return outer if outer.strand() is one.strand() else None


def _of_scope(scope: Scope) -> dict[str, Any]:
    given = scope.get("headers")
    pairs = reversed(given) if isinstance(given, _PAIRS) else ()  # anything else may be read only once
    headers = {name: value[:_MAX_HEADER] for name, value in pairs if name in _HEADERS}
    query = scope.get("query_string") or b""
    return request.of(
        "WEBSOCKET" if scope["type"] == "websocket" else scope.get("method"),
        scope.get("path") or "/",
        query.decode("latin-1") if isinstance(query, bytes) else "",
        headers.get(b"x-request-id", b"").decode("latin-1"),
        headers.get(b"traceparent", b"").decode("latin-1"),
    )


def _route_of_scope(scope: Scope) -> str | None:
    """Return the route that Starlette, FastAPI and others like them left in the scope."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else None
