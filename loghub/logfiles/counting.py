"""Events from log files into a ledger, each once: a file is a journal, whose offset says what was counted.

A stretch of a file goes into the ledger in one transaction with the position after it, as a stretch of a journal
does. Whatever ends a run, the next one goes on where the ledger is. What was not complete when a file ended, and may
still be being written, is left for then.

Of each group the first events of a run are kept whole, and the newest of each stretch. No destination is told: an
old error opens no issue.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loghub.errors import LedgerError
from loghub.event import dumps
from loghub.journal import writing
from loghub.journal.reading import Fold, Tally
from loghub.logfiles import identity
from loghub.logfiles.records import Records
from loghub.logfiles.source import REWIND, Source, SourceError
from loghub.logfiles.telling import Teller
from loghub.logfiles.times import Clock

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from loghub.capture import Capture
    from loghub.ledger.protocol import Ledger
    from loghub.logfiles.identity import Known, Window
    from loghub.logfiles.layouts import Layout
    from loghub.logfiles.records import Record
    from loghub.logfiles.telling import Told

STRETCH_BYTES = 32 << 20
"""A stretch is about so long."""

MAX_TOLD = 16 << 20
"""A stretch ends earlier when the texts that wait to be kept have so many characters."""

MAX_GROUPS = 5000
"""... or so many groups."""

MAX_REMEMBERED = 100_000
"""Groups that a run counts, and whose kept events it counts; with more, some keep more than others."""

MAX_HOURS = 5000

LIVE_SECONDS = 600.0
"""Somebody may still be writing a file that was changed so short a time ago."""

BUSY_SECONDS = (0.1, 0.5, 2.0, 5.0)
"""How long to wait for a ledger that others write to, before each new try."""


@dataclass(slots=True)
class Report:
    """What became of one file.

    Attributes:
        name: As it was given.
        lines: That were read.
        errors: That were counted.
        first_at, last_at: Times of the first and last of them (epoch seconds).
        timeless: How many of them have no time of their own.
        held: Whether its last record is not complete, and left for the next run.
        known: Bytes of it that were counted before.
        trouble: Why not all of it could be read; empty if it was.
    """

    name: str
    lines: int = 0
    errors: int = 0
    first_at: float = float("inf")
    last_at: float = 0.0
    timeless: int = 0
    held: bool = False
    known: int = 0
    trouble: str = ""


@dataclass(slots=True)
class _Newest:
    """The newest occurrence of a group in a stretch, while it is not kept."""

    at: float
    key: str
    told: Told


@dataclass(slots=True)
class _Stretch:
    """What was counted since the last fold."""

    groups: dict[str, Tally] = field(default_factory=dict)
    newest: dict[str, _Newest] = field(default_factory=dict)
    size: int = 0  # characters that are held, about


class Importer:
    """Counts files.

    Args:
        ledger: Where to.
        capture_of: Makes the Capture for an environment and a release that a record says, or for ``""``: not said.
        window: What is taken.
        zone: What times without a zone are in; None: this machine's.
        layout: Reads the lines of a format that the user gave.
        dry: Change nothing.
        now: The time.
        sleep: Waits.

    Attributes:
        counts: Occurrences by fingerprint, of the first `MAX_REMEMBERED` groups.
        hours: Hours (since the epoch) in which a group was counted, by fingerprint, of the first `MAX_HOURS` groups.
        more: Whether there were more groups than are remembered.
    """

    def __init__(
        self,
        ledger: Ledger,
        capture_of: Callable[[str, str], Capture],
        *,
        window: Window,
        zone: tzinfo | None = None,
        layout: Layout | None = None,
        dry: bool = False,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.hours: dict[str, set[int]] = {}
        self.more = False
        self.ledger = ledger
        self.teller = Teller(capture_of, window.level)
        self.window = window
        self.zone = zone
        self.layout = layout
        self.dry = dry
        self.now = now
        self.kept: Counter[str] = Counter()
        self._sleep = sleep
        self._offsets: dict[str, int] = {}  # of a dry run, which leaves the ledger as it is

    def take(self, name: str, progress: Callable[[int], None] = lambda _: None) -> Report:
        """Count the file `name`.

        Args:
            name: Its path, or ``-``.
            progress: Told how many bytes of it were read.

        Raises:
            SourceError: It cannot be read.
            LedgerError: The ledger cannot be used.
        """
        source = Source(name)
        reopen = (lambda: Source(name)) if source.may_grow or source.size else None
        try:
            known, source = identity.find(source, self.ledger, reopen)
            run = _Run(self, source, known, progress)
            if source.position > run.start:
                if reopen is None:
                    raise SourceError("was imported for another time: give a file, as a pipe cannot be read twice.")
                source.close()
                run.source = source = reopen()
            return run.go()
        finally:
            source.close()

    def offset(self, name: str, known: int) -> int:
        """Return the offset of a journal, which the ledger is known to have at `known`."""
        return self._offsets.get(name, known) if self.dry else known

    def fold(self, fold: Fold) -> bool:
        """Have the ledger take a stretch; wait where others write to it."""
        for group, tally in fold.groups.items():
            if group in self.counts or len(self.counts) < MAX_REMEMBERED:
                self.counts[group] += tally.count
            else:
                self.more = True
            if group in self.hours or len(self.hours) < MAX_HOURS:
                self.hours.setdefault(group, set()).update(hour for hour, *_ in tally.hours)
        if self.dry:
            self._offsets[fold.journal] = fold.end
            return True
        for seconds in BUSY_SECONDS:
            try:
                return self.ledger.fold(fold)
            except LedgerError:
                self._sleep(seconds)
        return self.ledger.fold(fold)


class _Run:
    """One file, counted from where it was counted before."""

    def __init__(self, importer: Importer, source: Source, known: Known, progress: Callable[[int], None]) -> None:
        self.source = source
        self._importer = importer
        self._window = importer.window
        self._progress = progress
        self._name = known.name
        self._journal = known.name + self._window.suffix
        self._offset = importer.offset(self._journal, known.offsets.get(self._window, 0))
        self.start = identity.position_of(self._offset)
        self._others = [
            (window, identity.position_of(offset))
            for window, offset in known.offsets.items()
            if offset and window != self._window
        ]
        self._records = Records(self._window.level, importer.layout)
        newest = importer.now() if source.modified is None else min(source.modified, importer.now())
        self._clock = Clock(importer.zone, newest, importer.now())
        self._stretch = _Stretch()
        self._at = self.start
        self.report = Report(source.name, known=self.start)

    def go(self) -> Report:
        """Read the rest of the file, and count what it says."""
        source, report = self.source, self.report
        if source.skip(self.start):
            if source.head and not self._importer.dry:
                identity.remember(self._importer.ledger, self._name, self._window)
            *lines, _ = source.before(self.start, REWIND).split(b"\n")
            self._records.warm(self.start, lines[self.start > REWIND :])
            self._read()
        report.trouble = report.trouble or source.trouble
        return report

    def _read(self) -> None:
        records, position, begin, ended = self._records, self.start, self.start, True
        for begin, lines, ended in self.source.lines():
            records.feed(begin, lines)
            position = begin + sum(map(len, lines)) + len(lines) - (not ended)
            for record in records.ready(position):
                self._count(record)
            self._progress(self.source.progress())
            self.report.lines = records.count
            if self._is_long(position) and not self._fold(records.reached(position)):
                return
        if not ended and self._is_live():
            position, self.report.held = begin, True
        for record in records.rest():
            if self._is_live() and (record.unfinished or (not ended and record.touched == begin)):
                position, self.report.held = record.start, True
                break
            self._count(record)
        self._fold(position)

    def _is_live(self) -> bool:
        """Return whether what is not complete may still become so."""
        source = self.source
        recent = source.modified is not None and source.modified > self._importer.now() - LIVE_SECONDS
        return bool(source.trouble) or (source.may_grow and recent)

    def _is_long(self, position: int) -> bool:
        stretch = self._stretch
        return position - self._at >= STRETCH_BYTES or stretch.size >= MAX_TOLD or len(stretch.groups) >= MAX_GROUPS

    def _count(self, record: Record) -> None:
        at, own = self._time(record)
        level = math.inf if record.has_traceback else record.head.level or 0
        if not self._window.holds(at, level) or any(
            record.start < position and window.holds(at, level) for window, position in self._others
        ):
            return
        told = self._importer.teller.tell(record, at, f"{os.path.basename(self.source.name)}:{record.start}")
        if told is None:
            return
        report = self.report
        report.errors += 1
        report.timeless += not own
        report.first_at, report.last_at = min(report.first_at, at), max(report.last_at, at)
        self._add(record, at, told)

    def _time(self, record: Record) -> tuple[float, bool]:
        """Return when a record was made, and whether it says so itself."""
        read = self._clock.read
        at = read(record.head.time)
        at = at if at is not None else read(record.collected)
        if at is not None:
            return at, True
        before = read(record.before)
        return (self._clock.newest if before is None else before), False

    def _add(self, record: Record, at: float, told: Told) -> None:
        stretch, importer, mark = self._stretch, self._importer, told.fingerprint
        tally = stretch.groups.get(mark)
        if tally is None:
            tally = stretch.groups[mark] = Tally()
        tally.count += 1
        tally.first_at, tally.last_at = min(tally.first_at, at), max(tally.last_at, at)
        tally.level = max(tally.level, told.level)
        tally.hours[int(at // 3600), told.release, told.environment] += 1
        tally.environments[told.environment] += 1
        tally.releases[told.release] += 1
        if importer.dry:
            return
        waits = stretch.newest.get(mark)
        if importer.kept[mark] < writing.KEEP_PER_GROUP:
            if mark not in importer.kept and len(importer.kept) >= MAX_REMEMBERED:
                importer.kept.pop(next(iter(importer.kept)))
            importer.kept[mark] += 1
            self._keep(tally, told, self._key(record))
            if waits is not None and waits.at <= at:
                del stretch.newest[mark]
        elif waits is None or waits.at <= at:
            stretch.size += told.size - (waits.told.size if waits is not None else 0)
            stretch.newest[mark] = _Newest(at, self._key(record), told)

    def _key(self, record: Record) -> str:
        """Return the id of a record's event, the same whoever imports it."""
        return hashlib.blake2b(f"{self._name}:{record.start}".encode(), digest_size=16).hexdigest()

    def _keep(self, tally: Tally, told: Told, key: str) -> None:
        event = told.event(key)
        text = dumps(event)
        tally.event = tally.event or event
        tally.kept.append(event)
        tally.texts[id(event)] = text
        tally.levels[id(event)] = told.level
        self._stretch.size += 2 * len(text)

    def _fold(self, position: int) -> bool:
        """Have the ledger take what was counted; False where somebody else has."""
        stretch, self._stretch = self._stretch, _Stretch()
        if position == self._at:
            return True
        for mark, newest in stretch.newest.items():
            self._keep(stretch.groups[mark], newest.told, newest.key)
        end = identity.stamp(self.source, position)
        if not self._importer.fold(Fold(self._journal, self._offset, end, stretch.groups)):
            self.report.trouble = "is being imported by another process: what that one counts is not counted here"
            return False
        self._offset, self._at = end, position
        return True
