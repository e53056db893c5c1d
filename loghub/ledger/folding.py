"""What journals say becomes rows: groups, facts, kept events, counts, and what destinations are to be told.

A fold takes a dozen statements, however many groups it has. All that touch the rows of a group have its row first, and
groups come in the order of their fingerprints: two folds never wait for each other.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any

from loghub import event as events
from loghub.event import storable
from loghub.ledger.database import batched, marks
from loghub.ledger.find import words_of
from loghub.ledger.protocol import Restored

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from loghub.event import Event
    from loghub.journal.reading import Fold, Tally
    from loghub.ledger.database import Database

KEY_CHARS = 300
"""So much of a release, environment, server or id is told apart: a key of PostgreSQL has a bound, in bytes, for two."""

EVENTS_PER_GROUP = 100
"""So many kept events of a group stay, the newest."""

Hours = Counter[tuple[int, str, str]]
Counted = tuple[int, "Tally"]
"""The number of a group, and what is said about it."""


def key(value: object) -> str:
    """Return a text as it may be a key."""
    return storable(value)[:KEY_CHARS]


def fold(db: Database, stretch: Fold, now: float) -> bool:
    """Take in a stretch of a journal; False where the ledger is not at its start."""
    if not _move(db, stretch):
        return False
    groups = sorted(stretch.groups.items())
    deployed = _deployments(db, (tally.hours for _, tally in groups))
    found = numbers(db, [fingerprint for fingerprint, _ in groups])
    if new := [(fingerprint, tally) for fingerprint, tally in groups if fingerprint not in found]:
        _make(db, new, now)
        found |= numbers(db, [fingerprint for fingerprint, _ in new])
    # From here on nobody asks what comes of it: rows that others want too are locked for as short as can be.
    _count(db, [(fingerprint, tally, tally.count) for fingerprint, tally in groups if tally.last_at])
    counted = [(found[fingerprint], tally) for fingerprint, tally in stretch.groups.items()]  # events in their order
    _count_hours(db, [(number, tally.hours) for number, tally in counted], deployed)
    _note_facts(db, counted)
    db.later_many(_EVENTS, _events(counted))
    bound_events(db, _with_events(counted))
    _route(db, counted, now)
    for key, n in (("dropped", stretch.dropped), ("torn", stretch.torn)):
        if n:
            add_up(db, key, n)
    return True


def _move(db: Database, stretch: Fold) -> bool:
    """Move a journal's offset from the start of a stretch to its end; False where it is not at the start."""
    if stretch.start:
        query = 'UPDATE journals SET "offset" = ? /*, moved_at = DEFAULT*/ WHERE name = ? AND "offset" = ?'
        return db.execute(query, (stretch.end, stretch.journal, stretch.start)).rowcount == 1
    begun = db.execute(
        'INSERT INTO journals (name, "offset") VALUES (?, ?) ON CONFLICT (name) DO UPDATE'
        ' SET "offset" = excluded."offset" /*, moved_at = DEFAULT*/ WHERE journals."offset" = 0',
        (stretch.journal, stretch.end),
    )
    return begun.rowcount == 1


def add_up(db: Database, key: str, n: int) -> None:
    """Add to one of the ledger's own counts."""
    db.later(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE"
        " SET value = CAST(meta.value AS BIGINT) + CAST(excluded.value AS BIGINT)",
        (key, n),
    )


def restore(db: Database, groups: Mapping[str, Tally], kept_since: int) -> Restored:
    """See that no group has fewer occurrences in an hour, events or facts than is said here.

    Args:
        db: The ledger.
        groups: What is said, by fingerprint.
        kept_since: From this hour on the ledger has counts by hour.
    """
    said = sorted(groups.items())
    deployed = _deployments(db, (tally.hours for _, tally in said))
    before = _number_of_groups(db)
    _make(db, said, time.time())
    made = _number_of_groups(db) - before
    found = numbers(db, [fingerprint for fingerprint, _ in said])
    missing = {name: _missing(db, found[name], tally.hours, kept_since) for name, tally in said}
    added = [(name, tally) for name, tally in said if missing[name].total()]
    _count(db, [(name, tally, missing[name].total()) for name, tally in added])
    _count_hours(db, [(found[name], missing[name]) for name, _ in added], deployed)
    _note_facts(db, [(found[name], tally) for name, tally in added], "max(facts.count, excluded.count)")
    counted = [(found[name], tally) for name, tally in groups.items()]
    rows = _events(counted)
    kept = db.executemany(_EVENTS, rows).rowcount if rows else 0
    bound_events(db, _with_events(counted))
    return Restored(made, kept, sum(hours.total() for hours in missing.values()))


