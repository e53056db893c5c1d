"""Four processes with four threads each, all handlers from one YAML file: everything adds up."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
import yaml

from loghub.github.issue import read_state
from tests.fakes.github import FakeGitHub
from tests.fakes.smtp import FakeSMTP
from tests.processes import environment, python

pytestmark = pytest.mark.slow

PROCESSES, THREADS, ERRORS, BUGS = 4, 4, 500, 5
WORKER = """
import logging, logging.config, sys, threading, yaml

def price(number): raise ValueError(f"no price for item {number}")
def stock(number): return {}[f"item-{number}"]
def order(number):
    try: price(number)
    except ValueError as error: raise RuntimeError("order failed") from error
def queue(number): return [].pop()
def share(number): return number // 0

BUGS = [price, stock, order, queue, share]
with open(sys.argv[1]) as file:
    logging.config.dictConfig(yaml.safe_load(file))
log = logging.getLogger("shop.orders")

def work(first, errors):
    for number in range(errors):
        try: BUGS[(first + number) % len(BUGS)](number)
        except Exception: log.exception("order %d failed", number)

threads = [threading.Thread(target=work, args=(n, int(sys.argv[2]))) for n in range(int(sys.argv[3]))]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def config(folder, github, smtp):
    """Write the logging.yaml with all handlers; return its path."""
    given = {"home": str(folder / "home"), "filters": ["event"], "level": "ERROR"}
    handlers = {
        "github": {
            "class": "loghub.GitHubIssueHandler", "repo": "acme/shop", "token": github.token, "api_url": github.url,
        },
        "detail": {"class": "loghub.JSONDetailHandler", "directory": str(folder / "errors")},
        "mail": {
            "class": "loghub.BatchingSMTPHandler", "mailhost": ["127.0.0.1", smtp.port],
            "fromaddr": "shop@example.com", "toaddrs": ["team@example.com"],
        },
    }  # fmt: skip
    handlers = {name: said | given for name, said in handlers.items()}
    handlers["file"] = {
        "class": "loghub.RotatingFileHandler", "filename": str(folder / "logs" / "app.log"), "formatter": "line",
        "maxBytes": 500_000, "backupCount": 100,
    }  # fmt: skip
    handlers["uncaught"] = {"class": "loghub.UncaughtHandler", "home": str(folder / "home")}
    said = {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"event": {"()": "loghub.EventFilter", "component": "shop"}},
        "formatters": {"line": {"format": "%(asctime)s - %(levelname)s - %(message)s"}},
        "handlers": handlers,
        "root": {"level": "INFO", "handlers": list(handlers)},
    }
    path = folder / "logging.yaml"
    path.write_text(yaml.safe_dump(said))
    return path


def log_records(folder):
    """Return the numbers of log records, of tracebacks, and the lines that belong to none."""
    records = tracebacks = 0
    for path in folder.glob("app.log*"):
        text = path.read_text(encoding="utf-8")
        assert len(text) <= 500_000
        assert text.endswith("\n")
        assert re.match(r"\d{4}-\d\d-\d\d ", text)
        records += len(re.findall(r"^\d{4}-\d\d-\d\d [\d:,]{12} - ERROR - order \d+ failed$", text, re.MULTILINE))
        tracebacks += len(
            re.findall(r"^(?:ValueError|KeyError|RuntimeError|IndexError|ZeroDivisionError): ", text, re.MULTILINE)
        )
    return records, tracebacks


def test_everything_adds_up(tmp_path):
    """8,000 errors of 5 bugs: 5 issues that count 8,000, 8,000 log records, whole detail files, one mail."""
    total = PROCESSES * THREADS * ERRORS
    with FakeGitHub("acme/shop") as github, FakeSMTP() as smtp:
        path = config(tmp_path, github, smtp)
        started = [python(WORKER, path, ERRORS, THREADS, seconds=120) for _ in range(PROCESSES)]
        workers = [one.__enter__() for one in started]
        for worker in workers:
            _, said = worker.communicate(timeout=120)
            assert worker.returncode == 0, said
        for one in started:
            one.__exit__(None, None, None)
        drain = [sys.executable, "-m", "loghub", "drain", "--config", str(path), "--timeout", "60"]
        drained = subprocess.run(drain, env=environment(), capture_output=True, text=True, check=False)
        assert drained.returncode == 0, drained.stdout + drained.stderr
        counts = [read_state(issue["body"]).count for issue in github.issues("acme/shop")]
        assert counts == [total // BUGS] * BUGS
        assert github.violations == []
        assert [str(mail.message["Subject"]) for mail in smtp.mails] == [f"shop: {BUGS} errors, {total} occurrences"]
    records, tracebacks = log_records(tmp_path / "logs")
    assert records == total
    assert tracebacks == total + total // BUGS  # one bug has a cause
    details = [json.loads(one.read_text()) for one in (tmp_path / "errors").iterdir()]
    assert len({one["id"] for one in details}) == len(details) == PROCESSES * BUGS * 20
