"""Imports of a thread that a fork may cut short: in the child nobody would ever end them.

Python keeps a lock for each module that is being imported, and these locks know nothing of forks: whoever imports such
a module in the child waits for ever, be it a module of the standard library that the application needs. What is read
and mended here is ``importlib._bootstrap``, as of Python 3.3 to 3.14.
"""

from __future__ import annotations

import sys
from importlib import _bootstrap
from importlib.machinery import ExtensionFileLoader
from typing import Any


def is_importing(ident: int) -> bool:
    """Return whether a thread is in an import."""
    frame = sys._current_frames().get(ident)
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


def mend(ident: int) -> None:
    """In a forked child: forget what a thread of the parent's was importing, so that it can be imported anew.

    Modules that the thread had begun begin again with their next import; those of a package too that were whole, since
    they would not become attributes of the new one. Extension modules stay: some refuse to be loaded twice.
    """
    locks: dict[str, Any] = getattr(_bootstrap, "_module_locks", {})
    for name, known in list(locks.items()):
        lock = known()
        if lock is None or lock.owner != ident:
            continue
        del locks[name]
        if getattr(getattr(sys.modules.get(name), "__spec__", None), "_initializing", False):
            _forget(name)


def _forget(name: str) -> None:
    for one, module in list(sys.modules.items()):
        loader = getattr(getattr(module, "__spec__", None), "loader", None)
        if one == name or (one.startswith(name + ".") and not isinstance(loader, ExtensionFileLoader)):
            del sys.modules[one]
