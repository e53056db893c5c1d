"""What a rolled-over log is made of: when it rolls over, what its backups are called, what lies beside it."""

from __future__ import annotations

import calendar
import contextlib
import io
import os
import re
import struct
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator

_POSIX = sys.platform != "win32"
DAY_SECONDS = 86400
GZIP = ".gz"
monotonic = time.monotonic

# `when`, as TimedRotatingFileHandler has it: seconds, and the suffix of a backup.
PERIODS = {
    "S": (1, "%Y-%m-%d_%H-%M-%S"),
    "M": (60, "%Y-%m-%d_%H-%M"),
    "H": (3600, "%Y-%m-%d_%H"),
    "D": (DAY_SECONDS, "%Y-%m-%d"),
    "MIDNIGHT": (DAY_SECONDS, "%Y-%m-%d"),
    **{f"W{day}": (7 * DAY_SECONDS, "%Y-%m-%d") for day in range(7)},
}


@dataclass(frozen=True, slots=True)
class Schedule:
    """When the log rolls over by time, and what its backups are called then."""

    when: str
    interval: int
    utc: bool
    at: dt.time | None

    def next(self, now: float) -> float:
        """Return the first rollover after `now` (epoch seconds)."""
        seconds, _ = PERIODS[self.when]
        if not self._by_calendar:
            return int(now) + seconds * self.interval
        # Without a time of day it is the midnight at the end of the day, as in the standard library.
        clock = (24, 0, 0) if self.at is None else (self.at.hour, self.at.minute, self.at.second)
        today = self._broken_down(now)
        first = next(
            days
            for days in range(9)
            if self._epoch(today, days, clock) > now and self.when in ("MIDNIGHT", f"W{(today.tm_wday + days) % 7}")
        )
        return self._epoch(today, first + (self.interval - 1) * seconds // DAY_SECONDS, clock)

    def suffix(self, rollover_at: float) -> str:
        """Name the period that ends at `rollover_at` by its beginning, as the standard library does."""
        seconds, form = PERIODS[self.when]
        begin = rollover_at - seconds * self.interval
        if self._by_calendar:  # a day need not have 24 hours
            end = self._broken_down(rollover_at)
            clock = (end.tm_hour, end.tm_min, end.tm_sec)
            begin = self._epoch(end, -self.interval * seconds // DAY_SECONDS, clock)
        return time.strftime(form, self._broken_down(begin))

    @property
    def pattern(self) -> str:
        """A regular expression for what `suffix` returns."""
        return re.sub("%[A-Za-z]", r"\\d{2}", PERIODS[self.when][1].replace("%Y", r"\d{4}"))

    @property
    def _by_calendar(self) -> bool:
        return self.when == "MIDNIGHT" or self.when.startswith("W")

    def _broken_down(self, at: float) -> time.struct_time:
        return time.gmtime(at) if self.utc else time.localtime(at)

    def _epoch(self, today: time.struct_time, days: int, clock: tuple[int, int, int]) -> float:
        """Return the time at which the clock shows `clock` on the day that is `days` from `today`."""
        moment = (today.tm_year, today.tm_mon, today.tm_mday + days, *clock, 0, 0, -1)
        return calendar.timegm(moment) if self.utc else time.mktime(moment)


class State:
    """32 bytes beside the log that its writers share: a write under way, and when the next rollover is due.

    Only touched while the log is locked. All of it is a convenience that may be missing (a directory where no
    file can be made, a file system that is full): then a line cut off by SIGKILL stays so, and each process
    reckons the time of rollover by itself.
    """

    _WRITE = struct.Struct("<QQQ")  # inode of the log; where the write begins; where it will have ended
    _DUE = struct.Struct("<d")
    _NOTHING = bytes(_WRITE.size)

    def __init__(self, path: str, mode_bits: int | None) -> None:
        self._file: io.FileIO | None = None
        with contextlib.suppress(OSError):
            fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o666 if mode_bits is None else mode_bits)
            self._file = io.FileIO(fd, "r+b")
            set_mode(fd, mode_bits)
            if os.fstat(fd).st_size == 0:  # takes its room now, while there is some
                os.pwrite(fd, bytes(self._WRITE.size + self._DUE.size), 0)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def announce(self, inode: int, start: int, end: int) -> None:
        """Say that bytes `start` to `end` are about to be written."""
        self._put(self._WRITE.pack(inode, start, end), 0)

    def finished(self) -> None:
        """Say that no write is under way."""
        self._put(self._NOTHING, 0)

    def unfinished(self) -> tuple[int, int, int] | None:
        """Return the inode, start and end of a write whose process died in it."""
        raw = self._get(self._WRITE.size, 0)
        return None if raw is None or raw == self._NOTHING else self._WRITE.unpack(raw)

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


class Folder:
    """Tells by one cheap question that no name in the folder of the log changed: not made, moved or deleted.

    To ask the path costs twice as much, and makes the next write dearer too (since Linux 6.13 a file whose times
    were asked for gets exact ones at its next change). A folder's ctime changes with its names, but by the
    ticks of a clock: it is trusted once it has stood still for longer than a tick.
    """

    _TICK_SECONDS = 0.02
    _COARSE_TICK_SECONDS = 2.1  # file systems that keep whole seconds
    _TRUST_SECONDS = 0.25  # a folder further up may be moved away

    def __init__(self, path: str) -> None:
        self.fd = -1
        self.ctime = -1
        self.quiet_until = 0.0
        self._look_at = 0.0
        with contextlib.suppress(OSError):  # then `look` never finds it quiet
            self.fd = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)

    def look(self, *, anew: bool = False) -> None:
        """Find out whether the folder is quiet, if it is time to; before the path is asked."""
        now = monotonic()
        if self.fd < 0 or (now < self._look_at and not anew):
            return
        ctime = os.fstat(self.fd).st_ctime_ns
        if ctime == self.ctime:
            self.quiet_until = self._look_at = now + self._TRUST_SECONDS
        else:
            self.ctime, self.quiet_until = ctime, 0.0
            self._look_at = now + (self._TICK_SECONDS if ctime % 1000 else self._COARSE_TICK_SECONDS)


