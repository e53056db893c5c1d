"""migrate: what one ledger knows, to the ledger of a fleet."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from loghub.cli.table import count, table
from loghub.cli.where import Where, close_at_end, where
from loghub.delivery.home import Home
from loghub.handlers.base import ledger_option
from loghub.journal import files
from loghub.ledger.moving import Move

if TYPE_CHECKING:
    from loghub.ledger.protocol import Ledger
    from loghub.ledger.sql import SQLLedger


@click.command(short_help="Move a home's ledger to PostgreSQL.")
@click.option("--to", "url", required=True, metavar="URL", help="The ledger of the fleet: postgresql://...")
@where
def migrate(place: Where, url: str) -> None:
    """Bring all that a home's ledger knows to the ledger of a fleet: groups, counts, kept errors, what waits.

    The old ledger stays as it is. Where the new one has groups already, of hosts that use it or of other homes that
    were moved, counts add up; issues count nobody twice. Whatever breaks it off, run it again: it goes on. In the end
    both are counted; exit code 1 if anything is missing.

    \b
    Example:
      loghub migrate --home /var/lib/shop --to postgresql://loghub@db.internal/loghub
    """
    home = place.open()
    _see_that_it_rests(home)
    target = _target(home, url)
    source = home.ledger()
    if source.id == target.id:
        raise click.ClickException("That is the ledger that this home has: there is nothing to move.")
    move = Move(cast("SQLLedger", source), cast("SQLLedger", target), source.id)
    groups = source.totals()["groups"]
    for come in move.steps():
        click.echo(f"{come:,} of {count(groups, 'group')}")
    found = move.compare()
    click.echo("\n" + table(["", "here", "moved"], [(one.what, one.there, one.come) for one in found]))
    if any(one.there != one.come for one in found):
        raise click.ClickException(
            "Not all has come: the new ledger has let go of what was too old or too much, or the old one went on "
            "counting after its groups had come. Have nothing use the old one any more."
        )
    click.echo("\nAll has come. Give the handlers `ledger`, or LOGHUB_LEDGER, the new URL; the old file may go then.")


def _see_that_it_rests(home: Home) -> None:
    """See that nothing but the ledger knows of errors in the home."""
    if home.path is None:
        return
    if alive := files.alive(home.journals):
        raise click.ClickException(
            f"{alive} processes report to the home {home.path}: stop them, move, and start them with the new ledger."
        )
    if left := files.names(home.journals):
        raise click.ClickException(
            f"{len(left)} journals in {home.journals} cannot be taken in, such as {left[0]}: see that this user may "
            "read and remove them."
        )


def _target(home: Home, url: str) -> Ledger:
    chosen = ledger_option("loghub migrate", url)
    if chosen is None:
        raise click.UsageError("--to wants the URL of a database: postgresql://USER@HOST/DATABASE.")
    return close_at_end(Home(home.path, chosen)).ledger()
