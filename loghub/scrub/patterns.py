"""What users add: names, and patterns that are judged before they are taken."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

from loghub.options import refuse
from loghub.scrub.texts import MARK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WINDOW_CHARS = 4_096  # a user's pattern sees this much at a time, so that its worst case stays bearable
_WINDOW_OVERLAP_CHARS = 1_024
_MAX_RISK = 10_000  # ways to match that a pattern may have to try at one place
_SAMPLE = [chr(code) for code in range(256)] + ["\u0151", "\u4e00"]


def read_extra(entries: Sequence[str]) -> tuple[list[str], list[re.Pattern[str]]]:
    """Return the names and the patterns among `entries`; refuse what is neither."""
    names: list[str] = []
    patterns: list[re.Pattern[str]] = []
    for entry in entries:
        if not isinstance(entry, str) or not re.search(r"[^\W_]", entry):
            refuse("EventFilter", "scrub", entry, "the name of a secret, or a pattern between slashes")
        elif entry.startswith("/"):
            patterns.append(_read_pattern(entry))
        else:
            names.append(entry)
    return names, patterns


def _read_pattern(entry: str) -> re.Pattern[str]:
    source, slash, flags = entry[1:].rpartition("/")
    if not slash or flags not in {"", "i"}:
        refuse("EventFilter", "scrub", entry, "a pattern between slashes, as /acme-[0-9]+/ or /acme-[0-9]+/i")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pattern = re.compile(source, re.IGNORECASE if flags else 0)
        except (re.error, RecursionError, OverflowError) as error:
            refuse("EventFilter", "scrub", entry, f"a pattern that compiles ({error})")
        reason = _risk(source, pattern.flags)
    if reason:
        refuse("EventFilter", "scrub", entry, reason)
    return pattern


def _risk(source: str, flags: int) -> str | None:
    """Return what a pattern would have to be instead, or None where it cannot run away.

    The tree of `re._parser` is walked. A repeated group must be of one length and without alternatives: then there
    is one way to split a text among its rounds. What remains are repeats of single characters; those that can
    give a character to what follows them multiply, and no more than `_MAX_RISK` ways are taken.
    """
    try:
        from re import _parser  # type: ignore[attr-defined]

        tree = _parser.parse(source, flags)
        if tree.getwidth()[0] == 0:
            return "a pattern that cannot match nothing"
        return _Tree(tree, flags).verdict()
    except Exception:  # the tree is CPython's own affair: what cannot be judged is not taken
        return "a simpler pattern, which loghub can judge"


class _Tree:
    """The tree of a pattern, judged by how many ways there may be to match at one place."""

    def __init__(self, tree: Any, flags: int) -> None:
        self.tree = tree
        self.flags = flags
        self.nested = False
        self.doubtful = 1  # ways, where a repeat and what follows it compete for characters
        self.ways = 1  # ways of all repeats

    def verdict(self) -> str | None:
        self._walk(list(self.tree), [])
        if self.nested:
            return "a pattern without a repeat, an alternative or a back-reference inside a repeat"
        if self.doubtful > 1 and self.ways > _MAX_RISK:
            return "a pattern with at most one open repeat such as .* before its end; bound the others, as in .{0,40}"
        return None

    def _walk(self, items: list[Any], after: list[Any]) -> None:
        for place, (op, argument) in enumerate(items):
            follows = items[place + 1 :] + after
            name = str(op)
            if name.endswith("_REPEAT"):
                self._repeat(argument, follows)
            elif name == "SUBPATTERN":
                self._walk(list(argument[3]), follows)
            elif name == "ATOMIC_GROUP":
                self._walk(list(argument), follows)
            elif name == "BRANCH":
                for branch in argument[1]:
                    self._walk(list(branch), follows)
            elif name.startswith("ASSERT"):
                self._walk(list(argument[1]), [(op, argument)])
            elif name.startswith("GROUPREF"):
                self.nested = True

    def _repeat(self, argument: Any, follows: list[Any]) -> None:
        least, most, body = argument
        low, high = body.getwidth()
        if most > 1 and (low != high or self._has(body, "BRANCH", "GROUPREF", "ASSERT")):
            self.nested = True
        self._walk(list(body), follows)
        if least == most or not follows:
            return
        span = min(most, _WINDOW_CHARS) - least + 1
        self.ways *= max(1, span)
        mine, theirs = self._first(list(body)), self._first(follows)
        if mine is None or theirs is None or mine & theirs:
            self.doubtful *= max(1, span)

    def _has(self, body: Any, *names: str) -> bool:
        return any(
            any(word in str(op) for word in names)
            or (str(op) == "SUBPATTERN" and self._has(argument[3], *names))
            or (str(op) == "ATOMIC_GROUP" and self._has(argument, *names))
            for op, argument in body
        )

    def _first(self, items: list[Any]) -> set[str] | None:
        """Return which of the sample characters `items` can begin with; None where nothing need follow."""
        found: set[str] = set()
        for op, argument in items:
            name = str(op)
            if name == "AT":
                continue
            if name.endswith("_REPEAT"):
                first = self._first(list(argument[2]))
                optional = argument[0] == 0
            elif name == "SUBPATTERN":
                first, optional = self._first(list(argument[3])), argument[3].getwidth()[0] == 0
            else:
                first, optional = self._single(op, argument), False
            if first is None:
                return None
            found |= first
            if not optional:
                return found
        return None

    def _single(self, op: Any, argument: Any) -> set[str] | None:
        """Return the sample characters that one item of width 1 matches; None for any other item."""
        if str(op) not in {"LITERAL", "NOT_LITERAL", "IN", "ANY"}:
            return None
        from re import _compiler, _parser  # type: ignore[attr-defined]

        one = _compiler.compile(_parser.SubPattern(self.tree.state, [(op, argument)]), self.flags)
        return {char for char in _SAMPLE if one.match(char)}


def _windows(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    step = _WINDOW_CHARS - _WINDOW_OVERLAP_CHARS
    for start in range(0, max(1, len(text) - _WINDOW_OVERLAP_CHARS), step):
        yield from (found.span() for found in pattern.finditer(text, start, start + _WINDOW_CHARS))


def replace_pattern(pattern: re.Pattern[str], text: str) -> str:
    """Return `text` with a mark for each match of a user's pattern, looked for window by window."""
    kept: list[str] = []
    done = 0
    for start, end in sorted(_windows(pattern, text)):
        if start >= done:
            kept += [text[done:start], MARK]
        done = max(done, end)
    return "".join(kept) + text[done:]
