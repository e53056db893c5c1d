"""The last records of this thread or asyncio task, kept for the next error.

Every record that a `loghub.BreadcrumbHandler` sees becomes a `Crumb` in the ring of the thread that logged it, and in
that of its context: each asyncio task and each greenlet has its own. A task's ring begins with what the one had that
started it, as an isolation scope of Sentry's does; then the two go their own ways. What a task hands to a thread
(``asyncio.to_thread``, a sync endpoint in a thread pool) takes its context with it, and so leaves its crumbs in the
task's ring. Outside of tasks a thread's crumbs are those of all that ran in it.

Rings are bounded and end with their thread or their task's context. They hold texts and plain values, never a record,
an exception or an object of the application: what is no plain value is formatted at once. A child of a fork begins
with what its parent had.
"""

from __future__ import annotations

import contextvars
import logging
import sys
import threading
import time
import weakref
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any

from loghub import request
from loghub.codepath import make_room
from loghub.event import Shared, iso
from loghub.scrub.size import BEGINNING_CHARS, CUT_MARGIN_CHARS, Beginning

if TYPE_CHECKING:
    from collections.abc import Iterable

FIELD = "_loghub_trail"
"""The record's attribute: whose crumbs belong to it."""

MAX_RECENT = 100
"""Crumbs of all threads together that `recent` can tell."""

MAX_AFAR = 256
"""Threads of records that came through queues."""

_MAX_EXTRA = 10
_MAX_EXTRA_CHARS = 200
_MAX_INT = 1 << 63
_SAFE = frozenset((int, float, bool, type(None)))  # immutable, small, and formatted by Python itself
_RECORD_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_STANDARD = len(logging.makeLogRecord({}).__dict__)


class Crumb:
    """What is kept of one record.

    Attributes:
        args: Plain values that `message` has places for; empty once it is formatted.
        shown: The crumb as an event has it, made when the first error needs it.
    """

    __slots__ = ("args", "created", "error_type", "extra", "level", "line", "logger", "message", "shown", "thread")

    def __init__(
        self, record: logging.LogRecord, message: str, args: tuple[Any, ...], extra: dict[str, Any] | None
    ) -> None:
        info: Any = record.exc_info
        kind = info[0] if type(info) is tuple and info else None
        self.created = record.created
        self.level = record.levelname
        self.line = record.lineno
        self.logger = record.name
        self.message = message
        self.args = args
        self.error_type: str | None = None if kind is None else kind.__name__
        self.extra = extra
        self.thread = record.threadName
        self.shown: Shared | None = None

    def as_shared(self) -> Shared:
        """Return what events hold of it, the same for all of them."""
        if self.shown is None:
            self.shown = Shared(self.described())
        return self.shown

    def described(self) -> dict[str, Any]:
        """Return it as plain data, not yet scrubbed."""
        said = {
            "timestamp": _time(self.created),
            "level": self.level,
            "logger": self.logger,
            "message": _bounded(_formatted(self.message, self.args)),
        }
        if self.error_type:
            said["error_type"] = self.error_type
        return {**said, "extra": dict(self.extra)} if self.extra else said


class Ring(deque[Crumb]):
    """The crumbs of a thread, a task or a greenlet.

    Attributes:
        era: When it was begun: it means nothing any more when all handlers of that time are gone.
        owner: A weak reference to the task or greenlet; None for a thread.
    """

    __slots__ = ("era", "owner")

    def __init__(self, before: Iterable[Crumb] = (), owner: object = None) -> None:
        super().__init__(before, _capacity + 1)  # an error that is kept takes no place of what led to it
        self.era = _era
        self.owner: Any = None if owner is None else weakref.ref(owner)


class Trail(str):
    """What leads from a record to the crumbs and the request of the thread that logged it, through a queue as well.

    It is an empty str to everybody else, and pickled as one.
    """

    __slots__ = ("request", "ring")

    ring: Ring
    request: dict[str, Any] | None

    def __reduce__(self) -> tuple[type[str], tuple[()]]:
        return str, ()


class _Thread(threading.local):
    ring: Ring | None = None


_thread = _Thread()
_inner: contextvars.ContextVar[Ring | None] = contextvars.ContextVar("loghub_breadcrumbs", default=None)
_recent: deque[Crumb] = deque(maxlen=MAX_RECENT)
_afar: dict[tuple[Any, ...], Ring] = {}
_keepers: weakref.WeakSet[Keeper] = weakref.WeakSet()
_capacity = 30
_era = 0


