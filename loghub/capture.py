"""The same bug again in this process is one dict hit: the hot half, which comes before any description.

An exception's code path (`loghub.codepath`) leads to its `Kind` (fingerprint and what belongs to it) without
rendering, reading source or hashing text. Only an occurrence that is kept in full becomes an event
(`loghub.description`).

`Capture.sight` finds what is known of a record, and leaves it on the record as a `Sighting`. `Capture.recall` is the
short way for a repeat: where nothing but the code path decides, one object stands for all records of it.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import uuid
from threading import get_ident
from typing import TYPE_CHECKING, Any, cast

from loghub import codepath, complaint, fingerprint
from loghub.codepath import CodePath, make_room, reachable, steps
from loghub.copies import Copies
from loghub.description import (
    Describer,
    in_app_rule,
    in_order,
    message_of,
    text_of,
    traceback_of,
)
from loghub.plain import exception_of, plain
from loghub.scrub import Scrubber
from loghub.sighting import (
    COUNTED,
    FIELD,
    NOT_REPORTED,
    Counted,
    Kind,
    Sighting,
    counted,
    make,
    make_counted,
    mark_counted,
    path_of,
    went_on,
)
from loghub.traceback_text import TRACEBACK_HEAD
from loghub.written import has_args, template_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loghub.event import Event

__all__ = ["MAX_KEYS", "OWN_LOGGER", "Capture", "Known", "in_app_rule", "muted_threads", "text_of"]

OWN_LOGGER = "loghub"
"""The logger of loghub's own life; its records are never fed back in."""

MAX_KEYS = 2048
"""Code paths and messages remembered per Capture; the older half goes when there are more."""

_LONG = 256  # longer texts in a key are kept as their hash
_CARRIED = re.compile(rf"({NOT_REPORTED}|v\d{{1,3}}:[0-9a-f]{{16}})(?: ([0-9a-f ]+))?")

muted_threads: set[int] = set()
"""Idents of threads that deliver: what they log is never reported."""

_BY_MESSAGE = Kind("", "", 0, "")  # stands for a code path whose bugs only their messages tell apart


