"""Whether a SQLite database is sound, asked without changing it.

Its file is opened by SQLite alone, never by `open`: when a process closes a file, it loses all POSIX locks that it has
on it, those of the application's own connections too ("How To Corrupt An SQLite Database File", section 2.2).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from typing import TYPE_CHECKING
from urllib.parse import quote

from loghub.procedures import reasons

if TYPE_CHECKING:
    from collections.abc import Iterator

SIDECARS = ("-wal", "-shm", "-journal")
"""What stands beside a database that is in use, or was when its process died. It belongs to this one file."""

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_BAD_SCHEMA = "malformed database schema"
_NO_TEXT = "the schema is no text"
_MAX_PROBLEMS = 100

# The content breaks a rule of its schema, or SQLite could not look: no damage of the file. Damage is told first.
_NO_DAMAGE = ("ok", "CHECK constraint failed in ", "NULL value in ", "unable to validate ")


def damage(path: str, patience: float) -> str:
    """Return what is wrong with a database, in a few words; empty if it is sound.

    It is ``PRAGMA integrity_check``, not ``quick_check``, which does not compare indexes with their tables: a query
    that uses such an index answers wrongly. What stands in a write-ahead log belongs to the database; a hot journal
    is rolled back, as by everybody who opens it.

    Args:
        path: The file; it may be missing.
        patience: Seconds to wait for whoever has it locked.

    Raises:
        ProcedureError: This cannot be told: it is locked, cannot be read, or needs functions of the application.
    """
    absent = absence(path)
    if absent:
        return absent
    try:
        with opened(path, patience) as db:
            return problem(db)
    except sqlite3.Error as error:
        if is_damage(error):
            return f"is damaged ({reasons.short(str(error))})"
        return reasons.fail(unreadable(path, error, patience))


def absence(path: str) -> str:
    """Return why there is no content at a path, in a few words; empty if there is some.

    An empty file is a database for SQLite, but none that anybody wants to keep.

    Raises:
        ProcedureError: What is there is no file, or cannot be looked at.
    """
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        reasons.fail(f"{path} cannot be looked at: {error.strerror}.")
    if not stat.S_ISREG(found.st_mode):
        reasons.fail(f"{path} is {'a folder' if stat.S_ISDIR(found.st_mode) else 'no regular file'}, not a database.")
    return "" if found.st_size else "is empty"


@contextlib.contextmanager
def opened(path: str, patience: float, *, at_rest: bool = False) -> Iterator[sqlite3.Connection]:
    """Yield a connection in a transaction that reads: what it sees does not change.

    Args:
        path: The file.
        patience: Seconds to wait for whoever has it locked.
        at_rest: Nobody writes to it while nothing stands beside it: then nothing is put there to read it.

    Raises:
        sqlite3.Error: It cannot be read.
    """
    db = _open(path, patience, at_rest=at_rest)
    try:
        db.text_factory = lambda raw: raw.decode(errors="replace")
        yield db
    finally:
        db.close()


def _open(path: str, patience: float, *, at_rest: bool) -> sqlite3.Connection:
    alone = not any(os.path.exists(path + ending) for ending in SIDECARS)
    if at_rest and alone:
        return _begin(path, patience, "ro&immutable=1")
    try:
        return _begin(path, patience, "ro")  # closing this one never checkpoints
    except sqlite3.OperationalError as error:
        if code_of(error) not in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}:
            raise
        # WAL mode where nothing can be written; or a hot journal.
        return _begin(path, patience, "ro&immutable=1" if alone else "rw")


def _begin(path: str, patience: float, mode: str) -> sqlite3.Connection:
    db = connect(path, patience, mode)
    try:
        db.execute("BEGIN")
        db.execute("PRAGMA schema_version").fetchone()
    except BaseException:
        db.close()
        raise
    return db


def connect(path: str, patience: float, mode: str) -> sqlite3.Connection:
    """Return a connection to the file at an absolute path; `mode` is that of a SQLite URI, with more behind it."""
    uri = f"file://{quote(os.fsencode(path))}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=patience, isolation_level=None)


def problem(db: sqlite3.Connection) -> str:
    """Return how a database is damaged, in a few words; empty if it is sound.

    Raises:
        sqlite3.Error: It cannot be checked.
    """
    try:
        try:
            found = db.execute(f"PRAGMA integrity_check({_MAX_PROBLEMS})").fetchall()
        except sqlite3.Error as error:
            if str(error).startswith(_BAD_SCHEMA):
                _spare_newer(db, error)
            raise
    except UnicodeDecodeError:  # Python reads what SQLite says, which quotes the schema
        raise sqlite3.DatabaseError(_NO_TEXT) from None
    bad = [text for (text,) in found if not text.startswith(_NO_DAMAGE)]
    return f"is damaged ({reasons.short(bad[0].removeprefix('*** in database main ***'))})" if bad else ""


def _spare_newer(db: sqlite3.Connection, error: sqlite3.Error) -> None:
    """Raise NotSupportedError if the schema may be one that only a newer SQLite understands."""
    db.execute("PRAGMA writable_schema = ON")  # of this connection: it takes the rest as it is
    checked = [text for (text,) in db.execute(f"PRAGMA integrity_check({_MAX_PROBLEMS})")]
    written = [text or "" for (text,) in db.execute("SELECT sql FROM sqlite_schema")]
    legible = all("\ufffd" not in text and "".join(text.split()).isprintable() for text in written)
    if legible and all(text.startswith(_NO_DAMAGE) for text in checked):
        raise sqlite3.NotSupportedError(
            f"all pages are sound, but SQLite {sqlite3.sqlite_version} does not understand the schema ({error}), which "
            "a newer one may have written"
        )


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an error says that the file is damaged, or is no database."""
    return code_of(error) in _DAMAGED or str(error) in {"unsupported file format", _NO_TEXT}


def unreadable(path: str, error: sqlite3.Error, patience: float) -> str:
    """Return a sentence: a database that may be sound cannot be read now."""
    if code_of(error) in _LOCKED:
        return f"{path} is in use and was locked for {patience:g} s, so it was left alone ({error})."
    if code_of(error) in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY}:
        return f"{path} cannot be opened ({error}): look at the permissions of the file and its folder."
    return f"{path} cannot be checked and was left alone: {reasons.short(str(error))}."


def code_of(error: sqlite3.Error) -> int:
    """Return SQLite's primary error code; 0 where Python found the fault."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
