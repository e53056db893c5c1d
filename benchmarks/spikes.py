"""How often the spike test cries wolf and what it sees, beside Poisson's test; how steady the trend's words are.

    python benchmarks/spikes.py [--groups 20] [--quick] [--markdown]

Each family of `tests/series.py` that stays as it is has so many groups, known for four weeks and then asked each hour
for four more; the young are asked from their first hour on, which is any, for four weeks. Alarms are runs of hours with
a spike; words are asked every seventh hour. Power is the share of cases in which so many more occurrences in the hour
that runs, at any minute of any hour of the week, are called a spike; the second table has an outage of 3,000 nine days
before. What a call costs is over that of summing the group's hours.
"""

import argparse
import random
import sys
import timeit
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.forecast import show
from loghub import tails, trend
from tests import series

FAMILIES = (*series.STATIONARY, *series.UNTRIED)
FIRST, WEEKS = series.START * trend.HOUR, 4
MORE = (10, 30, 100, 300, 1000)


def poisson(hours, first, now):
    """Return whether Poisson's test against the same two hours of 28 days cries, at the same threshold."""
    assert first + 28 * trend.DAY <= now
    hour = int(now // trend.HOUR)
    observed, *before = (hours.get(hour - 24 * day, 0) + hours.get(hour - 1 - 24 * day, 0) for day in range(29))
    expected = sum(before) / 28
    return observed >= trend.SPIKE_LEAST and tails.at_least(observed, expected, 1) < trend.SPIKE_PROBABILITY


def alarms(test, family, groups):
    """Return runs of hours with an alarm, per group, in four weeks."""
    begin = series.START + 24 * 28
    return (
        sum(runs(test, series.hours_of(family, seed, 28 + 7 * WEEKS), FIRST, begin) for seed in range(groups)) / groups
    )


def young_alarms(family, groups):
    """Return runs of hours with a spike, per group, in its first four weeks."""
    total = 0
    for seed in range(groups):
        hours = series.hours_of(family, seed, 100)
        first = min(hour for hour in hours if hour >= series.START + 37 * seed % 720)
        hours = {hour: count for hour, count in hours.items() if hour >= first}
        total += runs(trend.spike, hours, first * trend.HOUR, first)
    return total / groups


def runs(test, hours, first, begin):
    """Return how many runs of hours with an alarm four weeks from the hour `begin` have."""
    found = [bool(test(hours, first, (hour + 1) * trend.HOUR - 1)) for hour in range(begin, begin + 168 * WEEKS)]
    return sum(now and not last for last, now in zip([False, *found], found, strict=False))


def words(family, groups):
    """Return the share of each word."""
    found = Counter()
    for seed in range(groups):
        hours = series.hours_of(family, seed, 28 + 7 * WEEKS)
        for hour in range(series.START + 24 * 28, series.START + 24 * 28 + 168 * WEEKS, 7):
            past = {one: count for one, count in hours.items() if one <= hour}
            found[trend.trend(past, FIRST, (hour + 1) * trend.HOUR - 1).word] += 1
    return {word: count / found.total() for word, count in found.items()}


def power(family, more, outage):
    """Return the share of 60 cases that are seen."""
    seen = 0
    for seed in range(60):
        rng = random.Random(seed)
        hour, part = series.START + 24 * 28 + rng.randrange(168), rng.random()
        hours = {one: count for one, count in series.hours_of(family, seed, 36).items() if one < hour}
        if outage:
            begins = hour - 24 * 9 - rng.randrange(24)
            hours |= dict.fromkeys(range(begins, begins + 3), 1000)
        seen += trend.spike(hours | {hour: more}, FIRST, (hour + part) * trend.HOUR) is not None
    return seen / 60


def costs():
    """Return rows: what is asked, and how many times what it takes to sum the hours of a busy group of eight weeks."""
    hours = series.hours_of(series.steady, 1, 56)
    now = FIRST + 56 * trend.DAY
    silent = {hour: count for hour, count in hours.items() if hour < now // trend.HOUR - 2}
    peer = min(timeit.repeat(lambda: sum(hours.values()), number=200, repeat=7))
    asked = {
        "spike, nothing lately": lambda: trend.spike(silent, FIRST, now),
        "spike, as usual": lambda: trend.spike(hours, FIRST, now),
        "spike, found": lambda: trend.spike(hours | {now // trend.HOUR - 1: 900}, FIRST, now),
        "trend": lambda: trend.trend(hours, FIRST, now),
    }
    took = {name: min(timeit.repeat(call, number=200, repeat=7)) for name, call in asked.items()}
    return [["cost of", "sums"], *([name, f"{seconds / peer:.1f}"] for name, seconds in took.items())]


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="few groups: does it work?")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    groups = 2 if options.quick else options.groups
    verdicts = ("steady", "rising", "falling", "gone")
    rows = [["false alarms in 4 weeks", "loghub", "Poisson", "young", *verdicts]]
    for family in FAMILIES:
        shares = words(family, groups)
        counts = [f"{alarms(test, family, groups):.2f}" for test in (trend.spike, poisson)]
        young = f"{young_alarms(family, groups):.2f}"
        rows.append([family.__name__, *counts, young, *(f"{shares.get(word, 0):.1%}" for word in verdicts)])
    show(rows, options.markdown)
    for outage in (False, True):
        head = ["seen after an outage" if outage else "seen", *(f"{more:,} more" for more in MORE)]
        body = [[family.__name__, *(f"{power(family, more, outage):.0%}" for more in MORE)] for family in FAMILIES]
        show([head, *body], options.markdown)
    show(costs(), options.markdown)


if __name__ == "__main__":
    main()
