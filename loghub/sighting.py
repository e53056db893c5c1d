"""What loghub knows of one record, carried by the record itself under ``_loghub_event``.

It is an empty str to everybody else, and pickled as a plain str: so a record may travel to a process that has no
loghub. In one that has it, what was said about the record holds: its fingerprint, that it is not to be reported, who
has counted it.

An exception that was counted carries the same under ``_loghub_counted``: logged, raised again, logged by a framework
and at last by a hook it is one occurrence, also where it was pickled and raised again in another process.
"""

from __future__ import annotations

import inspect
import opcode
import re
from typing import TYPE_CHECKING, Any

from loghub import codepath
from loghub.event import lay_out

if TYPE_CHECKING:
    import logging
    from types import TracebackType

    from loghub.capture import Capture
    from loghub.event import Event

NOT_REPORTED = "-"

FIELD = "_loghub_event"
"""The record's attribute."""

COUNTED = "_loghub_counted"
"""The exception's attribute."""

expected = False
"""Whether this process has handlers that report: then a record carries what was found, for the next handler."""


class Kind:
    """Occurrences that this process need not tell apart: one fingerprint, logger, level and component."""

    __slots__ = ("component", "fingerprint", "level", "logger")

    def __init__(self, fingerprint: str, logger: str, level: int, component: str) -> None:
        self.fingerprint = fingerprint
        self.logger = logger
        self.level = level
        self.component = component


class Counted(str):
    """What an exception carries that was counted: its fingerprint and the marks, a line each.

    The same exception from the same place is one more occurrence, unless it has only gone on to the callers since (a
    decorator logs at each of its functions): somebody keeps it and raises it again and again.

    Attributes:
        marks: As of a `Sighting`.
        places: Where it was logged: file and line.
        steps: How many its traceback had then; 0 if nobody knows.
        kept: Whether it has turned out to be one that somebody keeps: then another place tells nothing, either.
    """

    __slots__ = ("kept", "marks", "places", "steps")

    marks: frozenset[str]
    places: tuple[tuple[str, int], ...]
    steps: int
    kept: bool

    @property
    def is_full(self) -> bool:
        """Whether it was logged at so many places that somebody has to keep it."""
        return len(self.places) == _MOST_PLACES

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)


def counted(exc: BaseException | None) -> Counted | None:
    """Return what `exc` carries; None where it was not counted."""
    try:
        found = exc.__dict__.get(COUNTED)
    except Exception:  # a class may do anything when its attributes are asked for
        return None
    if found is None or type(found) is Counted:
        return found
    lines = found.split("\n") if isinstance(found, str) else []
    return make_counted(lines[0], frozenset(lines[1:]), ()) if lines and _FINGERPRINT.fullmatch(lines[0]) else None


def mark_counted(exc: BaseException, what: Counted) -> None:
    """Have `exc` carry that it was counted, where it can."""
    try:  # noqa: SIM105 - suppress would take as long as all the rest
        exc.__dict__[COUNTED] = what
    except Exception:  # as in counted
        pass


def make_counted(
    fingerprint: str, marks: frozenset[str], places: tuple[tuple[str, int], ...], steps: int = 0, *, kept: bool = False
) -> Counted:
    """Return what an exception with this fingerprint carries."""
    made = Counted("\n".join((fingerprint, *sorted(marks))))
    made.marks = marks
    made.places = places[-_MOST_PLACES:]
    made.steps = steps
    made.kept = kept
    return made


def went_on(what: Counted, tb: TracebackType | None) -> bool:
    """Return whether an exception that was counted has since only left one function after the other."""
    way = list(codepath.steps(tb))
    more = len(way) - what.steps
    if not what.steps or more <= 0:
        return False
    left, reached = way[more].tb_frame, way[more - 1]
    if left.f_back is None and left.f_code.co_flags & _SUSPENDABLE:  # it forgets who awaited it
        return reached.tb_frame.f_code.co_code[reached.tb_lasti] != _RAISE
    return left.f_back is reached.tb_frame


_FINGERPRINT = re.compile(rf"{NOT_REPORTED}|v\d{{1,3}}:[0-9a-f]{{16}}")
_MOST_PLACES = 16
_RAISE = opcode.opmap["RAISE_VARARGS"]
_SUSPENDABLE = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class Sighting(str):
    """What is known of one record.

    Attributes:
        capture: Whose it is; None while nobody has looked at more than the code path.
        kind: None if the record is not to be reported (ignored, sampled out, dropped by before_send).
        found: Whether the kind was found.
        path: The code path of its exception, where that was walked.
        carried: The fingerprint that the process where it was logged gave it; ``-``: not to be reported.
        marks: What is written of it: a journal's token (it is counted there), and ``token destination``.
        places: Where the exception of this occurrence was logged, this record's place last.
        again: Whether it is an exception that somebody keeps and raises again.
        kept: Number of this occurrence among those its group keeps in full in this hour; -1: not kept.
        outline: What made its fingerprint, until the whole event is made of it.
        event: The whole event, once somebody asked for it.
        text: The event as JSON, once somebody asked for it.
        shared: One object stands for many records that have nothing of their own; it must not be changed.
    """

    __slots__ = (
        *("again", "capture", "carried", "event", "found", "kept", "kind"),
        *("marks", "outline", "path", "places", "shared", "text"),
    )

    capture: Capture | None
    kind: Kind | None
    found: bool
    path: codepath.CodePath | None
    carried: str
    marks: frozenset[str]
    places: tuple[tuple[str, int], ...]
    again: bool
    kept: int
    outline: Event | None
    event: Event | None
    shared: bool
    text: str

    def whole(self, record: logging.LogRecord) -> Event:
        """Return the event of `record`, of which this is known; made once, whoever asks."""
        assert self.capture is not None
        return self.capture.keep(self, record)

    def laid_out(self, record: logging.LogRecord) -> str:
        """Return the event as `loghub.event.lay_out` does, once for journal and file."""
        if not self.text:
            self.text = lay_out(self.whole(record))
        return self.text

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        said = self.kind.fingerprint if self.kind is not None else NOT_REPORTED if self.found else ""
        return str, (" ".join((said, *sorted(mark for mark in self.marks if " " not in mark))).rstrip(),)


def make(
    capture: Capture | None = None,
    kind: Kind | None = None,
    *,
    path: codepath.CodePath | None = None,
    marks: frozenset[str] = frozenset(),
    shared: bool = False,
) -> Sighting:
    """Return a new sighting; its kind counts as found if there is one."""
    made = Sighting()
    made.capture = capture
    made.kind = kind
    made.found = kind is not None
    made.path = path
    made.carried = ""
    made.marks = marks
    made.places = ()
    made.again = False
    made.kept = -1
    made.outline = made.event = None
    made.shared = shared
    made.text = ""
    return made


def path_of(record: logging.LogRecord, info: Any) -> codepath.CodePath:
    """Return the code path of a record with the exception `info`, walked once for all who ask."""
    seen = record.__dict__.get(FIELD)
    if type(seen) is Sighting and seen.path is not None and seen.path.leads_to(info[1], info[2]):
        return seen.path  # else a filter has put something else into the record
    path = codepath.of(info[1], info[2])
    if seen is None and expected:
        unsighted = path.unsighted
        if unsighted is None:
            unsighted = path.unsighted = make(path=path, shared=True)
        record.__dict__[FIELD] = unsighted
    return path