def _missing(db: Database, group_id: int, hours: Hours, kept_since: int) -> Hours:
    """Return what is not counted yet; of hours that are not kept any more, what is of days without any count."""
    there = {
        (hour, release, environment): n
        for hour, release, environment, n in db.execute(
            "SELECT h.hour, d.release, d.environment, h.count FROM hours h"
            " JOIN deployments d ON d.id = h.deployment_id WHERE h.group_id = ?",
            (group_id,),
        ).fetchall()
    }
    days = {day for (day,) in db.execute("SELECT day FROM days WHERE group_id = ?", (group_id,)).fetchall()}
    told = Counter[tuple[int, str, str]]()
    for (hour, release, environment), n in hours.items():
        told[hour, key(release), key(environment)] += n
    return Counter({
        cell: n - there.get(cell, 0)
        for cell, n in told.items()
        if n > there.get(cell, 0) and (cell[0] >= kept_since or cell[0] // 24 not in days)
    })  # fmt: skip


def _number_of_groups(db: Database) -> int:
    return int(db.execute("SELECT count(*) FROM groups").fetchone()[0])


def _deployments(db: Database, counted: Iterable[Hours]) -> dict[tuple[str, str], int]:
    said = {(key(release), key(environment)) for hours in counted for _, release, environment in hours}
    return deployments(db, said)


def deployments(db: Database, said: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Return the numbers of pairs of release and environment; new ones if need be."""
    pairs = sorted(said)
    known = _known_deployments(db, pairs)
    if new := [pair for pair in pairs if pair not in known]:
        db.executemany("INSERT INTO deployments (release, environment) VALUES (?, ?) ON CONFLICT DO NOTHING", new)
        known |= _known_deployments(db, new)
    return known


def _known_deployments(db: Database, pairs: list[tuple[str, str]]) -> dict[tuple[str, str], int]:
    return {
        (release, environment): number
        for some in batched(pairs)
        for number, release, environment in db.execute(
            "SELECT id, release, environment FROM deployments"  # noqa: S608 - marks
            f" WHERE (release, environment) IN (VALUES {marks(some, '(?, ?)')})",
            [text for pair in some for text in pair],
        ).fetchall()
    }


_GROUPS = (
    "INSERT INTO groups (fingerprint, error_type, error_module, error_message, component, module,"
    " culprit, level, logger, count, first_seen_at, last_seen_at, words, severity)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (fingerprint) DO "
)


def _make(db: Database, groups: Iterable[tuple[str, Tally]], now: float) -> None:
    """See that groups are there, with no occurrence yet if they are new."""
    rows = [
        _group(fingerprint, tally, 0, at, at)
        for fingerprint, tally in groups
        for at in (tally.first_at if tally.last_at else now,)
    ]
    db.executemany(f"{_GROUPS} NOTHING", rows)


def _count(db: Database, groups: Iterable[tuple[str, Tally, int]]) -> None:
    """Count occurrences of groups, at the times and the level of a tally."""
    rows = [_group(fingerprint, tally, n, tally.first_at, tally.last_at) for fingerprint, tally, n in groups]
    db.later_many(
        f"{_GROUPS} UPDATE SET count = groups.count + excluded.count,"
        " first_seen_at = min(groups.first_seen_at, excluded.first_seen_at),"
        " last_seen_at = max(groups.last_seen_at, excluded.last_seen_at),"
        " severity = max(groups.severity, excluded.severity)",
        rows,
    )


def _group(fingerprint: str, tally: Tally, count: int, first_at: float, last_at: float) -> tuple[Any, ...]:
    one: Event = tally.event or {}
    return (
        fingerprint,
        storable(one.get("error_type") or "Error"),
        storable(one.get("error_module")),
        storable(one.get("error_message")),
        storable(one.get("component")),
        storable(one.get("module")),
        storable(events.culprit(one)),
        storable(one.get("level")),
        storable(one.get("logger")),
        count,
        first_at,
        last_at,
        storable(words_of(one)),
        tally.level,
    )


def numbers(db: Database, fingerprints: Sequence[str]) -> dict[str, int]:
    """Return the numbers of groups."""
    return {
        fingerprint: number
        for some in batched(fingerprints)
        for fingerprint, number in db.execute(
            f"SELECT fingerprint, id FROM groups WHERE fingerprint IN ({marks(some)})",  # noqa: S608 - marks
            some,
        ).fetchall()
    }


def _count_hours(db: Database, counted: Iterable[tuple[int, Hours]], deployed: Mapping[tuple[str, str], int]) -> None:
    """Count occurrences by hour and by day."""
    by_hour: Counter[tuple[int, int, int]] = Counter()
    by_day: Counter[tuple[int, int, int]] = Counter()
    for group_id, hours in counted:
        for (hour, release, environment), n in hours.items():
            deployment = deployed[key(release), key(environment)]
            by_hour[group_id, hour, deployment] += n
            by_day[group_id, hour // 24, deployment] += n
    for table, unit, counts in (("hours", "hour", by_hour), ("days", "day", by_day)):
        db.later_many(
            f"INSERT INTO {table} (group_id, {unit}, deployment_id, count) VALUES (?, ?, ?, ?)"  # noqa: S608 - literals
            f" ON CONFLICT (group_id, {unit}, deployment_id) DO UPDATE SET count = {table}.count + excluded.count",
            [(*cell, n) for cell, n in counts.items()],
        )


def _note_facts(db: Database, counted: Iterable[Counted], count: str = "facts.count + excluded.count") -> None:
    """Note in which releases and environments, and on which servers, groups were seen."""
    seen: Counter[tuple[int, str, str]] = Counter()
    times = {}
    for group_id, tally in counted:
        times[group_id] = tally.first_at, tally.last_at
        for kind, values in _facts(tally):
            for value, n in values.items():
                if value:
                    seen[group_id, kind, key(value)] += n
    db.later_many(
        "INSERT INTO facts (group_id, kind, value, count, first_seen_at, last_seen_at)"  # noqa: S608 - literals
        " VALUES (?, ?, ?, ?, ?, ?)"
        f" ON CONFLICT (group_id, kind, value) DO UPDATE SET count = {count},"
        " first_seen_at = min(facts.first_seen_at, excluded.first_seen_at),"
        " last_seen_at = max(facts.last_seen_at, excluded.last_seen_at)",
        [(*fact, n, *times[fact[0]]) for fact, n in seen.items()],
    )


def _facts(tally: Tally) -> Iterator[tuple[str, Counter[str]]]:
    yield "release", tally.releases
    yield "environment", tally.environments
    yield "server", tally.servers


_EVENTS = (
    "INSERT INTO events (id, group_id, at, error_type, error_module, module, component, level, release,"
    " environment, severity, words, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO NOTHING"
)
_NAMES = ("error_type", "error_module", "module", "component", "level", "release", "environment")


def _events(counted: Iterable[Counted]) -> list[tuple[Any, ...]]:
    """Return the events of tallies that are to be kept, as rows."""
    return [
        (
            key(one.get("id") or uuid.uuid4().hex),
            group_id,
            events.epoch(one.get("timestamp")) or tally.last_at,
            *(storable(one.get(name)) for name in _NAMES),
            tally.levels.get(id(one), tally.level),
            storable(words_of(one)),
            tally.texts.get(id(one)) or events.dumps(one),
        )
        for group_id, tally in counted
        for one in tally.kept
    ]


def _with_events(counted: Iterable[Counted]) -> list[int]:
    return [group_id for group_id, tally in counted if tally.kept]


def bound_events(db: Database, groups: Sequence[int]) -> None:
    """See that no group has more kept events than it may have."""
    for some in batched(groups):
        db.later(
            "DELETE FROM events WHERE number IN (SELECT number FROM (SELECT number,"  # noqa: S608 - marks
            " row_number() OVER (PARTITION BY group_id ORDER BY at DESC, number DESC) AS place"
            f" FROM events WHERE group_id IN ({marks(some)})) placed WHERE place > ?)",
            (*some, EVENTS_PER_GROUP),
        )


def _route(db: Database, counted: Iterable[Counted], now: float) -> None:
    due: Counter[tuple[str, int]] = Counter()
    levels, since = {}, {}
    for place, (group_id, tally) in enumerate(counted):
        levels[group_id] = tally.level
        since[group_id] = now + place * 1e-6  # who came first is told first
        for name, n in tally.routed.items():
            due[storable(name), group_id] += n
    db.later_many(
        "INSERT INTO outbox (destination, group_id, total, level, since_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (destination, group_id) DO UPDATE SET"
        " since_at = CASE WHEN outbox.total > outbox.told THEN outbox.since_at ELSE excluded.since_at END,"
        " level = CASE WHEN outbox.total > outbox.told THEN max(outbox.level, excluded.level) ELSE excluded.level END,"
        " total = outbox.total + excluded.total",
        [(name, group, n, levels[group], since[group]) for (name, group), n in sorted(due.items())],
    )
