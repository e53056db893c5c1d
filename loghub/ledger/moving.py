"""What one ledger knows comes to another, also where that has groups of its own: counts add up, group by group.

A group comes with all that belongs to it or not at all, and with it a fact of kind ``ledger``: from which ledger so
many of its occurrences came. That makes the move go on where it was broken off; and an issue, which tells counts by
ledger, never counts them twice (`Group.carried`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loghub.errors import LedgerError
from loghub.event import dumps
from loghub.ledger import folding
from loghub.ledger.database import marks
from loghub.ledger.protocol import LEDGER
from loghub.ledger.rows import read_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loghub.ledger.database import Database
    from loghub.ledger.sql import SQLLedger

CHUNK = 100
"""So many groups come in one transaction."""

MOST = 80
"""So many ledgers may come to one: an issue knows the counts of a hundred."""

_GROUPS = (
    "fingerprint", "error_type", "error_module", "error_message", "component", "module", "culprit", "level", "logger",
    "count", "first_seen_at", "last_seen_at", "status", "issue_url", "muted_until", "words", "severity",
)  # fmt: skip
_EVENTS = (
    "id", "at", "error_type", "error_module", "module", "component", "level", "release", "environment", "severity",
    "words", "data",
)  # fmt: skip
_OUTBOX = ("destination", "total", "told", "level", "since_at", "due_at", "attempts", "dead", "reason", "memory")
_RECOVERIES = ("at", "procedure", "outcome", "seconds", "reason", "server")
_FACTS = ("kind", "value", "count", "first_seen_at", "last_seen_at")

_COUNTS = (("hours", "hour"), ("days", "day"))

Row = dict[str, Any]


@dataclass(frozen=True)
class Compared:
    """What was counted in both ledgers when all had come.

    Attributes:
        what: What was counted.
        there: How much of it the old ledger has.
        come: How much of that the new one has.
    """

    what: str
    there: int
    come: int


class Move:
    """The move of all that a ledger has.

    Args:
        source: The ledger; it stays as it is.
        target: Where its groups come to.
        name: The source's id.
    """

    def __init__(self, source: SQLLedger, target: SQLLedger, name: str) -> None:
        self._source = source
        self._target = target
        self._name = name
        self._deployed: dict[int, tuple[str, str]] = {
            number: (folding.key(release), folding.key(environment))
            for number, release, environment in source._rows("SELECT id, release, environment FROM deployments")
        }

    def steps(self) -> Iterator[int]:
        """Do it, step by step; yield how many groups have come up to now, those of an earlier attempt as well.

        What the old ledger counts of a group after that has come does not come any more: `compare` shows it.

        Raises:
            LedgerError: The new ledger has taken in too many others; or one of the two cannot be used now.
        """
        self._come_along()
        come = 0
        for rows in self._groups():
            carried = self._carried(rows)
            new = [row for row in rows if row["fingerprint"] not in carried]
            if new:
                self._bring(sorted(new, key=lambda row: str(row["fingerprint"])))
            come += len(rows)
            yield come

    def compare(self) -> list[Compared]:
        """Count what there is in both."""
        there, come = Counter[str](), Counter[str]()
        for rows in self._groups():
            carried = self._carried(rows)
            there["groups"] += len(rows)
            come["groups"] += len(carried)
            there["occurrences"] += sum(row["own"] for row in rows)
            come["occurrences"] += sum(carried.values())
            names = [row["fingerprint"] for row in rows]
            ours, theirs = _sums(self._source, names), _sums(self._target, names)
            for (what, name), n in ours.items():
                there[what] += n
                come[what] += min(n, theirs[what, name])  # the other may have more, of other ledgers
        return [Compared(what, n, come[what]) for what, n in there.items()]

    def _come_along(self) -> None:
        """Bring what belongs to no group, once: what destinations remember, budgets, and what was not counted."""
        with self._target._transaction() as db:
            moved = f"moved {self._name}"
            if not db.execute(
                "INSERT INTO meta (key, value) VALUES (?, '1') ON CONFLICT DO NOTHING", (moved,)
            ).rowcount:
                return
            if db.execute("SELECT count(*) FROM meta WHERE substr(key, 1, 6) = 'moved '").fetchone()[0] > MOST:
                raise LedgerError(
                    f"It has taken in {MOST} ledgers, and an issue can tell the counts of no more: the homes that are "
                    "left begin anew there; their old counts stay on the issues."
                )
            for key, value in self._source._rows("SELECT key, value FROM meta WHERE key IN ('dropped', 'torn')"):
                folding.add_up(db, key, int(value))
            memories = self._source._rows("SELECT name, memory FROM destinations ORDER BY name")
            db.executemany("INSERT INTO destinations (name, memory) VALUES (?, ?) ON CONFLICT DO NOTHING", memories)
            db.executemany("INSERT INTO spent (name, at) VALUES (?, ?)", self._source._rows("SELECT * FROM spent"))

    def _groups(self) -> Iterator[list[Row]]:
        """Yield the groups of the source, with how many occurrences each has that it did not get from others."""
        last = 0
        while rows := self._read("groups", ("id", *_GROUPS), "WHERE id > ? ORDER BY id LIMIT ?", (last, CHUNK)):
            last = rows[-1]["id"]
            others = Counter[int]()
            for fact in self._of("facts", ("kind", "count"), rows, "kind"):
                others[fact["group_id"]] += fact["count"] if fact["kind"] == LEDGER else 0
            yield [row | {"own": row["count"] - others[row["id"]]} for row in rows]

    def _carried(self, groups: Sequence[Row]) -> dict[str, int]:
        """Return how many occurrences of each of some groups have come."""
        names = [row["fingerprint"] for row in groups]
        return dict(
            self._target._rows(
                "SELECT g.fingerprint, f.count FROM facts f JOIN groups g ON g.id = f.group_id"  # noqa: S608 - marks
                f" WHERE f.kind = ? AND f.value = ? AND g.fingerprint IN ({marks(names)})",
                (LEDGER, self._name, *names),
            )
        )

    def _read(self, table: str, columns: Sequence[str], rest: str, values: Sequence[Any]) -> list[Row]:
        query = f"SELECT {', '.join(columns)} FROM {table} {rest}"  # noqa: S608 - literals of this module
        return [dict(zip(columns, row, strict=True)) for row in self._source._rows(query, values)]

    def _of(self, table: str, columns: Sequence[str], groups: Sequence[Row], order: str) -> list[Row]:
        ids = [row["id"] for row in groups]
        rest = f"WHERE group_id IN ({marks(ids)}) ORDER BY {order}"
        return self._read(table, ("group_id", *columns), rest, ids)

    def _bring(self, groups: Sequence[Row]) -> None:
        events = self._of("events", _EVENTS, groups, "number")
        facts = self._of("facts", _FACTS, groups, "group_id, kind, value")
        for row in events:
            row["id"] = folding.key(row["id"])
        for row in facts:
            row["value"] = folding.key(row["value"])
        facts += [
            {"group_id": row["id"], "kind": LEDGER, "value": self._name, "count": row["own"],
             "first_seen_at": row["first_seen_at"], "last_seen_at": row["last_seen_at"]}
            for row in groups
        ]  # fmt: skip
        outbox = self._of("outbox", _OUTBOX, groups, "destination, group_id")
        for row in outbox:
            memory = read_object(row["memory"])
            memory.pop("said", None)  # it was said in the name of the old ledger
            row["memory"] = dumps(memory)
        recoveries = self._of("recoveries", _RECOVERIES, groups, "number")
        counts = {
            (table, unit): self._of(table, (unit, "deployment_id", "count"), groups, f"group_id, {unit}")
            for table, unit in _COUNTS
        }
        pairs = {self._deployed[row["deployment_id"]] for rows in counts.values() for row in rows}
        with self._target._transaction() as db:
            self._target._alone(db, f"move {self._name}")
            if self._has_any(db, [row["fingerprint"] for row in groups]):
                raise LedgerError("Another loghub migrate is at it: let it come to its end, then run this again.")
            deployments = folding.deployments(db, pairs)
            _insert(db, "groups", _GROUPS, groups, _MERGED_GROUPS)
            numbers = folding.numbers(db, [row["fingerprint"] for row in groups])
            ids = {row["id"]: numbers[row["fingerprint"]] for row in groups}
            for rows in (events, facts, outbox, recoveries, *counts.values()):
                for row in rows:
                    row["group_id"] = ids[row["group_id"]]
            for (table, unit), rows in counts.items():
                for row in rows:
                    row["deployment_id"] = deployments[self._deployed[row["deployment_id"]]]
                merged = f"(group_id, {unit}, deployment_id) DO UPDATE SET count = {table}.count + excluded.count"
                _insert(db, table, ("group_id", unit, "deployment_id", "count"), rows, merged)
            _insert(db, "facts", ("group_id", *_FACTS), facts, _MERGED_FACTS)
            _insert(db, "events", ("group_id", *_EVENTS), events, "(id) DO NOTHING")
            folding.bound_events(db, sorted({row["group_id"] for row in events}))
            _insert(db, "recoveries", ("group_id", *_RECOVERIES), recoveries, None)
            _insert(db, "outbox", ("group_id", *_OUTBOX), outbox, _MERGED_OUTBOX)

    def _has_any(self, db: Database, fingerprints: Sequence[str]) -> bool:
        query = (
            "SELECT 1 FROM facts f JOIN groups g ON g.id = f.group_id"  # noqa: S608 - marks
            f" WHERE f.kind = ? AND f.value = ? AND g.fingerprint IN ({marks(fingerprints)}) LIMIT 1"
        )
        return db.execute(query, (LEDGER, self._name, *fingerprints)).fetchone() is not None


_MERGED_GROUPS = (
    "(fingerprint) DO UPDATE SET count = groups.count + excluded.count,"
    " first_seen_at = min(groups.first_seen_at, excluded.first_seen_at),"
    " last_seen_at = max(groups.last_seen_at, excluded.last_seen_at),"
    " severity = max(groups.severity, excluded.severity),"
    " issue_url = coalesce(groups.issue_url, excluded.issue_url),"
    " muted_until = max(groups.muted_until, excluded.muted_until)"
)
_MERGED_FACTS = (
    "(group_id, kind, value) DO UPDATE SET count = facts.count + excluded.count,"
    " first_seen_at = min(facts.first_seen_at, excluded.first_seen_at),"
    " last_seen_at = max(facts.last_seen_at, excluded.last_seen_at)"
)
_MERGED_OUTBOX = (
    "(destination, group_id) DO UPDATE SET"
    " since_at = CASE WHEN outbox.total > outbox.told THEN min(outbox.since_at, excluded.since_at)"
    " ELSE excluded.since_at END,"
    " level = max(outbox.level, excluded.level),"
    " memory = CASE WHEN outbox.told > 0 THEN outbox.memory ELSE excluded.memory END,"
    " total = outbox.total + excluded.total, told = outbox.told + excluded.told"
)


def _insert(db: Database, table: str, columns: Sequence[str], rows: Sequence[Row], on_conflict: str | None) -> None:
    rest = "" if on_conflict is None else f" ON CONFLICT {on_conflict}"
    db.executemany(
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks(columns)}){rest}",  # noqa: S608 - literals
        [[row[column] for column in columns] for row in rows],
    )


def _sums(ledger: SQLLedger, fingerprints: Sequence[str]) -> Counter[tuple[str, str]]:
    """Return how much of each kind belongs to each of some groups."""
    found = Counter[tuple[str, str]]()
    for what, table, sum_of in (
        ("kept events", "events", "count(*)"),
        ("occurrences by hour", "hours", "sum(o.count)"),
        ("occurrences by day", "days", "sum(o.count)"),
        ("deliveries, done or waiting", "outbox", "sum(o.total)"),
        ("recoveries", "recoveries", "count(*)"),
    ):
        rows = ledger._rows(
            f"SELECT g.fingerprint, {sum_of} FROM {table} o JOIN groups g ON g.id = o.group_id"  # noqa: S608 - literals
            f" WHERE g.fingerprint IN ({marks(fingerprints)}) GROUP BY g.fingerprint",
            fingerprints,
        )
        found.update({(what, fingerprint): int(n) for fingerprint, n in rows})
    return found
