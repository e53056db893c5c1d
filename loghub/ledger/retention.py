"""What the ledger lets go of: what is too old, and the oldest events where it grows too large."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from typing import TYPE_CHECKING

from loghub.ledger.folding import add_up

if TYPE_CHECKING:
    from loghub.ledger.database import Database

EVENT_DAYS = 90
"""Kept events that are older go, but for the newest of each group."""

HOUR_DAYS = 91
"""Counts by hour are kept for thirteen weeks; forecasts learn from twelve, trends from eight."""

DAY_DAYS = 400
"""Counts by day, and groups of which nothing was seen, are kept for a year and a month."""

MAX_BYTES = 768 << 20
"""With more in the ledger than this the oldest events go, but for the newest of each group; then groups go."""

MAX_EVENTS, MAX_GROUPS = 2_000_000, 200_000
"""The same for a ledger that cannot tell its size: so many go by number."""

JOURNAL_DAYS = DAY_DAYS
"""How far a journal was folded is forgotten where it did not move for so long. A host that comes back later than that,
with a journal that was folded in part, has it counted anew: a shorter time would come upon hosts that were repaired."""

BUDGET_DAYS = 2
"""What was spent before is of no budget any more."""

CHUNK = 500
"""So many rows go at once: what writes at the same time does not wait for long."""

FREE_BYTES = 4 << 20
"""So much may lie free in the file."""

_NOT_THE_NEWEST = (
    "EXISTS (SELECT 1 FROM events newer WHERE newer.group_id = e.group_id"
    " AND (newer.at, newer.number) > (e.at, e.number))"
)

_UNLOCKED = "/*FOR UPDATE SKIP LOCKED*/"  # who writes and who deletes do not wait for each other

_DAY = 86_400.0


def hours_since(now: float) -> int:
    """Return the first hour of which counts are kept."""
    return int(now - HOUR_DAYS * _DAY) // 3600


def bound(db: Database, above: int) -> int:
    """Let the oldest events go while the ledger is larger than `above` bytes, then the groups unseen for longest.

    Returns:
        The size above which this is to be done again: what waits for delivery stays, whatever its size.
    """
    while (size := _bytes_in_use(db)) > above:
        if not (_delete_events(db, float("inf")) or _forget_groups(db)):
            return size + size // 20
    return MAX_BYTES


def tidy(db: Database, now: float) -> bool:
    """Let go of a chunk of what is too old; True if there may be more."""
    hour, day = hours_since(now), int(now // _DAY) - DAY_DAYS
    deleted = [
        _delete_events(db, now - EVENT_DAYS * _DAY),
        _delete_hour(db, hour),
        db.execute("DELETE FROM days WHERE day = (SELECT min(day) FROM days) AND day < ?", (day,)).rowcount,
        _delete_groups(db, now - DAY_DAYS * _DAY, now),
        _delete_spent(db, now - BUDGET_DAYS * _DAY),
    ]
    return any(deleted)


def thin(db: Database, now: float) -> bool:
    """Let go of a chunk of what is too much, and of journals that nobody will go on with; True if there may be more."""
    return any([
        _surplus(db, "events", MAX_EVENTS) and _delete_events(db, float("inf")),
        _surplus(db, "groups", MAX_GROUPS) and _forget_groups(db),
        _delete_journals(db, now - JOURNAL_DAYS * _DAY),
    ])  # fmt: skip


def _surplus(db: Database, table: str, most: int) -> bool:
    return bool(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] > most)  # noqa: S608 - literals


def _delete_journals(db: Database, before: float) -> int:
    # A log file that was imported may be given once more at any time.
    old = "SELECT name FROM journals WHERE moved_at < ? AND name NOT LIKE 'import:%' LIMIT ?"
    return db.execute(f"DELETE FROM journals WHERE name IN ({old})", (before, CHUNK)).rowcount  # noqa: S608 - literals


def give_back(db: Database) -> bool:
    """Give a chunk of what lies free in the file back to the file system; True if there is more."""
    page = db.execute("PRAGMA page_size").fetchone()[0]
    free = db.execute("PRAGMA freelist_count").fetchone()[0]
    if free * page <= FREE_BYTES:
        return False
    if not db.execute("PRAGMA auto_vacuum").fetchone()[0]:
        return _rewrite(db, free)
    db.execute(f"PRAGMA incremental_vacuum({CHUNK})").fetchall()
    left = db.execute("PRAGMA freelist_count").fetchone()[0]
    return bool(FREE_BYTES < left * page < free * page)


def _rewrite(db: Database, free: int) -> bool:
    """Give back what lies free in a file of an older version, and have it do so in small steps from now on."""
    if free * 4 > db.execute("PRAGMA page_count").fetchone()[0]:
        with contextlib.suppress(sqlite3.OperationalError):  # somebody writes, or there is no room: another time
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")
            db.execute("VACUUM")
    return False


def _delete_events(db: Database, before: float) -> int:
    return db.execute(
        "DELETE FROM events WHERE number IN"  # noqa: S608 - a literal
        f" (SELECT number FROM events e WHERE at < ? AND {_NOT_THE_NEWEST} ORDER BY at, number LIMIT ? {_UNLOCKED})",
        (before, CHUNK),
    ).rowcount


def _delete_groups(db: Database, before: float, now: float) -> int:
    """Let the groups go that were last seen before a time, are not muted, and of which nobody has to be told."""
    return db.execute(
        "DELETE FROM groups WHERE id IN (SELECT id FROM groups g WHERE last_seen_at < ? AND muted_until <= ?"  # noqa: S608
        " AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.group_id = g.id AND o.total > o.told)"
        f" ORDER BY last_seen_at LIMIT ? {_UNLOCKED})",
        (before, now, CHUNK),
    ).rowcount


def _forget_groups(db: Database) -> int:
    forgotten = _delete_groups(db, float("inf"), time.time())
    add_up(db, "forgotten", forgotten)
    return forgotten


def _delete_hour(db: Database, before: int) -> int:
    """Let the counts of the oldest hour go, if it was before a time."""
    query = "DELETE FROM hours WHERE hour = (SELECT min(hour) FROM hours) AND hour < ?"
    return db.execute(query, (before,)).rowcount


def _delete_spent(db: Database, before: float) -> int:
    """Let go of what was spent before a time: budgets have names of addresses too, and those never come again."""
    query = "DELETE FROM spent WHERE rowid IN (SELECT rowid FROM spent WHERE at < ? LIMIT ?)"
    return db.execute(query, (before, CHUNK)).rowcount


def _bytes_in_use(db: Database) -> int:
    pages = db.execute("PRAGMA page_count").fetchone()[0] - db.execute("PRAGMA freelist_count").fetchone()[0]
    return int(pages * db.execute("PRAGMA page_size").fetchone()[0])
