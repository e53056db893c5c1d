"""The journal that a process writes: append only, safe for many threads, never in the application's way."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from loghub import descriptor, runs
from loghub.event import dumps, one_line
from loghub.journal import files
from loghub.journal.lines import EVENT, MAX_TIMES, TORN
from loghub.scrub import cut

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from loghub.capture import Known
    from loghub.sighting import Kind, Sighting

ROTATE_BYTES = 4 << 20
"""A journal this long is left to be folded and removed, and a new one begun."""

MAX_BYTES = 64 << 20
"""No process has more than this waiting to be folded; what does not fit is counted as dropped."""

BRIEF_BYTES = MAX_BYTES // 2
"""With more than this waiting, what would be kept in full is written in brief: counted, and its group known."""

SPILL_BYTES = 8 << 20
"""What is held in memory while the disk is full; what does not fit is counted as dropped."""

MAX_KINDS = 4096
"""Kinds that repeats can refer to; a kind beyond that is written in full once more."""

AHEAD_SECONDS = 3600.0
"""A record that was made further ahead than that has its time from a clock that was wrong."""

TIMES = "_loghub_times"
"""A record's attribute: for how many occurrences it stands, where that is not one."""

KEEP_PER_GROUP = 20
"""Occurrences of one group that a process keeps in full in one hour; the others are counted."""

_BRIEF = (
    *("timestamp", "error_type", "error_message", "module", "function", "id", "fingerprint", "error_module"),
    *("level", "logger", "component", "environment", "release", "server", "platform", "mechanism"),
)
_BRIEF_CHARS = 200


class _Entry:
    """What the journal knows of one kind.

    Attributes:
        no: Its number in the file.
        marks: What a repeat is marked with: that it is counted, and whom it is for.
        quiet: From when until when its occurrences are counted only: the hour in which enough were kept.
    """

    __slots__ = ("line", "marks", "no", "quiet_from", "quiet_until")

    def __init__(self, no: int, marks: frozenset[str]) -> None:
        self.no = no
        self.line = b"%d\n" % no
        self.marks = marks
        self.quiet_from = self.quiet_until = 0.0


def mark_of(token: str, destination: str | None) -> str:
    """Return what marks a record as written down in the home of a token, for `destination` or at all."""
    return token if destination is None else f"{token} {destination}"


