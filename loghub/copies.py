"""A record and the copy that a QueueHandler made of it are one occurrence, whichever is seen first.

`logging.handlers.QueueHandler` copies a record before other handlers have seen it, and a QueueListener hands
the copy to its handlers in another thread, at about the same time. Nothing on the two records tells that they
are one but where and when they were made.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import Any, Generic, TypeVar

MAX_COPIES = 4096
"""Records that are remembered until their copy comes; the oldest goes when there are more."""

Shared = TypeVar("Shared")


class Copies(Generic[Shared]):
    """What stands for an occurrence, shared by a record and its copy. Safe for many threads, without a lock."""

    def __init__(self) -> None:
        self._originals: dict[Any, Shared] = {}
        self._arrived: dict[Any, Shared] = {}
        self._newest: Any = None  # the handler that was made last, when we looked
        self._wanted = False

    def in_use(self) -> bool:
        """Return whether there are queues at all; without one nothing is remembered."""
        handlers = logging._handlerList  # type: ignore[attr-defined]
        newest = handlers[-1] if handlers else None
        if newest is not self._newest:
            module = sys.modules.get("logging.handlers")
            self._wanted = module is not None and any(isinstance(one(), module.QueueHandler) for one in list(handlers))
            self._newest = newest
        return self._wanted

    def share(self, record: logging.LogRecord, fresh: Shared) -> Shared:
        """Return what the other of the two was given, or `fresh` for the first of them."""
        if not self.in_use():
            return fresh
        key = (record.created, record.thread, record.process, record.name, record.lineno)
        if _is_copy(record):
            return self._of_copy(key, fresh)
        # Where time stands still, many records have one key: each takes at most one copy that came before it.
        _put(self._originals, key, fresh)
        shared = self._arrived.pop(key, fresh)
        self._originals[key] = shared
        return shared

    def _of_copy(self, key: Any, fresh: Shared) -> Shared:
        shared = self._originals.get(key)
        if shared is None:
            _put(self._arrived, key, fresh)
            shared = self._originals.get(key)
            if shared is None or self._arrived.pop(key, None) is None:
                return fresh  # the original is not here yet, or it has just taken what is ours
        return shared


def _is_copy(record: logging.LogRecord) -> bool:
    return record.args is None and record.exc_info is None and "message" in record.__dict__


def _put(kept: dict[Any, Shared], key: Any, shared: Shared) -> None:
    if len(kept) >= MAX_COPIES:
        with contextlib.suppress(RuntimeError, StopIteration):  # another thread is at it
            kept.pop(next(iter(kept)), None)
    kept[key] = shared
