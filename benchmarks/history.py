"""What questions to a full ledger take: 1,000,000 occurrences of 10,000 groups in 30 days, and a tenth of them.

    python benchmarks/history.py [--rounds 7] [--only 'recent 50'] [--quick] [--json FILE] [--markdown]

The occurrences are folded as a journal gives them, with events of some 4 KB kept as journals keep them (20 of a group
in an hour). Groups are of very unequal size, as bugs are, and come and go. Each question is asked in this process, of a
ledger that was opened anew; shown is the median, and the ratio to the same question to the small ledger.
"""

import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import rounds

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from loghub import history
from loghub.event import iso
from loghub.journal.reading import Fold, Tally
from loghub.journal.writing import KEEP_PER_GROUP
from loghub.ledger.find import Find
from loghub.ledger.sqlite import SQLiteLedger

NOW = 1_770_000_000.0
DAYS = 30
STRETCH = 2000
MEGABYTE = 1 << 20


def event_of(number, at, serial, release):
    """Return an event of a group, with 12 frames."""
    kind, module = f"Kind{number % 300}Error", f"shop.part{number % 700}"
    frames = [
        {"file": f"/srv/shop/shop/part{(number + depth) % 700}.py", "module": f"shop.part{(number + depth) % 700}",
         "function": f"Service.step_{depth}", "line": 10 * depth + number % 90, "column": 8,
         "code": f"return self.step_{depth + 1}(order, total + {depth})", "in_app": True}
        for depth in range(12)
    ]  # fmt: skip
    lines = "".join(f'  File "{one["file"]}", line {one["line"]}, in step\n    {one["code"]}\n' for one in frames)
    return {
        "timestamp": iso(at), "error_type": kind, "error_message": f"order {serial} cannot be priced",
        "module": module, "function": "Service.step_11",
        "traceback": f"Traceback (most recent call last):\n{lines}{kind}: order {serial}",
        "additional_info": {"order": serial, "customer": serial % 977}, "id": f"{serial:032x}",
        "fingerprint": f"v1:{number:016x}", "error_module": f"{module}.errors", "level": "ERROR", "logger": module,
        "message": "pricing failed", "component": f"part{number % 20}", "environment": "production",
        "release": release, "server": f"web{serial % 4}", "platform": "python", "mechanism": "logging",
        "frames": frames, "causes": [], "exceptions": [], "notes": [], "breadcrumbs": [],
        "system": {"python_version": "3.11.7"},
    }  # fmt: skip


def happened(occurrences, groups, rng):
    """Return (time, group) of each occurrence, the oldest first."""
    weights = [1 / (rank + 10) ** 0.8 for rank in range(groups)]
    begins = [rng.uniform(0, DAYS * 0.8) for _ in range(groups)]
    chosen = list(range(groups)) + rng.choices(range(groups), weights, k=occurrences - groups)
    return sorted((NOW - 86400 * rng.uniform(0, DAYS - begins[number]), number) for number in chosen)


def fill(path, occurrences, groups):
    """Make a ledger; return it, closed."""
    rng = random.Random(occurrences)
    ledger, kept = SQLiteLedger(path), Counter()
    told = happened(occurrences, groups, rng)
    for start in range(0, len(told), STRETCH):
        tallies = {}
        for serial, (at, number) in enumerate(told[start : start + STRETCH], start):
            release = f"2026.{int((NOW - at) // 432_000)}"
            tally = tallies.setdefault(f"v1:{number:016x}", Tally(level=40))
            tally.count += 1
            tally.first_at, tally.last_at = min(tally.first_at, at), max(tally.last_at, at)
            tally.hours[int(at // 3600), release, "production"] += 1
            tally.releases[release] += 1
            tally.environments["production"] += 1
            tally.servers[f"web{serial % 4}"] += 1
            kept[number, at // 3600] += 1
            if kept[number, at // 3600] <= KEEP_PER_GROUP:
                tally.kept.append(event_of(number, at, serial, release))
                tally.event = tally.kept[-1]
        assert ledger.fold(Fold("benchmark", start, start + STRETCH, tallies))
    assert ledger.totals()["occurrences"] == occurrences
    ledger.close()
    return ledger


def questions():
    """Return what is asked, by name: the call, and the most milliseconds that it may take of the large ledger."""
    week = NOW - 7 * 86400
    return {
        "recent 50": (lambda one: one.events(50), 50),
        "recent 50, of a type": (lambda one: one.events(50, Find(error_type="Kind7Error")), 50),
        "recent 50, with a text": (lambda one: one.events(50, Find(text='customer": 7')), 200),
        "recent 50, second page": (lambda one: one.events(50, after=one.events(50).after), 50),
        "stats --days 7": (lambda one: history.statistics(one, 7, lambda: NOW), 200),
        "stats --days 7, with trend and forecast": (
            lambda one: (history.statistics(one, 7, lambda: NOW), history.prospect(one, now=lambda: NOW)), 200),
        "stats --days 7, of a release": (
            lambda one: history.statistics(one, 7, lambda: NOW, Find(release="2026.0", since=week)), 200),
        "stats --days 30": (lambda one: history.statistics(one, 30, lambda: NOW), 200),
        "groups, first page": (lambda one: one.groups(50), 200),
        "groups, first page by count": (lambda one: one.groups(50, order="count"), 200),
        "groups, with a text": (lambda one: one.groups(50, Find(text="part77 ")), 200),
        "groups, first page with trends": (lambda one: history.outlooks(one, one.groups(50), lambda: NOW), 200),
        "hours of 50 groups": (lambda one: one.hours_of([row.fingerprint for row in one.groups(50)], week), 200),
    }  # fmt: skip


def ask(ledger, question, times):
    """Return what a question took each time, in milliseconds."""
    took = []
    for _ in range(times):
        ledger.close()
        ledger.offset("")  # opens it
        started = time.perf_counter()
        question(ledger)
        took.append((time.perf_counter() - started) * 1000)
    return took


def main():
    """Print the table and the goals."""
    args = rounds.arguments(__doc__, 7)
    occurrences, groups = (3000, 100) if args.quick else (1_000_000, 10_000)
    asked = questions()
    found, rows, goals = {}, [], []
    with tempfile.TemporaryDirectory() as folder:
        large, small = (fill(os.path.join(folder, f"{n}.db"), n, groups) for n in (occurrences, occurrences // 10))
        for name in rounds.chosen(args, list(asked)):
            question, most = asked[name]
            much, little = ask(large, question, args.rounds), ask(small, question, args.rounds)
            found[name] = {"large": much, "small": little}
            ratio = statistics.median(much) / statistics.median(little)
            rows.append([name, rounds.spread(little, "{:.1f}"), rounds.spread(much, "{:.1f}"), f"{ratio:.1f}"])
            goals += [
                rounds.Goal(name, much, most, "{:.1f}", " ms"),
                rounds.Goal(f"{name}, beside a tenth", [ratio], 10, "{:.1f}"),
            ]
        sizes = [os.path.getsize(one.path) / MEGABYTE for one in (small, large)]
        rows.append(["size, MiB", *(f"{size:.0f}" for size in sizes), f"{sizes[1] / sizes[0]:.1f}"])
        goals.append(rounds.Goal("size of the ledger", sizes[1:], 1000, "{:.0f}", " MiB"))
    head = ["question", f"ms of {occurrences // 10:,}", f"ms of {occurrences:,}", "ratio"]
    rounds.report(args, [(head, rows)], goals, found)


if __name__ == "__main__":
    main()
