"""Rows of the ledger as what the protocol speaks in."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from loghub import event as events
from loghub.ledger.protocol import Group, Item

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loghub.event import Event

GROUP = """g.id, g.fingerprint, g.error_type, g.error_module, g.error_message, g.component, g.culprit, g.level,
    g.logger, g.count, g.first_seen_at, g.last_seen_at, g.status, g.issue_url, g.muted_until"""
"""The columns of a group ``g``, for `read_group`."""

ITEM = f"""SELECT o.total, o.told, o.level, o.since_at, o.due_at, o.attempts, o.memory, {GROUP}
    FROM outbox o JOIN groups g ON g.id = o.group_id"""  # noqa: S608 - literals
"""Reads what waits, for `read_item`."""


def read_object(text: str) -> dict[str, Any]:
    """Return a JSON object; an empty one where a row is damaged."""
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def read_event(text: str) -> Event:
    """Return an event from its JSON."""
    return read_object(text)  # type: ignore[return-value] # written by `fold`


_PLAIN = (
    "fingerprint", "error_type", "error_module", "error_message", "component", "culprit", "level", "logger",
    "count", "first_seen_at", "last_seen_at", "status", "issue_url", "muted_until",
)  # fmt: skip


def read_group(row: Sequence[Any]) -> Group:
    """Return a group from its columns, `GROUP`."""
    read = dict(zip(_PLAIN, row[1:], strict=True))
    return Group(**read | ({"status": "muted"} if read["muted_until"] > time.time() else {}))


def read_item(destination: str, row: Sequence[Any], ahead: float = 0.0) -> Item:
    """Return what waits from a row of `ITEM`, in the time of a clock that is so far ahead of the ledger's."""
    total, told, level, since_at, due_at, attempts, memory = row[:7]
    return Item(
        destination=destination,
        group=read_group(row[7:]),
        count=total - told,
        total=total,
        event={},
        level=level,
        since_at=since_at + ahead,
        due_at=due_at and due_at + ahead,
        attempts=attempts,
        memory=read_object(memory),
    )


def bare_event(group: Group) -> Event:
    """Return what the ledger still knows of a group whose kept events are gone."""
    return {
        "timestamp": events.iso(group.last_seen_at),
        "error_type": group.error_type,
        "error_module": group.error_module,
        "error_message": group.error_message,
        "component": group.component,
        "fingerprint": group.fingerprint,
        "level": group.level,
        "logger": group.logger,
        "traceback": "",
        "frames": [],
    }
