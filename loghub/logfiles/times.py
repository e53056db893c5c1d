"""When a record was made, in the spellings that log files have."""

from __future__ import annotations

import calendar
import math
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import tzinfo

TIME = (
    r"(?:\d{4}[-/]\d\d[-/]\d\d[ T_]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z\b|UTC\b|[+-]\d\d:?\d\d\b))?"
    r"|\d\d/[A-Z][a-z]{2}/\d{4}[ :]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: [+-]\d{4}\b)?"
    r"|(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: \d{4}\b)?"
    r"|1\d{9}(?:\.\d{1,9})?(?=[\s\]|])"
    r"|\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?=[\s\]|]))"
)
"""A pattern of what a time looks like; the last form tells no day, and so no time."""

AHEAD_SECONDS = 86_400.0
"""A record further ahead than that has its time from a clock that was wrong."""

_ISO = re.compile(
    r"(?P<year>\d{4})[-/](?P<month>\d\d)[-/](?P<day>\d\d)[ T_](?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
    r"(?:[.,](?P<part>\d{1,9}))? ?(?P<zone>Z|UTC|[+-]\d\d:?\d\d)?"
)
_NAMED = re.compile(
    r"(?P<day>\d\d)/(?P<month>[A-Z][a-z]{2})/(?P<year>\d{4})[ :](?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
    r"(?:[.,](?P<part>\d{1,9}))? ?(?P<zone>[+-]\d{4})?"
)
_SYSLOG = re.compile(  # also what ctime prints
    r"(?:[A-Z][a-z]{2} )?(?P<month>[A-Z][a-z]{2}) (?P<day>[ \d]\d) (?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
    r"(?:[.,](?P<part>\d{1,9}))?(?: (?P<year>\d{4}))?(?P<zone>)"
)
_FORMS = (_ISO, _NAMED, _SYSLOG)
_MONTHS = {name: number for number, name in enumerate(calendar.month_abbr) if name}


class Clock:
    """Reads times.

    Args:
        zone: What times without a zone are in; None: the local time of this machine.
        newest: No record of the file is newer (epoch seconds): when it was last changed. A time without a year is
            the last one before that.
        now: What is more than a day ahead of this is no time.
    """

    def __init__(self, zone: tzinfo | None, newest: float, now: float) -> None:
        self.zone = zone
        self.newest = newest
        self.now = now

    def read(self, value: object) -> float | None:
        """Return epoch seconds; None where `value` is no time, or one that cannot be right."""
        if isinstance(value, str):
            at = self._text(value.strip())
        elif isinstance(value, int | float) and not isinstance(value, bool):
            at = _number(float(value))
        else:
            at = None
        return at if at is not None and 0 < at <= self.now + AHEAD_SECONDS else None

    def _text(self, text: str) -> float | None:
        for form in _FORMS:
            if (read := form.fullmatch(text)) is not None:
                return self._of(read)
        try:
            return _number(float(text))
        except ValueError:
            return None

    def _of(self, read: re.Match[str]) -> float | None:
        month = read["month"]
        number = int(month) if month.isdecimal() else _MONTHS.get(month, 0)
        numbers = (number, int(read["day"]), int(read["hour"]), int(read["minute"]), min(int(read["second"]), 59))
        part = float(f"0.{read['part']}") if read["part"] else 0.0
        try:
            if read["year"]:
                return self._at(datetime(int(read["year"]), *numbers), read["zone"]) + part  # noqa: DTZ001 - see _at
            return self._without_year(numbers, part)
        except (ValueError, OverflowError, OSError):
            return None

    def _at(self, naive: datetime, zone: str | None) -> float:
        if not zone:
            return naive.replace(tzinfo=self.zone).timestamp()  # no zone: local
        if zone in ("Z", "UTC"):
            return naive.replace(tzinfo=UTC).timestamp()
        shift = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
        return naive.replace(tzinfo=timezone(-shift if zone[0] == "-" else shift)).timestamp()

    def _without_year(self, numbers: tuple[int, int, int, int, int], part: float) -> float | None:
        latest = datetime.fromtimestamp(self.newest, self.zone or UTC).year + 1
        for year in range(latest, latest - 6, -1):  # the 29th of February comes every four years
            try:
                at = self._at(datetime(year, *numbers), None) + part  # noqa: DTZ001 - see _at
            except ValueError:
                continue
            if at <= self.newest + AHEAD_SECONDS:
                return at
        return None


def _number(value: float) -> float | None:
    """Read a number as seconds, or as milli-, micro- or nanoseconds, by its size."""
    if not math.isfinite(value):
        return None
    for scale in (1.0, 1e3, 1e6, 1e9):
        if 1e8 <= value / scale < 1e10:
            return value / scale
    return None
