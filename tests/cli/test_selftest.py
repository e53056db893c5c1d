"""selftest secrets finds what shows a secret, says what does not, and lets nothing out."""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from loghub import scrub
from loghub.cli import canaries, main
from tests.cli.test_cli import run
from tests.fakes.github import FakeGitHub
from tests.fakes.smtp import FakeSMTP

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _quiet():
    """Give the root logger back as it was."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, root.filters[:]
    yield
    root.handlers[:], root.filters[:] = before[0], before[2]
    root.setLevel(before[1])


def configured(handlers, *, filters=None, **more):
    """Write a logging.yaml with these handlers at the root; return its path."""
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": filters or {},
        "handlers": handlers,
        "root": {"handlers": list(handlers), "level": "INFO"},
        **more,
    }
    Path("logging.yaml").write_text(yaml.safe_dump(config), "utf-8")
    return "logging.yaml"


def run_all(*args, code=None, **env):
    """Return what the verb finds, line by line; what each shows as a set of secret and place."""
    done = CliRunner(env=env).invoke(main, ["selftest", "secrets", *args, "--json"], catch_exceptions=False)
    assert done.stderr == ""
    found = json.loads(done.stdout)
    if code is not None:
        assert done.exit_code == code, done.output
    for line in found:
        line["finds"] = {(one["secret"], one["place"]) for one in line["finds"]}
    return found


def lines(*args, code=None, **env):
    """Return the same by sink."""
    return {line["sink"]: line for line in run_all(*args, code=code, **env)}


GITHUB = {"class": "loghub.GitHubIssueHandler", "repo": "acme/shop", "token": "ghp_" + "a1B2" * 9}


@pytest.mark.slow
def test_own_configuration():
    """With the repository's own logging.yaml nothing of loghub's shows any, and each thing it writes has a line."""
    found = lines(str(REPOSITORY / "logging.yaml"))
    assert set(found) == {
        "console (root's StreamHandler)",
        "issue (github:no repository yet)",
        "detail files (detail)",
        "mail (smtp:no mailhost yet)",
        "notices (notify)",
        "recovery (RecoveryHandler)",
        "file (root's RotatingFileHandler)",
        "journal and ledger",
    }
    assert {sink for sink, line in found.items() if line["finds"]} == {
        "console (root's StreamHandler)", "file (root's RotatingFileHandler)",
    }  # fmt: skip
    assert found["file (root's RotatingFileHandler)"]["text"].endswith("set scrub: true.")


@pytest.mark.slow
def test_local_variables():
    """Local variables that were asked for are scrubbed, too."""
    event = {"()": "loghub.EventFilter", "include_locals": True}
    found = lines(configured({"github": {**GITHUB, "filters": ["event"]}}, filters={"event": event}))
    assert found["issue (github:acme/shop)"]["finds"] == set()
    assert found["journal and ledger"]["finds"] == set()


def test_what_others_write():
    """Another's handler is told of as a fact, with the handler that hides them; only --strict makes it an error."""
    path = configured({"file": {"class": "logging.FileHandler", "filename": "app.log"}})
    line = lines(path, code=0)["file (root's FileHandler)"]
    assert line["verdict"] == "note"
    assert ("AWS key pair", "message") in line["finds"]
    assert len({place for _, place in line["finds"]}) > 5
    assert "loghub.RotatingFileHandler with scrub: true" in line["text"]
    assert "note  file (root's FileHandler) does not hide secrets, and shows:" in run("selftest", "secrets", path)
    run("selftest", "secrets", path, "--strict", code=1)


def test_scrubbed_file():
    """A log file of loghub's hides them with scrub: true, also what an EventFilter of its own names."""
    file = {"class": "loghub.RotatingFileHandler", "filename": "app.log", "filters": ["event"]}
    event = {"()": "loghub.EventFilter", "scrub": ["acme_id", "/acme-[0-9]{8}/"]}
    path = configured({"open": file, "closed": {**file, "scrub": True}}, filters={"event": event})
    found = lines(path)
    shown = found["open (root's RotatingFileHandler)"]["finds"]
    assert {("your acme_id", "message"), ("your /acme-[0-9]{8}/", "cause"), ("password", "exception")} <= shown
    assert found["closed (root's RotatingFileHandler)"]["finds"] == set()


