"""Which errors a reader is to show: the same options on each."""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING, Any

import click

from loghub.cli.where import in_place_of
from loghub.event import epoch
from loghub.ledger.find import Find

if TYPE_CHECKING:
    from collections.abc import Callable

_AGO = re.compile(r"(\d{1,6}(?:\.\d{1,6})?) ?([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def ago(text: str) -> float | None:
    """Return the seconds that ``90m``, ``36h``, ``7d`` or ``2w`` stand for; None where it is nothing like that."""
    read = _AGO.fullmatch(text.strip())
    return None if read is None else float(read[1]) * _SECONDS[read[2]]


class Moment(click.ParamType):  # type: ignore[type-arg] # generic in new versions of click only
    """A time: ISO 8601, in UTC unless it says otherwise, or how long ago (``90m``, ``36h``, ``7d``, ``2w``)."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return epoch seconds."""
        if isinstance(value, float):
            return value
        seconds = ago(value)
        at = epoch(value.strip()) if seconds is None else time.time() - seconds
        if at is None:
            self.fail(f"{value!r} is no time: write 2026-11-27, 2026-11-27T03:00+01:00, or 36h or 7d for so long ago.")
        return max(at, 0.0)


class Word(click.ParamType):  # type: ignore[type-arg] # generic in new versions of click only
    """What a name or a text is to be like."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text."""
        text = str(value)
        if not text.strip():
            self.fail("It is empty: leave the option out, or say what to look for.")
        if len(text) > _MAX_CHARS:
            self.fail(f"It is longer than {_MAX_CHARS} characters.")
        return text


class Level(click.ParamType):  # type: ignore[type-arg] # generic in new versions of click only
    """A level by its name, or by its number where only the application has a name for it."""

    name = "level"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return logging's number."""
        if isinstance(value, int):
            return value
        known = logging.getLevelNamesMapping()
        number = known.get(value.strip().upper())
        if number is None and not value.strip().isdecimal():
            self.fail(f"{value!r} is no level: write {', '.join(known)}, or a number.")
        return int(value) if number is None else number


class Days(click.ParamType):  # type: ignore[type-arg] # generic in new versions of click only
    """So many days, parts of them too."""

    name = "days"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number."""
        try:
            days = float(value)
        except ValueError:
            days = -1.0
        if not 0.01 <= days <= MAX_DAYS:
            self.fail(f"{value!r} is no number of days: write one from 0.01 to {MAX_DAYS}.")
        return days


MAX_DAYS = 36_500
_MAX_CHARS = 1000
MOMENT, DAYS, LIMIT, _WORD = Moment(), Days(), click.IntRange(1, 1_000_000), Word()
_NAMES = ("error_type", "module", "component", "level", "release", "environment", "text", "since", "until")
_OPTIONS = (
    click.option("--type", "error_type", type=_WORD, metavar="NAME", help="Class of the error; * stands for anything."),
    click.option("--module", type=_WORD, metavar="NAME", help="Module where it happened, or a package around it."),
    click.option("--component", type=_WORD, metavar="NAME", help="Part of the system."),
    click.option("--level", type=Level(), metavar="NAME", help="This level and above."),
    click.option("--release", type=_WORD, metavar="NAME", help="What was deployed."),
    click.option("--environment", type=_WORD, metavar="NAME", help="production, staging ..."),
    click.option("--text", type=_WORD, metavar="TEXT", help="In message, place or context."),
    click.option("--since", type=MOMENT, help="Not before: 2026-11-27, or 36h or 7d ago."),
    click.option("--until", type=MOMENT, help="Before."),
)


def filtered(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the options, and its function a `Find` as argument ``find``."""

    def call(*args: Any, **given: Any) -> Any:
        find = Find(**{name: given.pop(name) for name in _NAMES})
        if find.since is not None and find.until is not None and find.since >= find.until:
            raise click.UsageError("--since must be before --until.")
        return verb(*args, find=find, **given)

    return in_place_of(verb, call, _OPTIONS)
