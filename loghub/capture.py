"""A LogRecord becomes an event, and the same bug again in this process is one dict hit.

`Capture.sight` walks the frames of the exception once and makes a key of their code objects and instruction
offsets. A key seen before leads to its `Kind` (fingerprint and what belongs to it) without rendering, reading
source or hashing text. Only an occurrence that is kept in full becomes an event.

What was found is cached on the record as ``_loghub_event``, a `Sighting`: a str to everybody else (it pickles
as a plain str, so a record may travel to a process that has no loghub), so that five handlers do it once.
"""

from __future__ import annotations

import fnmatch
import itertools
import linecache
import logging
import os
import socket
import sys
import threading
import traceback
import uuid
from typing import TYPE_CHECKING, Any

from loghub import fingerprint
from loghub.event import Event, iso
from loghub.scrub import Scrubber
from loghub.traceback_text import parse_traceback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from loghub.event import ErrorPart, Frame

OWN_LOGGER = "loghub"
"""The logger of loghub's own life; its records are never fed back in."""

MAX_KEYS = 4096
"""Code paths remembered per Capture; the older half goes when there are more."""

_MAX_MEMBERS = 64  # members of an ExceptionGroup that make up the key
_LONG_KEY = 256  # longer keys (recursion) are kept as a hash with both ends
_RECORD_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {
    "message", "asctime", "taskName", "_loghub_event", "loghub_skip", "fingerprint", "component",
    "loghub_mechanism",
}  # fmt: skip
_MECHANISMS = {"loghub.uncaught": "uncaught", "loghub.browser": "browser", "loghub.process": "process"}
_HEAD = "Traceback (most recent call last):"

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


class Sighting(str):
    """What loghub knows of one record, carried by the record itself.

    Attributes:
        kind: None if the record is not to be reported (ignored, sampled out, dropped by before_send).
        counted: Tokens of the journals that have counted the record, separated by spaces.
        routed: Destinations that were counted with it, by the journal.
        kept: Number of this occurrence among those its group keeps in full in this hour; -1: not kept.
        event: The whole event, once somebody asked for it.
    """

    __slots__ = ("capture", "counted", "event", "kept", "kind", "routed")

    capture: Capture
    kind: Kind | None
    counted: str
    routed: frozenset[str]
    kept: int
    event: Event | None

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (self.counted,)


class _ByMessage(dict[str, Kind]):
    """Kinds on one code path that only their messages tell apart."""