@pytest.mark.slow
def test_own_scrub_of_others():
    """What a filter names holds for the handlers that records reach through it, and is not asked of others."""
    event = {"()": "loghub.EventFilter", "scrub": ["acme_id"]}
    handlers = {"detail": {"class": "loghub.JSONDetailHandler", "filters": ["event"]}, "github": GITHUB}
    found = lines(configured(handlers, filters={"event": event}))
    assert found["detail files (detail)"]["finds"] == set()
    assert found["issue (github:acme/shop)"]["finds"] == set()


@pytest.mark.slow
def test_leak(monkeypatch):
    """A secret that something of loghub's shows is a LEAK that says what and where, and exit code 1."""

    def let_pass(self, event):
        return json.loads(json.dumps(event, default=repr))

    monkeypatch.setattr(scrub.Scrubber, "event", let_pass)
    handlers = {"github": GITHUB, "mail": {"class": "loghub.BatchingSMTPHandler"},
                "detail": {"class": "loghub.JSONDetailHandler"}}  # fmt: skip
    found = lines(configured(handlers), code=1)
    assert {line["verdict"] for line in found.values()} == {"LEAK"}
    for sink in found.values():
        places = {place for _, place in sink["finds"]}
        assert {"message", "exception", "cause", "code line", "URL"} <= places, sink
        assert len({kind for kind, _ in sink["finds"]}) == len(canaries.KINDS) + 1


def test_leak_says_where(monkeypatch):
    """A few finds are named one by one."""
    honest = scrub.Scrubber.event

    def forget_notes(self, event):
        return {
            **honest(self, event),
            "additional_info": json.loads(json.dumps(event["additional_info"], default=repr)),
        }

    monkeypatch.setattr(scrub.Scrubber, "event", forget_notes)
    monkeypatch.setattr(canaries, "KINDS", [kind for kind in canaries.KINDS if kind.label == "card number"])
    text = run("selftest", "secrets", configured({"github": GITHUB}), code=1)
    assert "LEAK  issue (github:acme/shop) shows: card number in the extra" in text


@pytest.mark.slow
def test_nothing_leaves(tmp_path):
    """No server hears anything, no file and no home changes, whatever the configuration names."""
    home = tmp_path / "home"
    Path("logs").mkdir()
    Path("logs/app.log").write_text("before\n", "utf-8")
    with (
        FakeGitHub("acme/shop") as github,
        FakeSMTP() as smtp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard,
    ):
        heard.bind(("127.0.0.1", 0))
        heard.setblocking(False)
        handlers = {
            "github": {**GITHUB, "api_url": github.url, "token": github.token, "codeowners": True, "home": str(home)},
            "mail": {"class": "loghub.BatchingSMTPHandler", "mailhost": [smtp.host, smtp.port],
                     "fromaddr": "a@example.com", "toaddrs": ["b@example.com"], "flush_interval": 0, "home": str(home)},
            "detail": {"class": "loghub.JSONDetailHandler", "log_path": "logs/errors", "home": str(home)},
            "file": {"class": "logging.handlers.RotatingFileHandler", "filename": "logs/app.log", "maxBytes": 100,
                     "backupCount": 3},
            "smtp": {"class": "logging.handlers.SMTPHandler", "mailhost": ["127.0.0.1", smtp.port],
                     "fromaddr": "a@example.com", "toaddrs": ["b@example.com"], "subject": "x"},
            "http": {"class": "logging.handlers.HTTPHandler", "host": github.url.removeprefix("http://"), "url": "/x"},
            "udp": {"class": "logging.handlers.DatagramHandler", "host": "127.0.0.1", "port": heard.getsockname()[1]},
            "sys": {"class": "logging.handlers.SysLogHandler", "address": ["127.0.0.1", heard.getsockname()[1]]},
            "uncaught": {"class": "loghub.UncaughtHandler", "home": str(home)},
        }  # fmt: skip
        path = configured(handlers)
        before, hook = {str(one) for one in Path.cwd().rglob("*")}, sys.excepthook
        found = lines(path, code=None, LOGHUB_HOME=str(home))
        with pytest.raises(BlockingIOError):
            heard.recv(1)
        assert github.requests == []
        assert smtp.mails == []
    assert {str(one) for one in Path.cwd().rglob("*")} == before
    assert Path("logs/app.log").read_text("utf-8") == "before\n"
    assert not home.exists()
    assert sys.excepthook is hook
    assert canaries.VARIABLE not in os.environ
    for sink in ("smtp (root's SMTPHandler)", "http (root's HTTPHandler)", "udp (root's DatagramHandler)",
                 "sys (root's SysLogHandler)", "file (root's RotatingFileHandler)"):  # fmt: skip
        assert ("card number", "message") in found[sink]["finds"], sink
    assert found["issue (github:acme/shop)"]["finds"] == set()
    assert "outside" not in found, found["outside"]


