"""Ends that Python's own atexit does not see, but are wanted: ``os._exit``, exec, and signals set to their default.

Work horses of RQ, children of multiprocessing and of billiard, and daemons that fork twice end by ``os._exit``; servers
restore a signal's default and send it to themselves. Each of these functions gets a thin wrapper that tells the lives
of this process first. It never fails, and does what was asked in any case.
"""

from __future__ import annotations

import functools
import os
import signal
from typing import TYPE_CHECKING, Any

from loghub.lives.death import REPLACED
from loghub.replaced import Replaced

if TYPE_CHECKING:
    from collections.abc import Callable

    from loghub.lives.life import Life


class Farewell(Replaced):
    """The wrapped functions, until they are restored.

    Args:
        lives: Returns the lives that this process has now.
    """

    def __init__(self, lives: Callable[[], list[Life]]) -> None:
        super().__init__()
        self._lives = lives
        self._wrap(os, "_exit", self._leave)
        self._wrap(os, "execv", self._become)
        self._wrap(os, "execve", self._become)
        # signal.signal calls this: so it may be what it was, and who has imported it by name is heard, too.
        self._wrap(getattr(signal, "_signal", signal), "signal", self._handle)

    def _wrap(self, module: Any, name: str, act: Callable[..., Any]) -> None:
        def make(before: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(before)
            def wrapped(*args: Any, **options: Any) -> Any:
                return act(before, *args, **options)

            wrapped.__module__ = module.__name__  # it says posix, and pickle looks there
            return wrapped

        if hasattr(module, name):
            self.put(module, name, make)

    def _tell(self, act: Callable[[Life], None]) -> None:
        if self.holds:
            try:
                for life in self._lives():
                    act(life)
            except BaseException:  # not even a KeyboardInterrupt may keep a process from its end
                pass

    def _leave(self, before: Callable[..., Any], *args: Any, **options: Any) -> Any:
        self._tell(lambda life: life.goodbye())
        return before(*args, **options)

    def _become(self, before: Callable[..., Any], *args: Any, **options: Any) -> Any:
        self._tell(lambda life: life.expect(REPLACED))
        try:
            return before(*args, **options)
        finally:  # it could not
            self._tell(lambda life: life.went_on())

    def _handle(self, before: Callable[..., Any], *args: Any, **options: Any) -> Any:
        former = before(*args, **options)
        self._tell(lambda life: life.arm(*args[:1]))
        return former
