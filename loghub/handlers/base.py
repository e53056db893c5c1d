"""What all reporting handlers share: a record is written down in the journal, and nothing else happens here.

`ReportingHandler` notes records; `OutboxHandler` adds a destination that the delivery thread tells. A channel
of one's own is a subclass of OutboxHandler with a `destination` and one method, ``deliver(batch)``.
"""

from __future__ import annotations

import logging
import os
import re
import weakref
from typing import TYPE_CHECKING, Any, ClassVar

from loghub import complaint, env, options, own_log, sighting
from loghub.capture import current_cause
from loghub.delivery import deliverer, opening, waiting
from loghub.delivery.home import home_of
from loghub.filters import EventFilter, shared_capture
from loghub.journal.writing import mark_of
from loghub.sighting import FIELD, Sighting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loghub.capture import Capture
    from loghub.delivery.batch import Batch
    from loghub.ledger.protocol import Item


class _Filters(list[Any]):
    """A handler's filters; whoever changes the list itself has the handler look at it again."""

    def __init__(self, filters: Any, handler: ReportingHandler) -> None:
        super().__init__(filters)
        self.handler = weakref.ref(handler)


def _telling(name: str) -> Any:
    change = getattr(list, name)

    def method(self: _Filters, *args: Any) -> Any:
        try:
            return change(self, *args)
        finally:
            handler = self.handler()
            if handler is not None:
                handler._note_filters()

    return method


for _name in ("append", "clear", "extend", "insert", "pop", "remove", "__delitem__", "__iadd__", "__setitem__"):
    setattr(_Filters, _name, _telling(_name))


class ReportingHandler(logging.Handler):
    """A handler whose records are counted and kept.

    Args:
        level: Lowest level to report; ERROR.
        home: Folder of journal and ledger (env LOGHUB_HOME; else the user's state directory).
        ledger: ``sqlite``, in `home`, or ``postgresql://...``, for many hosts (env LOGHUB_LEDGER).
        shutdown_timeout: Seconds that the end of the process may wait for delivery.

    Raises:
        UnknownOptionError: There is no such option.
        OptionValueError: A value is malformed.
        MissingExtraError: The ledger needs psycopg, which is not installed.
    """

    destination: str | None = None

    def __init__(
        self,
        *,
        level: int | str = logging.ERROR,
        home: str | None = None,
        ledger: str | None = None,
        shutdown_timeout: float = 2.0,
        **unknown: object,
    ) -> None:
        # All options first: logging would flush a handler that is not finished when the process ends.
        options.reject_unknown(self, unknown)
        self.enabled = options.variable_flag("ERROR_REPORTING_ENABLED", default=True)
        options.variable_flag("ERROR_REPORTING_INCLUDE_SYSTEM_INFO", default=True)  # else the first record says so
        self.shutdown_timeout = options.number(self, "shutdown_timeout", shutdown_timeout)
        where = home_option(self, home), ledger_option(self, ledger)
        super().__init__(level)
        self._selective = False
        self._capture: Capture | None = None  # who looks at the records, if no filter chooses among them
        self._mark: str | None = None  # what a record needs to be marked with; None while repeats go the long way
        sighting.expected = True
        self._complaints: set[Any] = set()
        self.home = home_of(*where)
        if self.enabled:
            self.home.attach(id(self), self if isinstance(self, OutboxHandler) else None)
            if self.home.path is not None and os.path.isdir(self.home.path):
                deliverer.stir()  # another process may have left something to deliver

    def setLevel(self, level: int | str) -> None:
        """Set the level; who is told of which repeats may change with it."""
        super().setLevel(level)
        self.home.forget_kinds()

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute; a method or a filter that somebody puts into a handler is asked about every repeat."""
        if name == "filters":
            value = _Filters(value, self)
        super().__setattr__(name, value)
        if name in ("emit", "filter", "filters", "destination"):
            self._note_filters()

    def _note_filters(self) -> None:
        if not hasattr(self, "home"):
            return  # it is being made
        self._selective = not all(isinstance(one, EventFilter) for one in self.filters)
        only = self.filters[0] if len(self.filters) == 1 else None
        self._capture = only.capture if type(only) is EventFilter and not only.nlen else None
        self._mark = None
        self.home.forget_kinds()  # it may choose among the repeats now

    def _takes_all(self) -> bool:
        """Whether nobody but the filters of loghub's own has a say in what is reported."""
        ours, own = type(self), self.__dict__
        return (
            not self._selective
            and ours.emit is ReportingHandler.emit
            and ours.filter is logging.Handler.filter
            and "emit" not in own
            and "filter" not in own
        )

    def handle(self, record: logging.LogRecord) -> Any:
        """Filter and emit, without the handler's lock: nothing here needs it.

        A repeat takes the short way: the first handler that sees it has one line written for all, the others find
        on the record that nothing is left to do.
        """
        mark, capture = self._mark, self._capture
        if mark is not None and capture is not None:
            seen = record.__dict__.get(FIELD)
            if type(seen) is Sighting and seen.shared and seen.capture is capture and mark in seen.marks:
                return True
            try:
                known = capture.recall(record)
                if known is not None and known.kind is not None and self.home.again(known, mark, record):
                    known.note(record)
                    return True
            except Exception:
                pass
        seen_by_filter = capture is not None and self.filters and self._takes_all() and capture.knows(record)
        passed: Any = True if seen_by_filter else self.filter(record)
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return passed

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record down in this process's journal."""
        if not self.enabled:
            return
        try:
            seen = self._sight(record)
            if seen.kind is None:
                return
            self.home.note(record, seen, self.destination, selective=not self._takes_all())
            if seen.capture is not None:
                seen.capture.note(record, seen)
            if seen.kept >= 0:
                self.kept(record, seen)
        except Exception:
            try:  # noqa: SIM105 - suppress needs stack of its own
                self.handleError(record)
            except RecursionError:  # the application is at the end of its stack
                pass

    @property
    def names_host(self) -> bool:
        """Whether others may learn this host's name (`include_system_info` of the handler's EventFilter)."""
        said = next((one.capture for one in self.filters if isinstance(one, EventFilter)), None) or shared_capture()
        return said.describer.system is not None

    def _sight(self, record: logging.LogRecord) -> Sighting:
        """Return what is known of the record, which is this record's alone; from here on repeats are short."""
        seen = record.__dict__.get(FIELD)
        if not self.filters:
            self._capture = shared_capture()
        capture = seen.capture if type(seen) is Sighting and seen.capture is not None else shared_capture()
        if self._mark is None and self._takes_all():
            self._mark = mark_of(self.home.token, self.destination)
        return capture.sight(record)

    def kept(self, record: logging.LogRecord, sighting: Sighting) -> None:
        """Called for an occurrence that is kept in full, when it is in the journal.

        ``sighting.whole(record)`` is its event. It is not to be changed: parts of it stand in other events, too.
        """

    def handleError(self, record: logging.LogRecord) -> None:
        """Do what logging does, once for each cause."""
        cause = current_cause()
        if cause not in self._complaints:
            self._complaints.add(cause)
            complaint.tell(record)

    def flush(self) -> None:
        """Deliver what waits, for at most `shutdown_timeout` seconds."""
        if self.enabled:
            waiting.flush(self.shutdown_timeout)

    def close(self) -> None:
        """Take leave; the last handler of a home folds what is left."""
        if self.home.detach(id(self)):
            self.home.close(self.shutdown_timeout)
        super().close()


