"""What failed lately, and how much of what: the readers' questions to a ledger."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from loghub import forecast, trend
from loghub.delivery.home import Home
from loghub.event import Event, iso
from loghub.ledger.find import ALL, Find

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loghub.forecast import Forecast, NoForecast
    from loghub.ledger.find import Page
    from loghub.ledger.protocol import Group, Ledger
    from loghub.trend import Spike, Trend

SHOWN_DAYS = 14
"""So many days of counts are shown beside a group."""

MOST_DAYS = 400
"""So many days are counted for good."""

SPIKE_DAYS = 31

DAY_SECONDS = 86_400.0


def open_home(path: str | None, url: str | None) -> Home:
    """Return a home for reading, with what dead processes left taken in.

    Raises:
        LedgerError: The ledger cannot be opened, or the home cannot be written.
    """
    home = Home(path, url)
    home.ledger()
    home.adopt(force=True)
    return home


def recent(ledger: Ledger, limit: int = 10, fingerprint: str | None = None) -> Page[Event]:
    """Return the newest kept events, of one group if need be."""
    return ledger.events(limit, Find(fingerprint=fingerprint))


def statistics(
    ledger: Ledger, days: float = 7, now: Callable[[], float] = time.time, find: Find = ALL
) -> dict[str, Any]:
    """Return seed B's dict: occurrences in all, by error type, by module, by day (UTC, ``YYYY-MM-DD``).

    Args:
        ledger: Where.
        days: How far back, from `until` in `find` where that is given; by whole hours.
        now: The clock.
        find: Which; its `since` goes before `days`.
    """
    if find.since is None:
        end = now() if find.until is None else find.until
        find = replace(find, since=max(end - days * DAY_SECONDS, 0.0))
    types: Counter[str] = Counter()
    modules: Counter[str] = Counter()
    for error_type, module, count in ledger.totals_of(find):
        types[error_type] += count
        modules[module] += count
    return {
        "total_errors": types.total(),
        "error_types": dict(types.most_common()),
        "modules": dict(modules.most_common()),
        "daily_counts": {iso(day * DAY_SECONDS)[:10]: count for day, count in sorted(ledger.days(find).items())},
    }


@dataclass(frozen=True, slots=True)
class Outlook:
    """What occurrences do: of a group, or of all that is looked for.

    Attributes:
        trend: Whether they are new, rising, steady, falling or gone, and why.
        spike: More of them now than usual at this time; None where there are not.
        daily: Occurrences of each of the last days (UTC), the oldest first; the last is today.
    """

    trend: Trend
    spike: Spike | None
    daily: list[int]

    @property
    def word(self) -> str:
        """What is most worth telling."""
        return self.trend.word if self.spike is None else "spike"

    def row(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        spike = None
        if self.spike is not None:
            spike = {
                "since_at": iso(self.spike.since),
                "observed": self.spike.observed,
                "expected": self.spike.expected,
                "why": self.spike.why,
            }
        return {"trend": self.trend.word, "why": self.trend.why, "spike": spike, "daily": self.daily}


def outlooks(ledger: Ledger, groups: Sequence[Group], now: Callable[[], float] = time.time) -> dict[str, Outlook]:
    """Return what some groups do, by fingerprint."""
    at = now()
    hours = ledger.hours_of([one.fingerprint for one in groups], at - trend.HISTORY_DAYS * DAY_SECONDS)
    return {one.fingerprint: _outlook(hours[one.fingerprint], one.first_seen_at, at) for one in groups}


def prospect(
    ledger: Ledger, find: Find = ALL, now: Callable[[], float] = time.time
) -> tuple[Outlook, Forecast | NoForecast]:
    """Return what all that is looked for does together, whatever the times in `find`, and what the next day brings."""
    at = now()
    hours, since = _known(ledger, find, at)
    return _outlook(hours, since.seen, at), forecast.next_day(hours, since.known, at)


@dataclass(frozen=True, slots=True)
class Day:
    """A day of UTC.

    Attributes:
        at: When it begins, epoch seconds.
        count: Occurrences.
        spike: Whether in some hour of it there were more of them than usual at that time.
    """

    at: float
    count: int
    spike: bool


@dataclass(frozen=True, slots=True)
class Course:
    """What all that is looked for did day by day, and what it does now.

    Attributes:
        days: Without a gap, the oldest first.
        outlook: As `prospect` has it.
        ahead: As `prospect` has it.
    """

    days: list[Day]
    outlook: Outlook
    ahead: Forecast | NoForecast


def course(ledger: Ledger, find: Find = ALL, now: Callable[[], float] = time.time) -> Course:
    """Return the days that `find` spans, but `SHOWN_DAYS` at least and `MOST_DAYS` at most, the newest ones.

    Whether there was a spike is said of the last `SPIKE_DAYS` days.
    """
    at = now()
    hours, since = _known(ledger, find, at)
    last = _day(at if find.until is None else min(max(find.until - 1, 0.0), at))
    first = min(last - SHOWN_DAYS + 1, last if find.since is None else _day(find.since))
    first = max(first, last - MOST_DAYS + 1, 0)
    if first > _day(at) - forecast.DAYS:  # the hours are there already
        end = math.inf if find.until is None else math.ceil(find.until / 3600)
        counts = Counter[int]()
        for hour, count in hours.items():
            counts[hour // 24] += count if hour < end else 0
    else:
        counts = Counter(ledger.days(replace(find, since=first * DAY_SECONDS)))
    spikes = {day for day in range(max(first, _day(at) - SPIKE_DAYS + 1), last + 1) if _spiked(hours, day, since, at)}
    return Course(
        [Day(day * DAY_SECONDS, counts[day], day in spikes) for day in range(first, last + 1)],
        _outlook(hours, since.seen, at),
        forecast.next_day(hours, since.known, at),
    )


def _day(at: float) -> int:
    return int(at // DAY_SECONDS)


def _spiked(hours: dict[int, int], day: int, since: _Since, now: float) -> bool:
    ends = range(24 * day + 1, min(24 * day + 24, int(now // 3600) + 1) + 1)
    return any(
        trend.spike(hours, since.known, min(end * 3600.0 - 1, now)) is not None
        for end in ends
        if hours.get(end - 1, 0) >= trend.SPIKE_LEAST
    )


class _Since(NamedTuple):
    seen: float
    known: float


def _known(ledger: Ledger, find: Find, at: float) -> tuple[dict[int, int], _Since]:
    """Return the hours of what is looked for, whatever the times in `find`, and since when it is seen and known."""
    find = replace(find, since=at - forecast.DAYS * DAY_SECONDS, until=None)
    hours = ledger.hours(find)
    first_seen_at = min(ledger.first_seen_at(find), at)
    # What was seen first before the hours that are known tells nothing of them.
    known_since = max(first_seen_at, min(hours, default=int(at // 3600)) * 3600)
    return hours, _Since(first_seen_at, known_since)


def prospect_row(ledger: Ledger, find: Find = ALL, now: Callable[[], float] = time.time) -> dict[str, Any]:
    """Return `prospect` as JSON has it: trend, why, spike, daily and forecast."""
    outlook, ahead = prospect(ledger, find, now)
    told: dict[str, Any] = {"why": ahead.why}
    if isinstance(ahead, forecast.Forecast):
        told |= {"expected": ahead.expected, "low": ahead.low, "high": ahead.high, "coverage": ahead.coverage}
    return outlook.row() | {"forecast": told}


def _outlook(hours: dict[int, int], first_seen_at: float, now: float) -> Outlook:
    return Outlook(
        trend.trend(hours, first_seen_at, now),
        trend.spike(hours, first_seen_at, now),
        trend.daily(hours, SHOWN_DAYS, now),
    )


def group_row(group: Group) -> dict[str, Any]:
    """Return a group as readers show it (SPEC's keys)."""
    return {
        "fingerprint": group.fingerprint,
        "error_type": group.error_type,
        "error_message": group.error_message,
        "component": group.component,
        "culprit": group.culprit,
        "count": group.count,
        "first_seen_at": iso(group.first_seen_at),
        "last_seen_at": iso(group.last_seen_at),
        "status": group.status,
        "issue_url": group.issue_url,
    }
