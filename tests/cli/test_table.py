"""Tables for people."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from loghub.cli.table import table, width_of


def test_numbers_to_the_right():
    """Numbers stand to the right, with thousands apart; texts to the left."""
    assert table(["type", "errors"], [("ValueError", 1204), ("X", 7)]) == (
        "type        errors\n----------  ------\nValueError   1,204\nX                7"
    )


def test_the_widest_column_gives_way():
    """A line that would be too long is cut where it is widest, and says so."""
    text = table(["a", "b"], [("x" * 90, "kept whole")], width=40)
    assert max(map(len, text.splitlines())) <= 40
    assert "…  kept whole" in text


def test_wide_characters():
    """Columns stay in line where characters are twice as wide, or of no width of their own."""
    rows = [("金額が不正です", "|"), ("cafe\u0301", "|"), ("🚨 down", "|"), ("plain", "|")]
    lines = table(["message", ""], rows).splitlines()[2:]
    assert len({width_of(line[: line.index("|")]) for line in lines}) == 1
    assert [width_of(text) for text, _ in rows] == [14, 4, 7, 5]


@given(st.lists(st.tuples(st.text(max_size=60), st.integers(), st.text(max_size=60)), max_size=5), st.integers(40, 120))
def test_any_text(rows, width):
    """Whatever stands in a cell: a row is a line, and no line is longer than there is room."""
    lines = table(["one", "number", "two"], rows, width).splitlines()
    assert len(lines) == 2 + len(rows)
    shortest = 2 * 12 + max([6, *(len(f"{number:,}") for _, number, _ in rows)]) + 4
    assert all(width_of(line) <= max(width, shortest) for line in lines)
