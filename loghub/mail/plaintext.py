"""The text part of a mail: lines of at most 72 columns where they are ours, messages and tracebacks as they are."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from textwrap import fill
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loghub.mail.digest import Digest
    from loghub.mail.entry import Entry

_WIDTH = 72
_INDENT = "    "
_OURS = ("Trend", "Recovery")
"""Fields that are sentences of loghub's own."""


def text(digest: Digest) -> str:
    """Return the text part."""
    return f"{digest.opening}\n\n{entries(digest)}\n"


def entries(digest: Digest) -> str:
    """Return what stands below the opening: if there are several bugs a list, details, and the list of the rest."""
    parts = [_list(digest.told, told=True)] if digest.several and digest.told else []
    for number, entry in enumerate(digest.told, 1):
        if digest.several:
            parts.append(f"---- {number} of {len(digest.listed)} ".ljust(_WIDTH, "-"))
        parts.append("\n".join(_field(name, value) for name, value in entry.fields()))
        parts.append(f"Traceback:\n{entry.traceback or '(logged without an exception)'}")
    if cuts := digest.cuts("".join(parts)):
        parts += ["-" * _WIDTH] if digest.several and digest.told else []
        parts.append(_ours(cuts))
    if digest.untold:
        parts.append(_list(digest.untold, told=False))
    return "\n\n".join(parts)


def _list(listed: Sequence[Entry], *, told: bool) -> str:
    """Return two lines for each bug: how often and what, and below it how grave and where."""
    wide = max(len(f"{entry.count:,}") for entry in listed)
    return "\n".join(_row(entry, wide, told=told) for entry in listed)


def _row(entry: Entry, wide: int, *, told: bool) -> str:
    below = ", ".join(filter(None, (entry.level, entry.trend if told else entry.token, entry.place)))
    return f"{entry.count:>{wide},} x {_in_columns(entry.title, _WIDTH - wide - 3)}\n{' ' * (wide + 3)}{below}"


def _in_columns(title: str, room: int) -> str:
    """Return as much of `title` as stands in `room` columns; Chinese and others take two for each character."""
    columns = list(accumulate(2 if east_asian_width(character) in "WF" else 1 for character in title))
    if not columns or columns[-1] <= room:
        return title
    return title[: bisect_right(columns, room - 3)] + "..."


def _field(name: str, value: str) -> str:
    if name in _OURS:
        return _ours(f"{name}: {value}", _INDENT)
    # A message of many lines cannot pass for the fields that follow it.
    return f"{name}: {value}".replace("\n", f"\n{_INDENT}")


def _ours(text: str, indent: str = "") -> str:
    return fill(text, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
