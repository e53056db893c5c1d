"""Procedures that call the application's own functions.

One rule says whether such a function did its work: it did, unless it raised or returned False. Most functions that open
or reset something return None, or what they opened.
"""

from __future__ import annotations

import inspect
from typing import Any

from loghub import options
from loghub.backoff import delay
from loghub.procedures import arguments as read
from loghub.procedures import clock, reasons


@read.procedure(function=read.function)
def call(_event: dict[str, Any], /, *, function: Any, **arguments: Any) -> bool:
    """Call a function of the application, without the event.

    Args:
        function: Its dotted name (``shop.orders:reset`` or ``shop.orders.reset``), or the function itself.
        **arguments: What it is called with.

    Returns:
        False if it returned False; True whatever else it returned, None too.

    Raises:
        OptionValueError: There is no such function, or it is async.
        ProcedureError: It raised, or returned something to be awaited.
    """
    found = options.function("call", "function", function)
    try:
        result = found(**arguments)
    except Exception as error:
        reasons.fail(f"{_shown(function)} raised {reasons.of(error)}.")
    return not _is_false(result, function)


@read.procedure(
    call=read.function,
    tries=read.at_least(options.whole, 1),
    first_wait=options.number,
    longest_wait=options.number,
    arguments=read.optional(read.mapping),
)
def reopen(
    _event: dict[str, Any],
    /,
    *,
    call: Any,
    tries: int = 5,
    first_wait: float = 1.0,
    longest_wait: float = 30.0,
    arguments: dict[str, Any] | None = None,
) -> bool:
    """Open a device or a connection again: call the application's own function until it succeeds.

    Args:
        call: The function's dotted name (``shop.camera:reopen`` or ``shop.camera.reopen``), or the function itself.
        tries: How many times it is called at most.
        first_wait: Seconds to wait at most after the first failure; doubled with each, and drawn at random below that.
        longest_wait: Seconds to wait at most between two calls.
        arguments: What it is called with.

    Returns:
        True as soon as it neither raised nor returned False.

    Raises:
        OptionValueError: There is no such function, or it is async.
        ProcedureError: It never succeeded, or returned something to be awaited.
    """
    found = options.function("reopen", "call", call)
    why = ""
    for failed in range(tries):
        if failed:
            clock.sleep(delay(failed, uniform=clock.uniform, first=first_wait, longest=longest_wait))
        try:
            result = found(**(arguments or {}))
        except Exception as error:
            why = f"raised {reasons.of(error)}"
        else:
            if not _is_false(result, call):
                return True
            why = "returned False"
    often = "once" if tries == 1 else f"{tries} times"
    return reasons.fail(f"{_shown(call)} was called {often} without success; the last time it {why}.")


def _is_false(result: object, function: object) -> bool:
    """Return whether a function returned False; one of numpy's, as OpenCV has them, counts."""
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()  # never awaited, on purpose
        reasons.fail(f"{_shown(function)} returned something to be awaited, which nothing does here.")
    return type(result).__name__ in ("bool", "bool_") and not result


def _shown(function: Any) -> str:
    if isinstance(function, str):
        return function
    named = getattr(function, "__qualname__", None) or type(function).__qualname__
    return f"{getattr(function, '__module__', None) or '?'}:{named}"
