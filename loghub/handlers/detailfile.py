"""One JSON file per kept occurrence, on disk when the logging call returns."""

from __future__ import annotations

import os
import re
import threading
import time
from typing import TYPE_CHECKING, Any

from loghub import options
from loghub.event import dumps
from loghub.handlers.base import ReportingHandler

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from loghub.capture import Sighting
    from loghub.event import Event

PATTERN = re.compile(r"^error_\d{8}_\d{6}_[\w]+\.json$", re.ASCII)
"""Names of detail files (seed B's pattern)."""

SWEEP_EVERY = 500
"""Files written between two looks at the limits."""


class JSONDetailHandler(ReportingHandler):
    """Writes the event of each kept occurrence to a file of its own.

    A file appears whole or not at all, with mode 0600, and none is ever overwritten.

    Args:
        directory: Where (``logs/errors``; made if need be). `log_path` is seed B's name for it.
        keep_per_group: Occurrences of one group that get a file in one hour; the others are counted only.
        backupCount: The most files; the oldest go. 0: no limit.
        max_age_days: Older files go. 0: no limit.
        max_total_bytes: The most bytes in all files; the oldest go. 0: no limit.
        rest: As `ReportingHandler`.
    """

    def __init__(
        self,
        directory: str | None = None,
        *,
        log_path: str | None = None,
        keep_per_group: int = 20,
        backupCount: int = 10_000,
        max_age_days: float = 30,
        max_total_bytes: int = 1 << 30,
        now: Callable[[], float] = time.time,
        **rest: Any,
    ) -> None:
        chosen = directory if directory is not None else log_path
        self.directory = os.path.abspath(
            "logs/errors" if chosen is None else options.text(self, "directory", os.fspath(chosen))
        )
        self.keep_per_group = options.whole(self, "keep_per_group", keep_per_group)
        self.backupCount = options.whole(self, "backupCount", backupCount)
        self.max_age_days = options.number(self, "max_age_days", max_age_days)
        self.max_total_bytes = options.whole(self, "max_total_bytes", max_total_bytes)
        self._now = now
        self._written = 0
        self._sweeping = threading.Lock()
        super().__init__(**rest)
        os.makedirs(self.directory, exist_ok=True)
        self.home.keep_at_least(self.keep_per_group)

    def kept(self, record: logging.LogRecord, sighting: Sighting) -> None:
        """Write the file."""
        if sighting.kept < self.keep_per_group and sighting.event is not None:
            write_detail(self.directory, sighting.event, record.created)
            self._written += 1
            if self._written % SWEEP_EVERY == 1 and not self._sweeping.locked():
                threading.Thread(target=self.sweep, name="loghub-sweep", daemon=True).start()

    def sweep(self) -> None:
        """Delete what is beyond the limits, oldest first; several processes may do so at once."""
        if not self._sweeping.acquire(blocking=False):
            return
        try:
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
        finally:
            self._sweeping.release()


def detail_files(directory: str) -> list[tuple[str, float, int]]:
    """Return path, time of writing and bytes of each detail file in `directory`."""
    found = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if PATTERN.match(entry.name):
                    seen = entry.stat()
                    found.append((entry.path, seen.st_mtime, seen.st_size))
    except OSError:
        return found
    return found


def detail_name(event: Event, created: float) -> str:
    """Return ``error_YYYYmmdd_HHMMSS_Type_<id8>.json`` (UTC)."""
    kind = re.sub(r"\W", "_", event.get("error_type") or "Error", flags=re.ASCII)[:80]
    stamp = time.strftime("%Y%m%d_%H%M%S", time.gmtime(created))
    return f"error_{stamp}_{kind}_{event['id'][:8]}.json"


def write_detail(directory: str, event: Event, created: float) -> str:
    """Write `event` into a new file of `directory`; return its path.

    Raises:
        OSError: It could not be written; nothing is left behind.
    """
    name = detail_name(event, created)
    hidden = os.path.join(directory, f".{name}.{os.getpid()}.tmp")
    data = dumps(event, indent=4).encode()
    try:
        fd = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileNotFoundError:  # somebody removed the directory
        os.makedirs(directory, exist_ok=True)
        fd = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(fd, "wb", buffering=0) as file:
            while data:
                data = data[file.write(data) :]
        return _publish(hidden, directory, name, event["id"])
    finally:
        _remove(hidden)


def _publish(hidden: str, directory: str, name: str, whole_id: str) -> str:
    """Give the file its name, unless another has it: then with more of the id."""
    path = os.path.join(directory, name)
    for longer in (name, name.replace(f"_{whole_id[:8]}.", f"_{whole_id}.")):
        path = os.path.join(directory, longer)
        try:
            os.link(hidden, path)
        except FileExistsError:
            continue
        except OSError:  # a file system without hard links
            os.rename(hidden, path)
        return path
    return path  # this very event is there already


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return
