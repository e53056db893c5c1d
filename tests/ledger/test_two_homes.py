"""Hosts, each with a home of its own, and one ledger for all of them."""

from __future__ import annotations

import json
import os

import pytest

from loghub.ledger.address import read_address
from loghub.ledger.postgres import PostgresLedger
from tests import processes
from tests.postgres import PASSWORD, Server, free_port

pytestmark = pytest.mark.slow

REPORTING = """
import logging, os, sys, time, loghub
home, url, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
handler = loghub.JSONDetailHandler(home=home, ledger=url, directory=home + "/errors")
own = logging.getLogger("loghub")
own.setLevel(logging.INFO)
own.addHandler(logging.StreamHandler(sys.stdout))
logging.getLogger().addHandler(handler)
for n in range(times):
    try:
        raise ValueError("bad price")
    except ValueError:
        logging.getLogger("shop").exception("order failed")
    time.sleep(0.01)
"""
END = """
logging.shutdown()
print("over")
"""
KILLED = "import signal\nos.kill(os.getpid(), signal.SIGKILL)\n"


@pytest.fixture
def mortal():
    """Return a server that a test may stop."""
    one = Server()
    yield one
    one.close()


def counts(url):
    """Return the count of each group in a ledger."""
    ledger = PostgresLedger(read_address(url))
    try:
        return [one.count for one in ledger.groups()]
    finally:
        ledger.close()


def loghub(*args, code=0):
    """Run the command; return what it printed and said on stderr."""
    return processes.run("import sys; from loghub.cli import main; main(sys.argv[1:])", *args, code=code, seconds=60)


def test_one_group(postgres, tmp_path):
    """What processes with homes of their own report is one group with the sum of their counts, in every reader."""
    url = postgres.url(postgres.empty_schema())
    for name, times in (("one", 3), ("two", 4)):
        processes.run(REPORTING + END, tmp_path / name, url, times)
    assert counts(url) == [7]
    for name in ("one", "two"):
        assert sorted(os.listdir(tmp_path / name / "journal")) == []
        assert not (tmp_path / name / "ledger.db").exists()
    (group,) = json.loads(loghub("groups", "--json", "--home", tmp_path / "three", "--ledger", url)[0])
    assert (group["error_type"], group["count"]) == ("ValueError", 7)
    assert len(json.loads(loghub("recent", "--json", "--home", tmp_path / "three", "--ledger", url)[0])) == 7


def test_killed(postgres, tmp_path):
    """What a process had written when it was killed is folded by the next on its host, once."""
    url = postgres.url(postgres.empty_schema())
    processes.run(REPORTING + KILLED, tmp_path / "one", url, 5, code=-9)
    for _ in range(2):
        loghub("drain", "--home", tmp_path / "one", "--ledger", url)
    assert counts(url) == [5]


@pytest.mark.shows("database away", "nothing lost", "nothing twice", "application unharmed", "said")
def test_away(mortal, tmp_path):
    """While the database is away nothing waits for it, which is said once; when it is there all is counted once."""
    url = mortal.url()
    mortal.stop()
    out, _ = processes.run(REPORTING + END, tmp_path, url, 150)
    said = [line for line in out.splitlines() if "Error reporter" in line]
    assert len(said) == 1
    assert "cannot be used now" in said[0]
    assert "Errors are kept in the journal until then." in said[0]
    assert PASSWORD not in out
    assert len(os.listdir(tmp_path / "journal")) == 1
    mortal.start()
    loghub("drain", "--home", tmp_path, "--ledger", url)
    assert counts(url) == [150]
    assert os.listdir(tmp_path / "journal") == []


BACK = """
deadline = time.monotonic() + 60
while not loghub.flush(0.5) and time.monotonic() < deadline:
    time.sleep(0.1)
print("flushed")
os._exit(0)
"""


def test_back_while_it_runs(mortal, tmp_path):
    """A process that goes on folds what it wrote meanwhile when the database is back, and says that it is."""
    url = mortal.url()
    mortal.kill()
    with processes.python(REPORTING + BACK, tmp_path, url, 100, seconds=90) as process:
        said = process.stdout.readline()
        assert "cannot be used now" in said
        mortal.start()
        rest = process.stdout.read()
    assert "the ledger can be used again" in rest
    assert "flushed" in rest
    assert counts(url) == [100]


SWALLOWED = """
time.sleep(0.5)
started = time.monotonic()
logging.shutdown()
assert time.monotonic() - started < 30  # shutdown_timeout is 2 s, and the connection has 60
print("shut down in time")
os._exit(0)
"""


@pytest.mark.shows("database hangs", "ends in time")
def test_a_database_that_answers_nothing(mortal, tmp_path):
    """A process ends in its time although the database holds every connection and says nothing."""
    url = mortal.url(connect_timeout="60")
    mortal.pause()
    try:
        out, _ = processes.run(REPORTING + SWALLOWED, tmp_path, url, 5, seconds=60)
    finally:
        mortal.go_on()
    assert "shut down in time" in out
    loghub("drain", "--home", tmp_path, "--ledger", url)
    assert counts(url) == [5]


def test_check(postgres, tmp_path):
    """`loghub check` says which ledger it is and that it answers, or that it does not, and never the password."""
    config = tmp_path / "logging.yaml"
    config.write_text(
        "version: 1\nhandlers:\n  github: {class: loghub.GitHubIssueHandler, home: " + str(tmp_path / "home") + "}\n"
        "root: {handlers: [github]}\n"
    )
    url = postgres.url(postgres.empty_schema())
    out, err = loghub("check", "--ledger", url, config)
    assert f"postgresql://postgres@127.0.0.1:{postgres.port}/postgres answers: 0 groups, 0 errors." in out
    away = postgres.url(port=free_port())
    wrong, err = loghub("check", "--ledger", away, config, code=1)
    assert "cannot be used now: connection" in wrong
    assert PASSWORD not in out + wrong + err