class Journal:
    """Appends what happened; safe for many threads, never raises for want of a disk.

    Args:
        folder: Where the files are, or None to write into memory.
        token: Marks a record as counted by this home.
        write: ``os.write``, or what a test puts in its place.
    """

    def __init__(self, folder: str | None, token: str, *, write: Callable[[int, bytes], int] = os.write) -> None:
        self.folder = folder
        self.token = token
        self.keep = KEEP_PER_GROUP
        self.dropped = 0
        self._trouble = ""
        self._write = write
        self._lock = threading.RLock()  # a signal handler may log while its own thread is in here
        self._spill: deque[tuple[bytes, int]] = deque()  # lines, and how many occurrences each is
        self._spilled = 0
        self._torn = False
        self._kept: dict[str, tuple[int, int]] = {}
        self._fd = -1
        self._last_no = 0
        self.forget_kinds()
        self._open(folder)

    def _open(self, folder: str | None) -> None:
        """Begin a new file.

        Raises:
            OSError: The folder cannot be written.
        """
        if folder is not None:
            os.makedirs(os.path.dirname(folder), mode=0o700, exist_ok=True)  # the mode counts for the last one only
            os.makedirs(folder, mode=0o700, exist_ok=True)
        self.name, self._fd = files.create(folder)
        self._identity = descriptor.identity(self._fd)
        self.size = 0
        self.folded = 0  # moved on by whoever folds; bounds what waits
        self._append(dumps({"journal": 1, "pid": os.getpid(), "at": time.time()}).encode() + b"\n", 0)

    def _open_again(self) -> None:
        """Begin a new file, or one in memory until the next rotation; without either, lines are held back."""
        for folder in (self.folder, None):
            try:
                return self._open(folder)
            except OSError:
                continue
        return None

    @property
    def held(self) -> str:
        """Why lines are held in memory now; an empty text if none are."""
        return (self._trouble or "no file can be opened") if self._spill or self._torn else ""

    @property
    def missing(self) -> int:
        """How many occurrences are not on the disk now."""
        return self.dropped + sum(occurrences for _, occurrences in list(self._spill))

    @property
    def fd(self) -> int:
        """The open file, for reading with ``os.pread`` in the process that owns it."""
        return self._fd

    def forget_kinds(self) -> None:
        """Write each kind in full once more: the file is new, or who is told has changed; takes no lock."""
        self._entries: dict[Kind, _Entry] = {}
        self._second = 0

    def again(self, known: Known, mark: str, at: float) -> Sighting | None:
        """Count one more of a kind whose repeats are for `mark`, where a short line says it all.

        Args:
            known: What the record's code path leads to.
            mark: What the record will be marked with at least.
            at: When the record was made.

        Returns:
            What stands for all such records; None: nothing was done, `note` has to look.
        """
        with self._lock:
            if not descriptor.is_at(self._fd, self.size):
                self._look()
            entry = self._entries.get(known.kind)  # type: ignore[arg-type]
            if (
                entry is None
                or not entry.quiet_from <= at < entry.quiet_until
                or mark not in entry.marks
                or self.size - self.folded > MAX_BYTES
            ):
                return None
            second = int(at)
            line = entry.line if second == self._second else b"t %d\n%s" % (second, entry.line)
            if (not self._spill and not self._torn and self._put(line)) or self._append(line, 1):
                self._second = second
        again = known.again
        if again is None or again.marks is not entry.marks:
            again = known.repeat(entry.marks)
        return again

    def note(self, record: logging.LogRecord, sighting: Sighting, destination: str | None, *, selective: bool) -> None:
        """Write down that `destination` wants this record, and count the record if nobody has."""
        kind = sighting.kind
        assert kind is not None
        at = when(record.created)
        counted = self.token in sighting.marks
        if counted and (destination is None or mark_of(self.token, destination) in sighting.marks):
            return
        event = b""
        if kind not in self._entries or (not counted and self._may_keep(kind.fingerprint, at)):
            event = _whole(sighting, record)  # runs the application's __repr__, and is large: not under our lock
        with self._lock:
            counted = self.token in sighting.marks  # another thread may have the same record
            self._look()
            if self._fd < 0:
                self._open_again()
            if self.size - self.folded > MAX_BYTES:
                self._drop(record, sighting, counted=counted)
                return
            entry = self._entries.get(kind)
            n = times_of(record)
            if entry is None or (not counted and self._may_keep(kind.fingerprint, at)):
                event = event or _whole(sighting, record)
                self._note_in_full(record, sighting, event, destination, 0 if counted else n, selective=selective)
                return
            if not counted:
                sighting.marks |= entry.marks
                entry.quiet_from = at // 3600 * 3600
                entry.quiet_until = entry.quiet_from + 3600
                if not self._append_at(at, entry.line if n == 1 else b"%d*%d\n" % (entry.no, n), n):
                    return
            if destination is not None and mark_of(self.token, destination) not in sighting.marks:
                self._route(entry, sighting, destination, n, selective=selective)

    def _note_in_full(
        self,
        record: logging.LogRecord,
        sighting: Sighting,
        event: bytes,
        destination: str | None,
        n: int,
        *,
        selective: bool,
    ) -> None:
        kind = sighting.kind
        assert kind is not None
        at = when(record.created)
        keep = n > 0 and self._may_keep(kind.fingerprint, at)
        if keep:
            sighting.kept = self._keep_number(kind.fingerprint, at)
        told = [] if destination is None or selective or not n else [destination]
        marks = frozenset((self.token, *(mark_of(self.token, name) for name in told)))
        if n:
            sighting.marks |= marks
        self._last_no += 1
        entry = _Entry(self._last_no, marks)
        brief = self.size - self.folded > BRIEF_BYTES
        head = {"no": entry.no, "n": n, "to": told, "at": at, "level": kind.level, "kept": keep and not brief}
        line = b"%s%s%s}\n" % (dumps(head).encode()[:-1], EVENT, _in_brief(sighting, record) if brief else event)
        if not self._append(line, n):
            return
        if n:
            runs.note(self.token, line)
        self._second = int(at)
        self._remember(kind, entry)
        if destination is not None and not told:
            self._route(entry, sighting, destination, times_of(record), selective=selective)

    def _drop(self, record: logging.LogRecord, sighting: Sighting, *, counted: bool) -> None:
        if not counted:
            sighting.marks |= {self.token}
            self.dropped += times_of(record)

    def _remember(self, kind: Kind, entry: _Entry) -> None:
        """Let repeats of `kind` be short, and forget the oldest kind where there are many."""
        if kind not in self._entries and len(self._entries) >= MAX_KINDS:
            self._entries.pop(next(iter(self._entries)))
        self._entries[kind] = entry

    def _route(self, entry: _Entry, sighting: Sighting, destination: str, n: int, *, selective: bool) -> None:
        word, which = b"s" if selective else b"d", b"%d" % entry.no if n == 1 else b"%d*%d" % (entry.no, n)
        if self._append(b"%s %s %s\n" % (word, which, destination.encode()), 0):
            mark = {mark_of(self.token, destination)}
            sighting.marks |= mark
            if not selective:
                entry.marks |= mark

    def _may_keep(self, fingerprint: str, at: float) -> bool:
        hour, kept = self._kept.get(fingerprint, (0, 0))
        return (kept if hour >= int(at // 3600) else 0) < self.keep  # a clock may go back

    def _keep_number(self, fingerprint: str, at: float) -> int:
        hour, kept = self._kept.get(fingerprint, (0, 0))
        if hour < int(at // 3600):
            hour, kept = int(at // 3600), 0
            if len(self._kept) >= 8192:
                self._kept.pop(next(iter(self._kept)))
        self._kept[fingerprint] = (hour, kept + 1)
        return kept

    def _append_at(self, at: float, line: bytes, n: int) -> bool:
        """Append a line of `n` occurrences, with their second before it where that is another one."""
        second = int(at)
        if second == self._second:
            return self._append(line, n)
        if not self._append(b"t %d\n%s" % (second, line), n):
            return False
        self._second = second
        return True

    def _append(self, data: bytes, occurrences: int) -> bool:
        """Write `data`, or hold it in memory while that fails; False: dropped, and its occurrences counted."""
        if self._spill or self._torn:
            self._catch_up()
        elif self._put(data):
            return True
        if self._spilled + len(data) > SPILL_BYTES:
            self.dropped += occurrences
            return False
        self._spill.append((data, occurrences))
        self._spilled += len(data)
        self._catch_up()
        return True

    def _catch_up(self) -> None:
        """Write what was held back; a torn line is first ended by a mark that makes it unreadable."""
        if self._torn and not self._put(TORN):
            return
        while self._spill and self._put(self._spill[0][0]):
            self._spilled -= len(self._spill.popleft()[0])

    def _put(self, data: bytes) -> bool:
        try:
            written = self._write(self._fd, data) if self._fd >= 0 else 0
        except OSError as error:
            self._trouble = error.strerror or str(error)
            return False
        self.size += written
        self._torn = 0 < written < len(data) or (self._torn and written < len(data))
        return written == len(data)

    def tell_dropped(self) -> None:
        """Write what was held back, and how many occurrences were dropped since the last time."""
        with self._lock:
            self._look()
            if self._fd < 0 and (self._spill or self.dropped):
                self._open_again()
            if self._spill or self._torn:
                self._catch_up()
            if self.dropped and not self._spill and not self._torn and self._put(b"x %d\n" % self.dropped):
                self.dropped = 0

    def rotate(self) -> int | None:
        """Begin a new file if this one is long, was deleted under us, or is in memory for want of a folder.

        Returns:
            The old file's descriptor, still locked, for the caller to fold to its end; or None.
        """
        with self._lock:
            if self._fd < 0 or self._spill or self._torn:
                return None
            gone = self.folder is not None and not os.fstat(self._fd).st_nlink
            if self.size < ROTATE_BYTES and not gone:
                return None
            old = self._fd
            try:
                self._open(self.folder)
            except OSError:
                return None
            self.forget_kinds()
            return old

    def detach(self) -> int | None:
        """Let go of the file, for the caller to fold to its end; the next record begins a new one.

        Returns:
            Its descriptor, still locked, or None where lines wait in memory for room on the disk.
        """
        with self._lock:
            if self._fd < 0 or self._spill or self._torn:
                return None
            old, self._fd = self._fd, -1
            self.forget_kinds()
            return old

    def forget(self) -> None:
        """In a forked child: close the descriptor, which would keep the parent's lock alive."""
        self._look()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _look(self) -> None:
        """Let go of a file whose descriptor was closed under us; it is whoever's the number is now.

        The file itself, without a lock, is adopted as one of a process that is gone. What waits in memory refers to
        lines of it.
        """
        if files.fcntl is None or self._fd < 0 or descriptor.is_at(self._fd, self.size):
            return
        if descriptor.is_still(self._fd, self._identity):
            self.size = os.lseek(self._fd, 0, os.SEEK_CUR)  # somebody else wrote there
            return
        self._fd = -1
        self.dropped += sum(occurrences for _, occurrences in self._spill)
        self._spill.clear()
        self._spilled, self._torn = 0, False
        self.forget_kinds()


def times_of(record: logging.LogRecord) -> int:
    """Return for how many occurrences a record stands."""
    said = record.__dict__.get(TIMES)
    return min(max(said, 1), MAX_TIMES) if isinstance(said, int) else 1


def when(created: float) -> float:
    """Return when a record was made, or now where its clock cannot have been right."""
    now = time.time()
    return created if 0.0 <= created <= now + AHEAD_SECONDS else now


def _whole(sighting: Sighting, record: logging.LogRecord) -> bytes:
    """Return the record's event as JSON."""
    return one_line(sighting.laid_out(record))


def _in_brief(sighting: Sighting, record: logging.LogRecord) -> bytes:
    """Return the little of the record's event that says which bug it is, as JSON."""
    event: dict[str, Any] = dict(sighting.whole(record))
    said = {key: cut(str(event[key]), _BRIEF_CHARS) for key in _BRIEF if event.get(key)}
    return dumps(said).encode()
