"""What stood beside a secret name in one field is removed from every other field of the same event."""

from __future__ import annotations

import json
import urllib.parse
from typing import TYPE_CHECKING, Any, cast

from loghub.scrub.masked import is_distinct
from loghub.scrub.size import KEPT
from loghub.scrub.texts import MARK, PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def forget(event: dict[str, Any], values: Iterable[str]) -> dict[str, Any]:
    """Return `event` without `values`; plain words among them are removed as arguments only."""
    found = {value.strip() for value in values} - {PLACEHOLDER, MARK, ""}
    forms = [form for value in sorted(found, key=len, reverse=True)[:50] for form in _forms(value)]
    kept = {key: event[key] for key in KEPT if key in event}
    args = event.get("args")
    event = cast("dict[str, Any]", _each_text(event, lambda text: _without(text, forms))) | kept
    if isinstance(args, list):
        pairs = zip(args, event["args"], strict=True)
        event["args"] = [PLACEHOLDER if str(arg) in found else new for arg, new in pairs]
    return event


def _forms(value: str) -> set[str]:
    distinct = is_distinct(value, 6)
    return {value, json.dumps(value)[1:-1], urllib.parse.quote(value, safe="", errors="replace")} if distinct else set()


def _without(text: str, forms: list[str]) -> str:
    """Return `text` without any of `forms`, its placeholders left whole."""
    if not any(form in text for form in forms):
        return text
    text = text.replace(PLACEHOLDER, MARK)
    for form in forms:
        text = text.replace(form, MARK)
    return text.replace(MARK, PLACEHOLDER)


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    """Return plain data with every text in it, keys left out, changed."""
    if type(value) is str:
        return change(value)
    if isinstance(value, dict):  # a shared one, too, which is not changed itself
        return {key: _each_text(entry, change) for key, entry in value.items()}
    if type(value) is list:
        return [_each_text(entry, change) for entry in value]
    return value