class Known:
    """What a code path (or a message) leads to.

    Attributes:
        kind: Of the bug; None if it is not to be reported.
        path: The code path, if there is an exception.
        again: Stands for all records of it that a journal has counted as repeats.
        counted: What their exceptions carry from then on.
    """

    __slots__ = ("again", "capture", "counted", "kind", "path")

    def __init__(self, capture: Capture, kind: Kind | None, path: CodePath | None) -> None:
        self.capture = capture
        self.kind = kind
        self.path = path
        self.again: Sighting | None = None
        self.counted: Counted | None = None

    def note(self, record: logging.LogRecord) -> None:
        """Have the exception of a repeat that was counted carry so."""
        again, told = self.again, self.counted
        if not record.exc_info or again is None or self.kind is None:
            return
        exc: Any = record.exc_info[1]
        place = (record.pathname, record.lineno)
        if told is None or told.marks is not again.marks or told.places[0] != place:
            depth = sum(1 for _ in steps(record.exc_info[2]))  # that of all on this way
            told = self.counted = make_counted(self.kind.fingerprint, again.marks, (place,), depth)
        mark_counted(exc, told)

    def is_repeat_of(self, before: Any, record: logging.LogRecord) -> bool:
        """Return whether an exception that carries `before` is logged at the same line again, and did not move."""
        told = self.counted
        return told is not None and before is told and told.places[0] == (record.pathname, record.lineno)

    def repeat(self, marks: frozenset[str]) -> Sighting:
        """Make what stands for all records of it that are marked so, and have nothing else of their own."""
        self.again = made = make(self.capture, self.kind, path=self.path, marks=marks, shared=True)
        return made


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
        system: What is said about the machine; None: nothing, and not its name either.
        include_locals: Whether frames carry their local variables.
        grouping: Which version of `loghub.fingerprint` says what is the same bug.
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
        grouping: str = fingerprint.VERSION,
    ) -> None:
        self.grouping = grouping
        self.describer = Describer(
            component,
            environment,
            release,
            is_in_app or in_app_rule(),
            system,
            include_locals=include_locals,
            shares=before_send is None,
        )
        self.scrubber = scrubber or Scrubber()
        self.ignored = ignored
        self.before_send = before_send
        self.sample = sample
        self._by_key: dict[Any, Known] = {}
        self._kinds: dict[tuple[str, str, int, str], Kind] = {}
        self._chooses = before_send is not None or sample is not None
        self._asking = threading.local()
        self._complaints: set[Any] = set()

    def recall(self, record: logging.LogRecord) -> Known | None:
        """Return what is known of a record if its place in the code decides it all; None: `sight` has to look."""
        fields = record.__dict__
        seen = fields.get(FIELD)
        if (
            self._chooses
            or (seen is not None and not (type(seen) is Sighting and seen.capture is None))
            or "fingerprint" in fields
            or "component" in fields
            or "loghub_skip" in fields
            or "extra" in fields  # loguru's, which may have any of these
            or get_ident() in muted_threads
            or record.thread in muted_threads
            or _copies.in_use()
        ):
            return None
        message = fields["msg"]
        if (message[:1] == "{") if type(message) is str else isinstance(message, dict):
            return None  # an event dict may say any of these, too
        info = record.exc_info
        if not info:
            told = record.exc_text is not None or _may_tell_more(record)
            return None if told else self._by_key.get(_place_key(record))
        exc, tb = info[1], info[2]
        if exc is None or tb is None:
            return None
        path = codepath.of(exc, tb) if seen is None else path_of(record, info)
        known = self._by_key.get((record.name, record.levelno, None, path))
        before = exc.__dict__.get(COUNTED)
        if before is not None and not (known is not None and known.is_repeat_of(before, record)):
            return None
        return known if known is not None and known.kind is not _BY_MESSAGE and not _may_tell(exc) else None

    def sight(self, record: logging.LogRecord) -> Sighting:
        """Return what is known of `record`, remembered on the record and its alone; never raises."""
        fields = record.__dict__
        seen = fields.get(FIELD)
        if type(seen) is Sighting and seen.capture is self and not seen.shared:
            return seen
        if seen is None or (type(seen) is Sighting and seen.shared):
            fresh = self._first_look(seen)
            seen = _copies.share(record, fresh)
            sighting = seen if seen.capture is self else self._first_look(seen)
        else:
            sighting = self._first_look(seen)
        begun = bool(sighting.places)
        if not begun:
            sighting.places = ((record.pathname, record.lineno),)
        if not sighting.found:
            try:
                unwrapped = plain(record)
                if not begun:
                    _continue(unwrapped, sighting)
                sighting.kind = self._find(unwrapped, unwrapped.__dict__, sighting)
            except Exception:  # objects of the application may do anything when they are looked at
                sighting.kind = self._find_bare(record, sighting)
            sighting.found = True
        fields[FIELD] = sighting
        return sighting

    def note(self, record: logging.LogRecord, sighting: Sighting) -> None:
        """Have the exception of a record that was counted carry so, for others who log it."""
        unwrapped = plain(record)
        exc = exception_of(unwrapped)
        if exc is not None and sighting.kind is not None and sighting.marks:
            _mark(exc, unwrapped, sighting, sighting.kind.fingerprint)

    def knows(self, record: logging.LogRecord) -> bool:
        """Return whether this Capture has looked at `record`."""
        seen = record.__dict__.get(FIELD)
        return type(seen) is Sighting and seen.capture is self

    def keep(self, sighting: Sighting, record: logging.LogRecord) -> Event:
        """Return the whole event of `record`, scrubbed; made once, whoever asks."""
        if sighting.event is None:
            assert sighting.kind is not None
            outline, sighting.outline = sighting.outline, None
            event = self._clean(self._described(record, outline), sighting.kind.fingerprint)
            if sighting.event is None:  # a record and its copy may be looked at by two threads at once
                sighting.event = event
        return sighting.event

    def fingerprint_of(self, record: logging.LogRecord) -> str:
        """Return the fingerprint of `record`, also if it is not to be reported; nothing is remembered."""
        seen = record.__dict__.get(FIELD)
        if type(seen) is Sighting and seen.kind is not None:
            return seen.kind.fingerprint
        return _asked_for(plain(record), fingerprint.of_event(self._described(record), self.grouping))

    def _first_look(self, seen: object) -> Sighting:
        sighting = make(self)
        if type(seen) is Sighting:
            sighting.path, sighting.marks, sighting.kept = seen.path, seen.marks, seen.kept
            sighting.places, sighting.again = seen.places, seen.again
            if seen.capture is self:  # it stood for many: this record gets its own
                sighting.kind, sighting.found = seen.kind, True
            # Another EventFilter's: what it says does not bind this one.
        elif isinstance(seen, str) and (read := _CARRIED.fullmatch(seen)):
            sighting.carried, sighting.marks = read[1], frozenset((read[2] or "").split())
        return sighting

    # Finding the kind ---------------------------------------------------------------------------------------

    def _find(self, record: logging.LogRecord, fields: dict[str, Any], sighting: Sighting) -> Kind | None:
        if (
            record.name == OWN_LOGGER
            or fields.get("loghub_skip")
            or sighting.carried == NOT_REPORTED
            or (muted_threads and _is_delivery(record))
            or not (sighting.carried or self._draws(record, sighting))
        ):
            return None
        if self.before_send is not None:
            return self._ask(record, sighting)
        exc = exception_of(record)
        if sighting.carried:
            return None if self._ignores(record, exc) else self._kind(sighting.carried, record)
        key = self._key(record, fields, exc, sighting)
        known = self._by_key.get(key)
        by_message = _may_tell_more(record) if exc is None else _may_tell(exc)
        if known is not None and (known.kind is _BY_MESSAGE or by_message):
            key = (key, self._words(record, exc))
            known = self._by_key.get(key)
        return known.kind if known is not None else self._learn(key, record, exc, sighting)

    def _draws(self, record: logging.LogRecord, sighting: Sighting) -> bool:
        """Return whether the sample takes an occurrence; it is asked once for an exception that is logged twice."""
        if self.sample is None or self.sample():
            return True
        exc = exception_of(record)
        if exc is not None:
            _mark(exc, record, sighting, NOT_REPORTED)
        return False

    def _key(self, record: logging.LogRecord, fields: dict[str, Any], exc: Any, sighting: Sighting) -> tuple[Any, ...]:
        """Return the key of the place in the code that the record is about."""
        extra: Any = None
        if "component" in fields or "fingerprint" in fields:
            extra = text_of(fields.get("component")), repr(fields.get("fingerprint"))
        if exc is None:
            if told := fields.get("_loghub_told"):  # it alone makes the fingerprint
                extra = extra, _short(repr([told.get(name) for name in _FOR_FINGERPRINT]))
            return _place_key(record, extra)
        tb = traceback_of(record)
        if sighting.path is None or not sighting.path.leads_to(exc, tb):
            sighting.path = codepath.of(exc, tb)
        if tb is None:  # never raised: the place of the call stands for that of the error
            extra = (extra, record.pathname, record.lineno, record.funcName)
        return record.name, record.levelno, extra, sighting.path

    def _learn(self, key: Any, record: logging.LogRecord, exc: BaseException | None, sighting: Sighting) -> Kind | None:
        """Find the fingerprint of a code path (or of a message on it) that was not seen before."""
        found: Kind | None = None
        if not self._ignores(record, exc):
            sighting.outline = event = self.describer.outline(record)
            if exc is not None or not self._ignores(record, None, _class_name(event)):
                default, by_message = fingerprint.judge(event, self.grouping)
                found = self._kind(_asked_for(record, default), record)
                if type(key[0]) is not tuple and self._needs_words(event, record, exc, by_message=by_message):
                    self._remember(key, Known(self, _BY_MESSAGE, sighting.path))
                    key = (key, self._words(record, exc))
        self._remember(key, Known(self, found, sighting.path))
        return found

    def _words(self, record: logging.LogRecord, exc: BaseException | None) -> tuple[Any, ...]:
        """Return what messages may add to a fingerprint, so that other messages on one code path are told apart."""
        if exc is None:
            message = message_of(record)
            if TRACEBACK_HEAD in message:
                return (_short(message),)
            said = {"error_type": record.levelname, "level": record.levelname, "logger": record.name}
            return (fingerprint.of_event(said | {"message": message}, self.grouping),)
        return tuple(fingerprint.message_key(text_of(part), self.grouping) for part in (exc, *reachable(exc)))

    def _needs_words(
        self, event: Event, record: logging.LogRecord, exc: BaseException | None, *, by_message: bool
    ) -> bool:
        """Whether another message on the code path of `event` could be another bug."""
        if exc is None and not has_args(record) and template_of(record) is None:
            return False  # the message is in the key
        if event.get("traceback"):
            return True  # it stood in an argument
        return by_message or any(fingerprint.judge(part, self.grouping)[1] for part in _deep_parts(event))

    def _remember(self, key: Any, known: Known) -> None:
        make_room(self._by_key, MAX_KEYS)
        self._by_key[key] = known

    def _ignores(self, record: logging.LogRecord, exc: BaseException | None, named: str = "") -> bool:
        return self.ignored is not None and self.ignored(record.name, exc, named)

    def _find_bare(self, record: logging.LogRecord, sighting: Sighting) -> Kind:
        """Find the kind of a record that cannot be looked at: it is reported with what can be said."""
        event = self.describer.bare(record)
        mark = fingerprint.of_event(event, self.grouping)
        sighting.event = self._clean(_withhold(event) if self.before_send is not None else event, mark)
        return self._kind(mark, record)

    def _kind(self, mark: str, record: logging.LogRecord, component: str | None = None) -> Kind:
        said = self.describer.component_of(record) if component is None else component
        key = (mark, record.name or "root", record.levelno or 0, said)
        kind = self._kinds.get(key)
        if kind is None:
            make_room(self._kinds, MAX_KEYS)
            kind = self._kinds.setdefault(key, Kind(*key))
        return kind

    # Making the event ---------------------------------------------------------------------------------------

    def _described(self, record: logging.LogRecord, outline: Event | None = None) -> Event:
        try:
            return self.describer.whole(record, outline)
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
        default = sighting.carried or _asked_for(record, fingerprint.of_event(event, self.grouping))
        event = self._clean(event, default)
        answer = self._answer(event, record)
        if answer is None:
            return None
        chosen = answer.get("fingerprint") or default
        mark = default if chosen == default else fingerprint.custom(chosen, default)
        if mark != default:
            answer["custom_fingerprint"] = chosen  # type: ignore[typeddict-unknown-key]
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
            complaint.tell(record)


