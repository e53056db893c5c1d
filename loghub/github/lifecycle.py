"""What to do next about one bug: a decision from what the ledger knows and what GitHub shows, without I/O.

The handler's work is to make the issue say what the group says, in steps that each may be repeated: a
lost reply, a crash or an outage needs no replay, only another look.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from loghub.event import epoch
from loghub.github.block import State, read_state, short_name
from loghub.github.issue import HEADING, milestone
from loghub.recovery.wording import told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from loghub.github.issue import CommentKind
    from loghub.ledger.protocol import Group, Item
    from loghub.release_order import Order

MUTE_LABELS = frozenset({"wontfix", "loghub:mute"})
REGRESSION_LABEL = "regression"
EDIT_SECONDS = (60.0, 300.0, 1800.0, 3600.0)
"""How long an issue's count rests between two edits: longer with every other digit of its count."""

EDIT_GAP_SECONDS = 15.0
"""Between two edits on the average, however many issues there are: 240 an hour."""

_MUTE_DAYS = re.compile(r"loghub:mute-(\d{1,4})d", re.IGNORECASE)
_DAY_SECONDS = 86_400.0
_COMPARED = 20  # releases; git may be asked about each


@dataclass(frozen=True)
class Step:
    """What to do about one issue.

    Attributes:
        kind: ``create``; ``edit`` (the block); ``reopen`` (and edit, label, comment); ``silent`` (only count);
            ``follow`` (the issue that this one is a duplicate of).
        status: What the readers show: open, resolved or muted.
        comment: A comment to add.
        release: The release that the comment is about.
        unlabel: A label to take away: its time is over.
    """

    kind: Literal["create", "edit", "reopen", "silent", "follow"]
    status: str = "open"
    comment: CommentKind | None = None
    release: str = ""
    unlabel: str = ""


@dataclass(frozen=True)
class Rules:
    """What the handler's options and the application's repository say about an issue's life.

    Attributes:
        reopen: Whether a bug that comes back reopens its issue.
        order: How the first of two releases stands to the second, as far as anybody can tell.
        ahead: How far our clock is ahead of GitHub's, in seconds.
    """

    reopen: bool = True
    order: Callable[[str, str], Order | None] = field(default=lambda one, other: "same" if one == other else None)
    ahead: float = 0.0


def state_of(group: Group, ledger_id: str, issue_body: str | None) -> State:
    """Return what the issue should say: what it says and what this ledger has counted."""
    ours = State(
        group.fingerprint,
        {**group.carried, ledger_id: group.own},
        group.first_seen_at,
        group.last_seen_at,
        releases=_first_times(group.releases),
        environments=_first_times(group.environments),
        servers=_first_times(group.servers),
        recovery=(group.recoveries[0].at, told(group.recoveries)) if group.recoveries else (0.0, ""),
    )
    said = read_state(issue_body, group.fingerprint)
    return ours if said is None else said.merge(ours)


