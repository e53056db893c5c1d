"""What readers ask of a ledger, in SQL."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from loghub import event as events
from loghub.errors import AmbiguousKeyError
from loghub.event import storable
from loghub.ledger import conditions
from loghub.ledger.database import Store
from loghub.ledger.find import ALL, ORDERS, Find, Page, cursor, read_cursor
from loghub.ledger.protocol import KINDS, LEDGER, Group, Recovery, Seen
from loghub.ledger.rows import GROUP, read_event, read_group

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loghub.event import Event

ALL_ROWS = 1 << 62
"""A limit that is none."""


class Reading(Store):
    """The questions of a ledger's readers."""

    def events(self, limit: int, find: Find = ALL, after: str = "") -> Page[Event]:
        """Return kept events, newest first."""
        condition, values = conditions.for_events(find, time.time())
        if after:
            at, key = read_cursor(after, "timestamp")
            found = self._rows("SELECT at, number FROM events WHERE id = ?", (key,))
            condition = f"{condition or '1 = 1'} AND (e.at, e.number) < (?, ?)"
            values += found[0] if found else (at + 0.001, 0)  # rather twice than never
        rows = self._rows(
            "SELECT e.data, e.id, e.at FROM events e JOIN groups g ON g.id = e.group_id"  # noqa: S608 - literals
            f" {_where(condition)} ORDER BY e.at DESC, e.number DESC LIMIT ?",
            (*values, limit + 1),
        )
        return Page.of(((cursor(events.iso(at), key), read_event(data)) for data, key, at in rows), limit)

    def event(self, key: str) -> Event | None:
        """Return the kept event whose id is or begins with `key`."""
        row = self._row_of("SELECT id, data FROM events", 0, "id", key)
        return read_event(row[1]) if row else None

    def beside(self, key: str) -> tuple[Event | None, Event | None]:
        """Return the kept events of the same group right after and right before the one with the id `key`."""
        query = (
            "SELECT e.data FROM events e JOIN events o ON o.group_id = e.group_id AND o.id = ?"
            " WHERE (e.at, e.number) {} (o.at, o.number) ORDER BY e.at {order}, e.number {order} LIMIT 1"
        )
        newer = self._rows(query.format(">", order="ASC"), (storable(key),))
        older = self._rows(query.format("<", order="DESC"), (storable(key),))
        return (read_event(newer[0][0]) if newer else None), (read_event(older[0][0]) if older else None)

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
            condition = f"{condition or '1 = 1'} AND (g.{order}, g.id) < (?, ?)"
            values += self._place(after, order)
        rows = self._rows(
            f"SELECT {GROUP} FROM groups g {_where(condition)}"  # noqa: S608 - literals
            f" ORDER BY g.{order} DESC, g.id DESC LIMIT ?",
            (*values, ALL_ROWS if limit is None else limit + 1),
        )
        return Page.of(((_cursor(group, order), group) for group in map(read_group, rows)), limit)

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
        row = self._row_of(f"SELECT {GROUP} FROM groups g", 1, "fingerprint", *keys)  # noqa: S608 - literals
        return self._with_facts(row[0], read_group(row)) if row else None

    def _with_facts(self, group_id: int, group: Group) -> Group:
        found: dict[str, dict[str, tuple[float, float]]] = {"release": {}, "environment": {}, "server": {}}
        carried = {}
        for kind, value, count, first_at, last_at in self._rows(
            "SELECT kind, value, count, first_seen_at, last_seen_at FROM facts WHERE group_id = ?"
            " ORDER BY first_seen_at, value",
            (group_id,),
        ):
            if kind == LEDGER:
                carried[value] = count
            else:
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
            carried=carried,
        )

    def seen_by(self, kind: str, find: Find = ALL) -> list[Seen]:
        """Return what was seen of the groups that are found, by server, release or environment; the most first."""
        assert kind in KINDS
        condition, values = conditions.for_groups(find, time.time())
        within = [("f.last_seen_at >= ?", find.since), ("f.first_seen_at < ?", find.until)]
        parts = ["f.kind = ?", *(part for part, at in within if at is not None)]
        if condition:
            parts.append(f"f.group_id {_among(condition)}")
        rows = self._rows(
            "SELECT f.value, count(*), sum(f.count), min(f.first_seen_at), max(f.last_seen_at) FROM facts f"  # noqa: S608
            f" WHERE {' AND '.join(parts)} GROUP BY f.value ORDER BY 3 DESC, 1",
            (kind, *(at for _, at in within if at is not None), *values),
        )
        return [Seen(value, groups, int(count), first, last) for value, groups, count, first, last in rows]

    def totals_of(self, find: Find = ALL) -> list[tuple[str, str, int]]:
        """Return occurrences by (error_type, module), the most first."""
        (condition, values), counted, counts = self._counted(find)
        return self._rows(
            "SELECT g.error_type, g.module, sum(c.count) AS n FROM"  # noqa: S608 - literals
            f" (SELECT group_id, sum(count) AS count FROM ({counted}) n GROUP BY group_id) c"
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
        if find.fingerprint is not None:  # looked up where the counts are, not among those of all groups
            only = f"AND h.group_id = (SELECT id FROM groups WHERE fingerprint = ?) {only}"  # noqa: S608 - a literal
            released = [find.fingerprint, *released]
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
