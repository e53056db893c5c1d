"""The handler that loghub makes for itself, where an application reports by hand and has none attached."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from loghub.delivery import deliverer
from loghub.handlers.github import GitHubIssueHandler

if TYPE_CHECKING:
    import logging


class OwnHandler:
    """A `GitHubIssueHandler` that is made when it is needed.

    Args:
        event_filter: What it is told about every event; None: nothing.
        options: Of the handler.
    """

    def __init__(self, event_filter: logging.Filter | None = None, **options: Any) -> None:
        self.made: GitHubIssueHandler | None = None
        self._filter = event_filter
        self._options = options
        self._making = threading.RLock()  # a signal handler may report while its own thread is in here

    def ready(self) -> GitHubIssueHandler:
        """Return the handler, made at first, and again where dictConfig has closed it.

        Raises:
            OptionValueError: An option, or what the environment says for it, is malformed.
        """
        with self._making:
            made = self.made
            if made is None or made.home not in deliverer.homes() or made not in made.home.handlers():
                made = GitHubIssueHandler(**self._options)
                if self._filter is not None:
                    made.addFilter(self._filter)
                self.made = made
            return made
