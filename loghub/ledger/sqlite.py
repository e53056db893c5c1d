"""The ledger in one SQLite file, shared by the processes of a host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loghub.ledger import retention
from loghub.ledger.connection import SQLiteFile
from loghub.ledger.sql import SQLLedger

if TYPE_CHECKING:
    from loghub.ledger.database import Database


class SQLiteLedger(SQLiteFile, SQLLedger):
    """The ledger in the file `path`; None keeps it in memory, until it is closed."""

    _full_at = retention.MAX_BYTES

    def _alone(self, db: Database, what: str) -> None:
        pass  # whoever writes is alone

    def _grown(self, db: Database) -> None:
        self._full_at = retention.bound(db, self._full_at)

    def tidy(self, now: float) -> bool:
        """Let go of some of what is too old; True if there is more."""
        more = super().tidy(now)
        with self._lock, self._explained():
            return retention.give_back(self._db) or more

    def mark(self) -> str:
        """Return a mark that is another one whenever something was changed, by whomever; of this process alone."""
        with self._lock, self._explained():
            db = self._db
            others = db.execute("PRAGMA data_version").fetchone()[0]
            return f"{id(db)}.{self._inode}.{others}.{db.total_changes}"
