"""What all pages stand on: a home, its ledger, and the handlers that can be told to do something."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import time
from typing import TYPE_CHECKING, Any

from loghub import detail, env
from loghub.browser import SourceMaps
from loghub.delivery.home import home_of
from loghub.errors import AmbiguousKeyError, DetailFileError
from loghub.handlers.base import ReportingHandler, home_option, ledger_option
from loghub.handlers.detailfile import JSONDetailHandler
from loghub.ledger.find import Find
from loghub.seeds.own import OwnHandler

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from loghub.delivery.home import Home
    from loghub.event import Event
    from loghub.ledger.protocol import Group, Ledger

FRESH_SECONDS = 1.0
"""So often, at most, a page takes in what this process and dead ones have written."""

_ROWS, _PAGES = 200, 25
"""So many events of one second are looked through for a name without the beginning of an id."""

_ID = re.compile(r"_([0-9a-f]{8,32})\.json\Z")


class Site:
    """One home, shown.

    Args:
        home: Folder of journal and ledger, None: env LOGHUB_HOME, else the user's state directory.
        ledger: Where the ledger is, None: env LOGHUB_LEDGER, else in the home.
        handlers: What can be told to do something; None: the handlers of this process that use the home.
        source_maps: As for `loghub.browser.SourceMaps`; None: env LOGHUB_SOURCE_MAPS, else there are none.
        now: The clock, epoch seconds.

    Raises:
        OptionValueError: A value is malformed.
    """

    def __init__(
        self,
        home: str | None = None,
        ledger: str | None = None,
        handlers: Sequence[ReportingHandler] | None = None,
        *,
        source_maps: Mapping[str, str | os.PathLike[str]] | str | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.home: Home = home_of(home_option("loghub.web", home), ledger_option("loghub.web", ledger))
        self.maps = SourceMaps(source_maps or env.read("LOGHUB_SOURCE_MAPS") or {})
        self.now = now
        self.own = OwnHandler(home=self.home.path, ledger=self.home.url)
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
        return self._kept(filename) or self._filed(filename)

    def _kept(self, filename: str) -> Event | None:
        """Find it in the ledger: by the id in the name, else, where that is no beginning of an id, by the time."""
        ledger, found = self.ledger(), _ID.search(filename)
        with contextlib.suppress(AmbiguousKeyError):
            event = ledger.event(found[1]) if found else None
            if event is not None and detail.is_name_of(filename, event):
                return event
        at, after = detail.time_of(filename), ""
        for _ in range(_PAGES if at is not None else 0):
            page = ledger.events(_ROWS, Find(since=at, until=(at or 0.0) + 1), after)
            if named := next((one for one in page if detail.is_name_of(filename, one)), None):
                return named
            if not (after := page.after):
                break
        return None

    def _filed(self, filename: str) -> Event | None:
        for folder in self.folders():
            with contextlib.suppress(DetailFileError):
                return detail.read_detail(os.path.join(folder, filename))
        return None

    def group(self, fingerprint: object) -> Group | None:
        """Return the group that has exactly this fingerprint."""
        try:
            found = self.ledger().group(str(fingerprint or ""))
        except AmbiguousKeyError:
            return None
        return found if found is not None and found.fingerprint == fingerprint else None

    def folders(self) -> list[str]:
        """Return where detail files are, each folder once."""
        return list(dict.fromkeys(one.directory for one in self.handlers() if isinstance(one, JSONDetailHandler)))