class Capture:
    """Makes sightings and events, by what an EventFilter says about every event.

    Args:
        component: Which part of the system; None takes the logger's first name.
        environment: production, staging, ...
        release: What is deployed.
        is_in_app: Whether a frame of this file and module is the application's.
        scrubber: Takes secrets out.
        ignored: Whether records of this logger with this exception (or None) are not reported.
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
        ignored: Callable[[str, BaseException | None], bool] | None = None,
        before_send: Callable[[Event], Event | None] | None = None,
        sample: Callable[[], bool] | None = None,
        system: dict[str, Any] | None = None,
        include_locals: bool = False,
    ) -> None:
        self.component = component
        self.environment = environment
        self.release = release
        self.is_in_app = is_in_app or in_app_rule()
        self.scrubber = scrubber or Scrubber()
        self.ignored = ignored
        self.before_send = before_send
        self.sample = sample
        self.system = system
        self.include_locals = include_locals
        self._by_key: dict[Any, tuple[Kind | _ByMessage | None, Any]] = {}
        self._kinds: dict[tuple[str, str, int, str], Kind] = {}

    def sight(self, record: logging.LogRecord) -> Sighting:
        """Return what is known of `record`, remembered on the record."""
        fields = record.__dict__
        seen = fields.get("_loghub_event")
        if type(seen) is Sighting and seen.capture is self:
            return seen
        sighting = Sighting()
        sighting.capture = self
        sighting.routed = frozenset()
        sighting.kept = -1
        sighting.event = None
        sighting.counted = "" if seen is None else seen.counted if type(seen) is Sighting else str(seen)
        sighting.kind = self._find(record, fields, sighting)
        fields["_loghub_event"] = sighting
        return sighting

    def keep(self, sighting: Sighting, record: logging.LogRecord) -> Event:
        """Return the whole event of `record`, scrubbed; made once, whoever asks."""
        event = sighting.event
        if event is None:
            event = self.scrubber.event(self._describe(record))
            assert sighting.kind is not None
            event["fingerprint"] = sighting.kind.fingerprint
            sighting.event = event
        return event

    def _find(self, record: logging.LogRecord, fields: dict[str, Any], sighting: Sighting) -> Kind | None:
        if (
            record.name == OWN_LOGGER
            or fields.get("loghub_skip")
            or record.thread in muted_threads
            or (self.sample is not None and not self.sample())
        ):
            return None
        if self.before_send is not None:
            return self._ask(record, sighting)
        key, exc = _key(record, fields)
        hit = self._by_key.get(key)
        if hit is None:
            return self._learn(key, exc, record)
        kind = hit[0]
        if type(kind) is _ByMessage:
            return kind.get(_messages(exc, record)) or self._learn(key, exc, record)
        return kind  # type: ignore[return-value]

    def _learn(self, key: Any, exc: BaseException | None, record: logging.LogRecord) -> Kind | None:
        """Find the fingerprint of a code path (or of a message on it) that was not seen before."""
        found: Kind | None = None
        by_message = False
        if not (self.ignored is not None and self.ignored(record.name, exc)):
            event = self._outline(record)
            found = self._kind(self._fingerprint(event, record), record, event)
            by_message = exc is not None and fingerprint.depends_on_message(event)
        held = list(_code_objects(exc)) if exc is not None else ()
        if by_message and found is not None:
            known = self._by_key.get(key)
            table = known[0] if known and type(known[0]) is _ByMessage else _ByMessage()
            _make_room(table, 256)
            table[_messages(exc, record)] = found
            self._by_key[key] = (table, held)
        else:
            _make_room(self._by_key, MAX_KEYS)
            self._by_key[key] = (found, held)
        return found

    def _ask(self, record: logging.LogRecord, sighting: Sighting) -> Kind | None:
        """Let before_send see the event, and take the kind from what it returned."""
        exc = _exception(record)
        if self.ignored is not None and self.ignored(record.name, exc):
            return None
        event = self._describe(record)
        print_before = self._fingerprint(event, record)
        event = self.scrubber.event(event)
        event["fingerprint"] = print_before
        assert self.before_send is not None
        try:
            answer = self.before_send(event)
        except Exception:
            # It may have been there to take something out: nothing that it has not seen may leave.
            _complain(record)
            answer = _withhold(event)
        if answer is None:
            return None
        event = self.scrubber.event(answer)
        chosen = event.get("fingerprint") or print_before
        if chosen != print_before:
            chosen = fingerprint.custom(chosen, print_before)
        event["fingerprint"] = chosen
        sighting.event = event
        return self._kind(chosen, record, event)

    def _fingerprint(self, event: Event, record: logging.LogRecord) -> str:
        default = fingerprint.of_event(event)
        asked = record.__dict__.get("fingerprint")
        return default if asked is None else fingerprint.custom(asked, default)

    def _kind(self, mark: str, record: logging.LogRecord, event: Event) -> Kind:
        key = (mark, record.name, record.levelno, event.get("component", ""))
        kind = self._kinds.get(key)
        if kind is None:
            _make_room(self._kinds, MAX_KEYS)
            kind = self._kinds.setdefault(key, Kind(*key))
        return kind

    def _outline(self, record: logging.LogRecord) -> Event:
        """Return the part of the event that makes its fingerprint."""
        message = message_of(record)
        template = text_of(record.msg)
        exc = _exception(record)
        event: Event = {
            "level": record.levelname,
            "logger": record.name,
            "message": message,
            "template": template,
            "component": self._component(record),
            "platform": "python",
        }
        if exc is not None:
            assert record.exc_info
            event.update(self._part(exc, record.exc_info[2], set()))  # type: ignore[typeddict-item]
        elif text := _traceback_within(record, message):
            event.update(self._from_text(text))  # type: ignore[typeddict-item]
            if record.msg is message or _HEAD in template:
                event["message"] = event["template"] = message.partition(_HEAD)[0].rstrip("\n")
        else:
            event |= {
                "error_type": record.levelname,
                "error_module": "",
                "error_message": message,
                "frames": [],
                "traceback": "",
            }
        last = next((f for f in reversed(event["frames"]) if f.get("in_app")), None)
        last = last or (event["frames"][-1] if event["frames"] else None)
        event["module"] = last.get("module", "") if last else record.module
        event["function"] = last.get("function", "") if last else record.funcName or ""
        return event

    def _describe(self, record: logging.LogRecord) -> Event:
        """Return the whole event, not yet scrubbed."""
        outline = self._outline(record)
        exc = _exception(record)
        event: Event = {"timestamp": iso(record.created)}
        event |= {key: outline[key] for key in ("error_type", "error_message", "module", "function")}  # type: ignore[typeddict-item]
        event["traceback"] = outline.get("traceback") or (render(record, exc) if exc is not None else "")
        event["additional_info"] = context_of(record)
        event["id"] = uuid.uuid4().hex
        event |= outline
        event["traceback"] = event["traceback"] or ""
        event |= {
            "args": _args(record.args),
            "environment": self.environment,
            "release": self.release,
            "server": server_name(),
            "process": {"id": record.process, "name": record.processName},
            "thread": {"id": record.thread, "name": record.threadName},
            "task": _task_name(record),
            "mechanism": record.__dict__.get("loghub_mechanism") or _MECHANISMS.get(record.name, "logging"),
            "breadcrumbs": [],
        }
        for absent in ("causes", "exceptions", "notes"):
            event.setdefault(absent, [])  # type: ignore[misc]
        if record.stack_info:
            event["additional_info"]["stack_info"] = record.stack_info
        if self.system is not None:
            event["system"] = self.system
        return event

    def _component(self, record: logging.LogRecord) -> str:
        asked = record.__dict__.get("component")
        return str(asked) if asked else self.component or record.name.partition(".")[0]

    def _part(self, exc: BaseException, tb: TracebackType | None, seen: set[int]) -> ErrorPart:
        """Return `exc` with its frames, causes (nearest first) and members."""
        seen.add(id(exc))
        part: ErrorPart = {
            "error_type": type(exc).__name__,
            "error_module": type(exc).__module__,
            "error_message": text_of(exc),
            "frames": self._frames(tb),
        }
        if notes := getattr(exc, "__notes__", None):
            part["notes"] = [text_of(note) for note in notes] if isinstance(notes, list) else [text_of(notes)]
        if causes := list(self._causes(exc, seen)):
            part["causes"] = causes
        if isinstance(exc, BaseExceptionGroup):
            part["exceptions"] = [
                self._part(member, member.__traceback__, seen)
                for member in exc.exceptions[:_MAX_MEMBERS]
                if id(member) not in seen
            ]
        return part

    def _causes(self, exc: BaseException, seen: set[int]) -> Iterator[ErrorPart]:
        while True:
            relation, nearer = _reason(exc)
            if nearer is None or id(nearer) in seen:
                return
            seen.add(id(nearer))
            part: ErrorPart = {
                "error_type": type(nearer).__name__,
                "error_module": type(nearer).__module__,
                "error_message": text_of(nearer),
                "frames": self._frames(nearer.__traceback__),
                "relation": relation,  # type: ignore[typeddict-item]
            }
            if isinstance(nearer, BaseExceptionGroup):
                part["exceptions"] = [
                    self._part(member, member.__traceback__, seen)
                    for member in nearer.exceptions[:_MAX_MEMBERS]
                    if id(member) not in seen
                ]
            yield part
            exc = nearer

    def _frames(self, tb: TracebackType | None) -> list[Frame]:
        steps = list(_steps(tb))
        if len(steps) > 250:
            steps = steps[:50] + steps[-200:]
        return [self._frame(step) for step in steps]

    def _frame(self, tb: TracebackType) -> Frame:
        code = tb.tb_frame.f_code
        names = tb.tb_frame.f_globals
        module = names.get("__name__")
        module = module if isinstance(module, str) else ""
        frame: Frame = {
            "file": code.co_filename,
            "module": module,
            "function": code.co_qualname,
            "line": tb.tb_lineno or 0,
            "column": _column(tb),
            "code": linecache.getline(code.co_filename, tb.tb_lineno or 0, names).strip(),
            "in_app": self.is_in_app(code.co_filename, module),
        }
        if self.include_locals:
            frame["locals"] = {name: text_of(value, repr) for name, value in _locals(tb)}
        return frame

    def _from_text(self, text: str) -> ErrorPart:
        part: ErrorPart = parse_traceback(text)  # type: ignore[assignment]
        for frame in _all_frames(part):
            frame.setdefault("in_app", self.is_in_app(frame.get("file", ""), frame.get("module", "")))
        return part | {"traceback": text[text.index(_HEAD) :]}  # type: ignore[return-value]


def in_app_rule(
    project_root: str | None = None, in_app: Sequence[str] = (), not_in_app: Sequence[str] = ()
) -> Callable[[str, str], bool]:
    """Return the rule that says whether a frame (file, module) is the application's.

    Named modules decide first (with what is below them), the longer name over the shorter; then library
    folders are out; then, if `project_root` is given, only files below it are in.
    """
    root = os.path.join(os.path.abspath(project_root), "") if project_root else None
    named = sorted(
        [(name, True) for name in in_app] + [(name, False) for name in not_in_app],
        key=lambda pair: -len(pair[0]),
    )

    def rule(file: str, module: str) -> bool:
        for name, verdict in named:
            if module == name or module.startswith(name + ".") or fnmatch.fnmatchcase(module, name):
                return verdict
        if fingerprint.is_library_path(file):
            return False
        return root is None or os.path.abspath(file).startswith(root)

    return rule


def text_of(value: object, how: Callable[[Any], str] = str) -> str:
    """Return ``str(value)``, whatever `value` does."""
    try:
        return how(value)
    except Exception:
        return f"<unprintable {type(value).__name__} object>"


def message_of(record: logging.LogRecord) -> str:
    """Return the record's message; where the arguments do not fit the template, both."""
    try:
        return record.getMessage()
    except Exception:
        return f"{text_of(record.msg)} {text_of(record.args, repr)}"


