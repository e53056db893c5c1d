"""What recovery procedures did about a bug, in one line for people: in the mail, on the issue, in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loghub.event import iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loghub.ledger.protocol import Recovery


def wording(one: Recovery) -> str:
    """Return one outcome in one line: ``recovered by shop.repair.reopen in 0.8 s``."""
    return _with_reason(_done(one), one)


def told(recoveries: Sequence[Recovery]) -> str:
    """Return one line about the newest of `recoveries`, with how many of them recovered; empty where there is none.

    ``recovered by shop.repair.reopen in 0.8 s at 2026-11-28 03:10:07 UTC (3 runs, 2 recovered)``

    Names and reason are as they were kept: who shows the line escapes it.

    Args:
        recoveries: As a group has them, newest first.
    """
    if not recoveries:
        return ""
    newest = recoveries[0]
    said = f"{_done(newest)} at {iso(newest.at)[:19].replace('T', ' ')} UTC"
    if newest.server:
        said += f" on {newest.server}"
    if len(recoveries) > 1:
        good = sum(one.outcome == "recovered" for one in recoveries)
        said += f" ({len(recoveries)} runs, {good or 'none'} recovered)"
    return _with_reason(said, newest)


def _done(one: Recovery) -> str:
    seconds = f"{one.seconds:,.0f}" if one.seconds >= 10 else f"{one.seconds:.1f}"
    if one.outcome == "recovered":
        return f"recovered by {one.procedure} in {seconds} s"
    return f"{one.outcome} in {one.procedure} after {seconds} s"


def _with_reason(said: str, one: Recovery) -> str:
    reason = one.reason.strip().rstrip(".") if one.outcome != "recovered" else ""
    return " ".join((f"{said}: {reason}" if reason else said).split())
