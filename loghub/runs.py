"""What is counted within a `loghub run`: the child's processes say so, and its wrapper does not count it again.

The wrapper makes a file and names it in the child's environment. A process that writes an occurrence down in full
(the first of each bug, and the first of each hour again) appends the same line here, with the home that it is counted
in. A file that nobody holds any more, or that cannot be written, is left alone.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from types import ModuleType

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

VARIABLE = "LOGHUB_RUN"
"""The environment variable with the file's path."""

MAX_BYTES = 8 << 20
"""A file this long is not read by anybody: nothing is appended to it."""

_READ_BYTES = 1 << 20
_EMPTIED_BYTES = 1 << 20


def note(token: str, line: bytes) -> None:
    """Append a journal's line, if this process runs under a wrapper.

    Args:
        token: Of the home that the occurrence is counted in.
        line: One of an occurrence in full, as the journal has it.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        return
    with contextlib.suppress(OSError, ValueError):
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0))
        try:
            if os.fstat(fd).st_size < MAX_BYTES:
                os.write(fd, token.encode() + b" " + line)
        finally:
            os.close(fd)


def is_within(environment: Mapping[str, str]) -> bool:
    """Return whether this process runs under a wrapper that is alive."""
    path = environment.get(VARIABLE)
    if not path or fcntl is None:
        return False
    try:
        fd = os.open(path, os.O_RDONLY)
    except (OSError, ValueError):
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False  # whoever made it was killed


class Notes:
    """The file, as its wrapper has it.

    Args:
        folders: Where it may be made; the first that can be written.

    Attributes:
        path: Its name; empty if there is none.
    """

    def __init__(self, folders: tuple[str, ...] | None = None) -> None:
        self.path = ""
        self._fd = -1
        self._offset = 0
        self._partial = b""
        for folder in folders or (os.environ.get("TMPDIR", "/tmp"), "/tmp", "/var/tmp", "/dev/shm"):  # noqa: S108 - the name is drawn, and must be new
            path = os.path.join(folder, f"loghub-run-{os.urandom(8).hex()}")
            with contextlib.suppress(OSError):
                self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
                self.path = path
                if fcntl is not None:
                    fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return

    def read(self, tokens: Collection[str]) -> Iterator[dict[str, Any]]:
        """Yield what was counted in the homes of `tokens` since the last time, as `journal` describes it."""
        while self._fd >= 0 and (data := os.pread(self._fd, _READ_BYTES, self._offset)):
            self._offset += len(data)
            *lines, self._partial = (self._partial + data).split(b"\n")
            for line in lines:
                home, _, said = line.partition(b" ")
                if home.decode(errors="replace") in tokens and (read := _parsed(said)) is not None:
                    yield read
        self._empty()

    def _empty(self) -> None:
        if self._offset > _EMPTIED_BYTES and not self._partial and os.fstat(self._fd).st_size == self._offset:
            os.ftruncate(self._fd, 0)  # what comes in this very moment is counted twice at worst
            self._offset = 0

    def close(self) -> None:
        """Remove the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            with contextlib.suppress(OSError):
                os.unlink(self.path)


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        read: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) and isinstance(read.get("event"), dict) else None
