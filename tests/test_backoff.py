"""Backoff: the wait grows, is drawn anew each time, and keeps to what the destination asked for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from loghub.backoff import LONGEST_ASKED_SECONDS, LONGEST_SECONDS, delay


def longest(attempts, retry_after=None):
    """Return the longest wait that can be drawn."""
    return delay(attempts, retry_after, uniform=lambda _, most: most)


def shortest(attempts, retry_after=None):
    """Return the shortest wait that can be drawn."""
    return delay(attempts, retry_after, uniform=lambda least, _: least)


def test_doubles():
    """The bound doubles with each failure, up to an hour."""
    assert [longest(n) for n in range(1, 6)] == [2, 4, 8, 16, 32]
    assert longest(12) == longest(10_000) == LONGEST_SECONDS


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


def test_asked_for_too_much():
    """Nobody is put off for years, or for no time at all."""
    assert LONGEST_ASKED_SECONDS <= delay(1, 1e9) <= LONGEST_ASKED_SECONDS + 1
    assert shortest(3, 0) == shortest(3, -5) == shortest(3) > 0
