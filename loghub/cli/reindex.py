"""reindex: what detail files say, back into the ledger."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from loghub import reindex as detail
from loghub.cli.table import count
from loghub.cli.where import Where, where
from loghub.delivery.opening import set_aside
from loghub.handlers.detailfile import JSONDetailHandler
from loghub.ledger.connection import CorruptLedgerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loghub.delivery.home import Home

_SHOWN = 10


@click.command(short_help="Take detail files into the ledger.")
@click.argument("directories", nargs=-1, metavar="[DIRECTORY...]")
@where
def reindex(place: Where, directories: Sequence[str]) -> None:
    """Read the JSON files of errors, and see that all they tell of is in the ledger.

    For a ledger that was lost or damaged (that is moved aside), or files of another machine. Each file is one
    occurrence; where the ledger has counted more, that stays, and running it again changes nothing. Without DIRECTORY
    the folders of the JSONDetailHandlers in --config are read, else logs/errors.

    \b
    Example:
      loghub reindex logs/errors
      loghub reindex --config logging.yaml
    """
    folders = [os.path.abspath(one) for one in directories] or _configured(place)
    for folder in folders:
        if not os.path.isdir(folder):
            raise click.ClickException(
                f"There is no directory {folder}: name the one that JSONDetailHandler writes to."
            )
    done = detail.reindex(_open(place), folders)
    for path, reason in done.unreadable[:_SHOWN]:
        click.echo(f"Left out: {path}: {reason}.", err=True)
    if len(done.unreadable) > _SHOWN:
        click.echo(f"Left out: {count(len(done.unreadable) - _SHOWN, 'more file')}.", err=True)
    click.echo(
        f"{count(done.files, 'file')} read. Not in the ledger before: {count(done.groups, 'group')}, "
        f"{count(done.events, 'event')}, {count(done.occurrences, 'occurrence')}."
    )
    if done.unreadable and not done.files:
        click.get_current_context().exit(1)


def _open(place: Where) -> Home:
    """Return the home, with a new ledger in the place of one that is damaged."""
    try:
        return place.open(make=True)
    except CorruptLedgerError as error:
        aside = set_aside(os.path.dirname(error.path), error.inode) if error.path else None
        if aside is None:
            raise
        click.echo(f"The ledger was damaged. It was moved to {aside}, and a new one is begun.", err=True)
        return place.open(make=True)


def _configured(place: Where) -> list[str]:
    """Return the folders of the handlers in --config, each once; the handler's default without it."""
    if place.config is None:
        return [os.path.abspath("logs/errors")]
    found = [one.directory for one in place.handlers() if isinstance(one, JSONDetailHandler)]
    if not found:
        raise click.ClickException(f"{place.config} has no JSONDetailHandler: name the directory of its files.")
    return list(dict.fromkeys(found))
