"""When to try again: exponential backoff with full jitter, bounded, and never before the destination allows.

Full jitter after "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): the wait is uniform between
zero and the exponential bound, so that many processes that failed together do not come back together.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_SECONDS = 2.0
LONGEST_SECONDS = 3600.0
LONGEST_ASKED_SECONDS = 86_400.0
"""A destination that asks for more is asked again after a day."""


def delay(
    attempts: int,
    retry_after: float | None = None,
    uniform: Callable[[float, float], float] = random.uniform,
    *,
    first: float = FIRST_SECONDS,
    longest: float = LONGEST_SECONDS,
) -> float:
    """Return the seconds to wait after the `attempts`-th failure in a row (1 is the first).

    `retry_after` is what the destination asked for; the wait is never shorter than that, up to a day. Otherwise it is
    at most `first` seconds, doubled with each failure up to `longest`, and at least an eighth of that.
    """
    bound = min(longest, first * 2.0 ** min(max(attempts, 1) - 1, 30))
    if retry_after is not None and retry_after > 0:
        asked = min(retry_after, LONGEST_ASKED_SECONDS)
        return asked + uniform(0.0, min(1.0, asked / 10))
    return uniform(bound / 8, bound)
