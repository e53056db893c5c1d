"""How far a report gets: which handlers take it, and which issue its bug has."""

from __future__ import annotations

import logging.handlers
from typing import TYPE_CHECKING

from loghub.delivery import deliverer
from loghub.handlers.base import ReportingHandler
from loghub.handlers.github import GitHubIssueHandler
from loghub.ledger.protocol import Item

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from loghub.delivery.home import Home


def issue_handlers() -> Iterator[tuple[Home, GitHubIssueHandler]]:
    """Yield the handlers of this process that open issues, each with its home."""
    for home in deliverer.homes():
        for handler in home.handlers():
            if isinstance(handler, GitHubIssueHandler) and handler.destination:
                yield home, handler


def issue_url(home: Home, handler: GitHubIssueHandler, fingerprint: str) -> str | None:
    """Return the URL of the issue that a handler has opened for a bug; None: there is none yet.

    Raises:
        LedgerError: The ledger cannot be used now.
    """
    ledger, destination = home.ledger(), handler.destination or ""
    group = ledger.group(fingerprint)
    if group is None:
        return None
    asked = Item(destination, group, count=0, total=0, event={}, level=0, since_at=0.0)
    return next((url for item in ledger.load([asked], 0) if (url := item.memory.get("issue_url"))), None)


def is_taken(logger: logging.Logger, level: int = logging.CRITICAL) -> bool:
    """Whether a handler of loghub's takes what a logger is told, or another passes it on to where one may.

    Args:
        logger: Whose handlers, and those of loggers above it.
        level: Of what it is told.
    """
    passes_on = (logging.handlers.QueueHandler, logging.handlers.MemoryHandler)
    found = [one for one in _chain(logger) if one.level <= level]
    if any(isinstance(one, ReportingHandler) for one in found):
        return True
    return any(isinstance(one, passes_on) for one in found) and any(home.is_attached for home in deliverer.homes())


def _chain(logger: logging.Logger | None) -> Iterable[logging.Handler]:
    while logger is not None:
        yield from logger.handlers
        logger = logger.parent if logger.propagate else None
