"""What the SQL of a ledger needs of a database, whichever it is."""

from __future__ import annotations

import contextlib
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from loghub.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

T = TypeVar("T")


class Result(Protocol):
    """What a statement came to."""

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""

    def fetchone(self) -> Any:
        """Return the next row, or None."""

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""


class Database(Protocol):
    """A database within a transaction.

    Statements are written as SQLite has them: ``?`` stands for a value, ``min`` and ``max`` of two for the lesser and
    the greater, LIKE takes upper and lower case for the same. What stands in a comment is for PostgreSQL alone.
    """

    def execute(self, query: str, values: Sequence[Any] = ..., /) -> Result:
        """Run a statement."""

    def executemany(self, query: str, rows: Iterable[Sequence[Any]], /) -> Result:
        """Run an INSERT of one row for each of `rows`; of a key that there is once only."""

    def later(self, query: str, values: Sequence[Any] = ..., /) -> object:
        """Run a statement before the next one, or at the end: nobody asks what it comes to."""

    def later_many(self, query: str, rows: Iterable[Sequence[Any]], /) -> object:
        """The same, for each of `rows`."""


BATCH = 500
"""A statement has no more rows or keys than that: databases allow some ten thousand values."""


def batched(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """Return some of `rows` at a time."""
    return (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))


def marks(values: Sequence[Any], each: str = "?") -> str:
    """Return what stands for so many values in a statement."""
    return ", ".join([each] * len(values))


class Store(ABC):
    """Where the rows of a ledger are."""

    @property
    def ahead(self) -> float:
        """By how many seconds this host's clock is ahead of the one that the ledger goes by."""
        return 0.0

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[Database]:
        """Do several statements or none; errors are said as LedgerError."""

    @abstractmethod
    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """Run a statement of its own, and return its rows."""

    @abstractmethod
    def _alone(self, db: Database, what: str) -> None:
        """Have nobody else do the same thing before the end of the transaction."""

    @abstractmethod
    def _grown(self, db: Database) -> None:
        """See, when something was added, that there is no more than there may be."""


class OneAtATime(ABC):
    """Lets one thread of the process in at a time, and none while the process forks."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    @property
    @abstractmethod
    def where(self) -> str:
        """Where the ledger is, for a sentence; without any password."""

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Keep other threads of this process out meanwhile; LedgerError where one was in it for so long."""
        if not self._lock.acquire(timeout=seconds):
            raise LedgerError(f"The ledger {self.where} was busy for {seconds:g} seconds: ask again.")
        try:
            yield
        finally:
            self._lock.release()

    def hold(self, seconds: float) -> bool:
        """Before a fork: have nothing open that a child must not share, and keep every thread out until `resume`.

        Returns:
            False if another thread did not come out within `seconds`; then nothing is held.
        """
        if not self._lock.acquire(timeout=seconds):
            return False
        self._before_fork()
        return True

    @abstractmethod
    def _before_fork(self) -> None:
        """Close what a child must not share."""

    def resume(self) -> None:
        """After a fork, in the parent: let the others in again."""
        self._lock.release()
