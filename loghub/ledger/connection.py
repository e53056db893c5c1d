"""A SQLite file that may be removed, replaced or damaged, and must not be carried over a fork."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
import uuid
from typing import TYPE_CHECKING, Any

from loghub import descriptor
from loghub.errors import LedgerError
from loghub.ledger import schema
from loghub.ledger.database import OneAtATime

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class CorruptLedgerError(LedgerError):
    """The file is not a database, or a damaged one.

    Attributes:
        inode: Which file it is: by now another process may have put a new one in its place.
        path: Where it was; None in memory.
    """

    def __init__(self, message: str, inode: int, path: str | None = None) -> None:
        super().__init__(message)
        self.inode = inode
        self.path = path


class Connection(sqlite3.Connection):
    """One that is near: what may be run later is run now."""

    later = sqlite3.Connection.execute
    later_many = sqlite3.Connection.executemany


class SQLiteFile(OneAtATime):
    """The ledger's file at `path`; None keeps it in memory, until it is closed.

    After `close`, and when the file was removed or replaced, the next call opens it anew.

    Args:
        path: The file.
        timeout: Seconds to wait for other processes that write.

    Raises:
        CorruptLedgerError: The file is damaged.
        LedgerError: A newer loghub wrote it, or it cannot be opened.
    """

    def __init__(self, path: str | None, *, timeout: float = 1.0) -> None:
        super().__init__()
        self.path = path
        self.id = ""
        self._timeout = timeout
        self._opened: Connection | None = None
        self._inode = 0
        self._canary: tuple[int, descriptor.Identity] | None = None  # goes when somebody closes all descriptors
        self._rows("SELECT 1 FROM meta")  # what is wrong with the file is said now

    @property
    def where(self) -> str:
        """Return the path."""
        return str(self.path)

    @property
    def _db(self) -> Connection:
        with self._lock:
            if self._opened is not None and (self._is_lost() or self._was_replaced()):
                self.close()
            if self._opened is None:
                self._opened = self._open()
            return self._opened

    def _was_replaced(self) -> bool:
        return self.path is not None and _inode(self.path) != self._inode

    def _is_lost(self) -> bool:
        """Tell whether somebody closed all descriptors, SQLite's as well."""
        return self._canary is not None and not descriptor.is_still(*self._canary)

    def _watch(self, path: str) -> None:
        with contextlib.suppress(OSError):
            fd = os.open(os.path.dirname(path), os.O_RDONLY)  # to close the file itself would end SQLite's locks
            self._canary = fd, descriptor.identity(fd)

    def _open(self) -> Connection:
        with self._explained():
            db = sqlite3.connect(
                self.path or ":memory:",
                timeout=self._timeout,
                isolation_level=None,
                check_same_thread=False,
                factory=Connection,
            )
            try:
                if self.path:
                    self._watch(self.path)
                    self._inode = _inode(self.path)
                    with contextlib.suppress(OSError):
                        os.chmod(self.path, 0o600)
                self._prepare(db)
            except BaseException:
                self._let_go(db)
                raise
            return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        db.text_factory = _decode
        db.execute("PRAGMA foreign_keys = ON")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > schema.VERSION:
            raise LedgerError(
                f"The ledger {self.path} was written by a newer loghub (schema {version}, this one knows "
                f"{schema.VERSION}): upgrade loghub-handlers, or give another home."
            )
        if version < schema.VERSION:
            self._create(db)
        db.execute("PRAGMA synchronous = NORMAL")
        self.id = db.execute("SELECT value FROM meta WHERE key = 'id'").fetchone()[0]

    def _create(self, db: sqlite3.Connection) -> None:
        """Make the tables; of several processes that come first together, one does."""
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                if self.path:
                    db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of a new file
                    db.execute("PRAGMA journal_mode = WAL")
                db.execute("BEGIN IMMEDIATE")
                break
            except sqlite3.OperationalError as error:
                # Changing to WAL does not wait for other processes by itself.
                if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        schema.create(db)  # unless another process was first
        db.execute("INSERT OR IGNORE INTO meta VALUES ('id', ?)", (uuid.uuid4().hex[:12],))
        db.execute("COMMIT")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if _code(error) in _CORRUPT:
                raise CorruptLedgerError(
                    f"The ledger {self.path} is damaged ({error}): move it away, and a new one is begun; "
                    "loghub reindex takes back what JSONDetailHandler has written.",
                    self._inode,
                    self.path,
                ) from error
            hint = ""
            if self.path is not None and not os.access(os.path.dirname(self.path), os.W_OK):
                hint = " Its folder cannot be written, which SQLite has to, also to read: copy it, and name the copy."
            raise LedgerError(f"The ledger {self.path} cannot be used now: {error}.{hint}") from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Connection]:
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
                self._let_go(opened)

    def _let_go(self, db: sqlite3.Connection) -> None:
        """Close what is still ours."""
        lost, canary, self._canary = self._is_lost(), self._canary, None
        if lost:
            descriptor.abandon(db)
            return
        with contextlib.suppress(sqlite3.Error):
            db.close()
        if canary is not None:
            descriptor.close(*canary)

    def _before_fork(self) -> None:
        # SQLite must not be carried into a child: it would take the parent's locks for its own.
        if self.path:
            self.close()


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
