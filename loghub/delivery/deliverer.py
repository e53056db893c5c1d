"""The thread that delivers, and the homes of this process that it goes round."""

from __future__ import annotations

import contextlib
import logging
import queue
import sys
import threading
import time
from typing import TYPE_CHECKING

from loghub import capture, imports, own_log

if TYPE_CHECKING:
    from collections.abc import Callable

    from loghub.delivery.home import Home

PACE_SECONDS = 0.5
"""The shortest time between two rounds of the thread: the application has the processor in between."""

SHARED_PACE_SECONDS = 1.0
"""The same where many hosts share the ledger: what that costs goes by processes."""

IDLE_SECONDS = 30.0
"""The longest time between two rounds: how soon the journal of a dead process is adopted."""

known_homes: dict[tuple[str | None, str | None], Home] = {}
"""The homes of this process, by folder and ledger."""

current: Deliverer | None = None
"""The thread, once something has happened; it may have ended."""

guard = threading.RLock()
"""Who starts the thread has it."""

by_hand = False
"""True in a program that goes its rounds itself, or only looks: no thread is started, one that runs does nothing, and
no flush delivers."""

chores: dict[str, Callable[[], float]] = {}
"""What else the thread does now and then, by who wants it; each returns in how many seconds to call it again."""


def homes() -> list[Home]:
    """Return the homes that handlers of this process use."""
    return list(known_homes.values())


class Deliverer(threading.Thread):
    """Goes round the homes, soon after something happened, and otherwise now and then."""

    def __init__(self) -> None:
        super().__init__(name="loghub-delivery", daemon=True)
        self.idle = False
        self.busy = False
        # Not an Event: a signal handler may log while its own thread is in here, and only this may be entered twice.
        self._calls: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._hurry = False
        self._asked = 0
        self._answered = 0
        self.rounds = 0  # how many it has gone
        self._delivered = False
        self._answer = threading.Condition()
        self._chores_at = float("-inf")

    def run(self) -> None:
        """Go round the homes until another thread has taken over."""
        ident = threading.get_ident()
        capture.muted_threads.add(ident)
        try:
            while current is self:
                self._go_round()
                self._rest()
        finally:
            self.busy = False
            self.idle = True  # whoever would wake it finds that it is dead
            capture.muted_threads.discard(ident)  # the next thread may get the same

    def _go_round(self) -> None:
        self._hurry = False
        asked = self._asked
        self.busy = True
        rounds = [home.round(closing=asked != self._answered) for home in ([] if by_hand else homes())]
        with self._answer:
            self.busy = False
            self._answered, self._delivered = asked, all(rounds)
            self.rounds += 1
            self._answer.notify_all()

    def _rest(self) -> None:
        until = time.monotonic() + max((home.pace for home in homes()), default=PACE_SECONDS)
        self._do_chores()
        while not self._hurry and (left := until - time.monotonic()) > 0:
            self._listen(left)
        self.idle = True
        until = time.monotonic() + min(IDLE_SECONDS, max(0.0, soonest() - time.time()))
        while self.idle and not self._hurry and not any(home.changed for home in homes()):
            left = until - time.monotonic()
            if left <= 0:
                break
            self._listen(min(left, self._do_chores()))
        self.idle = False

    def _do_chores(self) -> float:
        """Do the chores if they are due; return the seconds until they are due again."""
        now = time.monotonic()
        if now >= self._chores_at:
            waits = [IDLE_SECONDS]
            for chore in list(chores.values()):
                try:
                    waits.append(chore())
                except Exception as error:  # it must not end the thread
                    own_log.tell(logging.WARNING, f"{own_log.named(error)}")
            self._chores_at = now + min(waits)
        return self._chores_at - now

    def _listen(self, seconds: float) -> None:
        with contextlib.suppress(queue.Empty):
            self._calls.get(timeout=seconds)

    def is_gentle(self) -> bool:
        """Return whether the caller is this thread, and nobody waits for what it does."""
        return threading.current_thread() is self and not self._hurry and self._asked == self._answered

    def wake(self) -> None:
        """Make it look now, if it rests."""
        self.idle = False
        self._calls.put(None)

    def ask(self, deadline: float) -> bool:
        """Have everything delivered until `deadline` (monotonic); True if it was."""
        while (left := deadline - time.monotonic()) > 0:
            with self._answer:
                self._asked += 1
                mine = self._asked
                self._hurry = True
                self.wake()
                if not self._answer.wait_for(lambda: self._answered >= mine, left):  # noqa: B023 - waits here
                    return False
                if self._delivered:
                    return True
            rest = min((home.again_at for home in homes()), default=float("inf")) - time.time()
            if rest > deadline - time.monotonic():
                return False  # nothing more can be due in time
            time.sleep(max(0.02, rest))
        return False

    def wait_beyond(self, rounds: int, seconds: float) -> None:
        """Wait until it has gone more than so many rounds, for at most so many seconds."""
        with self._answer:
            self._answer.wait_for(lambda: self.rounds > rounds, seconds)

    def settle(self, deadline: float) -> None:
        """Wait until it is between two rounds, at most until `deadline` (monotonic)."""
        with self._answer:
            self._answer.wait_for(lambda: not self.busy, max(0.0, deadline - time.monotonic()))


def soonest() -> float:
    """Return when a home may next have something to deliver (epoch seconds)."""
    return min((min(home.look_at, home.wake_at) for home in homes()), default=float("inf"))


def stir() -> None:
    """See that the thread runs and, if it rests, looks at the journal."""
    if by_hand:
        return
    thread = current
    if thread is None or not thread.is_alive():
        start()
    elif thread.idle:
        thread.wake()


def start() -> None:
    """See that the thread runs, unless the interpreter ends or another thread is at it."""
    global current  # noqa: PLW0603 - one thread per process
    if not guard.acquire(blocking=False):
        return  # another thread is at it
    try:
        if current is not None and (current.is_alive() or current.ident is None):
            return  # without an ident: a signal handler logs while its own thread starts it
        if sys.is_finalizing():
            return  # nobody would run it, and Thread.start waits for that
        thread = current = Deliverer()
        try:
            thread.start()
        except RuntimeError:
            current = None  # the interpreter is going down: the journal stays for whoever comes next
            return
        _flush_in_child()
    finally:
        guard.release()


def _flush_in_child() -> None:
    """Deliver at the end of a multiprocessing child, which runs no atexit functions."""
    module = sys.modules.get("multiprocessing.process")
    if module is not None and module.parent_process() is not None:
        from multiprocessing import util

        util.Finalize(None, logging.shutdown, exitpriority=-100)


def forked() -> None:
    """After a fork, in the child: the thread is the parent's."""
    global guard, current  # noqa: PLW0603 - the child has its own
    guard = threading.RLock()
    if current is not None:
        imports.mend(current.ident or 0)  # it took longer than we wait, or began in the last moment
    current = None
