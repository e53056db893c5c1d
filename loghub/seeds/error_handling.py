"""Seed B's functions: an error is logged by hand, errors are listed and counted, procedures are run."""

from __future__ import annotations

import logging
import math
import operator
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from loghub import history, own_log
from loghub.delivery import deliverer
from loghub.delivery.home import home_of
from loghub.description import render, text_of
from loghub.errors import LedgerError
from loghub.event import iso
from loghub.handlers import recovery
from loghub.handlers.base import home_option, ledger_option
from loghub.seeds import record as records

if TYPE_CHECKING:
    from loghub.event import Event
    from loghub.ledger.protocol import Ledger


_MOST = 1_000_000


def log_error(
    error: BaseException, module_name: str, function_name: str, additional_info: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Log an error to logger ``loghub.report``, from where the handlers of the application take it.

    Nothing is raised, whatever is handed over.

    Args:
        error: What was caught; anything else is logged as a text.
        module_name: Where it happened, as the readers show it and statistics count it.
        function_name: Where in the module.
        additional_info: What else is known.

    Returns:
        ``timestamp`` (ISO 8601, UTC), ``error_type``, ``error_message``, ``module``, ``function``, ``traceback``
        (of the error that was given, empty if it was never raised), and ``additional_info`` if there is any. What is
        kept of it elsewhere is the whole event, without secrets; in this dict they are as they were given.
    """
    module, function = text_of(module_name), text_of(function_name)
    details: dict[str, Any] = {
        "timestamp": iso(time.time()),
        "error_type": type(error).__name__,
        "error_message": text_of(error),
        "module": module,
        "function": function,
        "traceback": "",
    }
    try:
        if isinstance(error, BaseException) and error.__traceback__ is not None:
            details["traceback"] = render(error, error.__traceback__, None)
        if additional_info:
            details["additional_info"] = additional_info
        record = _record(error, details, additional_info)
        details["timestamp"] = iso(record.created)
        records.send(record)
    except Exception as failure:  # objects of the application may do anything; the caller has an error already
        records.say(f"log_error failed: {type(failure).__name__}: {text_of(failure)}")
    return details


def _record(error: object, details: Mapping[str, Any], info: object) -> logging.LogRecord:
    module, function, text = details["module"], details["function"], details["error_message"]
    said = records.context(info) | {"_loghub_program": module or "unknown", "_loghub_place": (module, function)}
    what = "Error in %s.%s: %s", module, function, text
    if isinstance(error, BaseException):
        record = records.of_exception(error, said, *what)
    else:
        records.say(f"log_error takes an exception as its first argument, not {type(error).__name__}: told as a text.")
        record = records.of_text(type(error).__name__, text, "", said, *what)
    record.funcName = function  # an error that was never raised is known by the place of the call
    return record


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
        own_log.tell(logging.WARNING, f"no recovery from {name}: {error}")
        return False
    if helped is None:
        own_log.tell(
            logging.WARNING,
            f"nothing is configured to recover from {name}: add it to the procedures of a RecoveryHandler.",
        )
    return bool(helped)


def _ledger() -> Ledger | None:
    """Return the ledger, with all that was logged up to now in it; None where nothing was ever reported."""
    attached = [home for home in deliverer.homes() if home.is_attached]
    home = attached[-1] if attached else home_of(home_option("loghub", None), ledger_option("loghub", None))
    if not attached and home.url is None and (home.path is None or not os.path.isdir(home.path)):
        return None
    home.fold()
    home.adopt(force=True)
    return home.ledger()
