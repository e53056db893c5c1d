"""The same bug again in this process is one dict hit: the hot half, which comes before any description.

`Capture.sight` walks the frames of the exception once and makes a key of their code objects and instruction
offsets. A key seen before leads to its `Kind` (fingerprint and what belongs to it) without rendering, reading
source or hashing text. Only an occurrence that is kept in full becomes an event (`loghub.description`).

What was found is cached on the record as ``_loghub_event``, a `Sighting`: an empty str to everybody else, and
pickled as a plain str, so a record may travel to a process that has no loghub. In one that has it, what was
said about the record holds: its fingerprint, that it is not to be reported, who has counted it.
"""

from __future__ import annotations

import itertools
import logging
import os
import re
import sys
import threading
import uuid
from typing import TYPE_CHECKING, Any, cast

from loghub import fingerprint
from loghub.copies import Copies
from loghub.description import (
    TRACEBACK_HEAD,
    Describer,
    exception_of,
    in_app_rule,
    in_order,
    message_of,
    reachable,
    steps,
    text_of,
)
from loghub.scrub import Scrubber

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loghub.event import Event

__all__ = ["MAX_KEYS", "OWN_LOGGER", "Capture", "Kind", "Sighting", "in_app_rule", "muted_threads", "text_of"]

OWN_LOGGER = "loghub"
"""The logger of loghub's own life; its records are never fed back in."""

MAX_KEYS = 4096
"""Code paths remembered per Capture; the older half goes when there are more."""

_LONG = 256  # longer keys (recursion, big texts) are kept as their hash
_NOT_REPORTED = "-"
_CARRIED = re.compile(rf"({_NOT_REPORTED}|{fingerprint.VERSION}:[0-9a-f]{{16}})(?: ([0-9a-f ]+))?")

muted_threads: set[int] = set()
"""Idents of threads that deliver: what they log is never reported."""


class Kind:
    """Occurrences that this process need not tell apart: one fingerprint, logger, level and component."""

    __slots__ = ("component", "fingerprint", "level", "logger")

    def __init__(self, fingerprint: str, logger: str, level: int, component: str) -> None:
        self.fingerprint = fingerprint
        self.logger = logger
        self.level = level
        self.component = component


_BY_MESSAGE = Kind("", "", 0, "")  # stands for a code path whose bugs only their messages tell apart


class Sighting(str):
    """What loghub knows of one record, carried by the record itself.

    Attributes:
        kind: None if the record is not to be reported (ignored, sampled out, dropped by before_send).
        found: Whether the kind was found.
        carried: The fingerprint that the process where it was logged gave it; ``-``: not to be reported.
        counted: Tokens of the journals that have counted the record, separated by spaces.
        routed: Destinations that were counted with it, by the journal.
        kept: Number of this occurrence among those its group keeps in full in this hour; -1: not kept.
        event: The whole event, once somebody asked for it.
    """

    __slots__ = ("capture", "carried", "counted", "event", "found", "kept", "kind", "routed")

    capture: Capture
    kind: Kind | None
    found: bool
    carried: str
    counted: str
    routed: frozenset[str]
    kept: int
    event: Event | None

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        said = self.kind.fingerprint if self.kind is not None else _NOT_REPORTED
        return str, (f"{said} {self.counted}".rstrip(),)


_copies: Copies[Sighting] = Copies()


