"""What a rolled-over log is made of: when it rolls over, what its backups are called, what lies beside it."""

from __future__ import annotations

import calendar
import contextlib
import io
import os
import re
import stat
import struct
import sys
import threading
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator

_POSIX = sys.platform != "win32"
DAY_SECONDS = 86400
GZIP = ".gz"
PAGE = 4096  # the smallest there is: on larger pages some writes are announced that need not be
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
        if not self._by_calendar:
            return int(now) + self.seconds
        # Without a time of day it is the midnight at the end of the day, as in the standard library.
        clock = (24, 0, 0) if self.at is None else (self.at.hour, self.at.minute, self.at.second)
        today = self._broken_down(now)
        passed = clock <= (today.tm_hour, today.tm_min, today.tm_sec)
        first = next(days for days in range(passed, 9) if self.when in ("MIDNIGHT", f"W{(today.tm_wday + days) % 7}"))
        days = first + (self.interval - 1) * PERIODS[self.when][0] // DAY_SECONDS
        at = self._epoch(today, days, clock)
        # In the hour that a clock shows twice, mktime may mean the first time.
        return at if at > now else self._epoch(today, days, clock, today.tm_isdst)

    @property
    def seconds(self) -> int:
        """How long a period is, as a rule."""
        return PERIODS[self.when][0] * self.interval

    @property
    def suffix(self) -> str:
        """What a backup is called, as `time.strftime` has it."""
        return PERIODS[self.when][1]

    def begin(self, rollover_at: float) -> time.struct_time:
        """Return the beginning of the period that ends at `rollover_at`; the standard library names backups by it."""
        if not self._by_calendar:
            return self._broken_down(rollover_at - self.seconds)
        end = self._broken_down(rollover_at)  # a day need not have 24 hours
        clock = (end.tm_hour, end.tm_min, end.tm_sec)
        return self._broken_down(self._epoch(end, -self.seconds // DAY_SECONDS, clock))

    @property
    def _by_calendar(self) -> bool:
        return self.when == "MIDNIGHT" or self.when.startswith("W")

    def _broken_down(self, at: float) -> time.struct_time:
        return time.gmtime(at) if self.utc else time.localtime(at)

    def _epoch(self, today: time.struct_time, days: int, clock: tuple[int, int, int], dst: int = -1) -> float:
        """Return the time at which the clock shows `clock` on the day that is `days` from `today`."""
        moment = (today.tm_year, today.tm_mon, today.tm_mday + days, *clock, 0, 0, dst)
        return calendar.timegm(moment) if self.utc else time.mktime(moment)


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
    """40 bytes beside the log that its writers share: a write under way, and when the next rollover is due.

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
            if os.fstat(fd).st_size == 0:
                os.pwrite(fd, bytes(self._WRITE.size + self._DUE.size), 0)  # takes its room while there is some
                set_mode(fd, stat.S_IMODE(log.st_mode))
                os.fchown(fd, -1, log.st_gid)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

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

    _GAP = 100  # so many may be missing in between: a rollover that was killed leaves one, people delete some

    def __init__(self, name: Callable[[str], str], count: int) -> None:
        self._name = name
        self._count = count  # 0: no end

    def vacate(self) -> str:
        """Free the first place and return its name; the oldest backup goes if there is no place left."""
        last = 1
        while last != self._count and backups_at(self._path(last)):
            last += 1
        for overdue in backups_at(self._path(last)):
            os.remove(overdue)
        for number in range(last, 1, -1):
            for moved in backups_at(self._path(number - 1)):
                os.rename(moved, self._path(number) + moved[len(self._path(number - 1)) :])
        return self._path(1)

    def paths(self) -> list[str]:
        """Return the backups that exist, the newest first."""
        found: list[str] = []
        number, last = 1, self._GAP
        while number <= last:
            if there := backups_at(self._path(number)):
                found += there
                last = number + self._GAP
            number += 1
        return found

    def _path(self, number: int) -> str:
        return self._name(f".{number}")


class Dated:
    """Backups as TimedRotatingFileHandler has them; the second one within a period gets ``.1`` and so on.

    Args:
        name: Gives the path of the backup with a suffix.
        suffix: The date, as `time.strftime` has it.
        period: The beginning of the present period.
    """

    def __init__(self, name: Callable[[str], str], suffix: str, period: time.struct_time) -> None:
        self._name = name
        self._suffix = suffix
        self._present = time.strftime(suffix, period)
        self._folder = os.path.dirname(self._path(self._present, 0))
        self._suffixes = re.compile(rf"({pattern(suffix)})(?:\.(\d+))?", re.ASCII)

    def vacate(self) -> str:
        """Return the next unused name for a backup of the present period."""
        numbers = [number for _, date, number, _ in self._found() if date == self._present]
        number = max(numbers) + 1 if numbers else 0
        while os.path.lexists(path := self._path(self._present, number)) or os.path.lexists(path + GZIP):
            number += 1
        return path

    def paths(self) -> list[str]:
        """Return the backups that exist, the newest first."""
        newest_first = sorted(self._found(), reverse=True)
        return [found for *_, path in newest_first for found in backups_at(path)]

    def _path(self, date: str, number: int) -> str:
        return self._name(f".{date}.{number}" if number else f".{date}")

    def _found(self) -> list[tuple[tuple[int, ...], str, int, str]]:
        """Return date (broken down, and as it stands there), number and path, without ``.gz``, of every backup."""
        try:
            files = os.listdir(self._folder)
        except OSError:
            return []
        candidates = {name for file in files for name in (file, file.removesuffix(GZIP))}
        return [found for name in candidates for found in self._read(os.path.join(self._folder, name))]

    def _read(self, path: str) -> Iterator[tuple[tuple[int, ...], str, int, str]]:
        name = os.path.basename(path)
        at = 0
        while match := self._suffixes.search(name, at):  # the first digits need not be the date
            at = match.start() + 1
            for number in {0, int(match[2] or 0)}:
                if self._path(match[1], number) == path:
                    yield self._order(match[1]), match[1], number, path
                    return

    def _order(self, date: str) -> tuple[int, ...]:
        """Break the date down: as a text it need not stand in the order of time."""
        try:
            return tuple(time.strptime(date, self._suffix))
        except ValueError:
            return ()


_DIGITS = {"Y": 4, "j": 3, **dict.fromkeys("CGmdHIMSUWVgy", 2), **dict.fromkeys("uw", 1)}


def pattern(suffix: str) -> str:
    """Return a regular expression for what `time.strftime` makes of `suffix`; not within a longer number."""
    parts = re.split("%(.)", suffix)
    texts, directives = parts[::2], parts[1::2]
    found = re.escape(texts[0])
    for directive, text in zip(directives, texts[1:], strict=True):
        digits = _DIGITS.get(directive)
        found += rf"\d{{{digits}}}" if digits else "%" if directive == "%" else ".+?"
        found += re.escape(text)
    return rf"(?<!\d){found}(?!\d)"


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


def backups_at(path: str) -> list[str]:
    """Return `path` and its compressed form, as far as they exist.

    A process that was killed right after a compressed form had taken its place, which it does when it is complete
    and as old as the original, left both: then the original goes. Two that differ in age are two backups.
    """
    found = [(there, stat_at(there)) for there in (path, path + GZIP)]
    ages = [result.st_mtime_ns for _, result in found if result is not None]
    if len(ages) == 2 and ages[0] == ages[1]:
        os.remove(path)
        return [path + GZIP]
    return [there for there, result in found if result is not None]


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
