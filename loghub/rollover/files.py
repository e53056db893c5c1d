"""Questions about files, and their permissions."""

from __future__ import annotations

import contextlib
import os
import sys
import time

_POSIX = sys.platform != "win32"


def stat_at(path: str) -> os.stat_result | None:
    """Return what is known of a file; None if there is none."""
    try:
        return os.stat(path)
    except OSError:
        return None


def last_change(path: str) -> float:
    """Return when a file was last written; one that is gone, now."""
    found = stat_at(path)
    return time.time() if found is None else found.st_mtime


def set_mode(fd: int, mode_bits: int | None) -> None:
    """Give an open file its permissions, if any were asked for."""
    if mode_bits is not None and _POSIX:
        with contextlib.suppress(OSError):  # somebody else's file, which can be written all the same
            os.fchmod(fd, mode_bits)


def beside(path: str, ending: str) -> str:
    """Return the path of a hidden file that goes with another one."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}{ending}")
