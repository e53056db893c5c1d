"""Lines into records: what belongs to one error, where several processes write one file.

A head begins a record; what follows is its own until the next head. But a record whose traceback has not come to its
end then (the line that names the exception) waits for it, since a line of another process fell between: indented
lines go to the traceback that is unfinished, the exception's line ends it, and the sentence of a chain opens it again.
Where a collector's prefix tells processes apart, each has a lane of its own. A traceback without a head is a record,
too.

Records are given out in the order in which they begin, so that all that begins before a position is known to be
complete there.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

from loghub.logfiles import heads, objects, wrapping
from loghub.logfiles.heads import LEVELS, Head

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loghub.logfiles.layouts import Layout

MAX_RECORD = 256 << 10
"""Bytes after which a record's lines are left out, but for some that may name its exception."""

MAX_HELD = 16 << 20
"""Bytes of records that are not complete; the oldest is taken as it is when there are more."""

IDLE = 1 << 20
"""A record for which no line came in so many bytes is complete."""

MAX_SPAN = 2 << 20
"""A record that began so many bytes ago is taken as it is."""

MAX_LINE = 16 << 10
"""What is beyond that of a line which is no JSON is left out: more than an event has room for."""

MAX_LANES = 256
MAX_WAITING = 8
_MORE = 64 << 10

PLAIN, STACK, GROUP, ENDED, CHAIN, FOREIGN = range(6)
_UNFINISHED = (STACK, GROUP, CHAIN)

_TRACEBACK = b"Traceback (most recent call last):"
_CHAINS = frozenset({
    b"The above exception was the direct cause of the following exception:",
    b"During handling of the above exception, another exception occurred:",
})  # fmt: skip
_EXCEPTION = re.compile(rb"[A-Za-z_\x80-\xff][\w.<>\x80-\xff]*(?:: |:?$)")
_GROUP_END = re.compile(rb" +\+-{20,}$")
_MARGIN = re.compile(rb" {2,}[|+]")
_BROKEN_FILE = re.compile(rb'  File ".*", line \d+$')
_CAUGHT_HERE = b'> File "'  # loguru's mark of a frame
_COLOUR = re.compile(rb"\x1b\[[0-9;]*m")
_FOREIGN = re.compile(
    rb'(?:panic: |fatal error: |Exception in thread "|thread \'[^\n]{0,200}\' (?:\(\d+\) )?panicked at '
    rb"|Fatal Python error: |terminate called |PHP Fatal error: |Unhandled exception\. )"
)
_ACCESS = re.compile(rb'[^"]{0,200}"[A-Z]{3,10} \S+ HTTP/')
_OWN = b"Error reporter"


class Record:
    """One error as a file has it.

    Attributes:
        start: Where its first line begins; of a line that only a traceback behind it made one, the traceback.
        head: What that line says; of a bare traceback nothing.
        lines: Those after it.
        size: Their bytes; of one that is JSON, all its bytes.
        collected: When a collector got it; None if nothing says so.
        before: The time of the record before it.
        stage: How far its traceback has come.
        quoted: It is within what another process told, between lines of three quotes.
        done: It is complete.
    """

    __slots__ = ("before", "collected", "done", "head", "lines", "quoted", "size", "stage", "start", "touched")

    def __init__(self, start: int, head: Head, collected: object, before: object) -> None:
        self.start = self.touched = start
        self.head = head
        self.collected = collected
        self.before = before
        self.lines: list[bytes] = []
        self.size = 0
        self.stage = PLAIN
        self.quoted = self.done = False

    @property
    def has_traceback(self) -> bool:
        """Whether it tells of an exception, and counts at any level."""
        return self.stage != PLAIN or bool(self.head.traceback)

    @property
    def unfinished(self) -> bool:
        """Whether its traceback has not come to its end."""
        return self.stage in _UNFINISHED


_Quiet = tuple[int, bytes, "re.Match[bytes] | Head", bytes]
"""Where a head begins, its line, what was found in it, and when a collector got it."""


class _Lane:
    """What one program writes."""

    __slots__ = ("current", "partial", "quiet", "waiting")

    def __init__(self) -> None:
        self.current: Record | None = None
        self.quiet: _Quiet | None = None  # the last head, which is no error so far
        self.waiting: list[Record] = []
        self.partial: bytes | None = None


