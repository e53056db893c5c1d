"""What a breadcrumb costs, beside a NullHandler: a record of INFO with two arguments, in a thread and in a task.

    python benchmarks/breadcrumbs.py        # --rounds N, --quick, --json FILE, --markdown

Both are measured in one process, by turns, a block of calls each; the figure is the median of blocks. On a quiet core
the call with a NullHandler takes 4.3 µs: 5 µs for a breadcrumb are 2.2 of them with the call itself, 20 µs for the
middleware of `loghub.web` are 4.6.
"""

import asyncio
import logging
import statistics
import time

import rounds

from loghub import web
from loghub.breadcrumbs import Keeper
from loghub.handlers.breadcrumb import BreadcrumbHandler

BLOCKS = 20
CALLS = 2_000
HEAD = ["", "NullHandler µs", "breadcrumb µs", "more µs"]


def logger_with(handler):
    """Return a logger of its own with one handler."""
    logger = logging.Logger("shop")  # noqa: LOG001 - nobody else's
    logger.addHandler(handler)
    return logger


def plain(logger, calls):
    """Log with two arguments."""
    for number in range(calls):
        logger.info("order %d of %s", number, "Ann")


def with_extra(logger, calls):
    """Log with a value beside the message."""
    for number in range(calls):
        logger.info("order", extra={"order": number})


def with_object(logger, calls):
    """Log an object, which is formatted at once."""
    for number in range(calls):
        logger.info("order %s", [number])


def block(act, logger, calls):
    """Return microseconds a call."""
    started = time.perf_counter_ns()
    act(logger, calls)
    return (time.perf_counter_ns() - started) / calls / 1000


def by_turns(act, null, crumb, calls):
    """Return the medians of both."""
    took = [(block(act, null, calls), block(act, crumb, calls)) for _ in range(BLOCKS)]
    first, second = (statistics.median(one) for one in zip(*took, strict=True))
    return {"null": first, "crumb": second, "more": second - first}


async def in_a_task(*args):
    """Measure within an asyncio task."""
    return by_turns(*args)


def requests(app, calls):
    """Return microseconds of a request."""
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/users/7",
        "QUERY_STRING": "token=x&b=1",
        "HTTP_X_REQUEST_ID": "r",
    }
    started = time.perf_counter_ns()
    for _ in range(calls):
        for _ in app(environ, lambda *_: None):
            pass
    return (time.perf_counter_ns() - started) / calls / 1000


async def asgi_requests(app, calls):
    """Return microseconds of a request."""
    scope = {"type": "http", "method": "GET", "path": "/users/7", "query_string": b"token=x&b=1",
             "headers": [(b"host", b"shop.example"), (b"x-request-id", b"r")] + [(b"accept", b"*/*")] * 10}  # fmt: skip

    async def send(_message):
        pass

    started = time.perf_counter_ns()
    for _ in range(calls):
        await app(dict(scope), None, send)
    return (time.perf_counter_ns() - started) / calls / 1000


def bare(_environ, start_response):
    """Answer in two steps."""
    start_response("200 OK", [])
    yield b"a"
    yield b"b"


async def asgi_bare(_scope, _receive, send):
    """Answer in two steps."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"a"})


def middleware(null, calls):
    """Return what a request through the middleware costs more than without, in calls of a NullHandler."""
    took = []
    for _ in range(BLOCKS):
        one = block(plain, null, calls)
        wsgi = requests(web.wsgi(bare), calls) - requests(bare, calls)
        asgi = asyncio.run(asgi_requests(web.asgi(asgi_bare), calls)) - asyncio.run(asgi_requests(asgi_bare, calls))
        took.append((wsgi / one, asgi / one))
    wsgi, asgi = (statistics.median(one) for one in zip(*took, strict=True))
    return {"wsgi": wsgi, "asgi": asgi}


def main():
    """Run all rounds and print the tables."""
    args = rounds.arguments(__doc__, rounds=5)
    calls = 200 if args.quick else CALLS
    null, crumb = logger_with(logging.NullHandler()), logger_with(BreadcrumbHandler())
    cases = {"a record": plain, "with extra": with_extra, "with an object": with_object, "in a task": plain}

    def measure(name):
        if name == "in a task":
            return asyncio.run(in_a_task(cases[name], null, crumb, calls))
        return by_turns(cases[name], null, crumb, calls)

    found = rounds.interleaved(list(cases), args.rounds, measure)
    kept = Keeper(30)  # breadcrumbs are begun anew by each request
    served = rounds.interleaved(["middleware"], args.rounds, lambda _: middleware(null, calls // 4))
    kept.close()
    rows = [
        [name, *(rounds.median(rounds.figures(found, name, figure)) for figure in ("null", "crumb", "more"))]
        for name in cases
    ]
    goals = [
        rounds.Goal(f"{name}, with the call", [one["crumb"] / one["null"] for one in found[name]], 2.2, "{:.2f}")
        for name in cases
    ]
    goals += [
        rounds.Goal(f"a request through {kind}", rounds.figures(served, "middleware", kind), 4.6, "{:.2f}")
        for kind in ("wsgi", "asgi")
    ]
    rounds.report(args, [(HEAD, rows)], goals, {"records": found, "requests": served})


if __name__ == "__main__":
    main()
