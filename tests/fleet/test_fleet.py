"""Six hosts with one memory: processes are killed, the database too, and everything adds up."""

from __future__ import annotations

import random
import re
import time

import psycopg
import pytest

from loghub.github.block import read_state
from tests.fakes.github import FakeGitHub
from tests.fakes.smtp import FakeSMTP
from tests.fleet.hosts import BUGS, Host

pytestmark = pytest.mark.slow

HOSTS, BATCHES, ERRORS = 6, 20, 500
"""60,000 errors: so many hosts, each so often so many."""


def storm(hosts, server, chance):
    """Have all hosts fail; meanwhile kill one after the other, and three times the database, for two batches each."""
    for batch in range(BATCHES):
        for host in hosts:
            host.fail(ERRORS)
        if batch in (4, 9, 14):
            server.kill()
        if batch in (6, 11, 16):
            server.start()
        for host in chance.sample(hosts, 2):
            host.kill()
        for host in hosts:
            host.wait()


def mailed(smtp):
    """Return how many occurrences mails have told of."""
    subjects = [str(mail.message["Subject"]) for mail in smtp.mails]
    return sum(int(re.search(r"\d+(?= occurrences)", subject)[0]) for subject in subjects)


@pytest.mark.shows("host cut off", "nothing lost", "nothing twice")
def test_the_fleet(tmp_path, server, address):
    """60,000 errors of 50 bugs on six hosts, 40 kills and three restarts: 50 issues, and every count is exact."""
    with FakeGitHub("acme/shop") as github, FakeSMTP() as smtp:
        hosts = [Host(tmp_path / f"web-{n}", address, github, smtp) for n in range(HOSTS)]
        storm(hosts, server, random.Random(10))
        for host in hosts:
            host.end()
        eventually(lambda: answers(address))  # a pooler turns clients away for a while after a restart
        for host in hosts:
            host.groups()  # whoever comes next takes in what the end of a process had no time for
        hosts[0].loghub("drain", "--timeout", "300")
        counts = [read_state(issue["body"]).count for issue in github.issues("acme/shop")]
        assert github.violations == []
        groups = hosts[0].groups()
        each = HOSTS * BATCHES * ERRORS // BUGS
        assert [group["count"] for group in groups] == [each] * BUGS
        assert counts == [each] * BUGS
        assert mailed(smtp) == each * BUGS


def answers(address):
    """Return whether the database can be reached."""
    try:
        with psycopg.connect(address.partition("?")[0]) as connection:
            connection.execute("SELECT 1")  # a pooler by itself takes clients also without a server
    except psycopg.OperationalError:
        return False
    return True


def eventually(holds):
    """Wait until something holds."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.shows("host cut off", "nothing lost", "nothing twice")
def test_taken_over(tmp_path, server, address, when):
    """Who is cut off while GitHub opens an issue for him is taken over when his lease is over; there is one issue."""
    with FakeGitHub("acme/shop") as github, FakeSMTP() as smtp:
        github.fault("POST */issues", "hang", when, seconds=300)
        first, second = (Host(tmp_path / f"web-{n}", address, github, smtp, lease=4.0) for n in range(2))
        first.fail(1)
        first.wait()
        eventually(lambda: any(request.method == "POST" for request in github.requests))
        first.cut_off()
        second.fail(1)
        second.wait()
        said = sum(request.method == "PATCH" for request in github.requests)
        eventually(lambda: len(github.issues("acme/shop")) == 1)
        eventually(lambda: when == "before" or sum(one.method == "PATCH" for one in github.requests) > said)
        first.go_on()
        first.end()
        second.end()
        second.loghub("drain", "--timeout", "60")
        counts = [read_state(issue["body"]).count for issue in github.issues("acme/shop") if issue["state"] == "open"]
        assert counts == [second.groups()[0]["count"]] == [2]
        assert github.violations == []
