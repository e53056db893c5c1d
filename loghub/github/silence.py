"""Closing the issues of bugs that nobody has seen for quiet_close_days."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from loghub.github.block import read_state, splice
from loghub.github.failures import ForbiddenError, InvalidError
from loghub.github.visit import DAY_SECONDS, HOUR_SECONDS

if TYPE_CHECKING:
    from loghub.github.visit import Visit
    from loghub.ledger.protocol import Item

MOST_AT_ONCE = 20


def close_quiet(visit: Visit) -> None:
    """Close the issues of bugs that nobody has seen for quiet_close_days, a few at a time."""
    memory, now = visit.batch.memory, visit.batch.now()
    if visit.policy.quiet_close_days is None:
        memory.pop("quiet_at", None)
        return
    if float(memory.get("quiet_at", 0.0)) > now:
        return
    before = now - visit.policy.quiet_close_days * DAY_SECONDS
    told = visit.batch.told(before)
    open_ones = [
        item
        for item in told
        if item.memory.get("number")
        and not item.memory.get("theirs")
        and not now - DAY_SECONDS < float(item.memory.get("looked_at", 0.0)) <= now
    ]
    for item in open_ones[:MOST_AT_ONCE]:
        visit.batch.renew()
        _close(visit, item, before)
    memory["quiet_at"] = now + HOUR_SECONDS


def _close(visit: Visit, item: Item, before: float) -> None:
    found = visit.read(item.memory.get("at") or item.memory["number"])
    said = read_state(found.get("body"), item.group.fingerprint) if found else None
    item.memory["looked_at"] = visit.batch.now()
    if found is None or found["state"] != "open":
        item.memory["status"] = "resolved"  # somebody was first
    elif said is None or not visit.lookup.is_by_us(found):
        item.memory["theirs"] = True  # a person's: it is his to close
    elif said.last_seen_at < before:  # else another ledger has seen it
        body = splice(found.get("body") or "", replace(said, quiet=True))
        fields = {"state": "closed", "state_reason": "completed"} | ({"body": body} if body else {})
        try:
            visit.edit(found, **fields)
            item.memory["status"] = "resolved"
        except (ForbiddenError, InvalidError):
            item.memory["theirs"] = True
    visit.batch.done(item)
