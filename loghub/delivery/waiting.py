"""Waiting for delivery, bounded in time.

``dictConfig`` and ``logging.shutdown`` call `flush` under locks of logging's own, and the process may be on its way
out.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from typing import TYPE_CHECKING, TypeVar

from loghub.delivery import deliverer, leases

if TYPE_CHECKING:
    from collections.abc import Callable

    from loghub.delivery.deliverer import Deliverer

T = TypeVar("T")

HOPELESS_SECONDS = 5.0
"""After a flush in vain another one returns at once, if nothing new came or the process ends: handlers are
flushed one by one."""

_failed_at = float("-inf")
_failed_with: list[object] = []  # how far the journals were then


def _thread_busy() -> bool:
    return deliverer.current is not None and deliverer.current.busy


def flush(timeout: float) -> bool:
    """Deliver what waits, for at most `timeout` seconds; True if nothing is left.

    Under logging's own lock (``dictConfig`` is replacing the handlers) nothing is delivered here: a library
    that logs would wait for that lock. The handlers that come deliver it.
    """
    global _failed_at, _failed_with
    pending = [home for home in deliverer.homes() if home.changed or home.look_at != float("inf")]
    if not pending and not _thread_busy():  # a round under way has taken the marks of what it works on
        return True
    if deliverer.by_hand or logging_is_locked():
        return False
    positions = [home.position for home in deliverer.homes()]
    news = positions != _failed_with and threading.main_thread().is_alive()
    if not news and time.monotonic() - _failed_at < HOPELESS_SECONDS:
        return False
    deliverer.start()
    if deliverer.current is None or threading.current_thread() is deliverer.current or sys.is_finalizing():
        return False
    if _ask(deliverer.current, timeout):
        return True
    _failed_at, _failed_with = time.monotonic(), positions
    return False


def wait_for(find: Callable[[], T | None], timeout: float) -> T | None:
    """Return what `find` comes to, asked at once and after each round of the thread; None: nothing in time.

    Unlike `flush` it hurries nobody: mails go on waiting for their interval.
    """
    deadline = time.monotonic() + timeout
    while True:
        if not deliverer.by_hand:
            with deliverer.guard:
                deliverer.start()  # what stands in a queue of the application's has not come to a handler yet
        thread = deliverer.current
        rounds = thread.rounds if thread is not None else 0
        found = find()
        left = deadline - time.monotonic()
        if found is not None or left <= 0 or thread is None or not thread.is_alive():
            return found
        if threading.current_thread() is thread:
            return None
        thread.wait_beyond(rounds, left)


def is_idle(until: float) -> bool:
    """Return whether nothing will be delivered before a time (epoch seconds), if nothing new comes."""
    return not (_thread_busy() or any(home.changed for home in deliverer.homes()) or deliverer.soonest() <= until)


def _ask(thread: Deliverer, timeout: float) -> bool:
    """Ask for delivery; near the end of the time have it stop at the next step and give its leases back."""
    spare = min(0.5, timeout / 4)
    started = time.monotonic()
    if thread.ask(started + timeout - spare):
        return True
    leases.ending.set()
    try:
        thread.settle(started + timeout)
    finally:
        leases.ending.clear()
    return False


def logging_is_locked() -> bool:
    """Return whether the caller has logging's own lock."""
    owned = getattr(getattr(logging, "_lock", None), "_is_owned", None)
    return bool(owned and owned())


def forked() -> None:
    """After a fork, in the child: what its parent waited for in vain says nothing."""
    global _failed_at  # noqa: PLW0603 - the child has its own
    _failed_at = float("-inf")
