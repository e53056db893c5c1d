"""UncaughtHandler: while it is configured, uncaught exceptions are logged to ``loghub.uncaught``."""

from __future__ import annotations

import logging
import os
import sys

from loghub import env, hooks, options
from loghub.handlers.base import home_option
from loghub.journal.files import fcntl
from loghub.lives import watch


class UncaughtHandler(logging.Handler):
    """Hooks into the interpreter; handles no record itself.

    The records go to logger ``loghub.uncaught`` and from there to its handlers, usually the root's.

    Args:
        threads: Also exceptions that end a thread.
        unraisable: Also exceptions that Python could not raise (in ``__del__`` ...).
        faulthandler: Leave word in `home` that this process lives, and let a fatal signal leave its stack there
            (unless the application has enabled faulthandler by itself): another process of the application, or the
            next, reports what died without a goodbye.
        home: As of the reporting handlers.
    """

    hears_nothing = True
    _hooks: hooks.Hooks | None = None  # until it is finished
    _watched: str | None = None

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
        watched = options.flag(self, "faulthandler", faulthandler)
        folder = home_option(self, home)
        super().__init__(level)
        self._hooks = hooks.Hooks(threads=in_threads, unraisable=in_finalizers)
        chosen = home is not None or env.read("LOGHUB_HOME") is not None
        self._watched = _watch(folder, chosen=chosen) if watched else None
        _open.add(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Do nothing: the hooks log, and other handlers handle."""

    def close(self) -> None:
        """Put the interpreter's hooks back, and take this process's word back."""
        _open.discard(self)
        if self._hooks is not None:
            self._hooks.remove()
        watched, self._watched = self._watched, None
        if watched is not None:
            watch.end(watched)
        super().close()


_open: set[UncaughtHandler] = set()
"""What is not closed: no logger need hold the handler, and its hooks must not outlive it unclosed."""


def _watch(folder: str | None, *, chosen: bool) -> str | None:
    """Have a death of this process known to others; return the home, or None where that cannot be."""
    if folder is None or fcntl is None:
        return None
    # A home that nobody has chosen is everybody's: the deaths of other programs are none of ours.
    application = "" if chosen else os.path.dirname(os.path.abspath(hooks.main_file() or sys.executable))
    try:
        watch.begin(folder, hooks.program(), application)
    except OSError as error:
        print(f"loghub: the end of this process, should it die, cannot be reported: {error}", file=sys.stderr)  # noqa: T201 - logging is being configured
        return None
    return folder
