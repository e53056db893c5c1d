"""Bytes read as a row of choices, so that each engine, and a file of a finding, says the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


class Choices:
    """A row of choices; when the bytes are used up, each is the first."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def __bool__(self) -> bool:
        return self.at < len(self.data)

    def number(self, most: int) -> int:
        """Return a number from 0 to `most`, of at most one byte."""
        if self.at >= len(self.data):
            return 0
        self.at += 1
        return self.data[self.at - 1] % (most + 1)

    def pick(self, among: Sequence[T]) -> T:
        """Return one of at most 256."""
        return among[self.number(len(among) - 1)]

    def chance(self, one_in: int) -> bool:
        """Return True once in so many cases, and never when nothing is left."""
        return bool(self) and self.number(one_in - 1) == one_in - 1

    def raw(self, most: int) -> bytes:
        """Return some bytes as they are."""
        count = self.number(min(most, 255))
        self.at += count
        return self.data[self.at - count : self.at]

    def text(self, most: int = 64) -> str:
        """Return some text; bytes that are no UTF-8 become lone surrogates."""
        return self.raw(most).decode("utf-8", "surrogateescape")

    def rest(self) -> str:
        """Return all that is left as text."""
        left, self.at = self.data[self.at :], len(self.data)
        return left.decode("utf-8", "surrogateescape")
