"""What a mail says about one bug, and how much of it: plain values that no reader has to trust.

Nothing here is escaped for HTML. Every value is clean: control characters and those that turn the direction of
writing are spelled out, and all but messages and tracebacks are one short line.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loghub.event import iso
from loghub.recovery.wording import told

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from loghub.history import Outlook
    from loghub.ledger.protocol import Item

CUT = "[cut: {}]"

_SHORT = 120
_LONG = 500
_TOKEN = 24
# Control characters, lone surrogates, and those that turn or break lines where a reader does not see it.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Entry:
    """What one mail says about one bug, the same in text, HTML and templates.

    Attributes:
        title: Type and message in one line.
        count: Occurrences since the last mail.
        total: Occurrences in all.
        level: Its name.
        type: Of the error.
        message: Of the error; of any number of lines.
        log_message: What was logged, where it is not the same.
        module: Where it happened.
        function: Where it happened.
        place: Module and function, shortened at its front for a list.
        component: Whose it is.
        environment: The newest.
        release: The newest.
        timestamp: Of the newest event (ISO 8601).
        first_seen: ISO 8601.
        last_seen: ISO 8601.
        issue: Its address, or what stands in its place; may be empty.
        fingerprint: The bug's.
        trend: ``spike``, ``new``, ``rising``, ``steady``, ``falling``, ``gone``; empty where nobody asked.
        trend_why: One sentence.
        recovery: What recovery procedures did, in one line; may be empty.
        traceback: May be empty.
        in_app: File and line of the frames that are the application's.
    """

    title: str
    count: int
    total: int
    level: str
    type: str
    message: str
    log_message: str
    module: str
    function: str
    place: str
    component: str
    environment: str
    release: str
    timestamp: str
    first_seen: str
    last_seen: str
    issue: str
    fingerprint: str
    trend: str
    trend_why: str
    recovery: str
    traceback: str
    in_app: frozenset[tuple[str, str]]

    def fields(self) -> list[tuple[str, str]]:
        """Return label and value of all that is known, but for the traceback: seed B's fields first."""
        known = [
            ("Timestamp", self.timestamp),
            ("Error Type", self.type),
            ("Error Message", self.message),
            ("Module", self.module),
            ("Function", self.function),
            ("Log Message", self.log_message),
            ("Level", self.level),
            ("Component", self.component),
            ("Environment", self.environment),
            ("Release", self.release),
            ("Occurrences", f"{self.count:,} since the last mail, {self.total:,} in all"),
            ("Trend", f"{self.trend}: {self.trend_why}" if self.trend_why else self.trend),
            ("Recovery", self.recovery),
            ("First Seen", self.first_seen),
            ("Last Seen", self.last_seen),
            ("Issue", self.issue),
            ("Fingerprint", self.fingerprint),
        ]
        return [field for field in known if field[1]]

    @property
    def token(self) -> str:
        """The fingerprint, shortened for a list."""
        return self.fingerprint[:_TOKEN]

    @property
    def issue_url(self) -> str:
        """The issue's address where it is one that a browser opens, else empty."""
        return self.issue if self.issue.startswith(("https://", "http://")) else ""


