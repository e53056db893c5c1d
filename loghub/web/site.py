"""What all pages stand on: a home, its ledger, and the handlers that can be told to do something."""

from __future__ import annotations

import logging
import os
import re
import time
from typing import TYPE_CHECKING, Any

from loghub import delivery, detail
from loghub.errors import DetailFileError
from loghub.handlers.base import ReportingHandler, home_option, ledger_option
from loghub.handlers.detailfile import JSONDetailHandler

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loghub.delivery import Home
    from loghub.event import Event
    from loghub.ledger.protocol import Ledger

FRESH_SECONDS = 1.0
"""So often, at most, a page takes in what this process and dead ones have written."""

_ID = re.compile(r"_([0-9a-f]{8,32})\.json\Z")


class Site:
    """One home, shown.

    Args:
        home: Folder of journal and ledger, None: env LOGHUB_HOME, else the user's state directory.
        ledger: Where the ledger is, None: env LOGHUB_LEDGER, else in the home.
        handlers: What can be told to do something; None: the handlers of this process that use the home.
        now: The clock, epoch seconds.
    """

    def __init__(
        self,
        home: str | None = None,
        ledger: str | None = None,
        handlers: Sequence[ReportingHandler] | None = None,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.home: Home = delivery.home_of(home_option("loghub.web", home), ledger_option("loghub.web", ledger))
        self.now = now
        self._handlers = handlers
        self._fresh_at = float("-inf")
        self._figures: tuple[float, dict[str, Any]] = float("-inf"), {}

    def ledger(self) -> Ledger:
        """Return the ledger, with what was written up to now in it.

        Raises:
            LedgerError: It cannot be used now.
        """
        if time.monotonic() - self._fresh_at > FRESH_SECONDS:
            self._fresh_at = time.monotonic()
            self.home.fold()
            self.home.adopt(force=True)
        return self.home.ledger()

    def figures(self) -> dict[str, Any]:
        """Return `Ledger.figures`, counted anew every `FRESH_SECONDS`: anybody may ask.

        Raises:
            LedgerError: It cannot be used now.
        """
        at, known = self._figures
        if time.monotonic() - at > FRESH_SECONDS:
            known = self.home.ledger().figures()
            self._figures = time.monotonic(), known
        return known

    def handlers(self) -> list[ReportingHandler]:
        """Return the reporting handlers that use the home."""
        if self._handlers is not None:
            return list(self._handlers)
        living = [found for ref in list(logging._handlerList) if (found := ref()) is not None]  # type: ignore[attr-defined]
        return [one for one in living if isinstance(one, ReportingHandler) and one.home is self.home]

    def event(self, filename: str) -> Event | None:
        """Return the event of a detail file's name, from the ledger or from the file; None: there is none.

        Args:
            filename: Of the pattern `loghub.detail.PATTERN`, and nothing else.
        """
        if detail.PATTERN.fullmatch(filename) is None:
            return None
        found = _ID.search(filename)
        event = self.ledger().event(found[1]) if found else None
        if event is not None:
            return event
        for folder in self.folders():
            path = os.path.join(folder, filename)
            try:
                return detail.read_detail(path)
            except DetailFileError:
                continue
        return None

    def folders(self) -> list[str]:
        """Return where detail files are."""
        return [one.directory for one in self.handlers() if isinstance(one, JSONDetailHandler)]
