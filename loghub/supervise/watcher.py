"""A stream of bytes, cut anywhere, into the tracebacks in it; most of it is only searched for the head of one.

Around a head the lines are read as those of a log file are (`loghub.logfiles`): chains, groups, colours, lines of
other processes in between, records that are JSON. What is found depends on the bytes alone, not on how they are cut.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from loghub.logfiles import heads
from loghub.logfiles.records import FOREIGN, MAX_RECORD, Records
from loghub.logfiles.telling import texts
from loghub.supervise.intake import Tail
from loghub.traceback_text import TRACEBACK_HEAD

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

from loghub.logfiles.records import Record

CALM_LINES = 20
"""So many lines after a traceback that are none of one's, and the stream is only searched again."""

BEFORE_LINES = 8
"""Lines before a head that may belong to it: the record that was logged, `Exception in thread ...`."""

_HEAD = TRACEBACK_HEAD[:-1].encode()
_BEFORE_BYTES = 4 << 10
_BACK_BYTES = 64 << 10  # how far before a head its line may begin: a record that is JSON is one line
_KEPT_BYTES = _BACK_BYTES + _BEFORE_BYTES + len(_HEAD)
_ERROR = 40
_COLOUR = re.compile(rb"\x1b\[[0-9;]*m|\r$")
_UNCAUGHT = re.compile(
    rb"(?:Exception in thread |Exception ignored |Process .{1,200}:\r?$|Error in sys\.excepthook"
    rb"|Exception in (?:callback|default exception handler))"
)


class Found(NamedTuple):
    """A traceback in the stream.

    Attributes:
        end: Where it ends, in bytes from the beginning of the stream.
        text: As Python prints it.
        message: What was logged with it, or what Python says before one that nobody caught; else empty.
        level: Of the log record that it belongs to; None: it belongs to none.
        logger: Of that record; empty if nothing says so.
    """

    end: int
    text: str
    message: str
    level: int | None
    logger: str


