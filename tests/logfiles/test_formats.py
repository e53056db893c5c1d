"""What the real libraries write is read back as the errors that a handler counted live, with their fingerprints."""

import io
import json
import logging
import time
import traceback

import pytest
import structlog
from pythonjsonlogger.json import JsonFormatter as PythonJsonFormatter

from loghub.event import epoch
from loghub.formatters import JsonFormatter
from tests.logfiles import failing
from tests.logfiles.reading import Live, take

# The formats as the projects' documentation or source gives them.
TEXT = {
    "logging's BASIC_FORMAT": logging.BASIC_FORMAT,
    "dashes": "%(asctime)s - %(name)s - %(levelname)s - %(message)s",
    "brackets": "[%(asctime)s] [%(levelname)s] [%(name)s] %(message)s",
    "brackets after": "%(asctime)s [%(threadName)s] %(levelname)s [%(name)s]: %(message)s",
    "pipes": "%(asctime)s | %(levelname)-8s | %(name)s | %(message)s",
    "tight pipes": "%(asctime)s|%(name)s|%(process)d|%(levelname)s|%(message)s",
    "level first": "%(levelname)s %(asctime)s %(name)s %(message)s",
    "level and dash": "%(levelname)s - %(name)s - %(message)s",
    "boxed level": "[%(levelname)s] %(name)s: %(message)s",
    "time and logger": "%(asctime)s %(name)s %(levelname)s %(message)s",
    "milliseconds": "%(asctime)s.%(msecs)03d %(levelname)s %(name)s: %(message)s",
    "Flask": "[%(asctime)s] %(levelname)s in %(module)s: %(message)s",
    "Django verbose": "{levelname} {asctime} {module} {process:d} {thread:d} {message}",
    "gunicorn": "[%(asctime)s] [%(process)d] [%(levelname)s] %(message)s",
    "celery": "[%(asctime)s: %(levelname)s/%(processName)s] %(message)s",
    "loguru": "%(asctime)s | %(levelname)-8s | %(name)s:%(funcName)s:%(lineno)d - %(message)s",
}


def log_with(formatter, log_to):
    """Log each failing site, and what is no error, through `formatter`; return the counts of a live handler."""
    live, handler = Live(), logging.StreamHandler(log_to)
    handler.setFormatter(formatter)
    log = logging.Logger("shop.orders")  # noqa: LOG001 - one that no other test sees
    log.addHandler(handler)
    log.addHandler(live)
    for number, site in enumerate(failing.SITES):
        log.info("next is %d", number)
        try:
            site()
        except Exception:
            log.exception("order %d failed", number)
        log.warning("a warning with ERROR in its words")
    log.debug("that was all")
    return live.counts


def in_file(tmp_path, text):
    """Write a log; return its path."""
    path = tmp_path / "app.log"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", TEXT)
def test_text_formats(name, tmp_path):
    """In each text format the errors have the counts, fingerprints, messages and times of the live ones."""
    style = "{" if TEXT[name].startswith("{") else "%"
    stream, before = io.StringIO(), time.time()
    live = log_with(logging.Formatter(TEXT[name], style=style), stream)
    report, counts, events = take(in_file(tmp_path, stream.getvalue()), now=before + 60, zone=None)
    assert counts == live
    assert [one["message"].rpartition(" ")[0] for one in events] == [
        *(f"order {number}" for number in range(len(failing.SITES))),
    ] or name == "Django verbose"
    if "asctime" in TEXT[name]:
        assert report.timeless == 0
        assert all(before - 1 <= epoch(one["timestamp"]) <= time.time() for one in events)
    else:
        assert report.timeless == report.errors


@pytest.mark.parametrize(
    ("name", "logger"),
    [("dashes", "shop.orders"), ("brackets", "shop.orders"), ("logging's BASIC_FORMAT", "shop.orders"),
     ("pipes", "shop.orders"), ("time and logger", "shop.orders"), ("boxed level", "shop.orders"),
     ("gunicorn", "gunicorn.error"), ("brackets after", "shop.orders"), ("loguru", "shop.orders")],
)  # fmt: skip
def test_logger(name, logger, tmp_path):
    """The logger's name is found before the level or behind it, and gives the component."""
    stream = io.StringIO()
    log_with(logging.Formatter(TEXT[name]), stream)
    events = take(in_file(tmp_path, stream.getvalue()))[2]
    assert {one["logger"] for one in events} == {logger}
    assert {one["component"] for one in events} == {logger.partition(".")[0]}


