"""Each beginning of a token that is known is found in a sentence that says nothing of secrets."""

from __future__ import annotations

import random

import pytest

from loghub.scrub import Scrubber, shapes
from tests.secrets.kinds import B62, DIGITS, HEX, LOWER, UPPER

_rng = random.Random(20_261_129)


def _of(chars, length):
    return "".join(_rng.choices(chars, k=length))


BODIES = [
    *(_of(chars, length) for chars in (B62, HEX, UPPER + DIGITS) for length in (16, 32, 43, 60)),
    _of(UPPER + LOWER, 40),
    *(beginning + _of(B62, 60) for beginning in ("b-", "1-", "AgE")),
    f"{_of(B62, 14)}.{_of(HEX, 64)}",
    f"{_of(B62, 22)}.{_of(B62, 43)}.{_of(B62, 43)}",
]
"""What may follow a beginning; whose token is of none of these forms, adds one."""


@pytest.fixture(scope="module")
def shown():
    """Return what shows a sentence with a token in it."""
    scrubber = Scrubber()
    return lambda token: scrubber.text(f"it answered {token} today")


@pytest.mark.parametrize("start", shapes._TOKENS)
def test_each_beginning(shown, start):
    """One of the bodies is hidden behind the beginning, and is not by itself: it is the shape that was found."""
    assert [body for body in BODIES if body in shown(body) and body not in shown(start + body)]
