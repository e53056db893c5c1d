"""Whether any name in the folder of a log has changed, asked cheaply."""

from __future__ import annotations

import contextlib
import os
import time

from loghub import descriptor

monotonic = time.monotonic


class Folder:
    """Tells by one cheap question that no name in the folder of the log changed: not made, moved or deleted.

    To ask the path costs twice as much, and makes the next write dearer too (since Linux 6.13 a file whose times
    were asked for gets exact ones at its next change). A folder's ctime changes with its names, but by the
    ticks of a clock: it is trusted once it has stood still for longer than a tick.
    """

    _TICK_SECONDS = 0.02
    _COARSE_TICK_SECONDS = 2.1  # file systems that keep whole seconds
    _TRUST_SECONDS = 0.25  # a folder further up may be moved away

    def __init__(self, path: str) -> None:
        self.fd = -1
        self.ctime = -1
        self.quiet_until = 0.0
        self._look_at = 0.0
        with contextlib.suppress(OSError):  # then `look` never finds it quiet
            self.fd = os.open(path, os.O_RDONLY)
            self._identity = descriptor.identity(self.fd)

    def __del__(self) -> None:
        if self.fd >= 0:
            descriptor.close(self.fd, self._identity)

    def look(self, *, anew: bool = False) -> None:
        """Find out whether the folder is quiet, if it is time to; before the path is asked."""
        now = monotonic()
        if self.fd < 0 or (now < self._look_at and not anew):
            return
        ctime = os.fstat(self.fd).st_ctime_ns
        if ctime == self.ctime:
            self.quiet_until = self._look_at = now + self._TRUST_SECONDS
        else:
            self.ctime, self.quiet_until = ctime, 0.0
            self._look_at = now + (self._TICK_SECONDS if ctime % 1000 else self._COARSE_TICK_SECONDS)
