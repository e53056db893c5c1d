"""Which errors a reader is to show: the same options on each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from loghub import asked
from loghub.cli.where import in_place_of
from loghub.errors import BadFilterError
from loghub.ledger.find import Find

if TYPE_CHECKING:
    from collections.abc import Callable


class Read(click.ParamType):  # type: ignore[type-arg] # generic in new versions of click only
    """What a function of `loghub.asked` reads."""

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self.read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return what was read, or say why it could not be."""
        if not isinstance(value, str):  # a default
            return value
        try:
            return self.read(value)
        except BadFilterError as error:
            self.fail(str(error), param, ctx)


MOMENT, DAYS, _WORD = Read("time", asked.moment), Read("days", asked.days), Read("text", asked.word)
LIMIT = click.IntRange(1, 1_000_000)
_NAMES = ("error_type", "module", "component", "level", "release", "environment", "text", "since", "until")
_OPTIONS = (
    click.option("--type", "error_type", type=_WORD, metavar="NAME", help="Class of the error; * stands for anything."),
    click.option("--module", type=_WORD, metavar="NAME", help="Module where it happened, or a package around it."),
    click.option("--component", type=_WORD, metavar="NAME", help="Part of the system."),
    click.option("--level", type=Read("level", asked.level), metavar="NAME", help="This level and above."),
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
