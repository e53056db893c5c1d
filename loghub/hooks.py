"""Uncaught exceptions become records: of the main thread, of threads, and those that Python cannot raise.

Each hook logs to ``loghub.uncaught`` and then calls the hook that was there before. Left alone is what somebody wants:
KeyboardInterrupt (also a group of nothing else), SystemExit whatever its code or cause, and what a person types at a
prompt.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any

from loghub.replaced import Replaced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

log = logging.getLogger("loghub.uncaught")

_in_hand: set[int] = set()
"""Ids of exceptions that a hook of ours is at: others of ours in the chain let them pass."""

_reporting: set[int] = set()
"""Idents of threads that report: what fails there meanwhile, and nobody catches, would never end."""


class Hooks:
    """The hooks of this process while they are installed.

    Args:
        threads: Also exceptions that end a thread.
        unraisable: Also exceptions in ``__del__``, callbacks of the garbage collector and the like.
    """

    def __init__(self, *, threads: bool = True, unraisable: bool = True) -> None:
        self._replaced = Replaced()
        self._replaced.put(sys, "excepthook", self._uncaught)
        if threads:
            self._replaced.put(threading, "excepthook", self._in_thread)
        if unraisable:
            self._replaced.put(sys, "unraisablehook", self._unraisable)

    def remove(self) -> None:
        """Put back what was there, unless somebody has hooked in after us."""
        self._replaced.restore()

    def _uncaught(self, before: Callable[..., Any]) -> Callable[..., Any]:
        def hook(kind: type[BaseException], exc: BaseException, tb: TracebackType | None) -> None:
            with self._taken("uncaught", (kind, exc, tb), lambda: "Uncaught exception"):
                before(kind, exc, tb)

        return hook

    def _in_thread(self, before: Callable[..., Any]) -> Callable[..., Any]:
        def hook(args: Any) -> None:
            with self._taken("thread", args[:3], lambda: f"Uncaught exception in thread {_name_of(args.thread)}"):
                before(args)

        return hook

    def _unraisable(self, before: Callable[..., Any]) -> Callable[..., Any]:
        def hook(args: Any) -> None:
            error = args.exc_type, args.exc_value, args.exc_traceback
            with self._taken("unraisable", error, lambda: args.err_msg or "Exception ignored"):
                before(args)

        return hook

    @contextlib.contextmanager
    def _taken(self, mechanism: str, error: Any, text: Callable[[], str]) -> Iterator[None]:
        """Report an exception, unless somebody wants it or another of our hooks has it in hand; then go on."""
        exc = error[1]
        if not self._replaced.holds or exc is None or id(exc) in _in_hand or not _is_news(exc):
            yield
            return
        _in_hand.add(id(exc))
        try:
            report(mechanism, text, *error)
            yield
        finally:
            _in_hand.discard(id(exc))


def report(mechanism: str, text: Callable[[], str], kind: Any, exc: BaseException, tb: TracebackType | None) -> None:
    """Log an exception that nobody caught; what goes wrong on the way is neither raised nor reported."""
    thread = threading.get_ident()
    _reporting.add(thread)
    try:
        # dictConfig disables every logger that is there before it (this one, made while it looked for the
        # handler's class, too) unless the configuration names it; who wants no reports takes the handler out.
        log.disabled = False
        said = {"_loghub_mechanism": mechanism, "_loghub_program": program()}
        log.critical("%s", text(), exc_info=(kind, exc, tb), extra=said)
    except Exception:
        complain()
    finally:
        _reporting.discard(thread)


def complain() -> None:
    """Print what went wrong with a report, as logging does."""
    with contextlib.suppress(Exception):  # nobody is there to read it
        if logging.raiseExceptions and sys.stderr is not None:
            traceback.print_exc()


def _is_news(exc: BaseException) -> bool:
    """Return whether nobody wanted or sees an exception, and it did not come of a report of ours."""
    return threading.get_ident() not in _reporting and not is_interactive() and not is_wanted_end(exc)


def _name_of(thread: threading.Thread | None) -> str:
    return thread.name if thread is not None else "a thread"


def program() -> str:
    """Return what runs: the name of the main module's file, or of its package for ``python -m package``."""
    folder, name = os.path.split(main_file() or "python")
    stem = name.removesuffix(".py")
    return os.path.basename(folder) if stem == "__main__" and folder else stem


def main_file() -> str:
    """Return the main module's file; empty if it has none."""
    return str(getattr(sys.modules.get("__main__"), "__file__", None) or "")


def is_interactive() -> bool:
    """Return whether a person sits at a prompt of this process, and sees what fails.

    Python's own prompt and IPython's set ``sys.ps1``; ``python -i script.py`` has none yet while the script fails.
    """
    return hasattr(sys, "ps1") or bool(sys.flags.interactive or sys.flags.inspect)


def is_wanted_end(exc: BaseException) -> bool:
    """Return whether an exception is a way to end, or a group of nothing else; pdb's ``quit`` is one, too."""
    if isinstance(exc, BaseExceptionGroup):
        try:
            return all(map(is_wanted_end, exc.exceptions))
        except Exception:  # a class of the application's may do anything, and groups may stand very deep
            return False
    quits = getattr(sys.modules.get("bdb"), "BdbQuit", KeyboardInterrupt)
    return isinstance(exc, KeyboardInterrupt | SystemExit | quits)
