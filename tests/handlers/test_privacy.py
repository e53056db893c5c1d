"""What may not be told is told to nobody: the machine and its name, and a public repository's readers."""

from __future__ import annotations

import json
import logging
import os
import socket

import pytest

from loghub import filters
from loghub.filters import EventFilter
from loghub.github.block import read_state
from loghub.handlers.detailfile import JSONDetailHandler
from loghub.handlers.smtp import BatchingSMTPHandler
from tests.fakes.smtp import FakeSMTP
from tests.github_bench import REPO, writes

HOST = "kiwi-host-77"
PERSON = "ada-of-the-house"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Make this a machine with a telling name, and a home of a person with one."""
    home = tmp_path / PERSON
    home.mkdir()
    monkeypatch.setattr(socket, "gethostname", lambda: HOST)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("LOGHUB_HOME", str(home / "loghub"))
    monkeypatch.chdir(home)
    return home


def by_option(handler, monkeypatch):
    """Leave it out by the option of an EventFilter."""
    handler.filters[:] = [EventFilter(include_system_info=False)]


def by_variable(handler, monkeypatch):
    """Leave it out by seed A's variable, without any filter."""
    monkeypatch.setenv("ERROR_REPORTING_INCLUDE_SYSTEM_INFO", "false")
    monkeypatch.setattr(filters, "_shared", None)


BOTH = pytest.mark.parametrize("leave_out", [by_option, by_variable])


def sent(fake):
    """Return all that the stand-in was told, as text."""
    return "\n".join(f"{one.method} {one.path} {json.dumps(one.body)}" for one in fake.requests)


@BOTH
def test_issue(bench, machine, monkeypatch, leave_out):
    """An issue, its comments and the storm issue name neither the host nor the system nor whose home it is."""
    one = bench(issues_per_hour=1, home=str(machine / "loghub"))
    leave_out(one.handler, monkeypatch)
    one.fail(times=10)
    one.fail(KeyError)
    one.round()
    one.clock.now += 4000
    one.fail(times=90)
    one.round()
    assert one.count() >= 10
    assert "Storm" in sent(bench.fake)
    assert "ValueError" in sent(bench.fake)
    for word in (HOST, PERSON, "System Information", "Hosts", "python_version", "on host"):
        assert word not in sent(bench.fake), word
    assert read_state(bench.fake.issue(REPO, 1)["body"]).servers == {}


def test_issue_says_the_host(bench, machine):
    """Unless it is left out, the host is named: the test above would see it."""
    one = bench(home=str(machine / "loghub"))
    one.fail()
    one.round()
    body = bench.fake.issue(REPO, 1)["body"]
    assert f"| Hosts | `{HOST}` |" in body
    assert "### System Information" in body


@BOTH
def test_mail(machine, monkeypatch, leave_out):
    """A mail names them neither in text, HTML and headers, nor does the server that takes it learn the name."""
    greetings = []
    with FakeSMTP() as server:
        server.faults["EHLO"] = greetings.append
        handler = BatchingSMTPHandler([server.host, server.port], "shop", "team@example.com", flush_interval=0)
        leave_out(handler, monkeypatch)
        _fail(handler)
        assert handler.home.round()
        handler.close()
    (mail,) = server.mails
    parts = [str(part.get_content()) for part in mail.message.walk() if part.get_content_maintype() == "text"]
    text = "\n".join([*parts, *(f"{name}: {value}" for name, value in mail.message.items())])
    assert "ValueError" in text
    for word in (HOST, PERSON):
        assert word not in text, word
    assert greetings == ["localhost"]


def test_mail_says_the_host(machine):
    """Unless it is left out, the mail server is told by whom the mail is sent."""
    greetings = []
    with FakeSMTP() as server:
        server.faults["EHLO"] = greetings.append
        handler = BatchingSMTPHandler([server.host, server.port], "shop", "team@example.com", flush_interval=0)
        _fail(handler)
        assert handler.home.round()
        handler.close()
    assert greetings == [HOST]
    assert HOST in str(server.mails[0].message["Message-ID"])


@BOTH
def test_files(machine, monkeypatch, leave_out):
    """Neither detail files nor journal nor ledger hold them, beyond where the frames say that the code is."""
    handler = JSONDetailHandler(directory="errors")
    leave_out(handler, monkeypatch)
    _fail(handler)
    (name,) = os.listdir("errors")
    with open(os.path.join("errors", name), encoding="utf-8") as file:
        event = json.load(file)
    assert event["server"] == ""
    assert "system" not in event
    handler.home.fold()
    assert handler.home.ledger().groups()[0].servers == {}
    for one in (event, *handler.home.ledger().events(5)):
        said = json.dumps({key: value for key, value in one.items() if key not in ("frames", "traceback")})
        assert HOST not in said
        assert PERSON not in said
    handler.close()


def test_public_is_told_nothing(bench, caplog):
    """With allow_public: false a public repository's API hears no word of any error; one line says so, all is kept."""
    caplog.set_level(logging.INFO, "loghub")
    one = bench(allow_public=False, codeowners=True, title="{message}")
    for _ in range(3):
        one.fail(text="the-words-of-the-error")
        one.fail(KeyError, text="the-words-of-the-error")
        one.round(closing=True)
        one.clock.now += 3700
    assert writes(bench.fake) == []
    assert {(request.method, request.path, request.body) for request in bench.fake.requests} == {
        ("GET", f"/repos/{REPO}", None)
    }
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert f"{REPO} is public and allow_public is false: nothing is sent; make it private, or allow it." in warnings[0]
    assert sorted(row["waiting"] for row in one.outbox()) == [3, 3]
    assert {row["state"] for row in one.outbox()} == {"waiting"}
    bench.fake.repo(REPO).private = True
    assert one.round()
    assert one.count() == 3


def _fail(handler):
    log = logging.Logger("shop")  # noqa: LOG001 - one that no other test sees
    log.addHandler(handler)
    try:
        raise ValueError("bad price")
    except ValueError:
        log.exception("failed")
    log.removeHandler(handler)
