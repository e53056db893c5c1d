"""Whether a group is new, rising, steady, falling or gone, and whether it just spikes.

Everything is computed from counts by hour (hours since the epoch -> occurrences; absent is 0) at a given `now`, in
windows that end at `now`: the hour that runs counts for as much of it as has passed. Hours after `now`, from a clock
that was set back, are left out. A group is measured against itself in the days before, never against others: the caller
hands over `HISTORY_DAYS` of them, and says since when there are any.

Counts are tested against a negative binomial distribution whose scatter (variance over mean) is that of the group's
own past, since errors come in bursts, for which Poisson's is far too narrow. After Farrington et al., "A statistical
algorithm for the early detection of outbreaks of infectious disease" (1996), and Noufaily et al., "An improved
algorithm for outbreak detection in multiple surveillance systems" (2013). `docs/trends.md` has the rules in full and
what false alarms they cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil, exp, log1p, sqrt
from statistics import NormalDist, fmean
from typing import TYPE_CHECKING, Literal

from loghub import tails

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

Word = Literal["new", "rising", "steady", "falling", "gone"]

DAYS = 28
"""What a window is compared with: four of each day of the week."""
HISTORY_DAYS = 2 * DAYS
"""How many days of hours a caller should hand over: so much also stands before a silence of `DAYS` days."""
HOUR = 3600
DAY = 24 * HOUR

SPIKE_PROBABILITY = 1e-4
SPIKE_RATIO = 3.0
SPIKE_LEAST = 10
LEAST_DAYS = 3
"""Fewer earlier days say nothing of how a group's counts scatter."""

YOUNG_HOURS = 6
YOUNG_RATIO = 10
YOUNG_LEAST = 200

TREND_PROBABILITY = 1e-3
DAY_RATIO = 2.0
WEEK_RATIO = 1.5
GROWTH_RATIO = 1.5
GROWTH_DAYS = 4
TREND_LEAST = 5

_MOST = 10**15
_BLOCKS = "▁▂▃▄▅▆▇█"
_NOTHING = "·"


@dataclass(frozen=True)
class Trend:
    """What a group's occurrences do.

    Attributes:
        word: The verdict.
        observed: Occurrences in the window that decided: the last 24 hours, or the last 7 days per day.
        expected: What the time before lets expect in such a window; None where there is no such time.
        why: One sentence for people.
    """

    word: Word
    observed: float
    expected: float | None
    why: str


@dataclass(frozen=True)
class Spike:
    """More occurrences now than what was before lets expect.

    Attributes:
        observed: Occurrences in this hour and the one before.
        expected: What earlier days had in as much time; of a young group, the most that any two hours had (or 1).
        probability: Of so many or more, were all as it was; 0.0 where it is too small for a float.
        since: When the unbroken run of such hours began (epoch seconds, a full hour).
        why: One sentence for people.
    """

    observed: int
    expected: float
    probability: float
    since: int
    why: str


