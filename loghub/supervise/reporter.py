"""What becomes known of a running command, logged: tracebacks, kills for want of memory, and how it ended.

The thread that passes the streams on only puts chunks into a queue (`Reporter.watch`); everything else happens in a
thread of its own, which loads what it needs when the command runs already, and is calm. The queue is bounded: what a
flood has more is not looked at.

One exception, one count: what the command's own processes have counted in this home they say in a file
(`loghub.runs`), and what is told there is not told again. So a traceback waits a moment before it is logged.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from loghub.supervise.intake import Intake
from loghub.supervise.oom import Memory

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from loghub.handlers.base import ReportingHandler
    from loghub.runs import Notes
    from loghub.supervise.account import Account
    from loghub.supervise.child import Ended

ROUND_SECONDS = 1.0
"""How often memory and the notes of the command are looked at."""

WRITE_SECONDS = 5.0
"""The longest that the end of the command waits until what is known is on disk."""

SEARCH_SHARE = 0.4
"""After so much of that only the newest of what still waits is searched: how the command ended matters most."""

STOP_SECONDS = 2.0
"""The longest that it waits for that, and for delivery, where the operator has stopped the command: `docker stop` kills
after ten, of which the command has had some."""

SPARE_SECONDS = 0.5
"""How much longer than delivery it waits: what was begun is given back."""

SWITCH_SECONDS = 0.0002
"""How long the thread that passes the streams on waits for a thread that computes; Python's own would be 0.005."""

CALM_SECONDS = 0.25
"""What reports is loaded when the command has been calm for so long: loading slows what passes ..."""

LOAD_SECONDS = 2.0
"""... or has run for so long, or something is to be reported."""

_SMALL_BYTES = 256 << 10
_REST_SECONDS = 0.05


class Subject(NamedTuple):
    """Who runs.

    Attributes:
        program: What people call it.
        argv: The command and its arguments.
        component: Which part of the system it is said to be, or None.
    """

    program: str
    argv: list[str]
    component: str | None = None


class Reporter:
    """Logs what becomes known of one command.

    Args:
        subject: Who runs.
        notes: Where its processes say what they have counted.
        handlers: Makes the handlers that report; called in a thread, when the command runs.
        timeout: The most seconds that the end waits for delivery.
    """

    def __init__(
        self, subject: Subject, notes: Notes, handlers: Callable[[], list[ReportingHandler]], timeout: float
    ) -> None:
        self._subject = subject
        self._notes = notes
        self._handlers = handlers
        self._timeout = timeout
        self._intake = Intake()
        self._failed = self._over = False
        self._skip_at = float("inf")
        self._last: Callable[[Account], None] = lambda _account: None
        self._thread = threading.Thread(target=self._run, name="loghub-run", daemon=True)
        self._written = threading.Event()
        self._delivered = threading.Event()
        self._pid = 0
        self._memory = Memory()

    # The thread that passes on ----------------------------------------------------------------------------

    def started(self, pid: int) -> None:
        """Begin: the command runs as `pid`."""
        self._pid = pid
        self._memory.add(str(pid))
        sys.setswitchinterval(SWITCH_SECONDS)
        self._start()

    def watch(self, chunk: bytes) -> None:
        """Take what was written to stderr."""
        if not self._failed:
            self._intake.put(chunk)

    def ended(self, ended: Ended, sent: Collection[int]) -> None:
        """Log how the command ended, and wait for delivery, not for long."""
        if ended.status == 0 and self._was_quiet():
            self._notes.close()
            return
        self._last = lambda account: account.end(ended.status, sent, ended.ended_at.timestamp())
        if sent:
            self._timeout = min(self._timeout, STOP_SECONDS)
        self._finish(STOP_SECONDS if sent else WRITE_SECONDS)

    def _was_quiet(self) -> bool:
        """Return whether there is certainly nothing to report of a command that ended well."""
        return not self._intake.has_head and not self._memory.kills()

    def not_started(self, sentence: str, code: int) -> None:
        """Log that there is no such command."""
        self._last = lambda account: account.never_began(sentence, code)
        self._start()
        self._finish(WRITE_SECONDS)

    def _start(self) -> None:
        try:
            self._thread.start()
        except RuntimeError as error:  # no more threads for this user
            self._give_up(error)

    def _finish(self, write_seconds: float) -> None:
        self._skip_at = time.monotonic() + SEARCH_SHARE * write_seconds
        self._over = True
        self._intake.end()
        if self._thread.ident is None:
            return
        _wait(self._written, write_seconds)
        _wait(self._delivered, self._timeout + SPARE_SECONDS)
        unseen = self._intake.skipped + (self._intake.waiting if self._intake.has_head else 0)
        if unseen and not self._failed:
            say(f"{unseen:,} bytes of stderr were not searched for errors: too much came at once.")
        self._notes.close()

    # The thread that reports ------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._wait_for_calm()
            account = self._open()
            self._intake.is_looked_at = True
            while not (self._over and self._intake.is_empty()):
                self._round(account)
                if time.monotonic() > self._skip_at:
                    self._skip_at = float("inf")
                    self._intake.skip()
            self._last(account)
        except Exception as error:
            self._give_up(error)
            return
        finally:
            self._written.set()
            if self._failed:
                self._delivered.set()
        self._deliver(account)

    def _wait_for_calm(self) -> None:
        until, before = time.monotonic() + LOAD_SECONDS, self._intake.total
        while not self._intake.urgent.wait(CALM_SECONDS) and time.monotonic() < until:
            before, passed = self._intake.total, self._intake.total - before
            if passed < _SMALL_BYTES:
                return

    def _open(self) -> Account:
        from loghub.supervise.account import Account

        return Account(self._subject, self._pid, self._notes, self._memory, self._handlers())

    def _round(self, account: Account) -> None:
        """Look at what was written meanwhile, or after a while at what else there is to see."""
        batch = self._intake.take(ROUND_SECONDS)
        for data in batch:
            account.read(data, time.time())
        account.skipped = self._intake.skipped
        account.look(time.time())
        if sum(map(len, batch)) < _SMALL_BYTES and not self._over:
            time.sleep(_REST_SECONDS)

    def _deliver(self, account: Account) -> None:
        try:
            if account.reported:
                from loghub.delivery import waiting

                waiting.flush(self._timeout)
        finally:
            self._delivered.set()

    def _give_up(self, error: BaseException) -> None:
        """Let the command run on without reports."""
        self._failed = True
        self._intake.drop()
        say(f"{self._subject.program} is not reported: {_told(error)}")


def say(sentence: str) -> None:
    """Tell whoever reads stderr."""
    os.write(2, f"Error reporter: {sentence}\n".encode(errors="backslashreplace"))


def _told(error: BaseException) -> str:
    from loghub.scrub.own import clean

    text = str(getattr(error, "message", "") or error) or type(error).__name__
    return clean(" ".join(text.split()))


def _wait(event: threading.Event, seconds: float) -> None:
    """Wait for an event; not if somebody wants this process to end, whose signals are held back now."""
    until = time.monotonic() + seconds
    while not event.wait(0.05) and time.monotonic() < until and _ENDING.isdisjoint(signal.sigpending()):
        pass


_ENDING = {getattr(signal, name, 0) for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT")}
