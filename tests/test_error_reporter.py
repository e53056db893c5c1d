"""Seed A's functions at a stand-in for GitHub, over real HTTP and with the delivery thread."""

from __future__ import annotations

import json
import logging
import logging.config
import logging.handlers
import math
import queue
import threading
import traceback

import pytest

import loghub
from loghub import filters
from loghub.delivery import deliverer
from loghub.github.block import read_state
from loghub.seeds import error_reporter, record
from tests.fakes.github import FakeGitHub

REPO, OTHER = "acme/shop", "acme/other"
PATIENCE = 20.0
STACK = """TypeError: cart is undefined
    at addToCart (http://127.0.0.1/static/js/shop.js:12:9)
    at HTMLButtonElement.onclick (http://127.0.0.1/:40:3)"""


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Have what a process begins with: a reporter that was not used, nothing said, no shared filter."""
    monkeypatch.setattr(error_reporter, "_default", loghub.ErrorReporter())
    monkeypatch.setattr(record, "_said", set())
    monkeypatch.setattr(filters, "find_release", lambda *_: None)
    monkeypatch.setattr(filters, "_shared", None)


@pytest.fixture
def github(monkeypatch):
    """Return GitHub, which the environment names."""
    with FakeGitHub(REPO, OTHER) as fake:
        monkeypatch.setenv("GITHUB_API_URL", fake.url)
        monkeypatch.setenv("GITHUB_TOKEN", fake.token)
        monkeypatch.setenv("GITHUB_REPO", REPO)
        yield fake
        assert fake.violations == []


@pytest.fixture
def configure(tmp_path):
    """Return a function that attaches a handler to the root by dictConfig, as an application does."""
    root = logging.getLogger()
    before = root.level, list(root.handlers)

    def configured(**handler):
        config = {"version": 1, "handlers": {"one": handler}, "root": {"handlers": ["one"]}}
        logging.config.dictConfig(config)

    yield configured
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(before[0])
    for handler in before[1]:
        root.addHandler(handler)


def charge(amount=0):
    """Fail."""
    return 100 / amount


def caught(function=charge):
    """Return the exception that a function raises."""
    try:
        function()
    except Exception as error:
        return error
    raise AssertionError("it was to fail")


def counts(fake, repo=REPO):
    """Return the counts that the issues of a repository show, in their order."""
    return [read_state(issue["body"]).count for issue in fake.issues(repo)]


def test_environment_alone(github):
    """Where nothing is configured the environment is enough: an issue in seed A's form, and its URL."""
    url = loghub.report_error(
        exception=caught(), source_component="till", context={"amount": 0, "name": "Ada"}, timeout=PATIENCE
    )
    [issue] = github.issues(REPO)
    assert url == issue["html_url"]
    assert issue["title"] == "[Auto] ZeroDivisionError: till"
    assert {label["name"] for label in issue["labels"]} == {"bug", "automated-report", "till"}
    for text in ("division by zero", '"amount": 0', '"name": "Ada"', "return 100 / amount", "### System Information"):
        assert text in issue["body"]


def test_known_at_once(github):
    """A bug that has an issue is counted, and its URL is there without waiting and without asking GitHub."""
    url = loghub.report_error(caught(), timeout=PATIENCE)
    before = len(github.requests)
    assert loghub.report_error(caught(), timeout=0) == url
    assert len(github.requests) == before
    assert loghub.flush(PATIENCE)
    assert counts(github) == [2]


def test_status(github, monkeypatch):
    """The status says where issues go, and how many bugs have one."""
    reporter = loghub.get_error_reporter()
    known = {"enabled": True, "github_repo": REPO, "has_token": True}
    assert reporter.status() == known | {"reported_errors_count": 0}
    for _ in range(2):
        assert loghub.report_error(error_type="Bug", error_message="once", timeout=PATIENCE)
    assert reporter.status() == known | {"reported_errors_count": 1}
    assert reporter.status(7) == known | {"reported_errors_count": 7}


def test_status_without_anything(monkeypatch):
    """Where nothing is set, the status says so."""
    monkeypatch.setenv("ERROR_REPORTING_ENABLED", "no")
    nothing = {"enabled": False, "github_repo": None, "has_token": False, "reported_errors_count": 0}
    assert loghub.get_error_reporter().status() == nothing


