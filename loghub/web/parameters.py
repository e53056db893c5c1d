"""What the read-only JSON can be asked for: one table, by which it is read and the OpenAPI document is written."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from loghub import asked
from loghub.errors import BadFilterError
from loghub.ledger.find import ORDERS, Find
from loghub.web.schema import NOT_BLANK

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from werkzeug.datastructures import MultiDict

MOST_ROWS, USUAL_ROWS = 200, 50
USUAL_DAYS = 7.0

_DAY = "[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"
_TIME = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{3})?"
_MOMENT = f"^({_DAY}(T{_TIME}(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])?)?|[0-9]{{1,6}}[smhdw])$"
_KEY = "~[0-9a-z:]{1,40}$"
_WHOLE = re.compile(r"[0-9]{1,9}")
_FINGERPRINT = r"^v[0-9]:[0-9a-f]{16}$"


class Parameter(NamedTuple):
    """What one parameter of a query may be (a JSON schema), and means."""

    schema: dict[str, Any]
    says: str


_WORD = NOT_BLANK | {"maxLength": asked.MAX_CHARS}


def _name(says: str) -> Parameter:
    return Parameter(_WORD, f"{says}; * stands for anything.")


PARAMETERS = {
    "type": _name("Class of the error"),
    "module": _name("Module where it happened, or a package around it"),
    "component": _name("Part of the system"),
    "level": Parameter(
        {
            "anyOf": [
                {"enum": ["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG"]},
                {"type": "integer", "minimum": 0, "maximum": 999_999_999},
            ]
        },
        "This level and above: a name or a number.",
    ),
    "release": _name("What was deployed"),
    "environment": _name("production, staging ..."),
    "text": Parameter(_WORD, "In message, place or context."),
    "since": Parameter(
        {"type": "string", "pattern": _MOMENT}, "Not before: ISO 8601, in UTC unless it says otherwise, or 36h, 7d ago."
    ),
    "until": Parameter(
        {"type": "string", "pattern": _MOMENT}, "Before; where it is not after since, nothing is found."
    ),
    "status": Parameter({"type": "string", "enum": list(asked.STATUSES)}, "Only groups like that."),
    "sort": Parameter({"type": "string", "enum": list(asked.SORTS), "default": "last"}, "The highest first."),
    "fingerprint": Parameter({"type": "string", "pattern": _FINGERPRINT}, "Of one group."),
    "limit": Parameter(
        {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": USUAL_ROWS}, "So many rows at most."
    ),
    "after": Parameter(
        {"type": "string", "pattern": f"^({_DAY}T{_TIME}Z|[0-9]{{1,15}}){_KEY}"},
        "Rows behind this one, in the same order (by count it begins with the count): see the header Link.",
    ),
    "days": Parameter(
        {"type": "number", "minimum": 0.01, "maximum": asked.MAX_DAYS, "default": USUAL_DAYS},
        "How far back, where since is not given.",
    ),
    "trend": Parameter({"type": "boolean", "default": False}, "Trend, spike and days, too."),
}
OF_ERRORS = {
    "after": Parameter(
        {"type": "string", "pattern": f"^{_DAY}T{_TIME}Z{_KEY}"}, "Rows behind this one: see the header Link."
    ),
}
"""What is narrower where errors are asked for: they have one order."""

_FILTERS = ("type", "module", "component", "level", "release", "environment", "text", "since", "until")
ERRORS = (*_FILTERS, "fingerprint", "limit", "after")
GROUPS = (*_FILTERS, "status", "sort", "limit", "after", "trend")
STATS = (*_FILTERS, "days", "trend")


@dataclass(frozen=True)
class Query:
    """What was asked for."""

    find: Find
    order: str = ORDERS[0]
    limit: int = USUAL_ROWS
    after: str = ""
    days: float = USUAL_DAYS
    trend: bool = False


def read(given: MultiDict[str, str], names: Collection[str], now: Callable[[], float]) -> Query:
    """Read the parameters of a query.

    Args:
        given: What was sent.
        names: What this address can be asked for, of `PARAMETERS`.
        now: The clock, for how long ago something was.

    Raises:
        BadFilterError: One of them is wrong; the message names it, and says what is right.
    """
    for name, values in given.lists():
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
            raise BadFilterError(f"There is no parameter {name[:40]!r}: {_hint(near, names)}")
        if len(values) > 1:
            raise BadFilterError(f"{name}: It is given {len(values)} times: give it once.")
        if not values[0].strip():
            raise BadFilterError(f"{name}: It is empty: leave it out, or say what to look for.")
    said = asked.each(given, now)
    if said.troubles:
        name, trouble = next(iter(said.troubles.items()))
        raise BadFilterError(f"{name}: {trouble}")
    rest = {name: _READS[name](text) for name, text in given.items() if name in _READS}
    find = replace(said.find, fingerprint=rest.pop("fingerprint", None))
    return Query(find, said.order, **rest)


def _hint(near: list[str], names: Collection[str]) -> str:
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}."


def _limit(text: str) -> int:
    if _WHOLE.fullmatch(text) is None or not 1 <= int(text) <= MOST_ROWS:
        raise BadFilterError(f"limit: {text[:40]!r} is none: write a whole number from 1 to {MOST_ROWS}.")
    return int(text)


def _days(text: str) -> float:
    try:
        return asked.days(text)
    except BadFilterError as error:
        raise BadFilterError(f"days: {error}") from None


def _trend(text: str) -> bool:
    if text not in {"true", "false"}:
        raise BadFilterError(f"trend: {text[:40]!r} is neither: write true or false.")
    return text == "true"


def _fingerprint(text: str) -> str:
    if re.fullmatch(_FINGERPRINT, text, re.ASCII) is None:
        raise BadFilterError(f"fingerprint: {text[:40]!r} is none: write it whole, as in v1:0123456789abcdef.")
    return text


_READS: dict[str, Callable[[str], Any]] = {
    "limit": _limit,
    "after": str,
    "days": _days,
    "trend": _trend,
    "fingerprint": _fingerprint,
}