class Capture:
    """Makes sightings and events, by what an EventFilter says about every event.

    Args:
        component: Which part of the system; None takes the logger's first name.
        environment: production, staging, ...
        release: What is deployed.
        is_in_app: Whether a frame of this file and module is the application's.
        scrubber: Takes secrets out.
        ignored: Whether records of this logger, with this exception (or None) or a class that only a text
            names (or ""), are not reported.
        before_send: Called with every event; returns it, changed or not, or None to drop it.
        sample: Draws whether an occurrence is taken; None takes all.
        system: What is said about the machine, or None.
        include_locals: Whether frames carry their local variables.
    """

    def __init__(
        self,
        *,
        component: str | None = None,
        environment: str = "production",
        release: str | None = None,
        is_in_app: Callable[[str, str], bool] | None = None,
        scrubber: Scrubber | None = None,
        ignored: Callable[[str, BaseException | None, str], bool] | None = None,
        before_send: Callable[[Event], Event | None] | None = None,
        sample: Callable[[], bool] | None = None,
        system: dict[str, Any] | None = None,
        include_locals: bool = False,
    ) -> None:
        self.describer = Describer(
            component, environment, release, is_in_app or in_app_rule(), system, include_locals=include_locals
        )
        self.scrubber = scrubber or Scrubber()
        self.ignored = ignored
        self.before_send = before_send
        self.sample = sample
        self._by_key: dict[Any, tuple[Kind | None, Any]] = {}
        self._kinds: dict[tuple[str, str, int, str], Kind] = {}
        self._asking = threading.local()
        self._complaints: set[Any] = set()

    def sight(self, record: logging.LogRecord) -> Sighting:
        """Return what is known of `record`, remembered on the record; never raises."""
        fields = record.__dict__
        seen = fields.get("_loghub_event")
        if type(seen) is Sighting and seen.capture is self:
            return seen
        if seen is None:
            fresh = self._first_look(None)
            seen = _copies.share(record, fresh)
            sighting = seen if seen.capture is self else self._first_look(seen)
        else:
            sighting = self._first_look(seen)
        if not sighting.found:
            try:
                sighting.kind = self._find(record, fields, sighting)
            except Exception:  # objects of the application may do anything when they are looked at
                sighting.kind = self._find_bare(record, sighting)
            sighting.found = True
        fields["_loghub_event"] = sighting
        return sighting

    def knows(self, record: logging.LogRecord) -> bool:
        """Return whether `sight` has nothing more to do for `record`."""
        seen = record.__dict__.get("_loghub_event")
        return type(seen) is Sighting and seen.capture is self

    def keep(self, sighting: Sighting, record: logging.LogRecord) -> Event:
        """Return the whole event of `record`, scrubbed; made once, whoever asks."""
        if sighting.event is None:
            assert sighting.kind is not None
            event = self._clean(self._described(record), sighting.kind.fingerprint)
            if sighting.event is None:  # a record and its copy may be looked at by two threads at once
                sighting.event = event
        return sighting.event

    def fingerprint_of(self, record: logging.LogRecord) -> str:
        """Return the fingerprint of `record`, also if it is not to be reported; nothing is remembered."""
        seen = record.__dict__.get("_loghub_event")
        if type(seen) is Sighting and seen.kind is not None:
            return seen.kind.fingerprint
        return self._fingerprint(self._described(record), record)

    def _first_look(self, seen: object) -> Sighting:
        sighting = Sighting()
        sighting.capture = self
        sighting.kind = None
        sighting.found = False
        sighting.carried = sighting.counted = ""
        sighting.routed = frozenset()
        sighting.kept = -1
        sighting.event = None
        if type(seen) is Sighting:  # another EventFilter's: what it says does not bind this one
            sighting.counted, sighting.routed, sighting.kept = seen.counted, seen.routed, seen.kept
        elif isinstance(seen, str) and (read := _CARRIED.fullmatch(seen)):
            sighting.carried, sighting.counted = read[1], read[2] or ""
        return sighting

    # Finding the kind ---------------------------------------------------------------------------------------

    def _find(self, record: logging.LogRecord, fields: dict[str, Any], sighting: Sighting) -> Kind | None:
        if (
            record.name == OWN_LOGGER
            or fields.get("loghub_skip")
            or sighting.carried == _NOT_REPORTED
            or (muted_threads and _is_delivery(record))
            or (self.sample is not None and not self.sample())
        ):
            return None
        if self.before_send is not None:
            return self._ask(record, sighting)
        exc = exception_of(record)
        if sighting.carried:
            return None if self._ignores(record, exc) else self._kind(sighting.carried, record)
        key: Any = _key(record, fields, exc)
        hit = self._by_key.get(key)
        if hit is not None and hit[0] is _BY_MESSAGE:
            key = (key, _words(record, exc))
            hit = self._by_key.get(key)
        return hit[0] if hit is not None else self._learn(key, record, exc)

    def _learn(self, key: Any, record: logging.LogRecord, exc: BaseException | None) -> Kind | None:
        """Find the fingerprint of a code path (or of a message on it) that was not seen before."""
        held = [] if exc is None else _identified(exc)
        found: Kind | None = None
        if not self._ignores(record, exc):
            event = self.describer.outline(record)
            if exc is not None or not self._ignores(record, None, _class_name(event)):
                found = self._kind(self._fingerprint(event, record), record)
            if type(key[0]) is not tuple and _needs_words(event, record, exc):
                self._remember(key, _BY_MESSAGE, held)
                key = (key, _words(record, exc))
        self._remember(key, found, held)
        return found

    def _remember(self, key: Any, kind: Kind | None, held: list[Any]) -> None:
        _make_room(self._by_key)
        self._by_key[key] = (kind, held)

    def _ignores(self, record: logging.LogRecord, exc: BaseException | None, named: str = "") -> bool:
        return self.ignored is not None and self.ignored(record.name, exc, named)

    def _find_bare(self, record: logging.LogRecord, sighting: Sighting) -> Kind:
        """Find the kind of a record that cannot be looked at: it is reported with what can be said."""
        event = self.describer.bare(record)
        mark = fingerprint.of_event(event)
        sighting.event = self._clean(_withhold(event) if self.before_send is not None else event, mark)
        return self._kind(mark, record)

    def _kind(self, mark: str, record: logging.LogRecord, component: str | None = None) -> Kind:
        said = self.describer.component_of(record) if component is None else component
        key = (mark, record.name or "root", record.levelno or 0, said)
        kind = self._kinds.get(key)
        if kind is None:
            _make_room(self._kinds)
            kind = self._kinds.setdefault(key, Kind(*key))
        return kind

    def _fingerprint(self, event: Event, record: logging.LogRecord) -> str:
        default = fingerprint.of_event(event)
        asked = record.__dict__.get("fingerprint")
        return default if asked is None else fingerprint.custom(asked, default)

    # Making the event ---------------------------------------------------------------------------------------

    def _described(self, record: logging.LogRecord) -> Event:
        try:
            return self.describer.whole(record)
        except Exception:  # as in sight
            return self.describer.bare(record)

    def _clean(self, event: Event, mark: str) -> Event:
        event["fingerprint"] = mark
        return self.scrubber.event(in_order(event))

    # before_send --------------------------------------------------------------------------------------------

    def _ask(self, record: logging.LogRecord, sighting: Sighting) -> Kind | None:
        """Let before_send see the event, and take the kind from what it returned."""
        if self._ignores(record, exception_of(record)):
            return None
        event = self._described(record)
        if self._ignores(record, None, _class_name(event)):
            return None
        default = sighting.carried or self._fingerprint(event, record)
        event = self._clean(event, default)
        answer = self._answer(event, record)
        if answer is None:
            return None
        chosen = answer.get("fingerprint") or default
        mark = default if chosen == default else fingerprint.custom(chosen, default)
        answer.setdefault("id", uuid.uuid4().hex)
        sighting.event = self._clean(answer, mark)
        return self._kind(mark, record, str(sighting.event.get("component") or ""))

    def _answer(self, event: Event, record: logging.LogRecord) -> Event | None:
        """Return what before_send says; where it fails, only what cannot be a secret."""
        assert self.before_send is not None
        if getattr(self._asking, "now", False):
            return _withhold(event)  # it logs an error itself: asking again would not end
        self._asking.now = True
        bare = _withhold(event)
        try:
            answer: Any = self.before_send(event)
            if answer is not None and not isinstance(answer, dict):
                raise TypeError(f"before_send must return the event or None, not {type(answer).__name__}")
            return cast("Event | None", answer)
        except Exception:
            # It may have been there to take something out: nothing that it has not seen may leave.
            self.complain(record)
            return bare
        finally:
            self._asking.now = False

    def complain(self, record: logging.LogRecord) -> None:
        """Do what logging does about a handler that fails, once for each cause."""
        cause = current_cause()
        if cause not in self._complaints and logging.lastResort is not None:
            self._complaints.add(cause)
            logging.lastResort.handleError(record)


