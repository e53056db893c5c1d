"""JSONDetailHandler: one JSON file for each occurrence that is kept in full."""

from __future__ import annotations

import itertools
import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Any

from loghub import options, own_log
from loghub.detail import abandoned_files, detail_files, write_detail
from loghub.errors import OptionValueError
from loghub.handlers.base import ReportingHandler
from loghub.journal.writing import when

if TYPE_CHECKING:
    from collections.abc import Callable

    from loghub.sighting import Sighting

SWEEP_EVERY = 500
"""The most files written between two looks at the limits; a small limit is looked at more often."""


class JSONDetailHandler(ReportingHandler):
    """Writes the event of each kept occurrence to a file of its own.

    A file appears whole or not at all, with mode 0600, and none is ever overwritten. Where a file cannot be
    written, the occurrence is in the journal all the same, and logger ``loghub`` says so once.

    Args:
        directory: Where (``logs/errors``; made if need be).
        log_path: Another name for `directory`.
        keep_per_group: Occurrences of one group that get a file in one hour; the others are counted only.
        backupCount: The most files; the oldest go. 0: no limit.
        max_age_days: Older files go. 0: no limit.
        max_total_bytes: The most bytes in all files; the oldest go. 0: no limit.
        rest: As `ReportingHandler`.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str] | None = None,
        *,
        log_path: str | os.PathLike[str] | None = None,
        keep_per_group: int = 20,
        backupCount: int = 10_000,
        max_age_days: float = 30,
        max_total_bytes: int = 1 << 30,
        now: Callable[[], float] = time.time,
        **rest: Any,
    ) -> None:
        self.directory = _directory(self, directory, log_path)
        self.keep_per_group = options.whole(self, "keep_per_group", keep_per_group)
        self.backupCount = options.whole(self, "backupCount", backupCount)
        self.max_age_days = options.number(self, "max_age_days", max_age_days)
        self.max_total_bytes = options.whole(self, "max_total_bytes", max_total_bytes)
        self._sweep_every = max(1, min(SWEEP_EVERY, self.backupCount // 10 if self.backupCount else SWEEP_EVERY))
        self._now = now
        self._written = itertools.count()
        self._sweeper: threading.Thread | None = None
        self._trouble = ""
        super().__init__(**rest)
        if self.enabled:
            self._look_at_directory()
            self.home.keep_at_least(self.keep_per_group)

    def kept(self, record: logging.LogRecord, sighting: Sighting) -> None:
        """Write the file."""
        if sighting.kept >= self.keep_per_group:
            return
        try:
            write_detail(self.directory, sighting.whole(record), when(record.created), sighting.laid_out(record))
        except OSError as error:
            self._say(error)
            return
        self._trouble = ""
        if next(self._written) % self._sweep_every == 0:
            self._sweep_aside()

    def sweep(self) -> None:
        """Delete what is beyond the limits, oldest first; several processes may do so at once."""
        oldest = self._now() - self.max_age_days * 86400 if self.max_age_days else 0.0
        files, total = 0, 0
        for path, at, size in sorted(detail_files(self.directory), key=lambda one: one[1], reverse=True):
            files, total = files + 1, total + size
            if (
                at < oldest
                or (self.backupCount and files > self.backupCount)
                or (self.max_total_bytes and total > self.max_total_bytes)
            ):
                _remove(path)
        for path in abandoned_files(self.directory, self._now()):
            _remove(path)

    def _sweep_aside(self) -> None:
        """Sweep in a thread: looking at thousands of files takes longer than logging may."""
        if self._sweeper is None or not self._sweeper.is_alive():
            self._sweeper = threading.Thread(target=self.sweep, name="loghub-sweep", daemon=True)
            try:
                self._sweeper.start()
            except RuntimeError:  # the interpreter is going down: the next process sweeps
                self._sweeper = None

    def _look_at_directory(self) -> None:
        try:
            os.makedirs(self.directory, exist_ok=True)
            if not os.access(self.directory, os.W_OK | os.X_OK):
                raise PermissionError(13, "Permission denied")
        except OSError as error:
            self._say(error)

    def _say(self, error: OSError) -> None:
        reason = error.strerror or str(error)
        if reason != self._trouble:
            self._trouble = reason
            own_log.tell(
                logging.WARNING,
                f"no detail files can be written to {self.directory} ({reason}); errors are kept in the journal "
                "until option 'directory' names a folder that can be written.",
            )


def _directory(owner: object, directory: object, log_path: object) -> str:
    if directory is not None and log_path is not None:
        raise OptionValueError(f"{type(owner).__name__}: directory and log_path are one option: keep one of them.")
    name = "directory" if directory is not None else "log_path"
    chosen = directory if directory is not None else log_path
    if chosen is None:
        return os.path.abspath("logs/errors")
    chosen = options.text(owner, name, os.fspath(chosen) if isinstance(chosen, os.PathLike) else chosen)
    return os.path.abspath(os.path.expanduser(chosen))


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return
