"""What stands in place of a secret, and what all rules need of texts and words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PLACEHOLDER = "[Filtered]"

# While the rules work the placeholder is one character that no text can hold: lone surrogates are escaped first.
MARK = "\udcff"

SURROGATE = re.compile("[\ud800-\udfff]")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def listed(words: str) -> frozenset[str]:
    """Return the words of a text with spaces between them."""
    return frozenset(words.split())


def any_of(words: Mapping[str, str]) -> str:
    """Return a pattern for any of `words`, each with the pattern that must follow it, as a tree of letters.

    A search looks at each letter of a text about once, however many words there are.
    """
    ends = [after for word, after in words.items() if not word]
    if "" in ends:
        return ""
    tails: dict[str, dict[str, str]] = {}
    for word, after in words.items():
        if word:
            tails.setdefault(word[0], {})[word[1:]] = after
    branches = [re.escape(first) + any_of(rest) for first, rest in sorted(tails.items())]
    alternatives = branches + ends
    return alternatives[0] if len(alternatives) == 1 and not ends else f"(?:{'|'.join(alternatives)})"


def lower(text: str) -> str:
    """Return `text` in small letters, each at its place: only the dotted capital I would become two."""
    low = text.lower()
    return low if len(low) == len(text) else text.replace("\u0130", "I").lower()
