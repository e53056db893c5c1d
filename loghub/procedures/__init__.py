"""Ready-made recovery procedures, for ``run:`` of a RecoveryHandler or by hand.

A procedure is any callable ``(event, **with) -> bool``: True says that what was wrong is overcome, False that it did
not help. One that knows why it did not help raises ProcedureError; the message is the sentence that people read. It
runs in a thread of its own, never in the application's. `event` is the error as plain data, as in detail files.

Names resolve on first use: importing this loads no database or network module.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loghub.procedures.arguments import check
    from loghub.procedures.functions import call, reopen
    from loghub.procedures.network import wait_for_network
    from loghub.procedures.services import restart_service
    from loghub.procedures.sqlite import backup_sqlite, restore_sqlite

# No module is called like a procedure: what a dotted name stands for would depend on what was imported before.
_HOME_OF = {
    "backup_sqlite": "loghub.procedures.sqlite",
    "call": "loghub.procedures.functions",
    "check": "loghub.procedures.arguments",
    "reopen": "loghub.procedures.functions",
    "restart_service": "loghub.procedures.services",
    "restore_sqlite": "loghub.procedures.sqlite",
    "wait_for_network": "loghub.procedures.network",
}

__all__ = [
    "backup_sqlite",
    "call",
    "check",
    "reopen",
    "restart_service",
    "restore_sqlite",
    "wait_for_network",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
