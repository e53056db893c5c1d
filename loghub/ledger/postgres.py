"""The ledger in a PostgreSQL database, shared by the hosts of a fleet."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from loghub.ledger import retention
from loghub.ledger.server import Server, UndoneError
from loghub.ledger.sql import SQLLedger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from loghub.journal.reading import Fold, Tally
    from loghub.ledger.database import Database
    from loghub.ledger.protocol import Outcome, Restored

P = ParamSpec("P")
T = TypeVar("T")


def _twice(method: Callable[P, T]) -> Callable[P, T]:
    """Call once more what was undone, or of which it is not known whether it was done: it may be done twice."""

    @functools.wraps(method)
    def call(*args: P.args, **named: P.kwargs) -> T:
        try:
            return method(*args, **named)
        except UndoneError:
            return method(*args, **named)

    return call


class PostgresLedger(Server, SQLLedger):
    """The ledger at an address; leases, budgets and what is due go by the server's clock."""

    def fold(self, fold: Fold) -> bool:
        """Take in a stretch of a journal; False where the ledger is not at its start."""
        try:
            return super().fold(fold)
        except UndoneError:  # or its end was not heard of: then the journal has moved
            return self.offset(fold.journal) == fold.end or super().fold(fold)

    @_twice
    def restore(self, groups: Mapping[str, Tally], now: float) -> Restored:
        """See that no group has fewer occurrences in an hour, events or facts than is said here."""
        return super().restore(groups, now)

    @_twice
    def settle(self, destination: str, outcomes: Sequence[Outcome], now: float) -> None:
        """Write down what became of delivered items."""
        super().settle(destination, outcomes, now)

    @_twice
    def remind(self, destination: str, shown: Mapping[str, int]) -> None:
        """Have `destination` be told again of groups whose ``memory["said"]`` is more than it shows."""
        super().remind(destination, shown)

    @_twice
    def entrust(self, destination: str, fingerprint: str, memory: dict[str, Any]) -> bool:
        """Have `destination` be told of a group again, with `memory` added; False if there is no such group."""
        return super().entrust(destination, fingerprint, memory)

    @_twice
    def retry(self, destination: str | None = None, fingerprint: str | None = None) -> int:
        """Make dead and delayed deliveries due now, and end their destinations' rest; return how many."""
        return super().retry(destination, fingerprint)

    @_twice
    def discard(self, destination: str | None = None, fingerprint: str | None = None) -> int:
        """Give up dead deliveries; return how many."""
        return super().discard(destination, fingerprint)

    @_twice
    def purge(self, fingerprints: Sequence[str]) -> int:
        """Delete groups with all that is kept of them; return how many there were."""
        return super().purge(fingerprints)

    @_twice
    def tidy(self, now: float) -> bool:
        """Let go of some of what is too old, or too much; True if there is more."""
        if super().tidy(now):
            return True
        with self._transaction() as db:
            return retention.thin(db, now - self.ahead)

    def _now(self) -> float:
        return self._host_time() - self.ahead

    def mark(self) -> str:
        """Return a mark that is another one whenever something was changed, by whomever; of this process alone."""
        snapshot: Any = self._rows("SELECT CAST(pg_current_snapshot() AS TEXT)")[0][0]
        return f"{self.connections}.{snapshot}"

    def _alone(self, db: Database, what: str) -> None:
        db.execute("SELECT pg_advisory_xact_lock(hashtext(?), hashtext(?))", (self.address.schema, what))

    def _grown(self, db: Database) -> None:
        """Nothing: `tidy` sees to it, for a fold is not to count what there is."""