def context_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return what the caller gave as ``extra``."""
    return {name: value for name, value in record.__dict__.items() if name not in _RECORD_FIELDS}


def render(record: logging.LogRecord, exc: BaseException) -> str:
    """Return the traceback as Python prints it."""
    assert record.exc_info
    try:
        return "".join(traceback.format_exception(type(exc), exc, record.exc_info[2])).rstrip("\n")
    except Exception:  # an exception class can break traceback (a property that raises, a broken __str__)
        lines = traceback.format_tb(record.exc_info[2])
        return f"{_HEAD}\n{''.join(lines)}{type(exc).__name__}: {text_of(exc)}"


def server_name() -> str:
    """Return this host's name, or an empty text."""
    try:
        return socket.gethostname()
    except OSError:
        return ""


def _exception(record: logging.LogRecord) -> BaseException | None:
    info = record.exc_info
    return info[1] if isinstance(info, tuple) and len(info) == 3 else None


def _key(record: logging.LogRecord, fields: dict[str, Any]) -> tuple[Any, BaseException | None]:
    """Return the key of the record's code path, and its exception."""
    info = record.exc_info
    exc = info[1] if info else None
    name = record.name
    asked = fields.get("fingerprint")
    extra = (fields.get("component"), None if asked is None else repr(asked))
    if exc is None:
        # Only a template with arguments is the same text for many messages.
        place = (record.pathname, record.lineno, record.funcName, text_of(record.msg)[:2000])
        return (name, record.levelno, extra, place, bool(record.exc_text)), None
    path: list[int] = [id(type(exc))]
    append = path.append
    tb = info[2]  # type: ignore[index]
    while tb is not None:
        append(id(tb.tb_frame.f_code))
        append(tb.tb_lasti)
        tb = tb.tb_next
    if exc.__cause__ is not None or exc.__context__ is not None or isinstance(exc, BaseExceptionGroup):
        _extend(path, exc, {id(exc)})
    steps = tuple(path)
    if len(steps) > _LONG_KEY:
        steps = (len(steps), hash(steps), *steps[:16], *steps[-16:])
    return (name, record.levelno, extra, steps), exc