class Keeper:
    """Stands for a handler: as long as there is one, crumbs are kept. They are the same for all of them.

    Args:
        capacity: How many a thread or task keeps; that of the newest handler holds.
    """

    def __init__(self, capacity: int) -> None:
        global _capacity, _era  # noqa: PLW0603 - one for the process, as logging's own configuration
        if not _keepers:
            _era += 1
            _forget()
        _capacity = capacity
        _keepers.add(self)

    def close(self) -> None:
        """Take leave; with the last handler all crumbs go."""
        _keepers.discard(self)
        if not _keepers:
            _forget()


def _forget() -> None:
    _recent.clear()
    _afar.clear()


def keep(record: logging.LogRecord) -> None:
    """Keep what is needed of a record, once."""
    if record.thread is not None and record.thread != threading.get_ident():  # we stand behind a queue
        ring = afar(record)
        if not _is_last(ring, record):
            crumb = _crumb(record)
            ring.append(crumb)
            _recent.append(crumb)
        return
    own = _thread.ring
    if own is None or own.era != _era:
        own = _thread.ring = Ring()
    elif own and own[-1].created == record.created and _is_last(own, record):
        return
    crumb = _crumb(record)
    inner = context_ring()
    own.append(crumb)
    inner.append(crumb)
    _recent.append(crumb)
    if record.levelno >= logging.WARNING:
        record.__dict__[FIELD] = trail = Trail()
        trail.ring = own if inner.owner is None else inner
        trail.request = request.facts()


def context_ring() -> Ring:
    """Return the ring of the task or greenlet that runs, or of what this thread works for; else that of no task."""
    ring = _inner.get()
    if ring is not None and ring.era != _era:
        ring = None
    running = strand()
    if ring is None or (running is not None and (ring.owner is None or ring.owner() is not running)):
        ring = Ring(ring or (), running)
        _inner.set(ring)
    return ring


def afar(record: logging.LogRecord) -> Ring:
    """Return the ring of the thread that a record tells, which is another one than this or of another process."""
    key = _place_of(record)
    ring = _afar.get(key)
    if ring is None:
        make_room(_afar, MAX_AFAR)
        ring = _afar[key] = Ring()
    return ring


def _place_of(record: logging.LogRecord) -> tuple[Any, ...]:
    return record.process, record.thread, record.threadName, record.__dict__.get("taskName")  # numbers come again


def _ring_for(record: logging.LogRecord) -> Ring | None:
    """Return the ring that holds what came before a record."""
    trail = record.__dict__.get(FIELD)
    if type(trail) is Trail:
        return trail.ring
    if record.thread is not None and record.thread != threading.get_ident():
        return _afar.get(_place_of(record))
    inner = _inner.get()
    return _thread.ring if inner is None or inner.owner is None else inner


def _is_of(crumb: Crumb, record: logging.LogRecord) -> bool:
    return (
        crumb.created == record.created
        and crumb.line == record.lineno
        and crumb.logger == record.name
        and crumb.level == record.levelname
    )


def _is_last(ring: Ring, record: logging.LogRecord) -> bool:
    return bool(ring) and _is_of(ring[-1], record)


def before(record: logging.LogRecord, *, shares: bool) -> list[dict[str, Any]]:
    """Return the crumbs that came before a record, oldest first, not yet scrubbed.

    Args:
        record: The one that is reported; it is no crumb of itself, only of those that follow.
        shares: Whether they may stand in other events, too, because nobody changes them.
    """
    ring = _ring_for(record) if _keepers else None
    if not ring or ring.era != _era:
        return []
    crumbs = list(ring)
    own = next((at for at in range(len(crumbs) - 1, -1, -1) if _is_of(crumbs[at], record)), None)
    if own is None:  # it was not kept, or that is long ago
        crumbs = [one for one in crumbs if one.created <= record.created]
    crumbs = crumbs[:own][-_capacity:]
    return [one.as_shared() if shares else one.described() for one in crumbs]


def begin() -> None:
    """Have a request begin without crumbs: what its thread or task did earlier is none of its business."""
    if not _keepers:
        return
    running = strand()
    if running is not None:
        _inner.set(Ring((), running))
    elif (inner := _inner.get()) is None or inner.owner is None:  # else it works for a task
        _inner.set(None)
        _thread.ring = None


def recent(limit: int = 30) -> list[dict[str, Any]]:
    """Return the last crumbs of all threads in the order in which they came, scrubbed, as JSON can hold them.

    Args:
        limit: How many at most; there are never more than `MAX_RECENT`.
    """
    from loghub.scrub.own import scrubber

    kept = list(_recent)[-limit:] if limit > 0 else []
    said: Any = {"breadcrumbs": [one.described() | {"thread": one.thread} for one in kept]}
    clean: list[dict[str, Any]] = scrubber().event(said)["breadcrumbs"]
    return clean


