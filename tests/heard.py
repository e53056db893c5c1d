"""A reporting handler that keeps the events of a home, and what the home's ledger counted in the end."""

from __future__ import annotations

import contextlib
import logging
import os

from loghub.delivery import waiting
from loghub.handlers.base import ReportingHandler
from loghub.ledger.sqlite import SQLiteLedger


class Heard(ReportingHandler):
    """Keeps the events; each occurrence is one, for all handlers of a home together."""

    def __init__(self, **options):
        self.events = []
        super().__init__(**options)

    def kept(self, record, sighting):
        """Keep the event."""
        self.events.append(sighting.whole(record))


def counted(home) -> int:
    """Return how many occurrences the ledger of a home has in all."""
    waiting.flush(10.0)
    ledger = SQLiteLedger(os.path.join(home, "ledger.db"))
    try:
        return sum(row.count for row in ledger.groups())
    finally:
        ledger.close()


@contextlib.contextmanager
def attached(name, *handlers):
    """Yield the logger of a name with these handlers alone; afterwards it has none."""
    log = logging.getLogger(name)
    before, log.handlers[:], propagates, log.propagate = list(log.handlers), handlers, log.propagate, False
    level = log.level
    log.setLevel(logging.INFO)
    try:
        yield log
    finally:
        log.handlers[:], log.propagate = before, propagates
        log.setLevel(level)
        for handler in handlers:
            handler.close()
