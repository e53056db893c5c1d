"""The ledger in one SQLite file, shared by the processes of a host."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
import time
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from loghub import event as events
from loghub.errors import LedgerError
from loghub.ledger.protocol import Group, Item

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Mapping, Sequence

    from loghub.event import Event
    from loghub.journal import Fold, Tally
    from loghub.ledger.protocol import Outcome

SCHEMA_VERSION = 2
MAX_REASON_CHARS = 2000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS journals (name TEXT PRIMARY KEY, offset INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS groups (
    id INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL UNIQUE,
    error_type TEXT NOT NULL, error_module TEXT NOT NULL, error_message TEXT NOT NULL,
    component TEXT NOT NULL, module TEXT NOT NULL, culprit TEXT NOT NULL,
    level TEXT NOT NULL, logger TEXT NOT NULL,
    count INTEGER NOT NULL, first_seen_at REAL NOT NULL, last_seen_at REAL NOT NULL,
    status TEXT NOT NULL DEFAULT 'open', issue_url TEXT, muted_until REAL NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS groups_by_time ON groups (last_seen_at);
CREATE TABLE IF NOT EXISTS facts (
    group_id INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE,
    kind TEXT NOT NULL, value TEXT NOT NULL,
    count INTEGER NOT NULL, first_seen_at REAL NOT NULL, last_seen_at REAL NOT NULL,
    PRIMARY KEY (group_id, kind, value)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
    id TEXT NOT NULL PRIMARY KEY,
    group_id INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE,
    at REAL NOT NULL, data TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_time ON events (at);
CREATE INDEX IF NOT EXISTS events_by_group ON events (group_id, at);
CREATE TABLE IF NOT EXISTS hours (
    hour INTEGER NOT NULL,
    group_id INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE,
    count INTEGER NOT NULL,
    PRIMARY KEY (hour, group_id)
) WITHOUT ROWID;
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
CREATE TABLE IF NOT EXISTS destinations (
    name TEXT PRIMARY KEY, owner TEXT NOT NULL DEFAULT '', leased_until REAL NOT NULL DEFAULT 0,
    memory TEXT NOT NULL DEFAULT '{}'
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spent (name TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS spent_by_name ON spent (name, at);
"""

_CHANGES = {
    1: "ALTER TABLE groups ADD COLUMN muted_until REAL NOT NULL DEFAULT 0",
}
"""What makes the next version's schema of an older one."""

_GROUP = """g.id, g.fingerprint, g.error_type, g.error_module, g.error_message, g.component, g.culprit, g.level,
    g.logger, g.count, g.first_seen_at, g.last_seen_at, g.status, g.issue_url, g.muted_until"""

_ITEM = f"""SELECT o.total, o.told, o.level, o.since_at, o.due_at, o.attempts, o.memory, {_GROUP}
    FROM outbox o JOIN groups g ON g.id = o.group_id"""  # noqa: S608 - literals

_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class CorruptLedgerError(LedgerError):
    """The file is not a database, or a damaged one.

    Attributes:
        inode: Which file it is: by now another process may have put a new one in its place.
    """

    def __init__(self, message: str, inode: int) -> None:
        super().__init__(message)
        self.inode = inode


