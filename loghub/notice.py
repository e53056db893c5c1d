"""What a channel is told: a title and a line for each bug, in as much room as the channel has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from loghub.mail import in_order
from loghub.mail.digest import component_of
from loghub.mail.entry import about, line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loghub.history import Outlook
    from loghub.ledger.protocol import Item

MOST_BUGS = 20
"""So many bugs have a line of their own."""

_MENTION = re.compile(r"(?<!\w)@(?=\w)|<(?=[!@#])")
_LEAST = 60


def compose(
    items: Sequence[Item], *, outlooks: Mapping[str, Outlook], title_room: int, body_room: int
) -> tuple[str, str]:
    """Return title and text of the notice about `items`, the gravest and most frequent first.

    Nothing in them mentions anybody or everybody, wherever it is shown.

    Args:
        items: At least one.
        outlooks: What the groups do, by fingerprint, as far as that is known.
        title_room: Characters that the title may have; 0: there is none, and the text begins with it.
        body_room: Characters that the text may have.
    """
    bugs = in_order(items)
    title = _title(bugs, outlooks)
    if not title_room:
        body_room -= len(title) + 1
    body = _body(bugs, outlooks, max(body_room, _LEAST)) if title_room or body_room >= _LEAST else ""
    return (title[:title_room], body) if title_room else ("", f"{title}\n{body}".rstrip())


def _title(bugs: Sequence[Item], outlooks: Mapping[str, Outlook]) -> str:
    component = component_of(bugs)
    occurrences = sum(bug.count for bug in bugs)
    if len(bugs) > 1:
        return _tame(f"{component}: {len(bugs)} errors, {occurrences} occurrences")
    (bug,) = bugs
    word = _word(bug, outlooks)
    place = about(bug, "module")
    said = f"{component}: {about(bug, 'error_type') or 'Error'}{f' in {place}' if place else ''}"
    return _tame(f"{said} ({word})" if word else said)


def _body(bugs: Sequence[Item], outlooks: Mapping[str, Outlook], room: int) -> str:
    lines: list[str] = []
    for bug in bugs[:MOST_BUGS]:
        said = _tame(_bug_line(bug, outlooks, alone=len(bugs) == 1))
        left = room - sum(len(one) + 1 for one in lines)
        if lines and len(said) > left - _LEAST // 2:
            break
        lines.append(said if len(said) <= left else f"{said[: left - 3]}...")
    if len(lines) < len(bugs):
        lines.append(f"and {len(bugs) - len(lines)} more: loghub groups")
    return "\n".join(lines)[:room]


def _bug_line(bug: Item, outlooks: Mapping[str, Outlook], *, alone: bool) -> str:
    group = bug.group
    message = line(bug.event.get("error_message") or group.error_message, 160)
    parts = [
        f"{bug.count} x {about(bug, 'error_type') or 'Error'}: {message}".rstrip(": "),
        line(group.culprit),
        "" if alone else _word(bug, outlooks),
        f"{bug.total} in all" if bug.total > bug.count else "",
        group.recoveries[0].outcome if group.recoveries else "",
        line(group.issue_url or "", 300),
    ]
    return " | ".join(part for part in parts if part)


def _word(bug: Item, outlooks: Mapping[str, Outlook]) -> str:
    outlook = outlooks.get(bug.group.fingerprint)
    return outlook.word if outlook is not None else ""


def _tame(text: str) -> str:
    """Return `text` without what chats take as a mention of somebody, everybody or a channel."""
    return _MENTION.sub(lambda found: f"{found[0]} ", text)
