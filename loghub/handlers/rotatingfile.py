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
  announced beside the log, in ``.<name>.state``, and the next writer cuts off what a dead one left behind.
- **The background** holds only gzip. A backup is compressed under another name, then takes its place under
  the log's lock, wherever later rollovers have moved it in the meantime.

Without ``fcntl`` (Windows) there is no lock, and the handler is for one process.
"""

from __future__ import annotations

import codecs
import contextlib
import datetime as dt
import locale
import logging
import logging.handlers
import math
import os
import re
import shutil
import stat
import sys
import time
from typing import TYPE_CHECKING, Any

from loghub import options, rendering, rollover
from loghub.rollover import (
    GZIP,
    PAGE,
    PERIODS,
    Background,
    Dated,
    Folder,
    Numbered,
    Schedule,
    State,
    Write,
    last_change,
    set_mode,
    stat_at,
)
from loghub.sighting import FIELD, Sighting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loghub.scrub import Scrubber

_POSIX = sys.platform != "win32"

if sys.platform == "win32":
    _EXCLUSIVE = _FREE = _AT_ONCE = 0

    def _flock(fd: int, operation: int) -> None:
        """Do nothing: one process."""
else:
    import fcntl

    _EXCLUSIVE, _FREE, _AT_ONCE, _flock = fcntl.LOCK_EX, fcntl.LOCK_UN, fcntl.LOCK_NB, fcntl.flock

_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", FIELD}
# How often a writer follows a file that is replaced under it before it takes the one that it has got: on a
# file system whose inode numbers change by themselves it would follow for ever.
_PURSUITS = 100
# logging.shutdown calls close() while it holds logging's own lock; what is not compressed then is left for
# the next handler that opens the log.
_CLOSE_SECONDS = 2.0
# How long a child waits for the lock that its parent had when it was forked.
_FORKED_SECONDS = 0.05


class RotatingFileHandler(logging.handlers.RotatingFileHandler):
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
    stream: Any = None
    unwritten = 0
    _why = ""
    rolloverAt = math.inf
    _fd = -1
    _depth = 0
    _rolling = _rotator_logged = _forked_in_write = False
    _state: State | None = None
    _folder: Folder | None = None
    _background: Background | None = None
    _gzip_fd = -1

    def __init__(  # noqa: PLR0917 - the order of logging.handlers.RotatingFileHandler
        self,
        filename: str | os.PathLike[str],
        mode: str = "a",
        maxBytes: int = 0,
        backupCount: int = 0,
        encoding: str | None = None,
        delay: bool = False,
        errors: str | None = None,
        *,
        when: str | None = None,
        interval: int = 1,
        utc: bool = False,
        atTime: dt.time | str | None = None,
        compress: str | None = None,
        max_age_days: float | None = None,
        max_total_bytes: int | None = None,
        mode_bits: int | str | None = None,
        scrub: bool = False,
        **unknown: object,
    ) -> None:
        options.reject_unknown(self, unknown)
        maxBytes = options.whole(self, "maxBytes", maxBytes)
        backupCount = options.whole(self, "backupCount", backupCount)
        delay = options.flag(self, "delay", delay)
        self._schedule = _schedule(self, when, interval, utc, atTime)
        self._gzips = _compress(self, compress)
        self._max_age_seconds = _limit(options.number, self, "max_age_days", max_age_days) * rollover.DAY_SECONDS
        self._max_total_bytes = _limit(options.whole, self, "max_total_bytes", max_total_bytes)
        self._mode_bits = _mode_bits(self, mode_bits)
        self._scrub = _scrubber() if options.flag(self, "scrub", scrub) else None
        super().__init__(
            _filename(self, filename),
            "a" if when else _mode(self, mode),
            maxBytes,
            backupCount,
            _codec(self, encoding),
            delay=True,
            errors=_error_handler(self, errors),
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
        folder, name = os.path.split(self.baseFilename)
        self._state_path = os.path.join(folder, f".{name}.state")
        self._part_path = os.path.join(folder, f".{name}.gz.part")
        self._device = self._inode = self._size = -1
        self._lockable, self._first = False, True
        cls, ours = type(self), RotatingFileHandler
        self._is_overridden = (cls.shouldRollover, cls.doRollover) != (ours.shouldRollover, ours.doRollover)
        self._pending: tuple[logging.LogRecord | None, bytes] = (None, b"")
        self._complaints: set[tuple[type, int | None]] = set()
        self._due_since_start = math.inf
        if self._schedule is not None:
            self._show(self._schedule)
            self._due_since_start = self.rolloverAt = self.computeRollover(last_change(self.baseFilename))
        self._background = Background(self._compress) if self._gzips else None

    def _show(self, schedule: Schedule) -> None:
        """Set the attributes that TimedRotatingFileHandler has."""
        self.when, self.interval = schedule.when, schedule.seconds
        self.utc, self.atTime = schedule.utc, schedule.at
        self.suffix = schedule.suffix
        self.extMatch = re.compile(rollover.pattern(schedule.suffix), re.ASCII)
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
        for number, path in enumerate(self._backups.paths(), 1):
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
                _flock(self._fd, _FREE)

    def _make_room(self, record: logging.LogRecord, data: bytes) -> None:
        """Roll over until `record` fits: others may fill a new file before this process has its lock."""
        self._pending = (record, data)
        try:
            may_be_due = (
                not self._rolling and not self._forked_in_write and (self._is_overridden or self._keeps_backups())
            )
            due = may_be_due and self.shouldRollover(record)
            for _ in range(_PURSUITS):
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

    def _write(self, data: bytes) -> None:
        start = self._size
        if not start:
            data = self._byte_order_mark + data
        end = start + len(data)
        state = None
        if start // PAGE != end // PAGE and not self._forked_in_write:
            state = self._state
            if state is not None:
                state.announce(Write.of(self._inode, start, data))
        try:
            written = os.write(self._fd, data)
            if written != len(data):
                self._put_rest(data, written)
            self._size = end
        finally:
            if state is not None:
                state.finished()

    def _put_rest(self, data: bytes, written: int) -> None:
        """Write what a short write left, or take back its beginning: never half a line."""
        try:
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except OSError:
            with contextlib.suppress(OSError):
                if os.fstat(self._fd).st_size == self._size + written:
                    os.ftruncate(self._fd, self._size)
            raise

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

    # Holding the log ------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        self.acquire()
        self._depth += 1
        try:
            self._take()
            yield
        finally:
            self._let_go()
            self.release()

    def _take(self) -> None:
        """Have the log open, locked, and the file that is at its path.

        Counting `_depth` before locking, and locking anew at each depth, keeps this right for a record that
        is logged while another is being written in the same thread: by a signal handler, or by a rotator.
        """
        folder = self._folder
        if folder is not None and rollover.monotonic() < folder.quiet_until and not self.stream.closed:
            _flock(self._fd, _EXCLUSIVE)
            if os.fstat(folder.fd).st_ctime_ns == folder.ctime:
                size = os.lseek(self._fd, 0, os.SEEK_END)
                if size != self._size:
                    self._catch_up(size)
                return
            folder.look(anew=True)
        self._find()

    def _find(self) -> None:
        """Do what `_take` says by asking the path itself."""
        for _ in range(_PURSUITS):
            if self.stream is None or self.stream.closed:
                self._shut()
                self._reopen()
            if self._lockable:
                _flock(self._fd, _EXCLUSIVE)
            elif self._forked_in_write and self._inode >= 0:
                self._lockable = self._lock_after_fork()
            if self._folder is not None:
                self._folder.look()
            if self._is_at_path():
                return
            self._shut()
        self._reopen()
        self._size = os.fstat(self._fd).st_size

    def _is_at_path(self) -> bool:
        try:
            found = os.stat(self.baseFilename)
        except OSError:
            return False
        if found.st_ino != self._inode or found.st_dev != self._device:
            return False
        if found.st_size != self._size:
            self._catch_up(found.st_size)
        return True

    def _lock_after_fork(self) -> bool:
        """Lock the log in a child that was forked while its parent had it locked; False: it still has.

        A signal handler that forked may be waiting for this very child, so this one must not wait for ever. Without
        the lock it writes its lines, which are whole, and leaves rollovers to others.
        """
        until = rollover.monotonic() + _FORKED_SECONDS
        while True:
            if _try_lock(self._fd, _EXCLUSIVE | _AT_ONCE):
                self._forked_in_write = False
                return True
            if rollover.monotonic() >= until:
                return False
            time.sleep(0.001)

    def _let_go(self) -> None:
        self._depth -= 1
        if not self._depth and self._lockable:
            _flock(self._fd, _FREE)

    def _reopen(self) -> None:
        self.stream = self._open()
        self._fd = self.stream.fileno()
        opened = os.fstat(self._fd)
        self._device, self._inode, self._size = opened.st_dev, opened.st_ino, -1
        self._lockable = self._lock_after_fork() if self._forked_in_write else _try_lock(self._fd)
        if _POSIX and stat.S_ISREG(opened.st_mode):
            self._state = State(self._state_path, opened)
            if self._lockable and not os.path.islink(self.baseFilename):
                self._folder = Folder(os.path.dirname(self.baseFilename))

    def _shut(self) -> None:
        """Close the log, which also lets go of its lock."""
        stream, self.stream = self.stream, None
        self._leave()
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):  # what somebody else left in its buffer
                stream.close()

    def _leave(self) -> None:
        """Forget what goes with an open log."""
        self._lockable = False
        self._folder = None
        if self._state is not None:
            self._state.close()
            self._state = None

    def _catch_up(self, size: int) -> None:
        """Learn what others did to the log since this process wrote."""
        fresh = self._size < 0
        self._size = size
        if self._state is not None and not self._forked_in_write:  # then the write may be the parent's, and alive
            unfinished = self._state.unfinished()
            if unfinished is not None:
                if unfinished.has_left_half(self.baseFilename, self._inode, size):
                    os.ftruncate(self._fd, unfinished.start)
                    self._size = unfinished.start
                self._state.finished()
        if fresh and self._schedule is not None:
            self._agree_on_time()

    def _open(self) -> Any:
        """Open the log for appending, with its directory and its permissions."""
        try:
            os.makedirs(os.path.dirname(self.baseFilename), exist_ok=True)
            if self._first and self.mode[0] != "a":
                self._open_as(self.mode).close()
            self._first = False
            return self._open_as("a")
        except OSError as error:
            raise _explained(self, error) from error

    def _open_as(self, mode: str) -> Any:
        stream = self._builtin_open(  # type: ignore[attr-defined]
            self.baseFilename, mode, encoding=self.encoding, errors=self.errors, opener=self._open_file
        )
        set_mode(stream.fileno(), self._mode_bits)
        return stream

    def _open_file(self, path: str, flags: int) -> int:
        return os.open(path, flags, 0o666 if self._mode_bits is None else self._mode_bits)

    def _at_fork_reinit(self) -> None:
        """In a forked child: leave the parent's lock alone.

        A lock belongs to what `open` made, which parent and child share. So the child puts something else
        under the same descriptor, and finds at its next record that this is not the log.
        """
        super()._at_fork_reinit()  # type: ignore[misc]
        self._forked_in_write = self._depth > 0
        self._depth, self._rolling, self._pending = 0, False, (None, b"")
        if self._background is not None:
            self._background = Background(self._compress)
        with contextlib.suppress(OSError, ValueError):
            if self._gzip_fd >= 0:
                os.close(self._gzip_fd)
                self._gzip_fd = -1
        with contextlib.suppress(OSError, ValueError):
            if self.stream is not None and not self.stream.closed:
                nothing = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nothing, self._fd, inheritable=False)
                os.close(nothing)
        self._inode = -1
        self._lockable, self._folder = False, None

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

    # Retention and compression --------------------------------------------------------------------

    def _tidy(self) -> None:
        """Delete what is too old or too much, and compress the rest; called with the log locked."""
        if self._background and not all(path.endswith(GZIP) for path in self._backups.paths()):
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

    def _compress(self) -> None:
        """Compress every backup that is not, then keep within the limits; in the background."""
        try:
            with self._only_compressor():
                tried: set[int] = set()
                while (source := self._next_to_compress(tried)) is not None:
                    with source:
                        tried.add(os.fstat(source.fileno()).st_ino)
                        self._compress_one(source)
                with contextlib.suppress(FileNotFoundError):
                    os.remove(self._part_path)
                with self._locked_aside():
                    self._retain()
        except Exception as error:  # nobody above: the backup stays as it is
            logging.getLogger("loghub").warning(
                "Error reporter: %s",
                _scrubber().text(
                    f"a backup of {self.baseFilename} could not be compressed and stays as it is: {error}"
                ),
            )

    def _next_to_compress(self, tried: set[int]) -> Any:
        """Open the oldest backup that is not compressed and not `tried`; None if there is none."""
        with self._locked_aside():
            for path in reversed(self._backups.paths()):
                if not path.endswith(GZIP) and os.stat(path).st_ino not in tried:
                    return open(path, "rb")  # the caller closes it
        return None

    def _compress_one(self, source: Any) -> None:
        import gzip

        like = os.fstat(source.fileno())
        fd = os.open(self._part_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, stat.S_IMODE(like.st_mode))
        with open(fd, "wb") as part, gzip.GzipFile("", "wb", 6, part, mtime=like.st_mtime) as packed:
            set_mode(fd, stat.S_IMODE(like.st_mode))
            shutil.copyfileobj(source, packed, 1 << 18)
        os.utime(self._part_path, ns=(like.st_atime_ns, like.st_mtime_ns))
        with self._locked_aside():
            for path in self._backups.paths():
                if os.stat(path).st_ino == like.st_ino and not os.path.lexists(path + GZIP):
                    os.rename(self._part_path, path + GZIP)
                    os.remove(path)

    @contextlib.contextmanager
    def _only_compressor(self) -> Iterator[None]:
        """Wait until no other process compresses backups of this log."""
        self._gzip_fd = os.open(self._state_path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _try_lock(self._gzip_fd)
            yield
        finally:
            fd, self._gzip_fd = self._gzip_fd, -1
            os.close(fd)

    @contextlib.contextmanager
    def _locked_aside(self) -> Iterator[None]:
        """Hold the log's lock, not the handler's: logging.shutdown keeps that while it waits in close()."""
        fd = self._lock_aside()
        try:
            yield
        finally:
            _try_lock(fd, _FREE)  # said, not left to close(): a child that was forked just now has it too
            os.close(fd)

    def _lock_aside(self) -> int:
        for attempt in range(1, _PURSUITS + 1):
            fd = self._open_file(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            _try_lock(fd)
            with contextlib.suppress(FileNotFoundError):
                if attempt == _PURSUITS or os.path.samestat(os.fstat(fd), os.stat(self.baseFilename)):
                    break
            os.close(fd)
        return fd


# Files --------------------------------------------------------------------------------------------


def _try_lock(fd: int, operation: int = _EXCLUSIVE) -> bool:
    """Lock the file; False where the file system knows no locks, and the handler is for one process."""
    try:
        _flock(fd, operation)
    except OSError:
        return False
    return True


def _explained(owner: object, error: OSError) -> OSError:
    """Return `error` as a sentence; the same class, number and file name."""
    return OSError(
        error.errno,
        f"{type(owner).__name__} cannot open its log ({error.strerror}); "
        "let this user write there, or give another 'filename'",
        error.filename,
    )


# Options ------------------------------------------------------------------------------------------


def _filename(owner: object, value: object) -> str | os.PathLike[str]:
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        options.refuse(owner, "filename", value, "the path of a file")
    return value


def _mode(owner: object, value: object) -> str:
    letters = set(value) if isinstance(value, str) else set()
    if not letters & set("awx") or letters - set("awxbt+"):
        options.refuse(owner, "mode", value, "'a', 'w' or 'x'")
    return next(letter for letter in "awx" if letter in letters)


def _codec(owner: object, value: Any) -> str | None:
    if value not in (None, "locale"):  # io.text_encoding's name for None
        try:
            "".encode(value)
        except (LookupError, TypeError):
            options.refuse(owner, "encoding", value, "the name of a text encoding, such as 'utf-8'")
    return value  # type: ignore[no-any-return]


def _error_handler(owner: object, value: Any) -> str:
    if value is None:
        return "backslashreplace"
    try:
        codecs.lookup_error(value)
    except (LookupError, TypeError):
        options.refuse(owner, "errors", value, "the name of an error handler, such as 'backslashreplace'")
    return str(value)


def _schedule(owner: object, when: object, interval: object, utc: object, at: object) -> Schedule | None:
    interval = options.whole(owner, "interval", interval, 1)
    utc = options.flag(owner, "utc", utc)
    at = _time_of_day(owner, at)
    if when is None:
        return None
    if not isinstance(when, str) or when.upper() not in PERIODS:
        options.refuse(owner, "when", when, "S, M, H, D, midnight, or W0 (Monday) to W6")
    return Schedule(when.upper(), interval, utc, at)


def _time_of_day(owner: object, value: object) -> dt.time | None:
    if value is None or isinstance(value, dt.time):
        return value
    try:
        return dt.time.fromisoformat(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):  # YAML reads 03:30:00 without quotes as a number in base 60
        options.refuse(owner, "atTime", value, "a datetime.time or a text such as '03:30' (in quotes)")


def _compress(owner: object, value: object) -> bool:
    word = "none" if value is None else value
    if word not in ("none", "gzip"):
        options.refuse(owner, "compress", value, "'gzip' or none")
    return word == "gzip"


def _limit(read: Callable[..., Any], owner: object, name: str, value: object) -> Any:
    return 0 if value is None else read(owner, name, value)


def _mode_bits(owner: object, value: object) -> int | None:
    if value is None:
        return None
    bits = value
    if isinstance(value, str):
        try:
            bits = int(value, 8)
        except ValueError:
            bits = -1
    # The decimal numbers 600, 640, 644 and so on, meant as octal, do not let the owner read.
    if not isinstance(bits, int) or isinstance(bits, bool) or bits & ~0o7777 or bits & 0o600 != 0o600:
        options.refuse(owner, "mode_bits", value, "octal permissions that let the owner read and write: '0640'")
    return bits


def _scrubber() -> Scrubber:
    from loghub.scrub.own import scrubber

    return scrubber()


def _told(record: logging.LogRecord) -> list[dict[Any, Any]]:
    """Return what `record` says by name: its `extra`, and arguments in a dict."""
    fields = record.__dict__
    names = fields.keys() - _FIELDS
    told = [{name: fields[name] for name in names}] if names else []
    return [*told, record.args] if type(record.args) is dict else told
