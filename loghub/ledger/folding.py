"""What journals say becomes rows: groups, facts, kept events, counts, and what destinations are to be told."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from typing import TYPE_CHECKING

from loghub import event as events
from loghub.event import storable
from loghub.ledger.find import words_of
from loghub.ledger.protocol import Restored

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping

    from loghub.event import Event
    from loghub.journal import Fold, Tally

EVENTS_PER_GROUP = 100
"""So many kept events of a group stay, the newest."""


def fold(db: sqlite3.Connection, stretch: Fold) -> bool:
    """Take in a stretch of a journal; False where the ledger is not at its start."""
    row = db.execute("SELECT offset FROM journals WHERE name = ?", (stretch.journal,)).fetchone()
    if (row[0] if row else 0) != stretch.start:
        return False
    db.execute(
        "INSERT INTO journals VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET offset = excluded.offset",
        (stretch.journal, stretch.end),
    )
    deployments = Deployments(db)
    for fingerprint, tally in stretch.groups.items():
        group_id = group_of(db, fingerprint, tally)
        if tally.last_at:
            add_to_group(db, group_id, tally.count, tally)
        count_hours(db, group_id, tally.hours, deployments)
        note_facts(db, group_id, tally)
        keep_events(db, group_id, tally)
        _route(db, group_id, tally)
    for key, n in (("dropped", stretch.dropped), ("torn", stretch.torn)):
        if n:
            db.execute(
                "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = value + excluded.value",
                (key, n),
            )
    return True


def restore(db: sqlite3.Connection, groups: Mapping[str, Tally], kept_since: int) -> Restored:
    """See that no group has fewer occurrences in an hour, events or facts than is said here.

    Args:
        db: The ledger.
        groups: What is said, by fingerprint.
        kept_since: From this hour on the ledger has counts by hour.
    """
    deployments = Deployments(db)
    before = _number_of_groups(db)
    kept = added = 0
    for fingerprint, tally in groups.items():
        group_id = group_of(db, fingerprint, tally)
        missing = _missing(db, group_id, tally.hours, kept_since)
        count_hours(db, group_id, missing, deployments)
        if occurrences := missing.total():
            add_to_group(db, group_id, occurrences, tally)
            note_facts(db, group_id, tally)
        kept += keep_events(db, group_id, tally)
        added += occurrences
    return Restored(_number_of_groups(db) - before, kept, added)


def _missing(
    db: sqlite3.Connection, group_id: int, hours: Mapping[tuple[int, str, str], int], kept_since: int
) -> Counter[tuple[int, str, str]]:
    """Return what is not counted yet; of hours that are not kept any more, what is of days without any count."""
    there = {
        (hour, release, environment): n
        for hour, release, environment, n in db.execute(
            "SELECT h.hour, d.release, d.environment, h.count FROM hours h"
            " JOIN deployments d ON d.id = h.deployment_id WHERE h.group_id = ?",
            (group_id,),
        )
    }
    days = {day for (day,) in db.execute("SELECT day FROM days WHERE group_id = ?", (group_id,))}
    return Counter({
        cell: n - there.get(cell, 0)
        for cell, n in hours.items()
        if n > there.get(cell, 0) and (cell[0] >= kept_since or cell[0] // 24 not in days)
    })  # fmt: skip


def _number_of_groups(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT count(*) FROM groups").fetchone()[0])


class Deployments:
    """The numbers of pairs of release and environment, each asked for once."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._known: dict[tuple[str, str], int] = {}

    def number(self, release: str, environment: str) -> int:
        """Return the number of a pair; a new one if need be."""
        pair = storable(release), storable(environment)
        if pair not in self._known:
            query = "SELECT id FROM deployments WHERE release = ? AND environment = ?"
            row = self._db.execute(query, pair).fetchone()
            if row is None:
                row = self._db.execute(
                    "INSERT INTO deployments (release, environment) VALUES (?, ?) RETURNING id", pair
                ).fetchone()
            self._known[pair] = row[0]
        return self._known[pair]


