"""What the processes that write a log tell each other, in a small file beside it."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import struct
import zlib
from typing import NamedTuple

from loghub import descriptor
from loghub.rollover.files import set_mode

PAGE = 4096  # the smallest there is: on larger pages some writes are announced that need not be


class Write(NamedTuple):
    """A write that is about to be made: which bytes of which file, and a checksum of those on its first page."""

    inode: int
    start: int
    end: int
    checksum: int

    @classmethod
    def of(cls, inode: int, start: int, data: bytes) -> Write:
        """Describe that `data` is written at `start`."""
        return cls(inode, start, start + len(data), zlib.crc32(data[: PAGE - start % PAGE]))

    def has_left_half(self, path: str, inode: int, size: int) -> bool:
        """Tell whether a file of this size ends with the beginning of what was to be written.

        It ends no earlier than at the end of a page. The checksum tells that it is these very bytes: the writer may
        have died before the first, and others, who need not know of announcements, may have written there since.
        """
        page_end = self.start - self.start % PAGE + PAGE
        if inode != self.inode or not page_end <= size < self.end:
            return False
        try:
            with open(path, "rb") as file:
                file.seek(self.start)
                return zlib.crc32(file.read(page_end - self.start)) == self.checksum
        except OSError:  # rather half a line too many than a line too few
            return False


class State:
    """A few bytes beside the log that its writers share: a write under way, and when the next rollover is due.

    Only touched while the log is locked. All of it is a convenience that may be missing (a directory where no
    file can be made, a file system that is full): then a line cut off by SIGKILL stays so, and each process
    reckons the time of rollover by itself.
    """

    _WRITE = struct.Struct("<QQQQ")
    _DUE = struct.Struct("<d")
    _NOTHING = bytes(_WRITE.size)

    def __init__(self, path: str, log: os.stat_result) -> None:
        """Open it; whoever may write `log` may write this."""
        self._file: io.FileIO | None = None
        with contextlib.suppress(OSError):
            fd = os.open(path, os.O_RDWR | os.O_CREAT, stat.S_IMODE(log.st_mode))
            self._file = io.FileIO(fd, "r+b")
            self._identity = descriptor.identity(fd)
            if os.fstat(fd).st_size == 0:
                # Takes its room while there is some; behind all, where it undoes nothing that others say just now.
                os.pwrite(fd, b"\0", self._WRITE.size + self._DUE.size)
                set_mode(fd, stat.S_IMODE(log.st_mode))
                os.fchown(fd, -1, log.st_gid)

    def close(self) -> None:
        """Let go of the file."""
        file, self._file = self._file, None
        if file is None:
            return
        if descriptor.is_still(file.fileno(), self._identity):
            file.close()
        else:
            descriptor.abandon(file)

    def announce(self, write: Write) -> None:
        """Say that this is about to be written."""
        self._put(self._WRITE.pack(*write), 0)

    def finished(self) -> None:
        """Say that no write is under way."""
        self._put(self._NOTHING, 0)

    def unfinished(self) -> Write | None:
        """Return a write whose process died before it was over, or before it began."""
        raw = self._get(self._WRITE.size, 0)
        return None if raw is None or raw == self._NOTHING else Write(*self._WRITE.unpack(raw))

    @property
    def due_at(self) -> float:
        """When the log next rolls over by time; 0 if nobody has said."""
        raw = self._get(self._DUE.size, self._WRITE.size)
        return 0.0 if raw is None else float(self._DUE.unpack(raw)[0])

    @due_at.setter
    def due_at(self, at: float) -> None:
        self._put(self._DUE.pack(at), self._WRITE.size)

    def _get(self, size: int, offset: int) -> bytes | None:
        if self._file is None:
            return None
        try:
            raw = os.pread(self._file.fileno(), size, offset)
        except OSError:
            return None
        return raw if len(raw) == size else None

    def _put(self, raw: bytes, offset: int) -> None:
        if self._file is None:
            return
        try:  # noqa: SIM105 - contextlib.suppress would cost more than the write
            os.pwrite(self._file.fileno(), raw, offset)
        except OSError:
            pass
