"""UncaughtHandler: while it is configured, uncaught exceptions are logged to ``loghub.uncaught``."""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
from typing import IO, Any

from loghub import options
from loghub.handlers.base import home_option
from loghub.hooks import Hooks


class UncaughtHandler(logging.Handler):
    """Hooks into the interpreter; handles no record itself.

    The records go to logger ``loghub.uncaught`` and from there to its handlers, usually the root's.

    Args:
        threads: Also exceptions that end a thread.
        unraisable: Also exceptions that Python could not raise (in ``__del__`` ...).
        faulthandler: Let a fatal signal leave the stack in a file in `home`, unless the application has
            enabled faulthandler by itself.
        home: As of the reporting handlers.
    """

    def __init__(
        self,
        *,
        threads: bool = True,
        unraisable: bool = True,
        faulthandler: bool = True,
        home: str | None = None,
        level: int | str = logging.NOTSET,
        **unknown: object,
    ) -> None:
        options.reject_unknown(self, unknown)
        in_threads = options.flag(self, "threads", threads)
        in_finalizers = options.flag(self, "unraisable", unraisable)
        dump = options.flag(self, "faulthandler", faulthandler)
        folder = home_option(self, home)
        super().__init__(level)
        self._pid = os.getpid()
        self._hooks = Hooks(threads=in_threads, unraisable=in_finalizers)
        self._faults = _dump_faults(folder) if dump else None
        _open.add(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Do nothing: the hooks log, and other handlers handle."""

    def close(self) -> None:
        """Put the interpreter's hooks back."""
        _open.discard(self)
        self._hooks.remove()
        faults, self._faults = self._faults, None
        if faults is not None:
            faulthandler.disable()
            faults.close()
            if os.getpid() == self._pid:  # in a forked child the file is its parent's
                _remove_empty(faults.name)
        super().close()


_open: set[UncaughtHandler] = set()
"""What is not closed: no logger need hold the handler, and its hooks must not outlive it unclosed."""


def _remove_empty(path: str) -> None:
    try:
        if not os.path.getsize(path):
            os.unlink(path)
    except OSError:
        pass  # somebody tidied up


def _dump_faults(folder: str | None) -> IO[Any] | None:
    """Have fatal signals leave a stack in `folder`; None where the application does it or it cannot be."""
    if folder is None or faulthandler.is_enabled():
        return None
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        os.makedirs(os.path.join(folder, "faults"), mode=0o700, exist_ok=True)
        # Appending: in a container every process has the same number, and the last one's death is news.
        file = open(os.path.join(folder, "faults", f"{os.getpid()}.txt"), "a", encoding="utf-8")  # noqa: SIM115 - open as long as the handler
    except OSError as error:
        print(f"loghub: stacks of fatal signals cannot be kept: {error}", file=sys.stderr)  # noqa: T201 - logging is being configured
        return None
    faulthandler.enable(file)
    return file
