"""UncaughtHandler: while it is configured, uncaught exceptions are logged to ``loghub.uncaught``."""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
from typing import IO, Any

from loghub import delivery, options
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
        super().__init__(level)
        dump = options.flag(self, "faulthandler", faulthandler)
        self._hooks = Hooks(
            threads=options.flag(self, "threads", threads),
            unraisable=options.flag(self, "unraisable", unraisable),
        )
        folder = delivery.default_home() if home is None else os.path.abspath(os.path.expanduser(home))
        self._faults = _dump_faults(folder) if dump else None

    def emit(self, record: logging.LogRecord) -> None:
        """Do nothing: the hooks log, and other handlers handle."""

    def close(self) -> None:
        """Put the interpreter's hooks back."""
        self._hooks.remove()
        faults, self._faults = self._faults, None
        if faults is not None:
            faulthandler.disable()
            faults.close()
            try:
                if not os.path.getsize(faults.name):
                    os.unlink(faults.name)
            except OSError:
                pass  # somebody tidied up
        super().close()


def _dump_faults(folder: str | None) -> IO[Any] | None:
    """Have fatal signals leave a stack in `folder`; None where the application does it or it cannot be."""
    if folder is None or faulthandler.is_enabled():
        return None
    try:
        os.makedirs(os.path.join(folder, "faults"), mode=0o700, exist_ok=True)
        file = open(os.path.join(folder, "faults", f"{os.getpid()}.txt"), "w", encoding="utf-8")  # noqa: SIM115 - open as long as the handler
    except OSError as error:
        print(f"loghub: stacks of fatal signals cannot be kept: {error}", file=sys.stderr)  # noqa: T201 - logging is being configured
        return None
    faulthandler.enable(file)
    return file
