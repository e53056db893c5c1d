"""The files of journals: made, locked, and adopted from a process that is gone."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows: one process
    fcntl = None

SUFFIX = ".journal"


def create(folder: str | None) -> tuple[str, int]:
    """Return name and descriptor of a new journal, locked before anybody can see it."""
    name = f"{time.time_ns():020d}-{os.getpid()}-{uuid.uuid4().hex[:8]}{SUFFIX}"
    if folder is None:
        if hasattr(os, "memfd_create"):
            return name, os.memfd_create("loghub")
        fd, path = tempfile.mkstemp(SUFFIX)
        with contextlib.suppress(OSError):  # Windows removes no open file
            os.unlink(path)
        return name, fd
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND
    if fcntl is None:
        return name, os.open(os.path.join(folder, name), flags | getattr(os, "O_BINARY", 0), 0o600)
    hidden = os.path.join(folder, "." + name)
    fd = os.open(hidden, flags, 0o600)
    _lock(fd)
    os.rename(hidden, os.path.join(folder, name))
    return name, fd


def pread(fd: int, size: int, offset: int) -> bytes:
    """Return what stands at an offset of a file, at most so many bytes."""
    if hasattr(os, "pread"):
        return os.pread(fd, size, offset)
    os.lseek(fd, offset, os.SEEK_SET)  # Windows; appending moves to the end by itself
    return os.read(fd, size)


def _lock(fd: int) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def adopt(folder: str) -> Iterator[tuple[str, int]]:
    """Yield name and locked descriptor of each journal whose process is gone; the caller closes it."""
    for name in names(folder):
        try:
            fd = os.open(os.path.join(folder, name), os.O_RDWR)
        except OSError:
            continue
        if fcntl is not None and _lock(fd) and os.fstat(fd).st_nlink:
            yield name, fd
        else:
            os.close(fd)


def alive(folder: str) -> int:
    """Return how many journals in `folder` belong to living processes."""
    count = 0
    for name in names(folder):
        try:
            fd = os.open(os.path.join(folder, name), os.O_RDWR)
        except OSError:
            continue
        count += not _lock(fd)
        os.close(fd)
    return count


def names(folder: str) -> list[str]:
    """Return the names of the journals in `folder`, oldest first."""
    try:
        return sorted(n for n in os.listdir(folder) if n.endswith(SUFFIX) and not n.startswith("."))
    except OSError:
        return []