def _extend(path: list[int], exc: BaseException, seen: set[int]) -> None:
    """Add the causes and members of `exc` to the key `path`."""
    for part in _reachable(exc, seen):
        path.append(-1)
        path.append(id(type(part)))
        for step in _steps(part.__traceback__):
            path.append(id(step.tb_frame.f_code))
            path.append(step.tb_lasti)


def _reachable(exc: BaseException, seen: set[int]) -> Iterator[BaseException]:
    """Yield the exceptions that a traceback of `exc` shows beside itself."""
    waiting = [exc]
    while waiting and len(seen) < 256:
        one = waiting.pop()
        _, reason = _reason(one)
        near = [] if reason is None else [reason]
        if isinstance(one, BaseExceptionGroup):
            near.extend(one.exceptions[:_MAX_MEMBERS])
        for other in near:
            if id(other) not in seen:
                seen.add(id(other))
                yield other
                waiting.append(other)


def _reason(exc: BaseException) -> tuple[str, BaseException | None]:
    if exc.__cause__ is not None:
        return "cause", exc.__cause__
    return "context", None if exc.__suppress_context__ else exc.__context__


def _steps(tb: TracebackType | None) -> Iterator[TracebackType]:
    while tb is not None:
        yield tb
        tb = tb.tb_next


