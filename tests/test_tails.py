"""Tails: how improbable counts are, held against sums of the distribution itself."""

from __future__ import annotations

from math import exp, lgamma, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loghub.tails import at_least, at_most


def probability_of(count, mean, scatter):
    """Return the negative binomial's probability of exactly `count`, by its formula."""
    size = mean / (scatter - 1)
    return exp(
        lgamma(count + size) - lgamma(size) - lgamma(count + 1)
        + size * log(size / (mean + size)) + count * log(mean / (mean + size))
    )  # fmt: skip


@pytest.mark.parametrize("mean", [0.02, 0.7, 6.0, 40.0])
@pytest.mark.parametrize("scatter", [1.01, 1.5, 4.0, 30.0])
def test_sums(mean, scatter):
    """A tail is the sum of the probabilities in it."""
    for count in range(max(int(mean) + 1, int(scatter / 2) + 1), int(mean) + 60, 3):
        below = sum(probability_of(one, mean, scatter) for one in range(count))
        assert at_least(count, mean, scatter) == pytest.approx(1 - below, rel=1e-6, abs=1e-10)
    for count in range(int(mean)):
        upto = sum(probability_of(one, mean, scatter) for one in range(count + 1))
        assert at_most(count, mean, scatter) == pytest.approx(upto, rel=1e-6)


def test_nearly_poisson():
    """With a scatter of 1 it is Poisson's distribution."""
    poisson = sum(exp(-2.0 + one * log(2.0) - lgamma(one + 1)) for one in range(10, 60))
    assert at_least(10, 2.0, 1.0) == pytest.approx(poisson, rel=0.02)
    assert at_most(0, 5.0, 1.0) == pytest.approx(exp(-5.0), rel=0.02)


def test_billions():
    """Counts of a billion are told apart: three standard deviations above is a thousandth, ten is nothing."""
    mean, scatter = 1e9, 1e6
    sd = (mean * scatter) ** 0.5
    assert at_least(mean + 3 * sd, mean, scatter) == pytest.approx(0.0017472, rel=1e-3)  # scipy 1.17's figures
    assert at_least(mean + 25 * sd, mean, scatter) < 1e-50
    assert at_most(mean - 3 * sd, mean, scatter) == pytest.approx(0.0010012, rel=1e-3)


def test_the_edges():
    """What is not above (or below) the mean is no surprise; what nothing lets expect is a full one."""
    assert at_least(5, 5.0, 2.0) == at_least(0, 0.0, 2.0) == at_most(5, 5.0, 2.0) == 1.0
    assert at_least(1, 0.0, 2.0) == at_most(-1, 5.0, 2.0) == 0.0


def test_no_scatter_makes_little_a_surprise():
    """Ten where two are expected is no surprise after bursts of hundreds, nor of millions."""
    assert at_least(10, 2.0, 1.0) < 1e-4
    assert at_least(10, 2.0, 1e2) == at_least(10, 2.0, 1e12) > 0.01


@given(st.floats(1e-6, 1e15), st.floats(1, 1e15), st.floats(1.5, 1e4), st.floats(1, 10))
def test_monotone(mean, scatter, far, farther):
    """A further count is never more probable, and a probability is one."""
    near, distant = (at_least(mean * factor, mean, scatter) for factor in (far, far * farther))
    assert 1 >= near >= distant - 1e-7
    assert distant >= 0
    near, distant = (at_most(mean / factor, mean, scatter) for factor in (far, far * farther))
    assert 1 >= near >= distant - 1e-7
    assert distant >= 0
