"""The tables of the ledger in SQLite, and how those of older versions become them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from loghub import event as events
from loghub.ledger.find import words_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from loghub.event import Event

VERSION = 4

# In events what is looked for stands before `data`: it is found without reading what follows. What happened when is
# counted by hour, for one group at a time, and by day, for questions about all of them.
TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS journals (name TEXT PRIMARY KEY, offset INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS groups (
    id INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL UNIQUE,
    error_type TEXT NOT NULL, error_module TEXT NOT NULL, error_message TEXT NOT NULL,
    component TEXT NOT NULL, module TEXT NOT NULL, culprit TEXT NOT NULL,
    level TEXT NOT NULL, logger TEXT NOT NULL,
    count INTEGER NOT NULL, first_seen_at REAL NOT NULL, last_seen_at REAL NOT NULL,
    status TEXT NOT NULL DEFAULT 'open', issue_url TEXT, muted_until REAL NOT NULL DEFAULT 0,
    words TEXT NOT NULL DEFAULT '', severity INTEGER NOT NULL DEFAULT 40
);
CREATE INDEX IF NOT EXISTS groups_by_time ON groups (last_seen_at);
CREATE TABLE IF NOT EXISTS facts (
    group_id INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE,
    kind TEXT NOT NULL, value TEXT NOT NULL,
    count INTEGER NOT NULL, first_seen_at REAL NOT NULL, last_seen_at REAL NOT NULL,
    PRIMARY KEY (group_id, kind, value)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS recoveries (
    number INTEGER PRIMARY KEY,
    group_id INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE,
    at REAL NOT NULL, procedure TEXT NOT NULL, outcome TEXT NOT NULL, seconds REAL NOT NULL,
    reason TEXT NOT NULL, server TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS recoveries_by_group ON recoveries (group_id, number);
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    group_id INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE,
    at REAL NOT NULL,
    error_type TEXT NOT NULL, error_module TEXT NOT NULL, module TEXT NOT NULL, component TEXT NOT NULL,
    level TEXT NOT NULL, release TEXT NOT NULL, environment TEXT NOT NULL,
    severity INTEGER NOT NULL,
    words TEXT NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_time ON events (at);
CREATE INDEX IF NOT EXISTS events_by_group ON events (group_id, at);
CREATE TABLE IF NOT EXISTS deployments (
    id INTEGER PRIMARY KEY,
    release TEXT NOT NULL, environment TEXT NOT NULL,
    UNIQUE (release, environment)
);
CREATE TABLE IF NOT EXISTS hours (
    group_id INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE,
    hour INTEGER NOT NULL, deployment_id INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (group_id, hour, deployment_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS hours_by_time ON hours (hour, group_id, deployment_id, count);
CREATE TABLE IF NOT EXISTS days (
    day INTEGER NOT NULL,
    group_id INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE,
    deployment_id INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (day, group_id, deployment_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS days_by_group ON days (group_id);
CREATE TABLE IF NOT EXISTS outbox (
    destination TEXT NOT NULL,
    group_id INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE,
    total INTEGER NOT NULL, told INTEGER NOT NULL DEFAULT 0,
    level INTEGER NOT NULL, since_at REAL NOT NULL, due_at REAL NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0, dead INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '', memory TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY (destination, group_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS outbox_waiting ON outbox (destination, since_at) WHERE total > told;
CREATE INDEX IF NOT EXISTS outbox_by_group ON outbox (group_id);
CREATE TABLE IF NOT EXISTS destinations (
    name TEXT PRIMARY KEY, owner TEXT NOT NULL DEFAULT '', leased_until REAL NOT NULL DEFAULT 0,
    memory TEXT NOT NULL DEFAULT '{}'
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spent (name TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS spent_by_name ON spent (name, at);
"""


def create(db: sqlite3.Connection) -> None:
    """Make the tables, or bring those of an older version up to date; within the caller's transaction."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    for older in range(version, VERSION) if version else ():
        _CHANGES[older](db)
    _make(db)
    db.execute(f"PRAGMA user_version = {VERSION}")


def _make(db: sqlite3.Connection) -> None:
    for statement in TABLES.split(";"):
        db.execute(statement)


def _add_muting(db: sqlite3.Connection) -> None:
    db.execute("ALTER TABLE groups ADD COLUMN muted_until REAL NOT NULL DEFAULT 0")


def _add_what_is_looked_for(db: sqlite3.Connection) -> None:
    """Give groups and events the columns that are searched, and hours their deployments (unknown)."""
    db.create_function("said", 2, _said, deterministic=True)
    for index in ("groups_by_time", "events_by_time", "events_by_group"):
        db.execute(f"DROP INDEX {index}")
    for table in ("events", "hours"):
        db.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    db.execute("ALTER TABLE groups ADD COLUMN words TEXT NOT NULL DEFAULT ''")
    _make(db)
    db.create_function("casefold", 1, str.casefold, deterministic=True)
    db.execute("ALTER TABLE groups ADD COLUMN severity INTEGER NOT NULL DEFAULT 40")
    db.execute(f"UPDATE groups SET severity = {_SEVERITY}")  # noqa: S608 - literals
    parts = ("error_type", "error_message", "culprit", "component", "logger")
    db.execute(f"UPDATE groups SET words = casefold({' || char(10) || '.join(parts)})")  # noqa: S608 - literals
    names = ("error_type", "error_module", "module", "component", "level", "release", "environment", "words")
    read = ", ".join(f"said('{name}', data)" for name in names)
    db.execute(
        f"INSERT INTO events (id, group_id, at, {', '.join(names)}, severity, data)"  # noqa: S608 - literals
        f" SELECT id, group_id, at, {read}, 40, data FROM old_events ORDER BY rowid"
    )
    db.execute(f"UPDATE events SET severity = {_SEVERITY}")  # noqa: S608 - literals
    db.execute("INSERT INTO deployments VALUES (1, '', '')")
    db.execute("INSERT INTO hours SELECT group_id, hour, 1, count FROM old_hours")
    db.execute(
        "INSERT INTO days SELECT hour / 24, group_id, deployment_id, sum(count) FROM hours"
        " GROUP BY hour / 24, group_id, deployment_id"
    )
    for table in ("events", "hours"):
        db.execute(f"DROP TABLE old_{table}")


_SEVERITY = (
    "CASE level WHEN 'CRITICAL' THEN 50 WHEN 'WARNING' THEN 30 WHEN 'INFO' THEN 20 WHEN 'DEBUG' THEN 10 ELSE 40 END"
)


def _said(name: str, data: str) -> str:
    try:
        event: Event = json.loads(data)
        found = words_of(event) if name == "words" else event.get(name)
    except (ValueError, RecursionError, AttributeError, TypeError):
        return ""
    return events.storable(found)


def _add_recoveries(_: sqlite3.Connection) -> None:
    """The new table is made with the others."""


_CHANGES: dict[int, Callable[[sqlite3.Connection], None]] = {
    1: _add_muting,
    2: _add_what_is_looked_for,
    3: _add_recoveries,
}
"""What makes the next version of an older one."""
