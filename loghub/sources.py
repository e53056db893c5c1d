"""Source lines of a file that only a text names: whoever wrote the text has chosen it, so it is looked at first."""

from __future__ import annotations

import linecache
import os

MAX_BYTES = 4 << 20
"""A larger file is no source that a person wrote."""


MAX_FILES = 256
"""So many of them `linecache` keeps."""

_read: set[str] = set()


def lines_of(path: str) -> list[str]:
    """Return the lines of a Python file as `linecache` has them; none for a device, a pipe, a huge file, no file."""
    if path in linecache.cache:
        return linecache.getlines(path)
    if not _is_source(path):
        return []
    if len(_read) >= MAX_FILES:
        for old in list(_read):
            linecache.cache.pop(old, None)
        _read.clear()
    _read.add(path)
    return linecache.getlines(path)


def _is_source(path: str) -> bool:
    try:
        return path.endswith((".py", ".pyw")) and os.path.isfile(path) and os.path.getsize(path) <= MAX_BYTES
    except (OSError, ValueError):
        return False