def group_of(db: sqlite3.Connection, fingerprint: str, tally: Tally) -> int:
    """Return the number of a group; a new one, with no occurrence yet, if need be."""
    row = db.execute("SELECT id FROM groups WHERE fingerprint = ?", (fingerprint,)).fetchone()
    if row:
        return int(row[0])
    one: Event = tally.event or {}
    at = tally.first_at if tally.last_at else time.time()
    cursor = db.execute(
        "INSERT INTO groups (fingerprint, error_type, error_module, error_message, component, module,"
        " culprit, level, logger, count, first_seen_at, last_seen_at, words, severity)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?)",
        (
            fingerprint,
            storable(one.get("error_type") or "Error"),
            storable(one.get("error_module")),
            storable(one.get("error_message")),
            storable(one.get("component")),
            storable(one.get("module")),
            storable(events.culprit(one)),
            storable(one.get("level")),
            storable(one.get("logger")),
            at,
            at,
            storable(words_of(one)),
            tally.level,
        ),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def add_to_group(db: sqlite3.Connection, group_id: int, count: int, tally: Tally) -> None:
    """Count occurrences of a group, at the times and the level of a tally."""
    db.execute(
        "UPDATE groups SET count = count + ?, first_seen_at = min(first_seen_at, ?),"
        " last_seen_at = max(last_seen_at, ?), severity = max(severity, ?) WHERE id = ?",
        (count, tally.first_at, tally.last_at, tally.level, group_id),
    )


def count_hours(
    db: sqlite3.Connection, group_id: int, hours: Mapping[tuple[int, str, str], int], deployments: Deployments
) -> None:
    """Count occurrences by hour and by day."""
    by_hour: Counter[tuple[int, int]] = Counter()
    by_day: Counter[tuple[int, int]] = Counter()
    for (hour, release, environment), n in hours.items():
        deployment = deployments.number(release, environment)
        by_hour[hour, deployment] += n
        by_day[hour // 24, deployment] += n
    for table, unit, counts in (("hours", "hour", by_hour), ("days", "day", by_day)):
        db.executemany(
            f"INSERT INTO {table} (group_id, {unit}, deployment_id, count) VALUES (?, ?, ?, ?)"  # noqa: S608 - literals
            f" ON CONFLICT (group_id, {unit}, deployment_id) DO UPDATE SET count = count + excluded.count",
            [(group_id, at, deployment, n) for (at, deployment), n in counts.items()],
        )


def note_facts(db: sqlite3.Connection, group_id: int, tally: Tally) -> None:
    """Note in which releases and environments, and on which servers, a group was seen."""
    db.executemany(
        "INSERT INTO facts VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (group_id, kind, value) DO UPDATE SET"
        " count = count + excluded.count, first_seen_at = min(first_seen_at, excluded.first_seen_at),"
        " last_seen_at = max(last_seen_at, excluded.last_seen_at)",
        [
            (group_id, kind, storable(value), n, tally.first_at, tally.last_at)
            for kind, values in _facts(tally)
            for value, n in values.items()
            if value
        ],
    )


def _facts(tally: Tally) -> Iterator[tuple[str, Counter[str]]]:
    yield "release", tally.releases
    yield "environment", tally.environments
    yield "server", tally.servers


def keep_events(db: sqlite3.Connection, group_id: int, tally: Tally) -> int:
    """Keep the events of a tally, and no more of a group than it may have; return how many are new."""
    if not tally.kept:
        return 0
    before = db.total_changes
    db.executemany(
        "INSERT OR IGNORE INTO events (id, group_id, at, error_type, error_module, module, component, level, release,"
        " environment, severity, words, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                storable(one.get("id") or uuid.uuid4().hex),
                group_id,
                events.epoch(one.get("timestamp")) or tally.last_at,
                *(storable(one.get(name)) for name in _NAMES),
                tally.levels.get(id(one), tally.level),
                storable(words_of(one)),
                tally.texts.get(id(one)) or events.dumps(one),
            )
            for one in tally.kept
        ],
    )
    new = db.total_changes - before
    db.execute(
        "DELETE FROM events WHERE number IN"
        " (SELECT number FROM events WHERE group_id = ? ORDER BY at DESC, number DESC LIMIT -1 OFFSET ?)",
        (group_id, EVENTS_PER_GROUP),
    )
    return new


_NAMES = ("error_type", "error_module", "module", "component", "level", "release", "environment")


def _route(db: sqlite3.Connection, group_id: int, tally: Tally) -> None:
    db.executemany(
        "INSERT INTO outbox (destination, group_id, total, level, since_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (destination, group_id) DO UPDATE SET"
        " since_at = CASE WHEN total > told THEN since_at ELSE excluded.since_at END,"
        " level = CASE WHEN total > told THEN max(level, excluded.level) ELSE excluded.level END,"
        " total = total + excluded.total",
        [(storable(name), group_id, n, tally.level, time.time()) for name, n in tally.routed.items()],
    )
