"""A record as the plain call at the same place would have made it, whatever stood between.

structlog puts a dict into the message, or a text that a renderer made of it; a QueueHandler makes one text of message,
traceback and stack; loguru writes the traceback behind the message. `plain` looks through all of it. The record itself
is never changed: it belongs to other handlers, too.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from loghub.event import epoch
from loghub.rendered import event_key, read
from loghub.traceback_dicts import live
from loghub.traceback_text import TRACEBACK_HEAD, without_loguru

if TYPE_CHECKING:
    from types import FrameType

CONTEXT = "_loghub_context"
"""Where a record that is not as it was has its whole context."""

STACK_HEAD = "Stack (most recent call last):\n"
"""How `logging` and structlog begin what ``stack_info`` asks for."""

RECORD_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
"""What is not context: logging's own."""

SPECIAL = ("fingerprint", "component", "loghub_skip")
"""What a caller may say to loghub by ``extra``."""

_HEADS = ("pathname", "filename", "module", "lineno", "thread", "process")
_CALLSITE = {**{name: name for name in _HEADS}, "func_name": "funcName", "thread_name": "threadName",
             "process_name": "processName", "task_name": "taskName", "logger": "name"}  # fmt: skip
_TIMES = frozenset({"timestamp", "time", "ts", "@timestamp", "asctime", "datetime"})
_GROUP = re.compile(r"\n *\+ Exception Group $")
_META = frozenset({"_logger", "_name", "_record", "_from_structlog", "positional_args", "stacklevel"})
_STRUCTLOG = frozenset({"exception", "stack", "level", "level_number", "logger", *_TIMES, *_META})
_NEARLY_SECONDS = 60.0
_ZONES_SECONDS = 15 * 3600.0
_AROUND_CALLS = ("structlog", "logging", "loghub")
_LEVELS = {name.lower(): level for name, level in logging.getLevelNamesMapping().items()} | {
    "exception": logging.ERROR,
}


class Said(NamedTuple):
    """What an event dict says.

    Attributes:
        message: What was said, its values not yet put in.
        args: The values.
        exc_info: What stands there for an exception: anything that structlog takes.
        traceback: The text of one that is already rendered.
        stack: The text that ``stack_info`` asked for.
        more: Everything else.
    """

    message: Any
    args: tuple[Any, ...]
    exc_info: Any
    traceback: str
    stack: str
    more: dict[str, Any]


def plain(record: logging.LogRecord, *, raised: bool = True) -> logging.LogRecord:
    """Return `record` as the plain call would have made it: itself, or a copy.

    Args:
        record: Any record.
        raised: Whether the exception that this thread handles may be the one that the record speaks of.
    """
    if CONTEXT in record.__dict__:
        return record
    try:
        return _plain(record, raised=raised)
    except Exception:  # values of the application may do anything when they are compared
        return record


def _plain(record: logging.LogRecord, *, raised: bool) -> logging.LogRecord:
    if called := _caller(record):
        record = _changed(record, called)
    fields = record.__dict__
    said, rest = _said_in(record.msg, fields)
    changed: dict[str, Any] = {}
    if said is not None or not fields.keys().isdisjoint(_STRUCTLOG):
        changed = _unwrapped(record, said, raised=raised)
    elif type(fields.get("extra")) is dict:
        changed = _split(context_of(record))
    if rest:
        changed |= _behind(record, rest, changed)
    return _changed(record, changed) if changed else record


def _changed(record: logging.LogRecord, changed: dict[str, Any]) -> logging.LogRecord:
    twin: logging.LogRecord = object.__new__(type(record))
    twin.__dict__.update(record.__dict__)
    twin.__dict__.update(changed)
    return twin


def read_event(event: dict[str, Any], message: str | None = None) -> Said:
    """Return what an event dict says, which is left as it is.

    Args:
        event: The dict.
        message: Under which name it keeps what was said; None: the usual one.
    """
    more = dict(event)
    text = more.pop((event_key(event) or "event") if message is None else message, "")
    rendered, stack, asked = more.get("exception"), more.get("stack"), more.pop("stack_info", None)
    told = ""
    if isinstance(rendered, str) and TRACEBACK_HEAD in rendered:
        told = more.pop("exception")
    elif isinstance(rendered, list) and (told := live(rendered)):
        del more["exception"]
    if isinstance(stack, str) and stack.startswith(STACK_HEAD):
        del more["stack"]
    else:
        stack = asked if isinstance(asked, str) and asked.startswith(STACK_HEAD) else ""
    args, info = more.pop("positional_args", ()), more.pop("exc_info", None)
    return Said(text, args if type(args) is tuple else (args,), info, told, stack, more)


