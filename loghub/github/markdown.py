"""Text that came with an error, as Markdown in which nothing of it is live.

Everything that came with an error is shown as code: fenced, or as a code span on one line. GitHub looks for
mentions, references, links and HTML everywhere but in code [1]_, so a payload can only do harm by leaving its
code, and for that it would need a run of backticks as long as the one that opened it. A title cannot hold code;
there a space is put into whatever would be live.

Lengths are counted in UTF-16 code units, which are never fewer than characters. GitHub says that it takes
65,536 characters; measured were as many beyond the basic plane, and up to 262,144 of ASCII [2]_.

.. [1] https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls
.. [2] https://github.com/dead-claudia/github-limits/pull/13
"""

from __future__ import annotations

import json
import re
import unicodedata

VALUE_LIMIT = 200
"""Characters of a value on a line of its own."""


def units(text: str) -> int:
    """Return the length in UTF-16 code units."""
    return len(text) + sum(1 for char in text if char > "\uffff") if not text.isascii() else len(text)


def first(text: str, room: int) -> str:
    """Return as much of the start of `text` as `room` units hold; no half of a pair."""
    return text[:room].encode("utf-16-le", "replace")[: 2 * max(room, 0)].decode("utf-16-le", "ignore")


def last(text: str, room: int) -> str:
    """Return as much of the end of `text` as `room` units hold."""
    return first(text[: -room - 1 : -1], room)[::-1] if room > 0 else ""


def _shown(match: re.Match[str]) -> str:
    char = match[0]
    if char.isprintable() or unicodedata.category(char) == "Zs":
        return char
    return json.dumps(char)[1:-1]


def visible(text: str) -> str:
    r"""Return `text` with control, bidirectional and zero-width characters as escapes such as ``\u202e``."""
    text = text.replace("\r\n", "\n")
    text = re.sub(r"[^\x20-\x7e\n\t]", _shown, text)
    # Printable by their category, invisible on a screen.
    return re.sub(r"[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufe00-\ufe0e]", _escape, text)


def _escape(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]


def one_line(value: object, limit: int) -> str:
    """Return `value` as one line of at most `limit` units, ending in an ellipsis if it was longer."""
    line = " ".join(visible(as_text(value)[: 4 * limit]).split())
    return line if units(line) <= limit else first(line, limit - 1) + "…"


def as_text(value: object) -> str:
    """Return a text as it is, None as an empty one, and anything else as `str` makes it."""
    return value if isinstance(value, str) else "" if value is None else str(value)


def _ticks(text: str, least: int) -> str:
    """Return a run of backticks that is longer than any in `text`."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    return "`" * max(least, longest + 1)


def _short_runs(text: str) -> str:
    """Cut runs of backticks: cmark takes no more than 79 for a delimiter, and what holds 79 would leave its code."""
    return re.sub("`{51,}", lambda run: f"{'`' * 50}[... {len(run[0]) - 50:,} more]", text)


def code(value: object, limit: int = VALUE_LIMIT) -> str:
    """Return `value` as a code span on one line; nothing in it is live."""
    line = _short_runs(one_line(value, limit)) or "unknown"
    ticks = _ticks(line, 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def fence(text: str, language: str = "") -> str:
    """Return `text`, which is `visible` already, in a fence that it cannot close."""
    text = _short_runs(text.strip("\n"))
    ticks = _ticks(text, 3)
    return f"{ticks}{language}\n{text}\n{ticks}"


def cut(text: str, room: int, head: float) -> str:
    """Return `text` within `room` units, saying what is missing; `head` is the share that its start gets."""
    if units(text) <= room:
        return text
    room -= len("\n[... 1,000,000,000 characters cut here ...]\n")
    top, bottom = first(text, int(room * head)), last(text, room - int(room * head))
    # Whole lines, unless a line is so long that next to nothing would be left.
    top = top[:end] if (end := top.rfind("\n")) > len(top) // 2 else top
    bottom = bottom[start:] if 0 < (start := bottom.find("\n") + 1) < len(bottom) // 2 else bottom
    missing = len(text) - len(top) - len(bottom)
    return f"{top}\n[... {missing:,} characters cut here ...]\n{bottom}"


_LIVE = (
    (re.compile(r"@(?=\w)"), "@ "),
    (re.compile(r"#(?=\d)"), "# "),
    (re.compile(r"(GH-)(?=\d)", re.IGNORECASE), r"\1 "),
    (re.compile(r":(?=//)"), ": "),
    (re.compile(r"(www\.)(?=[\w-])", re.IGNORECASE), r"\1 "),
    (re.compile(r"\b([0-9a-f]{6})[0-9a-f]+\b", re.IGNORECASE), r"\1…"),  # a commit has seven digits or more
)


def inert(text: str) -> str:
    """Return a title in which nothing is live."""
    for live, dead in _LIVE:
        text = live.sub(dead, text)
    return text