def test_being_handled(github):
    """With nothing given, what is being handled is reported."""
    try:
        charge()
    except ZeroDivisionError:
        assert loghub.report_error(timeout=PATIENCE)
    assert github.issue(REPO, 1)["title"] == "[Auto] ZeroDivisionError: unknown"


def test_text_of_the_same(github):
    """The text of a traceback is the bug that it was when it was caught."""
    error = caught()
    url = loghub.report_error(error, timeout=PATIENCE)
    text = "".join(traceback.format_exception(error))
    told = loghub.report_error(error_type="ZeroDivisionError", traceback_str=text, timeout=0)
    assert told == url
    assert loghub.flush(PATIENCE)
    assert counts(github) == [2]


def test_from_a_browser(github):
    """A script's error is told by its texts, with its class and its stack, on the platform that it is of."""
    url = loghub.report_error(
        error_type="TypeError",
        error_message="cart is undefined",
        traceback_str=STACK,
        source_component="dashboard",
        timeout=PATIENCE,
    )
    assert github.issue(REPO, 1)["html_url"] == url
    assert github.issue(REPO, 1)["title"] == "[Auto] TypeError: dashboard"
    assert "at addToCart (http://127.0.0.1/static/js/shop.js:12:9)" in github.issue(REPO, 1)["body"]
    [event] = loghub.get_recent_errors()
    assert (event["platform"], event["error_type"], event["error_message"]) == (
        "javascript", "TypeError", "cart is undefined",
    )  # fmt: skip
    assert [frame["function"] for frame in event["frames"]] == ["HTMLButtonElement.onclick", "addToCart"]
    assert event["traceback"] == STACK


def test_texts_are_told_apart():
    """Of errors that one line of an endpoint tells, each class is a bug, and numbers in a message are not."""
    for kind, number in (("RangeError", 1), ("SyntaxError", 2), ("RangeError", 3)):
        assert loghub.report_error(error_type=kind, error_message=f"order {number} lost", timeout=0) is None
    seen = sorted((event["error_type"], event["fingerprint"]) for event in loghub.get_recent_errors())
    assert [kind for kind, _ in seen] == ["RangeError", "RangeError", "SyntaxError"]
    assert seen[0] == seen[1]
    assert seen[1][1] != seen[2][1]


def test_go_is_read():
    """The stack of another language is read, too."""
    stack = "panic: no such account\n\ngoroutine 1 [running]:\nmain.pay(0x1)\n\t/app/pay.go:12 +0x1d\n"
    loghub.report_error(traceback_str=stack, timeout=0)
    [event] = loghub.get_recent_errors()
    assert (event["platform"], event["error_message"], event["function"]) == ("native", "no such account", "pay")


def test_handlers_of_the_application(github, configure):
    """Where a handler of loghub's takes it, it is counted once and by that handler alone."""
    configure(**{"class": "loghub.GitHubIssueHandler", "repo": OTHER})
    url = loghub.report_error(caught(), timeout=PATIENCE)
    assert url == github.issue(OTHER, 1)["html_url"]
    assert github.issues(REPO) == []
    assert counts(github, OTHER) == [1]
    assert len(deliverer.homes()[0].handlers()) == 1


def test_without_github(configure, tmp_path, github):
    """An application that attached other handlers only gets no issues: its configuration says where errors go."""
    configure(**{"class": "loghub.JSONDetailHandler", "directory": str(tmp_path / "errors")})
    assert loghub.report_error(caught(), timeout=PATIENCE) is None
    assert github.requests == []
    [file] = (tmp_path / "errors").iterdir()
    assert json.loads(file.read_text())["error_type"] == "ZeroDivisionError"


def test_through_a_queue(github):
    """An application whose handlers stand behind a queue has its record there, and the caller the URL."""
    waiting = queue.SimpleQueue()
    behind = loghub.GitHubIssueHandler()
    listener = logging.handlers.QueueListener(waiting, behind)
    entrance = logging.handlers.QueueHandler(waiting)
    record.log.addHandler(entrance)
    starting = threading.Timer(0.05, listener.start)  # while the caller waits, and nothing has come to a handler
    starting.start()
    try:
        assert loghub.report_error(caught(), timeout=PATIENCE) == github.issue(REPO, 1)["html_url"]
    finally:
        record.log.removeHandler(entrance)
        starting.join()
        listener.stop()
    assert behind.home.handlers() == [behind]


