"""The ledger in SQL that SQLite and PostgreSQL both understand: what writes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from loghub import event as events
from loghub.event import storable
from loghub.ledger import folding, retention
from loghub.ledger.database import batched, marks
from loghub.ledger.find import Find
from loghub.ledger.protocol import RECOVERIES_PER_GROUP, Item, Recovery
from loghub.ledger.reading import ALL_ROWS, Reading
from loghub.ledger.rows import ITEM, bare_event, read_item, read_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from loghub.journal.reading import Fold, Tally
    from loghub.ledger.database import Database
    from loghub.ledger.protocol import Outcome, Restored

MAX_REASON_CHARS = 2000


class SQLLedger(Reading):
    """A ledger, but for where its rows are."""

    def _now(self) -> float:
        """Return the time that the ledger goes by."""
        return time.time() - self.ahead

    # Folding ------------------------------------------------------------------------------------------

    def offset(self, journal: str) -> int:
        """Return up to which byte `journal` is folded."""
        rows = self._rows('SELECT "offset" FROM journals WHERE name = ?', (journal,))
        return int(rows[0][0]) if rows else 0

    def fold(self, fold: Fold) -> bool:
        """Take in a stretch of a journal; False where the ledger is not at its start."""
        with self._transaction() as db:
            taken = folding.fold(db, fold, self._now())
            self._grown(db)
        return taken

    def forget_journal(self, journal: str) -> None:
        """Drop the offset of a journal that was folded to its end and removed."""
        with self._transaction() as db:
            db.execute("DELETE FROM journals WHERE name = ?", (journal,))

    def restore(self, groups: Mapping[str, Tally], now: float) -> Restored:
        """See that no group has fewer occurrences in an hour, events or facts than is said here."""
        with self._transaction() as db:
            self._alone(db, "restore")
            restored = folding.restore(db, groups, retention.hours_since(now))
            self._grown(db)
        return restored

    def tidy(self, now: float) -> bool:
        """Let go of some of what is too old; True if there is more."""
        with self._transaction() as db:
            return retention.tidy(db, now - self.ahead)

    def purge(self, fingerprints: Sequence[str]) -> int:
        """Delete groups with all that is kept of them; return how many there were."""
        with self._transaction() as db:
            delete = "DELETE FROM groups WHERE fingerprint = ?"
            return sum(db.execute(delete, (one,)).rowcount for one in sorted(fingerprints))

    # Delivering ---------------------------------------------------------------------------------------

    def lease(self, destination: str, owner: str, now: float, seconds: float) -> bool:
        """Take or renew the right to deliver to `destination`; False while another owner has it."""
        now -= self.ahead
        with self._transaction() as db:
            db.execute("INSERT INTO destinations (name) VALUES (?) ON CONFLICT DO NOTHING", (destination,))
            taken = db.execute(
                "UPDATE destinations SET owner = ?, leased_until = ?"
                " WHERE name = ? AND (owner = ? OR leased_until <= ?)",
                (owner, now + seconds, destination, owner, now),
            )
            return taken.rowcount == 1

    def leaseholder(self, destination: str) -> tuple[str, float]:
        """Return who has the lease of `destination`, and until when; ("", 0.0) if nobody has."""
        rows = self._rows("SELECT owner, leased_until FROM destinations WHERE name = ?", (destination,))
        return (rows[0][0], rows[0][1] and rows[0][1] + self.ahead) if rows else ("", 0.0)

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
            f"{ITEM} WHERE o.destination = ? AND o.total > o.told AND o.dead = 0"
            " ORDER BY o.due_at > ?, o.told > 0 AND o.attempts = 0, o.since_at LIMIT ?",
            (destination, now - self.ahead, limit),
        )
        return sorted((read_item(destination, row, self.ahead) for row in rows), key=lambda item: item.since_at)

    def load(self, items: Sequence[Item], whole: int | None = None) -> list[Item]:
        """Return `items` as they stand now, the first ones whole."""
        most = len(items) if whole is None else whole
        return [one for number, item in enumerate(items) for one in self._load(item, whole=number < most)]

    def _load(self, item: Item, *, whole: bool) -> Iterator[Item]:
        rows = self._rows(
            f"{ITEM} WHERE o.destination = ? AND g.fingerprint = ?",
            (item.destination, item.group.fingerprint),
        )
        for row in rows:
            one = read_item(item.destination, row, self.ahead)
            one.group = self._with_facts(row[7], one.group)
            kept = self.events(1, Find(fingerprint=one.group.fingerprint)) if whole else None
            one.event = (kept and kept[0]) or bare_event(one.group)
            yield one

    def settle(self, destination: str, outcomes: Sequence[Outcome], now: float) -> None:
        """Write down what became of delivered items."""
        told = sorted(outcomes, key=lambda outcome: outcome.fingerprint)
        with self._transaction() as db:
            for some in batched(told):  # who folds has the rows of groups first, too
                db.later(
                    f"SELECT id FROM groups WHERE fingerprint IN ({marks(some)})"  # noqa: S608 - marks
                    " ORDER BY fingerprint /*FOR NO KEY UPDATE*/",
                    [one.fingerprint for one in some],
                )
            for one in told:
                self._say(db, one)
                self._settle(db, destination, one, now - self.ahead)

    def _say(self, db: Database, one: Outcome) -> None:
        """Have a group say what its issue does; before the outbox, as who folds does."""
        for column in ("issue_url", "status"):
            if one.memory.get(column):
                db.execute(
                    f"UPDATE groups SET {column} = ? WHERE fingerprint = ?",  # noqa: S608 - two literals
                    (storable(one.memory[column]), one.fingerprint),
                )

    def _settle(self, db: Database, destination: str, one: Outcome, now: float) -> None:
        done = one.state == "done"
        db.execute(
            "UPDATE outbox SET told = max(told, ?), since_at = CASE WHEN ? THEN ? ELSE since_at END,"
            " due_at = ?, attempts = ?, dead = ?, reason = ?, memory = ?"
            " WHERE destination = ? AND group_id = (SELECT id FROM groups WHERE fingerprint = ?)",
            (
                one.told if done else 0,
                done,
                now,
                one.due_at and one.due_at - self.ahead,
                one.attempts,
                int(one.state == "dead"),
                storable(one.reason)[:MAX_REASON_CHARS],
                events.dumps(one.memory),
                destination,
                one.fingerprint,
            ),
        )

    def told(self, destination: str, before: float, limit: int = 500) -> list[Item]:
        """Return what `destination` was told of, is open and was last seen before a time; the most silent first."""
        rows = self._rows(
            f"{ITEM} WHERE o.destination = ? AND o.told > 0 AND o.told = o.total AND g.status = 'open'"
            " AND g.last_seen_at < ? ORDER BY g.last_seen_at LIMIT ?",
            (destination, before, limit),
        )
        return self.load([read_item(destination, row, self.ahead) for row in rows])

    def remind(self, destination: str, shown: Mapping[str, int]) -> None:
        """Have `destination` be told again of groups whose ``memory["said"]`` is more than it shows."""
        with self._transaction() as db:
            for fingerprints in batched(sorted(shown)):
                rows = db.execute(
                    "SELECT g.fingerprint, g.id, o.memory FROM outbox o JOIN groups g ON g.id = o.group_id"  # noqa: S608
                    " WHERE o.destination = ? AND o.told = o.total AND o.total > 0"
                    f" AND g.fingerprint IN ({marks(fingerprints)})",
                    (destination, *fingerprints),
                ).fetchall()
                for fingerprint, group_id, memory in rows:
                    said = read_object(memory).get("said")
                    if (said if isinstance(said, int | float) else 0) > shown[fingerprint]:
                        db.execute(
                            "UPDATE outbox SET told = total - 1"
                            " WHERE destination = ? AND group_id = ? AND told = total",
                            (destination, group_id),
                        )

    def entrust(self, destination: str, fingerprint: str, memory: dict[str, Any]) -> bool:
        """Have `destination` be told of a group again, with `memory` added; False if there is no such group."""
        with self._transaction() as db:
            self._alone(db, f"entrust {destination}")
            rows = db.execute(
                "SELECT g.id, g.count, coalesce(o.memory, '{}') FROM groups g"
                " LEFT JOIN outbox o ON o.group_id = g.id AND o.destination = ? WHERE g.fingerprint = ?",
                (destination, fingerprint),
            ).fetchall()
            for group_id, count, said in rows:
                db.execute(
                    "INSERT INTO outbox (destination, group_id, total, told, level, since_at, memory)"
                    " VALUES (?, ?, ?, ?, 0, ?, ?) ON CONFLICT (destination, group_id) DO UPDATE SET"
                    " told = min(outbox.told, outbox.total - 1), due_at = 0, attempts = 0, dead = 0,"
                    " memory = excluded.memory",
                    (
                        destination,
                        group_id,
                        max(count, 1),
                        max(count, 1) - 1,
                        self._now(),
                        events.dumps(read_object(said) | memory),
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
                " (SELECT number FROM recoveries WHERE group_id = ? ORDER BY number DESC LIMIT ? OFFSET ?)",
                (row[0], ALL_ROWS, RECOVERIES_PER_GROUP),
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
        return read_object(rows[0][0]) if rows else {}

    def memories(self, ending: str) -> dict[str, dict[str, Any]]:
        """Return what is remembered under names with an ending, by the name without it."""
        rows = self._rows(
            "SELECT name, memory FROM destinations WHERE substr(name, length(name) - ?) = ? ORDER BY name",
            (len(ending) - 1, ending),
        )
        return {name.removesuffix(ending): read_object(memory) for name, memory in rows}

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
        now -= self.ahead
        with self._transaction() as db:
            self._alone(db, f"spend {name}")
            # What lies in the future was spent by a clock that was set back since.
            db.execute("DELETE FROM spent WHERE name = ? AND (at <= ? OR at > ?)", (name, now - seconds, now + 60))
            spent = db.execute("SELECT at FROM spent WHERE name = ? ORDER BY at", (name,)).fetchall()
            times = [row[0] for row in spent]
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

    def retry(self, destination: str | None = None, fingerprint: str | None = None) -> int:
        """Make dead and delayed deliveries due now; return how many."""
        with self._transaction() as db:
            found = db.execute(
                "SELECT name, memory FROM destinations WHERE ? IS NULL OR name IN (?, ? || ' run')", (destination,) * 3
            )
            for name, said in found.fetchall():
                memory = read_object(said)
                if memory.pop("rest_until", None) is not None:  # it was to be left alone for a while
                    db.execute("UPDATE destinations SET memory = ? WHERE name = ?", (events.dumps(memory), name))
        change = "SET dead = 0, due_at = 0, attempts = 0"
        return self._change(change, "", destination, fingerprint)

    def discard(self, destination: str | None = None, fingerprint: str | None = None) -> int:
        """Give up dead deliveries; return how many."""
        change = "SET dead = 0, due_at = 0, attempts = 0, reason = '', told = total"
        return self._change(change, "AND dead = 1", destination, fingerprint)

    def _change(self, change: str, which: str, destination: str | None, fingerprint: str | None) -> int:
        with self._transaction() as db:
            changed = db.execute(
                f"UPDATE outbox {change} WHERE total > told {which}"  # noqa: S608 - literals of this class
                " AND (? IS NULL OR destination = ?)"
                " AND (? IS NULL OR group_id = (SELECT id FROM groups WHERE fingerprint = ?))",
                (destination, destination, fingerprint, fingerprint),
            )
            return changed.rowcount