def context_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return what the caller gave as ``extra``; a dict that is called ``extra`` itself (loguru's) is opened."""
    fields = record.__dict__
    whole = fields.get(CONTEXT)
    if whole is not None:
        return dict(whole)
    found = {name: value for name, value in fields.items() if name not in _NOT_CONTEXT}
    nested = found.get("extra")
    if type(nested) is dict:
        del found["extra"]
        found |= {str(name): value for name, value in nested.items()}
    apart = fields.get("_loghub_apart")
    return found | apart if type(apart) is dict else found


_APART = ("_loghub_apart", "_loghub_place")
_OURS = (
    "_loghub_event",
    "_loghub_times",
    "_loghub_trail",
    "_loghub_mechanism",
    "_loghub_program",
    "_loghub_told",
    *_APART,
)
_NOT_CONTEXT = RECORD_FIELDS | {*SPECIAL, *_OURS}


def exc_info_of(value: Any, *, raised: bool = True) -> tuple[Any, Any, Any] | None:
    """Return the exception that an ``exc_info`` means, as structlog understands it.

    Args:
        value: An exception, a triple, or anything that is true: what is being handled.
        raised: Whether this thread's is meant at all.
    """
    if isinstance(value, BaseException):
        return type(value), value, value.__traceback__
    if isinstance(value, tuple) and len(value) == 3 and isinstance(value[1], BaseException):
        return value
    if not value or not raised:
        return None
    current = sys.exc_info()
    if current[1] is None or (type(value) is list and repr(current[1]) not in value):  # a triple, as JSON has it
        return None
    return current


def calling_frame(start: FrameType | None) -> FrameType | None:
    """Return the application's frame that called structlog, from `start` outwards."""
    frame: FrameType | None = _of_structlog("_ASYNC_CALLING_STACK") or start
    while frame is not None:
        module = frame.f_globals.get("__name__")
        if not isinstance(module, str) or module.partition(".")[0] not in _AROUND_CALLS:
            return frame
        frame = frame.f_back
    return None


def calling_thread() -> tuple[int, str] | None:
    """Return id and name of the thread in which a coroutine called structlog, whose call goes on in this one."""
    return _of_structlog("_ASYNC_CALLING_THREAD")  # type: ignore[no-any-return]


def _of_structlog(name: str) -> Any:
    module = sys.modules.get("structlog.contextvars")
    variable = getattr(module, name, None)
    return None if variable is None else variable.get(None)


def exception_of(record: logging.LogRecord) -> BaseException | None:
    """Return the record's exception, if it has one."""
    info: Any = record.exc_info
    if isinstance(info, tuple):
        info = info[1] if len(info) == 3 else None
    if type(info).__module__ == "billiard.einfo":  # what Celery's pool says of a child, with a traceback as its text
        info = getattr(info, "exc", info)
    return info if isinstance(info, BaseException) else None


def _said_in(message: Any, fields: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    """Return the event dict in a message, and what a QueueHandler or loguru wrote behind the message."""
    if isinstance(message, dict):
        wrapped = "_logger" in fields or (not fields["args"] and event_key(message))
        return (message if wrapped else None), ""
    if type(message) is not str or fields["args"]:
        return None, ""
    if (found := read(message)) is not None:
        return found
    if STACK_HEAD in message and (at := message.find(f'\n{STACK_HEAD}  File "')) >= 0:
        return None, message[at:]
    if fields.get("exc_text") == "\n" and TRACEBACK_HEAD in message:  # loguru has logging write no second one
        at = message.index(TRACEBACK_HEAD)
        return None, message[len(_GROUP.sub("", message[:at]).rstrip("\n")) :]
    return None, ""


def _unwrapped(record: logging.LogRecord, event: dict[str, Any] | None, *, raised: bool) -> dict[str, Any]:
    """Return what is different in the plain call's record; without an `event`, its parts came as ``extra``."""
    changed: dict[str, Any] = {}
    context = context_of(record)
    if event is None:
        said = read_event(context, message="")
    else:
        said = read_event(event, _event_name(event))
        changed = {"msg": said.message, "args": said.args or ()}
        context = {name: value for name, value in context.items() if name not in _META}
    if exception_of(record) is None:
        here = record.thread == threading.get_ident() and record.process == os.getpid()
        changed["exc_info"] = info = exc_info_of(said.exc_info, raised=raised and here)
        if said.traceback and info is None:
            changed["exc_text"] = said.traceback
    changed["stack_info"] = record.stack_info or said.stack or None
    more = said.more if event is None else context | said.more
    rendered = event is not None
    told = [name for name, value in more.items() if _is_told(name, value, record, rendered=rendered)]
    return changed | _split({name: value for name, value in more.items() if name not in told})


def _split(context: dict[str, Any]) -> dict[str, Any]:
    """Return what a context says to loghub, each as a field of the record, and the rest."""
    said = {name: context.pop(name) for name in SPECIAL if name in context}
    return {**said, CONTEXT: context}


def _event_name(event: dict[str, Any]) -> str | None:
    """Return where an EventRenamer has put what was said, if it put something else into its place."""
    structlog = sys.modules.get("structlog")
    if structlog is None or sum(key in event for key in ("event", "message", "msg")) < 2:
        return None
    for one in structlog.get_config()["processors"]:
        if type(one).__name__ == "EventRenamer" and one.to in event:
            return str(one.to)
    return None


def _is_told(name: str, value: Any, record: logging.LogRecord, *, rendered: bool) -> bool:
    """Whether structlog's processors have put this there, and the record says the same."""
    if name in _TIMES and not (rendered and name == "timestamp"):
        at = epoch(value) if isinstance(value, str) else value
        return isinstance(at, int | float) and _is_now(at - record.created)
    if name in ("level", "level_number"):
        return (_LEVELS.get(value.lower()) if type(value) is str else value) == record.levelno
    if name in _NAMES:
        return bool(str(value).rpartition(".")[2] == getattr(record, _NAMES[name]))
    if name in _CALLSITE:
        return bool(value in (getattr(record, _CALLSITE[name], None), "n/a"))
    return name in _META or name == "timestamp"


_NAMES = {"qual_name": "funcName", "qual_module": "module"}


def _is_now(off: float) -> bool:
    """Whether a time is that of the record, maybe of another time zone."""
    return abs(off) < _ZONES_SECONDS and abs((off + 450) % 900 - 450) < _NEARLY_SECONDS


def _behind(record: logging.LogRecord, rest: str, changed: dict[str, Any]) -> dict[str, Any]:
    """Return what a text behind the message tells: a traceback, a stack."""
    before, _, stack = rest.partition("\n" + STACK_HEAD)
    found: dict[str, Any] = {}
    if "msg" not in changed and type(record.msg) is str:
        found["msg"] = record.msg[: -len(rest)]
        if record.exc_text == "\n":
            found["exc_text"] = None
    if stack and not record.stack_info:
        found["stack_info"] = STACK_HEAD + stack
    known = changed.get("exc_info") or exception_of(record)
    if TRACEBACK_HEAD in before and not changed.get("exc_text") and not known:
        found["exc_text"] = without_loguru(before.strip("\n"))
    return found


def _caller(record: logging.LogRecord) -> dict[str, Any]:
    """Return place and thread of the call where the record has structlog's own."""
    if record.thread != threading.get_ident() or record.process != os.getpid():
        return {}
    found: dict[str, Any] = {}
    if record.funcName == "_proxy_to_logger" and (frame := calling_frame(sys._getframe(1))) is not None:
        path = frame.f_code.co_filename
        name = os.path.basename(path)
        found |= {"pathname": path, "filename": name, "module": os.path.splitext(name)[0],
                  "lineno": frame.f_lineno, "funcName": frame.f_code.co_name}  # fmt: skip
    if (thread := calling_thread()) is not None:
        found["thread"], found["threadName"] = thread
    return found
