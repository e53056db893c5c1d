"""What to do next about one bug: a decision from what the ledger knows and what GitHub shows, without I/O.

The handler's work is to make the issue say what the group says, in steps that each may be repeated: a
lost reply, a crash or an outage needs no replay, only another look.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from loghub.event import epoch
from loghub.github import issue as text

if TYPE_CHECKING:
    from loghub.github.issue import State
    from loghub.ledger.protocol import Group, Item

MUTE_LABELS = frozenset({"wontfix", "loghub:mute"})
REGRESSION_LABEL = "regression"
EDIT_SECONDS = (60.0, 300.0, 1800.0, 3600.0)
"""How long an issue's count rests between two edits: longer with each power of ten of its count."""


@dataclass(frozen=True)
class Step:
    """What to do about one issue.

    Attributes:
        kind: ``create``; ``edit`` (the block); ``reopen`` (and edit, label, comment); ``silent`` (only count).
        status: What the readers show: open, resolved or muted.
        comment: A comment to add: at a power of ten of the count, or for a regression.
    """

    kind: Literal["create", "edit", "reopen", "silent"]
    status: str = "open"
    comment: Literal["milestone", "regression"] | None = None


def state_of(group: Group, ledger_id: str, issue_body: str | None) -> State:
    """Return what the issue should say: what it says and what this ledger has counted."""
    ours = text.State(group.fingerprint, {ledger_id: group.count}, group.first_seen_at, group.last_seen_at)
    said = text.read_state(issue_body)
    return ours if said is None or said.fingerprint != group.fingerprint else said.merge(ours)


def next_step(item: Item, found: dict[str, Any] | None, before: State | None, now_said: State, *, reopen: bool) -> Step:
    """Decide what to do about `item`, whose issue is `found` (GitHub's JSON; None: there is none).

    Args:
        item: What is to be told.
        found: The issue.
        before: What its block says.
        now_said: What its block should say.
        reopen: Whether a bug that comes back reopens its issue.
    """
    if found is None:
        return Step("create")
    if _muted(found):
        return Step("silent", "muted")
    if found["state"] == "closed":
        if found.get("state_reason") in ("not_planned", "duplicate"):
            return Step("silent", "muted")
        closed_at = epoch(found.get("closed_at")) or 0.0
        if reopen and item.group.last_seen_at > closed_at:
            return Step("reopen", comment="regression")
        return Step("silent", "resolved")
    passed = text.milestone(now_said.count) > text.milestone(before.count if before else now_said.count)
    return Step("edit", comment="milestone" if passed else None)


def _muted(found: dict[str, Any]) -> bool:
    names = {label.get("name") if isinstance(label, dict) else label for label in found.get("labels", ())}
    return not MUTE_LABELS.isdisjoint(names)


def edit_due_at(item: Item) -> float:
    """Return when the count of an issue that exists may next be edited (epoch seconds)."""
    edited_at = float(item.memory.get("edited_at", 0.0))
    rank = min(len(str(item.group.count)) // 2, len(EDIT_SECONDS) - 1)
    return edited_at + EDIT_SECONDS[rank]
