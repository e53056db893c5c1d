"""What recovery procedures did about a bug, in one line for people: in the mail, on the issue, in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loghub.event import iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loghub.ledger.protocol import Recovery

_BY = {"recovered": "by", "failed": "in", "gave up": "in"}


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
    took = "in" if newest.outcome == "recovered" else "after"
    seconds = f"{newest.seconds:,.0f}" if newest.seconds >= 10 else f"{newest.seconds:.1f}"
    said = (
        f"{newest.outcome} {_BY.get(newest.outcome, 'in')} {newest.procedure} {took} {seconds} s at {_time(newest.at)}"
    )
    if newest.server:
        said += f" on {newest.server}"
    if len(recoveries) > 1:
        good = sum(one.outcome == "recovered" for one in recoveries)
        said += f" ({len(recoveries)} runs, {good or 'none'} recovered)"
    if newest.outcome != "recovered" and newest.reason.strip():
        said += f": {newest.reason}"
    return " ".join(said.split())


def _time(at: float) -> str:
    return f"{iso(at)[:19].replace('T', ' ')} UTC"
