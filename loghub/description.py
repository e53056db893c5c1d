"""A LogRecord described as an event, whatever it holds: the slow half of capture, for what was not seen before.

`Describer.outline` says what makes the fingerprint, `Describer.whole` everything. Both look at objects of the
application, which may do anything: `Describer.bare` is what can still be said when they raise.
"""

from __future__ import annotations

import fnmatch
import itertools
import linecache
import os
import re
import socket
import sys
import threading
import time
import uuid
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from loghub import breadcrumbs, fingerprint, rendering, request
from loghub.codepath import MAX_MEMBERS, MAX_REACHED, make_room, reason, steps, watch
from loghub.event import KEYS, Event, Shared, iso
from loghub.fingerprint.reading import name_program
from loghub.plain import context_of, exception_of, plain
from loghub.sighting import FIELD
from loghub.sources import lines_of
from loghub.traceback_text import TRACEBACK_HEAD, function_at, module_of, parse_traceback, qualify, without_loguru
from loghub.written import GOES_ON, raised_at, template_of

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType, TracebackType

    from loghub.event import ErrorPart, Frame

MAX_NAMES = 256
MAX_SHARED = 2048
"""Frames that are remembered as they were described."""

_MAX_CAUSES = 50
_MAX_DEPTH = 10  # groups within groups; Python prints as many
_OUTER_FRAMES, _INNER_FRAMES = 50, 200
_MECHANISMS = {"loghub.uncaught": "uncaught", "loghub.browser": "browser", "loghub.process": "process"}
_OF_PROCESS = ("timestamp", "environment", "release", "process", "thread", "task", "breadcrumbs")
_GROUP_HEAD = "  + Exception Group "
_LOCAL = "<locals>."
_STACK = "\nStack (most recent call last):\n"


T = TypeVar("T")


class _Seen(NamedTuple):
    frame: Shared
    module: str
    source: Any  # linecache's entry of the file
    watched: Any