class OutboxHandler(ReportingHandler):
    """A handler that tells a destination, from the delivery thread.

    A subclass sets `destination` (named by what it is, such as ``github:owner/repo``; None while something is
    missing: errors are then only counted and kept) before it calls ``super().__init__``, and has `deliver`.
    """

    needs: ClassVar[str] = ""
    """What is missing when `destination` is None, as a sentence."""

    tells_people: ClassVar[bool] = True
    """Whether somebody who mutes a bug has it say nothing about it."""

    most_events: ClassVar[int | None] = None
    """So many items of a batch, the first, come with their whole events; None: all."""

    def ready(self, waiting: Sequence[Item], now: float, *, closing: bool) -> Sequence[Item]:
        """Return which of `waiting` (oldest first) to deliver now; nothing: not yet.

        `closing`: no other process of this home is alive and this one goes, or a person said drain; intervals
        do not count any more, but ``due_at`` (what a failed delivery waits for) does.
        """
        return [item for item in waiting if item.due_at <= now]

    def deliver(self, batch: Batch) -> None:
        """Tell the destination about ``batch.items``.

        What is not marked by ``batch.done``, ``later`` or ``dead`` is done when this returns.

        Raises:
            DeliveryError: Not now: what is not marked is tried again.
            RefusedError: Never: what is not marked becomes a dead letter.
        """
        raise NotImplementedError

    def say(self, level: int, text: str) -> None:
        """Log a line of loghub's own life; it is never reported."""
        own_log.tell(level, text)


def home_option(owner: object, value: str | None) -> str | None:
    """Return the folder that option `home` names; None where the user has no home."""
    if value is None:
        return opening.default_home()
    return os.path.abspath(os.path.expanduser(options.text(owner, "home", value)))


def ledger_option(owner: object, value: str | None) -> str | None:
    """Return the address that option `ledger` has; None for SQLite in the home.

    Raises:
        OptionValueError: It is none.
        MissingExtraError: It is one of PostgreSQL, and psycopg is not installed.
    """
    url = value if value is not None else env.read("LOGHUB_LEDGER")
    if url is None or url == "sqlite":
        return None
    from loghub.ledger import address, server

    right = "'sqlite' or postgresql://USER@HOST/DATABASE"
    if isinstance(url, str) and address.is_address(url):
        try:
            address.read_address(url)
            server.require_driver()
            return url
        except address.AddressError as error:
            right = str(error)
    shown = re.match(r"[\w+]*:(?=/)|\w*(?=\s|\Z)", str(url))  # what follows may hold a password
    return options.refuse(owner, "ledger", f"{shown[0] if shown else ''}...", right)
