"""One line of what ``loghub check`` found."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Finding(NamedTuple):
    """One line: how it is, what was looked at, what was found."""

    verdict: Literal["ok", "note", "FAIL"]
    subject: str
    text: str
