"""What a reader looks for, as conditions in SQL: rows ``g`` of groups, ``e`` of events, ``d`` of deployments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loghub.event import storable
from loghub.ledger.find import Find

if TYPE_CHECKING:
    from collections.abc import Iterator

Condition = tuple[str, list[Any]]
"""Something that must hold, and its values; ``?`` stands for a value."""


def for_groups(find: Find, now: float) -> Condition:
    """Return the condition for rows ``g`` of groups that were seen between `since` and `until`."""
    parts = [*_of_group(find, now)]
    if find.is_void:  # a group that was seen before and after would be found
        parts.append(("1 = 0", []))
    if find.since is not None:
        parts.append(("g.last_seen_at >= ?", [find.since]))
    if find.until is not None:
        parts.append(("g.first_seen_at < ?", [find.until]))
    for kind in ("release", "environment"):
        if (wanted := getattr(find, kind)) is not None:
            inner, values = _is_like("f.value", wanted)
            seen = f"SELECT 1 FROM facts f WHERE f.group_id = g.id AND f.kind = ? AND {inner}"  # noqa: S608 - literals
            parts.append((f"EXISTS ({seen})", [kind, *values]))
    return _all(parts)


def for_events(find: Find, now: float) -> Condition:
    """Return the condition for rows ``e`` of events, joined with their groups ``g``."""
    parts = [*_of_group(Find(fingerprint=find.fingerprint, status=find.status), now)]
    parts += _described(find, "e")
    for name in ("release", "environment"):
        if (wanted := getattr(find, name)) is not None:
            parts.append(_is_like(f"e.{name}", wanted))
    if find.since is not None:
        parts.append(("e.at >= ?", [find.since]))
    if find.until is not None:
        parts.append(("e.at < ?", [find.until]))
    return _all(parts)


def for_counts(find: Find, now: float) -> tuple[Condition, Condition]:
    """Return the conditions for groups ``g``, and for deployments ``d`` (empty where all count)."""
    parts = [
        _is_like(f"d.{name}", wanted)
        for name in ("release", "environment")
        if (wanted := getattr(find, name)) is not None
    ]
    return _all([*_of_group(find, now)]), _all(parts)


def _of_group(find: Find, now: float) -> Iterator[Condition]:
    if find.fingerprint is not None:
        yield "g.fingerprint = ?", [find.fingerprint]
    if find.status == "muted":
        yield "g.muted_until > ?", [now]
    elif find.status is not None:
        yield "g.status = ? AND g.muted_until <= ?", [find.status, now]
    yield from _described(find, "g")


def _described(find: Find, row: str) -> Iterator[Condition]:
    """Yield what groups and events have in common; the columns have the same names."""
    if find.error_type is not None:
        yield _any([
            _is_like(f"{row}.error_type", find.error_type),
            _is_like(f"({row}.error_module || '.' || {row}.error_type)", find.error_type),
        ])  # fmt: skip
    if find.module is not None:
        yield _any([_is_like(f"{row}.module", find.module), _is_like(f"{row}.module", f"{find.module}.*")])
    if find.component is not None:
        yield _is_like(f"{row}.component", find.component)
    if find.level is not None:
        yield f"{row}.severity >= ?", [find.level]
    if find.text:
        yield f"{row}.words LIKE ? ESCAPE '\\'", [f"%{_quoted(storable(find.text).casefold())}%"]


def _is_like(column: str, wanted: str) -> Condition:
    return f"{column} LIKE ? ESCAPE '\\'", [_quoted(storable(wanted)).replace("*", "%")]


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _all(parts: list[Condition]) -> Condition:
    return " AND ".join(part for part, _ in parts), [value for _, values in parts for value in values]


def _any(parts: list[Condition]) -> Condition:
    return f"({' OR '.join(part for part, _ in parts)})", [value for _, values in parts for value in values]
