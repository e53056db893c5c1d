"""The account of one command: what was seen of it, what its processes counted themselves, and what is left to log."""

from __future__ import annotations

import logging
import os
import shlex
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from loghub.codepath import make_room
from loghub.lives.death import claim
from loghub.supervise import endings
from loghub.supervise.intake import Tail
from loghub.supervise.watcher import Found, Watcher
from loghub.traceback_text import TRACEBACK_HEAD, parse_traceback

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from loghub.handlers.base import ReportingHandler
    from loghub.lives.death import Death
    from loghub.runs import Notes
    from loghub.supervise.endings import Report
    from loghub.supervise.oom import Memory
    from loghub.supervise.reporter import Subject

HOLD_SECONDS = 2.0
"""How long a traceback waits for the process that wrote it to say that it has counted it."""

IDLE_SECONDS = 1.0
"""A traceback after which nothing came for so long is complete; one in the midst of its stack after ten times that."""

SAME_SECONDS = 10.0
"""An exception that was logged, and ends the command so many seconds later, is one."""

END_BYTES = 8 << 10
"""A traceback that ends so near to the end of the stream tells why the command ended."""

EXPLAINED_SECONDS = 2.0
"""An error that the command's own processes counted so shortly before the end tells why it ended."""

MEMORY_SECONDS = 1.0
"""How often the kernel is asked, and how long a kill waits: the command itself may end by it."""

MAX_HELD = 16 << 20
"""Characters of tracebacks that wait; the oldest is told early when there are more."""

MAX_KEYS = 4096

LOGGER = "loghub.uncaught"

_UNCAUGHT, _PRINTED = "Uncaught exception", "Traceback on stderr"
_FRAME = ' File "'
_ENDS_ON_PURPOSE = ("KeyboardInterrupt", "SystemExit")

Key = tuple[str, ...]


