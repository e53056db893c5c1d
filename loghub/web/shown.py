"""How values look on a page: numbers, times, texts of others, and small drawings as SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loghub.detail import detail_name
from loghub.event import FIRST_SECOND, LAST_SECOND, Event, epoch, iso
from loghub.github.markdown import as_text, cut, one_line, visible
from loghub.release import is_commit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_TEXT = 20_000
MAX_VALUE = 4_000
MAX_NAME = 300
"""So much of a text of others is shown; in a list a line of it. The JSON has all of it."""

BADGES = {
    "spike": "bad", "new": "warn", "rising": "warn", "falling": "good", "gone": "good",
    "resolved": "good", "open": "", "muted": "", "steady": "",
}  # fmt: skip
"""Trends and statuses, and in which colour they stand out."""

LEVELS = {"CRITICAL": "bad", "WARNING": "warn"}

_UNITS = ((10**12, "T"), (10**9, "B"), (10**6, "M"))


def number(count: float) -> str:
    """Return a count for tables: ``12,345``, and ``1.23 M`` from a million on."""
    for unit, sign in _UNITS:
        if count >= unit:
            return f"{count / unit:.{2 if count < 100 * unit else 0}f} {sign}"
    return f"{count:,.0f}"


def full(count: float) -> str:
    """Return a count with all its digits."""
    return f"{count:,.0f}"


def text(value: object, limit: int = MAX_VALUE) -> str:
    """Return any value as a text of at most `limit` characters in which each is visible."""
    said = _said(value)
    # Escapes make it longer; the end is kept as well, where the reason often stands.
    return cut(visible(said if len(said) <= 2 * limit else cut(said, 2 * limit, 0.8)), limit, 0.8)


def name(value: object, limit: int = MAX_NAME) -> str:
    """Return any value as one line in which each character is visible."""
    return one_line(_said(value), limit)


def release(value: object, limit: int = MAX_NAME) -> str:
    """Return a release for a list: of a commit its first digits, so that there is room for more."""
    said = name(value, limit)
    return said[:12] if is_commit(said) else said


def _said(value: object) -> str:
    try:
        return as_text(value)
    except Exception as error:  # an int of more digits than Python prints, a __str__ that fails
        return f"({type(value).__name__} that cannot be shown: {type(error).__name__})"


def timestamp(at: float) -> str:
    """Return epoch seconds for ``<time datetime>``."""
    return iso(at)


def minute(at: object) -> str:
    """Return a time for people, in UTC: epoch seconds, or a timestamp as events have it."""
    stamp = iso(at) if isinstance(at, float | int) else str(at or "")
    return f"{stamp[:10]} {stamp[11:16]} UTC" if epoch(stamp) is not None else "unknown"


def moment(at: object) -> str:
    """Return a time to the second, in UTC: ``2026-11-28 03:10:07``; what is none, as it is."""
    known = at if isinstance(at, int | float) and FIRST_SECOND <= at <= LAST_SECOND else epoch(at)
    return name(at, 40) if known is None else iso(known)[:19].replace("T", " ")


def day(at: float) -> str:
    """Return a day of UTC."""
    return iso(at)[:10]


def link(url: str | None) -> str | None:
    """Return an address that is safe to be followed: of the web, and nothing that runs."""
    return url if url and url.startswith(("https://", "http://")) else None


def issue(url: str) -> str:
    """Return what an issue is called: ``#12``."""
    name = url.rstrip("/").rpartition("/")[2]
    return f"#{name}" if name.isdecimal() and len(name) < 12 else "issue"


def filename(event: Event) -> str:
    """Return the name of an event's page: that of its detail file, whether there is one or not."""
    return detail_name(event, max(epoch(event.get("timestamp")) or 0.0, 0.0))


def top(counts: Mapping[str, int], most: int) -> tuple[list[tuple[str, int]], int, int]:
    """Return the first of some counts, and how many more there are, of how many occurrences."""
    pairs = list(counts.items())
    return pairs[:most], len(pairs[most:]), sum(count for _, count in pairs[most:])


def bars(counts: Sequence[float], width: float, height: float, most: float | None = None) -> list[dict[str, Any]]:
    """Return a bar for each count: ``x``, ``y``, ``width`` and ``height`` in a drawing of that size.

    Nothing has no height, and anything is seen.
    """
    highest = max(most or 0, *counts, 1) if counts else 1
    step = width / max(len(counts), 1)
    found = []
    for place, count in enumerate(counts):
        tall = max(count / highest * height, height / 12) if count > 0 else 0.0
        found.append({
            "x": round(place * step + step * 0.1, 2), "width": round(step * 0.8, 2),
            "y": round(height - tall, 2), "height": round(tall, 2),
        })  # fmt: skip
    return found


def spark(counts: Sequence[float], width: float = 84, height: float = 24) -> str:
    """Return the path of a sparkline of bars."""
    return "".join(
        f"M{bar['x']} {height}v-{bar['height']}h{bar['width']}v{bar['height']}z"
        for bar in bars(counts, width, height)
        if bar["height"]
    )
