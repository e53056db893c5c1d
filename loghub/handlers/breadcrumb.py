"""BreadcrumbHandler: the last records before an error go along with it."""

from __future__ import annotations

import logging
from typing import Annotated, Any

from loghub import breadcrumbs, complaint, options
from loghub.capture import OWN_LOGGER, current_cause, muted_threads

MAX_CAPACITY = 1_000


class BreadcrumbHandler(logging.Handler):
    """Keeps the last records of each thread or asyncio task for the next error that is reported there.

    Where records go through a queue, it belongs before the QueueHandler, in the list of handlers as well.

    Args:
        capacity: How many, 1,000 at most: each thread and task keeps so many.
        level: Lowest level to keep; INFO.

    Raises:
        UnknownOptionError: There is no such option.
        OptionValueError: A value is malformed.
    """

    def __init__(
        self,
        *,
        capacity: Annotated[int, options.Takes(minimum=1, maximum=MAX_CAPACITY)] = 30,
        level: int | str = logging.INFO,
        **unknown: object,
    ) -> None:
        options.reject_unknown(self, unknown)
        most = options.whole(self, "capacity", capacity, 1)
        if most > MAX_CAPACITY:
            options.refuse(self, "capacity", capacity, f"a whole number from 1 to {MAX_CAPACITY:,}")
        super().__init__(level)
        self._complaints: set[Any] = set()
        self._keeper = breadcrumbs.Keeper(most)

    def handle(self, record: logging.LogRecord) -> Any:
        """Filter and emit, without the handler's lock: nothing here needs it."""
        passed: Any = self.filter(record) if self.filters else True
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return passed

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what is needed of the record, unless it is of loghub's own life."""
        try:
            if record.name != OWN_LOGGER and record.thread not in muted_threads:
                breadcrumbs.keep(record)
        except Exception:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Do what logging does, once for each cause and without the record's secrets."""
        cause = current_cause()
        if cause not in self._complaints:
            self._complaints.add(cause)
            complaint.tell(record)

    def close(self) -> None:
        """Forget what was kept."""
        self._keeper.close()
        super().close()
