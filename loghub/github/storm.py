"""The storm issue: while there are more new bugs than issues_per_hour, one issue lists what waits.

There is one for the repository. Each ledger has a block of its own in it, whose fingerprint is ``storm:`` and the
ledger's id, and whose count is the number of bugs that wait there. When nothing waits any more, it is closed; the next
storm opens it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loghub.github import lifecycle
from loghub.github.block import State, framed, put, read_states, when
from loghub.github.issue import HEADING, Draft
from loghub.github.lookup import STORM
from loghub.github.markdown import code
from loghub.github.visit import DAY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loghub.github.visit import Visit
    from loghub.ledger.protocol import Item

TITLE = "[Auto] Storm: more new bugs than issues may be opened"
LISTED = 50
EDIT_SECONDS = 300.0
"""How often the list is brought up to date."""


def state(ledger_id: str, waiting: Sequence[Item], now: float) -> State:
    """Return what the block of a ledger says for machines."""
    began = min((item.group.first_seen_at for item in waiting), default=now)
    return State(f"{STORM}:{ledger_id}", {ledger_id: len(waiting)}, began, now)


def block(about: State, waiting: Sequence[Item]) -> str:
    """Return the block of a ledger: the bugs that wait for an issue of their own, the most frequent first."""
    if not waiting:
        return framed(about, [f"Nothing waits any more ({when(about.last_seen_at)})."])
    most = sorted(waiting, key=lambda item: -item.group.count)
    occurrences = sum(item.group.count for item in waiting)
    rows = [f"| {item.group.count:,} | {_cell(item)} | {code(item.group.fingerprint)} |" for item in most[:LISTED]]
    more = len(most) - LISTED
    return framed(
        about,
        [
            f"{len(most):,} bugs with {occurrences:,} occurrences wait for their issues ({when(about.last_seen_at)}).",
            "",
            "| Occurrences | Bug | Fingerprint |",
            "| ---: | --- | --- |",
            *rows,
            *(["", f"And {more:,} more."] if more > 0 else []),
        ],
    )


def _cell(item: Item) -> str:
    group = item.group
    return code(f"{group.error_type}: {group.culprit or group.error_message}", 120).replace("|", r"\u007c")


def body(new_block: str, issues_per_hour: int) -> str:
    """Return the body of the storm issue as it is opened."""
    return (
        f"{HEADING}: Storm\n\nThere are more new bugs than issues are opened in an hour ({issues_per_hour}, the option "
        "issues_per_hour). Each of these gets an issue of its own when there is room; nothing is lost, and every "
        f"occurrence is counted.\n\n{new_block}"
    )


def keep(visit: Visit) -> None:
    """Open the storm issue, bring it up to date, or close it, where one of these is due."""
    memory, now = visit.batch.memory, visit.batch.now()
    if float(memory.get("storm_at", "inf")) > now:
        return
    waiting = [
        item
        for item in visit.batch.waiting()
        if not item.memory.get("number") and visit.lookup.number(item.group.fingerprint) is None
    ]
    about = state(visit.batch.ledger_id, waiting, now)
    new_block = block(about, waiting)
    visit.lookup.refresh()
    number = visit.lookup.number(about.fingerprint)
    found = visit.read(number) if number else None
    if found is not None and not visit.is_here(found):
        found = None  # somebody has moved it away: it is his
    lasts = False
    if found is not None:
        lasts = _update(visit, found, about, new_block)
    elif waiting:
        visit.create(Draft(TITLE, body(new_block, visit.policy.issues_per_hour), visit.policy.labels))
    memory.pop("storm_at")
    memory["storming"] = bool(waiting)
    if waiting:
        memory["storm_at"] = now + EDIT_SECONDS
    elif lasts:
        memory["storm_at"] = now + DAY_SECONDS  # its ledger may be gone: somebody has to close it


def _update(visit: Visit, found: dict[str, Any], about: State, new_block: str) -> bool:
    """Bring the storm issue up to date; True if the storm goes on, here or elsewhere."""
    if lifecycle.is_muted(found) or found.get("state_reason") in ("not_planned", "duplicate"):
        return False
    fields: dict[str, Any] = {}
    edited = put(found.get("body") or "", new_block)
    if edited is not None and edited != found.get("body"):
        fields["body"] = edited
    gone_before = about.last_seen_at - DAY_SECONDS  # a ledger that has said nothing for a day is gone
    others = [one for one in read_states(found.get("body")) if one.fingerprint != about.fingerprint]
    lasts = bool(about.count or any(one.count and one.last_seen_at > gone_before for one in others))
    begins = about.count and not visit.batch.memory.get("storming")
    if begins and found["state"] == "closed":  # in the midst of a storm it was a person who closed it
        fields |= {"state": "open", "state_reason": "reopened"}
    elif not lasts and found["state"] == "open":
        fields |= {"state": "closed", "state_reason": "completed"}
    if fields:
        visit.edit(found, **fields)
    return lasts
