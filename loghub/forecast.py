"""How many occurrences the next 24 hours will bring, and between which bounds.

Days that end at `now` (not at midnight) are smoothed on the scale of cube roots: a level that follows the days, and
what each day of the week has more or less than that. How far this was off on the past days, each forecast from the
days before it alone, is the spread of the forecast: the interval is of empirical quantiles, as in split conformal
prediction, and assumes no distribution. `benchmarks/forecast.py` tells how often it holds, beside baselines and
libraries; `docs/trends.md` why none of those is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from statistics import fmean
from typing import TYPE_CHECKING

from loghub import trend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DAYS = 84
"""How far back is looked: twelve of each day of the week."""
LEAST_DAYS = 28
COVERAGE = 0.8

_UNJUDGED_DAYS = 14
"""How far off the first days were tells nothing: the days of the week are not known yet."""
_JUDGED_DAYS = 42
_PACES = (0.05, 0.15, 0.4)
"""How much of a day's surprise the level takes over."""
_DOUBTS = (0.1, 4.0, float("inf"))
"""After so many weeks half of what a day of the week has more or less is believed; infinite: days are alike."""


@dataclass(frozen=True)
class Forecast:
    """What the next 24 hours bring.

    Attributes:
        expected: As likely more as less.
        low: With `high`, the bounds within which (both included) the count will be with probability `coverage`.
        high: See `low`.
        coverage: That probability.
        days: From how many days this was learnt.
        why: One sentence for people.
    """

    expected: float
    low: int
    high: int
    coverage: float
    days: int
    why: str


@dataclass(frozen=True)
class NoForecast:
    """There is too little to go by.

    Attributes:
        why: One sentence for people.
    """

    why: str


def next_day(hours: Mapping[int, int], first_seen_at: float, now: float) -> Forecast | NoForecast:
    """Return what the 24 hours after `now` will bring, or why nobody can know.

    Args:
        hours: Occurrences by hour since the epoch, of the last `DAYS` days; absent is 0.
        first_seen_at: When the first was seen (epoch seconds), or when the caller's hours begin if that is later.
        now: Epoch seconds.
    """
    days = min(DAYS, int(max(now - first_seen_at, 0.0) // trend.DAY))
    if days < LEAST_DAYS:
        return NoForecast(f"A forecast needs {LEAST_DAYS} days of history, and there are {days}.")
    counts = trend.day_totals(hours, days, now)[::-1]
    if not any(counts):
        return NoForecast(f"A forecast needs occurrences, and there were none in {days} days.")
    roots = [count ** (1 / 3) for count in counts]
    level, errors = min((_smooth(roots, pace, doubt) for pace, doubt in product(_PACES, _DOUBTS)), key=_off)
    ahead = sorted(max(level + error, 0.0) ** 3 for error in errors)
    expected = _quantile(ahead, 0.5)
    low, high = (round(_quantile(ahead, 0.5 + side * COVERAGE / 2)) for side in (-1, 1))
    why = (
        f"About {expected:,.0f} in the next 24 hours, between {low:,} and {high:,} with a probability of {COVERAGE:.0%}"
        f" (learnt from {days} days)."
    )
    return Forecast(expected, low, high, COVERAGE, days, why)


def _smooth(days: Sequence[float], pace: float, doubt: float) -> tuple[float, list[float]]:
    """Return the forecast of the day after `days`, and by how much those of the newest of them were off."""
    level = fmean(days[:7])
    deviations = [day - level for day in days[:7]]
    errors = []
    for day, value in enumerate(days[7:], 7):
        errors.append(value - level - deviations[day % 7] / (day // 7 + doubt))
        deviations[day % 7] += value - level
        level += pace * errors[-1]
    ahead = level + deviations[len(days) % 7] / (len(days) // 7 + doubt)
    return ahead, errors[_UNJUDGED_DAYS - 7 :][-_JUDGED_DAYS:]


def _off(smoothed: tuple[float, list[float]]) -> float:
    return sum(map(abs, smoothed[1]))


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which a further one falls with that probability: at rank share * (n + 1)."""
    rank = min(max(share * (len(ordered) + 1) - 1, 0.0), len(ordered) - 1.0)
    below = int(rank)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (rank - below) * (ordered[above] - ordered[below])