@pytest.mark.parametrize(
    "formatter",
    [
        PythonJsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"),
        PythonJsonFormatter("%(levelname)s %(name)s %(message)s", timestamp=True),
        PythonJsonFormatter(["message", "levelno", "created"]),
        JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s %(module)s %(funcName)s"),
        JsonFormatter(),
    ],
)
def test_json_formats(formatter, tmp_path):
    """JSON lines of python-json-logger and of ours are read, ours also without a level: they say a fingerprint."""
    stream = io.StringIO()
    live = log_with(formatter, stream)
    _, counts, events = take(in_file(tmp_path, stream.getvalue()))
    assert counts == live
    assert [one["message"] for one in events] == [f"order {number} failed" for number in range(len(failing.SITES))]


def test_ours_says_all(tmp_path):
    """Fingerprint, component, environment and release of our JSON lines are taken as they stand."""
    line = {
        "message": "lost", "levelname": "ERROR", "name": "shop", "asctime": "2026-11-27 03:00:00,250",
        "fingerprint": "v1:0123456789abcdef", "component": "billing", "environment": "staging", "release": "1.4.2",
        "customer": "ada", "args": "kept out", "loghub_skip": True,
    }  # fmt: skip
    _, counts, (event,) = take(in_file(tmp_path, json.dumps(line) + "\n"), zone=None)
    assert list(counts) == ["v1:0123456789abcdef"] == [event["fingerprint"]]
    assert (event["component"], event["environment"], event["release"]) == ("billing", "staging", "1.4.2")
    assert event["additional_info"] == {"customer": "ada", "imported_from": "app.log:0"}


def log_by_structlog(processors, tmp_path):
    """Log the failing sites by structlog to a file and live by logging; return the file and the live counts."""
    stream, live = io.StringIO(), Live()
    log = structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=[structlog.processors.add_log_level, *processors],
    ).bind(shard=7)
    counted = logging.Logger("shop.orders")  # noqa: LOG001 - as above
    counted.addHandler(live)
    for number, site in enumerate(failing.SITES):
        log.info("next")
        try:
            site()
        except Exception:
            counted.exception("failed")
            log.exception("failed", order=number, words="two words")
    return in_file(tmp_path, stream.getvalue()), live.counts


@pytest.mark.parametrize("colors", [False, True])
def test_structlog_console(colors, tmp_path):
    """structlog's console, with and without colours, gives the same fingerprints, and its pairs are context."""
    renderer = structlog.dev.ConsoleRenderer(
        colors=colors, exception_formatter=structlog.dev.plain_traceback, pad_event_to=30
    )
    path, live = log_by_structlog([structlog.processors.TimeStamper(fmt="iso"), renderer], tmp_path)
    report, counts, events = take(path)
    assert counts == live
    assert report.timeless == 0
    assert {one["message"] for one in events} == {"failed"}
    assert {"shard": "7", "words": "two words", "order": "3"}.items() <= events[3]["additional_info"].items()


@pytest.mark.parametrize("fmt", ["iso", None])
def test_structlog_json(fmt, tmp_path):
    """structlog's JSON lines give the same fingerprints, with ISO times or epoch numbers."""
    chain = [structlog.processors.TimeStamper(fmt=fmt), structlog.processors.format_exc_info,
             structlog.processors.JSONRenderer()]  # fmt: skip
    path, live = log_by_structlog(chain, tmp_path)
    report, counts, events = take(path)
    assert counts == live
    assert report.timeless == 0
    assert events[0]["additional_info"]["shard"] == 7


