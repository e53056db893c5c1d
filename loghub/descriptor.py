"""Descriptors that were closed under us: a daemon closes all that there are, and the next file gets the number.

Whoever then writes to the number, or closes it, does so to a file or socket of the application.
"""

from __future__ import annotations

import os
from typing import Any

Identity = tuple[int, int]
"""Device and inode."""

_SEEK_CUR = os.SEEK_CUR
_lseek = os.lseek


def identity(fd: int) -> Identity:
    """Return which file an open descriptor is about."""
    found = os.fstat(fd)
    return found.st_dev, found.st_ino


def is_still(fd: int, known: Identity) -> bool:
    """Return whether a descriptor is open, and still about that file."""
    try:
        return identity(fd) == known
    except OSError:
        return False


def is_at(fd: int, position: int) -> bool:
    """Return whether a descriptor stands where its only writer left it: four times as cheap as `is_still`."""
    try:
        return _lseek(fd, 0, _SEEK_CUR) == position
    except OSError:
        return False


def close(fd: int, known: Identity) -> None:
    """Close a descriptor, unless it is somebody else's by now."""
    if is_still(fd, known):
        os.close(fd)


def nowhere() -> int:
    """Open a file that is nobody else's, and that nobody reads."""
    return os.memfd_create("nowhere") if hasattr(os, "memfd_create") else os.open(os.devnull, os.O_WRONLY)


def abandon(owner: Any) -> None:
    """Keep an object for ever, also beyond the interpreter's end: its finalizer would close what is not its own."""
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(owner))
