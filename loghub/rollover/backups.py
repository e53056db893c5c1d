"""What the backups of a log are called, and which there are."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

from loghub.rollover.files import stat_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GZIP = ".gz"


class Numbered:
    """Backups as RotatingFileHandler has them: ``.1`` is the newest, and each rollover moves them up."""

    _GAP = 100  # so many may be missing in between: a rollover that was killed leaves one, people delete some

    def __init__(self, name: Callable[[str], str], count: int) -> None:
        self._name = name
        self._count = count  # 0: no end

    def vacate(self) -> str:
        """Free the first place and return its name; the oldest backup goes if there is no place left."""
        last = 1
        while last != self._count and backups_at(self._path(last)):
            last += 1
        for overdue in backups_at(self._path(last)):
            os.remove(overdue)
        for number in range(last, 1, -1):
            for moved in backups_at(self._path(number - 1)):
                os.rename(moved, self._path(number) + moved[len(self._path(number - 1)) :])
        return self._path(1)

    def paths(self) -> list[str]:
        """Return the backups that exist, the newest first."""
        found: list[str] = []
        number, last = 1, self._GAP
        while number <= last:
            if there := backups_at(self._path(number)):
                found += there
                last = number + self._GAP
            number += 1
        return found

    def _path(self, number: int) -> str:
        return self._name(f".{number}")


class Dated:
    """Backups as TimedRotatingFileHandler has them; the second one within a period gets ``.1`` and so on.

    Args:
        name: Gives the path of the backup with a suffix.
        suffix: The date, as `time.strftime` has it.
        period: The beginning of the present period.
    """

    def __init__(self, name: Callable[[str], str], suffix: str, period: time.struct_time) -> None:
        self._name = name
        self._suffix = suffix
        self._present = time.strftime(suffix, period)
        self._folder = os.path.dirname(self._path(self._present, 0))
        self._suffixes = re.compile(rf"({pattern(suffix)})(?:\.(\d+))?", re.ASCII)

    def vacate(self) -> str:
        """Return the next unused name for a backup of the present period."""
        numbers = [number for _, date, number, _ in self._found() if date == self._present]
        number = max(numbers) + 1 if numbers else 0
        while os.path.lexists(path := self._path(self._present, number)) or os.path.lexists(path + GZIP):
            number += 1
        return path

    def paths(self) -> list[str]:
        """Return the backups that exist, the newest first."""
        newest_first = sorted(self._found(), reverse=True)
        return [found for *_, path in newest_first for found in backups_at(path)]

    def _path(self, date: str, number: int) -> str:
        return self._name(f".{date}.{number}" if number else f".{date}")

    def _found(self) -> list[tuple[tuple[int, ...], str, int, str]]:
        """Return date (broken down, and as it stands there), number and path, without ``.gz``, of every backup."""
        try:
            files = os.listdir(self._folder)
        except OSError:
            return []
        candidates = {name for file in files for name in (file, file.removesuffix(GZIP))}
        return [found for name in candidates for found in self._read(os.path.join(self._folder, name))]

    def _read(self, path: str) -> Iterator[tuple[tuple[int, ...], str, int, str]]:
        name = os.path.basename(path)
        at = 0
        while match := self._suffixes.search(name, at):  # the first digits need not be the date
            at = match.start() + 1
            for number in {0, int(match[2] or 0)}:
                if self._path(match[1], number) == path:
                    yield self._order(match[1]), match[1], number, path
                    return

    def _order(self, date: str) -> tuple[int, ...]:
        """Break the date down: as a text it need not stand in the order of time."""
        try:
            return tuple(time.strptime(date, self._suffix))
        except ValueError:
            return ()


_DIGITS = {"Y": 4, "j": 3, **dict.fromkeys("CGmdHIMSUWVgy", 2), **dict.fromkeys("uw", 1)}


def pattern(suffix: str) -> str:
    """Return a regular expression for what `time.strftime` makes of `suffix`; not within a longer number."""
    parts = re.split("%(.)", suffix)
    texts, directives = parts[::2], parts[1::2]
    found = re.escape(texts[0])
    for directive, text in zip(directives, texts[1:], strict=True):
        digits = _DIGITS.get(directive)
        found += rf"\d{{{digits}}}" if digits else "%" if directive == "%" else ".+?"
        found += re.escape(text)
    return rf"(?<!\d){found}(?!\d)"


def backups_at(path: str) -> list[str]:
    """Return `path` and its compressed form, as far as they exist.

    A process that was killed right after a compressed form had taken its place, which it does when it is complete
    and as old as the original, left both: then the original goes. Two that differ in age are two backups.
    """
    found = [(there, stat_at(there)) for there in (path, path + GZIP)]
    ages = [result.st_mtime_ns for _, result in found if result is not None]
    if len(ages) == 2 and ages[0] == ages[1]:
        os.remove(path)
        return [path + GZIP]
    return [there for there, result in found if result is not None]
