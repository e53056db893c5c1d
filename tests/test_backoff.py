"""Backoff: the wait grows, is drawn anew each time, and keeps to what the destination asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loghub.backoff import delay

HOUR, DAY = 3_600.0, 86_400.0


def longest(attempts, retry_after=None):
    """Return the longest wait that can be drawn."""
    return delay(attempts, retry_after, uniform=lambda _, most: most)


def shortest(attempts, retry_after=None):
    """Return the shortest wait that can be drawn."""
    return delay(attempts, retry_after, uniform=lambda least, _: least)


def test_doubles():
    """The bound doubles with each failure, up to an hour."""
    assert [longest(n) for n in range(1, 6)] == [2, 4, 8, 16, 32]
    assert longest(12) == longest(10_000) == HOUR


def test_no_failure_yet():
    """Who asks before the first failure waits as after it."""
    assert longest(0) == longest(-5) == longest(1)


def test_other_bounds():
    """Who waits for something small says how long at first and at most."""
    waits = [delay(n, uniform=lambda _, most: most, first=0.5, longest=3.0) for n in range(1, 6)]
    assert waits == [0.5, 1, 2, 3, 3]


@given(st.integers(-5, 10_000))
def test_never_at_once(attempts):
    """Full jitter, but never no wait at all: many that failed together do not come back together or at once."""
    assert 0 < shortest(attempts) == longest(attempts) / 8
    assert shortest(attempts) <= delay(attempts) <= longest(attempts)


@given(st.integers(1, 50), st.floats(0.1, 80_000))
def test_asked_for(attempts, seconds):
    """What the destination asked for is kept, with at most a second more."""
    assert seconds <= delay(attempts, seconds) <= seconds + 1


@pytest.mark.parametrize(("seconds", "most"), [(5, 5.5), (10, 11), (60, 61)])
def test_asked_for_by_many(seconds, most):
    """Many that were told the same do not come back at once: they spread over a tenth of it, at most a second."""
    assert (shortest(1, seconds), longest(1, seconds)) == (seconds, most)


def test_asked_for_too_much():
    """Nobody is put off for more than a day, or for no time at all."""
    assert (shortest(1, 1e9), longest(1, 1e9)) == (DAY, DAY + 1)
    assert shortest(3, 0) == shortest(3, -5) == shortest(3) > 0
