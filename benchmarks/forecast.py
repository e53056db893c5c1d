"""How often the forecast's interval holds and how narrow it is, beside baselines and libraries.

    python benchmarks/forecast.py [--groups 60] [--only loghub,yesterday] [--quick] [--markdown]

Each family of `tests/series.py` has so many groups; for each, the next 24 hours are forecast on four days (with 33, 53,
73 and 97 days of history, on four days of the week) and held against what came. All contenders see the same daily
counts. `pip install statsforecast statsmodels` brings the libraries in; what is not installed is said to be so.

Coverage is to be 80 %. Width, pinball loss (of the 10 % and 90 % quantiles, summed) and the mean absolute error are
over the mean of the days before, and averaged: the lower the better; width counts only beside coverage.
"""

import argparse
import math
import sys
import time
import warnings
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from loghub import forecast, trend
from tests import series

FAMILIES = (*series.STATIONARY, series.growing, series.shifting, *series.UNTRIED)
ORIGINS = (33, 53, 73, 97)
FIRST = series.START * trend.HOUR


class Case(NamedTuple):
    """What is known on a day, and what came.

    Attributes:
        days: Counts of the days that end at `now`, the oldest first.
        hours: Counts by hour.
        now: Epoch seconds.
        true: The count of the next 24 hours.
    """

    days: list[float]
    hours: dict[int, int]
    now: float
    true: int


def loghub(case):
    """Return loghub's own forecast."""
    found = forecast.next_day(case.hours, FIRST, case.now)
    return (found.expected, found.low, found.high) if isinstance(found, forecast.Forecast) else None


def around(point, errors):
    """Return a point with the empirical 80 % interval of what it was off by in the past."""
    errors = sorted(errors)
    cut = [errors[round(share * (len(errors) - 1))] for share in (0.1, 0.9)]
    return point, point + cut[0], point + cut[1]


def yesterday(case):
    """Return the last day's count."""
    return around(case.days[-1], [other - one for one, other in pairwise(case.days)])


def last_week(case):
    """Return the same day's count of last week."""
    days = case.days
    return around(days[-7], [other - one for one, other in zip(days, days[7:], strict=False)])


def mean_of_7(case):
    """Return the mean of the last seven days."""
    days = case.days
    return around(fmean(days[-7:]), [days[i] - fmean(days[i - 7 : i]) for i in range(7, len(days))])


def autoets(case):
    """Return what statsforecast's automatic exponential smoothing says."""
    import numpy as np
    from statsforecast.models import AutoETS

    found = AutoETS(season_length=7).forecast(y=np.array(case.days), h=1, level=[80])
    return tuple(float(found[key][0]) for key in ("mean", "lo-80", "hi-80"))


def statsmodels_ets(case):
    """Return what statsmodels' exponential smoothing says, additive on a logarithmic scale."""
    import numpy as np
    import pandas as pd
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    model = ETSModel(pd.Series(np.log1p(case.days)), error="add", seasonal="add", seasonal_periods=7).fit(disp=False)
    frame = model.get_prediction(start=len(case.days), end=len(case.days)).summary_frame(alpha=0.2)
    return tuple(math.expm1(frame[key].iloc[0]) for key in ("mean", "pi_lower", "pi_upper"))


CONTENDERS = {
    "loghub": loghub,
    "yesterday": yesterday,
    "last week": last_week,
    "mean of 7": mean_of_7,
    "AutoETS": autoets,
    "statsmodels": statsmodels_ets,
}


def pinball(quantile, true, share):
    """Return the loss of a quantile."""
    return max(share * (true - quantile), (share - 1) * (true - quantile))


def cases(family, groups):
    """Yield a family's cases."""
    for seed in range(groups):
        hours = series.hours_of(family, seed, max(ORIGINS) + 2)
        for day in ORIGINS:
            start = series.START + 24 * day + 12
            past = {hour: count for hour, count in hours.items() if hour < start}
            days = trend.day_totals(past, min(day, forecast.DAYS), start * trend.HOUR)[::-1]
            if any(days):
                true = sum(hours.get(hour, 0) for hour in range(start, start + 24))
                yield Case(days, past, start * trend.HOUR, true)


def measure(contender, family, groups):
    """Return coverage, width, pinball loss, error and processor seconds a forecast."""
    held, widths, losses, errors, took = [], [], [], [], 0.0
    for case in cases(family, groups):
        started = time.process_time()
        expected, low, high = contender(case)
        took += time.process_time() - started
        low, high, scale = max(round(low), 0), max(round(high), 0), fmean(case.days)
        held.append(low <= case.true <= high)
        widths.append((high - low) / scale)
        losses.append((pinball(low, case.true, 0.1) + pinball(high, case.true, 0.9)) / scale)
        errors.append(abs(expected - case.true) / scale)
    return fmean(held), fmean(widths), fmean(losses), fmean(errors), took / len(held)


def show(rows, markdown):
    """Print rows as a table; the first is its head."""
    if markdown:
        rows = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
        print("\n".join(f"| {' | '.join(row)} |" for row in rows))
    else:
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        print("\n".join("  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)) for row in rows))
    print()


def main():
    """Print a table for each figure, and the goals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, default=60)
    parser.add_argument("--only", default=",".join(CONTENDERS), help="contenders, with commas between")
    parser.add_argument("--quick", action="store_true", help="few groups: does it work?")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # of the libraries, which have many
    results = {}
    for name in options.only.split(","):
        try:
            groups = 3 if options.quick else options.groups
            results[name] = [measure(CONTENDERS[name], family, groups) for family in FAMILIES]
        except ImportError as error:
            print(f"{name}: not installed ({error})")
    figures = [
        ("coverage", "{:.0%}"),
        ("width", "{:.2f}"),
        ("pinball loss", "{:.3f}"),
        ("mean absolute error", "{:.2f}"),
    ]
    for place, (title, form) in enumerate(figures):
        body = [
            [family.__name__, *(form.format(rows[number][place]) for rows in results.values())]
            for number, family in enumerate(FAMILIES)
        ]
        mean = ["mean", *(form.format(fmean(row[place] for row in rows)) for rows in results.values())]
        show([[title, *results], *body, mean], options.markdown)
    seconds = {name: fmean(row[4] for row in rows) for name, rows in results.items()}
    show([["", *results], ["ms a forecast", *(f"{1000 * took:.1f}" for took in seconds.values())]], options.markdown)
    if "loghub" in results:
        covered = [row[0] for row in results["loghub"]]
        goals = [
            ("coverage, mean of families", f"{fmean(covered):.0%}", "80 % to 86 %", 0.80 <= fmean(covered) <= 0.86),
            ("coverage, the lowest", f"{min(covered):.0%}", "at least 70 %", min(covered) >= 0.7),
        ]
        show([["goal", "figure", "is to be", "holds"], *([*goal[:3], "yes" if goal[3] else "no"] for goal in goals)],
             options.markdown)  # fmt: skip


if __name__ == "__main__":
    main()
