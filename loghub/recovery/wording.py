"""How people are told what a recovery procedure did."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loghub.ledger.protocol import Recovery


def wording(one: Recovery) -> str:
    """Return one outcome in one line, without a full stop."""
    said = f"{one.outcome}: {one.procedure}, after {_seconds(one.seconds)}"
    return f"{said}: {one.reason.rstrip('.')}" if one.reason else said


def summary(recoveries: Sequence[Recovery]) -> str:
    """Return the newest outcome, and how many of those that are kept helped where there are more."""
    said = wording(recoveries[0])
    helped = sum(one.outcome == "recovered" for one in recoveries)
    return said if len(recoveries) == 1 else f"{said} ({helped} of the last {len(recoveries)} runs recovered)"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds:.0f} s"
