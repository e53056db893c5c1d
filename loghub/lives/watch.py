"""This process's life, watched from its delivery thread; and the deaths of others, reported once by one of them.

A death is an ordinary record for logger ``loghub.uncaught``. The delivery thread's own records are never reported, and
handlers are made under logging's lock: so a short thread logs it, and only where there is something to log. What it
could not do is done at the end of the process, or left for the next.
"""

from __future__ import annotations

import atexit
import codecs
import contextlib
import logging
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from loghub import breadcrumbs, hooks
from loghub.delivery import deliverer
from loghub.filters import EventFilter
from loghub.lives import death as deaths
from loghub.lives.farewell import Farewell
from loghub.lives.life import Life

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loghub.lives.death import Death

MOST_DEATHS = 50
"""So many are reported at once; after a crash loop the others wait for the next round."""

SNAPSHOT_SECONDS = 1.0
"""The shortest time between two snapshots of the breadcrumbs."""

EXIT_SECONDS = 1.0
"""For so long the end of the process goes on reporting."""

log = logging.getLogger("loghub.uncaught")


class Watch:
    """The life of this process in one home, for as long as a handler uses it.

    Args:
        home: The folder of journal and ledger.
        program: What runs.
        application: As for `Life`.

    Raises:
        OSError: The home cannot be written.
    """

    def __init__(self, home: str, program: str, application: str) -> None:
        self.users = 0
        self.life = Life(home, program, application=application)
        self.life.forget_former()
        self._reporter: threading.Thread | None = None
        self._starting = threading.Lock()  # held for good when no reporter may start any more
        self._left = False
        self._until = float("inf")
        self._told: tuple[Any, ...] = ()
        self._looked_at = float("-inf")

    def round(self, *, look: bool) -> float:
        """Do what is due now and then, `look` or not; return in how many seconds to come again."""
        now = time.monotonic()
        if look or now - self._looked_at >= deliverer.IDLE_SECONDS:
            self._looked_at = now
            with contextlib.suppress(OSError):
                self.life.renew()
            deaths.sweep(self.life.folder)
            self.look()
        with contextlib.suppress(OSError):
            self.tell()
        return SNAPSHOT_SECONDS if breadcrumbs.are_kept() or not self._told else deliverer.IDLE_SECONDS

    def tell(self) -> None:
        """Leave for others what this process knows of itself, if it is something new."""
        said = _said()
        now = (breadcrumbs.mark(), *said.values())
        if said and now != self._told:
            self.life.tell(said | {"breadcrumbs": breadcrumbs.recent()})
            self._told = now

    def look(self) -> None:
        """Have a thread report the deaths, if there are any."""
        if not self._starting.acquire(blocking=False):
            return
        try:
            if self._reporter is None or not self._reporter.is_alive():
                self._look()
        finally:
            self._starting.release()

    def _look(self) -> None:
        for found in deaths.dead(self.life.folder, self.life.application):
            found.close()
            self._left = True
            self._reporter = threading.Thread(target=self.report, name="loghub-deaths", daemon=True)
            try:
                self._reporter.start()
            except RuntimeError:  # the interpreter is going down
                self._reporter = None
            return

    def report(self) -> None:
        """Report the deaths, unless nobody would hear of it."""
        logging.getLogger(log.name)  # waits for a dictConfig
        if _listeners():
            more = report(self.life.folder, self.life.application, log.handle, lambda: time.monotonic() < self._until)
            self._left = more

    def forked(self) -> None:
        """In a forked child: there is no thread that reports."""
        self._reporter = None
        self._starting = threading.Lock()
        self.life.forked()

    def finish(self) -> None:
        """At the end of the process: report what is left, and expect the end."""
        self._until = time.monotonic() + EXIT_SECONDS
        if self._starting.acquire(timeout=EXIT_SECONDS):
            if self._reporter is not None:
                self._reporter.join(2 * EXIT_SECONDS)  # it ends with the report that it is at
            if self._left and (self._reporter is None or not self._reporter.is_alive()):
                self.report()
        self.life.end()


def report(
    folder: str,
    application: str,
    handle: Callable[[logging.LogRecord], Any],
    go_on: Callable[[], bool] = lambda: True,
) -> bool:
    """Report the deaths of an application's processes; return whether there may be more.

    Args:
        folder: Of the life files.
        application: As for `Life`.
        handle: Takes the record of each death.
        go_on: Is asked before each.
    """
    for number, found in enumerate(deaths.dead(folder, application)):
        try:
            if number >= MOST_DEATHS or not go_on():
                return True
            one = found.death()
            if not one.wanted:
                _hand_over(record_of(one), handle)
            found.remove()
        finally:
            found.close()
    return False