def test_structlog_dicts(tmp_path):
    """structlog's dict_tracebacks have no source lines, but classes, places and causes."""
    chain = [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    path, live = log_by_structlog(chain, tmp_path)
    report, _, events = take(path)
    assert report.errors == live.total()
    by_number = {one["additional_info"]["order"]: one for one in events}
    assert (by_number[0]["error_type"], by_number[0]["function"]) == ("ValueError", "Card.charge")
    assert [one["error_type"] for one in by_number[1]["causes"]] == ["KeyError"]
    assert by_number[1]["causes"][0]["relation"] == "cause"
    assert by_number[2]["causes"][0]["relation"] == "context"


def test_loguru_dress(tmp_path):
    """What loguru adds to a traceback (values of names, the mark of the catching frame) changes nothing."""
    try:
        failing.in_a_method()
    except ValueError:
        lines = traceback.format_exc().splitlines()
    plain = "2026-11-27 03:00:00.123 | ERROR    | shop:f:7 - failed\n" + "\n".join(lines) + "\n"
    dressed = [
        lines[0],
        "",
        ">" + lines[1][1:],
        lines[2],
        "    │ └ <function in_a_method at 0x7f>",
        "    └ 3",
        *lines[3:],
    ]
    other = "2026-11-27 03:00:00.123 | ERROR    | shop:f:7 - failed\n" + "\n".join(dressed) + "\n"
    _, counts, (event,) = take(in_file(tmp_path, plain))
    _, dressed_counts, (dressed_event,) = take(in_file(tmp_path, other))
    assert dressed_counts == counts
    assert dressed_event["frames"] == event["frames"]
    assert len(event["frames"]) == 3


def test_loguru_serialized(tmp_path):
    """loguru's serialize=True is read: level, time, message, logger, and the traceback out of its text."""
    stream = io.StringIO()
    live = log_with(logging.Formatter("%(message)s"), stream)
    lines = []
    for text in stream.getvalue().split("order ")[1:]:
        trace = text.partition("\n")[2].partition("a warning")[0].partition("next is")[0]
        record = {"level": {"name": "ERROR", "no": 40}, "time": {"timestamp": 1_795_000_000.5}, "message": "failed",
                  "name": "shop", "function": "f", "module": "shop", "line": 3, "file": {"path": "/x/shop.py"},
                  "extra": {"user": 3}, "exception": {"type": "X"}}  # fmt: skip
        lines.append(json.dumps({"text": f"... failed\n{trace}", "record": record}))
    _, counts, events = take(in_file(tmp_path, "\n".join(lines) + "\n"))
    assert counts == live
    assert events[0]["timestamp"] == "2026-11-18T11:06:40.500Z"
    assert events[0]["additional_info"]["user"] == 3


@pytest.mark.parametrize(
    ("layout", "style"),
    [
        ("%(name)s ~ %(message)s ~~ %(levelname)s @ %(asctime)s", "%"),
        ("<{levelname:>9}> {module}.{funcName} :: {message}", "{"),
        ("${asctime} #${levelno}# $name => ${message}", "$"),
    ],
)
def test_any_format(layout, style, tmp_path):
    """--format reads what logging.Formatter writes with the same text, in each of its styles."""
    stream = io.StringIO()
    live = log_with(logging.Formatter(layout, style=style), stream)
    _, counts, events = take(in_file(tmp_path, stream.getvalue()), layout=layout)
    if "%(name)s ~" in layout:  # the message is not at the end: the traceback follows the whole line
        assert all(one["message"].startswith("order ") for one in events)
    assert counts == live


def test_place_from_format(tmp_path):
    """Where the format says module and function, an error without an exception has its live fingerprint."""
    layout = "%(asctime)s %(levelname)s %(name)s %(module)s %(funcName)s: %(message)s"
    stream, live = io.StringIO(), Live()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter(layout))
    log = logging.Logger("shop")  # noqa: LOG001 - as above
    log.addHandler(handler)
    log.addHandler(live)
    for number in range(3):
        log.error("order %d is lost in room %s", number, "0x7f3a")
    assert take(in_file(tmp_path, stream.getvalue()), layout=layout)[1] == live.counts
    assert live.counts.total() == 3
