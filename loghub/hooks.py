"""Uncaught exceptions become records: of the main thread, of threads, and those that Python cannot raise.

Each hook logs to ``loghub.uncaught`` and then calls the hook that was there before.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

log = logging.getLogger("loghub.uncaught")


class Hooks:
    """The hooks of this process while they are installed.

    Args:
        threads: Also exceptions that end a thread.
        unraisable: Also exceptions in ``__del__``, callbacks of the garbage collector and the like.
    """

    def __init__(self, *, threads: bool = True, unraisable: bool = True) -> None:
        self._before: list[tuple[Any, str, Any, Any]] = []
        self._install(sys, "excepthook", self._uncaught)
        if threads:
            self._install(threading, "excepthook", self._in_thread)
        if unraisable:
            self._install(sys, "unraisablehook", self._unraisable)

    def _install(self, module: Any, name: str, make: Callable[[Any], Any]) -> None:
        before = getattr(module, name)
        ours = make(before)
        setattr(module, name, ours)
        self._before.append((module, name, ours, before))

    def remove(self) -> None:
        """Put back what was there, unless somebody has hooked in after us."""
        for module, name, ours, before in self._before:
            if getattr(module, name) is ours:
                setattr(module, name, before)
        self._before.clear()

    def _uncaught(self, before: Callable[..., Any]) -> Callable[..., Any]:
        def hook(kind: type[BaseException], exc: BaseException, tb: TracebackType | None) -> None:
            if self._before and not _wanted_end(exc) and not hasattr(sys, "ps1"):
                report("uncaught", "Uncaught exception", kind, exc, tb)
            before(kind, exc, tb)

        return hook

    def _in_thread(self, before: Callable[..., Any]) -> Callable[..., Any]:
        def hook(args: Any) -> None:
            if self._before and args.exc_value is not None and not _wanted_end(args.exc_value):
                name = args.thread.name if args.thread is not None else "a thread"
                report("thread", f"Uncaught exception in thread {name}", *args[:3])
            before(args)

        return hook

    def _unraisable(self, before: Callable[..., Any]) -> Callable[..., Any]:
        def hook(args: Any) -> None:
            if self._before and args.exc_value is not None and not _wanted_end(args.exc_value):
                text = args.err_msg or "Exception ignored"
                report("unraisable", text, args.exc_type, args.exc_value, args.exc_traceback)
            before(args)

        return hook


def report(mechanism: str, text: str, kind: Any, exc: BaseException, tb: TracebackType | None) -> None:
    """Log an exception that nobody caught; what goes wrong on the way is not raised."""
    try:
        # dictConfig disables every logger that is there before it (this one, made while it looked for the
        # handler's class, too) unless the configuration names it; who wants no reports takes the handler out.
        log.disabled = False
        said = {"loghub_mechanism": mechanism, "loghub_program": _program()}
        log.critical("%s", text, exc_info=(kind, exc, tb), extra=said)
    except Exception:
        if logging.raiseExceptions and sys.stderr is not None:
            traceback.print_exc()


def _program() -> str:
    """Return what runs: the name of the main module's file, or of its package for ``python -m package``."""
    main = sys.modules.get("__main__")
    file = str(getattr(main, "__file__", None) or "python")
    folder, name = os.path.split(file)
    stem = name.removesuffix(".py")
    return os.path.basename(folder) if stem == "__main__" and folder else stem


def _wanted_end(exc: BaseException) -> bool:
    return isinstance(exc, KeyboardInterrupt | SystemExit)
