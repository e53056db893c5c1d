"""Of several issues about one bug the lowest number stays.

Hosts that share nothing may open two at the same time, and the list of issues may not show the other's for a while.
Whoever sees them closes the higher ones as duplicates, with their counts added, unless a person has opened them. The
same look finds counts that another ledger's edit has overwritten: GitHub knows no edit that only succeeds if nobody
else was first.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from loghub.github.block import put, read_blocks, read_state, splice
from loghub.github.lookup import LAG_SECONDS, STORM

if TYPE_CHECKING:
    from loghub.github.block import State
    from loghub.github.visit import Visit


def end_doubles(visit: Visit) -> None:
    """Read what has changed if that is due, and mend what is there twice or was overwritten."""
    if float(visit.batch.memory.get("look_at", "inf")) <= visit.batch.now():
        visit.lookup.fresh = False
        visit.lookup.refresh()
        shown = {one: counts.get(visit.batch.ledger_id, 0) for one, counts in visit.lookup.shown.items()}
        for fingerprint, lowest, others in visit.lookup.doubles():
            for number in others:
                visit.batch.renew()
                merge(visit, fingerprint, number, lowest)
            shown[fingerprint] = -1  # its issue may have been closed meanwhile: look at it again
        visit.batch.remind(shown)
        visit.batch.memory.pop("look_at")
        if visit.has_created:
            visit.look_by(LAG_SECONDS)  # what was opened elsewhere at that time may not be in the list yet


def merge(visit: Visit, fingerprint: str, number: int, lowest: int, *, linked: bool = False) -> None:
    """Close the issue `number` as a duplicate of `lowest`, which takes over what it has counted.

    `linked`: a person has said that it is one.
    """
    kept, other = visit.read(lowest), visit.read(number)
    if kept is None or other is None or kept["number"] != lowest or other["number"] != number:
        return
    by_us = visit.lookup.is_by_us(other)
    if not (by_us or linked):
        return  # a person's, who quotes what he has read
    body = kept.get("body") or ""
    own = [(state, block) for state, block in read_blocks(other.get("body")) if _is_about(state, fingerprint)]
    for state, block in own:
        body = _added(body, state, block) or body
    if body != kept.get("body"):
        visit.client.edit_issue(lowest, body=body)
        other = visit.read(number)
    if other is None:
        return
    fields: dict[str, Any] = {}
    marked = other.get("body") or ""
    for state, _ in own:
        marked = splice(marked, replace(state, duplicate_of=lowest)) or marked
    if marked != other.get("body"):
        fields["body"] = marked
    if by_us and other["state"] == "open":
        fields |= {"state": "closed", "state_reason": "duplicate", "duplicate_issue_id": kept["id"]}
    if fields:
        visit.lookup.note(visit.client.edit_issue(number, **fields))
        visit.say(logging.INFO, f"{visit.batch.destination}: closed #{number} as a duplicate of #{lowest}")


def _is_about(state: State, fingerprint: str) -> bool:
    return state.fingerprint == fingerprint or (fingerprint == STORM and state.fingerprint.startswith(f"{STORM}:"))


def _added(body: str, state: State, block: str) -> str | None:
    """Return a body whose block of this bug says also what `state` says."""
    said = read_state(body, state.fingerprint)
    if said is not None and not state.fingerprint.startswith(f"{STORM}:"):
        return splice(body, said.merge(state))
    newer = said is None or state.last_seen_at > said.last_seen_at
    return put(body, block) if newer else body
