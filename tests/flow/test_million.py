"""A million occurrences of 500 bugs in an hour: within every budget, and all of them counted."""

from __future__ import annotations

import logging
import random
import sys
from collections import Counter

import pytest

from loghub.github.block import read_state
from tests.github_bench import REPO

BUGS, OCCURRENCES, HOUR, STEP = 500, 1_000_000, 3600, 10

SOURCE = """
def fail_{number}():
    raise ValueError("bad price")
"""


def thrown(number):
    """Return the exception of one bug, raised once."""
    names = {}
    exec(compile(SOURCE.format(number=number), f"shop/part_{number}.py", "exec"), names)
    try:
        names[f"fail_{number}"]()
    except ValueError:
        return sys.exc_info()


def in_an_hour(requests, started):
    """Return the requests of the hour, those that cost nothing left out, and the most writes in one minute."""
    counted = [one for one in requests if one.time <= started + HOUR and one.status != 304]
    minutes = Counter(int((one.time - started) // 60) for one in counted if one.method == "POST")
    return counted, max(minutes.values())


@pytest.mark.shows("github limits", "bounded")
@pytest.mark.shows("storm", "nothing lost", "bounded")
@pytest.mark.slow
def test_a_million(bench):
    """Requests stay within what the meanest token may; in the end each bug has its issue, and all is counted."""
    one = bench()
    one.fake.clock = one.clock
    one.fake.limits.requests_per_hour = 1_000  # of a workflow's GITHUB_TOKEN
    one.fake.limits.creations_per_minute = 40
    started = one.clock.now
    bugs = [thrown(number) for number in range(BUGS)]
    chosen = random.Random(4).choices(range(BUGS), weights=[1 / (rank + 1) for rank in range(BUGS)], k=OCCURRENCES)
    size = OCCURRENCES * STEP // HOUR + 1
    for start in range(0, OCCURRENCES, size):
        for number in chosen[start : start + size]:
            record = one.log.makeRecord("shop.cart", logging.ERROR, "shop.py", 1, "failed", (), bugs[number], "fail")
            record.created = one.clock.now
            one.log.handle(record)
        one.round()
        one.clock.now = max(one.clock.now, started + HOUR * min(1, (start + size) / OCCURRENCES))
    assert one.clock.now <= started + HOUR
    ledger = one.handler.home.ledger()
    assert ledger.totals() | {"groups": BUGS, "occurrences": OCCURRENCES, "dropped": 0} == ledger.totals()
    counted, busiest = in_an_hour(one.fake.requests, started)
    print(len(counted), "requests in the hour,", busiest, "creations in its busiest minute")
    assert len(counted) < 1_000
    assert [request for request in counted if request.status in (403, 429)] == []
    storm = next(issue for issue in one.fake.issues(REPO) if "Storm" in issue["title"])
    assert "440 bugs" in storm["body"]
    assert len(one.issues()) == 60
    home = one.handler.home
    while ledger.outbox() and one.clock.now < started + 48 * HOUR:
        one.clock.now = max(one.clock.now + 1, min(home.look_at, home.wake_at))
        one.round()
    assert len(one.issues()) == BUGS
    assert sum(read_state(issue["body"]).count for issue in one.issues()) == OCCURRENCES
    assert [request for request in one.fake.requests if request.status in (403, 429)] == []