def _code_objects(exc: BaseException) -> set[Any]:
    """Return what a key's ids stand for: while they are held, no other object can have these ids."""
    parts = [exc, *_reachable(exc, {id(exc)})]
    held: dict[int, Any] = {id(type(part)): type(part) for part in parts}
    for part in parts:
        for step in _steps(part.__traceback__):
            held[id(step.tb_frame.f_code)] = step.tb_frame.f_code
    return held.values()  # type: ignore[return-value]


def _messages(exc: BaseException | None, record: logging.LogRecord) -> str:
    """Return the texts that may tell bugs on one code path apart, without their variable values."""
    if exc is None:
        return fingerprint.normalize(message_of(record))
    parts = [exc, *itertools.islice(_reachable(exc, {id(exc)}), 8)]
    return "\n".join(fingerprint.normalize(text_of(part)) for part in parts)


def _traceback_within(record: logging.LogRecord, message: str) -> str | None:
    """Return the text of a traceback that a QueueHandler or a renderer left in the record, if any."""
    for text in (record.exc_text, message):
        if isinstance(text, str) and _HEAD in text:
            return text
    return None


def _all_frames(part: ErrorPart) -> Iterator[Frame]:
    yield from part.get("frames", [])
    for inner in (*part.get("causes", []), *part.get("exceptions", [])):
        yield from _all_frames(inner)


def _column(tb: TracebackType) -> int | None:
    if tb.tb_lasti < 0:
        return None
    positions = next(itertools.islice(tb.tb_frame.f_code.co_positions(), tb.tb_lasti // 2, None), None)
    return positions[2] if positions else None


def _locals(tb: TracebackType) -> list[tuple[str, Any]]:
    try:
        return list(tb.tb_frame.f_locals.items())[:50]
    except Exception:
        return []


def _args(args: Any) -> list[Any] | dict[str, Any]:
    if isinstance(args, dict):
        return args
    return list(args) if isinstance(args, tuple) else [] if args is None else [args]


def _task_name(record: logging.LogRecord) -> str | None:
    name = getattr(record, "taskName", None)  # Python 3.12 has it on the record
    asyncio = sys.modules.get("asyncio")
    if name is None and asyncio is not None and record.thread == threading.get_ident():
        try:
            task = asyncio.current_task()
        except RuntimeError:
            return None
        name = task.get_name() if task else None
    return name


def _withhold(event: Event) -> Event:
    kept = {"timestamp", "error_type", "error_module", "module", "function", "id", "fingerprint", "level",
            "logger", "component", "environment", "release", "platform", "mechanism"}  # fmt: skip
    bare: Event = {key: value for key, value in event.items() if key in kept}  # type: ignore[assignment]
    bare["error_message"] = bare["message"] = "[withheld: before_send failed]"
    return bare


def _complain(record: logging.LogRecord) -> None:
    handler = logging.lastResort
    if handler is not None and logging.raiseExceptions:
        handler.handleError(record)


def _make_room(cache: dict[Any, Any], limit: int) -> None:
    """Drop the older half of a full cache."""
    if len(cache) >= limit:
        for key in list(itertools.islice(cache, limit // 2)):
            cache.pop(key, None)
