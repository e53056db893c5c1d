"""The way of what a child writes to stderr: a pipe or a terminal of ours, read here and passed on to the real one.

Stdin is never touched, and stdout only where it is the same stream as stderr: then both take one way, or the order of
what they say would be lost.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import platform
import stat
from typing import Protocol

from loghub.supervise.ends import Ends
from loghub.supervise.terminal import Terminal

OUT, ERR = 1, 2
CAPACITY = 1 << 20  # what /proc/sys/fs/pipe-max-size lets anybody have
_KCMP = {"x86_64": 312, "aarch64": 272, "riscv64": 272}  # kcmp(2) has no function in the C library


class Stream(Protocol):
    """One way: the child writes to ``child_end``, ``source`` is read here."""

    source: int
    child_end: int

    def read(self) -> bytes | None:
        """Return what there is, without a byte changed, waiting for some; None at the end."""

    def settle(self) -> None:
        """Do what was put off until what had been read was passed on."""

    def hand_over(self) -> None:
        """Close the child's end here."""

    def close(self) -> None:
        """Close what is open here."""

    def resize(self) -> bool:
        """Take the real terminal's size over; return whether it was another one."""

    def restore(self) -> None:
        """Leave the real stream as it was found."""


class Pipe(Ends):
    """A pipe, for all that is no terminal."""

    def __init__(self) -> None:
        super().__init__(*os.pipe())
        with contextlib.suppress(OSError, AttributeError):  # beyond the user's quota, or not Linux
            fcntl.fcntl(self.child_end, fcntl.F_SETPIPE_SZ, CAPACITY)

    def read(self) -> bytes | None:
        """Return what there is; None when nobody can write any more."""
        return os.read(self.source, CAPACITY >> 1) or None

    def settle(self) -> None:
        """Do nothing."""

    def resize(self) -> bool:
        """Return False: a pipe has no size."""
        return False

    def restore(self) -> None:
        """Do nothing."""


def opened() -> tuple[Stream | None, tuple[int, ...]]:
    """Return the way of the child's stderr, and the descriptors that lead into it; None if stderr is closed.

    Raises:
        OSError: There is no pipe or no terminal to be had.
    """
    try:
        os.fstat(ERR)
    except OSError:
        return None, ()
    stream: Stream = Terminal(ERR) if os.isatty(ERR) else Pipe()
    return stream, ((OUT, ERR) if _shared() else (ERR,))


def can_tell(fd: int) -> bool:
    """Return whether poll tells of a stream that its reader has gone: pipes and sockets do."""
    mode = os.fstat(fd).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _shared() -> bool:
    """Return whether stdout and stderr are one stream: ``2>&1``, or one terminal."""
    try:
        out, err = os.fstat(OUT), os.fstat(ERR)
    except OSError:
        return False
    if (out.st_dev, out.st_ino) != (err.st_dev, err.st_ino):
        return False
    # `>f 2>f` are two positions in one file, each overwriting the other; `>>f 2>>f` are as good as one stream.
    return not stat.S_ISREG(out.st_mode) or all(map(_appends, (OUT, ERR))) or _one_position()


def _appends(fd: int) -> bool:
    return bool(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_APPEND)


def _one_position() -> bool:
    """Return whether both descriptors share their position; where the kernel does not say, what is usual: they do."""
    number = _KCMP.get(platform.machine())
    return number is None or ctypes.CDLL(None).syscall(number, os.getpid(), os.getpid(), 0, OUT, ERR) <= 0