def entry(bug: Item, outlook: Outlook | None, room: int, title: int) -> Entry:
    """Return the entry of `bug`.

    Args:
        bug: What waits.
        outlook: What its occurrences do, where that is known.
        room: About how many characters of traceback and messages are shown; 0: none, for a bug that is only listed.
        title: About how many characters the title has.
    """
    event, group = bug.event, bug.group
    error = str(event.get("error_message") or group.error_message).rstrip()
    logged = str(event.get("message") or "")
    kind = about(bug, "error_type") or "Error"
    kind_shown = line(kind, title // 2)
    module, function = about(bug, "module") or "unknown", about(bug, "function") or "unknown"
    return Entry(
        title=f"{kind_shown}: {line(error, title - len(kind_shown)) or '(no message)'}",
        count=bug.count,
        total=bug.total,
        level=logging.getLevelName(bug.level),
        type=kind,
        message=(clean(_cut_middle(error, max(room // 3, _SHORT))) or "(empty)") if room else "",
        log_message=clean(_cut_middle(logged, max(room // 6, _SHORT))) if room and logged != error else "",
        module=module,
        function=function,
        place="" if module == "unknown" else _ending(line(f"{module}.{function}", _LONG), title // 2),
        component=about(bug, "component"),
        environment=about(bug, "environment"),
        release=about(bug, "release"),
        timestamp=line(event.get("timestamp") or iso(group.last_seen_at)),
        first_seen=iso(group.first_seen_at),
        last_seen=iso(group.last_seen_at),
        issue=line(group.issue_url or "", _LONG),
        fingerprint=line(group.fingerprint),
        trend=outlook.word if outlook else "",
        trend_why=_why(outlook) if outlook else "",
        recovery=line(told(group.recoveries), max(room // 6, 2 * _SHORT)) if room else "",
        traceback=clean(_cut_traceback(str(event.get("traceback") or "").rstrip(), error, room)) if room else "",
        in_app=frozenset(_in_app(event)) if room else frozenset(),
    )


def about(bug: Item, key: str) -> str:
    """Return on one short line what the newest event or else the group says under `key`."""
    newest = list(getattr(bug.group, f"{key}s", ()))[-1:]  # releases, environments
    known = newest[0] if newest else getattr(bug.group, key, "")
    return line(bug.event.get(key) or known)


def clean(value: object) -> str:
    """Return `value` as text of any number of lines in which nothing is invisible."""
    text = str(value).replace("\r\n", "\n")
    return _UNSAFE.sub(lambda found: ascii(found[0])[1:-1], text)


def line(value: object, most: int = _SHORT) -> str:
    """Return `value` as one clean line of at most `most` characters."""
    return shortened(clean(" ".join(str(value)[: 4 * most].split())[: most + 1]), most)


def shortened(text: str, most: int) -> str:
    """Return `text`, or its beginning and three dots, in at most `most` characters."""
    return text if len(text) <= most else text[: most - 3] + "..."


def _ending(text: str, most: int) -> str:
    """Return a dotted name, or its last parts behind three dots."""
    if len(text) <= most:
        return text
    tail = text[len(text) - most + 3 :]
    return "..." + (tail.partition(".")[2] or tail)


def _why(outlook: Outlook) -> str:
    return line(outlook.spike.why if outlook.spike else outlook.trend.why, 2 * _SHORT)


def _in_app(part: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield file and line of the in-app frames of an event, of its causes and of the members of groups."""
    waiting: list[Any] = [part]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, dict):
            continue
        for frame in one.get("frames") or ():
            if isinstance(frame, dict) and frame.get("in_app"):
                yield str(frame.get("file")), str(frame.get("line"))
        waiting += [*(one.get("causes") or ()), *(one.get("exceptions") or ())]


def _cut_middle(text: str, room: int) -> str:
    if len(text) <= room:
        return text
    head, tail = room * 2 // 3, room // 3
    return f"{text[:head]} {CUT.format(f'{len(text) - head - tail} characters')} {text[-tail:]}"


def _cut_traceback(traceback: str, error: str, room: int) -> str:
    """Return `traceback` with the calls furthest out cut: the place of the error and its message stay."""
    if len(traceback) <= room:
        return traceback
    if len(error) > room // 3:
        traceback = traceback.replace(error, _cut_middle(error, room // 3))
    lines = traceback.splitlines()
    kept: list[str] = []
    for one in reversed(lines):
        room -= len(one) + 1
        if room < 0:
            break
        kept.insert(0, one)
    kept = kept or [_cut_middle(lines[-1], max(len(lines[-1]) + room, _SHORT))]
    if len(kept) < len(lines):
        kept.insert(0, CUT.format(f"{len(lines) - len(kept)} lines further out"))
    return "\n".join(kept)
