"""What failed lately, and how much of what: the readers' questions to a ledger."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from loghub import delivery
from loghub.event import Event, iso
from loghub.ledger.find import ALL, Find

if TYPE_CHECKING:
    from collections.abc import Callable

    from loghub.delivery import Home
    from loghub.ledger.find import Page
    from loghub.ledger.protocol import Group, Ledger

DAY_SECONDS = 86_400.0


def open_home(path: str | None, url: str | None) -> Home:
    """Return a home for reading, with what dead processes left taken in.

    Raises:
        LedgerError: The ledger cannot be opened, or the home cannot be written.
    """
    home = delivery.Home(path, url)
    home.ledger()
    home.adopt(force=True)
    return home


def recent(ledger: Ledger, limit: int = 10, fingerprint: str | None = None) -> Page[Event]:
    """Return the newest kept events, of one group if need be."""
    return ledger.events(limit, Find(fingerprint=fingerprint))


def statistics(
    ledger: Ledger, days: float = 7, now: Callable[[], float] = time.time, find: Find = ALL
) -> dict[str, Any]:
    """Return seed B's dict: occurrences in all, by error type, by module, by day (UTC, ``YYYY-MM-DD``).

    Args:
        ledger: Where.
        days: How far back; by whole hours.
        now: The clock.
        find: Which; its `since` goes before `days`.
    """
    if find.since is None:
        find = replace(find, since=now() - days * DAY_SECONDS)
    types: Counter[str] = Counter()
    modules: Counter[str] = Counter()
    for error_type, module, count in ledger.totals_of(find):
        types[error_type] += count
        modules[module] += count
    return {
        "total_errors": types.total(),
        "error_types": dict(types.most_common()),
        "modules": dict(modules.most_common()),
        "daily_counts": {iso(day * DAY_SECONDS)[:10]: count for day, count in sorted(ledger.days(find).items())},
    }


def group_row(group: Group) -> dict[str, Any]:
    """Return a group as readers show it (SPEC's keys)."""
    return {
        "fingerprint": group.fingerprint,
        "error_type": group.error_type,
        "error_message": group.error_message,
        "component": group.component,
        "culprit": group.culprit,
        "count": group.count,
        "first_seen_at": iso(group.first_seen_at),
        "last_seen_at": iso(group.last_seen_at),
        "status": group.status,
        "issue_url": group.issue_url,
    }
