"""What failed lately, and how much of what: the readers' questions to a ledger."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from loghub import delivery
from loghub.event import Event, iso

if TYPE_CHECKING:
    from collections.abc import Callable

    from loghub.delivery import Home
    from loghub.ledger.protocol import Group, Ledger


def open_home(path: str | None, url: str | None) -> Home:
    """Return a home for reading, with what dead processes left taken in.

    Raises:
        LedgerError: The ledger cannot be opened, or the home cannot be written.
    """
    home = delivery.Home(path, url)
    home.ledger()
    home.adopt(force=True)
    return home


def recent(ledger: Ledger, limit: int = 10, fingerprint: str | None = None) -> list[Event]:
    """Return the newest kept events."""
    return ledger.events(limit, fingerprint)


def statistics(ledger: Ledger, days: float = 7, now: Callable[[], float] = time.time) -> dict[str, Any]:
    """Return seed B's dict: occurrences in all, by error type, by module, by day (UTC, ``YYYY-MM-DD``)."""
    types: Counter[str] = Counter()
    modules: Counter[str] = Counter()
    daily: Counter[str] = Counter()
    for error_type, module, hour, count in ledger.hours(now() - days * 86400):
        types[error_type] += count
        modules[module] += count
        daily[iso(hour * 3600)[:10]] += count
    return {
        "total_errors": types.total(),
        "error_types": dict(types.most_common()),
        "modules": dict(modules.most_common()),
        "daily_counts": dict(sorted(daily.items())),
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
