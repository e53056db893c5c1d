"""The ledger in one SQLite file, shared by the processes of a host."""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from loghub import event as events
from loghub.errors import AmbiguousKeyError
from loghub.event import storable
from loghub.ledger import conditions, folding, retention
from loghub.ledger.connection import SQLiteFile
from loghub.ledger.find import ALL, ORDERS, Find, Page, cursor, read_cursor
from loghub.ledger.protocol import RECOVERIES_PER_GROUP, Group, Item, Recovery

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from loghub.event import Event
    from loghub.journal import Fold, Tally
    from loghub.ledger.protocol import Outcome, Restored

MAX_REASON_CHARS = 2000

_GROUP = """g.id, g.fingerprint, g.error_type, g.error_module, g.error_message, g.component, g.culprit, g.level,
    g.logger, g.count, g.first_seen_at, g.last_seen_at, g.status, g.issue_url, g.muted_until"""

_ITEM = f"""SELECT o.total, o.told, o.level, o.since_at, o.due_at, o.attempts, o.memory, {_GROUP}
    FROM outbox o JOIN groups g ON g.id = o.group_id"""  # noqa: S608 - literals


class SQLiteLedger(SQLiteFile):
    """The ledger in the file `path`; None keeps it in memory, until it is closed."""

    _full_at = retention.MAX_BYTES

    # Folding ------------------------------------------------------------------------------------------

    def offset(self, journal: str) -> int:
        """Return up to which byte `journal` is folded."""
        rows = self._rows("SELECT offset FROM journals WHERE name = ?", (journal,))
        return int(rows[0][0]) if rows else 0

    def fold(self, fold: Fold) -> bool:
        """Take in a stretch of a journal; False where the ledger is not at its start."""
        with self._transaction() as db:
            taken = folding.fold(db, fold)
            self._full_at = retention.bound(db, self._full_at)
        return taken

    def forget_journal(self, journal: str) -> None:
        """Drop the offset of a journal that was folded to its end and removed."""
        with self._transaction() as db:
            db.execute("DELETE FROM journals WHERE name = ?", (journal,))

    def restore(self, groups: Mapping[str, Tally], now: float) -> Restored:
        """See that no group has fewer occurrences in an hour, events or facts than is said here."""
        with self._transaction() as db:
            restored = folding.restore(db, groups, retention.hours_since(now))
            self._full_at = retention.bound(db, self._full_at)
        return restored

    def tidy(self, now: float) -> bool:
        """Let go of some of what is too old; True if there is more."""
        with self._transaction() as db:
            more = retention.tidy(db, now)
        with self._lock, self._explained():
            return retention.give_back(self._db) or more

    def purge(self, fingerprints: Sequence[str]) -> int:
        """Delete groups with all that is kept of them; return how many there were."""
        with self._transaction() as db:
            return sum(db.execute("DELETE FROM groups WHERE fingerprint = ?", (one,)).rowcount for one in fingerprints)

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

    def load(self, items: Sequence[Item], whole: int | None = None) -> list[Item]:
        """Return `items` as they stand now, the first ones whole."""
        most = len(items) if whole is None else whole
        return [one for number, item in enumerate(items) for one in self._load(item, whole=number < most)]

    def _load(self, item: Item, *, whole: bool) -> Iterator[Item]:
        rows = self._rows(
            f"{_ITEM} WHERE o.destination = ? AND g.fingerprint = ?",
            (item.destination, item.group.fingerprint),
        )
        for row in rows:
            one = _item(item.destination, row)
            one.group = self._with_facts(row[7], one.group)
            kept = self.events(1, Find(fingerprint=one.group.fingerprint)) if whole else None
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
                        storable(one.reason)[:MAX_REASON_CHARS],
                        events.dumps(one.memory),
                        destination,
                        one.fingerprint,
                    ),
                )
                for column in ("issue_url", "status"):
                    if one.memory.get(column):
                        db.execute(
                            f"UPDATE groups SET {column} = ? WHERE fingerprint = ?",  # noqa: S608 - two literals
                            (storable(one.memory[column]), one.fingerprint),
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

    def note_recovery(self, fingerprint: str, recovery: Recovery) -> bool:
        """Keep with a group what a procedure did about it; False if there is no such group."""
        with self._transaction() as db:
            row = db.execute("SELECT id FROM groups WHERE fingerprint = ?", (fingerprint,)).fetchone()
            if row is None:
                return False
            db.execute(
                "INSERT INTO recoveries (group_id, at, procedure, outcome, seconds, reason, server)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    row[0],
                    recovery.at,
                    storable(recovery.procedure),
                    recovery.outcome,
                    recovery.seconds,
                    storable(recovery.reason)[:MAX_REASON_CHARS],
                    storable(recovery.server),
                ),
            )
            db.execute(
                "DELETE FROM recoveries WHERE number IN"
                " (SELECT number FROM recoveries WHERE group_id = ? ORDER BY number DESC LIMIT -1 OFFSET ?)",
                (row[0], RECOVERIES_PER_GROUP),
            )
            return True

    def mute(self, fingerprint: str, until: float) -> bool:
        """Tell no destination of a group before `until` (0.0: tell them again); False if there is no such group."""
        with self._transaction() as db:
            changed = db.execute("UPDATE groups SET muted_until = ? WHERE fingerprint = ?", (until, fingerprint))
            return changed.rowcount == 1

    def memory(self, destination: str) -> dict[str, Any]:
        """Return what the destination remembers over batches and processes."""
        rows = self._rows("SELECT memory FROM destinations WHERE name = ?", (destination,))
        return _read(rows[0][0]) if rows else {}

    def memories(self, ending: str) -> dict[str, dict[str, Any]]:
        """Return what is remembered under names with an ending, by the name without it."""
        rows = self._rows(
            "SELECT name, memory FROM destinations WHERE substr(name, -length(?)) = ? ORDER BY name", (ending,) * 2
        )
        return {name.removesuffix(ending): _read(memory) for name, memory in rows}

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

    def refund(self, name: str) -> None:
        """Give back what was taken from a budget last: it was not used."""
        with self._transaction() as db:
            db.execute(
                "DELETE FROM spent WHERE rowid = (SELECT rowid FROM spent WHERE name = ? ORDER BY at DESC LIMIT 1)",
                (name,),
            )

    # Reading ------------------------------------------------------------------------------------------

    def events(self, limit: int, find: Find = ALL, after: str = "") -> Page[Event]:
        """Return kept events, newest first."""
        condition, values = conditions.for_events(find, time.time())
        if after:
            at, key = read_cursor(after, "timestamp")
            found = self._rows("SELECT at, number FROM events WHERE id = ?", (key,))
            condition = f"{condition or '1'} AND (e.at, e.number) < (?, ?)"
            values += found[0] if found else (at + 0.001, 0)  # rather twice than never
        rows = self._rows(
            "SELECT e.data, e.id, e.at FROM events e JOIN groups g ON g.id = e.group_id"  # noqa: S608 - literals
            f" {_where(condition)} ORDER BY e.at DESC, e.number DESC LIMIT ?",
            (*values, limit + 1),
        )
        return Page.of(((cursor(events.iso(at), key), _event(data)) for data, key, at in rows), limit)

    def event(self, key: str) -> Event | None:
        """Return the kept event whose id is or begins with `key`."""
        row = self._row_of("SELECT id, data FROM events", 0, "id", key)
        return _event(row[1]) if row else None

    def beside(self, key: str) -> tuple[Event | None, Event | None]:
        """Return the kept events of the same group right after and right before the one with the id `key`."""
        query = (
            "SELECT e.data FROM events e JOIN events o ON o.group_id = e.group_id AND o.id = ?"
            " WHERE (e.at, e.number) {} (o.at, o.number) ORDER BY e.at {order}, e.number {order} LIMIT 1"
        )
        newer = self._rows(query.format(">", order="ASC"), (storable(key),))
        older = self._rows(query.format("<", order="DESC"), (storable(key),))
        return (_event(newer[0][0]) if newer else None), (_event(older[0][0]) if older else None)

    def _row_of(self, select: str, at: int, column: str, *keys: str) -> Any:
        """Return the row whose key, at a place in it, is or else begins with the first of `keys` that there is."""
        texts = [storable(key) for key in keys if key]
        for key in texts:
            if rows := self._rows(f"{select} WHERE {column} = ?", (key,)):
                return rows[0]
        for key in texts:
            query = f"{select} WHERE {column} >= ? AND {column} < ? ORDER BY {column} LIMIT 4"
            rows = self._rows(query, (key, key + "\U0010ffff"))
            if len(rows) > 1:
                some = ", ".join(row[at] for row in rows)
                raise AmbiguousKeyError(f"{key} is the beginning of several, such as {some}: give more of it.")
            if rows:
                return rows[0]
        return None

    def groups(
        self, limit: int | None = None, find: Find = ALL, after: str = "", order: str = "last_seen_at"
    ) -> Page[Group]:
        """Return groups, the highest in `order` first."""
        assert order in ORDERS
        condition, values = conditions.for_groups(find, time.time())
        if after:
            condition = f"{condition or '1'} AND (g.{order}, g.id) < (?, ?)"
            values += self._place(after, order)
        rows = self._rows(
            f"SELECT {_GROUP} FROM groups g {_where(condition)}"  # noqa: S608 - literals
            f" ORDER BY g.{order} DESC, g.id DESC LIMIT ?",
            (*values, -1 if limit is None else limit + 1),
        )
        return Page.of(((_cursor(group, order), group) for group in map(_group, rows)), limit)

    def _place(self, after: str, order: str) -> tuple[float, int]:
        """Return the place of a group in a list, also where it has moved on since."""
        value, key = read_cursor(after, order)
        found = self._rows(f"SELECT {order}, id FROM groups WHERE fingerprint = ?", (key,))  # noqa: S608 - a literal
        if found and (order == "count" or events.iso(found[0][0]) == events.iso(value)):
            return (value if order == "count" else found[0][0]), found[0][1]
        # JSON has milliseconds, and all of this one may come: rather twice than never.
        return value + (1 if order == "count" else 0.001), 0

    def group(self, key: str) -> Group | None:
        """Return the group whose fingerprint is or begins with `key` (with or without ``v1:``)."""
        keys = (key,) if ":" in key or not key else (f"v1:{key}", key)
        row = self._row_of(f"SELECT {_GROUP} FROM groups g", 1, "fingerprint", *keys)  # noqa: S608 - literals
        return self._with_facts(row[0], _group(row)) if row else None

    def _with_facts(self, group_id: int, group: Group) -> Group:
        found: dict[str, dict[str, tuple[float, float]]] = {"release": {}, "environment": {}, "server": {}}
        for kind, value, first_at, last_at in self._rows(
            "SELECT kind, value, first_seen_at, last_seen_at FROM facts WHERE group_id = ?"
            " ORDER BY first_seen_at, value",
            (group_id,),
        ):
            found.setdefault(kind, {})[value] = (first_at, last_at)
        recoveries = self._rows(
            "SELECT at, procedure, outcome, seconds, reason, server FROM recoveries WHERE group_id = ?"
            " ORDER BY number DESC",
            (group_id,),
        )
        return replace(
            group,
            releases=found["release"],
            environments=found["environment"],
            servers=found["server"],
            recoveries=[Recovery(*row) for row in recoveries],
        )

    def totals_of(self, find: Find = ALL) -> list[tuple[str, str, int]]:
        """Return occurrences by (error_type, module), the most first."""
        (condition, values), counted, counts = self._counted(find)
        return self._rows(
            "SELECT g.error_type, g.module, sum(c.count) AS n FROM"  # noqa: S608 - literals
            f" (SELECT group_id, sum(count) AS count FROM ({counted}) GROUP BY group_id) c"
            f" JOIN groups g ON g.id = c.group_id {_where(condition)}"
            " GROUP BY g.error_type, g.module ORDER BY n DESC, g.error_type, g.module",
            (*counts, *values),
        )

    def days(self, find: Find = ALL) -> dict[int, int]:
        """Return occurrences by day (days since the epoch, UTC)."""
        (condition, values), counted, counts = self._counted(find)
        groups = f"WHERE c.group_id {_among(condition)}" if condition else ""
        return dict(
            self._rows(
                f"SELECT c.day, sum(c.count) FROM ({counted}) c {groups} GROUP BY c.day ORDER BY c.day",  # noqa: S608
                (*counts, *values),
            )
        )

    def hours(self, find: Find = ALL) -> dict[int, int]:
        """Return occurrences by hour (hours since the epoch), as far back as hours are kept."""
        (condition, values), (deployed, released) = conditions.for_counts(find, time.time())
        first, end = _hours_between(find)
        groups = f"h.group_id {_among(condition)} AND" if condition else ""
        return dict(
            self._rows(
                f"SELECT h.hour, sum(h.count) FROM hours h WHERE {groups} h.hour >= ? AND h.hour < ?"  # noqa: S608
                f" {_deployed(deployed)} GROUP BY h.hour ORDER BY h.hour",
                (*values, first, end, *released),
            )
        )

    def first_seen_at(self, find: Find = ALL) -> float:
        """Return when the first of the groups that are found was seen; infinity where there is none."""
        condition, values = conditions.for_groups(find, time.time())
        query = f"SELECT min(g.first_seen_at) FROM groups g {_where(condition)}"  # noqa: S608 - literals
        first = self._rows(query, values)[0][0]
        return math.inf if first is None else float(first)

    def hours_of(self, fingerprints: Sequence[str], since: float) -> dict[str, dict[int, int]]:
        """Return occurrences of each of some groups by hour, since a time."""
        query = (
            "SELECT hour, sum(count) FROM hours WHERE hour >= ?"
            " AND group_id = (SELECT id FROM groups WHERE fingerprint = ?) GROUP BY hour ORDER BY hour"
        )
        first = int(since // 3600)
        return {fingerprint: dict(self._rows(query, (first, fingerprint))) for fingerprint in fingerprints}

    def _counted(self, find: Find) -> tuple[conditions.Condition, str, list[Any]]:
        """Return what must hold for groups, and (group_id, day, count) between two hours, with its values.

        Days that lie in between as a whole are read as days; the hours before and after them as hours, as far back
        as there are hours.
        """
        groups, (deployed, released) = conditions.for_counts(find, time.time())
        first, end = _hours_between(find)
        oldest = self._rows("SELECT min(hour) FROM hours")[0][0] or 0
        from_day = first // 24 if first < oldest else -(-first // 24)
        to_day = max(from_day, end // 24)
        only = _deployed(deployed)
        hours = f"SELECT group_id, hour / 24 AS day, count FROM hours h WHERE hour >= ? AND hour < ? {only}"  # noqa: S608
        days = f"SELECT group_id, day, count FROM days h WHERE day >= ? AND day < ? {only}"  # noqa: S608
        counted = f"{hours} UNION ALL {days} UNION ALL {hours}"
        before, after = min(end, from_day * 24), max(first, to_day * 24)
        values = [first, before, *released, from_day, to_day, *released, after, end, *released]
        return groups, counted, values

    def outbox(self, fingerprint: str | None = None) -> list[dict[str, Any]]:
        """Return what waits or is dead, by destination and group (SPEC's keys), of all groups or of one."""
        one = "" if fingerprint is None else "AND g.fingerprint = ?"
        rows = self._rows(
            "SELECT o.destination, g.fingerprint, o.total - o.told, o.attempts, o.since_at,"  # noqa: S608 - literals
            " max(o.due_at, o.since_at), o.dead, o.reason FROM outbox o JOIN groups g ON g.id = o.group_id"
            f" WHERE o.total > o.told {one} ORDER BY o.destination, o.since_at",
            () if fingerprint is None else (storable(fingerprint),),
        )
        return [
            {
                "destination": destination,
                "fingerprint": fingerprint,
                "waiting": waiting,
                "attempts": attempts,
                "since_at": events.iso(since_at),
                "due_at": events.iso(due_at),
                "state": "dead" if dead else "waiting",
                "reason": reason or None,
            }
            for destination, fingerprint, waiting, attempts, since_at, due_at, dead, reason in rows
        ]

    def retry(self, destination: str | None = None, fingerprint: str | None = None) -> int:
        """Make dead and delayed deliveries due now; return how many."""
        with self._transaction() as db:
            found = db.execute(
                "SELECT name, memory FROM destinations WHERE ? IS NULL OR name IN (?, ? || ' run')", (destination,) * 3
            )
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

    def figures(self) -> dict[str, Any]:
        """Return `totals`, ``kept``, ``issues``, and ``destinations`` by name: ``sent``, ``waiting``, ``dead``."""
        (kept, issues), *_ = self._rows("SELECT (SELECT count(*) FROM events), count(issue_url) FROM groups")
        rows = self._rows(
            "SELECT destination, sum(told), sum((total - told) * (1 - dead)), sum((total - told) * dead)"
            " FROM outbox GROUP BY destination"
        )
        told = {name: {"sent": sent, "waiting": waiting, "dead": dead} for name, sent, waiting, dead in rows}
        return {**self.totals(), "kept": kept, "issues": issues, "destinations": told}

    def totals(self) -> dict[str, int]:
        """Return ``groups``, ``occurrences``, ``dropped``, ``torn`` and ``forgotten`` (groups that had to go)."""
        (groups, occurrences), *_ = self._rows("SELECT count(*), coalesce(sum(count), 0) FROM groups")
        said = dict(self._rows("SELECT key, value FROM meta WHERE key IN ('dropped', 'torn', 'forgotten')"))
        return {
            "groups": groups,
            "occurrences": occurrences,
            "dropped": int(said.get("dropped", 0)),
            "torn": int(said.get("torn", 0)),
            "forgotten": int(said.get("forgotten", 0)),
        }

    def mark(self) -> str:
        """Return a mark that is another one whenever something was changed, by whomever; of this process alone."""
        with self._lock, self._explained():
            db = self._db
            others = db.execute("PRAGMA data_version").fetchone()[0]
            return f"{id(db)}.{self._inode}.{others}.{db.total_changes}"


_NEVER = 1 << 40  # an hour, or a day, that does not come


def _hours_between(find: Find) -> tuple[int, int]:
    """Return the first hour that counts, and the first that no longer does."""
    first = 0 if find.since is None else int(find.since // 3600)
    if find.is_void:
        return first, first
    return first, _NEVER if find.until is None else int(-(-find.until // 3600))


def _among(groups: str) -> str:
    """Say that a group is one of some; a join looks up the group of each hour, a hundred times as slow."""
    return f"IN (SELECT g.id FROM groups g WHERE {groups})"  # noqa: S608 - literals


def _deployed(condition: str) -> str:
    if not condition:
        return ""
    return f"AND h.deployment_id IN (SELECT d.id FROM deployments d WHERE {condition})"  # noqa: S608 - literals


def _where(condition: str) -> str:
    return f"WHERE {condition}" if condition else ""


def _cursor(group: Group, order: str) -> str:
    value = getattr(group, order)
    return cursor(value if order == "count" else events.iso(value), group.fingerprint)


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