class Describer:
    """Describes records, by what an EventFilter says about every event.

    Args:
        component: Which part of the system; None takes the logger's first name.
        environment: production, staging, ...
        release: What is deployed.
        is_in_app: Whether a frame of this file and module is the application's.
        system: What is said about the machine; None: nothing, and not its name either.
        include_locals: Whether frames carry their local variables.
        shares: Whether events may share their frames and the like, because nobody changes them.
    """

    def __init__(
        self,
        component: str | None,
        environment: str,
        release: str | None,
        is_in_app: Callable[[str, str], bool],
        system: dict[str, Any] | None,
        *,
        include_locals: bool,
        shares: bool = True,
    ) -> None:
        self.component = component
        self.environment = environment
        self.release = release
        self.is_in_app = is_in_app
        self.system = system if system is None else Shared(system)
        self.include_locals = include_locals
        self.shares = shares and not include_locals
        self._shared: dict[tuple[int, int, int | None], _Seen] = {}
        self._names: dict[tuple[Any, ...], Shared] = {}

    def component_of(self, record: logging.LogRecord) -> str:
        """Return what the caller gave as ``extra={"component": ...}``, else what the filter or the logger says."""
        asked = record.__dict__.get("component")
        if asked or self.component:
            return text_of(asked or self.component)
        program = record.__dict__.get("_loghub_program")  # nobody chose a logger for what nobody caught
        return text_of(program or record.name or "root").partition(".")[0]

    def outline(self, record: logging.LogRecord) -> Event:
        """Return the part of the event that makes its fingerprint."""
        record = plain(record)
        event = self._head(record)
        exc = exception_of(record)
        if exc is not None:
            event |= self._part(exc, traceback_of(record), set())  # type: ignore[typeddict-item]
        elif given := record.__dict__.get("_loghub_told"):
            event |= self._judged(given)
        elif told := self._told(record, event["message"]):
            event |= told
        else:
            event |= _plain(record, event["message"])
            if record.name == "py.warnings" and (warned := _warned(event["message"])):
                return event | warned  # type: ignore[return-value]
        return _with_place(event, record)

    def whole(self, record: logging.LogRecord, outline: Event | None = None) -> Event:
        """Return the whole event, not yet scrubbed and without fingerprint.

        An `outline` that was made of this record becomes part of it.
        """
        record = plain(record)
        return self._complete(record, self.outline(record) if outline is None else outline)

    def bare(self, record: logging.LogRecord) -> Event:
        """Return what can be said of a record whose exception or arguments break whoever looks at them."""
        record = plain(record, raised=False)
        event = self._head(record)
        exc = exception_of(record)
        if exc is None:
            event |= _plain(record, event["message"])
        else:
            event |= self._own(exc, traceback_of(record))  # type: ignore[typeddict-item]
        return self._complete(record, _with_place(event, record))

    def _head(self, record: logging.LogRecord) -> Event:
        return {
            "level": record.levelname,
            "logger": record.name,
            "message": message_of(record),
            "template": template_of(record) or text_of(record.msg),
            "component": self.component_of(record),
            "platform": "python",
        }

    def _complete(self, record: logging.LogRecord, event: Event) -> Event:
        exc = exception_of(record)
        event |= {
            "timestamp": _time_of(record),
            "additional_info": self._context(record, exc),
            "id": uuid.uuid4().hex,
            "args": _args(record.args),
            "environment": self.environment,
            "release": self.release,
            "server": "" if self.system is None else server_name(),
            "process": self._named("process", record.process, record.processName),
            "thread": self._named("thread", record.thread, record.threadName),
            "task": _task_name(record),
            "mechanism": record.__dict__.get("_loghub_mechanism") or _MECHANISMS.get(record.name, "logging"),
            "breadcrumbs": breadcrumbs.before(record, shares=self.shares),
        }
        event |= self._given(record)
        if exc is not None:
            event["traceback"] = render(exc, traceback_of(record), record if FIELD in record.__dict__ else None)
        for absent in ("causes", "exceptions", "notes"):
            event.setdefault(absent, [])  # type: ignore[misc]
        asked = record.__dict__.get("fingerprint")
        if asked is not None:  # else nobody could explain the fingerprint later
            event["custom_fingerprint"] = asked  # type: ignore[typeddict-unknown-key]
        if record.stack_info:
            event["additional_info"]["stack_info"] = record.stack_info
        if self.system is None:
            event.pop("system", None)
        elif "system" not in event:  # else what is told is of another machine
            event["system"] = self.system if self.shares else dict(self.system)
        return event

    @staticmethod
    def _context(record: logging.LogRecord, exc: BaseException | None) -> dict[str, Any]:
        """Return the context; the request that brings a browser's report is none of the browser's error."""
        context = context_of(record)
        is_brought = record.__dict__.get("_loghub_mechanism") == "browser"
        return context if is_brought else _with_request(context, record, exc)

    def _named(self, *said: Any) -> dict[str, Any]:
        """Return id and name of the process or thread, mostly the same ones as the last time."""
        found = self._names.get(said)
        if found is None:
            make_room(self._names, MAX_NAMES)
            found = self._names[said] = Shared({"id": said[1], "name": said[2]})
        return found if self.shares else dict(found)

    # Exceptions ---------------------------------------------------------------------------------------------

    def _part(self, exc: BaseException, tb: TracebackType | None, seen: set[int], depth: int = 0) -> ErrorPart:
        """Return `exc` with its causes (nearest first) and members."""
        seen.add(id(exc))
        part = self._own(exc, tb)
        if notes := getattr(exc, "__notes__", None):
            part["notes"] = [text_of(note) for note in notes] if isinstance(notes, list) else [text_of(notes)]
        if causes := list(self._causes(exc, seen, depth)):
            part["causes"] = causes
        return self._with_members(part, exc, seen, depth)

    def _own(self, exc: BaseException, tb: TracebackType | None) -> ErrorPart:
        return {
            "error_type": type(exc).__qualname__.rpartition(_LOCAL)[2],
            "error_module": text_of(type(exc).__module__),
            "error_message": text_of(exc),
            "frames": self._frames(tb),
        }

    def _causes(self, exc: BaseException, seen: set[int], depth: int) -> Iterator[ErrorPart]:
        for _ in range(_MAX_CAUSES):
            relation, nearer = reason(exc)
            if nearer is None or id(nearer) in seen:
                return
            seen.add(id(nearer))
            part = self._own(nearer, nearer.__traceback__)
            part["relation"] = relation  # type: ignore[typeddict-item]
            yield self._with_members(part, nearer, seen, depth)
            exc = nearer

    def _with_members(self, part: ErrorPart, exc: BaseException, seen: set[int], depth: int) -> ErrorPart:
        if isinstance(exc, BaseExceptionGroup) and depth < _MAX_DEPTH:
            part["exceptions"] = [
                self._part(member, member.__traceback__, seen, depth + 1)
                for member in exc.exceptions[:MAX_MEMBERS]
                if id(member) not in seen and len(seen) < MAX_REACHED
            ]
        return part

    # Frames -------------------------------------------------------------------------------------------------

    def _frames(self, tb: TracebackType | None) -> list[Frame]:
        found = list(steps(tb))
        if len(found) > _OUTER_FRAMES + _INNER_FRAMES:
            found = found[:_OUTER_FRAMES] + found[-_INNER_FRAMES:]
        return [self._frame(step) for step in found]

    def _frame(self, tb: TracebackType) -> Frame:
        code, module = tb.tb_frame.f_code, tb.tb_frame.f_globals.get("__name__")
        module = module if isinstance(module, str) else ""
        if not self.shares:
            frame = self._described(tb, module)
            if self.include_locals:
                frame["locals"] = {name: text_of(value, _local) for name, value in _locals(tb.tb_frame)}
            return frame
        key = (id(code), tb.tb_lasti, tb.tb_lineno)
        seen = self._shared.get(key)
        if seen is None or seen.module != module or seen.source is not linecache.cache.get(code.co_filename):
            shared = Shared(self._described(tb, module))
            make_room(self._shared, MAX_SHARED)
            source = linecache.cache.get(code.co_filename)
            seen = self._shared[key] = _Seen(shared, module, source, watch(code, self._shared, key))
        return seen.frame  # type: ignore[return-value]

    def _described(self, tb: TracebackType, module: str) -> Frame:
        code = tb.tb_frame.f_code
        line = _source_line(tb)
        more: dict[str, str] = {}
        if line.startswith(("raise", "assert")) and line.endswith(GOES_ON):
            said, whole = raised_at(_patiently(lambda: linecache.getlines(code.co_filename)), (tb.tb_lineno or 0) - 1)
            line, more = (line, {"template": said}) if said else (whole or line, more)
        return {
            "file": code.co_filename,
            "module": module,
            "function": code.co_qualname,
            "line": tb.tb_lineno or 0,
            "column": rendering.position_of(tb)[2],
            "code": line,
            "in_app": self.is_in_app(code.co_filename, module),
            **more,  # type: ignore[typeddict-item]
        }

    # Texts of tracebacks ------------------------------------------------------------------------------------

    def _told(self, record: logging.LogRecord, message: str) -> Event | None:
        """Return what the text of a traceback says, if a QueueHandler or a renderer left one in the record."""
        for text in (record.exc_text, message):
            if isinstance(text, str) and TRACEBACK_HEAD in text:
                before, told = _split(text)
                event = self._from_text(told, text_of(record.__dict__.get("_loghub_program") or ""))
                if event.get("frames") or event.get("causes") or event.get("exceptions"):
                    if text is message:
                        event["message"] = event["template"] = before.rstrip()
                    return event
        return None

    def _judged(self, given: Any) -> Event:
        """Return what loghub says of an error that is no exception of this process; its frames may lack ``in_app``."""
        frames = [{"in_app": self.is_in_app(one["file"], ""), **one} for one in given["frames"]]
        return {**given, "frames": frames}  # type: ignore[typeddict-item]

    def _given(self, record: logging.LogRecord) -> Event:
        """Return what loghub says of another process, instead of what is true of this one."""
        given = record.__dict__.get("_loghub_told") or {}
        names = (*_OF_PROCESS, "server") if self.system is not None else _OF_PROCESS
        return {key: given[key] for key in names if key in given}  # type: ignore[return-value]

    def _from_text(self, text: str, program: str) -> Event:
        text = without_loguru(text)
        part: Any = parse_traceback(text.partition(_STACK)[0])
        name_program(part, program)
        for inner in _parts(part):
            inner["error_module"], inner["error_type"] = _class_of(inner["error_module"], inner["error_type"])
            for frame in inner["frames"]:
                if module := module_of(frame["file"]):
                    frame["module"] = module
                frame["in_app"] = self.is_in_app(frame["file"], module)
            if at := _culprit(inner["frames"]):
                # A text does not say the class around a method, which tells two bugs apart.
                at["function"] = _qualified(at["file"], at["function"], at["line"])
        return part | {"traceback": text}  # type: ignore[no-any-return]


