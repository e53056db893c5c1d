"""The storm issue: while there are more new bugs than issues_per_hour, one issue lists what waits.

There is one for the repository. Each ledger has a block of its own in it, whose fingerprint is ``storm:`` and the
ledger's id, and whose count is the number of bugs that wait there. When nothing waits any more, it is closed; the next
storm opens it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loghub.github.block import State, framed, when
from loghub.github.issue import HEADING
from loghub.github.lookup import STORM
from loghub.github.markdown import code

if TYPE_CHECKING:
    from collections.abc import Sequence

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
