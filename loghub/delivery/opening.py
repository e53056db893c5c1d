"""Where journal and ledger are, how a ledger is opened, and how a damaged one is set aside."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING

from loghub import env
from loghub.errors import LedgerError
from loghub.journal import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loghub.ledger.protocol import Ledger


def open_ledger(path: str | None, url: str | None) -> Ledger:
    """Open the ledger of a home: at `url`, or SQLite in the folder `path`, or in memory.

    That at a URL is not connected to before it is asked something.

    Raises:
        LedgerError: It cannot be opened; the message says why.
    """
    if url and url != "sqlite":
        return _open_server(url)
    from loghub.ledger.sqlite import SQLiteLedger

    if path is None:
        return SQLiteLedger(None)
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
    except OSError as error:
        raise LedgerError(f"The home {path} cannot be made: {error.strerror}.") from error
    return SQLiteLedger(os.path.join(path, "ledger.db"))


def _open_server(url: str) -> Ledger:
    from loghub.ledger.address import AddressError, read_address
    from loghub.ledger.postgres import PostgresLedger

    try:
        return PostgresLedger(read_address(url))
    except AddressError as error:
        raise LedgerError(f"The address of the ledger must be {error}.") from None


def set_aside(path: str, inode: int) -> str | None:
    """Rename a damaged ledger, so that a new one can begin.

    Args:
        path: The home.
        inode: Which file is damaged.

    Returns:
        The file's new name; None if another process was first, or it cannot be renamed.
    """
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    aside = os.path.join(path, f"ledger.db.damaged-{stamp}-{os.getpid()}")
    try:
        with _locked(path):
            if os.stat(os.path.join(path, "ledger.db")).st_ino != inode:
                return None
            for suffix in ("-wal", "-shm"):
                with contextlib.suppress(OSError):
                    os.rename(os.path.join(path, "ledger.db" + suffix), aside + suffix)
            os.rename(os.path.join(path, "ledger.db"), aside)
    except OSError:
        return None
    return aside


@contextlib.contextmanager
def _locked(folder: str) -> Iterator[None]:
    """Keep other processes of this home out for a moment."""
    if files.fcntl is None:
        yield
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        files.fcntl.flock(fd, files.fcntl.LOCK_EX)
        try:
            yield
        finally:
            files.fcntl.flock(fd, files.fcntl.LOCK_UN)  # by hand: a forked child may have it open too
    finally:
        os.close(fd)


def default_home() -> str | None:
    """Return the folder of journal and ledger where no option says it."""
    path = env.read("LOGHUB_HOME")
    if path:
        return os.path.abspath(os.path.expanduser(path))
    if sys.platform == "win32":
        state = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~")
    else:
        state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return None if state.startswith("~") else os.path.join(os.path.abspath(state), "loghub")