def in_app_rule(
    project_root: str | None = None, in_app: Sequence[str] = (), not_in_app: Sequence[str] = ()
) -> Callable[[str, str], bool]:
    """Return the rule that says whether a frame (file, module) is the application's.

    Named modules decide first (with what is below them), the longer name over the shorter; then library
    folders are out; then, if `project_root` is given, only files below it are in, and what a person typed.
    """
    # A folder of releases is often reached by a link: frames know it by either name.
    roots = tuple({os.path.join(real(project_root), "") for real in (os.path.abspath, os.path.realpath)}
                  if project_root else ())  # fmt: skip
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
        return not roots or file.startswith("<") or _absolute(file).startswith(roots)

    return rule


def text_of(value: object, how: Callable[[Any], str] = str) -> str:
    """Return ``str(value)``, whatever `value` does."""
    try:
        return _exact(how(value))
    except BaseException:  # as traceback: an exception's __str__ may raise KeyboardInterrupt
        return f"<unprintable {type(value).__name__} object>"


def _exact(text: str) -> str:
    """Return a str that is nothing more: one of a class of the application's may fail whoever formats it."""
    return text if type(text) is str else str.__str__(text)


def message_of(record: logging.LogRecord) -> str:
    """Return the record's message; where the arguments do not fit the template, both."""
    try:
        return _exact(record.getMessage())
    except Exception:
        args: Any = record.args
        none = args is None or (type(args) in (tuple, dict) and not args)
        return text_of(record.msg) if none else f"{text_of(record.msg)} {text_of(args, repr)}"


