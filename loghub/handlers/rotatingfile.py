"""A log file that many processes and threads write, and that rolls over by size, by time or both.

How lines stay whole, single and in bounds:

- **One write.** A record is one ``os.write`` to a file that was opened for appending. Nothing is buffered,
  so what `emit` returned from is with the operating system and survives SIGKILL.
- **One lock: the log file itself** (``flock``, which the kernel lets go when a process dies). A writer takes
  it, then asks whether the file at the path is still the one it holds. If not (another process rolled over,
  logrotate moved it, somebody deleted it or its directory), it opens what is there now and asks again. So one
  question guards against a stale file and a stale lock, and no lock file can be swept away under anybody.
- **A rollover only renames**, the log itself last, into a place that is empty. Killed anywhere in between it
  leaves a gap among the backups at worst, which the next rollover fills.
- **A write that SIGKILL cuts off** can happen only where it crosses a page: Linux copies page by page and
  looks for a fatal signal in between (``generic_perform_write`` in ``mm/filemap.c``). Such a write is
  announced beside the log, in ``.<name>.state``, and the next writer cuts off what a dead one left behind, if the
  log does end with these very bytes: their writer may have died before the first, and others written since.
- **The background** holds only gzip. A backup is compressed under another name, then takes its place under
  the log's lock, wherever later rollovers have moved it in the meantime.

Without ``fcntl`` (Windows) there is no lock, and the handler is for one process.

What holds, locks and writes the log is in `rollover.held`; this module formats, decides when to roll over, and keeps
the limits.
"""

from __future__ import annotations

import contextlib
import locale
import logging
import logging.handlers
import math
import os
import re
import stat
import sys
import time
from typing import TYPE_CHECKING, Any

from loghub import options, rendering
from loghub.rollover import lock, settings
from loghub.rollover.backups import GZIP, Dated, Numbered, pattern
from loghub.rollover.compression import Compressor
from loghub.rollover.files import last_change, stat_at
from loghub.rollover.held import PURSUITS, HeldLog
from loghub.rollover.schedule import DAY_SECONDS, Schedule
from loghub.sighting import FIELD, Sighting

if TYPE_CHECKING:
    from loghub.scrub import Scrubber

_POSIX = sys.platform != "win32"
_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", FIELD}
# logging.shutdown calls close() while it holds logging's own lock; what is not compressed then is left for
# the next handler that opens the log.
_CLOSE_SECONDS = 2.0


