"""How improbable a count is where occurrences come in bursts: tails of the negative binomial distribution.

Errors come in bursts, so counts scatter more than Poisson's. The distribution here is given by its mean and by
`scatter`, the variance over the mean (1 is Poisson); at a fixed scatter, counts of longer and shorter windows of one
source have the same shape. Tails are regularized incomplete beta functions, by the continued fraction of DLMF 8.17.22
with the modified method of Lentz. For counts to 1e15 that differ from the mean by a third or more they are right to a
millionth where the scatter is below 10,000, and to a tenth above: enough to say what is below a thousandth.
"""

from __future__ import annotations

from math import exp, inf, lgamma, log, log1p

_LEAST_SCATTER = 1.001
"""Nearer to Poisson than anybody can tell from counts, and far enough from 1 to be computed."""
_MOST_SCATTER = 1e4
"""Above it the distribution's shape no longer changes (it is the gamma's), and the fraction would take ever longer."""
_TINY = 1e-300
_STEPS = 500


def at_least(count: float, mean: float, scatter: float) -> float:
    """Return the probability of `count` or more, where `mean` is expected; 1.0 for a count that is not above it.

    A scatter above twice the count is taken as that, which makes a count about as probable as any does: a wider one
    would say that there is nothing at all nearly always, and that any small count is a surprise.
    """
    if count <= mean or count <= 0:
        return 1.0
    if mean <= 0:
        return 0.0
    count, mean, size = _in_units(count, mean, min(scatter, 2 * count))
    return _beta(count, size, log(mean) - log(mean + size), log(size) - log(mean + size))


def at_most(count: float, mean: float, scatter: float) -> float:
    """Return the probability of `count` or fewer, where `mean` is expected; 1.0 for a count that is not below it."""
    if count >= mean:
        return 1.0
    if count < 0:
        return 0.0
    above, mean, size = _in_units(count + 1, mean, scatter)
    return _beta(size, above, log(size) - log(mean + size), log(mean) - log(mean + size))


def _in_units(count: float, mean: float, scatter: float) -> tuple[float, float, float]:
    """Return count, mean and size (mean² over variance - mean); of bursts of thousands, thousandths are counted."""
    unit = max(scatter / _MOST_SCATTER, 1.0)
    return count / unit, mean / unit, mean / unit / (max(scatter / unit, _LEAST_SCATTER) - 1)


def _beta(a: float, b: float, log_x: float, log_y: float) -> float:
    """Return I_x(a, b), x and y = 1 - x given by their logarithms."""
    if exp(log_x) > (a + 1) / (a + b + 2):  # the fraction converges fast on the other side
        return max(1.0 - _converging(b, a, log_y, log_x), 0.0)
    return _converging(a, b, log_x, log_y)


def _converging(a: float, b: float, log_x: float, log_y: float) -> float:
    front = a * log_x + b * log_y - _log_beta(a, b) - log(a)
    return min(exp(min(front, 0.0)) * _fraction(a, b, exp(log_x)), 1.0) if front > -700 else 0.0


def _log_beta(a: float, b: float) -> float:
    small, large = min(a, b), max(a, b)
    if large < 1e6:
        return lgamma(small) + lgamma(large) - lgamma(small + large)
    # The difference of two huge lgammas has no digits left: Stirling's series, subtracted term by term.
    return lgamma(small) + small * (1 - log(small + large)) - (large - 0.5) * log1p(small / large)


def _fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, 1.0 / _away(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _STEPS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / _away(1 + term * d)
            c = _away(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < 1e-10:
            break
    return value if value < inf else 0.0


def _away(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