def _with_request(context: dict[str, Any], record: logging.LogRecord, exc: BaseException | None) -> dict[str, Any]:
    """Add what is known of the web request; a `request` of the caller's own stays what it is."""
    trail = record.__dict__.get(breadcrumbs.FIELD)
    facts = request.of_record(record, exc, trail.request if type(trail) is breadcrumbs.Trail else None)
    if facts:
        free = "request" not in context or request.is_framework_request(context["request"])
        context["request" if free else "http_request"] = dict(facts)
    return context


def traceback_of(record: logging.LogRecord) -> TracebackType | None:
    """Return the traceback of a record that has an exception."""
    info: Any = record.exc_info
    return info[2] if isinstance(info, tuple) else info.__traceback__  # type: ignore[no-any-return]


def render(exc: BaseException, tb: TracebackType | None, record: logging.LogRecord | None) -> str:
    """Return the traceback as Python prints it."""
    try:
        if _is_endless(exc):
            raise RecursionError
        return _patiently(lambda: rendering.formatted((type(exc), exc, tb), record)).rstrip("\n")
    except Exception:  # an exception can break traceback: a property that raises, a broken __str__, too many parts
        codes = ((step.tb_frame.f_code, step.tb_lineno) for step in itertools.islice(steps(tb), _INNER_FRAMES))
        lines = [f'  File "{code.co_filename}", line {line}, in {code.co_name}\n' for code, line in codes]
        return f"{TRACEBACK_HEAD}\n{''.join(lines)}{type(exc).__name__}: {text_of(exc)}"