def phone_home(event):
    """Stand for a before_send that asks a server and keeps a file."""
    for reach in (lambda: socket.create_connection(("127.0.0.1", 9)), lambda: open("asked.txt", "w")):  # noqa: SIM115
        try:
            reach()
        except OSError as error:
            event["additional_info"]["said"] = str(error)
    return event


def test_before_send_that_reaches_out():
    """before_send works as it is, but what it wants of the network or the disk it does not get, and that is said."""
    event = {"()": "loghub.EventFilter", "before_send": f"{__name__}.phone_home"}
    path = configured({"detail": {"class": "loghub.JSONDetailHandler", "filters": ["event"]}}, filters={"event": event})
    said = [line["text"] for line in run_all(path) if line["sink"] == "outside"]
    assert any("kept from looking up 127.0.0.1" in text for text in said)
    assert any("asked.txt" in text for text in said)
    assert not Path("asked.txt").exists()


def drop(event):
    """Stand for a before_send that lets nothing through."""


def test_nothing_came():
    """Where filters let nothing through that is said, rather than that all is well."""
    event = {"()": "loghub.EventFilter", "before_send": f"{__name__}.drop"}
    path = configured({"github": {**GITHUB, "filters": ["event"]}}, filters={"event": event})
    assert "nothing of what was logged arrived there" in lines(path, code=0)["issue (github:acme/shop)"]["text"]


@pytest.mark.slow
def test_sample():
    """A sample_rate does not keep any back from the test."""
    event = {"()": "loghub.EventFilter", "sample_rate": 0.0}
    path = configured({"github": {**GITHUB, "filters": ["event"]}}, filters={"event": event})
    assert "nothing" not in lines(path)["issue (github:acme/shop)"]["text"]


class DialsIn(logging.Handler):
    """A handler that connects when it is made."""

    def __init__(self) -> None:
        super().__init__()
        socket.create_connection(("127.0.0.1", 9)).close()


def test_handler_that_reaches_out_when_made():
    """A handler that cannot be made without reaching out is left out and named; the others are looked at."""
    path = configured({"dial": {"class": f"{__name__}.DialsIn"}, "github": GITHUB})
    found = lines(path)
    assert "was not looked at" in found["dial"]["text"]
    assert found["issue (github:acme/shop)"]["finds"] == set()


class Pager(logging.Handler):
    """A handler of somebody's own."""

    def emit(self, record):
        socket.create_connection(("127.0.0.1", 9)).close()


def test_handler_of_somebodys():
    """Of a handler that nobody knows, what it formats is looked at, nothing is sent, and that is said."""
    found = lines(configured({"pager": {"class": f"{__name__}.Pager"}}), code=0)
    assert ("password", "message") in found["pager (root's Pager)"]["finds"]
    assert "It sees the records themselves" in found["pager (root's Pager)"]["text"]
    assert len(found) == 1


class Handles(logging.Handler):
    """A handler whose handle does it all."""

    def handle(self, record):
        print(record.__dict__)
        sys.__stderr__.write(str(record.__dict__))
        os.write(2, str(record.__dict__).encode())


class Collects(logging.handlers.BufferingHandler):
    """A handler that sends what it has collected."""

    def flush(self):
        socket.create_connection(("127.0.0.1", 9)).close()