class Watcher:
    """Finds tracebacks in a stream."""

    def __init__(self) -> None:
        self._kept = Tail(_KEPT_BYTES)  # of what was searched, the last bytes
        self._edge = b""  # and of those so many as may begin a head
        self._line = b""  # of what is read as lines, the one that has not ended
        self._position = 0  # where `_line` begins, or what is kept ends
        self._reads = False
        self._settled = 0  # what stands before belongs to what was found
        self._begin()

    def _begin(self) -> None:
        self._records = Records()
        self._calm = 0
        self._heads: deque[tuple[int, bytes]] = deque(maxlen=1024)  # of heads: where, and the line before
        self._before = b""
        self._recent: deque[bytes] = deque(maxlen=BEFORE_LINES)

    @property
    def is_reading(self) -> bool:
        """Whether something was found that may go on."""
        return self._reads

    @property
    def is_within(self) -> bool:
        """Whether it ends in the midst of a stack."""
        line = self._before
        return bool(self._line) or _HEAD in line or (line[:1] in (b" ", b"\t") and not line.rstrip().endswith(b"----"))

    def feed(self, data: bytes) -> Iterator[Found]:
        """Take the next bytes; yield what is complete."""
        while data:
            if self._reads:
                data = yield from self._read(data)
            else:
                data = self._search(data)

    def end(self) -> Iterator[Found]:
        """Yield what may be incomplete: nothing comes for a while, or ever, or something was left out."""
        if not self._reads:
            self._forget()
            return
        if self._line:
            self._take(self._line)
            self._position += len(self._line)
        yield from self._close()

    # Searching --------------------------------------------------------------------------------------------

    def _search(self, data: bytes) -> bytes:
        """Return the bytes from some lines before a head on; nothing if there is none. Copies nothing before that."""
        edge = self._edge + data[: len(_HEAD) - 1]
        if _HEAD not in edge and data.find(_HEAD) < 0:
            self._keep(data)
            return b""
        first = self._position - self._kept.held
        whole = b"".join((*self._kept.chunks, data))
        begin = self._begin_of(whole, whole.find(_HEAD, max(0, self._settled - first)), first)
        self._reads, self._line = True, b""
        self._position = first + begin
        self._forget()
        return whole[begin:]

    def _keep(self, data: bytes) -> None:
        self._position += len(data)
        self._kept.add(data)
        self._edge = (self._edge + data)[1 - len(_HEAD) :] if len(data) < len(_HEAD) else data[1 - len(_HEAD) :]

    def _forget(self) -> None:
        self._kept, self._edge = Tail(_KEPT_BYTES), b""

    def _begin_of(self, whole: bytes, at: int, first: int) -> int:
        """Return where the lines begin that are to be read for a head at `at`."""
        settled = max(0, self._settled - first)
        line = whole.rfind(b"\n", max(settled, at - _BACK_BYTES), at) + 1 or max(settled, at - _BACK_BYTES)
        low = max(settled, line - _BEFORE_BYTES)
        begin = line
        for _ in range(BEFORE_LINES):
            earlier = whole.rfind(b"\n", low, begin - 1) + 1 if begin > low else 0
            if not earlier:
                # What begins before `low` is cut off; what begins there, is not.
                return low if low == settled else begin
            begin = earlier
        return begin

    # Reading ----------------------------------------------------------------------------------------------

    def _read(self, data: bytes) -> Generator[Found, None, bytes]:
        """Read lines until a while after the last traceback; return the rest."""
        whole = self._line + data
        at = 0
        while True:
            end = whole.find(b"\n", at, at + MAX_RECORD)
            if end < 0 and len(whole) - at < MAX_RECORD:
                break
            line, size = (whole[at:end], end + 1 - at) if end >= 0 else (whole[at : at + MAX_RECORD], MAX_RECORD)
            self._take(line)
            self._recent.append(whole[at : at + size])
            self._position += size
            at += size
            yield from self._told(self._records.ready(self._position))
            if self._calm >= CALM_LINES:
                kept = b"".join(self._recent)  # they may belong to the next
                yield from self._close()
                self._position -= len(kept)
                self._keep(kept)
                return whole[at:]
        self._line = whole[at:]
        return b""

    def _take(self, line: bytes) -> None:
        position = self._position
        if _HEAD in line:
            self._heads.append((position, self._before))
            self._calm = 0
        elif line[:1] in (b" ", b"\t", b"\x1b"):
            self._calm = 0
        else:
            self._calm += 1
        if self._calm <= 1:  # the line behind the stack names the exception
            self._settled = position + len(line)
        self._before = _COLOUR.sub(b"", line)
        self._records.feed(position, [line])

    def _close(self) -> Iterator[Found]:
        found = self._records.ready(self._position) + self._records.rest()
        yield from self._told(found)
        self._reads, self._line = False, b""
        self._begin()

    # Telling ----------------------------------------------------------------------------------------------

    def _told(self, records: Iterable[Record]) -> Iterator[Found]:
        for record in records:
            if record.has_traceback and record.stage != FOREIGN:
                found = self._found(record)
                if TRACEBACK_HEAD in found.text:
                    yield found

    def _found(self, record: Record) -> Found:
        head = record.head
        size = record.size if head.traceback else len(record.lines[-1])
        more = _trim(record.lines)
        del record.lines[len(record.lines) - len(more) :]
        message, text = texts(record)
        level, logger = head.level, str(head.said.get("name") or "")
        before = self._before_head_of(record)
        is_uncaught = _UNCAUGHT.match(before) is not None
        if level is not None and level < _ERROR and not head.traceback and (is_uncaught or heads.match(before) is None):
            level, logger = None, ""  # a record that is no error, and then somebody's traceback
        if level is None:
            message = before.decode("utf-8", "replace").strip().rstrip(":") if is_uncaught else ""
        return Found(record.touched + size - sum(map(len, more)) - len(more), text, message, level, logger)

    def _before_head_of(self, record: Record) -> bytes:
        """Return the line before the first head of a traceback in a record."""
        return next((before for at, before in self._heads if at >= record.start), b"")


def _trim(lines: list[bytes]) -> list[bytes]:
    """Return the lines of a record that others wrote after its traceback: from a blank line behind the exception on."""
    last = next((at for at in reversed(range(len(lines))) if lines[at][:1] in (b" ", b"\t")), 0)
    blank = next((at for at in range(last + 1, len(lines)) if not lines[at].strip()), len(lines))
    return lines[blank:]