def current_cause() -> tuple[Any, ...]:
    """Return what tells the exception that is being handled from others: its class and where it was raised."""
    kind, _, tb = sys.exc_info()
    *_, last = (None, *steps(tb))
    return (kind, last.tb_frame.f_code.co_filename, last.tb_lineno) if last is not None else (kind,)


def _continue(record: logging.LogRecord, sighting: Sighting) -> None:
    """Let a record whose exception was counted elsewhere be the same occurrence, unless it says that it is not."""
    (place,) = sighting.places
    exc = exception_of(record)
    told = counted(exc) if exc is not None and not sighting.marks and "fingerprint" not in record.__dict__ else None
    if told is None:
        return
    if went_on(told, traceback_of(record)) or not (told.kept or place in told.places or told.is_full):
        sighting.carried, sighting.marks = told.partition("\n")[0], told.marks
        sighting.places = told.places if place in told.places else (*told.places, place)
        sighting.again = told.kept
    else:
        sighting.again = True


def _mark(exc: BaseException, record: logging.LogRecord, sighting: Sighting, mark: str) -> None:
    depth = sum(1 for _ in steps(traceback_of(record)))
    mark_counted(exc, make_counted(mark, sighting.marks, sighting.places, depth, kept=sighting.again))


def _is_delivery(record: logging.LogRecord) -> bool:
    """Whether it was logged by a thread that delivers; another process may have the same idents."""
    here = record.process is None or record.process == os.getpid()
    return get_ident() in muted_threads or (record.thread in muted_threads and here)