class SQLiteLedger:
    """The ledger in the file `path`; None keeps it in memory, until it is closed.

    After `close`, and when the file was removed or replaced, the next call opens it anew.

    Args:
        path: The file.
        timeout: Seconds to wait for other processes that write.

    Raises:
        CorruptLedgerError: The file is damaged.
        LedgerError: A newer loghub wrote it, or it cannot be opened.
    """

    def __init__(self, path: str | None, *, timeout: float = 1.0) -> None:
        self.path = path
        self.id = ""
        self._timeout = timeout
        self._lock = threading.RLock()
        self._opened: sqlite3.Connection | None = None
        self._inode = 0
        self.offset("")  # what is wrong with the file is said now

    @property
    def _db(self) -> sqlite3.Connection:
        with self._lock:
            if self._opened is not None and self._was_replaced():
                self.close()
            if self._opened is None:
                self._opened = self._open()
            return self._opened

    def _was_replaced(self) -> bool:
        return self.path is not None and _inode(self.path) != self._inode

    def _open(self) -> sqlite3.Connection:
        with self._explained():
            db = sqlite3.connect(
                self.path or ":memory:", timeout=self._timeout, isolation_level=None, check_same_thread=False
            )
            try:
                if self.path:
                    self._inode = _inode(self.path)
                    with contextlib.suppress(OSError):
                        os.chmod(self.path, 0o600)
                self._prepare(db)
            except BaseException:
                db.close()
                raise
            return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        db.text_factory = _decode
        db.execute("PRAGMA foreign_keys = ON")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise LedgerError(
                f"The ledger {self.path} was written by a newer loghub (schema {version}, this one knows "
                f"{SCHEMA_VERSION}): upgrade loghub-handlers, or give another home."
            )
        if version < SCHEMA_VERSION:
            self._create(db)
        db.execute("PRAGMA synchronous = NORMAL")
        self.id = db.execute("SELECT value FROM meta WHERE key = 'id'").fetchone()[0]

    def _create(self, db: sqlite3.Connection) -> None:
        """Make the tables; of several processes that come first together, one does."""
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                if self.path:
                    db.execute("PRAGMA journal_mode = WAL")
                db.execute("BEGIN IMMEDIATE")
                break
            except sqlite3.OperationalError as error:
                # Changing to WAL does not wait for other processes by itself.
                if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        version = db.execute("PRAGMA user_version").fetchone()[0]  # another process may have been first
        for older in range(version, SCHEMA_VERSION) if version else ():
            db.execute(_CHANGES[older])
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
        db.execute("INSERT OR IGNORE INTO meta VALUES ('id', ?)", (uuid.uuid4().hex[:12],))
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("COMMIT")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if _code(error) in _CORRUPT:
                raise CorruptLedgerError(
                    f"The ledger {self.path} is damaged ({error}): move it away, and a new one is begun.", self._inode
                ) from error
            raise LedgerError(f"The ledger {self.path} cannot be used now: {error}.") from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._explained():
            db = self._db
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
                raise

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._lock, self._explained():
            return self._db.execute(query, values).fetchall()

    def close(self) -> None:
        """Let go of the file; the next call opens it again."""
        with self._lock:
            opened, self._opened = self._opened, None
            if opened is not None:
                with contextlib.suppress(sqlite3.Error):
                    opened.close()

    def hold(self, seconds: float) -> bool:
        """Before a fork: have no file open, and keep every thread out until `resume`.

        SQLite must not be carried into a child: it would take the parent's locks for its own.

        Returns:
            False if another thread did not come out within `seconds`; then nothing is held.
        """
        if not self._lock.acquire(timeout=seconds):
            return False
        if self.path:
            self.close()
        return True

    def resume(self) -> None:
        """After a fork, in the parent: let the others in again."""
        self._lock.release()

    # Folding ------------------------------------------------------------------------------------------

    def offset(self, journal: str) -> int:
        """Return up to which byte `journal` is folded."""
        rows = self._rows("SELECT offset FROM journals WHERE name = ?", (journal,))
        return int(rows[0][0]) if rows else 0

    def fold(self, fold: Fold) -> bool:
        """Take in a stretch of a journal; False where the ledger is not at its start."""
        with self._transaction() as db:
            row = db.execute("SELECT offset FROM journals WHERE name = ?", (fold.journal,)).fetchone()
            if (row[0] if row else 0) != fold.start:
                return False
            db.execute(
                "INSERT INTO journals VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET offset = excluded.offset",
                (fold.journal, fold.end),
            )
            for fingerprint, tally in fold.groups.items():
                self._fold_group(db, fingerprint, tally)
            for key, n in (("dropped", fold.dropped), ("torn", fold.torn)):
                if n:
                    db.execute(
                        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = value + excluded.value",
                        (key, n),
                    )
        return True

    def _fold_group(self, db: sqlite3.Connection, fingerprint: str, tally: Tally) -> None:
        row = db.execute("SELECT id FROM groups WHERE fingerprint = ?", (fingerprint,)).fetchone()
        group_id = row[0] if row else self._new_group(db, fingerprint, tally)
        if tally.last_at:
            db.execute(
                "UPDATE groups SET count = count + ?, first_seen_at = min(first_seen_at, ?),"
                " last_seen_at = max(last_seen_at, ?) WHERE id = ?",
                (tally.count, tally.first_at, tally.last_at, group_id),
            )
        db.executemany(
            "INSERT INTO hours VALUES (?, ?, ?)"
            " ON CONFLICT (hour, group_id) DO UPDATE SET count = count + excluded.count",
            [(hour, group_id, n) for hour, n in tally.hours.items()],
        )
        db.executemany(
            "INSERT INTO facts VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (group_id, kind, value) DO UPDATE SET"
            " count = count + excluded.count, first_seen_at = min(first_seen_at, excluded.first_seen_at),"
            " last_seen_at = max(last_seen_at, excluded.last_seen_at)",
            [
                (group_id, kind, _text(value), n, tally.first_at, tally.last_at)
                for kind, values in _facts(tally)
                for value, n in values.items()
                if value
            ],
        )
        db.executemany(
            "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?)",
            [
                (
                    _text(one.get("id") or uuid.uuid4().hex),
                    group_id,
                    events.epoch(one.get("timestamp")) or tally.last_at,
                    tally.texts.get(id(one)) or events.dumps(one),
                )
                for one in tally.kept
            ],
        )
        db.executemany(
            "INSERT INTO outbox (destination, group_id, total, level, since_at) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (destination, group_id) DO UPDATE SET"
            " since_at = CASE WHEN total > told THEN since_at ELSE excluded.since_at END,"
            " level = CASE WHEN total > told THEN max(level, excluded.level) ELSE excluded.level END,"
            " total = total + excluded.total",
            [(_text(name), group_id, n, tally.level, time.time()) for name, n in tally.routed.items()],
        )

    def _new_group(self, db: sqlite3.Connection, fingerprint: str, tally: Tally) -> int:
        one = tally.event or {}
        at = tally.first_at if tally.last_at else time.time()
        cursor = db.execute(
            "INSERT INTO groups (fingerprint, error_type, error_module, error_message, component, module,"
            " culprit, level, logger, count, first_seen_at, last_seen_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)",
            (
                fingerprint,
                _text(one.get("error_type") or "Error"),
                _text(one.get("error_module")),
                _text(one.get("error_message")),
                _text(one.get("component")),
                _text(one.get("module")),
                _text(events.culprit(one)),
                _text(one.get("level")),
                _text(one.get("logger")),
                at,
                at,
            ),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def forget_journal(self, journal: str) -> None:
        """Drop the offset of a journal that was folded to its end and removed."""
        with self._transaction() as db:
            db.execute("DELETE FROM journals WHERE name = ?", (journal,))

    # Delivering ---------------------------------------------------------------------------------------

    def lease(self, destination: str, owner: str, now: float, seconds: float) -> bool:
        """Take or renew the right to deliver to `destination`; False while another owner has it."""
        with self._transaction() as db:
            db.execute("INSERT OR IGNORE INTO destinations (name) VALUES (?)", (destination,))
            taken = db.execute(
                "UPDATE destinations SET owner = ?, leased_until = ?"
                " WHERE name = ? AND (owner = ? OR leased_until <= ?)",
                (owner, now + seconds, destination, owner, now),
            )
            return taken.rowcount == 1

    def leaseholder(self, destination: str) -> tuple[str, float]:
        """Return who has the lease of `destination`, and until when; ("", 0.0) if nobody has."""
        rows = self._rows("SELECT owner, leased_until FROM destinations WHERE name = ?", (destination,))
        return rows[0] if rows else ("", 0.0)

    def release(self, destination: str, owner: str) -> None:
        """Give the lease back."""
        with self._transaction() as db:
            db.execute(
                "UPDATE destinations SET owner = '', leased_until = 0 WHERE name = ? AND owner = ?",
                (destination, owner),
            )

    def waiting(self, destination: str, now: float, limit: int = 500) -> list[Item]:
        """Return what `destination` is still to be told, without events and facts.

        Oldest first; where there is more than `limit`: what is due before what is not, and what was never told
        or failed before mere repeats.
        """
        rows = self._rows(
            f"{_ITEM} WHERE o.destination = ? AND o.total > o.told AND NOT o.dead"
            " ORDER BY o.due_at > ?, o.told > 0 AND o.attempts = 0, o.since_at LIMIT ?",
            (destination, now, limit),
        )
        return sorted((_item(destination, row) for row in rows), key=lambda item: item.since_at)

    def load(self, items: Sequence[Item]) -> list[Item]:
        """Return `items` as they stand now, with the newest kept event, releases, environments, servers."""
        return [loaded for item in items for loaded in self._load(item)]

    def _load(self, item: Item) -> Iterator[Item]:
        rows = self._rows(
            f"{_ITEM} WHERE o.destination = ? AND g.fingerprint = ?",
            (item.destination, item.group.fingerprint),
        )
        for row in rows:
            one = _item(item.destination, row)
            one.group = self._with_facts(row[7], one.group)
            kept = self.events(1, one.group.fingerprint)
            one.event = (kept and kept[0]) or _bare_event(one.group)
            yield one

    def settle(self, destination: str, outcomes: Sequence[Outcome], now: float) -> None:
        """Write down what became of delivered items."""
        with self._transaction() as db:
            for one in outcomes:
                done = one.state == "done"
                db.execute(
                    "UPDATE outbox SET told = max(told, ?), since_at = CASE WHEN ? THEN ? ELSE since_at END,"
                    " due_at = ?, attempts = ?, dead = ?, reason = ?, memory = ?"
                    " WHERE destination = ? AND group_id = (SELECT id FROM groups WHERE fingerprint = ?)",
                    (
                        one.told if done else 0,
                        done,
                        now,
                        one.due_at,
                        one.attempts,
                        one.state == "dead",
                        _text(one.reason)[:MAX_REASON_CHARS],
                        events.dumps(one.memory),
                        destination,
                        one.fingerprint,
                    ),
                )
                for column in ("issue_url", "status"):
                    if one.memory.get(column):
                        db.execute(
                            f"UPDATE groups SET {column} = ? WHERE fingerprint = ?",  # noqa: S608 - two literals
                            (_text(one.memory[column]), one.fingerprint),
                        )

    def told(self, destination: str, before: float, limit: int = 500) -> list[Item]:
        """Return what `destination` was told of, is open and was last seen before a time; the most silent first."""
        rows = self._rows(
            f"{_ITEM} WHERE o.destination = ? AND o.told > 0 AND o.told = o.total AND g.status = 'open'"
            " AND g.last_seen_at < ? ORDER BY g.last_seen_at LIMIT ?",
            (destination, before, limit),
        )
        return self.load([_item(destination, row) for row in rows])

    def remind(self, destination: str, shown: Mapping[str, int]) -> None:
        """Have `destination` be told again of groups whose ``memory["said"]`` is more than it shows."""
        with self._transaction() as db:
            db.executemany(
                "UPDATE outbox SET told = total - 1 WHERE destination = ? AND told = total AND total > 0"
                " AND group_id = (SELECT id FROM groups WHERE fingerprint = ?)"
                " AND coalesce(json_extract(CASE WHEN json_valid(memory) THEN memory END, '$.said'), 0) > ?",
                [(destination, fingerprint, count) for fingerprint, count in shown.items()],
            )

    def entrust(self, destination: str, fingerprint: str, memory: dict[str, Any]) -> bool:
        """Have `destination` be told of a group again, with `memory` added; False if there is no such group."""
        with self._transaction() as db:
            rows = db.execute(
                "SELECT g.id, g.count, coalesce(o.memory, '{}') FROM groups g"
                " LEFT JOIN outbox o ON o.group_id = g.id AND o.destination = ? WHERE g.fingerprint = ?",
                (destination, fingerprint),
            ).fetchall()
            for group_id, count, said in rows:
                db.execute(
                    "INSERT INTO outbox (destination, group_id, total, told, level, since_at, memory)"
                    " VALUES (?, ?, ?, ?, 0, ?, ?) ON CONFLICT (destination, group_id) DO UPDATE SET"
                    " told = min(told, total - 1), due_at = 0, attempts = 0, dead = 0, memory = excluded.memory",
                    (
                        destination,
                        group_id,
                        max(count, 1),
                        max(count, 1) - 1,
                        time.time(),
                        events.dumps(_read(said) | memory),
                    ),
                )
            return bool(rows)

    def mute(self, fingerprint: str, until: float) -> bool:
        """Tell no destination of a group before `until` (0.0: tell them again); False if there is no such group."""
        with self._transaction() as db:
            changed = db.execute("UPDATE groups SET muted_until = ? WHERE fingerprint = ?", (until, fingerprint))
            return changed.rowcount == 1

    def memory(self, destination: str) -> dict[str, Any]:
        """Return what the destination remembers over batches and processes."""
        rows = self._rows("SELECT memory FROM destinations WHERE name = ?", (destination,))
        return _read(rows[0][0]) if rows else {}

    def remember(self, destination: str, memory: dict[str, Any]) -> None:
        """Keep what the destination remembers."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO destinations (name, memory) VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET memory = excluded.memory",
                (destination, events.dumps(memory)),
            )

    def spend(self, name: str, limit: int, seconds: float, now: float) -> float:
        """Take one from a budget of `limit` in any `seconds`; return 0.0, or the seconds until there is room."""
        with self._transaction() as db:
            # What lies in the future was spent by a clock that was set back since.
            db.execute("DELETE FROM spent WHERE name = ? AND (at <= ? OR at > ?)", (name, now - seconds, now + 60))
            times = [row[0] for row in db.execute("SELECT at FROM spent WHERE name = ? ORDER BY at", (name,))]
            if len(times) < limit:
                db.execute("INSERT INTO spent VALUES (?, ?)", (name, now))
                return 0.0
            if limit <= 0:
                return seconds
            return max(0.001, float(times[len(times) - limit]) + seconds - now)

    # Reading ------------------------------------------------------------------------------------------

    def events(self, limit: int, fingerprint: str | None = None) -> list[Event]:
        """Return kept events, newest first."""
        where = "" if fingerprint is None else "WHERE group_id = (SELECT id FROM groups WHERE fingerprint = ?) "
        values = [limit] if fingerprint is None else [fingerprint, limit]
        rows = self._rows(
            f"SELECT data FROM events {where}ORDER BY at DESC, rowid DESC LIMIT ?",  # noqa: S608 - a literal
            values,
        )
        return [_event(row[0]) for row in rows]

    def event(self, key: str) -> Event | None:
        """Return the kept event whose id is or begins with `key`."""
        rows = self._rows(
            "SELECT data FROM events WHERE id >= ? AND id < ? ORDER BY id LIMIT 1", (key, key + "\U0010ffff")
        )
        return _event(rows[0][0]) if rows else None

    def groups(self, limit: int | None = None) -> list[Group]:
        """Return groups, last seen first."""
        rows = self._rows(
            f"SELECT {_GROUP} FROM groups g ORDER BY last_seen_at DESC, id DESC LIMIT ?",  # noqa: S608 - a literal
            (-1 if limit is None else limit,),
        )
        return [_group(row) for row in rows]

    def group(self, key: str) -> Group | None:
        """Return the group whose fingerprint is or begins with `key` (with or without ``v1:``)."""
        whole = key if ":" in key else f"v1:{key}"
        rows = self._rows(
            f"SELECT {_GROUP} FROM groups g WHERE fingerprint >= ? AND fingerprint < ?"  # noqa: S608 - a literal
            " ORDER BY fingerprint LIMIT 1",
            (whole, whole + "\U0010ffff"),
        )
        return self._with_facts(rows[0][0], _group(rows[0])) if rows else None

    def _with_facts(self, group_id: int, group: Group) -> Group:
        found: dict[str, dict[str, tuple[float, float]]] = {"release": {}, "environment": {}, "server": {}}
        for kind, value, first_at, last_at in self._rows(
            "SELECT kind, value, first_seen_at, last_seen_at FROM facts WHERE group_id = ?"
            " ORDER BY first_seen_at, value",
            (group_id,),
        ):
            found.setdefault(kind, {})[value] = (first_at, last_at)
        return replace(group, releases=found["release"], environments=found["environment"], servers=found["server"])

    def hours(self, since: float) -> list[tuple[str, str, int, int]]:
        """Return (error_type, module, hour, count) since a time; hours count from the epoch."""
        return self._rows(
            "SELECT g.error_type, g.module, h.hour, sum(h.count) FROM hours h JOIN groups g ON g.id = h.group_id"
            " WHERE h.hour >= ? GROUP BY g.error_type, g.module, h.hour ORDER BY h.hour",
            (int(since // 3600),),
        )

    def outbox(self) -> list[dict[str, Any]]:
        """Return what waits or is dead, by destination and group (SPEC's keys)."""
        rows = self._rows(
            "SELECT o.destination, g.fingerprint, o.total - o.told, o.attempts, max(o.due_at, o.since_at), o.dead,"
            " o.reason FROM outbox o JOIN groups g ON g.id = o.group_id WHERE o.total > o.told"
            " ORDER BY o.destination, o.since_at"
        )
        return [
            {
                "destination": destination,
                "fingerprint": fingerprint,
                "waiting": waiting,
                "attempts": attempts,
                "due_at": events.iso(due_at),
                "state": "dead" if dead else "waiting",
                "reason": reason or None,
            }
            for destination, fingerprint, waiting, attempts, due_at, dead, reason in rows
        ]

    def retry(self, destination: str | None = None, fingerprint: str | None = None) -> int:
        """Make dead and delayed deliveries due now; return how many."""
        with self._transaction() as db:
            found = db.execute("SELECT name, memory FROM destinations WHERE ? IS NULL OR name = ?", (destination,) * 2)
            for name, said in found.fetchall():
                memory = _read(said)
                if memory.pop("rest_until", None) is not None:  # it was to be left alone for a while
                    db.execute("UPDATE destinations SET memory = ? WHERE name = ?", (events.dumps(memory), name))
        change = "SET dead = 0, due_at = 0, attempts = 0"
        return self._change(change, "", destination, fingerprint)

    def discard(self, destination: str | None = None, fingerprint: str | None = None) -> int:
        """Give up dead deliveries; return how many."""
        change = "SET dead = 0, due_at = 0, attempts = 0, reason = '', told = total"
        return self._change(change, "AND dead", destination, fingerprint)

    def _change(self, change: str, which: str, destination: str | None, fingerprint: str | None) -> int:
        with self._transaction() as db:
            changed = db.execute(
                f"UPDATE outbox {change} WHERE total > told {which}"  # noqa: S608 - literals of this class
                " AND (? IS NULL OR destination = ?)"
                " AND (? IS NULL OR group_id = (SELECT id FROM groups WHERE fingerprint = ?))",
                (destination, destination, fingerprint, fingerprint),
            )
            return changed.rowcount

    def totals(self) -> dict[str, int]:
        """Return ``groups``, ``occurrences``, ``dropped`` and ``torn``."""
        (groups, occurrences), *_ = self._rows("SELECT count(*), coalesce(sum(count), 0) FROM groups")
        said = dict(self._rows("SELECT key, value FROM meta WHERE key IN ('dropped', 'torn')"))
        return {
            "groups": groups,
            "occurrences": occurrences,
            "dropped": int(said.get("dropped", 0)),
            "torn": int(said.get("torn", 0)),
        }


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary error code; 0 where Python found the fault."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _decode(data: bytes) -> str:
    return data.decode(errors="replace")


def _text(value: object) -> str:
    """Return what SQLite takes as text: lone surrogates have no UTF-8."""
    return str("" if value is None else value).encode(errors="backslashreplace").decode()


def _read(text: str) -> dict[str, Any]:
    """Return a JSON object; an empty one where a row is damaged."""
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _event(text: str) -> Event:
    return _read(text)  # type: ignore[return-value] # written by `fold`


_PLAIN = (
    "fingerprint", "error_type", "error_module", "error_message", "component", "culprit", "level", "logger",
    "count", "first_seen_at", "last_seen_at", "status", "issue_url", "muted_until",
)  # fmt: skip


def _facts(tally: Tally) -> Iterator[tuple[str, Counter[str]]]:
    yield "release", tally.releases
    yield "environment", tally.environments
    yield "server", tally.servers


def _group(row: Sequence[Any]) -> Group:
    read = dict(zip(_PLAIN, row[1:], strict=True))
    return Group(**read | ({"status": "muted"} if read["muted_until"] > time.time() else {}))


def _item(destination: str, row: Sequence[Any]) -> Item:
    total, told, level, since_at, due_at, attempts, memory = row[:7]
    return Item(
        destination=destination,
        group=_group(row[7:]),
        count=total - told,
        total=total,
        event={},
        level=level,
        since_at=since_at,
        due_at=due_at,
        attempts=attempts,
        memory=_read(memory),
    )


def _bare_event(group: Group) -> Event:
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