def spike(hours: Mapping[int, int], first_seen_at: float, now: float) -> Spike | None:
    """Return the spike that a group is in, or None.

    The window is the hour that runs and the one before. There is a spike if it has at least `SPIKE_LEAST`
    occurrences, at least `SPIKE_RATIO` times what is expected, and the probability of so many is below
    `SPIKE_PROBABILITY`. Expected is the highest of three means over the same window of earlier days: of the last 3
    days (so a level that stays is a spike for a day, not for weeks), of all but the two worst (so an outage does not
    hide the next), and of the same day of the week (so Monday's job may fail each Monday); the window an hour earlier
    or later counts as the same (so daylight saving time moves nightly jobs without an alarm). Scatter is that of all
    two-hour windows, without the two worst days.

    A group that is too young to have `LEAST_DAYS` such days spikes if this hour and the one before have `YOUNG_LEAST`
    occurrences and `YOUNG_RATIO` times the most that any two hours had before the spike, of which there have to be
    `YOUNG_HOURS`. It goes on, for a day, while each two hours since have as many. The probability is that of the
    geometric distribution whose mean is that most: 0.006 % or less.

    Occurrences that are added in the window never end a spike.

    Args:
        hours: The group's occurrences by hour since the epoch.
        first_seen_at: When it was seen first (epoch seconds), or when the caller's hours begin if that is later.
        now: Epoch seconds.
    """
    hour, part = _split(now)
    observed = _at(hours, hour) + _at(hours, hour - 1)
    if observed < SPIKE_LEAST:
        return None
    days = min(DAYS, int((now - first_seen_at - 3 * HOUR) // DAY))
    if days < LEAST_DAYS:
        return _young_spike(hours, hour, part, int(first_seen_at // HOUR))
    usual = max(_same_hours(hours, hour, part, chosen) for chosen in (range(1, 4), range(7, days + 1, 7)))
    if observed < SPIKE_RATIO * usual[0]:
        return None  # before what costs more
    calm = _calm_days(hours, hour, days)
    expected, sample = max(usual, _same_hours(hours, hour, part, calm))
    if observed < SPIKE_RATIO * expected:
        return None
    scatter = _hourly_scatter(hours, hour, days, calm) * (1 + 1 / sample)
    probability = tails.at_least(observed, expected, scatter)
    if probability >= SPIKE_PROBABILITY:
        return None
    since = max(_run(hours, hour, days) * HOUR, int(first_seen_at // HOUR) * HOUR)
    why = (
        f"{observed:,} in the last {1 + part:.1f} hours, where the same hours of the {days} days before"
        f" let expect {_round(expected)}."
    )
    return Spike(observed, expected, probability, since, why)


def _young_spike(hours: Mapping[int, int], hour: int, part: float, first: int) -> Spike | None:
    pairs = [_at(hours, one) + _at(hours, one + 1) for one in range(first, hour)]
    for place in range(max(YOUNG_HOURS, len(pairs) - 23), len(pairs)):  # where it may have begun
        most = max(1, *pairs[: place - 1])
        enough = max(YOUNG_LEAST, YOUNG_RATIO * most)
        if min(pairs[place:]) >= enough:
            observed, since = pairs[-1], first + place
            since += 2 * _at(hours, since) < enough  # the second of the two hours made it
            why = f"{observed:,} in the last {1 + part:.1f} hours; no two of the first {place} had over {most:,}."
            return Spike(observed, float(most), exp(-observed * log1p(1 / most)), since * HOUR, why)
    return None


def _calm_days(hours: Mapping[int, int], hour: int, days: int) -> list[int]:
    """Return which days before count: all but the two worst, so that an outage does not blind for the next.

    It takes two weeks, and other days with occurrences, to say that a day was exceptional. Days are centred on `hour`.
    """
    counts = [sum(_at(hours, hour - lag) for lag in range(24 * day - 12, 24 * day + 12)) for day in range(1, days + 1)]
    exceptional = 2 if days >= 14 and sum(1 for count in counts if count) >= 7 else 0
    ordered = sorted(range(1, days + 1), key=lambda day: counts[day - 1])
    return ordered[: days - exceptional]


def _same_hours(hours: Mapping[int, int], hour: int, part: float, days: Collection[int]) -> tuple[float, int]:
    """Return the mean of the same window (or the one an hour beside it that has more) on `days` days, and how many."""
    if not days:
        return 0.0, 1
    sums = (
        sum(part * _at(hours, hour + shift - 24 * day) + _at(hours, hour + shift - 1 - 24 * day) for day in days)
        for shift in (-1, 0, 1)
    )
    # Half an occurrence more: nothing in so many windows does not mean never.
    return (max(sums) + 0.5) / len(days), len(days)


def _hourly_scatter(hours: Mapping[int, int], hour: int, days: int, calm: Collection[int]) -> float:
    """Return the scatter of two-hour windows; what differs by hour is not scatter once the days can tell."""
    pairs = [
        _at(hours, hour - lag) + _at(hours, hour - lag - 1) if (lag + 12) // 24 in calm else None
        for lag in range(24, 24 * days + 12)
    ]
    return _scatter(pairs, 168 if days >= 14 else 24 if days >= 7 else 1)


def _scatter(counts: Sequence[float | None], season: int) -> float:
    """Return variance over mean, at least 1, of counts around the mean of those that are `season` apart."""
    total, squares, bursts = 0.0, 0.0, 0
    for place in range(season):
        alike = [count for count in counts[place::season] if count is not None]
        if len(alike) > 1 and any(alike):
            mean = fmean(alike)
            squares += sum((count - mean) ** 2 for count in alike) * len(alike) / (len(alike) - 1)
            total += sum(alike)
            bursts += sum(1 for count in alike if count)
    # What rests on few bursts may be wider than it looks.
    return max(squares / total, 1.0) * (1 + 2 / bursts) if total else 1.0


def _run(hours: Mapping[int, int], hour: int, days: int) -> int:
    """Return the first of the unbroken hours, up to the one before `hour`, that each have too much; else `hour`."""
    first = hour
    while hour - first < 24:
        usual = fmean(_at(hours, first - 1 - 24 * day) for day in range(1, days + 1))
        if _at(hours, first - 1) <= SPIKE_RATIO * usual:
            break
        first -= 1
    return first


def trend(hours: Mapping[int, int], first_seen_at: float, now: float) -> Trend:
    """Return what a group's occurrences do; the first rule that holds decides.

    1. new: seen first within 24 hours.
    2. gone: silent for whole days, longer than ever in the `DAYS` days before that, and with a probability below
       `TREND_PROBABILITY` if days with and without occurrences alternate as they did; or silent for `DAYS` days.
    3. rising, falling by the day: the last 24 hours have `DAY_RATIO` times the mean of the days before or more (or the
       reciprocal of that or less), and the probability is below `TREND_PROBABILITY`. The mean of the same days of the
       week has to agree.
    4. rising by growth: each of the last `GROWTH_DAYS` times 24 hours has `GROWTH_RATIO` times the one before or more,
       and the last has `TREND_LEAST` more. What doubles every day scatters too much for rule 3, by its growth alone.
    5. rising, falling by the week: the last 7 days have `WEEK_RATIO` times what those before had (or the reciprocal),
       and a rank test (Mann and Whitney's) of days puts it below `TREND_PROBABILITY`: one bad day is no trend.
    6. rising, where there are fewer than `LEAST_DAYS` days to compare with, while there is a `spike`.
    7. steady, also where there are so few days.

    Args:
        hours: The group's occurrences by hour since the epoch.
        first_seen_at: When it was seen first (epoch seconds), or when the caller's hours begin if that is later.
        now: Epoch seconds.
    """
    totals = day_totals(hours, HISTORY_DAYS, now)
    last = totals[0]
    age = max(now - first_seen_at, 0.0)
    if age < DAY:
        return Trend("new", last, None, f"Seen first {_ago(age)} ago.")
    totals = totals[: int(age // DAY)]
    gone = _gone(totals, hours, now)
    totals = totals[:DAYS]
    found = gone or _by_day(totals) or _by_growth(totals) or _by_week(totals)
    if not found and len(totals) <= LEAST_DAYS and spike(hours, first_seen_at, now):
        why = f"{_round(last)} in the last 24 hours: too few days before to compare, but it spikes."
        return Trend("rising", last, None, why)
    return found or _steady(totals)


def _gone(totals: Sequence[float], hours: Mapping[int, int], now: float) -> Trend | None:
    silent = next((day for day, count in enumerate(totals) if count), len(totals))
    if not silent or any(hour > now // HOUR and count > 0 for hour, count in hours.items()):
        return None  # seen after now: the clock was set back, and nobody knows when that was
    if silent >= DAYS:
        return Trend("gone", 0.0, None, f"Not seen for {DAYS} days or more.")
    # The day before the silence has occurrences because the silence begins after it: it says nothing of the rate.
    former = totals[silent + 1 : silent + 1 + DAYS]
    active = sum(1 for count in former if count)
    probability = 1.0
    for day in range(silent):
        probability *= (len(former) - active + 0.5 + day) / (len(former) + 1 + day)
    if probability >= TREND_PROBABILITY or silent <= _longest_silence(former):
        return None
    why = f"Not seen for {_days(silent)}, after occurrences on {active} of {_days(len(former))}."
    return Trend("gone", 0.0, fmean(former), why)


def _longest_silence(totals: Sequence[float]) -> int:
    longest = run = 0
    for count in totals:
        run = 0 if count else run + 1
        longest = max(longest, run)
    return longest


def _by_day(totals: Sequence[float]) -> Trend | None:
    last, before = totals[0], totals[1:]
    if len(before) < LEAST_DAYS:
        return None
    usual, weekday = fmean(before), fmean(before[6::7] or before)
    scatter = _scatter(before, 7 if len(before) >= 14 else 1) * (1 + 1 / len(before))
    why = f"{_round(last)} in the last 24 hours, after {_round(usual)} a day in the {len(before)} days before."
    high, low = max(usual, weekday), min(usual, weekday)
    if last >= max(DAY_RATIO * high, high + TREND_LEAST):
        # Half an occurrence more: nothing on so many days does not mean never.
        probability = tails.at_least(last, high + 0.5 / len(before), scatter)
        return Trend("rising", last, high, why) if probability < TREND_PROBABILITY else None
    if last <= min(low / DAY_RATIO, low - TREND_LEAST):
        probability = tails.at_most(last, low, scatter)
        return Trend("falling", last, low, why) if probability < TREND_PROBABILITY else None
    return None


def _by_growth(totals: Sequence[float]) -> Trend | None:
    days = totals[: GROWTH_DAYS + 1]
    grew = all(later >= GROWTH_RATIO * earlier > 0 for later, earlier in pairwise(days))
    if len(days) <= GROWTH_DAYS or days[0] < days[1] + TREND_LEAST or not grew:
        return None
    why = f"{', '.join(map(_round, reversed(days)))} in the last {len(days)} times 24 hours."
    return Trend("rising", days[0], fmean(totals[1:]), why)


def _by_week(totals: Sequence[float]) -> Trend | None:
    week, before = totals[:7], totals[7:]
    if len(before) < 14:
        return None
    now, then = fmean(week), fmean(before)
    if abs(now - then) * 7 < TREND_LEAST or max(now, then) < WEEK_RATIO * min(now, then):
        return None
    if _rank_probability(week, before) >= TREND_PROBABILITY:
        return None
    why = f"{_round(now)} a day in the last 7 days, after {_round(then)} a day in the {len(before)} days before."
    return Trend("rising" if now > then else "falling", now, then, why)


def _rank_probability(some: Sequence[float], others: Sequence[float]) -> float:
    """Return the two-sided probability that two samples of one source differ so much in rank (normal, with ties)."""
    n, m = len(some), len(others)
    higher = sum((one > other) + 0.5 * (one == other) for one in some for other in others)
    both = [*some, *others]
    ties = sum((alike := both.count(value)) ** 3 - alike for value in set(both))
    variance = n * m / 12 * (n + m + 1 - ties / ((n + m) * (n + m - 1)))
    if variance <= 0:
        return 1.0
    distance = max(abs(higher - n * m / 2) - 0.5, 0.0) / sqrt(variance)
    return 2 * NormalDist().cdf(-distance)


def _steady(totals: Sequence[float]) -> Trend:
    last, before = totals[0], totals[1:]
    if not any(totals) and len(totals) < DAYS:
        why = (
            f"Not seen since it was seen first, more than {_days(len(totals))} ago: too little to tell rare from gone."
        )
        return Trend("steady", last, None, why)
    if len(before) < LEAST_DAYS:
        return Trend("steady", last, None, f"{_round(last)} in the last 24 hours, and too few days before to compare.")
    usual = fmean(before)
    why = f"{_round(last)} in the last 24 hours, {_round(usual)} a day in the {len(before)} days before."
    return Trend("steady", last, usual, why)


def day_totals(hours: Mapping[int, int], days: int, now: float) -> list[float]:
    """Return the occurrences of the last `days` times 24 hours, the newest first.

    The 24 hours end at `now`, not at midnight; of an hour in which they end, each side has its share.
    """
    hour, part = _split(now)
    totals = [0.0] * (days + 1)
    for one, count in hours.items():
        lag = hour - one
        if 0 <= lag <= 24 * days and count > 0:
            day, rest = divmod(lag, 24)
            if rest or not lag:
                totals[day] += min(count, _MOST)
            else:
                totals[day - 1] += min(count, _MOST) * (1 - part)
                totals[day] += min(count, _MOST) * part
    return totals[:days]


def daily(hours: Mapping[int, int], days: int, now: float) -> list[int]:
    """Return the occurrences of the last `days` days of UTC, the oldest first; the last is today, up to `now`."""
    hour = _split(now)[0]
    counts = [0] * days
    for one, count in hours.items():
        back = hour // 24 - one // 24
        if back < days and one <= hour:
            counts[days - 1 - back] += max(count, 0)
    return counts


def sparkline(counts: Sequence[float]) -> str:
    """Return a character for each count: ``·`` for none, ``▁`` for little, ``█`` for the most there is."""
    most = max(counts, default=0)
    return "".join(
        _NOTHING if count <= 0 else _BLOCKS[max(ceil(count / most * len(_BLOCKS)), 1) - 1] for count in counts
    )


def _split(now: float) -> tuple[int, float]:
    """Return the hour that runs, and how much of it has passed."""
    hour = int(now // HOUR)
    return hour, now / HOUR - hour


def _at(hours: Mapping[int, int], hour: int) -> int:
    return min(max(hours.get(hour, 0), 0), _MOST)


def _round(count: float) -> str:
    return f"{count:,.0f}" if count >= 10 or count == int(count) else f"{count:.1f}"


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"


def _ago(seconds: float) -> str:
    if seconds >= 1.5 * HOUR:
        return f"{seconds / HOUR:.0f} hours"
    minutes = round(seconds / 60)
    return f"{minutes} minutes" if minutes > 1 else "a minute" if minutes else "less than a minute"