def _is_endless(exc: BaseException) -> bool:
    """Return whether traceback would work for seconds: what groups share it prints in each, level by level."""
    left, seen = _MAX_AGAIN, set()
    waiting: list[BaseException] = [exc]
    while waiting and left:
        one = waiting.pop()
        left -= id(one) in seen
        seen.add(id(one))
        waiting += [near for near in (one.__cause__, one.__context__) if near is not None and id(near) not in seen]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
    return not left


_MAX_AGAIN = 1_000


def in_order(event: Event) -> Event:
    """Return `event` with its keys in the order in which they are written."""
    ordered = {key: event[key] for key in KEYS if key in event}  # type: ignore[literal-required]
    if len(ordered) < len(event):
        ordered |= {key: value for key, value in event.items() if key not in ordered}
    return ordered  # type: ignore[return-value]


def server_name() -> str:
    """Return this host's name, or an empty text."""
    try:
        return socket.gethostname()
    except OSError:
        return ""


def _plain(record: logging.LogRecord, message: str) -> Event:
    return {
        "error_type": record.levelname,
        "error_module": "",
        "error_message": message,
        "frames": [],
        "traceback": "",
    }


def _warned(message: str) -> dict[str, str]:
    """Return what `warnings.formatwarning` says that a person wants to know, and where it was warned."""
    read = _WARNING.match(message)
    if read is None:
        return {}
    file, stem = read["file"], os.path.splitext(os.path.basename(read["file"]))[0]
    function = _patiently(lambda: function_at(lines_of(file), int(read["line"])))
    return {"error_message": read["said"], "module": module_of(file) or stem, "function": function}


_WARNING = re.compile(r"(?P<file>[^\n]{1,400}?):(?P<line>\d{1,9}): (?P<said>\w+: [^\n]*)")


def _with_place(event: Event, record: logging.LogRecord) -> Event:
    """Say where it happened: the innermost in-app frame, else the innermost, else the place of the call."""
    at: Any = _culprit(event["frames"]) or next(reversed(event["frames"]), None)
    if (place := record.__dict__.get("_loghub_place")) is not None:
        event["module"], event["function"] = place
    elif at is None:
        event["module"], event["function"] = record.module, record.funcName or ""
    else:
        event["module"] = at.get("module") or os.path.splitext(os.path.basename(at["file"]))[0]
        event["function"] = at["function"]
    return event


def _culprit(frames: Sequence[Any]) -> Any:
    return next((frame for frame in reversed(frames) if frame["in_app"]), None)


def _time_of(record: logging.LogRecord) -> str:
    try:
        return iso(record.created)
    except (TypeError, ValueError, OverflowError, OSError):  # a record made by hand
        return iso(time.time())


def _source_line(tb: TracebackType) -> str:
    file, names = tb.tb_frame.f_code.co_filename, tb.tb_frame.f_globals
    try:
        return _patiently(lambda: linecache.getline(file, tb.tb_lineno or 0, names)).strip()
    except Exception:  # a loader of the application's own, a file name that no file can have
        return ""


def _locals(frame: FrameType) -> list[tuple[str, Any]]:
    try:
        return list(frame.f_locals.items())[:50]
    except Exception:
        return []


