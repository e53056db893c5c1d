"""Procedures for SQLite databases: restore a damaged one, and make the backups that it is restored from."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import sqlite3
import time
from typing import TYPE_CHECKING, Any

from loghub import options
from loghub.errors import ProcedureError
from loghub.procedures import arguments as read
from loghub.procedures import reasons, replacing, soundness
from loghub.rollover.files import stat_at
from loghub.scrub.own import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger("loghub")

_COLUMNS = """
    SELECT t.name, c.name FROM sqlite_schema AS t JOIN pragma_table_xinfo(t.name) AS c
    WHERE t.type = 'table' AND t.sql NOT LIKE 'CREATE VIRTUAL%'
"""


@read.procedure(path=read.path, backup=read.optional(read.path), any_schema=options.flag, patience=options.number)
def restore_sqlite(
    _event: dict[str, Any],
    /,
    *,
    path: str,
    backup: str | None = None,
    any_schema: bool = False,
    patience: float = 10.0,
) -> bool:
    """Restore a SQLite database that is damaged, empty or missing from its backup; leave a sound one alone.

    The damaged file is kept as ``PATH.damaged-TIME``, with its ``-wal``, ``-shm`` and ``-journal``. The restored one
    has its owner and permissions. Of a symbolic link the target is restored. Connections that are open go on with the
    damaged file: the application has to open new ones.

    Args:
        path: The database's file.
        backup: Its backup; ``PATH.backup`` if not given.
        any_schema: Also use a backup of an older schema.
        patience: Seconds to wait for whoever has the database locked or restores it.

    Returns:
        True if the database was sound, or is again.

    Raises:
        ProcedureError: It was left as it is: the backup is missing, damaged, empty, no database or of an older schema;
            the database is in use, or cannot be judged; there is no room, or no permission.
    """
    backup = backup or f"{path}.backup"
    target, source = os.path.realpath(path), os.path.realpath(backup)
    wrong = soundness.damage(target, patience)
    if not wrong:
        return True
    with _explained(f"{path} {wrong}, and is left so"), replacing.alone(target, patience):
        seen = _identity(target)
        if not soundness.damage(target, patience):  # any more: another process was first
            return True
        if source == target:
            reasons.fail("It cannot be its own backup: name another file.")
        like = target if seen else source
        with replacing.sound_copy(source, target, patience, like=like, at_rest=True) as copy:
            if not any_schema:
                _refuse_older(target, copy, backup)
            if _identity(target) != seen and not soundness.damage(target, patience):
                return True
            made = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(os.stat(source).st_mtime))
            aside = replacing.put_in_place(copy, target, patience)
    kept = f" What was there is kept as {aside}." if aside else ""
    log.warning("Error reporter: %s", clean(f"{path} {wrong}; it was restored from {backup} of {made}.{kept}"))
    return True


@read.procedure(
    path=read.path,
    backup=read.optional(read.path),
    keep=read.at_least(options.whole, 1),
    patience=options.number,
)
def backup_sqlite(
    _event: dict[str, Any], /, *, path: str, backup: str | None = None, keep: int = 1, patience: float = 10.0
) -> bool:
    """Make a backup of a SQLite database that is sound, in use or not.

    The new backup is checked before it takes the place of the last one; until then, that one stays as it is.

    Args:
        path: The database's file.
        backup: Where the backup goes; ``PATH.backup`` if not given.
        keep: How many backups are kept: ``BACKUP``, ``BACKUP.1``, ``BACKUP.2`` and so on, the newest first.
        patience: Seconds to wait for whoever has the database locked or makes a backup of it.

    Returns:
        True if there is a new backup.

    Raises:
        ProcedureError: There is none: the database is missing, damaged, holds no table or cannot be read; there is no
            room, or no permission.
    """
    source = os.path.realpath(path)
    target = os.path.realpath(backup or f"{path}.backup")
    with _explained(f"{path} was not backed up"), replacing.alone(target, patience):
        if source == target:
            reasons.fail("It cannot be its own backup: name another file.")
        with replacing.sound_copy(source, target, patience, like=source, at_rest=False) as copy:
            _shift(target, keep)
            os.replace(copy, target)
            replacing.sync_folder(target)
    return True


def _shift(newest: str, keep: int) -> None:
    """Give each backup the name of the next older one; the newest has both names until it is replaced."""
    names = [newest, *(f"{newest}.{age}" for age in range(1, keep))]
    for newer, older in reversed(list(itertools.pairwise(names))):
        if os.path.exists(newer):
            _move_beside(newer, older)
            if newer is newest:
                _link(newer, older)
            else:
                os.replace(newer, older)
    for ending in soundness.SIDECARS:  # they would be applied to the new one
        with contextlib.suppress(FileNotFoundError):
            os.unlink(newest + ending)


def _move_beside(newer: str, older: str) -> None:
    for ending in soundness.SIDECARS:
        try:
            os.replace(newer + ending, older + ending)
        except FileNotFoundError:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(older + ending)


def _link(newer: str, older: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(older)
    try:
        os.link(newer, older)
    except OSError:  # a file system without links
        os.replace(newer, older)


def _identity(path: str) -> tuple[int, int, int, int] | None:
    found = stat_at(path)
    return None if found is None else (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _refuse_older(damaged: str, copy: str, backup: str) -> None:
    """Raise ProcedureError if the backup lacks what the schema of the damaged database has, as far as it is legible."""
    if soundness.absence(damaged):
        return
    try:
        with soundness.opened(damaged, 0.0) as db:
            now = _schema(db)
    except (sqlite3.Error, UnicodeDecodeError, ProcedureError):
        return
    with soundness.opened(copy, 0.0, at_rest=True) as db:
        then = _schema(db)
    why = ""
    if then[0] != now[0]:
        why = f"has application_id {then[0]}, not {now[0]}"
    elif then[1] < now[1]:
        why = f"has user_version {then[1]}, not {now[1]}"
    elif lacking := sorted(now[2] - then[2]):
        why = f"lacks the column {'.'.join(lacking[0])}"
    if why:
        reasons.fail(f"{backup} is of another schema: it {why}; any_schema=True uses it all the same.")


def _schema(db: sqlite3.Connection) -> tuple[int, int, set[tuple[str, str]]]:
    """Return application_id, user_version, and all columns with their tables."""
    application, version = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    return application, version, set(db.execute(_COLUMNS))


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    """Say of whatever stops a procedure what it means."""
    try:
        yield
    except ProcedureError as error:
        reasons.fail(f"{what}: {error}")
    except sqlite3.Error as error:
        reasons.fail(f"{what}: {reasons.of(error)}.")
    except OSError as error:
        at = f" ({error.filename})" if error.filename else ""
        reasons.fail(f"{what}: {error.strerror or error}{at}.")
