"""Making a file and putting it in the place of another: whole or not at all, and by one process at a time."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from typing import TYPE_CHECKING

from loghub.procedures import clock, reasons, soundness
from loghub.procedures.soundness import SIDECARS
from loghub.rollover.files import beside
from loghub.rollover.lock import AT_ONCE, FREE, flock

if TYPE_CHECKING:
    from collections.abc import Iterator

_POLL_SECONDS = 0.05


@contextlib.contextmanager
def alone(path: str, patience: float) -> Iterator[None]:
    """Hold a lock that goes with `path`, against other processes and threads; the kernel frees it when one dies.

    Raises:
        ProcedureError: Another holds it for longer than `patience` seconds, or the folder cannot be written.
    """
    name = beside(path, ".lock")
    end = clock.monotonic() + patience
    while (fd := _attempt(name)) < 0:
        if clock.monotonic() >= end:
            reasons.fail(f"Another process is at work on {path}, and was not done within {patience:g} s.")
        clock.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(name)  # first: whoever opened it meanwhile sees that it is not the one any more
        flock(fd, FREE)  # by hand: a forked child may have it open too
        os.close(fd)


def _attempt(name: str) -> int:
    try:
        fd = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        reasons.fail(f"Nothing can be written to the folder {os.path.dirname(name)}: {error.strerror}.")
    try:
        flock(fd, AT_ONCE)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(fd), os.stat(name)):
                return fd
    except BlockingIOError:
        pass
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    return -1


@contextlib.contextmanager
def sound_copy(source: str, place: str, patience: float, like: str, *, at_rest: bool) -> Iterator[str]:
    """Yield the path of a copy of `source`, checked and on disk, in the folder of `place`; gone in the end.

    The copy is what is checked: it is exactly what is used, and `source` is locked no longer than to copy it.

    Args:
        source: A database, sound or not.
        place: What the copy is for; the caller holds its lock (`alone`).
        patience: Seconds to wait for whoever has `source` locked.
        like: The file whose owner and permissions the copy has.
        at_rest: Nobody is expected to write to `source`.

    Raises:
        ProcedureError: `source` is missing, damaged, empty, locked, or no database; or there is no room.
        OSError: The copy cannot be made.
    """
    absent = soundness.absence(source)
    if absent:
        reasons.fail(f"{source} {absent}.")
    copy = beside(place, ".copy")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(copy)  # of a process that died
    os.close(os.open(copy, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        _copy(source, copy, patience, at_rest=at_rest)
        _demand_sound(source, copy)
        _settle(copy, os.stat(like))
        yield copy
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(copy)


def _copy(source: str, copy: str, patience: float, *, at_rest: bool) -> None:
    with contextlib.closing(soundness.connect(copy, patience, "rw")) as to:
        to.execute("PRAGMA journal_mode = OFF")  # it is thrown away if this fails
        to.execute("PRAGMA synchronous = OFF")
        try:
            with soundness.opened(source, patience, at_rest=at_rest) as db:
                db.backup(to)
        except sqlite3.Error as error:
            if soundness.is_damage(error):
                reasons.fail(f"{source} is damaged ({reasons.short(str(error))}).")
            if soundness.code_of(error) in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}:
                reasons.fail(f"{source} could not be copied to {os.path.dirname(copy)}: {error}.")
            reasons.fail(soundness.unreadable(source, error, patience))


def _demand_sound(source: str, copy: str) -> None:
    try:
        with soundness.opened(copy, 0.0, at_rest=True) as db:
            wrong = soundness.problem(db)
            if not wrong and not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
                wrong = "holds no table"
    except sqlite3.Error as error:
        if not soundness.is_damage(error):
            reasons.fail(soundness.unreadable(source, error, 0.0))
        wrong = f"is damaged ({reasons.short(str(error))})"
    if wrong:
        reasons.fail(f"{source} {wrong}.")


def _settle(copy: str, like: os.stat_result) -> None:
    """Give the copy its owner and permissions, and have it on disk."""
    fd = os.open(copy, os.O_RDWR)
    try:
        if hasattr(os, "fchown"):
            mine = os.fstat(fd)
            if (mine.st_uid, mine.st_gid) != (like.st_uid, like.st_gid):
                os.fchown(fd, like.st_uid, like.st_gid)
            os.fchmod(fd, like.st_mode & 0o7777)
        os.fsync(fd)
    finally:
        os.close(fd)


def put_in_place(copy: str, path: str, patience: float) -> str:
    """Move `copy` to `path`, and what was there aside, with what stands beside it.

    Args:
        copy: A sound database in the same folder.
        path: A damaged database, or a missing one.
        patience: Seconds to wait for whoever writes to it.

    Returns:
        Where the damaged database is now; it opens there as it did before. Empty if nothing was there.

    Raises:
        ProcedureError: Somebody writes to it.
        OSError: It cannot be moved; everything is as it was.
    """
    aside = _free_name(path)
    with _no_writer(path, patience), contextlib.ExitStack() as undo:
        # What stands beside goes first: SQLite would apply a stale log or journal to whatever is at `path`.
        kept = [ending for ending in (*SIDECARS, "") if os.path.lexists(path + ending)]
        for ending in kept:
            _keep(path + ending, aside + ending, undo, link=not ending)
        os.replace(copy, path)
        undo.pop_all()
        sync_folder(path)
    return aside if kept else ""


def _free_name(path: str) -> str:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(clock.time()))
    name, number = f"{path}.damaged-{stamp}", 1
    while any(os.path.lexists(name + ending) for ending in ("", *SIDECARS)):
        number += 1
        name = f"{path}.damaged-{stamp}-{number}"
    return name


def _keep(path: str, aside: str, undo: contextlib.ExitStack, *, link: bool) -> None:
    """Move a file aside; by a link, so that there is always one at `path`, if the file system has links."""
    if link:
        with contextlib.suppress(OSError):
            os.link(path, aside)
            undo.callback(os.unlink, aside)
            return
    os.rename(path, aside)
    undo.callback(os.rename, aside, path)


@contextlib.contextmanager
def _no_writer(path: str, patience: float) -> Iterator[None]:
    """Keep writers out of a damaged database; one that SQLite cannot lock has none."""
    if soundness.absence(path):
        yield
        return
    with (
        contextlib.closing(soundness.connect(path, patience, "ro")) as reader,  # closed last: that checkpoints nothing
        contextlib.closing(soundness.connect(path, patience, "rw")) as writer,
    ):
        with contextlib.suppress(sqlite3.Error):
            reader.execute("BEGIN")
            reader.execute("PRAGMA schema_version").fetchone()
        try:
            writer.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            if soundness.code_of(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                reasons.fail("Another process writes to it.")
        yield


def sync_folder(path: str) -> None:
    """Have the names in the folder of `path` on disk."""
    with contextlib.suppress(OSError):  # some file systems do not
        fd = os.open(os.path.dirname(path), os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