class AlsoPosts(logging.FileHandler):
    """A log file that sends, too."""

    def emit(self, record):
        super().emit(record)
        socket.create_connection(("127.0.0.1", 9)).close()


class Bare(logging.Formatter):
    """A formatter that shows only the level."""

    def format(self, record):
        return record.levelname


BARE = {"bare": {"()": f"{__name__}.Bare"}}
OWN = {"Pager": {}, "Handles": {}, "Collects": {"capacity": 10_000}, "AlsoPosts": {"filename": "app.log"}}


@pytest.mark.parametrize("name", OWN)
def test_record_itself(name, capfd):
    """A handler that formats only the level could take everything from the record: that is never ok."""
    path = configured({"it": {"class": f"{__name__}.{name}", "formatter": "bare", **OWN[name]}}, formatters=BARE)
    line = lines(path, code=0)[f"it (root's {name})"]
    assert line["verdict"] == "note"
    assert {("password", "message"), ("card number", "extra"), ("JWT", "local variable")} <= line["finds"]
    assert "sees the records themselves" in line["text"]
    assert "only what it formats, or writes to its file, was looked at" in line["text"]
    run("selftest", "secrets", path, "--strict", code=1)
    assert "sees the records themselves" in " ".join(run("selftest", "secrets", "--help").split())
    assert capfd.readouterr() == ("", "")


def test_only_what_is_formatted():
    """A handler of logging's sees no more than what it formats."""
    path = configured({"out": {"class": "logging.StreamHandler", "formatter": "bare"}}, formatters=BARE)
    run("selftest", "secrets", path, "--strict")
    assert lines(path)["out (root's StreamHandler)"]["verdict"] == "ok"


class Empties(logging.Filter):
    """A filter that leaves nothing in a record."""

    def filter(self, record):
        return logging.makeLogRecord({"msg": "[hidden]", "name": record.name, "levelno": record.levelno})


@pytest.mark.skipif(sys.version_info < (3, 12), reason="a filter may return another record from 3.12 on")
def test_record_without_secrets():
    """Where a filter takes them out of the records, a handler that sees those is ok."""
    pager = {"class": f"{__name__}.Pager", "filters": ["empties"]}
    found = lines(configured({"pager": pager}, filters={"empties": {"()": f"{__name__}.Empties"}}))
    assert found["pager (root's Pager)"]["verdict"] == "ok"


class Refuses(logging.Filter):
    """A filter that lets nothing pass."""

    def filter(self, record):
        return False


class Fails(logging.Filter):
    """A filter with a bug."""

    def filter(self, record):
        raise ValueError(record.getMessage())


UNTRIED = {
    "before_send": {"()": "loghub.EventFilter", "before_send": f"{__name__}.drop"},
    "ignore": {"()": "loghub.EventFilter", "ignore": ["*"]},
    "filter": {"()": f"{__name__}.Refuses"},
    "bug": {"()": f"{__name__}.Fails"},
}


@pytest.mark.slow
@pytest.mark.parametrize("why", [*UNTRIED, "level"])
def test_not_tried(why):
    """Where nothing arrives, nothing was tried: none, a last line, and exit code 1 with --strict."""
    handlers = {"github": GITHUB, "detail": {"class": "loghub.JSONDetailHandler"}}
    if why not in {"before_send", "ignore"}:
        handlers["file"] = {"class": "logging.FileHandler", "filename": "app.log"}
    more = {"level": "FATAL"} if why == "level" else {"filters": ["it"]}
    handlers = {name: {**said, **more} for name, said in handlers.items()}
    root = {"handlers": list(handlers), "level": 60 if why == "level" else "INFO"}
    path = configured(handlers, filters={"it": UNTRIED.get(why, {"()": "loghub.EventFilter"})}, root=root)
    found = [line for line in run_all(path, code=0) if line["sink"] != "logging"]
    assert {line["verdict"] for line in found} == {"none"}
    assert all("nothing of what was logged arrived there" in line["text"] for line in found)
    said = run("selftest", "secrets", path).splitlines()
    assert "none  journal and ledger: nothing of what was logged" in "\n".join(said)
    assert said[-1] == f"{len(found)} of these were not tried, so nothing is known of them."
    assert any("raised ValueError" in line for line in said) is (why == "bug")
    run("selftest", "secrets", path, "--strict", code=1)