class Records:
    """Reads lines into records of some level on, and those with a traceback.

    Args:
        level: The lowest logging level of a record without a traceback.
        layout: Reads the lines of a format that the user gave.

    Attributes:
        count: Lines that were read.
    """

    def __init__(self, level: int = LEVELS["ERROR"], layout: Layout | None = None) -> None:
        self.level = level
        self.count = 0
        self._layout = layout
        self._lanes: dict[bytes, _Lane] = {}
        self._lane = _Lane()
        self._pending: deque[Record] = deque()
        self._held = 0
        self._timed: re.Match[bytes] | object = None

    # Lines ------------------------------------------------------------------------------------------------

    def warm(self, position: int, lines: Sequence[bytes]) -> None:
        """Learn what stands before `position`, where the first line to be read begins; it was counted already."""
        self.feed(position, lines)
        self._pending.clear()
        self.count = self._held = 0
        for lane in (self._lane, *self._lanes.values()):
            lane.partial = None

    def feed(self, begin: int, lines: Sequence[bytes]) -> None:
        """Take the next lines, the first of which begins at `begin`."""
        position = begin
        for raw in lines:
            line = raw
            if line[-1:] == b"\r":
                line = line[:-1]
            if line[:1] == b"\0":
                line = line.lstrip(b"\0")
            if b"\x1b" in line:
                line = _COLOUR.sub(b"", line)
            inner = wrapping.unwrap(line)
            if inner is None:
                self._take(self._lane, position, line, b"")
            else:
                self._unwrapped(position, inner)
            position += len(raw) + 1
        self.count += len(lines)

    def _unwrapped(self, position: int, inner: wrapping.Unwrapped) -> None:
        lane = self._lanes.get(inner.lane)
        if lane is None:
            if len(self._lanes) >= MAX_LANES:
                self._end(self._lanes.pop(next(iter(self._lanes))))
            lane = self._lanes[inner.lane] = _Lane()
        line = inner.line
        if lane.partial is not None:
            line, lane.partial = lane.partial + line, None
        if inner.goes_on and len(line) < MAX_RECORD:
            lane.partial = line
            return
        self._take(lane, position, line, inner.time)

    def _take(self, lane: _Lane, position: int, line: bytes, collected: bytes) -> None:
        if line[:1] == b"{" and (head := objects.parse(line)) is not None:
            self._whole(lane, position, head, collected, len(line))
            return
        if len(line) > MAX_LINE:
            line = line[:MAX_LINE]
        if self._layout is not None and (head := self._layout.read(line)) is not None:
            self._begin(lane, (position, line, head, collected), head.level)
            if head.time is not None:
                self._timed = head.time
            return
        found = heads.match(line)
        if found is None:
            self._continue(lane, position, line, collected)
            return
        self._begin(lane, (position, line, found, collected), heads.level_of(found))
        if heads.has_time(found):
            self._timed = found

    # Heads ------------------------------------------------------------------------------------------------

    def _begin(self, lane: _Lane, quiet: _Quiet, level: int | None) -> None:
        if lane.waiting or lane.current is not None:
            self._step_back(lane)
        if level is not None and level >= self.level:
            lane.quiet, lane.current = None, self._promoted(quiet)
        else:
            lane.quiet = quiet

    def _promoted(self, quiet: _Quiet) -> Record:
        """Open the record that a head begins."""
        position, line, found, collected = quiet
        head = found if isinstance(found, Head) else heads.read(line, found)
        if _OWN in line and b"loghub" in line:
            head.said["name"] = "loghub"  # its own life is not reported
        return self._open(position, head, collected)

    def _whole(self, lane: _Lane, position: int, head: Head, collected: bytes, size: int) -> None:
        """Take a record that is one line."""
        if lane.waiting or lane.current is not None:
            self._step_back(lane)
        lane.quiet = None
        if head.traceback or (head.level is not None and head.level >= self.level):
            record = self._open(position, head, collected)
            record.done, record.size = True, size
            self._held += size
        if head.time is not None:
            self._timed = head.time

    def _open(self, position: int, head: Head, collected: bytes) -> Record:
        timed = self._timed
        before = heads.time_of(timed) if isinstance(timed, re.Match) else timed
        record = Record(position, head, collected.decode() or None, before)
        self._pending.append(record)
        return record

    def _step_back(self, lane: _Lane) -> None:
        """Make room for the next head: what is complete is closed, but for the record just before it."""
        for record in lane.waiting:
            if not record.unfinished:
                record.done = True
        lane.waiting = [record for record in lane.waiting if not record.done]
        if lane.current is not None:
            lane.waiting.append(lane.current)
            lane.current = None
        while len(lane.waiting) > MAX_WAITING:
            lane.waiting.pop(0).done = True

    # Other lines ------------------------------------------------------------------------------------------

    def _continue(self, lane: _Lane, position: int, line: bytes, collected: bytes) -> None:
        current = lane.current
        if current is not None and current.quoted:
            current.quoted = line != b'"""'
            self._add(current, position, line)
        elif _TRACEBACK in line:
            self._traceback(lane, position, line, collected)
        elif line[:1] in (b" ", b"\t") or line.startswith(_CAUGHT_HERE):
            self._indented(lane, position, line, collected)
        elif line in _CHAINS:
            self._chained(lane, position, line)
        elif current is not None and current.stage in (STACK, GROUP) and line:
            if _EXCEPTION.match(line):  # else somebody's print stands in the stack
                self._add(current, position, line, ENDED)
        elif (waits := self._waiting(lane, STACK)) is not None and _EXCEPTION.match(line):
            self._add(waits, position, line, ENDED)
        elif _FOREIGN.match(line) and (current is None or current.stage in (ENDED, FOREIGN)):
            self._bare(lane, position, line, FOREIGN, collected)
        elif current is not None:
            current.quoted = current.stage == ENDED and line == b'"""'
            self._add(current, position, line)

    def _traceback(self, lane: _Lane, position: int, line: bytes, collected: bytes) -> None:
        current = lane.current
        stage = GROUP if line.startswith((b"  + ", b"  | ")) else STACK
        opened = self._waiting(lane, CHAIN)
        if opened is not None and (current is None or current.stage != CHAIN):
            self._add(opened, position, line, stage)
        elif current is None and (earlier := self._waiting(lane, PLAIN)) is not None and not earlier.lines:
            # An error without more, a line of somebody else, a traceback.
            self._add(earlier, position, line, stage)
        elif current is None and lane.quiet is not None and not _ACCESS.match(lane.quiet[1]):
            # From here on others may have begun already: it begins here, too, as records are given out in order.
            lane.current, lane.quiet = self._promoted((position, *lane.quiet[1:])), None
            self._add(lane.current, position, line, stage)
        elif current is None:
            self._bare(lane, position, line, stage, collected)
        elif current.stage in (PLAIN, CHAIN):
            self._add(current, position, line, stage)
        elif line[:1] == b" " and not line.startswith(b"  + "):
            self._add(current, position, line)  # within a group, or told in a message
        elif current.stage == STACK and (earlier := self._waiting(lane, PLAIN)) is not None:
            # Two heads, then two tracebacks: each has one.
            lane.waiting.remove(earlier)
            lane.waiting.append(current)
            lane.current = earlier
            self._add(earlier, position, line, stage)
        else:
            self._bare(lane, position, line, stage, collected)

    def _indented(self, lane: _Lane, position: int, line: bytes, collected: bytes) -> None:
        current = lane.current
        if current is None or current.stage not in (STACK, GROUP):
            current = self._waiting(lane, STACK) or self._waiting(lane, GROUP) or current
        if current is not None:
            stage = current.stage
            if stage == GROUP and _GROUP_END.match(line):
                stage = ENDED
            elif stage == ENDED and _MARGIN.match(line):  # the group around that which has ended
                stage = GROUP
            self._add(current, position, line, stage)
        elif _BROKEN_FILE.match(line):
            self._bare(lane, position, line, STACK, collected)

    def _chained(self, lane: _Lane, position: int, line: bytes) -> None:
        current = lane.current
        if current is None or not (current.lines or current.stage != PLAIN):
            current = self._waiting(lane, ENDED)
        if current is not None:
            self._add(current, position, line, CHAIN)

    def _bare(self, lane: _Lane, position: int, line: bytes, stage: int, collected: bytes) -> None:
        """Begin a record that has no head."""
        if lane.waiting or lane.current is not None:
            self._step_back(lane)
        lane.current = self._open(position, Head(None), collected)
        self._add(lane.current, position, line, stage)

    @staticmethod
    def _waiting(lane: _Lane, stage: int) -> Record | None:
        if not lane.waiting:
            return None
        return next((record for record in reversed(lane.waiting) if record.stage == stage), None)

    def _add(self, record: Record, position: int, line: bytes, stage: int | None = None) -> None:
        if stage is not None:
            record.stage = stage
        record.touched = position
        if record.size < MAX_RECORD or (line[:1] > b" " and record.size < MAX_RECORD + _MORE):
            kept = line.replace(b"\0", b"")
            record.lines.append(kept)
            record.size += len(kept) + 1
            self._held += len(kept) + 1

    # Records ----------------------------------------------------------------------------------------------

    def _end(self, lane: _Lane) -> None:
        for record in (*lane.waiting, lane.current):
            if record is not None:
                record.done = True
        lane.waiting, lane.current = [], None

    def ready(self, position: int) -> list[Record]:
        """Return the records that are complete, and before which all are, when the lines before `position` were fed."""
        pending = self._pending
        found: list[Record] = []
        while pending:
            first = pending[0]
            if not first.done:
                is_open = position - first.touched <= IDLE and position - first.start <= MAX_SPAN
                if is_open and self._held <= MAX_HELD:
                    break
                self._forget(first)
            found.append(pending.popleft())
            self._held -= first.size
        return found

    def _forget(self, record: Record) -> None:
        """Take a record as it is."""
        record.done = True
        for lane in (self._lane, *self._lanes.values()):
            if lane.current is record:
                lane.current = None
            elif record in lane.waiting:
                lane.waiting.remove(record)

    def rest(self) -> list[Record]:
        """Return what was not given out when the content ended."""
        found = list(self._pending)
        self._pending.clear()
        self._lanes.clear()
        self._lane = _Lane()
        return found

    def reached(self, position: int) -> int:
        """Return up to where all is given out, when the lines before `position` were fed."""
        return self._pending[0].start if self._pending else position
