"""Who owns a file, as the repository's CODEOWNERS says.

The rules are GitHub's [1]_: of the lines whose pattern matches, the last one wins, and one without owners takes them
away. Patterns are those of gitignore [2]_, except that ``docs/*`` means the files in that folder and none below, and
that ``!``, ``[ ]`` and a ``#`` escaped at the start do not work. A line that GitHub could not read is skipped.

.. [1] https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners
.. [2] https://git-scm.com/docs/gitignore#_pattern_format
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import TypeAlias

from loghub.release import checkout, read

MAX_BYTES = 3 * 1024 * 1024
"""GitHub does not load a file that is not under this."""

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""Where the file may be; the first that is there counts."""

_PATTERN = re.compile(r"(?:[^\s\\]|\\.)+")
_USER = re.compile(r"@([a-z\d][a-z\d_-]*)", re.IGNORECASE | re.ASCII)
_OTHER = re.compile(r"@[\w.-]+/[\w.-]+|[^@\s]+@[^@\s]+\.[^@\s]+", re.ASCII)  # teams and mail addresses


# What matches each part of a path, one after the other; None stands for any number of parts.
_Wanted: TypeAlias = list[re.Pattern[str] | None]
_ANYTHING = re.compile(".+", re.DOTALL)
_NOTHING = re.compile("(?!)")


def find(root: str) -> str | None:
    """Return the text of the CODEOWNERS file of the clone around `root`, or of `root` itself where there is none."""
    try:
        top = checkout(os.path.abspath(root)) or root
        path = next((path for place in PLACES if os.path.isfile(path := os.path.join(top, place))), None)
        return read(path, MAX_BYTES) if path and os.path.getsize(path) < MAX_BYTES else None
    except (OSError, ValueError):  # gone in between, or a name with a NUL
        return None


def owners(text: str, path: str) -> list[str]:
    """Return the logins of the users who own a file.

    Teams and mail addresses are left out: an issue can only be assigned to a user.

    Args:
        text: Of a CODEOWNERS file.
        path: From the top of the repository, with ``/`` between its parts.
    """
    parts = path.split("/")
    for pattern, named in reversed(_rules(text)):
        if _matches(pattern, parts):
            return list(named)
    return []


@lru_cache(maxsize=4)
def _rules(text: str) -> list[tuple[_Wanted, tuple[str, ...]]]:
    rules = [_rule(line) for line in text.split("\n")]
    return [(_compiled(rule[0]), rule[1]) for rule in rules if rule]


def _rule(line: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the pattern and the users of a line; None for one that says nothing."""
    line = line.strip(" \t\r\f\v\ufeff")
    match = _PATTERN.match(line)
    if not match or line.startswith(("#", "\\#", "!")) or re.search(r"[\[\]]|\*\*\*", match[0]):
        return None
    named = []
    for word in line[match.end() :].split():
        if word.startswith("#"):
            break
        if user := _USER.fullmatch(word):
            named.append(user[1])
        elif not _OTHER.fullmatch(word):
            return None
    return match[0], tuple(dict.fromkeys(named))


# Patterns


def _compiled(pattern: str) -> _Wanted:
    names = [name for name in pattern.split("/") if name]
    if not names:  # "/" is nothing's name
        return [_NOTHING]
    anchored = "/" in pattern.rstrip("/")
    wanted: _Wanted = [] if anchored else [None]
    wanted += [None if name == "**" else _glob(name) for name in names]
    if pattern.endswith("/"):  # a folder: something in it
        return [*wanted, _ANYTHING, None]
    if names[-1] == "**":
        return [*wanted, _ANYTHING]
    if names[-1] == "*" and anchored:
        return wanted
    return [*wanted, None]  # a file, or a folder and all that is in it


def _glob(name: str) -> re.Pattern[str]:
    """Return what matches one part of a path; no asterisk but the last is tried twice, so that it takes no time."""
    first, *rest = re.split(r"(?<!\\)\*+", name)
    middle = "".join(f"(?>.*?{_literal(text)})" for text in rest[:-1])
    return re.compile(_literal(first) + middle + "".join(f".*{_literal(text)}" for text in rest[-1:]), re.DOTALL)


def _literal(text: str) -> str:
    return "".join("." if char == "?" else re.escape(char[-1]) for char in re.findall(r"\\.|.", text, re.DOTALL))


def _matches(wanted: _Wanted, parts: list[str]) -> bool:
    """Tell whether patterns, one after the other, match the parts of a path from its first to its last."""
    reached = {0}  # how many parts can have been matched so far
    for pattern in wanted:
        if pattern is None:
            reached = set(range(min(reached), len(parts) + 1))
        else:
            reached = {end + 1 for end in reached if end < len(parts) and pattern.fullmatch(parts[end])}
        if not reached:
            return False
    return len(parts) in reached
