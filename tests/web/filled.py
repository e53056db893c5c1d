"""Homes with errors in them, for the tests of pages."""

from __future__ import annotations

import contextlib
import itertools
import os
import time

from loghub.delivery import deliverer
from loghub.event import iso
from loghub.journal.reading import Fold, Tally
from loghub.ledger.sqlite import SQLiteLedger
from loghub.web import create_app

HOUR = 3600
_names = itertools.count()


def fingerprint_of(number):
    """Return the fingerprint of a group."""
    return f"v1:{number:016x}"


def event_of(number, at, serial=0, **more):
    """Return an event of a group."""
    return {
        "timestamp": iso(at), "error_type": f"Kind{number}Error", "error_message": f"order {number} lost",
        "module": "shop.cart" if number % 2 else "shop.till", "function": "total", "id": f"{number:016x}{serial:016x}",
        "fingerprint": fingerprint_of(number), "level": "ERROR" if number else "CRITICAL", "logger": "shop",
        "component": "web" if number < 3 else "batch", "environment": "production", "release": f"1.{number % 2}",
        "error_module": "shop.errors", "additional_info": {"customer": f"c{number}"},
    } | more  # fmt: skip


def fold(home, *tallies):
    """Fold (event, occurrences, when) into the ledger of a home, each as a stretch of a journal of its own."""
    os.makedirs(home, exist_ok=True)
    ledger = SQLiteLedger(os.path.join(home, "ledger.db"))
    for event, count, at in tallies:
        severity = {"CRITICAL": 50, "WARNING": 30}.get(event["level"], 40)
        tally = Tally(event=event, count=count, first_at=at, last_at=at, level=severity, kept=[event])
        tally.hours[int(at // HOUR), event["release"], event["environment"]] += count
        tally.releases[event["release"]] += count
        tally.environments[event["environment"]] += count
        ledger.fold(Fold(f"filled-{os.getpid()}-{next(_names)}", 0, 1, {event["fingerprint"]: tally}))
    ledger.close()


def groups(home, count, *, hours_apart=25.0, issues=False):
    """Fill a home with groups, the first the newest, each a bit older than the one before; group n has n + 1 errors."""
    now = time.time()
    times = [now - number * hours_apart * HOUR - 60 for number in range(count)]
    fold(home, *((event_of(number, at), number + 1, at) for number, at in enumerate(times)))
    if issues:
        ledger = SQLiteLedger(os.path.join(home, "ledger.db"))
        ledger._rows("UPDATE groups SET issue_url = 'https://github.com/acme/shop/issues/' || id")
        ledger.close()


@contextlib.contextmanager
def pages(home, **options):
    """Have the pages of a home as an application, also for several tests, and let go of the home afterwards."""
    before = deliverer.homes()
    app = create_app(str(home), **(options or {"no_login": True}))
    opened = [one for one in deliverer.homes() if one not in before]
    yield app
    for one in opened:
        one.close(5.0)
        one.ledger().close()
