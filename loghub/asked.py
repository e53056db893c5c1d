"""What people ask a reader for, as they write it: on the command line, in the URL of a page, of the REST endpoint."""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from loghub.errors import BadFilterError
from loghub.event import epoch
from loghub.ledger.find import ORDERS, Find

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SORTS = dict(zip(("last", "first", "count"), ORDERS, strict=True))
"""By what groups can be listed, and what a ledger calls it."""

STATUSES = ("open", "resolved", "muted")

MAX_DAYS = 36_500
MAX_CHARS = 1000

_AGO = re.compile(r"(\d{1,6}(?:\.\d{1,6})?) ?([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SHOWN_CHARS = 60
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)


def ago(text: str) -> float | None:
    """Return the seconds that ``90m``, ``36h``, ``7d`` or ``2w`` stand for; None where it is nothing like that."""
    read = _AGO.fullmatch(text.strip())
    return None if read is None else float(read[1]) * _SECONDS[read[2]]


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…")


def moment(text: str, now: Callable[[], float] | None = None) -> float:
    """Return the epoch seconds of a time: ISO 8601, in UTC unless it says otherwise, or how long ago (``36h``).

    Raises:
        BadFilterError: It is none.
    """
    seconds = ago(text)
    at = epoch(text.strip()) if seconds is None else (now or time.time)() - seconds
    if at is None:
        raise BadFilterError(
            f"{_short(text)} is no time: write 2026-11-27, 2026-11-27T03:00+01:00, or 36h or 7d for so long ago."
        )
    return max(at, 0.0)


def word(text: str) -> str:
    """Return what a name or a text is to be like.

    Raises:
        BadFilterError: It is empty, or too long.
    """
    if not text.strip():
        raise BadFilterError("It is empty: leave the option out, or say what to look for.")
    if len(text) > MAX_CHARS:
        raise BadFilterError(f"It is longer than {MAX_CHARS} characters.")
    return text


def level(text: str) -> int:
    """Return logging's number of a level: by its name, or as it is where only the application has a name for it.

    Raises:
        BadFilterError: It is none.
    """
    known = logging.getLevelNamesMapping()
    number = known.get(text.strip().upper())
    if number is None and not _NUMBER.fullmatch(text.strip()):
        raise BadFilterError(f"{_short(text)} is no level: write {', '.join(known)}, or a number.")
    return int(text) if number is None else number


def days(text: str) -> float:
    """Return a number of days, parts of them too.

    Raises:
        BadFilterError: It is none, or none that makes sense.
    """
    try:
        read = float(text)
    except ValueError:
        read = -1.0
    if not 0.01 <= read <= MAX_DAYS:
        raise BadFilterError(f"{_short(text)} is no number of days: write one from 0.01 to {MAX_DAYS}.")
    return read


def status(text: str) -> str:
    """Return a group's status.

    Raises:
        BadFilterError: There is no such status.
    """
    if text not in STATUSES:
        raise BadFilterError(f"{_short(text)} is no status: write {', '.join(STATUSES)}.")
    return text


def sort(text: str) -> str:
    """Return by which attribute of groups a list is ordered.

    Raises:
        BadFilterError: There is no such order.
    """
    if text not in SORTS:
        raise BadFilterError(f"{_short(text)} is no order: write {', '.join(SORTS)}.")
    return SORTS[text]


_READS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "type": ("error_type", word),
    "module": ("module", word),
    "component": ("component", word),
    "level": ("level", level),
    "release": ("release", word),
    "environment": ("environment", word),
    "text": ("text", word),
    "since": ("since", moment),
    "until": ("until", moment),
    "status": ("status", status),
}
NAMES = (*_READS, "sort")
"""What can be asked for, by the names of the command line's options."""


@dataclass(frozen=True)
class Asked:
    """What was asked for.

    Attributes:
        find: What to look for; a value that is wrong is left out of it.
        order: By what groups are listed, one of `loghub.ledger.find.ORDERS`.
        said: By name, what was written.
        troubles: By name, what is wrong with it, in one sentence.
    """

    find: Find
    order: str = ORDERS[0]
    said: Mapping[str, str] = field(default_factory=dict)
    troubles: Mapping[str, str] = field(default_factory=dict)


def read(given: Mapping[str, str], now: Callable[[], float] | None = None) -> Asked:
    """Read what a person asked for by names and texts, as `each` does; the end of a time must be after its beginning.

    Args:
        given: `NAMES` to what was written.
        now: The clock, for how long ago something was.
    """
    asked = each(given, now)
    if not asked.find.is_void:
        return asked
    troubles = {**asked.troubles, "until": "Until must be after since."}
    return replace(asked, find=replace(asked.find, until=None), troubles=troubles)


def each(given: Mapping[str, str], now: Callable[[], float] | None = None) -> Asked:
    """Read names and texts, as a URL has them, each by itself; empty texts and other names count for nothing.

    Args:
        given: `NAMES` to what was written.
        now: The clock, for how long ago something was.
    """
    said = {name: given[name] for name in NAMES if given.get(name, "").strip()}
    found: dict[str, Any] = {}
    troubles: dict[str, str] = {}
    for name, text in said.items():
        try:
            if name in ("since", "until"):
                found[name] = moment(text, now)
            else:
                found[name] = sort(text) if name == "sort" else _READS[name][1](text)
        except BadFilterError as error:
            troubles[name] = str(error)
    order = found.pop("sort", ORDERS[0])
    return Asked(Find(**{_READS[name][0]: value for name, value in found.items()}), order, said, troubles)