def test_reporter_of_its_own(github, configure):
    """What a reporter was told holds for its issues: repository, no system information, no label of the component."""
    configure(**{"class": "loghub.GitHubIssueHandler"})
    reporter = loghub.ErrorReporter(github.token, OTHER, True, False, False)
    assert (reporter.enabled, reporter.github_repo, reporter.has_token) == (True, OTHER, True)
    url = reporter.report_error(caught(), source_component="till", timeout=PATIENCE)
    issue = github.issue(OTHER, 1)
    assert url == issue["html_url"]
    assert {label["name"] for label in issue["labels"]} == {"bug", "automated-report"}
    assert "System Information" not in issue["body"]


def test_several_destinations(github, configure):
    """Each of two reporters answers with the issue in its own repository."""
    one, two = loghub.ErrorReporter(github_repo=REPO), loghub.ErrorReporter(github_repo=OTHER)
    urls = [reporter.report_error(caught(), timeout=PATIENCE) for reporter in (one, two, one)]
    assert urls == [github.issue(repo, 1)["html_url"] for repo in (REPO, OTHER, REPO)]


@pytest.mark.parametrize("by", ["environment", "argument"])
def test_off(github, monkeypatch, by):
    """Switched off, nothing is sent, kept or waited for; a log file still sees the error."""
    if by == "environment":
        monkeypatch.setenv("ERROR_REPORTING_ENABLED", "off")
    reporter = loghub.ErrorReporter(enabled=False if by == "argument" else None)
    seen = logging.handlers.BufferingHandler(10)
    record.log.addHandler(seen)
    try:
        assert not reporter.enabled
        assert reporter.report_error(caught(), timeout=PATIENCE) is None
    finally:
        record.log.removeHandler(seen)
    assert [one.exc_info[0] for one in seen.buffer] == [ZeroDivisionError]
    assert github.requests == []
    assert loghub.get_recent_errors() == []


def test_without_token(monkeypatch):
    """Without a token nobody waits; the error is kept, and shown."""
    monkeypatch.setenv("GITHUB_REPO", REPO)
    monkeypatch.setattr(deliverer.Deliverer, "wait_beyond", lambda *_: pytest.fail("there is nothing to wait for"))
    assert loghub.report_error(caught(), timeout=PATIENCE) is None
    assert [event["error_type"] for event in loghub.get_recent_errors()] == ["ZeroDivisionError"]
    reporter = loghub.get_error_reporter()
    assert (reporter.enabled, reporter.github_repo, reporter.has_token) == (True, REPO, False)


def test_not_in_time(github):
    """Where GitHub cannot be told in time the answer is None, and the issue is opened later all the same."""
    github.fault("GET *", 502, times=math.inf)
    assert loghub.report_error(caught(), timeout=1.0) is None
    github.heal()
    home = deliverer.homes()[0]
    home.ledger().retry()
    home.round(closing=True)
    assert counts(github) == [1]
    assert loghub.report_error(caught(), timeout=0) == github.issue(REPO, 1)["html_url"]


def test_not_due_in_time(github):
    """Where GitHub asked to be left alone for longer than the caller waits, nobody waits."""
    github.fault("GET *", "primary", seconds=3600, times=math.inf)
    assert loghub.report_error(caught(), timeout=600.0) is None
    assert github.issues(REPO) == []


def test_many_threads(github):
    """Eight threads that report one bug at the same time open one issue, and all get its URL."""
    together, urls = threading.Barrier(8), []

    def work():
        together.wait()
        urls.append(loghub.report_error(caught(), timeout=PATIENCE))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert urls == [github.issue(REPO, 1)["html_url"]] * 8
    assert loghub.flush(PATIENCE)
    assert counts(github) == [8]


def test_after_dict_config(github, configure):
    """A reporter's own handler, which dictConfig closes as it closes all, is made again."""
    url = loghub.report_error(caught(), timeout=PATIENCE)
    configure(**{"class": "logging.NullHandler"})
    assert loghub.report_error(caught(), timeout=PATIENCE) == url
    assert loghub.report_error(caught(lambda: {}["key"]), timeout=PATIENCE) == github.issue(REPO, 2)["html_url"]


def test_disabled_by_dict_config(github):
    """dictConfig, which disables loggers that it does not name, does not switch reports off."""
    logging.config.dictConfig({"version": 1})
    assert record.log.disabled
    assert loghub.report_error(caught(), timeout=PATIENCE)


