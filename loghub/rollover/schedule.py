"""When a log rolls over by time."""

from __future__ import annotations

import calendar
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt

DAY_SECONDS = 86400

# `when`, as TimedRotatingFileHandler has it: seconds, and the suffix of a backup.
PERIODS = {
    "S": (1, "%Y-%m-%d_%H-%M-%S"),
    "M": (60, "%Y-%m-%d_%H-%M"),
    "H": (3600, "%Y-%m-%d_%H"),
    "D": (DAY_SECONDS, "%Y-%m-%d"),
    "MIDNIGHT": (DAY_SECONDS, "%Y-%m-%d"),
    **{f"W{day}": (7 * DAY_SECONDS, "%Y-%m-%d") for day in range(7)},
}


@dataclass(frozen=True, slots=True)
class Schedule:
    """When the log rolls over by time, and what its backups are called then."""

    when: str
    interval: int
    utc: bool
    at: dt.time | None

    def next(self, now: float) -> float:
        """Return the first rollover after `now` (epoch seconds)."""
        if not self._by_calendar:
            return int(now) + self.seconds
        # Without a time of day it is the midnight at the end of the day, as in the standard library.
        clock = (24, 0, 0) if self.at is None else (self.at.hour, self.at.minute, self.at.second)
        today = self._broken_down(now)
        passed = clock <= (today.tm_hour, today.tm_min, today.tm_sec)
        first = next(days for days in range(passed, 9) if self.when in ("MIDNIGHT", f"W{(today.tm_wday + days) % 7}"))
        days = first + (self.interval - 1) * PERIODS[self.when][0] // DAY_SECONDS
        at = self._epoch(today, days, clock)
        # In the hour that a clock shows twice, mktime may mean the first time.
        return at if at > now else self._epoch(today, days, clock, today.tm_isdst)

    @property
    def seconds(self) -> int:
        """How long a period is, as a rule."""
        return PERIODS[self.when][0] * self.interval

    @property
    def suffix(self) -> str:
        """What a backup is called, as `time.strftime` has it."""
        return PERIODS[self.when][1]

    def begin(self, rollover_at: float) -> time.struct_time:
        """Return the beginning of the period that ends at `rollover_at`; the standard library names backups by it."""
        if not self._by_calendar:
            return self._broken_down(rollover_at - self.seconds)
        end = self._broken_down(rollover_at)  # a day need not have 24 hours
        clock = (end.tm_hour, end.tm_min, end.tm_sec)
        return self._broken_down(self._epoch(end, -self.seconds // DAY_SECONDS, clock))

    @property
    def _by_calendar(self) -> bool:
        return self.when == "MIDNIGHT" or self.when.startswith("W")

    def _broken_down(self, at: float) -> time.struct_time:
        return time.gmtime(at) if self.utc else time.localtime(at)

    def _epoch(self, today: time.struct_time, days: int, clock: tuple[int, int, int], dst: int = -1) -> float:
        """Return the time at which the clock shows `clock` on the day that is `days` from `today`."""
        moment = (today.tm_year, today.tm_mon, today.tm_mday + days, *clock, 0, 0, dst)
        return calendar.timegm(moment) if self.utc else time.mktime(moment)