def are_kept() -> bool:
    """Return whether a handler keeps them."""
    return bool(_keepers)


def mark() -> object:
    """Return what changes with every crumb: as long as it is the same object, `recent` says the same."""
    try:
        return _recent[-1]
    except IndexError:
        return None


def line(crumb: object) -> str:
    """Return a crumb of an event, whatever stands there, as one line for people."""
    if not isinstance(crumb, dict):
        return " ".join(str(crumb).split())
    at = str(crumb.get("timestamp") or "")
    words = [at[11:23] if at[10:11] == "T" else at, *(str(crumb.get(key) or "") for key in ("level", "logger"))]
    head, message = " ".join(filter(None, words)), " ".join(str(crumb.get("message") or "").split())
    more = [str(crumb[key]) for key in ("error_type", "extra") if crumb.get(key)]
    return " ".join(filter(None, (f"{head}:" if head else "", message, *(f"[{one}]" for one in more))))


# What runs ------------------------------------------------------------------------------------------------------


def strand() -> object:
    """Return the asyncio task, or else the greenlet, that runs in this thread; None: the thread itself."""
    modules = sys.modules
    asyncio = modules.get("asyncio")
    if asyncio is not None:
        try:
            loop = asyncio._get_running_loop()
        except AttributeError:  # it is being imported
            loop = None
        if loop is not None:
            task: object = asyncio.current_task(loop)
            return task
    greenlet = modules.get("greenlet")
    if greenlet is not None:
        try:
            current: Any = greenlet.getcurrent()
        except AttributeError:  # another thread imports it
            return None
        if current.parent is not None:
            return current
    return None


# Making a crumb -------------------------------------------------------------------------------------------------


def _crumb(record: logging.LogRecord) -> Crumb:
    message: Any = record.msg
    args: Any = record.args
    extra: dict[str, Any] | None = None
    fields = record.__dict__
    if type(message) is not str or len(message) > BEGINNING_CHARS or (args and not _are_safe(args)):
        if type(message) is dict and type(message.get("event")) is str:  # structlog's wrap_for_formatter
            extra = _plain_ones(message.items())
            extra.pop("event", None)
            message = message["event"]
        else:
            message = _message_of(record)
        message, args = _beginning(message), ()
    if len(fields) > _STANDARD:  # what was given as `extra` stands behind what every record has
        more = _plain_ones(islice(fields.items(), _STANDARD, None))
        extra = {**extra, **more} if extra else more
    return Crumb(record, message, args or (), extra)


def _are_safe(args: Any) -> bool:
    """Return whether arguments can wait: they never change, hold nothing, and formatting runs no foreign code."""
    if type(args) is not tuple:
        return False
    chars = 0
    for one in args:  # a generator would cost more than all the rest
        kind = type(one)
        if kind is str:
            chars += len(one)
            if chars > BEGINNING_CHARS:
                return False
        elif kind not in _SAFE or (kind is int and not -_MAX_INT < one < _MAX_INT):
            return False
    return True


def _is_small(value: Any) -> bool:
    return len(value) <= _MAX_EXTRA_CHARS if type(value) is str else _are_safe((value,))


def _plain_ones(items: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    """Return the first of the entries that are small and plain."""
    found: dict[str, Any] = {}
    for name, value in items:
        if type(name) is str and name[:1] != "_" and name not in _RECORD_FIELDS and _is_small(value):
            found[name] = value
            if len(found) == _MAX_EXTRA:
                break
    return found


def _message_of(record: logging.LogRecord) -> str:
    """Return the message as other handlers would write it; arguments that do not fit, or fail, stay out."""
    try:
        return str.__str__(record.getMessage())
    except Exception:
        return record.msg if type(record.msg) is str else f"<unprintable {type(record.msg).__name__} object>"


def _formatted(message: str, args: tuple[Any, ...]) -> str:
    try:
        return message % args if args else message
    except (TypeError, ValueError, OverflowError, MemoryError):
        return f"{message} {args}"


def _bounded(message: str) -> str:
    return Beginning(_beginning(message)) if len(message) > BEGINNING_CHARS else message


def _beginning(message: str) -> str:
    """Return so much of a text as scrubbing needs to show its beginning."""
    return message[: BEGINNING_CHARS + CUT_MARGIN_CHARS] if len(message) > BEGINNING_CHARS else message


def _time(created: float) -> str:
    try:
        return iso(created)
    except (TypeError, ValueError, OverflowError, OSError):  # a record made by hand
        return iso(time.time())