def current_cause() -> tuple[Any, ...]:
    """Return what tells the exception that is being handled from others: its class and where it was raised."""
    kind, _, tb = sys.exc_info()
    *_, last = (None, *steps(tb))
    return (kind, last.tb_frame.f_code.co_filename, last.tb_lineno) if last is not None else (kind,)


def _is_delivery(record: logging.LogRecord) -> bool:
    """Whether it was logged by a thread that delivers; another process may have the same idents."""
    here = record.process is None or record.process == os.getpid()
    return threading.get_ident() in muted_threads or (record.thread in muted_threads and here)


# The key of a code path -------------------------------------------------------------------------------------


def _key(record: logging.LogRecord, fields: dict[str, Any], exc: BaseException | None) -> tuple[Any, ...]:
    """Return the key of the record's code path."""
    extra: Any = None
    if "component" in fields or "fingerprint" in fields:
        extra = text_of(fields.get("component")), repr(fields.get("fingerprint"))
    if exc is None:
        place = (record.pathname, record.lineno, record.funcName)
        told = record.exc_text and _short(text_of(record.exc_text))  # left by a QueueHandler
        return record.name, record.levelno, extra, place, _short(text_of(record.msg)), told
    path: list[int] = [id(type(exc))]
    append = path.append
    tb = record.exc_info[2] if isinstance(record.exc_info, tuple) else exc.__traceback__
    while tb is not None:
        append(id(tb.tb_frame.f_code))
        append(tb.tb_lasti)
        tb = tb.tb_next
    if exc.__cause__ is not None or exc.__context__ is not None or isinstance(exc, BaseExceptionGroup):
        _extend(path, exc)
    code_path: tuple[int, ...] = tuple(path)
    if len(code_path) > _LONG:
        code_path = (len(code_path), hash(code_path), *code_path[:16], *code_path[-16:])
    return record.name, record.levelno, extra, code_path


