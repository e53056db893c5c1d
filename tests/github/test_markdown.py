"""Code, fences and cuts: what came with an error is shown as it is, and nothing in it is live."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loghub.github import markdown
from tests.github.rendered import Page, hostile, thorough, units

# Code


@thorough
@given(hostile)
def test_code_and_fence(text):
    """A code span and a fence are one element each, and hold what they were given."""
    span = Page(markdown.code(text))
    fenced = Page(markdown.fence(markdown.visible(text)))

    assert (span.tags, span.live) == (["p", "code"], ["\n"])
    assert fenced.tags == ["pre", "code"]
    assert "".join(fenced.live).strip() == ""
    assert "".join(fenced.code).strip("\n") == markdown.visible(text).strip("\n")


def test_fence_of_many_backticks():
    """A run of backticks does not make fences without end, and what is left out is said."""
    assert markdown.fence("a" + "`" * 1000) == "\n".join(["`" * 51, "a" + "`" * 50 + "[... 950 more]", "`" * 51])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb", r"a\u202eb"),
        ("\u200bx\ufeff", r"\u200bx\ufeff"),
        ("\x1b[31m\x00", r"\u001b[31m\u0000"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\udb40\udc41"),
        ("a\r\nb\rc", "a\nb\\rc"),
        ("\u3164\u2800", r"\u3164\u2800"),
        ("日本語\u3000é \U0001f308\ttab", "日本語\u3000é \U0001f308\ttab"),
    ],
)
def test_visible(text, shown):
    """What the eye would miss is shown as an escape; letters, spaces and pictures stay."""
    assert markdown.visible(text) == shown


# Lengths


@thorough
@given(st.text() | hostile, st.integers(-2, 30))
def test_first_and_last(text, room):
    """A start or an end of a text fits its room, is a part of it, and splits no pair."""
    whole = text.encode("utf-16-le", "replace").decode("utf-16-le")
    start, end = markdown.first(text, room), markdown.last(text, room)

    assert whole.startswith(start)
    assert whole.endswith(end)
    assert all(units(part) <= max(room, 0) for part in (start, end))
    if units(text) <= room:
        assert start == end == whole
    else:
        assert all(units(part) >= room - 1 for part in (start, end))


@thorough
@given(st.text() | hostile)
def test_units(text):
    """Lengths are counted as a reader in UTF-16 counts them."""
    assert markdown.units(text) == units(text)


@thorough
@given(hostile, st.integers(1, 40))
def test_one_line(text, limit):
    """A line is one line within its limit, and says by an ellipsis that it was longer."""
    line = markdown.one_line(text, limit)

    assert len(line.splitlines()) <= 1
    assert units(line) <= limit
    if units(" ".join(markdown.visible(text).split())) > limit and len(text) <= 4 * limit:
        assert line.endswith("…")


@pytest.mark.parametrize(("value", "line"), [(None, ""), (7, "7"), ("", ""), (["a\nb"], r"['a\nb']")])
def test_one_line_of_anything(value, line):
    """What is no text is shown as `str` makes it, and nothing as nothing."""
    assert markdown.one_line(value, 50) == line


@pytest.mark.slow
@thorough
@given(st.lists(hostile | st.text(max_size=40), max_size=30).map("\n".join), st.integers(60, 400), st.floats(0, 1))
def test_cut(text, room, head):
    """What is cut fits, keeps its start and end, and counts what is missing; what fits is not cut."""
    shown = markdown.cut(text, room, head)

    assert units(shown) <= room
    if units(text) <= room:
        assert shown == text
    else:
        top, _, rest = shown.rpartition("\n[... ")
        missing, _, bottom = rest.partition(" characters cut here ...]\n")
        plain = text.encode("utf-16-le", "replace").decode("utf-16-le")
        assert plain.startswith(top)
        assert plain.endswith(bottom)
        assert int(missing.replace(",", "")) == len(text) - len(top) - len(bottom)


# Titles


@thorough
@given(hostile)
def test_inert(text):
    """Nothing in a title is live, a second look changes nothing, and what was not live stays."""
    title = markdown.inert(text)

    assert not re.search(r"@\w|#\d|GH-\d|://|www\.\w|\b[0-9a-f]{7,}\b", title, re.IGNORECASE)
    assert markdown.inert(title) == title
    assert re.sub(r"[ …]|[0-9a-f]", "", title) == re.sub(r"[ …]|[0-9a-f]", "", text)
