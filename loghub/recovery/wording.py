"""How people are told what a recovery procedure did."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loghub.ledger.protocol import Recovery


def wording(one: Recovery) -> str:
    """Return one outcome in one line, without a full stop."""
    said = f"{one.outcome}: {one.procedure}, after {_seconds(one.seconds)}"
    return f"{said}: {one.reason.rstrip('.')}" if one.reason else said


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds:.0f} s"
