"""An event as a page shows it: any shape goes in, plain and bounded parts come out.

What came with an error may be hostile, huge, or not of the types that an event has: `before_send` may change it, and a
detail file may be of somebody else. So nothing is taken for granted here; templates find texts in which every
character is visible, and lists that end. What is left out is said in its place; the JSON has all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from loghub.event import KEYS, culprit
from loghub.web.shown import MAX_TEXT, name, text
from loghub.web.stack import Part, listed, part
from loghub.web.tree import MAX_ITEMS, Node, tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from loghub.event import Event


@dataclass(slots=True)
class Crumb:
    """A record before the error."""

    at: str
    level: str
    logger: str
    message: str
    kind: str
    extra: str


@dataclass(slots=True)
class Whole:
    """An event.

    Attributes:
        error: The exception, or what stands for one.
        message: The log message, where it says more than the exception.
        traceback: As its language prints it.
        facts: Names and values of what is known besides.
        request: Names and values of the web request.
        context: What the record carried, without the request.
        system: The host.
        rest: What no event of loghub's has.
        crumbs: The records before it, oldest first.
        crumbs_left: Older ones that are not shown.
        level: Of the record.
        at: When, as the event says it.
        culprit: Where.
    """

    error: Part
    message: str
    traceback: str
    facts: list[tuple[str, str]]
    request: list[tuple[str, str]]
    context: Node | None
    system: Node | None
    rest: Node | None
    crumbs: list[Crumb]
    crumbs_left: int
    level: str
    at: str
    culprit: str


_FACTS = (
    "level", "logger", "message", "template", "args", "component", "environment", "release", "server", "process",
    "thread", "task", "platform", "mechanism", "fingerprint", "custom_fingerprint", "id",
)  # fmt: skip
_REQUEST = ("request", "http_request")
_METHODS = ("method", "path", "route", "status", "request_id")


def whole(event: Mapping[str, Any]) -> Whole:
    """Return what a page shows of an event, whatever it is like."""
    carried = event.get("additional_info")
    context = dict(carried) if isinstance(carried, dict) else {"additional_info": carried} if carried else {}
    crumbs = listed(event.get("breadcrumbs"))
    message = text(event.get("message"), MAX_TEXT)
    known = {*KEYS, "custom_fingerprint"}
    rest = {key: value for key, value in event.items() if key not in known}
    error = part(event)
    return Whole(
        error=error,
        message="" if event.get("message") == event.get("error_message") else message,
        traceback=text(event.get("traceback"), 10 * MAX_TEXT).strip("\n"),
        facts=list(_facts(event)),
        request=_request(context),
        context=tree(context) if context else None,
        system=tree(event["system"]) if event.get("system") else None,
        rest=tree(rest) if rest else None,
        crumbs=[_crumb(one) for one in crumbs[-MAX_ITEMS:]],
        crumbs_left=max(0, len(crumbs) - MAX_ITEMS),
        level=name(event.get("level")),
        at=name(event.get("timestamp"), 40),
        culprit=_culprit(event, error),
    )


def _culprit(event: Mapping[str, Any], error: Part) -> str:
    """Return where it was: what the event says, else its innermost in-app frame."""
    place: Event = {"module": name(event.get("module")), "function": name(event.get("function"))}
    if place["module"] or place["function"]:
        return name(culprit(place))
    found = next((line for run in error.runs for line in run.lines if line.is_culprit), None)
    return " in ".join(filter(None, (found.module or found.place, found.function))) if found else ""


def _facts(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in _FACTS:
        value = event.get(key)
        if value is None or (isinstance(value, str | dict | list) and not value):
            continue
        if key in ("process", "thread") and isinstance(value, dict):
            number = name(value.get("id"))
            if said := " ".join(filter(None, (name(value.get("name")), f"({number})" if number else ""))):
                yield key, said
        elif isinstance(value, dict | list | tuple):
            yield key, _flat(value)
        else:
            yield key, text(value)


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        parts = [f"{name(key)}={text(one, 500)}" for key, one in islice(value.items(), 20)]
    else:
        parts = [text(one, 500) for one in value[:20]]
    return ", ".join(parts) + (" …" if len(value) > 20 else "")


def _request(context: dict[str, Any]) -> list[tuple[str, str]]:
    """Take what loghub knows of the web request out of the context; a request of the application's own stays."""
    for key in reversed(_REQUEST):
        facts = context.get(key)
        if isinstance(facts, dict) and facts and facts.keys() <= set(_METHODS):
            del context[key]
            return [(one.replace("_", " "), text(facts[one])) for one in _METHODS if one in facts]
    return []


def _crumb(said: object) -> Crumb:
    if not isinstance(said, dict):
        return Crumb("", "", "", text(said, 1_000), "", "")
    at, extra = name(said.get("timestamp"), 40), said.get("extra")
    return Crumb(
        at=at,
        level=name(said.get("level"), 40),
        logger=name(said.get("logger")),
        message=text(said.get("message"), 1_000),
        kind=name(said.get("error_type")),
        extra=_flat(extra) if isinstance(extra, dict | list) else text(extra, 1_000),
    )