class Account:
    """What is known of a command, and what of it is logged.

    Args:
        subject: Who runs.
        pid: As what; 0: it does not.
        notes: Where its processes say what they have counted.
        memory: What the kernel says of kills since the start.
        handlers: What reports.

    Attributes:
        skipped: Bytes that were not looked at.
        reported: How many errors were logged.
    """

    def __init__(
        self, subject: Subject, pid: int, notes: Notes, memory: Memory, handlers: list[ReportingHandler]
    ) -> None:
        self.skipped = 0
        self.reported = 0
        self._subject = subject
        self._pid = pid
        self._notes = notes
        self._tokens = {handler.home.token for handler in handlers}
        self._homes = {handler.home.path for handler in handlers if handler.home.path is not None}
        self._log = logging.getLogger(LOGGER)
        self._log.handlers[:] = handlers
        self._log.propagate = self._log.disabled = False
        self._watcher = Watcher()
        self._tail = Tail()
        self._held: deque[tuple[float, Found]] = deque()
        self._held_size = 0
        self._fed_at = 0.0
        self._keys: dict[str, Key] = {}
        self._counted: dict[Key, float] = {}
        self._counted_at = float("-inf")
        self._logged: dict[Key, float] = {}
        self._told_end = float("-inf")  # where the last traceback that is told by somebody ends
        self._memory = memory
        self._kills = 0  # those that were told
        self._killed_at = float("inf")
        self._asked_at = float("-inf")

    # While it runs ----------------------------------------------------------------------------------------

    def read(self, data: bytes, now: float) -> None:
        """Take the next bytes of stderr; none at all stand for some that are left out."""
        self._hold(self._watcher.feed(data) if data else self._before_gap(), now)
        self._tail.add(data)
        self._fed_at = now

    def _before_gap(self) -> list[Found]:
        """Return what is complete before a gap: of a traceback without its end nobody knows the class."""
        cut = self._watcher.is_reading and self._watcher.is_within
        found = list(self._watcher.end())
        return found[:-1] if cut else found

    def look(self, now: float) -> None:
        """Log what has waited long enough."""
        idle = now - self._fed_at
        if self._watcher.is_reading and idle > (10 * IDLE_SECONDS if self._watcher.is_within else IDLE_SECONDS):
            self._hold(self._watcher.end(), self._fed_at)
        self._settle(now - HOLD_SECONDS)
        if now - self._asked_at >= MEMORY_SECONDS:
            self._asked_at = now
            self._look_at_memory(now)

    def _hold(self, found: Iterable[Found], now: float) -> None:
        for one in found:
            self._held.append((now, one))
            self._held_size += len(one.text)
        while self._held_size > MAX_HELD:
            self._settle(self._held[0][0])

    def _settle(self, until: float) -> None:
        """Tell what was seen until then, unless the command's own processes have."""
        if not self._held or self._held[0][0] > until:
            return
        self._read_notes()
        while self._held and self._held[0][0] <= until:
            at, found = self._held.popleft()
            self._held_size -= len(found.text)
            self._tell(found, at)

    def _read_notes(self) -> None:
        for said in self._notes.read(self._tokens):
            at = float(said.get("at", 0))
            for key in _keys_of(said["event"]):
                make_room(self._counted, MAX_KEYS)
                self._counted[key] = max(at, self._counted.get(key, 0.0))
            self._counted_at = max(at, self._counted_at)

    def _tell(self, found: Found, at: float) -> None:
        if _FRAME not in found.text:
            return  # somebody speaks of tracebacks
        key = self._key(found.text)
        if key[0] in _ENDS_ON_PURPOSE:
            return
        is_logged = found.level is not None
        if is_logged and found.level < logging.ERROR:  # type: ignore[operator]
            return
        self._told_end = found.end
        # Of each bug the first occurrences of an hour are noted.
        if self._counted.get(key, 0.0) >= min(at // 3600 * 3600, at - SAME_SECONDS):
            return
        if is_logged:
            make_room(self._logged, MAX_KEYS)
            self._logged[key] = at
        elif self._logged.get(key, float("-inf")) >= at - SAME_SECONDS:
            return
        record = self._record(found.message or _PRINTED, at, found.logger)
        # Who prints a traceback may have caught it; what Python says of one that nobody caught is marked.
        unmarked = logging.CRITICAL if found.message else logging.ERROR
        record.levelno = found.level if found.level is not None else unmarked
        record.levelname = logging.getLevelName(record.levelno)
        record.exc_text = found.text
        self._handle(record)

    def _key(self, text: str) -> Key:
        key = self._keys.get(text)
        if key is None:
            make_room(self._keys, MAX_KEYS // 16)
            key = self._keys[text] = _key_of(parse_traceback(text))
        return key

    def _look_at_memory(self, now: float) -> None:
        """Tell of a kill after which the command lives on."""
        self._memory.add(str(self._pid))  # it may have moved
        kills = self._memory.kills()
        if kills <= self._kills:
            self._killed_at = float("inf")
        elif self._killed_at == float("inf"):
            self._killed_at = now
        elif now - self._killed_at >= MEMORY_SECONDS:
            self._tell_kill(kills, now)

    def _tell_kill(self, kills: int, now: float) -> None:
        self._kills = kills
        words = endings.last_lines(bytes(self._tail))
        self._report(endings.out_of_memory(self._subject.program, self._memory.facts(), words, lives=True), now)

    # At the end -------------------------------------------------------------------------------------------

    def end(self, status: int, sent: Collection[int], now: float) -> None:
        """Log how the command ended, if that is an error.

        Args:
            status: As waitpid gives it.
            sent: The signals that the wrapper was sent, and passed on.
            now: When.
        """
        self._hold(self._watcher.end(), now)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 1:
            self._mark_uncaught()
        self._settle(float("inf"))
        self._read_notes()
        kills = self._memory.kills() - self._kills
        left = self._claim()
        report = endings.of_end(
            self._subject.program,
            status,
            bytes(self._tail),
            explained=self._is_explained(now),
            sent=sent,
            killed=kills,
            memory=self._memory.facts(),
            dump=left.dump if left is not None else "",
            itself=left.program if left is not None else "",
        )
        if report is not None:
            self._report(report, now, left)
        if kills and (report is None or report.told["error_type"] != endings.OUT_OF_MEMORY):
            self._tell_kill(kills, now)

    def never_began(self, sentence: str, code: int) -> None:
        """Log that there is no such command, in the words of `sentence`."""
        self._report(endings.of_start(shlex.join(self._subject.argv), sentence, code), time.time())

    def _claim(self) -> Death | None:
        """Take the word that the command itself has left, for nobody else to report its death."""
        claims = (claim(home, self._pid) for home in self._homes)
        return next((found for found in claims if found is not None), None)

    def _mark_uncaught(self) -> None:
        """Take the last traceback, if nothing comes after it, for what ended the command: not for a mere record's."""
        at, last = self._held[-1] if self._held else (0.0, None)
        if last is None or (last.message and (last.level is None or last.level >= logging.ERROR)):
            return
        if not bytes(self._tail)[last.end - self._tail.position :].strip():
            self._held[-1] = at, last._replace(level=None, logger="", message=_UNCAUGHT)

    def _is_explained(self, now: float) -> bool:
        near = self._tail.position - self._told_end <= END_BYTES
        return near or self._counted_at >= now - EXPLAINED_SECONDS

    # Logging ----------------------------------------------------------------------------------------------

    def _report(self, report: Report, at: float, left: Death | None = None) -> None:
        record = self._record(report.sentence, at)
        if left is not None and left.said.get("component") and not self._subject.component:
            record.__dict__["component"] = left.said["component"]
        context = {"command": shlex.join(self._subject.argv), **report.context}
        if self.skipped:
            context["stderr_bytes_not_looked_at"] = self.skipped
        record.__dict__.update(context, _loghub_told=report.told | _beside(left))
        record.exc_text = report.told["traceback"] or None
        self._handle(record)

    def _record(self, message: str, at: float, logger: str = "") -> logging.LogRecord:
        subject = self._subject
        record = logging.LogRecord(logger or LOGGER, logging.CRITICAL, "", 0, message, None, None)
        record.__dict__.update(
            created=at,
            process=self._pid or None,
            processName=subject.program,
            thread=None,
            threadName=None,
            module=subject.program,
            _loghub_mechanism="process",
            _loghub_program=subject.program,
        )
        if subject.component:
            record.__dict__["component"] = subject.component
        return record

    def _handle(self, record: logging.LogRecord) -> None:
        self.reported += 1
        self._log.handle(record)


def _beside(left: Death | None) -> dict[str, Any]:
    """Return what a command that is gone has said of itself."""
    if left is None:
        return {}
    said = {key: left.said[key] for key in ("environment", "release") if left.said.get(key)}
    return said | {"breadcrumbs": left.breadcrumbs}


def _keys_of(event: Mapping[str, Any]) -> Iterator[Key]:
    """Yield what of an event can be seen in the stream: its exception, and a traceback in the words of that one."""
    yield _key_of(event)
    _, head, rest = str(event.get("error_message", "")).partition(TRACEBACK_HEAD)
    if head:
        yield _key_of(parse_traceback(head + rest))


def _key_of(error: Mapping[str, Any]) -> Key:
    """Return what a traceback and the event of the same exception have in common: class, and where it was raised."""
    kind = str(error.get("error_type", "")).rpartition(".")[2]
    frames = error.get("frames") or ()
    if not frames:
        return kind, str(error.get("error_message", "")).partition("\n")[0]
    at = frames[-1]
    file = os.path.basename(str(at.get("file", "")))
    return kind, file, str(at.get("line", "")), str(at.get("function", "")).rpartition(".")[2]