def test_level_counts():
    """Logging that is switched off altogether is respected."""
    logging.disable(logging.CRITICAL)
    try:
        assert loghub.report_error(caught()) is None
    finally:
        logging.disable(logging.NOTSET)
    assert loghub.get_recent_errors() == []


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("not even a text")


class Hostile:
    def __bool__(self):
        raise RuntimeError("neither yes nor no")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "given nothing to report"),
        ({"exception": "it broke"}, "takes an exception as its first argument, not str"),
        ({"exception": KeyError}, "takes an exception as its first argument, not type"),
        ({"exception": ValueError("never raised"), "timeout": "soon"}, "must be a number of seconds, not 'soon'"),
        ({"exception": ValueError("never raised"), "timeout": None}, "must be a number of seconds, not None"),
        ({"exception": ValueError("never raised"), "timeout": math.nan}, "must be a number of seconds, not nan"),
        ({"exception": Hostile(), "context": Hostile()}, "report_error failed: RuntimeError: neither yes nor no"),
    ],
)
def test_bad_input(arguments, said, caplog):
    """Whatever is handed over, nothing is raised, and one line says what is wrong."""
    for _ in range(2):
        assert loghub.report_error(**arguments) is None
    [line] = [one.getMessage() for one in caplog.records if one.name == "loghub"]
    assert line.startswith("Error reporter: ")
    assert said in line


@pytest.mark.parametrize(
    "arguments",
    [
        {"exception": Unprintable()},
        {"exception": ValueError("x"), "source_component": None, "context": ["a", "list"]},
        {"exception": ValueError("x"), "context": {1: object(), "args": 2, "fingerprint": "mine", "loghub_skip": True}},
        {"exception": ValueError("x"), "context": {"msg": 1, "exc_info": 2, "message": 3, "component": "other"}},
        {"error_type": 7, "error_message": b"bytes", "traceback_str": object()},
        {"error_message": "x" * 1_000_000, "traceback_str": 'File "x", line 1\n' * 100_000},
        {"exception": ValueError("x"), "timeout": -1},
        {"exception": ValueError("x"), "timeout": math.inf},
    ],
)
def test_odd_input(arguments, caplog):
    """What is odd but can be told is told, by the rules of all errors."""
    assert loghub.report_error(**arguments) is None
    assert [one.getMessage() for one in caplog.records if one.name == "loghub"] == []
    [event] = loghub.get_recent_errors()
    assert event["component"] == "unknown"
    assert event["fingerprint"].startswith("v1:")
    if isinstance(arguments.get("context"), dict):
        assert set(event["additional_info"]) == {str(name) for name in arguments["context"]}
        assert "custom_fingerprint" not in event


@pytest.mark.parametrize("name", ["ERROR_REPORTING_ENABLED", "ERROR_REPORTING_AUTO_LABEL", "GITHUB_REPO"])
def test_malformed_environment(monkeypatch, caplog, name):
    """A variable that cannot be read is told in one line, and nothing is raised into the application."""
    monkeypatch.setenv(name, "what?")
    for _ in range(3):
        assert loghub.report_error(caught()) is None
    [line] = [one.getMessage() for one in caplog.records if one.name == "loghub"]
    assert "'what?'" in line


def test_malformed_arguments():
    """A reporter that is told nonsense says so when it is made."""
    with pytest.raises(ValueError, match="'owner/name'"):
        loghub.ErrorReporter(github_repo="nonsense")
    with pytest.raises(ValueError, match="'enabled' cannot be 'perhaps'"):
        loghub.ErrorReporter(enabled="perhaps")


def test_component_of_the_configuration(monkeypatch):
    """A component that the configuration gives stands where the caller names none."""
    monkeypatch.setenv("LOGHUB_COMPONENT", "mcp-server")
    loghub.report_error(caught(), timeout=0)
    loghub.report_error(caught(), source_component="till", timeout=0)
    assert [event["component"] for event in loghub.get_recent_errors()] == ["till", "mcp-server"]


def test_flush(github):
    """flush delivers what waits, and takes no nonsense."""
    assert loghub.flush(0)
    loghub.report_error(caught(), timeout=0)
    assert loghub.flush(PATIENCE)
    assert counts(github) == [1]
    assert loghub.flush("soon")