def _hand_over(record: logging.LogRecord, handle: Callable[[logging.LogRecord], Any]) -> None:
    try:
        handle(record)
    except Exception:  # a handler of the application's own fails: it would fail again, and the others have it
        hooks.complain()


def record_of(one: Death) -> logging.LogRecord:
    """Return the record of a death: made when the process died, in its name."""
    log.disabled = False  # dictConfig disables loggers that it does not name, unless told otherwise
    extra = {"_loghub_mechanism": "process", "_loghub_program": one.program, "_loghub_told": one.told()}
    if one.said.get("component"):
        extra["component"] = one.said["component"]
    record = log.makeRecord(log.name, logging.CRITICAL, one.program, 0, one.message, (), None, "", extra)
    record.created = one.died_at
    record.msecs = int(one.died_at % 1 * 1000) + 0.0
    record.process, record.processName = one.pid, one.program
    record.exc_text = one.told()["traceback"] or None
    return record


def _handlers() -> Iterator[logging.Handler]:
    """Yield the handlers that a record of ours comes to."""
    logger: logging.Logger | None = log
    while logger is not None:
        yield from list(logger.handlers)
        logger = logger.parent if logger.propagate else None


def _listeners() -> bool:
    return any(not getattr(handler, "hears_nothing", False) for handler in _handlers())


def _said() -> dict[str, Any]:
    """Return what is said about every event of this process; nothing while logging is not configured."""
    for handler in _handlers():
        for one in handler.filters:
            if isinstance(one, EventFilter):
                said = one.capture.describer
                return {"component": said.component, "environment": said.environment, "release": said.release}
    return {"component": None} if _listeners() else {}


# The process ----------------------------------------------------------------------------------------------------

_watches: dict[str, Watch] = {}
_wrapped: Farewell | None = None
_ending = False


def _lives() -> list[Life]:
    return [watch.life for watch in list(_watches.values())]


def begin(home: str, program: str, application: str) -> None:
    """Leave word in a home that this process lives, and look for those that have died.

    Raises:
        OSError: The home cannot be written.
    """
    global _wrapped  # noqa: PLW0603 - one set of functions in a process
    watch = _watches.get(home)
    if watch is None:
        watch = Watch(home, program, application)
        _watches[home] = watch
    watch.users += 1
    if _wrapped is None:
        _wrapped = Farewell(_lives)
        atexit.unregister(_at_exit)  # at the end functions are called in reverse order: logging's comes later
        atexit.register(_at_exit)
        _Last.keep()
    deliverer.chores[__name__] = _round
    watch.look()
    deliverer.stir()  # what is told of this process, its last breadcrumbs too, is told by the thread


def end(home: str) -> None:
    """Take one `begin` back; the last says goodbye, unless the process ends: then that is said at its very end."""
    global _wrapped  # noqa: PLW0603 - as above
    watch = _watches.get(home)
    if watch is None or _ending:
        return
    watch.users -= 1
    if not watch.users:
        del _watches[home]
        watch.life.close()
    if not _watches and _wrapped is not None:
        deliverer.chores.pop(__name__, None)
        _wrapped.restore()
        _wrapped = None


def _round(*, look: bool = False) -> float:
    return min((watch.round(look=look) for watch in list(_watches.values())), default=deliverer.IDLE_SECONDS)


def _at_exit() -> None:
    global _ending  # noqa: PLW0603 - the process ends once
    _ending = True
    for watch in list(_watches.values()):
        watch.finish()


class _Last:
    """Removes what this process has left when Python has taken all modules apart: what crashes until then is a death.

    What no module holds, but the interpreter itself, goes after them; error handlers of codecs are such. Where it does
    not come to that, the file says that its process has `ENDED`.
    """

    _name = "loghub.lives"

    @classmethod
    def keep(cls) -> None:
        try:
            codecs.lookup_error(cls._name)
        except LookupError:
            codecs.register_error(cls._name, cls())

    def __call__(self, error: UnicodeError) -> tuple[str | bytes, int]:
        raise error

    def __del__(self, lives: dict[str, Watch] = _watches, unlink: Any = os.unlink, getpid: Any = os.getpid) -> None:
        for watch in lives.values():
            if watch.life.pid == getpid():
                for path in watch.life.files:
                    try:  # noqa: SIM105 - contextlib may have been taken apart
                        unlink(path)
                    except OSError:
                        pass


def _forked() -> None:
    for fd in deaths.claimed:
        os.close(fd)
    deaths.claimed.clear()
    if sys._getframe(1).f_globals.get("__name__") == "subprocess":
        return  # it has a preexec_fn, and becomes another program at once
    for watch in list(_watches.values()):
        watch.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