def _local(value: object) -> str:
    """Return what is shown of a local variable; one that is huge is not rendered as a whole."""
    kind: Any = type(value)
    if issubclass(kind, _TEXTS) and len(value) > _MAX_LOCAL:  # type: ignore[arg-type]
        return f"{text_of(value[:_MAX_LOCAL], repr)}... ({len(value)} in all)"  # type: ignore[index,arg-type]
    if not _is_huge(value):
        return text_of(value, repr)
    return f"<{kind.__name__} of {len(value)}>" if issubclass(kind, _HOLDERS) else f"<{kind.__name__}>"  # type: ignore[arg-type]


def _is_huge(value: object) -> bool:
    """Return whether containers hold more than is worth rendering, themselves or together; exceptions hold others."""
    left = 10 * _MAX_LOCAL
    waiting: list[Any] = [value]
    while waiting and left >= 0:
        one = waiting.pop()
        if issubclass(type(one), BaseException):
            left -= 1
            waiting.append(BaseException.args.__get__(one))  # type: ignore[attr-defined]
        elif issubclass(type(one), _HOLDERS):
            left -= len(one)
            if left >= 0 and not issubclass(type(one), _TEXTS):
                waiting.extend(one.values() if issubclass(type(one), dict) else one)
    return left < 0


_TEXTS = (str, bytes, bytearray)
_HOLDERS = (*_TEXTS, list, tuple, dict, set, frozenset)
_MAX_LOCAL = 2_000


def _args(args: Any) -> list[Any] | dict[str, Any]:
    kind = type(args)  # isinstance would ask an object of the application for its class
    if issubclass(kind, dict):
        return args  # type: ignore[no-any-return]
    return list(args) if issubclass(kind, tuple) else [] if args is None else [args]


def _task_name(record: logging.LogRecord) -> str | None:
    name: str | None = getattr(record, "taskName", None)  # Python 3.12 has it on the record
    asyncio = sys.modules.get("asyncio")
    if name is None and asyncio is not None and record.thread == threading.get_ident():
        try:
            task = asyncio.current_task()
        except (RuntimeError, AttributeError):  # no loop runs here; asyncio is being imported
            return None
        name = task.get_name() if task else None
    return name


def _split(text: str) -> tuple[str, str]:
    """Split into what stands before a traceback, and the traceback."""
    at = text.index(TRACEBACK_HEAD)
    start = text.rfind("\n", 0, at) + 1
    if text[start:at].strip() and text[start:at] != _GROUP_HEAD:
        start = at
    return text[:start], text[start:]


def _parts(part: Any) -> Iterator[Any]:
    waiting = [part]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += (*one.get("causes", ()), *one.get("exceptions", ()))


def _class_of(module: str, kind: str) -> tuple[str, str]:
    """Return module and name of a class that a traceback calls ``module.Outer.Name``."""
    kind = kind.rpartition(_LOCAL)[2]
    first, dot, rest = kind.partition(".")
    while dot and f"{module}.{first}" in sys.modules:
        module, kind = f"{module}.{first}", rest
        first, dot, rest = kind.partition(".")
    return module or "builtins", kind


@lru_cache(1024)
def _qualified(file: str, function: str, line: int) -> str:
    frame = {"file": file, "function": function, "line": line}
    _patiently(lambda: qualify([frame], lines_of))
    return str(frame["function"])


def _patiently(read: Callable[[], T]) -> T:
    """Return what `read` gets, if need be at a second try.

    linecache fails (KeyError) where another thread refreshes it at that moment, the parser of some Pythons
    (SystemError: AST constructor recursion depth mismatch) where another thread gets its turn within it.
    """
    for _ in range(3):
        try:
            return read()
        except (KeyError, SystemError):
            continue
    return read()


def _absolute(file: str) -> str:
    try:
        return os.path.abspath(file)
    except OSError:  # the working directory was removed
        return file
