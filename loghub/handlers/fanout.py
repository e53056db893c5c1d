"""A handler that stands for several destinations: its level and its filters hold for all of them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from loghub.handlers.base import OutboxHandler, ReportingHandler

if TYPE_CHECKING:
    from collections.abc import Sequence


class Branch(OutboxHandler):
    """One destination of a `FanOutHandler`: delivered to, counted and retried on its own."""

    trunk: FanOutHandler[Any] | None = None

    def _takes_all(self) -> bool:
        return super()._takes_all() and self.trunk is not None and self.trunk.passes_all

    @property
    def names_host(self) -> bool:
        """Whether others may learn this host's name."""
        return super().names_host if self.trunk is None else self.trunk.names_host


B = TypeVar("B", bound=Branch)


class FanOutHandler(ReportingHandler, Generic[B]):
    """A handler with several destinations, each of which is told, fails and is tried again on its own."""

    branches: Sequence[B] = ()

    def branch_off(self, branches: Sequence[B]) -> None:
        """Take these as the destinations."""
        for one in branches:
            one.trunk = self
        self.branches = branches

    @property
    def passes_all(self) -> bool:
        """Whether nobody but filters of loghub's own chooses among the records."""
        return not self._selective and type(self).filter is logging.Handler.filter and "filter" not in self.__dict__

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record down for each of the destinations."""
        for one in self.branches:
            one.emit(record)

    def setLevel(self, level: int | str) -> None:
        """Set the level of all."""
        super().setLevel(level)
        for one in self.branches:
            one.setLevel(level)

    def _note_filters(self) -> None:
        super()._note_filters()
        for one in self.branches:
            one._note_filters()

    def close(self) -> None:
        """Take leave, with all destinations."""
        for one in self.branches:
            one.close()
        super().close()


def parts_of(handlers: Sequence[ReportingHandler]) -> list[ReportingHandler]:
    """Return `handlers` with the destinations of those that have several in their place."""
    return [part for one in handlers for part in (one.branches if isinstance(one, FanOutHandler) else [one])]
