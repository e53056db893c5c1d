"""Which errors a reader is to show: the same options on each."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from loghub.ledger.find import Find

if TYPE_CHECKING:
    from collections.abc import Callable

_AGO = re.compile(r"(\d{1,6}(?:\.\d{1,6})?) ?([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class Moment(click.ParamType):  # type: ignore[type-arg] # generic in new versions of click only
    """A time: ISO 8601, in UTC unless it says otherwise, or how long ago (``90m``, ``36h``, ``7d``, ``2w``)."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return epoch seconds."""
        if isinstance(value, float):
            return value
        ago = _AGO.fullmatch(value.strip())
        if ago:
            return time.time() - float(ago[1]) * _SECONDS[ago[2]]
        try:
            read = datetime.fromisoformat(value.strip())
        except ValueError:
            self.fail(f"{value!r} is no time: write 2026-11-27, 2026-11-27T03:00+01:00, or 36h or 7d for so long ago.")
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


MOMENT = Moment()

_NAMES = ("error_type", "module", "component", "level", "release", "environment", "text", "since", "until")
_OPTIONS = (
    click.option("--type", "error_type", metavar="NAME", help="Class of the error; * stands for anything."),
    click.option("--module", metavar="NAME", help="Module where it happened, or a package around it."),
    click.option("--component", metavar="NAME", help="Part of the system."),
    click.option("--level", metavar="NAME", help="This level and above."),
    click.option("--release", metavar="NAME", help="What was deployed."),
    click.option("--environment", metavar="NAME", help="production, staging ..."),
    click.option("--text", metavar="TEXT", help="In message, place or context."),
    click.option("--since", type=MOMENT, help="Not before: 2026-11-27, or 36h or 7d ago."),
    click.option("--until", type=MOMENT, help="Before."),
)


def filtered(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the options, and its function a `Find` as argument ``find``."""

    def call(*args: Any, **given: Any) -> Any:
        found = {name: given.pop(name) for name in _NAMES}
        return verb(*args, find=Find(**found), **given)

    call.__name__ = verb.__name__
    call.__doc__ = verb.__doc__
    call.__click_params__ = list(getattr(verb, "__click_params__", []))  # type: ignore[attr-defined]
    for option in reversed(_OPTIONS):
        call = option(call)
    return call
