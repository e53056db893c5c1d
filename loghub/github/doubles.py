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
from loghub.github.failures import ForbiddenError, InvalidError
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
                try:
                    merge(visit, fingerprint, number, lowest)
                except (ForbiddenError, InvalidError) as error:  # this one is not ours to close; the others are told
                    visit.say(logging.WARNING, f"{visit.batch.destination}: #{number} stays beside #{lowest}: {error}")
            shown[fingerprint] = -1  # its issue may have been closed meanwhile: look at it again
        visit.batch.remind(shown)
        visit.batch.memory.pop("look_at")
        if visit.has_created:
            visit.look_by(LAG_SECONDS)  # what was opened elsewhere at that time may not be in the list yet


def merge(visit: Visit, fingerprint: str, at: int | str, number: int, *, linked: bool = False) -> None:
    """Close the issue `at` as a duplicate of #`number`, which takes over what it has counted.

    An issue that has the block of another bug, too, stays open for that one.

    Args:
        visit: Where.
        fingerprint: Of the bug.
        at: A number, or a URL in the API.
        number: In this repository.
        linked: A person has said that it is one.
    """
    other = visit.read(at)
    if other is None or (not linked and not visit.is_here(other)):
        return
    blocks = read_blocks(other.get("body"))
    own = [(state, block) for state, block in blocks if _is_about(state, fingerprint)]
    by_us = visit.lookup.is_by_us(other)
    again = any(state.duplicate_of == number for state, _ in own)  # it was closed, and a person has opened it again
    if not own or not (by_us or linked) or (again and other["state"] == "open"):
        return  # a person's who quotes what he has read, or who wants it
    kept = visit.read(number)  # just before it is edited: what another ledger writes meanwhile would be overwritten
    if kept is None or not visit.is_here(kept):
        return
    body = kept.get("body") or ""
    for state, block in own:
        body = _added(body, replace(state, duplicate_of=None), block) or body
    if body != kept.get("body"):
        visit.edit(kept, body=body)
        other = visit.read(at)
    if other is not None:
        alone = all(state.duplicate_of for state, _ in blocks if not _is_about(state, fingerprint))
        _mark(visit, other, kept, [state for state, _ in own], close=by_us and alone)


def _mark(visit: Visit, other: dict[str, Any], kept: dict[str, Any], states: list[State], *, close: bool) -> None:
    """Have an issue say that it is a duplicate, and close it."""
    fields: dict[str, Any] = {}
    marked = other.get("body") or ""
    for state in states:
        marked = splice(marked, replace(state, duplicate_of=kept["number"])) or marked
    if marked != other.get("body"):
        fields["body"] = marked
    if close and other["state"] == "open":
        _close(visit, other, kept, fields)
    elif fields:
        visit.edit(other, **fields)


def _close(visit: Visit, other: dict[str, Any], kept: dict[str, Any], fields: dict[str, Any]) -> None:
    duplicate = {"state": "closed", "state_reason": "duplicate"}
    if visit.is_here(other):
        duplicate["duplicate_issue_id"] = kept["id"]
    try:
        visit.edit(other, **fields, **duplicate)
    except InvalidError:  # an Enterprise Server that does not know this reason yet; the block says it
        visit.edit(other, **fields, state="closed", state_reason="not_planned")
    visit.say(logging.INFO, f"{visit.batch.destination}: closed #{other['number']} as a duplicate of #{kept['number']}")


def _is_about(state: State, fingerprint: str) -> bool:
    return state.fingerprint == fingerprint or (fingerprint == STORM and state.fingerprint.startswith(f"{STORM}:"))


def _added(body: str, state: State, block: str) -> str | None:
    """Return a body whose block of this bug says also what `state` says."""
    said = read_state(body, state.fingerprint)
    if said is not None and not state.fingerprint.startswith(f"{STORM}:"):
        return splice(body, said.merge(state))
    newer = said is None or state.last_seen_at > said.last_seen_at
    return put(body, block) if newer else body
