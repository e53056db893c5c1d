"""The functions of the seed documents, for those who want one; all are thin."""

from __future__ import annotations

import logging
import math
import operator
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from loghub import delivery, history
from loghub.errors import LedgerError
from loghub.event import iso
from loghub.handlers import recovery
from loghub.handlers.base import home_option, ledger_option

if TYPE_CHECKING:
    from loghub.event import Event
    from loghub.ledger.protocol import Ledger


_MOST = 1_000_000


def get_recent_errors(limit: int = 10) -> list[Event]:
    """Return the newest errors that were kept in full, newest first, as the detail files have them.

    Of the home that a handler of this process was attached to last; of the default one where there is none.

    Raises:
        LedgerError: The ledger cannot be used now; the message says why.
        TypeError: `limit` is no whole number.
    """
    ledger, limit = _ledger(), min(operator.index(limit), _MOST)
    return [] if ledger is None or limit < 1 else list(history.recent(ledger, limit))


def get_error_statistics(days: float = 7) -> dict[str, Any]:
    """Return ``total_errors``, ``error_types``, ``modules`` and ``daily_counts`` of the last days (UTC).

    Every occurrence counts, also those that were not kept in full.

    Raises:
        LedgerError: The ledger cannot be used now; the message says why.
        ValueError: `days` is not a number.
    """
    if math.isnan(days):
        raise ValueError("days must be a number, not nan.")
    ledger, days = _ledger(), min(max(days, 0), _MOST)
    if ledger is None:
        return {"total_errors": 0, "error_types": {}, "modules": {}, "daily_counts": {}}
    return history.statistics(ledger, days)


def attempt_recovery(error_type: str | type[BaseException], context: Mapping[str, Any] | None = None) -> bool:
    """Run what `RecoveryHandler` has for an error's class, with its guard rails, and wait for it.

    Args:
        error_type: An exception class or its name, as it stands under ``on`` of a procedure, or the end of it.
        context: What the procedures find as ``additional_info`` of the event.

    Returns:
        Whether one of them helped.
    """
    name = error_type.__name__ if isinstance(error_type, type) else str(error_type)
    event: Event = {
        "timestamp": iso(time.time()),
        "error_type": name,
        "error_message": "",
        "additional_info": dict(context) if isinstance(context, Mapping) else {"context": context} if context else {},
    }
    try:
        helped = recovery.attempt(name, event)
    except LedgerError as error:
        delivery.tell(logging.WARNING, f"no recovery from {name}: {error}")
        return False
    if helped is None:
        delivery.tell(
            logging.WARNING,
            f"nothing is configured to recover from {name}: add it to the procedures of a RecoveryHandler.",
        )
    return bool(helped)


def _ledger() -> Ledger | None:
    """Return the ledger, with all that was logged up to now in it; None where nothing was ever reported."""
    attached = [home for home in delivery.homes() if home.is_attached]
    home = attached[-1] if attached else delivery.home_of(home_option("loghub", None), ledger_option("loghub", None))
    if not attached and home.url is None and (home.path is None or not os.path.isdir(home.path)):
        return None
    home.fold()
    home.adopt(force=True)
    return home.ledger()