def _extend(path: list[int], exc: BaseException) -> None:
    """Add the causes and members of `exc` to the key `path`."""
    for part in reachable(exc):
        path.append(-1)
        path.append(id(type(part)))
        for step in steps(part.__traceback__):
            path.append(id(step.tb_frame.f_code))
            path.append(step.tb_lasti)


def _short(text: str) -> Any:
    return text if len(text) <= _LONG else (len(text), hash(text))


def _identified(exc: BaseException) -> list[Any]:
    """Return what a key's ids stand for: while they are held, no other object can have these ids."""
    held: dict[int, Any] = {}
    for part in (exc, *reachable(exc)):
        held[id(type(part))] = type(part)
        for step in steps(part.__traceback__):
            held[id(step.tb_frame.f_code)] = step.tb_frame.f_code
    return list(held.values())


def _words(record: logging.LogRecord, exc: BaseException | None) -> tuple[Any, ...]:
    """Return what messages may add to a fingerprint, so that other messages on one code path are told apart."""
    if exc is None:
        message = message_of(record)
        if TRACEBACK_HEAD in message:
            return (_short(message),)
        return (fingerprint.of_event({"error_type": record.levelname, "level": record.levelname,
                                      "logger": record.name, "message": message}),)  # fmt: skip
    return tuple(fingerprint.message_key(text_of(part)) for part in (exc, *reachable(exc)))


def _needs_words(event: Event, record: logging.LogRecord, exc: BaseException | None) -> bool:
    """Whether another message on the code path of `event` could be another bug."""
    if exc is None and not record.args:
        return False  # the message is in the key
    if event.get("traceback"):
        return True  # it stood in an argument
    return any(fingerprint.depends_on_message(part) for part in (event, *_deep_parts(event)))


def _deep_parts(event: Any) -> Iterator[Any]:
    """Yield what stands behind the members of a group, which the fingerprint's own answer leaves out."""
    waiting = list(event.get("exceptions", ()))
    while waiting:
        part = waiting.pop()
        inner = (*part.get("causes", ()), *part.get("exceptions", ()))
        yield from inner
        waiting += inner


def _class_name(event: Event) -> str:
    """Return the dotted class of an event that has one."""
    module = event.get("error_module")
    return f"{module}.{event.get('error_type')}" if module else ""


def _withhold(event: Event) -> Event:
    kept = {"timestamp", "error_type", "error_module", "module", "function", "id", "fingerprint", "level",
            "logger", "component", "environment", "release", "platform", "mechanism"}  # fmt: skip
    bare: Event = {key: value for key, value in event.items() if key in kept}  # type: ignore[assignment]
    bare["error_message"] = bare["message"] = "[withheld: before_send failed]"
    return bare


def _make_room(cache: dict[Any, Any]) -> None:
    """Drop the older half of a full cache."""
    if len(cache) >= MAX_KEYS:
        try:
            older = list(itertools.islice(cache, MAX_KEYS // 2))
        except RuntimeError:  # another thread is at it
            return
        for key in older:
            cache.pop(key, None)
