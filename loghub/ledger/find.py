"""What a reader looks for in a ledger, and the pages it gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from loghub import event as events
from loghub.errors import BadCursorError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loghub.event import Event

Row = TypeVar("Row")

ORDERS = ("last_seen_at", "first_seen_at", "count")
"""By what groups can be listed, the highest first."""

MAX_WORDS_CHARS = 1500
"""So much of what an event says can be found by `Find.text`."""


@dataclass(frozen=True, slots=True)
class Find:
    """What is looked for; all that is given must hold.

    Attributes:
        fingerprint: Of the group, whole.
        error_type: Name of the class, alone or with its module.
        module: The culprit's module, or a package that it is in.
        component: As the event says it.
        level: This level (logging's number) or a higher one; of a group its highest counts.
        release: As the event says it.
        environment: As the event says it.
        status: Of the group: ``open``, ``resolved`` or ``muted``.
        text: Stands somewhere in type, messages, place, component, logger or context; upper and lower case are alike.
        since: Epoch seconds; not before. Counts go by whole hours.
        until: Epoch seconds; before.

    In `error_type`, `module`, `component`, `release` and `environment` a ``*`` stands for anything, and upper and lower
    case are alike. Where `until` is not after `since`, nothing is found.
    """

    fingerprint: str | None = None
    error_type: str | None = None
    module: str | None = None
    component: str | None = None
    level: int | None = None
    release: str | None = None
    environment: str | None = None
    status: str | None = None
    text: str | None = None
    since: float | None = None
    until: float | None = None

    @property
    def is_void(self) -> bool:
        """Whether no moment is both not before `since` and before `until`."""
        return self.since is not None and self.until is not None and self.since >= self.until


ALL = Find()


class Page(list[Row], Generic[Row]):
    """Some rows of a list.

    Attributes:
        after: What the next page is asked for with; empty at the end of the list.
    """

    after: str = ""

    @classmethod
    def of(cls, rows: Iterable[tuple[str, Row]], limit: int | None) -> Page[Row]:
        """Return the first `limit` of `rows`, each with its cursor; one row more tells that the list goes on."""
        pairs = list(rows)
        page = cls(row for _, row in pairs[:limit])
        if limit is not None and len(pairs) > limit:
            page.after = pairs[limit - 1][0]
        return page


def cursor(value: object, key: str) -> str:
    """Name a place in a list: what it is ordered by, as the row's JSON has it, and the row's key."""
    return f"{value}~{key}"


def read_cursor(text: str, order: str) -> tuple[float, str]:
    """Return what a list is ordered by at a place, as a number, and the key of the row there.

    Raises:
        BadCursorError: It is no place in a list of that order.
    """
    said, tilde, key = text.partition("~")
    value = events.epoch(said) if order != "count" else float(said) if said.isdecimal() else None
    if not tilde or not key or value is None:
        shape = {"count": "COUNT~FINGERPRINT", "timestamp": "TIMESTAMP~ID"}.get(order, f"{order.upper()}~FINGERPRINT")
        raise BadCursorError(
            f"{text!r} is no place in a list ordered by {order}: it is {shape}, as the last row has it."
        )
    return value, key


def words_of(event: Event) -> str:
    """Return what `Find.text` looks in, in one case."""
    said = (
        event.get("error_type"),
        event.get("error_message"),
        None if event.get("message") == event.get("error_message") else event.get("message"),
        events.culprit(event),
        event.get("component"),
        event.get("logger"),
        events.dumps(event["additional_info"]) if event.get("additional_info") else None,
    )
    return "\n".join(str(one) for one in said if one)[:MAX_WORDS_CHARS].casefold()
