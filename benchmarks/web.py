"""What the first page takes with 1,000,000 occurrences of 10,000 groups, beside a page of Flask that says "ok".

    python benchmarks/web.py [--rounds 7] [--only '/errors'] [--quick] [--json FILE] [--markdown]

The ledger is that of history.py. Each page is asked of the WSGI application in this process, anew: what the server
keeps for those who look again is not asked for. Shown are wall time and processor time of the process, the ratio of the
wall time to the bare page's, and the size.
"""

import itertools
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import history as filled
import rounds
from flask import Flask

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from loghub.web import create_app

MOST_MS = 300
BARE = "bare Flask page"
PAGES = {
    "/errors": "/errors?",
    "/errors, of 30 days, by count": "/errors?since=30d&sort=count",
    "/errors, of a type": "/errors?type=Kind7Error",
    "/errors, with a text": "/errors?text=part77+",
    "/errors, second page": "/errors?after={after}",
    "/errors/live, unchanged": "/errors/live",
}


def bare():
    """Return an application that answers, and does nothing else."""
    app = Flask("bare")
    app.add_url_rule("/", view_func=lambda: "ok")
    return app.test_client()


def asked(client, url, headers=None):
    """Ask for a page; return milliseconds of wall and of processor, and its bytes."""
    wall, cpu = time.perf_counter(), time.process_time()
    answer = client.get(url, headers=headers)
    took = (time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000
    assert answer.status_code in (200, 304), (url, answer.status)
    return {"wall": took[0], "cpu": took[1], "bytes": len(answer.data)}


def main():
    """Print the table and the goals."""
    args = rounds.arguments(__doc__, 7)
    occurrences, groups = (3000, 100) if args.quick else (1_000_000, 10_000)
    filled.NOW = time.time() - 60  # the page is of now
    numbers = itertools.count()
    with tempfile.TemporaryDirectory() as home:
        ledger = filled.fill(os.path.join(home, "ledger.db"), occurrences, groups)
        after = ledger.groups(50).after
        ledger.close()
        plain, client = bare(), create_app(home, no_login=True).test_client()
        etag = client.get("/errors/live").headers["ETag"]

        def measure(name):
            if name == BARE:
                return asked(plain, "/")
            if "live" in name:
                return asked(client, PAGES[name], {"If-None-Match": etag})
            # A place in the list of recent errors that is none is said, and makes of the same page another one.
            url = PAGES[name].format(after=after)
            return asked(client, f"{url}&older=none-{next(numbers)}")

        chosen = rounds.chosen(args, [BARE, *PAGES])
        for name in chosen:
            measure(name)
        etag = client.get("/errors/live").headers["ETag"]
        found = rounds.interleaved(chosen, args.rounds, measure)
    rows, goals = [], []
    for name in chosen:
        ratios = rounds.ratios(found, name, BARE, "wall")
        wall, cpu = ([one[key] for one in found[name]] for key in ("wall", "cpu"))
        size = statistics.median(one["bytes"] for one in found[name]) / 1024
        ratio = f"{statistics.median(ratios):,.0f}" if ratios else ""
        rows.append([name, rounds.spread(wall, "{:.1f}"), rounds.spread(cpu, "{:.1f}"), ratio, f"{size:.0f}"])
        if name in ("/errors", "/errors, second page"):
            goals.append(rounds.Goal(name, wall, MOST_MS, "{:.0f}", " ms"))
            goals.append(rounds.Goal(f"{name}, of processor", cpu, MOST_MS, "{:.0f}", " ms"))
    head = ["page", "ms", "ms of processor", f"x {BARE}", "KiB"]
    rounds.report(args, [(head, rows)], goals, found)


if __name__ == "__main__":
    main()