# What tells records apart --------------------------------------------------------------------------------------


_FOR_FINGERPRINT = ("error_type", "error_module", "error_message", "frames", "traceback", "causes", "exceptions")


def _place_key(record: logging.LogRecord, extra: Any = None) -> tuple[Any, ...]:
    """Return the key of a record without an exception."""
    told = record.exc_text and _short(text_of(record.exc_text))  # left by a QueueHandler
    message = template_of(record) or (record.msg if type(record.msg) is str else text_of(record.msg))
    return (record.name, record.levelno, extra, record.pathname, record.lineno, record.funcName, _short(message), told)


def _may_tell(exc: BaseException) -> bool:
    """Whether the message of `exc`, or of what its traceback shows beside it, may tell it from others on its way."""
    if fingerprint.may_have_code(text_of(exc)):
        return True
    if exc.__cause__ is None and exc.__context__ is None and not isinstance(exc, BaseExceptionGroup):
        return False
    return any(fingerprint.may_have_code(text_of(part)) for part in reachable(exc))


def _may_tell_more(record: logging.LogRecord) -> bool:
    """Whether what is put into a record's message may be a traceback, or have a code that tells bugs apart."""
    args: Any = record.args
    values = args.values() if isinstance(args, dict) else args if type(args) is tuple else ()
    if template_of(record) is not None:
        values = (record.msg, *values)
    for value in values:
        if type(value) is str or isinstance(value, BaseException):
            text = text_of(value)
            if fingerprint.may_have_code(text) or TRACEBACK_HEAD in text:
                return True
    return False


def _short(text: str) -> Any:
    return text if len(text) <= _LONG else (len(text), hash(text))


def _deep_parts(event: Any) -> Iterator[Any]:
    """Yield what stands behind the members of a group, which the fingerprint's own answer leaves out."""
    waiting = list(event.get("exceptions", ()))
    while waiting:
        part = waiting.pop()
        inner = (*part.get("causes", ()), *part.get("exceptions", ()))
        yield from inner
        waiting += inner


def _asked_for(record: logging.LogRecord, default: str) -> str:
    """Return the fingerprint that the caller chose, else `default`."""
    asked = record.__dict__.get("fingerprint")
    return default if asked is None else fingerprint.custom(asked, default)


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