class RotatingFileHandler(HeldLog):
    r"""`logging.handlers.RotatingFileHandler`, safe with many processes, and rolling over by time too.

    Files are named as the standard library names them: ``app.log.1`` is the newest of the numbered backups;
    with `when`, backups carry the date of their period (``app.log.2026-11-23``, and ``app.log.2026-11-23.1``
    and so on when `maxBytes` fills more than one file in it). An empty file is never rolled over. The
    directory is made. What cannot be written is counted in `unwritten`, and said in the log once that can be
    written again.

    Args:
        filename: The log.
        mode: ``a``; ``w`` and ``x`` count when the handler first opens the log, and only if it never rolls
            over.
        maxBytes: Roll over before the log grows to this size in bytes; a single longer line has a file of
            its own. 0: not by size.
        backupCount: How many backups to keep. 0: there is no rollover, as in the standard library; but with
            `when`, `max_age_days` or `max_total_bytes` there is, and no limit by count.
        encoding: Of the log; None is the locale's.
        delay: Open the log at the first record.
        errors: What to do with what `encoding` cannot hold; None is ``backslashreplace``, so that no record
            is refused for a lone surrogate.
        when: Also roll over by time: ``S``, ``M``, ``H``, ``D``, ``midnight``, ``W0`` (Monday) to ``W6``.
        interval: Every so many of `when`.
        utc: `when` is in UTC, not in local time.
        atTime: With ``midnight`` and ``W0`` to ``W6``: at this time of day instead (a `datetime.time`, or a
            text such as ``"03:30"``).
        compress: ``gzip`` compresses backups, in the background.
        max_age_days: Delete backups whose last line is older. Looked at when the log is opened and at every
            rollover. 0: no limit.
        max_total_bytes: Delete the oldest backups so that they and a full log stay within this. 0: no limit.
        mode_bits: Permissions of every file, whatever the umask: ``"0640"``.
        scrub: Take secrets out of every line; what an `EventFilter` among its filters names under `scrub`, too.

    Attributes:
        unwritten: How many records could not be written since that was last said in the log.
        rolloverAt: When the next rollover by time is due (epoch seconds); infinity without `when`.
        when, interval, utc, atTime, suffix, extMatch, dayOfWeek: With `when`, what TimedRotatingFileHandler has under
            these names. `suffix` may be set: backups are then called so, and found again by it.

    Raises:
        UnknownOptionError: An option that there is not.
        OptionValueError: An option has a value that it cannot take.
        OSError: The log cannot be opened (with `delay` that goes to `handleError` instead).
    """

    # Here because a fork in another thread may ask for them before __init__ is through.
    unwritten = 0
    rolloverAt = math.inf
    _why = ""
    _rolling = _rotator_logged = False
    _pending: tuple[logging.LogRecord | None, bytes] = (None, b"")
    _background: Compressor | None = None

    def __init__(  # noqa: PLR0917 - the order of logging.handlers.RotatingFileHandler
        self,
        filename: settings.Path,
        mode: settings.Mode = "a",
        maxBytes: int = 0,
        backupCount: int = 0,
        encoding: str | None = None,
        delay: bool = False,
        errors: str | None = None,
        *,
        when: settings.When | None = None,
        interval: options.AtLeastOne = 1,
        utc: bool = False,
        atTime: settings.TimeOfDay | None = None,
        compress: settings.Compress | None = None,
        max_age_days: float | None = None,
        max_total_bytes: int | None = None,
        mode_bits: settings.ModeBits | None = None,
        scrub: bool = False,
        **unknown: object,
    ) -> None:
        options.reject_unknown(self, unknown)
        maxBytes = options.whole(self, "maxBytes", maxBytes)
        backupCount = options.whole(self, "backupCount", backupCount)
        delay = options.flag(self, "delay", delay)
        self._schedule = settings.schedule(self, when, interval, utc, atTime)
        self._gzips = settings.compress(self, compress)
        self._max_age_seconds = settings.limit(options.number, self, "max_age_days", max_age_days) * DAY_SECONDS
        self._max_total_bytes = settings.limit(options.whole, self, "max_total_bytes", max_total_bytes)
        self._mode_bits = settings.mode_bits(self, mode_bits)
        self._scrub = _scrubber() if options.flag(self, "scrub", scrub) else None
        super().__init__(
            settings.filename(self, filename),
            "a" if when else settings.mode(self, mode),
            maxBytes,
            backupCount,
            settings.codec(self, encoding),
            delay=True,
            errors=settings.error_handler(self, errors),
        )
        self.delay = delay
        self._set_up()
        if not delay:
            with self._held():
                self._tidy()

    def _set_up(self) -> None:
        """Fill in what follows from the options, and what the log is like before the first line."""
        self._codec = locale.getencoding() if self.encoding in (None, "locale") else str(self.encoding)
        self._errors = str(self.errors)
        self._byte_order_mark = "".encode(self._codec)
        cls, ours = type(self), RotatingFileHandler
        self._is_overridden = (cls.shouldRollover, cls.doRollover) != (ours.shouldRollover, ours.doRollover)
        self._complaints: set[tuple[type, int | None]] = set()
        self._due_since_start = math.inf
        if self._schedule is not None:
            self._show(self._schedule)
            self._due_since_start = self.rolloverAt = self.computeRollover(last_change(self.baseFilename))
        if self._gzips:
            self._background = Compressor(self.baseFilename, self._open_aside, self._paths, self._retain)

    def _show(self, schedule: Schedule) -> None:
        """Set the attributes that TimedRotatingFileHandler has."""
        self.when, self.interval = schedule.when, schedule.seconds
        self.utc, self.atTime = schedule.utc, schedule.at
        self.suffix = schedule.suffix
        self.extMatch = re.compile(pattern(schedule.suffix), re.ASCII)
        if schedule.when.startswith("W"):
            self.dayOfWeek = int(schedule.when[1])

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, after a rollover if one is due."""
        try:
            data = self._encoded(record)
        except RecursionError:  # as the standard library: not for handleError, which would need the stack
            raise
        except Exception:
            self.handleError(record)
            return
        try:
            self._append(record, data)
        except Exception as error:
            self.unwritten += 1
            self._why = str(error)
            self._complain(record, error)
        else:
            if self.unwritten:
                self._own_up()

    def shouldRollover(self, record: logging.LogRecord) -> bool:
        """Tell whether `record` has to go into a new file."""
        if not self._depth:
            with self._held():
                return self.shouldRollover(record)
        late = self._is_late()  # asked first: an empty file that is late begins its period now
        if not self._size or not (late or self._is_too_big(record)):
            return False
        return stat.S_ISREG(os.fstat(self._fd).st_mode)

    def doRollover(self) -> None:
        """Make the log a backup now, and begin a new one."""
        if not self._keeps_backups() or not (self._depth or os.path.exists(self.baseFilename)):
            return
        with self._held():
            self._rolling = True
            try:
                self._roll()
            finally:
                self._rolling = False

    def computeRollover(self, currentTime: float) -> float:
        """Return the first rollover by time after `currentTime`; infinity without `when`."""
        return math.inf if self._schedule is None else self._schedule.next(currentTime)

    def getFilesToDelete(self) -> list[str]:
        """Return the backups that are beyond a limit, the oldest first."""
        beyond = []
        oldest = time.time() - self._max_age_seconds
        total = self.maxBytes
        for number, path in enumerate(self._paths(), 1):
            found = stat_at(path)
            if found is None:
                continue
            total += found.st_size
            if (
                (self.backupCount and number > self.backupCount)
                or (self._max_age_seconds and found.st_mtime < oldest)
                or (self._max_total_bytes and total > self._max_total_bytes)
            ):
                beyond.append(path)
        return beyond[::-1]

    def close(self) -> None:
        """Close the log, and give gzip a moment to end."""
        self.acquire()
        try:
            if self.unwritten:
                self._own_up()
            if self.stream is not None and self._is_lost(self.stream):
                self.stream = None
        finally:
            self.release()
        super().close()
        self._leave()
        if self._background is not None:
            self._background.wait(_CLOSE_SECONDS)

    # One line -------------------------------------------------------------------------------------

    def _encoded(self, record: logging.LogRecord) -> bytes:
        """Return the record's line as bytes; the one place that formats."""
        filled = rendering.fill(record, self.formatter)
        try:
            line = self.format(record)
        except BaseException:
            if filled:  # logging would not have come so far
                record.exc_text = None
            raise
        if self._scrub is not None:
            seen = record.__dict__.get(FIELD)  # an EventFilter that looked at it knows the user's own secrets, too
            said = seen.capture if type(seen) is Sighting else None
            scrubber = self._scrub if said is None else said.scrubber
            line = scrubber.line(line, *_told(record))
        data = (line + self.terminator).encode(self._codec, self._errors)
        return data[len(self._byte_order_mark) :] if self._byte_order_mark else data

    def _append(self, record: logging.LogRecord, data: bytes) -> None:
        self._depth += 1
        try:
            self._take()
            if (
                0 < self.maxBytes <= self._size + len(data)
                or (self._schedule is not None and time.time() >= self.rolloverAt)
                or self._is_overridden
            ):
                self._make_room(record, data)
            self._write(data)
        finally:  # as _let_go, without its call
            self._depth -= 1
            if not self._depth and self._lockable:
                lock.flock(self._fd, lock.FREE)

    def _make_room(self, record: logging.LogRecord, data: bytes) -> None:
        """Roll over until `record` fits: others may fill a new file before this process has its lock."""
        self._pending = (record, data)
        try:
            may_be_due = (
                not self._rolling and not self._forked_in_write and (self._is_overridden or self._keeps_backups())
            )
            due = may_be_due and self.shouldRollover(record)
            for _ in range(PURSUITS):
                if not due or not self._roll_over_once():
                    return
                due = RotatingFileHandler.shouldRollover(self, record)  # a subclass's may say yes for ever
        except Exception as error:  # rather a file that is too long than a line that is lost
            self._complain(record, error)
            self._take()
        finally:
            self._pending = (None, b"")

    def _roll_over_once(self) -> bool:
        """Roll over; True if it may be due again, because another process has written the new file."""
        before = self.stream
        self.doRollover()
        self.flush()  # a subclass may have written a head line, or may leave another file, or none
        self._find()
        return self._size > 0 and self.stream is not before and not self._rotator_logged

    def _complain(self, record: logging.LogRecord, error: Exception) -> None:
        """Call handleError, once per cause until it is over."""
        cause = (type(error), getattr(error, "errno", None))
        if cause not in self._complaints:
            self._complaints.add(cause)
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Do what logging does, without printing secrets."""
        from loghub import complaint

        complaint.tell(record)

    def _own_up(self) -> None:
        """Say in the log how many records are missing from it."""
        missing, self.unwritten = self.unwritten, 0
        text = "Error reporter: %d record(s) are missing here, they could not be written: %s"
        notice = logging.LogRecord("loghub", logging.WARNING, __file__, 0, text, (missing, self._why), None)
        try:
            self._append(notice, self._encoded(notice))
            self._complaints.clear()
        except Exception:  # still not: it is said the next time
            self.unwritten += missing

    # Rollover -------------------------------------------------------------------------------------

    def _keeps_backups(self) -> bool:
        limits = self.backupCount or self._max_age_seconds or self._max_total_bytes
        return self._schedule is not None or bool(limits)

    def _is_too_big(self, record: logging.LogRecord) -> bool:
        if self.maxBytes <= 0:
            return False
        pending, data = self._pending
        return self._size + len(data if pending is record else self._encoded(record)) >= self.maxBytes

    def _is_late(self) -> bool:
        if time.time() < self.rolloverAt:
            return False
        self._agree_on_time()  # another process may have seen to it
        return time.time() >= self.rolloverAt

    def _opened(self) -> None:
        if self._schedule is not None:
            self._agree_on_time()

    def _agree_on_time(self) -> None:
        """Take the time of rollover that the other processes go by; begin a period with an empty file."""
        now = time.time()
        latest = self.computeRollover(now)
        due_at = (self._state and self._state.due_at) or self.rolloverAt
        due_at, self._due_since_start = min(due_at, self._due_since_start), math.inf
        if due_at > latest or (due_at <= now and not self._size):  # later than that: said for another `when`
            due_at = latest
        self.rolloverAt = due_at
        if self._state is not None:
            self._state.due_at = due_at

    def _roll(self) -> None:
        backup = self._backups.vacate()
        if not _POSIX:  # an open file cannot be renamed there
            self._shut()
        before = self.stream
        self.rotate(self.baseFilename, backup)
        self._rotator_logged = self.stream is not before
        if self.stream is not None and not self._is_at_path():  # a rotator may have copied and emptied it
            self._shut()
        self._find()
        if self._schedule is not None:
            self._agree_on_time()
        self._complaints.clear()
        self._tidy()

    @property
    def _backups(self) -> Numbered | Dated:
        if self._schedule is None:
            return Numbered(self._backup_name, self.backupCount)
        return Dated(self._backup_name, self.suffix, self._schedule.begin(self.rolloverAt))

    def _backup_name(self, suffix: str) -> str:
        return self.rotation_filename(self.baseFilename + suffix)

    def _at_fork_reinit(self) -> None:
        super()._at_fork_reinit()
        self._rolling, self._pending = False, (None, b"")
        if self._background is not None:
            self._background = self._background.forked()

    # Retention and compression --------------------------------------------------------------------

    def _tidy(self) -> None:
        """Delete what is too old or too much, and compress the rest; called with the log locked."""
        if self._background and not all(path.endswith(GZIP) for path in self._paths()):
            self._background.start()  # deletes too, once it is known how small things have become
        else:
            self._retain()

    def _retain(self) -> None:
        """Delete the backups that are beyond a limit; called with the log locked."""
        if not (self._max_age_seconds or self._max_total_bytes or self._schedule):
            return  # the numbered ones are counted as they move up
        for path in self.getFilesToDelete():
            with contextlib.suppress(OSError):
                os.remove(path)

    def _paths(self) -> list[str]:
        return self._backups.paths()

    def _open_aside(self) -> int:
        return self._open_file(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def _scrubber() -> Scrubber:
    from loghub.scrub.own import scrubber

    return scrubber()


def _told(record: logging.LogRecord) -> list[dict[Any, Any]]:
    """Return what `record` says by name: its `extra`, and arguments in a dict."""
    fields = record.__dict__
    names = fields.keys() - _FIELDS
    told = [{name: fields[name] for name in names}] if names else []
    return [*told, record.args] if type(record.args) is dict else told
