"""Plain tables for people: as wide as the terminal, one line a row."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[object]], width: int | None = None) -> str:
    """Return `rows` under `head`; the widest column gives way where the line is too long.

    Numbers stand to the right.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    room = (width or shutil.get_terminal_size((100, 24)).columns) - 2 * (len(head) - 1)
    while sum(widths) > room and max(widths) > 12:
        widths[widths.index(max(widths))] -= 1
    right = [all(isinstance(row[i], int | float) for row in rows) and bool(rows) for i in range(len(head))]
    lines = [_row(head, widths, right), "  ".join("-" * size for size in widths)]
    return "\n".join(lines + [_row(row, widths, right) for row in cells])


def _row(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    fitted = (
        (cell if len(cell) <= size else cell[: size - 1] + "…").rjust(size)
        if to_right
        else (cell if len(cell) <= size else cell[: size - 1] + "…").ljust(size)
        for cell, size, to_right in zip(cells, widths, right, strict=True)
    )
    return "  ".join(fitted).rstrip()


def _cell(value: object) -> str:
    text = "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
    return "".join(char if char.isprintable() else " " for char in text)