@pytest.mark.slow
@pytest.mark.parametrize("ignore", ["RuntimeError", "ValueError", "LookupError", "OSError", "Exception", "app.*"])
def test_ignored_classes(ignore):
    """What is usually ignored does not keep the made-up errors away."""
    event = {"()": "loghub.EventFilter", "ignore": [ignore]}
    found = lines(configured({"github": {**GITHUB, "filters": ["event"]}}, filters={"event": event}))
    assert {line["verdict"] for line in found.values()} == {"ok"}


class Below(logging.Filter):
    """A filter for what is no error."""

    def filter(self, record):
        return record.levelno < logging.WARNING


@pytest.mark.parametrize("said", [{"()": f"{__name__}.Below"}, {"name": "acme"}])
def test_filtered(said):
    """What only takes harmless levels, or one logger, is tried as well."""
    out = {"class": "logging.StreamHandler", "filters": ["it"]}
    found = lines(configured({"out": out}, filters={"it": said}))
    assert ("password", "message") in found["out (root's StreamHandler)"]["finds"]


@pytest.mark.parametrize("handlers", [{}, {"null": {"class": "logging.NullHandler"}}])
def test_no_handlers(handlers, capfd):
    """Without handlers there is nothing to try, which is one sentence and exit code 1; nothing is printed beside it."""
    done = CliRunner().invoke(main, ["selftest", "secrets", configured(handlers)])
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "has no handler" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert capfd.readouterr() == ("", "")


def chatter(event):
    """Stand for a before_send that prints, fails, and leaves a thread that fails later."""

    def fail():
        time.sleep(0.2)
        raise ValueError(event["message"])

    print(event)
    threading.Thread(target=fail).start()
    raise ValueError(event["message"])


class Broken(logging.Formatter):
    """A formatter with a bug."""

    def format(self, record):
        raise ValueError(record.getMessage())


@pytest.mark.slow
def test_silence():
    """What handlers, filters, threads and logging itself print on the way, or at the end of a process, is not seen."""
    event = {"()": "loghub.EventFilter", "before_send": f"{__name__}.chatter"}
    handlers = {
        "detail": {"class": "loghub.JSONDetailHandler", "filters": ["event"]},
        "broken": {"class": "logging.StreamHandler", "formatter": "broken"},
        "smtp": {"class": "logging.handlers.SMTPHandler", "mailhost": "127.0.0.1", "fromaddr": "a@example.com",
                 "toaddrs": ["b@example.com"], "subject": "x", "formatter": "broken"},
        "it": {"class": f"{__name__}.Collects", "capacity": 3},
        "handles": {"class": f"{__name__}.Handles"},
    }  # fmt: skip
    formatters = {"broken": {"()": f"{__name__}.Broken"}}
    path = configured(handlers, filters={"event": event}, formatters=formatters)
    done = subprocess.run(
        [sys.executable, "-m", "loghub", "selftest", "secrets", path, "--json"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert json.loads(done.stdout)
    assert done.returncode == 0


def test_memory_and_loggers():
    """What stands behind a buffer, and what only one logger has, is looked at as well."""
    path = configured(
        {
            "file": {"class": "logging.FileHandler", "filename": "app.log"},
            "buffer": {"class": "logging.handlers.MemoryHandler", "capacity": 10_000, "target": "file"},
            "own": {"class": "logging.StreamHandler"},
            "idle": {"class": "logging.StreamHandler"},
        },
        root={"handlers": ["buffer"]},
        loggers={"selftest.own": {"handlers": ["own"], "propagate": False}},
    )
    found = lines(path, code=0)
    assert found["file (FileHandler)"]["finds"]
    assert found["own (selftest.own's StreamHandler)"]["finds"]
    assert "no logger has it" in json.dumps([line["text"] for line in found.values()])


def test_wrong_configuration():
    """A mistake in the configuration is said as by loghub check."""
    path = configured({"github": {**GITHUB, "labls": []}})
    assert "did you mean 'labels'" in run("selftest", "secrets", path, code=1)
    assert "cannot be read" in run("selftest", "secrets", "nowhere.yaml", code=1)
