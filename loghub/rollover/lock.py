"""The lock of a log: ``flock`` on the log itself, which the kernel lets go when a process dies."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    EXCLUSIVE = AT_ONCE = FREE = 0

    def flock(fd: int, operation: int) -> None:
        """Do nothing: one process."""
else:
    import fcntl

    EXCLUSIVE, AT_ONCE, FREE = fcntl.LOCK_EX, fcntl.LOCK_EX | fcntl.LOCK_NB, fcntl.LOCK_UN
    flock = fcntl.flock

# A writer holds the lock for some microseconds, less than it takes to send another one to sleep and to wake it: with
# four writers on two cores that made 1.5 times as many lines a second. After so many times the holder may sleep itself.
_ATTEMPTS = 50


def take(fd: int) -> None:
    """Lock the file, however long that takes."""
    for _ in range(_ATTEMPTS):
        try:
            flock(fd, AT_ONCE)
            return
        except BlockingIOError:
            pass
    flock(fd, EXCLUSIVE)


def attempt(fd: int, operation: int = EXCLUSIVE) -> bool:
    """Lock the file; False where the file system knows no locks, and a log is for one process."""
    try:
        flock(fd, operation)
    except OSError:
        return False
    return True