class Numbered:
    """Backups as RotatingFileHandler has them: ``.1`` is the newest, and each rollover moves them up."""

    def __init__(self, name: Callable[[str], str], count: int) -> None:
        self._name = name
        self._count = count  # 0: no end

    def vacate(self, _suffix: str) -> str:
        """Free the first place and return its name; the oldest backup goes if there is no place left."""
        last = 1
        while last != self._count and self._at(last):
            last += 1
        overdue = self._at(last)
        if overdue:
            os.remove(overdue)
        for number in range(last, 1, -1):
            moved = self._at(number - 1)
            if moved:
                os.rename(moved, self._path(number) + moved[len(self._path(number - 1)) :])
        return self._path(1)

    def paths(self) -> list[str]:
        """Return the backups that exist, the newest first."""
        found, number = [], 1
        while (path := self._at(number)) or number <= self._count:
            if path:
                found.append(path)
            number += 1
        return found

    def _path(self, number: int) -> str:
        return self._name(f".{number}")

    def _at(self, number: int) -> str | None:
        return backup_at(self._path(number))


class Dated:
    """Backups as TimedRotatingFileHandler has them; the second one within a period gets ``.1`` and so on."""

    def __init__(self, name: Callable[[str], str], pattern: str, folder: str) -> None:
        self._name = name
        self._folder = folder
        self._suffixes = re.compile(rf"({pattern})(?:\.(\d+))?", re.ASCII)

    def vacate(self, suffix: str) -> str:
        """Return the next unused name for a backup of the period that `suffix` names."""
        numbers = [number for date, number, _ in self._found() if date == suffix]
        number = max(numbers) + 1 if numbers else 0
        while os.path.lexists(path := self._path(suffix, number)):
            number += 1
        return path

    def paths(self) -> list[str]:
        """Return the backups that exist, the newest first."""
        newest_first = sorted(self._found(), reverse=True)
        return [found for _, _, path in newest_first if (found := backup_at(path))]

    def _path(self, date: str, number: int) -> str:
        return self._name(f".{date}.{number}" if number else f".{date}")

    def _found(self) -> list[tuple[str, int, str]]:
        """Return date, number and path, without ``.gz``, of every backup."""
        try:
            files = os.listdir(self._folder)
        except OSError:
            return []
        candidates = {name for file in files for name in (file, file.removesuffix(GZIP))}
        return [found for name in candidates for found in self._read(os.path.join(self._folder, name))]

    def _read(self, path: str) -> Iterator[tuple[str, int, str]]:
        for match in self._suffixes.finditer(os.path.basename(path)):
            date = match[1]
            for number in {0, int(match[2] or 0)}:
                if self._path(date, number) == path:
                    yield date, number, path


class Background:
    """At most one thread that does `work`, and does it once more if it was asked for in the meantime."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._asked = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Have the work done, soon."""
        with self._lock:
            self._asked = True
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="loghub-gzip", daemon=True)
                with contextlib.suppress(RuntimeError):  # the interpreter is shutting down: the next one does it
                    thread.start()
                    self._thread = thread

    def wait(self, seconds: float) -> None:
        """Wait until it is done, for at most so many seconds."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(seconds)

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._asked:
                    self._thread = None
                    return
                self._asked = False
            self._work()


def backup_at(path: str) -> str | None:
    """Return `path` or its compressed form, whichever exists."""
    packed = path + GZIP
    if not os.path.exists(packed):
        return path if os.path.exists(path) else None
    if os.path.exists(path):  # killed after the compressed one took its place: that is complete
        os.remove(path)
    return packed


def last_change(path: str) -> float:
    """Return when a file was last written; one that is gone, now."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return time.time()


def set_mode(fd: int, mode_bits: int | None) -> None:
    """Give an open file its permissions, if any were asked for."""
    if mode_bits is not None and _POSIX:
        with contextlib.suppress(OSError):  # somebody else's file, which can be written all the same
            os.fchmod(fd, mode_bits)
