"""How values look on a page: numbers, times, texts of others, and small drawings as SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loghub.detail import detail_name
from loghub.event import Event, epoch, escaped, iso

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_CHARS = 300
"""So much of a text of others stands in a list; its own page has all of it."""

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


def text(value: object, most: int = MAX_CHARS) -> str:
    """Return a text of others for a list: on one line, without control characters, and not endless."""
    said = " ".join(str("" if value is None else value)[: 4 * most].split())
    return escaped(said if len(said) <= most else f"{said[:most]}…")


def timestamp(at: float) -> str:
    """Return epoch seconds for ``<time datetime>``."""
    return iso(at)


def minute(at: object) -> str:
    """Return a time for people, in UTC: epoch seconds, or a timestamp as events have it."""
    stamp = iso(at) if isinstance(at, float | int) else str(at or "")
    return f"{stamp[:10]} {stamp[11:16]} UTC" if epoch(stamp) is not None else "unknown"


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


def filename(event: Event) -> str | None:
    """Return the name of an event's detail file; None where its time cannot be read."""
    at = epoch(event.get("timestamp"))
    return None if at is None else detail_name(event, at)


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
