"""What a journal says, read into what a ledger takes: one fold after the other, each line once."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from loghub.event import Event, storable
from loghub.journal import files
from loghub.journal.lines import EVENT, MAX_TIMES, TORN

FINGERPRINT_CHARS = 300
"""So much of a fingerprint is told apart, should the application have made one of its own."""

LAST_SECOND = 1e11
"""A time beyond that (in the year 5138) is damage."""


@dataclass(slots=True)
class Tally:
    """What one stretch of a journal says about one group.

    Attributes:
        event: The event that describes the group, if the stretch has one in full.
        count: Occurrences.
        hours: Occurrences by hour (hours since the epoch), release and environment.
        routed: Occurrences by destination.
        level: The highest logging level.
        kept: Events to be kept in full.
        texts: Their JSON by ``id(event)``, where that is known.
        levels: Their levels (logging's numbers) by ``id(event)``, where they are not `level`.
    """

    event: Event | None = None
    count: int = 0
    first_at: float = float("inf")
    last_at: float = 0.0
    level: int = 0
    hours: Counter[tuple[int, str, str]] = field(default_factory=Counter)
    routed: Counter[str] = field(default_factory=Counter)
    kept: list[Event] = field(default_factory=list)
    texts: dict[int, str] = field(default_factory=dict)
    levels: dict[int, int] = field(default_factory=dict)
    releases: Counter[str] = field(default_factory=Counter)
    environments: Counter[str] = field(default_factory=Counter)
    servers: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Fold:
    """A stretch of one journal, ready for the ledger.

    Attributes:
        journal: Its name.
        start, end: Offsets in bytes; a ledger that is not at `start` refuses.
        groups: By fingerprint.
        torn: Lines that could not be read.
        dropped: Occurrences that the process could not write.
    """

    journal: str
    start: int
    end: int
    groups: dict[str, Tally] = field(default_factory=dict)
    torn: int = 0
    dropped: int = 0


@dataclass(slots=True)
class _Known:
    fingerprint: str
    level: int
    route: set[str]
    release: str
    environment: str
    server: str


class Reader:
    """Reads one journal from its beginning, and folds what lies after the offset that the ledger knows.

    Args:
        name: The journal's name.
        fd: Its descriptor; stays open.
        offset: Up to where the ledger has it. What lies before is read only for what later lines refer to.
    """

    CHUNK = 1 << 20
    """About so many bytes are read at once."""

    def __init__(self, name: str, fd: int, offset: int = 0) -> None:
        self.name = name
        self.fd = fd
        self.resume(offset)

    def resume(self, offset: int) -> None:
        """Go on from `offset`, and learn what the lines before it said."""
        self.offset = offset
        self._known: dict[bytes, _Known] = {}
        self._at = 0.0
        position = 0
        while position < offset and (data := self._whole_lines(position)):
            data = data[: offset - position]
            position += len(data)
            self._parse(data, Fold(self.name, 0, 0))

    def read(self, *, ended: bool = False, about: int = CHUNK, onto: Fold | None = None) -> Fold | None:
        """Return the next stretch of whole lines, or None where there is none.

        Args:
            ended: Nobody writes any more: a last line without an end was torn by a kill.
            about: How many bytes to take.
            onto: The stretch before, which is to become longer.
        """
        data = self._whole_lines(self.offset, about)
        fold = onto or Fold(self.name, self.offset, self.offset)
        if data:
            self._parse(data, fold)
        elif ended and (data := files.pread(self.fd, self.CHUNK, self.offset)):
            fold.torn += 1
        if not data:
            return None
        self.offset = fold.end = self.offset + len(data)
        return fold

    def _whole_lines(self, position: int, about: int = CHUNK) -> bytes:
        """Return about so many bytes of whole lines from `position` on; a line may be longer than that."""
        parts: list[bytes] = []
        while data := files.pread(self.fd, about, position + sum(map(len, parts))):
            end = data.rfind(b"\n") + 1
            if end:
                return b"".join((*parts, data[:end]))
            parts.append(data)
        return b""

    def _parse(self, data: bytes, fold: Fold) -> None:
        repeats: Counter[bytes] = Counter()
        for line in data.split(b"\n"):
            if line.isdigit():
                repeats[line] += 1
            elif line:
                if repeats:
                    self._count(repeats, fold)
                    repeats.clear()
                try:
                    self._take(line, fold)
                except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
                    fold.torn += 1
        self._count(repeats, fold)

    def _count(self, repeats: Counter[bytes], fold: Fold) -> None:
        for no, n in repeats.items():
            known = self._known.get(no)
            if known is None:
                fold.torn += n
                continue
            self._repeat(fold, known, n)

    def _repeat(self, fold: Fold, known: _Known, n: int) -> None:
        tally = self._add(fold, known, n, self._at)
        for destination in known.route:
            tally.routed[destination] += n

    def _take(self, line: bytes, fold: Fold) -> None:
        if line.endswith(TORN[:1]):
            raise ValueError("torn")
        mark = line[:2]
        if mark == b"t ":
            self._at = _within(float(line[2:]), LAST_SECOND)
        elif mark in (b"d ", b"s "):
            _, which, name = line.split(b" ", 2)
            no, n = _read_times(which)
            known, destination = self._known[no], name.decode()
            self._tally(fold, known).routed[destination] += n
            if mark == b"d ":
                known.route.add(destination)
        elif mark == b"x ":
            fold.dropped += int(_within(float(line[2:]), 1e12))
        elif line[:1].isdigit():
            no, n = _read_times(line)
            self._repeat(fold, self._known[no], n)
        else:
            said = json.loads(line)
            if "journal" not in said:
                self._take_full(said, line[line.index(EVENT) + len(EVENT) : -1].decode(), fold)

    def _take_full(self, said: dict[str, Any], text: str, fold: Fold) -> None:
        event: Event = said["event"]
        # All that can fail comes first: a line is read as a whole or not at all.
        known = _Known(
            storable(event["fingerprint"])[:FINGERPRINT_CHARS],
            int(_within(said["level"], 1e9)),
            {str(destination) for destination in said["to"]},
            str(event.get("release") or ""),
            str(event.get("environment") or ""),
            str(event.get("server") or ""),
        )
        n, at = int(_within(said["n"], MAX_TIMES)), _within(said["at"], LAST_SECOND)
        self._known[b"%d" % said["no"]] = known
        self._at = at
        tally = self._add(fold, known, n, at)
        tally.event = event
        if said.get("kept"):
            tally.kept.append(event)
            tally.texts[id(event)] = text
            tally.levels[id(event)] = known.level
        for destination in known.route:
            tally.routed[destination] += n

    def _tally(self, fold: Fold, known: _Known) -> Tally:
        tally = fold.groups.get(known.fingerprint)
        if tally is None:
            tally = fold.groups[known.fingerprint] = Tally()
        tally.level = max(tally.level, known.level)
        return tally

    def _add(self, fold: Fold, known: _Known, n: int, at: float) -> Tally:
        tally = self._tally(fold, known)
        tally.first_at = min(tally.first_at, at)
        tally.last_at = max(tally.last_at, at)
        if n:
            tally.count += n
            tally.hours[int(at // 3600), known.release, known.environment] += n
            tally.environments[known.environment] += n
            tally.servers[known.server] += n
            tally.releases[known.release] += n
        return tally


def _read_times(which: bytes) -> tuple[bytes, int]:
    """Read ``3`` or ``3*17``: the number of a kind, and how many occurrences are meant."""
    no, star, n = which.partition(b"*")
    return no, int(_within(float(n), MAX_TIMES)) if star else 1


def _within(value: float, most: float) -> float:
    """Return a number from a line; raise where it cannot have been written by us."""
    if not 0 <= value <= most:
        raise ValueError("damaged")
    return value
