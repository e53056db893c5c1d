"""Forks: a child begins anew, and has nothing open that is its parent's."""

from __future__ import annotations

import logging
import os
import time

from loghub import capture, imports
from loghub.delivery import deliverer, leases, waiting

FORK_SECONDS = 1.5
"""The longest that a fork waits for a thread that is in the ledger; longer than that takes no call there."""


def register() -> None:
    """Have this process's forks go by here from now on."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_forking, after_in_parent=_forked_in_parent, after_in_child=_forked)


def _forking() -> None:
    """Before a fork: keep our thread out of what a child could not use any more, for a moment."""
    until = time.monotonic() + FORK_SECONDS
    _hold()
    while _is_importing() and time.monotonic() < until:
        _forked_in_parent()
        time.sleep(0.001)
        _hold()


def _hold() -> None:
    # Logging's lock first, as in dictConfig, which closes handlers under it; logging's own hook takes it later.
    logging._lock.acquire()  # type: ignore[attr-defined]
    for home in deliverer.homes():
        home.hold(FORK_SECONDS)


def _is_importing() -> bool:
    return deliverer.current is not None and imports.is_importing(deliverer.current.ident or 0)


def _forked_in_parent() -> None:
    for home in deliverer.homes():
        home.resume()
    logging._lock.release()  # type: ignore[attr-defined]


def _forked() -> None:
    leases.forked()
    deliverer.forked()
    waiting.forked()
    capture.muted_threads.clear()
    for home in deliverer.homes():
        home.forked()
