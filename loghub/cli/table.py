"""Plain tables for people: as wide as the terminal, one line a row."""

from __future__ import annotations

import shutil
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


_BAR_CHARS = 30


def table(head: Sequence[str], rows: Sequence[Sequence[object]], width: int | None = None) -> str:
    """Return `rows` under `head`; the widest column gives way where the line is too long.

    Numbers stand to the right.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(width_of, column)) for column in zip(head, *cells, strict=True)]
    room = (width or columns()) - 2 * (len(head) - 1)
    while sum(widths) > room and max(widths) > 12:
        widths[widths.index(max(widths))] -= 1
    right = [all(isinstance(row[i], int | float) for row in rows) and bool(rows) for i in range(len(head))]
    lines = [_row(head, widths, right), "  ".join("-" * size for size in widths)]
    return "\n".join(lines + [_row(row, widths, right) for row in cells])


def columns() -> int:
    """Return how wide the terminal is; 100 where there is none."""
    return shutil.get_terminal_size((100, 24)).columns


def count(number: int, noun: str) -> str:
    """Return so many of something: 1 error, 1,000 errors."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def bar(count: float, most: float) -> str:
    """Return a bar as long as `count` is beside `most`."""
    return "█" * max(round(_BAR_CHARS * count / most), 1) if count > 0 else ""


def width_of(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) == "Mn":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _row(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    fitted = (_fit(cell, size, to_right=one) for cell, size, one in zip(cells, widths, right, strict=True))
    return "  ".join(fitted).rstrip()


def _fit(cell: str, size: int, *, to_right: bool) -> str:
    if width_of(cell) > size:
        while width_of(cell) >= size:
            cell = cell[:-1]
        cell += "…"
    space = " " * (size - width_of(cell))
    return space + cell if to_right else cell + space


def _cell(value: object) -> str:
    text = "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
    return "".join(char if char.isprintable() else " " for char in text)