def _first_times(names: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    return {name: first_at for name, (first_at, _) in names.items()}


def next_step(item: Item, found: dict[str, Any] | None, ledger_id: str, now: float, rules: Rules) -> Step:
    """Decide what to do about `item`.

    Args:
        item: What is to be told; ``memory["muted_at"]`` is when its issue was first seen with a label that mutes
            for some days.
        found: The issue as GitHub shows it; None: there is none.
        ledger_id: The ledger that counts.
        now: Epoch seconds.
        rules: See there.
    """
    if found is None:
        return Step("create")
    days = mute_label(found)
    muted_until = float(item.memory.get("muted_at", now)) + mute_seconds(days)
    if is_muted(found) or (days and now < muted_until):
        return Step("silent", "muted")
    said = read_state(found.get("body"), item.group.fingerprint)
    if said is not None and said.duplicate_of and not is_reopened(found):
        return Step("follow", "muted")
    if found["state"] == "closed":
        return _when_closed(item, found, said, rules, days)
    count = state_of(item.group, ledger_id, found.get("body")).count
    if said is not None and milestone(count) > milestone(said.count):
        return Step("edit", comment="milestone", unlabel=days)
    release = _new_release(item.group, said, rules)
    return Step("edit", comment="release" if release else None, release=release, unlabel=days)


def _when_closed(item: Item, found: dict[str, Any], said: State | None, rules: Rules, days: str) -> Step:
    reason = found.get("state_reason")
    if reason == "duplicate":
        return Step("follow", "muted")
    if reason == "not_planned":
        return Step("silent", "muted")
    closed_at = (epoch(found.get("closed_at")) or 0.0) + 1.0 + rules.ahead  # GitHub leaves the fraction out
    last_seen_at = max(item.group.last_seen_at, said.last_seen_at if said else 0.0)
    if not rules.reopen or last_seen_at <= closed_at:
        return Step("edit", "resolved")
    if said is not None and said.quiet:
        return Step("reopen", comment="return", unlabel=days)
    release = regressed_in(item.group, said, closed_at, rules)
    if release is None:
        return Step("edit", "resolved")
    return Step("reopen", comment="regression", release=release, unlabel=days)


def regressed_in(group: Group, said: State | None, closed_at: float, rules: Rules) -> str | None:
    """Return the release in which a bug came back that was closed as completed; None: nothing says that it did.

    Whoever ran a release in which the bug was known before the issue was closed goes on failing until he is
    updated; so does a rollback to a release that is older than one of those, or a branch that went another way.
    Only a release that is newer than all of them can have the fix. Where no order is known (see
    `loghub.release_order`), the one that was first seen after the closing is the newer; where no release is
    known, time alone decides: an empty text.
    """
    seen = _short(group.releases)
    said_at = dict(said.releases) if said else {}  # where another ledger went on, or its issue was merged into this one
    after = {name: first_at for name, (first_at, last_at) in seen.items() if last_at > closed_at}
    if not after and (group.last_seen_at > closed_at or not (seen or said_at)):
        return ""
    known = {name: first_at for name, first_at in said_at.items() if first_at <= closed_at}
    known |= {name: first_at for name, (first_at, _) in seen.items() if first_at <= closed_at}
    fresh = {name: at for name, at in (said_at | after).items() if name not in known}
    return _newest(fresh, known, rules)


def _new_release(group: Group, said: State | None, rules: Rules) -> str:
    """Return the newest release that the issue does not speak of yet; empty where there is none."""
    if said is None or not said.releases:
        return ""
    fresh = {name: first_at for name, (first_at, _) in _short(group.releases).items() if name not in said.releases}
    return _newest(fresh, said.releases, rules) or ""


def _short(releases: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """Return releases by the names that a block carries."""
    return {short_name(name): times for name, times in releases.items()}


def _newest(fresh: Mapping[str, float], known: Mapping[str, float], rules: Rules) -> str | None:
    """Return the newest of some releases, by name when first seen, that is newer than all known ones."""
    newest: str | None = None
    known = {name: known[name] for name in sorted(known, key=lambda name: known[name])[-_COMPARED:]}
    for name, at in fresh.items():
        others = known if newest is None else {**known, newest: fresh[newest]}
        if all(_is_newer(name, at, other, other_at, rules) for other, other_at in others.items()):
            newest = name
    return newest


def _is_newer(name: str, at: float, other: str, other_at: float, rules: Rules) -> bool:
    order = rules.order(name, other)
    return order == "newer" or (order is None and at > other_at)


def label_names(found: dict[str, Any]) -> list[str]:
    """Return the names of an issue's labels."""
    return [str(label.get("name") if isinstance(label, dict) else label) for label in found.get("labels") or ()]


def is_muted(found: dict[str, Any]) -> bool:
    """Return whether a label silences an issue for good."""
    return not MUTE_LABELS.isdisjoint(map(str.lower, label_names(found)))


def is_reopened(found: dict[str, Any]) -> bool:
    """Return whether an issue that loghub has opened is open: if it was a duplicate once, a person wants it back."""
    return found["state"] == "open" and HEADING in (found.get("body") or "")


def mute_label(found: dict[str, Any]) -> str:
    """Return the label that mutes an issue for most days, such as ``loghub:mute-30d``; empty if it has none."""
    return max((name for name in label_names(found) if _MUTE_DAYS.fullmatch(name)), key=mute_seconds, default="")


def mute_seconds(label: str) -> float:
    """Return how long such a label mutes."""
    read = _MUTE_DAYS.fullmatch(label)
    return int(read[1]) * _DAY_SECONDS if read else 0.0


def edit_due_at(item: Item, waiting: int, now: float) -> float:
    """Return when the count of an issue may next be edited (epoch seconds), if so many issues wait for that."""
    edited_at = float(item.memory.get("edited_at", 0.0))
    edited_at = 0.0 if edited_at > now else edited_at  # by a clock that was ahead
    rank = min(len(str(item.group.count)) // 2, len(EDIT_SECONDS) - 1)
    return edited_at + max(EDIT_SECONDS[rank], EDIT_GAP_SECONDS * waiting)


def may_go_last(item: Item) -> bool:
    """Return whether the process may edit as it ends: not if only the count is behind, by less than a tenth."""
    said = item.memory.get("said")
    return not isinstance(said, int | float) or not 0 < item.group.own - said < said / 10
